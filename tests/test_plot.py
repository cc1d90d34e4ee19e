"""Pictures show what they are given: curves, regions, rows and counts are read back off them."""

import subprocess
import sys

import numpy as np
import pytest

from tinygrad_slp import data, metrics, nn, optim
from tinygrad_slp.train import History, fit

pytest.importorskip("matplotlib", reason="matplotlib is not installed: the extra 'plot'")
from matplotlib.figure import Figure

from tinygrad_slp import plot
from tinygrad_slp.plot.boundary import as_probabilities


def history(**columns):
    made = History()
    rows = zip(*columns.values(), strict=True)
    made.epochs = [
        {"epoch": k, **dict(zip(columns, row, strict=True))} for k, row in enumerate(rows, 1)
    ]
    return made


def axes():
    return Figure().subplots()


def corners(scores):
    """A function of points that gives the same scores for all points of a quadrant."""
    return lambda points: np.array([scores[int(x > 0), int(y > 0)] for x, y in points])


CORNERS = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])

# --- every picture ---

PICTURES = {
    "history": lambda **k: plot.plot_history(history(loss=[2.0, 1.0]), **k),
    "boundary": lambda **k: plot.decision_boundary(
        lambda X: X[:, 0], CORNERS, np.array([0, 0, 1, 1]), **k
    ),
    "histograms": lambda **k: plot.histograms(nn.Linear(3, 2, rng=0), **k),
    "confusion": lambda **k: plot.confusion([[3, 1], [0, 4]], **k),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_figure_that_notebooks_show(name):
    figure = PICTURES[name]()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_written_where_asked(name, tmp_path):
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        PICTURES[name](path=tmp_path / f"p{suffix}")
        assert (tmp_path / f"p{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_axes_that_there_are(name):
    here = axes()
    assert PICTURES[name](ax=here) is here.figure
    assert here.has_data()


def test_pyplot_is_left_alone_and_a_missing_matplotlib_is_told():
    code = """
import sys
sys.modules["matplotlib"] = None
from tinygrad_slp import plot
assert "matplotlib.pyplot" not in sys.modules
try:
    plot.confusion([[1]])
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "plotting needs matplotlib: pip install 'tinygrad-slp[plot]'\n"
    assert "matplotlib.pyplot" not in sys.modules


NAMES = ["$0-$10k", "_hidden", r"n$\frac$", "bias", "a name that is far too long to be shown"]
SHOWN = ["$0-$10k", "_hidden", r"n$\frac$", "bias", "a name that is fa…e shown"]


def texts(found):
    """What is read in the picture: every $ in it was escaped."""
    given = [text.get_text() for text in found]
    assert all(text.count("$") == text.count(r"\$") for text in given)
    return [text.replace(r"\$", "$") for text in given]


def test_names_are_drawn_as_they_stand_and_the_middle_of_long_ones_left_out():
    training = plot.plot_training([2.0, 1.0], NAMES, np.arange(5.0), -1.0)
    weights = training.axes[1]
    assert texts(weights.get_yticklabels()) == [*SHOWN, "bias"]
    assert [bar.get_width() for bar in weights.patches] == [0, 1, 2, 3, 4, -1]
    assert [round(bar.get_y() + bar.get_height() / 2) for bar in weights.patches] == list(range(6))
    matrix = plot.confusion(np.eye(5, dtype=int), NAMES)
    assert texts(matrix.axes[0].get_xticklabels()) == texts(matrix.axes[0].get_yticklabels())
    assert texts(matrix.axes[0].get_xticklabels()) == SHOWN
    X, y = np.arange(10.0).reshape(5, 2), np.array(NAMES)
    model = lambda X: X @ np.ones((2, 5)) + np.arange(5)
    plane = plot.decision_boundary(model, X, y, names=NAMES[::2], labels=NAMES)
    assert texts(plane.axes[0].get_legend().get_texts())[:5] == SHOWN
    measured = plot.plot_history(history(loss=[1.0], val_loss=[1.0], **{"val_$a$": [2.0]}))
    assert texts([measured.axes[1].title]) == ["$a$"]
    for figure in (training, matrix, plane, measured):
        figure._repr_png_()


def test_pictures_grow_with_what_is_in_them():
    def size(names):
        made = plot.plot_training([2.0, 1.0], names, np.ones(len(names)), 0.0)
        matrix = plot.confusion(np.eye(len(names)), names)
        return [*made.get_size_inches(), *matrix.get_size_inches()]

    few, long, many = size("abc"), size(["a", "b", "c" * 25]), size([str(k) for k in range(60)])
    assert long[0] > few[0] + 1.5 and long[2] > few[2] + 1.5 and long[3] > few[3] + 0.7
    assert many[1] > 60 * 0.2 and many[2] > few[2] + 5


# --- the history ---


def test_history_draws_each_column_by_epoch():
    measured = history(loss=[3.0, 2, 1], val_loss=[3.0, 1, 2], val_accuracy=[0.1, 0.5, 0.7])
    losses, accuracy = plot.plot_history(measured).axes
    for line, name in zip(losses.lines, ("loss", "val_loss"), strict=False):
        assert line.get_xydata().tolist() == [[k, v] for k, v in enumerate(measured[name], 1)]
    assert accuracy.lines[0].get_ydata().tolist() == [0.1, 0.5, 0.7]
    assert accuracy.get_title() == "accuracy"
    assert "best: 1 in epoch 2" in losses.get_legend_handles_labels()[1]


def test_history_of_wide_losses_is_logarithmic_and_of_negative_ones_is_not():
    assert plot.plot_history(history(loss=[100.0, 1.0])).axes[0].get_yscale() == "log"
    assert plot.plot_history(history(loss=[2.0, 1.0])).axes[0].get_yscale() == "linear"
    assert plot.plot_history(history(loss=[100.0, -1.0])).axes[0].get_yscale() == "linear"


def test_history_of_one_epoch_is_seen_and_of_none_refused():
    assert plot.plot_history(history(loss=[1.0])).axes[0].lines[0].get_marker() == "o"
    with pytest.raises(ValueError, match="epochs"):
        plot.plot_history(History())


def test_what_fit_returns_can_be_drawn():
    X, y = data.xor(40, rng=0)
    model = nn.MLP([2, 4, 2], rng=0)
    measured = fit(
        model, (X, y), nn.cross_entropy, optim.Adam(model.parameters()), 3, validation=(X, y),
        metrics={"accuracy": lambda y, p: metrics.accuracy(y, p.argmax(axis=1))}, jit=False,
        progress=False,
    )  # fmt: skip
    assert len(plot.plot_history(measured).axes) == 2


# --- the boundary ---


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_scores_in_every_form_mean_the_same(classes):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(as_probabilities(logits, 5), p)
    assert np.array_equal(as_probabilities(p, 5), p)
    if classes == 2:
        z = logits[:, 1] - logits[:, 0]
        for scores in (z, z[:, None], p[:, 1], p[:, 1:]):
            assert np.allclose(as_probabilities(scores, 5), p)


def test_regions_have_the_colour_of_the_likeliest_class():
    scores = np.array([[[5.0, 0, 0], [0, 5, 0]], [[0, 0, 5], [0, 0, 5]]])
    y = np.array(["a", "b", "c", "a"])  # the last one is in the wrong region
    (ax,) = plot.decision_boundary(corners(scores), CORNERS, y).axes
    image = ax.images[0].get_array()
    low, high = image[30, 30], image[-30, 30]
    assert low.argmax() == 2  # a is blue
    assert high.argmin() == 2  # b is orange
    assert ax.get_title().startswith("75.0% of 4")
    inside = [p for p in ax.collections if np.all(p.get_edgecolors() == 1)]
    assert [p.get_offsets().tolist() for p in inside] == [[point] for point in CORNERS[:3].tolist()]
    assert [t.get_text() for t in ax.get_legend().get_texts()][:3] == ["a", "b", "c"]
    (wrong,) = [p for p in ax.collections if np.array_equal(p.get_offsets(), CORNERS[3:])]
    assert wrong.get_edgecolors()[:, :3].tolist() == [[0, 0, 0]]


def test_a_model_is_run_in_eval_and_left_as_it_was():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5, rng=0), nn.Linear(2, 2, rng=0))
    model[1].eval()
    before = model.state_dict()
    plot.decision_boundary(model, CORNERS, np.array([0, 1, 0, 1]))
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())


def test_an_estimator_is_asked_for_probabilities():
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    X, y = data.two_moons(50, rng=0)
    model = linear.LogisticRegression().fit(X, y)
    (ax,) = plot.decision_boundary(model, X, y, names=("length in mm", "mass in g")).axes
    assert ax.get_title().startswith(f"{model.score(X, y):.1%}")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length in mm", "mass in g")


@pytest.mark.parametrize(
    ("model", "X", "y", "error", "text"),
    [
        (lambda X: X, np.zeros((4, 3)), [0, 1, 0, 1], ValueError, r"\(n, 2\).*\(4, 3\)"),
        (lambda X: X[:2], CORNERS, [0, 1, 0, 1], ValueError, r"4 points need scores"),
        (lambda X: X, CORNERS, [0, 1, 2, 1], ValueError, r"2 classes.*0, 1, 2"),
        ("model", CORNERS, [0, 1, 0, 1], TypeError, r"str"),
    ],
)
def test_what_is_no_classifier_of_the_plane_is_refused(model, X, y, error, text):
    with pytest.raises(error, match=text):
        plot.decision_boundary(model, X, np.array(y))


# --- histograms ---


def test_histograms_have_a_row_for_each_parameter():
    model = nn.MLP([3, 50, 2], rng=0)
    (left,) = plot.histograms(model).axes
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names == ["0.weight (150)", "0.bias (50)", "2.weight (100)", "2.bias (2)"]
    assert len(left.patches) == 4


def test_histograms_of_gradients_tell_of_zeros_and_of_what_has_none():
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
    model[0].weight.data = [[1.0], [1], [-1], [-1]]  # two units are dead on positive inputs
    model[0].bias.data = np.zeros(4)
    model[2].bias.requires_grad = False
    model(np.ones((3, 1))).sum().backward()
    left, right = plot.histograms(model).axes
    notes = [text.get_text() for text in right.texts]
    assert notes == ["50% are 0", "50% are 0", "50% are 0", "no gradient"]
    assert len(left.patches) == len(right.patches) == 4


def test_histograms_of_equal_or_broken_values_are_drawn():
    model = nn.Linear(2, 2, rng=0)
    model.weight.data = np.full((2, 2), 3.0)
    model.bias.data = [np.nan, np.inf]
    plot.histograms(model)._repr_png_()
    with pytest.raises(ValueError, match="ReLU"):
        plot.histograms(nn.ReLU())


def test_histograms_take_a_pair_of_axes():
    model = nn.Linear(2, 2, rng=0)
    model(np.ones((1, 2))).sum().backward()
    pair = Figure().subplots(1, 2)
    assert plot.histograms(model, ax=pair) is pair[0].figure
    assert all(ax.has_data() for ax in pair)


# --- the confusion matrix ---


def test_confusion_writes_counts_and_accuracy():
    matrix = metrics.confusion_matrix(list("aabbb"), list("abbbb"))
    ax = plot.confusion(matrix, ["first", "second"]).axes[0]
    assert {t.get_position(): t.get_text() for t in ax.texts} == {
        (0, 0): "1", (1, 0): "1", (1, 1): "3",
    }  # fmt: skip
    assert ax.images[0].get_array().tolist() == [[0.5, 0.5], [0, 1]]
    assert ax.get_title() == "80.0% of 5 are right"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


def test_a_class_without_rows_is_no_division_by_zero():
    ax = plot.confusion([[2, 0], [0, 0]]).axes[0]
    assert ax.images[0].get_array().tolist() == [[1, 0], [0, 0]]
    assert ax.get_title() == "100.0% of 2 are right"


@pytest.mark.parametrize(
    ("matrix", "labels", "text"),
    [
        ([[1, 2]], None, r"shape \(1, 2\)"), ([[0, 0], [0, 0]], None, "not all 0"),
        ([1, 2], None, "confusion_matrix"), ([[1, 0], [0, 1]], ["a"], "2 rows need 2 labels"),
    ],
)  # fmt: skip
def test_what_is_no_confusion_matrix_is_refused(matrix, labels, text):
    with pytest.raises(ValueError, match=text):
        plot.confusion(matrix, labels)


def test_a_history_plots_itself():
    assert len(history(loss=[2.0, 1.0]).plot().axes) == 1


def test_a_picture_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def full(file, **more):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    figure = Figure()
    monkeypatch.setattr(figure, "savefig", full)
    with pytest.raises(OSError, match="No space"):
        plot.canvas.finished(figure, path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
