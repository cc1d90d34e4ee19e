"""Training: fit, what it measures, what ends it, and files from which it goes on."""

from .callbacks import Checkpoint, EarlyStopping
from .fit import fit
from .history import History
from .training import NonFiniteError, Training

__all__ = ["Checkpoint", "EarlyStopping", "History", "NonFiniteError", "Training", "fit"]
