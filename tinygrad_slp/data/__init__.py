"""Data: generated, loaded, turned into numbers by encoders, split, and taken in batches."""

from .categories import Labels, OneHot
from .dates import Dates
from .encoder import Encoder
from .generators import blobs, gates, spirals, two_moons, xor
from .penguins import load_penguins
from .robust import RobustScaler
from .rows import Batches, batches, train_test_split
from .scikit import load_breast_cancer, load_digits
from .standardizer import Standardizer
from .tables import TableEncoder
from .target_means import TargetMeans
from .targets import Classes, Multilabel, Numbers, Ordinal, Quantiles
from .texts import HashedText, NumberTexts

__all__ = [
    "Batches", "Classes", "Dates", "Encoder", "HashedText", "Labels", "Multilabel", "NumberTexts",
    "Numbers", "OneHot", "Ordinal", "Quantiles", "RobustScaler", "Standardizer",
    "TableEncoder", "TargetMeans", "batches", "blobs", "gates",
    "load_breast_cancer", "load_digits", "load_penguins", "spirals", "train_test_split",
    "two_moons", "xor",
]  # fmt: skip
