"""Data and hand-derived gradients of the tutorial "Build Your Own Neural Network in Go"."""

from typing import Any

import numpy as np

from .rules import sigmoid

X = np.array([[0.0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 0]])
Y = np.array([0.0, 1, 1, 0])
SAMPLES = np.array([[0.0, 1, 0], [1, 0, 1]])
"""What the tutorial predicts after training."""


def descent(x: Any, y: Any, w: Any, b: Any) -> tuple[Any, Any]:
    """The descent direction of one sample, halved: gradW and gradB of the tutorial.

    gradW = −(ŷ − y)·ŷ·(1 − ŷ)·x and gradB without x, where ŷ = σ(w·x + b); x, w of shape (d,).
    """
    a = sigmoid(np.dot(w, x) + b)
    d = -(a - y) * a * (1 - a)
    return d * x, d


def gradient(X: Any, Y: Any, w: Any, b: Any) -> tuple[Any, Any]:
    """∂L/∂w = (2/n)·Xᵀ[(a − y) ⊙ a ⊙ (1 − a)] and ∂L/∂b, of the mean squared error L.

    X of shape (n, d), Y (n,), w (d,), b ().
    """
    a = sigmoid(X @ w + b)
    d = (a - Y) * a * (1 - a)
    return 2 / len(X) * X.T @ d, 2 / len(X) * np.sum(d)
