"""The picture of a confusion matrix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics.arguments import array
from .canvas import LETTER, Path, axes_of, finished, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 30
"""Up to so many classes the counts are written in the cells."""


def confusion(
    matrix: Any,
    labels: Sequence[Any] | np.ndarray | None = None,
    *,
    ax: Any = None,
    path: Path | None = None,
) -> "Figure":
    """A `metrics.confusion_matrix` as a picture: counts, darker for a larger share of their row.

    Args:
        matrix: counts (k, k), a row for each true label, a column for each predicted one.
        labels: of the rows and columns, in order; by default 0, 1, ...
        ax: axes to draw on.
        path: a file to write the picture to.

    Raises:
        TypeError: an array of another library.
        ValueError: the matrix is not square, has a negative count or none, or the labels are not k.
        ModuleNotFoundError: matplotlib is missing (the extra `plot`).
    """
    counts = array("the matrix", matrix)
    k = len(counts)
    names = [text_of(label) for label in (range(k) if labels is None else labels)]
    check(counts, names)
    longest = max(map(len, names))
    room = LETTER * longest  # beside and, turned, below
    axes = axes_of(ax, 2 + room + min(0.5 * k, 10), 1.3 + room / 2 + min(0.45 * k, 9))
    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(total, 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if k <= MOST:
        write_counts(axes, counts, share)
    axes.set_xticks(range(k), names)
    if longest > 3:
        axes.tick_params(axis="x", rotation=30)
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), names)
    axes.set(xlabel="predicted", ylabel="true")
    accuracy = np.trace(counts) / counts.sum()
    axes.set_title(f"{accuracy:.1%} of {counts.sum():,} are right", fontsize=11)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, label="share of the row", shrink=0.8)
    bar.outline.set_visible(False)
    return finished(axes.figure, path)


def check(counts: np.ndarray, names: list[str]) -> None:
    k = len(counts)
    if counts.shape != (k, k) or not np.all(counts >= 0) or not counts.sum() > 0:
        raise ValueError(
            "a confusion matrix is square and has counts, not all 0; got one of shape "
            f"{counts.shape}: write confusion(metrics.confusion_matrix(y_true, y_pred))"
        )
    if len(names) != k:
        raise ValueError(f"{k} rows need {k} labels, got {len(names)}: {', '.join(names)}")


def write_counts(axes: Any, counts: np.ndarray, share: np.ndarray) -> None:
    """The counts in their cells, in a colour that can be read there; a 0 is left out."""
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[row, column] > 0.55 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour,
                      fontsize=9 if len(counts) < 15 else 6)  # fmt: skip
