"""Writes docs/functions.md: every function with its formula and derivative, read off the rules.

python docs/make_functions.py
"""

import ast
import inspect
from importlib.util import find_spec
from pathlib import Path

import tinygrad_slp  # noqa: F401  (declares the rules)
from tinygrad_slp.rule import functions

HEAD = """# Functions

Every function that a Tensor can be differentiated through, read off the table of rules by
`python docs/make_functions.py`. g is the cotangent ∂L/∂y of the output y; the derivative column
gives the cotangent of each input, as the program computes it, and broadcasting is summed away.
"Composite" functions are defined by others, and their derivative follows. The form says what
is known of the Jacobian: diagonal ("elementwise") or linear in each input ("linear").

"""
COLUMNS = "| function | formula | form | derivative |\n|---|---|---|---|\n"
OF_SCIPY = """
## scipy.special

SciPy's functions can be called on a Tensor as NumPy's can (`pip install 'tinygrad-slp[optim]'`):
`special.gammaln(t)`. Parameters such as the order of a Bessel function are numbers or arrays.
SciPy's `logsumexp`, `softmax`, `log_softmax` and `polygamma` are no ufuncs, and take arrays only:
write `tinygrad_slp.logsumexp(t, axis)`, ..., and `tinygrad_slp.rules.special.polygamma(t, n=1)`.

"""


def derivative(rule):
    """The right-hand sides of the vjps of a rule, from their source."""
    if rule.definition is not None:
        return "composite"
    if not isinstance(rule.vjps, tuple):
        return f"`{rule.vjps.vjp.__name__}`"
    return ", ".join(f"`{source(vjp)}`" if vjp else "none" for vjp in rule.vjps)


def source(vjp):
    """What a lambda returns, in one line; the name of any other function."""
    if vjp.__name__ != "<lambda>":
        return vjp.__name__
    positions = [p for p in vjp.__code__.co_positions() if None not in p]
    start = min((line, column) for line, _, column, end in positions if end)
    lines, _ = inspect.findsource(vjp)
    for node in ast.walk(ast.parse("".join(lines))):
        if isinstance(node, ast.Lambda):
            body = node.body
            if (body.lineno, body.col_offset) == start:
                return ast.unparse(body)
    raise LookupError(f"no source for {vjp} at {start}")


def table(rules):
    rows = []
    for rule in rules:
        cells = rule.name, rule.formula, rule.form or "", derivative(rule)
        rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return COLUMNS + "\n".join(rows) + "\n"


def main():
    text = HEAD + table(functions())
    if find_spec("scipy"):
        from tinygrad_slp.rules.special import DECLARED

        text += OF_SCIPY + table(DECLARED)
    Path(__file__).with_name("functions.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
