"""A Tensor of any dtype and shape gives what the array in it gives, or the same kind of error."""

import warnings

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, jit

ARRAYS = {
    "floats": np.array([1.0, 2.0, 3.0]),
    "ints": np.array([3, 1, 2]),
    "bytes": np.array([3, 1, 200], dtype=np.uint8),
    "small ints": np.array([-3, 1, 100], dtype=np.int8),
    "booleans": np.array([True, False, True]),
    "nothing": np.array([]),
    "complex numbers": np.array([3 + 4j, 0, 1 - 1j]),
    "with NaN": np.array([1.0, np.nan, 2.0]),
    "a number": np.array(2.0),
    "a matrix": np.arange(6.0).reshape(2, 3),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((2, 0)),
    "three axes": np.arange(12.0).reshape(2, 3, 2),
}
CALLS = {
    **{f.__name__: f for f in (
        np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.median, np.cumsum, np.sort,
        np.fabs, np.absolute, np.negative, np.sqrt, np.sign, np.square, np.reciprocal, np.floor,
        np.round, np.tril, np.triu, np.diag, np.transpose, np.flip, np.squeeze, np.trace, np.argmax,
        np.argsort, np.linalg.norm, np.ptp, np.cumprod, np.nansum, np.nanmean, np.nanmax, np.nanmin,
        np.nanprod, np.nanvar, np.nanstd, np.nancumsum, np.nancumprod, np.nan_to_num,
        np.modf, np.sinc, np.i0,
    )},
    "fmod of": lambda t: np.fmod(t, 2),
    "fmod by": lambda t: np.fmod(3.5, t),
    "ldexp": lambda t: np.ldexp(t, 3),
    "copysign": lambda t: np.copysign(2, t),
    "heaviside": lambda t: np.heaviside(t, 0.5),
    "logaddexp2": lambda t: np.logaddexp2(t, t),
    "nanmean over 0": lambda t: np.nanmean(t, axis=0, keepdims=True),
    "nanmax over -1": lambda t: np.nanmax(t, axis=-1),
    "nanvar without freedom": lambda t: np.nanvar(t, ddof=5),
    "nanstd over two": lambda t: np.nanstd(t, axis=(0, -1), ddof=1),
    "numbers for NaN": lambda t: np.nan_to_num(t, nan=3, posinf=1e5),
    "max over 0": lambda t: np.max(t, axis=0),
    "mean over 0": lambda t: np.mean(t, axis=0),
    "sum over -4": lambda t: np.sum(t, axis=-4),
    "var over no axes": lambda t: np.var(t, axis=()),
    "var without freedom": lambda t: np.var(t, ddof=5),
    "std of 3 without freedom": lambda t: np.std(t, ddof=3),
    "norm 1": lambda t: np.linalg.norm(t, 1) if t.size else t,
    "norm 0": lambda t: np.linalg.norm(t, 0),
    "norm -inf": lambda t: np.linalg.norm(t, -np.inf),
    "float power": lambda t: np.float_power(t, 2),
    "clip above": lambda t: np.clip(t, None, 2),
    "clip below": lambda t: np.clip(t, 1, None),
    "split backwards": lambda t: np.array_split(t, [2, 1]),
    "split": lambda t: np.array_split(t, 2),
    "pad": lambda t: np.pad(t, 1),
    "pad with the edge": lambda t: np.pad(t, (1, 0), mode="edge"),
    "swap": lambda t: np.swapaxes(t, 0, 3),
    "take along": lambda t: np.take_along_axis(t, np.array([0]), 0),
    "inner": lambda t: np.inner(t, t),
    "tensordot": lambda t: np.tensordot(t, t, 0),
    "outer": lambda t: np.outer(t, t),
    "dot": lambda t: np.dot(t, t),
    "repeat": lambda t: np.repeat(t, 2),
    "no elements": lambda t: t[[]],
    "concatenate": lambda t: np.concatenate([t, t]),
    "vstack": lambda t: np.vstack([t, t]),
    "divmod": lambda t: np.divmod(t, 2)[1],
    "one transposed axis": lambda t: t.transpose(0),
    "columns first": lambda t: np.ravel(t, order="F"),
    "columns first by method": lambda t: t.flatten("F"),
    "at least 1": np.atleast_1d,
    "at least 2": np.atleast_2d,
    "at least 3": np.atleast_3d,
    "several at least 2": lambda t: np.atleast_2d(t, 1.0)[0],
    "column stack": lambda t: np.column_stack([t, t]),
    "dstack": lambda t: np.dstack([t, t]),
    "rows of one": lambda t: np.vstack(t),
    "hstack in float32": lambda t: np.hstack([t, t], dtype=np.float32, casting="same_kind"),
    "stack without a cast": lambda t: np.stack([t, t], casting="no"),
    "concatenate what differs": lambda t: np.concatenate([t, np.float32([1])], casting="no"),
    "block": lambda t: np.block([[t, t], [t, t]]),
    "uneven block": lambda t: np.block([[t], t]),
    "block of nothing": lambda t: np.block([[t], []]),
    "append": lambda t: np.append(t, 5),
    "append along 0": lambda t: np.append(t, t, axis=0),
    "insert": lambda t: np.insert(t, 1, 7.5),
    "insert several": lambda t: np.insert(t, [0, 0, -1], [7, 8, 9]),
    "insert along the last": lambda t: np.insert(t, 0, 7, axis=-1),
    "insert far away": lambda t: np.insert(t, 99, 7),
    "delete": lambda t: np.delete(t, 0),
    "delete a slice": lambda t: np.delete(t, slice(None, None, 2), axis=0),
    "resize": lambda t: np.resize(t, (2, 4)),
    "resize below 0": lambda t: np.resize(t, -1),
    "windows": lambda t: np.lib.stride_tricks.sliding_window_view(t, 2),
    "windows along 0": lambda t: np.lib.stride_tricks.sliding_window_view(t, 2, axis=0),
    "roll an axis": lambda t: np.rollaxis(t, -1),
    "compress": lambda t: np.compress([True, False, True], t),
    "compress along 0": lambda t: np.compress([False, True], t, axis=0),
    "extract": lambda t: np.extract(np.asarray(t.shape), t),
    "flat diagonal": lambda t: np.diagflat(t, 1),
    "grid": lambda t: np.meshgrid(t, [1, 2])[0],
    "grid by rows": lambda t: np.meshgrid(t, [1, 2], [3], indexing="ij", sparse=True)[0],
    "grid by letters": lambda t: np.meshgrid(t, [1, 2], indexing="yx"),
    "broadcast together": lambda t: np.broadcast_arrays(t, np.ones((3, 1)))[0],
    "vsplit": lambda t: np.vsplit(t, 2),
    "hsplit": lambda t: np.hsplit(t, 3),
    "dsplit": lambda t: np.dsplit(t, [1]),
    "defaults": lambda t: np.sum(t, dtype=None, out=None, where=True) if t.ndim else t,
}  # fmt: skip


def outcome(f, x):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f(x)
    except Exception as error:
        return error


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("array", ARRAYS)
def test_a_tensor_gives_what_an_array_gives_or_fails_as_it_does(call, array):
    expected = outcome(CALLS[call], ARRAYS[array])
    found = outcome(CALLS[call], Tensor(ARRAYS[array]))
    if isinstance(expected, Exception):
        # AxisError is a ValueError and an IndexError; either says it.
        assert isinstance(found, ValueError | IndexError | TypeError), found
        return
    assert not isinstance(found, Exception), found
    if not isinstance(expected, list):
        expected, found = [expected], [found]
    for a, b in zip(expected, found, strict=True):
        b = b.data if isinstance(b, Tensor) else b
        assert np.asarray(b).dtype == np.asarray(a).dtype
        np.testing.assert_allclose(b, a, rtol=1e-15, atol=0)


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_the_mean_of_float16_is_added_up_in_float32(axis):
    x = np.full((2000, 2), 100, dtype=np.float16)
    found = np.mean(Tensor(x), axis=axis)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, np.full(np.shape(found), 100))
    step = jit(lambda x: np.mean(Tensor(x), axis=axis), backend="numpy")
    step(x)
    np.testing.assert_array_equal(step(x), found)


@pytest.mark.parametrize(
    "f", [tg.sigmoid, tg.softplus, tg.softmax, tg.log_softmax, tg.logsumexp, tg.silu, tg.gelu]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_])
def test_activations_of_small_integers_are_those_of_floats(f, dtype):
    x = np.array([0, 1, 1, 100]).astype(dtype)
    np.testing.assert_allclose(f(x), f(x.astype(float)), rtol=1e-14)


CORNERS = {
    "deviation of constants": (np.std, np.ones(3), np.zeros(3)),
    "norm at zero": (lambda t: np.linalg.norm(t, 3), np.zeros(3), np.zeros(3)),
    "angle of nothing": (lambda t: np.arctan2(t[0], t[1]), np.zeros(2), np.zeros(2)),
    "angle far out": (
        lambda t: np.arctan2(t[0], t[1]), np.array([1e200, 1e200]), np.array([5e-201, -5e-201])
    ),
    "largest of numbers and -inf": (
        np.nanmax, np.array([-np.inf, np.nan]), np.array([1.0, 0.0])
    ),
    "mean without NaN": (np.nanmean, np.array([1, np.nan, 3]), np.array([0.5, 0, 0.5])),
    "mean of nothing but NaN": (
        lambda t: np.sum(np.nan_to_num(np.nanmean(t, axis=1))),
        np.array([[np.nan, np.nan], [1, 2]]), np.array([[0, 0], [0.5, 0.5]])
    ),
    "deviation of one beside NaN": (np.nanstd, np.array([np.nan, 2.0]), np.zeros(2)),
    "distance of equals": (np.ptp, np.ones(3), np.zeros(3)),
    "products of zeros": (
        lambda t: np.sum(np.cumprod(t)), np.array([2.0, 0, 3, 0]), np.array([1.0, 8, 0, 0])
    ),
    "largest of NaN": (np.max, np.array([1, np.nan, 2.0]), np.array([0.0, 1.0, 0.0])),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("corner", CORNERS)
def test_gradients_in_corners_are_finite_and_right(corner):
    f, x, expected = CORNERS[corner]
    np.testing.assert_allclose(tg.grad(f)(x), expected, rtol=1e-14)


def test_quantiles_and_covariances_are_numpys():
    x = np.random.default_rng(0).normal(size=(4, 6))
    t = Tensor(x)
    for q in (0, 0.5, 0.37, 1, [0.1, 0.9]):
        for axis in (None, 0, -1, (0, 1)):
            for f in (np.quantile, lambda x, q, axis: np.percentile(x, np.multiply(q, 100), axis)):
                np.testing.assert_allclose(f(t, q, axis).data, f(x, q, axis), rtol=1e-13)
    gap = np.where(x == x[1, 2], np.nan, x)
    np.testing.assert_array_equal(np.quantile(Tensor(gap), 0.5, 1), np.quantile(gap, 0.5, 1))
    for options in ({}, {"rowvar": False}, {"bias": True}, {"ddof": 2}):
        np.testing.assert_allclose(np.cov(t, **options).data, np.cov(x, **options), rtol=1e-13)
    np.testing.assert_allclose(np.corrcoef(t).data, np.corrcoef(x), rtol=1e-13)
    total = np.average(t, 0, [1.0, 2, 3, 4], returned=True)[1]
    np.testing.assert_array_equal(total, [10] * 6)
    with pytest.raises(ValueError, match="nearest"):
        np.quantile(t, 0.5, method="nearest")
    with pytest.raises(ValueError, match="range"):
        np.quantile(t, 1.5)
    with pytest.raises(ZeroDivisionError):
        np.average(t, 0, [0.0, 0, 0, 0])
