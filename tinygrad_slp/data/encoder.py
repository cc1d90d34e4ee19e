"""The encoder: fitted to the training data, kept with the model, and used again on new data."""

from typing import Any, Self

import numpy as np


class Encoder:
    """What turns data into numbers.

    A subclass annotates what `fit` finds, and has `fit`, `transform`, `fields` and `restore`; those
    of one column also have `inverse_transform`.
    """

    def fit(self, x: Any) -> Self:
        """Learns from the training data; returns self."""
        raise NotImplementedError

    def transform(self, x: Any) -> np.ndarray:
        raise NotImplementedError

    def fit_transform(self, x: Any) -> np.ndarray:
        return self.fit(x).transform(x)

    def left_out(self, x: Any, fold: np.ndarray) -> np.ndarray:
        """What training rows become, each by what rows of other folds tell of the target.

        Args:
            fold: of each row, (n,).
        """
        return self.transform(x)

    def features(self, name: str) -> list[str]:
        """What to call the columns that a column of this name is turned into."""
        return [name]

    def notes(self) -> list[str]:
        """What was done to the training data that its owner should hear of, line by line."""
        return []

    def state(self) -> dict[str, Any]:
        """All of it as plain dicts, lists, strings and numbers: JSON loses no bit."""
        return {"encoder": type(self).__name__, **self.fields()}

    @staticmethod
    def from_state(state: dict[str, Any]) -> "Encoder":
        """The encoder that gave this state.

        Raises:
            ValueError: it is not the state of an encoder.
        """
        kinds = {kind.__name__: kind for kind in subclasses(Encoder)}
        try:
            encoder: Encoder = kinds[state["encoder"]]()
            encoder.restore(state)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"this is not the state of an encoder: {type(error).__name__}: {error}"
            ) from None
        return encoder

    def fields(self) -> dict[str, Any]:
        raise NotImplementedError

    def restore(self, fields: dict[str, Any]) -> None:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:  # asked only where there is no such attribute
        kind = type(self).__name__
        if name in type(self).__annotations__:
            raise AttributeError(f"this {kind} is not fitted: call its fit(...) first")
        raise AttributeError(f"{kind!r} object has no attribute {name!r}")


def subclasses(kind: type) -> list[type]:
    """All of them, also those of subclasses."""
    direct: list[type] = kind.__subclasses__()
    return [*direct, *(x for cls in direct for x in subclasses(cls))]
