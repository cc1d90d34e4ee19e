"""The walks over a graph: back, with cotangents; forth, with tangents.

The order of creation is a topological order, so to walk is to take the youngest node that waits,
or the oldest, again and again; nothing recurses. Cotangents and tangents live in the walk, by the
order of their node, so that graphs that share nodes can be walked at the same time.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from . import errors
from .graph import Node, evaluate, leaf, recorded
from .recorder import recorder
from .rule import RULES


def ancestors(outputs: Iterable[Node], since: float = 0) -> dict[int, Node]:
    """The tracked nodes that the outputs were made of, by order; none older than `since`."""
    found = {y.order: y for y in outputs if y.tracked and y.order >= since}
    stack = list(found.values())
    while stack:
        for x in stack.pop().parents:
            if x is not None and x.order not in found and x.order >= since:
                found[x.order] = x
                stack.append(x)
    return found


def pull(
    flow: Iterable[tuple[Node, Any]],
    nodes: Container[int] | None = None,
    *,
    retain: bool,
    create: bool,
) -> tuple[list[Node], dict[int, Any]]:
    """Walks back, youngest node first, to where it ends; returns these, and cotangents by order.

    Args:
        flow: outputs, with their cotangents.
        nodes: the orders of the nodes that the walk may enter, None: of all. It ends at leaves,
            and at nodes that it may enter but none of their parents.
        retain: keep the graph, to walk it again. Else each node forgets its inputs.
        create: run the rules on nodes, so that the walk itself is recorded.

    Raises:
        RuntimeError: the graph was freed, or a leaf was given a new array since it was built.
    """
    cotangents: dict[int, Any] = {}
    waiting: list[tuple[int, Node]] = []  # a heap; no two orders are equal, so nodes never compared
    reached = []
    for x, g in flow:
        at = x.order
        if at in cotangents:
            g = cotangents[at] + g
        else:
            heappush(waiting, (-at, x))
        cotangents[at] = g
    while waiting:
        _, node = heappop(waiting)
        order, function, parents = node.order, node.function, node.parents
        if function is None or (nodes is not None and is_end(node, nodes)):
            reached.append(node)
            continue
        if not parents:
            raise errors.freed(function)
        g, vjps, settings = cotangents.pop(order), RULES[function].vjps, node.settings
        y, xs = (node, recorded_inputs(node)) if create else (node.array, node.inputs)
        arguments = g, y, *xs
        k = -1
        for x in parents:
            k += 1
            if x is None:
                continue
            vjp, at = vjps[k], x.order
            if at > order:
                raise errors.changed(function, x.array.shape)
            if vjp is None or (nodes is not None and at not in nodes):
                continue
            gx = vjp(*arguments, **settings) if settings else vjp(*arguments)
            array = x.array
            if gx.shape != array.shape or gx.dtype is not array.dtype:
                gx = match(gx, array, function, k)
            if at in cotangents:
                cotangents[at] = cotangents[at] + gx
                continue
            cotangents[at] = gx
            if x.function is not None:
                heappush(waiting, (-at, x))
            else:
                reached.append(x)
        if not retain:
            node.inputs = node.parents = ()
    return reached, cotangents


def is_end(node: Node, nodes: Container[int]) -> bool:
    """Whether a walk that may enter only these nodes ends at this one: it may enter no parent."""
    parents = node.parents
    return bool(parents) and all(x is None or x.order not in nodes for x in parents)


def recorded_inputs(node: Node) -> list[Any]:
    """What a node was made of, as nodes where gradients flow."""
    pairs = zip(node.inputs, node.parents, strict=True)
    return [value if parent is None else parent for value, parent in pairs]


def push(nodes: dict[int, Node], tangents: dict[int, Any], *, create: bool) -> None:
    """Walks forth, oldest node first, and adds the tangent of every node to `tangents`."""
    for order in sorted(nodes):
        node = nodes[order]
        if order in tangents or node.function is None:
            continue
        if not node.parents:
            raise errors.freed(node.function)
        total = None
        for k, x in enumerate(node.parents):
            if x is not None and x.order in tangents:
                t = push_one(node, k, tangents[x.order], create)
                total = t if total is None else total + t
        if total is not None:
            dtype = node.array.dtype
            if dtype.kind == "c":
                raise errors.complex_slope(node.function)
            tangents[order] = total if total.dtype is dtype else total.astype(dtype)


def push_one(node: Node, k: int, t: Any, create: bool) -> Any:
    """The Jacobian of a node with respect to its input k, times the tangent t of that input."""
    assert node.function is not None
    rule, settings = RULES[node.function], node.settings
    y: Any = node if create else node.array
    xs: Sequence[Any] = recorded_inputs(node) if create else node.inputs
    if rule.form == "linear":
        t = evaluate(rule, (*xs[:k], t, *xs[k + 1 :]), settings)
        return t if create else getattr(t, "array", t)
    vjp = rule.vjps[k]
    if vjp is None:
        return np.zeros_like(node.array)
    if rule.form == "elementwise":  # a diagonal matrix is its own transpose
        t = t if t.shape == node.array.shape else np.broadcast_to(t, node.array.shape)
        return diagonal(lambda g: vjp(g, y, *xs, **settings), t)
    # The vjp is the linear map g -> Jᵀg; its own transpose, taken at any g, is J.
    with recorded(True):
        g = leaf(type(node), np.zeros_like(node.array), tracked=True)
        back = vjp(g, y, *xs, **settings)
    _, cotangents = pull([(back, t)], ancestors([back], g.order), retain=create, create=create)
    return cotangents.get(g.order, g.array)  # zeros, if the vjp makes nothing of g


def diagonal(product: Callable[[Any], Any], t: Any) -> Any:
    """J·t of a diagonal J; 0 where t is 0, however steep the function is there: not 0·∞ = NaN.

    Args:
        product: gives J·g of a vector g.
    """
    moved = product(t)
    unclear = np.isnan(moved) & np.equal(t, 0)
    if recorder.get() is None and not np.any(unclear):
        return moved
    # A slope that is NaN itself stays NaN: there is none.
    return np.where(unclear & np.isinf(product(np.ones_like(t))), 0, moved)


def match(g: Any, x: Any, function: Any = None, k: int = 0) -> Any:
    """The cotangent g in the shape and dtype of x: summed over what broadcasting repeated.

    Args:
        g: what the rule of `function` gave for its input number k, counted from 0.
        x: that input.

    Raises:
        ValueError: g has another shape than x, and x was not broadcast to it.
        TypeError: g is complex and x is not.
    """
    if g.shape != x.shape:
        lead = g.ndim - x.ndim
        repeated = [lead + i for i, n in enumerate(x.shape) if n == 1]
        axes = *range(lead), *repeated
        total = RULES[np.sum].run(g, axis=axes, keepdims=True) if lead >= 0 else g
        if lead < 0 or total.shape[lead:] != x.shape:
            raise errors.other_shape(function, g, k, x)
        g = total.reshape(x.shape)
    if g.dtype is x.dtype:
        return g
    if g.dtype.kind == "c" and x.dtype.kind != "c":
        raise errors.complex_slope(function)
    return g.astype(x.dtype)


def accumulate(leaves: Iterable[Node], cotangents: Mapping[int, Any]) -> None:
    """Adds to the gradients of leaves."""
    for x in leaves:
        g = cotangents[x.order]
        if isinstance(g, Node):
            x.grad = g if x.grad is None else x.grad + g  # type: ignore[operator]
        else:
            x.grad = leaf(type(x), g if x.grad is None else gradient(x) + g)


def gradient(x: Node) -> Any:
    """The array of the gradient of a leaf; None if it has none.

    Raises:
        TypeError: somebody has set `.grad` to what is no Tensor.
    """
    grad = x.grad
    if grad is None:
        return None
    try:
        return grad.array
    except AttributeError:
        raise errors.grad_is_no_tensor(grad) from None


def forget(leaves: Iterable[Node], set_to_none: bool = True) -> None:
    """Forgets the gradients of leaves; or, as PyTorch once did, sets those that there are to 0."""
    for x in leaves:
        if set_to_none or x.grad is None:
            x.grad = None
        else:
            x.grad = leaf(type(x), np.zeros_like(x.array))
