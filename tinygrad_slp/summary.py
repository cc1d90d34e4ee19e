"""A model as a table: each layer with its parameters, and from one run its output and its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from .graph import no_grad
from .nn import Module, Sequential
from .nn.module import is_parameter, is_state, named_parts
from .rule import name
from .table import as_html, as_text
from .tree import flatten

HEADER = ("layer", "class", "output", "parameters", "frozen", "ms")
HELD = ("layer", "class", "options", "shapes", "parameters", "frozen")


@dataclass
class Row:
    """One module of the model.

    Attributes:
        path: its dotted name; empty for the model itself.
        outputs: the shape of each array that it returned last.
        shapes: of its own parameters, by name; as in the numbers that follow, without those of
            layers within it, and shared ones that an earlier row has.
        trainable, frozen: the numbers in its own parameters.
        bytes: of its own parameters and buffers.
        bytes_made: of the arrays that it returned, in all calls.
        calls: how often it was called; a shared layer more than once.
        ms: the time of all its calls in milliseconds, with that of the layers within it.
    """

    path: str
    kind: str
    outputs: list[tuple[int, ...]] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    trainable: int = 0
    frozen: int = 0
    bytes: int = 0
    bytes_made: int = 0
    calls: int = 0
    ms: float = 0.0

    def cells(self) -> tuple[str, ...]:
        calls = f" ×{self.calls}" if self.calls > 1 else ""
        return (
            *self.names(),
            (", ".join(map(str, self.outputs)) + calls) if self.calls else "not called",
            *self.counts(),
            f"{self.ms:.3f}" if self.calls else "",
        )

    def names(self) -> tuple[str, str]:
        depth = self.path.count(".") + 1 if self.path else 0
        return "  " * depth + self.path.rpartition(".")[2], self.kind

    def counts(self) -> tuple[str, str]:
        total = self.trainable + self.frozen
        return f"{total:,}" if total else "", f"{self.frozen:,}" if self.frozen else ""


class Summary:
    """The rows of a table, which it prints as text and notebooks show as HTML.

    Attributes:
        rows: the model itself, then the modules within it, depth first.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    @property
    def trainable(self) -> int:
        return sum(row.trainable for row in self.rows)

    @property
    def frozen(self) -> int:
        return sum(row.frozen for row in self.rows)

    @property
    def bytes(self) -> int:
        """Of all parameters and buffers."""
        return sum(row.bytes for row in self.rows)

    @property
    def bytes_made(self) -> int:
        """Of all arrays that layers without layers within them returned."""
        whole = {path for row in self.rows for path in above(row.path)}
        return sum(row.bytes_made for row in self.rows if row.path not in whole)

    def held(self) -> str:
        frozen = f" ({self.frozen:,} frozen)" if self.frozen else ""
        return (
            f"{self.trainable + self.frozen:,} parameters{frozen}, "
            f"{readable(self.bytes)} with buffers"
        )

    def totals(self) -> str:
        made = readable(self.bytes_made)
        return f"{self.held()}; {made} of outputs; {self.rows[0].ms:.3f} ms forward"

    def __repr__(self) -> str:
        lines = as_text([HEADER, *(row.cells() for row in self.rows)], left=range(3)).splitlines()
        rule = "─" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, self.totals()])

    def _repr_html_(self) -> str:
        return as_html([HEADER, *(row.cells() for row in self.rows)], range(3), self.totals())


def summary(model: Module, *inputs: Any) -> Summary:
    """Runs a model once on an input, in eval mode and without gradients, and says what went on.

    The model is left as it was. `print` the result, or read its rows:

        summary(model, X)

    Raises:
        TypeError: the model is not a Module, or there is no input.
    """
    if not isinstance(model, Module) or not inputs:
        raise TypeError(
            f"summary takes a Module and an input, as in summary(model, X); got {type(model)} and "
            f"{len(inputs)} inputs"
        )
    rows = share_out(model, layers(model))
    with no_grad(), measuring_calls(dict(model.named_modules()), rows):
        model(*inputs)
    return Summary(list(rows.values()))


def contents(model: Module) -> str:
    """What is in a model, without a run of it, as an HTML table: what a notebook shows of it."""
    listed = layers(model)
    rows = share_out(model, listed)
    lines = (
        (
            *row.names(),
            x.extra_repr() if isinstance(x := listed[path], Module) else "",
            ", ".join(f"{field} {shape}" for field, shape in row.shapes.items()),
            *row.counts(),
        )
        for path, row in rows.items()
    )
    return as_html([HELD, *lines], range(4), Summary(list(rows.values())).held())


def layers(model: Module) -> dict[str, Any]:
    """The model and all modules and functions within it, by dotted name; a shared module once."""
    found: dict[str, Any] = {}
    shared = set()

    def enter(path: str, x: Any) -> None:
        if id(x) in shared:
            return
        found[path] = x
        if isinstance(x, Module):
            shared.add(id(x))
            for part_name, part in x._listed():
                enter(f"{path}.{part_name}" if path else part_name, part)

    enter("", model)
    return found


def share_out(model: Module, listed: dict[str, Any]) -> dict[str, Row]:
    """A row for each layer, with every parameter and buffer counted where it is first."""
    rows = {
        path: Row(path, type(x).__name__ if isinstance(x, Module) else name(x))
        for path, x in listed.items()
    }
    seen = set()
    for path, x in named_parts(model):
        if not is_state(x) or id(x) in seen:
            continue
        seen.add(id(x))
        owner = path
        while owner not in rows:
            owner = owner.rpartition(".")[0]
        row = rows[owner]
        row.bytes += x.array.nbytes
        if is_parameter(x):
            row.shapes[path.removeprefix(f"{owner}.")] = x.shape
            row.trainable += x.size if x.requires_grad else 0
            row.frozen += 0 if x.requires_grad else x.size
    return rows


@contextmanager
def measuring_calls(modules: dict[str, Module], rows: dict[str, Row]) -> Iterator[None]:
    """Within it, the modules are in eval mode, and each call of one is entered in its row."""
    before = {path: dict(vars(module)) for path, module in modules.items()}
    try:
        for path, module in modules.items():
            vars(module).update(training=False, forward=measured(module.forward, rows[path]))
            if isinstance(module, Sequential):
                paths = [f"{path}.{i}" if path else str(i) for i in range(len(module))]
                vars(module)["layers"] = [
                    x if isinstance(x, Module) else measured(x, rows[here])
                    for here, x in zip(paths, module.layers, strict=True)
                ]
        yield
    finally:
        for path, module in modules.items():
            for field in ("training", "forward", "layers"):
                vars(module).pop(field, None)
                if field in before[path]:
                    vars(module)[field] = before[path][field]


def measured(forward: Callable[..., Any], row: Row) -> Callable[..., Any]:
    """The same `forward`, whose calls are entered in a row."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        y = forward(*args, **kwargs)
        row.ms += 1000 * (perf_counter() - start)
        row.calls += 1
        arrays = [x for x in flatten(y)[0] if hasattr(x, "shape")]
        row.outputs = [tuple(x.shape) for x in arrays]
        row.bytes_made += sum(x.size * x.dtype.itemsize for x in arrays)
        return y

    return call


def above(path: str) -> Iterator[str]:
    """The names of what a module may be in: of a.b.c these are a.b, a and the model itself."""
    while path:
        path = path.rpartition(".")[0]
        yield path


def readable(size: int) -> str:
    """A number of bytes, as people say it."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} bytes"
