"""What a training does with one batch, and with a block of them, compiled or not."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..graph import no_grad
from ..jit import TraceError, jit
from ..jit.environment import Environment
from ..jit.results import joined, stacked
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor
from .blocks import Block
from .snapshot import Snapshot


class TrainingStep:
    """One step of a training, or of an evaluation.

    Its fields are all that it reads: that is where `jit` looks for what has changed.
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Any],
        optimizer: Optimizer,
        clip: Callable[[list[Any]], Any] | None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.clip = clip

    def train(self, x: Any, *targets: Any) -> Any:
        """One step for all parameters; returns the loss before."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), *targets)
        if not isinstance(loss, Tensor):
            raise TypeError(
                "loss should return one number as a Tensor, computed from the prediction without "
                f"float(), .item() or .data; it returned {type(loss).__name__}: {loss!r:.60}"
            )
        loss.backward()
        self.update()
        return loss

    def update(self) -> None:
        """What follows the backward pass."""
        if self.clip is not None:
            self.clip(self.optimizer.params)
        self.optimizer.step()

    def evaluate(self, x: Any, *targets: Any) -> Any:
        """The loss and the prediction."""
        with no_grad():
            prediction = self.model(x)
            return self.loss(prediction, *targets), prediction

    def modules(self) -> dict[str, Module]:
        """What may keep a state from step to step, by the name of the field."""
        return {name: x for name, x in vars(self).items() if isinstance(x, Module)}

    def snapshot(self, others: Iterable[Tensor] = ()) -> Snapshot:
        return Snapshot(list(self.modules().values()), self.optimizer, others)


class Runner:
    """Runs a method of a TrainingStep on blocks.

    The same step has the same bits whether or not training was interrupted before it. That is why
    a kind of batch is traced beforehand, and what that did undone: a trace computes with NumPy,
    and native code, which computes the other steps, may round differently.

    Args:
        run: `step.train` or `step.evaluate`.
        step: what is undone.
        backend: of `jit`; None: nothing is compiled.
        fresh: nothing has been trained yet. The first step is then not compiled, as an optimizer
            may make its state in it.
    """

    def __init__(
        self, run: Callable[..., Any], step: TrainingStep, backend: str | None, fresh: bool = False
    ) -> None:
        self.run = run
        self.step = step
        self.compiled = None if backend is None else jit(run, backend=backend)
        self.fresh = fresh
        self.traced: set[tuple[Any, ...]] = set()

    def over(self, block: Block) -> Any:
        """The results of all batches of a block, with a first axis for the batches."""
        if self.compiled is None:
            return stacked([self.run(*batch) for batch in zip(*block, strict=True)])
        try:
            return self.compiled_over(block)
        except TraceError as error:
            # Users know model, loss, optimizer and clip, but not the object that has them.
            text = re.sub(rf"\bself\.(?=({'|'.join(vars(self.step))})\b)", "", str(error))
            raise TraceError(
                f"fit cannot compile its step: {text}. For fit: keep that out of model, loss and "
                "clip, or write fit(..., jit=False)"
            ) from error

    def compiled_over(self, block: Block) -> Any:
        """The same, of the compiled step."""
        assert self.compiled is not None
        parts = []
        if self.fresh:
            parts = [stacked([self.run(*(x[0] for x in block))])]
            block = [x[1:] for x in block]
            self.fresh = False
        if not len(block[0]):
            return joined(parts)
        batch = [x[0] for x in block]
        self.make_ready(batch)
        if len(block[0]) == 1:  # a call costs less than a scan
            return joined([*parts, stacked([self.compiled(*batch)])])
        return joined([*parts, self.compiled.scan(*block)])

    def make_ready(self, batch: list[np.ndarray]) -> None:
        """Traces the step for batches like this one, and undoes what it did."""
        assert self.compiled is not None
        kind = tuple((x.shape, x.dtype) for x in batch)
        if kind not in self.traced:
            # Also of what is in no Module, as a Tensor that the loss closes over.
            before = self.step.snapshot(Environment(self.run, {}).tensors.values())
            self.compiled(*batch)
            before.restore()
            self.traced.add(kind)
