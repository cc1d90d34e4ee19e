"""A function at a point: its numbers as flat arrays, and its value near by, whatever made them."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from ..graph import Node
from ..tree import flatten, paths
from .adapters import Framework, framework_of
from .slope import Long, power_of_two

WIDER = {np.dtype(np.float16): np.float32, np.dtype(np.float32): np.float64}
Function = Callable[[Any], Any]
EPS64 = 2.0**-52
DIFFERS = (
    "two calls at the same point gave {} and {}: fix the random seed inside the function, or keep "
    "its state out of it"
)


def numbers(y: Any) -> np.ndarray:
    """What f returned, as an array of NumPy's.

    Raises:
        TypeError: it is not an array of real numbers.
    """
    found = None if y is None or isinstance(y, dict | tuple) else framework_of(y).array(y)
    if found is None or np.asarray(found).dtype.kind not in "fiub":
        what = type(y).__name__ if found is None else f"{np.asarray(found).dtype} numbers"
        raise TypeError(
            f"f should return a number or an array of real ones, got {what}; write, for example, "
            "np.sum(y), or of complex ones np.sum(np.abs(y) ** 2)"
        )
    return np.asarray(found)


def distinct(shape: tuple[int, ...], dtype: Any) -> Any:
    """Weights of an output, all different and exact in its dtype: swapped outputs are seen."""
    rng = np.random.default_rng(0)
    n = int(np.prod(shape))
    steps = power_of_two(n + 1) * 2
    v = (1 + rng.permutation(n) / steps) * rng.choice([-1, 1], n)
    return v.astype(dtype).astype(np.float64).reshape(shape)


def spacing(x: Any) -> float:
    """The spacing of the numbers of an array, next to 1."""
    return float(np.finfo(x.dtype).eps) if x.dtype.kind == "f" else EPS64


class Point:
    """f at x: x is a tree of arrays and numbers, of NumPy's, ours, PyTorch's or JAX's.

    Attributes:
        arrays: the floating-point leaves of x as NumPy arrays of our own.
        names: of these leaves.
        value: f(x), contracted with fixed weights if it is not one number.
        eps: the spacing of the numbers that f takes and returns, next to 1; the coarser counts.
        notes: what the report should mention.
        calls: how often f has been called.
    """

    def __init__(self, f: Function, x: Any, name: str = "x", arrays: Any = None) -> None:
        self.f = f
        self.x = x
        self.name = name
        self.notes: list[str] = []
        self.calls = 0
        self.leaves, self.rebuild = flatten(x)
        self.frameworks: list[Framework] = [framework_of(leaf) for leaf in self.leaves]
        given = [np.array(fw.array(v)) for fw, v in zip(self.frameworks, self.leaves, strict=True)]
        self.moving = [k for k, a in enumerate(given) if a.dtype.kind == "f"]
        if not self.moving and any(a.dtype.kind in "iu" for a in given):
            self.moving = [k for k, a in enumerate(given) if a.dtype.kind in "iu"]
            self.notes.append(f"{name} holds integers; checked as float64")
            given = [a.astype(np.float64) if a.dtype.kind in "iu" else a for a in given]
        elif held := [n for n, a in zip(paths(x, name), given, strict=True) if a.dtype.kind != "f"]:
            self.notes.append(f"held constant, as they are not floating-point: {', '.join(held)}")
        self.arrays = [given[k] for k in self.moving] if arrays is None else arrays
        self.names = [paths(x, name)[k] for k in self.moving]
        self.shape: tuple[int, ...] = ()
        self.weights: Any = None
        y = self.output(self.arrays)
        self.shape = y.shape
        self.eps = max([spacing(y), *map(spacing, self.arrays)])
        self.dtype = y.dtype if y.dtype.kind == "f" else np.dtype(np.float64)
        if y.size != 1:
            self.weights = distinct(y.shape, self.dtype)
            self.notes.append(
                f"{name} ↦ output of shape {y.shape}: checked through Σ v·f(x), v fixed and random"
            )
        self.value = self.contract(y)
        if self.eps > EPS64 and self.framework.wider:
            coarse = np.float16 if self.eps == np.finfo(np.float16).eps else np.float32
            self.notes.append(
                f"measured in {coarse.__name__}; for a sharper answer in float64: "
                f"{self.framework.wider}"
            )

    @property
    def framework(self) -> Framework:
        return self.frameworks[self.moving[0]] if self.moving else framework_of(0.0)

    @property
    def size(self) -> int:
        return sum(a.size for a in self.arrays)

    def tree(self, arrays: Sequence[Any]) -> Any:
        """x with these arrays, or Tensors, in the place of its floating-point leaves."""
        leaves = list(self.leaves)
        for k, array in zip(self.moving, arrays, strict=True):
            leaf = self.leaves[k]
            leaves[k] = array if isinstance(array, Node) else self.frameworks[k].like(array, leaf)
        return self.rebuild(leaves)

    def output(self, arrays: Sequence[Any]) -> np.ndarray:
        """What f returns, as an array."""
        self.calls += 1
        with np.errstate(all="ignore"):
            return numbers(self.f(self.tree(arrays)))

    def contract(self, y: np.ndarray) -> Any:
        return Long(y.reshape(())) if self.weights is None else np.sum(self.weights * Long(y))

    def __call__(self, arrays: Sequence[Any]) -> Any:
        """The value of f at these arrays; NaN where f raises an error."""
        try:
            y = self.output(arrays)
        except Exception:  # any error of theirs says that f is not defined there
            return Long(np.nan)
        return self.contract(y) if y.shape == self.shape else Long(np.nan)

    def impurity(self) -> str:
        """Why this is not a function: called twice, it should give the same and change nothing."""
        arrays = [a.copy() for a in self.arrays]
        trees = [self.tree(arrays), self.tree(arrays)]
        results = []
        for tree in trees:
            self.calls += 1
            with np.errstate(all="ignore"):
                results.append(np.array(numbers(self.f(tree))))
            leaves, _ = flatten(tree)
            for k, array, name in zip(self.moving, self.arrays, self.names, strict=True):
                after = self.frameworks[k].array(leaves[k])
                if not np.array_equal(after, array, equal_nan=True):
                    return f"it changes its input {name}: work on a copy"
        if not np.array_equal(results[0], results[1], equal_nan=True):
            return DIFFERS.format(*results)
        return ""

    def rare_impurity(self) -> str:
        """The same by as many calls as show what is random in few of them, such as rare dropout."""
        for _ in range(20):
            again = self(self.arrays)
            if not np.array_equal(again, self.value, equal_nan=True):
                return DIFFERS.format(self.value, again)
        return ""

    @property
    def can_be_wider(self) -> bool:
        """Whether there are numbers with more digits than float64 has, for such arrays."""
        return self.framework.name == "NumPy" and bool(np.finfo(Long).eps < EPS64)

    def wider(self) -> "Point | None":
        """The same function at the same point in a wider dtype, if it computes in that dtype."""
        if self.framework.name != "NumPy" or not self.arrays:
            return None
        arrays = [a.astype(WIDER.get(a.dtype, Long)) for a in self.arrays]
        try:
            point = Point(self.f, self.x, self.name, arrays)
        except Exception:  # it does not take such numbers
            return None
        return point if point.eps < self.eps else None

    def moved(self, arrays: Sequence[Any]) -> "Point":
        """The same function at another point."""
        other = copy(self)
        other.arrays, other.calls = list(arrays), 0
        other.value = other(arrays)
        return other

    def along(self, u: Sequence[Any]) -> Callable[[float], tuple[Any, float]]:
        """t ↦ f(x + t·u), and the step t."""

        def phi(t: float) -> tuple[Any, float]:
            if t == 0:
                return self.value, 0.0
            step = [a + np.asarray(t * d, a.dtype) for a, d in zip(self.arrays, u, strict=True)]
            return self(step), t

        return phi

    def along_element(self, k: int, index: tuple[int, ...]) -> Callable[[float], tuple[Any, float]]:
        """t ↦ f at x with t added to one element of array k, and the step that rounding leaves."""
        arrays = [a.copy() for a in self.arrays]
        here = arrays[k][index]

        def phi(t: float) -> tuple[Any, float]:
            if t == 0:
                return self.value, 0.0
            there = here + here.dtype.type(t)
            arrays[k][index] = there
            value = self(arrays)
            arrays[k][index] = here
            return value, float(Long(there) - Long(here))

        return phi
