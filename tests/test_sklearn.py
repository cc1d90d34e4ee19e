"""The estimators: every check of scikit-learn, its numbers, and what its users do with them."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinygrad_slp import nn
from tinygrad_slp.nn.activations import ACTIVATIONS
from tinygrad_slp.sklearn import (
    MLPClassifier,
    MLPRegressor,
    PerceptronClassifier,
    TabularClassifier,
    TabularRegressor,
    epochs,
    search,
)
from tinygrad_slp.train import NonFiniteError, fit

unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ALL = [MLPClassifier, MLPRegressor, PerceptronClassifier]


def iris(dtype=np.float64):
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(dtype), y


def two_classes():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def numbers(outputs=1):
    X, y = make_regression(90, 5, n_targets=outputs, noise=1.0, random_state=0)
    return X, y / 100


DATA = {MLPClassifier: iris, PerceptronClassifier: two_classes, MLPRegressor: numbers}


SEARCHING = [kind(solver="lbfgs") for kind in ALL]


@unconverged
@parametrize_with_checks([*(kind() for kind in ALL), *SEARCHING])
def test_passes_every_check_of_scikit_learn(estimator, check):
    check(estimator)


# --- the same numbers as scikit-learn's ---


def from_the_same_weights(kind, data, **settings):
    """Ours and theirs, trained from the same weights on the same batches.

    Adam's ε is added in another place there, so it is made too small to matter.
    """
    settings = {
        "shuffle": False, "warm_start": True, "random_state": 0, "epsilon": 1e-14, **settings,
    }  # fmt: skip
    most = settings.pop("max_iter", 300)
    ours = globals()[kind](max_iter=1, backend="eager", **settings).fit(*data)
    theirs = getattr(neural_network, kind)(max_iter=1, **settings).fit(*data)
    theirs.coefs_ = [W.copy() for W in ours.coefs_]
    theirs.intercepts_ = [b.copy() for b in ours.intercepts_]
    theirs.best_loss_ = np.inf
    ours.loss_curve_, theirs.loss_curve_ = [], []
    for estimator in ours, theirs:
        estimator.set_params(max_iter=most).fit(*data)
    return ours, theirs


@unconverged
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "adam", "alpha": 0.5, "batch_size": 40},
        {"solver": "adam", "activation": "logistic", "n_iter_no_change": 2, "tol": 1e-3},
        {"solver": "sgd", "learning_rate_init": 0.02, "hidden_layer_sizes": (8, 6)},
        {"solver": "sgd", "momentum": 0.5, "nesterovs_momentum": False, "activation": "tanh"},
        {"solver": "sgd", "momentum": 0, "learning_rate": "adaptive", "learning_rate_init": 0.1,
         "tol": 1e-2},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "kind, data",
    [("MLPClassifier", iris), ("MLPClassifier", two_classes), ("MLPRegressor", numbers)],
)
def test_trains_as_scikit_learn_does(kind, data, settings):
    data = data()
    ours, theirs = from_the_same_weights(kind, data, **settings)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=1e-8)
    here, there = (e.coefs_ + e.intercepts_ for e in (ours, theirs))
    for W, V in zip(here, there, strict=True):
        np.testing.assert_allclose(W, V, rtol=1e-6, atol=1e-8)
    assert ours.score(*data) == pytest.approx(theirs.score(*data), abs=1e-8)


# --- at work ---


@unconverged
@pytest.mark.parametrize("kind", ALL)
def test_the_same_seed_gives_the_same_bits(kind):
    X, y = DATA[kind]()
    a, b = (kind(random_state=3, max_iter=20).fit(X, y) for _ in range(2))
    other = kind(random_state=4, max_iter=20).fit(X, y)
    assert a.loss_curve_ == b.loss_curve_ != other.loss_curve_
    np.testing.assert_array_equal(a.predict(X), clone(a).fit(X, y).predict(X))


@unconverged
@pytest.mark.parametrize("kind", ALL)
def test_all_back_ends_train_alike(kind):
    pytest.importorskip("llvmlite")
    X, y = DATA[kind]()
    eager, replayed, native = (
        kind(random_state=0, max_iter=8, batch_size=40, backend=backend).fit(X, y).loss_curve_
        for backend in ("eager", "numpy", "llvm")
    )
    assert eager == replayed
    np.testing.assert_allclose(native, eager)


@unconverged
def test_compiled_where_it_pays(monkeypatch):
    used = []
    monkeypatch.setattr(
        epochs, "fit", lambda *a, jit, **k: used.append(jit) or fit(*a, jit=jit, **k)
    )
    X, y = iris()
    for n, size in (5, 50), (80, 50), (30, 1):
        MLPClassifier((2,), max_iter=n, batch_size=size, random_state=0).fit(X, y)
    MLPClassifier(random_state=0, max_iter=3, backend="numpy").fit(X, y)
    assert used == [False, "numpy", "auto", "numpy"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@unconverged
def test_keeps_the_dtype(dtype):
    X, y = iris(dtype)
    model = MLPClassifier(random_state=0, max_iter=5).fit(X, y)
    assert model.predict_proba(X).dtype == model.predict_log_proba(X).dtype == dtype
    assert {W.dtype for W in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
    model.partial_fit(X.astype(float), y)
    assert model.predict_proba(X.astype(float)).dtype == dtype
    X, y = numbers()
    assert MLPRegressor(max_iter=5).fit(X.astype(dtype), y).predict(X).dtype == dtype


def test_probabilities_sum_to_1_and_the_largest_is_predicted():
    for X, y in (iris(), two_classes()):
        model = PerceptronClassifier(random_state=0).fit(X, y)
        p = model.predict_proba(X)
        assert p.shape == (len(X), len(model.classes_))
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
        np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X))
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(p), rtol=1e-9, atol=1e-12)
        far, log_far = model.predict_proba(1000 * X), model.predict_log_proba(1000 * X)
        assert (far == 0).any() and not np.isnan(log_far).any()
        np.testing.assert_array_equal(log_far == -np.inf, far == 0)


def test_in_a_pipeline():
    model = make_pipeline(StandardScaler(), PerceptronClassifier(random_state=0))
    scores = cross_val_score(model, *load_breast_cancer(return_X_y=True), cv=5)
    assert scores.mean() > 0.96
    model = make_pipeline(StandardScaler(), MLPRegressor((20,), solver="adamw", alpha=0.1,
        learning_rate_init=0.01, max_iter=500, random_state=0))  # fmt: skip
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(model, X, (y - y.mean()) / y.std(), cv=5).mean() > 0.35


@unconverged
def test_grid_search_in_processes():
    X, y = iris()
    grid = {"hidden_layer_sizes": [(4,), (8, 4)], "activation": ["relu", "gelu"]}
    one, two = (
        GridSearchCV(MLPClassifier(max_iter=np.int64(30), random_state=0), grid, cv=2, n_jobs=n)
        .fit(X, y)
        for n in (1, 2)
    )  # fmt: skip
    assert one.best_params_ == two.best_params_
    for name in "mean_test_score", "std_test_score":
        np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@unconverged
def test_labels_may_be_words_and_columns_have_names():
    pandas = pytest.importorskip("pandas")
    data = load_iris(as_frame=True)
    words = pandas.Series(data.target_names[data.target])
    model = PerceptronClassifier(random_state=0).fit(data.data, words)
    assert list(model.classes_) == ["setosa", "versicolor", "virginica"]
    assert list(model.feature_names_in_) == list(data.data.columns)
    assert model.score(data.data, words) > 0.95
    with pytest.raises(ValueError, match="feature names"):
        model.predict(data.data[data.data.columns[::-1]])


@unconverged
@unconverged
def test_layers_and_output_are_named_as_in_scikit_learn():
    X, y = iris()
    for kind, t in ((MLPClassifier, y), (MLPClassifier, y > 0), (MLPRegressor, y)):
        theirs = getattr(neural_network, kind.__name__)
        mine, their = (
            made(hidden_layer_sizes=(5, 4), max_iter=1).fit(X, t) for made in (kind, theirs)
        )
        for name in ("n_layers_", "out_activation_", "n_outputs_"):
            assert getattr(mine, name) == getattr(their, name)


def test_a_class_of_one_row_is_named_by_its_label():
    X, y = np.arange(12.0).reshape(6, 2), ["cat", "dog", "cat", "cat", "owl", "owl"]
    with pytest.raises(ValueError, match=r"'dog'"):
        MLPClassifier(early_stopping=True).fit(X, y)


def test_several_outputs():
    X, Y = numbers(3)
    model = MLPRegressor((30,), learning_rate_init=0.01, max_iter=300, random_state=0).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.95
    with pytest.raises(ValueError, match=r"1 outputs.*MLPRegressor.*3"):
        model.partial_fit(X, Y[:, 0])


@unconverged
@pytest.mark.parametrize("settings", [{"dropout": 0.2}, {"norm": "batch"}, {"norm": "layer"}])
def test_dropout_and_norms(settings):
    X, y = iris()
    model = MLPClassifier((20,), random_state=0, learning_rate_init=0.01, max_iter=50, **settings)
    a, b = (clone(model).fit(X, y) for _ in range(2))
    assert a.score(X, y) > 0.95
    assert a.loss_curve_ == b.loss_curve_
    np.testing.assert_array_equal(a.predict_proba(X), a.predict_proba(X))


@unconverged
@pytest.mark.parametrize(
    "name, kind", [*ACTIVATIONS.items(), ("logistic", nn.Sigmoid), ("identity", nn.Identity)]
)
def test_all_activations_there_are_and_two_by_names_of_scikit_learn(name, kind):
    model = MLPClassifier((4,), name, max_iter=1, random_state=0).fit(*iris())
    assert type(model.model_[1]) is kind


@unconverged
@pytest.mark.parametrize(
    ("size", "batches"),
    [
        (2, [3] * 33 + [2]), (5, [6] * 16 + [5]), (50, [51, 50]), (40, [40, 40, 21]),
        (149, [101]), ("auto", [101]),
    ],
)  # fmt: skip
def test_no_batch_of_one_is_normalized(size, batches, monkeypatch):
    seen, normalize = [], nn.BatchNorm1d.forward
    see = lambda layer, x: seen.append(len(x)) or normalize(layer, x)
    monkeypatch.setattr(nn.BatchNorm1d, "forward", see)
    X, y = iris()
    model = MLPClassifier((4,), batch_size=size, norm="batch", max_iter=2, random_state=0)
    model.set_params(backend="eager").fit(X[:101], y[:101])
    assert seen == batches * 2


# --- weights ---


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("solver, most", [("adam", 60), ("lbfgs", 12)])
@unconverged
def test_a_weight_is_as_good_as_so_many_rows(kind, solver, most):
    X, y = (a[:40] for a in DATA[kind]())
    w = np.random.default_rng(0).integers(0, 4, len(X))
    model = kind(solver=solver, alpha=0.3, batch_size=1000, max_iter=most, random_state=0)
    weighted = clone(model).fit(X, y, sample_weight=w)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    for W, V in zip(weighted.coefs_, repeated.coefs_, strict=True):
        np.testing.assert_allclose(W, V, rtol=1e-6, atol=1e-9)


@unconverged
def test_a_weight_is_as_good_as_so_many_rows_also_in_batches():
    X, y = two_classes()
    w = np.random.default_rng(0).integers(0, 4, len(X))
    model = PerceptronClassifier(alpha=5.0, batch_size=20, max_iter=200, tol=0)
    fits = [clone(model).set_params(random_state=k) for k in range(5)]
    weighted = np.mean([m.fit(X, y, w).coefs_[0] for m in fits], axis=0)
    model.batch_size = round(20 * w[w > 0].mean())
    fits = [clone(model).set_params(random_state=k) for k in range(5)]
    repeated = [m.fit(np.repeat(X, w, axis=0), np.repeat(y, w)).coefs_[0] for m in fits]
    np.testing.assert_allclose(weighted, np.mean(repeated, axis=0), atol=0.05)


# --- going on ---


@unconverged
@pytest.mark.parametrize("kind", ALL)
def test_epochs_one_by_one_are_a_fit(kind):
    X, y = DATA[kind]()
    settings = {"random_state": 0, "batch_size": 40, "backend": "eager"}
    whole = kind(max_iter=6, tol=0, **settings).fit(X, y)
    part = kind(**settings)
    more = {} if kind is MLPRegressor else {"classes": np.unique(y)}
    for k in range(6):
        part.partial_fit(X, y, **more)
        more = {}
        if k == 2:
            part = pickle.loads(pickle.dumps(part))
    assert part.loss_curve_ == whole.loss_curve_
    assert part.n_iter_ == 1
    np.testing.assert_array_equal(part.predict(X), whole.predict(X))


def test_partial_fit_knows_its_classes():
    X, y = iris()
    model = PerceptronClassifier(random_state=0)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y)
    model.partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"classes.*partial_fit"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"\[7\]"):
        model.partial_fit(X, np.where(y == 2, 7, y))
    with pytest.raises(ValueError, match="early_stopping"):
        PerceptronClassifier(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])


@unconverged
def test_a_warm_start_goes_on_and_a_cold_one_begins_again():
    X, y = iris()
    model = MLPClassifier(warm_start=True, max_iter=5, random_state=0).fit(X, y)
    inner, first = model.model_, model.loss_curve_[:]
    model.fit(X, y)
    assert model.model_ is inner and model.n_iter_ == 5
    assert model.loss_curve_[:5] == first and model.loss_curve_[5] < first[-1]
    with pytest.raises(ValueError, match="classes"):
        model.fit(X, y + 1)
    model.set_params(warm_start=False).fit(X, y)
    assert model.loss_curve_ == first


def test_early_stopping():
    X, y = two_classes()
    model = MLPClassifier(early_stopping=True, random_state=0, validation_fraction=0.2)
    model.fit(X, y)
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_ == len(model.loss_curve_) < 200
    assert model.best_validation_score_ == max(scores) > 0.9
    assert model.best_loss_ is None
    assert model.n_iter_ > 10 + int(np.argmax(scores))
    shorter = clone(model).set_params(n_iter_no_change=2).fit(X, y)
    assert shorter.validation_scores_ == scores[: shorter.n_iter_]
    assert shorter.n_iter_ < model.n_iter_
    with pytest.raises(ValueError, match="validation_fraction"):
        MLPRegressor(early_stopping=True).fit(X[:9], y[:9])


@unconverged
def test_early_stopping_ends_with_the_best_weights():
    X, y = numbers()
    model = MLPRegressor((50,), early_stopping=True, learning_rate_init=0.1, random_state=1)
    model.set_params(shuffle=False, max_iter=40, n_iter_no_change=np.inf).fit(X, y)
    best = int(np.argmax(model.validation_scores_)) + 1
    assert best < 40
    same = clone(model).set_params(max_iter=best).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), same.predict(X))


def test_a_warning_if_it_has_not_converged():
    X, y = iris()
    with pytest.warns(ConvergenceWarning, match=r"\(3\)"):
        MLPClassifier(max_iter=3, random_state=0).fit(X, y)


# --- L-BFGS ---


@unconverged
@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 0.5, "hidden_layer_sizes": (20,)},
        {"activation": "logistic", "hidden_layer_sizes": (8, 6)},
        {"activation": "tanh", "hidden_layer_sizes": 20, "max_fun": 12},
        {"hidden_layer_sizes": (), "tol": 1e-2},
        {"hidden_layer_sizes": (), "tol": 0},
    ],
)
@pytest.mark.parametrize(
    "kind, data",
    [("MLPClassifier", iris), ("MLPClassifier", two_classes), ("MLPRegressor", numbers)],
)
def test_lbfgs_searches_as_scikit_learn_does(kind, data, settings):
    """For 20 iterations; later, what rounding has changed has grown in the one as in the other."""
    data, settings = data(), {"solver": "lbfgs", **settings}
    ours, theirs = from_the_same_weights(kind, data, max_iter=20, **settings)
    assert 1 < ours.n_iter_ == theirs.n_iter_
    for W, V in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(W, V, rtol=1e-6, atol=1e-8)
    searches = [from_the_same_weights(kind, data, max_iter=k + 1, **settings) for k in range(20)]
    curve = [theirs.loss_ for _, theirs in searches[: ours.n_iter_]]
    np.testing.assert_allclose(ours.loss_curve_, curve, rtol=1e-8)
    assert ours.loss_ == ours.loss_curve_[-1] == ours.best_loss_


def test_the_perceptron_by_lbfgs_is_logistic_regression():
    for X, y in iris(), two_classes():
        ours = PerceptronClassifier(solver="lbfgs", alpha=0.5, tol=1e-7, random_state=0).fit(X, y)
        theirs = LogisticRegression(C=2.0, tol=1e-7, max_iter=1000).fit(X, y)
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)


@unconverged
@pytest.mark.parametrize("kind", ALL)
def test_lbfgs_on_all_back_ends(kind):
    pytest.importorskip("llvmlite")
    X, y = DATA[kind]()
    eager, replayed, native = (
        kind(solver="lbfgs", random_state=0, max_iter=8, backend=backend).fit(X, y).loss_curve_
        for backend in ("eager", "numpy", "llvm")
    )
    assert len(eager) == 8
    assert eager == replayed
    np.testing.assert_allclose(native, eager)


@unconverged
def test_lbfgs_is_compiled_where_it_pays(monkeypatch):
    used = []
    monkeypatch.setattr(search, "jit", lambda f, backend: used.append(backend) or f)
    for most in 100, 500, 5000:
        MLPClassifier((2,), solver="lbfgs", max_iter=most, random_state=0).fit(*iris())
    assert used == ["numpy", "auto"]


@unconverged
def test_lbfgs_keeps_float32_and_takes_a_norm():
    X, y = iris(np.float32)
    model = MLPClassifier((8,), solver="lbfgs", norm="layer", max_iter=30, random_state=0).fit(X, y)
    assert model.predict_proba(X).dtype == model.coefs_[0].dtype == np.float32
    assert not model.model_.training
    assert model.score(X, y) > 0.95


def test_lbfgs_says_why_it_ended():
    X, y = iris()
    model = MLPClassifier((8,), solver="lbfgs", random_state=0, max_iter=3, verbose=True)
    with pytest.warns(ConvergenceWarning, match=r"3 .*max_iter=3"):
        model.fit(X, y)
    assert model.n_iter_ == 3
    with pytest.warns(ConvergenceWarning, match=r"status=1.* max_fun=5,"):
        model.set_params(max_iter=200, max_fun=5).fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"max_fun=6,"):
        clone(PerceptronClassifier(solver="lbfgs", max_fun=6)).fit(X, y)
    model.set_params(max_fun=15000, tol=0.01).fit(X, y)
    assert 5 < model.n_iter_ < 200
    model.set_params(warm_start=True).fit(X, y)
    assert model.n_iter_ == 0
    assert model.loss_ == model.loss_curve_[-1] == model.best_loss_


def test_lbfgs_names_what_is_not_finite():
    X, y = iris()
    with pytest.raises(NonFiniteError, match=r"0 .*np\.square .*infinity"):
        MLPRegressor(solver="lbfgs").fit(X * 1e200, y)
    with pytest.raises(NonFiniteError, match="gradient"):
        MLPClassifier(solver="lbfgs").fit(X * 1e200, y)


def test_lbfgs_shows_progress(capsys):
    MLPClassifier(solver="lbfgs", random_state=0, tol=0.1, verbose=True).fit(*iris())
    assert "epoch   1/200  loss " in capsys.readouterr().out


def test_lbfgs_takes_no_steps_and_stops_where_it_would_without_a_validation_set():
    X, y = iris()
    model = MLPClassifier((8,), random_state=0, max_iter=2)
    model.partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(solver="lbfgs", max_iter=500)
    with pytest.raises(AttributeError) as error:
        model.partial_fit(X, y)
    assert "partial_fit is only available for stochastic" in str(error.value.__cause__)
    curve = model.fit(X, y).loss_curve_
    assert clone(model).set_params(early_stopping=True).fit(X, y).loss_curve_ == curve
    assert model.validation_scores_ is None
    before = model.coefs_[0]
    model.set_params(solver="adam").partial_fit(X, y)
    assert not np.array_equal(model.coefs_[0], before)


# --- what cannot be ---


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"solver": "adagrad"}, "The 'solver' parameter of MLPClassifier must be one of 'adam', "),
        ({"solver": "lbfgs", "dropout": 0.1}, "dropout=0.1 it is random: write dropout=0, or"),
        ({"solver": "lbfgs", "norm": "batch"}, "write norm='layer', or solver='adam'"),
        ({"activation": "swish"}, "'activation' .* one of 'identity', .* Got 'swish' instead"),
        ({"alpha": -1}, r"'alpha' .* in the range \[0, inf\)\. Got -1 instead"),
        ({"learning_rate_init": 0}, r"'learning_rate_init' .* in the range \(0, inf\)"),
        ({"batch_size": 0}, "'batch_size' .* 'auto' or a whole number, 1 or more"),
        ({"batch_size": "all"}, "'batch_size'"),
        ({"max_iter": 2.5}, "'max_iter' .* whole number"),
        ({"shuffle": 1}, "'shuffle' .* True or False"),
        ({"momentum": 1.1}, "'momentum'"),
        ({"beta_1": 1}, r"'beta_1' .* \[0, 1\)"),
        ({"tol": np.nan}, "'tol'"),
        ({"max_fun": 0}, "'max_fun' .* whole number"),
        ({"n_iter_no_change": 0}, "'n_iter_no_change' .* or infinity"),
        ({"hidden_layer_sizes": (10, 0)}, "'hidden_layer_sizes'"),
        ({"hidden_layer_sizes": "10"}, "'hidden_layer_sizes'"),
        ({"dropout": 1.0}, "'dropout'"),
        ({"norm": "group"}, "'norm' .* one of 'batch', 'layer', None"),
        ({"backend": "cuda"}, "'backend' .* 'llvm', 'eager'"),
        ({"random_state": "x"}, "cannot be used to seed"),
    ],
)
def test_arguments_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**settings).fit(*iris())


def test_data_that_cannot_be():
    X, y = iris()
    with pytest.raises(NotFittedError):
        MLPRegressor().predict(X)
    with pytest.raises(ValueError, match=r"sample_weight.*\(3,\).*\(150,\)"):
        MLPClassifier().fit(X, y, sample_weight=[1, 2, 3])
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        MLPClassifier().fit(X, y, sample_weight=-np.ones(150))
    with pytest.raises(ValueError, match="1d"):
        MLPClassifier().fit(X, np.eye(3, dtype=int)[y])
    with pytest.warns(DataConversionWarning), pytest.warns(ConvergenceWarning):
        MLPClassifier(max_iter=1).fit(X, y[:, np.newaxis])
    with pytest.raises(NonFiniteError, match="NaN or infinity in epoch 1"):
        MLPRegressor(max_iter=3).fit(X * 1e200, y)


def test_without_scikit_learn_the_error_names_the_extra():
    code = "import sys; sys.modules['sklearn'] = None; import tinygrad_slp.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: tinygrad_slp.sklearn needs scikit-learn 1.6 or later" in done.stderr
    assert "pip install 'tinygrad-slp[sklearn]'" in done.stderr


# --- tables ---

FAST = {"preset": "quick", "settings": {"epochs": 30}, "random_state": 0}


@parametrize_with_checks([TabularClassifier(**FAST), TabularRegressor(**FAST)])
def test_the_estimators_of_tables_pass_every_check_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_data_frame_with_categories_and_gaps_goes_in_as_it_is():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"x": rng.normal(size=120), "c": rng.choice(["a", "b"], 120)})
    y = frame.x + 2 * (frame.c == "a")
    frame.loc[::7, "x"] = np.nan
    model = TabularRegressor(**FAST).fit(frame, y)
    assert model.score(frame, y) > 0.7
    assert model.predict_interval(frame, 0.8).shape == (120, 2)
    assert cross_val_score(TabularClassifier(**FAST), frame, y > 1, cv=3).mean() > 0.7
