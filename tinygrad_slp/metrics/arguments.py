"""Arguments of metrics, as arrays; those that a metric has no meaning for are refused."""

from typing import Any

import numpy as np

from ..data.arrays import as_numpy
from ..data.column import column, listed, positions
from ..graph import Node


def array(name: str, values: Any) -> np.ndarray:
    """
    Raises:
        TypeError: an array of another library.
    """
    return as_numpy(name, values.array if isinstance(values, Node) else values)


def numbers(name: str, values: Any) -> np.ndarray:
    found = array(name, values)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name} should hold numbers, got {found.dtype}")
    return found


def same_shape(true: np.ndarray, pred: np.ndarray) -> None:
    if true.shape != pred.shape or not true.ndim:
        hint = ""
        if true.ndim == 1 and pred.ndim == 2 and len(true) == len(pred):
            flat = pred.shape[1] == 1
            hint = f": write {'y_pred[:, 0]' if flat else 'y_pred.argmax(axis=1) for labels'}"
        raise ValueError(
            "y_true and y_pred should have the same shape, (n, ...), got "
            f"{true.shape} and {pred.shape}{hint}"
        )
    if not len(true):
        raise ValueError("there are no rows to compare")


def both_labels(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    true, pred = array("y_true", y_true), array("y_pred", y_pred)
    same_shape(true, pred)
    true, pred = as_labels("y_true", true), as_labels("y_pred", pred)
    if (true.dtype.kind == "U") != (pred.dtype.kind == "U"):
        raise ValueError(
            f"y_true and y_pred should both be strings or both numbers, got {true.dtype} and "
            f"{pred.dtype}; data.Labels turns one into the other"
        )
    return true, pred


def as_labels(name: str, values: np.ndarray) -> np.ndarray:
    """Labels, checked to be strings or whole numbers."""
    try:
        labels = column(values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if labels.dtype.kind == "f" and np.any(broken := labels != np.rint(labels)):
        raise ValueError(
            f"{name} should hold labels, got {labels[broken][0]} in row {np.argmax(broken)}; "
            "of probabilities p, the labels are p >= 0.5, or p.argmax(axis=1)"
        )
    return labels


def distinct(labels: Any) -> np.ndarray:
    """The labels given by name, each one once."""
    found = as_labels("labels", array("labels", labels))
    if not len(found) or len(np.unique(found)) < len(found):
        raise ValueError(f"labels= should name each label once, got {listed(found)}")
    return found


def places(name: str, y: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where each of y (n,) stands among the labels (k,), from 0."""
    order = np.argsort(labels)
    try:
        at = positions(labels[order], y)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if np.any(unknown := at < 0):
        row = int(np.argmax(unknown))
        raise ValueError(
            f"{name} has {y[row].item()!r} in row {row}, which is not among the labels "
            + listed(labels)
        )
    found: np.ndarray = order[at]
    return found


def true_places(y_true: Any, labels: Any, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y_true as class indices (n,), and the labels, which fit the columns of the scores."""
    true = as_labels("y_true", array("y_true", y_true))
    if score.ndim not in (1, 2) or len(score) != len(true) or not len(true):
        raise ValueError(
            f"{len(true)} labels in y_true need scores of shape ({len(true)},) or "
            f"({len(true)}, k), got {score.shape}"
        )
    found = np.unique(true) if labels is None else distinct(labels)
    columns = 2 if score.ndim == 1 else score.shape[1]
    if len(found) != columns:
        raise ValueError(
            f"scores of shape {score.shape} are for {columns} classes, but "
            f"{'y_true' if labels is None else 'labels='} has {listed(found)}; name the class of "
            "each column with labels="
        )
    return places("y_true", true, found), found


def probabilities(values: Any) -> np.ndarray:
    p = numbers("y_proba", values)
    p = p if p.dtype.kind == "f" else p.astype(float)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(
            f"probabilities are from 0 to 1, got from {p.min()} to {p.max()}; "
            "of logits, take the sigmoid or softmax first"
        )
    if p.ndim == 2:
        total = p.sum(axis=1)
        if np.any(wrong := np.abs(total - 1) > np.sqrt(np.finfo(p.dtype).eps)):
            raise ValueError(
                f"the probabilities of row {np.argmax(wrong)} sum to {total[wrong][0]}, not to 1"
            )
    return p


def both_numbers(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    true, pred = array("y_true", y_true), array("y_pred", y_pred)
    same_shape(true, pred)
    return numbers("y_true", true).astype(float), numbers("y_pred", pred).astype(float)
