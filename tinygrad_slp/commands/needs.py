"""What a command needs that may not be installed."""

from importlib.util import find_spec

from . import BadInput


def need(package: str, what: str, extra: str) -> None:
    """
    Raises:
        BadInput: the package is not installed.
    """
    if find_spec(package) is None:
        raise BadInput(f"{what} needs {package}: pip install 'tinygrad-slp[{extra}]'")
