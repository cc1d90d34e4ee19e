"""What users have, as arrays of NumPy; arrays of other libraries are refused by name.

To become NumPy's they are computed, read from a file, moved off a device or cut off from their
gradient: what that costs, the user decides. Columns and tables of pandas, Polars and PyArrow are
in memory and plain, and are taken.
"""

from typing import Any

import numpy as np

from ..graph import Node

CONVERSIONS = {
    "cupy": "cupy.asnumpy(x)",
    "dask": "x.compute()",
    "h5py": "x[:]",
    "jax": "np.asarray(x)",
    "jaxlib": "np.asarray(x)",
    "scipy": "x.toarray()",
    "tensorflow": "x.numpy()",
    "torch": "x.numpy(force=True)",
    "xarray": "x.to_numpy()",
    "zarr": "x[:]",
}
"""How to write an array of another library as one of NumPy's."""
TABLES = {"pandas", "polars", "pyarrow"}


def as_numpy(name: str, values: Any) -> np.ndarray:
    """Numbers, lists, arrays, Tensors, columns or tables, as an array, which may share memory.

    Args:
        name: what an error calls them.

    Raises:
        TypeError: an array of another library, alone or in a list, or a Tensor that requires grad.
    """
    refuse_foreign(name, values)
    return np.asarray(values)


def refuse_foreign(name: str, values: Any) -> None:
    """
    Raises:
        TypeError: with what to write instead.
    """
    x = foreign(values)
    if x is not None:
        verb = "is" if x is values else "holds"
        raise TypeError(
            f"{name} {verb} a {libraries(x)[0]}.{type(x).__name__}, which is not converted to an "
            f"array of NumPy for you: write {conversion(x)}"
        )


def foreign(x: Any) -> Any:
    """An array of another library that x is, or that a nested list has; None if there is none."""
    if isinstance(x, list | tuple):
        kinds = {type(part): part for part in x}
        parts = x if kinds.keys() & {list, tuple} else kinds.values()
        return next((found for found in map(foreign, parts) if found is not None), None)
    held = x.array if isinstance(x, Node) else x
    return None if conversion(held) is None else held


def conversion(x: Any) -> str | None:
    """How to write x as an array of NumPy; None if it becomes one by itself."""
    if isinstance(x, np.ma.MaskedArray):
        return "x.filled(value)"
    if isinstance(x, np.ndarray | np.generic) or TABLES.intersection(libraries(x)):
        return None
    for library in libraries(x):
        if library in CONVERSIONS:
            return CONVERSIONS[library]
    protocols = "__array_function__", "__array_namespace__", "__dlpack__"
    return "np.asarray(x)" if any(hasattr(x, name) for name in protocols) else None


def libraries(x: Any) -> list[str]:
    """Those that define the class of x and its bases, itself first."""
    return [kind.__module__.partition(".")[0] for kind in type(x).__mro__]
