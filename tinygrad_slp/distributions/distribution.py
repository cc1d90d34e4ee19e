"""Distribution: what all probability distributions share: shapes, supports, samples."""

from typing import Any, ClassVar

import numpy as np

from ..graph import no_grad
from ..random import Stream
from ..tensor import unwrapped

try:
    from scipy import special
except ImportError:
    raise ImportError("distributions need SciPy: pip install 'tinygrad-slp[scipy]'") from None

__all__ = ["Distribution", "special", "stream_of"]


class Distribution:
    """Independent random numbers (or vectors), one for each element of the parameters.

    The names and arguments are those of `torch.distributions`. Parameters are numbers, arrays or
    Tensors that broadcast against each other; gradients flow to Tensors.

    Attributes:
        batch_shape: of the parameters together.
        event_shape: of one draw: () for numbers.
    """

    positive: ClassVar[tuple[str, ...]] = ()
    """Parameters that have to be above 0."""
    support: tuple[float, float] = (-np.inf, np.inf)
    """Where the density is above 0: between, and for counts at, these ends."""
    inner: ClassVar[float] = 0.0
    """A value that is in the support of every distribution of the class."""
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...] = ()

    def __init__(self, **parameters: Any) -> None:
        for name, value in parameters.items():
            setattr(self, name, value)
            if name in self.positive:
                self.check(name, value, "above 0", lambda x: x > 0)
        shapes = [np.shape(x) for x in parameters.values() if x is not None]
        self.batch_shape = np.broadcast_shapes(*shapes)

    def check(self, name: str, value: Any, expected: str, holds: Any) -> None:
        """
        Raises:
            ValueError: a value that is known now does not fit.
        """
        known = unwrapped(value)
        # The type itself: what `jit` traces says that it is an array, but has no values to look at.
        if issubclass(type(known), int | float | np.ndarray | np.generic):
            fits = holds(np.asarray(known))
            if not np.all(fits):
                wrong = np.asarray(known)[~np.asarray(fits)].flat[0]
                raise ValueError(
                    f"{name} of {type(self).__name__} should be {expected}; got {wrong:.6g}"
                )

    def contains(self, x: Any) -> Any:
        """Whether each x is in the support."""
        low, high = self.support
        return np.greater_equal(x, low) & np.less_equal(x, high)

    def log_prob(self, x: Any) -> Any:
        """log p(x), of shape x.shape and batch_shape together; −∞ outside of the support."""
        if self.support == (-np.inf, np.inf):
            return self.log_density(x)
        inside = self.contains(x)
        return np.where(inside, self.log_density(np.where(inside, x, self.inner)), -np.inf)

    def log_density(self, x: Any) -> Any:
        """log p(x) within the support."""
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        raise NotImplementedError

    @property
    def variance(self) -> Any:
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """√variance"""
        return np.sqrt(self.variance)

    def entropy(self) -> Any:
        """−E log p(x), in nats."""
        raise NotImplementedError(f"the entropy of {type(self).__name__} has no formula")

    def icdf(self, u: Any) -> Any:
        """The x with P(X ≤ x) = u."""
        raise NotImplementedError

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        """Draws through which gradients flow to the parameters: x = F⁻¹(u), u uniform.

        Args:
            shape: of independent draws; the result is of shape (*shape, *batch, *event).
            rng: a `random.Stream`, which goes on; or what one is made of: a seed, or a Generator.

        Raises:
            NotImplementedError: draws of this distribution do not depend smoothly on parameters.
        """
        return self.icdf(uniform(self.shape_of(shape), rng))

    def sample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        """Draws as plain arrays, without gradients; see `rsample`."""
        with no_grad():
            return unwrapped(self.rsample(shape, rng))

    def expanded(self, x: Any) -> Any:
        """x for each element of the batch."""
        return np.broadcast_to(x, self.batch_shape)

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, *self.batch_shape, *self.event_shape)


def stream_of(rng: Any) -> Stream:
    return rng if isinstance(rng, Stream) else Stream(rng)


def uniform(shape: tuple[int, ...], rng: Any) -> Any:
    """Evenly from (0, 1), both ends excluded."""
    return stream_of(rng).uniform(shape) + 2.0**-54
