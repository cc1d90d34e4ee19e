"""Convergence: the callback that ends a training by scikit-learn's rule."""

from collections.abc import Callable
from math import inf
from typing import Any

from ..train import Training

SLOWEST = 1e-6
"""A learning rate that is not divided any more."""


class Convergence:
    """Ends a training after more than `patience` epochs in a row without progress.

    An epoch makes progress if it is better by `tol` than the best before it. What is compared is a
    score, and then the model ends with its best weights; or, without one, the loss.

    Args:
        patience, tol: n_iter_no_change and tol of the estimator.
        score: of a model in `eval()`; more is better.
        adaptive: divide the learning rate by 5 before giving up, down to 1e-6.

    Attributes:
        scores: of all epochs; empty without a score.
        best: the best score, or loss with a minus.
    """

    def __init__(
        self,
        patience: float,
        tol: float,
        score: Callable[[Any], float] | None = None,
        adaptive: bool = False,
    ) -> None:
        self.patience = patience
        self.tol = tol
        self.score = score
        self.adaptive = adaptive
        self.scores: list[float] = []
        self.best = -inf
        self.idle = 0
        self.weights: dict[str, Any] = {}

    def on_epoch_end(self, training: Training) -> None:
        value = self.measured(training)
        self.idle = self.idle + 1 if value < self.best + self.tol else 0
        if value > self.best:
            self.best = value
            if self.score is not None:
                self.weights = training.model.state_dict()
        if self.idle > self.patience:
            self.give_up(training)

    def measured(self, training: Training) -> float:
        if self.score is None:
            return -training.history.epochs[-1]["loss"]
        self.scores.append(self.score(training.model.eval()))
        return self.scores[-1]

    def give_up(self, training: Training) -> None:
        """Makes smaller steps, or none any more."""
        if self.adaptive and training.optimizer.lr > SLOWEST:
            training.optimizer.lr /= 5
            self.idle = 0
            return
        what = "training loss" if self.score is None else "validation score"
        training.stop(
            f"the {what} did not improve by tol={self.tol:g} for {self.idle} epochs in a row"
        )

    def on_train_end(self, training: Training) -> None:
        if self.weights:
            training.model.load_state_dict(self.weights)
