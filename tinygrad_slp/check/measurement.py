"""A claimed gradient beside measured slopes: of every element, or along random directions."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..table import counted
from .claim import Claim
from .evaluation import Point
from .kinks import NOT_DIFFERENTIABLE, Element, mixture, near_zero, settled, stands_alone
from .slope import Slope, measure, plain, power_of_two
from .verdict import Finding, Verdict, grain_of, judge

KINKED = 600  # slopes measured to find the elements at kinks among many
TOO_MANY = (
    "kinks along this direction hide the rest, and there are too many to tell apart; check a point "
    'beside it, or each element, with method="elements"'
)


class Elements:
    """The slope of every element, or of those in these places."""

    def __init__(
        self,
        point: Point,
        claim: Claim,
        deadline: float,
        seed: int = 0,
        places: Sequence[Element] | None = None,
    ) -> None:
        self.point = point
        self.places = every_place(point) if places is None else places
        self.claim = claim
        self.deadline = deadline
        self.notes: list[str] = []
        self.checked = counted(point.size, "element")
        still = sum(int(np.sum(~np.isfinite(a))) for a in point.arrays)
        if still:
            self.notes.append(f"{counted(still, 'element')} of x NaN or infinite: not moved")
        sizes = [np.abs(g[np.isfinite(g)]).max(initial=0.0) for g in claim.arrays]
        self.typical = float(max(sizes, default=0.0))
        self.room = 1e-9 if point.can_be_wider else 1e-7

    def findings(self) -> list[Finding]:
        """One for each element, undecided and small differences measured again in wider dtypes."""
        places = self.places
        slopes: list[Slope] = []
        for k, i in progress(places, "measuring slopes"):
            if time.perf_counter() > self.deadline:
                break
            slopes.append(slope_of_element(self.point, k, i, self.typical))
        if len(slopes) < len(places):
            self.notes.append(
                f"stopped after the given time: {len(slopes)} of {len(places)} elements measured; "
                'raise seconds=, or use method="directions"'
            )
            slopes += [Slope("unknown", why="not measured: out of time")] * (
                len(places) - len(slopes)
            )
        measured = [abs(s.value) for s in slopes if s.kind in ("smooth", "kink")]
        self.typical = float(max(measured, default=0.0))
        found = [
            self.judged(self.point, self.claim.arrays, k, i, slope)
            for (k, i), slope in zip(places, slopes, strict=True)
        ]
        found = self.sharpened(found)
        if any(f.verdict == Verdict.WRONG for f in found) and not self.add_up(found):
            smooth = [f.index for f in found if f.index and f.slope.kind == "smooth"]
            rng = np.random.default_rng(0)
            for f in found:
                if f.verdict == Verdict.WRONG and f.slope.kind == "smooth":
                    self.doubted(f, lambda: mixture(self.point, smooth, rng))
        return settled(self.point, found, max(self.claim.eps, self.point.eps), self.typical)

    def doubted(self, f: Finding, draw: Callable[[], list[Any]]) -> None:
        """A wrong element is undecided, if its slope is no part of those along other directions."""
        if not stands_alone(self.point, f, draw):
            f.verdict, f.why = Verdict.CANNOT_TELL, NOT_DIFFERENTIABLE

    def add_up(self, findings: Sequence[Finding]) -> bool:
        """Whether the slopes of the elements make up the slope along a direction."""
        smooth = [f for f in findings if f.index and f.slope.kind == "smooth"]
        places = [f.index for f in smooth if f.index]
        u = mixture(self.point, places, np.random.default_rng(0))
        steps = [float(u[k][i]) for k, i in places]
        total = sum(d * f.slope.value for d, f in zip(steps, smooth, strict=True))
        size = sum(abs(d * f.slope.value) for d, f in zip(steps, smooth, strict=True))
        bar = sum(abs(d) * f.slope.bar for d, f in zip(steps, smooth, strict=True))
        point = self.point.wider() or self.point
        slope = measure(point.along(u), 1.0, point.eps, 1e-8, size)
        if slope.kind == "smooth":
            return abs(slope.value - total) <= 10 * (slope.bar + bar) + 1e-6 * size
        return slope.kind == "unknown"

    def judged(
        self, point: Point, claims: Sequence[Any], k: int, i: tuple[int, ...], slope: Slope
    ) -> Finding:
        where = point.names[k] + (f"[{', '.join(map(str, i))}]" if i else "")
        eps = max(self.claim.eps, point.eps)
        finding = judge(where, claims[k][i], slope, eps, self.typical, self.room)
        finding.index = k, i
        finding.remeasure = lambda: measure_element(point, k, i, 0.0, self.typical)
        return finding

    def sharpened(self, findings: list[Finding]) -> list[Finding]:
        """The findings with those that rounding may have blurred decided in wider dtypes."""
        point: Point | None = self.point
        while any(f.blunt or blurred(f) for f in findings) and self.in_time():
            point = point.wider() if point else None
            if point is None:
                break
            claims = self.claim.at(point)
            for n, f in enumerate(findings):
                if (f.blunt or blurred(f)) and f.index:
                    k, i = f.index
                    slope = slope_of_element(point, k, i, self.typical)
                    again = self.judged(point, claims, k, i, slope)
                    findings[n] = decided(f, again)
            self.point.calls += point.calls
        return findings

    def in_time(self) -> bool:
        return time.perf_counter() < self.deadline


def blurred(f: Finding) -> bool:
    """Whether a wider dtype may change this finding: undecided, or wrong by very little."""
    if f.verdict in (Verdict.CANNOT_TELL, Verdict.AT_A_KINK, Verdict.JUMP):
        return f.slope.kind != "vertical" and "time" not in f.why
    size = max(abs(f.claimed), abs(f.slope.value), f.typical)
    return f.verdict == Verdict.WRONG and abs(f.claimed - f.slope.value) < 1e-2 * size


def decided(first: Finding, again: Finding) -> Finding:
    """Which of two findings counts: the second, in a wider dtype, if it could tell."""
    if again.verdict == Verdict.CANNOT_TELL:
        return again if first.verdict == Verdict.JUMP and again.slope.kind == "smooth" else first
    if first.verdict == Verdict.WRONG and again.verdict == Verdict.RIGHT:
        # The formula is right, and its value was off by rounding only, if by little.
        again.why = "right in a wider dtype: the difference was rounding"
    return again


def slope_of_element(point: Point, k: int, i: tuple[int, ...], typical: float) -> Slope:
    """The slope of f in one element of array k, as sharp as it has to be."""
    return measure_element(point, k, i, 5 * grain_of(point.eps), typical)


def measure_element(
    point: Point, k: int, i: tuple[int, ...], sharp: float, typical: float
) -> Slope:
    """The same, by as many steps as it takes to get below `sharp`; by all, if that is 0."""
    phi = point.along_element(k, i)
    here = abs(float(point.arrays[k][i]))
    size = 1e-3 * typical
    slope = measure(phi, power_of_two(max(here, 1.0)), point.eps, sharp, size)
    reach = near_zero(here)
    if reach and not (slope.kind == "smooth" and slope.bar <= sharp * typical):
        closer = measure(phi, reach, point.eps, sharp, size)
        if closer.kind == "smooth" and not (slope.kind == "smooth" and closer.bar > slope.bar):
            return closer
    return slope


def every_place(point: Point) -> list[Element]:
    """All elements that can be moved: NaN and infinity cannot."""
    return [
        (k, i) for k, a in enumerate(point.arrays) for i in np.ndindex(a.shape) if np.isfinite(a[i])
    ]


class Directions:
    """The slopes along three random directions; if one disagrees, the element that is wrong.

    Directions are normal draws rounded to eighths, so that x + t·u is exact for small t.
    """

    def __init__(self, point: Point, claim: Claim, deadline: float, seed: int) -> None:
        self.point = point
        self.claim = claim
        self.deadline = deadline
        self.rng = np.random.default_rng(seed)
        self.notes: list[str] = []
        self.checked = f"{counted(point.size, 'element')} along 3 random directions"

    def findings(self) -> list[Finding]:
        found = []
        kinked: set[int] = set()
        for n in progress(range(3), "measuring directions"):
            if not self.in_time():
                self.notes.append("stopped after the given time: raise seconds=")
                found.append(judge("", 0.0, Slope("unknown", why="not measured"), 1.0, 0.0))
                break
            where = f"along random direction {n}"
            u = self.without(kinked, self.direction())
            finding = self.along(u, where)
            if finding.slope.kind == "kink":
                kinked |= self.at_kinks(u)
                u = self.without(kinked, u)
                finding = self.along(u, where)
                if finding.slope.kind == "kink":
                    finding.verdict, finding.why = Verdict.CANNOT_TELL, TOO_MANY
                    return [finding]
            found.append(finding)
            if finding.verdict == Verdict.WRONG:
                return [self.bisected(u, finding)]
        if not kinked:
            return found
        places = [self.place(at) for at in sorted(kinked)]
        self.checked += f", and {counted(len(places), 'element')} at kinks"
        return found + Elements(self.point, self.claim, self.deadline, places=places).findings()

    def in_time(self) -> bool:
        return time.perf_counter() < self.deadline

    def without(self, kinked: set[int], u: Sequence[Any]) -> list[Any]:
        """The direction with these elements left as they are."""
        flat = np.concatenate([np.ravel(d) for d in u])
        flat[list(kinked)] = 0
        return self.split(flat)

    def at_kinks(self, u: Sequence[Any]) -> set[int]:
        """The elements that have a kink along this direction, by halving it: a kink in one of
        them would hide what is wrong with others."""
        flat = np.concatenate([np.ravel(d) for d in u])
        kinked: set[int] = set()
        parts = [np.flatnonzero(flat)]
        for _ in range(KINKED):
            if not parts or not self.in_time():
                break
            inside = parts.pop()
            if plain(self.point.along(self.only(flat, inside)), 1.0, self.point.eps):
                continue
            if len(inside) == 1:
                kinked.add(int(inside[0]))
            else:
                parts += np.array_split(inside, 2)
        return kinked

    def only(self, flat: np.ndarray, inside: np.ndarray) -> list[Any]:
        """A direction, given as one long vector, in some of its elements."""
        masked = np.zeros_like(flat)
        masked[inside] = flat[inside]
        return self.split(masked)

    def direction(self) -> list[Any]:
        # Shorter than normal draws, so that f bends little; longer than 1, for more than its noise.
        length = power_of_two(self.point.size**0.25)
        u = []
        for a in self.point.arrays:
            largest = float(np.abs(a).max(initial=1.0))  # first: the square may overflow
            mean = float(np.sqrt(np.mean((a.astype(float) / largest) ** 2))) * largest
            scale = power_of_two(max(1.0, mean))
            draw = np.round(8 * self.rng.standard_normal(a.shape)) / 8
            u.append(draw * (scale / length))
        return u

    def along(self, u: Sequence[Any], where: str) -> Finding:
        """The claimed slope along u beside the measured one, in a wider dtype if need be."""
        point: Point | None = self.point
        claims = self.claim.arrays
        kept: Finding | None = None
        while point is not None:
            terms = [np.asarray(g, np.longdouble) * d for g, d in zip(claims, u, strict=True)]
            claimed = float(sum(t.sum() for t in terms))
            typical = float(np.sqrt(sum((t**2).sum() for t in terms)))
            slope = measure(point.along(u), 1.0, point.eps, 5 * grain_of(point.eps), typical)
            eps = max(self.claim.eps, point.eps)
            finding = judge(where, claimed, slope, eps, typical, room=1e-6)
            finding.remeasure = partial(measure, point.along(u), 1.0, point.eps, 0.0)
            kept = finding if kept is None else decided(kept, finding)
            if not blurred(kept):
                break
            wider = point.wider()
            if wider is not None:
                claims = self.claim.at(wider)
                self.point.calls += wider.calls
            point = wider
        assert kept is not None
        return kept

    def bisected(self, u: Sequence[Any], finding: Finding) -> Finding:
        """The element that is wrong, by halving the direction; the finding, if none stands out."""
        flat = np.concatenate([np.ravel(d) for d in u])
        inside = np.flatnonzero(flat)
        wanted = abs(finding.claimed - finding.slope.value)
        claims = np.concatenate([np.ravel(g) for g in self.claim.arrays])
        if not np.isfinite(claims).all():
            inside = np.flatnonzero(~np.isfinite(claims))[:1]
        while len(inside) > 1 and self.in_time():
            half = inside[: len(inside) // 2]
            there = self.discrepancy(self.only(flat, half), wanted)
            if there >= wanted / 2:
                inside, wanted = half, there
            else:
                inside = inside[len(half) :]
        if len(inside) > 1:
            return finding
        k, i = self.place(int(inside[0]))
        elements = Elements(self.point, self.claim, self.deadline)
        slope = slope_of_element(self.point, k, i, elements.typical)
        found = elements.sharpened([elements.judged(self.point, self.claim.arrays, k, i, slope)])
        if found[0].verdict != Verdict.WRONG:
            return finding
        if found[0].slope.kind == "smooth":
            kinked = set(np.flatnonzero(flat == 0).tolist())
            elements.doubted(found[0], lambda: self.without(kinked, self.direction()))
        return found[0]

    def discrepancy(self, u: Sequence[Any], wanted: float) -> float:
        """How far claimed and measured slope differ along u, well enough to see `wanted`."""
        claimed = float(sum(np.vdot(g, d) for g, d in zip(self.claim.arrays, u, strict=True)))
        slope = measure(self.point.along(u), 1.0, self.point.eps, 1e-2, wanted)
        return abs(claimed - slope.value)

    def split(self, flat: np.ndarray) -> list[Any]:
        """One long vector as arrays in the shapes of x."""
        ends = np.cumsum([a.size for a in self.point.arrays])[:-1]
        parts = np.split(flat, ends)
        return [p.reshape(a.shape) for p, a in zip(parts, self.point.arrays, strict=True)]

    def place(self, at: int) -> tuple[int, tuple[int, ...]]:
        """Which array, and where in it, an index into all numbers of x is."""
        for k, a in enumerate(self.point.arrays):
            if at < a.size:
                return k, tuple(int(j) for j in np.unravel_index(at, a.shape))
            at -= a.size
        raise IndexError(at)


def progress(items: Iterable[Any], what: str) -> Iterator[Any]:
    """A progress bar on a terminal, if it takes more than a second and tqdm is installed."""
    if find_spec("tqdm") is None:
        return iter(items)
    bar: Iterator[Any] = iter(
        import_module("tqdm").tqdm(items, what, delay=1, leave=False, disable=None)
    )
    return bar
