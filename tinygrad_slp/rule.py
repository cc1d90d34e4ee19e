"""The record of what is known about one function, the table of all records, and how to add one.

A rule stands beside the function it differentiates and is plain NumPy:

    declare(np.exp, "eˣ", lambda g, y, x: g * y, form="elementwise", domain=REAL)

reads: y = np.exp(x) is eˣ; given the cotangent g = ∂L/∂y, the cotangent of x is g·y; the Jacobian
is diagonal; test inputs are drawn from REAL. Everything else (eager backward passes, higher
derivatives, forward mode, the laws in the tests, the table in the manual) is a reading of these
records.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from importlib import import_module
from inspect import Parameter, signature
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
        split: splits a call's arguments into (inputs, settings), where the first of several
            inputs is a list, or not the first argument.
        arity: the number of inputs; None where a call has to be bound, to know.
        broadcasts: whether inputs of several shapes meet element by element.
    """

    __slots__ = (
        "arity", "broadcasts", "definition", "domain", "examples", "form", "formula", "function",
        "inputs", "others", "run", "settings", "split", "vjps",
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
        self.split = bind
        self._read_signature(definition or bind)
        self.arity = None if definition or bind else len(self.inputs)
        self.broadcasts = form == "elementwise" and len(self.inputs) > 1
        if examples is None and form == "elementwise" and definition is None:
            shapes = (2, 3), (3,), (2, 1)
            examples = lambda f, x: [f(*(x(*shapes[k % 3]) for k in range(len(self.inputs))))]
        self.examples = examples

    @property
    def name(self) -> str:
        return name(self.function)

    def _read_signature(self, source: Function | None) -> None:
        """Inputs are parameters without a default, after (g, y) of a vjp; all others, settings."""
        of_vjp = source is None
        source = source or next(v for v in self.vjps if v is not None)
        parameters = list(signature(source).parameters.values())
        if of_vjp and parameters[:1] and parameters[0].kind is Parameter.VAR_POSITIONAL:
            parameters = list(signature(self.function).parameters.values())  # it says no more
        elif of_vjp:
            parameters = parameters[2:]
        self.others = any(p.kind is p.VAR_KEYWORD for p in parameters)
        named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        self.inputs = tuple([p.name for p in named if p.default is p.empty])
        # By name: whether the setting may also be given without its name.
        self.settings = {
            p.name: p.kind is not p.KEYWORD_ONLY for p in named if p.default is not p.empty
        }
        if of_vjp and len(self.inputs) != len(self.vjps):
            raise TypeError(
                f"the rule of {self.name} has {len(self.vjps)} vjps, but {name(source)} has "
                f"{len(self.inputs)} inputs after (g, y): write one vjp for each input"
            )

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The inputs and the settings of a call, or the arguments of a definition.

        Raises:
            TypeError: inputs are missing, or there are arguments that the rule does not know.
        """
        args = tuple(args)
        if len(args) < len(self.inputs):
            args, kwargs = self._by_position(args, kwargs)
        unknown = [k for k in kwargs if k not in self.settings]
        if unknown and not self.others:
            raise TypeError(
                f"{self.name} of a Tensor does not take {', '.join(unknown)}=; "
                f"it takes {self.usage}"
            )
        if self.definition is not None:
            return args, kwargs
        if self.split is not None:
            return self.split(*args, **kwargs)  # type: ignore[no-any-return]
        inputs, extra = args[: self.arity], args[len(self.inputs) :]
        if extra:
            places = [k for k, positional in self.settings.items() if positional]
            if len(extra) > len(places) or any(k in kwargs for k in places[: len(extra)]):
                raise TypeError(f"{self.name} takes {self.usage}; got {len(args)} without a name")
            kwargs = {**dict(zip(places, extra, strict=False)), **kwargs}
        return inputs, kwargs

    def _by_position(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same arguments, with inputs that are given by name in their places."""
        kwargs = dict(kwargs)
        for p in parameters_of(self.function, self.inputs)[len(args) : len(self.inputs)]:
            if p.name not in kwargs and p.default is p.empty:
                raise TypeError(f"{self.name} takes {self.usage}; {p.name} is missing")
            args = (*args, kwargs.pop(p.name, p.default))
        return args, kwargs

    @property
    def usage(self) -> str:
        return ", ".join([*self.inputs, *(f"{k}=" for k in self.settings)])


@cache
def parameters_of(function: Function, inputs: tuple[str, ...]) -> tuple[Parameter, ...]:
    """The parameters of a function by NumPy's names for them, or ours where it tells none."""
    try:
        return tuple(signature(function).parameters.values())
    except ValueError:
        return tuple([Parameter(k, Parameter.POSITIONAL_OR_KEYWORD) for k in inputs])


RULES: dict[Function, Rule] = {}
"""The table: every function a Tensor knows how to differentiate, and its record."""


LATE = {"scipy.special": "tinygrad_slp.rules.special"}
"""Packages that need not be installed, and the module that declares rules of their functions."""


def rule_of(function: Function) -> Rule | None:
    """The record of a function, if there is one; those of other packages are declared now."""
    if function not in RULES:
        for package, module in LATE.items():
            if package in sys.modules:
                import_module(module)
    return RULES.get(function)


def name(function: Function) -> str:
    """The name that users know a function by: np.exp, np.linalg.norm, sigmoid."""
    module = getattr(function, "__module__", None)
    short = getattr(function, "__name__", None) or repr(getattr(function, "func", function))
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


elementwise = partial(declare, form="elementwise", domain=REAL)
linear = partial(declare, form="linear", domain=REAL)


def composite(
    function: Function, formula: str, definition: Function | None = None, **facts: Any
) -> Any:
    """Adds a function that is defined by others: its derivative follows from theirs.

    Without a definition it decorates one: `@composite(np.trace, "Σ x[i, i]", examples=...)`.
    """
    if definition is None:
        return partial(composite, function, formula, **facts)
    declare(function, formula, definition=definition, **{"domain": REAL, **facts})
    return definition


def aliases(original: Function, *others: Function) -> None:
    """Lets other names of a function (np.absolute, np.amax) share its rule."""
    for other in others:
        RULES[other] = RULES[original]


def functions() -> Iterable[Rule]:
    """Every rule once, in the order in which they were declared."""
    return dict.fromkeys(RULES.values())
