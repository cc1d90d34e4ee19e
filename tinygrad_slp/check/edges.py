"""The backward pass edge by edge, to be looked at or changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Node
from ..rule import RULES
from ..walk import match


def backward_edges(
    nodes: Sequence[Node], changes: Mapping[tuple[int, int], Callable[..., Any]]
) -> Iterator[tuple[Node, Node, Any]]:
    """The way of `pull` over each edge, from a node to an input x.

    Yields the node, x, and the cotangent of x as far as it has come.

    Args:
        nodes: of a graph, oldest first; from the last one the walk begins, with ones.
        changes: what to call instead of a vjp, as change(vjp, g, y, xs, settings), by the edge:
            the place of a node among the nodes, and the number of its input.
    """
    cotangents: dict[int, Any] = {nodes[-1].order: np.ones_like(nodes[-1].array)}
    for i in reversed(range(len(nodes))):
        node = nodes[i]
        if node.function is None or node.order not in cotangents:
            continue
        g, vjps = cotangents.pop(node.order), RULES[node.function].vjps
        for k, x in enumerate(node.parents):
            if x is None or vjps[k] is None:
                continue
            if change := changes.get((i, k)):
                gx = change(vjps[k], g, node.array, node.inputs, node.settings)
            else:
                gx = vjps[k](g, node.array, *node.inputs, **node.settings)
            gx = match(np.asarray(gx), x.array, node.function, k)
            cotangents[x.order] = cotangents[x.order] + gx if x.order in cotangents else gx
            yield node, x, cotangents[x.order]
