"""The solvers that go by steps, one for each batch: optimizers of an estimator's arguments."""

from collections.abc import Callable
from typing import Any

from .. import optim


def adaptive(kind: Callable[..., Any], **more: str) -> Callable[..., Any]:
    """An optimizer of Adam's kin, of an estimator's arguments."""
    return lambda params, e: kind(
        params,
        lr=e.learning_rate_init,
        betas=(e.beta_1, e.beta_2),
        eps=e.epsilon,
        **{setting: getattr(e, argument) for setting, argument in more.items()},
    )


SOLVERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": adaptive(optim.Adam),
    "adamw": adaptive(optim.AdamW, weight_decay="alpha"),
    "nadam": adaptive(optim.NAdam),
    "sgd": lambda params, e: optim.SGD(
        params, e.learning_rate_init, e.momentum, nesterov=e.nesterovs_momentum and e.momentum > 0
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
