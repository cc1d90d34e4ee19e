"""Compiled steps give the numbers of the eager ones, and leave everything as those would."""

import copy
import gc
import json
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim, tutorial
from tinygrad_slp.jit import jit

KNOWN = json.loads(Path(__file__).with_name("seed_trajectories.json").read_text())
llvm = pytest.param("llvm", marks=pytest.mark.native)
each_backend = pytest.mark.parametrize("backend", ["numpy", llvm])
both = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


def same(x, y, backend, tolerance=1e-12):
    """Equal to the bit in a replay with NumPy, and closely in native code; nested or not."""
    if isinstance(y, dict):
        assert list(x) == list(y)
        x, y = list(x.values()), list(y.values())
    if isinstance(y, list | tuple):
        assert len(x) == len(y)
        for a, b in zip(x, y, strict=True):
            same(a, b, backend, tolerance)
        return
    if not isinstance(y, np.ndarray | np.generic | Tensor):
        assert x == y
        return
    assert isinstance(x, Tensor) == isinstance(y, Tensor)
    x, y = (z.data if isinstance(z, Tensor) else z for z in (x, y))
    assert (x.shape, x.dtype) == (y.shape, y.dtype)
    if backend == "numpy":
        np.testing.assert_array_equal(x, y)
    else:
        scale = np.max(np.abs(y), initial=0.1)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)


class Training:
    """A model, its optimizer and a step that trains it, the same each time it is made."""

    def __init__(self, model, loss=nn.mse_loss, **settings):
        self.model = model
        self.loss = loss
        self.optimizer = optim.SGD(model.parameters(), **{"lr": 0.1, **settings})

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @property
    def state(self):
        return self.model.state_dict(), self.optimizer.state_dict()


def perceptron(run=KNOWN["runs"][0], lr=1.0, **settings):
    model = nn.Perceptron(3)
    model.weight.data, model.bias.data = run["initial_weights"], run["initial_bias"]
    return Training(model, lr=lr, **settings)


def network(dtype=np.float64, outputs=3, loss=nn.mse_loss, **settings):
    rng = np.random.default_rng(3)
    layer = lambda *sizes: nn.Linear(*sizes, rng=rng, dtype=dtype)
    model = nn.Sequential(layer(5, 8), nn.ReLU(), layer(8, outputs))
    return Training(model, loss, **settings)


def batch(dtype=np.float64, n=7, inputs=5, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, inputs)).astype(dtype), rng.normal(size=(n, outputs)).astype(dtype)


def pair(make, *args, **kwargs):
    """The same training twice: to run eagerly, and compiled."""
    return make(*args, **kwargs), make(*args, **kwargs)


# --- training ---


@each_backend
def test_the_perceptron_for_1000_steps(backend):
    eager, compiled = pair(perceptron)
    step = jit(compiled.step, backend=backend)
    for _ in range(1000):
        same(step(tutorial.X, tutorial.Y), eager.step(tutorial.X, tutorial.Y), backend)
    same(compiled.state, eager.state, backend)


@each_backend
@pytest.mark.parametrize("run", KNOWN["runs"], ids=lambda run: str(run["initial_weights"]))
def test_the_known_answers(run, backend):
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


def classes(n=7, outputs=3, seed=0):
    return np.random.default_rng(seed).integers(outputs, size=n)


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
def test_every_loss(name, backend):
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
def test_every_activation(backend):
    for make in (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Softplus, nn.ELU, nn.LeakyReLU):
        eager, compiled = pair(network)
        for training in (eager, compiled):
            training.model.layers[1] = make()
        step, (x, y) = jit(compiled.step, backend=backend), batch()
        for _ in range(5):
            same(step(x, y), eager.step(x, y), backend)
        same(compiled.state, eager.state, backend)


# --- many steps ---


@each_backend
@pytest.mark.parametrize("warm", [0, 3], ids=["at once", "after some calls"])
def test_loop_is_a_loop(warm, backend):
    eager, compiled = pair(network, momentum=0.9)
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    for training_step in (step, eager.step):
        for _ in range(warm):
            training_step(x, y)
    losses = step.loop(10, x, y)
    expected = [eager.step(x, y).data for _ in range(10)]
    same(losses, Tensor(np.array(expected)), backend)
    same(compiled.state, eager.state, backend)


@each_backend
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_loops_of_a_few_steps(n, backend):
    eager, compiled = pair(network)
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    for _ in range(2):
        losses = step.loop(n, x, y)
        expected = [eager.step(x, y).data for _ in range(n)]
        assert len(losses) == n
        if n:
            same(losses, Tensor(np.array(expected)), backend)
    same(compiled.state, eager.state, backend)


def test_a_loop_of_fewer_than_no_steps_is_refused():
    with pytest.raises(ValueError, match="-1"):
        jit(lambda x: x, backend="numpy").loop(-1, np.ones(2))


def many(n=6):
    return np.stack([batch(seed=k)[0] for k in range(n)]), np.stack(
        [batch(seed=k)[1] for k in range(n)]
    )


@each_backend
@pytest.mark.parametrize("form", [np.asarray, Tensor], ids=["arrays", "tensors"])
def test_scan_is_a_loop_over_the_first_axis(form, backend):
    eager, compiled = pair(network, momentum=0.9)
    step, (X, Y) = jit(compiled.step, backend=backend), many()
    for _ in range(2):
        losses = step.scan(form(X), form(Y))
        expected = [eager.step(x, y).data for x, y in zip(X, Y, strict=True)]
        same(losses, Tensor(np.array(expected)), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_scan_by_epochs_in_an_order_that_a_generator_draws(backend):
    eager, compiled = pair(network)
    step, (X, Y) = jit(compiled.step, backend=backend), many()
    losses = step.scan(X, Y, epochs=3, shuffle=np.random.default_rng(5))
    rng, expected = np.random.default_rng(5), []
    for _ in range(3):
        order = rng.permutation(len(X))
        expected.append([eager.step(X[i], Y[i]).data for i in order])
    same(losses, Tensor(np.array(expected)), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_a_seed_shuffles_as_its_generator_does(backend):
    first, second = pair(network)
    X, Y = many()
    found = jit(first.step, backend=backend).scan(X, Y, epochs=2, shuffle=5)
    expected = jit(second.step, backend=backend).scan(
        X, Y, epochs=2, shuffle=np.random.default_rng(5)
    )
    np.testing.assert_array_equal(found.data, expected.data)


@each_backend
def test_scan_of_classes_checks_all_of_them_first(backend):
    eager, compiled = pair(network, loss=nn.cross_entropy)
    step, X = jit(compiled.step, backend=backend), many()[0]
    T = np.stack([classes(seed=k) for k in range(6)])
    for _ in range(2):
        same(
            step.scan(X, T),
            Tensor(np.array([eager.step(x, t).data for x, t in zip(X, T, strict=True)])),
            backend,
        )


def test_scan_of_different_lengths_is_refused():
    step = jit(lambda x, y: x + y, backend="numpy")
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4, 2\)"):
        step.scan(np.ones((3, 2)), np.ones((4, 2)))


@each_backend
def test_scan_of_trees(backend):
    f = lambda pair, batch: pair[0] * 2 + pair[1] + batch["z"]
    step, (x, y, z) = jit(f, backend=backend), np.random.default_rng(0).normal(size=(3, 5, 2))
    for _ in range(3):
        same(step.scan((x, y), {"z": z}), x * 2 + y + z, backend)


def test_scan_of_no_epochs_is_empty():
    step = jit(lambda x: x * 2, backend="numpy")
    for _ in range(2):
        assert len(step.scan(np.ones((3, 2)), epochs=0)) == 0
        step.scan(np.ones((3, 2)))


@each_backend
def test_scan_of_views_and_of_other_orders_in_memory(backend):
    step = jit(lambda x, y: x @ y, backend=backend)
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.normal(size=(5, 2, 3)))
    Y = rng.normal(size=(10, 3, 2))[::-2]
    expected = np.array([x @ y for x, y in zip(X, Y, strict=True)])
    for _ in range(2):
        same(step.scan(X, Y), expected, backend=None)  # of another order, not to the bit


@each_backend
def test_nested_results_of_many_steps(backend):
    step = jit(lambda x: {"sum": x.sum(), "parts": (x * 2, [x + 1])}, backend=backend)
    x = np.arange(3.0)
    step(x)
    expected = {"sum": np.full(4, 3.0), "parts": (np.tile(x * 2, (4, 1)), [np.tile(x + 1, (4, 1))])}
    for _ in range(2):
        same(step.loop(4, x), expected, backend)
        same(step.scan(np.tile(x, (4, 1))), expected, backend)


@each_backend
def test_a_step_that_returns_nothing(backend):
    training = network()
    step = jit(lambda x, y: training.step(x, y) and None, backend="numpy")
    with pytest.raises(TypeError, match="truth"):
        step(*batch())

    def quiet(x, y):
        training.step(x, y)

    step, eager = jit(quiet, backend=backend), network()
    for _ in range(3):
        assert step(*batch()) is None
        eager.step(*batch())
    assert step.loop(2, *batch()) is None
    assert step.scan(*many()) is None


# --- pure functions ---


def cosine(u, v):
    return np.sum(u * v) / (np.sqrt(np.sum(u * u)) * np.sqrt(np.sum(v * v)))


@each_backend
@pytest.mark.parametrize("form", [np.array, Tensor], ids=["arrays", "tensors"])
def test_functions_of_arrays_and_tensors(form, backend):
    step, rng = jit(cosine, backend=backend), np.random.default_rng(0)
    for _ in range(4):
        u, v = form(rng.normal(size=9)), form(rng.normal(size=9))
        same(step(u, v), cosine(u, v), backend)


@each_backend
@pytest.mark.parametrize("form", [np.array, Tensor], ids=["arrays", "tensors"])
def test_jit_of_grad(form, backend):
    f = tg.grad(cosine, (0, 1))
    step, rng = jit(f, backend=backend), np.random.default_rng(0)
    for _ in range(4):
        u, v = form(rng.normal(size=9)), form(rng.normal(size=9))
        same(step(u, v), f(u, v), backend)


def second(f):
    return tg.grad(lambda x: np.sum(tg.grad(f)(x)))


DERIVATIVES = tg.value_and_grad, tg.jacobian, tg.hessian, second


@each_backend
@pytest.mark.parametrize("form", [np.array, Tensor], ids=["arrays", "tensors"])
@pytest.mark.parametrize("transform", DERIVATIVES, ids=lambda f: f.__name__)
def test_jit_of_other_derivatives(transform, form, backend):
    f = transform(lambda x: np.sum(np.sin(x) * x[::-1]))
    step, rng = jit(f, backend=backend), np.random.default_rng(0)
    for _ in range(3):
        x = form(rng.normal(size=4))
        same(step(x), f(x), backend)


@each_backend
def test_grad_of_a_compiled_function_says_to_compile_the_gradient(backend):
    step, u = jit(cosine, backend=backend), np.arange(1.0, 4)
    for _ in range(3):
        with pytest.raises(TypeError, match=r"grad\(\)"):
            tg.grad(step)(u, u)
        step(u, u)


@each_backend
def test_a_compiled_function_of_a_tensor_that_requires_grad_is_not_silently_cut_off(backend):
    step, u = jit(lambda x: np.sum(x * x), backend=backend), Tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        with pytest.raises(TypeError, match="detach"):
            step(u)


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
            assert not np.shares_memory(y, x) or k == 0
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


# --- eager code around compiled steps ---


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
@pytest.mark.parametrize("settings", SETTINGS[:2], ids=["plain", "momentum"])
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


# --- programs for each kind of arguments ---


@each_backend
def test_the_short_last_batch_has_its_own_program(backend):
    eager, compiled = pair(network, momentum=0.9)
    step = jit(compiled.step, backend=backend)
    for _ in range(4):
        for n in (7, 7, 3):
            x, y = batch(n=n, seed=n)
            same(step(x, y), eager.step(x, y), backend)
    assert step.traces <= 3
    same(compiled.state, eager.state, backend)


@each_backend
def test_other_shapes_dtypes_and_kinds_are_traced(backend):
    step = jit(lambda x: x * 2, backend=backend)
    kinds = [np.ones(3), np.ones((3, 1)), np.ones(3, np.float32), np.ones(3, int), 1.0, 2]
    kinds.append(Tensor(np.ones(3)))
    for _ in range(3):
        for x in kinds:
            same(step(x), x * 2, backend)
            assert type(step(x)) is type(x * 2)
    assert step.traces == len(kinds)


@each_backend
def test_static_arguments(backend):
    def power(x, n, mode="sum"):
        y = x
        for _ in range(n - 1):
            y = y * x
        return y.sum() if mode == "sum" else y.max()

    step, x = jit(power, static_argnames=("n", "mode"), backend=backend), np.arange(1.0, 4)
    for _ in range(2):
        for n in (1, 2, 3):
            same(step(x, n), power(x, n), backend)
            same(step(x, n=n), power(x, n), backend)
            same(step(x, n, mode="max"), power(x, n, "max"), backend)
    assert step.traces <= 9


def test_a_static_argument_that_there_is_not():
    with pytest.raises(ValueError, match=r"'z'.*x, y"):
        jit(lambda x, y: x, static_argnames="z", backend="numpy")


def test_a_back_end_that_there_is_not():
    with pytest.raises(ValueError, match="auto, numpy, llvm"):
        jit(lambda x: x, backend="cuda")


@each_backend
def test_wrong_arguments_are_errors_as_without_jit(backend):
    step = jit(lambda x, y=1.0: x * y, backend=backend)
    for _ in range(2):
        same(step(np.ones(2)), np.ones(2), backend)
        for args, kwargs in (((), {}), ((1.0, 2.0, 3.0), {}), ((1.0,), {"z": 1})):
            with pytest.raises(TypeError, match="argument"):
                step(*args, **kwargs)


@each_backend
def test_a_default_that_is_given_or_not(backend):
    f = lambda x, y=1.0: x + y
    step, x = jit(f, backend=backend), np.ones(2)
    for args in ((x,), (x, 2.0), (x,), (x, 3.0), (x, x), (x,)):
        same(step(*args), f(*args), backend)
        same(step(*args[:1], **dict(zip(["y"], args[1:], strict=False))), f(*args), backend)


@each_backend
def test_the_decorator_with_and_without_settings(backend):
    @jit
    def double(x):
        """2x"""
        return x * 2

    @jit(static_argnames="n", backend=backend)
    def times(x, n):
        return x * n

    assert (double.__name__, double.__doc__) == ("double", "2x")
    for _ in range(3):
        np.testing.assert_array_equal(double(np.ones(2)), [2, 2])
        np.testing.assert_array_equal(times(np.ones(2), 3), [3, 3])


@each_backend
def test_methods_have_programs_for_each_instance(backend):
    class Scaler:
        def __init__(self, factor):
            self.factor = Tensor(factor)

        @jit(backend=backend)
        def scaled(self, x):
            return x * self.factor

    a, b, x = Scaler(2.0), Scaler(3.0), np.ones(3)
    for _ in range(3):
        np.testing.assert_array_equal(a.scaled(x).data, [2, 2, 2])
        np.testing.assert_array_equal(b.scaled(x).data, [3, 3, 3])
        np.testing.assert_array_equal(a.scaled.loop(2, x).data, np.full((2, 3), 2))
    assert a.scaled is not b.scaled
    a.factor.data = 5.0
    np.testing.assert_array_equal(a.scaled(x).data, [5, 5, 5])


@each_backend
def test_compiled_steps_within_compiled_steps(backend):
    inner = jit(lambda x: np.exp(x) * 2, backend=backend)
    outer = jit(lambda x: inner(x) + inner(x * 2), backend=backend)
    for k in range(4):
        x = np.linspace(0, 1, 5) + k
        expected = np.exp(x) * 2 + np.exp(x * 2) * 2
        same(outer(x), expected, backend)
        same(inner(x), np.exp(x) * 2, backend)


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
def test_tied_parameters(backend):
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


# --- what a program says ---


@each_backend
def test_a_program_can_be_read_and_drawn(backend):
    training = perceptron()
    step = jit(training.step, backend=backend)
    with pytest.raises(RuntimeError, match="call the step first"):
        _ = step.program
    step(tutorial.X, tutorial.Y)
    step(tutorial.X, tutorial.Y)
    text = str(step.program)
    for part in (
        "operations",
        "model.weight",
        "model.bias",
        "lr ",
        "= x ",
        "= y ",
        "return",
    ):
        assert part in text, part
    assert ("native code by LLVM" if backend == "llvm" else "replayed with NumPy") in text
    drawn = step.program.to_dot()
    assert drawn.startswith("digraph {")
    assert drawn.count("{") == drawn.count("}")
    assert "np.exp" in drawn


# --- threads ---


def in_threads(n, work):
    """Runs work(k) in n threads at once; raises what one of them raised."""
    failures = []

    def run(k):
        try:
            work(k)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@each_backend
def test_threads_with_a_model_each(backend):
    x, y = batch()
    eager = network(momentum=0.9)
    expected = [eager.step(x, y) for _ in range(30)]

    def work(k):
        training = network(momentum=0.9)
        step = jit(training.step, backend=backend) if k % 3 else training.step
        found = [step(x, y) for _ in range(30)]
        same(found, expected, backend)
        same(training.state, eager.state, backend)

    in_threads(6, work)


@each_backend
def test_threads_that_share_a_step(backend):
    step = jit(lambda x: (np.exp(x) * 2, x.sum()), backend=backend)

    def work(k):
        for i in range(50):
            x = np.full(2 + k % 2, 0.01 * (i + k))
            same(step(x), (np.exp(x) * 2, x.sum()), backend, 1e-12)

    in_threads(4, work)


@each_backend
def test_threads_that_train_one_model_do_every_step(backend):
    training = perceptron()
    step = jit(training.step, backend=backend)
    eager = perceptron()
    for _ in range(100):
        eager.step(tutorial.X, tutorial.Y)
    in_threads(4, lambda k: [step(tutorial.X, tutorial.Y) for _ in range(25)])
    same(training.state, eager.state, backend)


# --- memory ---


def peak(run):
    """The most bytes that were allocated at once while this ran, beyond those before."""
    run()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most - before


@each_backend
def test_a_replayed_step_makes_no_arrays(backend):
    training = Training(
        nn.Sequential(nn.Linear(5, 300), nn.ReLU(), nn.Linear(300, 3)), momentum=0.9
    )
    step, (x, y) = jit(training.step, backend=backend), batch(n=50)

    def run():
        for _ in range(100):
            step(x, y)

    step.loop(5, x, y)
    # A layer's activations are 120,000 bytes; NumPy casts 8192 numbers at a time, in 65,536.
    most = 90_000 if backend == "numpy" else 20_000
    assert peak(run) < most
    assert peak(lambda: step.loop(100, x, y)) < most


@each_backend
def test_steps_leave_nothing_behind(backend):
    training = perceptron(momentum=0.9)
    step = jit(training.step, backend=backend)
    step.loop(5, tutorial.X, tutorial.Y)

    def run(n):
        for _ in range(n):
            step(tutorial.X, tutorial.Y)

    few = peak(lambda: run(100))
    assert peak(lambda: run(2000)) < few + 1000


# --- numbers of every kind ---

FLOATS = "f2", "f4", "f8", "g", "F", "D", ">f4", ">f8"
INTEGERS = "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"


@each_backend
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, ">i4", "?"])
def test_every_dtype_and_byte_order(dtype, backend):
    for f in (lambda x: x * x + x, lambda x: x.sum(), lambda x: x[::-1], lambda x: x == x[0]):
        step = jit(f, backend=backend)
        for values in ([1, 2, 3, 100], [1, 2, 3, 100], [3, 1, 0, 7]):
            x = np.array(values, dtype)
            assert step(x).dtype == f(x).dtype
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
def test_whole_numbers(name, dtype, backend):
    f, info = WHOLE[name], np.iinfo(dtype)
    step = jit(f, backend=backend)
    with np.errstate(all="ignore"):
        for values in ([1, 2, 3], [1, 2, 3], [info.min, info.max, 0]):
            x = np.array(values, dtype)
            same(step(x), f(x), "numpy")


@each_backend
def test_whole_numbers_with_and_without_sign_compare_by_value(backend):
    f = lambda a, b: (a < b, a == b, np.maximum(a, b))
    step = jit(f, backend=backend)
    a, b = np.array([-1, 2**62]), np.array([2**63, 2**62], np.uint64)
    for _ in range(3):
        same(step(a, b), f(a, b), backend)


@each_backend
def test_functions_with_several_results(backend):
    f = lambda x: (
        *divmod(x, 0.7),
        *np.modf(x),
        *np.frexp(x),
        *np.split(x, [1]),
        *np.meshgrid(x, x),
    )
    step = jit(f, backend=backend)
    for k in range(3):
        x = np.array([0.3, 1.7, -2.5]) + k
        same(step(x), f(x), backend)


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
def test_more_of_numpy(name, backend):
    f = METHODS[name]
    step = jit(lambda x: f(x), backend=backend)
    for k in range(3):
        x = np.array([-1.5, 0.3, 1.7]) + k
        same(step(x), f(x), backend)
