"""Losses as modules, which keep their settings."""

from typing import Any

from ..checks import flag, positive, probability, whole
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    checked_reduction,
    cross_entropy,
    gaussian_nll_loss,
    hinge_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from .module import Buffer, Module


class Loss(Module):
    """A loss as a module that keeps its settings, and is called with prediction and target.

    Shapes, settings, and errors when it is called, are those of the function that it names.

    Args:
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: another reduction.
    """

    function: Any
    settings: tuple[str, ...] = ()  # of the function, beside the reduction
    # As in losses that were saved before there were these settings.
    weight: Buffer | None = None
    pos_weight: Buffer | None = None
    ignore_index: int | None = None
    label_smoothing = 0.0

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = checked_reduction(reduction)

    def forward(self, input: Any, target: Any) -> Any:
        if not self.settings:
            return self.function(input, target, self.reduction)
        settings = {name: getattr(self, name) for name in self.settings}
        return self.function(input, target, self.reduction, **settings)

    def extra_repr(self) -> str:
        shown = {name: getattr(self, name) for name in ("reduction", *self.settings)}
        return ", ".join(
            f"{name}={value!r}"
            for name, value in shown.items()
            if value is not None and not isinstance(value, Buffer)
        )


def buffer(weight: Any) -> Buffer | None:
    """Weights as state of a loss, as in PyTorch."""
    return None if weight is None else Buffer(weight)


def index(ignore_index: int | None) -> int | None:
    return None if ignore_index is None else whole("ignore_index", ignore_index)


class MSELoss(Loss):
    """(p − t)²: see `mse_loss`."""

    function = staticmethod(mse_loss)


class L1Loss(Loss):
    """|p − t|: see `l1_loss`."""

    function = staticmethod(l1_loss)


class HuberLoss(Loss):
    """½d² where |d| ≤ δ, else δ(|d| − ½δ), of d = p − t: see `huber_loss`.

    Raises:
        ValueError: delta is not above 0, or another reduction.
    """

    function = staticmethod(huber_loss)
    settings = ("delta",)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = positive("delta", delta)


class BCELoss(Loss):
    """−(t log p + (1 − t) log(1 − p)): see `binary_cross_entropy`."""

    function = staticmethod(binary_cross_entropy)
    settings = ("weight",)

    def __init__(self, reduction: str = "mean", *, weight: Any = None) -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)


class BCEWithLogitsLoss(Loss):
    """−(t log σ(z) + (1 − t) log(1 − σ(z))): see `binary_cross_entropy_with_logits`."""

    function = staticmethod(binary_cross_entropy_with_logits)
    settings = ("weight", "pos_weight")

    def __init__(
        self, reduction: str = "mean", *, weight: Any = None, pos_weight: Any = None
    ) -> None:
        super().__init__(reduction)
        self.weight, self.pos_weight = buffer(weight), buffer(pos_weight)


class NLLLoss(Loss):
    """−p[t], of log-probabilities p: see `nll_loss`."""

    function = staticmethod(nll_loss)
    settings = ("weight", "ignore_index")

    def __init__(
        self, reduction: str = "mean", *, weight: Any = None, ignore_index: int | None = None
    ) -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)
        self.ignore_index = index(ignore_index)


class CrossEntropyLoss(Loss):
    """−Σ t log softmax(z): see `cross_entropy`.

    Raises:
        ValueError: label_smoothing is not from 0 to 1, or another reduction.
    """

    function = staticmethod(cross_entropy)
    settings = ("weight", "ignore_index", "label_smoothing")

    def __init__(
        self,
        reduction: str = "mean",
        *,
        weight: Any = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)
        self.ignore_index = index(ignore_index)
        self.label_smoothing = probability("label_smoothing", label_smoothing)


class GaussianNLLLoss(Loss):
    """½(log v + (p − t)²/v), called with prediction, target and variance: see `gaussian_nll_loss`.

    Raises:
        ValueError: eps is not above 0, or another reduction.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = flag("full", full)
        self.eps = positive("eps", eps)

    def forward(self, input: Any, target: Any, var: Any) -> Any:  # type: ignore[override]
        return gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)

    def extra_repr(self) -> str:
        return f"full={self.full}, eps={self.eps}, reduction={self.reduction!r}"


class HingeLoss(Loss):
    """max(0, 1 − t·p): see `hinge_loss`."""

    function = staticmethod(hinge_loss)
