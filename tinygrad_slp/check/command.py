"""The command `tinygrad-slp check`: a formula in a file of yours against the loss beside it."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .formula import check_formula
from .verdict import Verdict

EXIT = {Verdict.RIGHT: 0, Verdict.AT_A_KINK: 0, Verdict.WRONG: 1, Verdict.CANNOT_TELL: 3}


class BadUsage(Exception):
    """What the user gave cannot be checked; the message is one line."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns 0 if right, 1 if wrong, 3 if it cannot tell, 2 for bad usage."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        loss = load(options.loss)
        formula = load(options.formula)
        report = check_formula(loss, {options.wrt: formula}, options.shapes, seed=options.seed)
    except (BadUsage, ValueError, ImportError) as error:
        print(f"tinygrad-slp check: error: {error}", file=sys.stderr)
        return 2
    print(report.to_json() if options.json else report)
    return EXIT.get(report.verdict, 1)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="tinygrad-slp check",
        description="Is a gradient derived by hand right? Exit code 0: right, 1: wrong, "
        "3: cannot tell, 2: bad usage.",
        epilog="example: tinygrad-slp check model:loss --formula model:dW --wrt W "
        '--shapes "X: n d; W: d m; Y: n m"',
    )
    p.add_argument("loss", metavar="MODULE:LOSS", help="a function in a module of yours")
    p.add_argument("--formula", required=True, metavar="MODULE:FUNCTION", help="the gradient")
    p.add_argument("--wrt", required=True, metavar="NAME", help="the input that it is of")
    p.add_argument("--shapes", required=True, metavar="TEXT", help='such as "X: n d; w: d; y: n"')
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of the random inputs")
    p.add_argument("--json", action="store_true", help="print the report as JSON")
    return p


def load(text: str) -> Callable[..., Any]:
    """The function that module:name stands for; modules in this folder are found.

    Raises:
        BadUsage: there is none.
    """
    module_name, colon, name = text.partition(":")
    if not colon or not module_name or not name:
        raise BadUsage(f"{text!r} should be MODULE:FUNCTION, such as model:loss")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever their module does when it is imported
        raise BadUsage(f"cannot import {module_name!r}: {type(error).__name__}: {error}") from None
    function = getattr(module, name, None)
    if not callable(function):
        raise BadUsage(f"there is no function {name!r} in {module_name!r}")
    return function  # type: ignore[no-any-return]
