"""Training in epochs, a step for each batch, until it has converged."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sklearn.base import is_classifier

from .. import nn
from ..train import History, fit
from .arguments import backend_for
from .convergence import Convergence
from .model import outputs
from .objective import Objective
from .outcome import Outcome
from .rows import Rows, batch_size, held_out
from .solvers import SOLVERS

if TYPE_CHECKING:
    from .network import Network


def train(e: "Network", rows: Rows, mean: float) -> Outcome:
    """Trains until the loss, or the validation score, gets no better, or for max_iter epochs."""
    rows, score = early_stopping(e, rows)
    stopping = Convergence(e.n_iter_no_change, e.tol, score, e.learning_rate == "adaptive")
    history = run(e, rows, mean, int(e.max_iter), [stopping])
    losses = history["loss"]
    unfinished = ""
    if not history.stopped:
        unfinished = (
            f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )
    if score is None:
        return Outcome(losses, losses[-1], unfinished)
    return Outcome(losses, losses[-1], unfinished, stopping.scores, stopping.best)


def early_stopping(e: "Network", rows: Rows) -> tuple[Rows, Callable[[nn.MLP], float] | None]:
    """The rows to train on, and the score of a model on the others, if there are any."""
    if not e.early_stopping:
        return rows, None
    labels = e.classes_[rows[1].ravel().astype(int)] if is_classifier(e) else None
    rows, (X, *targets) = held_out(rows, e.validation_fraction, labels, e._rng)
    return rows, lambda model: e._score_of(outputs(model, X), *targets)


def run(
    e: "Network", rows: Rows, mean: float, epochs: int, callbacks: Iterable[Any] = ()
) -> History:
    """Trains the model for so many epochs, with the optimizer it has or a new one.

    Args:
        mean: of the weights of the rows, before they were made 1 in the mean.
    """
    if e._optimizer is None:
        e._optimizer = SOLVERS[e.solver](e.model_.parameters(), e)
    n = len(rows[0])
    size = batch_size(e.batch_size, n, e.norm)
    alpha = 0.0 if e.solver == "adamw" else e.alpha / mean  # adamw has its own decay
    backend = backend_for(e.backend, epochs * math.ceil(n / size))
    return fit(
        e.model_,
        rows,
        Objective(e._loss(), e.model_, alpha),
        e._optimizer,
        epochs,
        batch_size=size,
        callbacks=callbacks,
        jit=backend != "eager" and backend,
        shuffle=e._rng if e.shuffle else None,
        progress=bool(e.verbose),
    )
