"""TabularClassifier and TabularRegressor: `fit_table` as estimators, for data frames and arrays."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_array,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ..tabular import TabularModel, fit_table


class Tabular(BaseEstimator):  # type: ignore[misc]
    """An estimator with a TabularModel in it; see `TabularClassifier`."""

    _task: str

    def _rows(self, X: Any, reset: bool) -> Any:
        """X, checked: a data frame as it is, with its texts and gaps; else an array of numbers.

        Raises:
            ValueError: other columns than in `fit`, or no numbers.
        """
        if hasattr(X, "iloc"):
            return validate_data(self, X, reset=reset, skip_check_array=True)
        return validate_data(self, X, reset=reset, dtype=float, ensure_all_finite="allow-nan",
                             ensure_min_samples=2 if reset else 1)  # fmt: skip

    def _learned(self, X: Any, y: Any, **target: Any) -> Self:
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        settings = {} if self.settings is None else dict(self.settings)
        self.model_: TabularModel = fit_table(
            X, y, task=self._task, preset=self.preset, show=bool(self.verbose), seed=int(seed),
            **target, **settings,
        )  # fmt: skip
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


class TabularClassifier(ClassifierMixin, Tabular):  # type: ignore[misc]
    """Tells classes apart by a table: networks that are trained side by side, out of the box.

    Args:
        preset: "quick", "default" or "thorough".
        class_weight: None, "balanced", or a dict by label.
        settings: a dict of other values of `tabular.Settings`, such as {"hidden": (64, 64)}.
        random_state: an int for the same results each time.
        verbose: show progress.

    Attributes:
        model_: the `TabularModel`.
        classes_: the labels, sorted.
        n_features_in_, feature_names_in_: of the data.
    """

    _task = "classification"

    def __init__(
        self,
        preset: str = "default",
        *,
        class_weight: Any = None,
        settings: dict[str, Any] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.class_weight = class_weight
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """
        Args:
            X: a data frame of numbers, texts and categories with gaps; or an array (n, features).
            y: labels, (n,).
        """
        X = self._rows(X, reset=True)
        y = column_or_1d(y, warn=True)
        if y.dtype.kind in "fO":
            assert_all_finite(y, input_name="y", allow_nan=False)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        weights = self.class_weight
        if isinstance(weights, dict):
            weights = {k: weights[c] for k, c in enumerate(self.classes_.tolist()) if c in weights}
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}; expected two or more")
        return self._learned(X, indices, class_weight=weights)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (n, classes), in the order of `classes_`."""
        check_is_fitted(self)
        return self.model_.predict_proba(self._rows(X, reset=False))

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row, (n,)."""
        chosen = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[chosen]
        return labels


class TabularRegressor(RegressorMixin, Tabular):  # type: ignore[misc]
    """Predicts one number or several from a table: networks that are trained side by side.

    Args:
        preset, settings, random_state, verbose: as of `TabularClassifier`.
        loss: "mse", "mae" or "huber".
        quantiles: levels to predict instead, as in (0.1, 0.5, 0.9).
    """

    _task = "regression"

    def __init__(
        self,
        preset: str = "default",
        *,
        loss: str = "mse",
        quantiles: Any = None,
        settings: dict[str, Any] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.loss = loss
        self.quantiles = quantiles
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """
        Args:
            X: as of `TabularClassifier.fit`.
            y: numbers, (n,) or (n, targets).
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        X = self._rows(X, reset=True)
        y = check_array(y, dtype=float, ensure_2d=False, input_name="y")
        y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        return self._learned(X, y, loss=self.loss, quantiles=self.quantiles)

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,), (n, targets), or (n, quantiles)."""
        check_is_fitted(self)
        return self.model_.predict(self._rows(X, reset=False))

    def predict_interval(self, X: Any, level: float = 0.9) -> np.ndarray:
        """The ends, (n, 2), between which that share of new targets is; see `TabularModel`."""
        check_is_fitted(self)
        return self.model_.interval(self._rows(X, reset=False), level)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self.quantiles is None
        return tags
