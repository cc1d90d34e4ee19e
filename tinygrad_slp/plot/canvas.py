"""What every picture is drawn on and with: a Figure without a screen, and colours all can tell.

The colours are those of Okabe and Ito, Color universal design, 2008.
"""

import io
import os
from typing import TYPE_CHECKING, Any

from ..saving import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Path = str | os.PathLike[str]

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", VERMILION, "#F0E442", "#555555")
MARKERS = "os^DvP*"  # one fewer than the colours, so that 56 classes differ in one or the other
GREY = "#555555"
LONGEST = 25
"""Letters of a name that are shown."""
LETTER = 0.085
"""About how many inches wide a letter is."""


def matplotlib_figure() -> Any:
    """matplotlib's Figure class, which draws to a file without a screen.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to install it.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "plotting needs matplotlib: pip install 'tinygrad-slp[plot]'"
        ) from None
    return Figure


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, in inches. A notebook shows it also where pyplot is not loaded."""
    shown = type("Figure", (matplotlib_figure(),), {"_repr_png_": png})
    figure: Figure = shown(figsize=(width, height), layout="constrained")
    return figure


def png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()


def axes_of(ax: Any, width: float, height: float) -> Any:
    """The axes given, or the only ones of a new figure."""
    return new_figure(width, height).subplots() if ax is None else ax


def finished(figure: Any, path: Path | None) -> "Figure":
    """The figure, written to a file, whole or not at all, if there is a path.

    Raises:
        OSError: it cannot be written there.
        ValueError: matplotlib knows no such kind of picture.
    """
    if path is not None:
        file = io.BytesIO()
        figure.savefig(file, format=os.path.splitext(path)[1][1:].lower() or "png", dpi=120)
        write_whole(path, file.getvalue())
    whole: Figure = figure
    return whole


def text_of(name: Any) -> str:
    """A name as plain text, not as mathematics between two $, the middle of a long one left out."""
    text = str(name)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 8]}…{text[-7:]}"
    return text.replace("$", r"\$")


def plain(ax: Any, grid: str = "both") -> None:
    """Takes away the frame, and draws a grid that stays behind."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, alpha=0.3)
    ax.set_axisbelow(True)
