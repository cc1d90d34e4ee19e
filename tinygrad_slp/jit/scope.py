"""The scope of a step: every Python value that it can see, and whether it is still what it was.

A replay does what the step did when it was traced. So what the step sees must still be what it
was: closed-over variables, the globals it names, defaults, and all that hangs on them: fields of
objects, items of lists, tuples and dicts. Arrays of Tensors and `Live` numbers may change.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter, getitem, is_
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..graph import Live
from ..tensor import Tensor
from .trace import Place

LIBRARIES = {"numpy", __name__.partition(".")[0], *sys.stdlib_module_names} - {"__main__"}
SIMPLE = int, float, complex, str, bytes, bool, type(None), np.dtype, np.generic, slice, range

CONTENTS = attrgetter("cell_contents")
TRACKED = attrgetter("tracked")

Seen = dict[str, Any]
"""Everything seen, by the path to it, such as model.layers[0].weight."""


class Scope:
    """What a step and the objects given to it can see.

    Attributes:
        seen: by path, everything.
        tensors: all Tensors, by path.
        arrays: all plain arrays, by path.
    """

    def __init__(self, step: Callable[..., Any], given: dict[str, Any]) -> None:
        self.seen: Seen = {}
        self.live: list[Any] = []
        self.variables: list[tuple[dict[str, Any], str]] = []
        self.cells: list[CellType] = []
        known: set[int] = set()
        todo = [*reversed(given.items()), ("", step)]
        while todo:
            path, x = todo.pop()
            self.seen[path] = x
            if id(x) not in known and not isinstance(x, SIMPLE):
                known.add(id(x))
                self.watch(x)
                todo += reversed(list(parts(path, x)))
        self.tensors = self.of_type(Tensor)
        self.arrays = self.of_type(np.ndarray)
        self.remember()

    def of_type(self, cls: type) -> dict[str, Any]:
        found = {id(x): (path, x) for path, x in reversed(self.seen.items()) if isinstance(x, cls)}
        return dict(reversed(found.values()))

    def watch(self, x: Any) -> None:
        """Keeps hold of a container, for a look at all of them at once."""
        if isinstance(x, FunctionType):
            if root(x.__module__) not in LIBRARIES:
                names = names_in(x.__code__)
                self.variables += ((where, name) for where, name, _ in named(names, x.__globals__))
            self.cells += [cell for cell in x.__closure__ or () if filled(cell)]
        elif isinstance(x, list | dict):
            self.live.append(x)
        elif not isinstance(x, type | ModuleType | np.ndarray) and hasattr(x, "__dict__"):
            self.live.append(vars(x))

    def remember(self) -> None:
        """Keeps what everything is now. What is compared by `==` is first compared by identity."""
        self.copies = [type(x)(x) for x in self.live]
        self.dicts = [names for names, _ in self.variables]
        self.keys = [name for _, name in self.variables]
        self.bound = self.variables_now()
        self.leaves = list(self.tensors.values())
        self.tracked = list(map(TRACKED, self.leaves))
        # An array of one element could equal another one that stands in its place.
        holders: list[tuple[Any, Any, Any]] = [
            (x, key, part)
            for x in self.live
            for key, part in (x.items() if isinstance(x, dict) else enumerate(x))
        ]
        holders += zip(self.dicts, self.keys, self.bound, strict=False)
        single = [x for x in holders if isinstance(x[2], Tensor | np.ndarray) and x[2].size <= 1]
        self.singles = [list(column) for column in zip(*single, strict=True)] or [[], [], []]

    def variables_now(self) -> list[Any]:
        return [*map(getitem, self.dicts, self.keys), *map(CONTENTS, self.cells)]

    def holds(self) -> bool:
        """Whether everything is still what it was: quickly, and never true if it is not."""
        containers, keys, parts = self.singles
        try:
            return (
                self.live == self.copies
                and self.variables_now() == self.bound
                and list(map(TRACKED, self.leaves)) == self.tracked
                and all(map(is_, map(getitem, containers, keys), parts))
            )
        except (ValueError, TypeError, LookupError):  # comparing arrays with anything else
            return False

    def names(self) -> dict[Place, str]:
        """What the step calls the places in its scope."""
        names = {Place("value", x): path for path, x in self.tensors.items()}
        names |= {Place("gradient", x): f"{path}.grad" for path, x in self.tensors.items()}
        names |= {Place("array", x): path for path, x in self.arrays.items()}
        for path, x in self.seen.items():
            for name, cell in getattr(x, "__dict__", {}).items():
                if isinstance(getattr(type(x), name, None), Live):
                    names[Place("number", cell)] = f"{path}.{name}"
        return {place: path.lstrip(".") for place, path in names.items()}


def parts(path: str, x: Any) -> Iterator[tuple[str, Any]]:
    """What hangs on a value, with paths."""
    if isinstance(x, partial):
        yield f"{path}()", x.func
        yield from parts(path, [x.args, x.keywords])
    elif isinstance(x, MethodType):
        yield f"{path}.__self__", x.__self__
        yield f"{path}.__func__", x.__func__
    elif isinstance(x, FunctionType):
        if root(x.__module__) not in LIBRARIES:
            yield from variables(path, x)
    elif isinstance(x, list | tuple):
        yield from ((f"{path}[{i}]", part) for i, part in enumerate(x))
    elif isinstance(x, dict):
        yield from ((f"{path}[{key!r}]", part) for key, part in list(x.items()))
    elif isinstance(x, Tensor):
        yield f"{path}.requires_grad", x.tracked
    elif not isinstance(x, type | ModuleType | BuiltinFunctionType | np.ndarray | np.ufunc):
        for name, part in list(getattr(x, "__dict__", {}).items()):
            if not isinstance(getattr(type(x), name, None), Live):
                yield f"{path}.{name}", part
        if root(type(x).__module__) not in LIBRARIES:
            yield from ((f"{path}.{name}", f) for name, f in methods(type(x)) if name != "__init__")


def methods(cls: type) -> Iterator[tuple[str, FunctionType]]:
    """The functions that users wrote in a class and its bases."""
    for base in cls.__mro__:
        for name, f in vars(base).items():
            if isinstance(f, FunctionType) and root(f.__module__) not in LIBRARIES:
                yield name, f


def variables(path: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables from outside that the code of a function names, and its defaults."""
    inside = f"{path}." if path else ""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if filled(cell):
            yield f"{inside}{name}", cell.cell_contents
    for where, name, prefix in named(names_in(function.__code__), function.__globals__):
        yield f"{prefix}{name}", where[name]
    yield from ((f"{path}(…{i})", part) for i, part in enumerate(function.__defaults__ or ()))
    if function.__kwdefaults__:
        yield from parts(f"{path}(…)", function.__kwdefaults__)


def filled(cell: CellType) -> bool:
    """Whether a closed-over variable has a value yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def named(
    names: tuple[str, ...], variables: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Which of these names are variables, or attributes of modules that users wrote.

    Yields the dict that has the variable, its name there, and what stands before it in a path.
    """
    for name in names:
        if name in variables:
            yield variables, name, ""
            module = variables[name]
            if isinstance(module, ModuleType) and root(module.__name__) not in LIBRARIES:
                inside = vars(module)
                yield from ((inside, part, f"{name}.") for part in names if part in inside)


def names_in(code: CodeType) -> tuple[str, ...]:
    """The global names and attributes in a piece of code and the functions defined in it."""
    inner = [names_in(c) for c in code.co_consts if isinstance(c, CodeType)]
    return tuple(dict.fromkeys([*code.co_names, *(name for names in inner for name in names)]))


def root(module: str | None) -> str:
    return (module or "").partition(".")[0]


def same(a: Any, b: Any) -> bool:
    """Whether a value is still what it was: an equal number or text, otherwise the same object."""
    if a is b:
        return True
    if type(a) is not type(b) or not isinstance(a, SIMPLE):
        return isinstance(a, MethodType) and isinstance(b, MethodType)  # its parts are compared
    return repr(a) == repr(b) if isinstance(a, float | complex) else bool(a == b)


def changes(before: Seen, after: Seen) -> list[str]:
    """What differs between two scopes, in words; lists and dicts as a whole."""
    told = [
        f"{path} ({shown(before.get(path))}, then {shown(after.get(path))})"
        for path in dict.fromkeys([*before, *after])
        if path not in before or path not in after or not same(before[path], after[path])
    ]
    return told


def shown(x: Any) -> str:
    text = repr(x) if isinstance(x, SIMPLE) else f"a {type(x).__name__}"
    return text if len(text) < 40 else f"{text[:37]}..."
