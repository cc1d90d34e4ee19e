"""What hangs on a Python value: the variables of functions, fields of objects, items of containers.

Code of the standard library, of this package and of all that is installed is taken to do what it
did before.
"""

import builtins
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property, partial, partialmethod, singledispatchmethod
from io import IOBase
from os import sep
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..graph import Live
from ..rule import RULES
from ..tensor import Tensor

HERE = __name__.partition(".")[0]
LIBRARIES = {"numpy", HERE, *sys.stdlib_module_names} - {"__main__"}
INSTALLED = {"site-packages", "dist-packages"}
SIMPLE = int, float, complex, str, bytes, bool, type(None), np.dtype, np.generic, slice, range
HEAP_TYPE = 1 << 9
"""The flag of classes that are not written in C: Py_TPFLAGS_HEAPTYPE."""
CONTAINERS = list, tuple, deque, set, frozenset
INSIDE: dict[type, tuple[str, ...]] = {
    partial: ("func", "args", "keywords"),
    partialmethod: ("func", "args", "keywords"),
    property: ("fget", "fset", "fdel"),
    cached_property: ("func",),
    singledispatchmethod: ("func", "dispatcher"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
}
"""What stands in objects of the standard library that stand before functions."""
Variable = tuple[dict[str, Any], str, str]
"""The dict that has a variable, its name there, and what stands before it in a path."""
FACETS = "__code__", "__defaults__", "__kwdefaults__"
"""What of a function can be given another value."""


def parts(path: str, x: Any) -> Iterator[tuple[str, Any]]:
    """What hangs on a value, with paths."""
    if names := inside(x):
        yield from ((f"{path}.{name}", getattr(x, name)) for name in names)
        yield from of_object(path, x)
    elif isinstance(x, MethodType):
        yield f"{path}.self" if path else "self", x.__self__
        yield f"{path}.", x.__func__
    elif isinstance(x, BuiltinMethodType) and not isinstance(x.__self__, ModuleType):
        yield f"{path}.self", x.__self__
    elif isinstance(x, FunctionType):
        if is_users(x):
            yield from variables(path, x)
            if x in RULES:
                yield f"the rule of {path}", RULES[x].vjps
    elif isinstance(x, CONTAINERS):
        yield from ((f"{path}[{i}]", part) for i, part in enumerate(x))
        yield from of_object(path, x)
    elif isinstance(x, Mapping):
        yield from ((f"{path}[{key!r}]", part) for key, part in list(x.items()))
        yield f"the order of {path}", str(list(x))
        yield from of_object(path, x)
    elif isinstance(x, Tensor):
        yield f"{path}.requires_grad", x.tracked
    elif isinstance(x, type):
        if is_users(x):
            yield from ((f"{path}.{name}", v) for name, v in fields(x).items())
            yield f"type({path})", type(x)
    else:
        if (function := wrapped(x)) is not None:
            yield path, function
        if isinstance(x, np.ndarray) and x.dtype.hasobject:
            yield from ((f"{path}.flat[{i}]", part) for i, part in enumerate(x.flat))
        yield from of_object(path, x)


def inside(x: Any) -> tuple[str, ...]:
    """The names of what stands in an object that stands before functions."""
    return next((INSIDE[cls] for cls in type(x).__mro__ if cls in INSIDE), ())


def wrapped(x: Any) -> Any:
    """The function in a compiled step, or in another object made by `functools.update_wrapper`."""
    own = vars(x) if type(x).__dictoffset__ else {}  # not getattr: some objects have all attributes
    return own.get("__wrapped__")


def of_object(path: str, x: Any) -> Iterator[tuple[str, Any]]:
    """Its fields, and the classes that users wrote for it."""
    yield from ((f"{path}.{name}", part) for name, part in fields(x).items())
    yield from ((f"{path}.{name}", getattr(x, name)) for name in slots(x))
    first, *others = type(x).__mro__
    if is_users(first):
        yield f"type({path})", first
    bases = ((f"type({path}).__mro__[{k}]", cls) for k, cls in enumerate(others, 1))
    yield from ((base, cls) for base, cls in bases if is_users(cls))


def fields(x: Any) -> dict[str, Any]:
    """The fields of an object or a class, but for `Live` numbers and what Python puts there."""
    if isinstance(x, type):
        code = (FunctionType, *INSIDE)
        return {k: v for k, v in vars(x).items() if isinstance(v, code) or not k.startswith("__")}
    if not has_fields(x):
        return {}
    cls = type(x)
    return {k: v for k, v in vars(x).items() if not isinstance(getattr(cls, k, None), Live)}


def has_fields(x: Any) -> bool:
    """Whether an object has a dict of fields that could matter to a step."""
    if type(x).__dictoffset__ == 0 or isinstance(x, ModuleType | np.ndarray | np.ufunc):
        return False
    module = root(type(x).__module__)
    if module == HERE:
        return wrapped(x) is None  # a compiled step is the function in it
    if module == "numpy":
        return bool(type(x).__flags__ & HEAP_TYPE)  # of a class in Python, such as Polynomial
    holders = "types", "argparse", "collections"  # namespaces, UserList
    return module in holders or module not in LIBRARIES


def is_unseen(x: Any) -> bool:
    """Whether a replay could not see what changes in a value: an iterator, or another's array."""
    if isinstance(x, Iterator):
        return not is_users(type(x)) and not isinstance(x, IOBase)
    if isinstance(x, (np.ndarray, Tensor, *SIMPLE)):
        return False
    return hasattr(type(x), "__array__") or type(x) in (array, bytearray, memoryview)


def slots(x: Any) -> list[str]:
    """The names of the slots that users' classes gave an object and that are filled."""
    found: list[str] = []
    for cls in type(x).__mro__:
        if is_users(cls):
            names = vars(cls).get("__slots__", ())
            found += (names,) if isinstance(names, str) else names
    return [name for name in found if name != "__dict__" and hasattr(x, name)]


def is_users(x: Any) -> bool:
    """Whether a function or class was written by a user."""
    return not is_installed(root(getattr(x, "__module__", None)))


@cache
def is_installed(package: str) -> bool:
    """Whether a package is a library: came with Python, or was installed."""
    module = sys.modules.get(package)
    where = getattr(module, "__file__", None) or ""
    return package in LIBRARIES or not INSTALLED.isdisjoint(where.split(sep))


def variables(path: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables from outside that the code of a function names, and its defaults."""
    inside = f"{path}." if path else ""
    yield from ((f"{inside}{name}", x) for name, x in closed_over(function).items())
    for where, name, prefix in named(function):
        yield f"{prefix}{name}", where[name]
    for facet in FACETS:
        yield f"{path}.{facet}", getattr(function, facet)
    yield from ((f"{inside}{name}", part) for name, part in vars(function).items())


def closed_over(function: FunctionType) -> dict[str, Any]:
    """The closed-over variables of a function, of those that have a value yet."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if has_value(cell)}


def has_value(cell: CellType) -> bool:
    """Whether a closed-over variable has a value yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def named(function: FunctionType) -> Iterator[Variable]:
    """The global variables that the code of a function names, and attributes of users' modules."""
    names = names_in(function.__code__)
    yield from ((function.__globals__, k, "") for k in names if k in function.__globals__)
    cells = closed_over(function)
    for name in (*names, *cells):
        x = cells.get(name, function.__globals__.get(name, sys.modules.get(name)))  # imported here
        yield from in_module(name, x, names)


def in_module(path: str, x: Any, names: Iterable[str]) -> Iterator[Variable]:
    """What has one of these names in a module that a user wrote, and in its modules."""
    todo, known = [(path, x)], set()
    while todo:
        path, x = todo.pop()
        if isinstance(x, ModuleType) and x not in known and not is_installed(root(x.__name__)):
            known.add(x)
            found = [name for name in names if name in vars(x)]
            yield from ((vars(x), name, f"{path}.") for name in found)
            todo += [(f"{path}.{name}", vars(x)[name]) for name in found]


def hidden(names: tuple[str, ...], variables: dict[str, Any]) -> list[str]:
    """Which of these names are builtins, that a variable could stand before."""
    return [name for name in names if name not in variables and hasattr(builtins, name)]


def names_in(code: CodeType) -> tuple[str, ...]:
    """The global names and attributes in a piece of code and the functions defined in it."""
    inner = [names_in(c) for c in code.co_consts if isinstance(c, CodeType)]
    return tuple(dict.fromkeys([*code.co_names, *(name for names in inner for name in names)]))


def all_names(function: FunctionType) -> set[str]:
    """The names in the code of a function, and of what it closes over."""
    return {*names_in(function.__code__), *function.__code__.co_freevars}


def root(module: Any) -> str:
    """The package of a module; none of what objects of C have for its name."""
    return module.partition(".")[0] if isinstance(module, str) else ""


# --- what changed, in words ---


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs between two views, in words; lists and dicts as a whole."""
    return [
        f"{path} ({change(shown(before.get(path)), shown(after.get(path)))})"
        for path in dict.fromkeys([*before, *after])
        if path not in before or path not in after or not same(before[path], after[path])
    ]


def change(a: str, b: str) -> str:
    return f"{a}, then {'another' if a == b else b}"


def same(a: Any, b: Any) -> bool:
    """Whether a value is still what it was: an equal number or text, otherwise the same object."""
    if a is b:
        return True
    if type(a) is not type(b) or not isinstance(a, SIMPLE):
        return isinstance(a, MethodType) and isinstance(b, MethodType)  # its parts are compared
    return repr(a) == repr(b) if isinstance(a, float | complex) else bool(a == b)


def shown(x: Any) -> str:
    text = repr(x) if isinstance(x, SIMPLE) else f"a {type(x).__name__}"
    return text if len(text) < 40 else f"{text[:37]}..."
