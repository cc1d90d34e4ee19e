"""Derivatives of inverses, determinants and decompositions of matrices, over leading axes too.

The formulas are those of Giles, Collected matrix derivative results for forward and reverse mode
algorithmic differentiation, 2008; of QR, of Walter and Lehmann, Algorithmic differentiation of
linear algebra functions, 2018; of the pseudoinverse, of Golub and Pereyra, The differentiation of
pseudo-inverses and nonlinear least squares problems, 1973. Of a symmetric matrix NumPy reads the
lower triangle only: the cotangent is there.
"""

import operator
from functools import reduce
from typing import Any

import numpy as np

from ..graph import Node, differentiable
from ..rule import REAL, composite, declare
from .arguments import only, shaped

inv = np.linalg.inv
SLOGDET: Any = type(np.linalg.slogdet(np.eye(1)))
EIGH: Any = type(np.linalg.eigh(np.eye(1)))
SVD: Any = type(np.linalg.svd(np.eye(1)))
QR: Any = type(np.linalg.qr(np.eye(1)))


def solvable(x, *shape):
    """A matrix that is far from singular, for examples."""
    a = x(*shape)
    return a + (2 + a.shape[-1]) * np.eye(a.shape[-1])


def positive(x, *shape):
    """A positive definite matrix, for examples."""
    a = x(*shape)
    return a @ a.mT + 3 * np.eye(a.shape[-1])


def lower(x):
    """What is below the diagonal, and half of what is on it."""
    return (np.tril(x) + np.tril(x, -1)) / 2


def of_triangle(s, UPLO="L"):
    """The cotangent of a symmetric matrix of which only one triangle is read."""
    found = lower(s + s.mT)
    return found if UPLO.upper() == "L" else found.mT


def scaled(x, d):
    """x·diag(d)"""
    return x * d[..., np.newaxis, :]


def on_diagonal(x):
    return np.not_equal(np.tril(np.triu(np.ones_like(x))), 0)


# --- inverses and determinants ---

declare(
    np.linalg.inv, "A⁻¹", lambda g, y, a: -(y.mT @ g @ y.mT), domain=REAL,
    examples=lambda f, x: [f(solvable(x, 3, 3)), f(solvable(x, 2, 2, 2))],
)  # fmt: skip


def quotient_left(g, y, a, b):
    """∂A = −∂b·yᵀ"""
    return -(quotient_right(g, y, a, b) @ y.mT)


def quotient_right(g, y, a, b):
    """∂b = A⁻ᵀ·g"""
    return quotient(a.mT, g)


@differentiable(
    quotient_left, quotient_right,
    domain=REAL, examples=lambda f, x: [f(solvable(x, 3, 3), x(3, 2))],
)  # fmt: skip
def quotient(a, b):
    """A⁻¹b      ∂A = −∂b·yᵀ, ∂b = A⁻ᵀ·g, of matrices with the same leading axes"""
    return np.linalg.solve(a, b)


@composite(
    np.linalg.solve, "A⁻¹b",
    examples=lambda f, x: [
        f(solvable(x, 3, 3), x(3)), f(solvable(x, 3, 3), x(3, 2)),
        f(solvable(x, 2, 3, 3), x(3)), f(solvable(x, 3, 3), x(2, 3, 2)),
    ],
)  # fmt: skip
def solve(a, b):
    a, b = shaped(a), shaped(b)
    if b.ndim == 1:
        return solve(a, b[:, np.newaxis])[..., 0]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return quotient(in_batch(a, batch), in_batch(b, batch))


def in_batch(x, batch):
    return x if x.shape[:-2] == batch else np.broadcast_to(x, (*batch, *x.shape[-2:]))


def cofactors_vjp(g, y, a):
    """⟨G, C⟩·A⁻ᵀ − A⁻ᵀGᵀC; it takes an inverse, and is an error where A is singular."""
    inverse = inv(a).mT
    return np.sum(g * y, axis=(-2, -1), keepdims=True) * inverse - inverse @ g.mT @ y


@differentiable(
    cofactors_vjp, domain=REAL,
    examples=lambda f, x: [f(solvable(x, 3, 3)), f(solvable(x, 2, 2, 2))],
)  # fmt: skip
def cofactors(a):
    """det A · A⁻ᵀ = det U · det V · U·diag(Πⱼ sⱼ, j ≠ i)·Vᵀ, also where A is singular"""
    u, s, vt = np.linalg.svd(a)
    others = np.where(on_diagonal(a), 1, s[..., np.newaxis, :])
    sign = np.linalg.det(u) * np.linalg.det(vt)
    return scaled(u, sign[..., np.newaxis] * np.prod(others, axis=-1)) @ vt


declare(
    np.linalg.det, "det A", lambda g, y, a: g[..., np.newaxis, np.newaxis] * cofactors(a),
    domain=REAL, examples=lambda f, x: [f(solvable(x, 3, 3)), f(solvable(x, 2, 2, 2))],
)  # fmt: skip


@differentiable(
    lambda g, y, a: g[..., np.newaxis, np.newaxis] * inv(a).mT,
    domain=REAL, examples=lambda f, x: [f(solvable(x, 3, 3)), f(solvable(x, 2, 2, 2))],
)  # fmt: skip
def log_det(a):
    """log |det A|      ∂A = g · A⁻ᵀ"""
    return np.linalg.slogdet(a)[1]


@differentiable(
    lambda g, y, a: only(np.not_equal(a, a), g[..., np.newaxis, np.newaxis]),
    domain=REAL,
    examples=lambda f, x: [f(solvable(x, 3, 3))],
)
def sign_of_det(a):
    """sign det A, a step"""
    return np.linalg.slogdet(a)[0]


@composite(
    np.linalg.slogdet, "sign det A and log |det A|",
    examples=lambda f, x: [f(solvable(x, 3, 3))[1], f(solvable(x, 2, 2, 2))[1]],
)  # fmt: skip
def slogdet(a):
    return SLOGDET(sign_of_det(a), log_det(a))


def pinv_vjp(g, y, a, rcond=None, hermitian=False, *, rtol=None):
    """−YᵀGYᵀ + (1 − AY)GᵀYYᵀ + YᵀYGᵀ(1 − YA), where the rank stays the same."""
    gt, yt = g.mT, y.mT
    left = gt @ y @ yt
    right = yt @ y @ gt
    return -(yt @ g @ yt) + left - a @ (y @ left) + right - (right @ y) @ a


declare(
    np.linalg.pinv, "A⁺", pinv_vjp, domain=REAL,
    examples=lambda f, x: [f(x(3, 2)), f(x(2, 3)), f(x(2, 3, 2))],
)  # fmt: skip


@composite(
    np.linalg.lstsq, "the x with the least |Ax − b|², which that is, rank and singular values",
    examples=lambda f, x: [f(x(4, 2), x(4))[0], f(x(4, 2), x(4, 3))[0]],
)  # fmt: skip
def lstsq(a, b, rcond=None):
    a, b = shaped(a), shaped(b)
    x = (
        np.linalg.pinv(a, rcond=np.finfo(a.dtype).eps * max(a.shape) if rcond is None else rcond)
        @ b
    )
    rank, least = np.linalg.matrix_rank(a), np.sum((a @ x - b) ** 2, axis=0, keepdims=b.ndim == 1)
    if a.shape[0] <= a.shape[1]:  # NumPy tells what is left only where there are more equations
        least = least[:0]
    return x, least, rank, np.linalg.svdvals(a)


# --- decompositions ---


def cholesky_vjp(g, y, a, upper=False):
    """S = L⁻ᵀ·Φ(LᵀG)·L⁻¹, where Φ takes the lower triangle and half of the diagonal."""
    g, y = (g.mT, y.mT) if upper else (g, y)
    s = quotient(y.mT, quotient(y.mT, lower(y.mT @ g)).mT).mT
    return of_triangle(s, "U" if upper else "L")


declare(
    np.linalg.cholesky, "L with A = LLᵀ", cholesky_vjp, domain=REAL,
    examples=lambda f, x: [f(positive(x, 3, 3)), f(positive(x, 2, 2, 2))],
)  # fmt: skip


def eigenvalues_vjp(g, y, a, UPLO="L"):
    """V·diag(g)·Vᵀ"""
    v = eigenvectors(a, UPLO)
    return of_triangle(scaled(v, g) @ v.mT, UPLO)


@differentiable(
    eigenvalues_vjp, domain=REAL,
    examples=lambda f, x: [f(positive(x, 3, 3)), f(positive(x, 2, 2, 2))],
)  # fmt: skip
def eigenvalues(a, UPLO="L"):
    """w with A = V·diag(w)·Vᵀ      ∂A = V·diag(g)·Vᵀ"""
    return np.linalg.eigh(a, UPLO)[0]


def over_gaps(w, skew):
    """Each element but those of the diagonal over wⱼ − wᵢ; NaN under `jit` where that is 0.

    Raises:
        ValueError: two are the same.
    """
    gaps = w[..., np.newaxis, :] - w[..., np.newaxis]
    diagonal = on_diagonal(gaps)
    known = gaps.array if isinstance(gaps, Node) else gaps
    if issubclass(type(known), np.ndarray) and np.count_nonzero(known == 0) > w.size:
        raise ValueError(
            "two eigenvalues (or singular values) are the same, so their vectors are not unique, "
            "and nothing that goes through them has a derivative: neither do second derivatives"
        )
    return np.where(diagonal, 0, skew) / np.where(diagonal, 1, gaps)


def eigenvectors_vjp(g, y, a, UPLO="L"):
    """V·(VᵀG/(wⱼ − wᵢ))·Vᵀ"""
    inner = y.mT @ g
    skew = (inner - inner.mT) / 2
    return of_triangle(y @ over_gaps(eigenvalues(a, UPLO), skew) @ y.mT, UPLO)


@differentiable(eigenvectors_vjp, domain=REAL, examples=lambda f, x: [f(positive(x, 3, 3))])
def eigenvectors(a, UPLO="L"):
    """V with A = V·diag(w)·Vᵀ"""
    return np.linalg.eigh(a, UPLO)[1]


@composite(
    np.linalg.eigh, "w and V with A = V·diag(w)·Vᵀ",
    examples=lambda f, x: [f(positive(x, 3, 3))[0], f(positive(x, 3, 3), UPLO="U")[1]],
)  # fmt: skip
def eigh(a, UPLO="L"):
    return EIGH(eigenvalues(a, UPLO), eigenvectors(a, UPLO))


composite(
    np.linalg.eigvalsh, "w with A = V·diag(w)·Vᵀ", eigenvalues,
    examples=lambda f, x: [f(positive(x, 3, 3)), f(positive(x, 3, 3), "U")],
)  # fmt: skip


def singular_values_vjp(g, y, a):
    return scaled(left_vectors(a), g) @ right_vectors(a)


@differentiable(
    singular_values_vjp, domain=REAL,
    examples=lambda f, x: [f(x(3, 3)), f(x(2, 3)), f(x(2, 3, 2))],
)  # fmt: skip
def singular_values(a):
    """s with A = U·diag(s)·Vᵀ      ∂A = U·diag(g)·Vᵀ"""
    return np.linalg.svd(a, full_matrices=False)[1]


def turned(y, g, s):
    """Y·F·diag(s) + (1 − YYᵀ)·G·diag(1/s), with F = (YᵀG − GᵀY)/(sⱼ² − sᵢ²)

    Raises:
        ValueError: Y has more rows than columns, and an s is 0, as far as rounding can tell.
    """
    inner = y.mT @ g
    found = y @ scaled(over_gaps(s * s, inner - inner.mT), s)
    if y.shape[-2] == y.shape[-1]:  # 1 − YYᵀ is 0
        return found
    known = s.array if isinstance(s, Node) else s
    if issubclass(type(known), np.ndarray):
        least = np.finfo(known.dtype).eps * y.shape[-2] * np.max(known, axis=-1)
        if np.any(np.min(known, axis=-1) <= least):
            raise ValueError(
                "a singular value is 0, so its vectors are not unique, and nothing that goes "
                "through them has a derivative"
            )
    return found + scaled(g - y @ inner, 1 / s)


def left_vjp(g, y, a):
    return turned(y, g, singular_values(a)) @ right_vectors(a)


def right_vjp(g, y, a):
    return left_vectors(a) @ turned(y.mT, g.mT, singular_values(a)).mT


@differentiable(
    left_vjp, domain=REAL, examples=lambda f, x: [f(x(3, 3)), f(x(4, 2))],
)  # fmt: skip
def left_vectors(a):
    """U with A = U·diag(s)·Vᵀ"""
    return np.linalg.svd(a, full_matrices=False)[0]


@differentiable(
    right_vjp, domain=REAL, examples=lambda f, x: [f(x(3, 3)), f(x(2, 4))],
)  # fmt: skip
def right_vectors(a):
    """Vᵀ with A = U·diag(s)·Vᵀ"""
    return np.linalg.svd(a, full_matrices=False)[2]


@composite(
    np.linalg.svd, "U, s and Vᵀ with A = U·diag(s)·Vᵀ",
    examples=lambda f, x: [
        f(x(3, 3))[0], f(x(3, 2), full_matrices=False)[2], f(x(3, 2), compute_uv=False),
    ],
)  # fmt: skip
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    if not compute_uv:
        return singular_values(a)
    if full_matrices and a.shape[-1] != a.shape[-2]:
        raise ValueError(
            f"np.linalg.svd of a Tensor of shape {a.shape}: the vectors beyond min(shape) are not "
            "unique, and have no gradient; write full_matrices=False"
        )
    return SVD(left_vectors(a), singular_values(a), right_vectors(a))


@composite(np.linalg.svdvals, "the singular values", examples=lambda f, x: [f(x(3, 2))])
def svdvals(x, /):
    return singular_values(x)


def mirrored(x):
    """The lower triangle, and its mirror image above."""
    return np.tril(x) + np.tril(x, -1).mT


def q_vjp(g, y, a):
    """(G − Q·mirrored(GᵀQ))·R⁻ᵀ"""
    return quotient(triangle(a), (g - y @ mirrored(g.mT @ y)).mT).mT


@differentiable(q_vjp, domain=REAL, examples=lambda f, x: [f(x(3, 3)), f(x(4, 2))])
def orthogonal(a):
    """Q with A = QR"""
    return np.linalg.qr(a)[0]


def r_vjp(g, y, a):
    """Q·mirrored(R·Gᵀ)·R⁻ᵀ"""
    return orthogonal(a) @ quotient(y, mirrored(y @ g.mT).mT).mT


@differentiable(r_vjp, domain=REAL, examples=lambda f, x: [f(x(3, 3)), f(x(4, 2))])
def triangle(a):
    """R with A = QR"""
    return np.linalg.qr(a)[1]


@composite(
    np.linalg.qr,
    "Q and R with A = QR",
    examples=lambda f, x: [f(x(3, 3))[0], f(x(4, 2))[1], f(x(4, 2), mode="r")],
)
def qr(a, mode="reduced"):
    wide = a.shape[-2] < a.shape[-1]
    if mode not in ("reduced", "r") or wide:
        raise ValueError(
            "np.linalg.qr of a Tensor takes mode='reduced' or 'r', and matrices that are not wider "
            f"than high; got mode={mode!r} and shape {a.shape}"
        )
    return triangle(a) if mode == "r" else QR(orthogonal(a), triangle(a))


# --- powers and products ---


@composite(
    np.linalg.matrix_power, "Aⁿ",
    examples=lambda f, x: [f(x(3, 3), 3), f(x(2, 2, 2), 4), f(solvable(x, 3, 3), -2)],
)  # fmt: skip
def matrix_power(a, n):
    """By squaring."""
    n = operator.index(n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"a power is of square matrices, got one of shape {a.shape}")
    if n < 0:
        a, n = inv(a), -n
    y = None
    while n:
        if n % 2:
            y = a if y is None else y @ a
        a, n = a @ a if n > 1 else a, n // 2
    return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype) if y is None else y


@composite(
    np.linalg.multi_dot, "the product of several",
    examples=lambda f, x: [f([x(2, 3), x(3, 2), x(2)]), f([x(3), x(3, 2), x(2, 2)])],
)  # fmt: skip
def multi_dot(arrays):
    return reduce(np.matmul, arrays)


@composite(
    np.linalg.cond, "|A|·|A⁻¹|",
    examples=lambda f, x: [f(solvable(x, 3, 3)), f(x(3, 2)), f(solvable(x, 3, 3), "fro")],
)  # fmt: skip
def cond(x, p=None):
    if p in (None, 2, -2):
        s = singular_values(x)
        most, least = np.max(s, axis=-1), np.min(s, axis=-1)  # those that tie share the cotangent
        return least / most if p == -2 else most / least
    return np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(inv(x), p, axis=(-2, -1))
