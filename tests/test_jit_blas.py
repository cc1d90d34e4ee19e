"""Products by whatever BLAS there is: NumPy's, SciPy's, or none."""

import numpy as np
import pytest

from tinygrad_slp import Tensor, jit, no_grad

pytest.importorskip("llvmlite", reason="native code needs llvmlite")

from tinygrad_slp.jit.llvm import blas, engine
from tinygrad_slp.jit.llvm.products import by_blas

RNG = np.random.default_rng(0)


@pytest.fixture
def only(monkeypatch):
    """Makes some functions the only BLAS there is, one that uses several threads."""

    def choose(found):
        monkeypatch.setattr(blas, "addresses", lambda: found)
        monkeypatch.setattr(blas, "threads", lambda: 2)
        engine.find_blas.cache_clear()

    yield choose
    engine.find_blas.cache_clear()


def native(f, *arguments):
    compiled = jit(f, backend="llvm")
    compiled(*arguments)
    return compiled(*arguments), str(compiled.program)


def of_scipy():
    pytest.importorskip("scipy", reason="needs SciPy")
    return blas.of_scipy()


SOURCES = {"numpy": blas.of_numpy, "scipy": of_scipy}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a @ b,
        lambda a, b: b.T @ a.T,
        lambda a, b: a @ a.T,
        lambda a, b: a.T @ a,
        lambda a, b: (b.T @ a.T) @ (a @ b),
    ],
)
def test_every_order_of_the_factors(only, source, dtype, f):
    found = SOURCES[source]()
    if not found:
        pytest.skip(f"there is no BLAS of {source} here")
    only(found)
    a, b = (RNG.standard_normal(shape).astype(dtype) for shape in ((80, 70), (70, 90)))
    y, program = native(f, a, b)
    assert "by BLAS" in program
    assert y.dtype == dtype
    exact = f(a.astype(np.longdouble), b.astype(np.longdouble))
    np.testing.assert_allclose(y, exact, rtol=0, atol=np.finfo(dtype).eps * 4 * np.abs(exact).max())


@pytest.mark.parametrize("source", SOURCES)
def test_a_product_that_is_scaled_and_added_to_what_stands_there(only, source):
    only(SOURCES[source]())
    weight = Tensor(np.ones((80, 90)))
    a, b = RNG.standard_normal((80, 70)), RNG.standard_normal((70, 90))

    @jit(backend="llvm")
    def step(a, b, rate):
        with no_grad():
            weight.data = 0.5 * weight.data - rate * (a @ b)

    expected = weight.data
    for rate in (0.1, 0.2, 0.3):
        step(a, b, rate)
        expected = 0.5 * expected - rate * (a @ b)
    assert "gemm" in str(step.program)
    assert "by BLAS" in str(step.program)
    np.testing.assert_allclose(weight.data, expected, rtol=1e-12)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_scaled_by_zero_is_still_looked_at(only, source, dtype):
    only(SOURCES[source]())
    start = np.ones((81, 93), dtype)
    start[3, 4], start[5, 6] = np.nan, np.inf
    weight = Tensor(start)
    a, b = (RNG.standard_normal(shape).astype(dtype) for shape in ((81, 70), (70, 93)))

    @jit(backend="llvm")
    def step(a, b, keep):
        with no_grad():
            weight.data = keep * weight.data + a @ b

    for keep in (1.0, 0.5):
        step(a, b, keep)
    assert "by BLAS" in str(step.program)
    assert "gemm" in str(step.program)
    step(a, b, 0.0)
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    bound = np.finfo(dtype).eps * 4 * np.abs(exact).max()
    exact[3, 4] = exact[5, 6] = np.nan
    np.testing.assert_allclose(weight.data, exact, rtol=0, atol=bound)


def test_without_any_blas_all_products_are_ours(only):
    only({})
    a, b = RNG.standard_normal((80, 70)), RNG.standard_normal((70, 90))
    y, program = native(lambda a, b: np.tanh(a @ b), a, b)
    assert "in tiles" in program
    np.testing.assert_allclose(y, np.tanh(a @ b), rtol=1e-12)


def test_what_a_blas_is_called_for(monkeypatch):
    if not blas.addresses():
        pytest.skip("there is no BLAS here")
    row, column = np.zeros((600, 600)), np.zeros((600, 600)).T
    monkeypatch.setattr(blas, "threads", lambda: 1)
    assert not by_blas(row, row)
    assert not by_blas(column, row)
    assert not by_blas(row[:, :50], column[:50, :60])
    assert by_blas(np.zeros((800, 700)), np.zeros((700, 60)))
    monkeypatch.setattr(blas, "threads", lambda: 2)
    assert by_blas(row, row)
    assert not by_blas(row[:60, :60], row[:60, :60])
    assert not by_blas(row[::2, ::2], row[::2, ::2])  # as it takes no steps along both axes


def test_how_many_threads_there_are():
    assert blas.threads() >= 1
