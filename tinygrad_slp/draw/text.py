"""A drawing as text, for programs that place the boxes themselves: Graphviz and Mermaid."""

from .graph import Vertex
from .svg import FILL, STROKE

MERMAID = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}


def dot(vertices: list[Vertex]) -> str:
    """The drawing in the language of Graphviz."""
    lines = [
        "digraph {",
        '  ordering="in"',
        '  node [fontname="monospace" fontsize=11 shape=box style="filled"]',
    ]
    for k, vertex in enumerate(vertices):
        text = "\\n".join(escaped(line) for line in (vertex.title, *vertex.lines))
        style = ' style="filled,rounded"' if vertex.kind == "operation" else ""
        colors = f'fillcolor="{FILL[vertex.kind]}" color="{STROKE[vertex.kind]}"'
        lines.append(f'  n{k} [label="{text}" {colors}{style}]')
    lines += [f"  n{s} -> n{k}" for k, vertex in enumerate(vertices) for s in vertex.inputs]
    return "\n".join([*lines, "}\n"])


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


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
