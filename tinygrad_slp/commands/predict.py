"""tinygrad-slp predict: a prediction for each row of a table, as CSV."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data import Quantiles
from ..tabular import TabularModel
from . import BadInput, arguments, model_file
from .arguments import Parser
from .later_table import imputed, table_of
from .needs import need
from .other_files import READERS


def parser() -> Parser:
    p = arguments.command(
        "predict",
        "Predict the target for each row of a table, by a model that train wrote. Columns may "
        "come in any order; unknown columns are ignored.",
        "tinygrad-slp predict model.safetensors new.csv -o predicted.csv",
    )
    p.add_argument("model", metavar="MODEL.safetensors")
    p.add_argument("file", metavar="NEW.csv")
    p.add_argument("-o", "--out", metavar="OUT.csv", help="or .parquet, .xlsx; default: print")
    p.add_argument(
        "--interval", type=float, metavar="0.9",
        help="also the ends between which so many new rows are",
    )  # fmt: skip
    arguments.add_unknown(p)
    arguments.add_reading(p)
    return p


def main(argv: Sequence[str]) -> None:
    options = parser().parse_args(argv)
    arguments.check_output("--out", options.out)
    ending = Path(options.out or "").suffix.lower()
    if ending in READERS:
        need(READERS[ending][0], f"writing {ending}", "data")
    arguments.check_apart("--out", options.out, options.model, options.file)
    source = arguments.source(options)
    trained = model_file.load(options.model)
    _, found = table_of(source, trained, options)
    known = {name: x[:] for name, x in found.items()}
    predicted = trained.scores(known)
    try:
        ends = trained.interval(known, options.interval) if options.interval else None
    except (TypeError, ValueError) as error:
        raise BadInput(f"--interval {options.interval}: {error}") from None
    text = as_csv(trained, predicted, ends)
    if ending in READERS:
        arguments.write(options.out, converted(trained, text, ending))
    elif options.out:
        arguments.write(options.out, text.encode())
    else:
        sys.stdout.write(text)
    for note in [*source.notes(), *imputed(trained.columns, found)]:
        print(f"{source}: {note}", file=sys.stderr)


def as_csv(trained: TabularModel, predicted: np.ndarray, ends: np.ndarray | None = None) -> str:
    """A row for each prediction: the class and the probability of each, or the numbers."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if trained.classes is None:
        header = [trained.name]
        if isinstance(trained.target, Quantiles):
            header = [f"{trained.name} {level:g}" for level in trained.target.levels]
        if ends is not None:
            header, predicted = [*header, "low", "high"], np.hstack([predicted, ends])
        writer.writerow(header)
        writer.writerows([f"{y:.8g}" for y in row] for row in predicted.tolist())
    else:
        labels = trained.classes.tolist()
        writer.writerow([trained.name, *(f"p({label})" for label in labels)])
        for at, p in zip(predicted.argmax(axis=1).tolist(), predicted.tolist(), strict=True):
            writer.writerow([labels[at], *(f"{x:.6f}" for x in p)])
    return file.getvalue()


def converted(trained: TabularModel, text: str, ending: str) -> bytes:
    """The same rows as Parquet or Excel, with labels as they were in training."""
    from pandas import read_csv

    texts = trained.classes is not None and trained.classes.dtype.kind == "U"
    kinds = {trained.name: str} if texts else None
    frame = read_csv(io.StringIO(text), dtype=kinds, keep_default_na=False)
    file = io.BytesIO()
    if ending == ".parquet":
        frame.to_parquet(file)
    else:
        frame.to_excel(file, index=False, engine="openpyxl")
    return file.getvalue()
