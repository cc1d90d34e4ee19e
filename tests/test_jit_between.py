"""Eager code may stand between compiled steps: it sees and changes what it would without jit."""

import copy
from functools import partial

import numpy as np
import pytest
from steps import batch, each_backend, network, pair, perceptron, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim, tutorial
from tinygrad_slp.jit import jit


@each_backend
def test_the_learning_rate_may_change(backend):
    eager, compiled = pair(network, momentum=0.9)
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    for k in range(8):
        eager.optimizer.lr = compiled.optimizer.lr = 0.1 / (k + 1)
        same(step(x, y), eager.step(x, y), backend)
    assert step.traces <= 2
    same(step.loop(3, x, y), Tensor(np.array([eager.step(x, y).data for _ in range(3)])), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_the_learning_rate_may_be_decayed_in_the_step(backend):
    eager, compiled = pair(network)

    def decayed(training):
        def step(x, y):
            loss = training.step(x, y)
            training.optimizer.lr = training.optimizer.lr * 0.9
            return loss

        return step

    step, reference, (x, y) = jit(decayed(compiled), backend=backend), decayed(eager), batch()
    for _ in range(5):
        same(step(x, y), reference(x, y), backend)
    step.loop(3, x, y)
    for _ in range(3):
        reference(x, y)
    assert compiled.optimizer.lr == pytest.approx(eager.optimizer.lr, rel=1e-15)
    assert eager.optimizer.lr == pytest.approx(0.1 * 0.9**8)
    same(compiled.state, eager.state, backend)


@each_backend
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}], ids=["plain", "momentum"])
def test_state_dicts_before_between_and_after(settings, backend):
    eager, compiled = pair(network, **settings)
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    states = []
    for k in range(6):
        same(compiled.state, eager.state, backend)
        states.append((copy.deepcopy(eager.state), compiled.state))
        for training_step in (step, eager.step):
            for _ in range(k % 3 + 1):
                training_step(x, y)
    for expected, state in states:  # they are copies
        same(state, expected, backend)
    model, optimizer = states[3][1]
    compiled.model.load_state_dict(model)
    compiled.optimizer.load_state_dict(optimizer)
    eager.model.load_state_dict(states[3][0][0])
    eager.optimizer.load_state_dict(states[3][0][1])
    for _ in range(4):
        same(step(x, y), eager.step(x, y), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_eager_steps_between_compiled_ones(backend):
    eager, compiled = pair(network, momentum=0.9)
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    for k in range(12):
        mixed = compiled.step if k % 3 == 2 else step
        same(mixed(x, y), eager.step(x, y), backend)
        same(compiled.model(x).detach(), eager.model(x).detach(), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_gradients_are_none_after_a_step_and_work_in_eager_code(backend):
    training, (x, y) = network(), batch()
    step, w = jit(training.step, backend=backend), training.model.layers[0].weight
    for _ in range(3):
        step(x, y)
    assert [p.grad for p in training.model.parameters()] == [None] * 4
    nn.mse_loss(training.model(x), y).backward()
    expected = w.grad.data.copy()
    step(x, y)
    assert w.grad is None
    assert np.any(expected)


@each_backend
def test_a_step_that_only_accumulates_gradients(backend):
    eager, compiled = pair(network)

    def backward(training):
        return lambda x, y: nn.mse_loss(training.model(x), y).backward()

    step, reference = jit(backward(compiled), backend=backend), backward(eager)
    for k in range(4):
        step(*batch(seed=k))
        reference(*batch(seed=k))
        for p, q in zip(compiled.model.parameters(), eager.model.parameters(), strict=True):
            same(p.grad, q.grad, backend)
    for training in (eager, compiled):
        training.optimizer.step()
        training.optimizer.zero_grad()
    same(compiled.state, eager.state, backend)
    step(*batch())
    reference(*batch())
    for p, q in zip(compiled.model.parameters(), eager.model.parameters(), strict=True):
        same(p.grad, q.grad, backend)


@each_backend
def test_parameters_given_new_data_are_seen(backend):
    eager, compiled = pair(perceptron)
    step = jit(compiled.step, backend=backend)
    for k in range(5):
        for training in (eager, compiled):
            training.model.weight.data = np.full(3, k / 10)
            with tg.no_grad():
                training.model.bias -= 0.5
        same(step(tutorial.X, tutorial.Y), eager.step(tutorial.X, tutorial.Y), backend)
    assert step.traces == 1
    same(compiled.state, eager.state, backend)


class Noisy(nn.Module):
    """Doubles its input while it trains."""

    def forward(self, x):
        return x * 2 if self.training else x


@each_backend
def test_train_and_eval_have_programs_of_their_own(backend):
    eager, compiled = pair(network)
    for training in (eager, compiled):
        training.model.layers.append(Noisy())
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    for mode in (True, True, False, False, True, True, False):
        for training in (eager, compiled):
            training.model.train(mode)
        same(step(x, y), eager.step(x, y), backend)


@each_backend
def test_gradients_that_are_added_to_are_kept_as_in_eager(backend):
    def losses(compile_):
        w = Tensor(np.ones((4, 3)), requires_grad=True)
        optimizer = optim.SGD([w], lr=0.01)

        def step(x, y):  # which forgets zero_grad()
            loss = nn.mse_loss(x @ w, y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = compile_(step)
        return [step(np.ones((6, 4)), np.zeros((6, 3))).item() for _ in range(30)]

    found = losses(partial(jit, backend=backend))
    np.testing.assert_allclose(found, losses(lambda step: step), rtol=1e-12, atol=0)
