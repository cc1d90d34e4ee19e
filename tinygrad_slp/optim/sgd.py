"""Stochastic gradient descent, by PyTorch's formulas."""

from collections.abc import Mapping
from typing import Any

from ..checks import number
from .optimizer import Optimizer


def sgd(
    w: Any,
    g: Any,
    buffer: Any = None,
    lr: float = 1e-3,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
) -> tuple[Any, Any]:
    """One step for one parameter, on plain arrays: the new w and the new momentum buffer.

    g ← g + λw;  v ← μv + (1 − τ)g, at first g;  g ← g + μv if Nesterov, else v;  w ← w − ηg
    (Sutskever et al., On the importance of initialization and momentum, 2013, as in PyTorch).
    """
    if weight_decay:
        g = g + weight_decay * w
    if momentum:
        buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
        g = g + momentum * buffer if nesterov else buffer
    return w - lr * g, buffer


class SGD(Optimizer):
    """w ← w − lr·∂L/∂w, with momentum, Nesterov's variant and weight decay.

    Its settings are those of `sgd`, and what is said of them in `Optimizer`.
    """

    rule = staticmethod(sgd)
    state_names = ("momentum_buffer",)

    @classmethod
    def checked(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        dampening = number("dampening", settings["dampening"])  # below 0 too, as in PyTorch
        found = {**super().checked({**settings, "dampening": 0}), "dampening": dampening}
        if found["nesterov"] and (found["momentum"] <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov's momentum needs momentum > 0 and dampening = 0, "
                f"got momentum={found['momentum']}, dampening={dampening}"
            )
        return found
