"""What the options of `train` mean for the network, and its training."""

import argparse
from typing import Any

import numpy as np

from ..data import Labels
from ..data.targets import Classes, Numbers, Ordinal, Quantiles
from ..data.targets import Target as Kind
from ..nn.activations import ACTIVATIONS as BY_NAME
from ..tabular import Settings, TabularModel
from ..tabular.learning import learned
from ..tabular.settings import OPTIMIZERS, settings_for
from ..train import NonFiniteError
from . import BadInput
from .target import Target

ACTIVATIONS = [name.replace("_", "-") for name in BY_NAME]
LOSSES = {"cross-entropy": "classification", "mse": "regression", "mae": "regression",
          "huber": "regression"}  # fmt: skip
NAMES = ("members", "hidden", "dropout", "optimizer", "lr", "epochs", "batch", "seed", "backend")


def settings_of(options: argparse.Namespace) -> Settings:
    """The preset, changed by the options that were given."""
    given = {name: getattr(options, name) for name in NAMES}
    changes = {name: value for name, value in given.items() if value is not None}
    if options.activation:
        changes["activation"] = options.activation.replace("-", "_")
    if options.early_stopping:
        changes["patience"] = options.early_stopping
    if options.hidden is not None:
        changes["hidden"] = tuple(options.hidden)
    return settings_for(options.preset, **changes)


def kind_of(options: argparse.Namespace, target: Target) -> Kind:
    """What is predicted, and by which loss.

    Raises:
        BadInput: the loss is for another task, or another option is.
    """
    task = target.task
    fitting = [name for name, of in LOSSES.items() if of == task]
    if options.loss and options.loss not in fitting:
        raise BadInput(
            f"--loss {options.loss} is not for {task}; choose {' or '.join(fitting)}, "
            "or another --task"
        )
    if task == "classification":
        if options.quantiles or options.interval:
            raise BadInput("--quantiles and --interval are for numbers, and these are classes")
        assert isinstance(target.encoder, Labels)
        if options.order:
            return in_order(options, target.encoder)
        return Classes(options.class_weight)
    if options.class_weight or options.order:
        raise BadInput("--class-weight and --order are for classes, and these are numbers")
    return Quantiles(options.quantiles) if options.quantiles else Numbers(options.loss or "mse")


def in_order(options: argparse.Namespace, labels: Labels) -> Ordinal:
    """
    Raises:
        BadInput: the order has not every label, or one twice.
    """
    numbers = labels.classes.dtype.kind != "U"
    try:
        order = [float(name) if numbers else name for name in options.order]
        return Ordinal(order, options.class_weight).fit(labels.classes)
    except ValueError as error:
        raise BadInput(f"--order {','.join(options.order)}: {error}") from None


def learn(
    columns: dict[str, Any], y: np.ndarray, kind: Kind, options: argparse.Namespace
) -> TabularModel:
    """
    Raises:
        BadInput: the training diverged.
    """
    try:
        return learned(columns, y, kind, [options.target], settings_of(options), True,
                       options.categories)  # fmt: skip
    except NonFiniteError as error:
        reason = str(error).partition(". ")[0]
        raise BadInput(f"the training diverged: {reason}; try a smaller --lr") from None


def outline(model: TabularModel) -> str:
    """The networks in one line, and how they were trained in another."""
    s = model.facts["settings"]
    networks = model.module["networks"]
    inputs = len(model.columns.feature_names)
    layers = " → ".join(map(str, [inputs, *s["hidden"], model.target.outputs]))
    weights = sum(p.size for p in networks.parameters())
    rate = s["lr"] or OPTIMIZERS[s["optimizer"]][1]
    return (
        f"{s['members']} networks {layers}, {s['activation']}, {weights:,} parameters in all\n"
        f"Trained by {s['optimizer']}, learning rate {rate:g}, batches of {s['batch']}, "
        f"at most {s['epochs']} epochs"
    )
