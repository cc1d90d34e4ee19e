"""Pictures of trainings, models and predictions, by matplotlib (the extra `plot`).

    plot_history(history, path="history.png")
    decision_boundary(model, X, y)

Each returns a matplotlib Figure: a notebook shows it, `figure.savefig(path)` writes it. `path=`
writes it at once, to a name that ends as matplotlib knows (.png, .svg, .pdf); `ax=` draws on axes
that there are. pyplot is not needed, and not touched.
"""

from .boundary import decision_boundary
from .histograms import histograms
from .history import plot_history
from .matrix import confusion
from .training import plot_training

__all__ = ["confusion", "decision_boundary", "histograms", "plot_history", "plot_training"]
