"""The example calls in a rule's record, as functions of their floating-point arrays alone."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..rule import Interval, Rule
from ..tree import flatten


class Drawer:
    """Draws arrays in general position: no two values close, none close to a multiple of ¼."""

    def __init__(self, domain: Interval, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        low, high = domain
        strata = 64
        width = (high - low) / strata
        grid = low + width * (np.arange(strata) + self.rng.uniform(0.3, 0.7, strata))
        self.values = list(self.rng.permutation(grid[np.abs(4 * grid - np.rint(4 * grid)) > 0.05]))

    def __call__(self, *shape: int) -> np.ndarray:
        n = int(np.prod(shape))
        drawn, self.values = self.values[:n], self.values[n:] + self.values[:n]
        return np.array(drawn).reshape(shape)


class Call:
    """One call of a function: `call(*arrays)` repeats it with other floating-point arrays."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
        self.function, self.kwargs, self.part = function, kwargs, None
        self.leaves, self.rebuild = flatten(args)
        floats = [isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in self.leaves]
        self.where = [i for i, is_float in enumerate(floats) if is_float]
        self.arrays = [self.leaves[i] for i in self.where]

    def __getitem__(self, part: Any) -> "Call":
        self.part = part
        return self

    def __call__(self, *arrays: Any) -> Any:
        leaves = list(self.leaves)
        for i, x in zip(self.where, arrays, strict=True):
            leaves[i] = x
        y = self.function(*self.rebuild(leaves), **self.kwargs)
        return y if self.part is None else y[self.part]

    def __repr__(self) -> str:
        return f"call with shapes {[x.shape for x in self.arrays]} and {self.kwargs}"


def calls(rule: Rule, seed: int = 0) -> list[Call]:
    """The example calls of a rule, each with arrays from the rule's domain.

    Raises:
        TypeError: its record has no examples.
    """
    if rule.examples is None:
        raise TypeError(f"the rule of {rule.name} has no examples to prove it on")
    x = Drawer(rule.domain, seed)
    found: list[Call] = rule.examples(lambda *args, **kwargs: Call(rule.function, args, kwargs), x)
    return found
