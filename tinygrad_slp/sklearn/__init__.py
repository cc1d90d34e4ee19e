"""Estimators for scikit-learn: Pipeline, GridSearchCV and cross_val_score take them as their own.

Needs scikit-learn 1.6 or later: pip install 'tinygrad-slp[sklearn]'.
"""

try:
    from sklearn.utils.validation import validate_data as _needed  # noqa: F401
except ImportError:
    raise ImportError(
        "tinygrad_slp.sklearn needs scikit-learn 1.6 or later: pip install 'tinygrad-slp[sklearn]'"
    ) from None

from .estimators import MLPClassifier, MLPRegressor, PerceptronClassifier
from .tabular import TabularClassifier, TabularRegressor

__all__ = [
    "MLPClassifier", "MLPRegressor", "PerceptronClassifier", "TabularClassifier",
    "TabularRegressor",
]  # fmt: skip
