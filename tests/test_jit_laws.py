"""Every rule, compiled: a replay is eager to the bit, native code differs by a few ulp at most."""

import re
from importlib import import_module

import numpy as np
import pytest
from calls import NAMES, RULES, calls

import tinygrad_slp as tg
from tinygrad_slp.jit import jit

DTYPES = np.float64, np.float32
every_rule = pytest.mark.parametrize("rule", RULES, ids=NAMES)
every_kind = pytest.mark.parametrize("kind", ["value", "gradient"])
native = pytest.mark.native


@pytest.fixture(params=["registers", "loops"])
def memory(request, monkeypatch):
    """Where native code keeps its values: all in registers, or in memory, whatever their size."""
    registers = import_module("tinygrad_slp.jit.llvm.registers")
    if request.param == "loops":
        monkeypatch.setattr(registers, "MOST_ELEMENTS", -1)
    return request.param


# --- the calls of a rule as one step ---


def weighted(call):
    """A fixed random combination of the squares of a call's outputs: no slope is constant."""
    v = np.random.default_rng(1).normal(size=np.shape(call(*call.arrays)))
    return lambda *arrays: np.sum(v.astype(arrays[0].dtype) * np.square(call(*arrays)))


def one_step(examples, kind):
    """A step that does all these calls, or takes their gradients, each in both dtypes."""
    if kind == "value":
        functions = examples
    else:
        functions = [tg.grad(weighted(call), range(len(call.arrays))) for call in examples]
    return lambda *given: [f(*arrays) for f, arrays in zip(functions * 2, given, strict=True)]


def given(examples, kind):
    """What such a step takes."""
    form = np.array if kind == "value" else tg.Tensor
    return [
        tuple(form(x.astype(dtype)) for x in call.arrays) for dtype in DTYPES for call in examples
    ]


def leaves(x):
    """The arrays in nested lists and tuples."""
    return [y for part in x for y in leaves(part)] if isinstance(x, list | tuple) else [x]


def plain(x):
    return x.data if isinstance(x, tg.Tensor) else x


def check(rule, kind, backend, agree, picked=lambda k: True):
    """Calls a step while it is traced, again, and with other values; returns it compiled."""
    drawn = [[call for k, call in enumerate(calls(rule, seed)) if picked(k)] for seed in (0, 0, 1)]
    if not drawn[0]:
        return None
    step = one_step(drawn[0], kind)
    compiled = jit(step, backend=backend)
    for examples in drawn:
        arguments = given(examples, kind)
        with np.errstate(all="ignore"):
            expected, found = leaves(step(*arguments)), leaves(compiled(*arguments))
        assert [type(x) is tg.Tensor for x in found] == [type(y) is tg.Tensor for y in expected]
        for x, y in zip(map(plain, found), map(plain, expected), strict=True):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            agree(x, y)
    return compiled


def to_the_bit(x, y):
    np.testing.assert_array_equal(x, y)
    zero = np.equal(y, 0)
    np.testing.assert_array_equal(np.signbit(x)[zero], np.signbit(y)[zero])


def within_four_ulp(x, y, most=4):
    """The same NaN, infinities and zeros, and all else next to it."""
    there = np.isfinite(y) & (np.abs(x) < np.inf)
    to_the_bit(np.where(there, 1, x), np.where(there, 1, y))
    x, y = np.where(there, x, 1), np.where(there, y, 1)
    ulp = np.spacing(np.minimum(np.abs(y), np.finfo(y.dtype).max / 2))
    away = np.abs(x / ulp - y / ulp)
    assert np.max(away, initial=0) <= most, f"{x.flat[np.argmax(away)]}, {y.flat[np.argmax(away)]}"


def within_ten_ulp(x, y):
    """For functions of several operations, which can magnify what the first ones round."""
    within_four_ulp(x, y, most=10)


def closely(x, y):
    """On the scale of all that was expected."""
    tolerance = 1e-12 if y.dtype == np.float64 else 1e-5
    scale = np.max(np.abs(y), initial=1e-300)
    assert np.max(np.abs(x - y), initial=0) <= tolerance * scale


# --- the laws ---


@every_kind
@every_rule
def test_a_replay_is_eager_to_the_bit(rule, kind):
    check(rule, kind, "numpy", to_the_bit)


# The calls for which there is no native code, by their number among the examples of their rule.
BY_NUMPY = {
    "value": {
        "np.floor_divide": [0], "np.divmod": [0], "np.logaddexp": [0], "np.round": [0, 1, 2],
        "np.clip": [1, 2], "scatter": [0], "getitem": [5], "np.take": [1],
        "np.concatenate": [0, 1, 2], "np.stack": [0, 1],
        "np.hstack": [0, 1, 2], "np.vstack": [0, 1], "np.split": [0, 1, 2],
        "np.array_split": [0, 1],
        "np.roll": [0, 1, 2], "np.tile": [0, 1], "np.repeat": [0, 1, 2], "np.trace": [0, 1, 2],
        "np.tril": [0, 1], "np.triu": [0, 1], "np.diag": [0, 1, 2, 3, 4],
        "np.pad": [0, 1, 2, 3, 4, 5], "np.matmul": [4, 5, 6, 7], "np.tensordot": [0, 1, 2, 3],
        "np.dot": [2, 3], "np.inner": [0, 1], "np.outer": [0, 1], "np.vdot": [0, 1],
        "np.einsum": [*range(12)], "np.mean": [0, 1, 2, 3],
        "np.var": [0, 1, 2, 3, 4], "np.std": [0, 1, 2, 3, 4], "np.sort": [0, 1, 2],
        "np.median": [0, 1, 2, 3], "np.cumsum": [0, 1, 2],
        "np.linalg.norm": [0, 1, 2, 3, 4, 5, 6, 7, 8],
    },
    "gradient": {
        "np.remainder": [0], "np.divmod": [0], "np.logaddexp": [0], "scatter": [0],
        "getitem": [1, 4, 5], "np.take": [1], "np.concatenate": [0, 1, 2], "np.stack": [0, 1],
        "np.hstack": [0, 1, 2], "np.vstack": [0, 1], "np.split": [0, 1, 2],
        "np.array_split": [0, 1], "np.trace": [0, 1, 2], "np.pad": [0, 1, 4],
        "np.matmul": [4, 5, 6, 7], "np.einsum": [*range(12)], "np.prod": [0, 1, 2, 3],
        "np.cumsum": [0, 1, 2], "np.sort": [0, 1, 2], "np.median": [0, 1, 2, 3],
    },
}  # fmt: skip


@native
@every_kind
@every_rule
def test_native_code_is_as_good_as_eager(rule, kind, memory):
    exact = rule.form == "elementwise" and kind == "value"
    check(rule, kind, "llvm", within_four_ulp if exact else closely)


@native
@every_kind
@pytest.mark.parametrize("name", dict.fromkeys([*BY_NUMPY["value"], *BY_NUMPY["gradient"]]))
def test_the_program_says_what_there_is_no_native_code_for(name, kind):
    rule = RULES[NAMES.index(name)]
    for number in range(len(calls(rule, 0))):
        step = check(rule, kind, "llvm", closely, lambda k, number=number: k == number)
        by_numpy = number in BY_NUMPY[kind].get(name, ())
        assert bool(re.search("by NumPy|replayed", str(step.program))) is by_numpy, number


# --- where numbers end ---


def edges(dtype):
    """NaN, infinities, zeros of both signs, numbers next to the limits, and ordinary ones."""
    info = np.finfo(dtype)
    positive = [
        0, info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny, 1e-30, info.eps, 0.3,
        0.5, 1, 1 + info.eps, 2, 2.5, 3, 20, 88, 100, 1e4, 1e30, info.max / 2, info.max,
        np.inf, np.nan,
    ]  # fmt: skip
    x = np.array(positive, dtype)
    return np.concatenate([x, -x])


def at_the_edges(rule):
    """Every combination of them for the inputs of a rule, in both dtypes."""
    grids = []
    for dtype in DTYPES:
        x = edges(dtype)
        x = x if rule.arity < 3 else x[::2]
        grids += [grid.ravel().copy() for grid in np.meshgrid(*[x] * rule.arity)]
    return grids


DIFFERENCES = {"logistic_loss"}
ELEMENTWISE = [rule for rule in RULES if rule.form == "elementwise"]
every_elementwise = pytest.mark.parametrize("rule", ELEMENTWISE, ids=lambda rule: rule.name)


def edge_step(rule):
    """The values, and then the gradients, of a rule at the edges in both dtypes."""

    def value(*x):
        first = [x[0] > 0, *x[1:]] if rule.function is np.where else x
        return rule.function(*first)

    def step(*given):
        parts = given[: len(given) // 2], given[len(given) // 2 :]
        return [value(*part) for part in parts]

    return step


@pytest.mark.parametrize("backend", ["numpy", pytest.param("llvm", marks=native)])
@every_elementwise
def test_numbers_at_the_edge(rule, backend):
    step, given = edge_step(rule), at_the_edges(rule)
    compiled = jit(step, backend=backend)
    with np.errstate(all="ignore"):
        for _ in range(2):
            pairs = list(zip(compiled(*given), step(*given), strict=True))
            for x, y in pairs:
                assert (x.shape, x.dtype) == (y.shape, y.dtype)
    exact = backend == "numpy" or rule.name in BY_NUMPY["value"]
    agree = within_four_ulp if isinstance(rule.function, np.ufunc) else within_ten_ulp
    for x, y in pairs:
        (to_the_bit if exact else agree)(x, y)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("llvm", marks=native)])
@every_elementwise
def test_gradients_at_the_edge(rule, backend):
    value, given = edge_step(rule), at_the_edges(rule)
    step = tg.grad(lambda *x: sum(np.sum(y) for y in value(*x)), range(len(given)))
    compiled = jit(lambda *x: step(*x), backend=backend)
    given = [tg.Tensor(x) for x in given]
    with np.errstate(all="ignore"):
        for _ in range(2):
            pairs = list(zip(compiled(*given), step(*given), strict=True))
    for x, y in pairs:
        x, y = x.data, y.data
        if backend == "numpy":
            to_the_bit(x, y)
        else:
            np.testing.assert_array_equal(np.isnan(x), np.isnan(y))
            # A difference of numbers around 1, such as σ(z) − t, is right to their last digit.
            least = 2 * np.finfo(y.dtype).eps if rule.name in DIFFERENCES else 0
            with np.errstate(all="ignore"):
                rtol = 1e-10 if y.dtype == np.float64 else 1e-4
                np.testing.assert_allclose(x, y, rtol=rtol, atol=least)
