"""How Sphinx makes the site: `sphinx-build -W docs build/site`, with the extra `docs`."""

import re

import tinygrad_slp
from tinygrad_slp.pytorch import Absent

project = "tinygrad_slp"
author = copyright = "The tinygrad_slp developers"
version = release = tinygrad_slp.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"tinygrad_slp {version}"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_show_sphinx = False
exclude_patterns = ["_build", "pictures"]
default_role = "literal"

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give shapes and dtypes; the hints mostly say Any
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # as a list, not one by one
napoleon_use_rtype = False
suppress_warnings = ["ref.python"]  # float is Python's, and Tensor.float a method

MARKUP = re.compile(r"[\\*|]|(?<=\w)_\b")


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text: what is in backticks, or indented by itself, is code.

    Everything else, such as |x| or lr_, means itself, and no markup of reStructuredText.
    """
    code = False
    result = []
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        begins = line.strip() and (i == 0 or not lines[i - 1].strip())
        if begins and not code and indent >= 4:
            result += [" " * (indent - 4) + ".. code-block:: python", ""]
            code = True
        elif line.strip() and indent < 4:
            code = False
        if code:
            result.append(line)
        else:
            parts = line.split("`")
            parts[::2] = [MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
            result.append("`".join(parts))
    one_sentence = what in ("attribute", "property")  # "T: ..." would be read as its type
    lines[:] = ["..", "", *result] if one_sentence else result


def says_nothing(app, what, name, obj, skip, options):
    """Leaves out PyTorch's names that have only an error here, and fields that Python describes."""
    generated = (getattr(obj, "__doc__", "") or "").startswith("Alias for field number")
    return True if generated or isinstance(obj, Absent) else None


def setup(app):
    app.connect("autodoc-skip-member", says_nothing)
    app.connect("autodoc-process-docstring", plain_text, priority=100)  # before napoleon
