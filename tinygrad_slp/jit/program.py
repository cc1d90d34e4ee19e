"""The program of a step: its operations in order, where its values come from and where they go.

It is read off the graph that a trace left: the ancestors of what the step returned and of what it
stored. Whatever did not lead there is not in it. `simplified` writes the same computation with
fewer operations, to the bit.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import numpy as np

from ..graph import Node, made
from ..rule import name
from .trace import Place, Recording
from .traced import mapped, nodes_in


class Program:
    """What a replay computes.

    Attributes:
        inputs: the node of every place that is read.
        nodes: all operations, each after its inputs.
        outputs: what is returned, but for constants.
        stores: the node or constant that every place written to is left with.
        notes: what `simplified` did, in words.
    """

    def __init__(
        self,
        inputs: dict[Place, Node],
        nodes: list[Node],
        outputs: list[Any],
        stores: dict[Place, Any],
        notes: Iterable[str] = (),
    ) -> None:
        self.inputs = inputs
        self.nodes = nodes
        self.outputs = outputs
        self.stores = stores
        self.notes = list(notes)

    def forget_values(self) -> None:
        """Lets go of the arrays of the run that was traced; their shapes and dtypes stay."""
        for x in (*self.inputs.values(), *self.nodes):
            if isinstance(x.array, np.ndarray):
                x.array = np.broadcast_to(np.zeros((), x.array.dtype), x.array.shape)

    def ends(self) -> Iterator[Node]:
        """The nodes that are returned or stored."""
        return (x for x in (*self.outputs, *self.stores.values()) if isinstance(x, Node))

    def __str__(self) -> str:
        return text(self, {})


def read_off(seen: Recording) -> Program:
    """The program of what was seen of a step, simplified."""
    nodes = ancestors([*seen.outputs, *seen.stores.values()])
    found = {node.order for node in nodes}
    inputs = {p: x for p, x in seen.inputs.items() if x.order in found}
    operations = [x for x in nodes if x.function is not None]
    outputs = [x for x in seen.outputs if isinstance(x, Node)]
    return simplified(Program(inputs, operations, outputs, seen.stores))


def kept_apart(x: Any) -> Any:
    """A copy of an input, or of a view of it, that is still right when its place is updated."""
    if isinstance(x, Node) and is_of_a_place(x):
        return computed(np.copy, (x,), x.array)
    return x


def is_of_a_place(x: Node) -> bool:
    """Whether this may be what stands at a place, or a view of that."""
    return x.function is None or is_move(x)


def ancestors(ends: Iterable[Any]) -> list[Node]:
    """All nodes that these were made of, and these themselves, in the order of their making."""
    found: dict[int, Node] = {}
    stack = [x for x in ends if isinstance(x, Node)]
    while stack:
        node = stack.pop()
        if node.order not in found:
            found[node.order] = node
            stack += nodes_in((node.inputs, node.settings))
    return [found[order] for order in sorted(found)]


# What may give a view of its first input: the same elements, or some of them, seen otherwise.
MOVES = {
    np.transpose, np.matrix_transpose, np.reshape, np.ravel, np.squeeze, np.expand_dims,
    np.swapaxes, np.moveaxis, np.broadcast_to, np.diagonal, np.flip, np.fliplr, np.flipud,
    np.rot90, operator.getitem,
}  # fmt: skip


def is_move(node: Node) -> bool:
    """Whether a node is its first input, moved by what is known before the program runs."""
    return node.function in MOVES and sum(1 for _ in nodes_in((node.inputs, node.settings))) == 1


def is_number(node: Node) -> bool:
    """Whether a value is a Python number, which takes the dtype of an array that it meets."""
    return type(node.array) in (int, float)


def computed(function: Any, inputs: tuple[Any, ...], array: Any, /, **settings: Any) -> Node:
    """A node that a pass adds to a program; of the array only shape and dtype count."""
    return made(Node, array, function, inputs, tuple(nodes_in((inputs, settings))), settings)


def join(*parts: np.ndarray) -> np.ndarray:
    """All elements of some arrays, one after the other: an operation that passes may add.

    Its parts are computed right where it stands, so that most of the time it does nothing.
    """
    return np.concatenate([part.ravel() for part in parts])


def replaced(x: Any, new: Mapping[int, Any]) -> Any:
    """x with the nodes in it, at any depth, replaced by order."""
    return mapped(lambda part: new.get(part.order, part) if isinstance(part, Node) else part, x)


# --- the same, said with fewer functions ---

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


def reduced_by(node: Node) -> Any:
    """The ufunc that a node in canonical form reduces with; None for all other nodes."""
    owner = getattr(node.function, "__self__", None)
    return owner if isinstance(owner, np.ufunc) and set(node.settings) == {"axis"} else None


def axes(axis: Any, x: Any) -> tuple[int, ...]:
    """The axes that a reduction takes away, counted from the front."""
    ndim = np.ndim(x.array if isinstance(x, Node) else x)
    if axis is None:
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
        key = function, shown(inputs), shown(settings)
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
    outputs = [kept_apart(x) for x in replaced(program.outputs, new)]
    stores = {place: kept_apart(replaced(x, new)) for place, x in program.stores.items()}
    nodes = [x for x in ancestors([*outputs, *stores.values()]) if x.function is not None]
    notes = [f"{n} {what}" for what, n in counts.items() if n]
    return Program(program.inputs, nodes, outputs, stores, [*program.notes, *notes])


def shown(x: Any) -> str:
    """Inputs or settings as a text that is equal only for equal ones."""
    if isinstance(x, Node):
        return f"%{x.order}"
    if isinstance(x, np.ndarray | np.generic):
        content = x.tobytes().hex() if x.size <= 64 else sha256(x.tobytes()).hexdigest()
        return f"{x.dtype.str}{np.shape(x)}{content}"
    if isinstance(x, tuple | list):
        return f"{type(x).__name__}({', '.join(map(shown, x))})"
    if isinstance(x, dict):
        return ", ".join(f"{k}={shown(v)}" for k, v in sorted(x.items()))
    return f"{type(x).__name__} {x!r}"


def fingerprint(program: Program) -> str:
    """A text that is the same only for programs that compute the same, place by place."""
    places = {place: k for k, place in enumerate({**program.inputs, **program.stores})}
    number = {x.order: k for k, x in enumerate([*program.inputs.values(), *program.nodes])}
    relative = {order: Name(k) for order, k in number.items()}

    def line(what: Any, node: Node, *rest: Any) -> str:
        return f"{what} {kind(node)} {shown(replaced(rest, relative))}"

    lines = [line((places[p], p.kind), x) for p, x in program.inputs.items()]
    lines += [line(known_as(x), x, x.inputs, x.settings) for x in program.nodes]
    lines += [shown(replaced(x, relative)) for x in program.outputs]
    lines += [f"{places[p]} {shown(replaced(x, relative))}" for p, x in program.stores.items()]
    return "\n".join(lines)


class Name(int):
    """The number of a node in its program."""

    def __repr__(self) -> str:
        return f"%{int(self)}"


# --- as text and as a picture ---


def text(program: Program, names: Mapping[Place, str], remark: Callable[[Node], str] = str) -> str:
    """The program, a line for each operation.

    Args:
        names: what to call places.
        remark: what a back end has to say of a node; `str` for nothing.
    """
    called = callings(program, names)
    lines = [f"{called[x.order]} = {names.get(p, p.kind)}" for p, x in program.inputs.items()]
    width = max((len(line) for line in lines), default=0)
    lines = [
        f"{line:<{width}}   {kind(x)}"
        for line, x in zip(lines, program.inputs.values(), strict=True)
    ]
    for node in program.nodes:
        said = "" if remark is str else remark(node)
        lines.append(
            f"{called[node.order]} = {call(node, called)}   {kind(node)}   {said}".rstrip()
        )
    lines += [f"return {spelled(x, called)}" for x in program.outputs]
    lines += [
        f"{names.get(place, place.kind)} ← {spelled(x, called)}"
        for place, x in program.stores.items()
    ]
    return "\n".join(lines)


def callings(program: Program, names: Mapping[Place, str]) -> dict[int, str]:
    """What each node is called in the text: %1, %2, ..."""
    nodes = [*program.inputs.values(), *program.nodes]
    return {node.order: f"%{k}" for k, node in enumerate(nodes, 1)}


def kind(node: Node) -> str:
    """dtype and shape of a value."""
    dtype = getattr(node.array, "dtype", type(node.array).__name__)
    return f"{dtype} {np.shape(node.array)}"


def call(node: Node, called: Mapping[int, str]) -> str:
    """A node as the NumPy that computes it."""
    settings = [f"{k}={spelled(v, called)}" for k, v in node.settings.items()]
    return f"{known_as(node)}({', '.join([*(spelled(x, called) for x in node.inputs), *settings])})"


def known_as(node: Node) -> str:
    function: Any = node.function
    owner = getattr(function, "__self__", None)
    return f"{name(owner)}.reduce" if isinstance(owner, np.ufunc) else name(function)


def spelled(x: Any, called: Mapping[int, str]) -> str:
    if isinstance(x, Node):
        return called[x.order]
    if isinstance(x, np.ndarray | np.generic) and np.ndim(x):
        return f"a constant {np.shape(x)}"
    if isinstance(x, tuple):
        return f"({', '.join(spelled(part, called) for part in x)})"
    if isinstance(x, slice):
        parts = (x.start, x.stop) if x.step is None else (x.start, x.stop, x.step)
        return ":".join("" if part is None else str(part) for part in parts)
    return str(x)


def dot(program: Program, names: Mapping[Place, str]) -> str:
    """The program as a graph in the DOT language of Graphviz."""
    lines = ["digraph {", "  node [shape=box, fontname=monospace];"]
    for place, x in program.inputs.items():
        label = quoted(f"{names.get(place, place.kind)}\n{kind(x)}")
        lines.append(f"  n{x.order} [label={label}, style=rounded];")
    for node in program.nodes:
        label = quoted(f"{known_as(node)}\n{kind(node)}")
        lines.append(f"  n{node.order} [label={label}];")
        lines += [f"  n{x.order} -> n{node.order};" for x in node.parents]
    for k, (label, x) in enumerate(
        [*(("returned", x) for x in program.outputs)]
        + [(names.get(place, place.kind), x) for place, x in program.stores.items()]
    ):
        lines.append(f"  end{k} [label={quoted(label)}, style=rounded];")
        if isinstance(x, Node):
            lines.append(f"  n{x.order} -> end{k};")
    return "\n".join([*lines, "}"])


def quoted(label: str) -> str:
    return '"' + label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
