"""A step has a program for each kind of arguments, which can be read; many are warned of."""

import warnings

import numpy as np
import pytest
from steps import X, batch, each_backend, network, pair, perceptron, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor, tutorial
from tinygrad_slp.jit import TraceError, jit

# --- when another one is made ---


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
def test_each_value_of_a_static_argument_has_a_program(backend):
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
def test_no_grad_around_a_call_is_a_program_of_its_own(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = jit(lambda x: w * x, backend=backend)
    for _ in range(3):
        with tg.no_grad():
            np.testing.assert_array_equal(step(X).data, w.data * X)
        with pytest.raises(TraceError, match="detach"):
            step(X)


# --- too many ---


@each_backend
def test_thrashing_warns_and_names_the_argument(backend):
    step = jit(lambda x, batch: x.sum() + batch.sum(), backend=backend)
    with pytest.warns(UserWarning, match=r"(?s)traced \d+ times.*batch.*\(\d+,\)") as seen:
        for n in range(1, 30):
            step(X, np.ones(n))
    assert len(step.variants) <= 16
    assert "x:" not in str(seen[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steady = jit(lambda x: x * 2, backend=backend)
        for k in range(100):
            steady(np.ones(2 + k % 2))


@each_backend
def test_thrashing_by_a_static_argument_is_named(backend):
    step = jit(lambda x, n: x * n, static_argnames="n", backend=backend)
    with pytest.warns(UserWarning, match="n: "):
        for n in range(30):
            step(X, n)


# --- what one says ---


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
