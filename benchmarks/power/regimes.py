"""Where gradients are checked: ordinary points, and points that are hostile on purpose."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_slp import autodiff
from tinygrad_slp.check.search import Draw

from .cases import Case

Arrays = list[Any]
Regime = Callable[[Case, Arrays, np.random.Generator], Arrays]
LARGEST = 1e12  # of a loss, in the regime of large numbers
FARTHEST = 10  # that an input moves on the way to an optimum, which not every loss has


def ordinary(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Numbers as they are drawn."""
    return inputs


def saturated(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Parameters twelve times as large: sigmoids of 0 and 1, softmax of one winner."""
    return changed(case, inputs, lambda x: 12 * x)


def near_the_optimum(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Parameters after sixty steps of gradient descent: slopes that nearly vanish."""
    slope = autodiff.grad(case.loss, tuple(case.moving))
    rate, here = 1.0, case.loss(*inputs)
    for _ in range(60):
        step = list(inputs)
        for k, g in zip(case.moving, slope(*inputs), strict=True):
            step[k] = inputs[k] - rate * g
        there = case.loss(*step)
        if there < here and max(np.abs(x).max(initial=0) for x in step) < FARTHEST:
            inputs, here = step, there
        else:
            rate /= 2
    return inputs


def tiny(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """All numbers around a millionth."""
    return [1e-6 * x for x in inputs]


def large(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """All numbers up to a thousand times as large, as far as the loss stays below 1e12."""
    for k in range(10, 0, -1):
        scaled = [2.0**k * x for x in inputs]
        if abs(case.loss(*scaled)) < LARGEST:
            return scaled
    return inputs


def on_a_kink(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Numbers rounded to halves, so that ties and zeros are many."""
    return [np.round(2 * x) / 2 for x in inputs]


def near_a_kink(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """A billionth beside these."""
    return [x + 1e-9 * rng.standard_normal(x.shape) for x in on_a_kink(case, inputs, rng)]


def badly_scaled(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Features from a hundredth to a hundred times their size, along the last axis."""
    return [x * 10.0 ** rng.uniform(-2, 2, x.shape[-1:]) if x.ndim else x for x in inputs]


def sparse(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Half of all numbers zero."""
    return [np.where(rng.random(x.shape) < 0.5, 0.0, x) for x in inputs]


def single_precision(case: Case, inputs: Arrays, rng: np.random.Generator) -> Arrays:
    """float32."""
    return [x.astype(np.float32) for x in inputs]


REGIMES: list[Regime] = [
    ordinary, saturated, near_the_optimum, tiny, large, on_a_kink, near_a_kink, badly_scaled,
    sparse, single_precision,
]  # fmt: skip


def title(regime: Regime) -> str:
    return regime.__name__.replace("_", " ")


def changed(case: Case, inputs: Arrays, change: Callable[[Any], Any]) -> Arrays:
    """The inputs, with those that are parameters changed."""
    return [change(x) if k in case.moving else x for k, x in enumerate(inputs)]


def point(case: Case, regime: Regime, rng: np.random.Generator) -> Draw | None:
    """Inputs of a case in a regime; None where its loss or its gradient is not finite."""
    draw = case.draw(rng)
    with np.errstate(all="ignore"):
        inputs = [np.asarray(x) for x in regime(case, draw.inputs, rng)]
        if not np.isfinite(case.loss(*inputs)) or not np.isfinite(case.truth(inputs)).all():
            return None
    return Draw(inputs, draw.sizes)
