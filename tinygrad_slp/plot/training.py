"""The picture of the tutorial's training: how the error falls, and the weights that come of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .canvas import BLUE, VERMILION, Path, finished, new_figure, plain

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
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.plot(np.arange(len(losses)), losses, color=BLUE, linewidth=2)
    left.set(xlabel="epoch", ylabel="mean squared error", title="The error as it falls")
    left.set(xlim=(0, max(1, len(losses) - 1)), ylim=(0, None))
    left.xaxis.get_major_locator().set_params(integer=True)
    plain(left)
    values = [*weights, bias]
    right.barh([*names, "bias"], values, color=[BLUE if v >= 0 else VERMILION for v in values])
    right.invert_yaxis()
    right.axvline(0, color="black", linewidth=0.8)
    right.set(title="What it learned", xlabel="weight")
    plain(right, grid="x")
    return finished(figure, path)
