"""Derivatives of products of vectors, matrices and tensors, each linear in every factor."""

import math
import operator
from string import ascii_letters, ascii_lowercase, ascii_uppercase

import numpy as np

from ..errors import NOT_COMPLEX
from ..rule import Each, aliases, composite, linear
from .arguments import axis_of, shaped
from .movement import scatter


def matmul_left(g, y, a, b):
    """∂a = g·bᵀ, and what it means where a or b is a vector."""
    if b.ndim == 1:
        return g[..., np.newaxis] * b[np.newaxis]
    if a.ndim == 1:
        return (b @ g[..., np.newaxis])[..., 0]
    return g @ b.mT


def matmul_right(g, y, a, b):
    """∂b = aᵀ·g, and what it means where a or b is a vector."""
    if a.ndim == 1:
        return a[:, np.newaxis] * g[..., np.newaxis, :] if b.ndim > 1 else a * g
    if b.ndim == 1:
        return (a.mT @ g[..., np.newaxis])[..., 0]
    return a.mT @ g


linear(
    np.matmul, "a @ b", matmul_left, matmul_right,
    examples=lambda f, x: [
        f(x(2, 3), x(3, 4)), f(x(3), x(3)), f(x(2, 3), x(3)), f(x(3), x(3, 2)),
        f(x(2, 2, 3), x(3, 2)), f(x(2, 1, 2, 3), x(3, 3, 2)), f(x(3), x(2, 3, 2)),
        f(x(2, 2, 3), x(3)),
    ],
)  # fmt: skip


@composite(
    np.tensordot,
    "Σ a[…k…]·b[…k…]",
    examples=lambda f, x: [
        *(f(x(2, 3, 2), x(3, 2, 4)), f(x(2, 3), x(3, 2), axes=1), f(x(2), x(3), 0)),
        f(x(2, 3, 4), x(4, 5, 2), axes=([0, 2], [2, 0])),
    ],
)
def tensordot(a, b, axes=2):
    """Transpose, reshape to matrices, multiply: as NumPy does it."""
    a, b = shaped(a), shaped(b)
    if isinstance(axes, int):
        axes = range(a.ndim - axes, a.ndim), range(axes)
    over_a = [axis_of(i, a.ndim) for i in np.atleast_1d(axes[0])]
    over_b = [axis_of(i, b.ndim) for i in np.atleast_1d(axes[1])]
    free_a = [i for i in range(a.ndim) if i not in over_a]
    free_b = [i for i in range(b.ndim) if i not in over_b]
    summed = [a.shape[i] for i in over_a]
    if summed != [b.shape[i] for i in over_b]:
        raise ValueError(f"tensordot: shapes {a.shape} and {b.shape} do not match over {axes}")
    shape = [a.shape[i] for i in free_a] + [b.shape[i] for i in free_b]
    n = math.prod(summed)
    left = np.transpose(a, free_a + over_a).reshape(math.prod(shape[: len(free_a)]), n)
    right = np.transpose(b, over_b + free_b).reshape(n, math.prod(shape[len(free_a) :]))
    return (left @ right).reshape(shape)


@composite(
    np.dot,
    "Σ a[…k]·b[k…]",
    examples=lambda f, x: [
        *(f(x(3), x(3)), f(x(2, 3), x(3, 2)), f(x(2, 3), x(2, 3, 2)), f(x(2, 3), 2.0)),
    ],
)
def dot(a, b):
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    return a @ b if np.ndim(b) <= 2 else tensordot(a, b, (-1, -2))


@composite(np.inner, "Σ a[…k]·b[…k]", examples=lambda f, x: [f(x(3), x(3)), f(x(2, 3), x(4, 3))])
def inner(a, b):
    return a * b if not np.ndim(a) or not np.ndim(b) else tensordot(a, b, (-1, -1))


@composite(np.outer, "a·bᵀ", examples=lambda f, x: [f(x(3), x(2)), f(x(2, 2), x(3))])
def outer(a, b):
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@composite(np.vdot, "Σ a·b", examples=lambda f, x: [f(x(3), x(3)), f(x(2, 3), x(2, 3))])
def vdot(a, b):
    unconjugated("np.vdot", a)
    return np.reshape(a, -1) @ np.reshape(b, -1)


@composite(
    np.linalg.outer, "a·bᵀ of two vectors", examples=lambda f, x: [f(x(3), x(2))]
)  # fmt: skip
def outer_of_vectors(a, b, /):
    if np.ndim(a) != 1 or np.ndim(b) != 1:
        raise ValueError(
            f"np.linalg.outer takes two vectors, got shapes {np.shape(a)} and {np.shape(b)}; "
            "np.outer flattens what it is given"
        )
    return outer(a, b)


@composite(
    np.kron, "each a[…i…] times all of b, side by side",
    examples=lambda f, x: [
        f(x(2), x(3)), f(x(2, 3), x(3, 2)), f(x(2), x(2, 3)), f(x(2, 1, 2), x(2, 2)), f(x(2), 3.0),
    ],
)  # fmt: skip
def kron(a, b):
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    a, b = shaped(a), shaped(b)
    ndim = max(a.ndim, b.ndim)
    long = [(1,) * (ndim - x.ndim) + x.shape for x in (a, b)]
    each = np.reshape(a, [n for m in long[0] for n in (m, 1)])
    all_of = np.reshape(b, [n for m in long[1] for n in (1, m)])
    return np.reshape(each * all_of, [m * n for m, n in zip(*long, strict=True)])


@composite(
    np.cross, "a × b",
    examples=lambda f, x: [
        f(x(3), x(3)), f(x(2, 3), x(3)), f(x(3, 2), x(2, 3), 0, 1), f(x(3, 2), x(3, 2), axis=0),
        f(x(2, 3), x(2, 3), axisc=0),
    ],
)  # fmt: skip
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    a, b = shaped(a), shaped(b)
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(
            f"np.cross of Tensors takes vectors of 3 numbers, got {a.shape[-1]} and "
            f"{b.shape[-1]}; in the plane write a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]"
        )
    after, before = [1, 2, 0], [2, 0, 1]
    y = a[..., after] * b[..., before] - a[..., before] * b[..., after]
    return np.moveaxis(y, -1, axisc)


def unconjugated(function, a):
    """Refuses complex numbers where NumPy conjugates the first of two inputs."""
    if np.iscomplexobj(a):
        raise TypeError(f"{function} conjugates the first of its inputs, and {NOT_COMPLEX}")


@composite(
    np.vecdot, "Σ a[…k]·b[…k]",
    examples=lambda f, x: [f(x(3), x(3)), f(x(2, 3), x(3)), f(x(3, 2), x(3, 1), axis=0)],
)  # fmt: skip
def vecdot(a, b, *, axis=-1):
    unconjugated("np.vecdot", a)
    a, b = np.moveaxis(shaped(a), axis, -1), np.moveaxis(shaped(b), axis, -1)
    return (a[..., np.newaxis, :] @ b[..., np.newaxis])[..., 0, 0]


def matvec(a, b):
    """A·b, for each matrix of the leading axes."""
    a, b = shaped(a), shaped(b)
    if a.ndim < 2 or b.ndim < 1:
        raise ValueError(f"np.matvec takes a matrix and a vector, got {a.shape} and {b.shape}")
    return (a @ b[..., np.newaxis])[..., 0]


def vecmat(a, b):
    """aᵀ·B, for each matrix of the leading axes."""
    unconjugated("np.vecmat", a)
    a, b = shaped(a), shaped(b)
    if a.ndim < 1 or b.ndim < 2:
        raise ValueError(f"np.vecmat takes a vector and a matrix, got {a.shape} and {b.shape}")
    return (a[..., np.newaxis, :] @ b)[..., 0, :]


if hasattr(np, "matvec"):  # since NumPy 2.2
    composite(
        np.matvec, "A·b", matvec,
        examples=lambda f, x: [f(x(2, 3), x(3)), f(x(2, 3, 2), x(2)), f(x(3, 2), x(4, 2))],
    )  # fmt: skip
    composite(
        np.vecmat, "aᵀ·B", vecmat,
        examples=lambda f, x: [f(x(2), x(2, 3)), f(x(2), x(3, 2, 2)), f(x(4, 3), x(3, 2))],
    )  # fmt: skip

aliases(np.matmul, np.linalg.matmul)
aliases(np.tensordot, np.linalg.tensordot)
aliases(np.cross, np.linalg.cross)
aliases(np.vecdot, np.linalg.vecdot)


def lettered(sublist):
    """The letters that NumPy reads a sublist as, [0, ..., 26] as A...a: in order, as numbers are.

    Raises:
        TypeError: it is no list of whole numbers and Ellipsis.
        ValueError: a number is not in [0, 52).
    """
    if not isinstance(sublist, list | tuple | np.ndarray):
        raise TypeError(
            f"einsum takes operands and lists by turns, as in np.einsum(a, [0, 1], b, [1], [0]); "
            f"in the place of a list is a {type(sublist).__name__}"
        )
    numbers = [i if i is ... else operator.index(i) for i in sublist]
    if any(i is not ... and not 0 <= i < 52 for i in numbers):
        raise ValueError(f"einsum: the numbers of axes are 0 to 51, got {list(sublist)}")
    alphabet = ascii_uppercase + ascii_lowercase
    return "".join(["..." if i is ... else alphabet[i] for i in numbers])


def bind_einsum(subscripts, *xs, optimize=False):
    """einsum("ij,jk->ik", a, b), or the same by numbers: einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    if not isinstance(subscripts, str):
        given = (subscripts, *xs)
        pairs = len(given) // 2
        xs = given[: 2 * pairs : 2]
        output = [lettered(sublist) for sublist in given[2 * pairs :]]
        terms = [lettered(sublist) for sublist in given[1 : 2 * pairs : 2]]
        subscripts = "->".join([",".join(terms), *output])
    return xs, {"subscripts": subscripts}


def spelled(subscripts, shapes):
    """The subscripts of einsum with the output written out, and letters in place of dots."""
    subscripts = subscripts.replace(" ", "")
    left, arrow, right = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(shapes)}")
    spare = [c for c in ascii_letters if c not in subscripts]
    hidden = [len(s) - len(t.replace("...", "")) for t, s in zip(terms, shapes, strict=True)]
    most = max((h for t, h in zip(terms, hidden, strict=True) if "..." in t), default=0)
    letters = "".join(spare[:most])
    if not arrow:
        once = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
        right = ("..." if "..." in left else "") + "".join(once)
    terms = [t.replace("...", letters[most - h :]) for t, h in zip(terms, hidden, strict=True)]
    return terms, right.replace("...", letters)


def einsum_vjp(k, g, y, *xs, subscripts):
    """∂x: contract g with all other operands.

    Along a letter that these do not have, or only with the length 1, ∂x is constant.
    """
    terms, out = spelled(subscripts, [np.shape(x) for x in xs])
    mine = terms[k]
    own = dict(zip(mine, np.shape(xs[k]), strict=True))
    terms = [out, *terms[:k], *terms[k + 1 :]]
    operands = [g, *xs[:k], *xs[k + 1 :]]
    others: set[tuple[str, int]] = set()
    for term, x in zip(terms, operands, strict=True):
        others.update(zip(term, np.shape(x), strict=True))
    varying = [c for c, n in own.items() if n != 1 and (c, n) in others]
    gx = np.einsum(f"{','.join(terms)}->{''.join(varying)}", *operands)
    if len(varying) < len(own):
        gx = np.reshape(gx, [n if c in varying else 1 for c, n in own.items()])
        gx = np.broadcast_to(gx, tuple(own.values()))
    if len(own) == len(mine):
        return gx
    # A letter twice in one operand reads a diagonal: send the cotangent back to the diagonal only.
    where = [np.arange(own[c]).reshape([-1 if c == d else 1 for d in own]) for c in mine]
    return scatter(gx, index=tuple(where), shape=xs[k].shape)


linear(
    np.einsum, "Σ Π x, by letters", Each(einsum_vjp),
    bind=bind_einsum,
    run=lambda *xs, subscripts: np.einsum(subscripts, *xs),
    examples=lambda f, x: [
        f("ij,jk->ik", x(2, 3), x(3, 2)), f("ij,jk", x(2, 3), x(3, 2)), f("ij->j", x(2, 3)),
        f("ii->i", x(3, 3)), f("ii", x(3, 3)), f("i,j,k->kji", x(2), x(3), x(2)),
        f("...ij,...j->...i", x(2, 2, 3), x(3)), f("bi,bj->", x(2, 3), x(2, 2)),
        f(",i->i", x(), x(3)), f("ij,ij->i", x(2, 1), x(2, 3)),
        f("...ii,...->...", x(1, 3, 3), x(2)), f(x(2, 3), [0, 1], x(3, 2), [1, 2], [2, 0]),
    ],
)  # fmt: skip
