"""Programs in memory: loops, products of matrices and moves, one after the other."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...graph import Node
from ..memory import Plan, Planner, aligned
from ..program import Program
from ..trace import Place
from . import fusion, indexing, products
from .fusion import Step
from .ir import NOTHING, POINTER, Builder, Function, Signature, Value
from .kernels import Kernel
from .lanes import at, called, leave_if, load, memcpy


class Loops:
    """A program in steps, and the blocks of memory that it works in.

    Attributes:
        blocks: the buffers of the places, in their order, then all others and the constants.
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
            self.in_place,
            safe=self.schedule.safe,
        ).plan()
        self.given = len(places)
        self.blocks: list[np.ndarray] = []
        self.starts: list[tuple[int, int, int]] = []
        self.found: dict[int, tuple[np.ndarray, tuple[int, int]]] = {}
        for block in (*places.values(), *self.plan.blocks):
            self.add_block(block)
        self.constants: dict[int, tuple[Any, np.ndarray]] = {}
        self.spare: int | None = None
        self.said = {id(step): "by NumPy" for step in self.steps if not step.is_native}

    def in_place(self, node: Node, x: Node) -> bool:
        """Whether a node reads an input only where it writes its result."""
        return fusion.in_place(self.steps[self.step_of[node.order]], node, x)

    @property
    def is_native(self) -> bool:
        """Whether there is native code for all of it."""
        return all(step.is_native for step in self.steps) and all(
            np.asarray(getattr(x, "array", x)).dtype == buffer.dtype
            for buffer, x in self.plan.copies
        )

    # --- where things are ---

    def array_of(self, x: Any) -> np.ndarray:
        if isinstance(x, Node):
            return self.plan.arrays[x.order]  # type: ignore[no-any-return]
        if id(x) not in self.constants:
            array = np.ascontiguousarray(x)
            self.constants[id(x)] = x, array
            self.add_block(array)
        return self.constants[id(x)][1]

    def block_of(self, array: np.ndarray) -> tuple[int, int]:
        """The block that an array is in, and how many bytes after its beginning."""
        if id(array) not in self.found:
            address = array.ctypes.data
            inside = [s for s in self.starts if s[0] <= address < s[0] + s[1]]
            start, _, k = inside[0] if inside else self.add_block(array)
            self.found[id(array)] = array, (k, address - start)
        return self.found[id(array)][1]

    def add_block(self, array: np.ndarray) -> tuple[int, int, int]:
        """Adds a block; returns its address, its size and its number."""
        self.starts.append((array.ctypes.data, max(array.nbytes, 1), len(self.blocks)))
        self.blocks.append(array)
        return self.starts[-1]

    def scratch(self, size: int) -> int:
        """The block for what is of no use after its step, which has room for so many bytes."""
        if self.spare is None:
            self.spare = len(self.blocks)
            self.blocks.append(aligned((size,), np.dtype(np.uint8)))
        elif size > self.blocks[self.spare].nbytes:
            self.blocks[self.spare] = aligned((size,), np.dtype(np.uint8))
        return self.spare

    @property
    def bytes(self) -> int:
        """Of memory that the program works in, beside its places."""
        return sum(block.nbytes for block in self.blocks[self.given :])

    # --- instructions ---

    def emit(
        self, b: Builder, blocks: "Blocks", steps: Iterable[Step], leave: Callable[[], object]
    ) -> None:
        """Emits some steps of the program.

        Args:
            blocks: gives a pointer to each block.
            leave: leaves the function, as a check fails.
        """
        for step in steps:
            self.said[id(step)] = self.emit_step(b, step, blocks, leave)

    def emit_step(
        self, b: Builder, step: Step, blocks: "Blocks", leave: Callable[[], object]
    ) -> str:
        """Returns what the step became."""

        def pointer_of(array: np.ndarray) -> Value:
            return self.pointer(b, blocks, array)

        if step.asked is not None:
            leave_if(b, load(b, pointer_of(self.array_of(step.asked[0])), np.dtype(bool), 1), leave)
            return "a check"
        if step.kind == "loop":
            self.emit_loop(b, step, blocks)
            return f"a loop over {step.shape}"
        if step.kind == "product":
            self.emit_product(b, step.nodes[0], blocks)
            return "a product in tiles"
        emit = indexing.emit_gather if step.kind == "gather" else indexing.emit_scatter
        emit(b, step.nodes[0], self.array_of, pointer_of, self.width // 8)
        return f"a {step.kind}"

    def emit_loop(self, b: Builder, step: Step, blocks: "Blocks") -> None:
        """Emits a loop as a function of its own, so that its pointers are known not to overlap."""
        arrays = [
            self.array_of(x)
            for node in step.nodes
            for x in (*node.inputs, node)
            if np.ndim(x) or isinstance(x, Node)
            if not (isinstance(x, Node) and x.order in self.schedule.hidden)
        ]
        used = sorted({self.block_of(array)[0] for array in arrays})
        module = b.module
        signature = Signature(NOTHING, [POINTER] * len(used))
        name = f"loop_{len(module.functions)}"
        function = Function(module, signature, name, "noalias")
        function.is_internal = True
        function.marks.append("alwaysinline")
        inner = function.begin()
        given = dict(zip(used, function.args, strict=True))

        def pointer_of(array: np.ndarray) -> Value:
            k, offset = self.block_of(array)
            return at(inner, given[k], offset)

        hidden = self.schedule.hidden
        Kernel(inner, step, self.array_of, pointer_of, hidden, self.width).emit()
        inner.ret_void()
        b.call(function, [blocks(b, k) for k in used])

    def emit_product(self, b: Builder, node: Node, blocks: "Blocks") -> None:
        """Emits a product as a function of its own, as LLVM takes longer over one that is long."""

        def emit(b: Builder, table: Value, *moved: Value) -> None:
            inside = Blocks(table, dict(zip(blocks.moved, moved, strict=True)))

            def pointer_of(array: np.ndarray) -> Value:
                return self.pointer(b, inside, array)

            def scratch(size: int) -> Value:
                return inside(b, self.scratch(size))

            products.emit_product(b, node, self.array_of, pointer_of, scratch, self.width)

        name = f"product_{len(b.module.functions)}"
        called(b, name, [blocks.table, *blocks.moved.values()], emit)

    def pointer(self, b: Builder, blocks: "Blocks", array: np.ndarray) -> Value:
        k, offset = self.block_of(array)
        return at(b, blocks(b, k), offset)

    def emit_copies(self, b: Builder, blocks: "Blocks") -> None:
        """Leaves in places what was computed elsewhere."""
        for target, source in self.plan.copies:
            to, of = (self.pointer(b, blocks, x) for x in (target, self.array_of(source)))
            memcpy(b, to, of, target.nbytes)

    # --- what it is ---

    def summary(self) -> str:
        native = [step for step in self.steps if step.is_native]
        loops = sum(step.kind == "loop" for step in native)
        return (
            f"native code by LLVM, {loops} loops and {len(native) - loops} other steps, "
            f"in {self.bytes:,} bytes"
        )

    def remark(self, node: Node) -> str:
        """What became of a node."""
        if node.order in self.plan.views:
            return "a view"
        k = self.step_of.get(node.order)
        return "" if k is None else f"step {k + 1}, {self.said[id(self.steps[k])]}"


class Blocks:
    """Pointers to the blocks of memory, read from a table when they are first asked for.

    Args:
        moved: pointers that are others in each step, by block.
    """

    def __init__(self, table: Value, moved: dict[int, Value]) -> None:
        self.table = table
        self.moved = moved
        self.known = dict(moved)

    def __call__(self, b: Builder, k: int) -> Value:
        if k not in self.known:
            self.known[k] = b.load(at(b, self.table, 8 * k), POINTER)
        return self.known[k]
