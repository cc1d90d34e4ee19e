"""fit_table: a model of a table, out of the box."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import nn
from ..data.targets import Classes, Multilabel, Numbers, Quantiles, Target
from ..nn.activations import ACTIVATIONS
from ..train.progress import reporting
from .members import Folds, train
from .model import TabularModel
from .settings import Settings, settings_for, sized
from .table import as_table, fitted, knots, rows_of

SHARES = np.linspace(0, 1, 11)
TEMPERATURES = np.exp(np.linspace(-0.7, 0.7, 57))
LINES = {"hidden": (), "dropout": 0.0, "weight_decay": 0.0, "optimizer": "adamw", "lr": 0.01}
"""How the straight lines beside the networks are trained."""
LEAST_ROWS = 5
MOST_ERRORS = 2000


def fit_table(
    table: Any,
    target: Any,
    *,
    task: str | None = None,
    quantiles: Any = None,
    loss: str | None = None,
    class_weight: Any = None,
    preset: str = "default",
    show: bool = False,
    **settings: Any,
) -> TabularModel:
    """A model that predicts the target of a table from its other columns.

    Networks are trained side by side, each without a part of the rows, by which it is judged; they
    are averaged, with straight lines trained the same way for as much as that helps on rows left
    out. What it is made of follows Holzmüller et al., Better by default, 2024 (scaling, schedule,
    averaging), and Gorishniy et al., On embeddings for numerical features in tabular deep learning,
    2022 (ramps between quantiles).

    Args:
        table: a DataFrame, a dict of columns, or an array (n, d). Numbers and texts, with gaps.
        target: the name of the column to predict, or its values: (n,), or (n, m) for several.
        task: "classification", "regression" or "multilabel"; by default texts and up to ten
            different whole numbers are classes, an array (n, m) of zeros and ones several labels.
        quantiles: levels to predict instead of the mean, as in (0.1, 0.5, 0.9).
        loss: "mse", "mae" or "huber", of numbers.
        class_weight: "balanced", or a dict by label.
        preset: "quick", "default" or "thorough".
        show: print the progress.
        settings: other values of `Settings`, as in hidden=(64,), seed=1.

    Raises:
        TypeError, ValueError: what does not fit; the message says what to write.
        NonFiniteError: the training diverged.
    """
    s = settings_for(preset, **settings)
    columns = as_table(table)
    name = target if isinstance(target, str) else "target"
    y = taken(columns, target) if isinstance(target, str) else values_of(target)
    if len(y) != rows_of(columns):
        raise ValueError(f"the table has {rows_of(columns)} rows, the target {len(y)}")
    if len(y) < LEAST_ROWS:
        raise ValueError(f"{len(y)} rows are too few to learn from; expected {LEAST_ROWS} or more")
    kind = chosen(y, task, quantiles, loss, class_weight)
    return learned(columns, y, kind, name, s, show)


def taken(columns: dict[str, Any], name: str) -> Any:
    """Takes a column out of the table.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in columns:
        raise ValueError(f"no column {name!r} to predict; there are {', '.join(columns)}")
    return whole_numbers(columns.pop(name))


def values_of(target: Any) -> np.ndarray:
    if hasattr(target, "to_numpy"):
        target = target.to_numpy()
    y = np.asarray(target)
    return y.astype(str) if y.dtype == object and y.ndim == 1 and isinstance(y[0], str) else y


def whole_numbers(y: np.ndarray) -> np.ndarray:
    """Floats that are all whole numbers as integers, so that labels look as they did."""
    if y.dtype.kind == "f" and np.all(y == np.rint(y)) and np.all(np.abs(y) < 2**53):
        return y.astype(np.int64)
    return y


def chosen(y: np.ndarray, task: str | None, quantiles: Any, loss: Any, weight: Any) -> Target:
    """The kind of target that values are.

    Raises:
        ValueError: an unknown task, or one that the values do not fit.
    """
    if task not in (None, "classification", "regression", "multilabel"):
        raise ValueError(
            f'task should be "classification", "regression" or "multilabel", got {task!r}'
        )
    if quantiles is not None:
        return Quantiles(quantiles)
    if task is None:
        few = y.dtype.kind in "biu" and y.ndim == 1 and len(np.unique(y)) <= 10 < len(y)
        if y.ndim == 2 and np.isin(y, (0, 1)).all():
            task = "multilabel"
        else:
            task = "classification" if y.dtype.kind in "USOb" or few else "regression"
    if task == "classification":
        return Classes(weight)
    return Multilabel() if task == "multilabel" else Numbers(loss or "mse")


def learned(
    columns: Mapping[str, Any], y: np.ndarray, target: Target, name: str, s: Settings, show: bool
) -> TabularModel:
    """Encodes, trains networks and lines, and mixes them."""
    rng = np.random.default_rng(s.seed)
    n = len(y)
    encoder, notes = fitted(dict(columns))
    Y = target.fit(y).transform(y).astype(np.float32)
    plain = encoder.transform(columns).astype(np.float32)
    at = knots(encoder, plain, s.bins) if s.bins and s.hidden else []
    expand = nn.PiecewiseLinear(at, dtype=np.float32) if any(map(len, at)) else nn.Identity()
    X = np.asarray(expand(plain), np.float32) if any(map(len, at)) else plain
    sizes = [X.shape[1], *s.hidden, target.outputs]
    s = sized(s, n, int(np.dot(sizes[:-1], sizes[1:])))
    assert s.members and s.epochs
    groups = Y.argmax(axis=1) if isinstance(target, Classes) else Y[:, 0]
    folds = Folds(n, s.members, groups, rng)

    networks = ensemble(s, sizes, plain.shape[1], rng)
    with reporting(show, 0, s.epochs) as report:
        of_networks, history = train(networks, X, Y, target, folds, s, rng, report)
    of_networks, share = target.link(of_networks), 0.0
    modules: dict[str, Any] = {"expand": expand, "networks": networks}
    mixed, alone = of_networks, None
    if s.hidden:
        of_line = settings_of_lines(s)
        lines = ensemble(of_line, [X.shape[1], target.outputs], plain.shape[1], rng)
        outputs, _ = train(lines, X, Y, target, folds, of_line, rng, lambda row: None)
        alone = target.link(outputs)
        share = best(SHARES, lambda w: target.penalty((1 - w) * of_networks + w * alone, Y))
        mixed = (1 - share) * of_networks + share * alone
        modules["lines"] = lines
    temperature = 1.0
    if isinstance(target, Classes):
        temperature = best(TEMPERATURES, lambda t: target.penalty(target.sharpened(mixed, t), Y))
        mixed = target.sharpened(mixed, temperature)
    facts: dict[str, Any] = {
        "target": name, "task": target.task, "rows": n, "notes": notes,
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in vars(s).items()},
        "losses": {},
    }  # fmt: skip
    model = TabularModel(encoder, target, nn.ModuleDict(modules), share, temperature, facts)
    nothing = np.broadcast_to(target.baseline(Y), mixed.shape)
    model.left_out = {"model": mixed, "networks": of_networks, "baseline": nothing}
    if alone is not None:
        model.left_out["straight lines"] = alone
    for name, prediction in model.left_out.items():
        facts["losses"][name] = float(np.mean(target.penalty(prediction, Y)))
        model.left_out[name] = target.finished(prediction)
    if target.task == "regression" and target.outputs == 1:
        facts["errors"] = steps_of(np.abs(model.left_out["model"][:, 0] - np.ravel(y)))
    model.history = history
    return model


def ensemble(s: Settings, sizes: list[int], line: int, rng: np.random.Generator) -> nn.MLPEnsemble:
    assert s.members
    activation = ACTIVATIONS[s.activation]
    return nn.MLPEnsemble(s.members, sizes, activation, s.dropout, line, dtype=np.float32, rng=rng)


def settings_of_lines(s: Settings) -> Settings:
    return Settings(**{**vars(s), **LINES, "activation": s.activation})


def best(values: np.ndarray, loss: Any) -> float:
    """The value with the least mean loss."""
    return float(values[np.argmin([np.mean(loss(v)) for v in values])])


def steps_of(errors: np.ndarray) -> list[float]:
    """Errors in order, as all of them, or as so many quantiles as are told apart."""
    ordered = np.sort(errors)
    if len(ordered) > MOST_ERRORS:
        at = np.linspace(0, 1, MOST_ERRORS)
        ordered = np.quantile(ordered, at, method="higher")
    steps: list[float] = ordered.tolist()
    return steps
