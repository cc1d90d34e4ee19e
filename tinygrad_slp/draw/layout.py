"""Where the boxes of a drawing go: in layers, with few crossings and short edges.

After Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures,
1981: each box goes to a layer below all its inputs; an edge that passes layers gets a place in
each; places are ordered by the middle of their neighbours; then coordinates pull neighbours
together as far as the order and the widths allow.
"""

from bisect import bisect, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP, PASS = 26.0, 10.0  # between neighbours; the width of an edge that passes
BETWEEN = 44.0  # the height between layers
SWEEPS = 12

Point = tuple[float, float]


@dataclass
class Box:
    """A box, or an edge where it passes a layer.

    Attributes:
        above: the places that edges come from, and where on this place they end, as a distance
            from its middle.
        below: the places that edges go to, and where they end there.
        x, y: its middle.
    """

    width: float
    height: float
    layer: int
    above: list[tuple["Box", float]] = field(default_factory=list)
    below: list[tuple["Box", float]] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0


@dataclass
class Layout:
    """Boxes with their coordinates, and for each box the lines of its inputs.

    A line is a list of points: it bends from the first to the second, is straight to the third,
    bends to the fourth, and so on.
    """

    boxes: list[Box]
    lines: list[list[list[Point]]]
    width: float
    height: float


def layout(sizes: Sequence[tuple[float, float]], inputs: Sequence[Sequence[int]]) -> Layout:
    """Places boxes of these (width, height), each below its inputs, which come before it."""
    boxes = [
        Box(width, height, layer)
        for (width, height), layer in zip(sizes, layers_of(inputs), strict=True)
    ]
    rows: list[list[Box]] = [[] for _ in range(max(box.layer for box in boxes) + 1)]
    for box in boxes:
        rows[box.layer].append(box)
    ways = [
        [
            connect(boxes[source], box, ((k + 1) / (len(sources) + 1) - 0.5) * box.width, rows)
            for k, source in enumerate(sources)
        ]
        for box, sources in zip(boxes, inputs, strict=True)
    ]
    untangle(rows)
    width = spread(rows)
    height = stack(rows)
    lines = [[points(way, k) for k, way in enumerate(several)] for several in ways]
    return Layout(boxes, lines, width, height)


def layers_of(inputs: Sequence[Sequence[int]]) -> list[int]:
    """The layer of each box: one below its lowest input; of one without, above its first use."""
    layers: list[int] = []
    for sources in inputs:
        layers.append(1 + max((layers[s] for s in sources), default=-1))
    used = [max(layers)] * len(layers)
    for k, sources in enumerate(inputs):
        for s in sources:
            used[s] = min(used[s], layers[k] - 1)
    return [layers[k] if sources else used[k] for k, sources in enumerate(inputs)]


def connect(source: Box, target: Box, at: float, rows: list[list[Box]]) -> list[Box]:
    """The places that an edge goes through, new ones in between."""
    between = [Box(PASS, 0.0, layer) for layer in range(source.layer + 1, target.layer)]
    for place in between:
        rows[place.layer].append(place)
    way = [source, *between, target]
    for upper, lower in pairwise(way):
        end = at if lower is target else 0.0
        upper.below.append((lower, end))
        lower.above.append((upper, end))
    return way


def untangle(rows: list[list[Box]]) -> None:
    """Orders the places within their rows so that few edges cross."""
    for row in rows:
        number(row)
    best, fewest = [list(row) for row in rows], crossings(rows)
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        for row in rows[1:] if downward else rows[-2::-1]:
            row.sort(key=lambda place: middle(place, downward))
            number(row)
            swap(row)
        if (found := crossings(rows)) < fewest:
            best, fewest = [list(row) for row in rows], found
    rows[:] = best


def number(row: list[Box]) -> None:
    """Makes the x of each place its number in the row, until the real ones are known."""
    for k, place in enumerate(row):
        place.x = float(k)


def swap(row: list[Box]) -> None:
    """Exchanges neighbours whose edges cross less the other way round."""
    for k in range(len(row) - 1):
        left, right = row[k], row[k + 1]
        if crossed(left, right) > crossed(right, left):
            row[k : k + 2] = right, left
            left.x, right.x = right.x, left.x


def crossed(left: Box, right: Box) -> int:
    """How many edges of two places cross, if one is left of the other."""
    return sum(x > y for side in (ends_above, ends_below) for x in side(left) for y in side(right))


def ends_above(place: Box) -> list[float]:
    return [other.x for other, _ in place.above]


def ends_below(place: Box) -> list[float]:
    """Two ends on one box are apart, by less than the boxes are."""
    return [other.x + end / (other.width + 1) for other, end in place.below]


def middle(place: Box, downward: bool) -> float:
    """The mean place of the neighbours above, or below; its own, if there are none."""
    found = ends_above(place) if downward else ends_below(place)
    return sum(found) / len(found) if found else place.x


def crossings(rows: Iterable[list[Box]]) -> int:
    """How many pairs of edges cross, the rows being numbered from the left."""
    total = 0
    for row in rows:
        passed: list[float] = []
        for place in row:
            ends = sorted(ends_below(place))
            total += sum(len(passed) - bisect(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def spread(rows: list[list[Box]]) -> float:
    """Gives the places their x, in the order of their rows; returns the width of it all."""
    for row in rows:
        settle(row, [0.0] * len(row))
    for sweep in range(2 * SWEEPS):
        for row in rows if sweep % 2 else rows[::-1]:
            settle(row, [pulled(place) for place in row])
    left = min(place.x - place.width / 2 for row in rows for place in row)
    for row in rows:
        for place in row:
            place.x -= left
    return max(place.x + place.width / 2 for row in rows for place in row)


def pulled(place: Box) -> float:
    """Where the edges of a place would have it: they want to be upright."""
    wishes = [other.x - end for other, end in place.above]
    wishes += [other.x + end for other, end in place.below]
    return sum(wishes) / len(wishes) if wishes else place.x


def settle(row: list[Box], wishes: Sequence[float]) -> None:
    """Moves the places of a row to their wishes, as near as they can without touching.

    It minimizes Σ (x − wish)², heavier for edges that pass: pool adjacent violators.
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # mean, weight, places
    for place, wish, offset in zip(row, wishes, offsets, strict=True):
        mean, weight, count = wish - offset, (8.0 if place.width == PASS else 1.0), 1
        while pools and pools[-1][0] > mean:
            other, heavy, more = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + more
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    for place, mean, offset in zip(row, means, offsets, strict=True):
        place.x = mean + offset


def stack(rows: list[list[Box]]) -> float:
    """Gives the places their y, row under row; returns the height of it all."""
    top = 0.0
    for row in rows:
        tall = max(place.height for place in row)
        for place in row:
            place.y = top + tall / 2
            if place.width == PASS:
                place.height = tall
        top += tall + BETWEEN
    return top - BETWEEN


def points(way: list[Box], k: int) -> list[Point]:
    """The line of an edge, input k of its target: out of its source below, in from above."""
    source, *between, target = way
    line = [(source.x, source.y + source.height / 2)]
    for place in between:
        line += [(place.x, place.y - place.height / 2), (place.x, place.y + place.height / 2)]
    return [*line, (target.x + target.above[k][1], target.y - target.height / 2)]
