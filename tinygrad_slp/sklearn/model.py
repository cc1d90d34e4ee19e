"""The model of an estimator, and the objective: what its training makes small."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import nn
from ..graph import no_grad
from ..nn.init import xavier_uniform
from ..random import Rng
from .arguments import ACTIVATIONS, sizes


def new_model(
    settings: SimpleNamespace, features: int, outputs: int, dtype: Any, rng: Rng
) -> nn.MLP:
    return nn.MLP(
        [features, *map(int, sizes(settings.hidden_layer_sizes)), outputs],
        ACTIVATIONS[settings.activation],
        settings.dropout,
        settings.norm,
        init=xavier_uniform,
        dtype=dtype,
        rng=rng,
    )


def outputs(model: nn.MLP, X: np.ndarray) -> np.ndarray:
    """What a model in `eval()` makes of X, as an array."""
    with no_grad():
        z: np.ndarray = model(X).data
    return z


def linear_layers(model: nn.MLP) -> list[nn.Linear]:
    return [layer for layer in model if isinstance(layer, nn.Linear)]


class Objective:
    """(Σ w·loss(z, y) + ½α Σ W²) / B, of a batch of B rows: scikit-learn's loss with its penalty.

    Args:
        loss: of outputs z and targets y, for each row, shape (B,).
        model: whose weights, but not biases, are penalised.
        alpha: of the penalty.
    """

    def __init__(self, loss: Callable[[Any, Any], Any], model: nn.MLP, alpha: float) -> None:
        self.loss = loss
        self.weights = [layer.weight for layer in linear_layers(model)] if alpha else []
        self.alpha = alpha

    def __call__(self, z: Any, y: Any, w: Any = None) -> Any:
        losses = self.loss(z, y)
        total = (losses if w is None else w * losses).sum()
        for W in self.weights:
            total = total + 0.5 * self.alpha * np.square(W).sum()
        return total / len(y)


def log_loss(z: Any, y: Any) -> Any:
    """Of class indices y (B,), given logits z (B, classes)."""
    return nn.cross_entropy(z, y, "none")


def binary_log_loss(z: Any, y: Any) -> Any:
    """Of y (B, 1), each 0 or 1, given logits z (B, 1)."""
    return nn.binary_cross_entropy_with_logits(z, y, "none").sum(axis=1)


def squared_error(z: Any, y: Any) -> Any:
    """½ Σ (z − y)² over the outputs: z and y (B, outputs)."""
    return 0.5 * nn.mse_loss(z, y, "none").sum(axis=1)
