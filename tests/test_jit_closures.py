"""What a step closes over may change: a compiled step sees it, or refuses; it is never stale."""

import threading
import time

import numpy as np
import pytest
from steps import X, each_backend, never_stale

from tinygrad_slp import Tensor
from tinygrad_slp.jit import TraceError, jit

USES = {
    "with a tensor": lambda x, array: (Tensor(x) * array).detach(),
    "alone": lambda x, array: x * array,
    "through NumPy": lambda x, array: x * np.sqrt(array),
    "as a condition": lambda x, array: np.where(array > 1, x, -x),
    "as an index": lambda x, array: x[array.astype(int) % 2],
}


@each_backend
@pytest.mark.parametrize("n", [2, 3000], ids=["small", "large"])
@pytest.mark.parametrize("use", USES)
def test_an_array_changed_in_place_is_seen_or_refused(use, n, backend):
    array, x = np.ones(n), np.arange(float(n))

    def step(x):
        return USES[use](x, array)

    def plain(f):
        return lambda x: getattr(f(x), "array", f(x))

    def change():
        array[0] += 1

    compiled = jit(step, backend=backend)
    try:
        compiled(x)
    except TraceError as refused:
        assert "array" in str(refused)
        assert "argument" in str(refused)
    else:
        assert never_stale(plain(compiled), plain(step), change, x) == "seen"


def appending_a_number():
    history = []

    def step(x):
        history.append(3.0)
        return x * len(history)

    return step


def appending_a_value():
    history = []

    def step(x):
        history.append(x.sum())
        return x * 2

    return step


class Counting:
    def __init__(self):
        self.calls = 0

    def step(self, x):
        self.calls += 1
        return x * self.calls


def counting():
    n = 0

    def step(x):
        nonlocal n
        n += 1
        return x * n

    return step


@each_backend
@pytest.mark.parametrize(("make", "name"), [
    (appending_a_number, "history"), (appending_a_value, "history"),
    (lambda: Counting().step, "calls"), (counting, "n "),
])  # fmt: skip
def test_a_step_that_changes_what_it_reads_each_time_is_an_error(make, name, backend):
    compiled = jit(make(), backend=backend)
    with pytest.raises(TraceError, match=name):
        for _ in range(4):
            compiled(X)


@each_backend
def test_a_kept_value_used_after_the_step_is_an_error(backend):
    kept = {}

    def step(x):
        kept["y"] = x * 2
        return x

    compiled = jit(step, backend=backend)
    compiled(X)
    with pytest.raises(TraceError, match="return values from the step"):
        np.exp(kept["y"])
    with pytest.raises(TraceError):
        kept["y"].item()


@each_backend
def test_a_set_is_seen(backend):
    flags = set()

    def change():
        flags.symmetric_difference_update({"negative"})

    step = lambda x: -x if "negative" in flags else x
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_retrace_sees_what_no_name_leads_to(backend):
    rates = {"a": 1.0}
    find = lambda: rates["a"]
    hidden = threading.local()
    hidden.find = find
    step = jit(lambda x: x * hidden.find(), backend=backend)
    assert [float(step(np.float64(2.0))) for _ in range(3)] == [2.0] * 3
    rates["a"] = 3.0
    step.retrace()
    assert [float(step(np.float64(2.0))) for _ in range(3)] == [6.0] * 3


@each_backend
def test_a_tensor_that_a_thread_of_the_step_reads_is_refused(backend):
    w, u = Tensor(2.0), Tensor(3.0)

    def step(x):
        found = []
        thread = threading.Thread(target=lambda: found.append(float(w.data)))
        thread.start()
        thread.join()
        return x * found[0] * u

    with pytest.raises(TraceError, match=r"thread that reads .*w,"):
        jit(step, backend=backend)(2.0)


@each_backend
def test_what_other_threads_read_meanwhile_is_no_matter(backend):
    w, began, ends = Tensor(2.0), threading.Event(), threading.Event()

    def read():
        while not ends.is_set():
            began.set()
            float(w.data)

    def step(x):
        time.sleep(1e-3)
        return x * w

    thread = threading.Thread(target=read)
    thread.start()
    began.wait()
    try:
        assert float(jit(step, backend=backend)(2.0)) == 4.0
    finally:
        ends.set()
        thread.join()
