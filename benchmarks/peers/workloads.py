"""The training workloads: data, initial weights and settings, the same for every peer."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MOMENTUM = 0.9
BETAS, EPS = (0.9, 0.999), 1e-8  # Adam's


class LeftOut(Exception):
    """Why a peer does not take part in a workload."""


def only(condition, reason):
    if not condition:
        raise LeftOut(reason)


@dataclass(frozen=True)
class Workload:
    """A network with the given layer sizes, trained on one batch again and again.

    mse: σ after the last layer, mean squared error. Otherwise softmax cross-entropy of class
    indices, the mean over the batch, with `activation` after every layer but the last.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    batch: int
    dtype: type
    activation: str
    optimizer: str
    lr: float
    steps_compared: int

    @property
    def mse(self):
        return self.activation == "sigmoid"

    @property
    def tolerance(self):
        """How far losses may be apart, relatively, after `steps_compared` steps."""
        return 1e-9 if self.dtype == np.float64 else 2e-3

    def data(self):
        """x of shape (B, I) and y: (B, O) for the squared error, else class indices (B,)."""
        if self.mse:
            x = np.array([[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 0]], self.dtype)
            return x, np.array([[0], [1], [1], [0]], self.dtype)
        rng = np.random.default_rng(1)
        x = rng.standard_normal((self.batch, self.sizes[0])).astype(self.dtype)
        return x, rng.integers(0, self.sizes[-1], self.batch)

    def parameters(self):
        """New arrays W (I, O) and b (O,) of every layer: [W₁, b₁, W₂, ...]."""
        rng = np.random.default_rng(2)
        arrays = []
        for inputs, outputs in pairwise(self.sizes):
            bound = 1 / np.sqrt(inputs)
            for shape in ((inputs, outputs), (outputs,)):
                arrays.append(rng.uniform(-bound, bound, shape).astype(self.dtype))
        return arrays


def large(name, title, optimizer, lr):
    sizes = (784, 512, 512, 10)
    return Workload(name, title, sizes, 128, np.float32, "relu", optimizer, lr, 10)


WORKLOADS = [
    Workload(
        "W1", "the tutorial's perceptron, 4 × 3, float64", (3, 1), 4, np.float64, "sigmoid", "sgd",
        1.0, 200,
    ),
    Workload(
        "W2", "MLP 64-32-10, tanh, batch 32, float32, SGD", (64, 32, 10), 32, np.float32, "tanh",
        "sgd", 0.1, 50,
    ),
    large("W3 momentum", "MLP 784-512-512-10, relu, batch 128, float32, SGD momentum 0.9",
          "momentum", 0.01),
    large("W3 Adam", "MLP 784-512-512-10, relu, batch 128, float32, Adam", "adam", 1e-3),
]  # fmt: skip
