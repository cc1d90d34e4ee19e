"""The commands on tables: train, predict, evaluate, graph; each is a file with a parser and a main.

They are imported when asked for, so that the perceptron starts without them.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from ..table import BadInput

COMMANDS = ("train", "predict", "evaluate", "graph")


def run(name: str, argv: Sequence[str]) -> int:
    """Runs a command; returns its exit code: 0, 2 for bad input, 130 for Ctrl-C pressed twice."""
    try:
        import_module(f".{name}", __package__).main(argv)
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    except BadInput as error:
        print(f"tinygrad-slp {name}: error: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"tinygrad-slp {name}: error: not enough memory: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"tinygrad-slp {name}: stopped by Ctrl-C; nothing was written", file=sys.stderr)
        return 130
    return 0
