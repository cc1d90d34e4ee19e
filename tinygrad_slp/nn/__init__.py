"""Layers, activations, losses and the modules they are made of, under PyTorch's names."""

from . import activations, functional, init
from .activations import *  # noqa: F403
from .containers import MLP, ModuleDict, ModuleList, Residual, Sequential
from .ensembles import LinearEnsemble, MLPEnsemble, PiecewiseLinear
from .layers import Dropout, Embedding, Flatten, Identity, Linear, Perceptron
from .loss_layers import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
)
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    gaussian_nll_loss,
    hinge_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from .module import Buffer, Module
from .normalization import BatchNorm1d, LayerNorm

__all__ = [
    "MLP", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "Buffer", "CrossEntropyLoss", "Dropout",
    "Embedding", "Flatten", "GaussianNLLLoss", "HingeLoss", "HuberLoss", "Identity",
    "L1Loss", "LayerNorm", "Linear", "LinearEnsemble", "MLPEnsemble", "MSELoss", "Module",
    "ModuleDict", "ModuleList", "NLLLoss", "Perceptron", "PiecewiseLinear", "Residual",
    "Sequential", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy",
    "functional", "gaussian_nll_loss", "hinge_loss", "huber_loss", "init", "l1_loss", "mse_loss",
    "nll_loss",
]  # fmt: skip
__all__ += activations.__all__
