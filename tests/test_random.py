"""Random numbers: the generator that is meant, even, independent, and the same bits under jit."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp.jit import jit
from tinygrad_slp.random import Stream

N = 100_000


def draw(seed, dtype=np.float64):
    return Stream(seed).uniform((N,), dtype)


def test_the_numbers_are_those_of_splitmix64():
    stream = Stream()
    stream.state.data = [1234567]
    expected = [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip
    first, rest = stream.bits(2), stream.bits(3)
    assert [*first.tolist(), *rest.tolist()] == expected


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_uniform_is_in_range_and_uses_all_bits_of_the_dtype(dtype):
    u = draw(0, dtype)
    assert u.dtype == dtype
    assert 0 <= u.min() < u.max() < 1
    steps = np.ldexp(u, np.finfo(dtype).nmant + 1)
    np.testing.assert_array_equal(steps, np.floor(steps))
    assert np.any(steps % 2 == 1)


def test_a_long_double_of_113_bits_as_on_arm_takes_the_64_there_are(monkeypatch):
    expected = draw(0, np.longdouble)
    monkeypatch.setattr(np, "finfo", lambda dtype: SimpleNamespace(nmant=112))
    u = draw(0, np.longdouble)
    assert 0 <= u.min() < 0.001 < 0.999 < u.max() < 1
    np.testing.assert_allclose(u.astype(float), expected.astype(float), rtol=0, atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_distribution_is_even(dtype, seed):
    """Kolmogorov and Smirnov's distance and χ², each with a chance of 1 in 10⁶ to fail."""
    u = np.sort(draw(seed, dtype).astype(float))
    ranks = np.arange(N + 1) / N
    distance = max(np.max(ranks[1:] - u), np.max(u - ranks[:-1]))
    assert distance < math.sqrt(math.log(2e6) / (2 * N))
    cells = 256
    counts = np.bincount((u * cells).astype(int), minlength=cells)
    squares = np.sum((counts - N / cells) ** 2) / (N / cells)
    assert abs(squares - cells) < 5 * math.sqrt(2 * cells)


def correlation(a, b):
    """In standard deviations of that of independent numbers."""
    return abs(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a))


@pytest.mark.parametrize("lag", [1, 2, 3, 16, 1000])
def test_numbers_do_not_depend_on_those_before(lag):
    u = draw(1)
    assert correlation(u[:-lag], u[lag:]) < 5


def test_every_bit_is_even_and_no_two_go_together():
    bits = Stream(2).bits(N)[:, None] >> np.arange(64, dtype=np.uint64) & 1
    assert np.max(np.abs(bits.mean(axis=0) - 0.5)) < 5.5 * 0.5 / math.sqrt(N)
    together = np.corrcoef(bits.T) - np.eye(64)
    assert np.max(np.abs(together)) < 6 / math.sqrt(N)


def test_streams_of_other_seeds_and_later_draws_are_independent():
    stream = Stream(0)
    draws = [stream.uniform((N,)), stream.uniform((N,)), draw(1), draw(2)]
    for k, a in enumerate(draws):
        for b in draws[:k]:
            assert correlation(a, b) < 5
            assert not np.intersect1d(a, b).size  # of 53 bits: by chance once in 10⁶


def test_one_draw_is_as_many_small_ones():
    a, b = Stream(3), Stream(3)
    parts = [b.uniform((2, 3)), b.uniform((0,)), b.uniform(()), b.uniform((5,))]
    np.testing.assert_array_equal(a.uniform((12,)), np.concatenate([np.ravel(p) for p in parts]))
    np.testing.assert_array_equal(a.state.data, b.state.data)


def test_a_generator_is_a_seed_none_is_new_and_a_copy_goes_on_alike():
    np.testing.assert_array_equal(draw(5), draw(np.random.default_rng(5)))
    assert Stream().bits(1) != Stream().bits(1)
    twin = copy.deepcopy(stream := Stream(0))
    np.testing.assert_array_equal(twin.bits(3), stream.bits(3))


@each_backend
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 3), (100, 7)])
def test_the_same_bits_under_jit(backend, dtype, shape):
    eager, compiled = Stream(4), Stream(4)
    step = jit(lambda: compiled.uniform(shape, dtype), backend=backend)
    for _ in range(3):
        np.testing.assert_array_equal(step(), eager.uniform(shape, dtype))
    np.testing.assert_array_equal(
        step.loop(3), np.stack([eager.uniform(shape, dtype) for _ in range(3)])
    )
    np.testing.assert_array_equal(compiled.state.data, eager.state.data)
