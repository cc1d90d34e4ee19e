"""Errors in a compiled step are those of eager code, and change nothing; warnings stop nothing."""

import numpy as np
import pytest
from steps import A, B, X, each_backend, equal_states, linear, training

from tinygrad_slp import nn, optim
from tinygrad_slp.jit import TraceError, jit


@each_backend
def test_an_exception_while_tracing_leaves_everything_as_it_was(backend):
    model, optimizer, step = training(linear())
    fail = [True]

    def failing(x, y):
        loss = step(x, y)
        if fail[0]:
            raise ZeroDivisionError
        return loss

    compiled = jit(failing, backend=backend)
    with pytest.raises(ZeroDivisionError):
        compiled(A, B)
    type_of_array = type(model.layers[0].weight.array)
    assert type_of_array is np.ndarray
    assert all(type(p.data) is np.ndarray for p in model.parameters())
    y = model(A)
    y.sum().backward()
    fail[0] = False
    other, _, reference = training(linear())
    other.load_state_dict(model.state_dict())
    for _ in range(4):
        np.testing.assert_allclose(compiled(A, B).data, reference(A, B).data, rtol=1e-12)
    equal_states(model, other)
    assert optimizer.lr == 0.1


@each_backend
def test_a_refusal_while_tracing_leaves_plain_arrays(backend):
    model, _, step = training(linear())

    def asking(x, y):
        loss = step(x, y)
        return float(loss)

    compiled = jit(asking, backend=backend)
    for _ in range(3):
        with pytest.raises(TraceError):
            compiled(A, B)
    assert all(type(p.array) is np.ndarray for p in model.parameters())
    assert all(p.grad is None or type(p.grad.array) is np.ndarray for p in model.parameters())
    step(A, B)


@each_backend
def test_a_class_out_of_range_is_the_error_of_eager_and_changes_nothing(backend):
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, t):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled, t = jit(step, backend=backend), np.array([0, 1, 1])
    for _ in range(3):
        compiled(A, t)
    before, momentum = model.state_dict(), optimizer.state_dict()
    for wrong in (np.array([0, 2, 1]), np.array([0, -1, 1])):
        with pytest.raises(ValueError, match="there are 2 classes") as eager:
            nn.cross_entropy(model(A), wrong)
        for run in (compiled, lambda x, t: compiled.loop(3, x, t)):
            with pytest.raises(ValueError, match="there are 2 classes") as found:
                run(A, wrong)
            assert str(found.value) == str(eager.value)
        with pytest.raises(ValueError, match="there are 2 classes"):
            compiled.scan(np.stack([A, A]), np.stack([wrong, wrong]))
    for name, x in model.state_dict().items():
        np.testing.assert_array_equal(x, before[name])
    assert str(optimizer.state_dict()) == str(momentum)
    assert np.isfinite(compiled(A, t).item())


@each_backend
def test_probabilities_out_of_range_are_an_error_in_a_later_call(backend):
    def step(p, t):
        return nn.binary_cross_entropy(p, t)

    compiled, t = jit(step, backend=backend), np.array([0.0, 1.0])
    for _ in range(3):
        np.testing.assert_allclose(compiled(np.array([0.2, 0.9]), t), step(np.array([0.2, 0.9]), t))
    with pytest.raises(ValueError, match="probabilities"):
        compiled(np.array([0.2, 1.9]), t)
    with pytest.raises(ValueError, match="−1 and 1"):
        hinge = jit(nn.hinge_loss, backend=backend)
        for _ in range(3):
            hinge(X, np.array([1.0, -1.0]))
        hinge(X, np.array([1.0, 0.0]))


@each_backend
def test_an_index_out_of_range_in_a_later_call_is_an_error(backend):
    step = jit(lambda x, i: x[i], backend=backend)
    x = np.arange(4.0)
    for i in ([0, 3], [1, 1], [-1, 2]):
        np.testing.assert_array_equal(step(x, np.array(i)), x[i])
    with pytest.raises(IndexError):
        step(x, np.array([0, 4]))
    with pytest.raises(IndexError):
        step(x, np.array([0, -5]))
    np.testing.assert_array_equal(step(x, np.array([-4, -1])), [0, 3])


@each_backend
def test_warnings_of_numpy_do_not_stop_a_replay(backend):
    step = jit(lambda x: np.log(x), backend=backend)
    with np.errstate(all="ignore"):
        for _ in range(3):
            step(np.zeros(2))
    np.testing.assert_array_equal(step(np.zeros(2)), [-np.inf, -np.inf])
