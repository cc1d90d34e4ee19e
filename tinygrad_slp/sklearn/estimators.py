"""MLPClassifier, MLPRegressor and PerceptronClassifier."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ..rules import log_softmax, softmax
from .model import binary_log_loss, log_loss, squared_error
from .network import Network


def goes_by_steps(e: Any) -> bool:
    """Whether there is a partial_fit.

    Raises:
        AttributeError: there is none.
    """
    if e.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


class MLPClassifier(ClassifierMixin, Network):  # type: ignore[misc]
    """A multi-layer perceptron that tells classes apart, trained on the log-loss.

    Arguments and attributes of scikit-learn's estimator of that name mean the same here. It has
    besides learning_rate="invscaling" with power_t, loss, and t_.

    Args:
        hidden_layer_sizes: neurons of each hidden layer; () for none.
        activation: "relu", "tanh", "logistic" or "sigmoid", "identity", or another one of
            `nn.activations.ACTIVATIONS`, such as "gelu".
        solver: "adam", "nadam", "sgd"; "adamw", whose weight decay is alpha; or "lbfgs", a search
            with all rows at once, which is quick where there are few: it goes by alpha, max_iter,
            max_fun and tol, takes no dropout and no norm="batch", and has no partial_fit.
        alpha: of the penalty ½α Σ W², which is added to the sum of the losses of each batch.
        batch_size: rows of a batch; "auto" is min(200, n).
        learning_rate: "constant"; or "adaptive": divided by 5 where training would end otherwise.
        learning_rate_init: the learning rate.
        max_iter: epochs, or iterations of "lbfgs", at most.
        shuffle: whether each epoch takes the rows in another order.
        random_state: an int for the same results each time.
        tol, n_iter_no_change: training ends after more than n_iter_no_change epochs in a row that
            were not better by tol than the best before; by "lbfgs", where no ∂L/∂w is above tol.
        verbose: show progress.
        warm_start: `fit` goes on from the weights that are there.
        momentum, nesterovs_momentum: of "sgd".
        early_stopping, validation_fraction: keep a share of the rows to measure the score on, which
            decides when to stop and which weights are the best; "lbfgs" does not look at them.
        beta_1, beta_2, epsilon: of "adam", "adamw" and "nadam".
        max_fun: how often "lbfgs" may compute the loss.
        dropout: the probability after each hidden layer.
        norm: "batch", "layer" or None: before each activation.
        backend: "llvm" for machine code, "numpy" for a replay with NumPy, "eager" for neither;
            "auto" goes by the number of steps that there may be.

    Attributes:
        classes_: the labels, sorted.
        model_: the `nn.MLP`; coefs_, intercepts_ are its parameters.
        n_iter_: epochs of the latest training, or iterations; loss_curve_ has all since the first.
        loss_, best_loss_, validation_scores_, best_validation_score_: as their names say; None for
            what was not measured.
        n_features_in_, feature_names_in_, n_outputs_: of the data.
        n_layers_, out_activation_: layers, the inputs counted as one; "logistic" for two classes,
            "softmax" for more.
    """

    classes_: np.ndarray

    @available_if(goes_by_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch, which goes on where the last one ended; see `fit`.

        Args:
            classes: all labels that there will be, for the first call; the others need none.
        """
        if not hasattr(self, "model_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row, shape (n,)."""
        z = self._outputs(X)
        labels: np.ndarray = self.classes_[self._chosen(z)]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, shape (n, classes), in the order of `classes_`."""
        p: np.ndarray = softmax(self._logits(X))
        return p

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`, shape (n, classes); −∞ where that rounds to 0."""
        log_p = log_softmax(self._logits(X))
        return np.where(np.exp(log_p) > 0, log_p, -np.inf)

    # --- what it says of its targets ---

    def _logits(self, X: Any) -> np.ndarray:
        """What the softmax of is the probability of each class, shape (n, classes)."""
        z = self._outputs(X)
        return np.hstack([0 * z, z]) if self._is_binary() else z

    def _is_binary(self) -> bool:
        """Whether one output tells the two classes apart."""
        return len(self.classes_) == 2

    def _chosen(self, z: np.ndarray) -> np.ndarray:
        """The index of the class of each row, shape (n,)."""
        chosen: np.ndarray = (z[:, 0] > 0).astype(int) if self._is_binary() else z.argmax(axis=1)
        return chosen

    def _meet(self, y: Any) -> None:
        check_classification_targets(y)
        self.classes_ = np.unique(column_or_1d(y))
        self.n_outputs_ = 1 if self._is_binary() else len(self.classes_)

    def _encoded(self, y: Any, dtype: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        classes = self.classes_.tolist()
        if unknown := set(np.unique(y).tolist()) - set(classes):
            raise ValueError(f"y has classes {sorted(unknown)} that are not among {classes}")
        indices: np.ndarray = np.searchsorted(self.classes_, y)
        return indices[:, np.newaxis].astype(dtype) if self._is_binary() else indices

    @property
    def out_activation_(self) -> str:
        return "logistic" if self._is_binary() else "softmax"

    def _loss(self) -> Callable[[Any, Any], Any]:
        return binary_log_loss if self._is_binary() else log_loss

    def _score_of(self, z: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> float:
        """The accuracy."""
        return float(np.average(self._chosen(z) == np.ravel(y), weights=w))


class MLPRegressor(RegressorMixin, Network):  # type: ignore[misc]
    """A multi-layer perceptron for numbers, one or several for each row, trained on ½(ŷ − y)².

    Arguments and attributes are those of `MLPClassifier`, but for what is said of classes. The loss
    is added up over the outputs; the validation score is R².
    """

    out_activation_ = "identity"

    @available_if(goes_by_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch, which goes on where the last one ended; see `fit`."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """What is predicted for each row, shape (n,), or (n, outputs) if there are several."""
        z = self._outputs(X)
        return z[:, 0] if self.n_outputs_ == 1 else z

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # --- what it says of its targets ---

    def _meet(self, y: Any) -> None:
        self.n_outputs_ = y.shape[1] if y.ndim == 2 else 1

    def _encoded(self, y: Any, dtype: Any) -> np.ndarray:
        y = y.astype(dtype).reshape(len(y), -1)
        if y.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {y.shape[1]} outputs, but {type(self).__name__} is expecting "
                f"{self.n_outputs_} outputs"
            )
        return np.ascontiguousarray(y)

    def _loss(self) -> Callable[[Any, Any], Any]:
        return squared_error

    def _score_of(self, z: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> float:
        """R²."""
        return float(r2_score(y, z, sample_weight=w))


class PerceptronClassifier(MLPClassifier):
    """The perceptron of the tutorial: σ(X·w + b), without hidden layers; softmax for more classes.

    With the log-loss this is logistic regression. Its arguments, which start elsewhere for some,
    and its attributes are those of `MLPClassifier`.
    """

    def __init__(
        self,
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.01,
        max_iter: int = 1000,
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
        backend: str = "auto",
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        MLPClassifier.__init__(self, (), **given)
