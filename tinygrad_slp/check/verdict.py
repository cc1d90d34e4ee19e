"""What a measured slope says about a claimed one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from .slope import Slope


class Verdict(StrEnum):
    """The six answers; a report has the gravest of its findings."""

    RIGHT = "RIGHT"
    AT_A_KINK = "AT A KINK"
    CANNOT_TELL = "CANNOT TELL"
    JUMP = "JUMP"
    WRONG = "WRONG"
    NOT_A_FUNCTION = "NOT A FUNCTION"


GRAVITY = list(Verdict)


def gravest(verdicts: Iterable[Verdict], default: Verdict = Verdict.CANNOT_TELL) -> Verdict:
    """The verdict of several together."""
    return max(verdicts, key=GRAVITY.index, default=default)


@dataclass
class Finding:
    """A claimed slope beside the measured one.

    Attributes:
        where: W[2, 0], or the direction.
        index: of the leaf, and within it; None for a direction.
        tolerance: how far the claim may be off: ten error bars, and the rounding of the claim.
        typical: the size of slopes beside this one, which small ones are judged by.
        blunt: right, but with more room than rounding needs: a wider dtype would see more.
        remeasure: measures the slope once more, by every step.
    """

    where: str
    claimed: float
    slope: Slope
    tolerance: float
    typical: float
    verdict: Verdict
    why: str = ""
    blunt: bool = False
    index: tuple[int, tuple[int, ...]] | None = None
    remeasure: Callable[[], Slope] | None = field(default=None, repr=False)

    @property
    def resolution(self) -> float:
        """The smallest error that would have been seen, relative to the slopes that matter."""
        size = max(abs(self.claimed), abs(self.slope.value), self.typical)
        return self.tolerance / size if size and np.isfinite(self.tolerance) else self.tolerance


BLUNTEST = 1e-3  # what is known less well than to a thousandth, as in float16, is not RIGHT
NEGLIGIBLE = 1e-12  # of the largest slope: smaller ones make no difference to anything


def grain_of(eps: float) -> float:
    """The relative error that a claim may have from its own rounding."""
    return max(1e-8, 64 * eps)


def judge(
    where: str, claimed: float, slope: Slope, eps: float, typical: float, room: float = 1e-7
) -> Finding:
    """Compares a claimed slope with the measured one.

    WRONG, if they differ by more than ten error bars and the rounding of the claim. RIGHT, if that
    is sharp enough: to 50 roundings of the slope itself, or to `room` of those that are typical
    here, and in float32 to a thousandth of these.

    Args:
        eps: the spacing of the numbers the claim was computed in, next to 1.
    """
    grain = grain_of(eps)
    own = max(abs(claimed), abs(slope.value))
    tolerance = float(10 * slope.bar + grain * own)

    def finding(verdict: Verdict, why: str = "") -> Finding:
        return Finding(where, claimed, slope, tolerance, typical, verdict, why)

    if slope.kind == "unknown":
        return finding(Verdict.CANNOT_TELL, slope.why)
    if slope.kind == "jump":
        return finding(Verdict.JUMP, "the function jumps here: it has no slope")
    if slope.kind == "vertical":
        if np.isinf(claimed) and np.sign(claimed) == np.sign(slope.value):
            return finding(Verdict.RIGHT, "the slope grows without bound, as claimed")
        return finding(
            Verdict.CANNOT_TELL,
            "the slope grows without bound: there is no finite gradient; check a point beside it",
        )
    if not np.isfinite(claimed):
        return finding(Verdict.WRONG, f"the claim is {claimed}, but the slope is finite")
    if slope.kind == "kink":
        low, high = sorted((slope.left, slope.right))
        tolerance = float(10 * slope.bar + grain * max(abs(claimed), abs(low), abs(high)))
        if low - tolerance <= claimed <= high + tolerance:
            return finding(Verdict.AT_A_KINK, "the claim lies between the slopes on both sides")
        return finding(Verdict.WRONG, "a kink, and the claim is not between the slopes beside it")
    if not abs(claimed - slope.value) <= tolerance:
        if slope.still and abs(claimed) <= grain:
            return finding(
                Verdict.CANNOT_TELL,
                "the function does not change by one bit, but may round away so small a slope on "
                "the way: check a point where it is less flat, or in a wider dtype",
            )
        return finding(Verdict.WRONG)
    enough = max(50 * grain * own, max(room, 8000 * eps) * typical)
    if tolerance <= min(enough, BLUNTEST * max(own, typical)):
        right = finding(Verdict.RIGHT)
        right.blunt = tolerance > max(10 * grain * own, NEGLIGIBLE * typical) and not slope.still
        return right
    if claimed == 0 and slope.flat:
        return finding(Verdict.RIGHT, "the function does not change here at all, as claimed")
    return finding(
        Verdict.CANNOT_TELL,
        f"the claim agrees, but only to ± {tolerance:.1e}: rounding in the function hides more; "
        "check a point where it is less flat, or in a wider dtype",
    )
