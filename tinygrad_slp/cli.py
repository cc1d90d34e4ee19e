"""The command line: runs what its first argument names, or the perceptron."""

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO, cast
from unicodedata import normalize

from .commands import COMMANDS, BadInput, run


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, or 2 for bad input; the commands have others."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        with redirect_stdout(cast("TextIO", Output(sys.stdout))):
            code = chosen(argv)
            sys.stdout.flush()
    except BadInput as error:
        print(f"tinygrad-slp: error: {error}", file=sys.stderr)
        return 2
    return code


class Output:
    """Standard output. A reader may leave early, and the command goes on to write its files."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, text: str) -> int:
        with self.going_on():
            self.file.write(fitting(text, getattr(self.file, "encoding", None) or "utf-8"))
        return len(text)

    def flush(self) -> None:
        with self.going_on():
            self.file.flush()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """
        Raises:
            BadInput: the output cannot be written, as on a full disk.
        """
        try:
            yield
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
            if not isinstance(error, BrokenPipeError):
                raise BadInput(f"cannot print: {error.strerror}") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


PLAIN = str.maketrans({
    "→": "->", "−": "-", "±": "+/-", "…": "...", "∂": "d", "∇": "grad ", "Σ": "sum ", "σ": "sigma",
    "β": "beta", "λ": "lambda", "η": "eta", "≤": "<=", "≥": ">=", "≠": "!=", "·": "*", "█": "#",
    "′": "'", "√": "sqrt", "ŷ": "y^", "—": "-", "“": '"', "”": '"', "’": "'",
})  # fmt: skip
"""What signs are written as where the output's encoding lacks them."""


def fitting(text: str, encoding: str) -> str:
    """A text in signs that the encoding has: ASCII for what it lacks, such as x1 for x₁."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        pieces = (
            c if encodes(c, encoding) else normalize("NFKD", c.translate(PLAIN)) for c in text
        )
        return "".join(pieces).encode(encoding, "replace").decode(encoding)
    return text


def encodes(sign: str, encoding: str) -> bool:
    try:
        return bool(sign.encode(encoding))
    except UnicodeEncodeError:
        return False


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
