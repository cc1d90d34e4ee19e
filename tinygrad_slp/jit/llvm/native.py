"""The native back end: a program as machine code, compiled once, called with a table of pointers.

The code is two functions of (table, strides, n, order): `loop` does n steps of the same arguments,
`scan` one for each index in the order, which finds its arguments that many strides further on. They
return how many were done before a check failed. The
table has the address of each block of memory, then that of the results.
"""

import ctypes
from collections.abc import Sequence
from operator import is_
from time import perf_counter
from typing import Any

import numpy as np

from ...checks import Between
from ...graph import Node
from ..dtypes import dtype_of, loop_dtypes, shape_of
from ..program import Program, Unmet, computed, fingerprint, known_as, operations, replaced
from ..trace import Place
from . import registers
from .engine import Code, register_bytes
from .fusion import is_elementwise
from .ir import INDEX, POINTER, Builder, Function, Module, Value
from .loops import Loops
from .parts import Parts
from .rewriting import rewritten
from .vectors import at, counting, is_lowered, memcpy, times

ARGUMENTS = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
SMALL = 16384
"""Bytes of an argument that is copied."""
RUN = ctypes.PYFUNCTYPE(ctypes.c_int64, *ARGUMENTS)


MOST_OPERATIONS = 10_000
"""LLVM takes about 20 seconds for so many."""


class NotLowered(NotImplementedError):
    """There is no native code for anything in a program."""


def native(
    program: Program, places: dict[Place, np.ndarray], arguments: Sequence[Place]
) -> "Native | Parts":
    """A program as native code, bound to the buffers of its places.

    Args:
        places: the buffer of every place.
        arguments: the places of the arguments that are read, in order.

    Raises:
        NotLowered: there is no native code for anything in it, or it is too long.
    """
    if (n := len(program.nodes)) > MOST_OPERATIONS:
        raise NotLowered(
            f"a program of {n:,} operations, more than {MOST_OPERATIONS:,}, which would take "
            "minutes to make: compile one of the steps that it repeats, and call its loop or scan"
        )
    program = with_checks_computed(with_constants_cast(program))
    places = {p: places[p] for p in dict.fromkeys([*program.inputs, *program.stores])}
    if registers.fits(program):
        return Native(program, places, arguments)
    program = rewritten(program)
    loops = Loops(program, places, register_bytes())
    if loops.is_native:
        return Native(program, places, arguments, loops)
    if not any(step.is_native for step in loops.steps):
        raise NotLowered(", ".join(dict.fromkeys(known_as(x) for x in program.nodes)))
    return Parts(loops, places, arguments)


class Native:
    """A program as machine code, bound to the buffers of its places.

    Args:
        loops: its steps in memory; None, if it is small enough for registers.
    """

    def __init__(
        self,
        program: Program,
        places: dict[Place, np.ndarray],
        arguments: Sequence[Place],
        loops: Loops | None = None,
    ) -> None:
        self.program, self.loops = program, loops
        self.order = list(places)
        self.arguments = [self.order.index(place) for place in arguments]
        if loops is None:
            self.code = Code(fingerprint(program), lambda: str(self.in_registers()))
        else:
            text = str(self.in_memory(loops))
            self.code = Code(text, lambda: text)
        self.functions = [RUN(self.code.address(name)) for name in ("loop", "scan")]
        self.results = [np.empty(shape_of(x), dtype_of(x)) for x in program.outputs]
        self.places = list(places.values())
        blocks = loops.blocks.all if loops else self.places
        self.table = np.array([x.ctypes.data for x in (*blocks, *self.results)], dtype=np.int64)
        self.strides = np.zeros(len(self.table), dtype=np.int64)
        self.zero = np.zeros(1, dtype=np.int64)
        given = self.table.ctypes.data, self.strides.ctypes.data, 1, self.zero.ctypes.data
        self.pointers = [kind(x) for kind, x in zip(ARGUMENTS, given, strict=True)]
        self.own = self.table.tolist()
        self.before: list[Any] = [None] * len(self.arguments)
        self.given: list[Any] = []
        self.piece, self.done = 1, 0

    # --- what is compiled ---

    def in_registers(self) -> Any:
        """The module of a program that is small enough for registers."""
        module = Module()
        for name in ("loop", "scan"):
            b, table, argument, n = self.begin(module, name)
            pointers = {p: self.entry(b, table, k) for k, p in enumerate(self.order)}
            results = [
                self.entry(b, table, len(self.order) + k) for k in range(len(self.program.outputs))
            ]
            given = (lambda p, i, f=argument: f(self.order.index(p), i)) if name == "scan" else None
            registers.emit_loop(self.program, b, pointers.__getitem__, results, n, given)
        return module

    def in_memory(self, loops: Loops) -> Any:
        """The module of a larger program: one function does for both, as `loop` has no strides."""
        module = Module()
        b, table, argument, n = self.begin(module, "scan")
        with counting(b, n) as (i, _, _):
            moved = {k: argument(k, i) for k, p in enumerate(self.order) if p.kind == "argument"}
            frame = loops.frame(b, table, moved)
            loops.emit(frame, loops.steps, lambda: b.ret(i))
            loops.emit_copies(frame)
            sources = [loops.blocks.array_of(x) for x in self.program.outputs]
            pointers = [frame.pointer_to(source) for source in sources]
            for k, (source, pointer) in enumerate(zip(sources, pointers, strict=True)):
                start = self.entry(b, table, len(loops.blocks.all) + k)
                memcpy(b, at(b, start, times(b, i, source.nbytes)), pointer, source.nbytes)
        b.ret(n)
        alias(module, "loop", "scan")
        return module

    def begin(self, module: Any, name: str) -> tuple[Builder, Value, Any, Value]:
        """The beginning of a function: its builder and table, where arguments are, and n."""
        function = Function(module, name, INDEX, [POINTER, POINTER, INDEX, POINTER])
        table, strides, n, order = function.args
        b = function.begin()

        def argument(k: int, i: Value) -> Value:
            step = b.load(at(b, order, times(b, i, 8)), INDEX)
            stride = b.load(at(b, strides, 8 * k), INDEX)
            return at(b, self.entry(b, table, k), b.mul(step, stride))

        return b, table, argument, n

    def entry(self, b: Builder, table: Value, k: int) -> Value:
        return b.load(at(b, table, 8 * k), POINTER)

    # --- and run ---

    def give(self, arguments: Sequence[Any], lent: Sequence[Any] = ()) -> None:
        """Takes what the arguments are in the next steps: where they are, if that will do.

        Args:
            lent: arrays that do not change, of the last of the arguments.
        """
        arguments = [*arguments, *lent]
        if len(arguments) == len(self.given) and all(map(is_, arguments, self.given)):
            return
        read_there = True
        for k, x, before in zip(self.arguments, arguments, self.before, strict=True):
            buffer = self.places[k]
            # To find where a small array is takes longer than to copy it, unless it comes again.
            if (x is before or buffer.nbytes > SMALL) and self.can_read(x, buffer):
                self.table[k] = x.ctypes.data
            else:
                np.copyto(buffer, x)
                self.table[k], read_there = self.own[k], False
        self.before = arguments
        self.given = arguments if read_there else []

    def can_read(self, x: Any, buffer: np.ndarray) -> bool:
        """Whether the code can read an argument right where it is."""
        return (
            isinstance(x, np.ndarray)
            and x.dtype == buffer.dtype
            and x.flags.c_contiguous
            and x.flags.aligned
            and not any(x is place for place in self.places)
        )

    def run(self) -> None:
        """One step, of the arguments given and what is in the buffers of other places.

        Raises:
            Unmet: something that the step checks is not true.
        """
        if not self.functions[0](*self.pointers):
            raise Unmet

    def repeat(
        self,
        n: int,
        scanned: list[np.ndarray] | None,
        order: np.ndarray,
        results: list[np.ndarray],
    ) -> None:
        """n steps, in pieces of about a tenth of a second, between which Ctrl-C is heard.

        See `Replay.repeat`.
        """
        table, strides = self.table.copy(), self.strides.copy()
        arrays = []
        for k, x in zip(self.arguments, scanned or (), strict=False):
            buffer = self.places[k]
            arrays.append(np.ascontiguousarray(x, dtype=buffer.dtype))
            table[k], strides[k] = arrays[-1].ctypes.data, buffer.nbytes
        first = len(table) - len(results)
        order = np.ascontiguousarray(order, dtype=np.int64)
        call = self.functions[scanned is not None]
        while (done := self.done) < n:
            piece = min(self.piece, n - done)
            table[first:] = [x[done:].ctypes.data for x in results]
            start = perf_counter()
            at_piece = order[done:].ctypes.data
            self.done += call(table.ctypes.data, strides.ctypes.data, piece, at_piece)
            if self.done < done + piece:
                raise Unmet
            if piece == self.piece and perf_counter() - start < 0.05:
                self.piece *= 2

    # --- what it is ---

    def summary(self) -> str:
        return self.loops.summary() if self.loops else "native code by LLVM, all in registers"

    def remark(self, node: Node) -> str:
        return self.loops.remark(node) if self.loops else ""


def alias(module: Any, name: str, original: str) -> None:
    """Another name for a function."""
    function = module.functions[original]
    other = Function(module, name, INDEX, [x.type for x in function.args])
    b = other.begin()
    b.ret(b.call(function, other.args))


# --- programs made ready ---


def with_constants_cast(program: Program) -> Program:
    """The program with its arrays of constants in the dtypes that they are computed with."""
    new: dict[int, Any] = {}
    for node in program.nodes:
        inputs, settings = replaced((node.inputs, node.settings), new)
        inputs = constants_cast(node, inputs)
        new[node.order] = computed(node.function, inputs, node.array, **settings)
    return program.with_nodes(new)


def constants_cast(node: Node, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    wanted = loop_dtypes(node)[0] if is_elementwise(node) else [None] * len(inputs)
    return tuple(
        x.astype(dtype or x.dtype.newbyteorder("=")) if isinstance(x, np.ndarray) else x
        for x, dtype in zip(inputs, wanted, strict=False)
    )


def with_checks_computed(program: Program) -> Program:
    """The program with a node for each check of bounds, which is true if the check fails.

    Other checks, by functions of Python's, stay as they are.
    """
    checks: list[Any] = []
    for x, condition in program.checks:
        if isinstance(condition, Between) and is_lowered(dtype_of(x)) and 0 not in shape_of(x):
            checks += [(y, None) for y in outside(x, condition)]
        else:
            checks.append((x, condition))
    ends = program.inputs, program.outputs, program.stores, checks
    return Program(ends[0], operations(*ends[1:]), *ends[1:], program.notes)


def outside(x: Node, condition: Between) -> list[Node]:
    """Whether a number of x is out of bounds; nothing, if none of this dtype can be."""
    dtype, array = dtype_of(x), np.asarray(x.array)
    if dtype.kind == "b":
        return []
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    bounds = [(np.less, condition.low), (np.greater, condition.high)]
    inside = [(f, b) for f, b in bounds if limits.min <= b <= limits.max]
    like = np.zeros(array.shape, bool)
    parts = [computed(f, (x, dtype.type(bound)), like) for f, bound in inside]
    if condition.but is not None and limits.min <= condition.but <= limits.max:
        other = computed(np.not_equal, (x, dtype.type(condition.but)), like)
        parts = [computed(np.logical_and, (part, other), like) for part in parts]
    if not array.ndim:
        return parts
    axes = tuple(range(array.ndim))
    return [computed(np.logical_or.reduce, (x,), np.False_, axis=axes) for x in parts]
