"""What a model goes by: how much each column matters, and what a column does to a prediction."""

from typing import Any

import numpy as np

from .model import Sample, TabularModel
from .table import Table, rows_of

ROWS = 2000
"""So many rows, drawn at random, are kept to explain a model."""
REPEATS = 3
POINTS = 20


def importances(model: TabularModel, seed: int = 0) -> list[tuple[str, float, float]]:
    """(column, mean, deviation) by how much the loss of a row grows when the column is shuffled,
    the largest first; of some training rows, each judged by the member that left it out.

    Breiman, Random forests, 2001, section 10. Columns that tell the same share their importance.

    Raises:
        ValueError: the model is from a file, which has no rows.
    """
    rng = np.random.default_rng(seed)
    part, rows = sample_of(model)
    before = model.loss_left_out(part, rows)
    found = []
    for name, values in part.items():
        grown = [
            model.loss_left_out({**part, name: rng.permutation(values)}, rows) - before
            for _ in range(REPEATS)
        ]
        found.append((name, float(np.mean(grown)), float(np.std(grown))))
    return sorted(found, key=lambda row: -row[1])


def dependence(model: TabularModel, name: str) -> tuple[list[Any], np.ndarray]:
    """Values of a column, and the mean prediction (values, outputs) if all rows had that value.

    Friedman, Greedy function approximation, 2001, section 8.2. Numbers are quantiles from 2 % to
    98 %; of texts the most frequent are taken.

    Raises:
        ValueError: the model is from a file, which has no rows.
    """
    table, _ = sample_of(model)
    values = table[name]
    part = {column: x[: ROWS // POINTS] for column, x in table.items()}
    if values.dtype.kind == "U":
        texts, counts = np.unique(values, return_counts=True)
        at = texts[np.argsort(-counts)[:POINTS]]
    else:
        known = values[~np.isnan(values)]
        at = np.unique(np.quantile(known, np.linspace(0.02, 0.98, POINTS)))
    n = rows_of(part)
    means = [model.scores({**part, name: np.full(n, v)}).mean(axis=0) for v in at]
    return at.tolist(), np.array(means)


def drawn(table: Table, rng: np.random.Generator) -> Sample:
    """Rows of a table at random, and in a random order."""
    n = rows_of(table)
    rows = rng.choice(n, min(n, ROWS), replace=False)
    return Sample({name: x[rows] for name, x in table.items()}, rows)


def sample_of(model: TabularModel) -> Sample:
    if not len(model.sample.rows):
        raise ValueError("a model from a file has no rows to explain it by; train it, and ask then")
    return model.sample
