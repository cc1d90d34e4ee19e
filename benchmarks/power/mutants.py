"""Gradients made wrong on purpose: by every slip in the dictionary, or a little in one element."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_slp.check.gradient_slips import factors
from tinygrad_slp.check.search import Draw
from tinygrad_slp.check.slips import LossGraph, Slip

from .cases import Case

ERRORS = (1e-2, 1e-4, 1e-6)  # relative, in one element


@dataclass(frozen=True)
class Mutant:
    """A wrong gradient of a case: called with all inputs."""

    text: str
    gradient: Callable[..., Any]


def mutants(case: Case, draw: Draw, rng: np.random.Generator) -> Iterator[Mutant]:
    for slip in LossGraph(case.loss, draw.inputs, case.wrt).slips():
        yield Mutant(slip.text, slipped(case, [slip]))
    for text, turn in turns(draw, case.wrt):
        yield Mutant(text, turned(case, turn))
    for error in ERRORS:
        if draw.inputs[case.wrt].size:
            yield Mutant(f"{error:.0e} off in one element", off_by(case, error, rng))


def slipped(case: Case, slips: Sequence[Slip]) -> Callable[..., Any]:
    """The gradient with slips on the way back through the graph, whatever the sizes."""

    def gradient(*inputs: Any) -> Any:
        traced = LossGraph(case.loss, inputs, case.wrt)
        there = {(slip.text, slip.edge): slip for slip in traced.slips()}
        return traced.gradient([there[slip.text, slip.edge] for slip in slips])

    return gradient


def turned(case: Case, turn: Callable[[Any], Any]) -> Callable[..., Any]:
    """The right gradient, changed as a whole."""
    return lambda *inputs: turn(case.gradient(*inputs))


def turns(draw: Draw, wrt: int) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Constant factors, and permutations that keep the shape."""
    for text, factor in factors(draw.sizes):
        if factor(draw.sizes) != 1:
            yield text, partial(multiplied, factor(draw.sizes))
    shape = draw.inputs[wrt].shape
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        yield "it is transposed", np.transpose
    for axis, n in enumerate(shape):
        if n > 1:
            yield f"shifted by 1 along axis {axis}", partial(np.roll, shift=1, axis=axis)
            yield f"reversed along axis {axis}", partial(np.flip, axis=axis)


def multiplied(factor: float, g: Any) -> Any:
    return g * np.asarray(factor, g.dtype)


def off_by(case: Case, error: float, rng: np.random.Generator) -> Callable[..., Any]:
    """The right gradient with a relative error in one element."""
    at = rng.random()

    def gradient(*inputs: Any) -> Any:
        g = np.array(case.gradient(*inputs))
        flat = g.reshape(-1)
        flat[int(at * flat.size)] *= 1 + error
        return g

    return gradient


def zeroed(case: Case) -> Mutant:
    """The negative control: a rule that gives nothing back."""
    return Mutant("zeros", lambda *inputs: np.zeros_like(inputs[case.wrt]))


def untouched(case: Case) -> Mutant:
    """The other negative control: a rule that does nothing to what it is given."""
    return Mutant("no-op", lambda *inputs: np.ones_like(inputs[case.wrt]))
