"""The graph: what a node remembers of how it was made, and how functions are applied to nodes.

A node is made by `apply`: it holds the array y = f(*inputs, **settings), the function f, the inputs
and the settings, the nodes that the inputs came from, and a number from one clock. Inputs exist
before outputs, so the order of creation is a topological order: nothing here recurses. A node never
refers to its own output or consumers, so there are no reference cycles: memory returns as soon as
the last outside reference goes.

Arrays in nodes never change. A leaf may be given a new array; it then takes a new number, and a
graph that was built on the old array notices that its input is younger than itself.
"""

import math
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from itertools import count, product
from typing import Any, Self, TypeVar

import numpy as np

from . import errors
from .recorder import recorder
from .rule import RULES, Rule, name, rule_of

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
NOTHING: dict[str, Any] = {}

ticks = count(1)
clock = ticks.__next__
recording: ContextVar[bool] = ContextVar("recording", default=True)
is_recording = recording.get
before: ContextVar[tuple[Any, ...]] = ContextVar("before", default=())


class recorded:
    """Within it, operations on tracked nodes are recorded, or not; for this thread and task.

    What was before is remembered by thread and task too, so that one object serves many of them.
    """

    __slots__ = ("on",)

    def __init__(self, on: bool) -> None:
        self.on = on

    def __enter__(self) -> None:
        before.set((recording.get(), before.get()))
        recording.set(self.on)

    def __exit__(self, *exception: object) -> None:
        on, further = before.get()
        recording.set(on)
        before.set(further)


class no_grad(recorded):
    """Within it, as a context manager or a decorator, nothing is recorded for backward.

    It holds for the current thread and async task only.
    """

    __slots__ = ()

    def __init__(self, function: None = None) -> None:
        if function is not None:
            raise TypeError("no_grad() takes nothing; as a decorator write @no_grad()")
        super().__init__(False)

    def __call__(self, function: F) -> F:
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise errors.quiet_generator(function)

        @wraps(function)
        def quiet(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return function(*args, **kwargs)

        @wraps(function)
        async def quiet_later(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return await function(*args, **kwargs)

        chosen: Any = quiet_later if iscoroutinefunction(function) else quiet
        return chosen  # type: ignore[no-any-return]


began: ContextVar[float] = ContextVar("began", default=math.inf)
"""The clock when the function that is being differentiated began; infinite outside of one."""


class Node:
    """An array and how it was made.

    Attributes:
        array: the value, an array or a NumPy scalar; never written into.
        grad: the gradient accumulated by `backward`, on leaves; None before.
        tracked: whether a gradient flows through this node.
        function: what made it; None for a leaf.
        inputs: the arrays and constants it was made of; emptied when backward frees the graph.
        parents: for each input, the node that a gradient flows to, or None; emptied likewise.
        settings: the keyword arguments it was made with.
        order: when it was made; for a leaf, when it was last given an array.
    """

    __slots__ = (
        "__weakref__", "array", "function", "grad", "inputs", "order", "parents", "settings",
        "tracked",
    )  # fmt: skip

    array: Any
    grad: Self | None
    tracked: bool
    function: Function | None
    inputs: tuple[Any, ...]
    parents: tuple[Any, ...]
    settings: dict[str, Any]
    order: int

    if sys.version_info[:2] == (3, 13):
        # CPython 3.13 drops a chain of objects by C recursion 10,000 deep, which overflows the
        # small stack of a thread. Taking a dying chain apart from here keeps the recursion flat.
        def __del__(self) -> None:
            chain = [getattr(self, "parents", ())]  # none yet, if the data was refused
            self.parents = ()
            while chain:
                for x in chain.pop():
                    # One reference from the tuple, one from x, one from the call: nobody else.
                    if x is not None and x.parents and sys.getrefcount(x) <= 3:
                        chain.append(x.parents)
                        x.parents = ()


N = TypeVar("N", bound=Node)
new: Callable[[type[N]], N] = object.__new__


def leaf(cls: type[N], array: Any, tracked: bool = False) -> N:
    """A node that nothing made."""
    node = new(cls)
    node.array = array
    node.grad = None
    node.tracked = tracked
    node.function = None
    node.inputs = node.parents = ()
    node.settings = NOTHING
    node.order = clock()
    return node


def apply(function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Calls a function that has a rule, on nodes and arrays; a node if any argument was one.

    Raises:
        TypeError: the function has no rule, or does not take these arguments.
    """
    rule = RULES.get(function) or rule_of(function)
    if rule is None:
        raise errors.without_rule(function, [*args, *kwargs.values()])
    if kwargs or len(args) != rule.arity:
        args, kwargs = rule.bind(args, kwargs)
        if rule.definition is not None:
            if (active := recorder.get()) is not None:
                args = active.operands(args, kwargs)
            return rule.definition(*args, **kwargs)
    return evaluate(rule, args, kwargs)


def evaluate(rule: Rule, inputs: Sequence[Any], settings: dict[str, Any]) -> Any:
    """The function of a rule at these inputs: a node if one of them is a node, else an array.

    Raises:
        TypeError: a setting is a Tensor that requires grad, and its gradient would be lost.
    """
    # A loop, here and in pull: in Python 3.11 a list comprehension costs a function call.
    node: Node | None = None
    tracked = False
    changeable: list[int] = []  # the constants that somebody may change later
    arrays: list[Any] = []
    parents: list[Node | None] = []
    for x in inputs:
        if isinstance(x, Node):
            node = x
            arrays.append(x.array)
            if x.tracked:
                tracked = True
                parents.append(x)
                continue
        else:
            kind = type(x)
            if kind is not float and kind is not int:
                changeable.append(len(arrays))
                if kind is list or kind is tuple:
                    x = np.array(x)
            arrays.append(x)
        parents.append(None)
    if (active := recorder.get()) is not None:
        arrays = active.operands(arrays, settings)
    if settings:
        for key, value in settings.items():
            if is_tracked(value) and is_recording():
                raise errors.tracked_setting(f"{rule.name}({key}=)")
        settings = {key: frozen(value) for key, value in settings.items()}
        y = rule.run(*arrays, **settings)
    else:
        y = rule.run(*arrays)
    if node is None:
        return y
    if not tracked or not is_recording():
        return leaf(type(node), y)
    if rule.broadcasts and y.size > node.array.size and y.ndim > 1:
        warn_if_crossed(rule, arrays)
    for k in changeable:
        arrays[k] = frozen(arrays[k])
    node = new(type(node))
    node.array = y
    node.grad = None
    node.tracked = True
    node.function = rule.function
    node.inputs = tuple(arrays)
    node.parents = tuple(parents)
    node.settings = settings
    node.order = clock()
    return node


def is_tracked(value: Any) -> bool:
    """Whether a value is, or a tuple or list holds, a node that gradients flow through."""
    if isinstance(value, (tuple, list)):
        return any(map(is_tracked, value))
    return isinstance(value, Node) and value.tracked


def warn_if_crossed(rule: Rule, arrays: Sequence[Any]) -> None:
    """Warns of a column (n, 1) beside a row (n,): of all pairs, where their elements are meant.

    The usual case is predictions of shape (n, 1) minus targets of shape (n,).
    """
    shapes = [x.shape for x in arrays if getattr(x, "ndim", 0)]
    for column, row in product(shapes, shapes):
        if column == (*row, 1) and row[-1] > 1:
            errors.warn(errors.crossed(rule, column, row))
            return


def is_of_another_framework(value: Any) -> bool:
    """Whether a value is an array of a library that computes gradients of its own, as PyTorch's."""
    speaks_numpy = isinstance(value, np.generic) or hasattr(value, "__array_function__")
    return hasattr(value, "__dlpack__") and not speaks_numpy


def frozen(value: Any) -> Any:
    """A value that nobody else can change: a copy, if it is an array or a list.

    A recorded graph ends with its step, and has to know which array it was given.
    """
    if isinstance(value, np.ndarray):
        return value.copy() if recorder.get() is None else value
    if isinstance(value, Node):
        return value.array
    if isinstance(value, tuple):
        return tuple([frozen(v) for v in value])
    if is_of_another_framework(value):
        raise errors.of_another_framework(value)
    if isinstance(value, list):
        return np.array(value) if np.size(value) else np.array(value, dtype=int)  # as an index
    return value


def differentiable(*vjps: Callable[..., Any] | None, **facts: Any) -> Callable[[F], F]:
    """Decorates a function with its hand-derived rule; it then takes arrays and Tensors alike.

        @differentiable(lambda g, y, x: g * (1 - y**2), form="elementwise", domain=REAL)
        def my_tanh(x):
            '''tanh x      ∂x = g · (1 − y²)'''
            return np.tanh(x)

    The function is given plain arrays; its docstring begins with its formula. There is one vjp for
    each differentiable input, called `vjp(g, y, *inputs, **settings)` and returning the cotangent
    of that input: given g = ∂L/∂y, it returns ∂L/∂x, of the shape of x or one that sums to it by
    broadcasting. Written in NumPy functions, it also serves for higher derivatives.

    Args:
        vjps: one for each input; parameters after (g, y) without a default are inputs, those with
            one are settings. None: no gradient flows into that input.
        facts: form="elementwise" | "linear" | None, domain=REAL..., examples=...: see `Rule`.

    Raises:
        TypeError: no domain, or vjps that do not fit the inputs.
    """

    def decorate(function: F) -> F:
        formula = (function.__doc__ or name(function)).split("    ")[0].strip()
        rule = Rule(function, formula, vjps, **facts)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if kwargs or len(args) != rule.arity:
                args, kwargs = rule.bind(args, kwargs)
            return evaluate(rule, args, kwargs)

        rule.function = call
        RULES[call] = rule
        return call  # type: ignore[return-value]

    return decorate
