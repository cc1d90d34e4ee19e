"""Numbers, standardised."""

from typing import Any, Self

import numpy as np

from .arrays import as_numpy
from .column import refuse
from .encoder import Encoder


class Standardizer(Encoder):
    """Columns with mean 0 and deviation 1: z = (x − mean)/std, for x of shape (n,) or (n, d).

    A constant column becomes 0 (its std counts as 1). NaN is a missing value: the mean stands in
    for it, so that z is 0; `notes()` says where.

    Attributes:
        mean, std: of each column, shape () or (d,); std is Σ(x − mean)²/n under a root.
        missing: how many NaN were in each column.
    """

    mean: np.ndarray
    std: np.ndarray
    missing: np.ndarray

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: no rows, an infinite value, or a column without any value.
        """
        x = numbers(x)
        absent = np.isnan(x)
        if np.any(empty := absent.all(axis=0)):
            at = f" in column {np.argmax(empty)}" if x.ndim == 2 else ""
            raise ValueError(f"all {len(x)} values{at} are missing, so there is no mean")
        low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        # Of about 1, so that no square is too large or too small; a power of 2 rounds nothing.
        _, exponent = np.frexp(np.maximum(np.abs(low), np.abs(high)))
        scale = np.ldexp(1.0, exponent - 1)
        mean, std = np.nanmean(x / scale, axis=0) * scale, np.nanstd(x / scale, axis=0) * scale
        constant = (low == high) | (std == 0)
        self.mean, self.std = np.where(constant, low, mean), np.where(constant, 1.0, std)
        self.missing = np.asarray(absent.sum(axis=0))
        return self

    def transform(self, x: Any) -> np.ndarray:
        """z, float64, of the shape of x.

        Raises:
            ValueError: another number of columns, or a value that is infinite or too far away.
        """
        x = numbers(x)
        self.expect(x)
        with np.errstate(over="ignore"):
            z: np.ndarray = x - self.mean
            z /= self.std
        z[np.isnan(x)] = 0
        refuse(np.isinf(z), x, "is too far from the mean")
        return z

    def inverse_transform(self, y: Any) -> np.ndarray:
        """x = z·std + mean"""
        z = numbers(y)
        self.expect(z)
        x: np.ndarray = z * self.std + self.mean
        return x

    def expect(self, x: np.ndarray) -> None:
        if x.shape[1:] != self.mean.shape:
            wanted = str(("n", *self.mean.shape)).replace("'", "")
            raise ValueError(f"this Standardizer was fitted to shape {wanted}, got {x.shape}")

    def notes(self) -> list[str]:
        where = [f"column {k}: " for k in range(self.mean.size)] if self.mean.ndim else [""]
        found = zip(where, np.ravel(self.missing), np.ravel(self.mean), strict=True)
        return [f"{at}{n} missing, replaced by the mean {m:.6g}" for at, n, m in found if n]

    def fields(self) -> dict[str, Any]:
        names = ("mean", "std", "missing")
        return {name: getattr(self, name).tolist() for name in names}

    def restore(self, fields: dict[str, Any]) -> None:
        self.mean, self.std = (np.array(fields[name], dtype=float) for name in ("mean", "std"))
        self.missing = np.array(fields["missing"], dtype=int)
        if not self.mean.shape == self.std.shape == self.missing.shape or self.mean.ndim > 1:
            raise ValueError("mean, std and missing should have one shape, () or (d,)")
        if not (np.all(np.isfinite(self.mean)) and np.all(self.std > 0)):
            raise ValueError("mean should be finite and std above 0")


def numbers(values: Any) -> np.ndarray:
    """The values as float64 of shape (n,) or (n, d); NaN stands for a missing one."""
    x = as_numpy("x", values)
    if x.ndim not in (1, 2) or x.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers of shape (n,) or (n, d), got {x.dtype} of {x.shape}")
    x = x.astype(np.float64, copy=False)
    refuse(np.isinf(x), x, "is not a finite number")
    return x
