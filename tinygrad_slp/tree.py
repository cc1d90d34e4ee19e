"""Trees: nested tuples, lists, dicts and Modules, as flat lists of leaves or as one vector.

Tuples (named ones too), lists, dicts, other mappings, which are rebuilt as dicts, and None are
structure; the leaves of a Module are its parameters; everything else is a leaf.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import numpy as np

from .graph import Node
from .tensor import Tensor

Rebuild = Callable[[list[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a tree in order, and what builds a tree of the same structure from others."""
    if is_module(tree):
        return list(tree.parameters()), tree.with_parameters
    found = branches(tree)
    if found is None:
        return [tree], lambda leaves: leaves[0]
    parts = [flatten(branch) for branch in found.values()]

    def rebuild(leaves: list[Any]) -> Any:
        built, at = [], 0
        for old, again in parts:
            built.append(again(leaves[at : at + len(old)]))
            at += len(old)
        return like(tree, built)

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def map(f: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of the same structure, with f(leaf) in the place of each leaf."""
    leaves, rebuild = flatten(tree)
    return rebuild([f(x) for x in leaves])


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All numbers of a tree as one vector, and what makes a tree of such a vector again.

        vector, unravel = tree.ravel(model)
        slope = grad(lambda v: nn.mse_loss(unravel(v)(X), y))(vector.data)

    Gradients flow through both. Where a leaf is a Tensor, `unravel` makes one.

    Args:
        tree: of numbers, arrays and Tensors, such as a Module.

    Returns:
        The vector, of shape (n,) and the dtype that all leaves fit in, a Tensor if a leaf is one;
        and a function of vectors (n,), whose leaves have the shapes and dtypes of the old ones. It
        raises a ValueError for another shape.
    """
    leaves, rebuild = flatten(tree)
    arrays = [x.array if isinstance(x, Node) else x for x in leaves]
    shapes, dtypes = [np.shape(x) for x in arrays], [np.result_type(x) for x in arrays]
    ends = np.cumsum([0, *(np.size(x) for x in arrays)]).tolist()

    def unravel(vector: Any) -> Any:
        if np.shape(vector) != (ends[-1],):
            raise ValueError(f"unravel takes shape ({ends[-1]},), got {np.shape(vector)}")
        parts = zip(leaves, ends[:-1], ends[1:], shapes, dtypes, strict=True)
        return rebuild([
            leaf_like(old, np.reshape(vector[start:end], shape).astype(dtype))
            for old, start, end, shape, dtype in parts
        ])  # fmt: skip

    flat = [np.reshape(x, -1) for x in leaves]
    return (np.concatenate(flat) if flat else np.zeros(0)), unravel


def leaf_like(old: Any, new: Any) -> Any:
    """A new leaf as a Tensor, if the old one is, trained if that is."""
    if isinstance(old, Node) and not isinstance(new, Node):
        return Tensor(new, requires_grad=old.tracked)
    return new


def branches(tree: Any) -> dict[Any, Any] | None:
    """What is directly in a tree, by index, key or name; None if it is a leaf."""
    if tree is None:
        return {}
    if isinstance(tree, Mapping):
        return dict(tree)
    return dict(enumerate(tree)) if isinstance(tree, tuple | list) else None


def like(tree: Any, parts: list[Any]) -> Any:
    """A tree like another that is no leaf, with other parts directly in it."""
    if isinstance(tree, (tuple, list)):
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if tree is None:
        return None
    new = copy(tree) if isinstance(tree, dict) and type(tree) is not dict else {}
    new.update(zip(tree, parts, strict=True))
    return new


def is_module(tree: Any) -> bool:
    return hasattr(tree, "with_parameters")


def paths(tree: Any, name: str) -> list[str]:
    """How each leaf is written: x, x[0], x['W']; in a Module by its dotted name there."""
    if is_module(tree):
        return [path for path, _ in tree.named_parameters()]
    found = branches(tree)
    if found is None:
        return [name]
    return [path for key, part in found.items() for path in paths(part, f"{name}[{key!r}]")]


def leaves_like(tree: Any, reference: Any) -> list[Any]:
    """The leaves of a tree, in the order of those of a reference: dicts are matched by name.

    Raises:
        ValueError: the structures differ.
    """
    given, expected = structure(tree), structure(reference)
    if given != expected:
        raise ValueError(f"got the structure {given}, expected {expected}")
    return in_order(tree, reference)


def in_order(tree: Any, reference: Any) -> list[Any]:
    if is_module(reference) or not (found := branches(reference)):
        return flatten(tree)[0]
    return [x for key, part in found.items() for x in in_order(tree[key], part)]


def structure(tree: Any) -> str:
    """A tree as text, with · for each leaf, such as (·, {'a': ·, 'b': [·]})."""
    if tree is None:
        return "None"
    if is_module(tree):
        return f"{type(tree).__name__}({', '.join(paths(tree, ''))})"
    found = branches(tree)
    if found is None:
        return "·"
    parts = [structure(part) for part in found.values()]
    if isinstance(tree, Mapping):
        named = zip(found, parts, strict=True)
        return f"{{{', '.join(sorted(f'{key!r}: {part}' for key, part in named))}}}"
    if isinstance(tree, list):
        return f"[{', '.join(parts)}]"
    return f"{type(tree).__name__ if hasattr(tree, '_fields') else ''}({', '.join(parts)})"
