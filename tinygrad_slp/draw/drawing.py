"""What users call: `draw`, and the drawing it returns."""

from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from ..tensor import Tensor
from .graph import Vertex, is_small, labels, vertices
from .svg import svg
from .text import graphviz, mermaid


class Drawing:
    """A drawn graph; a notebook shows its picture.

    Attributes:
        vertices: what is in it, inputs before what is made of them.
        svg: the picture, inputs above.
        dot: the text that Graphviz draws.
        mermaid: the text that Mermaid draws, as in Markdown on GitHub.
    """

    def __init__(self, vertices: list[Vertex]) -> None:
        self.vertices = vertices

    @cached_property
    def svg(self) -> str:
        return svg(self.vertices)

    @cached_property
    def dot(self) -> str:
        return graphviz(self.vertices)

    @cached_property
    def mermaid(self) -> str:
        return mermaid(self.vertices)

    def save(self, path: str | Path) -> None:
        """Writes the drawing to a file that ends in .svg, .dot, .gv or .mmd.

        Raises:
            OSError: it cannot be written there.
            ValueError: the name ends otherwise.
        """
        kinds = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid"}
        suffix = Path(path).suffix.lower()
        if suffix not in kinds:
            raise ValueError(
                f"{path}: a drawing is saved as {', '.join(kinds)}, by the file's name"
            )
        Path(path).write_text(getattr(self, kinds[suffix]), encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing of {len(self.vertices)} nodes: .svg, .dot, .mermaid, save(path)"


def draw(tensor: Tensor, model: Any = None, **named: Any) -> Drawing:
    """The graph that a Tensor was made by: operations, parameters and constants.

    Shapes are written on it, the values of small arrays, and gradients where there are any: on
    parameters after `loss.backward(retain_graph=True)`. The inputs of an operation enter it from
    the left to the right.

    Args:
        model: a Module, or a dict of Tensors, to name parameters by.
        named: Tensors and arrays, to be called by these names.

    Raises:
        RuntimeError: a backward pass has freed the graph.
        TypeError: not a Tensor.
        ValueError: the graph has too many nodes to look at.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"draw takes a Tensor, got {type(tensor).__name__}: {tensor!r:.60}")
    return Drawing(vertices(tensor, labels(model, named)))


def glance(tensor: Tensor) -> str | None:
    """What a notebook shows of a Tensor: its text, and below it its graph.

    None, so that it shows the text alone, if there is no graph, or it is large, has been freed, or
    is of a step that `jit` watches.
    """
    if tensor.function is None or not is_small(tensor):
        return None
    try:
        return f"<pre>{escape(repr(tensor))}</pre>{draw(tensor).svg}"
    except (RuntimeError, TypeError):
        return None
