"""Optimizers: what turns gradients into new parameters, and what goes with them.

Each is imported when it is first asked for: few programs need more than one or two.
"""

from importlib import import_module
from typing import TYPE_CHECKING

HOMES = {
    "adagrad": ["Adagrad"],
    "adam": ["Adam", "AdamW"],
    "clipping": ["clip_grad_norm_", "clip_grad_value_"],
    "lbfgs": ["LBFGS"],
    "lion": ["Lion"],
    "nadam": ["NAdam"],
    "optimizer": ["Optimizer"],
    "plateau": ["ReduceLROnPlateau"],
    "rmsprop": ["RMSprop"],
    "schedules": [
        "CosineAnnealingLR", "ExponentialLR", "LinearLR", "MultiStepLR", "OneCycleLR",
        "SequentialLR", "StepLR",
    ],
    "sgd": ["SGD"],
}  # fmt: skip
"""The names in each file."""

__all__ = [name for names in HOMES.values() for name in names]

if TYPE_CHECKING:
    from .adagrad import Adagrad as Adagrad
    from .adam import Adam as Adam
    from .adam import AdamW as AdamW
    from .clipping import clip_grad_norm_ as clip_grad_norm_
    from .clipping import clip_grad_value_ as clip_grad_value_
    from .lbfgs import LBFGS as LBFGS
    from .lion import Lion as Lion
    from .nadam import NAdam as NAdam
    from .optimizer import Optimizer as Optimizer
    from .plateau import ReduceLROnPlateau as ReduceLROnPlateau
    from .rmsprop import RMSprop as RMSprop
    from .schedules import CosineAnnealingLR as CosineAnnealingLR
    from .schedules import ExponentialLR as ExponentialLR
    from .schedules import LinearLR as LinearLR
    from .schedules import MultiStepLR as MultiStepLR
    from .schedules import OneCycleLR as OneCycleLR
    from .schedules import SequentialLR as SequentialLR
    from .schedules import StepLR as StepLR
    from .sgd import SGD as SGD
else:

    def __getattr__(name):
        if name in HOMES:
            return import_module(f".{name}", __name__)
        for home, names in HOMES.items():
            if name in names:
                found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return __all__
