"""Which operations run together: elementwise ones and reductions of one shape share a loop.

A node goes into the first loop of its shape that begins when all it reads elsewhere is done. What
there is no native code for is a step of its own, a call of NumPy.
"""

import operator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph import Node
from ..calls import may_fail
from ..dtypes import COPIES, dtype_of, has_number_beyond, loop_dtypes, shape_of, ufunc_of
from ..memory import roots, view
from ..program import Program, is_move, is_number, reduced_by
from ..tracer import SCATTER
from .lowering import ELEMENTWISE, identity, lowering
from .rewriting import gemm, is_in_tiles
from .vectors import is_lowered

Shape = tuple[int, ...]


@dataclass
class Step:
    """Operations that run together.

    Attributes:
        kind: "loop", over all elements of a shape; "product" of matrices; "gather"; "scatter";
            "check", which ends a run if a node that was computed before is true; "call" of NumPy;
            "question", a check by a function of Python's.
        shape: what a loop goes over.
        nodes: what is computed, in order.
        asked: what a check looks at, and what has to be true of it.
    """

    kind: str
    shape: Shape | None
    nodes: list[Node] = field(default_factory=list)
    asked: tuple[Node, Any] | None = None

    @property
    def is_native(self) -> bool:
        return self.kind not in ("call", "question")

    @property
    def may_fail(self) -> bool:
        return self.asked is not None or (self.kind == "call" and may_fail(self.nodes[0]))


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
        """The step from which on nothing can fail."""
        return max((k for k, step in enumerate(self.steps, 1) if step.may_fail), default=0)


def schedule(program: Program) -> Schedule:
    """Puts the operations of a program into as few loops as their order allows."""
    root, views = roots(program)
    steps: list[Step] = []
    step_of = {x.order: -1 for x in program.inputs.values()}
    start = 0
    for node in (*program.inputs.values(), *program.nodes):
        if node.function is not None and node.order not in views:
            kind, shape = kind_of(node)
            earliest = start
            for x in node.parents:
                there = step_of[root[x.order]]
                within = kind == "loop" and there >= 0 and in_loop(x, steps[there], shape)
                earliest = max(earliest, there if within else there + 1)
            step_of[node.order] = placed(node, kind, shape, earliest, steps)
        for x, condition in program.checks:
            if x is node:
                kind = "check" if condition is None else "question"
                steps.append(Step(kind, None, [], (node, condition)))
                start = len(steps)
    return Schedule(steps, hidden(program, root, step_of, steps))


def hidden(
    program: Program, root: dict[int, int], step_of: dict[int, int], steps: list[Step]
) -> set[int]:
    """The nodes that nobody reads but the loop that computes them."""
    found = {node.order for step in steps for node in step.nodes if step.kind == "loop"}
    found -= {root[x.order] for x in program.ends()}
    for i, step in enumerate(steps):
        for node in step.nodes:
            for x in node.parents:
                if not (step_of[root[x.order]] == i and in_loop(x, step, step.shape)):
                    found.discard(root[x.order])
    return found - {x.order for step in steps for x in step.nodes if reduced_by(x) is not None}


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


def in_place(step: Step, node: Node, x: Node) -> bool:
    """Whether a node of this step reads an input only where it writes its result."""
    if step.kind == "loop":
        return shape_of(x) == step.shape and reduced_by(node) is None
    return node.function is gemm and x is node.inputs[0] and sum(y is x for y in node.parents) == 1


# --- what there is native code for ---


def kind_of(node: Node) -> tuple[str, Shape | None]:
    """What a node becomes, and the shape of its loop."""
    arrays = [x for x in node.inputs if isinstance(x, np.ndarray)]
    known = all(is_lowered(dtype_of(x)) for x in (node, *node.parents, *arrays))
    if known and all(0 not in shape_of(x) for x in (node, *node.parents)):
        if is_elementwise(node):
            return ("loop", shape_of(node)) if has_instructions(node) else ("call", None)
        if (ufunc := reduced_by(node)) is not None:
            dtype = dtype_of(node)
            if lowering(ufunc, dtype.kind) and identity(ufunc, dtype) is not None:
                return "loop", shape_of(node.inputs[0])
        elif node.function in (np.dot, np.matmul, gemm):
            return ("product" if is_in_tiles(node) else "call"), None
        elif is_move(node):
            return "gather", None
        elif node.function is operator.getitem:
            return ("gather" if is_indexed(node.inputs[0], node.inputs[1]) else "call"), None
        elif node.function is SCATTER:
            (x,), index = node.inputs, node.settings["index"]
            same = dtype_of(x) == dtype_of(node)
            return ("scatter" if same and is_indexed(x, index) else "call"), None
    return "call", None


def is_elementwise(node: Node) -> bool:
    function = ufunc_of(node)
    if function is np.clip:
        return len(node.inputs) == 3 and not any(x is None for x in node.inputs)
    known = function in ELEMENTWISE or function is np.where or function in COPIES
    return known and (function in COPIES or not node.settings)


def has_instructions(node: Node) -> bool:
    """Whether an elementwise node of these dtypes has native code, and cannot fail."""
    function = ufunc_of(node)
    wanted, made = loop_dtypes(node)
    if not all(is_lowered(dtype) for dtype in (*wanted, made)) or has_number_beyond(node):
        return False
    if wanted[0].kind in "iu" and any(is_number(x) for x in node.parents):
        return False  # a Python int has no limits
    if node.function is operator.truediv and is_given(node.inputs[1]):
        return False  # by a number that may be 0, which is an error
    if function is np.where or function in COPIES:
        return True
    return len(set(wanted)) == 1 and lowering(function, wanted[0].kind) is not None


def is_given(x: Any) -> bool:
    """Whether a value is an input of the program."""
    return isinstance(x, Node) and x.function is None


def is_indexed(x: Any, index: Any) -> bool:
    """Whether an index is integers alone, which are checked, and what is read is in C order."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(map(is_index, parts)) and laid_out(x).flags.c_contiguous


def is_index(part: Any) -> bool:
    """Whether an index is integers; no slice, None, ... or mask."""
    if isinstance(part, Node):
        return dtype_of(part).kind in "iu"
    whole = isinstance(part, int | np.integer | np.ndarray) and not isinstance(part, bool)
    return whole and np.asarray(part).dtype.kind in "iu"


def laid_out(x: Any) -> np.ndarray:
    """An array that is in memory as a value will be; nobody looks into it."""
    if isinstance(x, Node) and x.function is not None and is_move(x):
        return np.asarray(view(x, laid_out(x.parents[0])))
    return np.empty(shape_of(x), dtype_of(x))
