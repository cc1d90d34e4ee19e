"""What a model goes by: how much each column matters, and what a column does to a prediction."""

from typing import Any

import numpy as np

from .model import TabularModel
from .table import Table, rows_of

ROWS = 2000
"""So many rows, drawn at random, are looked at."""
REPEATS = 3
POINTS = 20


def importances(model: TabularModel, table: Table, seed: int = 0) -> list[tuple[str, float, float]]:
    """(column, mean, deviation) by how much the loss of a row grows when the column is shuffled,
    the largest first; of the training table, each row judged by the member that left it out.

    Breiman, Random forests, 2001, section 10. Columns that tell the same share their importance.
    """
    rng = np.random.default_rng(seed)
    n = rows_of(table)
    rows = np.sort(rng.choice(n, min(n, ROWS), replace=False))
    part = {name: table[name][rows] for name in model.columns.columns}
    before = model.loss_left_out(part, rows)
    found = []
    for name, values in part.items():
        grown = [
            model.loss_left_out({**part, name: rng.permutation(values)}, rows) - before
            for _ in range(REPEATS)
        ]
        found.append((name, float(np.mean(grown)), float(np.std(grown))))
    return sorted(found, key=lambda row: -row[1])


def dependence(
    model: TabularModel, table: Table, name: str, seed: int = 0
) -> tuple[list[Any], np.ndarray]:
    """Values of a column, and the mean prediction (values, outputs) if all rows had that value.

    Friedman, Greedy function approximation, 2001, section 8.2. Numbers are quantiles from 2 % to
    98 %; of texts the most frequent are taken.
    """
    rng = np.random.default_rng(seed)
    n = rows_of(table)
    rows = rng.choice(n, min(n, ROWS // POINTS), replace=False)
    part = {column: table[column][rows] for column in model.columns.columns}
    values = table[name]
    if values.dtype.kind == "U":
        texts, counts = np.unique(values, return_counts=True)
        at = texts[np.argsort(-counts)[:POINTS]]
    else:
        known = values[~np.isnan(values)]
        at = np.unique(np.quantile(known, np.linspace(0.02, 0.98, POINTS)))
    means = [model.scores({**part, name: np.full(len(rows), v)}).mean(axis=0) for v in at]
    return at.tolist(), np.array(means)
