"""The gate of a step: native code that lets a call through while everything is as it was.

Whether a replay may run hangs on some dozens of words of memory: what stands in dicts, lists and
fields, how many hold a buffer, the forms of the arguments. To ask Python for each takes longer than
a small step. The gate takes the calls of a compiled step (see `called`): it compares what its table
says (see `watching`) and runs one step. A call that it does not let through goes the way by Python,
which decides.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding as llvm
from numpy._core._multiarray_umath import _ARRAY_API  # type: ignore[import-not-found]

from ...graph import ticks
from ...tensor import Tensor
from ..called import FUNCTION, HOLDER
from .engine import Code
from .ir import FLAG, INDEX, NOTHING, POINTER, Builder, Constant, Function, Module, Signature, Value
from .kernels import counting
from .lanes import at, index, memcpy, room, times

HEADER = (
    "open", "given", "run", "table", "strides", "order", "result", "number", "bytes", "tensor",
    "ticks", "array_at", "order_at", "weak_at", "last", "array", "true",
)  # fmt: skip
"""The words that the table of a gate begins with."""
SECTIONS = {
    "conditions": ["function"],
    "arguments": ["place", "type", "field", "value", "array_at", "form", "slot"],
    "written": ["array"],
    "contexts": ["variable", "value"],
    "words": ["address", "value"],
    "missing": ["dict", "key"],
    "fields": ["at", "value"],
}
"""The words in the rows of each section. After the header the table has, of each, how many rows
there are and where they begin."""
NUMBERS = {"open", "given", "bytes", "array_at", "order_at", "weak_at", "place", "field", "at"}
"""The words that are numbers; all others are pointers."""
API = {
    "PyArray_Scalar": (POINTER, [POINTER] * 3),
    "PyContextVar_Get": (FLAG, [POINTER] * 3),
    "PyDict_GetItem": (POINTER, [POINTER] * 2),
    "PyIter_Next": (POINTER, [POINTER]),
    "PyObject_Vectorcall": (POINTER, [POINTER, POINTER, INDEX, POINTER]),
    "PyType_GenericAlloc": (POINTER, [POINTER, INDEX]),
    "Py_IncRef": (NOTHING, [POINTER]),
    "Py_DecRef": (NOTHING, [POINTER]),
}
NUMPY = {"PyArray_Scalar": 60}
"""Which of these are NumPy's, and their numbers in the table that its C API is."""
STEP = Signature(NOTHING, [POINTER, POINTER, INDEX, POINTER])
"""The type of a compiled step: see `Native`."""
HOLDERS, TYPE, NUMBER, ITEMS, FIRST = 0, 8, 16, 24, tuple.__basicsize__
"""Where an object has how many hold it, and its type; a NumPy scalar its number; a list where its
items stand; and a tuple the first of them."""
DATA, NDIM, DIMENSIONS, DESCR, FLAGS = 16, 24, 32, 56, 64
"""Where an array has these."""
PLAIN = 0x1 | 0x100
"""The flags of an array in C order, and aligned."""


class Gate:
    """A native function that does one step, if everything is as it was; shut at first.

    Attributes:
        function: its address; it takes the calls of an object, see `called`.
        holder: what it finds there: a tuple of its table, and of all that it reads.

    Args:
        header: the words that are the gate's own, by name.
        sections: the rows of each.
        kept: what must live as long as the gate does.
    """

    def __init__(
        self, header: dict[str, int], sections: dict[str, list[list[int]]], kept: list[Any]
    ) -> None:
        last: list[Any] = [None, None]
        constants = {
            "tensor": Tensor,
            "ticks": ticks,
            "array": np.ndarray,
            "true": True,
        }
        words = {
            "open": 0,
            "last": word(id(last) + ITEMS),
            **{name: id(x) for name, x in constants.items()},
            **header,
        }
        rows = [np.array(sections[name], dtype=np.int64) for name in SECTIONS]
        where = [number for x in rows for number in (len(x), x.ctypes.data)]
        self.table = np.array([*(words[name] for name in HEADER), *where], dtype=np.int64)
        code = compiled()
        self.function = code.address("gate")
        self.holder = (self.table, rows, last, kept, code)

    def open(self) -> None:
        self.table[0] = 1

    def shut(self) -> None:
        self.table[0] = 0


CAPSULE_POINTER = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def word(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


@cache
def compiled() -> Code:
    """The code of all gates; there are two, if two threads are first at once."""
    for name in API:
        llvm.add_symbol(name, address_of(name))
    return Code(f"gate, tuples from {FIRST}", lambda: str(instructions()))


def address_of(name: str) -> Any:
    """Where a function of the C API of Python or NumPy is."""
    if name not in NUMPY:
        return ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p).value
    table = CAPSULE_POINTER(_ARRAY_API, None)
    return ctypes.c_void_p.from_address(table + 8 * NUMPY[name]).value


def instructions() -> Any:
    module = Module()
    for name, (result, given) in API.items():
        Function(module, Signature(result, given), name)
    signature = Signature(POINTER, [POINTER, POINTER, INDEX, POINTER])
    gate, answer = (Function(module, signature, name) for name in ("gate", "answer"))
    answer.is_internal = True
    answer.marks.append("alwaysinline")
    Emitter(answer.begin(), *answer.args).emit()
    emit_holding(gate.begin(), gate.args, answer)
    return module


def emit_holding(b: Builder, given: Sequence[Value], answer: Value) -> None:
    """An answer, until which the gate is held: it may be replaced while Python runs."""
    holder = b.load(at(b, given[0], HOLDER), POINTER)
    holders = at(b, holder, HOLDERS)
    hold(b, holder)
    result = b.call(answer, given)
    left = b.sub(b.load(holders, INDEX), index(1))
    was_last, was_not = b.append_block(), b.append_block()
    b.cbranch(b.icmp_signed("==", left, index(0)), was_last, was_not, likely=False)
    b.position_at_end(was_last)
    b.call(b.module.functions["Py_DecRef"], [holder])
    b.ret(result)
    b.position_at_end(was_not)
    b.store(left, holders)
    b.ret(result)


def hold(b: Builder, x: Value) -> None:
    """One more holds an object, which is none of those that live for ever."""
    holders = at(b, x, HOLDERS)
    b.store(b.add(b.load(holders, INDEX), index(1)), holders)


class Emitter:
    """The code of all gates, as it is emitted.

    Args:
        called: the compiled step.
        args, n, names: the arguments of a call, how many stand without a name, and the names. The
            highest bit of n is a flag, which is no matter here.
    """

    def __init__(self, b: Builder, called: Value, args: Value, n: Value, names: Value) -> None:
        self.b, self.called, self.args, self.n, self.names = b, called, args, n, names
        self.null = Constant(POINTER, None)
        self.otherwise = b.append_block()
        self.table = self.pointer(self.pointer(self.pointer(called, HOLDER), FIRST), DATA)

    def emit(self) -> None:
        b = self.b
        self.demand(b.shl(self.n, index(1)), b.shl(self.head("given"), index(1)))
        self.demand(self.names, self.null)
        self.compare_arguments()
        self.ask_conditions()
        self.demand(self.head("open"), index(1))
        self.compare_contexts()
        self.look_for_missing()
        self.compare_words()  # last, as no Python runs from here on
        self.run()
        b.position_at_end(self.otherwise)
        b.store(self.null, at(b, self.called, FUNCTION))
        b.ret(self.call("PyObject_Vectorcall", self.called, self.args, self.n, self.names))

    # --- what is asked ---

    def ask_conditions(self) -> None:
        """They are Python's, during which another thread may change all that is compared."""
        with self.each("conditions") as row:
            given = row["function"], self.args, self.head("given"), self.null
            answer = self.made("PyObject_Vectorcall", *given)
            self.call("Py_DecRef", answer)
            self.demand(answer, self.head("true"))
            self.compare_arguments()

    def compare_arguments(self) -> None:
        """Their forms; and takes where they stand."""
        b = self.b
        with self.each("arguments") as row:
            argument = self.pointer(self.args, times(b, row["place"], 8))
            self.demand(self.pointer(argument, TYPE), row["type"])
            self.demand(self.pointer(argument, row["field"]), row["value"])
            is_array = b.icmp_signed("==", row["array_at"], index(0))
            array = b.select(is_array, argument, self.pointer(argument, row["array_at"]))
            self.demand(array, self.null, "!=")
            self.demand(self.pointer(array, TYPE), self.head("array"))
            self.compare_form(array, row["form"])
            with self.each("written") as other:
                self.demand(array, other["array"], "!=")
            b.store(self.pointer(array, DATA), row["slot"])

    def compare_form(self, array: Value, form: Value) -> None:
        """(dtype, number of axes, lengths)"""
        b = self.b
        self.demand(self.pointer(array, DESCR), self.pointer(form, 0))
        flags = b.load(at(b, array, FLAGS), FLAG)
        self.demand(b.and_(flags, Constant(FLAG, PLAIN)), Constant(FLAG, PLAIN))
        ndim = b.sext(b.load(at(b, array, NDIM), FLAG), INDEX)
        self.demand(ndim, self.word(form, 8))
        lengths = self.pointer(array, DIMENSIONS)
        with self.until(ndim) as i:
            place = b.mul(i, index(8))
            self.demand(self.word(lengths, place), self.word(form, b.add(place, index(16))))

    def compare_contexts(self) -> None:
        place = room(self.b, POINTER)
        with self.each("contexts") as row:
            self.call("PyContextVar_Get", row["variable"], self.null, place)
            value = self.pointer(place, 0)
            self.call("Py_DecRef", value)
            self.demand(value, row["value"])

    def compare_words(self) -> None:
        with self.each("words") as row:
            self.demand(self.pointer(row["address"], 0), row["value"])

    def look_for_missing(self) -> None:
        with self.each("missing") as row:
            self.demand(self.call("PyDict_GetItem", row["dict"], row["key"]), self.null)

    def run(self) -> None:
        """One step, of which the result is read before another thread can run."""
        b = self.b
        step = self.head("run")
        given = self.head("table"), self.head("strides"), index(1), self.head("order")
        b.call(step, given, STEP)
        result = self.head("result")
        data, descr = self.pointer(result, DATA), self.pointer(result, DESCR)
        self.give_again(data)
        number = self.made("PyArray_Scalar", data, descr, result)
        order = self.made("PyIter_Next", self.head("ticks"))
        tensor = self.made("PyType_GenericAlloc", self.head("tensor"), index(0))
        b.store(number, at(b, tensor, self.head("array_at")))
        b.store(order, at(b, tensor, self.head("order_at")))
        with self.each("fields") as row:
            self.call("Py_IncRef", row["value"])
            b.store(row["value"], at(b, tensor, row["at"]))
        before = self.pointer(self.head("last"), 8)
        self.give(tensor)
        self.call("Py_DecRef", before)
        b.ret(tensor)

    def give_again(self, data: Value) -> None:
        """Gives the result before the last one again, with another number, if nobody has it.

        As `zip` does with its tuples, since to make and drop two objects takes longer than a small
        step. Where somebody has it, the number in it, or a weak reference, or has changed it, a new
        one is made. It keeps its order: no graph is built on it.
        """
        b, otherwise = self.b, self.otherwise
        self.otherwise = b.append_block()
        tensor = self.pointer(self.head("last"), 8)
        self.demand(self.word(tensor, HOLDERS), index(1))
        self.demand(self.pointer(tensor, TYPE), self.head("tensor"))
        self.demand(self.pointer(tensor, self.head("weak_at")), self.null)
        with self.each("fields") as row:
            self.demand(self.pointer(tensor, row["at"]), row["value"])
        number = self.pointer(tensor, self.head("array_at"))
        self.demand(number, self.null, "!=")
        self.demand(self.word(number, HOLDERS), index(1))
        self.demand(self.pointer(number, TYPE), self.head("number"))
        memcpy(b, at(b, number, NUMBER), data, self.head("bytes"))
        self.give(tensor)
        b.ret(tensor)
        b.position_at_end(self.otherwise)
        self.otherwise = otherwise

    def give(self, tensor: Value) -> None:
        """Makes a result the last one, which is held here too."""
        last = self.head("last")
        self.b.store(self.pointer(last, 0), at(self.b, last, 8))
        self.b.store(tensor, last)
        hold(self.b, tensor)

    # --- in what words ---

    def demand(self, x: Value, y: Value, how: str = "==") -> None:
        """Goes on only if this is true."""
        b = self.b
        following = b.append_block()
        b.cbranch(b.icmp_unsigned(how, x, y), following, self.otherwise)
        b.position_at_end(following)

    def word(self, pointer: Value, offset: Value | int) -> Value:
        return self.b.load(at(self.b, pointer, offset), INDEX)

    def pointer(self, pointer: Value, offset: Value | int) -> Value:
        return self.b.load(at(self.b, pointer, offset), POINTER)

    def head(self, name: str) -> Value:
        type = INDEX if name in NUMBERS else POINTER
        return self.b.load(at(self.b, self.table, 8 * HEADER.index(name)), type)

    def call(self, name: str, *given: Value) -> Value:
        return self.b.call(self.b.module.functions[name], given)

    def made(self, name: str, *given: Value) -> Value:
        """The object that a call gives; if it raises, the gate does."""
        b, x = self.b, self.call(name, *given)
        with b.if_then(b.icmp_unsigned("==", x, self.null), likely=False):
            b.ret(self.null)
        return x

    @contextmanager
    def each(self, section: str) -> Iterator[dict[str, Value]]:
        """For each row of a section: its words, by name."""
        b, names = self.b, SECTIONS[section]
        where = 8 * len(HEADER) + 16 * list(SECTIONS).index(section)
        start = self.pointer(self.table, where + 8)
        with self.until(self.word(self.table, where)) as i:
            row = at(b, start, times(b, i, 8 * len(names)))
            yield {
                name: b.load(at(b, row, 8 * k), INDEX if name in NUMBERS else POINTER)
                for k, name in enumerate(names)
            }

    @contextmanager
    def until(self, n: Value) -> Iterator[Value]:
        """For i from 0 to n, which may be 0."""
        with self.b.if_then(self.b.icmp_signed(">", n, index(0))), counting(self.b, n) as i:
            yield i
