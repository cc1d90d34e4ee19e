"""The solvers that take a step for each batch: optimizers of an estimator's settings."""

from collections.abc import Callable
from typing import Any

from .. import optim


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


def goes_by_steps(e: Any) -> bool:
    """Whether there is a partial_fit.

    Raises:
        AttributeError: there is none.
    """
    if e.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True
