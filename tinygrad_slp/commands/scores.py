"""How good predictions are, in a few numbers, as a table."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import metrics
from ..table import as_text
from ..tabular import TabularModel

Scores = dict[str, str]
FEW = 20
"""Up to so many classes, a confusion matrix is printed."""


def judged(model: TabularModel, columns: dict[str, Any]) -> np.ndarray:
    """Predictions as `scores` takes them: probabilities (n, k), or numbers (n,), the middle one of
    several quantiles."""
    found = model.scores(columns)
    return plain(model, found)


def plain(model: TabularModel, found: np.ndarray) -> np.ndarray:
    return found if model.classes is not None else found[:, found.shape[1] // 2]


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


def by_class(y: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> str:
    """Precision, recall and F1 of each class that there is."""
    k = np.arange(len(labels))
    found = metrics.precision_recall_f1(y, predicted.argmax(axis=1), k)
    lines = [
        [str(label), f"{precision:.2%}", f"{recall:.2%}", f"{f1:.4f}", f"{rows:,}"]
        for label, precision, recall, f1, rows in zip(labels.tolist(), *found, strict=True)
    ]
    return as_text([["", "precision", "recall", "F1", "rows"], *lines], before="  ")


def confusion(y: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> str:
    """The confusion matrix, true classes in rows, predicted ones in columns, if they are few."""
    if len(labels) > FEW:
        return f"  {len(labels)} classes: too many to show here"
    counts = metrics.confusion_matrix(y, predicted.argmax(axis=1), np.arange(len(labels)))
    names = [str(label) for label in labels.tolist()]
    lines = [[name, *map(str, row)] for name, row in zip(names, counts.tolist(), strict=True)]
    return as_text([["true \\ predicted", *names], *lines], before="  ")
