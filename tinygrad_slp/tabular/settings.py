"""Settings of a training on a table: three presets, and sizes that go by the table."""

from dataclasses import dataclass, replace
from typing import Any

from ..checks import at_least, below_1, one_of, positive, whole
from ..nn.activations import ACTIVATIONS
from ..optim import SGD, Adagrad, Adam, AdamW, Lion, NAdam, RMSprop

OPTIMIZERS: dict[str, tuple[Any, float]] = {
    "adamw": (AdamW, 0.006), "adam": (Adam, 0.006), "nadam": (NAdam, 0.006),
    "rmsprop": (RMSprop, 0.003), "adagrad": (Adagrad, 0.03), "lion": (Lion, 0.001),
    "sgd": (SGD, 0.1),
}  # fmt: skip
"""Each with its learning rate."""

STEPS = 1500
"""A small table is gone through until there were so many steps, or 8 times the epochs."""
LARGE = 20_000
"""From so many rows on half the members do."""
WORK, WORK_PER_ROW = 1e11, 2e7
"""Floating-point operations that a training may take."""


@dataclass(frozen=True)
class Settings:
    """How a network learns a table.

    Args:
        members: networks that are trained side by side, each without a part of the rows, which it
            is judged on.
        hidden: sizes of the hidden layers; () for a straight line.
        bins: ramps between the quantiles of a column of numbers; 0 for none.
        activation, dropout: of the hidden layers.
        optimizer, lr, weight_decay: `lr` None: as suits the optimizer. It rises over the first 5 %
            of the epochs, and falls as a cosine.
        epochs: at most; None: as the table's size suggests.
        batch: rows of a batch; None: a sixteenth of them, from 32 to 256.
        patience: epochs without a better loss on the rows left out after which training ends;
            None: 15 % of the epochs, from 20 to 100.
        averaging: of the weights: each step keeps so much of their running mean.
        seed: of all random numbers.
        backend: of `jit`; "eager": nothing is compiled.
    """

    members: int | None = None
    hidden: tuple[int, ...] = (128, 128)
    bins: int = 16
    activation: str = "relu"
    dropout: float = 0.1
    optimizer: str = "adamw"
    lr: float | None = None
    weight_decay: float = 0.02
    epochs: int | None = None
    batch: int | None = None
    patience: int | None = None
    averaging: float = 0.99
    seed: int = 0
    backend: str = "auto"
    effort: float = 1.0

    def __post_init__(self) -> None:
        for name in ("members", "epochs", "batch", "patience"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), 2 if name == "members" else 1)
        for size in self.hidden:
            whole("hidden", size, 1)
        whole("bins", self.bins, 0)
        whole("seed", self.seed, 0)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("backend", self.backend, ("auto", "llvm", "numpy", "eager"))
        below_1("dropout", self.dropout)
        below_1("averaging", self.averaging)
        at_least("weight_decay", self.weight_decay, 0)
        positive("effort", self.effort)
        if self.lr is not None:
            positive("lr", self.lr)


PRESETS = {
    "quick": Settings(members=4, hidden=(64, 64), bins=8, effort=0.25),
    "default": Settings(),
    "thorough": Settings(members=16, hidden=(256, 256), effort=20.0),
}
"""The settings "quick", "default" and "thorough", by name."""


def settings_for(preset: str = "default", **changes: Any) -> Settings:
    """A preset with some settings changed.

    Raises:
        TypeError, ValueError: no such preset or setting, or a value out of its range.
    """
    one_of("preset", preset, PRESETS)
    if unknown := [name for name in changes if name not in Settings.__dataclass_fields__]:
        raise TypeError(
            f"no setting {', '.join(unknown)}; there are {', '.join(Settings.__dataclass_fields__)}"
        )
    return replace(PRESETS[preset], **changes)


def sized(s: Settings, rows: int, weights: int) -> Settings:
    """The settings with every number that goes by the size of the table.

    Args:
        rows: of the table.
        weights: of one member.
    """
    members = members_for(s, rows)
    train = rows - -(-rows // members)
    batch = min(s.batch or min(max(32, power_of_2(train / 16)), 256), train)
    epochs = s.epochs
    if epochs is None:
        most = s.effort * (WORK + WORK_PER_ROW * rows) / (6.0 * train * members * weights)
        steps = max(train // batch, 1)
        wanted = max(60, min(-(-STEPS // steps), 480))
        epochs = max(8, min(wanted, int(most)))
    patience = s.patience or min(max(20, int(0.15 * epochs)), 100)
    lr = s.lr or OPTIMIZERS[s.optimizer][1]
    return replace(s, members=members, batch=batch, epochs=epochs, patience=patience, lr=lr)


def members_for(s: Settings, rows: int) -> int:
    return min(s.members or (4 if rows >= LARGE else 8), rows)


def power_of_2(x: float) -> int:
    """The largest power of 2 that is not above x, at least 1."""
    return 1 << max(int(x).bit_length() - 1, 0)
