"""The picture of a report: claimed and measured slope against the step, with the error bars."""

from typing import Any

import numpy as np

from .verdict import Finding


def draw(name: str, finding: Finding, path: str) -> None:
    """Writes the picture of a finding about the gradient of this name: see `Report.plot`."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "report.plot needs matplotlib: pip install 'tinygrad-slp[plot]'"
        ) from None
    slope = finding.remeasure() if finding.remeasure else finding.slope
    steps = np.array(slope.steps, dtype=float)
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.set_title(f"{name}, {finding.where}: {finding.verdict}")
    draw_slopes(above, finding, steps)
    draw_errors(below, finding, steps)
    figure.savefig(path, dpi=130)


def draw_slopes(axes: Any, finding: Finding, steps: Any) -> None:
    """The slopes on both sides at each step, with what noise does to them; the claim as a line."""
    h, left, right, noise = steps.T
    known = [abs(x) for x in (finding.claimed, finding.slope.value) if np.isfinite(x)]
    size = max(known, default=0.0)
    shown = noise < 0.3 * size if size else noise < np.median(noise)
    for color, side, values in (("C0", "left", left), ("C1", "right", right)):
        axes.errorbar(h[shown], values[shown], yerr=noise[shown], fmt="o", ms=3.5, lw=1,
                      color=color, label=f"slope on the {side} at this step ± noise")  # fmt: skip
    axes.axhline(finding.claimed, color="C3", ls="--", label=f"claimed {finding.claimed:.9g}")
    if finding.slope.kind == "smooth":
        label = f"measured {finding.slope.value:.9g} ± {finding.slope.bar:.0e}"
        axes.axhline(finding.slope.value, color="C2", lw=1, label=label)
    axes.set_ylabel("slope")
    axes.margins(y=0.35)  # room for the legend, which would hide the line of a claim
    axes.legend(fontsize=8, loc="best")


def draw_errors(axes: Any, finding: Finding, steps: Any) -> None:
    """The V: truncation falls with the step, and noise rises as the step gets small."""
    h, left, right, noise = steps.T
    axes.loglog(h, noise, color="C7", lw=1, label="noise of the function / step")
    there_is_one = finding.slope.kind == "smooth"  # at a jump or a kink there is no slope to be off
    off = np.abs((left + right) / 2 - finding.slope.value)
    if there_is_one:
        axes.loglog(h, np.where(off > 0, off, np.nan), "o", ms=3.5, color="C0",
                    label="|central difference − measured slope|")  # fmt: skip
    wrong = abs(finding.claimed - finding.slope.value)
    if there_is_one and wrong > 0 and np.isfinite(wrong):
        axes.axhline(wrong, color="C3", ls="--", label="|claimed − measured|")
    if there_is_one and np.isfinite(finding.tolerance) and finding.tolerance > 0:
        axes.axhline(finding.tolerance, color="C2", lw=1, label="tolerance: ten error bars")
    axes.set_xlabel("step h")
    axes.set_ylabel("error of the slope")
    axes.legend(fontsize=8)
