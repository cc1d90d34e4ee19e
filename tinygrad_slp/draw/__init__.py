"""The computation graph of a Tensor as a picture, and as text for Graphviz and Mermaid.

    draw(loss, model, X=X, y=y).save("loss.svg")

In a notebook, `draw(loss)` at the end of a cell shows the picture.
"""

from .drawing import Drawing, draw, glance

__all__ = ["Drawing", "draw", "glance"]
