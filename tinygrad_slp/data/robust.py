"""Numbers, scaled so that outliers do no harm."""

from typing import Any, Self

import numpy as np

from .encoder import Encoder
from .standardizer import numbers

BOUND = 8.0
"""No value gets farther from 0."""


class RobustScaler(Encoder):
    """A column with median 0 and the middle half one unit wide, smoothly clipped to ±8:
    z = s(x − median),  y = z/√(1 + (z/8)²),  s = 1/(q₇₅ − q₂₅)

    (Holzmüller et al., Better by default, 2024, section 3, with 3 for 8). Where the quartiles are
    equal, s is 2/(max − min), and 0 for a constant. NaN is a missing value, 0 in y; if there was
    one in `fit`, a second feature says which are missing.

    Attributes:
        center, scale: the median, and s.
        missing: how many NaN were there.
    """

    center: float
    scale: float
    missing: int

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: no rows, no value but missing ones, or an infinite value.
        """
        x = numbers(x)
        known = x[~np.isnan(x)]
        if x.ndim != 1 or not len(known):
            raise ValueError(f"expected a column with values, got {len(known)} of shape {x.shape}")
        low, self.center, high = (float(q) for q in np.quantile(known, (0.25, 0.5, 0.75)))
        # Halves, as the difference of two floats may be too large for one.
        widths = (high / 2 - low / 2, known.max() / 4 - known.min() / 4)
        self.scale = next((0.5 / float(w) for w in widths if w > 0 and np.isfinite(0.5 / w)), 0.0)
        self.missing = len(x) - len(known)
        return self

    def transform(self, x: Any) -> np.ndarray:
        """y, float64 of shape (n,), or (n, 2) with the missing ones marked by 1.

        Raises:
            ValueError: not a column of finite numbers.
        """
        x = numbers(x)
        absent = np.isnan(x)
        with np.errstate(over="ignore"):
            z = np.where(absent, 0, (x - self.center) * self.scale)
        z = np.clip(z, -1e9, 1e9)
        y: np.ndarray = z / np.sqrt(1 + (z / BOUND) ** 2)
        return np.column_stack([y, absent]) if self.missing else y

    def features(self, name: str) -> list[str]:
        return [name, f"{name} is missing"] if self.missing else [name]

    def notes(self) -> list[str]:
        return [f"{self.missing} missing, a column marks them"] if self.missing else []

    def fields(self) -> dict[str, Any]:
        return {"center": self.center, "scale": self.scale, "missing": self.missing}

    def restore(self, fields: dict[str, Any]) -> None:
        self.center, self.scale = float(fields["center"]), float(fields["scale"])
        self.missing = int(fields["missing"])
        if not (np.isfinite(self.center) and 0 <= self.scale < np.inf):
            raise ValueError("center should be finite and scale 0 or more")
