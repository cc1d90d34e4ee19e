"""How callbacks are checked and called, and how their states are kept: see `train.callbacks`."""

from collections.abc import Callable, Iterable
from typing import Any

from ..optim import Optimizer, ReduceLROnPlateau
from ..optim.schedules import OneCycleLR, Schedule


def checked(
    callbacks: Iterable[Any], optimizer: Optimizer, columns: list[str], epochs: int
) -> list[Any]:
    """The callbacks in the order in which they are called.

    Raises:
        TypeError: something that is not one.
        ValueError: it looks at a column that the history will not have, changes the learning rates
            of another optimizer, or is a cycle of another length than the training.
    """
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks should be a list, got {callbacks!r}; write [callback]")
    found = list(callbacks)
    for callback in found:
        if isinstance(callback, type):
            raise TypeError(f"a callback is an object: write {callback.__name__}(...)")
        hooks = "on_train_begin", "on_epoch_end", "on_train_end"
        monitor = getattr(callback, "monitor", None)
        if isinstance(callback, Schedule | ReduceLROnPlateau):
            if callback.optimizer is not optimizer:
                raise ValueError(
                    f"{type(callback).__name__} belongs to another optimizer than that of fit"
                )
            if isinstance(callback, OneCycleLR) and callback.total_steps != epochs:
                raise ValueError(
                    f"fit takes a step of OneCycleLR each epoch, {epochs} in all, "
                    f"and its cycle has {callback.total_steps}: write total_steps={epochs}"
                )
        elif not callable(callback) and not any(hasattr(callback, hook) for hook in hooks):
            raise TypeError(
                "a callback is a function of the training, an object with on_epoch_end(training), "
                f"or a schedule; got {type(callback).__name__}"
            )
        if monitor is not None and monitor not in columns:
            more = "" if "val_loss" in columns else "; give fit validation=(X, y) for val_loss"
            raise ValueError(
                f"{type(callback).__name__} monitors {monitor!r}, and the history will have "
                f"{', '.join(columns)}{more}"
            )
    return sorted(found, key=lambda callback: getattr(callback, "goes_last", False))


def call(callbacks: list[Any], hook: str, training: Any) -> None:
    """Calls one method of every callback that has it."""
    for callback in callbacks:
        method: Callable[..., Any] | None = getattr(callback, hook, None)
        if method is not None:
            method(training)


def end_epoch(callbacks: list[Any], training: Any) -> None:
    """Calls every callback after an epoch."""
    row = training.history.epochs[-1]
    for callback in callbacks:
        if isinstance(callback, ReduceLROnPlateau):
            callback.step(row.get("val_loss", row["loss"]))
        elif isinstance(callback, Schedule):
            callback.step()
        elif hasattr(callback, "on_epoch_end"):
            callback.on_epoch_end(training)
        elif callable(callback):
            callback(training)


def states(callbacks: list[Any]) -> list[Any]:
    """The state of every callback that has one, with the name of its class."""
    return [[type(c).__name__, c.state_dict()] for c in callbacks if hasattr(c, "state_dict")]


def load_states(callbacks: list[Any], saved: list[Any]) -> None:
    """Gives every callback its state.

    Raises:
        ValueError: the states are of others.
    """
    here = [c for c in callbacks if hasattr(c, "state_dict")]
    names = [type(c).__name__ for c in here]
    if names != [name for name, _ in saved]:
        raise ValueError(
            f"it has the callbacks {[name for name, _ in saved]}, and this training has {names}"
        )
    for callback, (_, state) in zip(here, saved, strict=True):
        callback.load_state_dict(state)
