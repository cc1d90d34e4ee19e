"""Where the values of a program stand in memory: one buffer for many, views, updates in place.

A program runs in steps, each of which computes some nodes. A buffer is free again after the last
step that reads it. A node that becomes the new value of a place is computed right there, if nobody
reads the old value any more; the parts of a join are computed where the join stands.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..graph import Node
from .program import Program, is_move, is_of_a_place, join
from .trace import Place


class Plan(SimpleNamespace):
    """Where everything stands.

    Attributes:
        arrays: a buffer or view of one, for every node that has a place in memory.
        places: the buffer of every place.
        copies: what has to be copied when all is computed: (buffer of a place, node or constant).
        views: the nodes that nothing has to be computed for.
        blocks: the buffers, not counting those of places.
    """

    arrays: dict[int, Any]
    places: dict[Place, np.ndarray]
    copies: list[tuple[np.ndarray, Any]]
    views: set[int]
    blocks: list[np.ndarray]

    @property
    def bytes(self) -> int:
        return sum(block.nbytes for block in self.blocks)


LINE, PAGE = 64, 1 << 21
"""Bytes of a line of the cache, and of a large page of memory."""


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of zeros that begins where a vector register can be filled from.

    A large one begins with a large page: NumPy asks the system for those from 4 MiB on, and what is
    too much here is never touched. They spare the processor looking up addresses.
    """
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    large = size >= PAGE // 8
    raw = np.zeros(size + (2 * PAGE if large else LINE), dtype=np.uint8)
    start = -raw.ctypes.data % (PAGE if large else LINE)
    return raw[start : start + size].view(dtype).reshape(shape)


class Pool:
    """Buffers that are free again."""

    def __init__(self) -> None:
        self.free: dict[int, list[np.ndarray]] = {}
        self.blocks: list[np.ndarray] = []

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = int(np.prod(shape, dtype=int)) * dtype.itemsize
        if self.free.get(size):
            return self.free[size].pop().view(dtype).reshape(shape)
        self.blocks.append(aligned(shape, dtype))
        return self.blocks[-1]

    def give_back(self, buffer: np.ndarray) -> None:
        self.free.setdefault(buffer.nbytes, []).append(buffer.reshape(-1).view(np.uint8))


class Planner:
    """Makes the plan of a program that is computed in these steps.

    Args:
        places: the buffer of every place.
        steps: the nodes that are computed together; views may be left out.
        hidden: the nodes that need no place in memory.
        in_place: whether a node may be computed right where this input of it stands.
        kept: the nodes whose buffers are never another one's.
        safe: the step from which on nothing can fail. Places are not updated before.
    """

    def __init__(
        self,
        program: Program,
        places: Mapping[Place, np.ndarray],
        steps: Sequence[Sequence[Node]],
        hidden: Collection[int],
        in_place: Callable[[Node, Node], bool],
        kept: Iterable[int] = (),
        safe: int = 0,
    ) -> None:
        self.program = program
        self.places = dict(places)
        self.steps = steps
        self.hidden = hidden
        self.in_place = in_place
        self.safe = safe
        self.arrays: dict[int, Any] = {x.order: places[p] for p, x in program.inputs.items()}
        self.root, self.views = roots(program)
        self.parts = parts_of_joins(program)
        self.last = self.last_read() | {self.root[order]: len(steps) for order in kept}
        self.targets: dict[int, Place] = {}
        for place, x in program.stores.items():
            if isinstance(x, Node):
                self.targets.setdefault(x.order, place)
        self.pool = Pool()

    def plan(self) -> Plan:
        owned: dict[int, np.ndarray] = {}
        direct: set[Place] = set()
        for i, step in enumerate(self.steps):
            for node in step:
                if node.order in self.hidden or node.order in self.views:
                    continue
                if node.order in owned:  # a join, whose parts stand there already
                    continue
                if node.order in self.parts:
                    self.arrays[node.order] = self.part(node, owned)
                    continue
                place = self.targets.get(node.order)
                if place is not None and i >= self.safe and self.may_update(node, place, i):
                    self.arrays[node.order] = self.places[place]
                    direct.add(place)
                    continue
                buffer = self.take_over(node, i, owned)
                if buffer is None:
                    buffer = self.take(node)
                owned[node.order] = self.arrays[node.order] = buffer
            for root in [r for r in owned if self.last.get(r, i) <= i]:
                self.pool.give_back(owned.pop(root))
        for node in self.program.nodes:
            if node.order in self.views:
                self.arrays[node.order] = view(node, self.arrays[node.parents[0].order])
        copies = [
            (self.places[place], x)
            for place, x in self.program.stores.items()
            if place not in direct
        ]
        return Plan(
            arrays=self.arrays,
            places=self.places,
            copies=copies,
            views=self.views,
            blocks=self.pool.blocks,
        )

    def take(self, node: Node) -> np.ndarray:
        """A free buffer for a node."""
        array = np.asarray(node.array)
        return self.pool.take(array.shape, array.dtype)

    def part(self, node: Node, owned: dict[int, np.ndarray]) -> np.ndarray:
        """Where a part of a join stands in it."""
        whole, start = self.parts[node.order]
        if whole.order not in owned:
            owned[whole.order] = self.arrays[whole.order] = self.take(whole)
        n = np.size(node.array)
        return owned[whole.order][start : start + n].reshape(np.shape(node.array))

    def last_read(self) -> dict[int, int]:
        """In which step each buffer is read for the last time."""
        last = {}
        for i, step in enumerate(self.steps):
            for node in step:
                for x in node.parents:
                    last[self.root[x.order]] = i
        for x in self.program.ends():
            last[self.root[x.order]] = len(self.steps)
        return last

    def may_update(self, node: Node, place: Place, i: int) -> bool:
        """Whether a node of step i can be computed where the old value of a place stands."""
        old = self.program.inputs.get(place)
        buffer, array = self.places[place], np.asarray(node.array)
        if buffer.shape != array.shape or buffer.dtype != array.dtype:
            return False
        last = -1 if old is None else self.last.get(old.order, -1)
        if last != i or old is None:
            return last < i
        return all(
            self.in_place(other, x) and x is old
            for other in self.steps[i]
            for x in other.parents
            if self.root[x.order] == old.order
        )

    def take_over(self, node: Node, i: int, owned: dict[int, np.ndarray]) -> np.ndarray | None:
        """The buffer of an input that only this node reads here, for the last time."""
        array = np.asarray(node.array)
        for x in node.parents:
            buffer = owned.get(x.order)
            if (
                buffer is not None
                and self.last[x.order] == i
                and buffer.shape == array.shape
                and buffer.dtype == array.dtype
                and all(
                    other is node and y is x and self.in_place(node, x)
                    for other in self.steps[i]
                    for y in other.parents
                    if self.root[y.order] == x.order
                )
            ):
                return owned.pop(x.order)
        return None


def roots(program: Program) -> tuple[dict[int, int], set[int]]:
    """Which buffer each node stands in, by the order of the node it was made for; and the views.

    NumPy is asked, on arrays that are never looked into.
    """
    dummies: dict[int, Any] = {}
    root: dict[int, int] = {}
    views: set[int] = set()
    parts = parts_of_joins(program)
    for node in (*program.inputs.values(), *program.nodes):
        array = np.asarray(node.array)
        root[node.order] = parts[node.order][0].order if node.order in parts else node.order
        if node.function is not None and is_move(node):
            base = node.parents[0]
            seen = view(node, dummies[base.order])
            if np.may_share_memory(seen, dummies[base.order]):
                dummies[node.order] = seen
                root[node.order] = root[base.order]
                views.add(node.order)
                continue
        dummies[node.order] = np.empty(array.shape, array.dtype)
    return root, views


def parts_of_joins(program: Program) -> dict[int, tuple[Node, int]]:
    """What is computed right where a join of it stands: in which one, and from what element on."""
    found: dict[int, tuple[Node, int]] = {}
    for node in program.nodes:
        start = 0
        for x in node.parents if node.function is join else ():
            if not is_of_a_place(x):
                found.setdefault(x.order, (node, start))
            start += np.size(x.array)
    return found


def view(node: Node, base: np.ndarray) -> Any:
    """A move applied to where its input stands."""
    return node.function(base, *node.inputs[1:], **node.settings)  # type: ignore[misc]
