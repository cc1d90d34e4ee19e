"""A class or index out of range is eager's error, wherever it comes from, and nothing is stored."""

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import Tensor, nn
from tinygrad_slp.jit import jit

ERRORS = IndexError, ValueError
N = 5
SIZES = {"small": (), "large": (40,)}

COMES = {
    "as it is": lambda i: i,
    "reshaped": lambda i: i.reshape(-1),
    "computed": lambda i: i * 2 - i,
    "of another dtype": lambda i: i.astype(np.int32),
    "found by an index": lambda i: np.take(i, np.arange(len(i))),
    "a view": lambda i: i[::-1],
}
IS_FOR = {
    "a gather": lambda w, i: w[i],
    "an element": lambda w, i: w[i, 0],
    "the last axis": lambda w, i: w[0, i],
    "a gradient": lambda w, i: (w[i] ** 2).sum(),
    "an embedding": lambda w, i: nn.Embedding(N, 3, rng=0)(i),
    "plain NumPy": lambda w, i: w + 0 * np.take(w.data[:, 0], i).sum(),
    "nothing": lambda w, i: (w, np.take(w.data[:, 0], i), w.data[i])[0],
    "a class": lambda w, i: nn.cross_entropy(Tensor(np.zeros((len(i), N))) + np.sum(w), i),
    "a class or -1": lambda w, i: nn.cross_entropy(
        Tensor(np.zeros((len(i), N))) + np.sum(w), i, ignore_index=-1
    ),
}


def made(comes, use, size):
    """A step that stores into a Tensor before and after it uses indices, and all that it holds."""
    w = Tensor(
        np.arange(float(N * max(N, *size or (0,)))).reshape(N, -1) / 1000, requires_grad=True
    )
    counter = Tensor(np.zeros(3))

    def step(i):
        counter.data = counter.data + 1
        y = IS_FOR[use](w, COMES[comes](i))
        loss = np.sum(y * y)
        w.grad = None
        loss.backward() if loss.requires_grad else None
        if w.grad is not None:
            w.data = w.data - 1e-3 * w.grad.data
        counter.data = counter.data + 1
        return loss.detach()

    return step, lambda: (w.data.copy(), counter.data.copy())


def outcome(call, i):
    """What a call returns, or the error that it raises."""
    try:
        return "returned", np.asarray(getattr(call(i), "data", None))
    except ERRORS as error:
        return type(error).__name__, str(error)


@each_backend
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("use", IS_FOR)
@pytest.mark.parametrize("comes", COMES)
def test_an_index_that_is_given(comes, use, size, backend):
    rng = np.random.default_rng(0)
    eager, _ = made(comes, use, SIZES[size])
    step, state = made(comes, use, SIZES[size])
    compiled = jit(step, backend=backend)
    n = SIZES[size][0] if SIZES[size] else 4
    for _ in range(3):
        good = rng.integers(0, N, n)
        np.testing.assert_allclose(compiled(good).data, eager(good).data)
    for bad in (N, -1, -N, -N - 1, 2**30, -(2**30), 2**62):
        i = rng.integers(0, N, n)
        i[n // 2] = bad
        before = state()
        found, expected = outcome(compiled, i), outcome(eager, i)
        assert found[0] == expected[0], (bad, found, expected)
        if found[0] == "returned":
            np.testing.assert_allclose(found[1], expected[1])
        else:
            assert found[1] == expected[1]
            np.testing.assert_array_equal(state()[0], before[0])


@each_backend
@pytest.mark.parametrize("n", [6, 100])
def test_an_index_that_grows_in_a_loop(n, backend):
    def run():
        w, i, done = Tensor(np.arange(float(n))), Tensor(np.array([0])), Tensor(np.zeros(()))

        def step():
            y = w.data[i.data]
            i.data = i.data + 1
            done.data = done.data + y.sum()
            return y

        return step, i, done

    step, i, done = run()
    compiled = jit(step, backend=backend)
    np.testing.assert_array_equal(compiled.loop(n - 1)[:, 0], np.arange(n - 1.0))
    with pytest.raises(IndexError, match=f"index {n} .* size {n}"):
        compiled.loop(20)
    assert i.data[0] == n
    assert done.data == np.arange(n).sum()


@each_backend
@pytest.mark.parametrize("n", [4, 100])
def test_an_index_in_a_scan(n, backend):
    w = Tensor(np.arange(float(n)), requires_grad=True)
    total = Tensor(np.zeros(()))

    def step(i):
        y = w.data[i]
        total.data = total.data + y.sum()
        return y

    compiled = jit(step, backend=backend)
    i = np.arange(n).reshape(n, 1)
    np.testing.assert_array_equal(compiled.scan(i)[:, 0], np.arange(float(n)))
    before = total.data + w.data[:2].sum()
    i[2] = n
    with pytest.raises(IndexError):
        compiled.scan(i)
    assert total.data == before


@each_backend
@pytest.mark.parametrize("n", [4, 100])
def test_an_index_array_that_is_written_into_between_calls(n, backend):
    w, index = Tensor(np.arange(float(n))), np.arange(n)

    def step(x):
        return w.data[index] + x

    compiled = jit(step, backend=backend)
    for _ in range(3):
        np.testing.assert_array_equal(compiled(1.0), step(1.0))
    for bad in (2**30, -(2**40)):
        index[0] = bad
        with pytest.raises(IndexError, match=str(bad)):
            compiled(1.0)
        index[0] = 1
        np.testing.assert_array_equal(compiled(1.0), step(1.0))
