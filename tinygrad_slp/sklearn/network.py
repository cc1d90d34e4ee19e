"""Network: what the estimators have in common, from their arguments to the trained model."""

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..optim import Optimizer
from . import epochs, search
from .arguments import SOLVERS, check_arguments
from .model import linear_layers, new_model, outputs
from .rows import Rows, weighted
from .task import Result, Task


class Network(BaseEstimator):  # type: ignore[misc]
    """An estimator with a multi-layer perceptron in it; see `MLPClassifier` for its arguments."""

    _optimizer: Optimizer | None = None

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        norm: str | None = None,
        backend: str = "auto",
    ) -> None:
        # Each argument becomes the field of its name, as scikit-learn wants it.
        self.__dict__.update({k: x for k, x in locals().items() if k != "self"})

    # --- what a kind of estimator says of its targets ---

    def _meet(self, y: Any) -> None:
        """Notes what targets there are, for a fresh start: `n_outputs_`, and `classes_`."""
        raise NotImplementedError

    def _encoded(self, y: Any, dtype: Any) -> np.ndarray:
        """Targets as the loss takes them.

        Raises:
            ValueError: they are not like those at the fresh start.
        """
        raise NotImplementedError

    def _loss(self) -> Callable[[Any, Any], Any]:
        """Of outputs (n, n_outputs_) and encoded targets, for each row."""
        raise NotImplementedError

    def _score_of(self, z: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> float:
        """The validation score of outputs z, given encoded targets; more is better."""
        raise NotImplementedError

    # --- training ---

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains until the loss, or the validation score, gets no better, or for max_iter epochs.

        With "lbfgs" an iteration of the search counts as an epoch.

        Args:
            X: of shape (n, features); float32 stays float32, everything else becomes float64.
            y: of shape (n,), or (n, outputs) for a regressor.
            sample_weight: of shape (n,). In full batches a weight of 2 is as good as the row twice,
                and 0 as no such row.

        Raises:
            ValueError: arguments or data that cannot be right.
            NonFiniteError: the loss became NaN or infinite; the message says where.

        Warns:
            ConvergenceWarning: max_iter epochs were not enough, or max_fun.
        """
        fresh = not (self.warm_start and hasattr(self, "model_"))
        rows, mean = self._prepared(X, y, sample_weight, fresh)
        self._optimizer = None
        train = search.train if self.solver == "lbfgs" else epochs.train
        result = train(self._task(), rows, mean)
        self._note(result)
        if result.unfinished:
            warnings.warn(result.unfinished, ConvergenceWarning, stacklevel=2)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        """One epoch, which goes on with model, optimizer and random numbers where they are."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        fresh = not hasattr(self, "model_")
        rows, mean = self._prepared(X, y, sample_weight, fresh, classes)
        losses = epochs.run(self._task(), rows, mean, 1)["loss"]
        self._note(Result(losses, losses[-1]))
        return self

    def _prepared(
        self, X: Any, y: Any, sample_weight: Any, fresh: bool, classes: Any = None
    ) -> tuple[Rows, float]:
        """The rows to train on, with a model for them; and the mean of their weights."""
        check_arguments(self)
        dtype = (np.float64, np.float32) if fresh else self._dtype
        X, y = validate_data(self, X, y, dtype=dtype, multi_output=True, reset=fresh)
        (X, y, *w), mean = weighted(X, y, sample_weight)
        if fresh:
            self._meet(y if classes is None else classes)
            self._begin(X)
        return (X, self._encoded(y, X.dtype), *w), mean

    def _task(self) -> Task:
        """What a training gets to know of this estimator; the optimizer is made if there is none.

        L-BFGS, which takes all rows at once, makes its own.
        """
        settings = SimpleNamespace(**vars(self))
        if self._optimizer is None and self.solver in SOLVERS:
            self._optimizer = SOLVERS[self.solver](self.model_.parameters(), settings)
        classes = getattr(self, "classes_", None)
        loss, score = self._loss(), self._score_of
        return Task(settings, self.model_, loss, score, classes, self._rng, self._optimizer)

    def _begin(self, X: np.ndarray) -> None:
        """Another model, and random numbers, from `random_state`."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._rng = np.random.default_rng(seed)
        settings = SimpleNamespace(**vars(self))
        self.model_ = new_model(settings, X.shape[1], self.n_outputs_, X.dtype, self._rng)
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None

    def _note(self, result: Result) -> None:
        """What is known after a training."""
        self.n_iter_ = len(result.losses)
        self.loss_ = result.loss
        self.loss_curve_ += result.losses
        self.validation_scores_ = result.scores
        self.best_validation_score_ = result.best_score
        known = [] if self.best_loss_ is None else [self.best_loss_]
        measured = [*known, *result.losses, result.loss]
        self.best_loss_ = min(measured) if result.scores is None else None

    # --- using it ---

    def _outputs(self, X: Any) -> np.ndarray:
        """The outputs of the last layer, shape (n, n_outputs_)."""
        check_is_fitted(self)
        return outputs(self.model_, validate_data(self, X, dtype=self._dtype, reset=False))

    @property
    def _dtype(self) -> Any:
        return linear_layers(self.model_)[0].weight.dtype

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, of shapes (inputs, outputs)."""
        return [layer.weight.data.T for layer in linear_layers(self.model_)]

    @property
    def n_layers_(self) -> int:
        return len(linear_layers(self.model_)) + 1

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, of shapes (outputs,)."""
        return [layer.bias.data for layer in linear_layers(self.model_) if layer.bias is not None]
