"""Where the values of a program stand in memory: one buffer for many, views, updates in place.

A program runs in steps, each of which computes some nodes. A buffer is free again after the last
step that reads it. A node that becomes the new value of a place is computed right there, if nobody
reads the old value any more.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node
from ..tensor import cast
from .program import Program, is_move, is_number
from .trace import Place
from .traced import astype

COPIES = {astype, cast, np.copy}


@dataclass
class Plan:
    """Where everything stands.

    Attributes:
        arrays: a buffer or view of one, for every node that has a place in memory.
        places: the buffer of every place.
        copies: what has to be copied when all is computed: (buffer of a place, array or constant).
        views: the nodes that nothing has to be computed for.
        bytes: of the buffers, not counting those of places.
    """

    arrays: dict[int, Any]
    places: dict[Place, np.ndarray]
    copies: list[tuple[np.ndarray, Any]]
    views: set[int]
    bytes: int


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of zeros that begins where a vector register can be filled from."""
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


class Pool:
    """Buffers that are free again."""

    def __init__(self) -> None:
        self.free: dict[int, list[np.ndarray]] = {}
        self.bytes = 0

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = int(np.prod(shape, dtype=int)) * dtype.itemsize
        if self.free.get(size):
            return self.free[size].pop().view(dtype).reshape(shape)
        self.bytes += size
        return aligned(shape, dtype)

    def give_back(self, buffer: np.ndarray) -> None:
        self.free.setdefault(buffer.nbytes, []).append(buffer.reshape(-1).view(np.uint8))


class Planner:
    """Makes the plan of a program that is computed in these steps.

    Args:
        places: the buffer of every place.
        steps: the nodes that are computed together.
        hidden: the nodes that need no place in memory.
        in_place: whether a node may be computed right where this input of it stands.
    """

    def __init__(
        self,
        program: Program,
        places: Mapping[Place, np.ndarray],
        steps: Sequence[Sequence[Node]],
        hidden: Collection[int],
        in_place: Callable[[Node, Node], bool],
    ) -> None:
        self.program = program
        self.places = dict(places)
        self.steps = steps
        self.hidden = hidden
        self.in_place = in_place
        self.arrays: dict[int, Any] = {x.order: places[p] for p, x in program.inputs.items()}
        self.root: dict[int, int] = {x.order: x.order for x in program.inputs.values()}
        self.views: set[int] = set()
        self.last: dict[int, int] = {}
        self.targets = self.find_targets()
        self.pool = Pool()

    def plan(self) -> Plan:
        self.find_roots()
        owned: dict[int, np.ndarray] = {}
        direct: set[Place] = set()
        for i, step in enumerate(self.steps):
            for node in step:
                if node.order in self.hidden or is_number(node):
                    continue
                if node.order in self.views:
                    self.arrays[node.order] = view(node, self.arrays[node.parents[0].order])
                    continue
                array = np.asarray(node.array)
                place = self.targets.get(node.order)
                if place is not None and self.may_update(node, place, i):
                    self.arrays[node.order] = self.places[place]
                    direct.add(place)
                    continue
                buffer = self.taken_over(node, i, owned)
                if buffer is None:
                    buffer = self.pool.take(array.shape, array.dtype)
                owned[node.order] = self.arrays[node.order] = buffer
            for root in [r for r in owned if self.last.get(r, i) <= i]:
                self.pool.give_back(owned.pop(root))
        copies = [
            (self.places[place], self.arrays[x.order] if isinstance(x, Node) else x)
            for place, x in self.program.stores.items()
            if place not in direct
        ]
        return Plan(self.arrays, self.places, copies, self.views, self.pool.bytes)

    def find_targets(self) -> dict[int, Place]:
        """The place that a node is the new value of; the first one, if there are several."""
        found: dict[int, Place] = {}
        for place, x in self.program.stores.items():
            if isinstance(x, Node):
                found.setdefault(x.order, place)
        return found

    def find_roots(self) -> None:
        """Which nodes are views, of which buffers, and in which step each buffer is last read."""
        dummies = dict(self.arrays)
        for i, step in enumerate(self.steps):
            for node in step:
                for x in node.parents:
                    if x.order in self.root:
                        self.last[self.root[x.order]] = i
                shape, dtype = np.shape(node.array), np.asarray(node.array).dtype
                self.root[node.order] = node.order
                base = node.parents[0] if is_move(node) else None
                if base is not None and not is_number(base):
                    seen = view(node, dummies[base.order])
                    if np.may_share_memory(seen, dummies[base.order]):
                        dummies[node.order] = seen
                        self.views.add(node.order)
                        self.root[node.order] = self.root[base.order]
                        continue
                dummies[node.order] = np.empty(shape, dtype)
        for x in self.program.ends():
            self.last[self.root[x.order]] = len(self.steps)

    def may_update(self, node: Node, place: Place, i: int) -> bool:
        """Whether a node of step i can be computed where the old value of a place stands."""
        old = self.program.inputs.get(place)
        buffer = self.places[place]
        same = buffer.shape == np.shape(node.array) and buffer.dtype == np.asarray(node.array).dtype
        if old is None or not same:
            return same
        last = self.last.get(old.order, -1)
        if last == len(self.steps) or last > i:
            return False
        return last < i or all(
            self.in_place(other, old)
            for other in self.steps[i]
            for x in other.parents
            if self.root.get(x.order) == old.order
        )

    def taken_over(self, node: Node, i: int, owned: dict[int, np.ndarray]) -> np.ndarray | None:
        """The buffer of an input that is read here for the last time and has the right form."""
        array = np.asarray(node.array)
        for x in node.parents:
            buffer = owned.get(x.order)
            if (
                buffer is not None
                and self.last[x.order] == i
                and buffer.shape == array.shape
                and buffer.dtype == array.dtype
                and self.in_place(node, x)
            ):
                return owned.pop(x.order)
        return None


def view(node: Node, base: np.ndarray) -> Any:
    """A move applied to where its input stands."""
    first, *others = node.inputs
    return node.function(base, *others, **node.settings)  # type: ignore[misc]
