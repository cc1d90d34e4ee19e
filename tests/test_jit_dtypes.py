"""Every pair of dtypes, under jit as in an eager call: compared, added, chosen, and as booleans."""

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import Tensor, jit

DTYPES = [
    "bool", "int8", "uint8", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
]  # fmt: skip
FUNCTIONS = [
    np.add, np.multiply, np.maximum, np.less, np.greater_equal, np.equal,
    np.not_equal, np.logical_and, np.logical_or, np.logical_xor,
]  # fmt: skip
W = Tensor(np.arange(5.0))


def array(dtype, seed):
    drawn = np.random.default_rng(seed).integers(0, 100, 5)
    drawn[1] = 0
    return drawn.astype(dtype)


LEFT, RIGHT = ([array(dtype, seed) for dtype in DTYPES] for seed in (1, 2))


@each_backend
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("closed_over", [False, True], ids=["given", "closed over"])
def test_a_pair_of_dtypes_is_what_it_is_in_numpy(function, backend, closed_over):
    def step(left, right):
        right = RIGHT if closed_over else right
        return [function(x, y) * W for x in left for y in right]

    expected = step(LEFT, RIGHT)
    compiled = jit(step, backend=backend)
    for _ in range(2):
        for found, y in zip(compiled(LEFT, RIGHT), expected, strict=True):
            assert found.dtype == y.dtype
            np.testing.assert_allclose(found.data, y.data, rtol=1e-6)


@each_backend
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_result_may_be_cast(dtype, backend):
    def step(x):
        return np.sum(np.where(x > 0.5, x, 1.0) * W).astype(dtype)

    expected, compiled = step(LEFT[-1]), jit(step, backend=backend)
    for _ in range(2):
        found = compiled(LEFT[-1])
        assert found.dtype == expected.dtype and found.item() == pytest.approx(expected.item())
