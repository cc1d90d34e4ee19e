"""Training with compiled steps gives the numbers of training with eager ones."""

import numpy as np
import pytest
from steps import KNOWN, batch, both, classes, each_backend, network, pair, perceptron, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim, tutorial
from tinygrad_slp.jit import jit

# --- one model ---


@each_backend
def test_the_perceptron_for_1000_steps(backend):
    eager, compiled = pair(perceptron)
    step = jit(compiled.step, backend=backend)
    for _ in range(1000):
        same(step(tutorial.X, tutorial.Y), eager.step(tutorial.X, tutorial.Y), backend)
    same(compiled.state, eager.state, backend)


@each_backend
@pytest.mark.parametrize("run", KNOWN["runs"], ids=lambda run: str(run["initial_weights"]))
def test_a_compiled_step_gives_the_known_answers(run, backend):
    training = perceptron(run)
    step, done = jit(training.step, backend=backend), 0
    for epoch, known in run["epochs"].items():
        step.loop(int(epoch) - done, tutorial.X, tutorial.Y)
        done = int(epoch)
        model, exact = training.model, known["exact"]
        for value, name in ((model.weight, "weights"), (model.bias, "bias")):
            expected = np.array(exact[name], dtype=float)
            np.testing.assert_allclose(value.data, expected, rtol=1e-13, atol=0)


SETTINGS = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.01},
    {"momentum": 0.5, "dampening": 0.1, "weight_decay": 0.01},
]  # fmt: skip


@each_backend
@both
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda x: "-".join(x) or "plain")
def test_a_network_for_100_steps(settings, dtype, backend):
    eager, compiled = pair(network, dtype, **settings)
    step = jit(compiled.step, backend=backend)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    x, y = batch(dtype)
    for _ in range(100):
        same(step(x, y), eager.step(x, y), backend, tolerance)
    same(compiled.state, eager.state, backend, tolerance)


def probability(z, t):
    return nn.binary_cross_entropy(tg.sigmoid(z), t)


LOSSES = {
    "cross entropy": (nn.cross_entropy, lambda: classes()),
    "cross entropy of probabilities": (nn.cross_entropy, lambda: np.full((7, 3), 1 / 3)),
    "nll": (lambda z, t: nn.nll_loss(tg.log_softmax(z), t), lambda: classes()),
    "bce": (probability, lambda: (batch()[1] > 0) * 1.0),
    "bce with logits": (nn.binary_cross_entropy_with_logits, lambda: (batch()[1] > 0) * 1.0),
    "hinge": (nn.hinge_loss, lambda: np.sign(batch()[1])),
    "l1": (nn.l1_loss, lambda: batch()[1]),
    "huber": (nn.huber_loss, lambda: batch()[1]),
}


@each_backend
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_as_in_eager(name, backend):
    loss, target = LOSSES[name]
    eager, compiled = pair(network, loss=loss)
    step = jit(compiled.step, backend=backend)
    x, y = batch()[0], target()
    for _ in range(20):
        same(step(x, y), eager.step(x, y), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_targets_are_other_ones_in_each_call(backend):
    eager, compiled = pair(network, loss=nn.cross_entropy)
    step = jit(compiled.step, backend=backend)
    for seed in range(6):
        x, y = batch(seed=seed)[0], classes(seed=seed)
        same(step(x, y), eager.step(x, y), backend)


@each_backend
def test_every_activation_trains_as_in_eager(backend):
    for make in (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Softplus, nn.ELU, nn.LeakyReLU):
        eager, compiled = pair(network)
        for training in (eager, compiled):
            training.model.layers[1] = make()
        step, (x, y) = jit(compiled.step, backend=backend), batch()
        for _ in range(5):
            same(step(x, y), eager.step(x, y), backend)
        same(compiled.state, eager.state, backend)


# --- parameters that are shared, tied, or updated more than once ---


@each_backend
def test_two_steps_share_their_parameters(backend):
    eager, compiled = pair(network, momentum=0.9)
    step = jit(compiled.step, backend=backend)
    evaluate = jit(lambda x, y: nn.mse_loss(compiled.model(x), y).detach(), backend=backend)
    x, y = batch()
    for _ in range(8):
        same(evaluate(x, y), nn.mse_loss(eager.model(x), y).detach(), backend)
        same(step(x, y), eager.step(x, y), backend)


@each_backend
def test_two_optimizers_with_a_schedule_each(backend):
    def make():
        generator, critic = network(), network()

        def step(x, y):
            return generator.step(x, y) + critic.step(x, y * 2)

        return step, generator, critic

    (reference, *eager), (step, *compiled) = make(), make()
    step, (x, y) = jit(step, backend=backend), batch()
    for k in range(5):
        for trainings in (eager, compiled):
            trainings[1].optimizer.lr = 0.05 / (k + 1)
        same(step(x, y), reference(x, y), backend)
    for a, b in zip(compiled, eager, strict=True):
        same(a.state, b.state, backend)


@each_backend
def test_tied_parameters_train_as_in_eager(backend):
    def make():
        w = Tensor(np.random.default_rng(0).normal(size=(4, 4)), requires_grad=True)
        optimizer = optim.SGD([w], lr=0.01, momentum=0.9)

        def step(x):
            optimizer.zero_grad()
            loss = np.sum((np.tanh(x @ w) @ w.T - x) ** 2)
            loss.backward()
            optimizer.step()
            return loss.detach(), w.detach()

        return step

    step, reference = jit(make(), backend=backend), make()
    x = np.random.default_rng(1).normal(size=(5, 4))
    for _ in range(10):
        same(step(x), reference(x), backend)


def updated_by_data(w):
    w.data = w.data * 0.9
    w.data = w.data - 0.1 * w.grad.data


def updated_in_place(w):
    w *= 0.9
    w -= 0.1 * w.grad


@each_backend
@pytest.mark.parametrize("update", [updated_by_data, updated_in_place])
def test_one_parameter_updated_twice_in_a_step(update, backend):
    def make():
        w = Tensor([1.0, 2.0], requires_grad=True)

        def step(x):
            w.grad = None
            np.sum((w * x) ** 2).backward()
            with tg.no_grad():
                update(w)

        return w, step

    (v, reference), (w, step) = make(), make()
    step, x = jit(step, backend=backend), np.array([1.0, 0.5])
    for _ in range(4):
        step(x)
        reference(x)
        same(w.data, v.data, backend)


@each_backend
def test_several_updates_in_one_step(backend):
    def make():
        training = perceptron(momentum=0.5)
        return training, lambda x, y: [training.step(x, y) for _ in range(3)]

    (eager, reference), (compiled, step) = make(), make()
    step = jit(step, backend=backend)
    for _ in range(5):
        same(step(tutorial.X, tutorial.Y), reference(tutorial.X, tutorial.Y), backend)
    same(compiled.state, eager.state, backend)
