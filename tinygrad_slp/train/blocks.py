"""Blocks: the batches of an epoch, many at a time, as arrays of shape (batches, B, ...)."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..data.arrays import as_numpy
from ..random import Rng, Seed
from ..tensor import Tensor

BLOCK = 2**24
"""About how many bytes of rows are copied at a time, when they are shuffled."""

Block = list[np.ndarray]


def feed(data: Any, size: int, what: str) -> "RowFeed | BatchFeed":
    """What gives the blocks of an epoch.

    Args:
        data: a tuple of arrays (n, ...), or an iterable of batches.
        size: of the batches that arrays are cut into.
        what: what an error calls the data.

    Raises:
        TypeError: it is neither, or not numeric.
        ValueError: arrays of different lengths, or none, or without rows.
    """
    if isinstance(data, tuple):
        return RowFeed(data, size, what)
    if isinstance(data, Iterator):
        raise TypeError(
            f"{what} is a {type(data).__name__}, which gives its batches once, and every epoch "
            "needs them: give the arrays themselves, (X, y), or a list of batches"
        )
    if isinstance(data, np.ndarray | Tensor) or not isinstance(data, Iterable):
        raise TypeError(
            f"{what} should be a tuple of arrays (X, y), or an iterable of batches (x, y); "
            f"got {type(data).__name__}"
        )
    return BatchFeed(data, what)


class RowFeed:
    """Arrays of the same length n, cut into batches of `size` rows; the last may be shorter.

    In the order given nothing is copied; shuffled, one block at a time is.
    """

    def __init__(self, data: tuple[Any, ...], size: int, what: str) -> None:
        self.arrays = numeric(data, what)
        lengths = [len(x) for x in self.arrays]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"the arrays of {what} should have as many rows each; "
                f"got shapes {', '.join(str(x.shape) for x in self.arrays)}"
            )
        self.n = lengths[0]
        if not self.n:
            raise ValueError(f"{what} has no rows: shapes {[x.shape for x in self.arrays]}")
        self.size = min(size, self.n)
        in_batch = self.size * max(1, sum(x.nbytes for x in self.arrays) // self.n)
        self.step = self.size * max(1, BLOCK // in_batch)

    def generator(self, shuffle: Seed) -> "Rng | None":
        """What shuffles the rows; None: nothing."""
        return None if shuffle is None else np.random.default_rng(shuffle)

    def blocks(self, rng: "Rng | None" = None) -> Iterator[Block]:
        """Whole batches in blocks, then what is left; with an rng, in a new random order."""
        order = None if rng is None else rng.permutation(self.n)
        whole = self.n - self.n % self.size
        for start in range(0, whole, self.step):
            yield self.block(order, start, min(start + self.step, whole), self.size)
        if whole < self.n:
            yield self.block(order, whole, self.n, self.n - whole)

    def block(self, order: np.ndarray | None, start: int, end: int, size: int) -> Block:
        rows = slice(start, end) if order is None else order[start:end]
        shape = (end - start) // size, size
        return [x[rows].reshape(*shape, *x.shape[1:]) for x in self.arrays]

    def first_bad(self) -> str:
        """The first row with NaN or infinity, in words."""
        bad = np.zeros(self.n, dtype=bool)
        for x in self.arrays:
            bad |= ~np.isfinite(x).reshape(self.n, -1).all(axis=1)
        return f"; the first such row of the data is row {int(np.argmax(bad))}" if bad.any() else ""


class BatchFeed:
    """Batches (x, y) that an iterable gives again each epoch, in its own order: blocks of one.

    If it has a Generator in a field `rng`, as `data.batches` has, that is what shuffles.
    """

    def __init__(self, data: Iterable[Any], what: str) -> None:
        self.data = data
        self.what = what

    def generator(self, shuffle: Seed) -> "Rng | None":
        rng = getattr(self.data, "rng", None)
        return rng if isinstance(rng, np.random.Generator) else None

    def blocks(self, rng: "Rng | None" = None) -> Iterator[Block]:
        k = 0
        for k, batch in enumerate(self.data, 1):
            if not isinstance(batch, tuple | list):
                raise TypeError(
                    f"batch {k} of {self.what} should be a tuple of arrays (x, y), "
                    f"got {type(batch).__name__}"
                )
            yield [x[None] for x in numeric(batch, f"batch {k} of {self.what}")]
        if not k:
            raise ValueError(f"{self.what} gave no batches")

    def first_bad(self) -> str:
        return ""


def numeric(arrays: Iterable[Any], what: str) -> list[np.ndarray]:
    """At least two arrays of numbers, each with rows.

    Raises:
        TypeError: an array of another library, or a Tensor that requires grad; or not numbers.
        ValueError: fewer arrays, or one without rows.
    """
    found = [as_numpy(f"array {k} of {what}", x) for k, x in enumerate(arrays)]
    if len(found) < 2:
        raise ValueError(f"{what} should be at least two arrays, (X, y); got {len(found)}")
    for k, x in enumerate(found):
        if x.dtype.kind not in "biuf":
            raise TypeError(f"array {k} of {what} has dtype {x.dtype}; encode it as numbers first")
        if not x.ndim:
            raise ValueError(
                f"array {k} of {what} is a single number; expected rows, of shape (n, ...)"
            )
    return found
