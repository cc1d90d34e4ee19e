"""Steps that the tests of jit compile, the data they take, and how results are compared."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.jit import TraceError

KNOWN = json.loads(Path(__file__).with_name("seed_trajectories.json").read_text())
each_backend = pytest.mark.parametrize(
    "backend", ["numpy", pytest.param("llvm", marks=pytest.mark.native)]
)
both = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
X = np.array([1.0, 2.0])
A, B = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.1]]), np.array([[1.0, 0], [0, 1], [1, 1]])


def same(x, y, backend, tolerance=1e-12):
    """Equal to the bit in a replay with NumPy, and closely in native code; nested or not."""
    if isinstance(y, dict):
        assert list(x) == list(y)
        x, y = list(x.values()), list(y.values())
    if isinstance(y, list | tuple):
        assert len(x) == len(y)
        for a, b in zip(x, y, strict=True):
            same(a, b, backend, tolerance)
        return
    if not isinstance(y, np.ndarray | np.generic | Tensor):
        assert x == y
        return
    assert isinstance(x, Tensor) == isinstance(y, Tensor)
    x, y = (z.data if isinstance(z, Tensor) else z for z in (x, y))
    assert (x.shape, x.dtype) == (y.shape, y.dtype)
    if backend == "numpy":
        np.testing.assert_array_equal(x, y)
    else:
        scale = np.max(np.abs(y), initial=0.1)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)


def never_stale(step, eager, change, *args, calls=3):
    """After some calls, and again after a change: what eager gives, or an error; never else."""
    for _ in range(calls):
        np.testing.assert_array_equal(step(*args), eager(*args))
    for _ in range(2):
        change()
        for _ in range(2):
            try:
                found = step(*args)
            except TraceError:
                return "refused"
            np.testing.assert_array_equal(found, eager(*args))
    return "seen"


class Training:
    """A model, its optimizer and a step that trains it, the same each time it is made."""

    def __init__(self, model, loss=nn.mse_loss, **settings):
        self.model = model
        self.loss = loss
        self.optimizer = optim.SGD(model.parameters(), **{"lr": 0.1, **settings})

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @property
    def state(self):
        return self.model.state_dict(), self.optimizer.state_dict()


def perceptron(run=KNOWN["runs"][0], lr=1.0, **settings):
    model = nn.Perceptron(3)
    model.weight.data, model.bias.data = run["initial_weights"], run["initial_bias"]
    return Training(model, lr=lr, **settings)


def network(dtype=np.float64, outputs=3, loss=nn.mse_loss, **settings):
    rng = np.random.default_rng(3)
    layer = lambda *sizes: nn.Linear(*sizes, rng=rng, dtype=dtype)
    model = nn.Sequential(layer(5, 8), nn.ReLU(), layer(8, outputs))
    return Training(model, loss, **settings)


def batch(dtype=np.float64, n=7, inputs=5, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, inputs)).astype(dtype), rng.normal(size=(n, outputs)).astype(dtype)


def classes(n=7, outputs=3, seed=0):
    return np.random.default_rng(seed).integers(outputs, size=n)


def pair(make, *args, **kwargs):
    """The same training twice: to run eagerly, and compiled."""
    return make(*args, **kwargs), make(*args, **kwargs)


def training(*layers, **settings):
    """A model, its optimizer and a step that finds both in its closure, not in an object."""
    model = nn.Sequential(*layers)
    optimizer = optim.SGD(model.parameters(), **{"lr": 0.1, **settings})

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return model, optimizer, step


def linear(seed=0):
    return nn.Linear(2, 2, rng=np.random.default_rng(seed))


def equal_states(a, b):
    for (name, x), (other, y) in zip(a.state_dict().items(), b.state_dict().items(), strict=True):
        assert name == other
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12, atol=1e-14)
