"""The Tensors and arrays that a program reads and writes, and the buffers they are computed in.

An array of a Tensor never changes under somebody who holds it. A buffer that only the Tensor and
the program hold is written in place; one that somebody else has got hold of since (`t.data`, a
graph) is left to them, and the program goes on with another. As whoever does so once may do it
after every step, Tensors are given copies for a while then.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter, is_, or_
from sys import getrefcount
from typing import Any

import numpy as np

from ..graph import clock, leaf
from ..tensor import Tensor
from .dtypes import dtype_of, shape_of
from .memory import aligned
from .program import Program
from .trace import ARRAY, GRAD, Condition, Place

ARRAY_OF = attrgetter("array")
FORM_OF = attrgetter("shape", "strides", "dtype")
AWHILE = 100
"""Steps for which Tensors are given copies after somebody had got hold of a buffer."""


def all_hold(required: Iterable[tuple[Place, Condition]], leaves: Sequence[Any]) -> bool:
    """Whether what is required of places is true, given the leaves of the arguments."""
    for place, condition in required:
        if place.kind == "argument":
            x = leaves[place.holder]
        else:
            x = array_of(place) if place.kind in ("value", "gradient") else place.holder
        if not condition(getattr(x, "array", x)):
            return False
    return True


def array_of(place: Place) -> Any:
    """What stands at the place of a Tensor now; None for a gradient that there is not."""
    if place.kind == "value":
        return ARRAY.__get__(place.holder)
    grad = GRAD.__get__(place.holder)
    return None if grad is None else ARRAY.__get__(grad)


class Watched:
    """The buffers of some places, and how many hold them: to know whether anybody else does."""

    def __init__(self, places: list[Place], buffers: dict[Place, np.ndarray]) -> None:
        self.places = places
        self.buffers = [buffers[place] for place in places]
        # Views of a buffer, such as `t.data`, hold the block of memory behind it.
        self.blocks = [x.base for x in self.buffers]
        self.alone = self.holders()

    def holders(self) -> tuple[list[int], list[int]]:
        """How many hold each buffer, and each block."""
        return list(map(getrefcount, self.buffers)), list(map(getrefcount, self.blocks))

    def in_tensors(self) -> list[bool]:
        """Which buffers the Tensors hold."""
        return [array_of(p) is x for p, x in zip(self.places, self.buffers, strict=True)]

    def ours(self) -> list[bool]:
        """Which buffers nobody holds but the program and the Tensors."""
        counted = zip(*self.holders(), *self.alone, self.in_tensors(), strict=True)
        return [n == m + by_tensor and v == w for n, v, m, w, by_tensor in counted]


class State:
    """The buffers of all places of a program.

    Attributes:
        buffers: of every place.
        read: the places of Tensors that are read: their buffers must hold what the Tensors hold.
        written: the places of Tensors that are written.
        lent: those only read, of Tensors without a gradient, such as data: they hold the buffers.

    Args:
        groups: places that stand side by side, each group as one.
    """

    def __init__(self, program: Program, groups: Sequence[Place] = ()) -> None:
        self.groups = groups
        self.buffers: dict[Place, np.ndarray] = {}
        ends = {**program.stores, **program.inputs}
        self.forms = {place: (shape_of(x), dtype_of(x)) for place, x in ends.items()}
        own = [place for place in self.forms if place.kind in ("number", "array")]
        self.buffers |= {place: place.holder for place in own}
        self.arrays = [place.holder for place in own if place.kind == "array"]
        self.array_forms = list(map(FORM_OF, self.arrays))
        self.allocate([place for place in self.forms if place not in self.buffers])
        self.read = [p for p in program.inputs if p.kind in ("value", "gradient")]
        self.written = [p for p in program.stores if p.kind in ("value", "gradient")]
        alone = [p for p in self.read if p.kind == "value" and p not in program.stores]
        self.lent = [p for p in alone if not p.holder.tracked]
        self.gradients = any(p.kind == "gradient" for p in (*self.read, *self.written))
        self.held: Any = None
        self.copying = 0

    def allocate(self, places: Iterable[Place]) -> None:
        """Gives places new buffers; of those that stand side by side all, slices of one."""
        alone = set(places)
        for group in self.groups:
            if not alone.isdisjoint(group.holder):
                alone -= set(group.holder)
                self.allocate_together(group)
        for place in alone:
            self.buffers[place] = aligned(*self.forms[place])

    def allocate_together(self, group: Place) -> None:
        shapes, dtypes = zip(*(self.forms[place] for place in group.holder), strict=True)
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
        whole = self.buffers[group] = aligned((int(ends[-1]),), dtypes[0])
        parts = np.split(whole, ends[:-1])
        for place, shape, part in zip(group.holder, shapes, parts, strict=True):
            self.buffers[place] = part.reshape(shape)

    def settle(self) -> None:
        """Is called when all that will ever hold the buffers on our side holds them."""
        self.held = None
        values = [p for p in dict.fromkeys([*self.read, *self.written]) if p.kind == "value"]
        self.tensors = [place.holder for place in values]
        self.expected = [self.buffers[place] for place in values]
        self.targets = Watched(self.written, self.buffers)
        self.loans = Watched(self.lent, self.buffers)

    def is_settled(self) -> bool:
        """Whether the Tensors hold the buffers, and nobody else those that are written."""
        return (
            self.held == self.targets.holders()
            and all(map(is_, map(ARRAY_OF, self.tensors), self.expected))
            and not self.gradients
            and list(map(FORM_OF, self.arrays)) == self.array_forms
        )

    def is_ours(self) -> bool:
        """Whether nobody else holds what is about to be written into, here or by the program."""
        kept = map(or_, self.loans.in_tensors(), self.loans.ours())
        return all(self.targets.ours()) and all(kept)

    def move(self) -> None:
        """Gives everything that is written into other buffers, of which `load` fills some."""
        self.copying = AWHILE
        self.allocate([*self.written, *self.lent])

    def fits(self) -> bool:
        """Whether all that is read still has the shape and dtype that were traced."""
        if list(map(FORM_OF, self.arrays)) != self.array_forms:
            return False
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
        for place in self.lent:
            ARRAY.__set__(place.holder, self.buffers[place])

    def store(self) -> None:
        """Gives the Tensors what was computed."""
        buffers = self.targets.buffers
        given = list(map(np.copy, buffers)) if self.copying else buffers
        for k, place in enumerate(self.written):
            put(place, given[k])
        self.copying -= self.copying > 0
        self.held = self.targets.holders()


def put(place: Place, buffer: np.ndarray) -> None:
    """Makes a buffer the array of a Tensor, or of its gradient."""
    if place.kind == "value":
        ARRAY.__set__(place.holder, buffer)
        place.holder.order = clock()
    else:
        GRAD.__set__(place.holder, leaf(Tensor, buffer.copy()))
