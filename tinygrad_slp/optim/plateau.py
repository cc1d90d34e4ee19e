"""ReduceLROnPlateau: the learning rate goes down when the loss does not."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from ..checks import at_least, below_1, number, one_of, whole
from .optimizer import Optimizer, refuse_others
from .schedules import one_each, refuse_other_groups


class ReduceLROnPlateau:
    """Multiplies the learning rates by factor when a loss has not improved for over patience steps.

    Args:
        mode: "min" for a loss, "max" for an accuracy.
        factor, patience: see above.
        threshold: what counts as better, as a part of the best (threshold_mode="rel") or as a
            difference ("abs").
        cooldown: steps after a reduction in which nothing is counted.
        min_lr: the smallest learning rate; or one for each group.
        eps: reductions by less than this are left out.

    Raises:
        TypeError: settings of the wrong kind.
        ValueError: settings out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = optimizer
        self.sign = {"min": 1, "max": -1}[one_of("mode", mode, ["min", "max"])]
        self.factor = below_1("factor", factor)
        self.patience = whole("patience", patience, 0)
        self.threshold = number("threshold", threshold)
        self.threshold_mode = one_of("threshold_mode", threshold_mode, ["rel", "abs"])
        self.cooldown = whole("cooldown", cooldown, 0)
        self.min_lrs = one_each(optimizer, "min_lr", min_lr)
        self.eps = at_least("eps", eps, 0)
        self.best = self.sign * inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: Any) -> None:
        """Takes note of a loss, and reduces the learning rates if it is time to.

        Args:
            metrics: the loss or accuracy: a number, or a Tensor of one.
        """
        value = float(metrics)
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def is_better(self, value: float) -> bool:
        margin = self.sign * self.threshold
        limit = self.best * (1 - margin) if self.threshold_mode == "rel" else self.best - margin
        return self.sign * value < self.sign * limit

    def reduce(self) -> None:
        refuse_other_groups(self.optimizer, self.min_lrs)
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = max(group.lr * self.factor, lowest)
            if group.lr - lr > self.eps:
                group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The learning rates now."""
        return [group.lr for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What it has seen; the learning rates are in the state of the optimizer."""
        names = "best", "num_bad_epochs", "cooldown_counter"
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another stopped.

        Raises:
            ValueError: the state has other names.
        """
        refuse_others("the state", state, set(self.state_dict()))
        for name, value in state.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(best {self.best}: lr {self.get_last_lr()})"
