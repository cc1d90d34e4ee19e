"""What NumPy does with Tensors, and numbers at the edge: one named test each."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
from foreign import Foreign
from test_footguns import leaf

import tinygrad_slp as tg
from tinygrad_slp import Tensor, grad, nn, no_grad
from tinygrad_slp.rules.networks import linear, standardize


def tracked(array):
    return Tensor(array, requires_grad=True)


# --- what NumPy does with an object it does not know ---


def test_arrays_and_numpy_scalars_on_the_left():
    x = leaf(1.0, 2.0)
    for y in (np.ones(2) + x, np.float64(2) * x, np.ones((2, 2)) @ x, 2 - x, [1.0, 2.0] * x):
        assert type(y) is Tensor
        assert y.requires_grad


def test_asarray_of_a_tensor_that_requires_grad_says_what_to_write():
    x = leaf(1.0)
    for convert in (np.asarray, np.array, lambda t: np.array([t, t]), Tensor):
        with pytest.raises(TypeError, match=r"detach|data"):
            convert(x)
    assert type(np.asarray(x.detach())) is np.ndarray


@pytest.mark.parametrize(
    ("function", "arity"),
    [(np.fft.fft, 1), (np.linalg.tensorinv, 1), (np.gcd, 2), (np.polyint, 3)],
)
def test_a_function_without_a_rule_is_named(function, arity):
    said = rf"{function.__name__} has no derivative rule(.|\n)*declare"
    with pytest.raises(TypeError, match=said) as error:
        function(*[leaf(1.0, 2.0)] * arity)
    assert str(error.value).count(".data") == str(error.value).count("lambda") == arity


def test_a_missing_rule_shows_the_call_as_it_was():
    said = (
        r"\(np\.linalg\.tensorsolve\(a, b\.data\), .*\n.* lambda g, y, a, b: .* lambda g, y, a, b: "
    )
    with pytest.raises(TypeError, match=said):
        np.linalg.tensorsolve(np.eye(2), leaf(1.0, 2.0))
    with pytest.raises(TypeError, match=said):
        np.linalg.tensorsolve(np.eye(2), b=leaf(1.0, 2.0))
    with pytest.raises(TypeError, match=r"np\.gcd\(a\.data, b\)"):
        np.gcd(leaf(1.0), 0.5)
    with pytest.raises(TypeError, match=r"np\.gcd\(a, b\.data\)"):
        np.gcd(1, leaf(1.0), casting="no")
    with pytest.raises(TypeError, match=r"np\.linalg\.tensorinv\(x\.data\)"):
        np.linalg.tensorinv(leaf(1.0), ind=1)


def test_a_ufunc_of_another_library_is_not_called_numpys():
    shifted = np.frompyfunc(lambda x: x + 1, 1, 1)
    with pytest.raises(TypeError, match=r"^<lambda> \(vectorized\) .*rule"):
        shifted(leaf(1.0))
    special = pytest.importorskip("scipy.special", reason="SciPy is not installed")
    with pytest.raises(TypeError, match=r"^sindg .*\(sindg\(x\.data\).*\n.*declare\(sindg, "):
        special.sindg(leaf(1.0))


def test_out_and_where_are_refused():
    x, mask = leaf(1.0, 2.0), np.array([True, False])
    for function in (np.exp, np.sum):
        with pytest.raises(TypeError, match=r"out=.*w\.data = w\.data - step"):
            function(x, out=np.ones(2))
    with pytest.raises(TypeError, match=r"where=.*np\.where\(condition, f\(x\), other\)"):
        np.exp(x, where=mask)
    for function in (np.sum, np.max, np.mean, np.std):
        with pytest.raises(
            TypeError, match=r"where=.*np\.where\(condition, t, 0\).*-np\.inf.*mean"
        ):
            function(x, where=mask)
    assert np.any(x > 1, where=mask) == np.any(x, where=~mask) - 1 == 0
    with pytest.raises(TypeError, match=r"out=.*w\.data = w\.data - step"):
        x.data -= 0.1 * x


UFUNC_METHODS = [
    (np.add.reduce, np.sum),
    (np.multiply.reduce, np.prod),
    (np.maximum.reduce, np.max),
    (np.minimum.reduce, np.min),
    (np.add.accumulate, np.cumsum),
]


@pytest.mark.parametrize("method, function", UFUNC_METHODS)
def test_methods_of_ufuncs_are_the_functions_of_their_names(method, function):
    x = np.array([[1.0, 2.0, -3.0], [0.5, -1.0, 4.0]])
    for axis in ((), (0,), (1,)):
        t, u = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
        y, z = method(t, *axis), function(u, *(axis or (0,)))
        np.testing.assert_array_equal(y.data, method(x, *axis))
        y.sum().backward()
        z.sum().backward()
        np.testing.assert_array_equal(t.grad.data, u.grad.data)


def test_outer_of_a_ufunc_meets_all_pairs():
    a, b = np.array([[1.0, 2.0]]), np.array([3.0, 4.0, 5.0])
    for ufunc in (np.add, np.multiply, np.arctan2, np.maximum, np.greater):
        expected = ufunc.outer(a, b)
        for t, u in ((tracked(a), tracked(b)), (a, tracked(b)), (tracked(a), b)):
            y = ufunc.outer(t, u)
            np.testing.assert_array_equal(getattr(y, "data", y), expected)
    t, u = tracked(a), tracked(b)
    np.multiply.outer(t, u).sum().backward()
    assert t.grad.tolist() == [[12.0, 12.0]] and u.grad.tolist() == [3.0, 3.0, 3.0]
    square = leaf(1.0, 2.0)
    assert np.add.outer(square, square).shape == (2, 2)  # meant so: nothing warns


def test_other_methods_of_ufuncs_are_refused():
    for use in (np.subtract.reduce, np.multiply.accumulate):
        with pytest.raises(TypeError, match=f"{use.__name__} .*Tensor"):
            use(leaf(1.0))
    with pytest.raises(TypeError, match=r"at .*Tensor"):
        np.add.at(leaf(1.0), 0, 1.0)


def test_what_fills_an_array_does_not_take_a_tensor():
    t = leaf(2.0)
    for fill in (
        lambda: np.full_like(np.zeros(2), t),
        lambda: np.full(2, t),
        lambda: np.copyto(np.zeros(2), t),
        lambda: np.fill_diagonal(np.eye(2), t),
        lambda: np.put(np.zeros(2), 0, t),
        lambda: np.copyto(t, np.zeros(())),
    ):
        with pytest.raises(TypeError, match=r"np\.broadcast_to|drop"):
            fill()
    assert np.full(2, Tensor(2.0)).tolist() == [2.0, 2.0]


def test_modes_without_a_rule_are_refused():
    for mode in ("mean", "linear_ramp", "maximum", "empty"):
        with pytest.raises(TypeError, match=mode):
            np.pad(leaf(1.0, 2.0), 1, mode=mode)
    with pytest.raises(TypeError, match="'max'"):
        np.linalg.norm(Tensor(np.eye(2), requires_grad=True), "max")
    assert np.pad(Tensor(np.ones((0, 2))), 1).shape == (2, 4)


def test_a_setting_may_be_a_tensor():
    """Of np.tile and np.split NumPy asks the settings too for their own way to compute it."""
    x = Tensor([0.0, 1, 2, 3], requires_grad=True)
    for f, setting in (
        (np.tile, 2), (np.split, [1, 2]), (np.array_split, 3), (np.repeat, [1, 0, 2, 1]),
        (np.roll, 1), (np.flip, 0),
    ):  # fmt: skip
        for a in (x, x.data):
            found, expected = f(a, Tensor(setting)), f(x.data, setting)
            for part, right in zip(found, expected, strict=True):
                np.testing.assert_array_equal(getattr(part, "data", part), right)
    grads = grad(lambda x: (np.tile(x, Tensor(2)) * np.arange(8)).sum())(x)
    np.testing.assert_array_equal(grads.data, [4, 6, 8, 10])


@pytest.mark.parametrize(
    "f",
    [np.sum, np.mean, np.prod, np.median, np.var, np.max, np.sort, np.cumsum, tg.softmax, np.flip,
     lambda x, axis: np.take(x, [0], axis), lambda x, axis: np.split(x, 1, axis),
     lambda x, axis: np.tensordot(x, x, (axis, 0)), lambda x, axis: np.concatenate([x, x], axis),
     lambda x, axis: np.swapaxes(x, 0, axis), lambda x, axis: np.moveaxis(x, 0, axis),
     lambda x, axis: np.expand_dims(x, axis), lambda x, axis: np.linalg.norm(x, axis=axis)],
)  # fmt: skip
@pytest.mark.parametrize("axis", [5, -4])
def test_an_axis_that_is_not_there_is_an_error(f, axis):
    with pytest.raises((ValueError, IndexError)):
        f(Tensor(np.ones((2, 2)), requires_grad=True), axis=axis)


def test_unknown_settings_are_named():
    with pytest.raises(TypeError, match="dtype"):
        np.sum(leaf(1.0), dtype=np.float32)


def test_comparisons_give_plain_arrays_and_hashing_works():
    x = leaf(1.0, 2.0)
    for y in (x > 1, x == x, x != 0, x >= 1, np.ones(2) < x, np.isnan(x), np.argmax(x)):
        assert type(y) in (np.ndarray, np.int64)
    assert len({x, x, leaf(1.0, 2.0)}) == 2
    assert np.allclose(x, [1, 2])
    assert np.array_equal(x, x)


def test_arithmetic_with_strangers_is_a_type_error():
    for stranger in ("text", None, object()):
        with pytest.raises(TypeError):
            leaf(1.0) * stranger
        with pytest.raises(TypeError):
            stranger - leaf(1.0)


def test_len_and_iteration_of_a_single_number_are_errors():
    with pytest.raises(TypeError, match="0-d"):
        len(Tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(Tensor(1.0))


NUMBERS = {
    "float": float,
    "math": math.sin,
    "complex": complex,
    "percent": lambda t: "%.2f" % t,  # noqa: UP031
    "element": lambda t: np.zeros(2).__setitem__(0, t),
}


@pytest.mark.parametrize("take", NUMBERS.values(), ids=NUMBERS)
def test_a_plain_number_taken_from_a_tensor_warns_and_is_an_error_within_grad(take):
    t = leaf(0.5).sum()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            take(t)
    assert [w.filename for w in caught] == [__file__] and "t.item()" in str(caught[0].message)
    take(t.detach())
    with no_grad():
        take(t)

    def f(x):
        take(x)
        return x * 2

    for differentiate in (lambda: grad(f)(1.0), lambda: tg.jvp(f, (1.0,), (1.0,))):
        with pytest.raises((TypeError, ValueError)) as error:
            differentiate()
        assert "t.item()" in f"{error.value} {error.value.__cause__}"
    assert grad(lambda x: x * x.item())(3.0) == 3.0


def test_data_is_read_only_as_the_readme_says():
    w = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match="read-only"):
        w.data -= 1.0
    w.data = w.data - 1.0
    assert w.tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(3,), (2,), (3, 3)], ids=str)
def test_a_column_beside_a_row_warns(shape):
    column, row = tracked(np.ones((*shape, 1))), np.zeros(shape)
    for use in (
        lambda: column - row,
        lambda: row * column,
        lambda: np.maximum(column, row),
        lambda: np.where(row > 0, column, 0.0),
        lambda: np.arctan2(column, Tensor(row + 1)),
    ):
        with pytest.warns(UserWarning) as caught:
            use()
        text = str(caught[0].message)
        assert str(column.shape) in text and str(shape) in text and "reshape" in text
        assert caught[0].filename == __file__


def test_no_warning_where_all_pairs_are_meant_or_nothing_is_repeated():
    column, row = tracked(np.ones((3, 1))), np.zeros(3)
    column * row[np.newaxis]
    column - row[:, np.newaxis]
    tracked(np.ones((1, 1))) - np.zeros(1)
    tracked(np.ones((4, 3))) + row
    tracked(np.ones((2, 3, 1))) * np.ones((3, 4))
    Tensor(np.ones((3, 1))) - row  # no gradient goes wrong
    with no_grad():
        column - row


def test_in_place_operators_on_what_is_differentiated_are_ordinary_operators():
    def f(x):
        x *= 2.0
        x += 1.0
        return np.sum(x**2)

    assert grad(f)(1.5) == 16.0
    assert grad(grad(f))(1.5) == 8.0
    assert tg.hessian(f)(1.5) == 8.0
    assert tg.jvp(f, (1.5,), (1.0,))[1] == 16.0

    def outer(x):
        def inner(y):
            nonlocal x
            x *= 2.0
            return x * y

        return grad(inner)(3.0)

    assert grad(outer)(5.0) == 2.0
    w = leaf(1.0)
    with pytest.raises(RuntimeError, match="no_grad"):
        w *= 2.0


def test_an_array_of_another_framework_is_refused_by_name():
    class Foreign:
        """Speaks DLPack and __array__, as arrays of PyTorch and JAX do."""

        def __dlpack__(self, **settings):
            raise AssertionError

        def __array__(self, dtype=None, copy=None):
            return np.ones(2)

    x = leaf(1.0, 2.0)
    for use in (
        lambda: Tensor(Foreign()),
        lambda: Tensor([Foreign(), Foreign()]),
        lambda: x * Foreign(),
        lambda: np.add(x, Foreign()),
        lambda: grad(np.sum)(Foreign()),
    ):
        with pytest.raises(TypeError, match=r"Foreign|unsupported operand"):
            use()


def test_a_loss_can_be_formatted_and_a_list_activated():
    assert f"{(leaf(1.0) * 1.23456).sum():.2f}" == "1.23"
    assert f"{Tensor(1.5)}" == "Tensor(1.5)"
    np.testing.assert_array_equal(tg.relu([-1.0, 2.0]), [0, 2])


def test_copies_and_pickles_are_leaves():
    x = leaf(1.0, 2.0)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.requires_grad
        assert y.tolist() == [1, 2]
    with pytest.raises(TypeError, match="detach"):
        copy.copy(x * 2)


def test_complex_numbers_are_refused_where_they_would_be_differentiated():
    f = lambda t: np.absolute(np.exp(t * (1 + 1j)) + 1)
    for use in (
        lambda: grad(f)(0.5),
        lambda: tg.jvp(f, (0.5,), (1.0,)),
        lambda: np.absolute(leaf(0.5).astype(complex)).sum().backward(),
    ):
        with pytest.raises(TypeError, match="complex"):
            use()
    with pytest.raises(TypeError, match=r"np\.multiply"):
        grad(f)(0.5)
    assert f(Tensor(0.0)).item() == 2
    for size in (np.linalg.norm, np.var, np.std):  # whose values are those of NumPy
        with pytest.raises(TypeError, match="complex"):
            grad(lambda t, size=size: size(t * np.array([1j, 2.0])))(0.5)
    with pytest.raises(TypeError, match=r"np\.vdot.*complex"):
        np.vdot(Tensor([1j]), Tensor([1j]))


# --- numbers at the edge ---


@pytest.mark.parametrize(
    "f",
    [tg.sigmoid, tg.relu, tg.leaky_relu, tg.softplus, tg.silu, tg.gelu, tg.elu, tg.softmax,
     tg.log_softmax, tg.logsumexp],
    ids=lambda f: f.__name__,
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_are_stable_at_ten_thousand(f, dtype):
    for values in ([-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [0.0, 0.0], [-1e4, 3.0]):
        x = leaf(*values, dtype=dtype)
        with np.errstate(all="raise"):
            y = f(x)
            y.sum().backward(create_graph=True)
            assert np.isfinite(y.data).all()
            assert np.isfinite(x.grad.data).all()


def test_sigmoid_is_accurate_far_to_the_left():
    x = np.array([-37.0, -50.0, -100.0, -700.0])
    np.testing.assert_allclose(tg.sigmoid(x), np.exp(x), rtol=1e-15)
    np.testing.assert_array_equal(tg.sigmoid(np.array([-1000.0, 1000.0])), [0, 1])


def test_gelu_is_accurate_in_its_tail():
    for x in (-30.0, -8.0, -1.0, 0.0, 0.5, 4.0):
        expected = x * 0.5 * math.erfc(-x / math.sqrt(2))
        assert tg.gelu(x) == pytest.approx(expected, rel=4e-16 * (4 + x * x), abs=0)


def test_log_softmax_of_minus_infinity():
    y = tg.log_softmax(np.array([0.0, -np.inf]))
    np.testing.assert_array_equal(y, [0, -np.inf])
    assert tg.logsumexp(np.array([-np.inf, -np.inf])) == -np.inf


def test_nan_is_not_swallowed():
    for f in (tg.relu, tg.sigmoid, tg.gelu, tg.softplus, tg.elu, tg.silu, tg.softmax, np.max):
        assert np.isnan(f(np.array([np.nan, 1.0]))).any()


def test_zero_at_the_corners():
    x = leaf(0.0, 0.0)
    (np.linalg.norm(x) + np.abs(x).sum() + tg.relu(x).sum() + np.hypot(x, x).sum()).backward()
    np.testing.assert_array_equal(x.grad.data, [0, 0])


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.std, [1.0, 1.0]), (np.linalg.norm, [0.0, 0.0]),
        (lambda x: np.linalg.norm(x, 3), [0.0, 0.0]), (lambda x: np.hypot(*x), [0.0, 0.0]),
        (lambda x: np.arctan2(*x), [0.0, 0.0]), (lambda x: np.sum(np.absolute(x)), [0.0, 1.0]),
        (lambda x: np.fabs(x)[0], [0.0, 1.0]),
        (lambda x: np.linalg.norm(x, 1.5), [0.0, 2.0]), (lambda x: np.linalg.norm(x, 1), [0.0, 1]),
    ],
)  # fmt: skip
def test_there_are_no_second_derivatives_at_the_corners(f, x):
    assert np.isnan(tg.hessian(f)(np.array(x))[0, 0])
    assert np.isnan(tg.hvp(lambda x: f(x) ** 2, (np.array(x),), (np.array([1.0, 0]),))[0])


def test_powers_at_zero():
    x = leaf(0.0, 2.0)
    (x**0 + x**1 + x**2 + x**3).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1, 1 + 4 + 12])
    a, b = grad(lambda a, b: a**b, (0, 1))(0.0, 2.0)
    assert (a, b) == (0, 0)


def test_a_power_of_zero_has_the_second_derivatives_of_its_neighbours():
    found = tg.hessian(lambda z: z[0] ** z[1])(np.array([2.0, 0.0]))
    np.testing.assert_allclose(found, [[0, 1 / 2], [1 / 2, np.log(2) ** 2]], rtol=1e-15)
    assert tg.hessian(lambda b: np.float64(0.0) ** b)(0.0) == 0
    np.testing.assert_array_equal(grad(lambda a: np.sum(a ** np.zeros(2)))(np.zeros(2)), [0, 0])


def test_prod_with_zeros_has_all_its_derivatives():
    np.testing.assert_array_equal(grad(np.prod)(np.array([0.0, 2.0, 3.0])), [6, 0, 0])
    np.testing.assert_array_equal(
        tg.hessian(np.prod)(np.array([0.0, 0.0, 3.0])), [[0, 3, 0], [3, 0, 0], [0, 0, 0]]
    )


def test_ties_share_the_gradient():
    np.testing.assert_array_equal(grad(np.max)(np.array([1.0, 2.0, 2.0])), [0, 0.5, 0.5])
    x, y = grad(np.maximum, (0, 1))(1.0, 1.0)
    assert (x, y) == (0.5, 0.5)
    x = leaf(-1.0, 0.0, 1.0)
    np.clip(x, -1, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1, 1, 1])


def test_duplicate_indices_accumulate():
    x = leaf(1.0, 2.0, 3.0)
    (x[[0, 0, 2]] + np.take(x, [0, 2, 2])).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [3, 0, 3])


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,ij->i", [(2, 1), (2, 3)]), ("ij,ij->i", [(2, 3), (2, 1)]),
        ("ij,jk->ik", [(2, 3), (1, 4)]), ("ii,ij->j", [(3, 3), (1, 2)]),
        ("...ii,...->...", [(1, 3, 3), (2,)]), ("ij,ij,ij->", [(2, 1), (1, 3), (1, 1)]),
        ("ij,ij->i", [(2, 1), (2, 0)]),
    ],
)  # fmt: skip
def test_einsum_broadcasts_lengths_of_one(subscripts, shapes):
    """It is linear in each factor x, so that ⟨∂x, x⟩ is the value."""
    xs = [1 + np.arange(float(np.prod(s))).reshape(s) for s in shapes]
    f = lambda *xs: np.sum(np.einsum(subscripts, *xs))
    for x, g in zip(xs, grad(f, range(len(xs)))(*xs), strict=True):
        assert g.shape == x.shape
        assert np.sum(g * x) == f(*xs)


@pytest.mark.parametrize(
    ("letters", "sublists", "shapes"),
    [
        ("ij,jk->ik", [[0, 1], [1, 2], [0, 2]], [(2, 3), (3, 2)]),
        ("ij,jk->ki", [(0, 1), np.array([1, 30]), [30, 0]], [(2, 3), (3, 2)]),
        ("ij,jk", [[0, 1], [1, 2]], [(2, 3), (3, 2)]), ("ji", [[1, 0]], [(2, 3)]),
        ("aA", [[26, 0]], [(2, 3)]), ("za->a", [[51, 26], [26]], [(2, 3)]),
        ("ij->", [[0, 1], []], [(2, 3)]), ("ii->i", [[4, 4], [4]], [(3, 3)]),
        ("i,j,k->kji", [[0], [1], [2], [2, 1, 0]], [(2,), (3,), (2,)]),
        ("...ij,...j->...i", [[..., 0, 1], [..., 1], [..., 0]], [(2, 2, 3), (3,)]),
        ("...i,i...", [[..., 0], [0, ...]], [(2, 3), (3, 2)]),
        ("A...,a...->...", [[0, ...], [26, ...], [...]], [(2, 4, 3), (5, 3)]),
    ],
)  # fmt: skip
def test_einsum_by_numbers_is_einsum_by_letters(letters, sublists, shapes):
    """einsum(a, [0, 1], b, [1, 2], [0, 2]), whichever operands are Tensors."""
    xs = [1 + np.arange(float(np.prod(s))).reshape(s) for s in shapes]

    def by_numbers(*xs):
        pairs = zip(xs, sublists, strict=False)
        return np.einsum(*[a for pair in pairs for a in pair], *sublists[len(xs) :])

    by_letters = lambda *xs: np.einsum(letters, *xs)
    np.testing.assert_array_equal(by_numbers(*xs), by_letters(*xs))
    for k in range(len(xs)):
        operands = [tracked(x) if i == k else x for i, x in enumerate(xs)]
        np.testing.assert_array_equal(by_numbers(*operands).data, by_letters(*xs))
        slopes = [
            grad(lambda *xs, f=f: np.sum(np.sin(f(*xs))), k)(*xs) for f in (by_numbers, by_letters)
        ]
        np.testing.assert_array_equal(*slopes)
        assert np.any(slopes[0])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ([[0, 52]], ValueError, "0 to 51"), ([[-1, 0]], ValueError, "0 to 51"),
        ([[0.0, 1]], TypeError, "integer"), ([leaf(0.0)], TypeError, r"\[0, 1\].*Tensor"),
        ([], TypeError, r"\[0, 1\].*Tensor"), ([[0, 1], leaf(0.0)], TypeError, "Tensor"),
    ],
)  # fmt: skip
def test_einsum_by_numbers_says_what_is_no_number_of_an_axis(arguments, error, words):
    with pytest.raises(error, match=words):
        np.einsum(tracked(np.ones((2, 3))), *arguments)


def moments_of(x):
    return [f(Tensor(x), axis=0).data for f in (np.sum, np.mean, np.var, np.std)] + [
        standardize(Tensor(x)).data
    ]


@pytest.mark.parametrize("backend", ["eager", "numpy", "llvm"])
@pytest.mark.parametrize("rows", [1023, 1024, 1025, 5000, 100_000])
def test_long_columns_add_up_as_exactly_as_long_rows(rows, backend):
    """NumPy adds 100,000 of them one by one: float32 has 3 digits left, and none of a variance."""
    if backend == "llvm":
        pytest.importorskip("llvmlite", reason="native code needs llvmlite")
    x = (np.random.default_rng(0).standard_normal((rows, 3)) + 1e4).astype(np.float32)
    moments = moments_of if backend == "eager" else tg.jit(moments_of, backend=backend)
    exact = moments_of(x.astype(np.float64))
    tolerances = 1e-6, 1e-6, 1e-4, 1e-4, 2e-2  # of what is standardized: the mean's 1e-6 of 1e4
    for y, expected, tolerance in zip(moments(x), exact, tolerances, strict=True):
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * (y.ndim > 1))


def test_long_columns_add_up_in_every_dtype_and_along_every_axis():
    draw = np.random.default_rng(0).uniform(0.2, 0.4, (2, 70_000, 3))
    for dtype in (np.float16, np.float32, np.float64):
        x = draw.astype(dtype)
        for axis, keepdims in [(1, False), (-2, True), ((0, 1), False), ((1, 2), True)]:
            if dtype is np.float16 and np.shape(axis):
                continue  # more than the largest float16
            y = np.sum(Tensor(x), axis=axis, keepdims=keepdims)
            assert y.dtype == dtype
            expected = np.sum(x.astype(np.longdouble), axis=axis, keepdims=keepdims)
            assert y.shape == expected.shape
            np.testing.assert_allclose(
                y.data, expected.astype(float), rtol=10 * np.finfo(dtype).eps
            )
    x = draw.astype(np.float32)
    own = np.sum(Tensor(Foreign(x)), axis=1).data
    np.testing.assert_array_equal(own.held, np.sum(Tensor(x), axis=1).data)
    whole = draw > 0.3
    np.testing.assert_array_equal(np.sum(Tensor(whole), axis=1).data, np.sum(whole, axis=1))


OVER_AN_AXIS = {
    "sum": np.sum, "mean": np.mean, "var": np.var, "std": np.std, "norm": np.linalg.norm,
    "softmax": tg.softmax, "log_softmax": tg.log_softmax, "logsumexp": tg.logsumexp,
}  # fmt: skip
LENGTHS = {(100_000, 3): [0], (500, 400, 3): [(0, 1), (1, 0)], (300, 5, 300): [(0, 2), (0, 1, 2)]}


@pytest.mark.parametrize("form", ["value", "gradient"])
@pytest.mark.parametrize("f", OVER_AN_AXIS.values(), ids=OVER_AN_AXIS)
def test_what_is_added_up_along_axes_is_as_exact_in_float32_as_its_numbers(f, form):
    """On the scale of the largest: one after the other, 100,000 numbers keep 3 digits or 4."""
    rng = np.random.default_rng(0)
    for shape, axes in LENGTHS.items():
        x, g = (rng.uniform(1, 2, shape).astype(np.float32) for _ in range(2))
        for axis in axes:
            if f is np.linalg.norm and len(shape) > 1 and np.shape(axis) == (3,):
                continue
            if form == "value":
                found, exact = (f(Tensor(a), axis=axis).data for a in (x, x.astype(float)))
            else:
                _, narrow = tg.vjp(lambda a, axis=axis: f(a, axis=axis), x)
                y, wide = tg.vjp(lambda a, axis=axis: f(a, axis=axis), x.astype(float))
                cotangent = g[tuple(slice(n) for n in y.shape)] if y.ndim == g.ndim else g.flat[0]
                cotangent = np.broadcast_to(np.float32(cotangent), y.shape)
                (found,), (exact,) = narrow(cotangent), wide(cotangent.astype(float))
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, exact, rtol=0, atol=3e-6 * np.max(np.abs(exact)))


def test_the_gradient_of_a_bias_adds_up_long_columns():
    g = (np.random.default_rng(0).standard_normal((100_000, 3)) + 1e4).astype(np.float32)
    exact = g.sum(axis=0, dtype=np.float64)
    x, w, b = (
        np.zeros((len(g), 2), np.float32),
        np.zeros((3, 2), np.float32),
        np.zeros(3, np.float32),
    )
    for f in (lambda b: linear(x, w, b), lambda b: x @ w.T + b, lambda b: x @ w.T + b[np.newaxis]):
        np.testing.assert_allclose(grad(lambda b, f=f: np.vdot(f(b), g))(b), exact, rtol=1e-6)


def test_empty_arrays():
    x = Tensor(np.ones((0, 3)), requires_grad=True)
    (np.exp(x).sum() + (x @ np.ones((3, 2))).sum() + np.prod(x)).backward()
    assert x.grad.shape == (0, 3)


def test_a_tensor_of_a_transposed_array_is_in_c_order():
    """Weights of another library come transposed; updates in two orders take four times as long."""
    array = np.arange(6.0).reshape(2, 3).T
    layer = nn.Linear(2, 3)
    layer.load_state_dict({"weight": array, "bias": np.zeros(3)})
    for t in (Tensor(array), Tensor(array, dtype=np.float32), layer.weight):
        assert t.data.flags.c_contiguous
        np.testing.assert_array_equal(t.data, array)


def test_the_second_derivative_of_a_square_matrix_times_a_vector_is_no_mistake_of_shapes():
    """g[:, None]·b in the rule is meant, though both have two elements: it is not warned of."""
    a, v = np.array([[1.0, 2], [3, 4]]), np.array([1.0, -2])
    found = tg.hessian(lambda a: np.sum((a @ v) ** 2))(a)
    np.testing.assert_array_equal(found, 2 * np.einsum("ik,j,l->ijkl", np.eye(2), v, v))
    crossed = tg.jacobian(lambda v: tg.grad(lambda a: np.sum((a @ v) ** 2))(a))(v)
    expected = 2 * (np.einsum("ik,j->ijk", a, v) + np.einsum("i,jk->ijk", a @ v, np.eye(2)))
    np.testing.assert_allclose(crossed, expected)
