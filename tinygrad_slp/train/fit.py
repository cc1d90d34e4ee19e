"""fit: trains a model on data, in compiled epochs, and returns what was measured."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checks import flag, whole
from ..jit import BACKENDS
from ..nn import Module
from ..optim import Optimizer
from ..random import Seed
from ..table import counted
from . import hooks
from .blocks import feed
from .history import History
from .progress import Interruption, Report, reporting
from .step import TrainingStep
from .training import Metric, Training

COMPILING: dict[bool | str, str | None] = {
    True: "auto", False: None, **{name: name for name in BACKENDS},
}  # fmt: skip
EVALUATED = 1024
"""At least how many rows are evaluated at a time."""


def fit(
    model: Module,
    data: Any,
    loss: Callable[..., Any],
    optimizer: Optimizer,
    epochs: int,
    *,
    batch_size: int = 32,
    validation: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    callbacks: Iterable[Any] = (),
    clip: Callable[[list[Any]], Any] | None = None,
    jit: bool | str = True,
    shuffle: Seed = 0,
    progress: bool = True,
    resume: str | os.PathLike[str] | None = None,
) -> History:
    """Trains a model, and leaves it in `eval()`, ready to predict.

        history = fit(
            model, (X, y), nn.mse_loss, optim.Adam(model.parameters()), epochs=100,
            validation=(X_val, y_val), callbacks=[EarlyStopping(10), Checkpoint("run.npz")],
        )

    A step is `loss(model(x), y)`, its backward pass, `clip` and `optimizer.step()`. The loss of an
    epoch is the mean over its batches, weighted by their sizes; while training it is of the
    weights of the moment.

    The first Ctrl-C ends the training after the epoch it is in; the second one at once, and raises
    KeyboardInterrupt. That and all errors leave model and optimizer as after the epoch before, and
    have the history up to it, if there is any, in the field `history`.

    Args:
        model: is trained in `train()` and validated in `eval()`.
        data: (X, y), a tuple of arrays of shapes (n, ...); or (X, y, w, ...), and then the loss is
            `loss(model(x), y, w, ...)`. Or an iterable that gives tuples (x, y) of batches, again
            in each epoch: a list, or an object with `__iter__`. Arrays of other libraries, such as
            PyTorch's or Dask's, are refused: the error says what to write.
        loss: of prediction and targets, one number.
        optimizer: of the parameters of the model; not L-BFGS, which does not go by steps.
        epochs: how often to go through the data, in all.
        batch_size: rows of a batch; the last one of an epoch may have fewer.
        validation: data to measure, and not to train on.
        metrics: `metric(y, prediction)` by name, of all of the validation data.
        callbacks: what is done after each epoch: see `train.callbacks`.
        clip: is given all parameters, with their gradients, before each step of the optimizer, as
            `lambda params: optim.clip_grad_norm_(params, 1.0)`.
        jit: compile, with the back end True (or "auto"), "numpy", "llvm"; False: do not.
        shuffle: a Generator, or a seed, that puts the rows in a new random order each epoch; None:
            the order given. An iterable has its own order.
        progress: show a bar on a terminal, and a few lines elsewhere.
        resume: a file that `Checkpoint` wrote: goes on from there, with the same bits as a training
            never interrupted (times apart), given the same data and arguments. Of an iterable of
            batches, the Generator in its field `rng` is kept, and nothing else; of loss and clip,
            if they are Modules, what they hold.

    Raises:
        NonFiniteError: the loss or a parameter became NaN or infinite. The error says which
            operation made it, and has the history.
        ValueError, TypeError: data, arguments or checkpoint that cannot be right.
    """
    flag("progress", progress)
    training = prepared(
        TrainingStep(model, loss, optimizer, clip),
        data, validation, metrics or {}, callbacks, epochs, batch_size, shuffle,
    )  # fmt: skip
    backend = backend_of(jit)
    with history_kept(training):
        hooks.call(training.callbacks, "on_train_begin", training)
        if resume is not None:
            training.resume(resume)
        training.start(backend)
        with (
            reporting(progress, training.epoch, epochs) as report,
            Interruption(progress) as interruption,
        ):
            try:
                run(training, interruption, report)
            except BaseException:
                training.go_back()
                raise
            finally:
                model.eval()
        hooks.call(training.callbacks, "on_train_end", training)
    if progress and training.history.stopped:
        print(f"stopped: {training.history.stopped}", flush=True)
    return training.history


@contextmanager
def history_kept(training: Training) -> Iterator[None]:
    """Within it, an error is given the history of the epochs before, as `error.history`."""
    try:
        yield
    except BaseException as error:
        if training.epoch:
            error.add_note(f"The history of {counted(training.epoch, 'epoch')} is in error.history")
            vars(error)["history"] = training.history
        raise


def run(training: Training, interruption: Interruption, report: Report) -> None:
    """Epoch after epoch, until something ends it."""
    while not training.is_last:
        with np.errstate(all="ignore"):  # NonFiniteError reports what overflows
            row = training.run_epoch()
        training.interrupted = interruption.noted
        report(row)
        hooks.end_epoch(training.callbacks, training)
        training.interrupted = interruption.noted
    if training.interrupted:
        training.stop(training.history.stopped or f"Ctrl-C in epoch {training.epoch}")


def prepared(
    step: TrainingStep,
    data: Any,
    validation: Any,
    metrics: Mapping[str, Metric],
    callbacks: Iterable[Any],
    epochs: int,
    batch_size: int,
    shuffle: Seed,
) -> Training:
    """The training that was asked for.

    Raises:
        ValueError, TypeError: it cannot be.
    """
    refuse_step(step)
    refuse_metrics(metrics, validation)
    whole("epochs", epochs, 0)
    whole("batch_size", batch_size, 1)
    if isinstance(shuffle, bool):
        right = "a seed, as in shuffle=0" if shuffle else "shuffle=None"
        raise TypeError(f"shuffle is a seed or a Generator, not {shuffle}: write {right}")
    columns = ["loss", "lr", "seconds"]
    if validation is not None:
        columns[1:1] = ["val_loss", *(f"val_{name}" for name in metrics)]
    given = feed(data, batch_size, "data")
    return Training(
        step,
        given,
        None if validation is None else feed(validation, max(batch_size, EVALUATED), "validation"),
        metrics,
        hooks.checked(callbacks, step.optimizer, columns, epochs),
        epochs,
        given.generator(shuffle),
    )


def refuse_step(step: TrainingStep) -> None:
    """Refuses what no step can be made of.

    Raises:
        ValueError, TypeError: model, loss or optimizer are of the wrong kind, or do not fit.
    """
    model, loss, optimizer = step.model, step.loss, step.optimizer
    if not isinstance(model, Module):
        raise TypeError(
            "model should be a Module, such as nn.Linear(3, 1) or a class Net(nn.Module) of yours, "
            f"called: Net(); got {type(model).__name__}: {model!r:.60}"
        )
    if isinstance(loss, str):
        raise TypeError(
            "loss should be a function of prediction and targets, such as nn.mse_loss; "
            f"got {loss!r}"
        )
    if isinstance(loss, type):
        raise TypeError(f"loss is the class {loss.__name__}: write {loss.__name__}()")
    if not callable(loss):
        raise TypeError(
            f"loss should be a function, got {type(loss).__name__}; data is one pair: "
            "fit(model, (X, y), loss, optimizer, epochs)"
        )
    if step.clip is not None and not callable(step.clip):
        raise TypeError(
            "clip should be a function of the parameters, such as "
            f"lambda params: optim.clip_grad_norm_(params, 1.0); got {step.clip!r:.60}"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "fit takes an optimizer with a step per batch, such as optim.Adam(model.parameters()); "
            f"got {type(optimizer).__name__}"
        )
    mine = {id(p) for p in model.parameters()}
    if mine and mine.isdisjoint(map(id, optimizer.params)):
        raise ValueError(
            "the optimizer has no parameter of this model, so nothing would be trained: write "
            f"{type(optimizer).__name__}(model.parameters())"
        )


def refuse_metrics(metrics: Any, validation: Any) -> None:
    if not isinstance(metrics, Mapping):
        raise TypeError(
            "metrics are functions of y and prediction by name, as in metrics={'mse': metrics.mse} "
            "or {'accuracy': lambda y, p: metrics.accuracy(y, p.argmax(axis=1))}; "
            f"got {type(metrics).__name__}: {metrics!r:.60}"
        )
    for name, metric in metrics.items():
        if not callable(metric):
            raise TypeError(
                f"metrics[{name!r}] should be a function of y and prediction, such as "
                f"metrics.mse; got {type(metric).__name__}: {metric!r:.60}"
            )
    if "loss" in metrics:
        raise ValueError('a metric called "loss" would replace the column val_loss: rename it')
    if metrics and validation is None:
        raise ValueError("metrics are of the validation data: give fit validation=(X, y) too")


def backend_of(jit: bool | str) -> str | None:
    """The back end of `jit`; None: nothing is compiled.

    Raises:
        ValueError: there is no such back end.
    """
    if jit not in COMPILING:
        raise ValueError(f"jit should be True, False, 'auto', 'numpy' or 'llvm'; got {jit!r}")
    return COMPILING[jit]
