"""Functional: an optimizer that holds no parameters, and changes nothing: trees in, trees out."""

from typing import Any

import numpy as np

from ..tree import flatten, is_module, leaves_like
from .group import Cohort, Group
from .optimizer import Optimizer


class Functional:
    """The rule of an optimizer for plain trees.

        adam = optim.Functional(optim.Adam, lr=0.01)
        state = adam.init(params)
        for _ in range(100):
            params, state = adam.update(grad(loss)(params), state, params)

    Args:
        kind: the class, such as `optim.Adam`.
        settings: what the class takes besides parameters.

    Raises:
        TypeError: the class has no rule, as LBFGS, or does not take these settings.
        ValueError: a setting is out of its range.
    """

    def __init__(self, kind: type[Optimizer], **settings: Any) -> None:
        if not (isinstance(kind, type) and issubclass(kind, Optimizer)):
            raise TypeError(
                f"Functional takes a class with a rule, such as optim.Adam; got {kind!r}"
            )
        if unknown := [name for name in settings if name not in kind.settings]:
            raise TypeError(
                f"{kind.__name__} takes {', '.join(kind.settings)}; got {', '.join(unknown)}"
            )
        self.optimizer = kind.__new__(kind)  # without parameters, for what the class counts
        self.group = Group([], {**kind.settings, **settings}, kind.checked)

    def init(self, params: Any) -> dict[str, Any]:
        """The state before the first step: what is counted, and arrays of each parameter."""
        slots = [
            [None if x is None else np.full_like(w, x) for x in self.optimizer.starts]
            for w in leaves_of(params)
        ]
        return {**self.optimizer.counts, "slots": slots}

    def update(self, grads: Any, state: dict[str, Any], params: Any) -> tuple[Any, dict[str, Any]]:
        """One step.

        Args:
            grads: ∂L/∂params, of the structure of params.
            state: of `init`, or of the step before.
            params: a number, an array, or a nested tuple, list or dict of them.

        Returns:
            params and state after it.

        Raises:
            ValueError: the gradients have another structure.
        """
        leaves_of(params)
        _, rebuild = flatten(params)
        cohort = Cohort([], {name: state[name] for name in self.optimizer.counts})
        numbers = self.optimizer.numbers(self.group, cohort)
        sign = -1 if self.group.maximize else 1
        new = [
            self.optimizer.rule(w, sign * g, *slot, *numbers, **self.group.settings)
            for w, g, slot in zip(
                leaves_of(params), leaves_like(grads, params), state["slots"], strict=True
            )
        ]
        counts = {name: getattr(cohort, name) for name in self.optimizer.counts}
        return rebuild([w for w, *_ in new]), {**counts, "slots": [list(slot) for _, *slot in new]}

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.group.all_settings().items())
        return f"Functional({type(self.optimizer).__name__}, {settings})"


def leaves_of(params: Any) -> list[Any]:
    """
    Raises:
        TypeError: it is a Module, which has its own optimizers.
    """
    if is_module(params):
        raise TypeError("params is a Module: write optim.Adam(model.parameters()), and step()")
    leaves, _ = flatten(params)
    return leaves
