"""Compiled steps run in threads at once, make no arrays, and leave nothing behind."""

import gc
import sys
import threading
import tracemalloc
import weakref
from contextlib import suppress

import numpy as np
from steps import (
    A,
    B,
    Training,
    X,
    batch,
    each_backend,
    linear,
    network,
    perceptron,
    same,
    training,
)

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, tutorial
from tinygrad_slp.jit import TraceError, jit

# --- threads ---


def in_threads(n, work):
    """Runs work(k) in n threads at once; raises what one of them raised."""
    failures = []

    def run(k):
        try:
            work(k)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@each_backend
def test_threads_with_a_model_each(backend):
    x, y = batch()
    eager = network(momentum=0.9)
    expected = [eager.step(x, y) for _ in range(30)]

    def work(k):
        training = network(momentum=0.9)
        step = jit(training.step, backend=backend) if k % 3 else training.step
        found = [step(x, y) for _ in range(30)]
        same(found, expected, backend)
        same(training.state, eager.state, backend)

    in_threads(6, work)


@each_backend
def test_threads_that_share_a_step(backend):
    step = jit(lambda x: (np.exp(x) * 2, x.sum()), backend=backend)

    def work(k):
        for i in range(50):
            x = np.full(2 + k % 2, 0.01 * (i + k))
            same(step(x), (np.exp(x) * 2, x.sum()), backend, 1e-12)

    in_threads(4, work)


@each_backend
def test_threads_that_train_one_model_do_every_step(backend):
    training = perceptron()
    step = jit(training.step, backend=backend)
    eager = perceptron()
    for _ in range(100):
        eager.step(tutorial.X, tutorial.Y)
    in_threads(4, lambda k: [step(tutorial.X, tutorial.Y) for _ in range(25)])
    same(training.state, eager.state, backend)


# --- memory ---


def peak(run):
    """The most bytes that were allocated at once while this ran, beyond those before.

    The least of three: threads that wake at times, as that of tqdm, allocate some too.
    """
    run()
    gc.collect()
    found = []
    for _ in range(3):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        run()
        found.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
    return min(found)


@each_backend
def test_a_replayed_step_makes_no_arrays(backend):
    training = Training(
        nn.Sequential(nn.Linear(5, 300), nn.ReLU(), nn.Linear(300, 3)), momentum=0.9
    )
    step, (x, y) = jit(training.step, backend=backend), batch(n=50)

    def run():
        for _ in range(100):
            step(x, y)

    step.loop(5, x, y)
    # A layer's activations are 120,000 bytes; NumPy casts 8192 numbers at a time, in 65,536.
    most = 90_000 if backend == "numpy" else 20_000
    assert peak(run) < most
    assert peak(lambda: step.loop(100, x, y)) < most


@each_backend
def test_steps_leave_nothing_behind(backend):
    training = perceptron(momentum=0.9)
    step = jit(training.step, backend=backend)
    step.loop(5, tutorial.X, tutorial.Y)

    def run(n):
        for _ in range(n):
            step(tutorial.X, tutorial.Y)

    few = peak(lambda: run(100))
    assert peak(lambda: run(2000)) < few + 1000


# --- what stays behind ---


def uses(backend):
    """One of each: what may leave garbage behind."""
    model, _, step = training(linear(), nn.Tanh(), linear(1), momentum=0.9)
    compiled = jit(step, backend=backend)
    for _ in range(30):
        compiled(A, B)
    compiled.loop(3, A, B)
    compiled.scan(np.stack([A, A]), np.stack([B, B]))
    compiled(A[:2], B[:2])
    str(compiled.program)
    pure = jit(tg.grad(lambda x: np.sum(np.sin(x))), backend=backend)
    for _ in range(3):
        pure(Tensor(X))
    with suppress(TraceError):
        jit(lambda x: float(x.sum()), backend=backend)(X)
    return model


@each_backend
def test_no_use_leaves_reference_cycles(backend):
    uses(backend)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        uses(backend)
        gc.collect()
        # llvmlite's pointers to its modules refer to themselves, by way of a dict.
        theirs = "llvmlite", "LP_LLVM"  # as pointers show, from Python 3.14 on
        foreign = [x for x in gc.garbage if any(name in repr(x) for name in theirs)]
        assert [x for x in gc.garbage if not any(x is y for y in foreign)] == []
        assert len(foreign) < 20
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@each_backend
def test_a_dropped_model_and_its_step_are_freed(backend):
    model, optimizer, step = training(linear())
    compiled = jit(step, backend=backend)
    for _ in range(4):
        compiled(A, B)
    seen = [weakref.ref(x) for x in (model, model.layers[0].weight, compiled)]
    del model, optimizer, step, compiled
    gc.collect()
    assert [x() for x in seen] == [None] * 3


@each_backend
def test_a_first_step_that_is_traced_but_never_replayed_keeps_no_values(backend):
    def held(momentum):
        x, y = np.ones((100, 4)), np.ones((100, 1))
        model = nn.Sequential(nn.Linear(4, 2000, rng=0), nn.Tanh(), nn.Linear(2000, 1, rng=0))
        training = Training(model, momentum=momentum)
        step = jit(training.step, backend=backend)
        tracemalloc.start()
        for _ in range(3):
            step(x, y)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size, step.traces

    held(0)  # what is kept for good
    (one, once), (two, twice) = held(0), held(0.9)
    assert (once, twice) == (1, 2)
    activations = 100 * 2000 * 8
    assert two < one + activations / 2


@each_backend
def test_big_arguments_are_not_kept(backend):
    step = jit(lambda x: x.sum(), backend=backend)
    x = np.ones(1000)
    for _ in range(3):
        step(x)
    before = sys.getrefcount(x)
    step(np.zeros(1000))
    assert sys.getrefcount(x) <= before
