"""Stochastic gradient descent, by PyTorch's formulas."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from ..graph import leaf
from ..tensor import Tensor
from ..walk import gradient
from .group import Cohort, Group
from .optimizer import Optimizer, Params


def sgd(
    w: Any,
    g: Any,
    buffer: Any,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
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


hyperparameters = itemgetter("momentum", "dampening", "weight_decay", "nesterov")


class SGD(Optimizer):
    """w ← w − lr·∂L/∂w, with momentum, Nesterov's variant and weight decay.

    Args:
        params: Tensors that require grad, such as `model.parameters()`; or groups: see `Optimizer`.
        lr: the learning rate; may be changed between steps, as `optimizer.lr`.
        momentum, dampening, weight_decay, nesterov: see `sgd`.
        maximize: go up instead of down.

    Raises:
        TypeError: params are not Tensors.
        ValueError: no params, a parameter twice, or settings out of range.
    """

    rule = staticmethod(sgd)
    state_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, settings)

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> None:
        super().check(settings)
        momentum, dampening = settings["momentum"], settings["dampening"]
        if settings["nesterov"] and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov's momentum needs momentum > 0 and dampening = 0, "
                f"got momentum={momentum}, dampening={dampening}"
            )

    def update(self, group: Group, cohort: Cohort, *numbers: Any) -> None:
        """The same as in `Optimizer`, spelled out for speed: small models notice."""
        (lr,), maximize = numbers, group.maximize
        momentum, dampening, weight_decay, nesterov = hyperparameters(group.settings)
        for p, state in cohort.slots:
            grad, (buffer,) = p.grad, state
            if grad is None:
                continue
            g = grad.array if type(grad) is Tensor else gradient(p)
            g = -g if maximize else g
            v = None if buffer is None else buffer.array
            w, v = sgd(p.array, g, v, lr, momentum, dampening, weight_decay, nesterov)
            p.renew(w)
            if buffer is not None:
                buffer.renew(v)
            elif v is not None:
                state[0] = leaf(Tensor, v)
