"""A program read off a trace, and simplified: the same to the bit, with fewer functions."""

from typing import Any

import numpy as np

from ..graph import Node
from ..walk import ancestors
from .program import Program, computed, exact_text, is_of_a_place, operations, replaced
from .trace import Recording


def read_off(seen: Recording) -> Program:
    """The program of what was seen of a step, simplified."""
    outputs = [x for x in seen.outputs if isinstance(x, Node)]
    nodes = operations(outputs, seen.stores, seen.checks)
    program = Program(seen.inputs, nodes, outputs, seen.stores, seen.checks, [])
    found = ancestors(program.ends())
    program.inputs = {p: x for p, x in seen.inputs.items() if x.order in found}
    return simplified(program)


REDUCTIONS = {
    np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum,
    np.any: np.logical_or, np.all: np.logical_and,
}  # fmt: skip


def canonical(node: Node, inputs: Any, settings: Any) -> tuple[Any, Any, Any]:
    """Function, inputs and settings of a node in the one form that the back ends know.

    That of a reduction is `ufunc.reduce(x, axis=(...))`; what else it is told, it is left with.
    """
    function: Any = node.function
    reduce = REDUCTIONS[function].reduce if function in REDUCTIONS else function
    plain = getattr(reduce, "__name__", "") == "reduce" and len(inputs) <= 2
    if not plain or set(settings) - {"axis", "keepdims"}:
        return function, inputs, settings
    default = None if function in REDUCTIONS else 0
    axis = inputs[1] if len(inputs) == 2 else settings.get("axis", default)
    return reduce, inputs[:1], {"axis": axes(axis, inputs[0]), **keeping(settings)}


def keeps_axes(function: Any, settings: Any) -> bool:
    """Whether this is a reduction in canonical form, but for the axes that it keeps."""
    return (
        isinstance(getattr(function, "__self__", None), np.ufunc)
        and set(settings) == {"axis", "keepdims"}
        and isinstance(settings["axis"], tuple)
    )


def keeping(settings: Any) -> dict[str, bool]:
    return {"keepdims": True} if settings.get("keepdims") else {}


def axes(axis: Any, x: Any) -> tuple[int, ...]:
    """The axes that a reduction takes away, counted from the front."""
    ndim = np.ndim(x.array if isinstance(x, Node) else x)
    if axis is None or not ndim:  # a number counts as one of one axis
        return tuple(range(ndim))
    return tuple(sorted(int(a) % ndim for a in (axis if isinstance(axis, tuple) else (axis,))))


def unchanged(function: Any, inputs: Any, settings: Any, y: Any) -> Any:
    """The input that this operation returns as it is; None if it does something."""
    for k, one in ((0, 1), (1, 0)):
        x = inputs[k] if len(inputs) == 2 and function is np.multiply else None
        by_one = isinstance(x, Node) and type(inputs[one]) in (int, float) and inputs[one] == 1
        if by_one and x.array.dtype == y.dtype:  # type: ignore[union-attr]
            return x
    if function is np.positive or (function is np.reshape and same_shape(inputs[0], y)):
        return inputs[0]
    if function is np.copy and not settings and not is_of_a_place(inputs[0]):
        return inputs[0]  # which nobody writes into
    return None


def same_shape(x: Any, y: Any) -> bool:
    return isinstance(x, Node) and np.shape(x.array) == np.shape(y)


def simplified(program: Program) -> Program:
    """The program without operations that do nothing or were done before."""
    known: dict[Any, Node] = {}
    counts = {"found computed before": 0, "idle": 0}

    def add(function: Any, inputs: Any, settings: Any, array: Any) -> Node:
        key = function, exact_text(inputs), exact_text(settings)
        if key in known:
            counts["found computed before"] += 1
        else:
            known[key] = computed(function, inputs, array, **settings)
        return known[key]

    new: dict[int, Any] = {}
    for node in program.nodes:
        inputs, settings = replaced((node.inputs, node.settings), new)
        function, inputs, settings = canonical(node, inputs, dict(settings))
        array = node.array
        same = unchanged(function, inputs, settings, array)
        counts["idle"] += same is not None
        if same is None and keeps_axes(function, settings):
            del settings["keepdims"]
            squeezed = np.squeeze(array, settings["axis"])
            x = add(function, inputs, settings, squeezed)
            same = add(np.reshape, (x, np.shape(array)), {}, array)
        new[node.order] = add(function, inputs, settings, array) if same is None else same
    return program.with_nodes(new, *(f"{n} {what}" for what, n in counts.items() if n))
