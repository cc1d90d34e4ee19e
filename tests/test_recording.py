"""What is recorded and what is not: no_grad, in functions, coroutines, tasks and threads."""

import asyncio
import threading

import numpy as np
import pytest
from test_footguns import leaf

from tinygrad_slp import Tensor, grad, no_grad


def test_no_grad_as_context_manager_and_decorator():
    x = leaf(1.0)

    @no_grad()
    def forward():
        return x * 2

    with no_grad():
        with no_grad():
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert not forward().requires_grad
    assert (x * 2).requires_grad


def test_one_no_grad_may_be_entered_again_and_by_several_threads():
    x, quiet = leaf(1.0), no_grad()
    with quiet:
        with quiet:
            thread = threading.Thread(target=quiet.__enter__)
            thread.start()
            thread.join()
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_decorates_coroutines_and_refuses_generators():
    x = leaf(1.0)

    @no_grad()
    async def forward():
        await asyncio.sleep(0)
        return x * 2

    async def asynchronous():
        yield x * 2

    assert not asyncio.run(forward()).requires_grad
    for generator in (lambda: (yield x * 2), asynchronous):
        with pytest.raises(TypeError, match="generator"):
            no_grad()(generator)
    with pytest.raises(TypeError, match=r"@no_grad\(\)"):
        no_grad(lambda: x * 2)


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (leaf(1.0) * 2).requires_grad


def test_no_grad_is_of_one_thread():
    x, seen = leaf(1.0), []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_no_grad_is_of_one_task():
    x = leaf(1.0)

    async def quiet():
        with no_grad():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return (x * 2).requires_grad

    async def loud():
        await asyncio.sleep(0)
        return (x * 2).requires_grad

    async def both():
        return await asyncio.gather(quiet(), loud())

    assert asyncio.run(both()) == [False, True]


def test_threads_that_share_a_graph_of_parameters():
    w = Tensor(np.arange(3.0), requires_grad=True)
    found = []

    def work():
        for k in range(50):
            found.append((k, grad(lambda v, k=k: np.sum(w * v * v) * k)(np.ones(3)).data))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, g in found:
        np.testing.assert_array_equal(g, 2 * k * np.arange(3.0))
    assert w.grad is None
