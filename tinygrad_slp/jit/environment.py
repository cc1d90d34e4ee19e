"""The environment of a step: what its code names, and whether that is still what it was.

A replay does what the step did when it was traced. So what it finds by name must be what it was:
closed-over and global variables, the fields that code of users names, items of lists and dicts, and
all fields of Modules, optimizers and the like. Arrays of Tensors and `Live` numbers may change.
"""

import dis
import sys
from array import array
from collections import UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property, partial, partialmethod, singledispatchmethod
from importlib import import_module
from io import IOBase
from itertools import chain
from operator import attrgetter, call, is_, itemgetter
from os import sep
from threading import active_count
from types import (
    BuiltinMethodType,
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np

from ..graph import clock
from ..optim.live import Live
from ..rule import RULES
from ..tensor import Tensor
from . import TraceError
from .differences import SIMPLE, changes
from .program import exact_text
from .trace import Place

FACTS = "__code__", "__defaults__", "__kwdefaults__"
"""What a module that is loaded again gives to its functions."""
CONTAINERS = list, tuple, deque, set, frozenset
NESTED = list, tuple, dict
"""Containers whose content is compared with that of those that have them."""
HERE = __name__.partition(".")[0]
LIBRARIES = {"numpy", HERE, *sys.stdlib_module_names} - {"__main__"}
INSTALLED = {"site-packages", "dist-packages"}
INSIDE: dict[type, tuple[str, ...]] = {
    partial: ("func", "args", "keywords"),
    partialmethod: ("func", "args", "keywords"),
    singledispatchmethod: ("func", "dispatcher"),
    property: ("fget",),
    cached_property: ("func",),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    UserDict: ("data",),
    UserList: ("data",),
}
"""What is inside of objects of the standard library that wrap others."""
NUMPY_RANDOM = {"np.random", "numpy.random"}
"""What code names that draws nothing by it, though np.random.random does."""
VARIABLES = {"LOAD_GLOBAL", "LOAD_NAME"}
ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_FROM"}
Part = tuple[str, Any]


class Environment:
    """What a step and its static arguments can find by name.

    Attributes:
        seen: everything, by the path to it, such as model.layers[0].weight.
        names: all that the code of users names.
        tensors: all Tensors, by path.
        arrays: all plain arrays, by path.
    """

    def __init__(self, step: Callable[..., Any], static: dict[str, Any]) -> None:
        self.step = step
        self.static = static
        self.names: set[str] = set()
        known = -1
        while len(self.names) > known:  # code that is found by a name has names of its own
            known = len(self.names)
            self.walk()
        self.tensors = self.of_type(Tensor)
        self.arrays = self.of_type(np.ndarray)
        self.copies = list(map(copy_of, self.containers))
        self.orders = list(map(list, self.ordered))
        self.tracked = [x.tracked for x in self.tensors.values()]
        self.values = list(map(call, self.getters, self.holders))
        self.same = list(map(call, self.exact_getters, self.exact_holders))

    def walk(self) -> None:
        self.seen: dict[str, Any] = {}
        self.containers: list[Any] = []
        self.ordered: list[Any] = []
        self.nested: dict[int, bool] = {}
        self.getters: list[Callable[[Any], Any]] = []
        self.holders: list[Any] = []
        self.exact_getters: list[Callable[[Any], Any]] = []
        self.exact_holders: list[Any] = []
        self.missing: list[tuple[Any, list[str]]] = []
        known: set[int] = set()
        todo = [*reversed(self.static.items()), ("", self.step)]
        while todo:
            path, x = todo.pop()
            self.seen[path] = x
            if id(x) not in known and not (type(x) in SIMPLE or isinstance(x, np.generic)):
                known.add(id(x))
                todo += reversed(list(self.parts(path, x)))

    # --- what hangs on a value ---

    def parts(self, path: str, x: Any) -> Iterator[Part]:
        """What hangs on a value, with paths; keeps hold of what can be changed in it."""
        dot = f"{path}." if path else ""
        if isinstance(x, FunctionType):
            yield from self.of_function(path, x)
        elif isinstance(x, MethodType):
            yield f"{dot}self", x.__self__
            yield dot, x.__func__
        elif isinstance(x, BuiltinMethodType):
            yield f"{dot}self", x.__self__
        elif isinstance(x, ModuleType):
            if is_users(x.__name__):
                yield from self.of_names(dot, vars(x))
            elif x is np and "random" in self.names:
                yield f"{dot}random", np.random
        elif isinstance(x, type):
            yield from self.of_class(path, x)
        elif type(x) is Tensor:
            yield f"{dot}requires_grad", x.tracked
        elif type(x) is not np.ndarray:
            yield from self.of_container(path, x)
            inside = next((INSIDE[cls] for cls in type(x).__mro__ if cls in INSIDE), ())
            yield from ((f"{dot}{name}", getattr(x, name)) for name in inside)
            yield from self.of_object(path, dot, x)

    def of_function(self, path: str, function: FunctionType) -> Iterator[Part]:
        """Its closed-over variables; of users' code the globals, defaults and fields too."""
        code, dot = function.__code__, f"{path}." if path else ""
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if has_value(cell):
                self.look(attrgetter, cell, {"cell_contents": cell.cell_contents})
                yield f"{dot}{name}", cell.cell_contents
        if not is_users(function.__module__):
            return
        variables, attributes = names_in(code)
        self.names |= variables | attributes | set(code.co_freevars)
        facts = {name: getattr(function, name) for name in FACTS}
        self.look(attrgetter, function, facts)
        yield from self.variables("", function.__globals__, sorted(variables))
        yield f"{path}.__defaults__", (function.__defaults__, function.__kwdefaults__)
        if vars(function):
            yield from self.of_names(dot, vars(function))
        if function in RULES:
            yield f"the rule of {path}", RULES[function].vjps

    def of_class(self, path: str, cls: type) -> Iterator[Part]:
        """What users' code names of a class, and what Python or a library calls of its own."""
        if not is_users(cls.__module__):
            return
        bases = [base for base in cls.__mro__[1:] if base is not object]
        theirs = set[str]().union(*(vars(base) for base in bases if not is_users(base.__module__)))
        called = [
            name
            for name, x in vars(cls).items()
            if isinstance(x, (FunctionType, *INSIDE))
            and (
                name in theirs
                or (name.startswith("__") and (name != "__init__" or cls.__name__ in self.names))
            )
        ]
        named = self.names.intersection(vars(cls))
        yield from self.variables(f"{path}.", vars(cls), dict.fromkeys([*called, *named]))
        yield from ((f"{path}.__mro__[{k}]", base) for k, base in enumerate(bases, 1))

    def of_container(self, path: str, x: Any) -> Iterator[Part]:
        if isinstance(x, Mapping):
            self.watch(x)
            self.ordered += [] if self.nested.get(id(x)) else [x]
            yield from ((f"{path}[{key!r}]", part) for key, part in list(x.items()))
            yield f"the order of {path}", str(list(x))
        elif isinstance(x, CONTAINERS):
            self.watch(x)
            yield from ((f"{path}[{i}]", part) for i, part in enumerate(x))

    def of_object(self, path: str, dot: str, x: Any) -> Iterator[Part]:
        """Fields: all of a Module, an optimizer and the like, those with names of another's."""
        cls = type(x)
        if cls.__module__.startswith(f"{HERE}.jit"):  # a compiled step is the function in it
            yield from [(path, x.step)] if hasattr(cls, "loop") else ()
            return
        yield f"type({path})", cls
        if cls.__dictoffset__ and not isinstance(x, np.ufunc):
            if any(base.__module__.partition(".")[0] == HERE for base in cls.__mro__):
                self.watch(vars(x), cls.__module__.partition(".")[0] == HERE)
                fields = [(k, v) for k, v in vars(x).items() if not is_live(cls, k)]
                yield from ((f"{dot}{k}", v) for k, v in fields)
            else:
                self.look(attrgetter, x, {"__class__": cls, "__dict__": vars(x)})
                users = [vars(base) for base in cls.__mro__ if is_users(base.__module__)]
                yield from self.of_names(dot, vars(x), *users)
        slots = {
            name: getattr(x, name)
            for base in cls.__mro__
            if is_users(base.__module__)
            for name in self.names.intersection(vars(base))
            if isinstance(vars(base)[name], MemberDescriptorType) and hasattr(x, name)
        }
        self.look(attrgetter, x, slots)
        yield from ((f"{dot}{name}", value) for name, value in slots.items())

    def of_names(self, dot: str, *tables: Mapping[str, Any]) -> Iterator[Part]:
        """What the code names of the variables of a module or the fields of an object.

        Args:
            tables: the fields, and what a field may hide of the classes.
        """
        return self.variables(dot, tables[0], self.names.intersection(chain(*tables)))

    def variables(self, dot: str, table: Mapping[str, Any], names: Iterable[str]) -> Iterator[Part]:
        """What a table of variables has under these names; keeps which it does not have."""
        there = {name: table[name] for name in names if name in table}
        self.look(itemgetter, table, there)
        if missing := [name for name in names if name not in table]:
            self.missing.append((table.keys(), missing))
        return ((f"{dot}{name}", x) for name, x in there.items())

    def look(self, getter: Any, holder: Any, parts: dict[Any, Any], ours: bool = False) -> None:
        """Has the same parts of something looked for, each time, by `itemgetter` or `attrgetter`.

        They are compared by ==, which is fast, as Python first looks whether both are one object.
        What could be equal and yet another is looked at for itself.
        """
        exact = [key for key, x in parts.items() if may_be_other(x, ours)]
        self.exact_getters += [getter(key) for key in exact]
        self.exact_holders += [holder] * len(exact)
        if honest := [key for key in parts if key not in exact]:
            self.getters.append(getter(*honest))
            self.holders.append(holder)

    def watch(self, x: Any, ours: bool = False) -> None:
        """Has a container compared with a copy, at any depth, each time."""
        is_inner, is_fixed = id(x) in self.nested, isinstance(x, tuple | frozenset)
        ours = self.nested.get(id(x), ours)
        if not is_inner and not is_fixed:
            self.containers.append(x)
        if isinstance(x, set | frozenset):
            return
        parts = dict(x.items() if isinstance(x, Mapping) else enumerate(x))
        may_differ = may_be_other
        if type(x) in NESTED and (is_inner or not is_fixed):  # compared with all that is in it
            self.nested |= {id(part): ours for part in parts.values() if type(part) in NESTED}
            may_differ = may_deceive
        self.look(itemgetter, x, {k: v for k, v in parts.items() if may_differ(v, ours)}, ours)

    # --- is it still what it was? ---

    def is_untouched(self) -> bool:
        """Whether the very same objects are everywhere, whatever is in Tensors: quickly."""
        try:
            return (
                self.containers == self.copies
                and list(map(call, self.getters, self.holders)) == self.values
                and all(map(is_, map(call, self.exact_getters, self.exact_holders), self.same))
                and (not self.missing or all(k.isdisjoint(names) for k, names in self.missing))
                and (not self.ordered or list(map(list, self.ordered)) == self.orders)
            )
        except (ValueError, TypeError, LookupError, RuntimeError, AttributeError):
            return False  # comparing arrays with anything else, a variable without a value

    def tracks_the_same(self) -> bool:
        """Whether gradients flow to the same Tensors."""
        return [x.tracked for x in self.tensors.values()] == self.tracked

    def holds(self) -> bool:
        """Whether everything is what it was; other objects may be equal numbers or texts."""
        if self.is_untouched() and self.tracks_the_same():
            return True
        now = Environment(self.step, self.static)
        if changes(self.seen, now.seen):
            return False
        self.__dict__.update(now.__dict__)
        return True

    # --- what is in it ---

    def of_type(self, *types: type) -> dict[str, Any]:
        found = {id(x): (path, x) for path, x in self.seen.items() if isinstance(x, types)}
        return dict(found.values())

    def refuse_unseen(self) -> None:
        """
        Raises:
            TraceError: the step names an object in which a replay could not see what changes.
        """
        for path, x in self.seen.items():
            named = path in self.static or path.rpartition(".")[2] in self.names
            if named and is_unseen(x):
                raise TraceError(
                    f"the step reads {path}, a {type(x).__name__}, which a replay would not see "
                    "change: give what it holds now as an argument, such as next(batches) or "
                    "df.to_numpy()"
                )

    def random_states(self) -> dict[str, str]:
        """The states of the generators that the step can find.

        The global ones are among them if its code names a function that draws from them; or, as
        code of a library may draw too, if no other thread could have drawn.
        """
        random = import_module("random")  # only now, as np.random: our own import needs neither
        found = {**self.of_type(random.Random, np.random.Generator, np.random.RandomState)}
        for name, x in {"random": random, "np.random": np.random}.items():
            names_it = x in self.of_type(ModuleType).values() and self.names_a_draw(x)
            if names_it or active_count() == 1:
                found[name] = x
        states: dict[str, str] = {}
        for path, x in found.items():
            if isinstance(x, random.SystemRandom):
                states[path] = str(clock())  # which cannot be told
            elif isinstance(x, np.random.Generator):
                states[path] = exact_text(x.bit_generator.state)
            elif hasattr(x, "getstate"):
                states[path] = repr(x.getstate())
            else:
                states[path] = exact_text(x.get_state())
        return states

    def names_a_draw(self, module: ModuleType) -> bool:
        """Whether the code names a function of a module that draws from its global generator."""
        attributes = {name.rpartition(".")[2] for name in self.names - NUMPY_RANDOM if "." in name}
        found = (getattr(vars(module).get(name), "__self__", None) for name in attributes)
        return any(hasattr(x, "getstate") or hasattr(x, "get_state") for x in found)

    def labels(self) -> dict[Place, str]:
        """What the step calls the places in it: the shortest of their paths."""
        found: dict[Place, str] = {}
        for path, x in sorted(self.seen.items(), key=lambda item: -len(item[0])):
            if isinstance(x, Tensor):
                found[Place("value", x)] = path
                found[Place("gradient", x)] = f"{path}.grad"
            elif isinstance(x, np.ndarray):
                found[Place("array", x)] = path
            elif getattr(type(x), "__dictoffset__", 0):
                for name, cell in vars(x).items():
                    if is_live(type(x), name):
                        found[Place("number", cell)] = f"{path}.{name}"
        return {place: path.lstrip(".") for place, path in found.items()}


@cache
def names_in(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The global variables and the attributes that a piece of code names.

    A text may be a name too, as in getattr(model, "weight"). An attribute is there with what is
    named before it too, as in random.random.
    """
    found: tuple[set[str], set[str]] = set(), set()
    before = ""
    for x in dis.get_instructions(code):
        if x.opname in VARIABLES:
            found[0].add(x.argval)
        elif x.opname in ATTRIBUTES:
            found[1].update((x.argval, f"{before}.{x.argval}"))
        before = x.argval
    found[1].update(x for x in code.co_consts if isinstance(x, str) and x.isidentifier())
    inner = [names_in(x) for x in code.co_consts if isinstance(x, CodeType)]
    variables, attributes = map(frozenset.union, map(frozenset, found), *inner)
    return variables, attributes


def may_be_other(x: Any, ours: bool) -> bool:
    """Whether an equal object in the place of this one would have to be watched itself."""
    return isinstance(x, (*CONTAINERS, Mapping)) or may_deceive(x, ours)


def may_deceive(x: Any, ours: bool) -> bool:
    """Whether another object could be equal to this one, and not the same to a step.

    Args:
        ours: whether it is in an object of this package, which takes 1 and 1.0 for the same.
    """
    if type(x) in NESTED:
        return any(may_deceive(part, ours) for part in (x.values() if type(x) is dict else x))
    if isinstance(x, Tensor | np.ndarray):
        return x.size == 1 and not (ours and x.ndim == 0)  # larger ones raise, if compared
    if type(x) in (bool, int, float):
        return not ours
    same = isinstance(x, str | bytes | None | MethodType | CodeType)
    equals: Any = type(x).__eq__
    return not same and equals is not object.__eq__


def copy_of(x: Any) -> Any:
    """A container with the same content, at any depth, which compares equal to it."""
    if isinstance(x, Mapping):
        return {key: copy_of(part) for key, part in x.items()}
    if type(x) in (list, tuple):
        return type(x)(map(copy_of, x))
    return x.copy() if isinstance(x, list | set | deque) else x


def is_live(cls: type, name: str) -> bool:
    """Whether a field is a number that every step reads anew."""
    return isinstance(getattr(cls, name, None), Live)


def has_value(cell: CellType) -> bool:
    """Whether a closed-over variable has a value yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def is_unseen(x: Any) -> bool:
    """Whether a replay could not see what changes in a value: an iterator, or another's array."""
    if isinstance(x, Iterator):
        return not is_users(type(x).__module__) and not isinstance(x, IOBase)
    if isinstance(x, np.ndarray):
        return bool(x.dtype.hasobject)
    if isinstance(x, (Tensor, *SIMPLE)):
        return False
    return hasattr(type(x), "__array__") or type(x) in (array, bytearray, memoryview)


def is_users(module: Any) -> bool:
    """Whether a module was written by a user: it neither came with Python nor was installed."""
    return not is_installed(module.partition(".")[0] if isinstance(module, str) else "")


@cache
def is_installed(package: str) -> bool:
    where = getattr(sys.modules.get(package), "__file__", None) or ""
    return package in LIBRARIES or not INSTALLED.isdisjoint(where.split(sep))
