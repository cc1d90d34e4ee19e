"""Which gradients there can be at a point where slopes along the axes do not say it all.

At a kink, a tie or the tip of a norm the slope along a mixed direction is not what those along the
axes come to: a claim that each of these permits need not be a subgradient, and one that none of
them permits may still be the gradient of a point beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .evaluation import Point
from .slope import Slope, measure, power_of_two
from .verdict import Finding, Verdict, judge

Element = tuple[int, tuple[int, ...]]  # of an element: which array, and where in it
TIMES = 8  # directions that are tried before something is said of all
BESIDE = 24  # points beside

NOT_DIFFERENTIABLE = (
    "the slopes along the axes do not add up to the slope along another direction: the function "
    "is not differentiable here; check a point beside it"
)
MANY_KINKS = (
    "several kinks meet here: the claim is not between the slopes on both sides, but neither are "
    "the slopes of points beside it; check one of these"
)
NO_SUBGRADIENT = (
    "each element of the claim is between the slopes on both sides, but all together are not: it "
    "is no subgradient"
)


def near_zero(x: float) -> float:
    """The step that does not cross 0, for small x; 0 for others, and at 0 itself."""
    return power_of_two(abs(x)) / 2 if 0 < abs(x) < 2.0**-10 else 0.0


def zeros(point: Point) -> list[Any]:
    return [np.zeros(a.shape) for a in point.arrays]


def mixture(point: Point, places: Sequence[Element], rng: np.random.Generator) -> list[Any]:
    """A random direction in these elements, of their own sizes where they are close to 0."""
    u = zeros(point)
    for k, i in places:
        reach = near_zero(float(point.arrays[k][i])) or 1.0
        u[k][i] = reach * rng.integers(4, 13) / 8 * rng.choice([-1, 1])
    return u


def along(point: Point, u: Sequence[Any], size: float) -> Slope:
    return measure(point.along(u), 1.0, point.eps, 1e-8, size)


def stands_alone(point: Point, finding: Finding, draw: Callable[[], list[Any]]) -> bool:
    """Whether the slope of an element is its share of the slopes along mixed directions.

    Where f is not differentiable, such as a median among equals, it need not be: each element
    alone may leave f as it is, and yet no claim be wrong.

    Args:
        draw: gives one mixed direction after the other.
    """
    assert finding.index is not None
    k, i = finding.index
    for _ in range(TIMES):
        u = draw()
        u[k][i] = u[k][i] or 1.0
        rest = [d.copy() for d in u]
        rest[k][i] = 0
        share = u[k][i] * finding.slope.value
        size = max(abs(share), abs(u[k][i] * finding.claimed))
        both = along(point, u, size), along(point, rest, size)
        if any(slope.kind != "smooth" for slope in both):
            return False
        room = 10 * sum(slope.bar for slope in both) + 10 * abs(u[k][i]) * finding.slope.bar
        if abs(both[0].value - both[1].value - share) > room + 1e-6 * size:
            return False
    return True


def settled(point: Point, found: Sequence[Finding], eps: float, typical: float) -> list[Finding]:
    """The findings of elements, once it is known what their kinks permit all together."""
    for f in found:
        if f.verdict == Verdict.WRONG and f.slope.kind == "kink" and f.index:
            u = zeros(point)
            u[f.index[0]][f.index[1]] = 1
            if not keeps_between(point, u, f.slope):
                f.verdict, f.why = Verdict.CANNOT_TELL, MANY_KINKS
    kinked = [f for f in found if f.verdict == Verdict.AT_A_KINK and f.index]
    if len(kinked) < 2:
        return list(found)
    where = ", ".join(f.where for f in kinked[:4]) + ", ..." * (len(kinked) > 4) + " together"
    for u in mixed(point, kinked):
        claimed = sum(u[f.index[0]][f.index[1]] * f.claimed for f in kinked if f.index)
        size = max(typical, *(abs(f.claimed) for f in kinked))
        slope = along(point, u, size)
        finding = judge(where, float(claimed), slope, eps, size)
        if finding.verdict == Verdict.WRONG and keeps_between(point, u, slope):
            finding.why = NO_SUBGRADIENT
            return [*found, finding]
    return list(found)


def mixed(point: Point, kinked: Sequence[Finding]) -> Iterator[list[Any]]:
    """Directions in the elements at kinks: all up as far as the claims go; others at random."""
    places = [f.index for f in kinked if f.index]
    u = zeros(point)
    for f, (k, i) in zip(kinked, places, strict=True):
        u[k][i] = -1.0 if f.claimed < 0 else 1.0
    yield u
    rng = np.random.default_rng(0)
    for _ in range(3):
        yield mixture(point, places, rng)


def keeps_between(point: Point, u: Sequence[Any], slope: Slope) -> bool:
    """Whether all slopes along u of points beside x are between those on both sides of x.

    Then this is so of every subgradient, as for convex functions. It is not where kinks meet that
    bend up and down, as in a network: relu(x) − relu(y) has the slope 1 along (1, −1), and the
    gradients 0, 1 and 2 beside it.
    """
    sides = (slope.left, slope.right) if slope.kind == "kink" else (slope.value, slope.value)
    room = 10 * slope.bar + 1e-3 * max(map(abs, sides))
    rng = np.random.default_rng(1)
    for _ in range(BESIDE):
        beside = point.moved([a + 2.0**-20 * reach(a) * signs(a, rng) for a in point.arrays])
        there = along(beside, u, max(map(abs, sides)))
        point.calls += beside.calls
        if there.kind != "smooth" or not min(sides) - room <= there.value <= max(sides) + room:
            return False
    return True


def reach(a: Any) -> Any:
    """How far elements may go: those close to 0 stay on their side."""
    size = np.abs(a.astype(float))
    return np.where(size > 2.0**-10, np.maximum(size, 1), np.where(size > 0, size, 1))


def signs(a: Any, rng: np.random.Generator) -> Any:
    return (rng.choice([-1.0, 1.0], a.shape) * rng.uniform(0.5, 1, a.shape)).astype(a.dtype)
