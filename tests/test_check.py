"""The gradient checker answers right: on smooth functions, at their edges, and on every footgun."""

import json
import time

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import REAL, Tensor, differentiable, nn, sigmoid
from tinygrad_slp.check import (
    Verdict,
    WrongGradient,
    check_gradient,
    check_module,
    check_rule,
    check_second,
)
from tinygrad_slp.check.slope import measure
from tinygrad_slp.rule import RULES

rng = np.random.default_rng(5)
X = rng.normal(size=(5, 3))
Y = rng.random(5)
AT = {"w": rng.normal(size=3), "b": np.float64(0.3)}


def loss(p):
    return np.mean((sigmoid(X @ p["w"] + p["b"]) - Y) ** 2)


def by_hand(p):
    a = sigmoid(X @ p["w"] + p["b"])
    dz = 2 / len(X) * (a - Y) * a * (1 - a)
    return {"w": X.T @ dz, "b": dz.sum()}


def spoiled(factor):
    def gradient(p):
        g = by_hand(p)
        g["w"][1] *= factor
        return g

    return gradient


# --- what is right is RIGHT, what is wrong is WRONG ---


@pytest.mark.parametrize("grad", [None, by_hand], ids=["autodiff", "by hand"])
def test_a_right_gradient_is_right_to_a_stated_resolution(grad):
    report = check_gradient(loss, AT, grad)
    assert report.verdict == Verdict.RIGHT and report.ok
    assert 0 < report.resolution < 1e-7
    assert report.raise_if_wrong() is report
    assert "RIGHT to 1e-08" in str(report)


@pytest.mark.parametrize("factor", [1 + 1e-6, 0.99, -1, 0, np.nan, np.inf])
def test_one_wrong_element_is_found(factor):
    report = check_gradient(loss, AT, spoiled(factor))
    assert report.verdict == "WRONG" and not report.ok
    assert report.findings[0].where == "x['w'][1]"
    with pytest.raises(WrongGradient, match=r"x\['w'\]\[1\]"):
        report.raise_if_wrong()


def test_the_report_as_json_and_text():
    report = check_gradient(loss, AT, spoiled(2), variable="p")
    facts = json.loads(report.to_json())
    assert facts["verdict"] == "WRONG" and facts["findings"][0]["where"] == "p['w'][1]"
    assert facts["findings"][0]["claimed"] == pytest.approx(2 * facts["findings"][0]["measured"])
    assert "ratio 2" in str(report)


@pytest.mark.parametrize("x", [AT["w"], list(AT["w"]), tuple(AT["w"]), Tensor(AT["w"])], ids=type)
def test_x_is_given_as_it_is(x):
    seen = []

    def f(v):
        seen.append(type(v))
        return sum(v[i] * v[i] * (i + 1.0) for i in range(3))

    assert check_gradient(f, x).ok
    assert type(x) in seen


def test_a_gradient_may_be_given_as_arrays():
    assert check_gradient(loss, AT, by_hand(AT)).ok
    assert check_gradient(loss, AT, {"w": 2 * by_hand(AT)["w"], "b": 0.0}).verdict == "WRONG"


def test_a_gradient_of_another_shape_is_wrong_and_says_so():
    report = check_gradient(lambda w: np.sum(w**2), np.ones((2, 3)), lambda w: 2 * w.T)
    assert report.verdict == "WRONG" and "(3, 2)" in str(report) and "(2, 3)" in str(report)


def test_an_array_valued_function():
    assert check_gradient(lambda x: np.outer(np.sin(x), x), np.array([0.3, 1.0])).ok


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_every_floating_point_dtype(dtype):
    at = {k: np.asarray(v, dtype) for k, v in AT.items()}
    assert check_gradient(loss, at, by_hand).verdict == "RIGHT"
    assert check_gradient(loss, at, spoiled(1.01)).verdict == "WRONG"


# --- slopes known in closed form ---

KNOWN = {
    "sin": (np.sin, 1.0, np.cos(1.0)),
    "steep": (lambda x: np.exp(10 * x), 0.3, 10 * np.exp(3)),
    "log close to 0": (np.log, 1e-6, 1e6),
    "saturated": (lambda x: 1 / (1 + np.exp(-x)), 30.0, np.exp(-30.0) / (1 + np.exp(-30.0)) ** 2),
    "far below": (lambda x: 1 / (1 + np.exp(-x)), -30.0, np.exp(-30.0) / (1 + np.exp(-30.0)) ** 2),
    "narrow": (lambda x: np.exp(-((x / 1e-4) ** 2)) * np.sin(x * 1e4), 0.0, 1e4),
    "on a large constant": (lambda x: 1e6 + np.sin(x), 1.0, np.cos(1)),
    "large x": (lambda x: np.sin(x / 1e6), 1e6, np.cos(1) / 1e6),
    "kink beside": (lambda x: np.maximum(x, 0), 1e-7, 1.0),
    "kink very close": (abs, 1e-9, 1.0),
    "jump beside": (lambda x: np.floor(x) + x, 1 + 1e-7, 1.0),
    "twice but not thrice differentiable": (lambda x: abs(x) ** 1.5, 0.0, 0.0),
    "second derivative jumps": (lambda x: x * x / 2 if abs(x) <= 1 else abs(x) - 0.5, 1.0, 1.0),
    "rounds to float32": (lambda x: np.float64(np.float32(np.sin(x))), 1.0, np.cos(1)),
    "fast": (lambda x: np.sin(1e3 * x), 0.1, 1e3 * np.cos(100.0)),
    "constant": (lambda x: 0 * x + 5, 2.0, 0.0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_error_bar_holds(name):
    f, x, slope = KNOWN[name]

    def phi(t):
        return f(np.float64(x) + t), float((np.float64(x) + t) - np.float64(x))

    for sharp in (5e-7, 0.0):
        found = measure(phi, 2.0 ** round(np.log2(max(abs(x), 1.0))), 2.0**-52, sharp)
        assert found.kind == "smooth"
        assert abs(found.value - slope) <= 10 * found.bar + 1e-13 * abs(slope)
        assert found.bar <= 1e-5 * max(abs(slope), 1e-3) or name == "saturated"


# --- the footguns ---


def test_footgun_plateau_at_large_steps():
    """Far away the function is flat; a checker with a large step would measure 0 ± nothing."""
    f = lambda x: np.sum(np.tanh(1e5 * x))
    assert check_gradient(f, np.array([1e-6]), lambda x: np.zeros(1)).verdict == "WRONG"
    assert check_gradient(f, np.array([1e-6])).verdict == "RIGHT"


def test_footgun_kink_where_the_central_difference_gives_the_average():
    f = lambda x: np.sum(np.maximum(x, 0) * 3 + np.minimum(x, 0))
    report = check_gradient(f, np.zeros(1), lambda x: np.array([2.0]))
    assert report.verdict == "AT A KINK" and report.ok
    slope = report.findings[0].slope
    assert (slope.left, slope.right) == pytest.approx((1, 3))
    assert check_gradient(f, np.zeros(1), lambda x: np.array([3.5])).verdict == "WRONG"


def test_footgun_noise_near_a_minimum():
    f = lambda x: np.sum((x - 1) ** 2) + 1.0
    assert check_gradient(f, np.array([1 + 1e-9])).verdict == "RIGHT"
    assert check_gradient(f, np.array([1 + 1e-9]), lambda x: 3 * (x - 1)).verdict == "WRONG"


def test_footgun_a_jump_is_not_a_kink():
    report = check_gradient(lambda x: np.sum(np.where(x > 0, 1.0, 0.0)), np.zeros(1), np.zeros_like)
    assert report.verdict == "JUMP" and not report.ok


@pytest.mark.parametrize("x", [1e-9, 1e-14, -1e-20, 1e-300])
def test_footgun_tiny_x(x):
    assert check_gradient(lambda v: np.sum(np.abs(v)), np.array([x])).verdict == "RIGHT"
    wrong = check_gradient(lambda v: np.sum(np.abs(v)), np.array([x]), lambda v: -np.sign(v))
    assert wrong.verdict == "WRONG"


def test_footgun_a_function_that_changes_its_argument():
    def f(x):
        x *= 1.5
        return np.sum(x)

    report = check_gradient(f, np.ones(2), np.ones_like)
    assert report.verdict == "NOT A FUNCTION" and "changes its input x" in str(report)


def test_footgun_a_random_function():
    noise = np.random.default_rng(0)
    report = check_gradient(lambda x: np.sum(x) * noise.random(), np.ones(2), np.ones_like)
    assert report.verdict == "NOT A FUNCTION" and "seed" in str(report)


def test_footgun_a_function_that_returns_float32():
    f = lambda x: np.float32(np.sum(np.sin(x)))
    assert check_gradient(f, np.array([0.5, 1.0]), np.cos).verdict == "RIGHT"
    assert check_gradient(f, np.array([0.5, 1.0]), lambda x: 1.01 * np.cos(x)).verdict == "WRONG"


def test_footgun_integer_x():
    report = check_gradient(lambda x: np.sum(x * x), np.array([1, 2, 3]), lambda x: 2 * x)
    assert report.verdict == "RIGHT" and "float64" in str(report)


def test_footgun_integers_beside_floats_are_constant():
    f = lambda p: np.sum(p["w"][p["rows"]] ** 2)
    report = check_gradient(f, {"w": np.ones(3), "rows": np.array([0, 2, 2])})
    assert report.verdict == "RIGHT" and "x['rows']" in str(report)


def test_footgun_nothing_to_check():
    assert check_gradient(np.sum, np.zeros((0, 3)), np.ones_like).verdict == "CANNOT TELL"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_footgun_not_finite_at_the_point(bad):
    report = check_gradient(lambda x: np.sum(x), np.array([bad, 1.0]), np.ones_like)
    assert report.verdict == "CANNOT TELL" and "the function is" in str(report)


def test_footgun_a_function_that_raises_beside_the_point():
    def f(x):
        if x[0] > 1:
            raise ValueError("out of range")
        return np.sum(x**2)

    assert check_gradient(f, np.ones(2), lambda x: 2 * x).verdict == "RIGHT"
    assert check_gradient(f, np.ones(2), lambda x: 3 * x).verdict == "WRONG"


def test_footgun_a_slow_function_and_a_budget():
    def f(x):
        time.sleep(0.02)
        return np.sum(x**2)

    report = check_gradient(f, np.ones(40), lambda x: 2 * x, method="elements", seconds=0.3)
    assert report.verdict == "CANNOT TELL" and "stopped after the given time" in str(report)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.log, 1e-12),
        (np.log, 1e-3),
        (np.arcsin, 1 - 1e-9),
        (np.sqrt, 1e-10),
        (np.arctanh, -0.999),
    ],
)
def test_edges_of_the_domain_need_no_help(f, x):
    assert check_gradient(lambda v: np.sum(f(v)), np.array([x, 0.5])).verdict == "RIGHT"


@pytest.mark.parametrize("f", [np.sqrt, lambda x: np.arcsin(1 - x)], ids=["sqrt(0)", "arcsin(1)"])
def test_a_slope_without_bound(f):
    infinite = lambda x: np.array([np.inf if f is np.sqrt else -np.inf])
    assert check_gradient(lambda v: np.sum(f(v)), np.zeros(1), infinite).verdict == "RIGHT"
    report = check_gradient(lambda v: np.sum(f(v)), np.zeros(1), np.ones_like)
    assert report.verdict == "CANNOT TELL" and "without bound" in str(report)


# --- many numbers ---


def test_a_million_numbers_take_a_few_dozen_calls_and_the_wrong_one_is_found():
    W, v = rng.normal(size=(1000, 1000)) / 30, rng.normal(size=1000)

    def gradient(W):
        t = np.tanh(W @ v)
        return np.outer(2 * t * (1 - t * t), v)

    def wrong(W):
        g = gradient(W)
        g[123, 456] *= 1.5
        return g

    f = lambda W: np.sum(np.tanh(W @ v) ** 2)
    report = check_gradient(f, W, gradient)
    assert report.verdict == "RIGHT" and report.calls < 60
    report = check_gradient(f, W, wrong)
    assert report.verdict == "WRONG" and report.findings[0].where == "x[123, 456]"


def test_swapped_arguments_are_named():
    with pytest.raises(TypeError, match=r"check_gradient\(f, x\).*ndarray"):
        check_gradient(np.ones(2), np.sum)
    with pytest.raises(TypeError, match=r"float$"):
        check_gradient(1.0, np.ones(2))


@pytest.mark.parametrize("method", ["elements", "directions"])
def test_one_is_not_plural(method):
    assert "(1 element" in str(check_gradient(np.sin, 0.5, method=method))
    assert "1 elements" not in str(check_gradient(np.sin, 0.5, method=method))
    assert "(2 elements" in str(check_gradient(np.sum, np.ones(2), method=method))


def test_the_method_is_checked():
    with pytest.raises(ValueError, match="elements"):
        check_gradient(loss, AT, method="all")


# --- our own: rules, modules, second derivatives ---


@pytest.fixture
def sloppy_sine():
    """A rule off by a hundredth; it leaves the table again, whose rules are all under the laws."""

    @tg.differentiable(lambda g, y, x: g * np.cos(x) * 1.01, form="elementwise", domain=tg.REAL)
    def sloppy_sine(x):
        """sin x"""
        return np.sin(x)

    yield sloppy_sine
    del RULES[sloppy_sine]


def test_check_rule_tells_right_from_wrong(sloppy_sine):
    assert check_rule(np.matmul).verdict == "RIGHT"
    assert check_rule(np.split).verdict == "RIGHT"  # parts of its result
    assert check_rule(np.floor).verdict == "RIGHT"  # zero everywhere
    assert check_rule(sloppy_sine).verdict == "WRONG"
    with pytest.raises(TypeError, match="no rule"):
        check_rule(np.gcd)


class Apply(nn.Module):
    def __init__(self, function):
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_check_module_names_the_layer_and_the_operation(sloppy_sine):
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    right = nn.Sequential(nn.Linear(3, 4, rng=0), nn.ReLU(), nn.Linear(4, 2, rng=1))
    assert check_module(right, nn.mse_loss, (x, y)).verdict == "RIGHT"
    wrong = nn.Sequential(nn.Linear(3, 4, rng=0), Apply(sloppy_sine), nn.Linear(4, 2, rng=1))
    report = check_module(wrong, nn.mse_loss, (x, y))
    assert report["0.weight"].verdict == "WRONG" and report["2.weight"].verdict == "RIGHT"
    assert "sloppy_sine" in report.where and "test_check.py" in report.where
    assert "layer 1" in report.where


def test_check_second_tells_right_from_wrong(sloppy_sine):
    f = lambda w: np.mean((sigmoid(X @ w) - Y) ** 2)
    report = check_second(f, AT["w"])
    assert report.verdict == "RIGHT" and "symmetric" in str(report)
    assert check_second(lambda w: np.sum(sloppy_sine(w) * w), AT["w"]).verdict == "WRONG"


def test_a_report_plots_itself(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: the extra 'plot'")
    path = tmp_path / "slope.png"
    check_gradient(loss, AT, spoiled(2)).plot(str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_slopes_that_do_not_add_up_are_no_gradient():
    x = np.array([0.0, 0.0, 0.0, -1.0, 2.0])  # any one zero moves, and the median stays 0
    report = check_gradient(np.median, x, lambda x: np.array([1.0, 0, 0, 0, 0]))
    assert report.verdict == "CANNOT TELL"
    assert "add up" in str(report)
    beside = x + np.array([0.0, 1e-3, -1e-3, 0, 0])
    assert check_gradient(np.median, beside, lambda x: np.array([1.0, 0, 0, 0, 0])).ok


def test_a_gradient_by_name_may_be_in_another_order():
    x = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}
    report = check_gradient(
        lambda p: np.sum(p["w"] ** 2) * p["b"][0],
        x,
        lambda p: {"b": np.array([np.sum(p["w"] ** 2)]), "w": 2 * p["w"] * p["b"]},
    )
    assert report.verdict == "RIGHT"


@pytest.mark.parametrize(
    "vjp", [lambda g, y, x: 2 * x, lambda g, y, x: 2 * x * np.abs(g), lambda g, y, x: 2 * x * g * g]
)
def test_a_derivative_that_does_not_multiply_by_what_comes_in_is_wrong(vjp, table):
    """Of one number, where all that ever comes in could be taken for 1."""

    @differentiable(vjp, domain=REAL, examples=lambda f, x: [f(x(3))])
    def squares(x):
        """Σx²"""
        return np.sum(x * x)

    report = check_rule(squares)
    assert report.verdict == Verdict.WRONG
    said = "ignores the gradient g" in str(report)
    assert said == (vjp(3.0, 1.0, 1.0) == vjp(1.0, 1.0, 1.0))
    assert check_gradient(lambda x: squares(x), np.ones(2)).verdict == Verdict.WRONG


def test_an_element_that_is_nan_is_not_moved_and_the_others_are_judged():
    x = np.array([1.0, np.nan, 3.0])
    f = lambda x: np.nansum(x * x)
    report = check_gradient(f, x, np.array([2.0, 0, 6]))
    assert report.ok and "1 element of x NaN or infinite: not moved" in str(report)
    assert check_gradient(f, x, np.array([2.0, 0, 5])).verdict == Verdict.WRONG
