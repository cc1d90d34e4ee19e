"""Classification problems made by a formula: points X (n, d) float64 and classes y (n,) int64.

The classes have equal numbers of points, to one, and the points come in random order. `rng` is a
Generator, or a seed; `noise` the deviation of the normal noise on each coordinate.
"""

import numpy as np

from ..checks import at_least, number, whole
from ..random import Seed

Data = tuple[np.ndarray, np.ndarray]

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GATES = {
    "and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0),
    "nand": (1, 1, 1, 0), "nor": (1, 0, 0, 0), "xnor": (1, 0, 0, 1),
}  # fmt: skip


def gates(name: str) -> Data:
    """The truth table of a logic gate: X (4, 2) with rows 00, 01, 10, 11, and y (4,).

    Raises:
        ValueError: the name is not one of and, or, xor, nand, nor, xnor.
    """
    if name not in GATES:
        raise ValueError(f"gates are {', '.join(GATES)}; got {name!r}")
    return CORNERS.copy(), np.array(GATES[name], dtype=np.int64)


def xor(n: int = 200, noise: float = 0.1, *, rng: Seed = None) -> Data:
    """X (n, 2) about the corners of the unit square; y is the XOR of the corner.

    Raises:
        ValueError: fewer points than corners, or negative noise.
    """
    corner = shares(n, 4)
    return finished(CORNERS[corner], gates("xor")[1][corner], noise, rng)


def two_moons(n: int = 200, noise: float = 0.1, *, rng: Seed = None) -> Data:
    """X (n, 2) on two half circles of radius 1 that reach into each other; y is which.

    The curves of scikit-learn's make_moons.

    Raises:
        ValueError: fewer than two points, or negative noise.
    """
    y = shares(n, 2)
    t, side = np.pi * along(y), 1 - 2 * y
    X = np.stack([y + side * np.cos(t), 0.5 * y + side * np.sin(t)], axis=1)
    return finished(X, y, noise, rng)


def spirals(
    n: int = 300, classes: int = 3, noise: float = 0.02, *, turns: float = 0.75, rng: Seed = None
) -> Data:
    """X (n, 2) on as many arms as classes, set apart by equal angles; y is the arm.

    An arm makes `turns` turns on its way from radius 0.1 to 1.

    Raises:
        ValueError: fewer points than classes, or negative noise.
    """
    y = shares(n, classes)
    turns = number("turns", turns)
    r = 0.1 + 0.9 * along(y)
    angle = 2 * np.pi * (turns * r + y / classes)
    X = r[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return finished(X, y, noise, rng)


def blobs(
    n: int = 200, classes: int = 3, features: int = 2, noise: float = 1.0, *, rng: Seed = None
) -> Data:
    """X (n, features) about as many centres as classes, drawn evenly from ±10; y is which.

    Raises:
        ValueError: fewer points than classes, or negative noise.
    """
    y = shares(n, classes)
    rng = np.random.default_rng(rng)
    centres = rng.uniform(-10, 10, (classes, whole("features", features, 1)))
    return finished(centres[y], y, noise, rng)


def shares(n: int, classes: int) -> np.ndarray:
    """n class indices, sorted, each as often as any other, to one."""
    if not whole("classes", classes, 1) <= whole("n", n):
        raise ValueError(f"{n} points are too few for {classes} groups of at least one point each")
    return np.arange(n, dtype=np.int64) * classes // n


def along(y: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1, evenly for each class of the sorted y."""
    return np.concatenate([np.linspace(0, 1, count) for count in np.bincount(y.astype(np.intp))])


def finished(X: np.ndarray, y: np.ndarray, noise: float, rng: Seed) -> Data:
    """The points in random order, with noise."""
    noise = at_least("noise", noise, 0)
    rng = np.random.default_rng(rng)
    order = rng.permutation(len(y))
    return X[order] + rng.normal(0, noise, X.shape), y[order]
