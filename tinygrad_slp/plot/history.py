"""The picture of a training: its losses and metrics, epoch by epoch."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import BLUE, GREY, VERMILION, Path, finished, new_figure, plain, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 30
"""From this ratio of the largest loss to the smallest on, the axis is logarithmic."""


def plot_history(history: Any, *, ax: Any = None, path: Path | None = None) -> "Figure":
    """The losses of a `train.History` by epoch, and beside them each metric.

    Args:
        history: what `fit` returned.
        ax: axes for the losses; the metrics are then left out.
        path: a file to write the picture to.

    Raises:
        ValueError: the history has no epochs.
        ModuleNotFoundError: matplotlib is missing (the extra `plot`).
    """
    if not len(history):
        raise ValueError("the history has no epochs to plot: fit the model first")
    if ax is not None:
        draw_losses(ax, history)
        return finished(ax.figure, path)
    metrics = [name for name in history.columns if name.startswith("val_") and name != "val_loss"]
    count = 1 + len(metrics)
    figure = new_figure(max(4.2 * count, 6), 3.6)
    first, *others = figure.subplots(1, count, squeeze=False)[0]
    draw_losses(first, history)
    for axes, name in zip(others, metrics, strict=True):
        draw_metric(axes, history, name)
    return finished(figure, path)


def draw_losses(axes: Any, history: Any) -> None:
    epochs, loss = history["epoch"], history["loss"]
    line(axes, epochs, loss, BLUE, "training")
    values = np.array(loss)
    if "val_loss" in history.columns:
        best = history.best
        line(axes, epochs, history["val_loss"], VERMILION, "validation")
        values = np.append(values, history["val_loss"])
        label = f"best: {best['val_loss']:.3g} in epoch {best['epoch']}"
        mark(axes, best["epoch"], best["val_loss"], label)
        axes.legend(frameon=False)
    if np.min(values) > 0 and np.max(values) > WIDE * np.min(values):
        axes.set_yscale("log")
    dress(axes, epochs, "loss")


def draw_metric(axes: Any, history: Any, name: str) -> None:
    """One metric of the validation, with its value in the epoch that had the best loss."""
    best = history.best
    line(axes, history["epoch"], history[name], VERMILION, "validation")
    mark(axes, best["epoch"], best[name], f"{best[name]:.3g} in the epoch of the best loss")
    axes.legend(frameon=False)
    dress(axes, history["epoch"], text_of(name.removeprefix("val_").replace("_", " ")))


def line(axes: Any, epochs: list[float], values: list[float], colour: str, label: str) -> None:
    few = "o" if len(epochs) < 3 else None  # a line through so few shows little
    axes.plot(epochs, values, color=colour, linewidth=1.8, label=label, marker=few)


def mark(axes: Any, epoch: float, value: float, label: str) -> None:
    axes.axvline(epoch, color=GREY, linewidth=0.8, linestyle=":")
    axes.plot([epoch], [value], "o", color="white", markeredgecolor=GREY, label=label, zorder=3)


def dress(axes: Any, epochs: list[float], title: str) -> None:
    axes.set(xlabel="epoch", title=title, xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
    axes.xaxis.get_major_locator().set_params(integer=True)
    plain(axes)
