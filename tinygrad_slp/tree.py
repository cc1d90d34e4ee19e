"""Nested tuples, lists, dicts and Modules, as a flat list of leaves and a way to rebuild them."""

from collections.abc import Callable
from typing import Any

Rebuild = Callable[[list[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a tree in order, and what builds a tree of the same structure from others.

    Tuples (named ones too), lists, dicts and None are structure; the leaves of a Module are its
    parameters; everything else is a leaf.
    """
    if tree is None:
        return [], lambda leaves: None
    if hasattr(tree, "with_parameters"):
        return list(tree.parameters()), tree.with_parameters
    if isinstance(tree, dict):
        leaves, rebuild = flatten(list(tree.values()))
        return leaves, lambda new: dict(zip(tree, rebuild(new), strict=True))
    if isinstance(tree, tuple | list):
        return flatten_sequence(tree)
    return [tree], lambda leaves: leaves[0]


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
