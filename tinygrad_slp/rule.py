"""The record of what is known about one function, the table of all records, and how to add one.

A rule stands beside the function it differentiates and is plain NumPy:

    declare(np.exp, "eˣ", lambda g, y, x: g * y, form="elementwise", domain=REAL)

reads: y = np.exp(x) is eˣ; given the cotangent g = ∂L/∂y, the cotangent of x is g·y; the Jacobian
is diagonal; test inputs are drawn from REAL. Everything else (eager backward passes, higher
derivatives, forward mode, the laws in the tests, the table in the manual) is a reading of these
records.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
Form = Literal["elementwise", "linear"]
Interval = tuple[float, float]

# Intervals that test inputs are drawn from. A function is smooth there, except at isolated points
# such as the kink of |x| at 0.
REAL: Interval = (-2.5, 3.0)
POSITIVE: Interval = (0.2, 4.0)
UNIT: Interval = (-0.9, 0.9)
ABOVE_ONE: Interval = (1.2, 4.0)


class Each:
    """The vjps of a function of any number of inputs: one for all, told which input is meant."""

    def __init__(self, vjp: Function) -> None:
        self.vjp = vjp

    def __getitem__(self, k: int) -> Function:
        return partial(self.vjp, k)


class Rule:
    """All that is known about one function.

    Attributes:
        function: what users call, and the key in the table.
        formula: the function as a book prints it.
        vjps: for each input k, `vjp(g, y, *inputs, **settings)`: the cotangent of input k, given
            the cotangent g of the output y; None where no gradient flows (a condition).
        form: of the Jacobian: "elementwise" (diagonal, inputs broadcast), "linear" (linear in
            each input separately), or None (neither).
        domain: the interval that test inputs are drawn from; the function is smooth there, except
            at isolated points.
        examples: calls that every law is tried on: given the function and a drawer of arrays
            `x(*shape)`, a list of results.
        run: computes the function on plain arrays (`function` itself, unless a faster way exists).
        definition: the function in terms of others that have rules, instead of vjps.
        bind: splits a call's arguments into (inputs, settings), where the signature of the first
            vjp does not say it.
    """

    __slots__ = (
        "arity", "bind", "definition", "domain", "examples", "form", "formula", "function",
        "keywords", "run", "settings", "vjps",
    )  # fmt: skip

    def __init__(
        self,
        function: Function,
        formula: str,
        vjps: Sequence[Any],
        *,
        domain: Interval | None = None,
        form: Form | None = None,
        examples: Function | None = None,
        run: Function | None = None,
        definition: Function | None = None,
        bind: Function | None = None,
    ) -> None:
        if domain is None:
            raise TypeError(
                f"the rule of {name(function)} has no domain: give the interval that its test "
                "inputs are drawn from, as domain=REAL, POSITIVE, UNIT, ABOVE_ONE or (low, high)"
            )
        self.function = function
        self.formula = formula
        self.vjps: Any = vjps[0] if len(vjps) == 1 and isinstance(vjps[0], Each) else vjps
        self.form = form
        self.domain = domain
        self.run = run or function
        self.definition = definition
        self.arity = 0
        self.settings: tuple[str, ...] = ()
        self.keywords: tuple[str, ...] = ()
        if definition is None and bind is None:
            self._read_signature()
        self.bind = bind or self._bind
        if examples is None and form == "elementwise" and definition is None:
            shapes = (2, 3), (3,), (2, 1)
            examples = lambda f, x: [f(*(x(*s) for s in shapes[: self.arity]))]
        self.examples = examples

    @property
    def name(self) -> str:
        return name(self.function)

    def _read_signature(self) -> None:
        """Parameters after (g, y): those without a default are inputs, the others settings."""
        code = next(v for v in self.vjps if v is not None).__code__
        defaults = next(v for v in self.vjps if v is not None).__defaults__ or ()
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.arity = code.co_argcount - len(defaults) - 2
        self.settings = names[2 + self.arity : code.co_argcount]
        self.keywords = names[2 + self.arity :]
        if self.arity != len(self.vjps):
            raise TypeError(
                f"the rule of {self.name} has {len(self.vjps)} vjps, but their signature "
                f"{names} has {self.arity} inputs after (g, y): write one vjp for each input"
            )

    def _bind(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Splits the arguments of a call into inputs and settings."""
        inputs = args[: self.arity]
        extra = args[self.arity :]
        if len(inputs) < self.arity or len(extra) > len(self.settings):
            raise TypeError(f"{self.name} takes {self.usage}; got {len(args)} positional arguments")
        if unknown := [k for k in kwargs if k not in self.keywords]:
            raise TypeError(
                f"{self.name} of a Tensor does not take {', '.join(unknown)}=; "
                f"it takes {self.usage}"
            )
        if extra:
            kwargs = {**dict(zip(self.settings, extra, strict=False)), **kwargs}
        return inputs, kwargs

    @property
    def usage(self) -> str:
        inputs = f"{self.arity} array{'s' * (self.arity != 1)}"
        return ", ".join([inputs, *(f"{k}=" for k in self.keywords)])


RULES: dict[Function, Rule] = {}
"""The table: every function a Tensor knows how to differentiate, and its record."""


def name(function: Function) -> str:
    """The name that users know a function by: np.exp, np.linalg.norm, sigmoid."""
    module = getattr(function, "__module__", None)
    short = getattr(function, "__name__", repr(function))
    if module is None:  # a ufunc, NumPy's or another's, which does not say whose
        return f"np.{short}" if getattr(np, short, None) is function else short
    return f"{module.replace('numpy', 'np', 1)}.{short}" if module.startswith("numpy") else short


def declare(function: F, formula: str, *vjps: Function | Each | None, **facts: Any) -> F:
    """Adds the rule of a function that NumPy dispatches (np.exp) to the table; returns it.

    Args: see `Rule`. `domain=` is required. Without `examples=`, which an "elementwise" function
    need not give, the function can be used, but `check_rule` refuses to check it.

    Raises:
        TypeError: there is no domain, or the vjps do not fit the inputs.
    """
    RULES[function] = Rule(function, formula, vjps, **facts)
    return function


elementwise = partial(declare, form="elementwise")
linear = partial(declare, form="linear")


def composite(function: F, formula: str, definition: Function, **facts: Any) -> F:
    """Adds a function that is defined by others: its derivative follows from theirs."""
    return declare(function, formula, definition=definition, **facts)


def aliases(original: Function, *others: Function) -> None:
    """Lets other names of a function (np.absolute, np.amax) share its rule."""
    for other in others:
        RULES[other] = RULES[original]


def functions() -> Iterable[Rule]:
    """Every rule once, in the order in which they were declared."""
    return dict.fromkeys(RULES.values())
