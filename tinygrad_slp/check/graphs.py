"""Checks of our own: of one rule, of a module with its loss, of second derivatives; and where in a
graph the first operation is whose own derivative is wrong."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import autodiff
from ..graph import Node, evaluate, recorded
from ..nn import Module
from ..nn.module import named_parts
from ..rule import RULES, name, rule_of
from ..tensor import Tensor
from ..tree import flatten
from ..walk import ancestors, match
from .evaluation import Point
from .examples import Call, calls
from .gradient import check_gradient
from .report import Report, joined, ordered
from .verdict import Verdict, grain_of, gravest

PACKAGE = str(Path(__file__).parent.parent)


def check_rule(function: Callable[..., Any], *, seed: int = 0) -> Report:
    """Whether the declared rule of a function is right, on the examples in its record.

    Raises:
        TypeError: the function has no rule, or its record no examples.
    """
    rule = rule_of(function)
    if rule is None:
        raise TypeError(f"{name(function)} has no rule to check; see tinygrad_slp.differentiable")
    reports = {}
    for n, call in enumerate(calls(rule, seed)):
        title = f"example {n}"
        reports[title] = check_gradient(partial(applied, call), call.arrays, name=title)
    return joined(name(function), reports)


def applied(call: Call, xs: Sequence[Any]) -> Any:
    return call(*xs)


def check_module(
    model: Module, loss: Callable[..., Any], batch: Sequence[Any], **options: Any
) -> Report:
    """Whether backward gives every parameter of a model its right gradient.

    Args:
        model: called with the first of the batch, or with all but the last.
        loss: loss(model(x), y) gives one number.
        batch: (x, y), or (x₁, x₂, ..., y).
        options: of `check_gradient`.

    Returns:
        A report with one for each parameter; of a wrong one it names the first layer and the first
        operation whose own derivative is wrong.
    """
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise TypeError(f"the batch should be (x, y), got {type(batch).__name__}")
    *inputs, target = batch
    before = [(x, np.copy(x.array if isinstance(x, Node) else x)) for x in model.buffers()]

    def f(m: Any) -> Any:
        return loss(m(*inputs), target)

    try:
        report = check_gradient(f, model, **options)
    finally:
        restore(before)
    report.name = type(model).__name__
    paths = [path for path, x in model.named_parameters()]
    by_layer: dict[str, list[Any]] = {}
    for finding in report.findings:
        if finding.index is not None:
            by_layer.setdefault(paths[finding.index[0]], []).append(finding)
    report.reports = {
        path: Report(gravest(f.verdict for f in by_layer[path]), path, ordered(by_layer[path]))
        for path in paths
        if path in by_layer
    }
    if report.verdict == Verdict.WRONG:
        wrong = [path for path in paths if path in by_layer and not report.reports[path].ok]
        report.where = first_wrong(lambda: f(model), model)
        if wrong:
            report.notes = [*report.notes, f"the first layer with a wrong gradient: {wrong[0]}"]
    return report


def restore(buffers: Sequence[tuple[Any, Any]]) -> None:
    """Sets buffers to what they were: running statistics have seen the calls of a check."""
    for x, before in buffers:
        if isinstance(x, Tensor):
            x.data = before
        else:
            x[...] = before


def check_second(f: Callable[[Any], Any], x: Any, *, seed: int = 0) -> Report:
    """Whether second derivatives of f are right: slopes of its gradient, symmetry of its Hessian.

    Args:
        f: of a floating-point array (or a tree of them) to one number, written for Tensors.

    Raises:
        TypeError: x is a Module.
    """
    if isinstance(x, Module):
        raise TypeError(
            "check_second is of arrays: write f of x = list(model.parameters()), with "
            "model.with_parameters(x)"
        )
    leaves, rebuild = flatten(x)
    arrays = [np.array(v.array if isinstance(v, Node) else v) for v in leaves]
    rng = np.random.default_rng(seed)
    reports = {}
    tangents = [[rng.standard_normal(a.shape) for a in arrays] for _ in range(2)]

    def inner(g: Any, v: Sequence[Any]) -> Any:
        return sum((np.sum(a * b) for a, b in zip(flatten(g)[0], v, strict=True)), 0.0)

    def product(v: Sequence[Any], at: Any) -> list[Any]:
        fitted = [np.asarray(t, a.dtype) for t, a in zip(v, arrays, strict=True)]
        with np.errstate(all="ignore"):
            return list(flatten(autodiff.hvp(f, (at,), (rebuild(fitted),)))[0])

    def check_along(v: Sequence[Any], name: str) -> Report:
        def slope(at: Any) -> Any:
            return inner(autodiff.grad(f)(at), v)

        return check_gradient(slope, rebuild(arrays), lambda at: rebuild(product(v, at)), name=name)

    for n, v in enumerate(tangents):
        title = f"slope of the gradient, {n}"
        reports[title] = check_along(v, title)
    u, v = tangents
    one, two = inner(product(u, rebuild(arrays)), v), inner(product(v, rebuild(arrays)), u)
    report = joined("second derivatives", reports)
    # What rounds is each term of the sums, not what is left of them when they cancel.
    pairs = zip(product(u, rebuild(arrays)), v, strict=True)
    terms = [float(np.sum(np.abs(np.asarray(a) * b))) for a, b in pairs]
    off = float(abs(one - two) / max(sum(terms), abs(one), abs(two), 1e-300))
    eps = max(float(np.finfo(a.dtype).eps) for a in arrays)
    if not np.isfinite(Point(f, x).value) or not np.isfinite(off):
        report.verdict = gravest([report.verdict, Verdict.CANNOT_TELL])
        report.notes = [*report.notes, "the function or its slopes are not finite: check elsewhere"]
    elif off > grain_of(eps):
        report.verdict = Verdict.WRONG
    report.notes = [*report.notes, f"the Hessian is symmetric to {off:.0e}"]
    return report


# --- where ---


def first_wrong(run: Callable[[], Any], model: Module | None = None) -> str:
    """The first operation that run() makes whose own derivative is wrong, with its place; or ""."""
    places: dict[int, str] = {}

    def watch(frame: Any, event: str, result: Any) -> None:
        if event == "return" and frame.f_code is evaluate.__code__ and isinstance(result, Node):
            places[result.order] = place_of(frame, model)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        with recorded(True):
            output = run()
    finally:
        sys.setprofile(before)
    if not isinstance(output, Node):
        return ""
    for order, node in sorted(ancestors([output]).items()):
        if node.function is not None and wrong_in_itself(node):
            return f"{name(node.function)}{places.get(order, '')}"
    return ""


def place_of(frame: Any, model: Module | None) -> str:
    """Where the user's code called the operation, and in which layer."""
    layers = {id(m): path for path, m in layer_names(model)} if model is not None else {}
    layer = where = ""
    while frame is not None:
        owner = frame.f_locals.get("self")
        layer = layer or layers.get(id(owner), "")
        file = frame.f_code.co_filename
        if not where and not file.startswith(PACKAGE):
            where = f" at {file}:{frame.f_lineno}"
        frame = frame.f_back
    return where + (f", in layer {layer}" if layer else "")


def layer_names(model: Module) -> list[tuple[str, Module]]:
    return [(path, x) for path, x in named_parts(model) if isinstance(x, Module)]


def wrong_in_itself(node: Node) -> bool:
    """Whether the vjp of a node's function is wrong at the inputs of this node."""
    assert node.function is not None
    rule = RULES[node.function]
    moving = [k for k, p in enumerate(node.parents) if p is not None]

    def run(xs: Sequence[Any]) -> Any:
        replaced = dict(zip(moving, xs, strict=True))
        inputs = [replaced.get(k, x) for k, x in enumerate(node.inputs)]
        return np.sum(weights * rule.run(*inputs, **node.settings))

    def claimed(xs: Sequence[Any]) -> Any:
        replaced = dict(zip(moving, xs, strict=True))
        inputs = [replaced.get(k, x) for k, x in enumerate(node.inputs)]
        y = np.asarray(rule.run(*inputs, **node.settings))
        g = weights.astype(y.dtype)
        found = []
        for k in moving:
            vjp = rule.vjps[k]
            gx = np.zeros_like(inputs[k]) if vjp is None else vjp(g, y, *inputs, **node.settings)
            found.append(match(gx, np.asarray(inputs[k])))
        return found

    weights = np.random.default_rng(0).uniform(0.5, 1.5, node.array.shape)
    at = [np.array(node.inputs[k]) for k in moving]
    report = check_gradient(run, at, claimed, explain=False)
    return report.verdict == Verdict.WRONG
