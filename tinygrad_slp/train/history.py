"""History: what was measured in every epoch of a training."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..plot import plot_history
from ..table import as_html, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 4
"""How many of the first and of the last epochs a repr shows."""


class History:
    """One row for each epoch: history["loss"] is a column, history.epochs[k] a row.

    `for row in history` gives the rows, and `"loss" in history` says whether there is a column.

    Attributes:
        epochs: dicts with "epoch" (from 1), "loss", "lr", "seconds"; with a validation set also
            "val_loss", and "val_" with the name of each metric.
        stopped: why training ended before its last epoch; empty if it did not.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.stopped = ""

    def __len__(self) -> int:
        return len(self.epochs)

    def __getitem__(self, name: str) -> list[float]:
        """One column.

        Raises:
            KeyError: there is none of that name.
        """
        if self.epochs and name not in self.epochs[0]:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns)}")
        return [row[name] for row in self.epochs]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.epochs)

    def plot(self, **options: Any) -> "Figure":
        """The losses and metrics by epoch: see `plot.plot_history`."""
        return plot_history(self, **options)

    @property
    def columns(self) -> list[str]:
        return list(self.epochs[0]) if self.epochs else []

    @property
    def best(self) -> dict[str, float]:
        """The row with the lowest validation loss, or the lowest loss if there is no validation.

        Raises:
            ValueError: there are no epochs.
        """
        if not self.epochs:
            raise ValueError("the history has no epochs yet, so there is no best one")
        name = "val_loss" if "val_loss" in self.columns else "loss"
        # NaN is less than nothing, so that the first epoch would be the best if it had NaN.
        return min(self.epochs, key=lambda row: (row[name] != row[name], row[name]))

    def to_dict(self) -> dict[str, Any]:
        """All of it in lists, dicts, numbers and text, for JSON."""
        return {"epochs": [dict(row) for row in self.epochs], "stopped": self.stopped}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "History":
        """What `to_dict` gave."""
        history = cls()
        history.epochs = [dict(row) for row in saved["epochs"]]
        history.stopped = saved["stopped"]
        return history

    def table(self) -> list[list[str]]:
        """Names and cells as text: the first epochs and the last."""
        rows: list[list[str]] = [[cell(row[name]) for name in self.columns] for row in self.epochs]
        if len(rows) > 2 * SHOWN + 1:
            rows[SHOWN:-SHOWN] = [["…"] * len(self.columns)]
        return [self.columns, *rows]

    def _repr_html_(self) -> str:
        return as_html(self.table(), left=(), below=self.stopped)

    def __repr__(self) -> str:
        if not self.epochs:
            return "History: no epochs"
        stopped = f"\nstopped: {self.stopped}" if self.stopped else ""
        return as_text(self.table(), left=()) + stopped


def cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
