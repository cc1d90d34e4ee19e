"""The program of a step: its operations in order, where its values come from and where they go.

Its operations are nodes of the graph that a trace left: the ancestors of what the step returned and
of what it stored. Passes make other programs of it, with nodes of their own.
"""

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ..checks import Condition
from ..graph import Node
from ..rule import name
from ..walk import ancestors
from .trace import Place
from .tracer import made, mapped, nodes_in, parts_of


class Unmet(Exception):
    """Something that a step checks is not true: it has to be run by Python, which says what."""


@dataclass(eq=False)
class Program:
    """What a replay computes.

    Attributes:
        inputs: the node of every place that is read.
        nodes: all operations, each after its inputs.
        outputs: what is returned, but for constants.
        stores: the node or constant that every place written to is left with.
        checks: what has to be true of a node for a step to go on, each after those it relies on.
        notes: what `simplified` did, in words.
    """

    inputs: dict[Place, Node]
    nodes: list[Node]
    outputs: list[Any]
    stores: dict[Place, Any]
    checks: list[tuple[Node, Any]]
    notes: list[str]

    def with_nodes(self, new: Mapping[int, Any], *notes: str) -> "Program":
        """The program with other nodes in the place of its own, by their order."""
        outputs = [kept_apart(x) for x in replaced(self.outputs, new)]
        stores = {place: kept_apart(replaced(x, new)) for place, x in self.stores.items()}
        checks = [(replaced(x, new), condition) for x, condition in self.checks]
        checks = list({(x, repr(condition)): (x, condition) for x, condition in checks}.values())
        return Program(
            self.inputs,
            operations(outputs, stores, checks),
            outputs,
            stores,
            checks,
            [*self.notes, *notes],
        )

    def forget_values(self) -> None:
        """Lets go of the arrays of the run that was traced; their shapes and dtypes stay."""
        for x in (*self.inputs.values(), *self.nodes):
            if isinstance(x.array, np.ndarray):
                x.array = repeated_zero(x.array.shape, x.array.dtype)

    def ends(self) -> Iterator[Node]:
        """The nodes that are returned, stored or checked."""
        checked = (x for x, _ in self.checks)
        ends = (*self.outputs, *self.stores.values(), *checked)
        return (x for x in ends if isinstance(x, Node))


def operations(
    outputs: Iterable[Any], stores: Mapping[Place, Any], checks: Iterable[tuple[Node, Condition]]
) -> list[Node]:
    """All that has to be computed for these, what is checked first of all."""
    found: dict[int, Node] = {}
    for ends in [x for x, _ in checks], [*outputs, *stores.values()]:
        found |= sorted(ancestors(x for x in ends if isinstance(x, Node)).items())
    return [x for x in found.values() if x.function is not None]


def repeated_zero(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of one number, which is seen everywhere."""
    return np.ndarray(shape, dtype, np.zeros((), dtype), strides=(0,) * len(shape))


def kept_apart(x: Any) -> Any:
    """A copy of an input, or of a view of it, that is still right when its place is updated."""
    if isinstance(x, Node) and is_of_a_place(x):
        return computed(np.copy, (x,), x.array)
    return x


def is_of_a_place(x: Node) -> bool:
    """Whether this may be what stands at a place, or a view of that."""
    return x.function is None or is_move(x)


# What may give a view of its first input: the same elements, or some of them, seen otherwise.
MOVES = {
    np.transpose, np.matrix_transpose, np.reshape, np.ravel, np.squeeze, np.expand_dims,
    np.swapaxes, np.moveaxis, np.broadcast_to, np.diagonal, np.flip, np.fliplr, np.flipud,
    np.rot90, operator.getitem,
}  # fmt: skip


def is_move(node: Node) -> bool:
    """Whether a node is its first input, moved by what is known before the program runs."""
    (x, *more) = node.parents or (None,)
    return node.function in MOVES and not more and x is node.inputs[0]


def is_number(node: Node) -> bool:
    """Whether a value is a Python number, which takes the dtype of an array that it meets."""
    return type(node.array) in (int, float)


def known_as(node: Node) -> str:
    function: Any = node.function
    owner = getattr(function, "__self__", None)
    return f"{name(owner)}.reduce" if isinstance(owner, np.ufunc) else name(function)


def kind(node: Node) -> str:
    """dtype and shape of a value."""
    dtype = getattr(node.array, "dtype", type(node.array).__name__)
    return f"{dtype} {np.shape(node.array)}"


def reduced_by(node: Node) -> Any:
    """The ufunc that a node in canonical form reduces with; None for all other nodes."""
    owner = getattr(node.function, "__self__", None)
    return owner if isinstance(owner, np.ufunc) and set(node.settings) == {"axis"} else None


def computed(function: Any, inputs: tuple[Any, ...], array: Any, /, **settings: Any) -> Node:
    """A node that a pass adds to a program; of the array only shape and dtype count."""
    return made(array, function, inputs, tuple(nodes_in([inputs, settings])), settings)


def join(*parts: np.ndarray) -> np.ndarray:
    """All elements of some arrays, one after the other: an operation that passes may add.

    Its parts are computed right where it stands, so that most of the time it does nothing.
    """
    return np.concatenate([part.ravel() for part in parts])


def replaced(x: Any, new: Mapping[int, Any]) -> Any:
    """x with the nodes in it, at any depth, replaced by order."""
    return mapped(lambda part: new.get(part.order, part) if isinstance(part, Node) else part, x)


def exact_text(x: Any, number: Mapping[int, int] | None = None) -> str:
    """Inputs or settings as a text that is equal only for equal ones.

    Args:
        number: of each node, by order; by default its order itself.
    """
    if isinstance(x, Node):
        return f"%{x.order if number is None else number[x.order]}"
    if isinstance(x, (np.ndarray, np.generic)):
        content = x.tobytes().hex() if x.size <= 64 else digest(x.tobytes())
        return f"{x.dtype.str}{np.shape(x)}{content}"
    if (parts := parts_of(x)) is not None:
        keys = ", ".join(map(str, x)) if isinstance(x, dict) else ""
        texts = ", ".join([exact_text(part, number) for part in parts])
        return f"{type(x).__name__}({keys}: {texts})"
    return f"{type(x).__name__} {x!r}"


def fingerprint(program: Program) -> str:
    """A text that is the same only for programs that compute the same, place by place."""
    places = {place: k for k, place in enumerate({**program.inputs, **program.stores})}
    number = {x.order: k for k, x in enumerate([*program.inputs.values(), *program.nodes])}

    def line(what: Any, node: Node, *rest: Any) -> str:
        dtype = node.array.dtype.str if hasattr(node.array, "dtype") else type(node.array)
        return f"{what} {dtype} {np.shape(node.array)} {exact_text(rest, number)}"

    lines = [line((places[p], p.kind), x) for p, x in program.inputs.items()]
    lines += [line(known_as(x), x, x.inputs, x.settings) for x in program.nodes]
    lines += [exact_text(x, number) for x in program.outputs]
    lines += [f"{places[p]} {exact_text(x, number)}" for p, x in program.stores.items()]
    lines += [f"{exact_text(x, number)} {condition}" for x, condition in program.checks]
    return "\n".join(lines)


def digest(content: bytes) -> str:
    hashlib = import_module("hashlib")  # only now: to import it takes as long as all of jit
    return str(hashlib.sha256(content).hexdigest())
