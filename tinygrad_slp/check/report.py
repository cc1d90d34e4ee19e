"""The report of a check: its verdict, why, and what to do; printed, as JSON, as a picture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..table import counted
from .verdict import GRAVITY, Finding, Verdict, gravest


class WrongGradient(AssertionError):
    """A gradient that is not right; its text is the report."""


@dataclass
class Report:
    """What a check found.

    Attributes:
        verdict: the gravest of the findings.
        resolution: the smallest relative error that would have been seen.
        findings: the claims beside the measured slopes, gravest and largest first.
        explanation: of a WRONG verdict, in one sentence; empty if there is none.
        slips: the names of the mistakes in the explanation.
        example: the smallest inputs found at which it is wrong.
        rejected: explanations that were tried and do not fit.
        where: the first operation of the graph whose own derivative is wrong, with file and line.
        notes: what else is worth knowing.
        calls, seconds: what it cost.
        replay: a line that repeats the check.
    """

    verdict: Verdict
    name: str = "gradient"
    findings: Sequence[Finding] = ()
    explanation: str = ""
    rejected: Sequence[str] = ()
    where: str = ""
    notes: Sequence[str] = ()
    slips: tuple[str, ...] = ()
    example: str = ""
    calls: int = 0
    seconds: float = 0.0
    replay: str = ""
    checked: str = ""
    reports: dict[str, "Report"] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the gradient is right, as far as can be seen; at a kink, a subgradient."""
        return self.verdict in (Verdict.RIGHT, Verdict.AT_A_KINK)

    @property
    def resolution(self) -> float:
        found = [f.resolution for f in self.findings if f.slope.kind == "smooth"]
        return max(found, default=max((r.resolution for r in self.reports.values()), default=0.0))

    def __getitem__(self, name: str) -> "Report":
        """The report of one of the gradients of `check_formula` or `check_module`."""
        return self.reports[name]

    def raise_if_wrong(self) -> "Report":
        """Returns the report if it is ok.

        Raises:
            WrongGradient: it is not; the message is the report.
        """
        if not self.ok:
            raise WrongGradient(f"\n{self}")
        return self

    def to_json(self) -> str:
        """All of it as JSON; numbers that JSON lacks (NaN, ∞) as null."""
        return json.dumps(self._facts(), ensure_ascii=False)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "name": self.name,
            "verdict": str(self.verdict),
            "ok": self.ok,
            "resolution": number(self.resolution),
            "explanation": self.explanation,
            "slips": list(self.slips),
            "rejected": list(self.rejected),
            "where": self.where,
            "example": self.example,
            "notes": list(self.notes),
            "calls": self.calls,
            "seconds": round(self.seconds, 4),
            "replay": self.replay,
            "findings": [
                {
                    "where": f.where,
                    "verdict": str(f.verdict),
                    "claimed": number(f.claimed),
                    "measured": number(f.slope.value),
                    "bar": number(f.slope.bar),
                    "why": f.why,
                }
                for f in self.findings[:20]
            ],
        }
        if self.reports:
            facts["gradients"] = {name: report._facts() for name, report in self.reports.items()}
        return facts

    def __str__(self) -> str:
        lines = [self.headline()]
        worst = self.findings[0] if self.findings else None
        if worst and self.verdict != Verdict.RIGHT:
            lines += ["  " + line for line in describe(worst)]
            others = [f.where for f in self.findings[1:] if f.verdict == self.verdict]
            if others:
                more = f" and {len(others) - 4} more" if len(others) > 4 else ""
                lines.append(f"  {self.verdict} too: {', '.join(others[:4])}{more}")
        if self.example:
            lines += ["  smallest example found:", *("    " + s for s in self.example.split("\n"))]
        if self.explanation:
            lines.append(f"  explanation: {self.explanation}")
        if self.rejected:
            lines.append(f"  not the explanation: {'; '.join(self.rejected[:4])}")
        if self.where:
            lines.append(f"  first wrong operation: {self.where}")
        lines += [f"  note: {note}" for note in self.notes]
        if self.replay and not self.ok:
            lines.append(f"  again: {self.replay}")
        for report in self.reports.values():
            lines += ["  " + line for line in str(report).split("\n")]
        return "\n".join(lines)

    def headline(self) -> str:
        text = f"{self.name}: {self.verdict}"
        if self.verdict == Verdict.RIGHT and self.resolution:
            text += f" to {self.resolution:.0e}"
        if self.checked:
            text += f" ({self.checked}, {counted(self.calls, 'call')}, {self.seconds:.2g} s)"
        return text

    def _repr_markdown_(self) -> str:
        return f"```\n{self}\n```"

    def plot(self, path: str) -> None:
        """Writes a picture of the worst finding: claimed and measured slope against the step.

        Raises:
            ValueError: nothing was measured.
            ImportError: matplotlib is missing (`pip install 'tinygrad-slp[plot]'`).
        """
        from .picture import draw

        there = [r for r in (self, *self.reports.values()) if r.findings]
        there = [r for r in there if r.findings[0].slope.steps]
        if not there:
            raise ValueError("there are no measured slopes to draw in this report")
        worst = max(there, key=lambda r: GRAVITY.index(r.verdict))
        draw(worst.name, worst.findings[0], path)


def number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def describe(finding: Finding) -> list[str]:
    """A finding in a few lines: yours, measured ± bar, ratio, why."""
    slope = finding.slope
    lines = [f"{finding.where}:"] if finding.where else []
    if slope.kind == "kink":
        lines.append(f"  yours {finding.claimed:+.9g}   slope on the left {slope.left:+.9g}, "
                     f"on the right {slope.right:+.9g}")  # fmt: skip
    elif slope.kind == "smooth":
        ratio = finding.claimed / slope.value if slope.value else np.nan
        text = f"  yours {finding.claimed:+.12g}   measured {slope.value:+.12g} ± {slope.bar:.1e}"
        lines.append(text + (f"   ratio {ratio:.9g}" if np.isfinite(ratio) else ""))
    if finding.why:
        lines.append(f"  {finding.why}")
    return lines


def joined(title: str, reports: dict[str, Report], noun: str = "check") -> Report:
    """Several reports as one, with the gravest verdict of them."""
    right = [name for name, r in reports.items() if r.ok]
    return Report(
        gravest(r.verdict for r in reports.values()),
        title,
        reports=reports,
        notes=[f"right: {', '.join(right)}"] if right and len(right) < len(reports) else [],
        calls=sum(r.calls for r in reports.values()),
        seconds=sum(r.seconds for r in reports.values()),
        checked=counted(len(reports), noun),
    )


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Gravest first, then those that are off the most."""

    def off(f: Finding) -> float:
        difference = abs(f.claimed - f.slope.value)
        return float(difference) if np.isfinite(difference) else np.inf

    return sorted(findings, key=lambda f: (-GRAVITY.index(f.verdict), -off(f)))
