"""Histograms of the parameters of a model, and of their gradients, layer by layer."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn import Module
from .canvas import BLUE, GREY, VERMILION, Path, finished, new_figure, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 60


def histograms(model: Module, *, ax: Any = None, path: Path | None = None) -> "Figure":
    """A row for each parameter: the histogram of its values and, after a `backward()`, that of the
    sizes of its gradients, on a logarithmic axis.

    Rows of gradients that drift to the left from layer to layer are vanishing, to the right
    exploding; zeros, which have no place on that axis, are counted beside it.

    Args:
        ax: axes for the values, or a pair of axes, for values and gradients.
        path: a file to write the picture to.

    Raises:
        ValueError: the model has no parameters.
        ModuleNotFoundError: matplotlib is missing (the extra `plot`).
    """
    values = {name: np.ravel(p.array) for name, p in model.named_parameters()}
    gradients = {
        name: np.ravel(p.grad.array) for name, p in model.named_parameters() if p.grad is not None
    }
    if not values:
        raise ValueError(f"{type(model).__name__} has no parameters to draw histograms of")
    if ax is None:
        panels = 2 if gradients else 1
        figure = new_figure(1 + 4.5 * panels, 1.2 + 0.55 * len(values))
        ax = figure.subplots(1, panels, squeeze=False)[0]
    left, *rest = np.ravel(ax)
    draw_rows(left, values, "parameters", "value", BLUE, [spread(v) for v in values.values()])
    if rest and gradients:
        draw_gradients(rest[0], {name: gradients.get(name, np.empty(0)) for name in values})
    return finished(left.figure, path)


def spread(values: np.ndarray) -> str:
    return f"σ {np.std(values):.2g}" if values.size > 1 else f"{values[0]:.2g}"


def draw_gradients(axes: Any, gradients: dict[str, np.ndarray]) -> None:
    sizes = {name: np.log10(np.abs(g[g != 0])) for name, g in gradients.items()}
    notes = [
        (f"{np.mean(g == 0):.0%} are 0" if np.any(g == 0) else "") if g.size else "no gradient"
        for g in gradients.values()
    ]
    draw_rows(axes, sizes, "gradients", "|gradient|", VERMILION, notes)
    axes.set_yticklabels([])
    axes.xaxis.set_major_formatter(lambda x, _: f"$10^{{{x:g}}}$")
    axes.xaxis.get_major_locator().set_params(integer=True)


def draw_rows(
    axes: Any, rows: dict[str, np.ndarray], title: str, label: str, colour: str, notes: list[str]
) -> None:
    """Histograms over one common axis, one below the other, each as high as its row."""
    some = np.concatenate(list(rows.values()))
    some = some[np.isfinite(some)]
    low, high = (some.min(), some.max()) if some.size else (0.0, 0.0)
    margin = 0.03 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    for at, (values, note) in enumerate(zip(rows.values(), notes, strict=True)):
        counts, _ = np.histogram(values, edges)
        heights = 0.85 * counts / max(1, counts.max())
        axes.stairs(at - heights, edges, baseline=at, fill=True, color=colour, alpha=0.8)
        axes.axhline(at, color=GREY, linewidth=0.6)
        axes.text(1.01, at - 0.1, note, transform=axes.get_yaxis_transform(), fontsize=8)
    axes.set(title=title, xlabel=label, ylim=(len(rows) - 0.8, -1.05))
    axes.set_yticks(range(len(rows)), [f"{text_of(name)} ({x.size:,})" for name, x in rows.items()])
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
