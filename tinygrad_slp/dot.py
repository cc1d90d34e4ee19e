"""Graphs in DOT, the language of Graphviz."""

from collections.abc import Iterable, Mapping


def dot(settings: Iterable[str], vertices: Mapping[str, tuple[str, str, Iterable[str]]]) -> str:
    """A graph as text.

    Args:
        settings: lines about the whole graph.
        vertices: by name, each with its label, its attributes and the names of its sources.
    """
    lines = ["digraph {", *(f"  {line}" for line in settings)]
    for name, (label, attributes, _) in vertices.items():
        text = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'  {name} [label="{text}" {attributes}]')
    for name, (_, _, sources) in vertices.items():
        lines += [f"  {source} -> {name}" for source in sources]
    return "\n".join([*lines, "}\n"])
