"""Nested tuples, lists, dicts and Modules, as a flat list of leaves and a way to rebuild them."""

from collections.abc import Callable, Mapping
from typing import Any

Rebuild = Callable[[list[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a tree in order, and what builds a tree of the same structure from others.

    Tuples (named ones too), lists, dicts and other mappings, rebuilt as dicts, and None are
    structure; the leaves of a Module are its parameters; everything else is a leaf.
    """
    if tree is None:
        return [], lambda leaves: None
    if hasattr(tree, "with_parameters"):
        return list(tree.parameters()), tree.with_parameters
    if isinstance(tree, Mapping):
        leaves, rebuild = flatten(list(tree.values()))
        return leaves, lambda new: dict(zip(tree, rebuild(new), strict=True))
    if isinstance(tree, tuple | list):
        return flatten_sequence(tree)
    return [tree], lambda leaves: leaves[0]


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
    if isinstance(reference, Mapping):
        tree, reference = [tree[key] for key in reference], list(reference.values())
    if isinstance(reference, tuple | list):
        parts = zip(tree, reference, strict=True)
        return [x for part, other in parts for x in in_order(part, other)]
    return flatten(tree)[0]


def structure(tree: Any) -> str:
    """A tree as text, with · for each leaf, such as (·, {'a': ·, 'b': [·]})."""
    if tree is None:
        return "None"
    if hasattr(tree, "with_parameters"):
        return f"{type(tree).__name__}({', '.join(dict(tree.named_parameters()))})"
    if isinstance(tree, Mapping):
        return f"{{{', '.join(sorted(f'{k!r}: {structure(x)}' for k, x in tree.items()))}}}"
    if isinstance(tree, tuple | list):
        parts = ", ".join(map(structure, tree))
        if isinstance(tree, list):
            return f"[{parts}]"
        return f"{type(tree).__name__ if hasattr(tree, '_fields') else ''}({parts})"
    return "·"


def flatten_sequence(tree: Any) -> tuple[list[Any], Rebuild]:
    parts = [flatten(branch) for branch in tree]

    def rebuild(leaves: list[Any]) -> Any:
        built, at = [], 0
        for old, again in parts:
            built.append(again(leaves[at : at + len(old)]))
            at += len(old)
        named = hasattr(tree, "_fields")
        return type(tree)(*built) if named else type(tree)(built)

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild
