"""Every optimizer takes the same steps under jit: to the bit with NumPy, to rounding natively."""

import numpy as np
import pytest
from steps import each_backend
from test_optim import CASES

from tinygrad_slp import Tensor, optim
from tinygrad_slp.jit import jit

X = np.random.default_rng(0).normal(size=(8, 3))
Y = np.random.default_rng(1).normal(size=(8, 2))
STEPS = 20


def trajectory(make, backend, clip=None, plan=None, dtype=np.float64):
    """All parameters after each step of a small model; its learning rates change between steps."""
    rng = np.random.default_rng(2)
    W, b = (Tensor(rng.normal(size=s), requires_grad=True, dtype=dtype) for s in ((3, 2), 2))
    x, y = Tensor(X, dtype=dtype), Tensor(Y, dtype=dtype)
    optimizer = make([W, b])
    schedule = (plan or (lambda o: optim.ExponentialLR(o, 0.9)))(optimizer)

    def step():
        optimizer.zero_grad()
        loss = ((np.tanh(x @ W + b) - y) ** 2).mean()
        loss.backward()
        norm = clip([W, b]) if clip else None
        optimizer.step()
        return loss, norm

    run = step if backend is None else jit(step, backend=backend)
    found = []
    for _ in range(STEPS):
        loss, norm = run()
        schedule.step()
        found.append(np.concatenate([W.data.ravel(), b.data, [loss.item(), norm or 0]]))
    if backend is not None:
        assert run.traces <= 2  # one more if the first step makes state
    assert W.dtype == b.dtype == dtype
    return np.array(found)


def agree(backend, *args, **settings):
    eager, compiled = trajectory(*args, None, **settings), trajectory(*args, backend, **settings)
    if backend == "numpy":
        np.testing.assert_array_equal(compiled, eager)
    else:
        eps = 1e-12 if settings.get("dtype", np.float64) == np.float64 else 1e-4
        np.testing.assert_allclose(compiled, eager, rtol=eps, atol=eps / 100)


@each_backend
@pytest.mark.parametrize(("make", "options"), CASES)
def test_compiled_steps_are_the_eager_ones(make, options, backend):
    agree(backend, lambda params: make(params, **options))


@each_backend
@pytest.mark.parametrize(("make", "options"), CASES)
def test_compiled_steps_are_the_eager_ones_in_float32(make, options, backend):
    agree(backend, lambda params: make(params, **options), dtype=np.float32)


@each_backend
def test_gradients_set_to_zero_give_the_same_steps(backend):
    def run(set_to_none):
        w = Tensor([1.0, -2.0], requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

        def step():
            optimizer.zero_grad(set_to_none)
            (w * w).sum().backward()
            optimizer.step()

        compiled = jit(step, backend=backend)
        for _ in range(6):
            compiled()
        return w.data

    np.testing.assert_allclose(run(False), run(True), rtol=1e-15)


@each_backend
@pytest.mark.parametrize("norm_type", [1, 2, 3, float("inf")])
def test_clipping_by_norm(norm_type, backend):
    def clip(params):
        return optim.clip_grad_norm_(params, 0.1, norm_type)

    agree(backend, lambda params: optim.SGD(params, lr=0.3), clip=clip)


@each_backend
def test_clipping_by_value(backend):
    def clip(params):
        return optim.clip_grad_value_(params, 0.03)

    agree(backend, lambda params: optim.Adam(params, lr=0.3), clip=clip)


@each_backend
def test_a_warm_up_between_steps(backend):
    def plan(optimizer):
        parts = optim.LinearLR(optimizer), optim.CosineAnnealingLR(optimizer, 15)
        return optim.SequentialLR(optimizer, parts, [5])

    agree(backend, lambda params: optim.AdamW(params, lr=0.1), plan=plan)


@each_backend
def test_groups_and_settings_that_change(backend):
    def run(compiled):
        a, b = (Tensor([1.0, -3.0], requires_grad=True) for _ in range(2))
        optimizer = optim.Adam([{"params": [a], "lr": 0.1}, {"params": [b]}], lr=0.01)

        def step():
            optimizer.zero_grad()
            ((a**2).sum() + (b**2).sum()).backward()
            optimizer.step()

        call = jit(step, backend=backend) if compiled else step
        found = []
        for k in range(STEPS):
            if k == 10:
                optimizer.param_groups[1]["weight_decay"] = 0.1
            call()
            found.append([*a.data, *b.data, *optimizer.state_dict()["state"][1]["exp_avg"]])
        assert optimizer.state_dict()["state"][0]["step"] == STEPS
        return np.array(found)

    np.testing.assert_allclose(run(True), run(False), rtol=0 if backend == "numpy" else 1e-12)


@each_backend
def test_a_rate_that_the_step_itself_lowers(backend):
    def run(compiled):
        w = Tensor([1.0, -3.0], requires_grad=True)
        optimizer = optim.Adam([w], lr=0.1)

        def step():
            optimizer.zero_grad()
            (w**2).sum().backward()
            optimizer.step()
            optimizer.lr = optimizer.lr * 0.9

        call = jit(step, backend=backend) if compiled else step
        for _ in range(STEPS):
            call()
        return [*w.data, optimizer.lr]

    np.testing.assert_allclose(run(True), run(False), rtol=0 if backend == "numpy" else 1e-12)
    assert run(True)[-1] == pytest.approx(0.1 * 0.9**STEPS)


@each_backend
@pytest.mark.parametrize("make", [optim.Adam, optim.NAdam, optim.Adagrad, optim.Lion])
def test_a_parameter_that_comes_late(make, backend):
    """One that has no gradient until the step asks for it is as without jit, too."""

    def run(compiled):
        a, b = (Tensor([1.0, -3.0], requires_grad=True) for _ in range(2))
        optimizer = make([a, b], lr=0.1)

        def step(both):
            optimizer.zero_grad()
            loss = (a**2).sum() + (b**2).sum() if both else (a**2).sum()
            loss.backward()
            optimizer.step()

        call = jit(step, static_argnames="both", backend=backend) if compiled else step
        for k in range(STEPS):
            call(k >= 5 and k % 7 != 0)
        return [*a.data, *b.data]

    np.testing.assert_allclose(run(True), run(False), rtol=0 if backend == "numpy" else 1e-12)
