"""Many steps in one call, by `loop` and `scan`, do what as many calls do."""

import re
from importlib import import_module

import numpy as np
import pytest
from steps import batch, classes, each_backend, network, pair, same

from tinygrad_slp import Tensor, nn
from tinygrad_slp.jit import jit


@each_backend
@pytest.mark.parametrize(("warm", "n"), [(0, 10), (3, 10), (0, 0), (0, 1), (0, 2), (0, 3)])
def test_loop_is_a_loop(warm, n, backend):
    eager, compiled = pair(network, momentum=0.9)
    step, (x, y) = jit(compiled.step, backend=backend), batch()
    for training_step in (step, eager.step):
        for _ in range(warm):
            training_step(x, y)
    for _ in range(2):
        losses = step.loop(n, x, y)
        expected = [eager.step(x, y).data for _ in range(n)]
        assert len(losses) == n
        if n:
            same(losses, Tensor(np.array(expected)), backend)
    same(compiled.state, eager.state, backend)


@each_backend
def test_a_constant_tensor_is_one_in_loops_too(backend):
    step = jit(lambda x: (x * 2, Tensor([1.0, 2.0])), backend=backend)
    for found in (step.loop(3, 1.0), step.scan(np.ones(3)), step.loop(2, 1.0)):
        same(found[1], Tensor([[1.0, 2.0]] * len(found[0])), backend)


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


@pytest.mark.native
@pytest.mark.parametrize(("name", "limit", "said"), [
    ("native.MOST_OPERATIONS", 50, r"replayed with NumPy.*\d\d operations, more than 50.*loop"),
    ("engine.LONG", 0, "native code by LLVM"),
])  # fmt: skip
def test_an_unrolled_loop_does_not_take_minutes_to_compile(name, limit, said, monkeypatch):
    """Long programs are compiled with less care, very long ones are replayed with NumPy."""
    module, _, limited = name.partition(".")
    monkeypatch.setattr(import_module(f"tinygrad_slp.jit.llvm.{module}"), limited, limit)
    monkeypatch.setenv("TINYGRAD_SLP_CACHE", "off")

    def step(x):
        for k in range(20):
            x = x + 0.01 * np.tanh(x - k)
        return x

    compiled, x = jit(step, backend="llvm"), np.linspace(0, 1, 7)
    for _ in range(3):
        same(compiled(x), step(x), "llvm")
    assert re.search(said, str(compiled.program))
