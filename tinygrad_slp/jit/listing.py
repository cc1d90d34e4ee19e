"""A program to be looked at: as text, a line for each operation, and as a graph."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..dot import dot
from ..graph import Node
from .program import Program, kind, known_as
from .trace import Place


class Listing:
    """The program of a step, to be printed, or drawn."""

    def __init__(
        self, program: Program, names: dict[Place, str], how: str, remark: Callable[..., str]
    ) -> None:
        self.program = program
        self.names = names
        self.how = how
        self.remark = remark

    def __str__(self) -> str:
        done = "".join(f"; {note}" for note in self.program.notes)
        head = f"{len(self.program.nodes)} operations{done}; {self.how}"
        return f"{head}\n{text(self.program, self.names, self.remark)}"

    __repr__ = __str__

    def to_dot(self) -> str:
        """The program as a graph, in the language of Graphviz."""
        return graphviz(self.program, self.names)


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


def call(node: Node, called: Mapping[int, str]) -> str:
    """A node as the NumPy that computes it."""
    settings = [f"{k}={spelled(v, called)}" for k, v in node.settings.items()]
    return f"{known_as(node)}({', '.join([*(spelled(x, called) for x in node.inputs), *settings])})"


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


def graphviz(program: Program, names: Mapping[Place, str]) -> str:
    """The program as a graph in the language of Graphviz."""
    rounded = "style=rounded"
    found: dict[str, tuple[str, str, list[str]]] = {}
    for place, x in program.inputs.items():
        found[f"n{x.order}"] = f"{names.get(place, place.kind)}\n{kind(x)}", rounded, []
    for x in program.nodes:
        sources = [f"n{parent.order}" for parent in x.parents]
        found[f"n{x.order}"] = f"{known_as(x)}\n{kind(x)}", "", sources
    stores = [(names.get(place, place.kind), x) for place, x in program.stores.items()]
    for k, (label, x) in enumerate([*(("returned", x) for x in program.outputs), *stores]):
        sources = [f"n{x.order}"] if isinstance(x, Node) else []
        found[f"end{k}"] = label, rounded, sources
    return dot(["node [shape=box, fontname=monospace]"], found)
