"""tinygrad-slp evaluate: how good a model is on a table with the right answers."""

from collections.abc import Sequence

from ..data.targets import Classes
from ..table import as_text, counted
from ..tabular.scores import by_class, confusion, judged, scores, table
from . import BadInput, arguments, model_file
from .arguments import Parser
from .later_table import imputed, table_of
from .target import check_there, known_labels, numbers_of, present


def parser() -> Parser:
    p = arguments.command(
        "evaluate",
        "Compare the predictions of a model that train wrote with the right answers in a table.",
        "tinygrad-slp evaluate model.safetensors more.csv",
    )
    p.add_argument("model", metavar="MODEL.safetensors")
    p.add_argument("file", metavar="FILE.csv")
    arguments.add_unknown(p)
    arguments.add_reading(p)
    return p


def main(argv: Sequence[str]) -> None:
    options = parser().parse_args(argv)
    source = arguments.source(options)
    trained = model_file.load(options.model)
    frame, known = table_of(source, trained, options)
    check_there(frame, trained.name)
    if trained.classes is None:
        frame.columns[trained.name] = numbers_of(frame.columns[trained.name], "regression")
    values, rows = present(frame, trained.name)
    if isinstance(trained.target, Classes):
        y = known_labels(frame, trained.name, trained.target.labels, values)
    elif values.dtype.kind == "U":
        raise BadInput(f"{source}: column {trained.name!r} has texts; expected numbers")
    else:
        y = values.astype(float)
    print(f"{source}: {counted(len(rows), 'row')}, {trained.facts['task']} of {trained.name!r}")
    for note in [*source.notes(), *imputed(trained.columns, known)]:
        print(f"  {note}")
    if len(rows) < len(frame):
        missing = counted(len(frame) - len(rows), "row")
        print(f"  {missing} without a value of {trained.name!r}: left out")
    predictions = trained.scores({name: x[rows] for name, x in known.items()})
    ((who, y, predicted),) = judged(trained, str(source), y, predictions)
    print(as_text(table([(who, scores(y, predicted))]), before="  "))
    if trained.classes is not None:
        print("\nClass by class")
        print(as_text(by_class(y, predicted, trained.classes), before="  "))
        print("\nConfusion matrix")
        print(confusion(y, predicted, trained.classes))
