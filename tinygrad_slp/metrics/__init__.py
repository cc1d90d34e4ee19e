"""Metrics: how good predictions are; what scikit-learn has too, by its definition.

As there, and unlike in `nn`'s losses, the truth comes first. Arrays or Tensors are taken, and none
is broadcast. Labels are strings or whole numbers, shape (n,); scores and probabilities have shape
(n, k), a column for each class in the order of `labels`, or (n,) if they are of the second of two
classes. `labels` is by default what there is in y_true, sorted.
"""

from .classification import (
    Calibration,
    PrecisionRecallF1,
    accuracy,
    balanced_accuracy,
    calibration,
    confusion_matrix,
    log_loss,
    precision_recall_f1,
    roc_auc,
)
from .regression import mae, mse, r2, rmse

__all__ = [
    "Calibration", "PrecisionRecallF1", "accuracy", "balanced_accuracy", "calibration",
    "confusion_matrix", "log_loss", "mae", "mse", "precision_recall_f1", "r2", "rmse", "roc_auc",
]  # fmt: skip
