"""scipy.special of Tensors: known values, parameters, and what is said. The laws are elsewhere."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("scipy", reason="SciPy is not installed (extra scipy)")

from scipy import special

from tinygrad_slp import Tensor, grad, hessian
from tinygrad_slp.rules.special import polygamma

EULER = 0.5772156649015329


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (special.gammaln, 1.0, -EULER), (special.gamma, 2.0, 1 - EULER),
        (special.digamma, 1.0, np.pi**2 / 6), (polygamma, 1.0, -2 * 1.2020569031595942),
        (special.erf, 0.0, 2 / np.sqrt(np.pi)), (special.ndtr, 0.0, 1 / np.sqrt(2 * np.pi)),
        (special.expit, 0.0, 0.25), (special.i1, 0.0, 0.5), (special.i1e, 0.0, 0.5),
        (special.j1, 0.0, 0.5), (special.entr, 1.0, -1.0), (special.logit, 0.5, 4.0),
        (special.log_ndtr, -40.0, 40.02496884720888), (special.spence, 2.0, -np.log(2)),
    ],
)  # fmt: skip
def test_slopes_that_a_book_has(f, x, slope):
    assert grad(f)(x) == pytest.approx(slope, rel=1e-13)


def test_a_sum_of_powers_has_its_limit_at_0():
    """(xᵏ − 1)/k for k → 0 is log x, and its slope there log²x/2."""
    x = np.array([0.5, 2.0, 10.0])
    slope = grad(lambda k: np.sum(special.boxcox(x, k)))
    assert slope(0.0) == pytest.approx(np.sum(np.log(x) ** 2) / 2, rel=1e-14)
    assert slope(1e-7) == pytest.approx(slope(0.0), rel=1e-5)
    curvature = hessian(lambda k: np.sum(special.boxcox(x, k)))
    assert curvature(0.0) == pytest.approx(np.sum(np.log(x) ** 3) / 3, rel=1e-12)


def test_0_times_log_0_has_slope_0():
    x, y = np.array([0.0, 0.0, 2.0]), np.array([0.0, 3.0, 4.0])
    to_y = grad(lambda y: np.sum(special.xlogy(x, y)))(y)
    np.testing.assert_array_equal(to_y, [0, 0, 0.5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_may_be_arrays_that_broadcast(dtype):
    a, x = np.array([[0.5], [2.0]]), np.array([0.3, 1.0, 4.0], dtype)
    for f in (special.gammainc, special.jv, special.iv):
        g = grad(lambda x, f=f: np.sum(f(a.astype(dtype), x)))(x)
        one_by_one = [sum(grad(f, 1)(k, float(v)) for k in a.ravel().tolist()) for v in x]
        assert g.dtype == dtype
        np.testing.assert_allclose(g, one_by_one, rtol=1e-5 if dtype is np.float32 else 1e-12)
        assert f(2.0, Tensor(x)).dtype == dtype


def test_a_parameter_that_a_gradient_flows_to_is_refused():
    v = Tensor(1.5, requires_grad=True)
    for f, others in ((special.jv, 1), (special.gammainc, 1), (special.betainc, 2)):
        with pytest.raises(TypeError, match="requires grad"):
            f(v, *[0.5] * others)


def test_nothing_of_scipy_is_imported_before_it_is_met():
    lines = (
        "import sys, numpy as np, tinygrad_slp as tg",
        "assert not any(name.startswith('scipy') for name in sys.modules)",
        "from scipy import special",
        "assert 'tinygrad_slp.rules.special' not in sys.modules",
        "t = tg.Tensor([1.0, 2.0], requires_grad=True)",
        "special.gammaln(t).sum().backward()",
        "np.testing.assert_allclose(t.grad.data, special.digamma([1.0, 2.0]))",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
