"""However a function is called (as function, method, operator, by position or name), it is one."""

import functools
import inspect
import operator

import numpy as np
import pytest
from calls import NAMES, RULES, calls

import tinygrad_slp as tg
from tinygrad_slp import Tensor
from tinygrad_slp.check import check_rule
from tinygrad_slp.rule import RULES as TABLE
from tinygrad_slp.tensor import NO_GRADIENT
from tinygrad_slp.tree import flatten

every_rule = pytest.mark.parametrize("rule", RULES, ids=NAMES)
X = np.array([[0.5, 1.25, 2.0], [1.5, 0.75, 1.0]])
W = np.array([[2.0, 0.5, 1.0], [0.25, 1.5, 3.0]])


def result_and_gradients(call, *arrays):
    """What a call gives, and the gradients of the sum of it, or of all of it, if it is a list."""
    leaves = [Tensor(x, requires_grad=True) for x in arrays]
    parts = call(*leaves)
    parts = parts if isinstance(parts, list | tuple) else [parts]
    for y in parts:
        if isinstance(y, Tensor):
            np.sum(y * y).backward()
    values = [getattr(y, "data", y) for y in parts]
    return [*values, *[None if x.grad is None else x.grad.data for x in leaves]]


def assert_same(first, second, *arrays):
    for a, b in zip(
        result_and_gradients(first, *arrays), result_and_gradients(second, *arrays), strict=True
    ):
        assert (a is None) == (b is None)
        np.testing.assert_array_equal(a, b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)


BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "matmul": np.matmul,
    "lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal, "gt": np.greater,
    "ge": np.greater_equal,
}  # fmt: skip
UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute}


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_operator_is_its_function(name):
    operate, function = getattr(operator, name), BINARY[name]
    w, right = (W.T, X.T) if name == "matmul" else (W, X)
    assert_same(operate, function, X, w)
    left = W if name == "matmul" else w
    for a, b in ((left, w), (left.tolist(), w.tolist())):
        assert_same(lambda t, b=b: operate(t, b), lambda t, b=b: function(t, b), X)
        assert_same(lambda t, a=a: operate(a, t), lambda t, a=a: function(a, t), right)
    if name != "matmul":
        for number in (2, 2.0, np.float64(2.0), np.float32(2.0), np.array(2.0), True):
            assert_same(lambda t, n=number: operate(t, n), lambda t, n=number: function(t, n), X)
            assert_same(lambda t, n=number: operate(n, t), lambda t, n=number: function(n, t), X)


def test_operators_of_what_is_no_operand_are_type_errors():
    t = Tensor(X, requires_grad=True)
    for name in BINARY.keys() - {"eq", "ne"}:
        for other in (None, "a", object(), {1}):
            for pair in ((t, other), (other, t)):
                if type(pair[0]) is str and name == "mod":
                    continue  # str % anything is Python's own
                with pytest.raises(TypeError):
                    getattr(operator, name)(*pair)
    assert (t == None) is False and (t != None) is True  # noqa: E711


@pytest.mark.parametrize("name", UNARY)
def test_an_operator_of_one_operand_is_its_function(name):
    assert_same(getattr(operator, name), UNARY[name], X - 1)


def test_divmod_and_round_are_their_functions():
    assert_same(divmod, np.divmod, X * 4, W)
    assert_same(round, np.round, X)
    assert_same(lambda t: round(t, 1), lambda t: np.round(t, 1), X)


# Arguments for methods that need some.
METHODS = {
    "clip": [(0.7, 1.4), (None, 1.0)],
    "flatten": [()],
    "ravel": [()],
    "diagonal": [(), (1,)],
    "dot": [(W.T,)],
    "repeat": [(2,), (2, 1), ([1, 2], 0)],
    "reshape": [((3, 2),), (-1,), ((-1, 2),)],
    "squeeze": [()],
    "swapaxes": [(0, 1)],
    "take": [([0, 3],), ([0, 1], 1)],
    "trace": [()],
    "transpose": [(), ((1, 0),)],
}
NAMED = {"flatten": np.ravel}


def methods():
    """The methods of Tensor that are NumPy functions of the same name."""
    for name in sorted(vars(Tensor)):
        function = NAMED.get(name, getattr(np, name, None))
        if not callable(getattr(Tensor(X), name, None)) or not callable(function):
            continue
        if not name.startswith("_") and (function in TABLE or function in NO_GRADIENT):
            yield name, function


@pytest.mark.parametrize("name, function", list(methods()))
def test_a_method_is_its_function(name, function):
    for args in METHODS.get(name, [(), (0,), (1,)]):
        assert_same(lambda t, a=args: getattr(t, name)(*a), lambda t, a=args: function(t, *a), X)
        names = list(inspect.signature(function).parameters)[1 : 1 + len(args)]
        if name not in ("reshape", "transpose", "dot"):
            named = dict(zip(names, args, strict=True))
            assert_same(
                lambda t, n=named: getattr(t, name)(**n), lambda t, a=args: function(t, *a), X
            )


def test_there_are_methods_to_try():
    assert {"sum", "mean", "clip", "argmax", "take", "flatten"} <= {name for name, _ in methods()}


@every_rule
def test_inputs_may_be_given_by_name_where_the_function_has_names(rule):
    if isinstance(rule.function, np.ufunc):
        return  # NumPy's own take no names
    try:
        parameters = list(inspect.signature(rule.function).parameters.values())
    except ValueError:
        return  # a function of NumPy in C that takes no names
    for call in calls(rule):
        args = call.rebuild(call.leaves)
        if any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in parameters[: len(args)]):
            continue
        names = [p.name for p in parameters[: len(args)]]
        named = dict(zip(names, args, strict=True))
        if named.keys() & call.kwargs.keys():
            continue
        tracked = {
            k: flatten(v)[1](
                [
                    Tensor(x, requires_grad=True)
                    if getattr(x, "dtype", np.dtype(int)).kind == "f"
                    else x
                    for x in flatten(v)[0]
                ]
            )
            for k, v in named.items()
        }
        expected, found = (
            rule.function(*args, **call.kwargs),
            rule.function(**tracked, **call.kwargs),
        )
        if call.part is not None:
            expected, found = expected[call.part], found[call.part]
        np.testing.assert_allclose(found.data, expected, rtol=1e-14, atol=1e-15)


def numbers(tree):
    """The places of plain numbers in a tree."""
    leaves, _ = flatten(tree)
    return [k for k, x in enumerate(leaves) if type(x) in (int, float)]


def with_leaf(tree, k, value):
    leaves, rebuild = flatten(tree)
    return rebuild([value if i == k else x for i, x in enumerate(leaves)])


@every_rule
def test_a_setting_that_a_gradient_flows_to_is_differentiated_or_refused(rule):
    """In each call, each number in turn is a Tensor that requires grad, and so is each default."""
    for call in calls(rule):
        args = call.rebuild([Tensor(x) if isinstance(x, np.ndarray) else x for x in call.leaves])
        given = [*inspect.signature(rule.function).parameters][: len(args)] if rule.settings else []
        spare = {k: 1.0 for k in rule.settings if k not in call.kwargs and k not in given}
        cases = [
            (args, {**call.kwargs, k: 1.0}, len(flatten((args, {**call.kwargs, k: 1.0}))[0]) - 1)
            for k in spare
        ]
        cases += [(args, call.kwargs, k) for k in numbers((args, call.kwargs))]
        for args_, kwargs, k in cases:

            def f(value, tree=(args_, kwargs), k=k, part=call.part):
                a, n = with_leaf(tree, k, value)
                y = rule.function(*a, **n)
                return y if part is None else y[part]

            value = float(flatten((args_, kwargs))[0][k])
            t = Tensor(value, requires_grad=True)
            try:
                y = f(t)
            except (TypeError, ValueError, IndexError, RuntimeError, UserWarning):
                continue
            if isinstance(y, Tensor) and y.requires_grad:
                np.sum(y).backward()
            slope = (np.sum(f(value + 1e-6)) - np.sum(f(value - 1e-6))).item() / 2e-6
            found = t.grad.item() if t.grad is not None else 0.0
            assert abs(found - slope) < 1e-5 * max(1, abs(slope)), (
                rule.name,
                args_,
                kwargs,
            )


# --- what a rule may be made of ---


def g_times(factor, g, y, x):
    return g * factor


class Vjp:
    def __call__(self, g, y, x, scale=1.0):
        return g * scale


def logged(f):
    @functools.wraps(f)
    def call(*args, **kwargs):
        return f(*args, **kwargs)

    return call


def unnamed(f):
    return lambda *args, **kwargs: f(*args, **kwargs)


def test_partials_callable_objects_and_decorated_functions_are_vjps(table):
    twice = tg.differentiable(functools.partial(g_times, 2.0), domain=tg.REAL)(lambda x: 2 * x)
    assert tg.grad(twice)(3.0) == 2.0

    @tg.differentiable(Vjp(), form="elementwise", domain=tg.REAL)
    def scaled(x, scale=1.0):
        return scale * x

    assert tg.grad(lambda x: scaled(x, scale=4.0))(3.0) == 4.0
    assert tg.grad(lambda x: scaled(x, 5.0))(3.0) == 5.0
    wrapped = tg.differentiable(logged(lambda g, y, x: g * 3), domain=tg.REAL)(lambda x: 3 * x)
    assert tg.grad(wrapped)(3.0) == 3.0

    @tg.differentiable(unnamed(Vjp()), domain=tg.REAL)
    def untold(x, scale=1.0):
        return scale * x

    assert tg.grad(lambda x: untold(x, scale=6.0))(3.0) == 6.0
    assert tg.grad(lambda x: untold(x=x))(3.0) == 1.0
    halve = functools.partial(np.multiply, 0.5)
    tg.declare(halve, "x/2", lambda g, y, x: g / 2, form="elementwise", domain=tg.REAL)
    assert TABLE[halve].name and check_rule(
        tg.differentiable(functools.partial(g_times, 2.0), form="elementwise", domain=tg.REAL)(
            lambda x: 2 * x
        )
    )


def test_a_rule_of_any_number_of_inputs_has_examples(table):
    @tg.differentiable(
        lambda g, y, a, b, c, d: g * b,
        lambda g, y, a, b, c, d: g * a,
        lambda g, y, a, b, c, d: g * d,
        lambda g, y, a, b, c, d: g * c,
        form="elementwise",
        domain=tg.REAL,
    )
    def two_products(a, b, c, d):
        return a * b + c * d

    assert check_rule(two_products).verdict.name == "RIGHT"


def test_a_new_record_of_a_function_holds_however_it_is_called(table):
    tg.declare(
        np.square, "x³ now", lambda g, y, x: g * 3 * x * x, form="elementwise", domain=tg.REAL,
        run=lambda x: x * x * x,
    )  # fmt: skip
    t = Tensor(3.0, requires_grad=True)
    for y in (np.square(t), t**2):
        assert y.item() == 27.0
        t.grad = None
        y.backward()
        assert t.grad.item() == 27.0


def test_arguments_that_a_function_does_not_take_are_refused():
    t = Tensor(X, requires_grad=True)
    for call, words in (
        (lambda: tg.softmax(t, 0, axis=0), "axis"),
        (lambda: tg.softmax(t, dim=0), "dim"),
        (lambda: tg.softmax(t, 0, 1), "axis"),
        (lambda: tg.softmax(), "x"),
        (lambda: tg.sigmoid(t, t), "x"),
        (lambda: np.sum(t, initial=3.0), "initial"),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_other_libraries_take_a_copy_by_dlpack():
    t = Tensor([1.0, 2.0])
    other = np.from_dlpack(t)
    np.testing.assert_array_equal(other, [1, 2])
    assert not np.shares_memory(other, t.data)
    with pytest.raises(TypeError, match=r"requires grad.*\.data"):
        np.from_dlpack(Tensor([1.0], requires_grad=True))
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    handed = torch.from_dlpack(t)
    handed += 1
    assert handed.tolist() == [2, 3] and t.tolist() == [1, 2]
