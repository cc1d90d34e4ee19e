"""Slips of a whole gradient: a constant factor, a transpose, permuted rows."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np

CLOSE = 1e-9
LONGEST = 64  # axes up to so long are searched for permutations
Sizes = Mapping[str, int]
GradientSlip = tuple[str, Callable[[Any, Sizes], Any]]


def factors(sizes: Sizes) -> Iterator[tuple[str, Callable[[Sizes], float]]]:
    """Constant factors that gradients are off by, with the slip that makes each."""
    yield "the sign is wrong", lambda s: -1.0
    yield "a factor of 2 too much (or accumulated twice)", lambda s: 2.0
    yield "a factor of 2 is missing (half of the gradient)", lambda s: 0.5
    for a in sizes:
        yield f"1/{a} is missing: the gradient of the sum, not of the mean", power_of(a, 1)
        yield (
            f"1/{a} too much: divided by {a} twice, or averaged where the sum is meant",
            power_of(a, -1),
        )
        yield f"divided by {a}² too often", power_of(a, -2)
    for a, b in permutations(sizes, 2):
        yield f"divided by {b} instead of {a}", powers(a, b, -1)
    for a, b in combinations(sizes, 2):
        yield f"1/({a}·{b}) is missing", powers(a, b, 1)
        yield f"1/({a}·{b}) too much", inverse(powers(a, b, 1))


def power_of(letter: str, exponent: int) -> Callable[[Sizes], float]:
    return lambda sizes: float(sizes[letter]) ** exponent


def powers(a: str, b: str, exponent: int) -> Callable[[Sizes], float]:
    return lambda sizes: float(sizes[a]) * float(sizes[b]) ** exponent


def gradient_slips(sizes: Sizes, true: Any, claim: Any) -> Iterator[GradientSlip]:
    """Slips that change a whole gradient, cheapest first; some found by looking at the claim."""
    yield "", lambda g, s: g
    for text, factor in factors(sizes):
        yield text, times(factor)
    if np.ndim(true) == 2:
        yield "it is transposed", lambda g, s: g.T
    for axis in range(np.ndim(true)):
        if true.shape == claim.shape and (order := permutation(true, claim, axis)) is not None:
            what = ("elements",) if true.ndim == 1 else ("rows", "columns")
            n = len(order)
            if np.array_equal(order, np.arange(n)[::-1]):
                text, turn = (
                    f"its {what[axis % len(what)]} are in reverse order",
                    reversed_along(axis),
                )
            elif shift := rotation(order):
                text = f"its {what[axis % len(what)]} are shifted by {shift}"
                turn = rolled(shift, axis)
            else:
                text = f"its {what[axis % len(what)]} are permuted: {order.tolist()}"
                turn = taken(order, axis)
            yield text, turn


def inverse(factor: Callable[[Sizes], float]) -> Callable[[Sizes], float]:
    return lambda sizes: 1 / factor(sizes)


def times(factor: Callable[[Sizes], float]) -> Callable[..., Any]:
    return lambda g, s: factor(s) * g


def permutation(true: Any, claim: Any, axis: int) -> Any:
    """The order that makes the true gradient the claimed one along an axis, or None."""
    if true.shape[axis] > LONGEST:
        return None
    a = np.moveaxis(true, axis, 0).reshape(true.shape[axis], -1)
    b = np.moveaxis(claim, axis, 0).reshape(true.shape[axis], -1)
    distance = np.abs(a[None, :, :] - b[:, None, :]).max(axis=2, initial=0)
    order = distance.argmin(axis=1)
    scale = np.abs(true).max(initial=0)
    if not np.array_equal(np.sort(order), np.arange(len(order))):
        return None
    if distance.min(axis=1).max() > CLOSE * scale or np.array_equal(order, np.arange(len(order))):
        return None
    return order


def rotation(order: Any) -> int:
    """By how much a permutation rolls; 0 if it does something else."""
    n = len(order)
    shift = int(-order[0]) % n
    return shift if np.array_equal(order, (np.arange(n) - shift) % n) else 0


def reversed_along(axis: int) -> Callable[..., Any]:
    return lambda g, s: np.flip(g, axis)


def rolled(shift: int, axis: int) -> Callable[..., Any]:
    return lambda g, s: np.roll(g, shift, axis)


def taken(order: Any, axis: int) -> Callable[..., Any]:
    def turn(g: Any, s: Any) -> Any:
        return np.take(g, order, axis) if g.shape[axis] == len(order) else g

    return turn
