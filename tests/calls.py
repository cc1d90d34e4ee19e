"""Every rule, and the slopes that its example calls are held against."""

import numpy as np

from tinygrad_slp.check.examples import Call, calls
from tinygrad_slp.rule import functions

__all__ = ["NAMES", "RULES", "Call", "calls", "slopes"]

RULES = list(functions())
NAMES = [rule.name for rule in RULES]


def slopes(f, arrays, k):
    """∂f/∂(array k) for a function to one number, by eighth-order differences in longdouble.

    Fornberg, Generation of finite difference formulas on arbitrarily spaced grids, 1988, table 1.
    """
    wide = [x.astype(np.longdouble) for x in arrays]
    h = np.longdouble(1e-3)
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    result = np.empty(arrays[k].shape)
    for index in np.ndindex(result.shape):

        def at(step, index=index):
            moved = list(wide)
            moved[k] = wide[k].copy()
            moved[k][index] += step * h
            return f(*moved)

        total = sum(np.longdouble(w) * (at(i) - at(-i)) for i, w in weights.items())
        result[index] = total / h
    return result
