"""Initial weights have the bounds, variances and orthogonality of their formulas."""

import math
from functools import partial

import numpy as np
import pytest

from tinygrad_slp import nn
from tinygrad_slp.nn import init

SHAPE = 300, 200
XAVIER = math.sqrt(2 / 500)
STD = {
    init.xavier_uniform: XAVIER,
    init.xavier_normal: XAVIER,
    partial(init.xavier_normal, gain=3.0): 3 * XAVIER,
    init.kaiming_uniform: math.sqrt(2 / 200),
    init.kaiming_normal: math.sqrt(2 / 200),
    partial(init.kaiming_normal, mode="fan_out"): math.sqrt(2 / 300),
    partial(init.kaiming_uniform, a=math.sqrt(5)): 1 / math.sqrt(3 * 200),
    partial(init.kaiming_uniform, nonlinearity="tanh"): 5 / 3 / math.sqrt(200),
    partial(init.normal, std=0.3): 0.3,
    partial(init.uniform, a=-1.0, b=1.0): 1 / math.sqrt(3),
}


def label(f):
    return f"{f.func.__name__}({f.keywords})" if isinstance(f, partial) else f.__name__


@pytest.mark.parametrize("start", STD, ids=label)
def test_mean_deviation_and_bounds(start):
    std = STD[start]
    weight = nn.Linear(200, 300, init=start, rng=0).weight.data
    assert weight.shape == SHAPE
    assert abs(weight.mean()) < 5 * std / math.sqrt(weight.size)
    assert weight.std() == pytest.approx(std, rel=0.02)
    largest = np.max(np.abs(weight)) / std
    if "uniform" in label(start):
        assert 1.73 < largest <= math.sqrt(3)
    else:
        assert 3.5 < largest < 6


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 3, 2)])
def test_rows_or_columns_are_orthonormal_times_the_gain(shape):
    w = init.orthogonal(np.random.default_rng(0), shape, gain=2.0).reshape(shape[0], -1) / 2
    small = w @ w.T if len(w) < w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-14)


def test_orthogonal_matrices_are_drawn_evenly():
    """The mean of any entry is 0; of a bare QR decomposition, the diagonal is negative."""
    rng = np.random.default_rng(1)
    mean = np.mean([init.orthogonal(rng, (3, 3)) for _ in range(2000)], axis=0)
    assert np.max(np.abs(mean)) < 5 / math.sqrt(3 * 2000)


def test_fans_count_the_field():
    assert init.fans((8, 3, 5, 2)) == (30, 80)


def test_what_there_is_not_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"\(out, in, \.\.\.\).*\(3,\)"):
        init.xavier_uniform(rng, (3,))
    with pytest.raises(ValueError, match=r'"fan_in".*"fan_out".*\'in\''):
        init.kaiming_normal(rng, (3, 2), mode="in")
    with pytest.raises(ValueError, match=r"relu.*'swish'"):
        init.kaiming_uniform(rng, (3, 2), nonlinearity="swish")


def test_gains_are_those_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    for name in (*init.GAINS, "leaky_relu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)
