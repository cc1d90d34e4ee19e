"""What a drawing shows of a graph: vertices with a title and lines of text."""

import numbers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..data.arrays import as_numpy
from ..graph import Node
from ..nn.module import named_parts
from ..rule import name
from ..tensor import Tensor
from ..walk import ancestors

MOST = 400  # nodes that are drawn
FEW = 60  # nodes that are drawn without being asked to
SMALL = 4  # elements of an array whose values are shown
LONG = 40  # characters of a line


@dataclass
class Vertex:
    """A box of the drawing.

    Attributes:
        kind: "operation", "parameter" (a leaf that requires grad) or "constant".
        title: the function, or the name of the leaf.
        lines: shape, value and gradient.
        inputs: the numbers of the vertices it is made of, in the order of the arguments.
    """

    kind: Literal["operation", "parameter", "constant"]
    title: str
    lines: list[str]
    inputs: list[int] = field(default_factory=list)


def labels(model: Any, named: Mapping[str, Any]) -> dict[Any, str]:
    """Names by Tensor and by array, see `key`."""
    found = dict(named)
    if model is not None:
        found |= {path: x for path, x in named_parts(model) if isinstance(x, Tensor | np.ndarray)}
    names: dict[Any, str] = {}
    for label, x in found.items():
        if isinstance(x, Node) and x.tracked:
            names.setdefault(id(x), label)
        else:
            array = x.array if isinstance(x, Node) else as_numpy(label, x)
            names.setdefault(key(array), label)
    return names


def key(array: np.ndarray) -> Any:
    """What tells constants apart: the graph holds copies, so that only the values do."""
    return array.shape, array.dtype.str, array.tobytes()


def vertices(tensor: Tensor, names: Mapping[Any, str]) -> list[Vertex]:
    """The vertices of the graph behind a Tensor, the Tensor last.

    Args:
        names: see `labels`.

    Raises:
        RuntimeError: a backward pass has freed the graph.
        ValueError: there are more than MOST.
    """
    nodes = ancestors([tensor]) if tensor.tracked else {tensor.order: tensor}
    if len(nodes) > MOST:
        raise ValueError(
            f"this graph has {len(nodes):,} nodes, more than the {MOST:,} one can look at; draw "
            "what one step or one layer computes"
        )
    at: dict[Any, int] = {}
    made: list[Vertex] = []
    for order in sorted(nodes):
        node = nodes[order]
        vertex = operation(node, names) if node.function else leaf(node, names)
        for value, parent in arguments(node):
            if is_number(value, parent):
                continue
            which = parent.order if parent is not None else key(np.asarray(value))
            if which not in at:
                at[which] = len(made)
                made.append(constant(np.asarray(value), names))
            vertex.inputs.append(at[which])
        at[order] = len(made)
        made.append(vertex)
    return made


def is_small(tensor: Tensor) -> bool:
    """Whether the graph can be drawn, and looked at, in no time; to say so takes none either."""
    seen, waiting = {tensor.order}, [tensor]
    inputs = elements = 0
    while waiting:
        node = waiting.pop()
        inputs += len(node.inputs)
        if len(seen) > FEW or inputs > 2 * FEW:
            return False
        for value, parent in zip(node.inputs, node.parents, strict=True):
            if parent is None:
                elements += getattr(value, "size", 1)
            elif parent.order not in seen:
                seen.add(parent.order)
                waiting.append(parent)
    return elements <= 10**6  # constants are compared element by element


def arguments(node: Node) -> Iterator[tuple[Any, Node | None]]:
    """What a node was made of: values, and the nodes they are the values of.

    Raises:
        RuntimeError: the node has forgotten it.
    """
    if node.function and not node.parents:
        raise RuntimeError(
            "backward() has freed this graph: draw it before, or write "
            "loss.backward(retain_graph=True)"
        )
    return zip(node.inputs, node.parents, strict=True)


def is_number(value: Any, parent: Node | None) -> bool:
    """Whether an argument is written in the title, as 2 in np.power(·, 2)."""
    return parent is None and (isinstance(value, numbers.Number) or np.shape(value) == ())


def operation(node: Node, names: Mapping[Any, str]) -> Vertex:
    given = [(digits(v) if is_number(v, p) else "·") for v, p in arguments(node)]
    settings = [f"{k}={setting(v)}" for k, v in node.settings.items()]
    assert node.function is not None
    title = name(node.function)
    if settings or set(given) != {"·"}:
        title += cut(f"({', '.join(given + settings)})")
    named = names.get(id(node))
    return Vertex("operation", f"{named} = {title}" if named else title, facts(node.array))


def leaf(node: Node, names: Mapping[Any, str]) -> Vertex:
    """A leaf, or what stands for one in a recorded gradient."""
    node = node.settings["leaf"]() or node if node.settings else node
    if not node.tracked:
        return constant(node.array, names)
    lines = facts(node.array)
    if node.grad is not None:
        lines.append(f"gradient {values(node.grad.array)}")
    return Vertex("parameter", names.get(id(node), "parameter"), lines)


def constant(array: np.ndarray, names: Mapping[Any, str]) -> Vertex:
    return Vertex("constant", names.get(key(array), "constant"), facts(array))


def facts(array: Any) -> list[str]:
    """The shape of an array, its dtype if it is unusual, and its values if they are few."""
    shape = str(array.shape) if array.ndim else ""
    dtype = "" if array.dtype == np.float64 else str(array.dtype)
    lines = [" ".join(filter(None, (shape, dtype)))]
    return [line for line in (*lines, values(array) if array.size <= SMALL else "") if line]


def values(array: Any) -> str:
    """The values of an array to a few digits, or if they are many, their size."""
    if array.size > SMALL:
        with np.errstate(all="ignore"):  # of squares too large or too small
            return f"of norm {np.linalg.norm(array):.3g}"
    return cut(digits(array))


def digits(array: Any) -> str:
    array = np.asarray(array)
    if not array.ndim:
        return f"{array.item():.3g}" if array.dtype.kind in "fc" else str(array.item())
    return "[" + ", ".join(map(digits, array)) + "]"


def setting(value: Any) -> str:
    return f"array{value.shape}" if isinstance(value, np.ndarray) else str(value)


def cut(text: str) -> str:
    return text if len(text) <= LONG else text[: LONG - 1] + "…"
