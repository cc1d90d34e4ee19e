"""Training by L-BFGS: one search for a minimum, which takes all rows at once."""

from typing import Any

import numpy as np

from .. import nn, optim
from ..jit import jit
from ..tensor import Tensor
from ..train import History, NonFiniteError
from ..train.diagnosis import finite, in_backward, in_forward
from ..train.progress import reporting
from .arguments import backend_for
from .model import Objective
from .rows import Rows
from .task import Result, Task

REMEMBERED, FLAT = 10, 1e7 * float(np.finfo(float).eps)
"""SciPy's own history_size and tolerance_change, which scikit-learn leaves as they are."""


def train(task: Task, rows: Rows, mean: float) -> Result:
    """Searches until no ∂L/∂w is larger than tol, the loss falls no more, or a limit is reached.

    Args:
        mean: of the weights of the rows, before they were made 1 in the mean.

    Raises:
        NonFiniteError: the loss or its gradient is not finite where the search ends.
    """
    s = task.settings
    X, *targets = Tensor(rows[0]), *rows[1:]
    model = task.model.eval()
    objective = Objective(task.loss, model, s.alpha / mean)
    most = int(s.max_iter)
    optimizer = optim.LBFGS(model.parameters(), most, int(s.max_fun), s.tol, FLAT, REMEMBERED)

    def measure(X: Any, *targets: Any) -> Any:
        optimizer.zero_grad()
        loss = objective(model(X), *targets)
        loss.backward()
        return loss

    backend = backend_for(s.backend, most)
    measured = measure if backend == "eager" else jit(measure, backend=backend)
    losses: list[float] = []
    with np.errstate(all="ignore"), reporting(bool(s.verbose), 0, most) as report:

        def note(loss: float) -> None:
            losses.append(loss)
            report({"epoch": len(losses), "loss": loss})

        optimizer.step(lambda: measured(X, *targets), note)
        found = optimizer.found
        if not finite(found.fun) or not finite(found.jac):
            why = cause(objective(model(X), *targets), model)
            text = f"NaN or infinity after {len(losses)} iterations: {why}"
            raise NonFiniteError(text, History(), len(losses) + 1, 1)
    return Result(losses, float(found.fun), "" if found.success else unfinished(s, found))


def cause(loss: Any, model: nn.MLP) -> str:
    """Why the loss or its gradient was not finite, in words."""
    return (
        in_forward(loss, model)
        or in_backward(loss, model)
        or "the gradient is too large to search along it; scale the data"
    )


def unfinished(s: Any, found: Any) -> str:
    """Why a search ended before it had converged, in words."""
    return (
        f"lbfgs failed to converge after {found.nit} iteration(s) (status={found.status}): "
        f"{found.message}. Increase max_iter={s.max_iter} or max_fun={s.max_fun}, or scale the "
        "data, as by sklearn.preprocessing.StandardScaler"
    )
