"""Tracer: stands in for an array while `jit` watches a step, and records what is done with it.

It speaks NumPy's protocols, so the ordinary code of the library runs on it unchanged, the backward
pass and the optimizer included. Each operation computes its value as ever and leaves a node of the
ordinary graph. Values are known while a step is watched, but will be others when it is replayed:
whoever asks for one as a plain Python or NumPy value is refused.
"""

import math
import operator
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn

import numpy as np

from .. import errors
from ..checks import Between
from ..graph import Node, leaf
from ..recorder import recorder
from ..rule import RULES, name
from ..rules.movement import compress, extract, scatter, take, take_along_axis
from ..tree import flatten, like
from . import TraceError

Function = Callable[..., Any]

active: Callable[[], Any] = recorder.get
"""The `Trace` of the step that runs now, if one is traced."""

# What these return follows from shapes and dtypes, which are the same in every replay.
STATIC = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj,
    np.shares_memory, np.may_share_memory, np.zeros_like, np.ones_like, np.empty_like,
}  # fmt: skip

TEXTS = {np.array_repr, np.array_str, np.array2string}

# The shape of what these return follows from values.
SHAPED_BY_VALUES = {
    np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.extract, np.compress, np.trim_zeros,
    np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d,
}  # fmt: skip

WRITERS = {np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal}

# Two Python numbers stay a Python number, which takes the dtype of an array that it meets.
PYTHON: dict[Function, Function] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul,
    np.true_divide: operator.truediv, np.floor_divide: operator.floordiv,
    np.remainder: operator.mod, np.power: operator.pow, np.negative: operator.neg,
    np.positive: operator.pos, np.absolute: operator.abs, np.less: operator.lt,
    np.less_equal: operator.le, np.greater: operator.gt, np.greater_equal: operator.ge,
    np.equal: operator.eq, np.not_equal: operator.ne, np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_, np.bitwise_xor: operator.xor, np.invert: operator.invert,
    np.left_shift: operator.lshift, np.right_shift: operator.rshift, np.divmod: divmod,
}  # fmt: skip


# What is indexed in other words: `x[i]` is checked, and has native code.
GATHERS: dict[Function, Function] = {
    np.take: take, np.take_along_axis: take_along_axis, np.compress: compress, np.extract: extract,
}  # fmt: skip

SHORTER: dict[float, Function] = {
    -1: np.reciprocal, 0.5: np.sqrt, 1: np.positive, 2: np.square,
}  # fmt: skip


def astype(x: Any, dtype: Any) -> Any:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype=dtype)


def updated(operation: Function) -> Function:
    """x += y: of a number another number, as ever; of an array a refusal."""

    def update(self: Any, other: Any) -> Any:
        if isinstance(self.now, np.ndarray):
            refuse(f"i{operation.__name__} writes into an array", "x = x + y, and likewise")
        return operation(self, other)

    return update


def method(function: Function) -> Function:
    """x.sum(axis=0) for np.sum(x, axis=0)."""
    return lambda self, *args, **settings: record(function, (self, *args), settings)


def refusal(what: str, instead: str) -> Function:
    """A method that asks for a value, which is refused."""

    def ask(self: Any, *args: Any, **settings: Any) -> NoReturn:
        refuse(what, instead)

    return ask


class Tracer(np.lib.mixins.NDArrayOperatorsMixin):
    """An array, NumPy scalar or Python number, as a node of the graph that is being recorded."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    # --- what is the same in every replay ---

    now = property(operator.attrgetter("node.array"))
    shape = property(lambda self: np.shape(self.now))
    ndim = property(lambda self: np.ndim(self.now))
    size = property(lambda self: np.size(self.now))
    dtype = property(lambda self: np.result_type(self.now))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What it stands for, so that `isinstance(x, np.ndarray)` is true as ever."""
        return type(self.now)

    nbytes = property(lambda self: self.size * self.dtype.itemsize)
    itemsize = property(lambda self: self.dtype.itemsize)

    def __len__(self) -> int:
        return len(self.now)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Tracer({self.dtype}, shape {self.shape}, now {self.now})"

    # --- operations ---

    def __array_ufunc__(self, ufunc: np.ufunc, how: str, *inputs: Any, **settings: Any) -> Any:
        if any(isinstance(x, Node) for x in inputs):
            return NotImplemented  # a Tensor records for the backward pass, and then here
        if how == "at":
            refuse(f"{name(ufunc)}.at writes into an array", "y = np.where(mask, new, y)")
        return record(ufunc if how == "__call__" else getattr(ufunc, how), inputs, settings)

    def __array_function__(self, function: Function, types: Any, args: Any, settings: Any) -> Any:
        if any(issubclass(t, Node) for t in types):
            return NotImplemented
        if function in GATHERS and settings.keys() <= {"axis"}:
            return GATHERS[function](*active().operands(args, settings), **settings)
        return record(function, args, settings)

    def __pow__(self, exponent: Any) -> Any:
        # Python's operator and the ufunc can differ in the last bit: of a NumPy scalar, and where
        # the operator has a shorter way, which newer versions of the ufunc take too.
        if not isinstance(self.now, np.ndarray) and np.ndim(known_values(exponent)) == 0:
            return record(operator.pow, (self, exponent), {})
        if type(exponent) in (int, float):
            if self.dtype.kind == "f" and exponent in SHORTER:
                return record(SHORTER[exponent], (self,), {})
            if self.dtype.kind in "bc":
                return record(operator.pow, (self, exponent), {})
        return record(np.power, (self, exponent), {})

    __iadd__, __isub__, __imul__ = map(updated, (operator.add, operator.sub, operator.mul))
    __itruediv__, __ifloordiv__ = map(updated, (operator.truediv, operator.floordiv))
    __imod__, __ipow__, __imatmul__ = map(updated, (operator.mod, operator.pow, operator.matmul))

    def __getitem__(self, index: Any) -> Any:
        return record(operator.getitem, (self, index), {})

    T = property(method(np.transpose))
    mT = property(method(np.matrix_transpose))
    real = property(method(np.real))
    imag = property(method(np.imag))
    astype = method(astype)
    flatten = method(np.ravel)

    def reshape(self, *shape: Any) -> Any:
        return record(np.reshape, (self, shape[0] if len(shape) == 1 else shape), {})

    def transpose(self, *axes: Any) -> Any:
        return record(np.transpose, (self, axes[0] if len(axes) == 1 else axes or None), {})

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """Without one of the bounds it is maximum or minimum, for NumPy too."""
        if min is None or max is None:
            return np.minimum(self, max) if min is None else np.maximum(self, min)
        return record(np.clip, (self, min, max), {})

    # --- what would bake a value of this one run into all replays ---

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(self.now, name):
            raise AttributeError(f"'{type(self.now).__name__}' object has no attribute '{name}'")
        refuse(f".{name} may ask for a value", "np functions of the value")


STATIC_ARGUMENT = 'a static argument, jit(f, static_argnames=("name",))'
RETURN_IT = "np functions of the value, or return it from the step and ask outside"

# What would bake a value of this one run into all replays, and what to write instead.
QUESTIONS = {
    "__hash__": ("a value is hashed, as a key of a dict or set is", STATIC_ARGUMENT),
    "__round__": ("round() asks for a value", "np.round(x, decimals)"),
    "__bool__": (
        "an `if`, `while`, `and`, `or` or bool() asks for the truth of a value",
        f"np.where(condition, a, b), or pass what decides as {STATIC_ARGUMENT}",
    ),
    "__float__": ("float() asks for a value", RETURN_IT),
    "__int__": ("int() asks for a value", RETURN_IT),
    "__complex__": ("complex() asks for a value", RETURN_IT),
    "__format__": ("a value is formatted as text", RETURN_IT),
    "__index__": (
        "a value is used as an index, a length or a count",
        f"{STATIC_ARGUMENT}, or an array of indices",
    ),
    "__array__": (
        "a value is turned into a plain array, by np.asarray, np.array or by writing into one",
        "NumPy functions of the value itself, such as np.stack([a, b]) for np.array([a, b]), "
        "np.where(mask, a, b) for b[mask] = a, and Tensor(table)[i] for table[i] of a plain "
        "table; and give arrays, not lists of numbers",
    ),
    "item": (".item() asks for a value", RETURN_IT),
    "tolist": (".tolist() asks for a value", RETURN_IT),
    "__setitem__": ("an array is written into", "np.where(mask, value, x)"),
}
METHODS = (
    "sum", "prod", "mean", "var", "std", "max", "min", "cumsum", "cumprod", "conj", "conjugate",
    "round", "dot", "trace", "diagonal", "ravel", "squeeze", "swapaxes", "repeat", "take", "copy",
    "argmax", "argmin", "argsort", "any", "all",
)  # fmt: skip
"""Methods of arrays that are functions of NumPy of the same name."""

for key, (question, instead) in QUESTIONS.items():
    setattr(Tracer, key, refusal(question, instead))
for key in METHODS:
    setattr(Tracer, key, method(getattr(np, key)))


def record(function: Function, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """Calls a function of Tracers: its value, with a node that says how it was made."""
    refuse_unrepeatable(function, args, settings)
    known, known_settings = known_values(args), known_values(settings)
    if all(type(x) in (int, float) for x in known):
        function = PYTHON.get(function, function)
        if function is operator.pow:
            require_same_kind(*args)
    y = function(*known, **known_settings)
    if function in STATIC:
        return y
    inputs, node_settings = as_nodes(args), as_nodes(settings)
    if function is operator.getitem:
        require_in_range(inputs[1], np.shape(known[0]))
    elif "index" in settings and "shape" in settings:
        require_in_range(node_settings["index"], settings["shape"])
    parents = tuple(nodes_in([inputs, node_settings]))
    if not parents:  # as np.arange(n, like=x)
        return y
    if isinstance(y, tuple | list):
        parts = [
            Tracer(made(part, Part(function, i), inputs, parents, node_settings))
            for i, part in enumerate(y)
        ]
        return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)
    node = made(y, function, inputs, parents, node_settings)
    return Tracer(node)


def made(
    array: Any, function: Any, inputs: tuple[Any, ...], parents: tuple[Node, ...], settings: Any
) -> Node:
    """The node of an operation of a program."""
    node = leaf(Node, array, tracked=True)
    node.function, node.inputs, node.parents = function, inputs, parents
    node.settings = settings
    return node


SCATTER = RULES[scatter].run


@wraps(SCATTER)
def scatter_or_record(x: Any, index: Any = (), shape: tuple[int, ...] = ()) -> Any:
    """It writes into an array of its own: of Tracers it is recorded as one operation."""
    if any(isinstance(part, Tracer) for part in flatten((x, index))[0]):
        return record(SCATTER, (x,), {"index": index, "shape": shape})
    return SCATTER(x, index=index, shape=shape)


RULES[scatter].run = scatter_or_record


@dataclass(frozen=True)
class Part:
    """One of several results of a function."""

    function: Function
    k: int

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.function(*args, **settings)[self.k]

    @property
    def __name__(self) -> str:
        return f"{name(self.function)}[{self.k}]"


def input_node(array: Any) -> Node:
    """A value that every replay is given anew."""
    return leaf(Node, array, tracked=True)


def constant_tracer(array: np.ndarray) -> Tracer:
    """An array that is the same in every replay, as something that can meet a Tracer."""
    return Tracer(leaf(Node, array))


def without_constants(x: Any) -> Any:
    """x, or the array that it is if it is the same in every replay."""
    return x.now if isinstance(x, Tracer) and not x.node.tracked else x


def kept(x: np.ndarray) -> np.ndarray:
    """A copy, as the step may write into an array yet; with elements that stand in one place where
    they do, since a BLAS adds up in another order if they do not."""
    once = x[tuple(slice(None) if stride else slice(1) for stride in x.strides)]
    return np.broadcast_to(once.copy(), x.shape) if 0 in x.strides else x.copy()


def refuse_unrepeatable(function: Function, args: tuple[Any, ...], settings: Any) -> None:
    """Names what a replay could not do.

    Raises:
        TraceError: the function writes, or its result has a shape that depends on values.
    """
    if active() is None:
        refuse(
            "a value of a step that was recorded earlier is used outside of it",
            "return values from the step, and keep those",
        )
    if settings.get("out") is not None or function in WRITERS:
        refuse(f"{name(function)} writes into an array", "y = f(x), or np.where(mask, new, y)")
    if function in TEXTS:
        refuse(f"{name(function)} writes a value as text", RETURN_IT)
    by_mask = function is operator.getitem and masks(args[1])
    by_values = function in SHAPED_BY_VALUES or (function is np.where and len(args) == 1)
    if by_mask or (by_values and varies((args, settings))):
        what = "x[mask]" if by_mask else name(function)
        refuse(
            f"the shape of {what} depends on values",
            "np.where(mask, a, b), which keeps the shape, or a sum with weights 0 and 1",
        )


def require_in_range(index: Any, shape: tuple[int, ...]) -> None:
    """Has replays make sure that indices do not go beyond an array of this shape."""
    parts = index if isinstance(index, tuple) else (index,)
    axes = iter(shape)
    if any(part is Ellipsis for part in parts):
        k = [part is Ellipsis for part in parts].index(True)
        require_in_range(parts[:k], shape)
        parts = parts[k + 1 :]
        axes = iter(shape[len(shape) - sum(map(axes_of, parts)) :])
    for part in parts:
        n = [next(axes) for _ in range(axes_of(part))]
        if isinstance(part, Node) and part.array.dtype.kind in "iu":
            active().check(part, Between(-n[0], n[0] - 1))


def axes_of(part: Any) -> int:
    """How many axes a part of an index is for."""
    part = part.array if isinstance(part, Node) else part
    is_mask = isinstance(part, np.ndarray) and part.dtype == bool
    return part.ndim if is_mask else int(part is not None)


def require_same_kind(x: Any, exponent: Any) -> None:
    """Lets replays begin only with Python numbers whose power is of the kind that it is now.

    Whole numbers have a whole power unless the exponent is below 0; below 0 a float has a complex
    one unless the exponent is whole.
    """
    base, now = known_values((x, exponent))
    whole = type(base) is type(now) is int
    if whole and isinstance(exponent, Tracer) and exponent.node.function is not None:
        refuse("a power of whole numbers is a float if the exponent is below 0", "2.0 ** n")
    if whole or isinstance(exponent, Tracer) or now % 1:
        decides, below = (exponent, now < 0) if whole else (x, base < 0)
        same = (lambda value: value < 0) if below else Between(0, math.inf)
        active().require(same, decides)


def varies(given: Any) -> bool:
    """Whether something that is given will be another in a replay."""
    return any(isinstance(x, Tracer) and x.node.tracked for x in flatten(given)[0])


def masks(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(i, Tracer) and i.dtype == bool for i in parts)


def parts_of(x: Any) -> Collection[Any] | None:
    """What is in a tuple, list or dict; None for anything else, as most things are."""
    kind = type(x)
    return x.values() if issubclass(kind, dict) else x if issubclass(kind, (tuple, list)) else None


def mapped(f: Function, x: Any) -> Any:
    """f of everything in nested tuples, lists and dicts; a Module is no tree here."""
    parts = parts_of(x)
    return f(x) if parts is None else like(x, [mapped(f, part) for part in parts])


def known_values(x: Any) -> Any:
    return mapped(lambda part: part.now if isinstance(part, Tracer) else part, x)


def as_nodes(x: Any) -> Any:
    trace = active()

    def node(part: Any) -> Any:
        part = without_constants(part)
        if isinstance(part, Tracer):
            return part.node
        return trace.read_array(part) if isinstance(part, np.ndarray) else part

    return mapped(node, x)


def nodes_in(x: Any) -> list[Node]:
    """The nodes in nested tuples, lists and dicts, in order."""
    if isinstance(x, Node):
        return [x]
    return [node for part in parts_of(x) or () for node in nodes_in(part)]


def refuse(what: str, instead: str) -> NoReturn:
    raise TraceError(
        f"{errors.users_line()}: {what}, but under jit values are others in each replay. "
        f"Write instead: {instead}"
    )
