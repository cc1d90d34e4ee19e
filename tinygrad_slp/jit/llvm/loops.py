"""Programs in memory: loops, products of matrices and moves, one after the other."""

from collections.abc import Callable, Iterable

import numpy as np

from ...graph import Node
from ..memory import Plan, Planner
from ..program import Program
from ..trace import Place
from . import fusion, indexing, tiles
from .blocks import Blocks, Frame
from .fusion import Step
from .ir import Builder, Value
from .kernels import Kernel
from .vectors import call, leave_if, load, memcpy


class Loops:
    """A program in steps.

    Attributes:
        said: what each step became.
    """

    def __init__(self, program: Program, places: dict[Place, np.ndarray], width: int) -> None:
        self.program = program
        self.width = width
        self.schedule = fusion.schedule(program)
        self.steps = self.schedule.steps
        self.step_of = {node.order: k for k, step in enumerate(self.steps) for node in step.nodes}
        self.plan: Plan = Planner(
            program,
            places,
            [step.nodes for step in self.steps],
            self.schedule.hidden,
            lambda node, x: fusion.in_place(self.steps[self.step_of[node.order]], node, x),
            safe=self.schedule.safe,
        ).plan()
        self.blocks = Blocks(places.values(), self.plan)
        self.said = {id(step): "by NumPy" for step in self.steps if not step.is_native}

    @property
    def is_native(self) -> bool:
        """Whether there is native code for all of it."""
        return all(step.is_native for step in self.steps) and all(
            np.asarray(getattr(x, "array", x)).dtype == buffer.dtype
            for buffer, x in self.plan.copies
        )

    # --- instructions ---

    def frame(self, b: Builder, table: Value, known: dict[int, Value]) -> Frame:
        return Frame(b, self.blocks, self.width, table, known)

    def emit(self, frame: Frame, steps: Iterable[Step], leave: Callable[[], object]) -> None:
        """Emits some steps of the program.

        Args:
            leave: leaves the function, as a check fails.
        """
        for step in steps:
            self.said[id(step)] = self.emit_step(frame, step, leave)

    def emit_step(self, frame: Frame, step: Step, leave: Callable[[], object]) -> str:
        """Returns what the step became."""
        if step.asked is not None:
            fails = load(
                frame.b, frame.pointer_to(frame.array_of(step.asked[0])), np.dtype(bool), 1
            )
            leave_if(frame.b, fails, leave)
            return "a check"
        if step.kind == "loop":
            self.emit_loop(frame, step)
            return f"a loop over {step.shape}"
        if step.kind == "product":
            self.emit_product(frame, step.nodes[0])
            return "a product in tiles"
        emit = indexing.emit_gather if step.kind == "gather" else indexing.emit_scatter
        emit(frame, step.nodes[0])
        return f"a {step.kind}"

    def emit_loop(self, frame: Frame, step: Step) -> None:
        """Emits a loop as a function of its own, so that its pointers are known not to overlap."""
        hidden = self.schedule.hidden
        used = {
            self.blocks.find(self.blocks.array_of(x))[0]
            for node in step.nodes
            for x in (*node.inputs, node)
            if (x.order not in hidden if isinstance(x, Node) else np.ndim(x))
        }

        def emit(b: Builder, *given: Value) -> None:
            known = dict(zip(sorted(used), given, strict=True))
            Kernel(self.frame(b, frame.table, known), step, hidden).emit()

        name = f"loop_{len(frame.b.module.functions)}"
        pointers = [frame.block(k) for k in sorted(used)]
        call(frame.b, name, pointers, emit, "alwaysinline", "noalias")

    def emit_product(self, frame: Frame, node: Node) -> None:
        """Emits a product as a function of its own, as LLVM takes longer over one that is long."""

        def emit(b: Builder, table: Value, *given: Value) -> None:
            known = dict(zip(frame.given, given, strict=True))
            tiles.emit_product(self.frame(b, table, known), node)

        name = f"product_{len(frame.b.module.functions)}"
        call(frame.b, name, [frame.table, *frame.given.values()], emit)

    def emit_copies(self, frame: Frame) -> None:
        """Leaves in places what was computed elsewhere."""
        for target, source in self.plan.copies:
            to, of = (frame.pointer_to(x) for x in (target, frame.array_of(source)))
            memcpy(frame.b, to, of, target.nbytes)

    # --- what it is ---

    def summary(self) -> str:
        native = [step for step in self.steps if step.is_native]
        loops = sum(step.kind == "loop" for step in native)
        return (
            f"native code by LLVM, {loops} loops and {len(native) - loops} other steps, "
            f"in {self.blocks.bytes:,} bytes"
        )

    def remark(self, node: Node) -> str:
        """What became of a node."""
        if node.order in self.plan.views:
            return "a view"
        k = self.step_of.get(node.order)
        return "" if k is None else f"step {k + 1}, {self.said[id(self.steps[k])]}"
