"""What the gate of a variant looks at: rows of words, read off its arguments, scope and state.

Where CPython keeps what in an object is looked up, or checked, in objects made for that. Where it
is not found, and for a step that sees what no row can tell, there is no gate.
"""

import ctypes
import sys
from functools import cache
from gc import get_referents
from itertools import chain
from sys import getrefcount
from types import CellType, FunctionType, MappingProxyType
from typing import Any

import numpy as np

from ...graph import Node, leaf, new, recording
from ...tensor import Tensor
from ..called import is_possible
from ..results import tensor_of_scalar
from ..sight import FACETS
from ..state import all_hold
from ..trace import running
from .gate import (
    DATA,
    DESCR,
    DIMENSIONS,
    FIRST,
    FLAGS,
    HOLDERS,
    ITEMS,
    NDIM,
    NUMBER,
    PLAIN,
    SECTIONS,
    TYPE,
    Gate,
    word,
)  # fmt: skip

FIELDS = {*Node.__slots__} - {"__weakref__"}
BEFORE = 32
"""Bytes that CPython has before an object that is collected and has fields."""
SIZE = 16
"""Where a list has its length."""
USED, KEYS, VALUES = 16, 32, 40
"""Where a dict has its length, and where its keys stand, and its values, if not beside them."""
INDICES_SIZE, KIND, LENGTH, INDICES = 9, 10, 24, 32
"""Where keys have the size of a table, the kind of entries, how many there are, and the table,
behind which they stand."""


class Unseen(Exception):
    """Something that no row can tell."""


def gate_of(variant: Any) -> Gate | None:
    """The gate of a variant that has just run; None if it can have none."""
    if not layout_is_known():
        return None
    try:
        rows = Rows(variant)
    except Unseen:
        return None
    return Gate(rows.header(), rows.sections, rows.kept)


class Rows:
    """The rows of a gate.

    Attributes:
        sections: the rows of each section.
        kept: what they name, which must be there as long as they are asked.

    Raises:
        Unseen: the variant does not look as it did, or at something that no row can tell.
    """

    def __init__(self, variant: Any) -> None:
        self.engine = variant.engine
        self.table = self.engine.table.copy()  # into which the gate puts where arguments stand
        self.kept: list[Any] = [self.engine, self.engine.strides, self.engine.zero, self.table]
        self.sections: dict[str, list[list[int]]] = {name: [] for name in SECTIONS}
        one_number = variant.results.is_leaf and variant.results.kinds == [tensor_of_scalar]
        if not one_number or variant.forms is None or variant.small or not all(variant.were_empty):
            raise Unseen
        self.look_at_arguments(variant)
        self.look_at_scope(variant.scope)
        self.look_at_state(variant.state)
        for tensor in (*variant.forgotten, *variant.looked_at):
            self.look_at(tensor, "grad")
        plain = leaf(Tensor, None)
        for name in FIELDS - {"array", "order"}:
            value = getattr(plain, name)
            self.sections["fields"].append([offsets()[name], id(value)])
            self.kept.append(value)
        self.check_again(variant)

    def check_again(self, variant: Any) -> None:
        """Looks whether another thread has changed something while it was read.

        Raises:
            Unseen: something is not as it was.
        """
        empty = all(tensor.grad is None for tensor in (*variant.forgotten, *variant.looked_at))
        if not (empty and variant.scope.is_untouched() and variant.state.is_settled()):
            raise Unseen

    def header(self) -> dict[str, int]:
        _, strides, _, order = self.engine.pointers
        return {
            "given": len(self.sections["arguments"]),
            "run": self.engine.code.address("loop"),
            "table": self.table.ctypes.data,
            "strides": strides,
            "order": order,
            "array_at": offsets()["array"],
            "order_at": offsets()["order"],
            "result": id(self.engine.results[0]),
            "number": id(self.engine.results[0].dtype.type),
            "bytes": self.engine.results[0].itemsize,
            "weak_at": Tensor.__weakrefoffset__,
        }

    def look_at_arguments(self, variant: Any) -> None:
        place = dict(zip(variant.arguments, self.engine.arguments, strict=True))
        unread = np.zeros(1, dtype=np.int64)
        for k, (cls, shape, dtype) in enumerate(variant.forms):
            form = np.array([id(dtype), len(shape), *shape], dtype=np.int64)
            slot = (self.table[place[k] :] if k in place else unread).ctypes.data
            field, value, array_at = TYPE, cls, 0  # an array has no other field to compare
            if cls is Tensor:
                field, value = offsets()["tracked"], variant.tracked[k]
                array_at = offsets()["array"]
            row = [k, id(cls), field, id(value), array_at, form.ctypes.data, slot]
            self.sections["arguments"].append(row)
            self.kept += form, dtype, unread
        if variant.required:
            required = variant.required  # and not the variant, which holds the gate
            condition = lambda *leaves: all_hold(required, leaves)
            self.sections["conditions"] = [[id(condition)]]
            self.kept.append(condition)

    def look_at_scope(self, scope: Any) -> None:
        if not scope.is_untouched():
            raise Unseen
        self.kept += scope.bound, scope.variables, scope.shadows
        self.sections["contexts"] = [[id(recording), id(recording.get())]]
        self.sections["words"].append([running.ctypes.data, 0])
        for variables, name in scope.variables:
            self.look_up(variables, name)
        for x in scope.live:
            self.look_into(get_referents(x)[0] if isinstance(x, MappingProxyType) else x)
        for cell in scope.cells:
            self.look_at(cell, "cell_contents")
        for variables, name in scope.shadows:
            self.sections["missing"].append([id(variables), id(name)])
        for x, facet in scope.attributes:
            if facet == "__class__":
                self.add(id(x) + TYPE)
            elif facet == "__dict__":
                self.add(id(x) + place_of_fields(x))
            elif isinstance(x, FunctionType):
                self.look_at(x, facet)
            else:
                raise Unseen
            self.kept.append(x)
        for tensor in scope.leaves:
            self.look_at(tensor, "tracked")

    def look_at_state(self, state: Any) -> None:
        if not state.is_settled():
            raise Unseen
        self.kept += state.targets, state.expected
        self.sections["written"] = [[id(x)] for x in state.targets.buffers]
        for tensor in state.tensors:
            self.look_at(tensor, "array")
        for x in state.arrays:
            lengths = word(id(x) + DIMENSIONS)
            parts = range(lengths, lengths + 16 * x.ndim, 8)  # and the strides behind them
            self.add(*(id(x) + at for at in (DATA, NDIM, DIMENSIONS, DESCR)), *parts)
            self.kept.append(x)
        buffers = *map(id, state.targets.buffers), *map(id, state.targets.blocks)
        for x, holders in zip(buffers, chain(*state.held), strict=True):
            self.sections["words"].append([x + HOLDERS, holders - 1])  # but for who counted

    def look_into(self, x: Any) -> None:
        """At all that stands in a list or dict: first at where it stands, which may be no more."""
        if type(x) is list:
            start = word(id(x) + ITEMS)
            self.add(id(x) + SIZE, id(x) + ITEMS)
            self.add(*range(start, start + 8 * len(x), 8))
            self.kept += x, list(x)
        elif type(x) is dict:
            self.add(id(x) + USED, id(x) + KEYS, id(x) + VALUES)
            self.add(*entries(x))
            self.kept += x, x.copy()
        else:
            raise Unseen

    def look_up(self, x: dict[str, Any], key: str) -> None:
        """At one entry of a dict, first at where it stands."""
        self.add(id(x) + KEYS, id(x) + VALUES, *entry(x, key))
        self.kept += list(x), x[key]

    def look_at(self, x: Any, field: str) -> None:
        """At a field of an object, which holds now what it should."""
        self.add(id(x) + offsets()[field])
        self.kept.append(x)

    def add(self, *addresses: int) -> None:
        self.sections["words"] += [[address, word(address)] for address in addresses]


# --- where things stand ---


def byte(address: int) -> int:
    return ctypes.c_uint8.from_address(address).value


def offset(x: Any, part: int) -> int:
    """Where in the memory of an object a word stands, such as the address of what it holds.

    Raises:
        ValueError: nowhere, or in more than one place.
    """
    size = type(x).__basicsize__ // 8
    words = list((ctypes.c_int64 * size).from_address(id(x)))
    if words.count(part) != 1:
        raise ValueError(f"{part} stands {words.count(part)} times in a {type(x).__name__}")
    return 8 * words.index(part)


def entries(x: dict[Any, Any]) -> range:
    """The words with the keys and values of a dict; with the values and their order, if its keys
    are shared.

    Entries are only added, until the keys stand elsewhere: that of a deleted key stays, empty.
    """
    keys, values = word(id(x) + KEYS), word(id(x) + VALUES)
    n = word(keys + LENGTH)
    if values and sys.version_info >= (3, 13):  # from there: sizes, the values, their order
        n = byte(values)
        return range(values, values + 8 * (1 + n + -(-n // 8)), 8)
    if values:  # before there: their order, and how long all that is
        return range(values - byte(values - 1), values + 8 * n, 8)
    start = keys + INDICES + (1 << byte(keys + INDICES_SIZE))
    return range(start, start + 8 * words_of_entry(x) * n, 8)


def words_of_entry(x: dict[Any, Any]) -> int:
    """(hash, key, value), or (key, value)"""
    return 3 if byte(word(id(x) + KEYS) + KIND) == 0 else 2


def entry(x: dict[Any, Any], key: Any) -> range:
    """The words with a key and its value.

    Raises:
        Unseen: they do not stand side by side.
    """
    there = [id(k) for k in list(x) if k == key]  # equal to this, but another object
    words = range(0) if word(id(x) + VALUES) else entries(x)
    n = words_of_entry(x)
    for place in words[n - 2 :: n]:
        if word(place) in there:
            return range(place, place + 16, 8)
    raise Unseen


def place_of_fields(x: Any) -> int:
    """Where the address of the dict of an object stands: in it, or in the words before it.

    Raises:
        Unseen: nowhere.
    """
    inside = type(x).__dictoffset__
    for place in (inside,) if inside > 0 else range(-BEFORE, 0, 8):
        if word(id(x) + place) == id(vars(x)):
            return place
    raise Unseen


@cache
def offsets() -> dict[str, int]:
    """Where fields stand in the memory of the objects that have them."""

    def function(x: int = 0, *, y: int = 0) -> None: ...

    cell, tensor = CellType(object()), new(Tensor)
    found = {name: offset(function, id(getattr(function, name))) for name in FACETS}
    found["cell_contents"] = offset(cell, id(cell.cell_contents))
    for name in FIELDS:
        mark = (name,)
        setattr(tensor, name, mark)
        found[name] = offset(tensor, id(mark))
    tensor.parents = ()  # or it would not die in peace
    return found


@cache
def layout_is_known() -> bool:
    """Whether objects look in memory as the gate expects."""
    if not is_possible():
        return False
    array, items, number = np.zeros((3, 5, 7)), [object(), object()], np.float64(1.5)
    pair = array, items
    dicts: Any = {"x": array}, {1: array, "x": items}, vars(Fields(items))
    lengths = word(id(array) + DIMENSIONS)
    try:
        offsets()
        return (
            offset(array, id(np.ndarray)) == TYPE
            and offset(array, array.ctypes.data) == DATA
            and offset(array, id(array.dtype)) == DESCR
            and ctypes.c_int32.from_address(id(array) + NDIM).value == 3
            and [word(lengths + 8 * k) for k in range(3)] == [3, 5, 7]
            and ctypes.c_int32.from_address(id(array) + FLAGS).value & PLAIN == PLAIN
            and word(id(items) + SIZE) == 2
            and [word(word(id(items) + ITEMS) + 8 * k) for k in range(2)] == [*map(id, items)]
            and [word(id(pair) + FIRST + 8 * k) for k in range(2)] == [*map(id, pair)]
            and word(id(items[0]) + HOLDERS) == next(map(getrefcount, items)) - 1
            and all(map(has_entries, dicts))
            and ctypes.c_double.from_address(id(number) + NUMBER).value == number
        )
    except ValueError:
        return False


class Fields:
    """Something whose fields stand in a dict that shares its keys."""

    def __init__(self, x: Any) -> None:
        self.x = x


def has_entries(x: dict[Any, Any]) -> bool:
    """Whether what a dict holds stands where it should."""
    words = [*map(word, entries(x))]
    together = not word(id(x) + VALUES)
    pairs = [[*map(word, entry(x, key))] for key in x] if together else []
    return (
        word(id(x) + USED) == len(x)
        and all(id(part) in words for part in x.values())
        and pairs == [[id(key), id(part)] for key, part in x.items()][: len(pairs)]
    )
