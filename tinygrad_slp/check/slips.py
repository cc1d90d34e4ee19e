"""Slips on the way back through a graph: what people forget or mix up in one step.

A slip belongs to one edge of the graph, from a node to one of its parents, and replaces the vjp of
that edge. `LossGraph.gradient` walks back with any number of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import rules
from ..graph import Node, recorded
from ..rule import RULES, Rule
from ..rules.activations import __all__ as OURS
from ..tensor import Tensor
from ..walk import ancestors
from .edges import backward_edges

Edge = tuple[int, int]  # a node, by its place in the order of creation, and one of its inputs
Change = Callable[..., Any]


@dataclass(frozen=True)
class Slip:
    """A wrong way back over one edge of the graph.

    Attributes:
        text: what a person did.
        edge: where.
        change: called (vjp, g, y, xs, settings) instead of vjp(g, y, *xs, **settings).
    """

    text: str
    edge: Edge
    change: Change
    common: bool = False  # tried first, and so named where other slips come to the same


class LossGraph:
    """The graph of a loss from one of its inputs, to be walked back with slips."""

    close = 1e-9  # gradients that differ by less are the same

    def __init__(self, loss: Callable[..., Any], inputs: Sequence[Any], wrt: int) -> None:
        args = [np.array(x) for x in inputs]
        self.shape = args[wrt].shape
        self.leaf = Tensor(args[wrt], requires_grad=True)
        with recorded(True), np.errstate(all="ignore"):
            self.output = loss(*[self.leaf if k == wrt else x for k, x in enumerate(args)])
        if not isinstance(self.output, Node) or not self.output.tracked:
            raise TypeError("the graph of the loss does not contain this input")
        self.nodes = [n for _, n in sorted(ancestors([self.output]).items())]
        self.alone = self.made_of_the_leaf_alone()

    def made_of_the_leaf_alone(self) -> set[int]:
        """The nodes in which no array of data takes part: a penalty on the weights."""
        alone = {self.leaf.order}
        for node in self.nodes:
            pairs = zip(node.inputs, node.parents, strict=True)
            data = any(p is None and np.ndim(x) > 0 for x, p in pairs)
            inside = all(p is None or p.order in alone for p in node.parents)
            if node.parents and inside and not data:
                alone.add(node.order)
        return alone

    def gradient(self, slips: Sequence[Slip] = ()) -> Any:
        """∂(output)/∂(input), with these slips."""
        start = np.ones_like if self.output is self.leaf else np.zeros_like
        gradient = start(self.leaf.array)
        with np.errstate(all="ignore"):
            for _, x, gx in backward_edges(self.nodes, {slip.edge: slip.change for slip in slips}):
                if x is self.leaf:
                    gradient = gx
        return gradient

    def before_sum(self, shape: tuple[int, ...]) -> Iterator[Any]:
        """Cotangents of this shape that come to the input, before they are summed to its own."""
        for i, node in enumerate(self.nodes):
            for k, parent in enumerate(node.parents):
                if parent is self.leaf and node.array.shape == shape:
                    caught: list[Any] = []
                    self.gradient([Slip("", (i, k), catching(caught))])
                    yield from caught

    def slips(self) -> Iterator[Slip]:
        """Every slip that somebody could have made on the way back."""
        for i, node in enumerate(self.nodes):
            if node.function is None:
                continue
            rule = RULES[node.function]
            for k, parent in enumerate(node.parents):
                if parent is not None and rule.vjps[k] is not None:
                    at = i, k
                    yield from self.of_any_edge(node, parent, rule, at)
                    yield from of_a_derivative(node, rule, at)
                    yield from of_a_reduction(node, parent, rule, at)
                    yield from of_a_product(node, rule, at)
                    if parent.order in self.alone and node.order not in self.alone:
                        yield from of_a_parameter(node, rule, at)

    def of_any_edge(self, node: Node, parent: Node, rule: Rule, at: Edge) -> Iterator[Slip]:
        """Paths cut, halved, doubled, with the wrong sign."""
        several = sum(p is not None for p in node.parents) > 1
        penalty = several and parent.order in self.alone and node.order not in self.alone
        path = f"the path through {rule.name} (input {at[1]})"
        if penalty:
            path = f"weight decay (the term of the parameter alone, into {rule.name})"
        if several or self.used_again(parent):
            yield Slip(
                f"{path} is {'forgotten' if penalty else 'missing: detached'}", at, cut, penalty
            )
            yield Slip(f"{path} is halved", at, scaled(0.5), penalty)
            yield Slip(f"{path} is counted twice", at, scaled(2.0))
            yield Slip(f"{path} has the wrong sign", at, scaled(-1.0))

    def used_again(self, parent: Node) -> bool:
        uses = [p for node in self.nodes for p in node.parents if p is parent]
        return len(uses) > 1


def catching(caught: list[Any]) -> Change:
    """The vjp itself; what it gives is also put into the list."""

    def change(vjp: Any, g: Any, y: Any, xs: Any, settings: Any) -> Any:
        gx = vjp(g, y, *xs, **settings)
        caught.append(np.broadcast_to(gx, y.shape))
        return gx

    return change


def cut(vjp: Any, g: Any, y: Any, xs: Any, settings: Any) -> Any:
    return 0 * vjp(g, y, *xs, **settings)


def scaled(factor: float) -> Change:
    return lambda vjp, g, y, xs, settings: factor * vjp(g, y, *xs, **settings)


ELEMENTWISE = np.tanh, np.exp, *(getattr(rules, name) for name in OURS)
ACTIVATIONS = {
    f.__name__: f
    for f in ELEMENTWISE
    if RULES[f].form == "elementwise" and len(RULES[f].vjps) == 1 and not RULES[f].settings
}


def of_a_derivative(node: Node, rule: Rule, at: Edge) -> Iterator[Slip]:
    """Slips in f′ of an elementwise function of one input."""
    if rule.form != "elementwise" or rule.arity != 1 or node.settings:
        return
    f = rule.name.removeprefix("np.")
    sigma = "σ" if f == "sigmoid" else f
    yield Slip(f"{sigma}′ is missing", at, lambda vjp, g, y, xs, s: g)
    yield Slip(
        f"{sigma}′ is taken at a = {sigma}(z) instead of z",
        at,
        lambda vjp, g, y, xs, s: vjp(g, rule.run(y), y),
    )
    yield Slip(
        f"{sigma}′ is applied twice (squared)",
        at,
        lambda vjp, g, y, xs, s: vjp(vjp(g, y, *xs), y, *xs),
    )
    if f == "sigmoid":
        yield Slip(
            "σ′ is a(1 + a) instead of a(1 − a)", at, lambda vjp, g, y, xs, s: g * y * (1 + y)
        )
    if f == "tanh":
        yield Slip(
            "tanh′ is 1 + a² instead of 1 − a²", at, lambda vjp, g, y, xs, s: g * (1 + y * y)
        )
        yield Slip(
            "tanh′ is a(1 − a), as of a sigmoid", at, lambda vjp, g, y, xs, s: g * y * (1 - y)
        )
    if f == "relu":
        yield Slip("relu′ is 1 on the negative side", at, lambda vjp, g, y, xs, s: g * (xs[0] < 0))
    if f in ACTIVATIONS:
        for other, function in ACTIVATIONS.items():
            if other != f:
                yield Slip(f"{sigma}′ is {other}′", at, as_if(RULES[function]))


def as_if(other: Rule) -> Change:
    """The vjp of another function at the same input."""
    return lambda vjp, g, y, xs, s: other.vjps[0](g, other.run(xs[0]), xs[0])


def of_a_reduction(node: Node, parent: Node, rule: Rule, at: Edge) -> Iterator[Slip]:
    """Slips in what a sum, mean or softmax sends back."""
    if rule.function is np.mean and node.array.size:
        n = parent.array.size // node.array.size
        yield Slip("1/n of a mean is missing", at, scaled(n))
        yield Slip("1/n of a mean is applied twice", at, scaled(1 / n))
    if rule.name == "softmax":
        yield Slip(
            "the off-diagonal of softmax's Jacobian is missing",
            at,
            lambda vjp, g, y, xs, s: g * y * (1 - y),
        )
    if rule.name == "log_softmax":
        yield Slip(
            "the off-diagonal of softmax's Jacobian is missing",
            at,
            lambda vjp, g, y, xs, s: g * (1 - np.exp(y)),
        )
    if rule.name == "logsumexp":
        yield Slip("softmax, the derivative of logsumexp, is missing", at, cut)


def of_a_product(node: Node, rule: Rule, at: Edge) -> Iterator[Slip]:
    """W where Wᵀ was meant, if the shapes let it pass; a factor of a power forgotten."""
    k = at[1]
    if rule.name in ("np.matmul", "np.dot") and len(node.inputs) == 2:
        other = node.inputs[1 - k]
        if np.ndim(other) == 2 and other.shape[0] == other.shape[1]:
            yield Slip("W is used for Wᵀ in a product on the way back", at, transposed(1 - k))
    if rule.function is np.square:
        yield Slip("the factor 2 of a square is missing", at, scaled(0.5))


def transposed(k: int) -> Change:
    """The vjp with input k transposed."""

    def change(vjp: Any, g: Any, y: Any, xs: Any, settings: Any) -> Any:
        xs = [x.T if i == k else x for i, x in enumerate(xs)]
        return vjp(g, y, *xs, **settings)

    return change


def of_a_parameter(node: Node, rule: Rule, at: Edge) -> Iterator[Slip]:
    """Slips where the data meet the parameter: only one sample taken, or a mean for the sum."""
    if node.array.ndim and node.array.shape[0] > 1:
        for row, which in ((-1, "last"), (0, "first")):
            yield Slip(f"only the {which} sample counts", at, one_row(row))


def one_row(row: int) -> Change:
    """The vjp with all rows of g but one set to zero."""

    def change(vjp: Any, g: Any, y: Any, xs: Any, settings: Any) -> Any:
        kept = np.zeros_like(g)
        kept[row] = g[row]
        return vjp(kept, y, *xs, **settings)

    return change
