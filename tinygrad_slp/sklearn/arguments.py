"""What the arguments of the estimators may be and mean, and the error for everything else."""

from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from .. import nn, optim
from ..jit import BACKENDS
from ..nn.activations import ACTIVATIONS as BY_NAME
from ..nn.containers import NORMS

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity, "logistic": nn.Sigmoid, **BY_NAME,
}  # fmt: skip


def adaptive(kind: Callable[..., Any], **more: str) -> Callable[..., Any]:
    """Adam, or an optimizer with its arguments, of an estimator's settings."""
    return lambda params, s: kind(
        params,
        lr=s.learning_rate_init,
        betas=(s.beta_1, s.beta_2),
        eps=s.epsilon,
        **{argument: getattr(s, setting) for argument, setting in more.items()},
    )


SOLVERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": adaptive(optim.Adam),
    "adamw": adaptive(optim.AdamW, weight_decay="alpha"),
    "nadam": adaptive(optim.NAdam),
    "sgd": lambda params, s: optim.SGD(
        params, s.learning_rate_init, s.momentum, nesterov=s.nesterovs_momentum and s.momentum > 0
    ),
}

REPLAYED, NATIVE = 200, 3000
"""From how many steps on it pays to trace them, and to make machine code of them."""

Wanted = tuple[Callable[[Any], bool], str]


def among(choices: Iterable[Any]) -> Wanted:
    names = list(choices)
    words = ", ".join(map(repr, names))
    return lambda x: isinstance(x, str | None) and x in names, f"one of {words}"


def is_count(x: Any) -> bool:
    """Whether x counts something: 1, 2, ..."""
    return isinstance(x, Integral) and not isinstance(x, bool) and int(x) >= 1


def within(low: float, high: float, ends: str) -> Wanted:
    """Numbers of an interval, whose ends belong to it or not, as in "[)"."""

    def is_within(x: Any) -> bool:
        if not isinstance(x, Real) or isinstance(x, bool):
            return False
        x = float(x)
        return low < x < high or (x == low and ends[0] == "[") or (x == high and ends[1] == "]")

    return is_within, f"a number in the range {ends[0]}{low:g}, {high:g}{ends[1]}"


def sizes(x: Any) -> list[Any]:
    """hidden_layer_sizes as a list."""
    return list(x) if isinstance(x, list | tuple | np.ndarray) else [x]


def backend_for(asked: str, steps: int) -> str:
    """The back end asked for; for "auto" that with which so many steps take the least time."""
    if asked != "auto":
        return asked
    return "eager" if steps < REPLAYED else "numpy" if steps < NATIVE else "auto"


COUNT: Wanted = (is_count, "a whole number, 1 or more")
FLAG: Wanted = (lambda x: isinstance(x, bool | np.bool_), "True or False")
INF = float("inf")

WANTED: dict[str, Wanted] = {
    "hidden_layer_sizes": (
        lambda x: all(map(is_count, sizes(x))),
        "whole numbers, each 1 or more, as in (100, 50); or one such number",
    ),
    "activation": among(ACTIVATIONS),
    "solver": among([*SOLVERS, "lbfgs"]),
    "alpha": within(0, INF, "[)"),
    "batch_size": (
        lambda x: x == "auto" if isinstance(x, str) else is_count(x),
        f"'auto' or {COUNT[1]}",
    ),
    "learning_rate": among(["constant", "adaptive"]),
    "learning_rate_init": within(0, INF, "()"),
    "max_iter": COUNT,
    "shuffle": FLAG,
    "tol": within(0, INF, "[)"),
    "verbose": (lambda x: isinstance(x, bool | Integral), "True, False or a whole number"),
    "warm_start": FLAG,
    "momentum": within(0, 1, "[]"),
    "nesterovs_momentum": FLAG,
    "early_stopping": FLAG,
    "validation_fraction": within(0, 1, "()"),
    "beta_1": within(0, 1, "[)"),
    "beta_2": within(0, 1, "[)"),
    "epsilon": within(0, INF, "()"),
    "n_iter_no_change": (lambda x: is_count(x) or x == INF, f"{COUNT[1]}, or infinity"),
    "max_fun": COUNT,
    "dropout": within(0, 1, "[)"),
    "norm": among([*NORMS, None]),
    "backend": among((*BACKENDS, "eager")),
}  # fmt: skip


def check_arguments(estimator: Any) -> None:
    """Refuses arguments that cannot be right; `random_state` is left to scikit-learn.

    Raises:
        ValueError: with the argument, what it should be and what it is.
    """
    for name, value in estimator.get_params(deep=False).items():
        is_right, words = WANTED.get(name, (lambda x: True, ""))
        if not is_right(value):
            raise ValueError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {words}. "
                f"Got {value!r} instead."
            )
    if estimator.solver == "lbfgs":
        check_loss(estimator)


def check_loss(estimator: Any) -> None:
    """Refuses what makes the loss more than a function of the weights, which L-BFGS needs.

    Raises:
        ValueError: with what to write instead.
    """
    if estimator.dropout:
        raise ValueError(
            "solver='lbfgs' needs the same loss for the same weights, and with "
            f"dropout={estimator.dropout} it is random: write dropout=0, or solver='adam'"
        )
    if estimator.norm == "batch":
        raise ValueError(
            "solver='lbfgs' tries weights that it does not keep, and norm='batch' would remember "
            "their means and variances: write norm='layer', or solver='adam'"
        )
