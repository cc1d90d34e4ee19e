"""Pictures of a training run, by matplotlib (the extra `plot`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def matplotlib_figure() -> Any:
    """matplotlib's Figure class, which draws to a file without a screen.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to install it.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "plotting needs matplotlib: pip install 'tinygrad-slp[plot]'"
        ) from None
    return Figure


def plot_training(
    path: str | Path,
    losses: Sequence[float],
    names: Sequence[str],
    weights: np.ndarray,
    bias: float,
) -> None:
    """Writes a picture: the mean squared error by epoch, and the learned weights.

    Args:
        path: a file name that ends in .png, .svg or .pdf.
        losses: the error at each epoch, from before the first.
        names: of the weights (d,).
    """
    figure = matplotlib_figure()(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.plot(np.arange(len(losses)), losses, color="#1f4e79", linewidth=2)
    left.set(xlabel="epoch", ylabel="mean squared error", title="The error as it falls")
    left.set(xlim=(0, max(1, len(losses) - 1)), ylim=(0, None))
    left.grid(alpha=0.3)
    values = [*weights, bias]
    colours = ["#2e8b57" if v >= 0 else "#b03a2e" for v in values]
    right.barh([*names, "bias"], values, color=colours)
    right.invert_yaxis()
    right.axvline(0, color="black", linewidth=0.8)
    right.set(title="What it learned", xlabel="weight")
    figure.savefig(path, dpi=120)
