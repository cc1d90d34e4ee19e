"""What a notebook shows of a Tensor and of a Module, imported when it is shown."""

from typing import Any


def graph(tensor: Any) -> str | None:
    """The text of a Tensor and its graph, as HTML; None if the graph is not small."""
    from .draw import glance

    return glance(tensor)


def table(model: Any) -> str:
    """The layers of a Module, as an HTML table."""
    from .summary import contents

    return contents(model)
