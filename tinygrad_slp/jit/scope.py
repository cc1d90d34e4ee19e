"""The scope of a step: every Python value that it can see, and whether it is still what it was.

A replay does what the step did when it was traced. So what the step sees must still be what it
was: closed-over variables, the globals it names, defaults, and all that hangs on them: fields of
objects, items of lists, tuples and dicts. Arrays of Tensors and `Live` numbers may change.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from itertools import chain
from operator import attrgetter, contains, getitem, is_
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..graph import Live, clock
from ..tensor import Tensor
from . import TraceError
from .program import exact_text
from .sight import (
    FACETS,
    SIMPLE,
    all_names,
    changes,
    has_fields,
    has_value,
    hidden,
    in_module,
    is_unseen,
    is_users,
    named,
    names_in,
    parts,
    slots,
)  # fmt: skip
from .trace import Place

CONTENTS = attrgetter("cell_contents")
TRACKED = attrgetter("tracked")


class Scope:
    """What a step and the objects given to it can see.

    Attributes:
        seen: everything, by the path to it, such as model.layers[0].weight.
        tensors: all Tensors, by path.
        arrays: all plain arrays, by path.
        written: the ids of the Tensors to which the step gives new data.
        overridden: the names of methods that library code may call, such as forward.
    """

    def __init__(self, step: Callable[..., Any], given: dict[str, Any]) -> None:
        self.step = step
        self.given = given
        self.written: set[int] = set()
        self.seen: dict[str, Any] = {}
        self.live: list[Any] = []
        self.variables: list[tuple[dict[str, Any], str]] = []
        self.cells: list[CellType] = []
        self.attributes: list[tuple[Any, str]] = []
        self.shadows: list[tuple[dict[str, Any], str]] = []
        self.overridden: set[str] = set()
        self.mappings: list[Any] = []
        known: set[int] = set()
        todo = [*reversed(given.items()), ("", step)]
        while todo:
            path, x = todo.pop()
            self.seen[path] = x
            is_plain = isinstance(x, (*SIMPLE, ModuleType)) and not has_fields(x)
            if id(x) not in known and not is_plain:
                known.add(id(x))
                self.watch(x)
                todo += reversed(list(parts(path, x)))
            if not todo:
                todo = self.in_modules()
        self.tensors = self.of_type(Tensor)
        self.arrays = self.of_type(np.ndarray)
        self.remember()
        self.random = self.random_states()

    def of_type(self, *types: type) -> dict[str, Any]:
        found = {id(x): (path, x) for path, x in self.seen.items() if isinstance(x, types)}
        return dict(found.values())

    def in_modules(self) -> list[tuple[str, Any]]:
        """What the code that was seen names of the modules that hang on objects: what is new."""
        found = []
        modules = self.of_type(ModuleType)
        names = {name for _, f in self.code() for name in all_names(f)} if modules else ()
        for path, x in modules.items():
            for variables, name, prefix in in_module(path, x, names):
                if f"{prefix}{name}" not in self.seen:
                    self.variables.append((variables, name))
                    found.append((f"{prefix}{name}", variables[name]))
        return found

    def refuse_unseen(self) -> None:
        """
        Raises:
            TraceError: the step names an object in which a replay could not see what changes.
        """
        names = self.names_in_reach()
        for path, x in self.seen.items():
            named = path in self.given or path.rpartition(".")[2] in names
            if named and is_unseen(x):
                raise TraceError(
                    f"the step reads {path}, a {type(x).__name__}, which a replay would not see "
                    "change: give what it holds now as an argument, such as next(batches) or "
                    "df.to_numpy()"
                )

    def code(self) -> Iterator[tuple[str, FunctionType]]:
        """All functions that users wrote, each with the last word of each path to it."""
        functions = ((path, x) for path, x in self.seen.items() if isinstance(x, FunctionType))
        return ((path.rpartition(".")[2], x) for path, x in functions if is_users(x))

    def names_in_reach(self) -> set[str]:
        """The names in the code that the step may run: not in methods that nobody names."""
        names, code = self.overridden, list(self.code())
        while run := [pair for pair in code if may_run(*pair, names)]:
            names = names.union(*(all_names(f) for _, f in run))
            code = [pair for pair in code if pair not in run]
        return names

    def watch(self, x: Any) -> None:
        """Keeps hold of what can be changed in a value, for a look at all of it at once."""
        if isinstance(x, FunctionType):
            if is_users(x):
                names = names_in(x.__code__)
                self.variables += ((where, name) for where, name, _ in named(x))
                self.attributes += ((x, facet) for facet in (*FACETS, "__dict__"))
                self.shadows += ((x.__globals__, name) for name in hidden(names, x.__globals__))
                self.live.append(vars(x))
            self.cells += [cell for cell in x.__closure__ or () if has_value(cell)]
        elif isinstance(x, type):
            if is_users(x):
                self.live.append(vars(x))
                bases = [cls for cls in x.__mro__ if cls is not object and not is_users(cls)]
                self.overridden.update(*map(vars, bases))
        else:
            if isinstance(x, list | set | deque | Mapping):
                self.live.append(x)
                self.mappings += [x] if isinstance(x, Mapping) else []
            if has_fields(x):
                self.live.append(vars(x))
                self.attributes += (x, "__dict__"), (x, "__class__")
            self.attributes += ((x, name) for name in slots(x))

    # --- is it still what it was? ---

    def remember(self) -> None:
        """Keeps what everything is now."""
        self.copies = [copied(x) for x in self.live]
        self.orders = list(map(list, self.mappings))
        # Another object could be equal to one of these, and not the same to a step.
        risky = [
            (x, key)
            for x in self.live
            if isinstance(x, list | dict)
            for key, part in (x.items() if isinstance(x, dict) else enumerate(x))
            if has_equals(part)
        ]
        self.holders, self.places = columns([*self.variables, *risky], 2)
        self.objects, self.names_of = columns(self.attributes, 2)
        self.hiding = columns(self.shadows, 2)
        self.nothing = [None] * len(self.objects)
        self.bound = list(self.bound_now())
        self.leaves = list(self.tensors.values())
        self.tracked = list(map(TRACKED, self.leaves))

    def bound_now(self) -> Iterator[Any]:
        """What must be the very same objects as before."""
        return chain(
            map(getitem, self.holders, self.places),
            map(CONTENTS, self.cells),
            map(getattr, self.objects, self.names_of, self.nothing),
        )

    def holds(self) -> bool:
        """Whether everything is still what it was."""
        return self.is_untouched() or self.is_the_same()

    def is_untouched(self) -> bool:
        """Whether the very same objects stand everywhere: quickly."""
        try:
            return (
                self.live == self.copies
                and list(map(list, self.mappings)) == self.orders
                and all(map(is_, self.bound_now(), self.bound))
                and not any(map(contains, *self.hiding))
                and list(map(TRACKED, self.leaves)) == self.tracked
            )
        except (ValueError, TypeError, LookupError):  # comparing arrays with anything else
            return False

    def is_the_same(self) -> bool:
        """Whether other numbers or texts stand in some places, but the same ones."""
        now = Scope(self.step, self.given)
        if changes(self.seen, now.seen):
            return False
        self.__dict__.update(now.__dict__, random=self.random, written=self.written)
        return True

    def is_apart(self, given: Iterable[Any]) -> bool:
        """Whether the step is given no Tensor to which it gives new data."""
        return self.written.isdisjoint(map(id, given))

    def random_states(self) -> dict[str, str]:
        """The states of all generators that the step can see, and of the two global ones."""
        random = import_module("random")  # only now, as np.random: our own import needs neither
        states = {
            path: str(clock()) if isinstance(x, random.SystemRandom) else repr(x.getstate())
            for path, x in {"random": random, **self.of_type(random.Random)}.items()
        }
        found = self.of_type(np.random.Generator).items()
        states |= {path: exact_text(x.bit_generator.state) for path, x in found}
        found = {"np.random": np.random, **self.of_type(np.random.RandomState)}.items()
        states |= {path: exact_text(x.get_state()) for path, x in found}
        return states

    def names(self) -> dict[Place, str]:
        """What the step calls the places in its scope: the shortest of their paths."""
        names: dict[Place, str] = {}
        for path, x in sorted(self.seen.items(), key=lambda item: -len(item[0])):
            if isinstance(x, Tensor):
                names[Place("value", x)] = path
                names[Place("gradient", x)] = f"{path}.grad"
            elif isinstance(x, np.ndarray):
                names[Place("array", x)] = path
            elif has_fields(x):
                for name, cell in vars(x).items():
                    if isinstance(getattr(type(x), name, None), Live):
                        names[Place("number", cell)] = f"{path}.{name}"
        return {place: path.lstrip(".") for place, path in names.items()}


def may_run(name: str, function: FunctionType, names: set[str]) -> bool:
    """Whether code with these names may run a function, which it finds under a name.

    A special method, or what has no name, as an item of a list, may run anyway.
    """
    if name == "__init__":
        return function.__qualname__.split(".")[-2] in names
    special = name.startswith("__") or not name.isidentifier()
    return special or name in names or function.__name__ in names


def copied(x: Any) -> Any:
    """A container with the same content, which compares equal to it."""
    if isinstance(x, Mapping):
        return dict(x)
    return x.copy() if isinstance(x, deque) else set(x) if isinstance(x, set) else list(x)


def columns(rows: list[Any], n: int) -> list[list[Any]]:
    """The first n columns of rows, each as a list."""
    return [[row[k] for row in rows] for k in range(n)]


def has_equals(x: Any) -> bool:
    """Whether another object can be equal to this one; of texts and None it does not matter."""
    equals: Any = type(x).__eq__
    return equals is not object.__eq__ and not isinstance(x, str | bytes | None)
