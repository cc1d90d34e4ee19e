"""The slope of a function of one number at 0, measured with an error bar.

Along a line t ↦ φ(t) the function is evaluated at steps h·2⁻ᵏ on both sides. Where the one-sided
slopes approach each other as h → 0, φ is smooth, and Richardson's extrapolation (The deferred
approach to the limit, 1927) of central differences gives the slope; where their difference stays,
there is a kink; where it grows, a jump or a vertical tangent. The error bar adds what the table of
differences shows of the truncation to the noise of φ divided by the step, and the slope has to
agree with what every smaller step says: a plateau far away must not speak for the point itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

Kind = Literal["smooth", "kink", "jump", "vertical", "unknown"]
Long = np.longdouble
Phi = Callable[[float], tuple[Any, float]]
ROUNDED = 1e-5  # of φ: what jumps by less has been rounded, to float32 or a grid; by more, it jumps


@dataclass(frozen=True)
class Slope:
    """What was measured.

    Attributes:
        kind: smooth; kink (left and right slope differ); jump (φ is not continuous); vertical (the
            slope grows without bound); unknown (nothing could be measured, `why` says it).
        value: the slope; of a kink the mean of both sides.
        bar: its error bar: the true slope is within some multiple of it (see `verdict`).
        left, right: the one-sided slopes, at a kink.
        steps: (h, slope on the left, on the right, error bar of these) at every step made.
    """

    kind: Kind
    value: float = np.nan
    bar: float = np.inf
    left: float = np.nan
    right: float = np.nan
    why: str = ""
    steps: Sequence[tuple[float, ...]] = field(default=(), repr=False)

    @property
    def still(self) -> bool:
        """Whether φ did not change by one bit at any step made."""
        return all(left == right == 0 for _, left, right, _ in self.steps)

    @property
    def flat(self) -> bool:
        """Whether φ is constant near 0: it does not change by one bit, or first far off by a jump.

        Where rounding hides a slope, what is seen first of it, on the way out, is one bit.
        """
        moved = [step for step in self.steps if step[1] or step[2]]
        if len(self.steps) - len(moved) < 10:
            return False
        _, left, right, error = moved[-1] if moved else (0.0, 1.0, 1.0, 0.0)
        return max(abs(left), abs(right)) > 100 * error


class Line:
    """The values of φ at 0 and at ±h·2⁻ᵏ, each computed when it is first asked for.

    Args:
        phi: called with a step t, returns φ there and the step that was really made (x + t − x,
            after rounding); not finite where φ is not defined.
        scale: the step for k = 0; a power of two.
        eps: the spacing of the numbers that φ computes in, next to 1.
    """

    def __init__(self, phi: Phi, scale: float, eps: float) -> None:
        self.phi = phi
        self.scale = scale
        self.eps = eps
        self.at_zero = Long(phi(0.0)[0])
        self.sides: dict[tuple[int, int], tuple[Any, Any]] = {}
        self.levels = round(0.9 * -np.log2(eps))  # 47 for float64: then a step has 5 bits left
        self.noise = 2 * eps * float(abs(self.at_zero))

    def side(self, k: int, sign: int) -> tuple[Any, Any]:
        """φ at ±h·2⁻ᵏ, and the length of that step."""
        if (k, sign) not in self.sides:
            value, t = self.phi(sign * self.scale * 2.0**-k)
            self.sides[k, sign] = Long(value), abs(Long(t))
        return self.sides[k, sign]

    def one_sided(self, k: int, sign: int) -> Any:
        value, t = self.side(k, sign)
        return sign * (value - self.at_zero) / t if t else Long(np.nan)

    def central(self, k: int) -> Any:
        (above, up), (below, down) = self.side(k, 1), self.side(k, -1)
        return (above - below) / (up + down) if up and down else Long(np.nan)

    def gap(self, k: int) -> Any:
        """How much the slopes on both sides differ at this step."""
        return abs(self.one_sided(k, 1) - self.one_sided(k, -1))

    def shake(self, k: int) -> float:
        """The error of a difference at this step that the noise of φ makes."""
        sizes = [abs(self.side(k, sign)[0]) for sign in (1, -1)]
        largest = max([float(size) for size in sizes if np.isfinite(size)], default=0.0)
        return 2 * max(self.noise, 2 * self.eps * largest) / (self.scale * 2.0**-k)

    def steps(self, ks: Iterable[int]) -> list[tuple[float, ...]]:
        """What was measured at these steps: h, the slopes on the left and right, their error."""
        return [
            (
                self.scale * 2.0**-k,
                float(self.one_sided(k, -1)),
                float(self.one_sided(k, 1)),
                2 * self.shake(k),
            )
            for k in ks
        ]

    def measure_noise(self) -> None:
        """Raises the noise to what a difference table of 7 close points shows.

        Hamming, Introduction to Applied Numerical Analysis, 1971; Moré and Wild, Estimating
        computational noise, 2011. The point itself is left out, where a kink or jump may be, and
        the quieter side counts: a kink beside it is not noise.
        """
        spacing = self.scale * 2.0 ** round(0.5 * np.log2(self.eps))
        quieter = np.inf
        for sign in (1, -1):
            row = np.array([Long(self.phi(sign * spacing * i)[0]) for i in range(1, 8)])
            if not np.isfinite(row).all():
                continue
            found = Long(0)
            factor = 1.0
            for order in range(1, 7):
                row = np.diff(row)
                factor *= order / (2 * (2 * order - 1))  # (order!)² / (2·order)!
                if order >= 4:
                    found = max(found, np.sqrt(factor * np.mean(row**2)))
            quieter = min(quieter, float(found))
        if np.isfinite(quieter):
            self.noise = max(self.noise, min(quieter, self.unsteadiness() or quieter))
        self.noise = max(self.noise, self.stair(1), self.stair(-1))

    def unsteadiness(self) -> float:
        """How much φ moves by chance at the smallest steps, at most.

        Close to an edge the difference table takes the edge for noise; the slopes themselves,
        steady to the smallest steps, know better. 0 says nothing: within one stair nothing moves.
        """
        moves = []
        for sign in (1, -1):
            ks = range(self.levels - 5, self.levels)
            slopes = [self.one_sided(k, sign) for k in ks]
            steps = [self.side(k, sign)[1] for k in ks]
            jumps = [abs(b - a) * h for (a, b), h in zip(pairwise(slopes), steps, strict=False)]
            moves.append(float(np.median(jumps)))
        return 2 * max((m for m in moves if np.isfinite(m)), default=np.inf)

    def stair(self, sign: int) -> float:
        """The height of the stair beside 0, where φ rounds to fewer digits than it gives; or 0.

        Such a φ is still at the smallest steps, and then moves at once, wherever that is looked
        for more closely; a kink or a smooth function moves by less the closer one looks.
        """
        moves = [abs(self.side(k, sign)[0] - self.at_zero) for k in range(self.levels)]
        moved = [k for k, move in enumerate(moves) if move > 0]
        if not moved or moved[-1] == self.levels - 1:
            return 0.0
        first = float(moves[moved[-1]])
        height, far = first, self.scale * 2.0 ** -moved[-1]
        still = far / 2
        for _ in range(24):
            middle = (still + far) / 2
            move = float(abs(Long(self.phi(sign * middle)[0]) - self.at_zero))
            if move > 0:
                height, far = move, middle
            else:
                still = middle
        return height if first / 256 < height <= ROUNDED * float(abs(self.at_zero)) else 0.0


def measure(phi: Phi, scale: float, eps: float, sharp: float, size: float = 0.0) -> Slope:
    """The slope of φ at 0, by a few steps if they agree to `sharp`, else by all.

    Args:
        phi, scale, eps: see `Line`.
        sharp: the error that is good enough to stop early, relative to the slope or to `size`;
            0: do not stop early.
        size: of slopes that matter.
    """
    with np.errstate(all="ignore"):
        line = Line(phi, scale, eps)
        if not np.isfinite(line.at_zero):
            return Slope("unknown", why=f"the function is {line.at_zero} at the point itself")
        if found := quick(line, sharp, size):
            return found
        line.measure_noise()
        return thorough(line)


def plain(phi: Phi, scale: float, eps: float) -> bool:
    """Whether a few steps show that φ is smooth at 0: cheaper than to know what else it is."""
    with np.errstate(all="ignore"):
        line = Line(phi, scale, eps)
        return quick(line, 1e-6, float(abs(line.at_zero))) is not None


def quick(line: Line, sharp: float, size: float) -> Slope | None:
    """The slope by six steps, where these show a smooth function beyond doubt; else None."""
    first = round(-0.2 * np.log2(line.eps)) - 2  # where truncation and noise balance
    ks = [first, first + 1, first + 2]
    if not all(np.isfinite(line.side(k, sign)[0]) for k in ks for sign in (1, -1)):
        return None
    gaps = [line.gap(k) for k in ks]
    shakes = [line.shake(k) for k in ks]
    for i in (1, 2):
        if gaps[i] > 0.6 * gaps[i - 1] + 3 * shakes[i]:
            return None
    value, bar = extrapolate([line.central(k) for k in ks], shakes, 2)[-1]
    if not bar <= sharp * max(abs(value), size):
        return None
    for k in (first + 5, round(2.5 * first), round(3.8 * first)):
        closer = line.central(k)
        if not abs(closer - value) <= bar + 3 * line.shake(k) + 4.0 ** (ks[2] - k) * gaps[2]:
            return None
        if not line.gap(k) <= 2.0 ** (ks[2] + 1 - k) * gaps[2] + 3 * line.shake(k):
            return None
        ks.append(k)
    return Slope("smooth", float(value), float(bar), steps=line.steps(ks))


def thorough(line: Line) -> Slope:
    """The slope by every step, or what there is instead of one."""
    reach = [first_finite(line, sign) for sign in (1, -1)]
    enough = line.levels - 8
    if min(reach) > enough:
        return Slope("unknown", why="the function is not finite on either side of the point")
    if max(reach) > enough:
        return edge(line, 1 if reach[0] < reach[1] else -1, min(reach))
    ks = range(max(reach), line.levels)
    gaps = [line.gap(k) for k in ks]
    line.noise = max(line.noise, hidden_noise(gaps, line, ks))
    shakes = [line.shake(k) for k in ks]
    trend = shrinking(gaps, shakes)
    slopes = [abs(line.central(k)) for k in ks]
    if slopes[-1] > 12 * shakes[-1] and (growth := shrinking(slopes, shakes)) > 1.25:
        trend = growth  # the same on both sides: a jump like that of the sign, a root like cbrt
    steps = line.steps(ks)
    if trend > 0.75:
        right, left = (best(line, ks, sign) for sign in (1, -1))
        if trend > 1.25 or right is None or left is None:
            kind: Kind = "jump" if trend > 1.8 else "vertical"
            return Slope(kind, float(line.central(ks[-1])), steps=steps)
        bar = max(right[1], left[1])
        mean = (right[0] + left[0]) / 2
        return Slope("kink", mean, bar, left=left[0], right=right[0], steps=steps)
    found = best(line, ks[smooth_from(gaps, line, ks) :], 0)
    if found is None:
        return Slope("unknown", why="the slopes at different steps do not agree", steps=steps)
    return Slope("smooth", *found, steps=steps)


def first_finite(line: Line, sign: int) -> int:
    """The first level from which on all are finite on this side."""
    for k in reversed(range(line.levels)):
        if not np.isfinite(line.side(k, sign)[0]):
            return k + 1
    return 0


def edge(line: Line, sign: int, first: int) -> Slope:
    """The slope at the edge of the domain of φ, from the side where it is defined."""
    ks = range(first, line.levels)
    slopes = [abs(line.one_sided(k, sign)) for k in ks]
    steps = line.steps(ks)
    growth = [b / a for a, b in pairwise(slopes) if a > 0][-12:]
    if growth and min(growth) > 1.2:
        return Slope("vertical", float(line.one_sided(ks[-1], sign)), steps=steps)
    found = best(line, ks, sign)
    if found is None:
        return Slope("unknown", why="no slope on the one side where it is defined", steps=steps)
    return Slope("smooth", *found, steps=steps)


def hidden_noise(gaps: Sequence[Any], line: Line, ks: Sequence[int]) -> float:
    """The noise of a function that rounds to fewer digits than it gives, such as through float32.

    The gap between left and right slope falls with the step, and from where the noise takes over
    it grows again, like 1/h, until at the smallest steps all may round to the same.
    """
    seen = [i for i, gap in enumerate(gaps) if gap > 0]
    gaps = gaps[: seen[-1] + 1] if seen else gaps
    turn = int(np.argmin(gaps))
    after = [gap for gap in gaps[turn + 1 :] if gap > 0][:10]
    if len(after) < 5 or np.median([b / a for a, b in pairwise(after)]) < 1.5:
        return 0.0
    steps = [line.scale * 2.0**-k for k in ks[turn + 1 : len(gaps)]]
    noise = float(max(g * h for g, h in zip(gaps[turn + 1 :], steps, strict=True))) / 2
    return noise if noise <= ROUNDED * float(abs(line.at_zero)) else 0.0


def shrinking(gaps: Sequence[Any], shakes: Sequence[float]) -> float:
    """By what factor the gap between left and right slope changes as the step halves, near 0.

    Judged by the smallest steps at which the gap stands out of the noise; ½ for smooth functions.
    """
    clear = [i for i in range(len(gaps)) if gaps[i] > 12 * shakes[i]]
    if not clear:
        return 0.5
    after = clear[-1] + 1
    if after < len(gaps) and gaps[after - 1] > 48 * shakes[after]:
        return 0.0  # it stood out, and is gone one step further: all that was is outside
    last = clear[-5:]
    ratios = [gaps[i + 1] / gaps[i] for i in last if i + 1 < len(gaps) and i + 1 in last]
    return float(np.median(ratios)) if len(ratios) >= 2 else 0.5


def smooth_from(gaps: Sequence[Any], line: Line, ks: Sequence[int]) -> int:
    """The largest step from which on the gap keeps shrinking: where the smooth radius begins."""
    for i in reversed(range(len(gaps) - 1)):
        if gaps[i + 1] > 0.75 * gaps[i] + 8 * line.shake(ks[i + 1]):
            return i + 1
    return 0


def best(line: Line, ks: Sequence[int], sign: int) -> tuple[float, float] | None:
    """The extrapolated slope with the smallest error bar that all smaller steps agree with.

    Args:
        sign: +1 or −1 for the slope on that side, 0 for central differences.
    """
    difference = line.central if sign == 0 else lambda k: line.one_sided(k, sign)
    d = [difference(k) for k in ks]
    shakes = [line.shake(k) for k in ks]
    order = 2 if sign == 0 else 1
    candidates = []
    for start in range(len(d) - 1):
        rows = extrapolate(d[start : start + 7], shakes[start : start + 7], order)
        candidates += [(bar, start + i, value) for i, (value, bar) in enumerate(rows) if i]
    for bar, at, value in sorted(candidates):
        if at > len(d) - 3:
            continue  # too few smaller steps to agree with
        off = abs(d[at] - value)
        if all(
            abs(d[i] - value) <= 2 * bar + 2 * shakes[i] + 2 * off * 2.0 ** (order * (at - i))
            for i in range(at + 1, len(d))
        ):
            return float(value), float(bar)
    return None


def extrapolate(d: Sequence[Any], shakes: Sequence[float], order: int) -> list[tuple[Any, Any]]:
    """Richardson's table of differences at steps that halve: after each row, the best entry.

    Args:
        order: the error goes like h^order, h^(2·order)...: 2 for central differences, 1 for others.

    Returns:
        For each row, the entry with the smallest error bar and that bar: how much it differs from
        its two ancestors, and the noise that comes down to it.
    """
    table: list[list[Any]] = []
    found = []
    for i, first in enumerate(d):
        row = [first]
        choice = (first, Long(np.inf))
        for j in range(1, i + 1):
            factor = 2.0 ** (order * j) - 1
            row.append(row[j - 1] + (row[j - 1] - table[i - 1][j - 1]) / factor)
            spread = max(abs(row[j] - row[j - 1]), abs(row[j] - table[i - 1][j - 1]))
            bar = spread + 2 * shakes[i]
            if bar < choice[1]:
                choice = (row[j], bar)
        table.append(row)
        found.append(choice)
    return found


def power_of_two(x: float) -> float:
    """The power of two next to x: such steps make no rounding error of their own."""
    return float(2.0 ** min(1000, round(np.log2(min(x, 1e300)))))
