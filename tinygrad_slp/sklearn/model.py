"""What the estimators ask of their model: its outputs, and its layers that have weights."""

import numpy as np

from .. import nn
from ..tensor import no_grad


def outputs(model: nn.MLP, X: np.ndarray) -> np.ndarray:
    """What a model in `eval()` makes of X, as an array."""
    with no_grad():
        z: np.ndarray = model(X).data
    return z


def linear_layers(model: nn.MLP) -> list[nn.Linear]:
    return [layer for layer in model if isinstance(layer, nn.Linear)]
