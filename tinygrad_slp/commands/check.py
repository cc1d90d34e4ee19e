"""tinygrad-slp check: a formula in a file of yours against the loss beside it."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..check import Verdict, check_formula
from . import BadInput, arguments
from .arguments import Parser

EXIT = {Verdict.RIGHT: 0, Verdict.AT_A_KINK: 0, Verdict.WRONG: 1, Verdict.CANNOT_TELL: 3}


def parser() -> Parser:
    p = arguments.command(
        "check",
        "Is a gradient derived by hand right? Exit code 0: right, 1: wrong, 3: cannot tell, "
        "2: bad usage.",
        "tinygrad-slp check model:loss --formula model:dW --wrt W \\\n"
        '    --shapes "X: n d; W: d m; Y: n m"',
    )
    p.add_argument("loss", metavar="MODULE:LOSS", help="a function in a module of yours")
    p.add_argument("--formula", required=True, metavar="MODULE:FUNCTION", help="the gradient")
    p.add_argument("--wrt", required=True, metavar="NAME", help="the input that it is of")
    p.add_argument("--shapes", required=True, metavar="TEXT", help='such as "X: n d; w: d; y: n"')
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of the random inputs")
    p.add_argument("--json", action="store_true", help="print the report as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    """Returns 0 if the gradient is right, 1 if it is wrong, 3 if that cannot be told."""
    options = parser().parse_args(argv)
    loss, formula = load(options.loss), load(options.formula)
    try:
        report = check_formula(loss, {options.wrt: formula}, options.shapes, seed=options.seed)
    except (ValueError, ImportError) as error:
        raise BadInput(error) from None
    print(report.to_json() if options.json else report)
    return EXIT.get(report.verdict, 1)


def load(text: str) -> Callable[..., Any]:
    """The function that module:name stands for; modules in this folder are found.

    Raises:
        BadInput: there is none.
    """
    module_name, colon, name = text.partition(":")
    if not colon or not module_name or not name:
        raise BadInput(f"{text!r} should be MODULE:FUNCTION, such as model:loss")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever their module does when it is imported
        raise BadInput(f"cannot import {module_name!r}: {type(error).__name__}: {error}") from None
    function = getattr(module, name, None)
    if not callable(function):
        raise BadInput(f"there is no function {name!r} in {module_name!r}")
    return function  # type: ignore[no-any-return]
