"""Task and Result: all that a training knows of its estimator, and what it tells it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from ..optim import Optimizer
from ..random import Rng


@dataclass(frozen=True)
class Task:
    """What is trained, and how it is judged.

    Attributes:
        settings: the arguments of the estimator as they are now: see `MLPClassifier`.
        loss: of outputs (B, n_outputs) and encoded targets, for each row.
        score: of outputs and encoded targets, and of weights, if there are any; more is better.
        classes: the labels; None for a regressor.
        rng: shuffles the rows and chooses those that are held out.
        optimizer: None for a search with all rows at once.
    """

    settings: SimpleNamespace
    model: nn.MLP
    loss: Callable[[Any, Any], Any]
    score: Callable[..., float]
    classes: np.ndarray | None
    rng: Rng
    optimizer: Optimizer | None


class Result(NamedTuple):
    """How a training went, for the attributes of the estimator.

    Args:
        losses: after each iteration.
        loss: at the end.
        unfinished: why it ended without having converged, in words; empty if it has.
        scores, best_score: on the validation set after each epoch, and the best; None without one.
    """

    losses: list[float]
    loss: float
    unfinished: str = ""
    scores: list[float] | None = None
    best_score: float | None = None
