"""fit_table: a model of a table, out of the box."""

from typing import Any

import numpy as np

from ..data.column import missing
from ..data.targets import Classes, Multilabel, Numbers, Ordinal, Quantiles, Target
from ..table import counted
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
    order: Any = None,
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
        target: the name of the column to predict, or a list of names; or its values, (n,), (n, m).
            Rows without a value in such a column are left out, which a note says.
        task: "classification", "regression" or "multilabel"; by default texts and up to ten
            different whole numbers are classes, an array (n, m) of zeros and ones several labels.
        quantiles: levels to predict instead of the mean, as in (0.1, 0.5, 0.9).
        loss: "mse", "mae" or "huber", of numbers.
        class_weight: "balanced", or a dict by label.
        order: the labels of classes that have an order, such as grades, lowest first; by default
            that of an ordered category of pandas.
        preset: "quick", "default" or "thorough".
        show: print the progress.
        settings: other values of `Settings`, as in hidden=(64,), seed=1.

    Raises:
        TypeError, ValueError: what does not fit; the message says what to write.
        NonFiniteError: the training diverged.
    """
    s = settings_for(preset, **settings)
    columns = as_table(table)
    rows = rows_of(columns)
    names, y = taken(columns, target) if named(target, columns) else given(target)
    if len(y) != rows_of(columns):
        raise ValueError(f"the table has {rows_of(columns)} rows, the target {len(y)}")
    if len(y) < LEAST_ROWS:
        raise ValueError(f"{len(y)} rows are too few to learn from; expected {LEAST_ROWS} or more")
    if order is None:
        order = order_of(table[target] if isinstance(target, str) else target)
    options = {"quantiles": quantiles, "loss": loss, "class_weight": class_weight, "order": order}
    kind = chosen(y, task, {name: x for name, x in options.items() if x is not None})
    model = learned(columns, y, kind, names, s, show)
    if len(y) < rows:
        model.facts["notes"].insert(
            0, f"{counted(rows - len(y), 'row')} without a target: left out"
        )
    return model


def named(target: Any, columns: dict[str, Any]) -> bool:
    """Whether it is the name of a column or a list of names, and not a list of a label per row."""
    if not isinstance(target, list):
        return isinstance(target, str)
    texts = all(isinstance(x, str) for x in target)
    return bool(target) and texts and len(target) != rows_of(columns)


def taken(columns: dict[str, Any], target: str | list[str]) -> tuple[list[str], np.ndarray]:
    """Takes columns out of the table: their names and values, (n,), or (n, m) of several. Rows
    without a value are left out.

    Raises:
        ValueError: there is none of that name, or one of several has texts.
    """
    names = [target] if isinstance(target, str) else target
    if absent := [name for name in names if name not in columns]:
        raise ValueError(f"no column {absent[0]!r} to predict; there are {', '.join(columns)}")
    values = [columns.pop(name) for name in dict.fromkeys(names)]
    there = ~np.any([missing(y) for y in values], axis=0)
    columns |= {name: x[there] for name, x in columns.items()}
    found = [whole_numbers(y[there]) for y in values]
    if len(names) == 1:
        return names, found[0]
    if len(found) < len(names):
        raise ValueError(f"a column is named twice: {', '.join(names)}")
    for name, y in zip(names, found, strict=True):
        if y.dtype.kind == "U":
            raise ValueError(
                f"several targets are numbers, or zeros and ones; {name!r} has texts, such as "
                f"{y[0]!r}: give it as the one target"
            )
    return names, np.stack(found, axis=1)


def given(target: Any) -> tuple[list[str], np.ndarray]:
    """Names for given values, and the values as an array."""
    names = [str(name) for name in getattr(target, "columns", ())]
    names = names or [str(getattr(target, "name", None) or "target")]
    y = np.asarray(target.to_numpy() if hasattr(target, "to_numpy") else target)
    if y.dtype == object and y.ndim == 1 and isinstance(y[0], str):
        y = y.astype(str)
    if y.ndim == 2 and len(names) != y.shape[1]:
        names = [f"y{k}" for k in range(y.shape[1])]
    return names, y


def whole_numbers(y: np.ndarray) -> np.ndarray:
    """Floats that are all whole numbers as integers, so that labels look as they did."""
    if y.dtype.kind == "f" and np.all(y == np.rint(y)) and np.all(np.abs(y) < 2**53):
        return y.astype(np.int64)
    return y


def order_of(target: Any) -> list[Any] | None:
    """The labels of an ordered category of pandas, lowest first; None of all else."""
    dtype: Any = getattr(target, "dtype", None)
    return list(dtype.categories) if getattr(dtype, "ordered", False) else None


FITTING = {
    "classification": ("class_weight", "order"), "regression": ("quantiles", "loss"),
    "multilabel": (),
}  # fmt: skip
"""Which options are for which task."""


def chosen(y: np.ndarray, task: str | None, options: dict[str, Any]) -> Target:
    """The kind of target that values are.

    Raises:
        ValueError: an unknown task, or options for another one.
    """
    if task is None:
        task = next((t for t, names in FITTING.items() if {*names} & {*options}), likely(y))
    if task not in FITTING:
        raise ValueError(f"task should be one of {', '.join(FITTING)}; got {task!r}")
    for name, value in options.items():
        if name not in FITTING[task]:
            raise ValueError(f"{name}={value!r} is not for {task}, which is what the target is")
    if task == "multilabel":
        return Multilabel()
    if "order" in options:
        return Ordinal(**options)
    if task == "classification":
        return Classes(**options)
    if "quantiles" not in options:
        return Numbers(options.get("loss", "mse"))
    if "loss" in options:
        raise ValueError("quantiles have a loss of their own: leave out loss, or quantiles")
    return Quantiles(options["quantiles"])


def likely(y: np.ndarray) -> str:
    """The task that values look like."""
    if y.ndim == 2 and np.isin(y, (0, 1)).all():
        return "multilabel"
    few = y.dtype.kind in "iu" and y.ndim == 1 and len(np.unique(y)) <= 10 < len(y)
    return "classification" if y.dtype.kind in "USOb" or few else "regression"
