"""Random numbers as pure functions of a state and a position, the same bits wherever they run.

Everything is arithmetic on arrays of 64-bit integers, modulo 2⁶⁴: `jit` records it like any other,
and the state is a Tensor, so that each replay of a compiled step draws new numbers.
"""

import math
from typing import Any, TypeAlias

import numpy as np

from .tensor import Tensor

# As texts: if they were looked at as code runs, np.random would be half the time of the import.
Rng: TypeAlias = "np.random.Generator"
Seed: TypeAlias = "np.random.Generator | int | None"

GOLDEN = 0x9E3779B97F4A7C15  # 2⁶⁴/φ, made odd: its multiples visit every state, far from the last


def mixed(z: Any) -> Any:
    """z with each bit made to depend on all bits: the finalizer of SplitMix64."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    return z ^ (z >> 31)


class Stream:
    """A stream of random numbers: SplitMix64, whose number i is mixed(start + i·GOLDEN).

    Each number depends on its place only, so a whole array is drawn at once, and no two draws of a
    stream overlap within its period of 2⁶⁴ (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, 2014, with the constants of Vigna's splitmix64.c; it passes BigCrush).

    Args:
        seed: an integer or a Generator, which gives the start; None for another one each time.

    Attributes:
        state: start + i·GOLDEN of the number drawn last, as a Tensor of shape (1,).
    """

    def __init__(self, seed: "Seed" = None) -> None:
        rng = np.random.default_rng(seed)
        self.state = Tensor(rng.integers(2**64, size=1, dtype=np.uint64))

    def bits(self, n: int) -> Any:
        """The next n numbers of 64 random bits, shape (n,)."""
        state = self.state.array
        self.state.renew(state + GOLDEN * n % 2**64)
        return mixed(state + GOLDEN * np.arange(1, n + 1, dtype=np.uint64))

    def uniform(self, shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
        """Numbers drawn evenly from [0, 1), with as many of 64 bits as the dtype can tell apart."""
        digits = min(np.finfo(dtype).nmant + 1, 64)  # a long double of some machines has 113
        whole = self.bits(math.prod(shape)) >> (64 - digits)
        return (whole.astype(dtype) * 2.0**-digits).reshape(shape)
