"""Callbacks: what is done after every epoch of a training.

A callback is a function of the `Training`, or an object with any of these methods:

    on_train_begin(training)    before the first epoch
    on_epoch_end(training)      after each; `training.stop(reason)` makes it the last
    on_train_end(training)      after the last
    state_dict(), load_state_dict(state)    what a checkpoint keeps: dicts, lists, arrays, numbers

or a schedule of `optim`, which takes a step each epoch. They are called in the order in which they
were given, checkpoints last.
"""

import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from ..checks import at_least, flag, whole
from ..table import counted
from . import checkpoint
from .training import Training


class EarlyStopping:
    """Stops training after `patience` epochs without improvement and restores the best weights.

    Args:
        patience: how many epochs without a better one are too many.
        min_delta: by how much an epoch has to be better than the best before it.
        monitor: a column of the history.
        mode: "min" if less is better, "max" if more is; only a loss need not say.
        restore_best: give the model the weights of its best epoch at the end of the training,
            early or not; not after an error.

    Attributes:
        best: the best value so far.
        best_epoch: its epoch, from 1; 0 before there is one.

    Raises:
        TypeError: patience is no whole number, or min_delta no number.
        ValueError: patience below 1, min_delta below 0, another mode, or none for another column
            than a loss.
    """

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        mode: str | None = None,
        restore_best: bool = True,
    ) -> None:
        if mode is None and monitor in ("loss", "val_loss"):
            mode = "min"
        if mode not in ("min", "max"):
            raise ValueError(
                f"mode should be 'max' if more {monitor} is better, 'min' if less is; got {mode!r}"
            )
        self.patience = whole("patience", patience, 1)
        self.min_delta = at_least("min_delta", min_delta, 0)
        self.monitor = monitor
        self.sign = 1 if mode == "min" else -1
        self.restore_best = flag("restore_best", restore_best)
        self.on_train_begin()

    def on_train_begin(self, training: Training | None = None) -> None:
        """Forgets an earlier training."""
        self.best = self.sign * inf
        self.best_epoch = 0
        self.weights: dict[str, Any] = {}

    def on_epoch_end(self, training: Training) -> None:
        value = training.history[self.monitor][-1]
        if self.sign * value < self.sign * self.best - self.min_delta:
            self.best, self.best_epoch = value, training.epoch
            if self.restore_best:
                self.weights = training.model.state_dict()
        elif training.epoch - self.best_epoch >= self.patience:
            found = "was not a number"
            if self.best_epoch:
                best = f"{self.best:.6g}, in epoch {self.best_epoch}"
                found = f"did not improve on its best, {best},"
            training.stop(f"{self.monitor} {found} for {counted(self.patience, 'epoch')}")

    def on_train_end(self, training: Training) -> None:
        if self.weights:
            training.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.weights = state["weights"]


class Checkpoint:
    """Writes all of a training to a file every few epochs, and after the last.

    `fit(..., resume=path)` goes on from there, with the same bits as if nothing had happened. The
    file is replaced as a whole: a process killed while it writes leaves the one before.

    Args:
        path: of the file; by custom it ends in .npz.
        every: how many epochs apart.

    Raises:
        TypeError: every is no whole number.
        ValueError: every is below 1; or there is no directory to write the file in.
    """

    goes_last = True
    """After all other callbacks, whose state it writes."""

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = Path(path)
        self.every = whole("every", every, 1)
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ValueError(
                f"{path} cannot be written: it is a directory, or its directory does not exist"
            )

    def on_epoch_end(self, training: Training) -> None:
        if training.is_last or training.epoch % self.every == 0:
            checkpoint.write(self.path, training.state_dict())
