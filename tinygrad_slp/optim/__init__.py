"""Optimizers: what turns gradients into new parameters, and what goes with them.

Each is imported when it is first asked for: few programs need more than one or two.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "LinearLR",
    "Lion", "MultiStepLR", "NAdam", "OneCycleLR", "Optimizer", "RMSprop", "ReduceLROnPlateau",
    "SequentialLR", "StepLR", "clip_grad_norm_", "clip_grad_value_",
]  # fmt: skip

if TYPE_CHECKING:
    from .adagrad import Adagrad
    from .adam import Adam, AdamW
    from .clipping import clip_grad_norm_, clip_grad_value_
    from .lbfgs import LBFGS
    from .lion import Lion
    from .nadam import NAdam
    from .optimizer import Optimizer
    from .plateau import ReduceLROnPlateau
    from .rmsprop import RMSprop
    from .schedules import (
        CosineAnnealingLR,
        ExponentialLR,
        LinearLR,
        MultiStepLR,
        OneCycleLR,
        SequentialLR,
        StepLR,
    )
    from .sgd import SGD
else:
    HOMES = {
        "Adagrad": "adagrad", "Adam": "adam", "AdamW": "adam", "LBFGS": "lbfgs", "Lion": "lion",
        "NAdam": "nadam", "Optimizer": "optimizer", "RMSprop": "rmsprop", "SGD": "sgd",
        "ReduceLROnPlateau": "plateau", "clip_grad_norm_": "clipping",
        "clip_grad_value_": "clipping", "CosineAnnealingLR": "schedules",
        "ExponentialLR": "schedules", "LinearLR": "schedules", "MultiStepLR": "schedules",
        "OneCycleLR": "schedules", "SequentialLR": "schedules", "StepLR": "schedules",
    }  # fmt: skip

    def __getattr__(name):
        if name in HOMES:
            found = globals()[name] = getattr(import_module(f".{HOMES[name]}", __name__), name)
            return found
        if name in HOMES.values():
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return __all__
