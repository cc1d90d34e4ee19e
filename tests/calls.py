"""The example calls of every rule, as functions of their floating-point arrays alone."""

import numpy as np

from tinygrad_slp.rule import functions
from tinygrad_slp.tree import flatten

RULES = list(functions())
NAMES = [rule.name for rule in RULES]


class Drawer:
    """Draws arrays in general position: no two values close, none close to a multiple of ¼."""

    def __init__(self, domain, seed):
        self.rng = np.random.default_rng(seed)
        low, high = domain
        strata = 48
        width = (high - low) / strata
        grid = low + width * (np.arange(strata) + self.rng.uniform(0.3, 0.7, strata))
        self.values = list(self.rng.permutation(grid[np.abs(4 * grid - np.rint(4 * grid)) > 0.05]))

    def __call__(self, *shape):
        n = int(np.prod(shape))
        drawn, self.values = self.values[:n], self.values[n:] + self.values[:n]
        return np.array(drawn).reshape(shape)


class Call:
    """One call of a function: `call(*arrays)` repeats it with other floating-point arrays."""

    def __init__(self, function, args, kwargs):
        self.function, self.kwargs, self.part = function, kwargs, None
        self.leaves, self.rebuild = flatten(args)
        floats = [isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in self.leaves]
        self.where = [i for i, is_float in enumerate(floats) if is_float]
        self.arrays = [self.leaves[i] for i in self.where]

    def __getitem__(self, part):
        self.part = part
        return self

    def __call__(self, *arrays):
        leaves = list(self.leaves)
        for i, x in zip(self.where, arrays, strict=True):
            leaves[i] = x
        y = self.function(*self.rebuild(leaves), **self.kwargs)
        return y if self.part is None else y[self.part]

    def __repr__(self):
        return f"call with shapes {[x.shape for x in self.arrays]} and {self.kwargs}"


def calls(rule, seed=0):
    """The example calls of a rule, each with arrays from the rule's domain."""
    assert rule.examples is not None, f"the rule of {rule.name} has no examples to prove it on"
    x = Drawer(rule.domain, seed)
    return rule.examples(lambda *args, **kwargs: Call(rule.function, args, kwargs), x)


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
