"""fit_table: a model of a table, out of the box."""

from typing import Any

import numpy as np

from ..data.targets import Classes, Multilabel, Numbers, Quantiles, Target
from .learning import learned
from .model import TabularModel
from .settings import settings_for
from .table import as_table, rows_of

LEAST_ROWS = 5


def fit_table(
    table: Any,
    target: Any,
    *,
    task: str | None = None,
    quantiles: Any = None,
    loss: str | None = None,
    class_weight: Any = None,
    preset: str = "default",
    show: bool = False,
    **settings: Any,
) -> TabularModel:
    """A model that predicts the target of a table from its other columns.

    Networks are trained side by side, each without a part of the rows, by which it is judged; they
    are averaged, with straight lines trained the same way for as much as that helps on rows left
    out. What it is made of follows Holzmüller et al., Better by default, 2024 (scaling, schedule,
    averaging), and Gorishniy et al., On embeddings for numerical features in tabular deep learning,
    2022 (ramps between quantiles).

    Args:
        table: a DataFrame, a dict of columns, or an array (n, d). Numbers and texts, with gaps.
        target: the name of the column to predict, or its values: (n,), or (n, m) for several.
        task: "classification", "regression" or "multilabel"; by default texts and up to ten
            different whole numbers are classes, an array (n, m) of zeros and ones several labels.
        quantiles: levels to predict instead of the mean, as in (0.1, 0.5, 0.9).
        loss: "mse", "mae" or "huber", of numbers.
        class_weight: "balanced", or a dict by label.
        preset: "quick", "default" or "thorough".
        show: print the progress.
        settings: other values of `Settings`, as in hidden=(64,), seed=1.

    Raises:
        TypeError, ValueError: what does not fit; the message says what to write.
        NonFiniteError: the training diverged.
    """
    s = settings_for(preset, **settings)
    columns = as_table(table)
    name = target if isinstance(target, str) else "target"
    y = taken(columns, target) if isinstance(target, str) else values_of(target)
    if len(y) != rows_of(columns):
        raise ValueError(f"the table has {rows_of(columns)} rows, the target {len(y)}")
    if len(y) < LEAST_ROWS:
        raise ValueError(f"{len(y)} rows are too few to learn from; expected {LEAST_ROWS} or more")
    kind = chosen(y, task, quantiles, loss, class_weight)
    return learned(columns, y, kind, name, s, show)


def taken(columns: dict[str, Any], name: str) -> Any:
    """Takes a column out of the table.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in columns:
        raise ValueError(f"no column {name!r} to predict; there are {', '.join(columns)}")
    return whole_numbers(columns.pop(name))


def values_of(target: Any) -> np.ndarray:
    if hasattr(target, "to_numpy"):
        target = target.to_numpy()
    y = np.asarray(target)
    return y.astype(str) if y.dtype == object and y.ndim == 1 and isinstance(y[0], str) else y


def whole_numbers(y: np.ndarray) -> np.ndarray:
    """Floats that are all whole numbers as integers, so that labels look as they did."""
    if y.dtype.kind == "f" and np.all(y == np.rint(y)) and np.all(np.abs(y) < 2**53):
        return y.astype(np.int64)
    return y


def chosen(y: np.ndarray, task: str | None, quantiles: Any, loss: Any, weight: Any) -> Target:
    """The kind of target that values are.

    Raises:
        ValueError: an unknown task, or one that the values do not fit.
    """
    if task not in (None, "classification", "regression", "multilabel"):
        raise ValueError(
            f'task should be "classification", "regression" or "multilabel", got {task!r}'
        )
    if quantiles is not None:
        return Quantiles(quantiles)
    if task is None:
        few = y.dtype.kind in "biu" and y.ndim == 1 and len(np.unique(y)) <= 10 < len(y)
        if y.ndim == 2 and np.isin(y, (0, 1)).all():
            task = "multilabel"
        else:
            task = "classification" if y.dtype.kind in "USOb" or few else "regression"
    if task == "classification":
        return Classes(weight)
    return Multilabel() if task == "multilabel" else Numbers(loss or "mse")
