"""The same network on a GPU: a Tensor holds the arrays of whatever library made them.

Only what draws its own numbers, as Dropout does, draws NumPy's, which CuPy takes no part in.
"""

from importlib import import_module
from time import perf_counter

import numpy as np

from tinygrad_slp import nn, optim


def two_rings(n):
    """Points in two rings, and which ring each is of."""
    rng = np.random.default_rng(0)
    ring = rng.integers(0, 2, size=n)
    angle, radius = rng.uniform(0, 2 * np.pi, size=n), 1 + ring + 0.1 * rng.normal(size=n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype(np.float32), ring


def train(asarray, epochs=60):
    """Trains with all arrays made by `asarray`; returns the first loss, the last, and the time."""
    x, ring = map(asarray, two_rings(500))
    model = nn.MLP([2, 64, 64, 2], nn.Tanh, rng=0, dtype=np.float32)
    for p in model.parameters():  # a network is where its parameters are
        p.data = asarray(p.data)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses, start = [], perf_counter()
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), ring)
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses[0].item(), losses[-1].item(), (perf_counter() - start) / epochs


for library in ("numpy", "cupy"):
    try:
        asarray = import_module(library).asarray
    except ImportError:
        print(f"{library}: not installed; on a machine with a GPU: pip install cupy-cuda13x")
        continue
    first, last, seconds = train(asarray)
    print(f"{library}: loss {first:.4f} → {last:.4f}, {seconds * 1e3:.1f} ms per step")
