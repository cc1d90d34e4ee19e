"""Training in epochs, a step for each batch, until it has converged."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from .. import nn
from ..train import History, fit
from .arguments import backend_for
from .convergence import Convergence
from .model import Objective, outputs
from .rows import Rows, batch_size, held_out
from .task import Result, Task


def train(task: Task, rows: Rows, mean: float) -> Result:
    """Trains until the loss, or the validation score, gets no better, or for max_iter epochs."""
    s = task.settings
    rows, score = early_stopping(task, rows)
    stopping = Convergence(s.n_iter_no_change, s.tol, score, s.learning_rate == "adaptive")
    history = run(task, rows, mean, int(s.max_iter), [stopping])
    losses = history["loss"]
    unfinished = ""
    if not history.stopped:
        unfinished = (
            f"Stochastic Optimizer: Maximum iterations ({s.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )
    if score is None:
        return Result(losses, losses[-1], unfinished)
    return Result(losses, losses[-1], unfinished, stopping.scores, stopping.best)


def early_stopping(task: Task, rows: Rows) -> tuple[Rows, Callable[[nn.MLP], float] | None]:
    """The rows to train on, and the score of a model on the others, if there are any."""
    if not task.settings.early_stopping:
        return rows, None
    labels = None if task.classes is None else task.classes[rows[1].ravel().astype(int)]
    rows, (X, *targets) = held_out(rows, task.settings.validation_fraction, labels, task.rng)
    return rows, lambda model: task.score(outputs(model, X), *targets)


def run(task: Task, rows: Rows, mean: float, epochs: int, callbacks: Iterable[Any] = ()) -> History:
    """Trains the model for so many epochs.

    Args:
        mean: of the weights of the rows, before they were made 1 in the mean.
    """
    s = task.settings
    assert task.optimizer is not None
    n = len(rows[0])
    size = batch_size(s.batch_size, n, s.norm)
    alpha = 0.0 if s.solver == "adamw" else s.alpha / mean  # adamw has its own decay
    backend = backend_for(s.backend, epochs * math.ceil(n / size))
    return fit(
        task.model,
        rows,
        Objective(task.loss, task.model, alpha),
        task.optimizer,
        epochs,
        batch_size=size,
        callbacks=callbacks,
        jit=backend != "eager" and backend,
        shuffle=task.rng if s.shuffle else None,
        progress=bool(s.verbose),
    )
