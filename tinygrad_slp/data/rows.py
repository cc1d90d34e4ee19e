"""Rows of several arrays taken together: in batches, or in parts to train and to test on."""

import math
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np

from ..checks import flag, number, whole
from ..graph import Node
from ..random import Seed
from .arrays import as_numpy, foreign
from .column import column, listed


def batches(*arrays: Any, size: int, shuffle: Seed = None, drop_last: bool = False) -> "Batches":
    """The rows of the arrays, `size` at a time, as tuples:

        for X_b, y_b in batches(X, y, size=32, shuffle=0): ...

    Without `shuffle` the batches are in order, and views of the arrays.

    Args:
        arrays: of the same length: arrays, also of another library, Tensors, or what becomes an
            array.
        size: rows in a batch; the last one may have fewer.
        shuffle: a seed or a Generator, which draws another order in each epoch; the same seed
            gives the same orders.
        drop_last: leave out a last batch that is not full, so that all have one shape.

    Raises:
        ValueError: arrays of different length, no rows, or no batch at all.
        TypeError: shuffle=True, which says not in what order.
    """
    if isinstance(shuffle, bool):
        right = "a seed, as in shuffle=0" if shuffle else "nothing"
        raise TypeError(f"shuffle is a seed or a Generator, not {shuffle}: write {right}")
    rng = None if shuffle is None else np.random.default_rng(shuffle)
    flag("drop_last", drop_last)
    return Batches(together("batches", arrays), whole("size", size, 1), rng, drop_last)


class Batches:
    """Tuples of as many arrays as were given; each iteration is one epoch. Made by `batches`.

    `len()` is the number of batches. `rng` is the Generator that draws the orders, or None: its
    state is all that an interrupted training must keep to go on as if it had not been.
    """

    def __init__(
        self,
        arrays: tuple[Any, ...],
        size: int,
        rng: "np.random.Generator | None",
        drop_last: bool,
    ) -> None:
        self.arrays, self.size, self.rng = arrays, size, rng
        rows: int = arrays[0].shape[0]
        self.count = rows // size if drop_last else math.ceil(rows / size)
        if not self.count:
            raise ValueError(f"drop_last leaves no batch: {rows} rows are fewer than size={size}")

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        order = self.rng.permutation(self.arrays[0].shape[0]) if self.rng else None
        parts = (slice(k * self.size, (k + 1) * self.size) for k in range(self.count))
        rows = (part if order is None else order[part] for part in parts)
        return (tuple(a[row] for a in self.arrays) for row in rows)


def train_test_split(
    *arrays: Any, test_size: float = 0.2, stratify: Any = None, rng: Seed = None
) -> list[Any]:
    """Shuffled rows in two parts: `X_train, X_test, y_train, y_test = train_test_split(X, y)`.

    The order of the results is scikit-learn's, and so is the number of rows, given the same
    test_size; which rows, is not. Fit encoders after it, to the rows to train on: the others
    should not be known yet.

    Args:
        arrays: of the same length n: arrays, also of another library, whose rows they stay;
            Tensors; or tables, which are dicts of columns or DataFrames.
        test_size: a share of the rows, rounded up, or an int: how many.
        stratify: labels (n,); both parts get their share of each, to less than one row.
        rng: a Generator, or a seed.

    Raises:
        TypeError: an array whose length is not known.
        ValueError: arrays of different length; a part without rows, or, with stratify, with fewer
            rows than there are labels; a label that there is only once.
    """
    first, *_ = together("train_test_split", tuple(x for a in arrays for x in columns_of(a)))
    n = first.shape[0]
    size = number("test_size", test_size)
    count = int(size) if isinstance(test_size, Integral) else math.ceil(size * n)
    if not 0 < count < n:
        raise ValueError(
            f"test_size={test_size} of {n} rows leaves one part empty: it should be a share "
            "between 0 and 1, or a number of rows"
        )
    rng = np.random.default_rng(rng)
    chosen = np.arange(n) < count
    order = rng.permutation(n)
    if stratify is not None:
        _, labels = together("train_test_split", (first, column(stratify)))
        chosen = of_each(labels[order], count, rng)
    return [taken(a, rows) for a in arrays for rows in (order[~chosen], order[chosen])]


def is_frame(a: Any) -> bool:
    """Whether it is a pandas DataFrame, or like one."""
    return hasattr(a, "iloc") and hasattr(a, "columns")


def columns_of(a: Any) -> list[Any]:
    """What has the length of an array or table."""
    if isinstance(a, Mapping):
        return list(a.values())
    return [a.index] if is_frame(a) else [a]


def taken(a: Any, rows: np.ndarray) -> Any:
    """Some rows of an array or table; a table stays one."""
    if isinstance(a, Mapping):
        return {name: taken(x, rows) for name, x in a.items()}
    if is_frame(a):
        return a.iloc[rows]
    return indexable(a)[rows]


def indexable(a: Any) -> Any:
    """An array, of whatever library, as it is; everything else as an array of NumPy."""
    is_array = isinstance(a, Node | np.ndarray) or foreign(a) is a
    return a if is_array and hasattr(a, "__getitem__") else as_numpy("an array", a)


def of_each(labels: np.ndarray, count: int, rng: "np.random.Generator") -> np.ndarray:
    """`count` rows, as a mask (n,): of each label the first ones, in proportion to its number."""
    names, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if np.any(sizes < 2):
        raise ValueError(
            f"a label that occurs only once cannot be in both parts: {listed(names[sizes < 2])}"
        )
    if len(names) > min(count, len(labels) - count):
        raise ValueError(
            f"{len(names)} labels do not fit in both parts, {len(labels) - count} and {count} rows"
        )
    share, rest = np.divmod(sizes * count, len(labels))
    largest = np.lexsort((rng.random(len(names)), -rest))  # of equal remainders, any
    share[largest[: count - share.sum()]] += 1
    by_group = np.argsort(group, kind="stable")
    rank = np.empty_like(by_group)
    rank[by_group] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen: np.ndarray = rank < share[group]
    return chosen


def together(caller: str, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arrays, all of one length, which is not 0."""
    found = [indexable(a) for a in arrays]
    shapes = ", ".join(str(tuple(a.shape)) for a in found)
    if not found or not all(len(a.shape) for a in found):
        raise ValueError(f"{caller} takes arrays with rows, got {shapes or 'none'}")
    lengths = {a.shape[0] for a in found}
    if not all(isinstance(n, int) for n in lengths):  # as of a lazy array not yet computed
        raise TypeError(f"{caller} takes arrays of known length, got shapes {shapes}")
    if len(lengths) > 1:
        raise ValueError(f"{caller} takes arrays of one length, got shapes {shapes}")
    if not found[0].shape[0]:
        raise ValueError(f"{caller} got arrays without rows: {shapes}")
    return tuple(found)
