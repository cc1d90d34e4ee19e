"""The Tensors and arrays that a program reads and writes, and the buffers they are computed in.

The value of a Tensor that is written is in a buffer, see `buffers`; what is only read is read where
it is, like an argument.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..checks import Condition
from ..graph import leaf
from ..tensor import Tensor
from .buffers import GRAD, array_of, fetches, has_array, is_at_home, take, value_of
from .dtypes import dtype_of, shape_of
from .memory import aligned
from .program import Program
from .trace import Place

ARRAY_OF, LEFT_AS = attrgetter("array"), attrgetter("order", "tracked")
FORM_OF = attrgetter("shape", "strides", "dtype")


def all_hold(required: Iterable[tuple[Place, Condition]], leaves: Sequence[Any]) -> bool:
    """Whether what is required of places is true, given the leaves of the arguments."""
    for place, condition in required:
        x = leaves[place.holder] if place.kind == "argument" else current(place)
        if not condition(getattr(x, "array", x)):
            return False
    return True


def current(place: Place) -> Any:
    """What is at a place now, to be looked at; None for a gradient that there is not."""
    if place.kind == "value":
        return value_of(place.holder)
    if place.kind == "gradient":
        grad = GRAD.__get__(place.holder)
        return None if grad is None else value_of(grad)
    return place.holder


class State:
    """The buffers of all places of a program.

    Attributes:
        buffers: of every place.
        lent: the places of Tensors that are only read: the program reads their own arrays.

    Args:
        groups: places that are side by side, each group as one.
        seen: Tensors that the step finds by name.
        plain: whether buffers have to be in C order and aligned; an array of another layout is
            copied into one each time.
    """

    def __init__(
        self,
        program: Program,
        seen: Iterable[Tensor],
        groups: Sequence[Place] = (),
        plain: bool = False,
    ) -> None:
        self.groups = groups
        self.buffers: dict[Place, np.ndarray] = {}
        ends = {**program.stores, **program.inputs}
        self.forms = {place: (shape_of(x), dtype_of(x)) for place, x in ends.items()}
        own = [place for place in self.forms if place.kind in ("number", "array")]
        odd = [place for place in own if plain and not is_plain(place.holder)]
        self.buffers |= {place: place.holder for place in own if place not in odd}
        self.copied = [place for place in odd if place in program.inputs]
        self.arrays = [place.holder for place in own if place.kind == "array"]
        self.array_forms = list(map(FORM_OF, self.arrays))
        self.allocate([place for place in self.forms if place not in self.buffers])
        self.read = [p for p in program.inputs if p.kind in ("value", "gradient")]
        self.lent = [p for p in self.read if p.kind == "value" and p not in program.stores]
        self.read_grads = [p for p in self.read if p.kind == "gradient"]
        self.written_grads = [p for p in program.stores if p.kind == "gradient"]
        written = [place for place in program.stores if place.kind == "value"]
        self.tensors = [place.holder for place in written]
        self.homes = [self.buffers[place] for place in written]
        self.lenders = [place.holder for place in self.lent]
        self.arrays_lent: list[Any] = []
        self.followed = list(dict.fromkeys([*self.tensors, *self.lenders, *seen]))
        self.left: list[tuple[int, bool]] = []
        self.may_settle = not self.copied and not self.read_grads
        self.fetches = -1

    def allocate(self, places: Iterable[Place]) -> None:
        """Gives places buffers; to those that are side by side slices of one."""
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

    # --- before a step ---

    def is_settled(self) -> bool:
        """Whether all Tensors are as the last step left them: quickly."""
        return (
            self.may_settle
            and self.fetches == fetches[0]
            and list(map(LEFT_AS, self.followed)) == self.left
            and (not self.arrays or list(map(FORM_OF, self.arrays)) == self.array_forms)
        )

    def fits(self) -> bool:
        """Whether all that is read still has the shape and dtype that were traced."""
        if list(map(FORM_OF, self.arrays)) != self.array_forms:
            return False
        found = ((current(place), *self.forms[place]) for place in self.read)
        return all(x is not None and x.shape == s and x.dtype == d for x, s, d in found)

    def load(self) -> None:
        """Brings all buffers in step with the Tensors, and takes those that will be written."""
        for place in self.copied:
            np.copyto(self.buffers[place], place.holder)
        self.fetches = fetches[0]  # first, as another thread may fetch one meanwhile
        same = len(self.left) == len(self.followed)
        for k, (tensor, buffer) in enumerate(zip(self.tensors, self.homes, strict=True)):
            unset = same and tensor.order == self.left[k][0] and is_at_home(tensor, buffer)
            if not unset and not (is_at_home(tensor, buffer) and not has_array(tensor)):
                array = array_of(tensor)
                if np.shape(array) == buffer.shape:  # else it is written, and not read
                    np.copyto(buffer, array, casting="unsafe")
            take(tensor, buffer)
        for place in self.read_grads:
            np.copyto(self.buffers[place], current(place))
        self.arrays_lent = list(map(ARRAY_OF, self.lenders))
        self.left = list(map(LEFT_AS, self.followed))

    # --- after it ---

    def store(self) -> None:
        """Leaves gradients, and takes back what another thread fetched meanwhile."""
        if self.fetches != fetches[0]:
            for tensor, buffer, (order, _) in zip(
                self.tensors, self.homes, self.left, strict=False
            ):
                if tensor.order == order and is_at_home(tensor, buffer):
                    take(tensor, buffer)
            self.left = list(map(LEFT_AS, self.followed))
        for place in self.written_grads:
            GRAD.__set__(place.holder, leaf(Tensor, self.buffers[place].copy()))


def is_plain(x: np.ndarray) -> bool:
    return x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative
