"""A model with the encoders of its table: how a file holds it, and how it predicts."""

from typing import Any

import numpy as np

from .. import nn
from ..data import Labels, Standardizer, TableEncoder
from ..graph import no_grad
from ..rules import softmax
from ..saving import load, save
from . import BadInput
from .reading import PART
from .target import TASKS


class Trained:
    """A model, and what turns a table into its inputs and its outputs into predictions.

    Attributes:
        facts: "target", the name of the column; "task"; and "settings", those of the training.
    """

    def __init__(
        self,
        model: nn.Module,
        columns: TableEncoder,
        target: Labels | Standardizer,
        facts: dict[str, Any],
    ) -> None:
        self.model = model
        self.columns = columns
        self.target = target
        self.facts = facts

    @property
    def name(self) -> str:
        """Of the target."""
        return str(self.facts["target"])

    @property
    def labels(self) -> np.ndarray | None:
        """The classes; None where a number is predicted."""
        return self.target.classes if isinstance(self.target, Labels) else None

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Probabilities (n, k), or numbers in the target's own units (n,); float64.

        Args:
            X: inputs (n, d), see `inputs`.
        """
        made = []
        with no_grad():
            for start in range(0, len(X), PART):
                y = self.model(X[start : start + PART]).data.astype(float)
                made.append(self.target.inverse_transform(y[:, 0]) if self.labels is None
                            else softmax(y))  # fmt: skip
        return np.concatenate(made)

    def save(self, path: str) -> None:
        """
        Raises:
            BadInput: it cannot be written there; what was there still is.
        """
        encoders = {"columns": self.columns, "target": self.target}
        try:
            save(self.model, path, encoders=encoders, metadata=self.facts)
        except OSError as error:
            raise BadInput(f"{path}: cannot write the model: {error.strerror}") from None

    @classmethod
    def load(cls, path: str) -> "Trained":
        """
        Raises:
            BadInput: there is no such file, or it is not one that `tinygrad-slp train` wrote.
        """
        try:
            model = load(path)
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}; expected a model to read") from None
        except (ValueError, ModuleNotFoundError) as error:
            raise BadInput(" ".join(str(error).split())) from None
        encoders: Any = getattr(model, "encoders", None)
        facts: Any = getattr(model, "metadata", None)
        try:
            columns, target = encoders["columns"], encoders["target"]
            right = isinstance(facts["target"], str) and facts["task"] in TASKS
        except (LookupError, TypeError):
            right, columns, target = False, None, None
        if not (
            right
            and isinstance(columns, TableEncoder)
            and isinstance(target, Labels | Standardizer)
        ):
            raise BadInput(
                f"{path}: a model, but not one that tinygrad-slp train wrote, so its columns are "
                "unknown; use it from Python: tinygrad_slp.saving.load"
            )
        return cls(model, columns, target, facts)
