"""Training: everything that changes while a model is trained, and one epoch of it."""

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..random import Rng
from ..tree import flatten
from . import checkpoint, hooks
from .blocks import BatchFeed, Block, RowFeed
from .diagnosis import cause, finite
from .history import History
from .snapshot import Snapshot, streams
from .step import Runner, TrainingStep

Metric = Callable[[np.ndarray, Any], Any]


class NonFiniteError(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the model is as after the epoch before.

    Attributes:
        history: of the epochs before.
        epoch, batch: where it happened, counted from 1.
    """

    def __init__(self, text: str, history: History, epoch: int, batch: int) -> None:
        super().__init__(text)
        self.history = history
        self.epoch = epoch
        self.batch = batch


class Training:
    """What callbacks are given, and what a checkpoint holds.

    Attributes:
        model, optimizer: what is trained, and by what.
        epochs: how many are planned.
        history: of the epochs so far.
        rng: shuffles the rows; None: they are not.
        interrupted: whether Ctrl-C asked for an end after this epoch.
    """

    def __init__(
        self,
        step: TrainingStep,
        feed: RowFeed | BatchFeed,
        validation: RowFeed | BatchFeed | None,
        metrics: Mapping[str, Metric],
        callbacks: list[Any],
        epochs: int,
        rng: "Rng | None",
    ) -> None:
        self.step = step
        self.model = step.model
        self.optimizer = step.optimizer
        self.feed = feed
        self.validation = validation
        self.metrics = metrics
        self.callbacks = callbacks
        self.epochs = epochs
        self.rng = rng
        self.history = History()
        self.interrupted = False
        self.remember(step.snapshot())

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    def stop(self, reason: str) -> None:
        """Makes this epoch the last."""
        self.history.stopped = reason

    @property
    def is_last(self) -> bool:
        """Whether no epoch follows."""
        return self.epoch >= self.epochs or self.interrupted or bool(self.history.stopped)

    # --- one epoch ---

    def start(self, backend: str | None) -> None:
        """Makes ready to run epochs, compiled or not."""
        self.trainer = Runner(self.step.train, self.step, backend, fresh=not self.epoch)
        self.evaluator = Runner(self.step.evaluate, self.step, backend)

    def run_epoch(self) -> dict[str, float]:
        """Trains and evaluates once; returns the new row of the history.

        Raises:
            NonFiniteError: the loss or a parameter became NaN or infinite.
        """
        start = time.perf_counter()
        row = {"epoch": self.epoch + 1, "loss": self.train()}
        if self.validation is not None:
            row |= self.evaluate(self.validation)
            if math.isnan(row["val_loss"]):
                bad = self.validation.first_bad()
                why = "NaN in that data" if bad else "a smaller learning rate may help"
                self.stop(f"val_loss is not a number in epoch {self.epoch + 1}: {why}")
        row["lr"] = self.optimizer.lr
        row["seconds"] = time.perf_counter() - start
        self.history.epochs.append(row)
        return row

    def remember(self, snapshot: Snapshot) -> None:
        """Keeps what `go_back` goes back to."""
        self.last_good, self.epochs_good = snapshot, self.epoch

    def go_back(self) -> None:
        """Undoes an epoch that has not come to its end, in model, optimizer and history."""
        self.last_good.restore()
        del self.history.epochs[self.epochs_good :]

    def train(self) -> float:
        """A step for every batch; returns the mean of their losses, weighted by their sizes."""
        self.model.train()
        before = self.step.snapshot()
        self.remember(before)
        total, rows, batches = 0.0, 0, 0
        for block in self.feed.blocks(self.rng):
            before = self.step.snapshot() if batches else before
            losses = per_batch(self.trainer.over(block))
            if not self.is_sound(losses):
                self.fail(before, block, batches)
            size = block[0].shape[1]
            total += float(losses.sum()) * size
            rows += len(losses) * size
            batches += len(losses)
        return total / rows

    def evaluate(self, feed: RowFeed | BatchFeed) -> dict[str, float]:
        """Validation loss and metrics, with all modules in `eval()`."""
        self.model.eval()
        total, rows = 0.0, 0
        seen: list[tuple[np.ndarray, Any]] = []
        for block in feed.blocks():
            losses, prediction = self.evaluator.over(block)
            size = block[0].shape[1]
            total += float(per_batch(losses).sum()) * size
            rows += len(block[0]) * size
            if self.metrics:
                seen.append((block[1], prediction))
        measured = {"val_loss": total / rows}
        if self.metrics:
            y, prediction = (joined_rows(list(part)) for part in zip(*seen, strict=True))
            for name, metric in self.metrics.items():
                measured[f"val_{name}"] = float(metric(y, prediction))
        return measured

    def is_sound(self, losses: np.ndarray) -> bool:
        """Whether these losses and all parameters are finite."""
        return finite(losses) and all(finite(p.array) for p in self.optimizer.params)

    def fail(self, before: Snapshot, block: Block, batches: int) -> None:
        """Finds the step that gave NaN or infinity, and why it did, and goes back an epoch."""
        before.restore()
        why = "when the same steps were repeated, everything was finite"
        k = 0
        for k in range(len(block[0])):
            batch = [x[k] for x in block]
            before = self.step.snapshot()
            loss = self.trainer.over([x[None] for x in batch])
            if not self.is_sound(per_batch(loss)):
                before.restore()
                why = cause(self.step, batch)
                if not all(map(finite, batch)):
                    why += self.feed.first_bad()
                break
        self.go_back()
        epoch, batch_number = self.epoch + 1, batches + k + 1
        text = f"NaN or infinity in epoch {epoch}, batch {batch_number}: {why}"
        self.stop(text)
        kept = "before the training"
        if self.epoch:
            kept = f"after epoch {self.epoch}, which had loss {self.history['loss'][-1]:.4g}"
        raise NonFiniteError(f"{text}. The model is as {kept}", self.history, epoch, batch_number)

    # --- going on later ---

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the training depends on, but for the data."""
        return {
            **{name: module.state_dict() for name, module in self.step.modules().items()},
            "streams": [stream.state.data for stream in streams(self.step.modules().values())],
            "optimizer": self.optimizer.state_dict(),
            "shuffle": None if self.rng is None else self.rng.bit_generator.state,
            "callbacks": hooks.states(self.callbacks),
            "history": self.history.to_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another training of the same kind stopped.

        Raises:
            ValueError: it was of another kind. Parts of it may have been loaded.
        """
        modules = self.step.modules()
        drawing = streams(modules.values())
        if len(state["streams"]) != len(drawing):
            raise ValueError(
                f"it has {len(state['streams'])} random layers, and this model has {len(drawing)}"
            )
        if (state["shuffle"] is None) != (self.rng is None):
            then, now = ("shuffled", "in order")[:: 1 if self.rng is None else -1]
            raise ValueError(f"it took the rows {then}, and this training takes them {now}")
        for name, module in modules.items():
            module.load_state_dict(state.get(name, {}))
        for stream, saved in zip(drawing, state["streams"], strict=True):
            stream.state.data = saved
        hooks.load_states(self.callbacks, state["callbacks"])
        self.optimizer.load_state_dict(state["optimizer"])  # after schedules, which set its rates
        if self.rng is not None:
            self.rng.bit_generator.state = state["shuffle"]
        self.history = History.from_dict(state["history"])

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Goes on from a checkpoint, or changes nothing.

        Raises:
            OSError: there is no such file, or it cannot be read.
            ValueError: it is not whole, or does not fit.
        """
        saved = checkpoint.read(path)
        before = self.state_dict()
        try:
            self.load_state_dict(saved)
        except (ValueError, TypeError, LookupError) as error:
            self.load_state_dict(before)
            raise ValueError(f"{path} does not fit this training: {error}") from None
        self.remember(self.step.snapshot())


def per_batch(losses: Any) -> np.ndarray:
    """The losses of batches as numbers in float64, shape (batches,)."""
    return np.asarray(getattr(losses, "array", losses), dtype=np.float64).reshape(-1)


def joined_rows(blocks: list[Any]) -> Any:
    """Trees of arrays (batches, B, ...) as one tree of arrays (n, ...)."""
    leaves = [flatten(block)[0] for block in blocks]
    rebuild = flatten(blocks[0])[1]
    columns = [[getattr(x, "array", x) for x in parts] for parts in zip(*leaves, strict=True)]
    return rebuild([np.concatenate([x.reshape(-1, *x.shape[2:]) for x in c]) for c in columns])
