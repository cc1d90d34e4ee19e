"""Functions that round to fewer digits than they give: no verdict may rest on one stair of them."""

import numpy as np
import pytest

from tinygrad_slp.check import Verdict, check_gradient


def bisected(c):
    """The root of m³ + m = c, to 7·10⁻⁸."""
    low, high = -10.0, 10.0
    for _ in range(28):
        m = (low + high) / 2
        low, high = (low, m) if m**3 + m > c else (m, high)
    return (low + high) / 2


ROUNDS = {
    "its result to float32": (lambda x: np.float64(np.float32(np.sin(x))), np.cos),
    "x to float32": (lambda x: np.sin(np.float64(np.float32(x))), np.cos),
    "to six digits": (lambda x: np.round(np.exp(x / 3), 6), lambda x: np.exp(x / 3) / 3),
    "to a tolerance": (bisected, lambda c: 1 / (3 * bisected(c) ** 2 + 1)),
}


@pytest.mark.parametrize("name", ROUNDS)
def test_a_function_that_rounds_has_no_wrong_verdict_at_any_point(name):
    f, slope = ROUNDS[name]
    for x in np.random.default_rng(7).uniform(-3, 3, 25):
        assert check_gradient(f, x, slope, explain=False).verdict in ("RIGHT", "CANNOT TELL")
        zero = check_gradient(f, x, lambda x: 0.0, explain=False)
        assert zero.verdict in ("WRONG", "CANNOT TELL") or abs(slope(x)) < 1e-3


def test_a_network_in_float32_of_numbers_in_float64():
    rng = np.random.default_rng(0)
    W, v = rng.normal(size=(3, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)

    def f(x):
        return float(np.tanh(x.astype(np.float32) @ W) @ v)

    def slope(x):
        return W.astype(float) @ ((1 - np.tanh(x @ W) ** 2) * v)

    for x in rng.normal(size=(10, 3)):
        assert check_gradient(f, x, slope, explain=False).verdict in ("RIGHT", "CANNOT TELL")
        zero = check_gradient(f, x, np.zeros_like, explain=False)
        assert zero.verdict in ("WRONG", "CANNOT TELL")


@pytest.mark.parametrize("step", [1.0, 1e-2, 1e-4])
def test_a_function_of_steps_has_the_slope_zero(step):
    """Between jumps that are too large for rounding, 0 is the slope."""
    report = check_gradient(lambda x: step * np.floor(x / step), 2.71828, lambda x: 0.0)
    assert report.verdict == "RIGHT"


@pytest.mark.parametrize("factor", [1, 1000])
def test_a_slope_that_is_rounded_away_before_the_result_is_not_wrong(factor):
    """log(1 + e⁻⁴⁷) is exactly 0 in float64, and its slope is not."""
    f = lambda z: np.log(np.sum(np.exp(factor * z - np.array([47.0, 0.0]))))
    claim = lambda z: factor * np.array([np.exp(-47.0), 1.0])
    report = check_gradient(f, np.zeros(2), claim)
    assert report.verdict == Verdict.CANNOT_TELL
    assert "round away so small a slope" in str(report)
    assert check_gradient(f, np.zeros(2), lambda z: claim(z) * [1e17, 1]).verdict == Verdict.WRONG
