"""check_gradient: a gradient against measured slopes, element by element or along directions."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import numpy as np

from .claim import Claim, ignores_what_comes
from .evaluation import Point
from .measurement import Directions, Elements
from .report import Report, ordered
from .search import PATIENCE, Draw, Measured, Search
from .slips import LossGraph
from .verdict import Finding, Verdict, gravest

Method = Literal["auto", "elements", "directions"]
Function = Callable[[Any], Any]
EXPLAINED = 10_000  # the mistake is looked for among up to so many numbers
FEW = 256  # up to so many numbers are checked one by one


def check_gradient(
    f: Function,
    x: Any,
    grad: Any = None,
    *,
    method: Method = "auto",
    seconds: float | None = None,
    seed: int = 0,
    name: str = "gradient",
    explain: bool = True,
    variable: str = "x",
) -> Report:
    """Whether a gradient of f is right at x, by measured slopes with error bars.

    Args:
        f: a function of x to one number; to an array is checked through Σ v·f(x) for a fixed
            random v, if no gradient is given.
        x: an array, number, tuple, list, dict or Module of arrays: NumPy's, Tensors, PyTorch's or
            JAX's. It is given to f and to grad as it is. What is not floating-point is constant.
        grad: the gradient to check: a function of x that returns it in the structure of x, or the
            gradient itself. By default that of the framework that x belongs to (ours, for NumPy).
        method: "elements" measures every slope; "directions" three random ones, and looks for the
            wrong element if one disagrees; "auto" chooses by size and by what a call costs.
        seconds: stop measuring after this time; what was not measured makes it CANNOT TELL. The
            mistake is looked for in what is left of it, at least a second, by default some more.
        seed: of the directions.
        name: in the report.
        explain: if it is wrong, look for the mistake.
        variable: what x is called in the report.

    Raises:
        TypeError: f is no function, or does not return real numbers; there are no floating-point
            numbers in x; or f cannot be differentiated automatically.
        ValueError: a gradient is given of more than one number; or seconds is not positive.
    """
    if not callable(f):
        swapped = "; x and f seem to be swapped" * callable(x)
        raise TypeError(
            f"f should be a function, as in check_gradient(f, x); got {type(f).__name__}{swapped}"
        )
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds should be more than 0, or None for no limit; got {seconds}")
    began = time.perf_counter()
    point = Point(f, x, variable)
    if grad is not None and point.weights is not None:
        raise ValueError(
            f"f gives shape {point.shape}, but a gradient is of one number: "
            "write np.sum(f(x)), or leave grad out"
        )
    if reason := point.impurity():
        return finished(point, name, [], began, notes=[reason], verdict=Verdict.NOT_A_FUNCTION)
    if not point.size:
        if point.leaves and not point.moving:
            raise TypeError(nothing_moves(point))
        notes = ["x has no elements, so there is nothing to check"]
        return finished(point, name, [], began, notes=notes, verdict=Verdict.CANNOT_TELL)
    if not np.isfinite(point.value):
        notes = [f"the function is {float(point.value)} at the point itself: check another one"]
        return finished(point, name, [], began, notes=notes, verdict=Verdict.CANNOT_TELL)
    claim = Claim(point, grad)
    if claim.misfit:
        return finished(point, name, [], began, notes=[claim.misfit], verdict=Verdict.WRONG)
    deadline = np.inf if seconds is None else began + seconds
    checker = Elements if chosen(method, point, began) == "elements" else Directions
    check = checker(point, claim, deadline, seed)
    findings = check.findings()
    if gravest(f.verdict for f in findings) != Verdict.RIGHT and (reason := point.rare_impurity()):
        return finished(point, name, [], began, notes=[reason], verdict=Verdict.NOT_A_FUNCTION)
    notes = [*check.notes]
    wrong = gravest(f.verdict for f in findings) == Verdict.WRONG
    if wrong and grad is None and point.weights is None and ignores_what_comes(point):
        notes.append("its derivative ignores the gradient g that comes in: multiply it by g")
    report = finished(point, name, findings, began, notes, checked=check.checked)
    small = point.size <= EXPLAINED
    if explain and small and report.verdict == Verdict.WRONG and callable(grad):
        left = PATIENCE if seconds is None else max(1.0, deadline - time.perf_counter())
        explained(report, point, claim, time.perf_counter() + left)
        report.seconds = time.perf_counter() - began
    return report


def nothing_moves(point: Point) -> str:
    leaf = point.leaves[0]
    if hasattr(leaf, "named_parameters"):
        return "x is a module of PyTorch; write f of p, and check it at dict(m.named_parameters())"
    return f"x has no floating-point numbers, but {type(leaf).__name__}: there is nothing to vary"


def finished(
    point: Point,
    name: str,
    findings: Sequence[Finding],
    began: float,
    notes: Sequence[str] = (),
    verdict: Verdict | None = None,
    checked: str = "",
) -> Report:
    """The report of these findings."""
    return Report(
        verdict or gravest(f.verdict for f in findings),
        name,
        ordered(findings),
        notes=[*point.notes, *notes],
        calls=point.calls,
        seconds=time.perf_counter() - began,
        checked=checked,
    )


def chosen(method: Method, point: Point, began: float) -> str:
    """How to measure: every element, if these are few and calls are quick."""
    if method not in ("auto", "elements", "directions"):
        raise ValueError(f'method should be "auto", "elements" or "directions", got {method!r}')
    if method != "auto":
        return method
    a_call = (time.perf_counter() - began) / point.calls
    return "elements" if point.size <= FEW and 12 * a_call * point.size < 60 else "directions"


FRESH = 10  # points near by on which an explanation has to hold


def explained(report: Report, point: Point, claim: Claim, deadline: float) -> Report:
    """The report with the mistake, looked for at generic points near the given one."""
    worst = report.findings[0]
    if worst.index is None:
        return report
    wrt = worst.index[0]
    rng = np.random.default_rng(0)
    sizes = {str(n): n for a in point.arrays for n in a.shape if n > 1}
    draws = [Draw([near(a, rng) for a in point.arrays], sizes) for _ in range(FRESH)]

    def loss(*arrays: Any) -> Any:
        return point.f(point.tree(arrays))

    def claimed(*arrays: Any) -> Any:
        leaves = claim.fitted(claim.grad(point.tree(arrays)), point)
        return point.framework.array(leaves[wrt])

    # Whatever f and grad raise: either f does not take Tensors, and its slopes have to be measured,
    # or it is not defined near by, and nothing can be said.
    with suppress(Exception):
        search = Search(LossGraph, loss, claimed, wrt, draws, point.names, deadline)
        return search.diagnose().added_to(report)
    if point.arrays[wrt].size <= FEW:
        with suppress(Exception):
            search = Search(Measured, loss, claimed, wrt, draws[:3], point.names, deadline)
            return search.diagnose().added_to(report)
    return report


def near(x: Any, rng: np.random.Generator) -> Any:
    """A generic array near x, of the same signs."""
    moved = x * rng.uniform(0.7, 1.3, x.shape)
    return np.where(x == 0, rng.uniform(-0.3, 0.3, x.shape), moved).astype(x.dtype)
