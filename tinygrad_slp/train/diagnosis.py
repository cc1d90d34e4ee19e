"""Why a step gave NaN or infinity: the first operation that made it of finite numbers."""

from typing import Any

import numpy as np

from ..check.edges import backward_edges
from ..graph import Node
from ..nn import Module
from ..nn.module import named_parts
from ..rule import name
from ..tensor import Tensor
from ..walk import ancestors
from .step import TrainingStep


def cause(step: TrainingStep, batch: list[np.ndarray]) -> str:
    """Runs a step uncompiled and says what in it was the first to be no finite number.

    The step changes the model: the caller restores it.
    """
    for k, x in enumerate(batch):
        if not finite(x):
            return f"the batch has {what_in(x)} in its {'inputs' if not k else 'targets'}"
    names = parameters(step)
    for path, p in names.items():
        if not finite(p.array):
            return f"{path} had {what_in(p.array)} before the step"
    step.optimizer.zero_grad()
    loss = step.loss(step.model(batch[0]), *batch[1:])
    found = in_forward(loss, step.model) or in_backward(loss, step.model)
    if found:
        return found
    loss.backward()
    gradients = [p.grad.array for p in names.values() if p.grad is not None]
    largest = max([float(np.max(np.abs(g))) for g in gradients if g.size], default=0.0)
    step.update()
    for path, p in names.items():
        if not finite(p.array):
            return (
                f"the update of {path} by {type(step.optimizer).__name__} made {what_in(p.array)}; "
                f"the gradients were up to {largest:.4g}"
            )
    return "when the step was run again, every operation was finite"


def parameters(step: TrainingStep) -> dict[str, Tensor]:
    """All parameters by name; those that the model does not have, by number."""
    named = dict(step.model.named_parameters())
    known = {id(p) for p in named.values()}
    others = [p for p in step.optimizer.params if id(p) not in known]
    return named | {f"parameter {k} of the optimizer": p for k, p in enumerate(others)}


def in_forward(loss: Any, model: Module) -> str:
    """The oldest operation from which infinity or NaN came down to the loss, in words."""
    if finite(loss.array):
        return ""
    reached = {loss.order: loss}
    todo = [loss]
    while todo:
        for x in todo.pop().parents:
            if x is not None and x.order not in reached and not finite(x.array):
                reached[x.order] = x
                todo.append(x)
    node = reached[min(reached)]
    if node.function is None:
        return f"a Tensor that is not a parameter of the model has {what_in(node.array)}"
    return f"{name(node.function)} made {what_in(node.array)}{where(node, model)}{inputs_of(node)}"


def in_backward(loss: Any, model: Module) -> str:
    """The first derivative on the way back that made infinity or NaN of finite numbers."""
    nodes = [node for _, node in sorted(ancestors([loss]).items())]
    for node, _, gx in backward_edges(nodes, {}):
        if not finite(gx):
            assert node.function is not None
            return (
                f"the derivative of {name(node.function)} made {what_in(gx)}"
                f"{where(node, model)}{inputs_of(node)}"
            )
    return ""


def finite(x: Any) -> bool:
    return bool(np.all(np.isfinite(x)))


def what_in(x: Any) -> str:
    """NaN or infinity, and how often."""
    bad = ~np.isfinite(x)
    kind = "NaN" if np.any(np.isnan(x)) else "infinity"
    return f"{kind} ({np.count_nonzero(bad)} of {np.size(x)} numbers)"


def inputs_of(node: Node) -> str:
    """The values that a node was made of, in words."""
    parts = []
    for x in node.inputs:
        x = np.asarray(x)
        if x.size and x.dtype.kind in "biuf":
            low, high = float(np.min(x)), float(np.max(x))
            parts.append(f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}")
    return f"; its inputs were {', '.join(parts)}"


def where(node: Node, model: Module) -> str:
    """The layer whose parameters a node was made of, or the last one before it."""
    names = {id(p): path for path, p in model.named_parameters()}
    layers = {"": model, **{path: x for path, x in named_parts(model) if isinstance(x, Module)}}
    nodes = ancestors([node])
    for order in sorted(nodes, reverse=True):
        for x in nodes[order].parents:
            if id(x) in names:
                path = names[id(x)].rpartition(".")[0]
                layer = type(layers.get(path, model)).__name__
                preposition = "in" if order == node.order else "after"
                return f", {preposition} {f'layer {path} ({layer})' if path else layer}"
    return ""
