"""Numbers of every kind, and more of NumPy, give under jit what they give without."""

from contextlib import suppress

import numpy as np
import pytest
from steps import each_backend, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor
from tinygrad_slp.jit import TraceError, jit
from tinygrad_slp.tree import flatten

FLOATS = "f2", "f4", "f8", "g", "F", "D", ">f4", ">f8"
INTEGERS = "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"


@each_backend
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, ">i4", "?"])
def test_every_dtype_and_byte_order(dtype, backend):
    for f in (lambda x: x * x + x, lambda x: x.sum(), lambda x: x[::-1], lambda x: x == x[0]):
        step = jit(f, backend=backend)
        for values in ([1, 2, 3, 100], [1, 2, 3, 100], [3, 1, 0, 7]):
            x = np.array(values, dtype)
            assert step(x).dtype == f(x).dtype.newbyteorder("=")
            np.testing.assert_array_equal(step(x), f(x))


WHOLE = {
    "negative": lambda x: -x, "absolute": lambda x: abs(x), "invert": lambda x: ~x,
    "shift left": lambda x: x << 2, "shift right": lambda x: x >> 1, "xor": lambda x: x ^ 3,
    "far left": lambda x: x << x.dtype.type(8 * x.dtype.itemsize),
    "far right": lambda x: x >> x.dtype.type(8 * x.dtype.itemsize),
    "power": lambda x: x**3, "remainder": lambda x: x % 3, "quotient": lambda x: x // 2,
    "divide": lambda x: x / 3, "maximum": lambda x: np.maximum(x, 2), "less": lambda x: x < 2,
    "as a float": lambda x: x.astype(np.float32), "as a boolean": lambda x: x.astype(bool),
    "a float as it": lambda x: np.float64([0.5, 1.5, -0.0]).astype(x.dtype) + x,
    "sum": lambda x: x.sum(), "max": lambda x: x.max(), "prod": lambda x: x.prod(),
}  # fmt: skip


@each_backend
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_wrap_around_and_divide_as_in_eager(name, dtype, backend):
    f, info = WHOLE[name], np.iinfo(dtype)
    step = jit(f, backend=backend)
    with np.errstate(all="ignore"):
        for values in ([1, 2, 3], [1, 2, 3], [info.min, info.max, 0]):
            x = np.array(values, dtype)
            same(step(x), f(x), "numpy")


@each_backend
def test_products_of_nothing_are_zero(backend):
    step = jit(lambda x, y: x @ y, backend=backend)
    for _ in range(3):
        np.testing.assert_array_equal(step(np.ones((3, 0)), np.ones((0, 2))), np.zeros((3, 2)))


METHODS = {
    "conj": lambda x: x.conj(), "real": lambda x: x.real, "imag": lambda x: x.imag,
    "cumprod": lambda x: x.cumprod(), "clip min": lambda x: x.clip(0), "std": lambda x: x.std(),
    "clip max": lambda x: x.clip(max=0), "flat": lambda x: x.flatten(), "argsort": np.argsort,
    "ndim": lambda x: x * x.ndim, "nbytes": lambda x: x * x.nbytes, "dot": lambda x: x.dot(x),
    "itemsize": lambda x: x * x.itemsize, "max": lambda x: x.max(initial=9.0), "sort": np.sort,
    "initial": lambda x: np.sum(x, initial=5.0), "where": lambda x: np.sum(x, where=x > 0),
    "dtype": lambda x: np.sum(x, dtype=np.float32),
    "full_like": lambda x: np.full_like(x, x.sum()), "accumulate": np.add.accumulate,
    "outer": lambda x: np.multiply.outer(x, x), "select": lambda x: np.select([x > 0], [x], -x),
    "mean": lambda x: x.mean(keepdims=True), "quantile": lambda x: np.quantile(x, 0.3),
    "interp": lambda x: np.interp(0.5, [0.0, 1.0, 2.0], x), "mixed": lambda x: x[None, [0, 2]],
    "polyval": lambda x: np.polyval([1, 2, 3.0], x), "python sum": sum, "fft": np.fft.fft,
}  # fmt: skip


@each_backend
@pytest.mark.parametrize("name", METHODS)
def test_methods_and_functions_give_what_they_give_in_eager(name, backend):
    f = METHODS[name]
    step = jit(lambda x: f(x), backend=backend)
    for k in range(3):
        x = np.array([-1.5, 0.3, 1.7]) + k
        same(step(x), f(x), backend)


# --- numbers of Python, and arrays with rules of their own ---


@each_backend
@pytest.mark.parametrize("kind", ["masked", "matrix"])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arrays_with_rules_of_their_own_are_refused_or_obeyed(kind, backend):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = np.ma.array(x, mask=x == 2) if kind == "masked" else np.asmatrix(x)
    f = lambda x: (x * x).sum()
    step = jit(f, backend=backend)
    try:
        found = [step(x) for _ in range(3)]
    except TypeError:
        return
    assert found == [f(x)] * 3


@each_backend
def test_whole_numbers_of_python_do_not_wrap_around(backend):
    step = jit(lambda n: n * 2**40, backend=backend)
    for n in (1, 2, 3):
        assert step(n) == n * 2**40
    with suppress(OverflowError):  # loud is as good as right
        assert step(2**30) == 2**70


@each_backend
def test_a_python_number_that_does_not_fit_is_an_error_as_in_eager(backend):
    step, x = jit(lambda x, n: x + n, backend=backend), np.ones(2, np.uint8)
    for n in (1, 2, 3):
        np.testing.assert_array_equal(step(x, n), x + n)
    with pytest.raises(OverflowError):
        step(x, 300)


@each_backend
def test_division_of_python_numbers_by_zero_is_an_error_as_in_eager(backend):
    step = jit(lambda a: 1.0 / a, backend=backend)
    for a in (1.0, 2.0, 4.0):
        assert step(a) == 1 / a
    with pytest.raises(ZeroDivisionError):
        step(0.0)


@each_backend
def test_a_product_with_a_constant_matrix_is_added(backend):
    w = Tensor(np.ones((20, 20)))

    @jit(backend=backend)
    def step(x):
        w.data = w - 0.1 * (x @ np.eye(20))

    for _ in range(3):
        step(np.ones((20, 20)))
    np.testing.assert_allclose(w.data, 0.7)


@each_backend
def test_constants_too_large_to_be_shown_are_told_apart(backend):
    for k in range(20):
        step = jit(lambda x, k=k: x @ np.full((8, 9), float(k)), backend=backend)
        for _ in range(2):
            np.testing.assert_array_equal(step(np.ones(8)), np.full(9, 8.0 * k))


@each_backend
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int64, np.float32])
def test_where_takes_a_number_in_the_dtype_of_the_array_it_meets(dtype, backend):
    f, x = lambda x, n: np.where(x > 1, x, n), np.arange(4, dtype=dtype)
    step = jit(f, backend=backend)
    for n in (3, 3, 200, 300, -1, 3):
        same(step(x, n), f(x, n), backend)


@each_backend
def test_values_in_another_byte_order_are_computed_with_like_any(backend):
    x = np.random.default_rng(0).normal(size=(9, 16)).astype(">f8")
    slope = lambda x: np.sum(np.arctan(tg.grad(lambda x: np.sum(np.arctan(x @ x.T)))(x)))
    step = jit(tg.grad(slope), backend=backend)
    for _ in range(3):
        np.testing.assert_allclose(step(x), tg.grad(slope)(x.astype("f8")), rtol=1e-10)
    assert Tensor(x).dtype.isnative


def with_extremes(n, dtype):
    """Rows with a NaN, of −∞, with ∞, and of NaN alone, and others."""
    x = np.random.default_rng(0).normal(size=(40, n)).astype(dtype)
    x[np.arange(12), np.arange(12) * 7 % n] = np.nan
    x[12:20] = -np.inf
    x[20:25, ::2] = np.inf
    x[25] = np.nan
    return x


def extremes(x):
    return [reduce(x, axis=axis) for reduce in (np.max, np.min) for axis in (0, 1, None)]


def slope_of_item(i):
    return tg.grad(lambda x: np.sum(x[i] ** 2) + np.sum(x))


def with_constants(x):
    """With constants along rows and along columns."""
    along = np.arange(float(x.shape[-1]))
    down = along[:, None]
    return x + along, x * down, np.maximum(x, along) - down


def power(exponent):
    return lambda x: x**exponent


BYTES, TRUTHS = np.arange(4, dtype=np.uint8), np.array([True, False] * 3)
COMPLEX = np.array([1 + 2j, 3 - 1j] * 3)
ZEROS = np.array([0.0, -0.0, 0.0, -0.0] * 4), np.array([-0.0, 0.0, 0.0, -0.0] * 4)
SIGNED, UNSIGNED = np.array([-1, 2**62]), np.array([2**63, 2**62], np.uint64)
EXACT = {
    "with a sign and without": (lambda a, b: (a < b, a == b, np.maximum(a, b)), SIGNED, UNSIGNED),
    "a sum of a sum": (lambda x: x.sum().sum(), np.ones(200)),
    "a sum over no axes": (lambda x: np.sum(np.sum(x, axis=0), axis=()).sum(), np.ones((20, 10))),
    "no boolean": (lambda x: np.where(x, x + 1, 7.0), np.array([0.0, 2.0, np.nan])),
    "zeros": (lambda x, y: (np.maximum(x, y), np.minimum(x, y)), *ZEROS),
    "below a byte": (lambda x: x < 256, BYTES),
    "above a byte": (lambda x: x > -9, BYTES),
    "equal to no byte": (lambda x: x == -1, BYTES),
    "clipped beyond bytes": (lambda x: np.clip(x, -1, 300), BYTES),
    "no byte chosen": (lambda x: np.where(x > 1, x, -1), BYTES),
    "Python numbers": (lambda x: divmod(x.size, 2)[1] * np.float32(0.5) + x, BYTES),
    "softmax of a number": (tg.softmax, np.array(3.0)),
    "log_softmax of a number": (tg.log_softmax, np.array(3.0)),
    "sum of a number": (lambda x: np.sum(x, axis=0), np.array(3.0)),
    "max of a number": (lambda x: np.max(x, axis=-1), np.array(3.0)),
    **{f"truths ** {k}": (power(k), TRUTHS) for k in (0.5, 2)},
    **{f"complex ** {k}": (power(k), COMPLEX) for k in (0.5, 2, -1)},
    **{
        f"extremes of {n} {dtype}": (extremes, with_extremes(n, dtype))
        for n in (10, 16, 37, 300)
        for dtype in ("float64", "float32")
    },
    **{
        f"slope of item {i!r}": (slope_of_item(i), np.arange(6.0).reshape(3, 2))
        for i in (np.int64(1), np.uint8(1), np.int64(-1), np.array(1))
    },
    **{
        f"constants along {n}": (with_constants, np.random.default_rng(0).normal(size=(3, n, n)))
        for n in (7, 8, 16, 50)
    },
}


def several(x):
    return (*divmod(x, 0.7), *np.modf(x), *np.frexp(x), *np.split(x, [1]), *np.meshgrid(x, x))


@each_backend
@pytest.mark.parametrize("name", EXACT)
def test_the_same_bits_as_in_eager(name, backend):
    f, *given = EXACT[name]
    step = jit(f, backend=backend)
    for _ in range(3):
        found, expected = step(*given), f(*given)
        same(found, expected, "numpy")
        for x, y in zip(flatten(found)[0], flatten(expected)[0], strict=True):
            if y.dtype.kind == "f":
                there = ~np.isnan(y)
                np.testing.assert_array_equal(np.signbit(x)[there], np.signbit(y)[there])


@each_backend
def test_functions_with_several_results(backend):
    step = jit(several, backend=backend)
    for k in range(3):
        x = np.array([0.3, 1.7, -2.5]) + k
        same(step(x), several(x), backend)


@pytest.mark.native
def test_the_sum_of_millions_in_single_precision():
    x = np.random.default_rng(0).random(4_000_000, dtype=np.float32)
    step = jit(lambda x: x.sum(), backend="llvm")
    for _ in range(2):
        found = step(x)
    assert abs(found / x.astype(float).sum() - 1) < 1e-6


@each_backend
def test_a_number_may_be_added_to_in_place(backend):
    def total(x, n):
        s = 0.0
        for row in x:
            s += np.sum(row**2)
        n *= 2
        return s * n

    x = np.arange(6.0).reshape(2, 3)
    compiled = jit(total, backend=backend)
    for n in (1.0, 3.0, 4.0):
        np.testing.assert_allclose(compiled(x, n), total(x, n), rtol=1e-15)


POWERS = {
    "a whole exponent below 0": (lambda x, n, k: x * n**k, (2, 3), (2, -1)),
    "no array at all": (lambda x, n, k: n**k, (2, 3), (2, -1)),
    "a base below 0": (lambda x, n, k: x * n**k, (2.0, 0.5), (-2.0, 0.5)),
    "a known exponent": (lambda x, n, k: x * (n**0.5 + k), (2.0, 1.0), (-2.0, 1.0)),
}


@each_backend
@pytest.mark.parametrize("name", POWERS)
def test_a_power_of_python_numbers_is_of_the_kind_it_is_in_eager(name, backend):
    f, first, then = POWERS[name]
    step, x = jit(f, backend=backend), np.array([1.0, 2.0])
    for numbers in (first, first, then, then, first):
        found, expected = step(x, *numbers), f(x, *numbers)
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(found, expected, rtol=1e-15)


@each_backend
def test_a_power_whose_kind_depends_on_a_computed_exponent_is_refused(backend):
    step = jit(lambda n, k: n ** (k - 1), backend=backend)
    with pytest.raises(TraceError, match=r"2\.0 \*\* n"):
        step(2, 3)


@each_backend
@pytest.mark.parametrize("n", [2**63, -(2**63) - 1, 2**70])
def test_whole_numbers_beyond_64_bits_are_taken_as_they_are(n, backend):
    step, x = jit(lambda x, n: x * n, backend=backend), np.array([1.0, 2.0])
    for number in (2, 2, n, n, 3):
        np.testing.assert_array_equal(step(x, number), x * number)


@each_backend
@pytest.mark.parametrize("f", [lambda a: a, lambda a: a.T, lambda a: a**2.5])
def test_a_numpy_number_and_an_array_without_axes_are_told_apart(f, backend):
    step = jit(f, backend=backend)
    for x in (np.float64(2), np.array(3.0), np.float64(4), np.array(5.0)):
        assert type(step(x)) is type(f(x))
        np.testing.assert_array_equal(step(x), f(x))


@pytest.mark.native
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize("f", [lambda x: 1 / np.clip(x, 0, 1), lambda x: np.power(x, 0.5)])
def test_infinities_and_signs_of_zeros_are_numpys(f):
    step, x = jit(f, backend="llvm"), np.array([-0.0, 0.0, 0.5, -np.inf, np.inf, np.nan] * 4)
    for _ in range(2):
        np.testing.assert_array_equal(step(x), f(x))


@each_backend
def test_a_gradient_that_is_one_number_many_times_adds_up_in_the_same_order(backend):
    f = tg.grad(lambda v, A: np.sum(v @ A))
    step, rng = jit(f, backend=backend), np.random.default_rng(0)
    for _ in range(10):
        v, A = rng.normal(size=8), rng.normal(size=(8, 9))
        same(step(v, A), f(v, A), backend)


QUESTIONS = {
    "isinstance": lambda x, n: x * (2 if isinstance(x, np.ndarray) else 3),
    "of a Python number": lambda x, n: x * (n if isinstance(n, float) else 0),
    "of the data of a Tensor": lambda x, n: x * isinstance(Tensor(x).data, np.ndarray),
    "np.isscalar": lambda x, n: x * np.isscalar(n),
}


@each_backend
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_step_that_asks_what_it_is_given_takes_the_same_way(name, backend):
    f, x = QUESTIONS[name], np.array([1.0, 2.0])
    step = jit(f, backend=backend)
    for _ in range(2):
        np.testing.assert_array_equal(step(x, 0.5), f(x, 0.5))
