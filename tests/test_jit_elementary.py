"""The functions that `jit` emits: within 1.5 ulp everywhere, right at the edges, in any width."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="native code needs llvmlite")

from tinygrad_slp.jit.llvm import lowering, vectors
from tinygrad_slp.jit.llvm.elementary import ELEMENTARY
from tinygrad_slp.jit.llvm.engine import Code
from tinygrad_slp.jit.llvm.ir import (
    DOUBLE,
    FLOAT,
    INDEX,
    NOTHING,
    POINTER,
    Function,
    Module,
)

NUMBER = {np.float64: DOUBLE, np.float32: FLOAT}
WIDEST = {np.float64: 8, np.float32: 16}
EXACT = {np.float64: np.longdouble, np.float32: np.float64}

every = pytest.mark.parametrize("ufunc", ELEMENTARY, ids=lambda ufunc: ufunc.__name__)
both = pytest.mark.parametrize("dtype", NUMBER, ids=lambda dtype: dtype.__name__)

# --- a loop over an array ---


def loop(ufunc: np.ufunc, number: Any, width: int) -> Any:
    """A module with f(x, y, n): y = ufunc(x) for n numbers, `width` of them at a time."""
    module = Module()
    f = Function(module, "f", NOTHING, [POINTER, POINTER, INDEX])
    (x, y, n), b, dtype = f.args, f.begin(), np.dtype({DOUBLE: "f8", FLOAT: "f4"}[number])
    with vectors.counting(b, n, width) as (i, _, _):
        source, target = (vectors.at(b, z, vectors.times(b, i, dtype.itemsize)) for z in (x, y))
        value = ELEMENTARY[ufunc](b, vectors.load(b, source, dtype, width))
        vectors.store(b, value, target, dtype)
    b.ret()
    return module


@cache
def compiled(ufunc: np.ufunc, dtype: type, width: int) -> Callable[[np.ndarray], np.ndarray]:
    """What LLVM makes of the loop on this machine, as a function of an array."""
    text = str(loop(ufunc, NUMBER[dtype], width))
    code = Code(text, lambda: text)
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    f = signature(code.address("f"))

    def run(x: np.ndarray, code: Any = code) -> np.ndarray:  # which keeps the code alive
        padded = np.resize(x, -(-x.size // width) * width)
        y = np.empty_like(padded)
        f(padded.ctypes.data, y.ctypes.data, padded.size)
        return y[: x.size]

    return run


# --- accuracy ---

# Where the results of a function are neither constant nor trivial, in float64 and in float32.
BUSY = {
    np.exp: {np.float64: (-746, 710), np.float32: (-104.5, 89)},
    np.expm1: {np.float64: (-38, 710), np.float32: (-18, 89)},
    np.tanh: {np.float64: (-20, 20), np.float32: (-10, 10)},
}


def sample(ufunc: np.ufunc, dtype: type, n: int = 20_000) -> np.ndarray:
    """All magnitudes, where the functions are harder, and what is next to their limits."""
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    magnitude = np.geomspace(float(info.smallest_normal), float(info.max) * 0.999, n)
    subnormal = float(info.smallest_normal) * np.geomspace(float(info.eps), 1, n // 10)
    magnitude = np.concatenate([magnitude, subnormal])
    near_one = 1 - np.geomspace(1e-17, 0.9, n)
    low, high = BUSY.get(ufunc, {dtype: (-1, 4)})[dtype]
    limits = np.concatenate([end * (1 - np.geomspace(1e-8, 0.1, n)) for end in (low, high)])
    middle = [rng.uniform(*ends, 3 * n) for ends in ((-2, 2), (0.4, 1.6), (low, high))]
    x = np.concatenate([magnitude, -magnitude, near_one, -near_one, limits, *middle])
    return x.astype(dtype)


def in_ulps(y: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far y is from exact, in spacings of the numbers of its dtype about the exact value."""
    info = np.finfo(y.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(y.dtype)
        same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
        exponent = np.maximum(np.frexp(exact)[1] - 1, info.minexp)
        ulp = np.ldexp(np.ones_like(exact), exponent - info.nmant)
        away = np.abs(y.astype(exact.dtype) - exact) / ulp
    # The last number before infinity and infinity are one ulp apart; NaN and all else are not.
    return np.where(same & ~np.isfinite(rounded), 0, np.where(np.isnan(away), np.inf, away))


@every
@both
def test_within_one_and_a_half_ulp(ufunc: np.ufunc, dtype: type) -> None:
    if np.finfo(EXACT[dtype]).nmant < np.finfo(dtype).nmant + 8:
        pytest.skip("long double is no longer than double here")
    x = sample(ufunc, dtype)
    with np.errstate(all="ignore"):
        exact = ufunc(x.astype(EXACT[dtype]))
    away = in_ulps(compiled(ufunc, dtype, WIDEST[dtype])(x), exact)
    worst = np.argmax(away)
    assert away[worst] <= 1.5, f"{ufunc.__name__}({x[worst]!r}) is {away[worst]} ulp from exact"


@every
@both
def test_every_width_gives_the_same_bits(ufunc: np.ufunc, dtype: type) -> None:
    x = np.concatenate([[0.0, -0.0, np.inf, -np.inf, np.nan], sample(ufunc, dtype, 200)])
    x = x.astype(dtype)
    one = compiled(ufunc, dtype, 1)(x)
    for width in (3, WIDEST[dtype]):
        np.testing.assert_array_equal(one, compiled(ufunc, dtype, width)(x))


# --- the edges ---

inf, nan = np.inf, np.nan
EDGES = {
    np.exp: {0: 1, inf: inf, -inf: 0, 1e4: inf, -1e4: 0, 3e38: inf, -3e38: 0},
    np.expm1: {0: 0, inf: inf, -inf: -1, 1e4: inf, -1e4: -1, 3e38: inf, -3e38: -1},
    np.log: {0: -inf, 1: 0, inf: inf, -inf: nan, -1: nan, -1e-40: nan},
    np.log1p: {0: 0, -1: -inf, inf: inf, -inf: nan, -2: nan, -3e38: nan},
    np.tanh: {0: 0, inf: 1, -inf: -1, 50: 1, -50: -1, 3e38: 1, -3e38: -1},
}


@every
@both
def test_values_at_the_edges_are_exact(ufunc: np.ufunc, dtype: type) -> None:
    x = np.array(list(EDGES[ufunc]), dtype)
    y = np.array(list(EDGES[ufunc].values()), dtype)
    for width in (1, WIDEST[dtype]):
        np.testing.assert_array_equal(compiled(ufunc, dtype, width)(x), y)


@every
@both
def test_nan_stays(ufunc: np.ufunc, dtype: type) -> None:
    for width in (1, WIDEST[dtype]):
        y = compiled(ufunc, dtype, width)(np.array([np.nan, -np.nan], dtype))
        assert np.isnan(y).all()


@every
@both
def test_minus_zero(ufunc: np.ufunc, dtype: type) -> None:
    y = compiled(ufunc, dtype, WIDEST[dtype])(np.array([-0.0], dtype))
    with np.errstate(divide="ignore"):
        expected = ufunc(-0.0)
    assert y == expected
    assert np.signbit(y) == np.signbit(expected)


@pytest.mark.parametrize("ufunc", [np.expm1, np.log1p, np.tanh])
@both
def test_is_the_identity_near_zero(ufunc: np.ufunc, dtype: type) -> None:
    least = np.finfo(dtype).smallest_subnormal
    x = np.concatenate([least * np.arange(1, 100, dtype=dtype), np.geomspace(1e-36, 1e-30, 99)])
    x = np.concatenate([x, -x]).astype(dtype)
    np.testing.assert_array_equal(compiled(ufunc, dtype, WIDEST[dtype])(x), x)


@pytest.mark.parametrize(
    "dtype, x",
    [
        (np.float64, (-745.1333, -745.1332, 709.7827, 709.7828)),
        (np.float32, (-103.9722, -103.972, 88.7228, 88.7229)),
    ],
)
def test_exp_ends_where_numbers_do(dtype: type, x: tuple[float, ...]) -> None:
    zero, least, last, over = compiled(np.exp, dtype, WIDEST[dtype])(np.array(x, dtype))
    assert zero == 0
    assert least == np.finfo(dtype).smallest_subnormal
    assert np.finfo(dtype).max / 2 < last < np.inf == over


@both
@pytest.mark.parametrize("extreme", [-1e4, 1e4, np.inf, np.nan])
def test_exp_is_the_same_beside_what_is_extreme(dtype: type, extreme: float) -> None:
    exp, width = compiled(np.exp, dtype, WIDEST[dtype]), WIDEST[dtype]
    x = np.random.default_rng(0).uniform(-80, 80, 100 * width).astype(dtype)
    expected = exp(x)
    x[::width] = extreme
    beside = np.arange(x.size) % width > 0
    np.testing.assert_array_equal(exp(x)[beside], expected[beside])


@both
def test_log_of_the_least_number(dtype: type) -> None:
    least = np.array([np.finfo(dtype).smallest_subnormal])
    y = compiled(np.log, dtype, WIDEST[dtype])(least)
    np.testing.assert_array_equal(y, np.log(least.astype(np.longdouble)).astype(dtype))


# --- what is emitted ---


@every
def test_has_no_branches_but_for_extremes_and_no_fast_math(ufunc: np.ufunc) -> None:
    text = str(loop(ufunc, FLOAT, 16))
    assert text.count("br i1") == 1 + (ufunc is np.exp), "the loop's own"
    for word in ("fast", "reassoc", "nnan", "ninf", "nsz", "arcp", "contract", "afn", "fptosi"):
        assert f" {word} " not in text


@pytest.mark.parametrize("width", [1, 16])
def test_small_powers_are_products(width: int) -> None:
    module, dtype = Module(), np.dtype(np.float32)
    number = vectors.number(dtype, width)
    f = Function(module, "f", number, [number, number])
    b = f.begin()
    b.ret(lowering.power(b, f.args[0], vectors.constant(dtype, 3.0, width)))
    assert str(module).count("fmul") == 2
    assert "pow" not in str(module)
