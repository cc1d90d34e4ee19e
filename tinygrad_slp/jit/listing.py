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
        program, number = self.program, self.numbers()
        notes = "".join(f"; {note}" for note in program.notes)
        inputs = [f"{number[x.order]} = {self.name(p)}" for p, x in program.inputs.items()]
        width = max(map(len, inputs), default=0)
        lines = [f"{len(program.nodes)} operations{notes}; {self.how}"]
        for line, x in zip(inputs, program.inputs.values(), strict=True):
            lines.append(f"{line:<{width}}   {kind(x)}")
        for x in program.nodes:
            line = f"{number[x.order]} = {call(x, number)}   {kind(x)}   {self.remark(x)}"
            lines.append(line.rstrip())
        lines += [f"return {spelled(x, number)}" for x in program.outputs]
        lines += [f"{self.name(p)} ← {spelled(x, number)}" for p, x in program.stores.items()]
        return "\n".join(lines)

    __repr__ = __str__

    def name(self, place: Place) -> str:
        return self.names.get(place, place.kind)

    def numbers(self) -> dict[int, str]:
        """What each node is called in the text: %1, %2, ..."""
        nodes = [*self.program.inputs.values(), *self.program.nodes]
        return {node.order: f"%{k}" for k, node in enumerate(nodes, 1)}

    def to_dot(self) -> str:
        """The program as a graph in the language of Graphviz."""
        program, rounded = self.program, "style=rounded"
        vertices: dict[str, tuple[str, str, list[str]]] = {}
        for place, x in program.inputs.items():
            vertices[f"n{x.order}"] = f"{self.name(place)}\n{kind(x)}", rounded, []
        for x in program.nodes:
            sources = [f"n{parent.order}" for parent in x.parents]
            vertices[f"n{x.order}"] = f"{known_as(x)}\n{kind(x)}", "", sources
        ends = [("returned", x) for x in program.outputs]
        ends += [(self.name(place), x) for place, x in program.stores.items()]
        for k, (label, x) in enumerate(ends):
            sources = [f"n{x.order}"] if isinstance(x, Node) else []
            vertices[f"end{k}"] = label, rounded, sources
        return dot(["node [shape=box, fontname=monospace]"], vertices)


def call(node: Node, number: Mapping[int, str]) -> str:
    """A node as the NumPy that computes it."""
    settings = [f"{k}={spelled(v, number)}" for k, v in node.settings.items()]
    return f"{known_as(node)}({', '.join([*(spelled(x, number) for x in node.inputs), *settings])})"


def spelled(x: Any, number: Mapping[int, str]) -> str:
    if isinstance(x, Node):
        return number[x.order]
    if isinstance(x, np.ndarray | np.generic) and np.ndim(x):
        return f"a constant {np.shape(x)}"
    if isinstance(x, tuple):
        return f"({', '.join(spelled(part, number) for part in x)})"
    if isinstance(x, slice):
        parts = (x.start, x.stop) if x.step is None else (x.start, x.stop, x.step)
        return ":".join("" if part is None else str(part) for part in parts)
    return str(x)
