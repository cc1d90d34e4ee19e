"""What one recorded operation costs: forward plus backward of a chain of small multiplications.

python benchmarks/operation.py
"""

import tracemalloc

import numpy as np
from timing import medians, verdict

from tinygrad_slp import Tensor

N = 1000
A = np.full((4, 3), 1.0)
C = np.full((4, 3), 1.0000001)


def bare():
    y = A
    for _ in range(N):
        y = np.multiply(y, C)


def recorded():
    y = Tensor(A, requires_grad=True)
    c = Tensor(C)
    for _ in range(N):
        y = y * c
    y.backward(A)


def bytes_per_node():
    """Memory that a node takes besides its array."""
    y, c = Tensor(A, requires_grad=True), Tensor(C)
    tracemalloc.start()
    arrays = [np.multiply(A, C) for _ in range(N)]
    for_arrays = tracemalloc.get_traced_memory()[0]
    for _ in range(N):
        y = y * c
    total = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (total - for_arrays - for_arrays) / len(arrays)


def main():
    time = medians({"bare": bare, "recorded": recorded}, repeat=3)
    for name, t in time.items():
        print(f"{name:<10} {t / N * 1e6:6.2f} µs an operation")
    print(f"a node     {bytes_per_node():6.0f} bytes besides its array\n")
    verdict("forward + backward / np.multiply", time["recorded"] / time["bare"], 2.4 / 0.28)


if __name__ == "__main__":
    main()
