"""Native code with calls of NumPy in between: what has no native code stops nothing else."""

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, differentiable, jit, nn, optim
from tinygrad_slp.jit import TraceError

pytest.importorskip("llvmlite", reason="native code needs llvmlite")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3, 3))
BEFORE = RNG.standard_normal((3, 3))


def inverse(h):
    return rule_of_users[0](h)


rule_of_users = []


@pytest.fixture(autouse=True)
def a_rule_of_users(table):
    """A function of the user's whose NumPy has no native code, and may fail."""

    @differentiable(lambda g, y, x: -y.T @ g @ y.T, domain=(-2, 2))
    def inverted(x):
        return np.linalg.inv(x)

    rule_of_users[:] = [inverted]


def sorted_rows(h):
    return np.sort(h, axis=1)


def running(h):
    return np.cumsum(h, axis=0)


def stack_of_matrices(h):
    return (np.stack([h, h]) @ np.stack([h, 2 * h])).sum(axis=0)


def parts(h):
    return np.concatenate([h[1:], h[:1]]) * h


OPERATIONS = {
    inverse: "inv", sorted_rows: "np.argsort", running: "np.cumsum",
    stack_of_matrices: "np.matmul", parts: "np.concatenate",
}  # fmt: skip
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def training(operation, backend):
    """A step of Adam with native code before and after the operation, and the parameter."""
    w = Tensor(BEFORE.copy(), requires_grad=True)
    optimizer = optim.Adam([w], lr=0.01)

    def step(x):
        optimizer.zero_grad()
        loss = np.mean(np.tanh(operation(np.tanh(x @ w)) - 0.5) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    return w, optimizer, jit(step, backend=backend) if backend else step


def states_of(w, optimizer):
    leaves, _ = tg.tree.flatten(optimizer.state_dict())
    return [w.data, *(np.asarray(x) for x in leaves if isinstance(x, np.ndarray | Tensor))]


def close(x, y):
    np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


@every_operation
def test_a_step_a_loop_and_a_scan_are_what_eager_steps_are(operation):
    (w, _, step), (v, _, eager) = training(operation, "llvm"), training(operation, None)
    for x in X[:3]:
        close(step(x).data, eager(x).data)
    close(step.loop(4, X[0]).data, [eager(X[0]).data for _ in range(4)])
    close(step.scan(X).data, [eager(x).data for x in X])
    close(w.data, v.data)
    program = str(step.program)
    assert "native code by LLVM" in program
    assert OPERATIONS[operation] in program.splitlines()[0].partition("by NumPy, in between:")[2]


@every_operation
def test_results_of_steps_are_the_caller_s_own(operation):
    w, _, step = training(operation, "llvm")
    for x in X[:3]:
        step(x)
    results = [step(x) for x in X]
    copies = [x.data.copy() for x in results]
    step.scan(X)
    close([x.data for x in results], copies)
    assert w.data is not None


def test_an_error_in_between_leaves_everything_as_it_was():
    (w, optimizer, step), (v, _, eager) = training(inverse, "llvm"), training(inverse, None)
    for x in X[:3]:
        step(x)
        eager(x)
    before = [x.copy() for x in states_of(w, optimizer)]
    nothing = np.zeros((3, 3, 3))  # which has no inverse
    for call in (
        lambda: step(nothing[0]),
        lambda: step.loop(3, nothing[0]),
        lambda: step.scan(nothing),
    ):
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            call()
        for x, y in zip(states_of(w, optimizer), before, strict=True):
            np.testing.assert_array_equal(x, y)
    close(step(X[3]).data, eager(X[3]).data)
    close(w.data, v.data)


def test_an_error_after_steps_of_a_scan_leaves_those_done():
    (w, _, step), (v, _, eager) = training(inverse, "llvm"), training(inverse, None)
    for x in X[:3]:
        step(x)
        eager(x)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        step.scan(np.stack([X[3], X[4], 0 * X[5], X[5]]))
    for x in X[3:5]:
        eager(x)
    close(w.data, v.data)


def test_a_check_by_a_function_is_asked_in_between():
    """Targets of the hinge loss that the step computes itself: they have to be ±1."""
    w = Tensor(RNG.standard_normal((4, 1)), requires_grad=True)

    @jit(backend="llvm")
    def step(x, t):
        loss = nn.hinge_loss(np.tanh(x @ w), np.where(t > 0, 1, -1) * np.where(t > 9, 2, 1))
        w.grad = None
        loss.backward()
        w.data = w.data - 0.1 * w.grad.data
        return loss

    x, t = RNG.standard_normal((5, 5, 4)), RNG.standard_normal((5, 5, 1))
    for _ in range(3):
        step(x[0], t[0])
    program = str(step.program)
    assert "native code by LLVM" in program
    assert "by NumPy, in between: checks" in program
    before = w.data.copy()
    for call in (lambda t: step(x[0], t), lambda t: step.loop(3, x[0], t)):
        with pytest.raises(ValueError, match="1"):
            call(10 + t[0])
        np.testing.assert_array_equal(w.data, before)
    t[3] += 10
    expected = w.data.copy()
    with pytest.raises(ValueError, match="1"):
        step.scan(x, t)
    after = w.data.copy()
    w.data = expected
    step.scan(x[:3], t[:3])
    close(w.data, after)


def test_an_index_out_of_range_between_calls_is_the_error_it_was():
    table = Tensor(RNG.standard_normal((5, 2)), requires_grad=True)

    @jit(backend="llvm")
    def step(i):
        y = np.cumsum(table[i * 2], axis=0)
        table.data = table.data * 0.5
        return np.exp(y).data.sum()

    for _ in range(3):
        step(np.array([0, 1]))
    assert "by NumPy, in between: np.cumsum" in str(step.program)
    before = table.data.copy()
    with pytest.raises(IndexError):
        step(np.array([0, 3]))
    np.testing.assert_array_equal(table.data, before)


def test_numbers_of_python_and_other_dtypes_go_through():
    @jit(backend="llvm")
    def step(x, n, k):
        c = np.exp(x).astype(np.float16)
        z = np.exp(x) + 1j * x
        return np.tanh(x) * (n // k), c * 2, np.absolute(z) + x, (n % k) ** 2

    x = RNG.standard_normal(100)
    for n in (7, 8, 11):
        found, expected = step(x, n, 3), step.step(x, n, 3)
        for y, z in zip(found, expected, strict=True):
            assert np.asarray(y).dtype == np.asarray(z).dtype
            np.testing.assert_allclose(y, z, rtol=1e-12)
    assert "in between" in str(step.program)
    with pytest.raises(ZeroDivisionError):
        step(x, 7, 0)


def test_what_numpy_s_blas_multiplies_stands_between_native_parts():
    w = Tensor(RNG.standard_normal((1200, 900)) / 30, requires_grad=True)

    @jit(backend="llvm")
    def step(x):
        w.grad = None
        loss = np.mean(np.tanh(x @ w) ** 2)
        loss.backward()
        w.data = 0.5 * w.data - 0.1 * w.grad.data
        return loss

    x = RNG.standard_normal((4, 1200))
    v = w.data.copy()
    for _ in range(3):
        step(x)
        y = np.tanh(x @ v)
        v = 0.5 * v - 0.1 * (x.T @ (2 * y * (1 - y * y) / y.size))
    assert "by NumPy, in between: np.matmul" in str(step.program).replace("np.dot", "np.matmul")
    close(w.data, v)


def test_a_step_that_numpy_alone_computes_is_replayed():
    step = jit(lambda x: np.cumsum(np.sort(x)), backend="llvm")
    for _ in range(2):
        np.testing.assert_array_equal(step(X[0, 0]), np.cumsum(np.sort(X[0, 0])))


def test_the_shape_of_what_a_function_returns_may_not_change():
    @jit(backend="llvm")
    def step(x, n):
        return np.exp(np.bincount(n, weights=np.exp(x)))

    for _ in range(2):
        step(np.ones(3), np.array([0, 1, 2]))
    with pytest.raises(TraceError, match="shape"):
        step(np.ones(3), np.array([0, 1, 5]))
