"""Derivatives of functions: grad, vjp, jvp, jacobian, hessian, called as in JAX; and hvp.

Arguments and results are numbers, arrays, Tensors, or nested tuples, lists, dicts and Modules of
them. The function sees Tensors. Given plain arrays these functions give plain arrays; given Tensors
they give Tensors. A result that depends on a Tensor that requires grad, closed over or given, is
a Tensor through which gradients flow, so that all of them nest; under `no_grad()` it does not.
"""

import math
import operator
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from . import errors
from .graph import Node, began, clock, is_recording, leaf, recorded
from .tensor import Tensor, owned
from .tree import flatten, leaves_like
from .walk import ancestors, pull, push

Function = Callable[..., Any]


class Linearized:
    """A function at a point: its value, and its Jacobian there as a map in both directions.

    What it gives is plain, or a Tensor through which gradients flow on: the latter where the
    function depends on Tensors that require grad, which somebody may differentiate by.
    """

    def __init__(
        self,
        f: Function,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Sequence[int],
        has_aux: bool = False,
    ) -> None:
        args, start = list(args), clock()
        leaves, self.rebuild_inputs = flatten([args[i] for i in argnums])
        self.plain = not any(isinstance(x, Node) for x in leaves)  # given arrays, it gives arrays
        self.inputs = [lift(x) for x in leaves]
        for i, x in zip(argnums, self.rebuild_inputs(self.inputs), strict=True):
            args[i] = x
        value, aux = run(f, args, kwargs, has_aux, start)
        leaves, self.rebuild_output = flatten(value)
        self.outputs: list[Any] = [
            y if isinstance(y, Node) else leaf(Tensor, owned(y)) for y in leaves
        ]
        self.nodes, joined = between(self.outputs, self.inputs)
        self.flows_on = is_recording() and joined
        self.value = self.rebuild_output([self.result(y, self.flows_on) for y in self.outputs])
        leaves, rebuild = flatten(aux)
        nodes = [x for x in leaves if isinstance(x, Node)]
        on = is_recording() and between(nodes, self.inputs)[1]
        self.aux = rebuild([self.result(x, on) if isinstance(x, Node) else x for x in leaves])

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Cotangents of the inputs, given those of the outputs."""
        pairs = zip(self.outputs, cotangents, strict=True)
        flow = [(y, g) for y, g in pairs if y.order in self.nodes]
        on = self.is_recorded(cotangents)
        with recorded(on):
            _, found = pull(flow, self.nodes, retain=True, create=on)
        return self.results(self.inputs, found, on)

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the outputs, given those of the inputs."""
        flow = dict(zip([x.order for x in self.inputs], tangents, strict=True))
        on = self.is_recorded(tangents)
        with recorded(on):
            push(self.nodes, flow, create=on)
        return self.results(self.outputs, flow, on)

    def is_recorded(self, given: Sequence[Any]) -> bool:
        """Whether a walk with these (co)tangents is recorded."""
        return is_recording() and (self.flows_on or any(getattr(g, "tracked", 0) for g in given))

    def results(self, nodes: Sequence[Node], found: dict[int, Any], on: bool) -> list[Any]:
        """For each node what a walk has found, or zeros."""
        return [self.result(found.get(x.order, np.zeros_like(x.array)), on) for x in nodes]

    def result(self, x: Any, on: bool) -> Any:
        """What the user gets: an array of their own, or a Tensor, whose gradient may flow on."""
        if isinstance(x, Node):
            if x.tracked and on:
                return x
            x = x.array
        return owned(x)[()] if self.plain else leaf(Tensor, x)


def run(f: Function, args: Any, kwargs: dict[str, Any], has_aux: bool, start: int) -> Any:
    """The value of a function that is being differentiated, and its aux, or None.

    Raises:
        TypeError: with has_aux, the function does not return a pair.
    """
    token = began.set(min(start, began.get()))
    try:
        with recorded(True):
            value = f(*args, **kwargs)
    finally:
        began.reset(token)
    if not has_aux:
        return value, None
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError("has_aux=True: the function must return a pair (value, aux)")
    return value


def lift(x: Any) -> Tensor:
    """A fresh Tensor of the value of x to differentiate by, recorded if x itself is."""
    if isinstance(x, Node):
        if x.tracked and is_recording():
            return np.positive(x)  # type: ignore[no-any-return,call-overload]
        array = x.array
    else:
        array = owned(x)
    if array.dtype.kind != "f":
        raise TypeError(
            f"cannot differentiate with respect to {array.dtype} of shape {array.shape}: "
            "give floating-point numbers, such as 1.0 or x.astype(float), or leave the argument "
            "out of argnums"
        )
    return leaf(Tensor, array, tracked=True)


def between(outputs: Sequence[Node], inputs: Sequence[Node]) -> tuple[dict[int, Node], bool]:
    """The nodes on a path from inputs to outputs, and whether older tracked ones join them."""
    ends = {x.order for x in inputs}
    first = min(ends, default=math.inf)
    found = ancestors(outputs, first)
    nodes: dict[int, Node] = {}
    outside = any(x.parents for x in inputs) or any(y.tracked and y.order < first for y in outputs)
    for order in sorted(found):
        node = found[order]
        if order in ends:
            nodes[order] = node
            continue
        if node.function is not None and not node.parents:
            raise errors.freed(node.function)
        for x in node.parents:
            if x is not None:
                if x.order in nodes:
                    nodes[order] = node
                elif x.order < first:  # younger ones were made within, and nobody else has them
                    outside = True
    return nodes, outside


def value_and_grad(
    f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """The function that returns f(*args) and its gradient.

    Args:
        f: returns a single number, or (number, aux) if has_aux.
        argnums: which positional arguments to differentiate by; for several, a tuple comes back.
        has_aux: f returns a pair, the second of which is handed through.

    Raises:
        TypeError: f does not return a single number, or an argument is not floating-point.
    """

    check_argnums("value_and_grad", argnums)

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        many = np.ndim(argnums) > 0
        at = Linearized(f, args, kwargs, positions(argnums, args), has_aux)
        if len(at.outputs) != 1 or at.outputs[0].size != 1:
            shapes = [y.shape for y in at.outputs]
            raise TypeError(
                f"grad needs a function that returns one number; this returned shapes {shapes}. "
                "Reduce it with np.sum or np.mean, or use jacobian or vjp"
            )
        gradients = at.rebuild_inputs(at.pull([np.ones_like(at.outputs[0].array)]))
        value = (at.value, at.aux) if has_aux else at.value
        return value, tuple(gradients) if many else gradients[0]

    return value_and_gradient


def grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that returns the gradient of f: see `value_and_grad`."""

    check_argnums("grad", argnums)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = value_and_grad(f, argnums, has_aux)(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> Any:
    """f(*primals), and the pullback: cotangents of the output to a tuple of those of the primals.

    Args:
        has_aux: f returns a pair, the second of which is handed through, as a third result.

    Raises:
        ValueError: the pullback is given cotangents of other shapes than the output.
    """
    at = Linearized(f, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangents: Any) -> tuple[Any, ...]:
        flow = fitting("cotangent", cotangents, at.value, at.outputs)
        return tuple(at.rebuild_inputs(at.pull(flow)))

    return (at.value, pullback, at.aux) if has_aux else (at.value, pullback)


def jvp(
    f: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """f(*primals), and its derivative along the tangents: the Jacobian times them.

    Args:
        has_aux: f returns a pair, the second of which is handed through, as a third result.

    Raises:
        TypeError: primals or tangents are not tuples or lists.
        ValueError: the tangents have other shapes than the primals.
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError("jvp takes tuples: jvp(f, (x,), (t,)) for a function of one argument")
    at = Linearized(f, primals, {}, range(len(primals)), has_aux)
    flow = fitting("tangent", tuple(tangents), tuple(primals), at.inputs)
    out = at.value, at.rebuild_output(at.push(flow))
    return (*out, at.aux) if has_aux else out


def jacobian(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that returns ∂(output)/∂(argument), of shape (*output.shape, *argument.shape).

    Where the output or the argument is a tree, the tree of arguments hangs on each output. With
    has_aux, f returns a pair (output, aux), and the function a pair (Jacobian, aux).
    """

    check_argnums("jacobian", argnums)

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        many = np.ndim(argnums) > 0
        at = Linearized(f, args, kwargs, positions(argnums, args), has_aux)
        blocks = []
        for i, y in enumerate(at.outputs):
            rows = [at.pull(one_hot(at.outputs, i, j)) for j in range(y.size)]
            columns = [joined([row[k] for row in rows], y, x) for k, x in enumerate(at.inputs)]
            trees = at.rebuild_inputs(columns)
            blocks.append(tuple(trees) if many else trees[0])
        found = at.rebuild_output(blocks)
        return (found, at.aux) if has_aux else found

    return derivative


def hessian(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that returns the matrix of second derivatives of a function to one number.

    With has_aux, f returns a pair (number, aux), and the function a pair (Hessian, aux).
    """
    check_argnums("hessian", argnums)
    return jacobian(grad(f, argnums, has_aux), argnums, has_aux)


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of f at the primals, times the tangents, without forming the Hessian.

    Forward over reverse: Pearlmutter, Fast exact multiplication by the Hessian, 1994.
    For one primal an array comes back, for several a tuple.
    """
    many = range(len(primals)) if len(primals) > 1 else 0
    return jvp(grad(f, many), primals, tangents)[1]


def check_argnums(maker: str, argnums: Any) -> None:
    """Refuses an argument of the function in the place of argnums.

    Raises:
        TypeError: argnums is not a whole number, nor a tuple or list of such.
    """
    given = argnums if isinstance(argnums, Sequence) else [argnums]
    if not all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in given):
        raise errors.not_argnums(maker, argnums)


def positions(argnums: int | Sequence[int], args: Sequence[Any]) -> list[int]:
    """argnums as a list of positions that exist, each once, counted from the front."""
    given = argnums if isinstance(argnums, Sequence) else [argnums]
    chosen = [operator.index(i) for i in given]
    if not all(-len(args) <= i < len(args) for i in chosen):
        raise TypeError(f"argnums={argnums!r}, but the function got {len(args)} arguments")
    chosen = [i % len(args) for i in chosen]
    if len(set(chosen)) < len(chosen):
        raise TypeError(f"argnums={argnums!r} names an argument twice")
    return chosen


def fitting(kind: str, given: Any, reference: Any, nodes: Sequence[Node]) -> list[Any]:
    """Tangents or cotangents as arrays, in the shapes and dtypes of the leaves of a reference."""
    try:
        leaves = leaves_like(given, reference)
    except ValueError as error:
        raise ValueError(f"{kind}s: {error}") from None
    flow: list[Any] = []
    for t, x in zip(leaves, nodes, strict=True):
        if not (isinstance(t, Node) and t.tracked):
            t = owned(t, x.array.dtype)
        if np.shape(t) != x.array.shape:
            raise ValueError(
                f"a {kind} of shape {np.shape(t)} for an array of shape {x.array.shape}"
            )
        flow.append(t)
    return flow


def one_hot(outputs: Sequence[Node], i: int, j: int) -> list[Any]:
    """Cotangents that pick element j of output i."""
    flow = [np.zeros_like(y.array, order="C") for y in outputs]
    flow[i].reshape(-1)[j] = 1
    return flow


def joined(rows: Sequence[Any], y: Any, x: Any) -> Any:
    """The rows of the Jacobian of y by x as one array, of shape (*y.shape, *x.shape)."""
    block = np.stack(rows) if rows else np.zeros_like(x, shape=(0, *x.shape))
    return np.reshape(block, (*y.shape, *x.shape))
