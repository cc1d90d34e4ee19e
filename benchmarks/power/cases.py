"""What the checker is tried on: losses with a right gradient, from the library and every rule."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_slp import autodiff
from tinygrad_slp.check.examples import Call, calls
from tinygrad_slp.check.search import Draw
from tinygrad_slp.rule import functions

from .library import DERIVATIONS, Derivation

Array = Any


@dataclass(frozen=True)
class Case:
    """A loss, and a gradient of it that is right.

    Attributes:
        loss, gradient: called with all inputs; the gradient is of input `wrt`.
        draw: inputs in general position.
        moving: the inputs that regimes change: parameters, rather than data.
    """

    name: str
    loss: Callable[..., Any]
    gradient: Callable[..., Array]
    wrt: int
    moving: Sequence[int]
    names: Sequence[str]
    draw: Callable[[np.random.Generator], Draw]

    def truth(self, inputs: Sequence[Array]) -> Array:
        """The gradient in the widest numbers there are."""
        with np.errstate(all="ignore"):
            wide = [x.astype(np.longdouble) for x in inputs]
            return autodiff.grad(self.loss, self.wrt)(*wide)


def cases() -> list[Case]:
    return [*of_the_library(), *of_the_rules()]


def of_the_library() -> Iterator[Case]:
    for known in DERIVATIONS:
        names = known.shapes.names
        moving = [names.index(name) for name in known.gradients]
        for name, gradient in known.gradients.items():
            wrt = names.index(name)
            title = f"{known.name}, ∂{name}"
            yield Case(title, known.loss, gradient, wrt, moving, names, drawer(known))


def drawer(known: Derivation) -> Callable[[np.random.Generator], Draw]:
    return lambda rng: known.shapes.fresh(rng, known.values)


def of_the_rules() -> Iterator[Case]:
    """One case for each array of each example in a rule's record, contracted to one number."""
    of_scipy = getattr(sys.modules.get("tinygrad_slp.rules.special"), "DECLARED", ())
    for rule in functions():
        if rule in of_scipy:  # also where they happen to be loaded
            continue
        for n, call in enumerate(calls(rule)):
            loss = contracted(call)
            if not in_wide_numbers(loss, call):
                continue
            for k in range(len(call.arrays)):
                names = [f"x{i}" for i in range(len(call.arrays))]
                title = f"{rule.name}, example {n}, ∂{names[k]}"
                gradient = autodiff.grad(loss, k)
                moving = range(len(call.arrays))
                yield Case(title, loss, gradient, k, moving, names, example(rule, n))


def in_wide_numbers(loss: Callable[..., Any], call: Call) -> bool:
    """Whether there is a truth to judge by: linear algebra is of float64 at most."""
    try:
        loss(*(x.astype(np.longdouble) for x in call.arrays))
    except TypeError:
        return False
    return True


def contracted(call: Call) -> Callable[..., Any]:
    """Σ v ⊙ call(*arrays), for fixed v."""
    shape = np.shape(call(*call.arrays))
    rng = np.random.default_rng(0)
    v = rng.integers(1, 9, shape) / 4 * rng.choice([-1, 1], shape)

    def loss(*arrays: Any) -> Any:
        y = call(*arrays)
        return np.sum(v.astype(y.dtype) * y)

    return loss


def example(rule: Any, n: int) -> Callable[[np.random.Generator], Draw]:
    def draw(rng: np.random.Generator) -> Draw:
        arrays = calls(rule, int(rng.integers(1 << 31)))[n].arrays
        return Draw(list(arrays), {str(size): size for a in arrays for size in a.shape})

    return draw
