"""Metrics are scikit-learn's to rounding, and refuse what has no answer."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinygrad_slp import Tensor, metrics

theirs = pytest.importorskip("sklearn.metrics")


def close(found, expected):
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


# Few different values, so that there are ties.
SCORES = st.integers(-4, 4).map(lambda k: k / 4) | st.floats(-1e3, 1e3)
PROBABILITIES = st.integers(0, 8).map(lambda k: k / 8) | st.floats(0, 1)
NAMES = np.array(["no", "oh", "yes", "zero"])


@st.composite
def labelled(draw, classes=4, least=1, rows=12):
    """Two columns of labels, numbers or strings."""
    n = draw(st.integers(least, rows))
    true, pred = (draw(arrays(np.int64, n, elements=st.integers(0, classes - 1))) for _ in "ab")
    if draw(st.booleans()):
        return NAMES[true], NAMES[pred]
    return true, pred


@st.composite
def scored(draw, classes, elements, least=None):
    """Labels, each class there, and scores of shape (n,) of two classes, (n, k) of more."""
    n = draw(st.integers(least or classes, 14))
    more = draw(arrays(np.int64, n - classes, elements=st.integers(0, classes - 1)))
    y = draw(st.permutations([*range(classes), *more.tolist()]))
    score = draw(arrays(np.float64, n if classes == 2 else (n, classes), elements=elements))
    return (NAMES if draw(st.booleans()) else np.arange(10, 14))[y], score


def normalised(p):
    p = p + 1 / 16
    return p / p.sum(axis=1, keepdims=True)


@given(labelled())
def test_labels_against_labels(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        close(metrics.accuracy(*pair), theirs.accuracy_score(*pair))
        close(metrics.balanced_accuracy(*pair), theirs.balanced_accuracy_score(*pair))
        np.testing.assert_array_equal(
            metrics.confusion_matrix(*pair), theirs.confusion_matrix(*pair)
        )


@given(labelled(), st.permutations(range(4)))
def test_precision_recall_and_f1(pair, order):
    labels = (NAMES if pair[0].dtype.kind == "U" else np.arange(4))[order]
    score = theirs.precision_recall_fscore_support
    for labelling in (None, labels):
        for average in (None, "macro", "weighted"):
            found = metrics.precision_recall_f1(*pair, labelling, average)
            expected = score(*pair, labels=labelling, average=average, zero_division=0)
            for mine, their in zip(found[:3], expected[:3], strict=True):
                np.testing.assert_allclose(mine, their, rtol=1e-12)
            assert np.sum(found.rows) == len(pair[0])
        np.testing.assert_array_equal(
            metrics.precision_recall_f1(*pair, labelling).rows,
            score(*pair, labels=labelling, zero_division=0)[3],
        )


def test_the_second_of_two_classes_is_what_others_score():
    y, p = [0, 1, 1, 0, 1], [0, 1, 0, 1, 1]
    found = metrics.precision_recall_f1(y, p)
    assert found.f1[1] == theirs.f1_score(y, p) and found.recall[1] == theirs.recall_score(y, p)


@given(labelled(), st.permutations(range(4)))
def test_confusion_in_a_given_order(pair, order):
    labels = (NAMES if pair[0].dtype.kind == "U" else np.arange(4))[order]
    found = metrics.confusion_matrix(*pair, labels=labels)
    np.testing.assert_array_equal(found, theirs.confusion_matrix(*pair, labels=labels))
    assert found.dtype == np.int64


@given(scored(2, SCORES))
def test_area_under_the_curve(pair):
    close(metrics.roc_auc(*pair), theirs.roc_auc_score(*pair))


@pytest.mark.parametrize("classes", [3, 4])
@given(data=st.data())
def test_area_of_each_class_against_the_rest(classes, data):
    y, score = data.draw(scored(classes, PROBABILITIES))
    p = normalised(score)
    close(metrics.roc_auc(y, p), theirs.roc_auc_score(y, p, multi_class="ovr"))


@given(scored(2, SCORES), st.integers(1, 50))
def test_the_area_is_that_of_ranks(pair, scale):
    """Any growing function of the scores has the same area, the negative the rest of it."""
    y, score = pair
    area = metrics.roc_auc(y, score)
    _, ranks = np.unique(score, return_inverse=True)
    close(metrics.roc_auc(y, scale * ranks), area)
    close(metrics.roc_auc(y, -score), 1 - area)


@given(scored(2, PROBABILITIES))
def test_log_loss_of_two_classes(pair):
    y, p = pair
    close(metrics.log_loss(y, p), theirs.log_loss(y, p))
    close(metrics.log_loss(y, np.stack([1 - p, p], axis=1)), theirs.log_loss(y, p))


@given(scored(3, PROBABILITIES))
def test_log_loss_of_three_classes(pair):
    y, p = pair[0], normalised(pair[1])
    close(metrics.log_loss(y, p), theirs.log_loss(y, p))
    some, labels = y[:1], np.unique(y)
    close(metrics.log_loss(some, p[:1], labels), theirs.log_loss(some, p[:1], labels=labels))
    turned = metrics.log_loss(y, p[:, ::-1], labels=labels[::-1])
    assert turned == metrics.log_loss(y, p)


def test_log_loss_ends_at_the_eps_of_the_dtype():
    for dtype in (np.float32, np.float64):
        p = np.array([1, 0], dtype=dtype)
        assert metrics.log_loss([0, 1], p) == pytest.approx(-np.log(np.finfo(dtype).eps))


@given(scored(2, PROBABILITIES), st.integers(1, 12))
def test_calibration_curve(pair, bins):
    curve = pytest.importorskip("sklearn.calibration").calibration_curve
    y, p = pair
    found = metrics.calibration(y, p, bins=bins)
    observed, predicted = curve(y, p, n_bins=bins, pos_label=np.unique(y)[1])
    close(found.observed, observed)
    close(found.predicted, predicted)
    assert found.rows.sum() == len(y) and np.all(found.rows > 0)
    close(found.error, np.sum(found.rows * np.abs(observed - predicted)) / len(y))


def test_calibration_by_hand():
    found = metrics.calibration([0, 1, 1, 1], [0.1, 0.2, 0.9, 0.8], bins=2)
    close(found.observed, [0.5, 1])
    close(found.predicted, [0.15, 0.85])
    close(found.error, (0.35 + 0.15) / 2)
    p = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]]
    largest = metrics.calibration(["a", "b", "a"], p, labels=["a", "b", "c"], bins=1)
    close(largest.error, abs(2 / 3 - 0.7))


def test_true_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    p = rng.random(100_000)
    y = rng.random(100_000) < p
    assert metrics.calibration(y, p).error < 0.01
    assert metrics.calibration(y, np.sqrt(p)).error > 0.1


TARGETS = st.integers(-40, 40).map(lambda k: k / 4)


@given(st.data(), st.sampled_from([(7,), (2,), (5, 3), (6, 1)]))
def test_numbers_against_numbers(data, shape):
    true, pred = (data.draw(arrays(np.float64, shape, elements=TARGETS)) for _ in "ab")
    close(metrics.mse(true, pred), theirs.mean_squared_error(true, pred))
    close(metrics.rmse(true, pred), theirs.root_mean_squared_error(true, pred))
    close(metrics.mae(true, pred), theirs.mean_absolute_error(true, pred))
    close(metrics.r2(true, pred), theirs.r2_score(true, pred))


def test_r2_of_a_constant_is_1_or_0_whatever_the_rounding():
    y = np.full(3, 0.1)  # its mean is not 0.1
    assert (metrics.r2(y, y), metrics.r2(y, y + 1)) == (1, 0)


def test_integers_do_not_overflow():
    assert metrics.mse(np.array([0], np.uint8), np.array([20], np.uint8)) == 400


def test_tensors_with_gradients_are_taken():
    y, p = [0, 1, 1], Tensor([0.2, 0.8, 0.4], requires_grad=True)
    assert metrics.accuracy(y, p >= 0.5) == pytest.approx(2 / 3)
    for metric in (metrics.roc_auc, metrics.log_loss, metrics.mse, metrics.mae, metrics.r2):
        found = metric(y, p * 1.0)
        assert type(found) is float and found == metric(y, p.data)


@given(labelled(classes=2, least=2), st.data())
def test_all_are_in_their_range(pair, data):
    p = data.draw(arrays(np.float64, len(pair[0]), elements=PROBABILITIES))
    assume(len(np.unique(pair[0])) == 2)
    assert 0 <= metrics.roc_auc(pair[0], p) <= 1
    assert 0 <= metrics.calibration(pair[0], p).error <= 1
    assert metrics.log_loss(pair[0], p) >= 0


REFUSED = [
    ("accuracy", ([1, 0], [[1], [0]]), r"\(2,\) and \(2, 1\): write y_pred\[:, 0\]"),
    ("accuracy", ([1, 0], [[1, 0], [0, 1]]), r"\(2, 2\): write y_pred.argmax\(axis=1\)"),
    ("accuracy", ([1, 0], [1]), r"\(2,\) and \(1,\)$"),
    ("accuracy", (1, 1), r"\(n, \.\.\.\).*\(\) and \(\)"),
    ("accuracy", ([], []), "no rows to compare"),
    ("accuracy", ([[1]], [[1]]), r"y_true: .*\(n,\).*\(1, 1\)"),
    ("accuracy", ([0, 1], [0, 0.7]), r"y_pred .*labels.*0.7 in row 1.* p >= 0.5"),
    ("accuracy", ([np.nan], [1]), r"y_true .*labels.*nan"),
    ("accuracy", (["a"], [1]), r"strings.*numbers.*<U1 and int64"),
    ("balanced_accuracy", ([1], [1, 2]), "same shape"),
    ("confusion_matrix", ([1], [2], [1, 3]), r"y_pred .*2 in row 0.* 1, 3"),
    ("confusion_matrix", (["a"], ["a"], [1, 3]), r"y_true:.*strings"),
    ("confusion_matrix", ([1], [1], [1, 1]), r"each label once.*1, 1"),
    ("confusion_matrix", ([1], [1], []), "each label once"),
    ("precision_recall_f1", ([1], [1], None, "micro"), '"macro" or "weighted".*\'micro\''),
    ("roc_auc", ([1, 1], [0.1, 0.2]), r"2 classes.*1; name .*labels="),
    ("roc_auc", ([1, 1], [0.1, 0.2], [0, 1]), r"every class in y_true.*1"),
    ("roc_auc", ([0, 1], [0.1, np.nan]), r"NaN"),
    ("roc_auc", ([0, 1], None), r"y_score .*numbers.*object"),
    ("roc_auc", ([0, 1], ["0.1", "0.2"]), r"y_score .*numbers.*<U3"),
    ("log_loss", ([0, 1], ["0.1", "a"]), r"y_proba .*numbers.*<U3"),
    ("calibration", ([0, 1], None), r"y_proba .*numbers.*object"),
    ("roc_auc", ([0, 1, 2], [0.1, 0.2, 0.3]), r"2 classes.*0, 1, 2"),
    ("roc_auc", ([0, 1], [0.1]), r"\(2,\) or \(2, k\).*\(1,\)"),
    ("roc_auc", ([], []), r"\(0,\)"),
    ("log_loss", (["a", "a"], [0.1, 0.2]), r"2 classes.*'a'; .*labels="),
    ("log_loss", (["a", "c"], [0.1, 0.2], ["a", "b"]), "y_true has 'c' in row 1"),
    ("log_loss", ([0, 1], [-3.0, 5.0]), r"from 0 to 1.*-3.0 to 5.0; of logits"),
    ("log_loss", ([0, 1], [np.nan, 0.5]), "from 0 to 1"),
    ("log_loss", ([0, 1], [[0.5, 0.5], [0.5, 0.6]]), "of row 1 sum to 1.1"),
    ("log_loss", ([0, 1], [[0.2, 0.3, 0.5]] * 2), r"3 classes.*0, 1;"),
    ("calibration", ([0, 1], [0.1, 0.2], None, 0), "bins .*1"),
    ("calibration", ([0, 1], [[[0.1]]] * 2), r"\(2, 1, 1\)"),
    ("mse", ([1.0, 2.0], [[1.0], [2.0]]), r"write y_pred\[:, 0\]"),
    ("mae", (["a"], ["b"]), r"y_true .*numbers.*<U1"),
    ("r2", ([1.0], [1.0]), r"needs two rows.*1"),
]


@pytest.mark.parametrize("name, call, message", REFUSED)
def test_what_a_metric_cannot_take_is_refused(name, call, message):
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(*call)
