"""A table of cells, the first row its header: as text in columns, and as HTML."""

import html
from collections.abc import Collection, Sequence

Rows = Sequence[Sequence[str]]


def as_text(rows: Rows, left: Collection[int] = (0,), before: str = "") -> str:
    """Lines in which the cells of a column end under each other; those of `left` begin so.

    Args:
        before: what each line begins with.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(before + line.rstrip() for line in lines)


def as_html(rows: Rows, left: Collection[int] = (0,), below: str = "") -> str:
    """A table that looks the same wherever it is shown, with a line below it, if there is one."""

    def line(tag: str, row: Sequence[str]) -> str:
        styles = ("left;white-space:pre-wrap" if k in left else "right" for k in range(len(row)))
        cells = (
            f'<{tag} style="text-align:{style}">{html.escape(cell)}</{tag}>'
            for style, cell in zip(styles, row, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    header, *others = rows
    body = "".join(line("td", row) for row in others)
    bottom = '<caption style="text-align:left;caption-side:bottom">'
    said = f"{bottom}{html.escape(below)}</caption>" if below else ""
    return f"<table><thead>{line('th', header)}</thead><tbody>{body}</tbody>{said}</table>"


def counted(n: int, noun: str) -> str:
    """How many, such as "1 element" or "2 classes"."""
    ending = "" if n == 1 else "es" if noun.endswith("s") else "s"
    return f"{n:,} {noun}{ending}"
