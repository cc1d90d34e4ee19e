"""A drawing as SVG."""

from html import escape

from .graph import Vertex
from .layout import Box, Point, layout

LETTER, LINE = 7.3, 16.0  # the width and height of one, in the font below
FONT = 'font-family="\'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="12"'
MARGIN, PADDING = 16.0, 10.0
FILL = {"operation": "#eef3fb", "parameter": "#e6f4e6", "constant": "#f3f3f3"}
STROKE = {"operation": "#4a6fa5", "parameter": "#3c8d40", "constant": "#8a8a8a"}
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0,0.5 L8,4 L0,7.5 z" fill="#666"/></marker></defs>'
)


def svg(vertices: list[Vertex]) -> str:
    """The picture of these vertices."""
    placed = layout([size(v) for v in vertices], [v.inputs for v in vertices])
    width, height = placed.width + 2 * MARGIN, placed.height + 2 * MARGIN
    edges = [curve(line) for lines in placed.lines for line in lines]
    last = len(vertices) - 1
    boxes = [
        box(vertex, place, bold=k == last)
        for k, (vertex, place) in enumerate(zip(vertices, placed.boxes, strict=True))
    ]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {width:.0f} {height:.0f}" {FONT}>',
        ARROW,
        f'<rect x="{-MARGIN:.0f}" y="{-MARGIN:.0f}" width="100%" height="100%" fill="white"/>',
        *edges,
        *boxes,
        "</svg>\n",
    ])  # fmt: skip


def size(vertex: Vertex) -> tuple[float, float]:
    """The width and height of a box that its text fits in."""
    letters = max(map(len, (vertex.title, *vertex.lines)))
    return letters * LETTER + 2 * PADDING, (1 + len(vertex.lines)) * LINE + PADDING


def box(vertex: Vertex, place: Box, bold: bool) -> str:
    left, top = place.x - place.width / 2, place.y - place.height / 2
    texts = [
        f'<text x="{place.x:.1f}" y="{top + PADDING / 2 + LINE * (k + 0.75):.1f}" '
        f'text-anchor="middle" {style}>{escape(line)}</text>'
        for k, line in enumerate((vertex.title, *vertex.lines))
        for style in ('font-weight="bold"' if k == 0 else 'fill="#444"',)
    ]
    rounded = 12 if vertex.kind == "operation" else 2
    return (
        f'<g><rect x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="{rounded}" fill="{FILL[vertex.kind]}" '
        f'stroke="{STROKE[vertex.kind]}" stroke-width="{2.5 if bold else 1.2}"/>'
        f"{''.join(texts)}</g>"
    )


def curve(line: list[Point]) -> str:
    """A line that leaves and enters boxes upright, and is straight where it passes others."""
    (x, y), *rest = line
    path = f"M{x:.1f},{y:.1f}"
    for k, (u, v) in enumerate(rest):
        half = (y + v) / 2
        path += (
            f" L{u:.1f},{v:.1f}"
            if k % 2
            else f" C{x:.1f},{half:.1f} {u:.1f},{half:.1f} {u:.1f},{v:.1f}"
        )
        x, y = u, v
    return f'<path d="{path}" fill="none" stroke="#666" marker-end="url(#arrow)"/>'
