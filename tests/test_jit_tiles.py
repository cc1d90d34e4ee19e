"""Products in tiles: of every size and order, as NumPy has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import Tensor, jit, no_grad

pytest.importorskip("llvmlite", reason="native code needs llvmlite")

from tinygrad_slp.jit.llvm import native as back_end
from tinygrad_slp.jit.llvm import rewriting
from tinygrad_slp.jit.llvm.tiles import tile_of

pytestmark = pytest.mark.native
RNG = np.random.default_rng(0)
SIZES = (
    (1, 1, 1),
    (1, 40, 7),
    (40, 1, 7),
    (7, 40, 1),
    (5, 3, 2),
    (16, 16, 16),
    (33, 49, 17),
    (60, 64, 65),
    (71, 300, 130),
)
"""(m, n, k); of the last, both factors are copied in parts."""
LAID = {
    "C": lambda x: x,
    "one row": lambda x: x,
    "a part": lambda x: np.pad(x, 1),
    "Fortran": lambda x: x.T.copy(),
    "steps": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1),
    "backwards": lambda x: x[::-1, ::-1].copy(),
}
"""In what an argument holds a matrix, so that a step finds it there in this order."""
FOUND = {
    "C": lambda x: x,
    "one row": lambda x: np.broadcast_to(x[:1], x.shape),
    "a part": lambda x: x[1:-1, 1:-1],
    "Fortran": lambda x: x.T,
    "steps": lambda x: x[::2, ::3],
    "backwards": lambda x: x[::-1, ::-1],
}


@pytest.fixture(autouse=True)
def none_by_blas(monkeypatch):
    monkeypatch.setattr(rewriting, "is_large", lambda node: False)


def native(f, *arguments):
    compiled = jit(f, backend="llvm")
    compiled(*arguments)
    return compiled(*arguments), str(compiled.program)


def close(y, exact, k):
    """As exact as k additions allow."""
    bound = (k + 2) * np.finfo(y.dtype).eps * max(np.abs(exact).max(), 1)
    np.testing.assert_allclose(y, exact, rtol=0, atol=float(bound))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("left", LAID)
@pytest.mark.parametrize("right", LAID)
def test_products_of_all_sizes_and_orders(dtype, left, right):
    def f(xs, ys):
        return [FOUND[left](x) @ FOUND[right](y) for x, y in zip(xs, ys, strict=True)]

    xs = [RNG.standard_normal((m, k)).astype(dtype) for m, _, k in SIZES]
    ys = [RNG.standard_normal((k, n)).astype(dtype) for _, n, k in SIZES]
    found, program = native(f, [*map(LAID[left], xs)], [*map(LAID[right], ys)])
    assert "in tiles" in program
    for z, x, y in zip(found, xs, ys, strict=True):
        x, y = FOUND[left](LAID[left](x)), FOUND[right](LAID[right](y))
        assert z.dtype == dtype
        close(z, x.astype(np.longdouble) @ y.astype(np.longdouble), len(y))


@pytest.mark.parametrize(("m", "n", "k"), [(40, 61, 30), (71, 300, 130)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_product_that_is_scaled_and_added_to_what_stands_there(dtype, m, n, k):
    weight = Tensor(np.ones((m, n), dtype))
    a, b = (RNG.standard_normal(s).astype(dtype) for s in ((k, m), (k, n)))

    @jit(backend="llvm")
    def step(a, b, rate):
        with no_grad():
            weight.data = 0.5 * weight.data - rate * (a.T @ b)

    expected = weight.data
    for rate in (0.1, 0.2, 0.3):
        step(a, b, rate)
        expected = (0.5 * expected - rate * (a.T @ b)).astype(dtype)
    assert "gemm" in str(step.program)
    assert "in tiles" in str(step.program)
    close(weight.data, expected, 3 * k)


@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_registers_of_every_width(monkeypatch, dtype, width):
    monkeypatch.setattr(back_end, "register_bytes", lambda: width)
    x, y = (RNG.standard_normal(s).astype(dtype) for s in ((71, 130), (300, 130)))
    z, program = native(lambda x, y: (x @ y.T, y @ x.T), x, y)
    assert "in tiles" in program
    close(z[0], x.astype(np.longdouble) @ y.T.astype(np.longdouble), 130)
    close(z[1], y.astype(np.longdouble) @ x.T.astype(np.longdouble), 130)


def test_products_that_share_code():
    x, y, z = (RNG.standard_normal(s) for s in ((130, 140), (140, 96), (96, 150)))
    found, _ = native(lambda x, y, z: (x @ y, x.T @ x, (x @ y) @ z, y.T @ x.T), x, y, z)
    for a, b in zip(found, (x @ y, x.T @ x, x @ y @ z, y.T @ x.T), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * np.abs(b).max())


@pytest.mark.parametrize("n", [3, 40])
def test_a_product_with_a_single_number_goes_by_numpy(n):
    x = RNG.standard_normal((2, n))
    y, program = native(lambda x: np.dot(x, 2.0), x)
    assert "native code by LLVM" not in program
    np.testing.assert_array_equal(y, 2 * x)


def test_not_a_number_and_infinity_go_where_they_go_in_numpy():
    a, b = RNG.standard_normal((20, 9)), RNG.standard_normal((9, 30))
    a[3, 4], a[7, 1], b[2, 5] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        y, _ = native(lambda a, b: a @ b, a, b)
        expected = a @ b
    for what in (np.isnan, np.isposinf, np.isneginf):
        np.testing.assert_array_equal(what(y), what(expected))


@given(
    n=st.integers(1, 600),
    lanes=st.sampled_from([2, 4, 8, 16]),
    width=st.sampled_from([16, 32, 64]),
    large=st.booleans(),
)
def test_a_tile_fits_into_the_registers(n, lanes, width, large):
    rows, vectors = tile_of(n, lanes, width, large)
    assert rows >= 1
    assert vectors >= 1
    assert rows * vectors + vectors + 1 < (32 if width == 64 else 16)
