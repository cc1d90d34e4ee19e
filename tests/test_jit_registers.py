"""Programs small enough for registers: what is added to a product joins its sum."""

import numpy as np
import pytest

from tinygrad_slp import jit

pytest.importorskip("llvmlite", reason="native code needs llvmlite")

X = np.random.default_rng(0).standard_normal((4, 3))
W = np.random.default_rng(1).standard_normal((3, 2))
B = np.random.default_rng(2).standard_normal(2)


def native(f, *arguments):
    compiled = jit(f, backend="llvm")
    compiled(*arguments)
    return compiled(*arguments), compiled


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w, b: np.dot(x, w) + b,
        lambda x, w, b: b + np.dot(x, w),
        lambda x, w, b: np.dot(x, w) + np.dot(x, w),
        lambda x, w, b: np.dot(x, w) + 3,
        lambda x, w, b: (np.dot(x, w) + b) * np.dot(x, w),
    ],
)
def test_a_product_and_what_is_added_to_it(f):
    y, compiled = native(f, X, W, B)
    assert "in registers" in str(compiled.program)
    np.testing.assert_allclose(y, f(X, W, B), rtol=4e-16, atol=1e-15)


def test_a_product_and_an_array_of_another_dtype():
    x, w = X.astype(np.float32), W.astype(np.float32)
    y, _ = native(lambda x, w, b: np.dot(x, w) + b, x, w, B)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, np.dot(x, w) + B, rtol=1e-6)


def test_a_product_and_an_array_of_more_axes():
    y, _ = native(lambda x, w, b: np.dot(x, w) + np.ones((2, 4, 2)), X, W, B)
    np.testing.assert_allclose(y, np.dot(X, W) + np.ones((2, 4, 2)), rtol=4e-16, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_a_product_that_is_zero_has_the_sign_that_it_has_in_numpy(n):
    x, y = np.zeros((2, n)), -np.ones((n, 2))
    f = lambda x, y: (x @ y, y.T @ x.T, x[0] @ y[:, 0], np.arctan2(x @ y, -1.0))
    compiled = jit(f, backend="llvm")
    for _ in range(2):
        for found, expected in zip(compiled(x, y), f(x, y), strict=True):
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
