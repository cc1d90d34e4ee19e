"""The NumPy replay computes once in a loop what is the same in all its steps."""

import numpy as np
import pytest

from tinygrad_slp import Tensor, jit, no_grad

X = np.arange(6.0).reshape(3, 2)


def counted(engine):
    """How many calls are made once in a loop, once for each argument, and in each step."""
    return len(engine.first), len(engine.given), len(engine.rest)


def walk(data):
    """A step whose weight changes by what its argument and a Tensor that it closes over give."""
    w = Tensor(np.zeros(2))

    def step(x):
        with no_grad():
            w.data = w.data * 0.5 + np.tanh(x).sum(axis=0) + np.exp(data.data)
        return w.data * 1

    return w, step


def both():
    data, twin = Tensor(np.array([0.1, 0.2])), Tensor(np.array([0.1, 0.2]))
    (w, step), (_, eager) = walk(data), walk(twin)
    compiled = jit(step, backend="numpy")
    for _ in range(3):
        np.testing.assert_array_equal(compiled(X), eager(X))
    return data, twin, w, compiled, eager


def test_what_only_arguments_or_other_tensors_give_is_computed_once():
    *_, compiled, _ = both()
    first, given, rest = counted(compiled.latest.engine)
    assert (first, given) == (1, 2)  # exp of the data; tanh of the argument and its sum
    assert rest == 3  # a product and two sums


def test_loops_and_scans_take_other_arguments_each_time():
    data, twin, _, compiled, eager = both()
    for scale in (1.0, -2.0):
        x = scale * X
        np.testing.assert_array_equal(compiled.loop(3, x), [eager(x) for _ in range(3)])
        xs = np.stack([x, x + 1, x + 2])
        np.testing.assert_array_equal(compiled.scan(xs), [eager(x) for x in xs])
        for t in (data, twin):
            t.data = t.data + 1
        np.testing.assert_array_equal(compiled(x), eager(x))


def test_a_loop_of_no_steps_computes_nothing():
    _, _, w, compiled, _ = both()
    before = w.data.copy()
    assert compiled.loop(0, X).shape == (0, 2)
    np.testing.assert_array_equal(w.data, before)


@pytest.mark.parametrize("function", [np.max, np.min])
@pytest.mark.parametrize("shape", [(32, 10), (2, 3, 4), (5, 1), (1, 7), (7,)])
def test_extremes_of_the_last_axis(function, shape):
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 2, shape) * rng.choice([1.0, -0.0, 0.5], shape)
    x.flat[0] = np.nan
    for dtype in (np.float64, np.float32, np.int64):
        y = np.nan_to_num(x).astype(dtype) if dtype is np.int64 else x.astype(dtype)
        compiled = jit(lambda x: function(x, axis=-1), backend="numpy")
        compiled(y)
        assert compiled(y).tobytes() == function(y, axis=-1).tobytes()


@pytest.mark.parametrize(("n", "casts"), [(6, 1), (10_000, 0)], ids=["small", "large"])
def test_small_whole_numbers_are_cast_once_for_all_steps(n, casts):
    w = Tensor(np.zeros(n))

    def step(count):
        with no_grad():
            w.data = w.data * 0.5 + count
        return w.data * 1

    compiled = jit(step, backend="numpy")
    count = np.arange(n)
    expected = np.zeros(n)
    for _ in range(3):
        compiled(count)
        expected = expected * 0.5 + count
    assert len(compiled.latest.engine.given) == casts
    for other in (count, count * 2):
        for row in compiled.loop(3, other):
            expected = expected * 0.5 + other
            np.testing.assert_array_equal(row, expected)


def test_what_is_computed_first_shares_buffers_like_the_rest():
    w = Tensor(np.zeros(()))

    def step(x):
        with no_grad():
            w.data = w.data * 0.5 + (np.tanh(np.exp(-(x * 2.0))) * (w.data + 1)).sum()
        return w.data * 1

    compiled = jit(step, backend="numpy")
    x = np.arange(10_000)
    for _ in range(3):
        compiled(x)
    # What the four functions of x are computed in, and one more for the product with w.
    assert compiled.latest.engine.plan.bytes < 2.5 * 8 * x.size
