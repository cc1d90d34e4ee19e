"""Blocks of memory that the values of a program are in, and pointers to them in functions."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...graph import Node
from ..memory import Plan, aligned
from .ir import POINTER, Builder, Value
from .vectors import at

BYTES = np.dtype(np.uint8)


class Blocks:
    """The blocks of memory that a program works in: places, buffers and constants.

    Args:
        places: the buffers of the places, which are the first blocks.
        plan: where all other values are.
    """

    def __init__(self, places: Iterable[np.ndarray], plan: Plan) -> None:
        self.plan = plan
        self.all: list[np.ndarray] = []
        self.starts: list[tuple[int, int, int]] = []
        self.found: dict[int, tuple[np.ndarray, tuple[int, int]]] = {}
        self.constants: dict[int, tuple[Any, np.ndarray]] = {}
        self.spare: int | None = None
        for block in places:
            self.add(block)
        self.given = len(self.all)
        for block in plan.blocks:
            self.add(block)

    def add(self, array: np.ndarray) -> tuple[int, int, int]:
        """Adds a block; returns its address, its size and its number."""
        self.starts.append((array.ctypes.data, max(array.nbytes, 1), len(self.all)))
        self.all.append(array)
        return self.starts[-1]

    def array_of(self, x: Any) -> np.ndarray:
        """Where a node or constant is."""
        if isinstance(x, Node):
            return self.plan.arrays[x.order]  # type: ignore[no-any-return]
        if id(x) not in self.constants:
            array = np.ascontiguousarray(x)
            self.constants[id(x)] = x, array
            self.add(array)
        return self.constants[id(x)][1]

    def find(self, array: np.ndarray) -> tuple[int, int]:
        """The block that an array is in, and how many bytes after its beginning."""
        if id(array) not in self.found:
            address = array.ctypes.data
            inside = [s for s in self.starts if s[0] <= address < s[0] + s[1]]
            start, _, k = inside[0] if inside else self.add(array)
            self.found[id(array)] = array, (k, address - start)
        return self.found[id(array)][1]

    def scratch(self, size: int) -> int:
        """The block for what is of no use after its step, which has room for so many bytes."""
        if self.spare is None:
            self.spare = len(self.all)
            self.all.append(aligned((size,), BYTES))
        elif size > self.all[self.spare].nbytes:
            self.all[self.spare] = aligned((size,), BYTES)
        return self.spare

    @property
    def bytes(self) -> int:
        """Of memory that the program works in, beside its places."""
        return sum(block.nbytes for block in self.all[self.given :])


class Frame:
    """A function that is emitted, and its pointers to blocks of memory.

    Args:
        width: bytes in a vector register.
        table: where the addresses of all blocks are.
        known: pointers to blocks that are not read from the table.
    """

    def __init__(
        self, b: Builder, blocks: Blocks, width: int, table: Value, known: dict[int, Value]
    ) -> None:
        self.b, self.blocks, self.width, self.table = b, blocks, width, table
        self.given, self.known = known, dict(known)
        self.array_of = blocks.array_of

    def block(self, k: int) -> Value:
        if k not in self.known:
            self.known[k] = self.b.load(at(self.b, self.table, 8 * k), POINTER)
        return self.known[k]

    def pointer_to(self, array: np.ndarray) -> Value:
        """A pointer to where an array begins."""
        k, offset = self.blocks.find(array)
        return at(self.b, self.block(k), offset)
