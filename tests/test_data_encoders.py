"""Encoders find what numbers and categories are, keep to it, and come back bit by bit."""

import copy
import json
import pickle
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinygrad_slp.data import (
    Dates,
    Encoder,
    Labels,
    OneHot,
    RobustScaler,
    Standardizer,
    TableEncoder,
    load_penguins,
    train_test_split,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5)


def matrices(elements):
    shape = st.tuples(st.integers(1, 8), st.integers(1, 3))
    return shape.flatmap(lambda s: arrays(np.float64, s, elements=elements))


def again(encoder):
    """The encoder after a way through a file of strict JSON, the keys in another order."""
    text = json.dumps(encoder.state(), allow_nan=False, sort_keys=True)
    found = Encoder.from_state(json.loads(text))
    assert type(found) is type(encoder) and found.state() == encoder.state()
    return found


def same_bits(a, b):
    assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


# --- Standardizer ---


@given(matrices(st.floats(-1e6, 1e6)))
def test_mean_0_and_deviation_1(X):
    z = Standardizer().fit_transform(X)
    spread = np.ptp(X, axis=0) > 1e-6 * np.max(np.abs(X), axis=0)
    np.testing.assert_allclose(z.mean(axis=0)[spread], 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=0)[spread], 1, atol=1e-9)


@given(matrices(st.integers(-1000, 1000).map(lambda k: k / 4) | st.just(np.nan)))
def test_standardizer_is_that_of_scikit_learn(X):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    assume(not np.isnan(X).all(axis=0).any())
    ours, theirs = Standardizer().fit(X), preprocessing.StandardScaler().fit(X)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.std, theirs.scale_, rtol=1e-12)
    np.testing.assert_allclose(
        ours.transform(X), np.nan_to_num(theirs.transform(X)), rtol=1e-12, atol=1e-12
    )


@given(matrices(FINITE))
def test_whatever_is_finite_stays_finite(X):
    encoder = Standardizer().fit(X)
    assert np.all(np.isfinite(encoder.mean)) and np.all(np.isfinite(encoder.std))
    try:
        assert np.all(np.isfinite(encoder.transform(X)))
    except ValueError as error:  # x − mean may be above the largest float
        assert "too far from the mean" in str(error) and np.max(np.abs(X)) > 1e307


@given(st.floats(-1e300, 1e300), st.integers(1, 9))
def test_a_constant_column_becomes_exactly_0(value, n):
    z = Standardizer().fit_transform(np.full((n, 2), value))
    np.testing.assert_array_equal(z, np.zeros((n, 2)))


@given(st.integers(-300, 290), arrays(np.float64, 6, elements=st.integers(-50, 50).map(float)))
def test_the_unit_does_not_matter(power, x):
    """Not even where squares would be 0 or infinite."""
    unit = 2.0**power
    assume(len(set(x)) > 1)
    same_bits(Standardizer().fit_transform(x), Standardizer().fit_transform(x * unit))


@given(matrices(st.floats(-1e6, 1e6)))
def test_standardizing_has_an_inverse(X):
    encoder = Standardizer().fit(X)
    back = encoder.inverse_transform(encoder.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-12, atol=1e-9)


@given(matrices(FINITE))
def test_a_standardizer_comes_back_bit_by_bit(X):
    encoder = Standardizer().fit(X)
    found = again(encoder)
    same_bits(found.mean, encoder.mean)
    same_bits(found.std, encoder.std)


def test_missing_numbers_become_the_mean_and_are_reported():
    x = [1, np.nan, 3, np.nan]
    encoder = Standardizer().fit(x)
    np.testing.assert_array_equal(encoder.transform(x), [-1, 0, 1, 0])
    assert encoder.notes() == again(encoder).notes() == ["2 missing, replaced by the mean 2"]
    assert Standardizer().fit([[1, 5], [2, np.nan]]).notes() == [
        "column 1: 1 missing, replaced by the mean 5"
    ]
    assert Standardizer().fit([1, 2]).notes() == []


def test_standardizer_of_a_target():
    y = np.array([1, 2, 6], dtype=np.float32)
    encoder = Standardizer().fit(y)
    z = encoder.transform(y)
    assert z.shape == (3,) and z.dtype == np.float64
    np.testing.assert_allclose(encoder.inverse_transform(z), y)


def test_standardizer_refuses():
    fitted = Standardizer().fit([[1.0, 2], [3, 4]])
    for message, call in {
        r"inf in row 1, column 0.*finite": lambda: Standardizer().fit([[1], [np.inf]]),
        r"values in column 1 are missing": lambda: Standardizer().fit([[1, np.nan]]),
        r"all 0": lambda: Standardizer().fit([]),
        r"<U1 of \(1,\)": lambda: Standardizer().fit(["a"]),
        r"float64 of \(1, 1, 1\)": lambda: Standardizer().fit([[[1.0]]]),
        r"shape \(n, 2\).*\(2, 3\)": lambda: fitted.transform(np.ones((2, 3))),
        r"shape \(n, 2\).*\(2,\)": lambda: fitted.inverse_transform([1, 2]),
        r"-1e\+308 in row 0, column 0.*mean": lambda: Standardizer().fit(
            [[1e308], [1e308], [1e308]]).transform([[-1e308]]),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()


# --- OneHot and Labels ---

COLUMNS = st.one_of(
    st.lists(TEXTS, min_size=1, max_size=8).map(np.array),
    arrays(np.int64, st.integers(1, 8)),
    arrays(np.float32, st.integers(1, 8), elements=st.floats(allow_infinity=False, width=32)),
    arrays(np.float64, st.integers(1, 8), elements=st.floats(allow_infinity=False)),
    arrays(np.bool, st.integers(1, 8)),
)


@given(COLUMNS)
def test_one_hot_has_one_1_in_each_row_and_an_inverse(x):
    encoder = OneHot().fit(x)
    y = encoder.transform(x)
    assert y.shape == (len(x), len(np.unique(x))) and y.dtype == np.float64
    assert np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1)
    np.testing.assert_array_equal(encoder.inverse_transform(y), x)
    found = again(encoder)
    same_bits(found.categories, encoder.categories)
    same_bits(found.transform(x), y)


def test_a_missing_number_is_one_category_whatever_its_sign():
    negative = np.copysign(np.nan, -1)
    for x in [negative], [np.nan, negative], [negative, np.nan, 1.0]:
        encoder = OneHot().fit(np.array(x))
        assert encoder.categories[-1:].tobytes() == np.array([np.nan]).tobytes()
        same_bits(again(encoder).categories, encoder.categories)


@given(COLUMNS)
def test_labels_are_sorted_keep_their_dtype_and_have_an_inverse(x):
    assume(not np.any(x == "" if x.dtype.kind == "U" else np.isnan(x)))
    encoder = Labels().fit(x)
    index = encoder.transform(x)
    np.testing.assert_array_equal(encoder.classes, np.unique(x))
    assert encoder.classes.dtype == x.dtype and index.dtype == np.int64
    back = again(encoder).inverse_transform(index)
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


def test_missing_categories_are_a_category_and_are_reported():
    encoder = OneHot().fit(["b", "", "a"])
    np.testing.assert_array_equal(encoder.transform(["", "a"]), [[1, 0, 0], [0, 1, 0]])
    assert encoder.notes() == again(encoder).notes() == ["1 missing, a category of their own"]
    np.testing.assert_array_equal(OneHot().fit_transform([2.0, np.nan]), np.eye(2))


def test_rows_that_are_all_missing_are_of_the_kind_that_is_known():
    encoder = TableEncoder().fit({"c": ["a", None, "b"], "x": [1.0, 2, 3]})
    for absent in (None, np.nan, ""):
        z = encoder.transform({"c": [absent], "x": [2.0]})
        np.testing.assert_array_equal(z, [[1, 0, 0, 0]])
    np.testing.assert_array_equal(OneHot().fit([2.0, np.nan]).transform(["", None]), [[0, 1]] * 2)
    with pytest.raises(ValueError, match="nan"):
        OneHot().fit(["a", "b"]).transform([None])
    assert OneHot().fit(["a", "b"]).transform([]).shape == (0, 2)


def test_unknown_categories():
    known = ["Biscoe", "Dream"]
    with pytest.raises(ValueError, match=r"'Atlantis' in row 1; .*'Biscoe', 'Dream'; One"):
        OneHot().fit(known).transform(["Dream", "Atlantis"])
    encoder = again(OneHot(handle_unknown="ignore").fit(known))
    np.testing.assert_array_equal(encoder.transform(["Atlantis", "Dream"]), [[0, 0], [0, 1]])
    with pytest.raises(ValueError, match="row 0"):
        encoder.inverse_transform([[0, 0], [0, 1]])
    with pytest.raises(ValueError, match=r"row 1\b.*NaN"):  # of a model that diverged
        encoder.inverse_transform([[0.3, 0.7], [np.nan, 1]])
    with pytest.raises(ValueError, match=r"0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 5 more"):
        Labels().fit(range(15)).transform([20])


def test_labels_of_python_objects():
    for values in (["b", "a"], [2, 1], [True, False]):
        encoder = Labels().fit(np.array(values, dtype=object))
        assert encoder.classes.dtype == np.array(values).dtype
        np.testing.assert_array_equal(encoder.transform(values), [1, 0])
    np.testing.assert_array_equal(
        Labels().fit(["b", "a"]).inverse_transform([[1, 0]]), [["b", "a"]]
    )


def test_categories_refuse():
    labels, letters = Labels().fit(["a", "b"]), OneHot().fit(["a", "b"])
    for message, call in {
        r"'c' in row 0.*'a', 'b'$": lambda: labels.transform(["c"]),
        r"numbers \(int64\).*strings": lambda: labels.transform([1]),
        r"strings \(<U1\), .*numbers": lambda: OneHot().fit([1]).transform(["1"]),
        "label in row 1 is missing": lambda: Labels().fit(["a", ""]),
        "label in row 0 is missing": lambda: Labels().fit([np.nan, 1]),
        "no rows": lambda: OneHot().fit([]),
        "no class -1: .* 0 to 1": lambda: labels.inverse_transform([0, -1]),
        "no class 2": lambda: labels.inverse_transform(2),
        r"float64.* \(n, k\)": lambda: labels.inverse_transform([[0.2, 0.8]]),
        r"shape \(n, 2\).*\(2,\)": lambda: letters.inverse_transform([1, 0]),
        '"error" or "ignore".*\'zeros\'': lambda: OneHot("zeros"),
        r"2 in row 1.*string": lambda: OneHot().fit(["a", 2]),
        r"\[1\] in row 0.*number": lambda: OneHot().fit(
            np.array([[1], None], dtype=object)),
        r"shape \(n,\).*\(1, 1\)": lambda: Labels().fit([[1]]),
        r"dates .*\(datetime64\[D\]\)": lambda: OneHot().fit(
            np.array(["2020-01-01"], dtype="datetime64[D]")),
        r"inf in row 1.*finite": lambda: OneHot().fit([1, np.inf]),
        r"numbers or strings.*complex128": lambda: Labels().fit([1j]),
        r"numbers or strings.*\|S1": lambda: Labels().fit(np.array([b"a"])),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()


# --- tables ---

TABLE = {
    "mass": np.array([1.0, np.nan, 3.0]),
    "island": np.array(["b", "a", "b"]),
    "year": np.array([2007, 2008, 2008]),
    "sex": np.array(["f", None, "m"], dtype=object),
}


def test_a_table_becomes_a_matrix():
    encoder = TableEncoder({"year": OneHot()})
    X = encoder.fit_transform(TABLE)
    np.testing.assert_allclose(
        X, [[-1, 0, 1, 1, 0, 0, 1, 0], [0, 1, 0, 0, 1, 1, 0, 0], [1, 0, 1, 0, 1, 0, 0, 1]]
    )
    assert encoder.feature_names == [
        "mass", "island=a", "island=b", "year=2007", "year=2008", "sex=", "sex=f", "sex=m",
    ]  # fmt: skip
    assert encoder.notes() == [
        "mass: 1 missing, replaced by the mean 2",
        "sex: 1 missing, a category of their own",
    ]
    found = again(encoder)
    assert found.feature_names == encoder.feature_names and found.notes() == encoder.notes()
    moved = {"extra": [0, 0, 0], **dict(reversed(TABLE.items()))}
    same_bits(found.transform(moved), X)


def test_given_encoders_are_not_changed():
    mine = OneHot(handle_unknown="ignore")
    TableEncoder({"island": mine}).fit(TABLE)
    with pytest.raises(AttributeError, match=r"OneHot.*fit"):
        mine.transform(["a"])


@given(st.data())
def test_any_table_comes_back_bit_by_bit(data):
    n = data.draw(st.integers(1, 6))
    number = arrays(np.float64, n, elements=st.floats(-1e9, 1e9))
    text = st.lists(TEXTS, min_size=n, max_size=n)
    names = st.text(max_size=4) | st.sampled_from(["encoder", "columns", "dtype", "values"])
    table = data.draw(st.dictionaries(names, number | text, min_size=1, max_size=4))
    encoder = TableEncoder().fit(table)
    same_bits(again(encoder).transform(table), encoder.transform(table))
    assert encoder.transform(table).shape == (n, len(encoder.feature_names))


def test_penguins_as_a_matrix():
    table = load_penguins()
    y = Labels().fit_transform(table.pop("species"))
    train, test = train_test_split(np.arange(len(y)), stratify=y, rng=0)
    encoder = TableEncoder().fit({name: x[train] for name, x in table.items()})
    X = encoder.transform({name: x[test] for name, x in table.items()})
    assert X.shape == (69, 4 + 3 + 3 + 1) and np.all(np.isfinite(X))


def test_a_data_frame_will_do():
    pandas = pytest.importorskip("pandas")
    same_bits(
        TableEncoder().fit_transform(pandas.DataFrame(TABLE)), TableEncoder().fit_transform(TABLE)
    )


def test_the_missing_values_of_pandas_are_missing():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "sex": pandas.array(["f", None, "m"], dtype="string"),
        "tagged": pandas.array([True, None, False], dtype="boolean"),
        "year": pandas.array([2, None, 4], dtype="Int64"),
    })  # fmt: skip
    plain = {"sex": ["f", "", "m"], "tagged": [1, np.nan, 0], "year": [2, np.nan, 4]}
    same_bits(TableEncoder().fit_transform(frame), TableEncoder().fit_transform(plain))


def test_tables_refuse():
    fitted = TableEncoder().fit(TABLE)
    for message, call in {
        r"column 'island': .*'c' in row 1.*'a', 'b'": lambda:
            fitted.transform({**TABLE, "island": ["a", "c", "a"]}),
        r"'mass', 'island'.*'year', 'sex'": lambda:
            fitted.transform({name: TABLE[name] for name in ("year", "sex")}),
        r"column 'mass': .*<U1": lambda:
            fitted.transform({**TABLE, "mass": ["a", "b", "c"]}),
        r"column 'sex': .*numbers": lambda:
            fitted.transform({**TABLE, "sex": [1, 2, 3]}),
        r"column 'mass': inf in row 0": lambda:
            fitted.transform({**TABLE, "mass": [np.inf, 2, 3]}),
        r"differ in length: \{.a.: 1, .b.: 2\}": lambda:
            TableEncoder().fit({"a": [1], "b": [1, 2]}),
        r"a table is a dict of columns.* ndarray of shape \(2, 2\); .* use Standardizer": lambda:
            TableEncoder().fit(np.ones((2, 2))),
        r".*list": lambda: TableEncoder().fit([[1, 2]]),
        r"a table is .*ndarray": lambda: fitted.transform(np.ones((3, 4))),
        r"the table has no columns": lambda: TableEncoder().fit({}),
        r"columns .* not in the table: 'c'": lambda: TableEncoder({"c": OneHot()}).fit(TABLE),
        r"column 'a': all 2": lambda:
            TableEncoder().fit({"a": [None, None]}),
        r"column 'a': dates and times": lambda:
            TableEncoder().fit({"a": np.array(["2020"], dtype="datetime64[D]")}),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()


# --- dates ---


def day(numbers, format="%Y-%m-%d"):
    start = datetime(2020, 1, 1)
    return ["" if n is None else (start + timedelta(days=int(n))).strftime(format) for n in numbers]


@given(st.lists(st.tuples(*[st.none() | st.integers(0, 999)] * 2), min_size=3, max_size=20))
def test_two_columns_of_dates_have_the_days_between_them(rows):
    begin, end = zip(*rows, strict=True)
    days = np.array([b - a if None not in (a, b) else np.nan for a, b in rows], float)
    assume(len({*days[days == days]}) > 1)
    assume(any(x is not None for x in begin) and any(x is not None for x in end))
    table = {"x": np.arange(len(rows)), "begin": day(begin), "end": day(end, "%d.%m.%Y %H:%M")}
    encoder = TableEncoder({"begin": Dates(), "end": Dates()}).fit(table)
    between = RobustScaler().fit(days)
    expected = between.transform(days).reshape(len(rows), -1)
    for found in (encoder, again(encoder)):
        matrix = found.transform(table)
        same_bits(matrix[:, : expected.shape[1]], expected)
        assert found.feature_names[0] == "end − begin"
        assert len(found.feature_names) == matrix.shape[1]
    assert sum("the days between" in note for note in encoder.notes()) == 1


def test_which_dates_have_a_difference():
    when, later = day([3, 50, 7]), day([5, 60, 9])
    cases = [
        ({"a": when, "b": later}, [("a", "b")]),
        ({"a": when, "b": when}, []),  # always 0
        ({"a": when, "b": day([4, 51, 8])}, []),  # always 1
        ({"a": when, "b": ["12:30", "7:15", "0:00"]}, []),
        ({"a": day([3, 4, None]), "b": day([None, None, 5])}, []),  # never both
        ({"a": when, "b": later, "c": day([90, 8, 1])}, [("a", "b"), ("a", "c"), ("b", "c")]),
    ]
    for table, pairs in cases:
        encoder = TableEncoder({name: Dates() for name in table}).fit(table)
        assert [*encoder.differences] == pairs
    many = {f"d{k}": day([k * k, 3 * k, 70]) for k in range(9)}
    encoder = TableEncoder({name: Dates() for name in many}).fit(many)
    assert [*encoder.differences] == [(f"d{k}", f"d{k + 1}") for k in range(8)]
    state = encoder.state()
    state["differences"][0][0] = "no"
    with pytest.raises(ValueError, match="two columns of dates"):
        Encoder.from_state(state)


# --- states ---


@pytest.mark.parametrize("kind", [Standardizer, OneHot, Labels, TableEncoder])
def test_an_encoder_that_is_not_fitted_says_so(kind):
    for call in (lambda: kind().transform([1]), lambda: kind().state()):
        with pytest.raises(AttributeError, match=rf"{kind.__name__}.*fit"):
            call()
    with pytest.raises(AttributeError, match="'men'"):
        kind().men  # noqa: B018


def test_encoders_are_copied_and_pickled():
    encoder = TableEncoder().fit(TABLE)
    for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        same_bits(other.transform(TABLE), encoder.transform(TABLE))


GOOD = {
    "Standardizer": {"encoder": "Standardizer", "mean": [0.5], "std": [2.0], "missing": [0]},
    "Labels": {"encoder": "Labels", "classes": {"dtype": "<i8", "values": [1, 2]}},
    "OneHot": {"encoder": "OneHot", "categories": {"dtype": "<U1", "values": ["a"]}, "missing": 0,
               "handle_unknown": "error"},
}  # fmt: skip


@pytest.mark.parametrize("kind, changed", [
    (None, None), (None, []), (None, {}), (None, {"encoder": "Encoder"}), (None, {"encoder": []}),
    (None, {"encoder": "TableEncoder", "columns": "ab"}),
    (None, {"encoder": "TableEncoder", "columns": [["a", {"encoder": "None"}]]}),
    ("Standardizer", {"mean": [0.5, 1.0]}), ("Standardizer", {"mean": [np.nan]}),
    ("Standardizer", {"std": [0.0]}), ("Standardizer", {"std": ["a"]}),
    ("Standardizer", {"mean": [[0.5]], "std": [[1.0]], "missing": [[0]]}),
    ("Labels", {"classes": {"dtype": "<i8", "values": [2, 1]}}),
    ("Labels", {"classes": {"dtype": "<i8", "values": []}}),
    ("Labels", {"classes": {"dtype": "|i1", "values": [1, 300]}}),
    ("Labels", {"classes": {"dtype": "O", "values": [1, [2]]}}),
    ("Labels", {"classes": {"dtype": "what", "values": [1]}}),
    ("Labels", {"classes": {"values": [1]}}), ("Labels", {"classes": None}),
    ("OneHot", {"handle_unknown": "perhaps"}), ("OneHot", {"missing": None}),
])  # fmt: skip
def test_what_is_not_a_state_is_refused(kind, changed):
    state = changed
    if kind:
        assert Encoder.from_state(GOOD[kind]).state() == GOOD[kind]
        state = {**GOOD[kind], **changed}
    with pytest.raises(ValueError, match="encoder"):
        Encoder.from_state(state)
