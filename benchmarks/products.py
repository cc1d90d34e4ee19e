"""Products of matrices of compiled steps: in tiles of our own beside the BLAS, on one thread.

    python benchmarks/products.py

The choice in `tinygrad_slp/jit/llvm/products.py` follows from these times, of float32, which
include keeping each result. "Wᵀ" is a second factor of which the columns are contiguous, as in
`x @ W.T`; "xᵀ" is such a first factor, as in a gradient of W. Needs llvmlite.
"""

from timing import medians  # before NumPy: it sets the number of threads

# isort: split
import numpy as np

from tinygrad_slp import jit
from tinygrad_slp.jit.llvm import products

SIZES = [
    (32, 32, 64, "Wᵀ"), (32, 64, 32, "W"), (32, 32, 10, "W"), (256, 64, 64, "W"),
    (64, 64, 4096, "xᵀ"), (128, 512, 128, "Wᵀ"), (128, 512, 784, "Wᵀ"), (128, 512, 512, "W"),
    (512, 784, 128, "xᵀ"), (32, 2048, 2048, "W"), (1024, 1024, 1024, "W"),
]  # fmt: skip
FUNCTIONS = {"W": lambda x, w: x @ w, "Wᵀ": lambda x, w: x @ w.T, "xᵀ": lambda x, w: x.T @ w}


def steps(m, n, k):
    """How many products take some milliseconds."""
    return max(1, 100_000_000 // (m * n * k))


def product(m, n, k, order, blas):
    """A function that computes some products of (m, k) and (k, n) in native code."""
    rng = np.random.default_rng(0)
    shapes = (k, m) if order == "xᵀ" else (m, k), (n, k) if order == "Wᵀ" else (k, n)
    x, w = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
    step = jit(FUNCTIONS[order], backend="llvm")
    usual, products.by_blas = products.by_blas, lambda x, y: blas
    try:
        for _ in range(3):
            step(x, w)
    finally:
        products.by_blas = usual
    return lambda: step.loop(steps(m, n, k), x, w)


def main():
    for m, n, k, order in SIZES:
        functions = {blas: product(m, n, k, order, blas) for blas in (False, True)}
        time = medians(functions, repeat=1, rounds=15)
        tiles, library = (time[blas] / steps(m, n, k) * 1e6 for blas in (False, True))
        print(
            f"({m}, {k}) by ({k}, {n}), {order:<2}   tiles {tiles:9.2f} µs   BLAS {library:9.2f} µs"
            f"   {tiles / library:5.2f}x"
        )


if __name__ == "__main__":
    main()
