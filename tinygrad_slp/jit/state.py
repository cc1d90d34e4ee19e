"""The Tensors and arrays that a program reads and writes, and the buffers they are computed in.

An array of a Tensor never changes under somebody who holds it. A buffer that only the Tensor and
the program hold is written in place; one that somebody else has got hold of since (`t.data`, a
graph) is left to them, and the program goes on with another. As whoever does so once may do it
after every step, Tensors are given copies for a while then.
"""

from collections.abc import Collection, Sequence
from operator import attrgetter, is_
from sys import getrefcount
from typing import Any

import numpy as np

from ..graph import clock, leaf
from ..tensor import Tensor
from .memory import aligned
from .program import Program
from .trace import ARRAY, GRAD, Place

ARRAY_OF = attrgetter("array")
AWHILE = 100
"""Steps for which Tensors are given copies after somebody had got hold of a buffer."""


def array_of(place: Place) -> Any:
    """What stands at the place of a Tensor now; None for a gradient that there is not."""
    if place.kind == "value":
        return ARRAY.__get__(place.holder)
    grad = GRAD.__get__(place.holder)
    return None if grad is None else ARRAY.__get__(grad)


class State:
    """The buffers of all places of a program.

    Attributes:
        buffers: of every place.
        read: the places of Tensors that are read: their buffers must hold what the Tensors hold.
        written: the places of Tensors that are written.

    Args:
        groups: places that stand side by side, each group as one.
    """

    def __init__(self, program: Program, groups: Sequence[Place] = ()) -> None:
        values = {
            place: np.asarray(getattr(x, "array", x))
            for place, x in {**program.stores, **program.inputs}.items()
        }
        self.groups = groups
        self.buffers: dict[Place, np.ndarray] = {
            p: p.holder if p.kind in ("number", "array") else aligned(value.shape, value.dtype)
            for p, value in values.items()
        }
        self.join(self.buffers)
        self.read = [p for p in program.inputs if p.kind in ("value", "gradient")]
        self.written = [p for p in program.stores if p.kind in ("value", "gradient")]
        self.gradients = any(p.kind == "gradient" for p in (*self.read, *self.written))
        self.held: list[int] = []
        self.copying = 0

    def settle(self) -> None:
        """Is called when all that will ever hold the buffers on our side holds them."""
        self.held = []
        values = [p for p in dict.fromkeys([*self.read, *self.written]) if p.kind == "value"]
        self.tensors = [place.holder for place in values]
        self.expected = [self.buffers[place] for place in values]
        self.targets = [self.buffers[place] for place in self.written]
        # Views of a buffer, such as `t.data`, hold the block of memory behind it.
        self.blocks = [x.base for x in self.targets]
        self.counts = list(map(getrefcount, self.targets))
        self.views = list(map(getrefcount, self.blocks))

    def is_settled(self) -> bool:
        """Whether the Tensors hold the buffers, and nobody else those that are written."""
        return (
            self.held == list(map(getrefcount, self.targets))
            and self.views == list(map(getrefcount, self.blocks))
            and all(map(is_, map(ARRAY_OF, self.tensors), self.expected))
            and not self.gradients
        )

    def is_ours(self) -> bool:
        """Whether nobody else holds what is about to be written into."""
        held = [array_of(p) is x for p, x in zip(self.written, self.targets, strict=True)]
        now = list(map(getrefcount, self.targets))
        expected = [n + by_tensor for n, by_tensor in zip(self.counts, held, strict=True)]
        return now == expected and self.views == list(map(getrefcount, self.blocks))

    def move(self) -> None:
        """Gives everything that is written another buffer, with the same content."""
        self.copying = AWHILE
        for place in self.written:
            old = self.buffers[place]
            self.buffers[place] = aligned(old.shape, old.dtype)
        self.join(self.written)

    def join(self, places: Collection[Place]) -> None:
        """Makes the buffers of those among these places that stand side by side slices of one."""
        for group in self.groups:
            if group.holder[0] not in places:
                continue
            shapes = [self.buffers[place].shape for place in group.holder]
            sizes = [self.buffers[place].size for place in group.holder]
            whole = aligned((sum(sizes),), self.buffers[group.holder[0]].dtype)
            self.buffers[group] = whole
            parts = np.split(whole, np.cumsum(sizes[:-1]))
            for place, part, shape in zip(group.holder, parts, shapes, strict=True):
                self.buffers[place] = part.reshape(shape)

    def fits(self) -> bool:
        """Whether every Tensor that is read still has the shape and dtype that were traced."""
        for place in self.read:
            buffer, array = self.buffers[place], array_of(place)
            if array is buffer:
                continue
            if array is None or array.shape != buffer.shape or array.dtype != buffer.dtype:
                return False
        return True

    def load(self) -> None:
        """Puts what the Tensors hold into the buffers, where it is not there already."""
        for place in self.read:
            buffer, array = self.buffers[place], array_of(place)
            if array is not buffer:
                np.copyto(buffer, array)

    def store(self) -> None:
        """Gives the Tensors what was computed."""
        given = list(map(np.copy, self.targets)) if self.copying else self.targets
        for k, place in enumerate(self.written):
            put(place, given[k])
        self.copying -= self.copying > 0
        self.held = list(map(getrefcount, self.targets))


def put(place: Place, buffer: np.ndarray) -> None:
    """Makes a buffer the array of a Tensor, or of its gradient."""
    if place.kind == "value":
        ARRAY.__set__(place.holder, buffer)
        place.holder.order = clock()
    else:
        GRAD.__set__(place.holder, leaf(Tensor, buffer.copy()))
