"""The command line: runs what its first argument names, or the perceptron."""

import difflib
import os
import sys
from collections.abc import Sequence

from .commands import COMMANDS, run


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, or 2 for bad input; the commands have others."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        code = chosen(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def chosen(argv: Sequence[str]) -> int:
    if argv and argv[0] in COMMANDS:
        return run(argv[0], argv[1:])
    if argv and argv[0].isidentifier() and not os.path.exists(argv[0]):
        return unknown(argv[0])
    return run("perceptron", argv)


def unknown(word: str) -> int:
    """Says that a word is neither command nor file, and which command may have been meant."""
    near = difflib.get_close_matches(word, COMMANDS, 1)
    meant = f"did you mean {near[0]}?" if near else f"the commands are {', '.join(COMMANDS)}"
    print(f"tinygrad-slp: error: no command or file {word!r}; {meant}", file=sys.stderr)
    return 2
