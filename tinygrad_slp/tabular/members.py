"""The training of the members of an ensemble, side by side, each judged on rows it never saw."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..data.targets import Target
from ..graph import no_grad
from ..jit import jit
from ..nn import MLPEnsemble
from ..optim import Optimizer
from ..tensor import Tensor
from ..train import History, NonFiniteError
from ..train.progress import Interruption, Report
from .settings import OPTIMIZERS, Settings

BLOCK = 2**22
"""About how many bytes of rows are copied at a time."""
CHUNK = 2048
"""So many rows of each member are judged at a time."""
WARM_UP = 0.05
"""Share of the epochs in which the learning rate rises."""
BETTER = 1e-5
"""By so much, at least, a loss is better than the best one."""


class Folds:
    """The rows that each of k members learns from, and those it is judged on.

    Every row is left out by one member. Classes are spread evenly.

    Attributes:
        member: who leaves out each row, (n,).
        train: the rows of each member.
        left_out: (k, m); the shorter parts are filled up.
        counts: of each, as a mask (k, m).
    """

    def __init__(self, n: int, k: int, groups: np.ndarray, rng: np.random.Generator) -> None:
        order = rng.permutation(n)
        order = order[np.argsort(groups[order], kind="stable")]
        fold = np.empty(n, np.int32)
        fold[order] = np.arange(n) % k
        parts = [np.flatnonzero(fold == j) for j in range(k)]
        most = max(map(len, parts))
        self.member = fold
        self.train = [np.flatnonzero(fold != j).astype(np.int32) for j in range(k)]
        self.left_out = np.stack([np.resize(part, most) for part in parts])
        self.counts = np.arange(most) < np.array([[len(part)] for part in parts])

    def in_order(self, x: np.ndarray, n: int) -> np.ndarray:
        """Values (k, m, ...) of the rows left out, as values of the rows (n, ...)."""
        y = np.empty((n, *x.shape[2:]), x.dtype)
        y[self.left_out[self.counts]] = x[self.counts]
        return y


class Step:
    """One step of a training: the members, their optimizer, and the running mean of the weights.

    Its fields are all that it reads: that is where `jit` looks for what has changed.
    """

    def __init__(
        self, model: MLPEnsemble, optimizer: Optimizer, target: Target, averaging: float
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.target = target
        self.averaging = averaging
        self.mean = copy.deepcopy(model).eval().requires_grad_(False)
        self.steps = Tensor(np.zeros((), np.float32))

    def train(self, x: Any, y: Any) -> Any:
        """The members on a batch each, (k, B, d); returns the loss, added up over the members."""
        self.optimizer.zero_grad()
        loss = np.sum(np.mean(self.target.loss(self.model(x), y), axis=-1))
        loss.backward()
        self.optimizer.step()
        self.steps.data = self.steps + 1.0
        keep = np.minimum(
            self.averaging, self.steps / (self.steps + 10.0)
        )  # a mean of all at first
        for mean, p in zip(self.mean.parameters(), self.model.parameters(), strict=True):
            mean.data = keep * mean + (1.0 - keep) * p.detach()
        return loss

    def judge(self, x: Any) -> Any:
        with no_grad():
            return self.mean(x)


class Problem(NamedTuple):
    """What members learn.

    Attributes:
        X, y: float32, (n, ...) and (n, outputs).
        expand: what the members see of rows X[...], (..., width).
        width: of that.
        target: what y is.
        folds: who learns from which rows.
        rng: draws the batches.
    """

    X: np.ndarray
    y: np.ndarray
    expand: Callable[[np.ndarray], np.ndarray]
    width: int
    target: Target
    folds: Folds
    rng: np.random.Generator


def train(
    model: MLPEnsemble, problem: Problem, s: Settings, report: Report, interruption: Interruption
) -> tuple[np.ndarray, History]:
    """Trains the members; they end with the weights that were best on the rows they left out.

    Args:
        s: with all sizes, see `sized`.
        report: is told of each epoch.
        interruption: ends the training after an epoch.

    Returns:
        the outputs for each row by the member that left it out, (n, outputs), and the history.

    Raises:
        NonFiniteError: the loss is NaN or infinite.
    """
    y, target, folds = problem.y, problem.target, problem.folds
    assert s.epochs and s.lr and s.patience
    kind, _ = OPTIMIZERS[s.optimizer]
    step = Step(model, optimizer_for(kind, model, s), target, s.averaging)
    compiled = s.backend != "eager"
    run: Any = jit(step.train, backend=s.backend) if compiled else step.train
    judge: Any = jit(step.judge, backend=s.backend) if compiled else step.judge
    history = History()
    best, outputs, weights, since = np.inf, np.empty(0), model.state_dict(), 0
    for epoch in range(s.epochs):
        started = time.perf_counter()
        lr = s.lr * scheduled((epoch + 0.5) / s.epochs)
        for group in step.optimizer.param_groups:
            group.lr = lr
        model.train()
        loss = np.mean([x for b in batches(problem, s.batch) for x in losses(run, *b)])
        if not np.isfinite(loss):
            raise NonFiniteError("the loss is not finite", history, epoch + 1, 1)
        found = judged(judge, problem)
        measured = float(np.mean(target.penalty(target.link(found), y)))
        history.epochs.append({
            "epoch": epoch + 1, "loss": float(loss) / len(folds.train), "val_loss": measured,
            "lr": lr, "seconds": time.perf_counter() - started,
        })  # fmt: skip
        report(history.epochs[-1])
        since += 1
        if measured < best - BETTER * abs(best) or epoch == 0:
            best, outputs, since = measured, found, 0
            weights = copy.deepcopy(step.mean.state_dict())
        if since >= s.patience or interruption.noted:
            why = "Ctrl-C" if interruption.noted else f"no better loss for {since} epochs,"
            history.stopped = f"{why} in epoch {epoch + 1}"
            break
    model.load_state_dict(weights)
    model.eval()
    return outputs, history


def optimizer_for(kind: Callable[..., Optimizer], model: MLPEnsemble, s: Settings) -> Optimizer:
    """Biases are not decayed."""
    named = list(model.named_parameters())
    biases = [p for name, p in named if name.endswith("bias")]
    others = [p for name, p in named if not name.endswith("bias")]
    groups = [{"params": others, "weight_decay": s.weight_decay},
              {"params": biases, "weight_decay": 0.0}]  # fmt: skip
    if "weight_decay" not in kind.settings:  # type: ignore[attr-defined]
        groups = [{"params": [*others, *biases]}]
    return kind(groups, lr=s.lr)


def scheduled(done: float) -> float:
    """The share of the learning rate after that share of the epochs."""
    return min(1.0, done / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))


def losses(run: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of each batch of a block (steps, k, B, ...)."""
    if hasattr(run, "scan"):
        return np.asarray(run.scan(x, y).array)
    return np.array([run(*batch).item() for batch in zip(x, y, strict=True)])


def batches(problem: Problem, B: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of an epoch, of each member in an order of its own: (steps, k, B, ...)."""
    X, y, folds = problem.X, problem.y, problem.folds
    assert B
    k = len(folds.train)
    steps = max(min(map(len, folds.train)) // B, 1)
    rows = np.stack([problem.rng.permutation(part)[: steps * B] for part in folds.train])
    rows = rows.reshape(k, steps, B).swapaxes(0, 1)
    at_once = max(1, BLOCK // (k * B * problem.width * X.itemsize))
    for start in range(0, steps, at_once):
        block = rows[start : start + at_once]
        yield problem.expand(X[block]), y[block]


def judged(judge: Any, problem: Problem) -> np.ndarray:
    """The outputs for each row of the member that left it out, (n, outputs)."""
    X, folds = problem.X, problem.folds
    most = folds.left_out.shape[1]
    chunk = min(most, CHUNK)
    parts = []
    for start in range(0, most, chunk):
        rows = np.take(folds.left_out, range(start, start + chunk), axis=1, mode="clip")
        parts.append(np.array(judge(problem.expand(X[rows])).array))
    return folds.in_order(np.concatenate(parts, axis=1)[:, :most], len(X))
