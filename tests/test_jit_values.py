"""What a step leaves in Tensors: old values with whoever holds them, new ones where they were."""

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import Tensor, jit, optim

ONES = np.ones(2)


def training(backend, n=2, returns=lambda loss: loss, **settings):
    """A parameter, its optimizer and a step of a parabola, which returns this of its loss."""
    w = Tensor(np.arange(1.0, n + 1), requires_grad=True)
    optimizer = optim.SGD([w], **{"lr": 0.1, **settings})

    @jit(backend=backend)
    def step(x):
        optimizer.zero_grad()
        loss = ((w * x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return returns(loss)

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


every_optimizer = pytest.mark.parametrize(
    "make", [optim.SGD, optim.Adam, optim.AdamW, optim.NAdam, optim.RMSprop, optim.Adagrad]
)


def trained_by(make, backend):
    """A step of an optimizer, which has run a few times."""
    w = Tensor(ONES, requires_grad=True)
    optimizer = make([w], lr=0.1)

    @jit(backend=backend)
    def step(x):
        optimizer.zero_grad()
        ((w * x) ** 2).sum().backward()
        optimizer.step()

    for _ in range(4):
        step(ONES)
    return step


@pytest.mark.native
@every_optimizer
def test_every_optimizer_is_native(make):
    assert "native code by LLVM" in str(trained_by(make, "llvm").program)


@every_optimizer
def test_a_replay_updates_every_parameter_right_where_it_is(make):
    copies = trained_by(make, "numpy").latest.engine.plan.copies
    assert not [buffer for buffer, _ in copies if buffer.ndim]  # a counter may be copied


def test_a_program_that_serves_once_is_never_made(monkeypatch):
    *_, step = training("numpy", momentum=0.9)
    from tinygrad_slp.jit import variant

    made = []
    build = variant.Variant.build
    monkeypatch.setattr(variant.Variant, "build", lambda self: made.append(self) or build(self))
    for _ in range(4):
        step(ONES)
    assert len(made) == 1


@each_backend
def test_a_gradient_that_is_no_tensor_is_refused_as_without_jit(backend):
    w = Tensor(np.ones(2), requires_grad=True)
    w.grad = 0

    @jit(backend=backend)
    def step(x):
        (w * x).sum().backward()

    with pytest.raises(TypeError, match=r"write w\.grad = None"):
        step(ONES)


@each_backend
def test_gradients_that_are_added_up_and_forgotten_take_two_programs(backend):
    (w, _, _), (v, _, _) = training(backend), training(backend)

    def adding(w):
        def step(x):
            ((w * x) ** 2).sum().backward()

        return step

    compiled, eager = jit(adding(w), backend=backend), adding(v)
    for _ in range(4):
        for _ in range(3):
            compiled(ONES)
            eager(ONES)
            np.testing.assert_allclose(w.grad.data, v.grad.data, rtol=1e-14)
        w.grad = v.grad = None
    assert compiled.traces == 2


@each_backend
def test_what_is_computed_of_a_loss_after_backward_is_returned(backend):
    _, _, step = training(backend, returns=lambda loss: (loss.astype(np.float32), loss / 2))
    for expected in 5.0, 3.2, 2.048:
        single, half = step(ONES)
        assert single.dtype == np.float32
        np.testing.assert_allclose([single.data, 2 * half.data], expected, rtol=1e-6)
