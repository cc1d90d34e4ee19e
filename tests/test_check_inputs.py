"""What is given to the checker: each kind of function, x and claim is checked, or refused."""

import time

import numpy as np
import pytest

from tinygrad_slp import nn
from tinygrad_slp.check import check_formula, check_gradient, check_module, check_second, prove
from tinygrad_slp.check.evaluation import distinct

W = np.array([0.3, 1.0, -0.7])


# --- what f returns ---


def test_a_result_of_one_element_is_a_number():
    f = lambda w: np.sum(w**2, keepdims=True)
    assert check_gradient(f, W, lambda w: 2 * w).verdict == "RIGHT"
    assert check_gradient(f, W).verdict == "RIGHT"
    assert check_formula(f, {"w": lambda w: 2 * w}, "w: d").ok


def test_a_gradient_of_many_numbers_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\).*np.sum"):
        check_gradient(np.sin, W, np.cos)


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda x: None, "NoneType"),
        (lambda x: {"loss": np.sum(x)}, "dict"),
        (lambda x: (np.sum(x), x), "tuple"),
        (lambda x: np.sum(x * 1j), "complex128"),
        (lambda x: "12", "<U2"),
    ],
)
def test_f_returns_real_numbers(f, what):
    with pytest.raises(TypeError, match=what):
        check_gradient(f, W, lambda x: x)


def test_swapped_outputs_are_seen():
    """All weights of an output differ."""
    for dtype in (np.float16, np.float32, np.float64):
        v = distinct((300,), dtype)
        assert len(set(np.abs(v))) == 300 and np.array_equal(v, v.astype(dtype))


def test_rare_randomness_is_seen():
    """One call in five is another: two calls at x mostly agree, and more are made."""
    noise = np.random.default_rng(0)
    f = lambda x: np.sum(x**2) * (1.0 if noise.random() > 0.2 else 1.001)
    for _ in range(10):
        assert check_gradient(f, W, lambda x: 2 * x).verdict in ("NOT A FUNCTION", "RIGHT")
        assert check_gradient(f, W, lambda x: 3 * x).verdict == "NOT A FUNCTION"


# --- claims and x ---


def test_a_complex_claim_is_refused():
    with pytest.raises(TypeError, match="complex"):
        check_gradient(lambda x: np.sum(x**2), W, lambda x: 2 * x + 1j)


@pytest.mark.parametrize("x", [W + 0j, W > 0, "abc"])
def test_x_has_floating_point_numbers(x):
    with pytest.raises(TypeError, match="floating-point"):
        check_gradient(lambda x: 1.0, x, lambda x: x)


@pytest.mark.parametrize("x", [np.full(300, 1e200), np.array([1.7e308])])
def test_huge_x(x):
    assert check_gradient(lambda x: np.sum(x / 1e200), x, lambda x: x * 0 + 1e-200).verdict


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_budget_is_positive(seconds):
    with pytest.raises(ValueError, match="seconds"):
        check_gradient(np.sum, W, np.ones_like, seconds=seconds)


def test_the_search_for_the_mistake_keeps_to_the_budget():
    calls = []

    def slow(c):
        calls.append(c)
        x = 1.0
        for _ in range(150):
            x = np.cos(c * x)
        return x

    began = time.perf_counter()
    report = check_gradient(slow, 0.7, lambda c: 2.5, seconds=1)
    assert report.verdict == "WRONG" and "out of time" in report.explanation
    assert time.perf_counter() - began < 8


# --- check_formula ---

SHAPES = "X: n d; w: d; y: n"


def test_no_gradient_is_no_proof():
    with pytest.raises(ValueError, match="no gradient"):
        check_formula(lambda w: np.sum(w), {}, "w: d")


@pytest.mark.parametrize("gradients", [{"w": W}, np.ones_like])
def test_gradients_are_functions_by_name(gradients):
    with pytest.raises(TypeError, match="by name"):
        check_formula(lambda w: np.sum(w), gradients, "w: d")


def test_names_and_intervals_are_checked():
    f = {"w": np.ones_like}
    with pytest.raises(ValueError, match="'Y'"):
        check_formula(np.sum, f, "w: d", values={"Y": (0, 1)})
    with pytest.raises(ValueError, match="between"):
        check_formula(np.sum, f, "w: d", values={"w": (1, 1)})
    with pytest.raises(ValueError, match="y is "):
        check_formula(np.sum, f, "w: d; y: n; y: n n")


def right(X, w, y):
    return 2 * X.T @ (X @ w - y) / len(y) + 2 * w


def test_a_right_formula_where_autodiff_loses_a_part():
    def loss(X, w, y):
        return np.mean((X @ w - y) ** 2) + float(np.sum(np.asarray(getattr(w, "array", w)) ** 2))

    report = check_formula(loss, {"w": right}, SHAPES)
    assert report.ok and "leaves the graph" in str(report)
    report = check_formula(loss, {"w": lambda X, w, y: right(X, w, y) - 2 * w}, SHAPES)
    assert report.verdict == "WRONG" and "leaves the graph" in str(report)


def test_a_random_loss_is_not_a_function_for_a_formula_too():
    noise = np.random.default_rng(0)
    report = check_formula(lambda w: np.sum(w**2) * noise.random(), {"w": lambda w: 2 * w}, "w: d")
    assert report.verdict == "NOT A FUNCTION"


def test_a_loss_in_float32_does_not_make_a_right_formula_wrong():
    f = lambda w: np.sum(np.sin(w.astype(np.float32)))
    assert check_formula(f, {"w": np.cos}, "w: d").verdict in ("RIGHT", "CANNOT TELL")


def test_calls_are_counted_once():
    calls = []

    def f(w):
        calls.append(1)
        return float(sum(float(v) ** 2 for v in w))

    report = check_formula(f, {"w": lambda w: 2 * w}, "w: d")
    assert report.calls <= len(calls)


# --- modules and second derivatives ---


def test_check_module_leaves_buffers_as_they_were():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Linear(4, 1, rng=1))
    before = model.state_dict()
    batch = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    assert check_module(model, nn.mse_loss, batch).verdict == "RIGHT"
    for name, x in model.state_dict().items():
        assert np.array_equal(x, before[name]), name


def test_check_module_needs_inputs_and_targets():
    with pytest.raises(TypeError, match=r"\(x, y\)"):
        check_module(nn.Linear(3, 1, rng=0), nn.mse_loss, np.ones((5, 3)))


def test_second_derivatives_in_float32():
    f = lambda w: np.sum(np.sin(w) * np.exp(w[::-1]))
    for seed in range(5):
        assert check_second(f, W.astype(np.float32), seed=seed).verdict == "RIGHT"


def test_second_derivatives_where_there_are_none():
    assert check_second(lambda w: np.sum(np.log(w)), np.array([-1.0, 1])).verdict == "CANNOT TELL"
    with pytest.raises(TypeError, match="parameters"):
        check_second(lambda m: 1.0, nn.Linear(3, 1, rng=0))


# --- what is said ---


def test_a_claim_of_nan_among_many_is_located():
    g = np.ones(300)
    g[123] = np.nan
    assert check_gradient(np.sum, np.ones(300), g).findings[0].where == "x[123]"


def test_a_small_error_is_not_called_one_times_the_right_gradient():
    off = np.array([1, 1 + 5e-7, 1])
    report = check_gradient(lambda x: np.sum(x**3), W, lambda x: 3 * x**2 * off)
    assert report.verdict == "WRONG" and "it is 1" not in report.explanation


def test_prove_does_not_choose_between_names_that_fit():
    """my_dhidden ends in d and hidden, and in d and en."""
    with pytest.raises(ValueError, match="wrt="):

        @prove("en: n; hidden: n")
        def my_dhidden(en, hidden):
            return 2 * hidden


def test_the_picture_is_of_the_worst(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: the extra 'plot'")
    titles = []
    from matplotlib.axes import Axes

    monkeypatch.setattr(Axes, "set_title", lambda self, text, *a, **k: titles.append(text))
    f = lambda v, w: np.sum(v**2) + np.sum(w**2)
    formulas = {"v": lambda v, w: 2 * v, "w": lambda v, w: 3 * w}
    check_formula(f, formulas, "v: n; w: d").plot(str(tmp_path / "a.png"))
    assert "∂/∂w" in titles[0] and "WRONG" in titles[0]
