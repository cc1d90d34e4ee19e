"""Targets: what a column (or several) to predict means for the network: outputs, loss, prediction.

Each turns labels or numbers into what the loss compares (n, outputs), and the outputs of the
members (k, n, outputs) into one prediction (n, outputs).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..rules import log_softmax, softmax, softplus
from .categories import Labels
from .encoder import Encoder

LEAST = 1e-15
"""The least probability whose logarithm is taken."""


class Target(Encoder):
    """What is predicted.

    Attributes:
        outputs: of the network for each row.
    """

    task: ClassVar[str]
    outputs: int

    def loss(self, outputs: Any, y: Any) -> Any:
        """Of each row, given outputs (..., n, outputs) and what `transform` gave; recorded."""
        raise NotImplementedError

    def link(self, outputs: Any) -> np.ndarray:
        """Predictions on the scale that members are averaged on: probabilities, or numbers."""
        return np.asarray(outputs, float)

    def penalty(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The loss of each row of a prediction that `link` gave."""
        return np.asarray(self.loss(prediction, y))

    def evidence(self, penalty: np.ndarray) -> float:
        """What the losses of all rows (n,) say together, as minus a log-likelihood."""
        return float(np.sum(penalty))

    def sharpened(self, prediction: np.ndarray, temperature: float) -> np.ndarray:
        """A prediction made surer (below 1) or less sure; numbers stay what they are."""
        return prediction

    def finished(self, prediction: np.ndarray) -> np.ndarray:
        """A prediction in units of the target."""
        return prediction

    def baseline(self, y: np.ndarray) -> np.ndarray:
        """What predicts best without looking at the columns, on the scale of `link`, (outputs,)."""
        mean: np.ndarray = y.mean(axis=0)
        return mean


class Classes(Target):
    """One of K classes: cross-entropy of a softmax.

    Args:
        class_weight: None; "balanced", n / (K · count) for each class; or a dict by label.

    Attributes:
        classes: the labels, sorted.
        weights: of the classes in the loss, (K,).
    """

    task = "classification"
    labels: Labels
    weights: np.ndarray

    def __init__(self, class_weight: Any = None) -> None:
        self.class_weight = class_weight

    def fit(self, x: Any) -> "Classes":
        self.labels = Labels().fit(x)
        names = self.labels.classes.tolist()
        self.outputs = len(names)
        counts = np.bincount(self.labels.transform(x), minlength=self.outputs)
        if self.class_weight is None:
            self.weights = np.ones(self.outputs)
        elif isinstance(self.class_weight, str) and self.class_weight == "balanced":
            self.weights = counts.sum() / (self.outputs * counts)
        elif isinstance(self.class_weight, dict) and set(self.class_weight) <= set(names):
            self.weights = np.array([self.class_weight.get(k, 1.0) for k in names], float)
        else:
            raise ValueError(
                f'class_weight should be None, "balanced" or a dict of weights for {names}, '
                f"got {self.class_weight!r}"
            )
        return self

    @property
    def classes(self) -> np.ndarray:
        return self.labels.classes

    def index(self, x: Any) -> np.ndarray:
        """The place of each label in `classes`, (n,)."""
        return self.labels.transform(x)

    def transform(self, x: Any) -> np.ndarray:
        """The weight of the class in its column, else 0: (n, K)."""
        y: np.ndarray = np.diag(self.weights)[Classes.index(self, x)]
        return y

    def loss(self, outputs: Any, y: Any) -> Any:
        return -np.sum(log_softmax(outputs, axis=-1) * y, axis=-1)

    def link(self, outputs: Any) -> np.ndarray:
        p: np.ndarray = softmax(np.asarray(outputs, float), axis=-1)
        return p

    def penalty(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        loss: np.ndarray = -np.sum(np.log(np.maximum(prediction, LEAST)) * y, axis=-1)
        return loss

    def sharpened(self, prediction: np.ndarray, temperature: float) -> np.ndarray:
        p: np.ndarray = softmax(np.log(np.maximum(prediction, LEAST)) / temperature, axis=-1)
        return p

    def baseline(self, y: np.ndarray) -> np.ndarray:
        mean: np.ndarray = y.sum(axis=0) / y.sum()
        return mean

    def fields(self) -> dict[str, Any]:
        return {"labels": self.labels.state(), "weights": self.weights.tolist()}

    def restore(self, fields: dict[str, Any]) -> None:
        Classes.__init__(self)
        labels = Encoder.from_state(fields["labels"])
        if not isinstance(labels, Labels):
            raise ValueError("labels should be the state of Labels")
        self.labels, self.weights = labels, np.array(fields["weights"], float)
        self.outputs = len(labels.classes)


class Ordinal(Classes):
    """One of K classes in an order, such as grades: K − 1 sigmoids, P(y > k | y ≥ k) = σ(zₖ)
    (Shi, Cao and Raschka, Deep neural networks for rank-consistent ordinal regression based on
    conditional probabilities, 2023).

    Args:
        order: the labels, from the lowest to the highest; by default sorted.
        class_weight: see `Classes`.

    Attributes:
        classes: the labels in this order.
    """

    places: np.ndarray

    def __init__(self, order: Sequence[Any] | None = None, class_weight: Any = None) -> None:
        super().__init__(class_weight)
        self.order = order

    def fit(self, x: Any) -> "Ordinal":
        super().fit(x)
        found = self.labels.classes.tolist()
        order = found if self.order is None else list(self.order)
        if missing := [label for label in found if label not in order]:
            raise ValueError(f"order takes all labels, lowest first: {missing[0]!r} is missing")
        self.places = np.array([found.index(label) for label in order if label in found])
        if len(self.places) > len(found):
            raise ValueError(f"order has a label twice: {order}")
        self.outputs = len(found) - 1
        return self

    @property
    def classes(self) -> np.ndarray:
        return self.labels.classes[self.places]  # type: ignore[no-any-return]

    def index(self, x: Any) -> np.ndarray:
        ranks: np.ndarray = np.argsort(self.places)[super().index(x)]
        return ranks

    def transform(self, x: Any) -> np.ndarray:
        y: np.ndarray = super().transform(x)[:, self.places]
        return y

    def loss(self, outputs: Any, y: Any) -> Any:
        return -np.sum(log_ordinal(outputs) * y, axis=-1)

    def link(self, outputs: Any) -> np.ndarray:
        p: np.ndarray = np.exp(log_ordinal(np.asarray(outputs, float)))
        return p

    def fields(self) -> dict[str, Any]:
        return {**super().fields(), "places": self.places.tolist()}

    def restore(self, fields: dict[str, Any]) -> None:
        super().restore(fields)
        self.places = np.array(fields["places"], int)
        self.outputs -= 1


def log_ordinal(z: Any) -> Any:
    """log P(y = k) = log(1 − σ(zₖ)) + Σ log σ(zⱼ) over j < k, (..., K) of z (..., K − 1)."""
    none = np.zeros_like(z[..., :1])
    above = np.cumsum(-softplus(-z), axis=-1)
    return np.concatenate([-softplus(z), none], -1) + np.concatenate([none, above], -1)


class Numbers(Target):
    """One number or several: squared error of standardised ones, or another loss.

    Predictions stay within the range of the training targets.

    Args:
        kind: "mse", "mae" or "huber".

    Attributes:
        mean, std, low, high: of each target, (m,).
    """

    task = "regression"
    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __init__(self, kind: str = "mse") -> None:
        if kind not in ("mse", "mae", "huber"):
            raise ValueError(f'loss should be "mse", "mae" or "huber" for numbers, got {kind!r}')
        self.kind = kind

    def fit(self, x: Any) -> "Numbers":
        y = columns_of(x)
        self.mean, std = y.mean(axis=0), y.std(axis=0)
        self.std = np.where(std > 0, std, 1.0)
        self.low, self.high = y.min(axis=0), y.max(axis=0)
        self.outputs = y.shape[1]
        return self

    def transform(self, x: Any) -> np.ndarray:
        """(x − mean)/std, (n, m)."""
        z: np.ndarray = (columns_of(x) - self.mean) / self.std
        return z

    def loss(self, outputs: Any, y: Any) -> Any:
        e = outputs - y
        if self.kind == "mse":
            return 0.5 * np.sum(e * e, axis=-1)
        far = np.abs(e)
        if self.kind == "mae":
            return np.sum(far, axis=-1)
        return np.sum(np.where(far < 1, 0.5 * e * e, far - 0.5), axis=-1)

    def evidence(self, penalty: np.ndarray) -> float:
        """Of errors whose size is not known: (n/2)·log of the mean square, n·log of others."""
        share = 0.5 if self.kind == "mse" else 1.0
        return share * len(penalty) * float(np.log(max(np.mean(penalty), LEAST)))

    def finished(self, prediction: np.ndarray) -> np.ndarray:
        y: np.ndarray = np.clip(prediction * self.std + self.mean, self.low, self.high)
        return y

    def baseline(self, y: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.mean(y, axis=0) if self.kind == "mse" else np.median(y, axis=0)
        return found

    def fields(self) -> dict[str, Any]:
        names = ("mean", "std", "low", "high")
        return {"kind": self.kind, **{name: getattr(self, name).tolist() for name in names}}

    def restore(self, fields: dict[str, Any]) -> None:
        Numbers.__init__(self, fields["kind"])
        for name in ("mean", "std", "low", "high"):
            setattr(self, name, np.array(fields[name], float))
        self.outputs = len(self.mean)


class Quantiles(Numbers):
    """Quantiles of one number: the pinball loss of each level, Σ max(τe, (τ − 1)e), e = y − ŷ
    (Koenker and Bassett, Regression quantiles, 1978).

    Args:
        levels: from 0 to 1, increasing.
    """

    def __init__(self, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> None:
        super().__init__()
        self.levels = np.array(levels, float)
        if not (self.levels.ndim == 1 and np.all(np.diff([0, *self.levels, 1]) > 0)):
            raise ValueError(f"quantiles should increase between 0 and 1, got {levels!r}")

    def fit(self, x: Any) -> "Quantiles":
        super().fit(x)
        if self.outputs != 1:
            raise ValueError(f"quantiles are of one target, got {self.outputs}")
        self.outputs = len(self.levels)
        return self

    def loss(self, outputs: Any, y: Any) -> Any:
        e = y - outputs
        tau = self.levels.astype(np.float32)
        return np.sum(np.maximum(tau * e, (tau - 1) * e), axis=-1)

    def evidence(self, penalty: np.ndarray) -> float:
        return len(penalty) * float(np.log(max(np.mean(penalty), LEAST)))

    def link(self, outputs: Any) -> np.ndarray:
        return np.sort(np.asarray(outputs, float), axis=-1)

    def baseline(self, y: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.quantile(y[:, 0], self.levels)
        return found

    def fields(self) -> dict[str, Any]:
        return {**super().fields(), "levels": self.levels.tolist()}

    def restore(self, fields: dict[str, Any]) -> None:
        super().restore(fields)
        self.levels = np.array(fields["levels"], float)
        self.outputs = len(self.levels)


class Multilabel(Target):
    """Any of m labels: an array of zeros and ones (n, m); cross-entropy of m sigmoids."""

    task = "multilabel"

    def fit(self, x: Any) -> "Multilabel":
        self.outputs = self.transform(x).shape[1]
        return self

    def transform(self, x: Any) -> np.ndarray:
        y = columns_of(x)
        if not np.isin(y, (0, 1)).all():
            raise ValueError("several labels are an array (n, m) of zeros and ones")
        return y

    def loss(self, outputs: Any, y: Any) -> Any:
        return np.sum(np.logaddexp(0.0, outputs) - outputs * y, axis=-1)

    def link(self, outputs: Any) -> np.ndarray:
        p: np.ndarray = np.exp(-np.logaddexp(0.0, -np.asarray(outputs, float)))
        return p

    def penalty(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        p = np.clip(prediction, LEAST, 1 - LEAST)
        loss: np.ndarray = -np.sum(np.log(np.where(y == 1, p, 1 - p)), axis=-1)
        return loss

    def fields(self) -> dict[str, Any]:
        return {"outputs": self.outputs}

    def restore(self, fields: dict[str, Any]) -> None:
        self.outputs = int(fields["outputs"])


def columns_of(x: Any) -> np.ndarray:
    """Numbers of shape (n,) or (n, m) as float64 (n, m).

    Raises:
        ValueError: not numbers, missing ones, or infinite ones.
    """
    y = np.asarray(x, float)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or not np.isfinite(y).all():
        raise ValueError(f"targets should be finite numbers, (n,) or (n, m); got shape {y.shape}")
    return y
