"""The graph: what a node remembers of how it was made, and the walks over it, back and forth.

A node is made by `apply`: it holds the array y = f(*inputs, **settings), the function f, the inputs
and the settings, and a number from one clock. Inputs exist before outputs, so the order of creation
is a topological order: nothing here recurses. A node never refers to its own output or consumers,
so there are no reference cycles: memory returns as soon as the last outside reference goes.

Arrays in nodes never change. A leaf may be given a new array; it then takes a new number, and a
graph that was built on the old array notices that its input is younger than itself.
"""

import sys
from collections.abc import Callable, Container, Iterable, Sequence
from contextvars import ContextVar
from functools import wraps
from itertools import count
from typing import Any, Self, TypeVar
from weakref import ref

import numpy as np

from .rule import RULES, Rule, declare, name

F = TypeVar("F", bound=Callable[..., Any])
NOTHING: dict[str, Any] = {}

clock = count(1).__next__
recording: ContextVar[bool] = ContextVar("recording", default=True)
is_recording = recording.get


class recorded:
    """Within it, operations on tracked nodes are recorded, or not; for this thread and task."""

    __slots__ = ("on", "token")

    def __init__(self, on: bool) -> None:
        self.on = on

    def __enter__(self) -> None:
        self.token = recording.set(self.on)

    def __exit__(self, *exception: object) -> None:
        recording.reset(self.token)


class Node:
    """An array and how it was made.

    Attributes:
        array: the value, an array or a NumPy scalar; never written into.
        grad: the gradient accumulated by `backward`, on leaves; None before.
        tracked: whether a gradient flows through this node.
        function: what made it; None for a leaf.
        inputs: what it was made of, nodes and constants; emptied when backward frees the graph.
        settings: the keyword arguments it was made with; for the shadow of a leaf, that leaf.
        order: when it was made; for a leaf, when it was last given an array.
    """

    __slots__ = (
        "__weakref__", "array", "function", "grad", "inputs", "order", "settings", "tracked",
    )  # fmt: skip

    array: Any
    grad: Self | None
    tracked: bool
    function: Callable[..., Any] | None
    inputs: tuple[Any, ...]
    settings: dict[str, Any]
    order: int

    if sys.version_info[:2] == (3, 13):
        # CPython 3.13 drops a chain of objects by C recursion 10,000 deep, which overflows the
        # small stack of a thread. Taking a dying chain apart from here keeps the recursion flat.
        def __del__(self) -> None:
            chain = [getattr(self, "inputs", ())]  # none yet, if the data was refused
            self.inputs = ()
            while chain:
                for x in chain.pop():
                    # One reference from the tuple, one from x, one from the call: nobody else.
                    if isinstance(x, Node) and x.inputs and sys.getrefcount(x) <= 3:
                        chain.append(x.inputs)
                        x.inputs = ()


N = TypeVar("N", bound=Node)
new: Callable[[type[N]], N] = object.__new__


def leaf(cls: type[N], array: Any, tracked: bool = False) -> N:
    """A node that nothing made."""
    node = new(cls)
    node.array = array
    node.grad = None
    node.tracked = tracked
    node.function = None
    node.inputs = ()
    node.settings = NOTHING
    node.order = clock()
    return node


def made(
    cls: type[N],
    array: Any,
    function: Callable[..., Any],
    inputs: tuple[Any, ...],
    settings: dict[str, Any] = NOTHING,
) -> N:
    """A node that `function` made of `inputs`, through which gradients flow."""
    node = new(cls)
    node.array = array
    node.grad = None
    node.tracked = True
    node.function = function
    node.inputs = inputs
    node.settings = settings
    node.order = clock()
    return node


def apply(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Calls a function that has a rule, on nodes and arrays; a node if any argument was one.

    Raises:
        TypeError: the function has no rule.
    """
    rule = RULES.get(function)
    if rule is None:
        raise TypeError(
            f"{name(function)} has no derivative rule, so it cannot take a Tensor. Give it arrays "
            f"({name(function)}(t.data), which stops gradients), or declare its rule:\n"
            f"    tinygrad_slp.declare({name(function)}, 'its formula', "
            "lambda g, y, x: g * ..., domain=REAL)"
        )
    if rule.definition is not None:
        return rule.definition(*args, **kwargs)
    inputs, settings = rule.bind(*args, **kwargs)
    return evaluate(rule, inputs, settings)


def evaluate(rule: Rule, inputs: Sequence[Any], settings: dict[str, Any]) -> Any:
    """The function of a rule at these inputs: a node if one of them is a node, else an array."""
    # Loops, here and in pull: in Python 3.11 each list comprehension costs a function call.
    cls = None
    tracked = False
    arrays = []
    for x in inputs:
        if isinstance(x, Node):
            cls = type(x)
            if x.tracked:
                tracked = True
            arrays.append(x.array)
        else:
            arrays.append(np.array(x) if isinstance(x, list | tuple) else x)
    if settings:
        settings = {k: frozen(v) for k, v in settings.items()}
        y = rule.run(*arrays, **settings)
    else:
        y = rule.run(*arrays)
    if cls is None:
        return y
    if tracked and is_recording():
        kept = []
        for x in inputs:
            kept.append(x if isinstance(x, Node) else frozen(x))
        return made(cls, y, rule.function, tuple(kept), settings)
    return leaf(cls, y)


def frozen(value: Any) -> Any:
    """A value that nobody can change: what may be written into is copied."""
    if isinstance(value, np.ndarray):
        return value.copy() if value.flags.writeable or not immutable(value) else value
    if isinstance(value, Node):
        return value.array
    if isinstance(value, tuple):
        return tuple([frozen(v) for v in value])
    if isinstance(value, list):
        return np.array(value)
    return value


def immutable(array: np.ndarray) -> bool:
    """Whether neither the array nor any array whose memory it shows can be written into."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base  # type: ignore[assignment]
    return array is None


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
        @wraps(function)
        def dispatch(*args: Any, **kwargs: Any) -> Any:
            if not kwargs and len(args) == rule.arity:
                return evaluate(rule, args, NOTHING)
            inputs, settings = rule.bind(*args, **kwargs)
            return evaluate(rule, inputs, settings)

        formula = (function.__doc__ or function.__name__).split("    ")[0].strip()
        declare(dispatch, formula, *vjps, run=function, **facts)
        rule = RULES[dispatch]
        return dispatch  # type: ignore[return-value]

    return decorate


# --- the walks -----------------------------------------------------------------------------------


def ancestors(outputs: Iterable[Node], since: int = 0) -> dict[int, Node]:
    """The tracked nodes that the outputs were made of, by order; none older than `since`."""
    found = {y.order: y for y in outputs if y.tracked and y.order >= since}
    stack = list(found.values())
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, Node) and x.tracked:
                order = x.order
                if order not in found and order >= since:
                    found[order] = x
                    stack.append(x)
    return found


def pull(
    nodes: dict[int, Node],
    cotangents: dict[int, Any],
    ends: Container[int] = (),
    *,
    retain: bool,
    create: bool,
) -> dict[int, Any]:
    """Walks back, youngest node first; returns the cotangents of the leaves and of the ends.

    Args:
        nodes: by order, what the cotangents may flow into.
        cotangents: of the outputs, by order; used up.
        ends: the orders of nodes where the walk ends though something made them.
        retain: keep the graph, to walk it again. Else each node forgets its inputs.
        create: run the rules on nodes, so that the walk itself is recorded.

    Raises:
        RuntimeError: the graph was freed, or a leaf was given a new array since it was built.
    """
    reached = {}
    for order in sorted(nodes, reverse=True):
        g = cotangents.pop(order, None)
        if g is None:
            continue
        node = nodes[order]
        if node.function is None or order in ends:
            reached[order] = g
            continue
        inputs = node.inputs
        if not inputs:
            raise freed(node)
        vjps, settings = RULES[node.function].vjps, node.settings
        y: Any = node
        xs: Sequence[Any] = inputs
        if not create:
            y, xs = node.array, []
            for x in inputs:
                xs.append(x.array if isinstance(x, Node) else x)
        for k, x in enumerate(inputs):
            if isinstance(x, Node) and x.tracked:
                at = x.order
                if at > order:
                    raise changed(node, x)
                if at in nodes and (vjp := vjps[k]) is not None:
                    gx = vjp(g, y, *xs, **settings) if settings else vjp(g, y, *xs)
                    array = x.array
                    if gx.shape != array.shape or gx.dtype is not array.dtype:
                        gx = match(gx, array)
                    cotangents[at] = cotangents[at] + gx if at in cotangents else gx
        if not retain:
            node.inputs = ()
    return reached


def push(nodes: dict[int, Node], tangents: dict[int, Any], *, create: bool) -> None:
    """Walks forth, oldest node first, and adds the tangent of every node to `tangents`."""
    for order in sorted(nodes):
        node = nodes[order]
        if order in tangents or node.function is None:
            continue
        if not node.inputs:
            raise freed(node)
        total = None
        for k, x in enumerate(node.inputs):
            if isinstance(x, Node) and x.order in tangents:
                t = push_one(node, k, tangents[x.order], create)
                total = t if total is None else total + t
        if total is not None:
            tangents[order] = total


def push_one(node: Node, k: int, t: Any, create: bool) -> Any:
    """The Jacobian of a node with respect to its input k, times the tangent t of that input."""
    assert node.function is not None
    rule, settings = RULES[node.function], node.settings
    y: Any = node
    xs: Sequence[Any] = node.inputs
    if not create:
        y, xs = node.array, [x.array if isinstance(x, Node) else x for x in xs]
    if rule.form == "linear":
        t = evaluate(rule, (*xs[:k], t, *xs[k + 1 :]), settings)
        return t if create else getattr(t, "array", t)
    vjp = rule.vjps[k]
    if vjp is None:
        return np.zeros_like(node.array)
    if rule.form == "elementwise":  # a diagonal matrix is its own transpose
        t = t if t.shape == node.array.shape else np.broadcast_to(t, node.array.shape)
        return vjp(t, y, *xs, **settings)
    # The vjp is the linear map g -> Jᵀg; its own transpose, taken at any g, is J.
    with recorded(True):
        g = leaf(type(node), np.zeros_like(node.array), tracked=True)
        back = vjp(g, y, *xs, **settings)
    path = ancestors([back], g.order)
    return pull(path, {back.order: t}, retain=create, create=create)[g.order]


def match(g: Any, x: Any) -> Any:
    """The cotangent g in the shape and dtype of x: summed over what broadcasting repeated."""
    if g.shape != x.shape:
        lead = g.ndim - x.ndim
        repeated = [lead + i for i, n in enumerate(x.shape) if n == 1]
        g = g.sum(axis=(*range(lead), *repeated)).reshape(x.shape)
    return g if g.dtype is x.dtype else g.astype(x.dtype)


def hold_weakly(nodes: dict[int, Node]) -> None:
    """Puts shadows in place of the leaves in a graph, which know their leaf by a weak reference.

    A recorded gradient is made of the leaf that holds it in `.grad`: a cycle, but for this.
    """
    leaves = {k: x for k, x in nodes.items() if x.function is None and not x.settings}
    shadows = {}
    for order, x in leaves.items():
        shadow = shadows[order] = leaf(type(x), x.array, x.tracked)
        shadow.settings = {"leaf": ref(x)}
        shadow.order = order
    for node in nodes.values():
        inputs = [shadows.get(x.order, x) if isinstance(x, Node) else x for x in node.inputs]
        node.inputs = tuple(inputs)


def accumulate(x: Node, g: Any) -> None:
    """Adds g to the gradient of a leaf, or of the leaf that x is the shadow of, if it still is."""
    owner = x.settings["leaf"]() if x.settings else x
    if owner is None:
        return
    if isinstance(g, Node):
        owner.grad = g if owner.grad is None else owner.grad + g  # type: ignore[operator]
    else:
        owner.grad = leaf(type(x), g if owner.grad is None else owner.grad.array + g)


def freed(node: Node) -> RuntimeError:
    assert node.function is not None
    return RuntimeError(
        f"the graph behind the output of {name(node.function)} has been freed by an earlier "
        "backward(); to walk it again write backward(retain_graph=True) the first time, or run the "
        "forward pass again"
    )


def changed(node: Node, x: Node) -> RuntimeError:
    assert node.function is not None
    return RuntimeError(
        f"a Tensor of shape {x.array.shape} was given new data after {name(node.function)} had "
        "used it, so the gradient would be wrong: call backward() before changing the data, or run "
        "the forward pass again"
    )
