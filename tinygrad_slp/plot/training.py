"""The picture of the tutorial's training: how the error falls, and the weights that come of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .canvas import BLUE, LETTER, VERMILION, Path, finished, new_figure, plain, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_training(
    losses: Sequence[float],
    names: Sequence[str],
    weights: np.ndarray,
    bias: float,
    *,
    path: Path | None = None,
) -> "Figure":
    """The mean squared error of a perceptron by epoch, and its learned weights.

    Args:
        losses: the error at each epoch, from before the first.
        names: of the weights (d,).
        path: a file to write the picture to.
    """
    texts = [*map(text_of, names), "bias"]
    rows = np.arange(len(texts))
    room = LETTER * max(map(len, texts))
    figure = new_figure(8.5 + room, max(3.6, 1.2 + 0.2 * len(rows)))
    left, right = figure.subplots(1, 2, width_ratios=(5, 3.5))
    left.set(box_aspect=0.6, anchor="N")
    left.plot(np.arange(len(losses)), losses, color=BLUE, linewidth=2)
    left.set(xlabel="epoch", ylabel="mean squared error", title="The error as it falls")
    left.set(xlim=(0, max(1, len(losses) - 1)), ylim=(0, None))
    left.xaxis.get_major_locator().set_params(integer=True)
    plain(left)
    values = [*weights, bias]
    right.barh(rows, values, color=[BLUE if v >= 0 else VERMILION for v in values])
    right.set_yticks(rows, texts)
    right.set_ylim(len(rows) - 0.4, -0.6)
    right.axvline(0, color="black", linewidth=0.8)
    right.set(title="What it learned", xlabel="weight")
    plain(right, grid="x")
    return finished(figure, path)
