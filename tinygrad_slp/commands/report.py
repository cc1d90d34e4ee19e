"""The report of a training: one HTML file that needs no other, with all there is to know."""

import argparse
import html
import io
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import metrics
from ..data import OneHot, RobustScaler, TableEncoder
from ..data.column import listed
from ..plot import plot_history
from ..table import as_html, counted
from ..tabular import TabularModel
from ..tabular.explanation import dependence, importances
from ..train import History
from .pictures import calibration, dependence_of, predicted_against_true
from .scores import by_class, scores, table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60em; margin: 2em auto;
       padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin-top: 2em }
table { border-collapse: collapse } .wide { overflow-x: auto }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child { text-align: left } th { font-weight: 600 }
svg { max-width: 100%; height: auto } .note { color: #555 }
"""

MOST_COLUMNS = 20
"""Of those that matter, so many are shown."""
STRONGEST = 3
COLUMNS = ("column", "kind", "missing", "values")

Judged = Sequence[tuple[str, np.ndarray, np.ndarray]]


def describe(encoder: TableEncoder) -> list[list[str]]:
    """A line for each column that is learned from: name, kind, missing, and what is in it."""
    lines = []
    for name, part in encoder.columns.items():
        if isinstance(part, OneHot):
            kinds = f"{len(part.categories)} categories"
            lines.append([name, kinds, f"{part.missing:,}", listed(part.categories)])
        elif isinstance(part, RobustScaler):
            width = 1 / part.scale if part.scale else 0.0
            inside = f"median {part.center:.5g}, middle half {width:.5g} wide"
            lines.append([name, "number", f"{part.missing:,}", inside])
    return lines


def page(
    trained: TabularModel,
    options: argparse.Namespace,
    said: str,
    notes: Sequence[str],
    rows: Judged,
    table_of: dict[str, Any],
) -> str:
    """The whole file."""
    _, y, p = rows[-1] if rows[-1][0].startswith("model") else rows[0]
    assert trained.history is not None
    parts = [
        f"<h1>{html.escape(trained.name)} from {html.escape(options.file)}</h1>",
        f"<p>{html.escape(said)}.<br>Rows to train on: {len(rows[0][1]):,}.</p>",
        section(
            "How good it is, on rows left out",
            as_html(table([(name, scores(y, p)) for name, y, p in rows])),
        ),
        *([section("Class by class", f"<pre>{html.escape(by_class(y, p, trained.classes))}</pre>"),
           section("Confusion matrix", matrix(trained, ("", y, p)))]
          if trained.classes is not None else []),
        *predictions(trained, y, p),
        *what_it_goes_by(trained, table_of),
        section("How it learned", curve(trained.history)),
        section("Worth knowing", bullets(notes)),
        section("Columns", as_html([COLUMNS, *describe(trained.columns)], (0, 1, 3))),
        section("Settings", as_html([("setting", "value"), *settings(trained)], (0, 1))),
    ]  # fmt: skip
    title = html.escape(f"{trained.name}: report of a training")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def predictions(trained: TabularModel, y: np.ndarray, p: np.ndarray) -> list[str]:
    """A picture of how predictions and truth agree."""
    if find_spec("matplotlib") is None:
        return []
    if trained.classes is None:
        return [section("Predicted and true", svg(predicted_against_true(y, p, trained.name)))]
    return [section("How sure, and how right", svg(calibration(y, p)))]


def what_it_goes_by(trained: TabularModel, columns: dict[str, Any]) -> list[str]:
    """How much each column matters, and what the strongest do."""
    found = importances(trained, columns)
    most = max([mean for _, mean, _ in found] + [1e-12])
    lines = [
        [name, f"{mean:.4g} ± {deviation:.2g}", "█" * max(round(20 * mean / most), 0)]
        for name, mean, deviation in found[:MOST_COLUMNS]
    ]
    loss = "how much the loss grows when it is shuffled"
    parts = [section("What matters", as_html([("column", loss, ""), *lines], (0, 2)))]
    strongest = [name for name, mean, _ in found[:STRONGEST] if mean > 0]
    if strongest and find_spec("matplotlib") is not None:
        pictures = [(name, *dependence(trained, columns, name)) for name in strongest]
        parts.append(
            section("What the strongest columns do", svg(dependence_of(trained, pictures)))
        )
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


def matrix(trained: TabularModel, row: tuple[str, np.ndarray, np.ndarray]) -> str:
    """The confusion matrix, darker for a larger share of its row."""
    assert trained.classes is not None
    _, y, p = row
    counts = metrics.confusion_matrix(y, p.argmax(axis=1), np.arange(len(trained.classes)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [html.escape(str(label)) for label in trained.classes.tolist()]
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


def settings(trained: TabularModel) -> list[list[str]]:
    given: dict[str, Any] = trained.facts["settings"]
    return [[name.replace("_", "-"), text_of(value)] for name, value in given.items()]


def text_of(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
