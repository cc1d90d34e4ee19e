"""tinygrad-slp graph: a picture of what a model computes."""

from collections.abc import Sequence

import numpy as np

from ..draw import draw
from ..tensor import Tensor
from . import BadInput, arguments, model_file
from .arguments import Parser

KINDS = (".svg", ".dot", ".gv", ".mmd")


def parser() -> Parser:
    p = arguments.command(
        "graph",
        "Draw the operations of a model that train wrote, for one row of inputs.",
        "tinygrad-slp graph model.safetensors -o graph.svg",
    )
    p.add_argument("model", metavar="MODEL.safetensors")
    p.add_argument(
        "-o", "--out", required=True, metavar="FILE.svg",
        help="or .dot, .gv (Graphviz), .mmd (Mermaid)",
    )  # fmt: skip
    return p


def main(argv: Sequence[str]) -> None:
    options = parser().parse_args(argv)
    arguments.check_output("--out", options.out, KINDS)
    arguments.check_apart("--out", options.out, options.model)
    trained = model_file.load(options.model)
    x = Tensor(np.zeros((1, 1, len(trained.columns.feature_names)), np.float32))
    try:
        networks = trained.module
        drawing = draw(networks["networks"](networks["expand"](x)), networks, inputs=x)
    except ValueError as error:
        raise BadInput(f"{options.model}: {error}") from None
    kind = "." + options.out.rpartition(".")[2].lower()
    text = {".svg": "svg", ".mmd": "mermaid"}.get(kind, "dot")
    arguments.write(options.out, getattr(drawing, text).encode())
