"""The search for a mistake: which slips in our own gradient give exactly the claimed one.

The loss is run on Tensors, and its graph walked back with one or two slips, on fresh generic
inputs: different slips may coincide on a small example, but not on these.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from .evaluation import Point
from .gradient_slips import GradientSlip, gradient_slips
from .measurement import slope_of_element
from .report import Report
from .slips import LossGraph, Slip

PATIENCE = 10.0  # seconds that a search takes, if nothing else is said


@dataclass
class Draw:
    """Inputs of a loss, by position, and the sizes of their axes, by letter."""

    inputs: list[Any]
    sizes: Mapping[str, int]


@dataclass
class Diagnosis:
    """What explains a claim; empty text if no known slip does."""

    text: str = ""
    rejected: Sequence[str] = ()
    slips: tuple[str, ...] = ()

    def added_to(self, report: Report) -> Report:
        report.explanation = self.text
        report.rejected = self.rejected
        report.slips = self.slips
        return report


class Measured:
    """The gradient of a loss that does not take Tensors, from measured slopes: no graph, no slips.

    It replaces `LossGraph`: see its methods.
    """

    close = 1e-5

    def __init__(self, loss: Callable[..., Any], inputs: Sequence[Any], wrt: int) -> None:
        def f(x: Any) -> Any:
            return loss(*[x if k == wrt else v for k, v in enumerate(inputs)])

        point = Point(f, inputs[wrt])
        self.shape = np.shape(inputs[wrt])
        slopes = [slope_of_element(point, 0, i, 0.0).value for i in np.ndindex(self.shape)]
        self.slopes = np.reshape(slopes, self.shape)

    def gradient(self, slips: Sequence[Slip] = ()) -> Any:
        return self.slopes

    def slips(self) -> Iterator[Slip]:
        return iter(())

    def before_sum(self, shape: tuple[int, ...]) -> Iterator[Any]:
        return iter(())


def distance(a: Any, b: Any) -> float:
    """How far two gradients are apart, relative to the larger; ∞ for different shapes."""
    if np.shape(a) != np.shape(b):
        return np.inf
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    off = np.abs(np.asarray(a) - b).max(initial=0)
    return float(off / scale) if scale and np.isfinite(off) else (np.inf if scale else 0.0)


def named(
    slips: tuple[str, ...], deviations: Sequence[float], near: Sequence[tuple[float, str]]
) -> Diagnosis:
    """The diagnosis of slips that explain a claim on all fresh inputs."""
    text = " and ".join(slips) if slips else "it is right on fresh inputs"
    evidence = (
        f"equals the right gradient with this slip on {len(deviations)} fresh inputs, "
        f"largest deviation {max(deviations):.0e}"
    )
    rejected = [f"{t} (off by {d:.0e})" for d, t in sorted(near) if t not in slips]
    return Diagnosis(f"{text} ({evidence})", rejected[:4], slips)


class Search:
    """Looks a claimed gradient up in the dictionary.

    Args:
        graph: how to know the right gradient: LossGraph or Measured.
        loss: f(*inputs) → one number, in functions that take Tensors.
        claim: f(*inputs) → the claimed gradient of input `wrt`.
        draws: fresh inputs; the first few are searched on, all confirm.
        names: of the inputs.
        deadline: when to stop, by time.perf_counter(); after `PATIENCE` seconds by default.
    """

    def __init__(
        self,
        graph: type[LossGraph] | type[Measured],
        loss: Callable[..., Any],
        claim: Callable[..., Any],
        wrt: int,
        draws: Sequence[Draw],
        names: Sequence[str],
        deadline: float | None = None,
    ) -> None:
        self.deadline = time.perf_counter() + PATIENCE if deadline is None else deadline
        self.graph = graph
        self.loss = loss
        self.claim = claim
        self.wrt = wrt
        self.draws = draws
        self.names = names
        self.claims: dict[int, Any] = {}
        self.traced: dict[Any, LossGraph | Measured] = {}

    def claimed(self, n: int) -> Any:
        if n not in self.claims:
            inputs = [np.array(x) for x in self.draws[n].inputs]
            self.claims[n] = np.asarray(self.claim(*inputs))
        return self.claims[n]

    def trace(
        self, n: int, data: int | None = None, shift: tuple[int, int] = (0, 0)
    ) -> LossGraph | Measured:
        """The graph on draw n; with one data input rolled by (by, axis), if one is given."""
        key = n, data, shift
        if key not in self.traced:
            inputs = list(self.draws[n].inputs)
            if data is not None:
                inputs[data] = np.roll(inputs[data], *shift)
            self.traced[key] = self.graph(self.loss, inputs, self.wrt)
        return self.traced[key]

    def diagnose(self) -> Diagnosis:
        """The simplest slips whose gradient is the claim, on all fresh inputs."""
        near: list[tuple[float, str]] = []
        stopped = False
        for texts, candidate in self.candidates():
            if stopped := time.perf_counter() > self.deadline:
                break
            for whole, turn in self.fits(candidate, 0, near, texts):
                deviations = [
                    distance(turn(candidate(n), self.draws[n].sizes), self.claimed(n))
                    for n in range(len(self.draws))
                ]
                if max(deviations) <= self.graph.close:
                    return named((*texts, whole) if whole else texts, deviations, near)
        rejected = [f"{t} (off by {d:.0e})" for d, t in sorted(near)]
        text = "no known slip, nor two of them, explains it"
        if stopped:
            text = "no known slip was found to explain it before the search was out of time"
        return Diagnosis(f"{text}; {self.ratios()}", rejected[:4])

    def ratios(self) -> str:
        """What can be said if no slip fits: claimed over right."""
        if not self.same_shape():
            return f"its shape is {np.shape(self.claimed(0))}, expected {self.trace(0).shape}"
        with np.errstate(all="ignore"):
            ratio = [self.claimed(n) / self.trace(n).gradient() for n in range(len(self.draws))]
        every = np.concatenate([np.ravel(r) for r in ratio])
        if np.ptp(every) <= self.graph.close * abs(every[0]) and abs(every[0] - 1) > 1e-8:
            return f"it is {every[0]:.9g} times the right gradient, on all fresh inputs"
        return (
            f"claimed / right = {np.array2string(np.asarray(ratio[0]), precision=6, threshold=30)}"
        )

    def same_shape(self) -> bool:
        return bool(np.shape(self.claimed(0)) == self.trace(0).shape)

    def fits(
        self,
        candidate: Callable[[int], Any],
        n: int,
        near: list[tuple[float, str]],
        texts: Sequence[str],
    ) -> Iterator[GradientSlip]:
        """The slips of the whole gradient that make a candidate the claim on draw n."""
        g, claim, sizes = candidate(n), self.claimed(n), self.draws[n].sizes
        if not np.isfinite(claim).all():
            return
        for text, turn in gradient_slips(sizes, g, claim):
            if not text and not texts:
                continue  # no slip at all
            off = distance(turn(g, sizes), claim)
            if off <= self.graph.close:
                yield text, turn
            elif len(texts) + bool(text) == 1 and off < 1:
                near.append((off, text or texts[0]))

    def candidates(self) -> Iterator[tuple[tuple[str, ...], Callable[[int], Any]]]:
        """Gradients with no, one and two slips on the way, as functions of the draw."""
        yield (), lambda n: self.trace(n).gradient()
        if not self.same_shape():
            yield from self.unsummed()
        singles = sorted(self.trace(0).slips(), key=lambda slip: not slip.common)
        for slip in singles:
            yield (slip.text,), self.with_slips(slip)
        yield from self.shifted_data()
        for one, two in combinations(singles, 2):
            if one.edge != two.edge:
                yield (one.text, two.text), self.with_slips(one, two)

    def with_slips(self, *slips: Slip) -> Callable[[int], Any]:
        return lambda n: self.trace(n).gradient(self.same_slips(n, slips))

    def same_slips(self, n: int, slips: Sequence[Slip]) -> list[Slip]:
        """The slips with these names and places in the graph of another draw."""
        if n == 0:
            return list(slips)
        table = {(s.text, s.edge): s for s in self.trace(n).slips()}
        return [table.get((s.text, s.edge), s) for s in slips]

    def shifted_data(self) -> Iterator[tuple[tuple[str, ...], Callable[[int], Any]]]:
        """Data rolled by one, such as class numbers that count from 1; targets, which are last,
        before what they are the targets of: to shift either is often the same."""
        for k, x in reversed(list(enumerate(self.draws[0].inputs))):
            for axis in reversed(range(np.ndim(x))):
                for by in (1, -1):
                    if k != self.wrt and np.shape(x)[axis] > 1:
                        text = f"{self.names[k]} is shifted by {by} along axis {axis}"
                        yield (text,), self.with_shift(k, (by, axis))

    def with_shift(self, k: int, shift: tuple[int, int]) -> Callable[[int], Any]:
        return lambda n: self.trace(n, k, shift).gradient()

    def unsummed(self) -> Iterator[tuple[tuple[str, ...], Callable[[int], Any]]]:
        """The gradient before the sum over what broadcasting repeated."""
        for place, _ in enumerate(self.trace(0).before_sum(np.shape(self.claimed(0)))):
            yield ("it is not summed over the batch (axis 0)",), self.unsummed_at(place)

    def unsummed_at(self, place: int) -> Callable[[int], Any]:
        return lambda n: list(self.trace(n).before_sum(np.shape(self.claimed(n))))[place]
