"""One trial: what each checker says of a right gradient at a point, and of every wrong one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_slp.check.gradient import check_gradient
from tinygrad_slp.check.report import Report
from tinygrad_slp.check.search import Draw
from tinygrad_slp.check.verdict import NEGLIGIBLE, Verdict, grain_of

from .cases import Case
from .mutants import Mutant, mutants
from .peers import Accepts
from .regimes import Regime, point, title

OURS = "tinygrad_slp.check"
NOT_WRONG = ("equivalent here", "a subgradient at a kink")


@dataclass
class Ledger:
    """How often each checker came to which outcome.

    Attributes:
        counts: of (regime, checker, outcome).
        missed: of ours, what passed in silence or was a false alarm, in words.
    """

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def add(self, other: "Ledger") -> None:
        self.counts += other.counts
        self.missed += other.missed

    def of(self, outcome: str, checker: str = OURS, regime: str = "") -> int:
        return sum(
            n
            for (where, who, what), n in self.counts.items()
            if what == outcome and who == checker and regime in ("", where)
        )


def trial(
    case: Case, regime: Regime, seed: Sequence[int], peers: Mapping[str, Accepts], mutate: bool
) -> Ledger:
    """All checkers on one case in one regime: on the right gradient, and on wrong ones."""
    ledger = Ledger()
    rng = np.random.default_rng(seed)
    draw = point(case, regime, rng)
    if draw is None:
        ledger.counts[title(regime), OURS, "no such point"] += 1
        return ledger
    here = Here(case, draw, peers, title(regime), ledger)
    here.right()
    if mutate:
        for mutant in mutants(case, draw, rng):
            here.wrong(mutant)
    return ledger


class Here:
    """A case at one point, and the outcomes there."""

    def __init__(
        self, case: Case, draw: Draw, peers: Mapping[str, Accepts], regime: str, ledger: Ledger
    ) -> None:
        self.case, self.draw, self.peers, self.regime = case, draw, peers, regime
        self.ledger = ledger
        self.x = draw.inputs[case.wrt]
        self.truth = case.truth(draw.inputs)
        with np.errstate(all="ignore"):
            self.rounded = np.asarray(case.gradient(*draw.inputs))
            loss = abs(float(case.loss(*draw.inputs)))
        eps = float(np.finfo(self.x.dtype).eps)
        size = np.abs(self.truth)
        self.grain = grain_of(eps) * size + NEGLIGIBLE * size.max(initial=0) + eps**2 * loss
        self.lost = np.abs(self.rounded - self.truth) > self.grain

    def along(self, function: Callable[..., Any]) -> Callable[[Any], Any]:
        """A function of all inputs as one of the input that the gradient is of."""
        k, inputs = self.case.wrt, self.draw.inputs
        return lambda x: function(*inputs[:k], x, *inputs[k + 1 :])

    def check(self, gradient: Callable[..., Any]) -> Report:
        loss = self.along(self.case.loss)
        return check_gradient(loss, self.x, self.along(gradient), explain=False)

    def note(self, checker: str, outcome: str) -> None:
        self.ledger.counts[self.regime, checker, outcome] += 1

    def right(self) -> None:
        """Checks the right gradient. An alarm is false, unless rounding has made it wrong."""
        report = self.check(self.case.gradient)
        alarm = "lost to rounding" if self.lost.any() else "false alarm"
        outcome = "right" if report.ok else verdict_on(report, alarm)
        named = report.ok or outcome == "lost to rounding"
        self.note(OURS, outcome if named else f"{outcome}, of a right one")
        if outcome == "false alarm":
            self.miss(outcome, report)
        for name in self.peers:
            accepted = self.accepted(name, self.case.gradient)
            self.note(name, "right" if accepted else "false alarm, of a right one")

    def wrong(self, mutant: Mutant) -> None:
        """Checks a wrong gradient, unless it happens to be right here."""
        with np.errstate(all="ignore"):
            off = self.off(np.asarray(mutant.gradient(*self.draw.inputs)))
        if not off.any():
            self.note(OURS, "equivalent here")
            return
        report = self.check(mutant.gradient)
        outcome = verdict_on(report, "killed")
        if report.ok:
            kinks = {f.index[1] for f in report.findings if f.slope.kind == "kink" and f.index}
            at_kinks = all(tuple(i) in kinks for i in np.argwhere(off))
            outcome = "a subgradient at a kink" if at_kinks else "passed in silence"
        self.note(OURS, outcome)
        if outcome == "passed in silence":
            self.miss(f"{outcome}: {mutant.text}", report)
        if outcome not in NOT_WRONG:
            for name in self.peers:
                passed = self.accepted(name, mutant.gradient)
                self.note(name, "passed in silence" if passed else "killed")

    def accepted(self, peer: str, gradient: Callable[..., Any]) -> bool:
        return self.peers[peer](self.along(self.case.loss), self.along(gradient), self.x)

    def off(self, gradient: Any) -> Any:
        """Where a gradient is wrong: by more than rounding, or a trillionth of the largest.

        What moves the loss by less than its spacing squared is no slope at all.
        """
        if gradient.shape != self.truth.shape:
            return np.ones(gradient.shape, bool)
        room = self.grain + 10 * np.abs(self.rounded - self.truth)
        return np.abs(gradient - self.truth) > room

    def miss(self, what: str, report: Report) -> None:
        self.ledger.missed.append(f"{self.case.name}, {self.regime}: {what}\n{report}")


def verdict_on(report: Report, if_wrong: str) -> str:
    """What came of a report that is not ok."""
    if report.verdict in (Verdict.WRONG, Verdict.NOT_A_FUNCTION):
        return if_wrong
    return "no slope there" if report.verdict == Verdict.JUMP else "cannot tell"


def negative_control(every: Sequence[Case], controls: Sequence[Callable[[Case], Mutant]]) -> str:
    """The first case that a checker which sees nothing would pass too; empty if there is none."""
    for n, case in enumerate(every):
        draw = case.draw(np.random.default_rng([n, 0]))
        here = Here(case, draw, {}, "control", Ledger())
        for control in controls:
            mutant = control(case)
            if here.off(mutant.gradient(*draw.inputs)).any() and here.check(mutant.gradient).ok:
                return f"{case.name}: {mutant.text}"
    return ""
