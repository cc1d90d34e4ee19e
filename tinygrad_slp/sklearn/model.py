"""The model of an estimator: how it is made, what it says of rows, and its weights."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn
from ..graph import no_grad
from ..nn.init import xavier_uniform
from .arguments import ACTIVATIONS, sizes

if TYPE_CHECKING:
    from .network import Network


def made(e: "Network", features: int, dtype: Any) -> nn.MLP:
    """A new model of an estimator's arguments."""
    return nn.MLP(
        [features, *map(int, sizes(e.hidden_layer_sizes)), e.n_outputs_],
        ACTIVATIONS[e.activation],
        e.dropout,
        e.norm,
        init=xavier_uniform,
        dtype=dtype,
        rng=e._rng,
    )


def outputs(model: nn.MLP, X: np.ndarray) -> np.ndarray:
    """What a model in `eval()` makes of X, as an array."""
    with no_grad():
        z: np.ndarray = model(X).data
    return z


def linear_layers(model: nn.MLP) -> list[nn.Linear]:
    return [layer for layer in model if isinstance(layer, nn.Linear)]
