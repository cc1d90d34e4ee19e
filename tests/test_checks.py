"""Checks accept what NumPy takes for a number, and refuse the rest in a sentence with its name."""

from fractions import Fraction

import numpy as np
import pytest

from tinygrad_slp import Tensor, checks

NAN, INF = float("nan"), float("inf")
ONES = [1, np.int64(1), np.uint8(1), np.array(1)]
HALVES = [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2), Tensor(0.5)]
NO_NUMBERS = [
    True, np.True_, "x", "1", None, [1], (0.5,), {}, 1j, np.ones(1), np.ones(2), np.array(True),
    np.array("1"), Tensor([0.5]), Tensor(0.5, requires_grad=True),
]  # fmt: skip
NUMBERS = {
    "number": (checks.number, [-1, *ONES, *HALVES], [NAN, INF, -INF]),
    "at_least": (lambda n, v: checks.at_least(n, v, 0), [0, *ONES, *HALVES], [-1, NAN, INF]),
    "positive": (checks.positive, [*ONES, *HALVES], [0, -1, NAN, INF]),
    "infinite": (lambda n, v: checks.positive(n, v, infinite=True), [INF, 0.5], [0, -INF, NAN]),
    "probability": (checks.probability, [0, *ONES, *HALVES], [-0.1, 1.1, NAN, INF]),
    "below_1": (checks.below_1, [0, *HALVES], [-0.1, 1, NAN, INF]),
}  # fmt: skip
each = pytest.mark.parametrize(("check", "right", "out"), NUMBERS.values(), ids=NUMBERS)


@each
def test_numbers_of_every_kind_become_numbers_of_python(check, right, out):
    for value in right:
        found = check("p", value)
        assert type(found) is float
        assert found == float(value)


@each
def test_what_is_no_number_or_out_of_range_is_refused_by_name(check, right, out):
    for value in NO_NUMBERS:
        with pytest.raises(TypeError, match=r"^p should be .*number.*, got "):
            check("p", value)
    for value in out:
        with pytest.raises(ValueError, match=rf"^p should be .*number.*, got {value}$"):
            check("p", value)


def test_a_whole_number_is_given_as_one():
    for value in ONES:
        assert type(checks.whole("n", value, 1)) is int
    assert checks.whole("n", 10**30) == 10**30
    for value in (*NO_NUMBERS, 2.0, 2.5, np.float64(2), NAN, INF, Tensor(2)):
        with pytest.raises(TypeError, match=r"^n should be a whole number, 1 or more, got "):
            checks.whole("n", value, 1)
    for value in (0, -3, np.int64(0)):
        with pytest.raises(ValueError, match=r"^n should be a whole number, 1 or more, got "):
            checks.whole("n", value, 1)


def test_flags_and_names():
    assert checks.flag("f", np.True_) is True
    for value in (1, 0, None, "True", 1.0, np.ones(1)):
        with pytest.raises(TypeError, match=r"^f should be True or False, got "):
            checks.flag("f", value)
    assert checks.one_of("mode", "min", ["min", "max"]) == "min"
    assert checks.one_of("norm", None, ["batch", None]) is None
    with pytest.raises(ValueError, match=r"^mode should be 'min' or 'max', got the str 'down'"):
        checks.one_of("mode", "down", ["min", "max"])
    for value in (None, 1, ["min"], True, np.ones(2)):
        with pytest.raises(TypeError, match=r"^mode should be 'min' or 'max', got "):
            checks.one_of("mode", value, ["min", "max"])
