"""Normalisation: layers that give their input mean 0 and variance 1, then a learned scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import at_least, flag, probability, whole
from ..rules.arguments import shaped
from ..rules.networks import moments, standardize
from ..tensor import Tensor
from .module import Buffer, Module


def scaled(y: Any, weight: Any, bias: Any) -> Any:
    """y·weight + bias, each if there is one."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


class BatchNorm1d(Module):
    """Each feature standardized over the batch, then times weight plus bias.

    x has shape (B, features) or (B, features, length). While training, mean and variance are those
    of the batch, and running averages of them are kept; after `eval()`, these are used instead
    (Ioffe and Szegedy, Batch normalization, 2015).

    Args:
        eps: is added to the variance.
        momentum: the weight of the latest batch in the running averages; None: all weigh the same.
        affine: learn weight and bias, of shape (features,), which start as 1 and 0.
        bias: learn a bias too.
        track_running_stats: False: no averages, mean and variance are always those of the batch.
        dtype: of parameters and averages.

    Raises:
        TypeError: `num_features` is no whole number.
        ValueError: x has another shape, a batch has fewer than two values of each feature, or a
            setting is out of range.
    """

    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: Any = np.float64,
    ) -> None:
        self.num_features = num_features = whole("num_features", num_features, 1)
        self.eps = at_least("eps", eps, 0)
        self.momentum = None if momentum is None else probability("momentum", momentum)
        affine, bias = flag("affine", affine), flag("bias", bias)
        track = flag("track_running_stats", track_running_stats)
        zeros, ones = np.zeros(num_features, dtype), np.ones(num_features, dtype)
        self.weight = Tensor(ones, requires_grad=True) if affine else None
        self.bias = Tensor(zeros, requires_grad=True) if affine and bias else None
        self.running_mean = Buffer(zeros) if track else None
        self.running_var = Buffer(ones) if track else None
        self.num_batches_tracked = Buffer(0) if track else None

    def forward(self, input: Any) -> Any:
        x = shaped(input, float)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            raise ValueError(
                f"{self!r} got an input of shape {x.shape}, expected (batch, {self.num_features}) "
                f"or (batch, {self.num_features}, length)"
            )
        if x.ndim == 2:
            return self.rows(x)
        batch, features, length = x.shape
        y = self.rows(x.transpose(0, 2, 1).reshape(batch * length, features))
        return y.reshape(batch, length, features).transpose(0, 2, 1)

    def rows(self, x: Any) -> Any:
        """The layer for a matrix."""
        if self.training or self.running_mean is None:
            if len(x) < 2:
                how = "" if self.running_mean is None else ", or write model.eval() first"
                raise ValueError(
                    f"{self!r} got a batch of {len(x)}, which has no variance: use batches of two "
                    f"or more{how}"
                )
            if self.running_mean is not None:
                self.track(x.array if isinstance(x, Tensor) else x)
            y = standardize(x, eps=self.eps)
        else:
            y = (x - self.running_mean.array) / np.sqrt(self.running_var.array + self.eps)
        return scaled(y, self.weight, self.bias)

    def track(self, x: Any) -> None:
        """Moves the running averages towards the moments of a batch.

        The variance is the unbiased one, divided by n − 1, as in PyTorch.
        """
        n = len(x)
        m, variance = moments(x, (0,))
        batches = self.num_batches_tracked.array + 1
        self.num_batches_tracked.renew(batches)
        weight = 1 / batches if self.momentum is None else self.momentum
        for average, latest in (
            (self.running_mean, m),
            (self.running_var, variance * (n / (n - 1))),
        ):
            moved = (1 - weight) * average.array + weight * latest.reshape(-1)
            average.renew(moved.astype(average.dtype))

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.weight is not None}, "
            f"track_running_stats={self.running_mean is not None}"
            + ("" if self.weight is None or self.bias is not None else ", bias=False")
        )


class LayerNorm(Module):
    """Each sample standardized over its last axes, then times weight plus bias.

    x has shape (..., *normalized_shape); Ba, Kiros and Hinton, Layer normalization, 2016.

    Args:
        normalized_shape: the last axes; a number for one axis.
        eps: is added to the variance.
        elementwise_affine: learn weight and bias, of that shape, which start as 1 and 0.
        bias: learn a bias too.
        dtype: of the parameters.

    Raises:
        TypeError: a length in `normalized_shape` is no whole number.
        ValueError: x has another shape, a length is below 1, or eps below 0.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = np.float64,
    ) -> None:
        given: Any = normalized_shape
        lengths = given if hasattr(given, "__iter__") else (given,)
        shape = tuple([whole("normalized_shape", n, 1) for n in lengths])
        if not shape:
            raise ValueError("LayerNorm needs an axis of x to go over, got ()")
        self.normalized_shape = shape
        self.eps = at_least("eps", eps, 0)
        affine = flag("elementwise_affine", elementwise_affine)
        bias = flag("bias", bias) and affine
        self.weight = Tensor(np.ones(shape, dtype), requires_grad=True) if affine else None
        self.bias = Tensor(np.zeros(shape, dtype), requires_grad=True) if bias else None

    def forward(self, input: Any) -> Any:
        x = shaped(input, float)
        axes = len(self.normalized_shape)
        if x.shape[-axes:] != self.normalized_shape:
            raise ValueError(
                f"{self!r} got an input of shape {x.shape}; its last axes should be "
                f"{self.normalized_shape}"
            )
        y = standardize(x, axis=tuple(range(-axes, 0)), eps=self.eps)
        return scaled(y, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.weight is not None}, bias={self.bias is not None}"
        )
