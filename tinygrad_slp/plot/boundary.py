"""The decision boundary of a classifier in the plane, with the points it was made for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import no_grad
from ..metrics.arguments import array, true_places
from ..nn import Module
from ..rules import sigmoid, softmax
from .canvas import COLOURS, GREY, MARKERS, Path, axes_of, finished, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FINE = 300
"""Points of the grid along each axis."""
SURE = 0.9


def decision_boundary(
    model: Any,
    X: Any,
    y: Any,
    *,
    names: tuple[str, str] = ("x₁", "x₂"),
    labels: Any = None,
    ax: Any = None,
    path: Path | None = None,
) -> "Figure":
    """The regions of the classes, deeper in colour where their probability is higher.

    Beyond the dashed lines it is above SURE. Points in the wrong region have a black edge.

    Args:
        model: a Module, an estimator with `predict_proba`, or a function, that turns points (n, 2)
            into scores as in `metrics`: (n, k), or of the second of two classes (n,) or (n, 1).
            Scores that are not probabilities are taken for logits. A Module is run in `eval()`.
        X, y: points (n, 2), and their labels (n,), strings or whole numbers.
        names: of the two features, with their units.
        labels: the labels of the columns; by default those in y, sorted.

    Raises:
        TypeError: the model is none of these; or an array of another library.
        ValueError: X is not (n, 2), or y or the scores do not fit.
        ModuleNotFoundError: matplotlib is missing (the extra `plot`).
    """
    X, y = array("X", X), array("y", y)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"a plane needs points of shape (n, 2), got {X.shape}")
    predict = probabilities_of(model)
    y = y[:, 0] if y.shape == (len(X), 1) else y
    p = predict(X)
    at, labels = true_places(y, labels, p)
    axes = axes_of(ax, 6, 5)
    sides = [grid(x) for x in X.T]
    plane = np.stack(np.meshgrid(*sides), axis=-1)
    draw_regions(axes, predict(plane.reshape(-1, 2)).reshape(FINE, FINE, -1), sides)
    right = p.argmax(axis=1) == at
    draw_points(axes, X, at, labels, right)
    axes.set(xlabel=text_of(names[0]), ylabel=text_of(names[1]))
    axes.set_title(f"{np.mean(right):.1%} of {len(X):,} points are in their region", fontsize=11)
    return finished(axes.figure, path)


def probabilities_of(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A function of points (n, 2) that gives probabilities (n, k)."""
    predict = getattr(model, "predict_proba", model)
    if not callable(predict):
        raise TypeError(
            "decision_boundary takes a Module, an estimator with predict_proba or a function of "
            f"points, got {type(model).__name__}"
        )

    def probabilities(points: np.ndarray) -> np.ndarray:
        with no_grad(), evaluating(model):
            return as_probabilities(array("the scores", predict(points)), len(points))

    return probabilities


def as_probabilities(scores: np.ndarray, n: int) -> np.ndarray:
    """Probabilities or logits as probabilities (n, k)."""
    if scores.shape in ((n,), (n, 1)):
        p = scores.reshape(n)
        p = p if np.all((p >= 0) & (p <= 1)) else sigmoid(p)
        return np.stack([1 - p, p], axis=1)
    if scores.ndim != 2 or len(scores) != n:
        raise ValueError(f"{n} points need scores of shape ({n},) or ({n}, k), got {scores.shape}")
    if np.all(scores >= 0) and np.allclose(scores.sum(axis=1), 1, atol=1e-4):
        return scores
    p = softmax(scores)
    return np.asarray(p)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Within it, a Module and all in it are in `eval()`."""
    modules = list(model.modules()) if isinstance(model, Module) else []
    before = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training


def grid(x: np.ndarray) -> np.ndarray:
    """Points along one axis, a little beyond those that there are."""
    low, high = x.min(), x.max()
    margin = 0.08 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, FINE)


def draw_regions(axes: Any, p: np.ndarray, sides: list[np.ndarray]) -> None:
    """The colour of the likeliest class, and lines where another one becomes it or it is SURE.

    Args:
        p: probabilities on the grid, (FINE, FINE, k).
        sides: the grid along x and y.
    """
    from matplotlib.colors import to_rgb

    k = p.shape[-1]
    colours = np.array([to_rgb(COLOURS[c % len(COLOURS)]) for c in range(k)])
    sure = (p.max(axis=-1, keepdims=True) - 1 / k) / (1 - 1 / k)  # 0 where all are equally likely
    depth = 0.08 + 0.5 * sure
    extent = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
    axes.imshow(1 - depth * (1 - colours[p.argmax(axis=-1)]), extent=extent, origin="lower",
                aspect="auto", interpolation="bilinear")  # fmt: skip
    for c in range(k):
        lead = p[..., c] - np.delete(p, c, axis=-1).max(axis=-1)
        if lead.min() < 0 < lead.max():
            axes.contour(*sides, lead, levels=[0], colors=GREY, linewidths=1)
    if p.max(axis=-1).min() < SURE < p.max():
        dashed = {"linestyles": "dashed", "linewidths": 0.7}
        axes.contour(*sides, p.max(axis=-1), levels=[SURE], colors=GREY, **dashed)
        axes.plot([], [], "--", color=GREY, linewidth=0.7, label=f"p = {SURE}")


def draw_points(
    axes: Any, X: np.ndarray, at: np.ndarray, labels: np.ndarray, right: np.ndarray
) -> None:
    """The points, each class with its colour and marker."""
    handles: list[Any] = []
    for c in range(len(labels)):
        looks = {"color": COLOURS[c % len(COLOURS)], "marker": MARKERS[c % len(MARKERS)]}
        inside, outside = X[(at == c) & right], X[(at == c) & ~right]
        handles.append(axes.scatter(*inside.T, s=22, edgecolors="white", linewidths=0.5, **looks))
        axes.scatter(*outside.T, s=26, edgecolors="black", linewidths=1.1, **looks)
    sure, said = axes.get_legend_handles_labels()
    # Not as labels of the points: there, matplotlib leaves out what begins with "_".
    texts = [*map(text_of, labels), *said]
    axes.legend([*handles, *sure], texts, title="class", loc="center left", bbox_to_anchor=(1, 0.5),
                frameon=False)  # fmt: skip
