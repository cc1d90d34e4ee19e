"""L-BFGS, as SciPy has it: whole searches on one batch, for small problems without noise."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..checks import at_least, whole
from ..tensor import Tensor
from ..tree import ravel
from ..walk import forget, gradient
from .group import parameters_in


class LBFGS:
    """Goes to a minimum of the loss by its gradients and their changes (Liu & Nocedal, 1989).

        def closure():
            optimizer.zero_grad()
            loss = mse_loss(model(x), y)
            loss.backward()
            return loss

        loss = optimizer.step(closure)

    Args:
        params: Tensors that require grad, such as `model.parameters()`.
        max_iter: iterations of one step.
        max_eval: evaluations of the closure in one step; 1.25 · max_iter by default.
        tolerance_grad: a step ends where no |∂L/∂w| is larger,
        tolerance_change: or where the loss falls by less, relative to it.
        history_size: how many iterations back the curvature is remembered, within a step.

    Attributes:
        found: what SciPy says of the latest step: `fun`, the loss after it, `nit`, `message`, ...

    Raises:
        TypeError: params are not Tensors, or a setting is no number.
        ValueError: no params, a parameter twice, or a setting out of range.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
    ) -> None:
        self.params = parameters_in(params)
        self.found: Any = None
        max_iter = whole("max_iter", max_iter, 1)
        self.options = {
            "maxiter": max_iter,
            "maxfun": max_iter * 5 // 4 if max_eval is None else whole("max_eval", max_eval, 1),
            "gtol": at_least("tolerance_grad", tolerance_grad, 0),
            "ftol": at_least("tolerance_change", tolerance_change, 0),
            "maxcor": whole("history_size", history_size, 1),
        }

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters; set_to_none=False: sets them to 0."""
        forget(self.params, set_to_none)

    def step(
        self, closure: Callable[[], Tensor], report: Callable[[float], Any] | None = None
    ) -> Tensor:
        """One search, up to max_iter iterations; returns the loss before, as PyTorch does.

        Args:
            closure: forgets the gradients, computes the loss, calls its backward() and returns it.
            report: is given the loss after each iteration.

        Raises:
            ImportError: SciPy is not installed.
            TypeError: the closure returns no Tensor.
        """
        try:
            from scipy.optimize import minimize
        except ImportError:
            raise ImportError("LBFGS needs SciPy: pip install 'tinygrad-slp[optim]'") from None
        losses: list[Tensor] = []
        # In float64, which SciPy computes in.
        start, unravel = ravel([p.array.astype(np.float64) for p in self.params])

        def put(x: Any) -> None:
            for p, array in zip(self.params, unravel(x), strict=True):
                p.data = array

        def loss_and_gradient(x: Any) -> tuple[float, Any]:
            put(x)
            losses.append(loss_of(closure))
            return float(losses[-1].item()), self.gradient()

        def iterated(x: Any) -> None:
            if report is not None:
                report(float(losses[-1].item()))  # an iteration ends with a loss that it keeps

        self.found = minimize(
            loss_and_gradient, start, jac=True, method="L-BFGS-B", callback=iterated,
            options=self.options,
        )  # fmt: skip
        put(self.found.x)
        return losses[0]

    def gradient(self) -> Any:
        """All gradients as one vector; 0 where there is none."""
        parts = [np.zeros_like(p.array) if p.grad is None else gradient(p) for p in self.params]
        return np.concatenate([np.ravel(g).astype(np.float64) for g in parts])

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"LBFGS({options}: {len(self.params)} parameters)"


def loss_of(closure: Callable[[], Tensor]) -> Tensor:
    loss = closure()
    if not isinstance(loss, Tensor):
        raise TypeError(
            "the closure should return the loss as a Tensor, after loss.backward(): end it with "
            f"return loss; it returned {type(loss).__name__}: {loss!r:.60}"
        )
    return loss
