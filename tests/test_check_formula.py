"""Gradients derived by hand are checked for all shapes, and their mistakes named."""

import json

import numpy as np
import pytest

from tinygrad_slp import cli, log_softmax, relu, sigmoid
from tinygrad_slp.check import WrongGradient, check_formula, check_gradient, prove

SHAPES = "X: n d; w: d; b: ; y: n"


def loss(X, w, b, y):
    return np.mean((sigmoid(X @ w + b) - y) ** 2)


def forward(X, w, b):
    return sigmoid(X @ w + b)


def delta(X, w, b, y):
    a = forward(X, w, b)
    return 2 / len(X) * (a - y) * a * (1 - a)


@prove(SHAPES)
def my_dw(X, w, b, y):
    return X.T @ delta(X, w, b, y)


@prove(SHAPES)
def my_db(X, w, b, y):
    return delta(X, w, b, y).sum()


def test_prove_made_tests_of_the_formulas():
    assert callable(globals()["test_my_dw"]) and callable(globals()["test_my_db"])


def test_prove_says_what_it_needs():
    with pytest.raises(ValueError, match="wrt="):

        @prove(SHAPES)
        def gradient(X, w, b, y):
            return w

    scope = {"prove": prove, "__name__": "elsewhere"}
    exec("@prove('w: d')\ndef dw(w): return w", scope)
    with pytest.raises(NameError, match="loss="):
        scope["test_dw"]()


def test_prove_fails_for_a_wrong_formula():
    scope = {"prove": prove, "__name__": "elsewhere", "loss": lambda w: np.sum(w**2)}
    exec("@prove('w: d')\ndef dw(w): return w", scope)
    with pytest.raises(WrongGradient, match="factor of 2"):
        scope["test_dw"]()


def test_right_formulas():
    report = check_formula(loss, {"w": my_dw, "b": my_db}, SHAPES)
    assert report.ok and report["w"].verdict == "RIGHT" and report["b"].verdict == "RIGHT"


def prime_at_a(X, w, b, y):
    a = forward(X, w, b)
    return X.T @ (2 / len(X) * (a - y) * sigmoid(a) * (1 - sigmoid(a)))


MISTAKES = {
    "1/n is missing": lambda X, w, b, y: len(X) * my_dw(X, w, b, y),
    "1/n too much": lambda X, w, b, y: my_dw(X, w, b, y) / len(X),
    "divided by d instead of n": lambda X, w, b, y: my_dw(X, w, b, y) * len(X) / len(w),
    "a factor of 2 too much": lambda X, w, b, y: 2 * my_dw(X, w, b, y),
    "a factor of 2 is missing": lambda X, w, b, y: my_dw(X, w, b, y) / 2,
    "the sign is wrong": lambda X, w, b, y: -my_dw(X, w, b, y),
    "σ′ is missing": lambda X, w, b, y: X.T @ (2 / len(X) * (forward(X, w, b) - y)),
    "σ′ is taken at a": prime_at_a,
    "σ′ is applied twice": lambda X, w, b, y: (
        X.T @ (delta(X, w, b, y) * forward(X, w, b) * (1 - forward(X, w, b)))
    ),
    "a(1 + a)": lambda X, w, b, y: (
        X.T @ (delta(X, w, b, y) / (1 - forward(X, w, b)) * (1 + forward(X, w, b)))
    ),
    "tanh′": lambda X, w, b, y: (
        X.T @ (2 / len(X) * (forward(X, w, b) - y) * (1 - np.tanh(X @ w + b) ** 2))
    ),
    "only the last sample": lambda X, w, b, y: X[-1] * delta(X, w, b, y)[-1],
    "only the first sample": lambda X, w, b, y: X[0] * delta(X, w, b, y)[0],
    "reverse order": lambda X, w, b, y: my_dw(X, w, b, y)[::-1],
    "shifted by": lambda X, w, b, y: np.roll(my_dw(X, w, b, y), 1),
    "y is shifted": lambda X, w, b, y: my_dw(X, w, b, np.roll(y, 1)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_named(name):
    report = check_formula(loss, {"w": MISTAKES[name]}, SHAPES)
    assert report.verdict == "WRONG"
    assert name in report["w"].explanation
    assert "20 fresh inputs" in report["w"].explanation


PAIRS = {
    ("σ′ is missing", "1/n is missing"): lambda X, w, b, y: X.T @ (2 * (forward(X, w, b) - y)),
    ("σ′ is missing", "the sign is wrong"): lambda X, w, b, y: (
        -MISTAKES["σ′ is missing"](X, w, b, y)
    ),
    ("σ′ is taken at a", "factor of 2"): lambda X, w, b, y: prime_at_a(X, w, b, y) / 2,
}


@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
def test_two_mistakes_at_once_are_named(names):
    report = check_formula(loss, {"w": PAIRS[names]}, SHAPES)
    assert all(name in report["w"].explanation for name in names)


def test_the_bias():
    wrong = {
        "not summed over the batch": delta,
        "averaged": lambda X, w, b, y: delta(X, w, b, y).mean(),
    }
    for text, formula in wrong.items():
        assert text in check_formula(loss, {"b": formula}, SHAPES)["b"].explanation


def cross_entropy(X, W, Y):
    return -np.mean(np.sum(Y * log_softmax(X @ W), axis=1))


def test_softmax_cross_entropy():
    def softmax(z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    shapes = "X: n d; W: d m; Y: n m"

    def dW(X, W, Y):
        return X.T @ (softmax(X @ W) * Y.sum(axis=1, keepdims=True) - Y) / len(X)

    wrong = {
        "transposed": lambda X, W, Y: dW(X, W, Y).T,
        "Y is shifted": lambda X, W, Y: dW(X, W, np.roll(Y, 1, axis=1)),
        "off-diagonal": lambda X, W, Y: -X.T @ (Y * (1 - softmax(X @ W))) / len(X),
    }
    assert check_formula(cross_entropy, {"W": dW}, shapes).ok
    for text, formula in wrong.items():
        assert text in check_formula(cross_entropy, {"W": formula}, shapes)["W"].explanation


def test_weight_decay_and_relu():
    def ridge(X, w, y):
        return np.mean((relu(X @ w) - y) ** 2) + 0.1 * np.sum(w * w)

    def data_term(X, w, y):
        return X.T @ (2 / len(X) * (relu(X @ w) - y) * (X @ w > 0))

    wrong = {
        "weight decay": data_term,
        "halved": lambda X, w, y: data_term(X, w, y) + 0.1 * w,
        "relu′ is 1 on the negative side": lambda X, w, y: (
            X.T @ (2 / len(X) * (relu(X @ w) - y) * (X @ w < 0)) + 0.2 * w
        ),
    }
    right = lambda X, w, y: data_term(X, w, y) + 0.2 * w
    assert check_formula(ridge, {"w": right}, "X: n d; w: d; y: n").ok
    for text, formula in wrong.items():
        report = check_formula(ridge, {"w": formula}, "X: n d; w: d; y: n")
        assert text in report["w"].explanation


def test_no_known_slip_says_so_and_shows_ratios():
    report = check_formula(loss, {"w": lambda X, w, b, y: my_dw(X, w, b, y) + w}, SHAPES)
    assert "no known slip" in report["w"].explanation
    assert "claimed / right" in report["w"].explanation


def test_the_example_is_small_and_its_sizes_differ():
    report = check_formula(loss, {"w": MISTAKES["the sign is wrong"]}, SHAPES)
    assert "np.array" in report["w"].example and len(report["w"].example) < 150


def test_a_loss_that_does_not_take_tensors_is_measured():
    def plain(w):
        return float(sum(float(v) ** 2 for v in w))

    assert check_formula(plain, {"w": lambda w: 2 * w}, "w: d").ok
    report = check_formula(plain, {"w": lambda w: 4 * w}, "w: d")
    assert "a factor of 2 too much" in report["w"].explanation


@pytest.mark.parametrize("shapes", ["", "X n d", "X: n, d"])
def test_shapes_that_cannot_be_read(shapes):
    with pytest.raises(ValueError, match="X: n d"):
        check_formula(loss, {}, shapes)


def test_a_gradient_of_something_else():
    with pytest.raises(ValueError, match="'v'"):
        check_formula(loss, {"v": my_dw}, SHAPES)


def test_check_gradient_names_the_mistake_too():
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(5, 3)), rng.random(5), rng.normal(size=3)
    report = check_gradient(
        lambda w: loss(X, w, 0.1, y), w, lambda w: MISTAKES["σ′ is missing"](X, w, 0.1, y)
    )
    assert report.slips == ("σ′ is missing",)


# --- the command ---


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "checked_model.py").write_text(
        "import numpy as np\n"
        "def loss(w, y): return np.sum((w - y) ** 2)\n"
        "def dw(w, y): return 2 * (w - y)\n"
        "def half(w, y): return w - y\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def run(*extra, formula="dw", wrt="w", shapes="w: d; y: d"):
    return cli.main(["check", "checked_model:loss", "--formula", f"checked_model:{formula}",
                     "--wrt", wrt, "--shapes", shapes, *extra])  # fmt: skip


def test_the_command(model, capsys):
    assert run() == 0
    assert "RIGHT" in capsys.readouterr().out
    assert run(formula="half") == 1
    assert "factor of 2" in capsys.readouterr().out
    assert run("--json", formula="half") == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "WRONG"


def test_the_command_with_bad_usage(model, capsys):
    assert run(formula="nothing") == 2
    assert run(wrt="v") == 2
    assert run(shapes="w d") == 2
    assert (
        cli.main(
            ["check", "no_such_module:loss", "--formula", "a:b", "--wrt", "w", "--shapes", "w: d"]
        )
        == 2
    )
    assert cli.main(["check", "plain", "--formula", "a:b", "--wrt", "w", "--shapes", "w: d"]) == 2
    assert cli.main(["check"]) == 2
    (model / "leaves.py").write_text("import sys; sys.exit('bye')")
    assert cli.main(["check", "leaves:loss", "--formula", "a:b", "--wrt", "w", "--shapes", ""]) == 2
    error = capsys.readouterr().err
    assert "nothing" in error and "no_such_module" in error and "MODULE:FUNCTION" in error
    assert "cannot import 'leaves': SystemExit: bye" in error
    assert len(error.splitlines()) == 7


def test_a_size_that_equals_another_factor_does_not_hide_the_slip():
    """Where the first fresh inputs have d = 2, "1/d is missing" looks like a factor of 2."""
    for seed in range(8):
        report = check_formula(
            lambda X, w: np.mean(X @ w), {"w": lambda X, w: len(w) * X.mean(axis=0)},
            "X: n d; w: d", seed=seed,
        )  # fmt: skip
        assert report["w"].slips == ("1/d is missing: the gradient of the sum, not of the mean",)


def test_a_matrix_for_its_transpose():
    """Only a square matrix lets it pass: other shapes do not fit."""

    def loss(X, W, U):
        return np.sum(np.tanh(X @ W) @ U)

    def dw(X, W, U):
        a = np.tanh(X @ W)
        return X.T @ (np.ones_like(a) @ U * (1 - a**2))

    report = check_formula(loss, {"W": dw}, "X: n d; W: d h; U: h h")["W"]
    assert report.slips == ("W is used for Wᵀ in a product on the way back",)
