"""Compiled functions take and return what they do without jit: arrays, Tensors, numbers, trees."""

import copy

import numpy as np
import pytest
from steps import batch, both, each_backend, network, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn
from tinygrad_slp.jit import jit


def cosine(u, v):
    return np.sum(u * v) / (np.sqrt(np.sum(u * u)) * np.sqrt(np.sum(v * v)))


STEEP = {
    "sqrt": lambda x: np.sqrt(tg.relu(x)),
    "arccos": lambda x: np.arccos(np.clip(x, -1, 1)),
    "power": lambda x: tg.relu(x) ** 0.3,
    "corner": lambda x: np.arctan2(x[:2], x[2:]) ** 2,
}


@each_backend
@pytest.mark.parametrize("f", STEEP.values(), ids=STEEP)
@pytest.mark.parametrize("x", [[-1.0, 4.0, 2.0, 0.5], [0.0, 0.0, 0.0, 0.0]], ids=["flat", "at 0"])
def test_forward_mode_through_infinite_slopes(f, x, backend):
    def moved(x, t):
        return tg.jvp(f, (x,), (t,))[1], tg.hvp(lambda v: np.sum(f(v)), (x,), (t,))

    step, given = jit(moved, backend=backend), (np.array(x), np.array([1.0, 1, 0, 1]))
    with np.errstate(all="ignore"):
        for _ in range(3):
            same(step(*given), moved(*given), backend)


def second(f):
    return tg.grad(lambda x: np.sum(tg.grad(f)(x)))


def wave(x):
    return np.sum(np.sin(x) * x[::-1])


FUNCTIONS = {
    "value": cosine, "gradient": tg.grad(cosine, (0, 1)), "both": tg.value_and_grad(wave),
    "jacobian": tg.jacobian(wave), "hessian": tg.hessian(wave), "second": second(wave),
}  # fmt: skip


@each_backend
@pytest.mark.parametrize("form", [np.array, Tensor], ids=["arrays", "tensors"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_their_derivatives_of_arrays_and_tensors(name, form, backend):
    f, n = FUNCTIONS[name], 2 if name in ("value", "gradient") else 1
    step, rng = jit(f, backend=backend), np.random.default_rng(0)
    for _ in range(4):
        given = [form(rng.normal(size=4)) for _ in range(n)]
        same(step(*given), f(*given), backend)


@each_backend
def test_a_compiled_function_of_a_tensor_that_requires_grad_is_not_silently_cut_off(backend):
    step, u = jit(lambda x: np.sum(x * x), backend=backend), Tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        u.grad = None
        step(u).backward()
        assert u.grad.tolist() == [2.0, 4.0]


@each_backend
def test_trees_of_arguments_and_results(backend):
    def step(state, batch, *, scale):
        (x, y), options = batch, state["options"]
        return {"x": (x * scale + state["w"], [y]), "n": 3, "name": options, "none": None}

    compiled, rng = jit(step, backend=backend), np.random.default_rng(0)
    for k in range(4):
        x, w = rng.normal(size=(2, 3)), Tensor(rng.normal(size=3))
        args = {"w": w, "options": "mean"}, (x, x + k)
        same(compiled(*args, scale=k + 0.5), step(*args, scale=k + 0.5), backend)


@each_backend
def test_a_module_as_an_argument(backend):
    step = jit(lambda model, x: model(x).detach(), backend=backend)
    x, y = batch()
    for k in range(2):
        training = network()
        for _ in range(3):
            same(step(training.model, x), training.model(x).detach(), backend)
            training.step(x, y)
        assert step.traces == k + 1


@each_backend
def test_a_module_given_and_differentiated(backend):
    def loss(model, x, y):
        return nn.mse_loss(model(x), y)

    gradient, model, (x, y) = tg.no_grad()(tg.grad(loss)), network().model, batch()
    step = jit(gradient, backend=backend)
    for _ in range(3):
        expected, found = gradient(model, x, y), step(model, x, y)
        same(found.state_dict(), expected.state_dict(), backend)


@each_backend
@both
def test_python_numbers_may_change_and_promote_nothing(dtype, backend):
    step = jit(lambda x, a, n: x * a + n / (a + 1) - x**2, backend=backend)
    x = np.linspace(0, 1, 5).astype(dtype)
    for a, n in ((0.5, 3), (0.1, 4), (-2.5, 5), (3.0, -6)):
        found = step(x, a, n)
        same(found, x * a + n / (a + 1) - x**2, backend, 1e-12 if dtype == np.float64 else 1e-6)
        assert found.dtype == dtype
    assert step.traces == 1


@each_backend
def test_numpy_numbers_are_arrays(backend):
    step, x = jit(lambda x, a: x * a, backend=backend), np.ones(3, np.float32)
    for a in (np.float64(0.1), np.float64(0.3)):
        same(step(x, a), x * a, backend)


@each_backend
def test_results_are_what_eager_results_are(backend):
    def step(x, t):
        numbers = x.sum(), t.sum(), x.sum() > 2, np.argmax(x)
        return x, t, *numbers, x.reshape(1, 3), x > 1, 1.5, 2, True, "a", None

    x = np.array([1.0, 2.0, 0.5])
    compiled = jit(step, backend=backend)
    for _ in range(3):
        found, expected = compiled(x, Tensor(x)), step(x, Tensor(x))
        same(found, expected, backend)
        assert [type(a) for a in found] == [type(a) for a in expected]


@each_backend
def test_zero_dimensional_arrays_stay_arrays(backend):
    step, x = jit(lambda x: x.reshape(()), backend=backend), np.ones(1)
    assert {type(step(x)) for _ in range(3)} == {np.ndarray}


@each_backend
def test_results_are_the_callers(backend):
    """A later call writes into no result of an earlier one, nor do writes reach the program."""
    step = jit(lambda x: (x, x * 2, x.T, x[0]), backend=backend)
    kept = []
    for k in range(4):
        x = np.full((2, 2), float(k))
        results = step(x)
        kept.append((results, [np.array(y) for y in results]))
        for y in results:
            assert not np.shares_memory(y, x)
    for results, copies in kept:
        for y, expected in zip(results, copies, strict=True):
            np.testing.assert_array_equal(y, expected)
    results[1][:] = 100
    np.testing.assert_array_equal(step(np.ones((2, 2)))[1], np.full((2, 2), 2.0))


@each_backend
def test_integers_and_booleans(backend):
    def f(i, b):
        return (
            i + 1,
            i * i,
            i // 2,
            -i,
            i > 2,
            b & (i > 0),
            ~b,
            np.where(b, i, -i),
            i.sum(),
            b.sum(),
        )

    step = jit(f, backend=backend)
    for k in range(3):
        i, b = np.arange(5) - k, np.arange(5) % 2 == k % 2
        same(step(i, b), f(i, b), backend)


@each_backend
@pytest.mark.parametrize("shape", [(0,), (0, 3), (1,), (1, 1), ()], ids=str)
def test_empty_and_single_arrays(shape, backend):
    f = lambda x: (x * 2, x.sum(), np.exp(x).reshape(-1), x.T)
    step, x = jit(f, backend=backend), np.full(shape, 0.5)
    for _ in range(3):
        same(step(x), f(x), backend)


@each_backend
def test_arguments_in_any_order_in_memory(backend):
    f = lambda x, y: (x @ y, (x + y.T).sum(axis=0), x * 2)
    step, rng = jit(f, backend=backend), np.random.default_rng(0)
    x, y = rng.normal(size=(12, 9)), rng.normal(size=(9, 12))
    for a, b in (
        (x, y), (x, y), (np.asfortranarray(x), y), (np.repeat(x, 2, 1)[:, ::2], y[::-1, ::-1]),
        (y.T, x.T), (np.broadcast_to(x[0], (12, 9)), y), (x, y),
    ):  # fmt: skip
        same(step(a, b), f(a, b), "llvm", 1e-13)  # NumPy sums in the order of memory


@each_backend
def test_arguments_that_are_the_same_array_or_overlap(backend):
    f = lambda x, y: (x * 2 + y, x @ y)
    step, x = jit(f, backend=backend), np.random.default_rng(0).normal(size=(10, 10))
    for a, b in ((x, x), (x, x), (x, x.T), (x[:9, :9], x[1:, 1:]), (x[:9, :9], x[1:, 1:])):
        same(step(a, b), f(a, b), backend, 1e-13)


@each_backend
def test_an_argument_changed_in_place_between_calls_is_seen(backend):
    step, x = jit(lambda x: x * 2, backend=backend), np.zeros(3)
    for k in range(5):
        x[:] = k
        np.testing.assert_array_equal(step(x), x * 2)


@each_backend
def test_an_argument_that_lives_shortly(backend):
    """The address of a dead array may be that of the next one."""
    step = jit(lambda x: x * 2, backend=backend)
    for k in range(20):
        np.testing.assert_array_equal(step(np.full(1000, float(k))), np.full(1000, 2.0 * k))
        np.testing.assert_array_equal(step(np.full(2000, float(k))[::2]), np.full(1000, 2.0 * k))


@each_backend
def test_big_constants_are_no_registers(backend):
    step = jit(lambda x: (x.sum(), np.ones(5000)), backend=backend)
    for _ in range(3):
        same(step(np.arange(3.0)), (np.float64(3), np.ones(5000)), backend)
    assert "constant" not in str(step.program)


@each_backend
def test_static_tuples_are_told_apart_by_what_is_in_them(backend):
    class Same:
        def __init__(self, factor):
            self.factor = factor

        def __repr__(self):
            return "Same()"

    step = jit(lambda x, o: x * o[0].factor, static_argnames="o", backend=backend)
    for factor in (2.0, 5.0, 2.0):
        given = (Same(factor),)
        np.testing.assert_array_equal(step(np.ones(2), given), np.ones(2) * factor)


@each_backend
def test_a_static_argument_before_others_without_names(backend):
    step = jit(lambda n, *xs: xs[0] * n, static_argnames="n", backend=backend)
    for n in (3, 4, 3):
        for _ in range(2):
            np.testing.assert_array_equal(step(n, np.ones(2)), np.ones(2) * n)


class Counting:
    def __init__(self, backend):
        self.w = Tensor([1.0], requires_grad=True)

    @jit(backend="numpy")
    def step(self, x):
        self.w.data = self.w.detach() + x
        return self.w.detach()


class Doubling(Counting):
    @jit(backend="numpy")
    def step(self, x):
        return super().step(2 * x)


def test_a_copy_of_an_object_has_steps_of_its_own():
    one = Counting("numpy")
    for _ in range(3):
        one.step(np.ones(1))
    other = copy.copy(one)
    other.w = Tensor([10.0], requires_grad=True)
    other.step(np.ones(1))
    assert (one.w.item(), other.w.item()) == (4, 11)


def test_a_compiled_method_calls_that_of_its_base():
    object_ = Doubling("numpy")
    for _ in range(3):
        object_.step(np.ones(1))
    assert object_.w.item() == 7


def test_a_compiled_step_compiled_again_is_of_the_new_kind():
    inner = jit(lambda x: x * 2, backend="numpy")
    inner(np.ones(2))
    outer = jit(inner, backend="numpy")
    assert outer.traces == 0
