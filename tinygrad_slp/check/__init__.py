"""The gradient checker: RIGHT, WRONG or CANNOT TELL, with an error bar, and what the mistake is."""

from .formula import check_formula, prove
from .gradient import check_gradient
from .graphs import check_module, check_rule, check_second
from .report import Report, WrongGradient
from .verdict import Verdict

__all__ = [
    "Report", "Verdict", "WrongGradient", "check_formula", "check_gradient", "check_module",
    "check_rule", "check_second", "prove",
]  # fmt: skip
