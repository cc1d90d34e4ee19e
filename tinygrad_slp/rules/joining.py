"""Derivatives of the functions that join several arrays, cut one in parts, or choose among some."""

from typing import Any

import numpy as np

from ..rule import REAL, Each, composite, declare
from .arguments import axis_of, setting, shaped

# --- several into one ---


def concatenate_vjp(k, g, y, *xs, axis=0):
    """The part of g that came from input k."""
    if axis is None:
        return concatenate_vjp(k, g, y, *[np.reshape(x, -1) for x in xs]).reshape(xs[k].shape)
    ends = np.cumsum([x.shape[axis] for x in xs])
    start = int(ends[k]) - xs[k].shape[axis]
    return g[(slice(None),) * (axis % g.ndim) + (slice(start, int(ends[k])),)]


def in_dtype(xs, dtype, casting):
    """The xs in the dtype that they are to be joined in.

    Raises:
        TypeError: such a cast is not allowed.
    """
    if dtype is None and casting == "same_kind":  # always allowed for the dtype that fits all
        return tuple(xs)
    xs, dtype = [shaped(x) for x in xs], setting(dtype)
    dtype = np.result_type(*xs) if dtype is None else np.dtype(dtype)
    for x in xs:
        if not np.can_cast(x.dtype, dtype, casting):
            raise TypeError(f"cannot join {x.dtype} as {dtype} by casting={casting!r}")
    return tuple([x.astype(dtype) for x in xs])


declare(
    np.concatenate,
    "the xs one after the other",
    Each(concatenate_vjp),
    domain=REAL,
    bind=lambda xs, axis=0, dtype=None, casting="same_kind": (
        in_dtype(xs, dtype, casting),
        {"axis": axis},
    ),
    run=lambda *xs, axis=0: np.concatenate(xs, axis=axis),
    examples=lambda f, x: [
        *(f([x(2, 3), x(1, 3)]), f((x(2, 1), x(2, 3)), axis=-1), f([x(2), x(2, 2)], axis=None)),
    ],
)


@composite(
    np.stack,
    "the xs along a new axis",
    examples=lambda f, x: [f([x(2, 3), x(2, 3)]), f((x(2), x(2), x(2)), axis=-1)],
)
def stack(xs, axis=0, **cast):
    return np.concatenate([np.expand_dims(x, axis) for x in xs], axis=axis, **cast)


def at_least(ndim, x):
    """x in the shape that np.atleast_1d, 2d or 3d gives it."""
    shape = AT_LEAST[ndim](np.broadcast_to(0, np.shape(x))).shape
    return np.reshape(x, shape)


AT_LEAST = {1: np.atleast_1d, 2: np.atleast_2d, 3: np.atleast_3d}

for ndim, function in AT_LEAST.items():

    def each_at_least(*arys, ndim=ndim):
        found = [at_least(ndim, x) for x in arys]
        return found[0] if len(found) == 1 else tuple(found)

    composite(
        function,
        f"x with {ndim} axes or more",
        each_at_least,
        examples=lambda f, x: [f(x()), f(x(2)), f(x(2, 3)), f(2.0, x())[1]],
    )


@composite(
    np.hstack,
    "the xs side by side",
    examples=lambda f, x: [f([x(2), x(3)]), f([x(2, 1), x(2, 2)]), f([x(), x(2)])],
)
def hstack(xs, **cast):
    xs = [at_least(1, x) for x in xs]
    return np.concatenate(xs, axis=min(1, xs[0].ndim - 1), **cast)


@composite(
    np.vstack,
    "the xs below each other",
    examples=lambda f, x: [f([x(2), x(2)]), f([x(1, 2), x(2, 2)])],
)
def vstack(xs, **cast):
    return np.concatenate([at_least(2, x) for x in xs], axis=0, **cast)


@composite(
    np.dstack,
    "the xs behind each other",
    examples=lambda f, x: [f([x(2), x(2)]), f([x(1, 2), x(1, 2)]), f([x(1, 2, 1), x(1, 2, 2)])],
)
def dstack(xs):
    return np.concatenate([at_least(3, x) for x in xs], axis=2)


@composite(
    np.column_stack,
    "the xs as columns",
    examples=lambda f, x: [f([x(2), x(2)]), f([x(2), x(2, 3)]), f((x(), x()))],
)
def column_stack(xs):
    columns = [x if np.ndim(x) > 1 else np.transpose(at_least(2, x)) for x in xs]
    return np.concatenate(columns, axis=1)


@composite(
    np.append,
    "x and then more",
    examples=lambda f, x: [f(x(2, 2), x(3)), f(x(2, 1), x(2, 2), axis=1)],
)
def append(arr, values, axis=None):
    return np.concatenate([shaped(arr), shaped(values)], axis=axis)


def joined(xs, move):
    """All xs in one row[where their positions in it are moved to]."""
    ends = np.cumsum([np.size(x) for x in xs])
    positions = [
        (end - np.size(x) + np.arange(np.size(x))).reshape(np.shape(x))
        for x, end in zip(xs, ends, strict=True)
    ]
    return np.concatenate(xs, axis=None)[move(positions)]


@composite(
    np.insert,
    "x with more elements in between",
    examples=lambda f, x: [
        *(f(x(3), 1, x()), f(x(2, 3), [0, 2], x(2), axis=1), f(x(2, 2), [1, 3], x(2))),
        *(f(x(2, 3), 1, x(3), axis=0), f(x(3), slice(0, 2), x())),
    ],
)
def insert(arr, obj, values, axis=None):
    arr, values, obj = shaped(arr), shaped(values), setting(obj)
    if values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    return joined([arr, values], lambda positions: np.insert(positions[0], obj, positions[1], axis))


def mapped(f, tree):
    """A nested list with f of what is in it."""
    return [mapped(f, part) for part in tree] if isinstance(tree, list) else f(tree)


@composite(
    np.block,
    "a matrix of blocks",
    examples=lambda f, x: [
        f([[x(2, 2), x(2, 1)], [x(1, 2), x(1, 1)]]),
        f([x(2), x(3)]),
        f([[x(2)], [x(2)]]),
        f(x(2, 3)),
    ],
)
def block(arrays):
    xs: list[Any] = []
    mapped(xs.append, arrays)
    if not xs:
        return np.block(arrays)

    def move(positions):
        following = iter(positions)
        return np.block(mapped(lambda x: next(following), arrays))

    return joined(xs, move)


# --- shapes that fit each other ---


@composite(
    np.broadcast_arrays,
    "the xs in the shape that they have together",
    examples=lambda f, x: [f(x(3), [[1], [2]])[0], f([1, 2, 3], x(2, 1), 1)[1]],
)
def broadcast_arrays(*args):
    shape = np.broadcast_shapes(*[np.shape(x) for x in args])
    return tuple([np.broadcast_to(x, shape) for x in args])


@composite(
    np.meshgrid,
    "the coordinates of a grid",
    examples=lambda f, x: [
        *(f(x(2), [1, 2, 3])[0], f([1, 2], x(3), [1, 2], indexing="ij")[1]),
        *(f([1, 2], x(3), sparse=True)[1], f(x(2))[0]),
    ],
)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    zeros = [np.broadcast_to(0, np.shape(x)) for x in xi]
    sides = np.meshgrid(*zeros, sparse=True, copy=False, indexing=indexing)
    xs = tuple([np.reshape(x, side.shape) for x, side in zip(xi, sides, strict=True)])
    return xs if sparse else np.broadcast_arrays(*xs)


# --- one into several ---


def splits(function, formula, examples):
    """A function that cuts x into slices along an axis, found by cutting the positions there."""

    def definition(x, indices_or_sections, axis=0):
        before = (slice(None),) * axis_of(axis, x.ndim)
        groups = function(np.arange(x.shape[axis]), setting(indices_or_sections))
        starts = [int(group[0]) if len(group) else 0 for group in groups]
        return [
            x[(*before, slice(start, start + len(group)))]
            for group, start in zip(groups, starts, strict=True)
        ]

    composite(function, formula, definition, examples=examples)


splits(
    np.split,
    "x in equal parts",
    lambda f, x: [f(x(4, 2), 2)[1], f(x(2, 4), [1, 3], axis=1)[1], f(x(4), 2)[0]],
)
splits(np.array_split, "x in parts", lambda f, x: [f(x(5), 2)[1], f(x(2, 5), 3, axis=1)[0]])


def splits_along(function, axis_of_it, formula, examples):
    """np.split along a fixed axis."""

    def definition(x, indices_or_sections):
        function(
            np.broadcast_to(0, x.shape), setting(indices_or_sections)
        )  # raises what NumPy does
        return np.split(x, indices_or_sections, axis=axis_of_it(x))

    composite(function, formula, definition, examples=examples)


splits_along(np.vsplit, lambda x: 0, "x in rows", lambda f, x: [f(x(4, 2), 2)[1]])
splits_along(
    np.hsplit,
    lambda x: min(1, x.ndim - 1),
    "x in columns",
    lambda f, x: [f(x(2, 4), [1, 3])[1], f(x(4), 2)[0]],
)
splits_along(np.dsplit, lambda x: 2, "x in depth", lambda f, x: [f(x(2, 1, 4), 2)[1]])


if hasattr(np, "unstack"):  # NumPy 2.1

    @composite(
        np.unstack,
        "the slices of x along an axis",
        examples=lambda f, x: [f(x(2, 3))[1], f(x(2, 3), axis=-1)[2]],
    )
    def unstack(x, *, axis=0):
        if not x.ndim:
            raise ValueError("Input array must be at least 1-d.")
        return tuple(np.moveaxis(x, axis, 0))
