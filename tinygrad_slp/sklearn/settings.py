"""Settings and Task: all that a training knows of the estimator that asked for it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from .. import nn
from ..optim import Optimizer
from ..random import Rng


@dataclass(frozen=True)
class Settings:
    """The arguments of an estimator: see `MLPClassifier`."""

    hidden_layer_sizes: Any
    activation: str
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    max_iter: int
    shuffle: bool
    tol: float
    verbose: bool | int
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: float
    norm: str | None
    backend: str

    @classmethod
    def of(cls, estimator: Any) -> Self:
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class Task:
    """What is trained, and how it is judged.

    Attributes:
        loss: of outputs (B, n_outputs) and encoded targets, for each row.
        score: of outputs and encoded targets, and of weights, if there are any; more is better.
        classes: the labels; None for a regressor.
        rng: shuffles the rows and chooses those that are held out.
        optimizer: None for a search with all rows at once.
    """

    settings: Settings
    model: nn.MLP
    loss: Callable[[Any, Any], Any]
    score: Callable[..., float]
    classes: np.ndarray | None
    rng: "Rng"
    optimizer: Optimizer | None
