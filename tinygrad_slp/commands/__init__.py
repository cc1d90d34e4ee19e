"""The commands: the perceptron; check; and train, predict, evaluate, graph on tables.

Each is a file with a parser and a main. They are imported when asked for, so that the perceptron
starts without the others.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = ("check", "train", "predict", "evaluate", "graph")


class BadInput(Exception):
    """What is wrong with what the user gave, in one line."""


def run(name: str, argv: Sequence[str]) -> int:
    """Runs a command; returns its exit code: what its main says or 0; 2: bad input; 130: Ctrl-C."""
    said = f"tinygrad-slp {name}" if name in COMMANDS else "tinygrad-slp"
    try:
        return import_module(f".{name}", __package__).main(argv) or 0
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    except BadInput as error:
        print(f"{said}: error: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"{said}: error: not enough memory: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{said}: stopped by Ctrl-C; nothing was written", file=sys.stderr)
        return 130
