"""The network that a table is given, and its training."""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import metrics, nn, optim
from ..data import Standardizer, TableEncoder
from ..nn.activations import ACTIVATIONS as BY_NAME
from ..train import EarlyStopping, History, NonFiniteError, fit
from . import BadInput
from .encoding import DTYPE
from .model_file import Trained
from .target import Target

ACTIVATIONS = {name.replace("_", "-"): kind for name, kind in BY_NAME.items()}
LOSSES = {
    "cross-entropy": ("classification", nn.cross_entropy),
    "mse": ("regression", nn.mse_loss),
    "mae": ("regression", nn.l1_loss),
    "huber": ("regression", nn.huber_loss),
}
OPTIMIZERS: dict[str, tuple[Callable[..., optim.Optimizer], float]] = {
    "adam": (optim.Adam, 0.003), "adamw": (optim.AdamW, 0.003), "nadam": (optim.NAdam, 0.003),
    "rmsprop": (optim.RMSprop, 0.003), "adagrad": (optim.Adagrad, 0.03),
    "lion": (optim.Lion, 0.001), "sgd": (optim.SGD, 0.1),
}  # fmt: skip
LARGE = 10_000
"""From so many rows on, batches are larger."""


def chosen_loss(options: argparse.Namespace, target: Target) -> Callable[..., Any]:
    fitting = [name for name, (task, _) in LOSSES.items() if task == target.task]
    options.loss = options.loss or fitting[0]
    if options.loss not in fitting:
        raise BadInput(
            f"--loss {options.loss} is not for {target.task}; "
            f"choose {' or '.join(fitting)}, or another --task"
        )
    return LOSSES[options.loss][1]


def make(
    options: argparse.Namespace, encoder: TableEncoder, target: Target, y: np.ndarray
) -> Trained:
    """The network, not trained yet, and what goes with it."""
    if isinstance(target.encoder, Standardizer):
        target.encoder.fit(y)
    options.lr = options.lr or OPTIMIZERS[options.optimizer][1]
    options.batch = options.batch or (256 if len(y) >= LARGE else 32)
    outputs = 1 if isinstance(target.encoder, Standardizer) else len(target.encoder.classes)
    layers = [len(encoder.feature_names), *options.hidden, outputs]
    model = nn.MLP(layers, ACTIVATIONS[options.activation], dtype=DTYPE, rng=options.seed)
    settings = {k: v for k, v in vars(options).items() if v is not None}
    facts = {"task": target.task, "target": options.target, "settings": settings}
    return Trained(model, encoder, target.encoder, facts)


def outline(model: nn.Module, features: int, options: argparse.Namespace) -> str:
    """The network in one line, and how it is trained in another."""
    parameters = sum(p.size for p in model.parameters())
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    layers = " → ".join(map(str, [features, *(w.shape[0] for w in weights)]))
    return (
        f"Network {layers}, {options.activation}, {parameters:,} parameters\n"
        f"Training by {options.optimizer}, loss {options.loss}, learning rate {options.lr:g}, "
        f"batches of {options.batch}"
    )


def learn(
    trained: Trained, X: np.ndarray, y: np.ndarray, n: int, loss: Any, options: argparse.Namespace
) -> History:
    """Trains on the first n rows, and watches the others.

    Raises:
        BadInput: the training diverged.
    """
    if trained.labels is None:
        y = trained.target.transform(y).astype(DTYPE)[:, None]
    optimizer = OPTIMIZERS[options.optimizer][0](trained.model.parameters(), lr=options.lr)
    stopping = [EarlyStopping(options.early_stopping)] if options.early_stopping else []
    watched: dict[str, Any] = {"validation": (X[n:], y[n:])} if len(X) > n else {}
    if watched and trained.labels is not None:
        watched["metrics"] = {"accuracy": lambda y, z: metrics.accuracy(y, z.argmax(axis=1))}
    try:
        return fit(
            trained.model, (X[:n], y[:n]), loss, optimizer, options.epochs,
            batch_size=options.batch, callbacks=stopping,
            jit=options.backend != "eager" and options.backend, shuffle=options.seed, **watched,
        )  # fmt: skip
    except NonFiniteError as error:
        reason = str(error).partition(". ")[0]
        raise BadInput(f"the training diverged: {reason}; try a smaller --lr") from None


def judged(
    trained: Trained, X: np.ndarray, y: np.ndarray, n: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, truth, prediction) of the training rows, and of those held out.

    Raises:
        BadInput: a prediction is not a number: the training diverged.
    """
    parts = [("training", slice(n)), ("held out", slice(n, None))]
    with np.errstate(all="ignore"):  # an overflow is reported in one line
        found = [(name, y[at], trained.predict(X[at])) for name, at in parts if len(y[at])]
    if not all(np.isfinite(p).all() for *_, p in found):
        raise BadInput("the training diverged: it predicts NaN or infinity; try a smaller --lr")
    return found
