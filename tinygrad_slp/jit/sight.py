"""What hangs on a Python value: the variables of functions, fields of objects, items of containers.

Code of the standard library, of NumPy and of this package is taken to do what it did before.
"""

import builtins
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..graph import Live
from ..tensor import Tensor

HERE = __name__.partition(".")[0]
LIBRARIES = {"numpy", HERE, *sys.stdlib_module_names} - {"__main__"}
SIMPLE = int, float, complex, str, bytes, bool, type(None), np.dtype, np.generic, slice, range
CONTAINERS = list, tuple, deque, set, frozenset
FACETS = "__code__", "__defaults__", "__kwdefaults__"
"""What of a function can be given another value."""


def parts(path: str, x: Any) -> Iterator[tuple[str, Any]]:
    """What hangs on a value, with paths."""
    if isinstance(x, partial):
        yield f"{path}()", x.func
        yield from parts(path, [x.args, x.keywords])
    elif isinstance(x, MethodType):
        yield f"{path}.self" if path else "self", x.__self__
        yield f"{path}.", x.__func__
    elif isinstance(x, BuiltinMethodType) and not isinstance(x.__self__, ModuleType):
        yield f"{path}.self", x.__self__
    elif isinstance(x, FunctionType):
        if is_users(x):
            yield from variables(path, x)
    elif isinstance(x, CONTAINERS):
        yield from ((f"{path}[{i}]", part) for i, part in enumerate(x))
        yield from of_object(path, x)
    elif isinstance(x, Mapping):
        yield from ((f"{path}[{key!r}]", part) for key, part in list(x.items()))
        yield from of_object(path, x)
    elif isinstance(x, Tensor):
        yield f"{path}.requires_grad", x.tracked
    elif isinstance(x, type):
        if is_users(x):
            yield from ((f"{path}.{name}", plain(v)) for name, v in fields(x).items())
    elif hasattr(x, "__wrapped__"):  # a compiled step within another
        yield f"{path}", x.__wrapped__
    else:
        yield from of_object(path, x)


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
        return {k: v for k, v in vars(x).items() if not k.startswith("__")}
    if not has_fields(x):
        return {}
    cls = type(x)
    return {k: v for k, v in vars(x).items() if not isinstance(getattr(cls, k, None), Live)}


def has_fields(x: Any) -> bool:
    """Whether an object has a dict of fields that could matter to a step."""
    if type(x).__dictoffset__ == 0 or isinstance(x, ModuleType | np.ndarray | np.ufunc):
        return False
    module = root(type(x).__module__)
    return module in (HERE, "types", "argparse") or module not in LIBRARIES  # namespaces


def slots(x: Any) -> list[str]:
    """The names of the slots that users' classes gave an object and that are filled."""
    found: list[str] = []
    for cls in type(x).__mro__:
        if is_users(cls):
            names = vars(cls).get("__slots__", ())
            found += (names,) if isinstance(names, str) else names
    return [name for name in found if name != "__dict__" and hasattr(x, name)]


def plain(value: Any) -> Any:
    """The function in a static method or class method."""
    return value.__func__ if isinstance(value, staticmethod | classmethod) else value


def is_users(x: Any) -> bool:
    """Whether a function or class was written by a user."""
    return root(getattr(x, "__module__", None)) not in LIBRARIES


def variables(path: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables from outside that the code of a function names, and its defaults."""
    inside = f"{path}." if path else ""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if has_value(cell):
            yield f"{inside}{name}", cell.cell_contents
    for where, name, prefix in named(names_in(function.__code__), function.__globals__):
        yield f"{prefix}{name}", where[name]
    for facet in FACETS:
        yield f"{path}.{facet}", getattr(function, facet)
    yield from ((f"{inside}{name}", part) for name, part in vars(function).items())


def has_value(cell: CellType) -> bool:
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


def hidden(names: tuple[str, ...], variables: dict[str, Any]) -> list[str]:
    """Which of these names are builtins, that a variable could stand before."""
    return [name for name in names if name not in variables and hasattr(builtins, name)]


def names_in(code: CodeType) -> tuple[str, ...]:
    """The global names and attributes in a piece of code and the functions defined in it."""
    inner = [names_in(c) for c in code.co_consts if isinstance(c, CodeType)]
    return tuple(dict.fromkeys([*code.co_names, *(name for names in inner for name in names)]))


def root(module: str | None) -> str:
    return (module or "").partition(".")[0]


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
