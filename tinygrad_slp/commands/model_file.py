"""The file of a model: what goes wrong with it, in one line."""

from ..tabular import TabularModel
from . import BadInput


def load(path: str) -> TabularModel:
    """
    Raises:
        BadInput: there is no such file, or it is not one that `tinygrad-slp train` wrote.
    """
    try:
        return TabularModel.load(path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; expected a model to read") from None
    except (ValueError, ModuleNotFoundError) as error:
        raise BadInput(" ".join(str(error).split())) from None


def save(model: TabularModel, path: str) -> None:
    """
    Raises:
        BadInput: it cannot be written there; what was there still is.
    """
    try:
        model.save(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot write the model: {error.strerror}") from None
