"""Optimizers: what turns gradients into new parameters, and what goes with them."""

from .adagrad import Adagrad
from .adam import Adam, AdamW
from .clipping import clip_grad_norm_, clip_grad_value_
from .functional import Functional
from .lbfgs import LBFGS
from .lion import Lion
from .minimize import minimize, with_gradient
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

__all__ = [
    "LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "Functional",
    "LinearLR", "Lion", "MultiStepLR", "NAdam", "OneCycleLR", "Optimizer", "RMSprop",
    "ReduceLROnPlateau", "SequentialLR", "StepLR", "clip_grad_norm_", "clip_grad_value_",
    "minimize", "with_gradient",
]  # fmt: skip
