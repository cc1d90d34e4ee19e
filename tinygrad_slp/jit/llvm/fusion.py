"""Which operations run together: elementwise ones and reductions of one shape share a loop.

A node goes into the first loop of its shape that begins when all it reads elsewhere is done.
"""

import operator
from dataclasses import dataclass, field

import numpy as np

from ...graph import Node
from ..dtypes import shape_of
from ..memory import roots
from ..program import Program, is_move, known_as, reduced_by
from ..traced import SCATTER
from .operation import NotLowered, is_elementwise
from .rewriting import gemm

Shape = tuple[int, ...]


@dataclass
class Step:
    """Operations that run together.

    Attributes:
        kind: "loop", over all elements of a shape; "product" of matrices; "gather"; "scatter";
            "check", which ends a run if a node that was computed before is true.
        shape: what a loop goes over.
        nodes: what is computed, in order.
        condition: what a check looks at.
    """

    kind: str
    shape: Shape | None
    nodes: list[Node] = field(default_factory=list)
    condition: Node | None = None


@dataclass
class Schedule:
    """The steps of a program, one after the other.

    Attributes:
        hidden: the nodes that live and die within a loop, and need no place in memory.
    """

    steps: list[Step]
    hidden: set[int]

    @property
    def safe(self) -> int:
        """The step from which on there is no check."""
        return max((k for k, step in enumerate(self.steps, 1) if step.kind == "check"), default=0)


def schedule(program: Program) -> Schedule:
    """Puts the operations of a program into as few loops as their order allows.

    Raises:
        NotLowered: for an operation that is none of these.
    """
    root, views = roots(program)
    steps: list[Step] = []
    step_of = {x.order: -1 for x in program.inputs.values()}
    checked, start = {x.order for x, _ in program.checks}, 0
    for node in program.nodes:
        if node.order in views:
            continue
        kind, shape = kind_of(node)
        earliest = start
        for x in node.parents:
            there = step_of[root[x.order]]
            within = kind == "loop" and there >= 0 and in_loop(x, steps[there], shape)
            earliest = max(earliest, there if within else there + 1)
        step_of[node.order] = placed(node, kind, shape, earliest, steps)
        if node.order in checked:
            steps.append(Step("check", None, [], node))
            start = len(steps)
    hidden = {node.order for step in steps for node in step.nodes if step.kind == "loop"}
    hidden -= {root[x.order] for x in program.ends()}
    for i, step in enumerate(steps):
        for node in step.nodes:
            for x in node.parents:
                made_here = step_of[root[x.order]] == i and in_loop(x, step, step.shape)
                if not made_here:
                    hidden.discard(root[x.order])
    hidden -= {node.order for step in steps for node in step.nodes if reduced_by(node) is not None}
    return Schedule(steps, hidden)


def placed(node: Node, kind: str, shape: Shape | None, earliest: int, steps: list[Step]) -> int:
    """Puts a node into a step; returns which."""
    if kind == "loop":
        for i in range(earliest, len(steps)):
            if steps[i].kind == "loop" and steps[i].shape == shape:
                steps[i].nodes.append(node)
                return i
    steps.append(Step(kind, shape, [node]))
    return len(steps) - 1


def in_loop(x: Node, step: Step, shape: Shape | None) -> bool:
    """Whether a loop over this shape can use x as it computes it, without memory."""
    return (
        step.kind == "loop"
        and step.shape == shape
        and any(x is node for node in step.nodes)
        and shape_of(x) == shape
        and reduced_by(x) is None
    )


def kind_of(node: Node) -> tuple[str, Shape | None]:
    if is_elementwise(node):
        return "loop", shape_of(node)
    if reduced_by(node) is not None:
        return "loop", shape_of(node.inputs[0])
    if node.function in (np.dot, np.matmul, gemm):
        return "product", None
    if is_move(node) or node.function is operator.getitem:
        return "gather", None
    if node.function is SCATTER:
        return "scatter", None
    raise NotLowered(known_as(node))


def in_place(step: Step, node: Node, x: Node) -> bool:
    """Whether a node of this step reads an input only where it writes its result."""
    if step.kind == "loop":
        return shape_of(x) == step.shape and reduced_by(node) is None
    return node.function is gemm and x is node.inputs[0] and sum(y is x for y in node.parents) == 1
