"""Tables: a model of a table out of the box, by networks that are trained side by side."""

from .fit import fit_table
from .model import TabularModel
from .settings import PRESETS, Settings

__all__ = ["PRESETS", "Settings", "TabularModel", "fit_table"]
