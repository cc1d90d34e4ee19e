"""Random programs, and their gradients, give under jit what they give without."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import each_backend

import tinygrad_slp as tg
from tinygrad_slp import Tensor
from tinygrad_slp.jit import jit

UNARY = [np.exp, np.tanh, np.sin, np.square, np.negative, np.abs, tg.sigmoid, tg.relu, tg.softplus]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.hypot, np.arctan2]
MOVES = [
    lambda x: x.T, lambda x: x.reshape(-1), lambda x: x[::-1], lambda x: x[..., :1],
    lambda x: x[1:] if len(x) > 1 else x, lambda x: np.expand_dims(x, 0),
    lambda x: x[np.arange(len(x)) // 2], lambda x: np.swapaxes(x, 0, -1),
]  # fmt: skip
REDUCTIONS = [
    lambda x: x.sum(), lambda x: x.sum(axis=0), lambda x: x.max(axis=-1), lambda x: x.mean(axis=0),
    lambda x: x.sum(axis=-1, keepdims=True), lambda x: x.min(axis=0, keepdims=True),
]  # fmt: skip


@st.composite
def programs(draw):
    """Shapes of the inputs, and what is done, one after the other, to values made before."""
    rows, columns = draw(st.sampled_from([(1, 1), (2, 3), (3, 2), (4, 4), (7, 11), (9, 16)]))
    shapes = [(rows, columns)]
    shapes += draw(
        st.lists(
            st.sampled_from([(rows, columns), (columns,), (rows, 1), (), (columns, rows)]),
            min_size=1, max_size=2,
        )
    )  # fmt: skip
    kinds = st.sampled_from(["unary", "binary", "binary", "move", "reduce", "matmul", "where"])
    choice = st.integers(0, 1000)
    steps = draw(st.lists(st.tuples(kinds, choice, choice, choice), min_size=3, max_size=8))
    return shapes, steps


def run(steps, *inputs):
    """The program; what does not fit, as a product of wrong shapes, is left out."""
    values = list(inputs)
    for kind, which, i, j in steps:
        x, y = values[i % len(values)], values[j % len(values)]
        if kind == "unary":
            values.append(UNARY[which % len(UNARY)](x))
        elif kind in ("binary", "where"):
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                continue
            f = BINARY[which % len(BINARY)]
            values.append(f(x, y) if kind == "binary" else np.where(x > y, x, y * 2))
        elif kind == "matmul":
            if x.ndim and y.ndim and x.shape[-1] == y.shape[max(0, y.ndim - 2)]:
                values.append(np.tanh(x @ y))
        elif x.ndim:
            change = MOVES if kind == "move" else REDUCTIONS
            values.append(change[which % len(change)](x))
    return tuple(values[len(inputs) :])


def drawn(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


@settings(max_examples=150)
@given(programs())
def test_random_programs_replay_to_the_bit(program):
    shapes, steps = program
    eager = lambda *x: run(steps, *x)
    compiled = jit(eager, backend="numpy")
    for seed in (0, 0, 1):
        inputs = drawn(shapes, seed)
        for x, y in zip(compiled(*inputs), eager(*inputs), strict=True):
            assert np.shape(x) == np.shape(y)
            np.testing.assert_array_equal(x, y)


@pytest.mark.native
@settings(max_examples=150)
@given(programs())
def test_random_programs_agree_in_native_code(program):
    shapes, steps = program
    eager = lambda *x: run(steps, *x)
    compiled = jit(eager, backend="llvm")
    for seed in (0, 0, 1):
        inputs = drawn(shapes, seed)
        with np.errstate(all="ignore"):
            pairs = list(zip(compiled(*inputs), eager(*inputs), strict=True))
        for x, y in pairs:
            assert np.shape(x) == np.shape(y)
            finite = np.isfinite(y)
            np.testing.assert_array_equal(np.isfinite(x), finite)
            scale = np.max(np.abs(y), where=finite, initial=0)
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.filterwarnings("ignore:.*makes one of shape")  # (n, 1) beside (n,), drawn so
@each_backend
@settings(max_examples=60)
@given(program=programs())
def test_gradients_of_random_programs(backend, program):
    shapes, steps = program
    total = lambda *x: sum(np.sum(np.sin(y)) for y in run(steps, *x)) + sum(np.sum(y) for y in x)
    eager = tg.grad(total, range(len(shapes)))
    compiled = jit(lambda *x: eager(*x), backend=backend)
    for seed in (0, 0, 1):
        inputs = [Tensor(x) for x in drawn(shapes, seed)]
        with np.errstate(all="ignore"):
            pairs = list(zip(compiled(*inputs), eager(*inputs), strict=True))
        for x, y in pairs:
            if backend == "numpy":
                np.testing.assert_array_equal(x.data, y.data)
            elif np.isfinite(y.data).all():
                scale = np.max(np.abs(y.data), initial=0)
                np.testing.assert_allclose(x.data, y.data, rtol=1e-7, atol=1e-9 * scale)
