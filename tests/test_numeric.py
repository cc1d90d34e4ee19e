"""Special functions keep their digits, to third order; functions without a derivative say why."""

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed: pip install mpmath")

SPECIAL = {
    "sinc": (np.sinc, mpmath.sincpi, [1e-8, 1e-3, 0.1, 0.3, 0.32, 0.9, 2.5, -0.7, -0.2]),
    "i0": (np.i0, lambda x: mpmath.besseli(0, x), [1e-8, 0.1, 1, 10, 100, 300, 700, -3]),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_derivatives_of_all_orders_are_right_to_the_last_digits(name):
    f, exact, x = SPECIAL[name]
    slope = f
    for order in 1, 2, 3:
        slope = tg.grad(lambda t, slope=slope: np.sum(slope(t)))
        with mpmath.workdps(60):
            expected = [float(mpmath.diff(exact, mpmath.mpf(v), order)) for v in x]
        np.testing.assert_allclose(slope(np.array(x, float)), expected, rtol=1e-13)


def test_at_0_the_slopes_of_even_functions_are_0():
    for f, curve in ((np.sinc, -(np.pi**2) / 3), (np.i0, 0.5)):
        assert tg.grad(f)(0.0) == 0
        np.testing.assert_allclose(tg.hessian(f)(0.0), curve, rtol=1e-15)


@pytest.mark.parametrize(
    "call, words",
    [
        (np.frexp, "powers of 2"),
        (np.spacing, "rounded"),
        (lambda t: np.nextafter(t, 1.0), r"np.nextafter\(a.data, b\)"),
    ],
)
def test_what_has_no_derivative_says_why(call, words):
    with pytest.raises(TypeError, match=words):
        call(Tensor([1.0]))
