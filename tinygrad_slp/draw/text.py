"""A drawing as text, for programs that place the boxes themselves: Graphviz and Mermaid."""

from ..dot import dot
from .graph import Vertex
from .svg import FILL, STROKE

MERMAID = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}


def graphviz(vertices: list[Vertex]) -> str:
    """The drawing in the language of Graphviz."""
    found = {}
    for k, vertex in enumerate(vertices):
        style = ' style="filled,rounded"' if vertex.kind == "operation" else ""
        colors = f'fillcolor="{FILL[vertex.kind]}" color="{STROKE[vertex.kind]}"{style}'
        label = "\n".join((vertex.title, *vertex.lines))
        found[f"n{k}"] = label, colors, [f"n{source}" for source in vertex.inputs]
    return dot(
        ['ordering="in"', 'node [fontname="monospace" fontsize=11 shape=box style="filled"]'], found
    )


def mermaid(vertices: list[Vertex]) -> str:
    """The drawing in the language of Mermaid."""
    lines = ["flowchart TD"]
    for k, vertex in enumerate(vertices):
        text = "<br/>".join(
            "".join(MERMAID.get(letter, letter) for letter in line)
            for line in (vertex.title, *vertex.lines)
        )
        left, right = ("(", ")") if vertex.kind == "operation" else ("[", "]")
        lines.append(f'  n{k}{left}"{text}"{right}:::{vertex.kind}')
    lines += [f"  n{s} --> n{k}" for k, vertex in enumerate(vertices) for s in vertex.inputs]
    lines += [f"  classDef {kind} fill:{FILL[kind]},stroke:{STROKE[kind]}" for kind in FILL]
    return "\n".join([*lines, ""])
