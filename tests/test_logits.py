"""Losses of logits are right to the last digits, far out too, against decimals of 700 digits."""

import decimal
from decimal import Decimal

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import nn

decimal.getcontext().prec = 700
LOGITS = [0.0, 0.25, 1.0, 5.0, 20.0, 36.5, 37.5, 40.0, 87.0, 103.0, 300.0, 690.0, 700.0]
LOGITS += [-z for z in LOGITS[1:]]


def binary(z, t):
    """−t log σ(z) − (1 − t) log σ(−z), and its two derivatives."""
    σ, opposite = 1 / (1 + (-z).exp()), 1 / (1 + z.exp())
    value = t * (1 + (-z).exp()).ln() + (1 - t) * (1 + z.exp()).ln()
    return value, (1 - t) * σ - t * opposite, σ * opposite


def multiclass(z, target):
    """−Σ t log softmax(z, 1, −1), and its two derivatives by z."""
    e = [x.exp() for x in (z, Decimal(1), Decimal(-1))]
    p = [x / sum(e) for x in e]
    others = (e[1] + e[2]) / sum(e)
    value = sum(t * sum(x / own for x in e).ln() for t, own in zip(target, e, strict=True))
    return value, p[0] * (target[1] + target[2]) - target[0] * others, p[0] * others


def scores(z):
    return np.stack([z, np.ones_like(z), -np.ones_like(z)], axis=-1)


def of_class(k):
    return lambda z: multiclass(z, [int(j == k) for j in range(3)])


EVEN = [0.5, 0.25, 0.25]
like = np.full_like
LOSSES = {
    "softplus": (tg.softplus, lambda z: binary(z, 0)),
    "binary, 0": (
        lambda z: nn.binary_cross_entropy_with_logits(z, like(z, 0), "none"),
        lambda z: binary(z, 0),
    ),
    "binary, 1": (
        lambda z: nn.binary_cross_entropy_with_logits(z, like(z, 1), "none"),
        lambda z: binary(z, 1),
    ),
    "binary, 1/4": (
        lambda z: nn.binary_cross_entropy_with_logits(z, like(z, 0.25), "none"),
        lambda z: binary(z, Decimal("0.25")),
    ),
    "class 0": (lambda z: nn.cross_entropy(scores(z), like(z, 0, dtype=int), "none"), of_class(0)),
    "class 1": (lambda z: nn.cross_entropy(scores(z), like(z, 1, dtype=int), "none"), of_class(1)),
    "nll 0": (
        lambda z: nn.nll_loss(tg.log_softmax(scores(z)), like(z, 0, dtype=int), "none"),
        of_class(0),
    ),
    "nll 2": (
        lambda z: nn.nll_loss(tg.log_softmax(scores(z)), like(z, 2, dtype=int), "none"),
        of_class(2),
    ),
    "log of softmax": (lambda z: -tg.log_softmax(scores(z))[..., 0], of_class(0)),
    "one-hot": (
        lambda z: nn.cross_entropy(scores(z), scores(like(z, 0)) * 0 + np.eye(3)[0], "none"),
        of_class(0),
    ),
    "probabilities": (
        lambda z: nn.cross_entropy(scores(z), scores(like(z, 0)) * 0 + EVEN, "none"),
        lambda z: multiclass(z, [Decimal(t) for t in EVEN]),
    ),
}  # fmt: skip


def close(found, exact, dtype):
    """To 16 roundings, or where the numbers end."""
    expected = np.array([float(x) for x in exact])
    info = np.finfo(dtype)
    near = np.abs(found - expected) <= 16 * info.eps * np.abs(expected) + 4 * info.tiny
    assert near.all(), [
        (z, *pair) for z, *pair in zip(LOGITS, found, expected, strict=True) if pair[0] != pair[1]
    ]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", LOSSES)
def test_value_and_both_derivatives_are_right_to_the_last_digits(name, dtype):
    loss, exact = LOSSES[name]
    z = np.array(LOGITS, dtype)
    value, slope, curvature = zip(*(exact(Decimal(x)) for x in LOGITS), strict=True)
    close(loss(z), value, dtype)
    total = lambda z: np.sum(loss(z))
    close(tg.grad(total)(z), slope, dtype)
    close(tg.grad(lambda z: np.sum(tg.grad(total)(z)))(z), curvature, dtype)
    close(tg.hvp(total, (z,), (np.ones_like(z),)), curvature, dtype)


INF = np.inf


@pytest.mark.parametrize("x", [[INF, 1, 2], [INF, INF, 1], [-INF, -INF, -INF], [INF, -INF, 0]])
def test_infinite_scores_give_a_row_of_nan_never_half_a_row(x):
    """As in PyTorch, JAX and SciPy; logsumexp is infinite, and its slope that of a maximum."""
    x = np.array(x, float)
    with np.errstate(invalid="ignore"):
        for f in tg.softmax, tg.log_softmax:
            assert np.isnan(f(x)).all()
        assert np.isnan(nn.cross_entropy(np.stack([x, x]), np.array([0, 1])))
        y, g = tg.value_and_grad(tg.logsumexp)(x)
    assert y == np.max(x)
    np.testing.assert_array_equal(g, (x == y) / np.sum(x == y))


PAIRS = [
    (INF, 1, 1, 0), (1, INF, 0, 1), (INF, -INF, 1, 0), (INF, INF, 0.5, 0.5), (-INF, 1, 0, 1),
    (-INF, -INF, 0.5, 0.5), (1e4, 1e4, 0.5, 0.5), (-1e4, 1e4, 0, 1),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "ga", "gb"), PAIRS)
def test_logaddexp_at_infinity_has_the_slopes_of_a_maximum(a, b, ga, gb):
    np.testing.assert_allclose(tg.grad(np.logaddexp, (0, 1))(float(a), float(b)), (ga, gb))


@pytest.mark.parametrize("f", [tg.softmax, tg.log_softmax])
def test_an_axis_of_length_0_gives_nothing(f):
    assert f(np.zeros((3, 0))).shape == (3, 0)
    assert tg.grad(lambda x: np.sum(f(x)))(np.zeros((3, 0))).shape == (3, 0)
    np.testing.assert_array_equal(tg.logsumexp(np.zeros((3, 0)), axis=1), [-INF] * 3)
