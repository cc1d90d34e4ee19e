"""Tables out of the box: what is learned, how far it can be trusted, and what is refused."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import nn
from tinygrad_slp.data import (
    Encoder,
    Multilabel,
    Numbers,
    Ordinal,
    Quantiles,
    RobustScaler,
    TargetMeans,
    load_penguins,
    two_moons,
)
from tinygrad_slp.data.targets import Classes
from tinygrad_slp.tabular import PRESETS, TabularModel, fit_table
from tinygrad_slp.tabular.explanation import dependence, importances
from tinygrad_slp.tabular.members import Folds, scheduled
from tinygrad_slp.tabular.scores import PARTS, left_out
from tinygrad_slp.tabular.settings import Settings, settings_for, sized
from tinygrad_slp.tabular.table import as_table

QUICK = {"preset": "quick"}


def waves(n, seed=0, noise=0.3):
    """A table with a curve, a line, a category, gaps and a column of noise; and its target."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n))
    group = rng.choice(["red", "green", "blue"], n)
    y = np.sin(3 * a) + b + (group == "red") + noise * rng.normal(size=n)
    gaps = np.where(rng.random(n) < 0.1, np.nan, b)
    return {"a": a, "b": gaps, "c": c, "group": group}, y


@pytest.fixture(scope="module")
def curve():
    table, y = waves(600)
    return fit_table(table, y, **QUICK)


def error(model, table, y):
    return np.mean((model.predict(table) - y) ** 2)


# --- what is learned ---


def test_a_curve_is_learned_better_than_a_line_and_the_result_says_so(curve):
    table, y = waves(2000, seed=1)
    losses = curve.facts["losses"]
    assert losses["model"] < 0.6 * losses["straight lines"] < 0.6 * losses["baseline"]
    assert error(curve, table, y) < 0.35 * y.var()
    assert curve.score(table, y) > 0.65


def test_rows_left_out_tell_what_new_rows_will_be_like(curve):
    _, y = waves(600)
    new, y_new = waves(4000, seed=1)
    left_out = np.mean((curve.left_out["model"][:, 0] - y) ** 2)
    assert 0.8 < error(curve, new, y_new) / left_out < 1.2


def test_where_there_is_only_a_line_it_is_about_as_good_as_least_squares():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    y = X @ [1, -2, 0, 0, 0.5] + rng.normal(size=400)
    w = np.linalg.lstsq(np.c_[X, np.ones(400)], y)[0]
    model = fit_table(X, y, **QUICK)
    new = rng.normal(size=(5000, 5))
    truth = new @ [1, -2, 0, 0, 0.5]
    least = np.mean((np.c_[new, np.ones(5000)] @ w - truth) ** 2)
    assert np.mean((model.predict(new) - truth) ** 2) < least + 0.06  # of a noise of 1


def test_probabilities_are_as_sure_as_they_are_right():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    p = 1 / (1 + np.exp(-2 * X[:, 0] - np.abs(X[:, 1])))
    y = np.where(rng.random(3000) < p, "yes", "no")
    model = fit_table(X[:1500], y[:1500], **QUICK)
    q = model.predict_proba(X[1500:])[:, 1]
    assert np.abs(q - p[1500:]).mean() < 0.06
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (q >= low) & (q < high)
        n = inside.sum()
        surprise = (y[1500:][inside] == "yes").mean() - q[inside].mean()
        assert abs(surprise) < 4 * np.sqrt(0.25 / n)


def test_penguins_are_told_apart_from_their_table_with_gaps():
    model = fit_table(load_penguins(), "species", **QUICK)
    assert model.classes.tolist() == ["Adelie", "Chinstrap", "Gentoo"]
    assert np.mean(model.left_out["model"].argmax(axis=1) ==
                   np.searchsorted(model.classes, load_penguins()["species"])) > 0.97  # fmt: skip


def test_a_class_may_count_for_more():
    X, y = two_moons(300, noise=0.4, rng=0)
    rare = np.flatnonzero((y == 0) | (np.arange(300) % 8 == 0))
    X, y = X[rare], y[rare]
    recall = [
        (fit_table(X, y, class_weight=w, **QUICK).predict(X)[y == 1] == 1).mean()
        for w in (None, "balanced", {1: 20.0})
    ]
    assert recall[0] < recall[1] <= recall[2] == pytest.approx(1, abs=0.1)


def test_several_numbers_several_labels_and_quantiles():
    table, y = waves(500)
    both = fit_table(table, np.column_stack([y, -2 * y]), **QUICK)
    found = both.predict(table)
    assert found.shape == (500, 2)
    assert np.corrcoef(found[:, 0], -found[:, 1])[0, 1] > 0.98
    labels = np.column_stack([y > 0, table["a"] > 1]).astype(int)
    several = fit_table(table, labels, **QUICK)
    assert several.facts["task"] == "multilabel"
    assert (several.predict(table) == labels).mean() > 0.85
    assert several.predict_proba(table).shape == (500, 2)


def test_quantiles_cover_their_share_of_fresh_rows_and_do_not_cross():
    table, y = waves(1500)
    model = fit_table(table, y, quantiles=(0.1, 0.5, 0.9), **QUICK)
    new, fresh = waves(4000, seed=1)
    low, middle, high = model.predict(new).T
    assert np.all(low <= middle) and np.all(middle <= high)
    for q, level in ((low, 0.1), (middle, 0.5), (high, 0.9)):
        assert np.mean(fresh <= q) == pytest.approx(level, abs=0.05)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_their_share_of_fresh_rows(curve, level):
    new, fresh = waves(6000, seed=2)
    low, high = curve.interval(new, level).T
    covered = np.mean((low <= fresh) & (fresh <= high))
    # The share itself varies with the 600 errors that it is read from.
    assert covered == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 600))


def test_data_frames_with_categories_booleans_and_missing_values():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")
    table, y = waves(300)
    frame = pandas.DataFrame(table)
    frame["group"] = frame["group"].astype("category")
    frame["flag"] = pandas.array([True, False, None] * 100, dtype="boolean")
    frame["count"] = pandas.array([1, None, 3] * 100, dtype="Int64")
    frame["y"] = y
    model = fit_table(frame, "y", **QUICK)
    assert model.name == "y"
    shuffled = frame[["y", "count", "flag", "group", "c", "b", "a"]]
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(frame))


# --- the same again ---


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    table, y = waves(120)
    runs = [fit_table(table, y, epochs=5, seed=s, **QUICK).predict(table) for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0] != runs[2])


def test_what_is_not_compiled_learns_the_same():
    table, y = waves(120)
    settings = {"epochs": 3, "dropout": 0.0, **QUICK}
    expected = fit_table(table, y, backend="eager", **settings).predict(table)
    found = fit_table(table, y, backend="numpy", **settings).predict(table)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


TARGETS = {
    "classes": lambda y: np.where(y > 0, "up", "down"), "numbers": lambda y: y,
    "labels": lambda y: np.column_stack([y > 0, y > 1]).astype(int),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*TARGETS, "quantiles"])
def test_a_file_holds_all_of_it(kind, tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed (extra io)")
    table, y = waves(100)
    y = TARGETS.get(kind, lambda y: y)(y)
    quantiles = (0.2, 0.8) if kind == "quantiles" else None
    model = fit_table(table, y, quantiles=quantiles, epochs=3, **QUICK)
    model.save(tmp_path / "m.safetensors")
    back = TabularModel.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(back.predict(table), model.predict(table))
    assert back.facts == model.facts
    if kind == "numbers":
        np.testing.assert_array_equal(back.interval(table), model.interval(table))


@pytest.mark.parametrize(
    "target",
    [
        Classes("balanced"), Ordinal(range(8, -1, -1)), Numbers("huber"), Quantiles(), Multilabel(),
    ],
)  # fmt: skip
def test_a_target_comes_back_from_its_state(target):
    y = np.array([[0, 1], [1, 1], [0, 0]] * 3) if isinstance(target, Multilabel) else np.arange(9.0)
    target.fit(y)
    again = Encoder.from_state(target.state())
    assert again.state() == target.state()
    np.testing.assert_array_equal(again.transform(y), target.transform(y))


# --- laws of the parts ---


@given(st.integers(2, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_each_row_is_left_out_once_by_a_member_that_does_not_learn_from_it(n, k, groups, seed):
    rng = np.random.default_rng(seed)
    k = min(k, n)
    folds = Folds(n, k, rng.integers(groups, size=n), rng)
    out = [row[mask] for row, mask in zip(folds.left_out, folds.counts, strict=True)]
    assert sorted(np.concatenate(out)) == list(range(n))
    for learned, left in zip(folds.train, out, strict=True):
        assert sorted([*learned, *left]) == list(range(n))
    np.testing.assert_array_equal(folds.in_order(folds.left_out, n), np.arange(n))


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30), st.floats(-1e300, 1e300))
def test_scaling_keeps_the_order_and_stays_within_8(values, new):
    x = np.array([*values, np.nan])
    scaler = RobustScaler().fit(x)
    y = scaler.transform(np.array([*sorted(values), np.nan, new]))
    assert np.all(np.abs(y[:, 0]) <= 8)
    assert np.all(np.diff(y[: len(values), 0]) >= 0)
    np.testing.assert_array_equal(y[:, 1], [*[0] * len(values), 1, 0])
    again = Encoder.from_state(scaler.state())
    np.testing.assert_array_equal(again.transform(x), scaler.transform(x))


def test_ramps_are_the_formula():
    x = np.random.default_rng(0).normal(size=(7, 3))
    y = nn.PiecewiseLinear([[-1, 0, 2], [0, 1]])(x)
    np.testing.assert_allclose(y[:, :3], x)
    np.testing.assert_allclose(y[:, 3], np.clip(x[:, 0] + 1, 0, 1) - 0.5)
    np.testing.assert_allclose(y[:, 4], np.clip(x[:, 0] / 2, 0, 1) - 0.5)
    np.testing.assert_allclose(y[:, 5], np.clip(x[:, 1], 0, 1) - 0.5)


def test_members_are_networks_of_their_own():
    model = nn.MLPEnsemble(3, [4, 5, 2], nn.Tanh, rng=0)
    x = np.random.default_rng(0).normal(size=(1, 6, 4))
    y = model(x).data
    first, _, last = model.layers
    for k in range(3):
        h = np.tanh(x[0] @ first.weight.data[k] + first.bias.data[k])
        alone = h @ last.weight.data[k] + last.bias.data[k] + x[0] @ model.line.weight.data[k]
        np.testing.assert_allclose(y[k], alone)


@given(st.integers(5, 10**7), st.integers(10, 10**6), st.sampled_from(sorted(PRESETS)))
def test_sizes_fit_every_table(rows, weights, preset):
    s = sized(PRESETS[preset], rows, weights)
    assert 2 <= s.members <= rows
    assert 1 <= s.batch <= rows
    assert s.epochs >= 8 and s.patience >= 20 and s.lr > 0


def test_the_learning_rate_rises_and_falls():
    rates = [scheduled(t) for t in np.linspace(0, 1, 101)]
    assert rates[0] == 0 and np.argmax(rates) == 5 and rates[-1] == pytest.approx(0)


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preset": "fast"}, "preset"), ({"width": 3}, "no setting width"),
        ({"hidden": (0,)}, "hidden"), ({"members": 1}, "members"), ({"lr": 0}, "lr"),
        ({"optimizer": "adamx"}, "optimizer"), ({"dropout": 1.0}, "dropout"),
        ({"task": "ranking"}, "task"), ({"quantiles": (0.5, 0.1)}, "quantiles"),
        ({"loss": "l7"}, "loss"), ({"bins": -1}, "bins"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(change, words):
    table, y = waves(20)
    with pytest.raises((TypeError, ValueError), match=words):
        fit_table(table, y, **change)


def test_wrong_tables_are_named(curve):
    table, y = waves(20)
    with pytest.raises(ValueError, match="no column 'z' to predict; there are a, b, c, group"):
        fit_table(table, "z")
    with pytest.raises(ValueError, match="20 rows, the target 7"):
        fit_table(table, y[:7])
    with pytest.raises(ValueError, match="4 rows are too few"):
        fit_table({"x": np.arange(4.0)}, np.arange(4.0))
    with pytest.raises(ValueError, match=r"no column to learn from; x: 1\.0 in every row"):
        fit_table({"x": np.ones(9)}, np.arange(9.0))
    with pytest.raises(ValueError, match=r"finite numbers.*\(20, 1\)|missing|finite"):
        fit_table(table, np.where(y > 0, y, np.nan))
    with pytest.raises(ValueError, match="columns missing: 'group'"):
        curve.predict({name: x for name, x in table.items() if name != "group"})
    with pytest.raises(TypeError, match="no probabilities"):
        curve.predict_proba(table)
    with pytest.raises(ValueError, match="more rows than"):
        curve.interval(table, 0.9999)


def test_a_category_that_was_not_there_is_none_of_those_known(curve):
    table, _ = waves(20)
    assert np.isfinite(curve.predict({**table, "group": np.array(["violet"] * 20)})).all()


def test_settings_are_what_they_say():
    assert settings_for("quick", hidden=(8,)).hidden == (8,)
    assert Settings() == PRESETS["default"]


def test_ramps_made_for_each_batch_are_those_made_once(monkeypatch):
    table, y = waves(100)
    once = fit_table(table, y, epochs=3, **QUICK).predict(table)
    monkeypatch.setattr("tinygrad_slp.tabular.learning.ROOM", 0)
    np.testing.assert_array_equal(fit_table(table, y, epochs=3, **QUICK).predict(table), once)


def test_a_shuffled_column_costs_as_much_as_it_matters(curve):
    table, _ = waves(600)
    found = {name: mean for name, mean, _ in importances(curve)}
    assert [*found][-1] == "c"  # noise
    assert abs(found["c"]) < 0.1 * min(found["a"], found["b"])
    assert curve.loss_left_out(table, np.arange(600)) == pytest.approx(
        curve.facts["losses"]["model"], rel=1e-4
    )


def test_dependence_is_the_curve_that_a_column_draws(curve):
    at, means = dependence(curve, "a")
    inner = np.abs(at) < 1.5
    wave = np.sin(3 * np.array(at))
    assert np.corrcoef(means[inner, 0], wave[inner])[0, 1] > 0.95
    names, means = dependence(curve, "group")
    assert sorted(names) == ["blue", "green", "red"]
    assert names[means.argmax()] == "red"


# --- several targets, and what a notebook shows ---


def targets(n=300, seed=0):
    table, y = waves(n, seed)
    return {**table, "y": y, "z": y + table["a"], "up": (y > 0).astype(int), "on": (y < 1) * 1.0}


@pytest.mark.parametrize(
    ("names", "task"), [(["y", "z"], "regression"), (["up", "on"], "multilabel")]
)
def test_several_columns_are_predicted_by_their_names(names, task):
    table = targets()
    model = fit_table({k: x for k, x in table.items() if k in (*names, *"abc")}, names, **QUICK)
    assert model.names == names and model.target.task == task
    truth = np.stack([table[name] for name in names], axis=1)
    assert model.score(table, truth) > 0.5
    rows = left_out(model)
    assert [name for name, *_ in rows] == [f"{n}: {p}" for n in sorted(names) for p in PARTS]
    for k, name in enumerate(names):
        ((y, p),) = ((y, p) for who, y, p in rows if who == f"{name}: model")
        np.testing.assert_array_equal(y, truth[:, k])
        np.testing.assert_array_equal(p if p.ndim == 1 else p[:, 1], model.left_out["model"][:, k])


def test_names_of_targets_that_do_not_fit():
    table = targets()
    for names, words in (
        (["y", "w"], "'w'.*there are a, b"), (["y", "y"], "twice: y, y"),
        (["y", "group"], "'group' has texts.*'(red|green|blue)'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            fit_table(table, names, **QUICK)
    labels = ["yes", "no"] * 150  # a list of one for each row is no list of names
    assert fit_table(table, labels, epochs=1, **QUICK).classes.tolist() == ["no", "yes"]


@pytest.mark.parametrize("target", ["y", "group", ["y", "z"], ["up", "on"]])
def test_a_notebook_shows_the_report(target, tmp_path):
    model = fit_table(targets(), target, epochs=2, **QUICK)
    shown = model._repr_html_()
    for text in ("How good it is", "What matters", "Settings", f"Rows to train on: {300}"):
        assert text in shown
    assert ("Confusion matrix" in shown) == (target == "group")
    pytest.importorskip("safetensors", reason="safetensors is not installed (extra io)")
    model.save(tmp_path / "m.safetensors")
    again = TabularModel.load(tmp_path / "m.safetensors")
    assert again.names == model.names and repr(again) == repr(model)
    assert "straight lines" in again._repr_html_() and "What matters" not in again._repr_html_()
    with pytest.raises(ValueError, match="from a file"):
        importances(again)


# --- classes in an order ---

GRADES = ["poor", "fair", "good", "great"]


def grades(n, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    k = np.digitize(a + b + 0.5 * rng.logistic(size=n), [-1.5, 0, 1.5])
    return {"a": a, "b": b, "grade": np.array(GRADES)[k]}


def test_probabilities_of_ordered_classes_are_products_of_ratios():
    """P(y = k) = (1 − σ(zₖ)) · Πⱼ﹤ₖ σ(zⱼ), written out."""
    z = np.random.default_rng(0).normal(size=(5, 3)) * 3
    s = 1 / (1 + np.exp(-z))
    by_hand = [1 - s[:, 0], s[:, 0] * (1 - s[:, 1]), s[:, 0] * s[:, 1] * (1 - s[:, 2]),
               s[:, 0] * s[:, 1] * s[:, 2]]  # fmt: skip
    target = Ordinal(GRADES).fit(GRADES)
    p = target.link(z)
    np.testing.assert_allclose(p, np.stack(by_hand, axis=1), rtol=1e-12)
    y = target.transform(["good"] * 5)
    np.testing.assert_array_equal(y, [[0, 0, 1, 0]] * 5)
    np.testing.assert_allclose(target.loss(z, y), -np.log(p[:, 2]), rtol=1e-12)


def test_an_order_of_classes_helps():
    table, new = grades(300), grades(4000, seed=1)
    at = np.arange(4000), np.array([GRADES.index(x) for x in new["grade"]])
    losses = []
    for order in (GRADES, None):
        model = fit_table(table, "grade", order=order, **QUICK)
        places = [model.classes.tolist().index(g) for g in GRADES]
        losses.append(-np.mean(np.log(model.predict_proba(new)[:, places][at])))
        assert {*model.predict(new)} <= {*GRADES}
    assert losses[0] < losses[1]


def test_an_ordered_category_of_pandas_has_its_order(tmp_path):
    pd = pytest.importorskip("pandas", reason="pandas is not installed (extra train)")
    pytest.importorskip("safetensors", reason="safetensors is not installed (extra io)")
    frame = pd.DataFrame(grades(60))
    for labels, order in (
        (frame["grade"], GRADES),
        (frame["grade"].map(GRADES.index), [3, 1, 0, 2]),
    ):
        frame["grade"] = pd.Categorical(labels, categories=order, ordered=True)
        model = fit_table(frame, "grade", epochs=2, **QUICK)
        assert isinstance(model.target, Ordinal) and model.classes.tolist() == order
        y = np.asarray(frame["grade"])
        assert model.score(frame, y) == np.mean(model.predict(frame) == y)
        model.save(tmp_path / "m.safetensors")
        again = TabularModel.load(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
        assert again.predict_proba(frame[:0]).shape == (0, 4)
        _, y, p = left_out(model)[0]
        np.testing.assert_array_equal(model.classes[y], np.asarray(frame["grade"]))
        assert p.shape == (60, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": GRADES[1:]}, "'poor'"), ({"order": [*GRADES, "poor"]}, "twice"),
        ({"order": GRADES, "task": "regression"}, "order.*regression"),
        ({"class_weight": "balanced", "task": "regression"}, "class_weight='balanced'.*regression"),
        ({"loss": "mae", "task": "classification"}, "loss='mae'.*classification"),
        ({"quantiles": (0.5,), "class_weight": "balanced"}, "quantiles"),
        ({"quantiles": (0.5,), "loss": "mae"}, "quantiles.*loss"),
        ({"task": "ordinal"}, "'ordinal'"),
    ],
)  # fmt: skip
def test_options_for_another_task_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        fit_table(grades(60), "grade", epochs=1, **options, **QUICK)


# --- categories with many values ---


def people(n, seed, effect=1.0, many=300):
    """Each of many names has a number of its own."""
    own = effect * np.random.default_rng(5).normal(size=many)
    rng = np.random.default_rng(seed)
    who, x = rng.integers(many, size=n), rng.normal(size=n)
    names = np.array([f"n{(k * 7919) % 99991:05d}" for k in range(many)])
    return {"who": names[who], "x": x}, own[who] + x + 0.5 * rng.normal(size=n)


def test_means_of_the_target_by_hand():
    x, y = np.array(["a", "a", "a", "b", "b", "c"]), np.array([[1.0, 2, 3, 6, 8, 4]]).T
    fold = np.array([0, 1, 0, 1, 0, 1])
    encoder = TargetMeans(y, fold).fit(x)
    within = (2 + 2) / 3  # squared distances from the means 2, 7 and 4; 6 rows − 3 means
    m = within / (y.var() - within)
    shrunk = np.array([(6 + 4 * m) / (3 + m), (14 + 4 * m) / (2 + m), (4 + 4 * m) / (1 + m), 4])
    scale = shrunk[[0, 0, 0, 1, 1, 2]].std()
    np.testing.assert_allclose(encoder.transform(["a", "b", "c", "new"])[:, 0], shrunk / scale)
    # Of fold 1 each category has one row: no variance within, and no shrinking.
    np.testing.assert_allclose(
        encoder.left_out(x, fold)[fold == 0, 0], [2 / scale, 2 / scale, 6 / scale]
    )
    again = Encoder.from_state(encoder.state())
    np.testing.assert_array_equal(again.transform(["a", "new"]), encoder.transform(["a", "new"]))
    with pytest.raises(ValueError, match=r"y .*fold"):
        TargetMeans().fit(x)


@pytest.mark.parametrize("classes", [False, True])
def test_a_column_of_many_names_is_learned(classes):
    table, y = people(3000, 0)
    new, y_new = people(3000, 1)
    if classes:
        y, y_new = (np.where(v > 0, "up", "down") for v in (y, y_new))
    model = fit_table(table, y, **QUICK)
    assert isinstance(model.columns.columns["who"], TargetMeans)
    assert model.score(new, y_new) > (0.85 if classes else 0.8)
    member = model.loss_left_out(table, np.arange(3000))
    assert member == pytest.approx(model.facts["losses"]["model"], rel=1e-4)
    strange = {**new, "who": np.full(3000, "nobody")}
    assert np.isfinite(model.scores(strange)).all()


def test_many_names_that_tell_nothing_do_no_harm():
    """Means that saw the row's own target would look like the target itself."""
    table, y = people(1500, 0, effect=0.0)
    new, y_new = people(4000, 1, effect=0.0)
    model = fit_table(table, y, **QUICK)
    assert model.score(new, y_new) > 0.95 * (1 - 0.25 / 1.25)
    ratio = error(model, new, y_new) / (2 * model.facts["losses"]["model"] * y.var())
    assert 0.85 < ratio < 1.15


def test_the_days_between_two_dates_are_learned_from():
    """Late is who took 20 to 30 days, whenever it began: no sum of terms of each date tells it."""
    rng = np.random.default_rng(0)
    n = 1000
    begin = np.datetime64("2020-01-01") + rng.integers(0, 1000, n)
    took = rng.integers(0, 50, n)
    table = {"begin": begin.astype(str), "end": (begin + took).astype(str)}
    y = np.where((took >= 20) & (took < 30), "late", "not")
    rows, new = slice(0, 700), slice(700, n)
    model = fit_table({name: x[rows] for name, x in table.items()}, y[rows], **QUICK)
    assert model.score({name: x[new] for name, x in table.items()}, y[new]) > 0.95
    assert any("end − begin" in note for note in model.facts["notes"])


def test_texts_that_count_as_missing_are_told():
    days = [f"2024-01-{k % 28 + 1:02}" for k in range(60)]
    table = {
        "a": ["?", "forty", *(f"{k},5" for k in range(58))],
        "b": ["", *(f"{k},5" for k in range(59))],
        "when": ["soon", "", *days[2:]],
    }
    model = fit_table(table, np.arange(60) / 7, **QUICK)
    notes = [x for x in model.facts["notes"] if "so missing" in x]
    assert notes == [
        "a: no numbers, so missing: '?', 'forty'",
        "when: no dates, so missing: 'soon'",
    ]
    again = Encoder.from_state(model.columns.state())
    assert again.notes() == model.columns.notes()


def test_columns_of_a_frame_as_people_have_them():
    """Dates, durations, decimals, truth values and gaps mean what they mean in a file."""
    pd = pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")
    days = [date(2024, 1, 5), None, date(2024, 3, 1)]
    moments = ["2024-01-05T10:00:00", "", "2024-03-01T00:00:00"]
    stamps = pd.Series(pd.to_datetime(["2024-01-05 10:00", None, "2024-03-01"], format="mixed"))
    lengths = pd.Series(pd.to_timedelta([36, None, 12], unit="h"))
    cases = {
        "days": (days, ["2024-01-05", "", "2024-03-01"]), "stamps": (stamps, moments),
        "objects": (stamps.astype(object), moments), "NumPy": (stamps.to_numpy(), moments),
        "zone": (stamps.dt.tz_localize("Asia/Tokyo"), moments),
        "lengths": (lengths, [1.5, np.nan, 0.5]),
        "timedeltas": (lengths.astype(object), [1.5, np.nan, 0.5]),
        "decimals": ([Decimal("0.5"), None, Decimal(2)], [0.5, np.nan, 2]),
        "truth": ([True, None, False], [1, np.nan, 0]),
        "mixed": ([1.0, "?", 2.5], ["1", "?", "2.5"]),
        "whole": (pd.array([1, None, 3], dtype="Int64"), [1, np.nan, 3]),
        "floats": (pd.Series([1.5, None, 3]), [1.5, np.nan, 3]),
        "kinds": (pd.Categorical([1, None, 2]), [1, np.nan, 2]),
        "texts": (["a", None, ""], ["a", "", ""]),
    }  # fmt: skip
    for name, (values, expected) in cases.items():
        for table in ({name: values}, pd.DataFrame({name: values})):
            np.testing.assert_array_equal(as_table(table)[name], np.array(expected), name)
    with pytest.raises(ValueError, match=r"'b'.*inf"):
        as_table({"a": [1.0], "b": [np.inf]})
    with pytest.raises(ValueError, match="2 columns named 'a'"):
        as_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_rows_without_a_target_are_left_out():
    x = np.arange(60) / 7
    labels = [None, *("pq"[k % 2] for k in range(59))]
    for y, classes in ((labels, ["p", "q"]), ([np.nan, *(k % 2 for k in range(59))], [0, 1])):
        model = fit_table({"x": x, "y": y}, "y", **QUICK)
        assert model.classes.tolist() == classes
        assert model.facts["rows"] == 59
        assert model.facts["notes"][0] == "1 row without a target: left out"
    y = np.stack([x * x, x], axis=1)
    y[3, 0] = y[5, 1] = np.nan
    model = fit_table({"x": x, "y": y[:, 0], "z": y[:, 1]}, ["y", "z"], **QUICK)
    assert model.facts["rows"] == 58


def test_a_line_with_little_noise_gets_the_line_alone():
    """How far the share of the lines goes is a matter of the ratio of losses, not of their size."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    y = X @ rng.normal(size=6) + 0.003 * rng.normal(size=300)
    for scale in (1.0, 1e-4):
        model = fit_table(X, scale * y, **QUICK)
        losses = model.facts["losses"]
        assert losses["networks"] > 2 * losses["straight lines"]
        assert losses["model"] <= 1.02 * losses["straight lines"]
