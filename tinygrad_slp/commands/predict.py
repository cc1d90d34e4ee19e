"""tinygrad-slp predict: a prediction for each row of a table, as CSV."""

import csv
import io
import sys
from collections.abc import Sequence

import numpy as np

from ..tabular import TabularModel
from . import arguments, model_file
from .arguments import Parser
from .later_table import imputed, table_of


def parser() -> Parser:
    p = arguments.command(
        "predict",
        "Predict the target for each row of a table, by a model that train wrote. Columns may "
        "come in any order; unknown columns are ignored.",
        "tinygrad-slp predict model.safetensors new.csv -o predicted.csv",
    )
    p.add_argument("model", metavar="MODEL.safetensors")
    p.add_argument("file", metavar="NEW.csv")
    p.add_argument("-o", "--out", metavar="OUT.csv", help="default: print")
    arguments.add_unknown(p)
    arguments.add_separator(p)
    return p


def main(argv: Sequence[str]) -> None:
    options = parser().parse_args(argv)
    arguments.check_output("--out", options.out)
    arguments.check_apart("--out", options.out, options.model, options.file)
    source = arguments.source(options)
    trained = model_file.load(options.model)
    _, known = table_of(source, trained, options)
    predicted = trained.scores({name: x[:] for name, x in known.items()})
    text = as_csv(trained, predicted)
    if options.out:
        arguments.write(options.out, text.encode())
    else:
        sys.stdout.write(text)
    for note in imputed(trained.columns, known):
        print(f"{source}: {note}", file=sys.stderr)


def as_csv(trained: TabularModel, predicted: np.ndarray) -> str:
    """A row for each prediction: the class and the probability of each, or the number."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if trained.classes is None:
        writer.writerow([trained.name])
        writer.writerows([f"{y:.8g}"] for y in predicted.tolist())
    else:
        labels = trained.classes.tolist()
        writer.writerow([trained.name, *(f"p({label})" for label in labels)])
        for at, p in zip(predicted.argmax(axis=1).tolist(), predicted.tolist(), strict=True):
            writer.writerow([labels[at], *(f"{x:.6f}" for x in p)])
    return file.getvalue()
