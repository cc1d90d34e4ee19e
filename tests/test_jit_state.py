"""Where parameters stand between replays: in the program's buffers, unless somebody watches."""

import gc

import numpy as np
from steps import each_backend

from tinygrad_slp import Tensor, jit, nn, optim, tutorial

X, Y = tutorial.X, tutorial.Y.reshape(-1, 1)


def training():
    model = nn.Sequential(nn.Linear(3, 1, rng=0), nn.Sigmoid())
    optimizer = optim.SGD(model.parameters(), lr=1.0, momentum=0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def settles(compiled):
    for _ in range(4):
        compiled(X, Y)
    return compiled.latest.settled


@each_backend
def test_parameters_stay_in_the_buffers_where_nobody_asks_for_them(backend):
    _, step = training()
    assert settles(jit(step, backend=backend))


@each_backend
def test_who_records_the_weights_of_every_step_has_them_all(backend):
    (model, step), (twin, eager) = training(), training()
    compiled = jit(step, backend=backend)
    seen, expected = [], []
    for _ in range(20):
        compiled(X, Y)
        eager(X, Y)
        seen.append(model.layers[0].weight.data)
        expected.append(twin.layers[0].weight.data)
    np.testing.assert_allclose(seen, expected, rtol=1e-12)
    assert settles(compiled)
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


@each_backend
def test_a_value_that_another_thread_asks_for_during_a_step_is_not_left_behind(backend):
    """The Tensor has the new value after the step, whenever its old one was asked for."""
    (model, step), (twin, eager) = training(), training()
    compiled = jit(step, backend=backend)
    settles(compiled)
    for _ in range(4):
        eager(X, Y)
    weight, state, run = model.layers[0].weight, compiled.latest.state, compiled.latest.engine.run

    def running():
        weight.data  # noqa: B018  as another thread would
        run()

    compiled.latest.engine.run = running
    for _ in range(3):
        compiled(X, Y)
        eager(X, Y)
        np.testing.assert_allclose(weight.data, twin.layers[0].weight.data, rtol=1e-12)
    assert state is compiled.latest.state


@each_backend
def test_two_programs_take_turns_with_the_same_parameters(backend):
    (model, step), (twin, eager) = training(), training()
    first, second = jit(step, backend=backend), jit(step, backend=backend)
    for k in range(12):
        (first, second, step)[k % 3](X, Y)
        eager(X, Y)
        if k > 5:
            for w, v in zip(model.parameters(), twin.parameters(), strict=True):
                np.testing.assert_allclose(w.data, v.data, rtol=1e-12)
    del first, second
    gc.collect()
    for w, v in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(w.data, v.data, rtol=1e-12)


# --- Tensors that a step reads and nobody writes ---


@each_backend
def test_data_that_a_step_closes_over_is_copied_once(backend):
    data = Tensor(np.arange(6.0))
    step = jit(lambda w: (data * w).sum(), backend=backend)
    before = data.data
    for w in (1.0, 2.0, 3.0):
        assert step(np.float64(w)).item() == 15 * w
    assert step.latest.settled
    np.testing.assert_array_equal(before, np.arange(6.0))


@each_backend
def test_data_that_is_replaced_is_seen_and_the_old_stays_as_it_was(backend):
    data = Tensor(np.arange(6.0))
    step = jit(lambda w: (data * w).sum(), backend=backend)
    taken, arrays = [], [np.arange(6.0) + k for k in range(6)]
    for array in arrays:
        data.data = array
        assert step(np.float64(2.0)).item() == 2 * array.sum()
        taken.append(data.data)
    np.testing.assert_array_equal(taken, arrays)


@each_backend
def test_a_frozen_layer_settles(backend):
    (model, step), (twin, eager) = training(), training()
    for m in (model, twin):
        m.layers[0].bias.requires_grad = False
    compiled = jit(step, backend=backend)
    for _ in range(5):
        loss, expected = compiled(X, Y), eager(X, Y)
        np.testing.assert_allclose(loss.data, expected.data, rtol=1e-12)
    assert compiled.latest.settled
