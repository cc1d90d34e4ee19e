"""What a reading of the compiler with fresh eyes found, each as a test."""

import copy

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import Tensor, jit, optim
from tinygrad_slp.jit import TraceError

ONES = np.ones(2)


def training(backend, n=2, **settings):
    """A parameter, its optimizer and a step of a parabola."""
    w = Tensor(np.arange(1.0, n + 1), requires_grad=True)
    optimizer = optim.SGD([w], **{"lr": 0.1, **settings})

    @jit(backend=backend)
    def step(x):
        optimizer.zero_grad()
        loss = ((w * x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    return w, optimizer, step


@each_backend
def test_data_set_anew_does_not_go_into_an_array_that_is_held(backend):
    w, _, step = training(backend)
    for _ in range(4):
        step(ONES)
    old = w.data
    kept = old.copy()
    w.data = [5.0, 5.0]
    step(ONES)
    np.testing.assert_array_equal(old, kept)
    np.testing.assert_allclose(w.data, [4.0, 4.0])


@each_backend
def test_a_tensor_that_is_written_and_never_read(backend):
    last = Tensor(np.zeros(2))

    @jit(backend=backend)
    def step(x):
        last.data = x * 2
        return x.sum()

    for k in range(4):
        step(ONES * k)
    held = last.detach()
    last.data = [7.0, 7.0]
    step(ONES * 9)
    np.testing.assert_array_equal(held.data, [6, 6])
    np.testing.assert_array_equal(last.data, [18, 18])


@each_backend
def test_a_gradient_that_is_held_stays_what_it_was(backend):
    w = Tensor(ONES, requires_grad=True)

    @jit(backend=backend)
    def step(x):
        w.grad = None
        ((w * x) ** 2).sum().backward()

    for _ in range(4):
        step(ONES)
    held = w.grad
    step(ONES * 3)
    np.testing.assert_array_equal(held.data, [2, 2])
    np.testing.assert_array_equal(w.grad.data, [18, 18])


@each_backend
def test_a_loop_adds_up_gradients_as_calls_do(backend):
    w = Tensor(ONES, requires_grad=True)

    @jit(backend=backend)
    def step(x):
        ((w * x) ** 2).sum().backward()

    for _ in range(2):
        step(ONES)
        w.grad = None
    step.loop(5, ONES)
    np.testing.assert_array_equal(w.grad.data, [10, 10])
    w.grad = None
    step.scan(np.ones((5, 2)))
    np.testing.assert_array_equal(w.grad.data, [10, 10])


@each_backend
@pytest.mark.parametrize("n", [2, 200], ids=["registers", "loops"])
@pytest.mark.parametrize("idle", [lambda t: t * 1, np.positive], ids=["times one", "positive"])
def test_the_old_value_is_returned_though_nothing_was_done_to_it(backend, n, idle):
    w = Tensor(np.ones(n), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

    @jit(backend=backend)
    def step(x):
        old = idle(w.detach())
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return old

    for _ in range(4):
        before = w.data.copy()
        np.testing.assert_array_equal(step(np.ones(n)).data, before)


@each_backend
def test_two_parameters_change_places(backend):
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])

    @jit(backend=backend)
    def step():
        x, y = a * 1, b * 1
        a.data, b.data = y, x

    for _ in range(3):
        step()
    assert (a.data.tolist(), b.data.tolist()) == ([3, 4], [1, 2])


@each_backend
def test_a_sum_of_a_sum(backend):
    f = jit(lambda x: x.sum().sum(), backend=backend)
    g = jit(lambda x: np.sum(np.sum(x, axis=0), axis=()).sum(), backend=backend)
    for _ in range(3):
        assert f(np.ones(200)) == g(np.ones((20, 10))) == 200


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
def test_a_scratch_array_that_the_step_fills_again_and_again(backend):
    def step(t):
        mask = np.zeros(3)
        for i in range(3):
            mask[:] = 0
            mask[i] = 1
            t = t + (t * mask).sum() * (i + 1)
        return t

    compiled, x = jit(step, backend=backend), np.array([1.0, 10, 100])
    for _ in range(3):
        np.testing.assert_allclose(compiled(x), step(x), rtol=1e-14)


@each_backend
@pytest.mark.parametrize("value", [1, np.float32(0.3)], ids=["int", "float32"])
def test_a_learning_rate_set_within_the_step_is_a_float(backend, value):
    _, optimizer, _ = training(backend)

    @jit(backend=backend)
    def step(x):
        optimizer.lr = value
        return x.sum()

    for _ in range(3):
        step(ONES)
    assert optimizer.lr == float(value)


@each_backend
def test_an_array_that_the_step_writes_into_is_refused(backend):
    count = np.zeros(1)

    def step(x):
        count[0] += 1
        return x * count

    compiled = jit(step, backend=backend)
    with pytest.raises(TraceError, match="writes into the array count"):
        compiled(ONES)


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
        np.testing.assert_array_equal(step(ONES, given), ONES * factor)


@each_backend
def test_a_static_argument_before_others_without_names(backend):
    step = jit(lambda n, *xs: xs[0] * n, static_argnames="n", backend=backend)
    for n in (3, 4, 3):
        for _ in range(2):
            np.testing.assert_array_equal(step(n, ONES), ONES * n)


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


@each_backend
def test_where_with_a_condition_that_is_no_boolean(backend):
    step = jit(lambda x: np.where(x, x + 1, 7.0), backend=backend)
    x = np.array([0.0, 2.0, np.nan])
    for _ in range(3):
        np.testing.assert_array_equal(step(x), np.where(x, x + 1, 7.0))


@pytest.mark.native
def test_the_sum_of_millions_in_single_precision():
    x = np.random.default_rng(0).random(4_000_000, dtype=np.float32)
    step = jit(lambda x: x.sum(), backend="llvm")
    for _ in range(2):
        found = step(x)
    assert abs(found / x.astype(float).sum() - 1) < 1e-6


@each_backend
def test_zeros_of_both_signs(backend):
    step = jit(lambda x, y: (np.maximum(x, y), np.minimum(x, y)), backend=backend)
    x, y = np.array([0.0, -0.0, 0.0, -0.0] * 4), np.array([-0.0, 0.0, 0.0, -0.0] * 4)
    for _ in range(3):
        for found, expected in zip(step(x, y), (np.maximum(x, y), np.minimum(x, y)), strict=True):
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.native
@pytest.mark.parametrize(
    "make", [optim.SGD, optim.Adam, optim.AdamW, optim.NAdam, optim.RMSprop, optim.Adagrad]
)
def test_every_optimizer_is_native(make):
    w = Tensor(ONES, requires_grad=True)
    optimizer = make([w], lr=0.1)

    @jit(backend="llvm")
    def step(x):
        optimizer.zero_grad()
        ((w * x) ** 2).sum().backward()
        optimizer.step()

    for _ in range(4):
        step(ONES)
    assert "native code" in str(step.program)


def test_a_compiled_step_compiled_again_is_of_the_new_kind():
    inner = jit(lambda x: x * 2, backend="numpy")
    inner(ONES)
    outer = jit(inner, backend="numpy")
    assert outer.traces == 0


def test_a_program_that_serves_once_is_never_made(monkeypatch):
    *_, step = training("numpy", momentum=0.9)
    from tinygrad_slp.jit import variant

    made = []
    build = variant.Variant.build
    monkeypatch.setattr(variant.Variant, "build", lambda self: made.append(self) or build(self))
    for _ in range(4):
        step(ONES)
    assert len(made) == 1
