"""Pictures of a report: how predictions and truth agree, and what columns do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics
from ..plot.canvas import BLUE, GREY, new_figure, plain, text_of
from .model import TabularModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 2000
"""So many points are drawn."""


def predicted_against_true(y: np.ndarray, p: np.ndarray, name: str) -> "Figure":
    figure = new_figure(5, 4)
    axes = figure.add_subplot()
    rows = np.linspace(0, len(y) - 1, min(len(y), MOST)).astype(int)
    ends = [min(y.min(), p.min()), max(y.max(), p.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.scatter(p[rows], y[rows], s=8, color=BLUE, alpha=0.5, linewidths=0)
    axes.locator_params(nbins=6)  # long numbers would meet
    axes.set_xlabel(text_of(f"predicted {name}"))
    axes.set_ylabel(text_of(f"true {name}"))
    plain(axes)
    return figure


def calibration(y: np.ndarray, p: np.ndarray, name: str) -> "Figure":
    """Of the class with the largest probability."""
    found = metrics.calibration(y, p, np.arange(p.shape[1]))
    figure = new_figure(5, 4)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    axes.plot(found.predicted, found.observed, color=BLUE)
    axes.scatter(found.predicted, found.observed, s=10 + 200 * found.rows / found.rows.sum(),
                 color=BLUE)  # fmt: skip
    axes.set_xlabel("probability that was given")
    axes.set_ylabel("share that was right")
    axes.set_title(f"{text_of(name)}: expected calibration error {found.error:.3f}")
    plain(axes)
    return figure


def dependence_of(
    model: TabularModel, columns: Sequence[tuple[str, list[Any], np.ndarray]]
) -> "Figure":
    """The mean prediction for each value of some columns, side by side."""
    figure = new_figure(3.6 * len(columns), 3.4)
    classes = model.classes
    labels: Any = model.names if classes is None and len(model.names) > 1 else classes
    for k, (name, values, means) in enumerate(columns):
        axes = figure.add_subplot(1, len(columns), k + 1)
        shown = range(means.shape[1]) if classes is None or len(classes) != 2 else [1]
        for output in [*shown][:6]:
            label = None if labels is None else text_of(labels[output])
            if isinstance(values[0], str):
                names = [text_of(v or "missing") for v in values]
                axes.plot(names, means[:, output], "o", label=label)
                axes.tick_params(axis="x", rotation=45)
            else:
                axes.plot(values, means[:, output], label=label)
        axes.set_xlabel(text_of(name))
        plain(axes)
        if k == 0:
            numbers = model.target.task == "regression"
            axes.set_ylabel(text_of(f"mean {'prediction' if numbers else 'probability'}"))
            if labels is not None:
                axes.legend(frameon=False, fontsize=8)
    return figure
