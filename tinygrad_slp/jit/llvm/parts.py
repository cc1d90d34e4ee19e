"""A program of which some is native code, and the rest calls of NumPy in between."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np

from ...graph import Node
from ..calls import Calls
from ..program import Unmet, known_as
from ..replay import ALWAYS, Tape
from ..trace import Place
from .engine import Code
from .fusion import Step
from .ir import INDEX, POINTER, Function, Module
from .loops import Loops
from .vectors import index

RUN = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)


class Parts(Tape):
    """Calls one after the other: each runs a part of the native code, or is NumPy's.

    Both work in the same buffers. Places are updated after the last thing that can fail.
    """

    def __init__(
        self, loops: Loops, places: Mapping[Place, np.ndarray], arguments: Sequence[Place]
    ) -> None:
        program = loops.program
        calls = Calls(loops.plan.arrays, dict.fromkeys(loops.plan.arrays, ALWAYS))
        groups = [(n, list(steps)) for n, steps in groupby(loops.steps, lambda s: s.is_native)]
        module = Module()
        for k, (is_native, steps) in enumerate(groups):
            if is_native:
                emit_part(module, f"part_{k}", loops, steps)
        text = str(module)
        self.code = Code(text, lambda: text)
        self.table = np.array([x.ctypes.data for x in loops.blocks.all], dtype=np.int64)
        tape = calls.tapes[ALWAYS]
        for k, (is_native, steps) in enumerate(groups):
            if is_native:
                part = RUN(self.code.address(f"part_{k}"))
                tape.append((run, (part, self.table.ctypes.data)))
            for step in steps:
                if step.kind == "call":
                    calls.add(step.nodes[0])
                elif step.kind == "question" and step.asked:
                    calls.add_check(*step.asked)
        tape += [(np.copyto, (x, calls.array_of(y), "unsafe")) for x, y in loops.plan.copies]
        self.loops = loops
        super().__init__(program, ([], [], tape), loops.plan, calls, places, arguments)

    def summary(self) -> str:
        called = [x for step in self.loops.steps if step.kind == "call" for x in step.nodes]
        names = ", ".join(dict.fromkeys(map(known_as, called)))
        return f"{self.loops.summary()}; by NumPy, in between: {names or 'checks'}"

    def remark(self, node: Node) -> str:
        return self.loops.remark(node)


def emit_part(module: Module, name: str, loops: Loops, steps: list[Step]) -> None:
    """Emits some steps as a function of the table; it returns whether a check failed."""
    function = Function(module, name, INDEX, [POINTER])
    b = function.begin()
    loops.emit(loops.frame(b, function.args[0], {}), steps, lambda: b.ret(index(1)))
    b.ret(index(0))


def run(part: Callable[[int], int], table: int) -> None:
    """
    Raises:
        Unmet: something that this part checks is not true.
    """
    if part(table):
        raise Unmet
