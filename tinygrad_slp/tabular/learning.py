"""From columns and a target to a TabularModel: encoders, networks, straight lines, a mixture."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .. import nn
from ..data import TableEncoder
from ..data.targets import Classes, Target
from ..nn.activations import ACTIVATIONS
from ..train.progress import Interruption, reporting
from .explanation import drawn
from .members import Folds, Problem, train
from .model import TabularModel, values
from .settings import Settings, members_for, sized
from .table import fitted, knots

SHARES = np.linspace(0, 1, 11)
"""Of the lines in the mixture."""
LOG_TEMPERATURES = np.linspace(-0.7, 0.7, 57)
DOUBT = 2.0
"""So much is added to the evidence for each square of a distance from ½ or 0."""
LINES: dict[str, Any] = {
    "hidden": (), "dropout": 0.0, "weight_decay": 0.0, "optimizer": "adamw", "lr": 0.01,
}  # fmt: skip
"""How the straight lines beside the networks are trained."""
MOST_ERRORS = 2000
PART = 65536
"""So many rows are encoded at a time."""
ROOM = 2**28
"""Ramps of so many bytes are made once; larger ones for each batch, which takes a third longer."""


def learned(
    columns: Mapping[str, Any],
    y: np.ndarray,
    target: Target,
    names: Sequence[str],
    s: Settings,
    show: bool,
    categories: Collection[str] = (),
) -> TabularModel:
    """The model of a target y (n, ...) that goes with the columns (n,).

    Args:
        target: its kind, not fitted yet.
        names: what it is called; several for several targets.
        show: print the progress.
        categories: columns that are categories, whatever they look like.

    Raises:
        ValueError: no column to learn from.
        NonFiniteError: the training diverged.
    """
    rng = np.random.default_rng(s.seed)
    Y = target.fit(y).transform(y).astype(np.float32)
    classes = isinstance(target, Classes)
    folds = Folds(len(y), members_for(s, len(y)), Y.argmax(axis=1) if classes else Y[:, 0], rng)
    # Of K classes K − 1 means tell all.
    encoder, notes = fitted(dict(columns), Y[:, int(classes) :], folds.member, categories)
    X = in_parts(encoder, columns, folds.member)
    expand = expansion(knots(encoder, X, s.bins if s.hidden else 0))
    line, width = X.shape[1], values(expand, X[:1]).shape[1]
    sizes = [width, *s.hidden, target.outputs]
    s = sized(s, len(y), int(np.dot(sizes[:-1], sizes[1:])))
    assert s.members and s.epochs
    fits = len(X) * width * X.itemsize <= ROOM
    X, see = (values(expand, X), np.asarray) if fits else (X, partial(values, expand))
    problem = Problem(X, Y, see, width, target, folds, rng)

    parts: dict[str, np.ndarray] = {}
    modules: dict[str, Any] = {"expand": expand}
    with (
        Interruption(show) as interruption,
        reporting(show, 0, s.epochs) as report,
        np.errstate(all="ignore"),  # an overflow ends in a NonFiniteError
    ):
        model = ensemble(s, width, line, target.outputs, rng)
        outputs, history = train(model, problem, s, report, interruption)
        modules["networks"], parts["networks"] = model, target.link(outputs)
        if s.hidden:
            of_lines = replace(s, **LINES)
            model = ensemble(of_lines, width, line, target.outputs, rng)
            outputs, _ = train(model, problem, of_lines, lambda row: None, interruption)
            modules["lines"], parts["straight lines"] = model, target.link(outputs)
    share, temperature, mixed = mixture(target, Y, *parts.values())
    parts |= {"model": mixed, "baseline": np.broadcast_to(target.baseline(Y), mixed.shape)}

    found = TabularModel(encoder, target, nn.ModuleDict(modules), share, temperature, {})
    found.history, found.truth, found.y, found.left_out_by = history, y, Y, folds.member
    found.sample = drawn({name: columns[name] for name in encoder.columns}, rng)
    found.left_out = {part: target.finished(p) for part, p in parts.items()}
    found.facts = {
        "target": list(names),
        "task": target.task,
        "rows": len(y),
        "notes": notes,
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in vars(s).items()},
        "losses": {part: float(np.mean(target.penalty(p, Y))) for part, p in parts.items()},
        "gain": in_errors(*(target.penalty(parts[part], Y) for part in ("baseline", "model"))),
    }
    if target.task == "regression" and target.outputs == 1:
        found.facts["errors"] = steps_of(np.abs(found.left_out["model"][:, 0] - np.ravel(y)))
    return found


def in_parts(encoder: TableEncoder, columns: Mapping[str, Any], fold: np.ndarray) -> np.ndarray:
    """The training rows, encoded as float32, part by part, to save memory."""

    def part(start: int) -> np.ndarray:
        rows = slice(start, start + PART)
        return encoder.left_out({name: x[rows] for name, x in columns.items()}, fold[rows])

    first = part(0)
    X = np.empty((len(fold), first.shape[1]), np.float32)
    X[: len(first)] = first
    for start in range(PART, len(fold), PART):
        X[start : start + PART] = part(start)
    return X


def expansion(at: list[np.ndarray]) -> nn.Module:
    """The ramps between knots, if there are any."""
    return nn.PiecewiseLinear(at, dtype=np.float32) if any(map(len, at)) else nn.Identity()


def ensemble(
    s: Settings, inputs: int, line: int, outputs: int, rng: np.random.Generator
) -> nn.MLPEnsemble:
    assert s.members
    sizes = [inputs, *s.hidden, outputs]
    activation = ACTIVATIONS[s.activation]
    return nn.MLPEnsemble(s.members, sizes, activation, s.dropout, line, dtype=np.float32, rng=rng)


def mixture(
    target: Target, Y: np.ndarray, networks: np.ndarray, lines: np.ndarray | None = None
) -> tuple[float, float, np.ndarray]:
    """The share of the lines and the temperature that do best on rows left out, and what they make
    of the predictions for these.

    Dividing the logarithms of probabilities by a temperature makes them as sure as they are right
    (Guo et al., On calibration of modern neural networks, 2017).
    """
    share, temperature, mixed = 0.0, 1.0, networks
    if lines is not None:
        share = best(
            SHARES,
            0.5,
            lambda w: target.evidence(target.penalty((1 - w) * networks + w * lines, Y)),
        )
        mixed = (1 - share) * networks + share * lines
    if isinstance(target, Classes):
        temperature = np.exp(
            best(
                LOG_TEMPERATURES,
                0,
                lambda t: target.evidence(target.penalty(target.sharpened(mixed, np.exp(t)), Y)),
            )
        )
    return share, float(temperature), target.sharpened(mixed, temperature)


def best(values: np.ndarray, usual: float, loss: Callable[[float], float]) -> float:
    """The value with the least loss, where a few rows are not enough to leave the usual one."""
    return float(values[np.argmin([loss(v) + DOUBT * (v - usual) ** 2 for v in values])])


def in_errors(base: np.ndarray, losses: np.ndarray) -> float:
    """By how many standard errors losses are below a base (n,), row by row."""
    gain = base - losses
    error = gain.std() / np.sqrt(len(gain))
    return float(gain.mean() / error) if error else 0.0


def steps_of(errors: np.ndarray) -> list[float]:
    """Errors in order: all of them, or so many of their quantiles, rounded up."""
    ordered = np.sort(errors)
    if len(ordered) > MOST_ERRORS:
        ordered = np.quantile(ordered, np.linspace(0, 1, MOST_ERRORS), method="higher")
    steps: list[float] = ordered.tolist()
    return steps
