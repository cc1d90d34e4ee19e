"""TabularModel: what was learned from a table: encoders, networks, and how far to trust them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import nn, saving
from ..checks import below_1, positive
from ..data import TableEncoder
from ..data.targets import Classes, Target
from ..graph import no_grad
from ..tensor import Tensor
from ..train import History
from .table import Table, as_table, rows_of

CHUNK = 4096
"""So many rows are predicted at a time."""


class Sample(NamedTuple):
    """Some rows of a table.

    Attributes:
        table: their columns.
        rows: which ones they are.
    """

    table: Table
    rows: np.ndarray


class TabularModel:
    """Predicts the target of a table; `fit_table` makes it, `TabularModel.load` reads it.

    A prediction is (1 − share) · networks + share · lines, each averaged over its members.

    Attributes:
        name: of the target.
        columns: the encoder of the table.
        target: what is predicted; `classes` are its labels.
        module: a ModuleDict of "expand", "networks" and "lines".
        share: of the lines, from 0 to 1.
        temperature: the logarithms of probabilities are divided by it.
        facts: settings, scores and notes of the training, as plain numbers and texts.
        left_out: predictions for each training row by members that never saw it, of the "model",
            its "networks" and "straight lines", and of a "baseline" that is the same for all rows;
            empty if loaded.
        left_out_by: the member that left out each training row, (n,); empty if loaded.
        truth, y: the target of the training rows, as given and encoded; empty if loaded.
        sample: some rows of the training table, which explain the model; empty if loaded.
        history: of the training of the networks; None if loaded.
    """

    def __init__(
        self,
        columns: TableEncoder,
        target: Target,
        module: nn.ModuleDict,
        share: float,
        temperature: float,
        facts: dict[str, Any],
    ) -> None:
        self.columns = columns
        self.target = target
        self.module = module
        self.share = share
        self.temperature = temperature
        self.facts = facts
        self.left_out: dict[str, np.ndarray] = {}
        self.left_out_by = np.empty(0, int)
        self.truth: np.ndarray = np.empty(0)
        self.y: np.ndarray = np.empty((0, target.outputs))
        self.sample = Sample({}, np.empty(0, int))
        self.history: History | None = None

    @property
    def names(self) -> list[str]:
        """What is predicted."""
        return np.atleast_1d(self.facts["target"]).tolist()  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        return ", ".join(self.names)

    def __repr__(self) -> str:
        losses = ", ".join(f"{name} {loss:.4g}" for name, loss in self.facts["losses"].items())
        return f"TabularModel of {self.name}, {self.target.task}; losses on rows left out: {losses}"

    @property
    def classes(self) -> np.ndarray | None:
        """The labels, sorted or in their order; None where numbers are predicted."""
        return self.target.classes if isinstance(self.target, Classes) else None

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, K) of classes, or (n, m) of several labels.

        Args:
            X: a table with the columns of the training; others are ignored.

        Raises:
            TypeError: numbers are predicted.
            ValueError: a column is missing, or of another kind.
        """
        if self.target.task == "regression":
            raise TypeError("a regression has no probabilities; write predict")
        return self.scores(as_table(X))

    def predict(self, X: Any) -> np.ndarray:
        """Labels (n,), zeros and ones (n, m), or numbers (n,), (n, m), (n, quantiles)."""
        found = self.scores(as_table(X))
        if self.classes is not None:
            labels: np.ndarray = self.classes[found.argmax(axis=1)]
            return labels
        if self.target.task == "multilabel":
            return (found > 0.5).astype(int)
        return found[:, 0] if found.shape[1] == 1 else found

    def interval(self, X: Any, level: float = 0.9) -> np.ndarray:
        """The low and high ends, (n, 2), between which the target is in that share of new rows.

        Split conformal prediction (Lei et al., Distribution-free predictive inference for
        regression, 2018), with the errors for rows that members left out.

        Raises:
            TypeError: it is not one number that is predicted.
            ValueError: level is not between 0 and 1, or so near 1 that there were too few rows.
        """
        errors = self.facts.get("errors")
        if errors is None:
            raise TypeError("an interval is of one number, predicted without quantiles")
        below_1("level", positive("level", level))
        n = self.facts["rows"]
        share = np.ceil(level * (n + 1)) / n
        if share > 1:
            raise ValueError(f"for level {level} there should be more rows than {n}")
        reach = errors[min(int(np.ceil(share * len(errors))), len(errors)) - 1]
        y = self.scores(as_table(X))
        ends: np.ndarray = np.concatenate([y - reach, y + reach], axis=1)
        return ends

    def scores(self, table: Table) -> np.ndarray:
        """Probabilities, or numbers in units of the target, (n, outputs)."""
        n = rows_of(table)
        parts = [
            self.of_inputs(self.inputs({k: x[start : start + CHUNK] for k, x in table.items()}))
            for start in range(0, n, CHUNK)
        ]
        none = self.target.finished(self.target.link(np.empty((0, self.target.outputs))))
        return np.concatenate(parts or [none])

    def inputs(self, table: Mapping[str, Any], fold: np.ndarray | None = None) -> np.ndarray:
        """Rows as the networks take them, (n, d): float64, so that no order of rows matters.

        Args:
            fold: of training rows, the members that left them out.
        """
        columns = self.columns
        X = columns.transform(table) if fold is None else columns.left_out(table, fold)
        return values(self.module["expand"], X)

    def of_inputs(self, X: np.ndarray) -> np.ndarray:
        return self.target.finished(self.mixed(X, lambda p: p.mean(axis=0)))

    def mixed(self, X: np.ndarray, pick: Callable[[np.ndarray], Any]) -> np.ndarray:
        """The mixture of networks and lines for rows (n, d), on the scale of `Target.link`.

        Args:
            pick: makes one prediction (n, outputs) of those of the members (k, n, outputs).
        """
        found = [
            share * pick(self.target.link(values(self.module[name], X[np.newaxis])))
            for name, share in (("networks", 1 - self.share), ("lines", self.share))
            if share
        ]
        return self.target.sharpened(sum(found[1:], found[0]), self.temperature)

    def loss_left_out(self, table: Table, rows: Any) -> float:
        """The mean loss for training rows, (n,) of them, with these columns, each by the member
        that left it out."""
        member, each = self.left_out_by[rows], np.arange(len(rows))
        found = self.mixed(self.inputs(table, member), lambda p: p[member, each])
        return float(np.mean(self.target.penalty(found, self.y[rows])))

    def score(self, X: Any, y: Any) -> float:
        """The share of right labels, or R²."""
        found, y = self.predict(X), np.asarray(y)
        if self.target.task != "regression":
            return float(np.mean(found == y))
        return float(1 - np.sum((y - found) ** 2) / np.sum((y - y.mean(axis=0)) ** 2))

    # --- in a file ---

    def save(self, path: str | Path) -> None:
        """Writes it to a safetensors file.

        Raises:
            ModuleNotFoundError, OSError: see `saving.save`.
        """
        facts = {"tabular": 1, "share": self.share, "temperature": self.temperature, **self.facts}
        encoders = {"columns": self.columns, "target": self.target}
        saving.save(self.module, path, encoders=encoders, metadata=facts)

    @classmethod
    def load(cls, path: str | Path) -> "TabularModel":
        """
        Raises:
            OSError: it cannot be read.
            ValueError: it holds no TabularModel.
        """
        module = saving.load(path)
        facts = dict(getattr(module, "metadata", None) or {})
        if facts.pop("tabular", None) != 1:
            raise ValueError(
                f"{path}: a model, but none of a table that this version reads; from Python: "
                "tinygrad_slp.saving.load"
            )
        share, temperature = facts.pop("share"), facts.pop("temperature")
        encoders = module.encoders
        return cls(encoders["columns"], encoders["target"], module, share, temperature, facts)


def values(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """What a module computes of an array, as an array."""
    with no_grad():
        y = module(x)
    found: np.ndarray = y.data if isinstance(y, Tensor) else y
    return found
