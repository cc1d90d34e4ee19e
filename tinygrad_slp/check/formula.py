"""check_formula and prove: gradients derived by hand, for all shapes and numbers at once."""

import inspect
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import prod
from random import Random
from typing import Any, TypeVar

import numpy as np

from .. import autodiff
from ..graph import Node
from .evaluation import EPS64, spacing
from .gradient import check_gradient
from .report import Report, joined
from .search import Draw, Measured, Search, distance
from .slips import LossGraph
from .verdict import GRAVITY, Verdict, grain_of

F = TypeVar("F", bound=Callable[..., Any])
Interval = tuple[float, float]
MEASURED = 3  # fresh inputs on which slopes are measured
COMPARED = 20  # fresh inputs on which the claim is compared with the gradient of the loss
UNTRUSTED = (
    "automatic differentiation does not give the slopes of this loss, and is not used: a part of "
    "it leaves the graph, as by float() or an array written to, or a rule is wrong"
)


@dataclass(frozen=True)
class Shapes:
    """The named inputs of a loss, and the letters that their axes have: "X: n d; w: d; b: "."""

    letters: dict[str, tuple[str, ...]]

    @classmethod
    def parse(cls, text: str) -> "Shapes":
        """
        Raises:
            ValueError: it is not of the form "X: n d; w: d; b: ; y: n".
        """
        letters = {}
        for part in filter(str.strip, text.split(";")):
            found = re.fullmatch(r"\s*(\w+)\s*:((\s*[A-Za-z]\w*)*)\s*", part)
            if not found:
                raise ValueError(
                    f"cannot read {part.strip()!r} in shapes={text!r}: write the name of each "
                    'input and the letters of its axes, as in "X: n d; w: d; b: ; y: n"'
                )
            if found[1] in letters:
                raise ValueError(f"{found[1]} is twice in shapes={text!r}")
            letters[found[1]] = tuple(found[2].split())
        if not letters:
            raise ValueError('shapes is empty: write, for example, "X: n d; w: d; b: ; y: n"')
        return cls(letters)

    @property
    def names(self) -> list[str]:
        return list(self.letters)

    @property
    def axes(self) -> list[str]:
        """Every letter once, in the order of appearance."""
        return list(dict.fromkeys(axis for axes in self.letters.values() for axis in axes))

    def fresh(self, rng: np.random.Generator, values: Mapping[str, Interval]) -> Draw:
        """Generic inputs: sizes all different, numbers of any kind."""
        sizes = dict(
            zip(self.axes, (rng.permutation(len(self.axes) + 4) + 2).tolist(), strict=False)
        )
        inputs = []
        for name, axes in self.letters.items():
            low, high = values.get(name, (-2.0, 2.0))
            inputs.append(rng.uniform(low, high, tuple(sizes[a] for a in axes)))
        return Draw(inputs, sizes)


def check_formula(
    loss: Callable[..., Any],
    gradients: Mapping[str, Callable[..., Any]],
    shapes: str,
    *,
    values: Mapping[str, Interval] | None = None,
    seed: int = 0,
) -> Report:
    """Whether gradients derived by hand are right, for all shapes and numbers.

    They are compared with measured slopes on fresh inputs. A wrong one is shrunk to the smallest
    example (sizes all different, numbers k/4) by Hypothesis, and looked up among the usual slips.

    Args:
        loss: called with the inputs in the order of `shapes`, gives one number; plain NumPy.
        gradients: by the name of an input, a function of the same arguments: ∂loss/∂input.
        shapes: "X: n d; w: d; b: ; y: n": names, and the letters of the axes.
        values: by name, the interval that numbers are drawn from; (−2, 2) by default.
        seed: of the fresh inputs.

    Returns:
        A report, with one for each gradient: `report["w"]`.

    Raises:
        ValueError: shapes cannot be read; there is no gradient; a gradient or an interval is not of
            one of the inputs; or an interval is empty.
        TypeError: gradients is no mapping of names to functions.
        ImportError: Hypothesis is missing (`pip install 'tinygrad-slp[test]'`).
    """
    parsed = Shapes.parse(shapes)
    refuse_wrong(gradients, parsed, values or {})
    reports = {
        name: Formula(loss, formula, name, parsed, values or {}, seed).check()
        for name, formula in gradients.items()
    }
    return joined(getattr(loss, "__name__", "loss"), reports, "gradient")


def refuse_wrong(
    gradients: Mapping[str, Callable[..., Any]], shapes: Shapes, values: Mapping[str, Interval]
) -> None:
    """
    Raises:
        ValueError, TypeError: see `check_formula`.
    """
    if not isinstance(gradients, Mapping) or not all(map(callable, gradients.values())):
        raise TypeError('gradients should be functions by name, such as {"w": my_dw}')
    if not gradients:
        raise ValueError('there is no gradient to check: write, for example, {"w": my_dw}')
    for what, named in (("a gradient", gradients), ("values", values)):
        for name in named:
            if name not in shapes.letters:
                raise ValueError(
                    f"{what} of {name!r}, but the inputs are {', '.join(shapes.names)}"
                )
    for name, (low, high) in values.items():
        if not low < high:
            raise ValueError(f"values of {name!r} from {low} to {high}: there are none between")


class Formula:
    """One gradient of a loss, claimed for all inputs."""

    def __init__(
        self,
        loss: Callable[..., Any],
        formula: Callable[..., Any],
        name: str,
        shapes: Shapes,
        values: Mapping[str, Interval],
        seed: int,
    ) -> None:
        self.loss = loss
        self.formula = formula
        self.name = name
        self.shapes = shapes
        self.values = values
        self.wrt = shapes.names.index(name)
        rng = np.random.default_rng(seed)
        self.draws = [shapes.fresh(rng, values) for _ in range(COMPARED)]
        self.traceable = self.can_trace()
        self.trusted = True

    def can_trace(self) -> bool:
        """Whether the loss takes Tensors, so that its gradient is known without measuring."""
        self.eps = EPS64
        inputs = self.draws[0].inputs
        try:
            traced = LossGraph(self.loss, inputs, self.wrt)
            right = traced.gradient()
        except Exception:  # whatever it raises, it does not take Tensors
            return False
        self.eps = max(spacing(np.asarray(traced.output.array)), spacing(np.asarray(right)))
        return bool(np.isfinite(right).all())

    def right(self, inputs: Sequence[Any]) -> Any:
        """The gradient of the loss by automatic differentiation."""
        with np.errstate(all="ignore"):
            loss = lambda *xs: np.sum(self.loss(*xs))  # it may be of shape (1,)
            return autodiff.grad(loss, self.wrt)(*[np.array(x) for x in inputs])

    def claimed(self, inputs: Sequence[Any]) -> Any:
        with np.errstate(all="ignore"):
            g = self.formula(*[np.array(x) for x in inputs])
        return np.asarray(g.array if isinstance(g, Node) else g)

    def check(self) -> Report:
        began = time.perf_counter()
        reports = [self.at(draw.inputs) for draw in self.draws[:MEASURED]]
        if self.traceable:
            reports += self.where_unlike(reports)
        worst = max(reports, key=lambda r: GRAVITY.index(r.verdict))
        calls = sum(r.calls for r in reports)
        if worst.verdict == Verdict.WRONG:
            worst = self.explained(worst)
        if self.traceable and not self.trusted:
            worst.notes = [*worst.notes, UNTRUSTED]
        worst.checked = f"slopes on {len(reports)} fresh inputs" + (
            f", compared with autodiff on {COMPARED}" if self.known else ""
        )
        worst.name = f"∂/∂{self.name}"
        worst.calls = calls
        worst.seconds = time.perf_counter() - began
        return worst

    def where_unlike(self, reports: Sequence[Report]) -> list[Report]:
        """Slopes where the claim is not what autodiff gives: one of both is wrong, and these know.

        A loss may leave the graph, as by float() or an array written to, and its gradient there.
        """
        found: list[Report] = []
        verdicts = {r.verdict for r in reports}
        if Verdict.NOT_A_FUNCTION in verdicts:
            return found
        if Verdict.WRONG not in verdicts:
            unlike = [draw for draw in self.draws if self.unlike(draw.inputs)]
            for draw in unlike[:MEASURED]:
                found.append(self.at(draw.inputs))
                if found[-1].verdict == Verdict.WRONG:
                    break
            if not unlike:
                return found
            self.trusted = not any(r.ok for r in found)
        self.trusted = self.trusted and self.autodiff_holds()
        return found

    def autodiff_holds(self) -> bool:
        """Whether the gradient by automatic differentiation is not wrong itself."""
        inputs = self.draws[0].inputs
        return self.at(inputs, lambda *xs: self.right(xs)).verdict != Verdict.WRONG

    @property
    def known(self) -> bool:
        """Whether the gradient of the loss is known without measuring."""
        return self.traceable and self.trusted

    def at(self, inputs: Sequence[Any], formula: Callable[..., Any] | None = None) -> Report:
        """The claim against measured slopes at these inputs."""

        def with_input(function: Callable[..., Any]) -> Callable[[Any], Any]:
            return lambda x: function(*[x if k == self.wrt else v for k, v in enumerate(inputs)])

        return check_gradient(
            with_input(self.loss),
            inputs[self.wrt],
            with_input(formula or self.formula),
            method="elements" if np.size(inputs[self.wrt]) < 200 else "directions",
            explain=False,
            variable=self.name,
        )

    def unlike(self, inputs: Sequence[Any]) -> bool:
        """Whether the claim is not the gradient of the loss, to rounding."""
        right, claimed = self.right(inputs), self.claimed(inputs)
        if not np.isfinite(right).all():
            return False
        return not distance(right, claimed) < max(1e-7, 10 * grain_of(self.eps))

    # --- when it is wrong ---

    def explained(self, report: Report) -> Report:
        """The report with the smallest example and the mistake."""
        inputs = self.smallest()
        if inputs is not None:
            at_smallest = self.at(inputs)
            if at_smallest.verdict == Verdict.WRONG:
                report = at_smallest
            report.example = assignments(self.shapes.names, inputs)
            call = getattr(self.formula, "__name__", "formula")
            report.replay = f"{call}({', '.join(compact(x) for x in inputs)})"
        if self.known:
            search = Search(
                LossGraph, self.loss, self.formula, self.wrt, self.draws, self.shapes.names
            )
        else:
            draws = self.draws[:MEASURED]
            search = Search(Measured, self.loss, self.formula, self.wrt, draws, self.shapes.names)
        return search.diagnose().added_to(report)

    def smallest(self) -> list[Any] | None:
        """The smallest inputs at which the claim is wrong, drawn and shrunk by Hypothesis."""
        if find_spec("hypothesis") is None:
            raise ImportError(
                "check_formula draws and shrinks examples with Hypothesis: "
                "pip install 'tinygrad-slp[test]'"
            )
        hypothesis = import_module("hypothesis")
        wrong = self.unlike if self.known else self.measured_wrong
        try:
            found = hypothesis.find(
                self.strategy(hypothesis.strategies),
                wrong,
                random=Random(0),
                settings=hypothesis.settings(
                    max_examples=100 if self.known else 20,
                    # What its other phases do, the search for the mistake does better.
                    phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
                    database=None,
                    deadline=None,
                    suppress_health_check=list(hypothesis.HealthCheck),
                ),
            )
        except hypothesis.errors.NoSuchExample:
            return None
        return list(found)

    def measured_wrong(self, inputs: Sequence[Any]) -> bool:
        return self.at(inputs).verdict == Verdict.WRONG

    def strategy(self, st: Any) -> Any:
        """Inputs with pairwise different sizes, and numbers k/4."""
        axes = self.shapes.axes
        n = len(axes)

        def sized(sizes: Sequence[int]) -> Any:
            size = dict(zip(axes, sizes, strict=True))
            return st.tuples(*[
                self.numbers(st, name, tuple(size[a] for a in letters))
                for name, letters in self.shapes.letters.items()
            ])  # fmt: skip

        sizes = st.permutations(range(1, n + 2)).map(lambda p: p[:n]) if n else st.just([])
        return sizes.flatmap(sized)

    def numbers(self, st: Any, name: str, shape: tuple[int, ...]) -> Any:
        low, high = self.values.get(name, (-2.0, 2.0))
        step = 0.25 if high - low >= 1 else (high - low) / 8
        first, last = int(np.ceil(low / step)), int(np.floor(high / step))
        flat = st.lists(st.integers(first, last), min_size=prod(shape), max_size=prod(shape))
        return flat.map(lambda v: np.reshape(np.array(v, dtype=float) * step, shape))


def assignments(names: Sequence[str], inputs: Sequence[Any]) -> str:
    return "\n".join(f"{name} = {compact(x)}" for name, x in zip(names, inputs, strict=True))


def compact(x: Any) -> str:
    """An array in one line, as Python source."""
    return re.sub(r"\s+", " ", repr(np.asarray(x))).replace("array", "np.array")


# --- a pytest test in one decorator ---


def prove(
    shapes: str,
    *,
    loss: Callable[..., Any] | None = None,
    wrt: str | None = None,
    values: Mapping[str, Interval] | None = None,
) -> Callable[[F], F]:
    """Makes a pytest test of a gradient derived by hand: test_my_dw beside my_dw.

        def loss(X, w, b, y): ...

        @prove("X: n d; w: d; b: ; y: n")
        def my_dw(X, w, b, y): ...

    The function itself is returned as it is.

    Args:
        shapes, values: see `check_formula`.
        loss: by default the function of the name `loss` in the same module.
        wrt: the input that the gradient is of; by default what follows the last d in the name of
            the function: my_dw is of w, grad_dW1 of W1.

    Raises:
        NameError: when the test runs, if there is no loss in the module.
        ValueError: shapes cannot be read, or the name does not say which gradient it is.
    """
    parsed = Shapes.parse(shapes)

    def decorate(function: F) -> F:
        name = function.__name__
        fitting = [n for n in parsed.names if name.endswith(f"d{n}")]
        of = wrt or (fitting[0] if len(fitting) == 1 else None)  # of several, no one knows
        if of not in parsed.letters:
            raise ValueError(
                f"{name} does not say which input it belongs to: write @prove(..., wrt='w') "
                f"with one of {', '.join(parsed.names)}, or end its name in d and the input, as in "
                "my_dw"
            )
        scope = inspect.unwrap(function).__globals__

        def test() -> None:
            used = loss or scope.get("loss")
            if used is None:
                raise NameError(
                    f"@prove found no function `loss` in the module of {name}: "
                    "define it there, or write @prove(..., loss=my_loss)"
                )
            check_formula(used, {of: function}, shapes, values=values).raise_if_wrong()

        test.__name__ = test.__qualname__ = f"test_{name}"
        test.__doc__ = f"{name} is the gradient of the loss with respect to {of}."
        test.__module__ = function.__module__
        scope[test.__name__] = test
        return function

    return decorate
