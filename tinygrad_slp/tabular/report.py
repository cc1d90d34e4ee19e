"""The report of a training, as HTML that needs nothing else: all there is to know of a model."""

import html
import io
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import metrics
from ..data import (
    Dates,
    HashedText,
    NumberTexts,
    OneHot,
    RobustScaler,
    TableEncoder,
    TargetMeans,
)  # fmt: skip
from ..data.column import listed
from ..plot import plot_history
from ..table import as_html, counted
from ..train import History
from .explanation import dependence, importances
from .model import TabularModel
from .pictures import calibration, dependence_of, predicted_against_true
from .scores import Judged, by_class, chosen, left_out, scores, table

STYLE = """
.report { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60em; margin: 2em auto;
          padding: 0 1em }
.report h1 { font-size: 1.5em } .report h2 { font-size: 1.1em; margin-top: 2em }
.report table { border-collapse: collapse } .report .wide { overflow-x: auto }
.report th, .report td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
.report th:first-child { text-align: left } .report th { font-weight: 600 }
.report svg { max-width: 100%; height: auto } .report .note { color: #555 }
"""

MOST_COLUMNS = 20
"""Of those that matter, so many are shown."""
STRONGEST = 3
KINDS: dict[type, str] = {
    NumberTexts: "numbers in texts", Dates: "dates", HashedText: "texts",
    TargetMeans: "many categories",
}  # fmt: skip
COLUMNS = ("column", "kind", "missing", "values")
MOST_PICTURES = 4
"""Of several targets, so many are drawn."""


def describe(encoder: TableEncoder) -> list[list[str]]:
    """A line for each column that is learned from: name, kind, missing, and what is in it."""
    lines = []
    for name, part in encoder.parts():
        if isinstance(part, OneHot):
            kinds = f"{len(part.categories)} categories"
            lines.append([name, kinds, f"{part.missing:,}", listed(part.categories)])
        elif isinstance(part, RobustScaler):
            width = 1 / part.scale if part.scale else 0.0
            inside = f"median {part.center:.5g}, middle half {width:.5g} wide"
            lines.append([name, "number", f"{part.missing:,}", inside])
        else:
            lines.append([name, KINDS[type(part)], "", "; ".join(part.notes())])
    return lines


def page(model: TabularModel, source: str, said: str, notes: Sequence[str], rows: Judged) -> str:
    """A whole file.

    Args:
        source: what it was trained on.
        said: what the target was taken for.
        notes: what its owner should know.
        rows: how good it is.
    """
    title = html.escape(f"{model.name}: report of a training")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"</head>\n<body>\n{body(model, f'{model.name} from {source}', said, notes, rows)}\n"
        "</body>\n</html>\n"
    )


def of_model(model: TabularModel) -> str:
    """What a notebook shows of a model; of one from a file, which has no rows, only facts."""
    if model.left_out:
        return body(model, model.name, model.target.task, model.facts["notes"], left_out(model))
    lines = [[name, f"{loss:.5g}"] for name, loss in model.facts["losses"].items()]
    return f"<p>{html.escape(repr(model).partition(';')[0])}</p>" + as_html(
        [("loss on rows left out", ""), *lines]
    )


def body(model: TabularModel, heading: str, said: str, notes: Sequence[str], rows: Judged) -> str:
    assert model.history is not None
    found = chosen(rows)
    parts = [
        f"<h1>{html.escape(heading)}</h1>",
        f"<p>{html.escape(said)}.<br>Rows to train on: {model.facts['rows']:,}.</p>",
        section(
            "How good it is, on rows left out",
            as_html(table([(name, scores(y, p)) for name, y, p in rows])),
        ),
        *of_classes(model, found),
        *predictions(model, found),
        *what_it_goes_by(model),
        section("How it learned", curve(model.history)),
        section("Worth knowing", bullets(notes)),
        section("Columns", as_html([COLUMNS, *describe(model.columns)], (0, 1, 3))),
        section("Settings", as_html([("setting", "value"), *settings(model)], (0, 1))),
    ]
    return f'<style>{STYLE}</style>\n<div class="report">\n' + "\n".join(parts) + "\n</div>"


def of_classes(model: TabularModel, found: Judged) -> list[str]:
    if model.classes is None:
        return []
    _, y, p = found[0]
    return [
        section("Class by class", as_html(by_class(y, p, model.classes))),
        section("Confusion matrix", matrix(model.classes, y, p)),
    ]


def predictions(model: TabularModel, found: Judged) -> list[str]:
    """Pictures of how predictions and truth agree."""
    if find_spec("matplotlib") is None:
        return []
    names = [model.name] if len(found) == 1 else model.names
    pictures = "".join(
        svg(predicted_against_true(y, p, name) if p.ndim == 1 else calibration(y, p, name))
        for name, (_, y, p) in list(zip(names, found, strict=True))[:MOST_PICTURES]
    )
    numbers = model.target.task == "regression"
    return [section("Predicted and true" if numbers else "How sure, and how right", pictures)]


def what_it_goes_by(model: TabularModel) -> list[str]:
    """How much each column matters, and what the strongest do."""
    found = importances(model)
    most = max([mean for _, mean, _ in found] + [1e-12])
    lines = [
        [name, f"{mean:.4g} ± {deviation:.2g}", "█" * max(round(20 * mean / most), 0)]
        for name, mean, deviation in found[:MOST_COLUMNS]
    ]
    loss = "how much the loss grows when it is shuffled"
    parts = [section("What matters", as_html([("column", loss, ""), *lines], (0, 2)))]
    strongest = [name for name, mean, _ in found[:STRONGEST] if mean > 0]
    if strongest and find_spec("matplotlib") is not None:
        figure = dependence_of(model, [(name, *dependence(model, name)) for name in strongest])
        parts.append(section("What the strongest columns do", svg(figure)))
    return parts


def svg(figure: Any) -> str:
    """A figure as inline SVG."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def section(title: str, body: str) -> str:
    return f'<h2>{html.escape(title)}</h2>\n<div class="wide">{body}</div>'


def bullets(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else "<p>nothing</p>"


def matrix(classes: np.ndarray, y: np.ndarray, p: np.ndarray) -> str:
    """The confusion matrix, darker for a larger share of its row."""
    counts = metrics.confusion_matrix(y, p.argmax(axis=1), np.arange(len(classes)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [html.escape(str(label)) for label in classes.tolist()]
    head = "".join(f"<th>{name}</th>" for name in names)
    body = ""
    for k, name in enumerate(names):
        shaded = (
            f'<td style="background:rgba(0,114,178,{0.7 * part:.2f})">{count:,}</td>'
            for count, part in zip(counts[k].tolist(), share[k].tolist(), strict=True)
        )
        body += f"<tr><th>{name}</th>{''.join(shaded)}</tr>\n"
    return f"<table><tr><th>true \\ predicted</th>{head}</tr>\n{body}</table>"


def curve(history: History) -> str:
    """The picture of the training as inline SVG, or what is missing for it; and how it ended."""
    last = history.epochs[-1]
    epochs = counted(len(history), "epoch")
    ended = f"{epochs} in {sum(history['seconds']):.1f} s, loss {last['loss']:.4g}"
    ended = f"<p>{html.escape(ended + (f'; {history.stopped}' if history.stopped else ''))}.</p>"
    if find_spec("matplotlib") is None:
        return ended + (
            "<p class=\"note\">The picture needs matplotlib: pip install 'tinygrad-slp[plot]'.</p>"
        )
    return ended + svg(plot_history(history))


def settings(model: TabularModel) -> list[list[str]]:
    given: dict[str, Any] = model.facts["settings"]
    return [[name.replace("_", "-"), text_of(value)] for name, value in given.items()]


def text_of(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
