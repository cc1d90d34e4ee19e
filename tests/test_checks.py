"""Checks accept what NumPy takes for a number, and refuse the rest in a sentence with its name."""

import inspect
from fractions import Fraction

import numpy as np
import pytest

from tinygrad_slp import Tensor, checks, data, metrics, nn, optim, train
from tinygrad_slp.train import Checkpoint, EarlyStopping

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


def optimizer():
    return optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.1)


def of_schedule(make, **settings):
    return lambda **changed: make(optimizer(), **{**settings, **changed})


def of(make, *args, **settings):
    return lambda **changed: make(*args, **{**settings, **changed})


W = [Tensor([1.0], requires_grad=True)]
NEEDED = {
    "params": W, "parameters": W, "in_features": 2, "out_features": 1, "features": 2, "size": 2,
    "num_embeddings": 3, "embedding_dim": 2, "num_features": 2, "normalized_shape": 2,
    "sizes": [2, 3, 1], "step_size": 2, "gamma": 0.5, "T_max": 3, "milestones": [2], "max_lr": 0.1,
    "total_steps": 5, "module": nn.Tanh(), "max_norm": 1, "clip_value": 1, "path": "run.npz",
    "input": np.array([[0.5, 0.2]]), "var": np.ones((1, 2)), "data": (np.ones((4, 2)),) * 2,
    "y_true": [0, 1], "y_proba": [0.3, 0.7], "loss": nn.mse_loss, "epochs": 1, "name": "xor",
    "arrays": (np.ones((4, 2)),), "members": 2, "knots": [[0, 1]],
}  # fmt: skip
CLASSES = {"cross_entropy", "nll_loss"}
KINDS = {"bool": ["no", 1, None], "int": [2.5, "2", True], "float": ["x", True, 1j]}


def settings_of_public_functions():
    """(function, setting, its kind) for all that a signature says is a number or a flag."""
    tuples = "Calibration", "PrecisionRecallF1"
    for module in (nn, optim, data, metrics, train):
        for name in module.__all__:
            f = getattr(module, name)
            results = ("Buffer", "Batches", "NonFiniteError", "Training", *tuples)
            if name not in results and callable(f):
                for p in inspect.signature(f).parameters.values():
                    kind = getattr(p.annotation, "__name__", str(p.annotation)).partition(" |")[0]
                    if p.annotation is p.empty:  # of an optimizer: its numbers may all be fractions
                        kind = type(p.default).__name__.replace("int", "float")
                    if kind in KINDS and "str" not in str(p.annotation):
                        yield pytest.param(f, p.name, kind, id=f"{name}-{p.name}")


@pytest.mark.parametrize(("f", "setting", "kind"), [*settings_of_public_functions()])
def test_every_setting_of_a_public_function_is_of_the_kind_it_says(f, setting, kind):
    parameters = inspect.signature(f).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    values = {p.name: NEEDED[p.name] for p in needed if p.name in NEEDED}
    if "target" in {p.name for p in needed}:
        values["target"] = np.array([1]) if f.__name__ in CLASSES else np.array([[1.0, -1.0]])
    if "optimizer" in {p.name for p in needed}:
        values["optimizer"] = optimizer()
    if f is train.fit:
        values["model"] = nn.Linear(2, 2)
        values["optimizer"] = optim.SGD(values["model"].parameters())
    arrays = values.pop("arrays", ())
    for wrong in KINDS[kind]:
        with pytest.raises((TypeError, ValueError), match=rf"\b{setting}\b"):
            f(*arrays, **{**values, setting: wrong})


SETTINGS = {
    "Linear": (of(nn.Linear, in_features=2, out_features=1), ["in_features", "out_features"]),
    "Dropout": (of(nn.Dropout), ["p"]), "LeakyReLU": (of(nn.LeakyReLU), ["negative_slope"]),
    "ELU": (of(nn.ELU), ["alpha"]), "LayerNorm": (of(nn.LayerNorm, 3), ["eps"]),
    "BatchNorm1d": (of(nn.BatchNorm1d, num_features=2), ["num_features", "eps"]),
    "StepLR": (of_schedule(optim.StepLR, step_size=2), ["step_size", "gamma"]),
    "ExponentialLR": (of_schedule(optim.ExponentialLR, gamma=0.5), ["gamma"]),
    "LinearLR": (of_schedule(optim.LinearLR), ["start_factor", "end_factor", "total_iters"]),
    "CosineAnnealingLR": (of_schedule(optim.CosineAnnealingLR, T_max=2), ["T_max", "eta_min"]),
    "OneCycleLR": (
        of_schedule(optim.OneCycleLR, max_lr=1, total_steps=9),
        ["max_lr", "total_steps", "pct_start", "div_factor", "final_div_factor"],
    ),
    "ReduceLROnPlateau": (
        of_schedule(optim.ReduceLROnPlateau),
        ["factor", "patience", "threshold", "cooldown", "min_lr", "eps"],
    ),
    "SGD": (of(optim.SGD, W), ["lr", "momentum", "dampening", "weight_decay"]),
    "Adam": (of(optim.Adam, W), ["lr", "eps", "weight_decay"]),
    "RMSprop": (of(optim.RMSprop, W), ["lr", "alpha", "eps", "weight_decay", "momentum"]),
    "Adagrad": (of(optim.Adagrad, W), ["lr", "lr_decay", "initial_accumulator_value", "eps"]),
    "NAdam": (of(optim.NAdam, W), ["lr", "eps", "weight_decay", "momentum_decay"]),
    "clip_grad_norm_": (of(optim.clip_grad_norm_, W, max_norm=1), ["max_norm", "norm_type"]),
    "EarlyStopping": (of(EarlyStopping), ["patience", "min_delta"]),
    "Checkpoint": (of(Checkpoint, "a.npz"), ["every"]),
    "batches": (of(data.batches, np.ones((9, 2)), size=2), ["size"]),
}  # fmt: skip
WHOLE = {
    "in_features", "out_features", "num_features", "step_size", "total_iters", "T_max", "patience",
    "total_steps", "cooldown", "every", "size",
}  # fmt: skip


@pytest.mark.parametrize(("make", "names"), SETTINGS.values(), ids=SETTINGS)
def test_every_public_setting_that_is_no_such_number_is_refused_by_name(make, names):
    for name in names:
        wrong = [True, np.True_, "x", "1", None, {}, 1j]
        for value in [*wrong, *([2.5, 2.0, INF, NAN] if name in WHOLE else [])]:
            with pytest.raises(TypeError, match=rf"^{name} should be .*, got "):
                make(**{name: value})
        for value in [-1] if name in WHOLE else [NAN]:
            with pytest.raises(ValueError, match=rf"^{name} should be .*, got "):
                make(**{name: value})
        for value in (np.int64(1), np.array(1)) if name in WHOLE else (np.float32(0.5),):
            make(**{name: value})
