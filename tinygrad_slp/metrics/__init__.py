"""Metrics: how good predictions are; what scikit-learn has too, by its definition.

As there, and unlike in `nn`'s losses, the truth comes first. Arrays or Tensors are taken, and none
is broadcast. Labels are strings or whole numbers, shape (n,); scores and probabilities have shape
(n, k), a column for each class in the order of `labels`, or (n,) if they are of the second of two
classes. `labels` is by default what there is in y_true, sorted.
"""

from .classification import (
    Calibration,
    accuracy,
    balanced_accuracy,
    calibration,
    confusion_matrix,
    log_loss,
    roc_auc,
)
from .regression import mae, mse, r2

__all__ = [
    "Calibration", "accuracy", "balanced_accuracy", "calibration", "confusion_matrix", "log_loss",
    "mae", "mse", "r2", "roc_auc",
]  # fmt: skip
