"""Stochastic gradient descent, by PyTorch's formulas."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..graph import Live, leaf
from ..tensor import Tensor


def sgd(
    w: Any,
    g: Any,
    buffer: Any,
    lr: float,
    momentum: float = 0,
    dampening: float = 0,
    nesterov: bool = False,
    weight_decay: float = 0,
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


class SGD:
    """w ← w − lr·∂L/∂w, with momentum, Nesterov's variant and weight decay.

    Args:
        params: Tensors that require grad, such as `model.parameters()`.
        lr: the learning rate; may be changed between steps, as `optimizer.lr`.
        momentum, dampening, nesterov, weight_decay: see `sgd`.

    Raises:
        TypeError: params are not Tensors.
        ValueError: no params, a parameter twice, or settings out of range.
    """

    lr = Live()

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0,
        dampening: float = 0,
        nesterov: bool = False,
        weight_decay: float = 0,
    ) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params is one Tensor; write [w] for a list of it")
        self.params = list(params)
        for p in self.params:
            if not isinstance(p, Tensor):
                raise TypeError(
                    f"params should be Tensors, such as model.parameters(); got {type(p).__name__}"
                )
            if p.function is not None:
                raise ValueError("only leaves can be optimized, and one of params was computed")
        if not self.params:
            raise ValueError("no parameters to optimize: is this the right model?")
        if len({id(p) for p in self.params}) < len(self.params):
            raise ValueError("a parameter is given twice and would be updated twice a step")
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} should be 0 or more, got {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov's momentum needs momentum > 0 and dampening = 0, "
                f"got momentum={momentum}, dampening={dampening}"
            )
        self.lr = lr
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.buffers: list[Tensor | None] = [None] * len(self.params)

    def zero_grad(self) -> None:
        """Forgets the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Updates every parameter that has a gradient."""
        # Python floats, so that float32 parameters stay float32 whatever the settings are.
        lr, momentum, dampening = self.lr, float(self.momentum), float(self.dampening)
        nesterov, decay, buffers = self.nesterov, float(self.weight_decay), self.buffers
        for k, p in enumerate(self.params):
            if p.grad is None:
                continue
            buffer = buffers[k]
            v = None if buffer is None else buffer.array
            w, v = sgd(p.array, p.grad.array, v, lr, momentum, dampening, nesterov, decay)
            p.renew(w)
            if buffer is not None:
                buffer.renew(v)
            elif v is not None:
                buffers[k] = leaf(Tensor, v)

    def state_dict(self) -> dict[str, Any]:
        """The settings, and a copy of the momentum of every parameter, by number."""
        return {
            "lr": self.lr,
            "momentum": self.momentum,
            "dampening": self.dampening,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
            "buffers": [None if v is None else np.array(v.array) for v in self.buffers],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on exactly where another optimizer of the same parameters stopped.

        Raises:
            ValueError: the state has other names, or momentum of other shapes; nothing is changed.
        """
        expected = self.state_dict()
        if set(state) != set(expected):
            raise ValueError(f"the state has {sorted(state)}, expected {sorted(expected)}")
        shapes = [np.shape(p.array) for p in self.params]
        buffers = [None if v is None else np.array(v) for v in state["buffers"]]
        given = [shape if v is None else v.shape for v, shape in zip(buffers, shapes, strict=False)]
        if given != shapes or len(buffers) != len(shapes):
            raise ValueError(f"the state is for parameters of shapes {given}, these have {shapes}")
        for name in expected:
            if name != "buffers":
                setattr(self, name, state[name])
        self.buffers = [None if v is None else leaf(Tensor, v) for v in buffers]
