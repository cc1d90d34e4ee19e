"""Tables: a model of a table out of the box, by networks that are trained side by side."""

from .fit import fit_table
from .model import TabularModel
from .report import of_model as _of_model
from .settings import PRESETS, Settings

__all__ = ["PRESETS", "Settings", "TabularModel", "fit_table"]

TabularModel._repr_html_ = _of_model  # type: ignore[attr-defined]  # what a notebook shows
