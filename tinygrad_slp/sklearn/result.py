"""Result: what is known after a training."""

from typing import NamedTuple


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
