"""The solvers that take a step for each batch: optimizers made of an estimator's arguments."""

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
