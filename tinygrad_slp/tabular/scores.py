"""How good predictions are, in a few numbers, as a table."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import metrics
from ..data.targets import Classes, Quantiles
from ..table import as_text
from .model import TabularModel

Scores = dict[str, str]
Judged = Sequence[tuple[str, np.ndarray, np.ndarray]]
"""Rows of a comparison: who predicts, the truth (n,), the prediction as `scores` takes it."""
PARTS = "model", "straight lines", "baseline"
FEW = 20
"""Up to so many classes, a confusion matrix is printed."""


def left_out(model: TabularModel) -> Judged:
    """How the model and less than it predict the training rows that they left out; each target of
    several by itself."""
    found = [
        row
        for part in PARTS
        if part in model.left_out
        for row in judged(model, part, model.truth, model.left_out[part])
    ]
    return sorted(found, key=lambda row: row[0].partition(": ")[0]) if several(model) else found


def several(model: TabularModel) -> bool:
    """Whether there are several targets, or several labels."""
    return model.classes is None and len(model.names) > 1


def judged(model: TabularModel, who: str, y: np.ndarray, found: np.ndarray) -> Judged:
    """Rows of a comparison.

    Args:
        y: labels or numbers, (n,) or (n, targets).
        found: what `TabularModel.scores` gives, (n, outputs); of quantiles the middle one counts.
    """
    if isinstance(model.target, Classes):
        return [(who, model.target.index(y), found)]
    if isinstance(model.target, Quantiles):
        return [(who, y, found[:, found.shape[1] // 2])]
    columns: Any = zip(model.names, y.reshape(len(y), -1).T, found.T, strict=True)
    if model.target.task == "multilabel":
        columns = ((name, y.astype(int), np.stack([1 - p, p], axis=1)) for name, y, p in columns)
    one = len(model.names) == 1
    return [(who if one else f"{name}: {who}", y, p) for name, y, p in columns]


def chosen(rows: Judged) -> Judged:
    """Those of the model: on rows held out if there are any, else on those left out."""
    held_out = [row for row in rows if row[0].endswith("model, held out")]
    return held_out or [row for row in rows if row[0].endswith("model")]


def scores(y: np.ndarray, predicted: np.ndarray) -> Scores:
    """The metrics of classes y with probabilities (n, k), or of numbers y with numbers (n,)."""
    if predicted.ndim == 1:
        return {
            "MSE": f"{metrics.mse(y, predicted):.5g}",
            "RMSE": f"{metrics.rmse(y, predicted):.5g}",
            "MAE": f"{metrics.mae(y, predicted):.5g}",
            "R²": defined(metrics.r2, y, predicted),
        }
    labels = np.arange(predicted.shape[1])
    at = predicted.argmax(axis=1)
    ranks = predicted[:, 1] if len(labels) == 2 else predicted
    return {
        "accuracy": f"{metrics.accuracy(y, at):.2%}",
        "balanced accuracy": f"{metrics.balanced_accuracy(y, at):.2%}",
        "ROC-AUC": defined(lambda y, p: metrics.roc_auc(y, p, labels), y, ranks),
        "log-loss": f"{metrics.log_loss(y, predicted, labels):.4f}",
    }


def defined(
    metric: Callable[[np.ndarray, np.ndarray], float], y: np.ndarray, predicted: np.ndarray
) -> str:
    """The metric, where there is one: not of one row, nor where a class has no rows."""
    try:
        return f"{metric(y, predicted):.4f}"
    except ValueError:
        return "undefined"


def table(rows: Sequence[tuple[str, Scores]]) -> list[list[str]]:
    """A line for each, under one header."""
    return [["", *rows[0][1]], *([name, *found.values()] for name, found in rows)]


def by_class(y: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> list[list[str]]:
    """Precision, recall and F1 of each class that there is, as a table."""
    k = np.arange(len(labels))
    found = metrics.precision_recall_f1(y, predicted.argmax(axis=1), k)
    lines = [
        [str(label), f"{precision:.2%}", f"{recall:.2%}", f"{f1:.4f}", f"{rows:,}"]
        for label, precision, recall, f1, rows in zip(labels.tolist(), *found, strict=True)
    ]
    return [["", "precision", "recall", "F1", "rows"], *lines]


def confusion(y: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> str:
    """The confusion matrix, true classes in rows, predicted ones in columns, if they are few."""
    if len(labels) > FEW:
        return f"  {len(labels)} classes: too many to show here"
    counts = metrics.confusion_matrix(y, predicted.argmax(axis=1), np.arange(len(labels)))
    names = [str(label) for label in labels.tolist()]
    lines = [[name, *map(str, row)] for name, row in zip(names, counts.tolist(), strict=True)]
    return as_text([["true \\ predicted", *names], *lines], before="  ")
