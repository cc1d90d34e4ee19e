"""What a step returns: the same kinds of things from replays, and of many steps stacked."""

from collections.abc import Callable
from operator import itemgetter, methodcaller
from typing import Any

import numpy as np

from ..graph import Node, leaf
from ..tensor import Tensor
from ..tree import flatten, leaves_like
from .trace import Recording
from .tracer import Tracer


class Results:
    """Makes of arrays what a step returned when it was traced.

    Attributes:
        kinds: for each leaf, what makes the array of a back end the leaf of a step.
    """

    def __init__(self, seen: Recording) -> None:
        self.rebuild = seen.rebuild
        self.computed = [isinstance(output, Node) for output in seen.outputs]
        self.tensors = [isinstance(x, Tensor) for x in seen.leaves]
        self.kinds: list[Any] = [
            finisher(x) if computed else constant(x)
            for x, computed in zip(seen.leaves, self.computed, strict=True)
        ]
        self.is_leaf = self.computed == [True] and seen.rebuild([seen]) is seen

    def of_one(self, arrays: list[np.ndarray]) -> Any:
        """What one step returns, given what stands in the buffers of the back end."""
        if self.is_leaf:
            return self.kinds[0](arrays[0])
        given = iter(arrays)
        return self.rebuild(
            [f(next(given)) if c else f() for f, c in zip(self.kinds, self.computed, strict=True)]
        )

    def of_many(self, n: int, arrays: list[np.ndarray]) -> Any:
        """What n steps return, stacked."""
        given = iter(arrays)
        leaves = [
            next(given) if computed else repeated(n, x())
            for x, computed in zip(self.kinds, self.computed, strict=True)
        ]
        return self.rebuild(
            [leaf(Tensor, x) if t else x for x, t in zip(leaves, self.tensors, strict=True)]
        )


def finisher(x: Any) -> Callable[[np.ndarray], Any]:
    """What makes a result of the kind of x of an array that will be used again."""
    value = x.now if isinstance(x, Tracer) else x.array if isinstance(x, Tensor) else x
    if isinstance(value, np.ndarray):
        finish: Callable[[np.ndarray], Any] = methodcaller("copy")
    else:
        finish = itemgetter(()) if isinstance(value, np.generic) else methodcaller("item")
    return (lambda x: leaf(Tensor, finish(x))) if isinstance(x, Tensor) else finish


def constant(x: Any) -> Callable[[], Any]:
    """What gives a result that is the same each time, but is the caller's own."""
    if isinstance(x, Tensor):
        return lambda: leaf(Tensor, np.copy(x.array))
    if isinstance(x, np.ndarray):
        return x.copy
    return lambda: x


def repeated(n: int, x: Any) -> np.ndarray:
    """n times the same value, as an array."""
    array = np.asarray(getattr(x, "array", x))
    return np.broadcast_to(array, (n, *array.shape)).copy()


# --- of steps that ran one by one ---


def stacked(results: list[Any]) -> Any:
    """The results of steps, with a first axis for the steps."""
    return zipped(np.stack, *results)


def joined(parts: list[Any]) -> Any:
    """Results that are stacked already, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return zipped(np.concatenate, *parts) if parts else np.zeros(0)


def reshaped(results: Any, epochs: int | None, n: int) -> Any:
    """The results with an axis for the epochs, if there are epochs."""
    if epochs is None:
        return results
    return zipped(lambda parts: parts[0].reshape(epochs, n, *parts[0].shape[1:]), results)


def zipped(f: Callable[[list[Any]], Any], *trees: Any) -> Any:
    """f of the leaves that are at the same place in all trees."""

    def of_leaves(*leaves: Any) -> Any:
        if isinstance(leaves[0], Tensor):
            return leaf(Tensor, f([x.array for x in leaves]))
        return f([np.asarray(x) for x in leaves])

    _, rebuild = flatten(trees[0])
    return rebuild(list(map(of_leaves, *(leaves_like(x, trees[0]) for x in trees))))
