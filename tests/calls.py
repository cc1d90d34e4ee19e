"""Every rule, and the slopes that its example calls are held against."""

from importlib.util import find_spec

import numpy as np

from tinygrad_slp.check.examples import Call, calls
from tinygrad_slp.rule import functions

__all__ = ["NAMES", "RULES", "Call", "calls", "slopes"]

if find_spec("scipy"):
    import tinygrad_slp.rules.special  # noqa: F401

RULES = list(functions())
NAMES = [rule.name for rule in RULES]


def slopes(f, arrays, k):
    """∂f/∂(array k) for a function to one number, by eighth-order differences in longdouble; in
    float64, by larger steps, where functions of SciPy know no wider numbers.

    Fornberg, Generation of finite difference formulas on arbitrarily spaced grids, 1988, table 1.
    """
    try:
        f(*(x.astype(np.longdouble) for x in arrays))
        wide, h = np.longdouble, 1e-3
    except TypeError:
        wide, h = np.float64, 4e-3
    wide_arrays = [x.astype(wide) for x in arrays]
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    result = np.empty(arrays[k].shape)
    for index in np.ndindex(result.shape):

        def at(step, index=index):
            moved = list(wide_arrays)
            moved[k] = wide_arrays[k].copy()
            moved[k][index] += step * wide(h)
            return f(*moved)

        total = sum(wide(w) * (at(i) - at(-i)) for i, w in weights.items())
        result[index] = total / wide(h)
    return result
