"""The model of an estimator: how it is made, what it says of rows, and its weights."""

from typing import Any

import numpy as np

from .. import nn
from ..graph import no_grad
from ..nn.init import xavier_uniform
from ..random import Rng
from .arguments import ACTIVATIONS, sizes
from .settings import Settings


def new_model(settings: Settings, features: int, outputs: int, dtype: Any, rng: "Rng") -> nn.MLP:
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
