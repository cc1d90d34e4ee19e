"""Every way to call a compiled step: what it leaves is what the eager step leaves, or an error."""

import os
import pickle
import signal
import sys
import threading
import warnings

import numpy as np
import pytest
from steps import each_backend

import tinygrad_slp as tg
from tinygrad_slp import Tensor, jit
from tinygrad_slp.jit import TraceError, buffers, compiled, state, trace, variant

X = np.array([1.0, 2.0])


@each_backend
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_a_loop_leaves_what_so_many_steps_leave(n, backend):
    """Also in a Tensor that the step writes and never reads, and in its gradient."""
    w, v = Tensor([5.0, 6.0], requires_grad=True), Tensor([0.0, 0.0])

    def step(x):
        np.sum(w * x).backward()
        v.data = x * 2
        return 3.0

    program = jit(step, backend=backend)
    for x in (X, X + 1, X + 2):
        v.data, w.grad = X - 7, None
        assert program.loop(n, x).tolist() == [3.0] * n
        np.testing.assert_array_equal(v.data, x * 2 if n else X - 7)
        assert (w.grad is None) == (n == 0)
        if n:
            np.testing.assert_array_equal(w.grad.data, n * x)


@pytest.mark.parametrize("n", [2.5, "3", True, None])
def test_a_number_of_steps_that_is_none_is_refused_before_any(n):
    calls = []
    with pytest.raises(TypeError, match=str(n)):
        jit(lambda x: calls.append(x)).loop(n, X)
    assert not calls


@each_backend
def test_a_step_may_have_an_argument_n(backend):
    step = jit(lambda x, n: x * n, backend=backend)
    np.testing.assert_array_equal(step.loop(3, x=X, n=2), [2 * X] * 3)


@each_backend
@pytest.mark.parametrize("derive", [tg.grad, tg.hessian, tg.jacobian])
def test_a_compiled_function_may_be_differentiated(derive, backend):
    f = lambda x: np.sum(np.sin(x) * x)
    step = jit(f, backend=backend)
    for _ in range(3):
        np.testing.assert_array_equal(derive(step)(X), derive(f)(X))
        step(X)


class Owner:
    def __init__(self):
        self.table = np.zeros(5000)
        self.history = []

    @jit
    def step(self, x):
        return x * 2


def test_fields_that_a_method_never_names_cost_nothing():
    owner = Owner()
    for k in range(6):
        np.testing.assert_array_equal(owner.step(X), 2 * X)
        owner.history.append(k)
    assert owner.step.traces == 1


@each_backend
@pytest.mark.parametrize(
    "use",
    [lambda n: {2.0: 5.0}.get(n, 1.0), lambda n: {n}, lambda n: f"{n}", lambda n: f"{n:.2f}"],
)
def test_a_number_that_may_change_is_no_key_and_no_text(use, backend):
    step = lambda x, n: x * len(str(use(n)))
    with pytest.raises(TraceError, match=r"static_argnames|return it"):
        jit(step, backend=backend)(X, 2.0)
    static = jit(step, backend=backend, static_argnames="n")
    np.testing.assert_array_equal(static(X, 2.0), step(X, 2.0))


@jit
def doubled(x):
    return x * 2


def test_a_decorated_function_of_a_module_can_be_pickled():
    assert pickle.loads(pickle.dumps(doubled)) is doubled


@each_backend
def test_data_that_two_steps_share_is_copied_by_neither(backend):
    data = Tensor(np.arange(6.0))
    steps = [jit(lambda w, k=k: (data * w).sum() + k, backend=backend) for k in range(2)]
    for k in range(4):
        data.data = np.arange(6.0) + k
        array = data.array
        for n, step in enumerate(steps):
            assert step(np.float64(2.0)).item() == 2 * (15 + 6 * k) + n
        assert data.array is array


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_goes_on_with_a_step_that_another_thread_was_in():
    w = Tensor([0.0])

    def step(x):
        w.data = w.array + x
        return w.array.sum()

    program = jit(step, backend="numpy")
    program(1.0)
    stop = threading.Event()

    def run():
        while not stop.is_set():
            program.loop(1000, 1.0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads: Python's, and JAX's where it is loaded
            child = os.fork()
        if not child:
            signal.alarm(60)
            fine = False
            try:
                program(1.0)
                before = w.item()
                fine = program(1.0) == before + 1 == w.item()
            finally:
                os._exit(0 if fine else 1)
    finally:
        stop.set()
        thread.join()
    assert os.waitpid(child, 0)[1] == 0


@each_backend
def test_ctrl_c_anywhere_leaves_a_step_that_can_be_called(backend):
    """An interrupt is raised at each line of the front in turn, while a step is made and run."""
    files = {module.__file__ for module in (buffers, compiled, state, trace, variant)}
    for place in range(0, 4000, 37):
        w = Tensor([1.0], requires_grad=True)

        def body(x, w=w):
            (w * x).sum().backward()
            w.data = w.array - w.grad.array
            w.grad = None
            return x

        step, seen = jit(body, backend=backend), 0

        def local(frame, event, arg, place=place):
            nonlocal seen
            seen += 1
            if seen == place:
                raise KeyboardInterrupt
            return local

        def interrupt(frame, event, arg, local=local):
            return local if frame.f_code.co_filename in files else None

        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            for _ in range(3):
                step(2.0)
            ended = True
        except KeyboardInterrupt:
            ended = False
        finally:
            sys.settrace(before)
        assert not {"array", "grad"} & set(vars(Tensor))
        value = w.item()
        w.grad = None
        for k in range(1, 4):
            step(2.0)
            assert w.item() == value - 2 * k
        if ended:
            break
