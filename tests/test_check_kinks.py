"""Kinks, ties and the tips of norms: what may be claimed there, and that they hide nothing."""

import numpy as np
import pytest

from tinygrad_slp import relu
from tinygrad_slp.check import check_gradient

NORM = lambda x: np.sqrt(np.sum(x**2))
POOL = lambda x: np.sum(x.reshape(-1, 2).max(axis=1))
TIE = np.array([1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("f", "x", "claim"),
    [
        (np.max, TIE, [1, 1, 0]),
        (np.max, TIE, [0, 0, 0]),
        (np.min, -TIE, [1, 1, 0]),
        (POOL, np.array([1.0, 1, 0, 2]), [1, 1, 0, 1]),
        (NORM, np.zeros(3), [1, 1, 1]),
    ],
    ids=["max, mask not divided", "max, nothing", "min", "pool", "norm"],
)
def test_what_is_between_the_slopes_of_each_element_need_not_be_a_subgradient(f, x, claim):
    report = check_gradient(f, x, np.array(claim, float))
    assert report.verdict == "WRONG" and "no subgradient" in str(report)


@pytest.mark.parametrize(
    ("f", "x", "claim"),
    [
        (np.max, TIE, [0.5, 0.5, 0]),
        (np.max, TIE, [1, 0, 0]),
        (NORM, np.zeros(3), [0, 0, 0]),
        (lambda x: np.sum(np.abs(x)), np.zeros(4), [1, -1, 0.5, 0]),
        (lambda x: relu(x[0]) - relu(x[1]), np.zeros(2), [0, 0]),
        (lambda x: relu(x[0]) - relu(x[1]), np.zeros(2), [1, 0]),
        (lambda x: np.sum(relu(x) * [1, -2, 3, -4]), np.zeros(4), [0, 0, 0, 0]),
    ],
    ids=["half each", "the first", "norm", "l1", "saddle", "saddle, other", "both ways"],
)
def test_subgradients_are_at_a_kink(f, x, claim):
    assert check_gradient(f, x, np.array(claim, float)).verdict == "AT A KINK"


def test_where_many_kinks_meet_it_cannot_tell():
    """What backpropagation gives at zero weights is a gradient of points beside them."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(6, 3)), rng.normal(size=6)
    report = check_gradient(lambda w: np.mean((relu(X @ w) - y) ** 2), np.zeros(3))
    assert report.verdict == "CANNOT TELL" and "several kinks" in str(report)


SPARSE = np.concatenate([np.linspace(1, 2, 290), np.zeros(10)])


def claimed(**changes):
    def gradient(x):
        g = np.where(x > 0, 1.0, 0.0)
        for at, value in changes.items():
            g[int(at[1:])] = value
        return g

    return gradient


def test_a_kink_hides_nothing_along_random_directions():
    f = lambda x: np.sum(relu(x))
    report = check_gradient(f, SPARSE, claimed(_7=2, _8=-1), explain=False)
    assert report.verdict == "WRONG" and report.findings[0].where in ("x[7]", "x[8]")
    report = check_gradient(f, SPARSE, claimed(_295=-1), explain=False)
    assert report.verdict == "WRONG" and report.findings[0].where == "x[295]"
    report = check_gradient(f, SPARSE, claimed(), explain=False)
    assert report.verdict == "AT A KINK" and "10 elements at kinks" in str(report)


def test_more_kinks_than_can_be_told_apart():
    report = check_gradient(lambda x: np.sum(relu(x)), np.zeros(3000), claimed())
    assert report.verdict == "CANNOT TELL" and 'method="elements"' in str(report)


def median_of_five(x):
    return np.median(x[:5]) + x[5] ** 2


def test_an_element_is_wrong_even_beside_a_tie():
    x = np.array([0.0, 0, 0, -1, 2, 3])
    report = check_gradient(median_of_five, x, lambda x: np.array([1.0, 0, 0, 0, 0, x[5]]))
    assert report.verdict == "WRONG" and report.findings[0].where == "x[5]"
    report = check_gradient(median_of_five, x, lambda x: np.array([1.0, 0, 0, 0, 0, 2 * x[5]]))
    assert report.verdict == "CANNOT TELL" and "add up" in str(report)


@pytest.mark.parametrize("method", ["elements", "directions"])
def test_the_method_does_not_decide_at_ties(method):
    x = np.concatenate([np.linspace(-2, -1, 20), np.zeros(3), np.linspace(1, 2, 20)])
    report = check_gradient(np.median, x, (np.arange(43) == 20) * 1.0, method=method)
    assert report.verdict == "CANNOT TELL" and "add up" in str(report)
