"""Tensor: an array that remembers how it was made, and on which NumPy can be called."""

import math
import operator
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import numpy as np

from . import errors
from .graph import (
    NOTHING,
    Node,
    apply,
    began,
    clock,
    evaluate,
    is_of_another_framework,
    is_recording,
    is_tracked,
    leaf,
    recorded,
)
from .rule import RULES, name
from .walk import accumulate, pull

# Functions that no gradient flows through: they get and give plain values.
NO_GRADIENT: set[Callable[..., Any]] = {
    np.less, np.less_equal, np.equal, np.not_equal, np.greater, np.greater_equal, np.isclose,
    np.allclose, np.array_equal, np.array_equiv, np.isnan, np.isinf, np.isfinite, np.isposinf,
    np.isneginf, np.signbit, np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.any,
    np.all, np.argmax, np.argmin, np.argsort, np.argwhere, np.nonzero, np.flatnonzero,
    np.count_nonzero, np.searchsorted, np.digitize, np.shape, np.ndim, np.size, np.result_type,
    np.can_cast, np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.iscomplexobj,
    np.isrealobj, np.shares_memory, np.may_share_memory, np.array_repr, np.array_str,
    np.array2string, np.linalg.matrix_rank,
}  # fmt: skip

# What can be beside a Tensor in arithmetic, and other libraries' arrays.
OPERANDS = Node, np.ndarray, np.generic, int, float, complex, list, tuple

# Functions that write into their first argument.
WRITERS = {np.copyto, np.put, np.putmask, np.place, np.put_along_axis, np.fill_diagonal}

# What methods of a ufunc are called as functions.
METHODS: dict[tuple[Any, str], Callable[..., Any]] = {
    (np.add, "reduce"): np.sum,
    (np.multiply, "reduce"): np.prod,
    (np.maximum, "reduce"): np.max,
    (np.minimum, "reduce"): np.min,
    (np.logical_and, "reduce"): np.all,
    (np.logical_or, "reduce"): np.any,
    (np.add, "accumulate"): np.cumsum,
}

# Settings that change nothing, wherever they are given.
DEFAULTS = {"out": None, "where": True, "dtype": None}


def operator_of(function: Callable[..., Any], swapped: bool = False) -> Callable[..., Any]:
    """The operator a ∘ b of a function, such as + of np.add; swapped, with the Tensor as b."""

    def operate(a: "Tensor", b: Any) -> Any:
        if not isinstance(b, OPERANDS) and not hasattr(b, "__array_ufunc__"):
            return NotImplemented
        return evaluate(RULES[function], (b, a) if swapped else (a, b), NOTHING)

    return operate


def sign(function: Callable[..., Any]) -> Callable[["Tensor"], Any]:
    """The operator of one operand of a function, such as − of np.negative."""
    return lambda a: evaluate(RULES[function], (a,), NOTHING)


def compare(function: Callable[..., Any]) -> Callable[["Tensor", Any], Any]:
    """A comparison: elementwise, its result a plain boolean array."""

    def operate(a: "Tensor", b: Any) -> Any:
        if not isinstance(b, OPERANDS) and not hasattr(b, "__array_ufunc__"):
            return NotImplemented
        return function(a.array, unwrapped(b))

    return operate


def in_place(function: Callable[..., Any]) -> Callable[["Tensor", Any], Any]:
    """The in-place operator of a function, such as -= of np.subtract.

    On a leaf that requires grad, w -= lr * w.grad gives w a new array under no_grad(), and raises
    elsewhere. For any other Tensor, also the arguments of a function that is being differentiated,
    it returns NotImplemented, and Python computes w = w - ...
    """

    def operate(a: "Tensor", b: Any) -> Any:
        if a.function is not None or not a.tracked or a.order > began.get():
            return NotImplemented
        if is_recording():
            raise errors.in_place(function)
        a.data = function(a.array, unwrapped(b))
        return a

    return operate


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    """t.sum(axis=0) for np.sum(t, axis=0), past NumPy's dispatch."""

    def plain(self: "Tensor", *args: Any, **kwargs: Any) -> Any:
        return function(self.array, *args, **kwargs)

    def recorded_call(self: "Tensor", *args: Any, **kwargs: Any) -> Any:
        return apply(function, (self, *args), kwargs)

    call = plain if function in NO_GRADIENT else recorded_call
    call.__doc__ = f"The same as {name(function)} of this Tensor."
    return call


def unwrapped(x: Any) -> Any:
    """x with arrays for Tensors, also within lists and tuples."""
    if isinstance(x, Node):
        return x.array
    if isinstance(x, (list, tuple)):
        return type(x)(map(unwrapped, x))
    return x


def owned(data: Any, dtype: Any = None) -> Any:
    """A copy of the data that nobody else can change.

    Raises:
        TypeError: the data is a Tensor that requires grad, or not numeric.
    """
    if isinstance(data, Node):
        if data.tracked:
            raise errors.copy_of_tracked()
        data = data.array
    if hasattr(data, "__array_function__") and not issubclass(type(data), np.ndarray):
        # Another library's array stays what it is.
        # A dtype is compared by ==, and to None by is: np.dtype("float64") == None is True.
        return data.copy() if dtype is None or data.dtype == dtype else data.astype(dtype)
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if is_of_another_framework(first):
        raise errors.of_another_framework(first)
    try:
        # In C order, as gradients and momentum are, which an optimizer reads beside it.
        array = np.array(data, dtype=dtype, order="C")
    except ValueError as error:
        raise TypeError(f"a Tensor is made of numbers in a regular shape: {error}") from None
    if array.dtype.kind not in "biufc":
        raise errors.no_numbers(array.dtype, data)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype."""
    return x.astype(dtype)


power = operator_of(np.power)


class Tensor(Node):
    """An array that remembers how it was made, so that gradients can be sent back through it.

    Args:
        data: a number, a nested list, an array or a Tensor without gradient. It is copied.
        requires_grad: accumulate ∂(output)/∂(this) in `.grad` when `output.backward()` is called.
        dtype: of the copy; by default NumPy's choice (float64 for Python floats).

    Raises:
        TypeError: requires_grad of integers, booleans or complex numbers; or data that is not
            numeric.
    """

    __slots__ = ("trainable",)
    trainable: bool | None
    """Whether this is a leaf that requires grad, or did until it was frozen; False for constants,
    and not set on what is computed."""

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        array = owned(data, dtype)
        self.array = array
        self.grad = None
        self.tracked = False
        self.function = None
        self.inputs = self.parents = ()
        self.settings = NOTHING
        self.order = clock()
        self.trainable = False
        self.requires_grad = requires_grad

    # --- what it is ---

    @property
    def data(self) -> np.ndarray:
        """The value, as a read-only array. Set it, on a leaf, to a new array of the same shape."""
        array = self.array
        array = np.asarray(array) if issubclass(type(array), np.generic) else array
        if issubclass(type(array), np.ndarray):
            array = array.view()  # the array itself stays as it is: jit writes into its own
            array.flags.writeable = False
        return array

    @data.setter
    def data(self, value: Any) -> None:
        if self.function is not None:
            raise errors.no_leaf(self.function)
        array = owned(value, self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"new data of shape {array.shape} for a Tensor of shape {self.shape}")
        self.renew(array)

    def renew(self, array: Any) -> None:
        """Takes an array that nobody else holds as the new value of this leaf."""
        self.array = array
        self.order = clock()

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow through this Tensor; can be set on leaves."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.function is not None and not value:
            raise RuntimeError("only a leaf can stop requiring grad; write t.detach()")
        if value and self.array.dtype.kind != "f":
            raise errors.no_floats(self.dtype)
        self.tracked = bool(value)
        if value:
            self.trainable = True

    # Written in C, these cost half of what they would as Python functions.
    shape = property(attrgetter("array.shape"), doc="The number of elements along each axis.")
    ndim = property(attrgetter("array.ndim"), doc="How many axes there are.")
    size = property(attrgetter("array.size"), doc="How many elements there are.")
    dtype = property(attrgetter("array.dtype"), doc="The type of the elements.")

    # --- back to plain Python and NumPy ---

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.array.tolist()

    def detach(self) -> "Tensor":
        """A leaf with the same value, through which no gradient flows."""
        return leaf(Tensor, self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.tracked:
            raise errors.array_of_tracked()
        return np.array(self.data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        """A plain number, without its gradient: for float(t), math.exp(t), and x[0] = t.

        Warns:
            UserWarning: a gradient flows through this Tensor, and ends here; once per line.

        Raises:
            TypeError: the same, in a function that `grad` or its like differentiates.
        """
        if self.tracked and is_recording():
            message = errors.plain_number()
            if began.get() < math.inf:
                raise TypeError(message)
            errors.warn(message)
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __round__(self, decimals: int | None = None) -> "Tensor":
        return apply(np.round, (self, decimals or 0), NOTHING)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return bool(self.array)

    def __index__(self) -> int:
        return operator.index(self.array)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d Tensor")
        return len(self.array)

    def __iter__(self) -> Iterator["Tensor"]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d Tensor")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self.array), separator=", ", prefix="Tensor(")
        if self.dtype not in (np.float64, np.int64, np.bool_):
            text += f", dtype={self.dtype}"
        if self.function is not None:
            text += f", made by {name(self.function)}"
        elif self.tracked:
            text += ", requires_grad=True"
        return f"Tensor({text})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.function is not None:
            raise TypeError("only a leaf can be copied or pickled; write t.detach()")
        own = {"trainable": getattr(self, "trainable", None)}
        return Tensor, (self.array, self.tracked), (None, own)

    __hash__ = object.__hash__

    # --- gradients ---

    def backward(
        self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Adds ∂(this)/∂(leaf) to `.grad` of every leaf that requires grad.

        Args:
            gradient: ∂L/∂(this), of the same shape; 1 by default if this is a single number.
            retain_graph: keep the graph for a second backward; by default it is freed.
            create_graph: record the backward pass itself, for higher derivatives. The gradient of
                a leaf then knows the leaf that holds it: a cycle, which Python's garbage collector
                frees, or w.grad = None at once. `grad` makes none.

        Raises:
            RuntimeError: this does not require grad; it is not a single number and no gradient is
                given; the graph has been freed; or data in it has been changed.
            ValueError: the gradient given has another shape than this.
        """
        if not self.tracked:
            raise errors.without_leaf()
        if gradient is None:
            array = self.array
            if array.size != 1:
                raise errors.no_number(array.shape)
            one = isinstance(array, np.generic)
            gradient = array.dtype.type(1) if one else np.ones_like(array)
        else:
            if not isinstance(gradient, Node):
                gradient = owned(gradient, self.dtype)
            elif not create_graph:
                gradient = gradient.array
            if gradient.shape != self.array.shape:
                raise ValueError(f"gradient of shape {gradient.shape} for output of {self.shape}")
        if not create_graph:
            accumulate(*pull([(self, gradient)], retain=retain_graph, create=False))
            return
        with recorded(True):
            accumulate(*pull([(self, gradient)], retain=True, create=True))

    # --- NumPy's protocols ---

    def __dlpack__(self, **settings: Any) -> Any:
        """A copy for another library, as in `torch.from_dlpack(t)`.

        Raises:
            TypeError: it requires grad, which would be lost.
        """
        if self.tracked:
            raise errors.array_of_tracked()
        return self.array.copy().__dlpack__(**settings)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __array_ufunc__(self, ufunc: np.ufunc, how: str, *inputs: Any, **settings: Any) -> Any:
        if how == "__call__":
            if not settings and ufunc not in NO_GRADIENT:
                return apply(ufunc, inputs, settings)
            return self.__array_function__(ufunc, (), inputs, settings)
        if function := METHODS.get((ufunc, how)):
            return self.__array_function__(function, (), inputs, {"axis": 0, **settings})
        if how == "outer":
            a, b = inputs
            a = np.reshape(a, (*np.shape(a), *[1] * np.ndim(b)))
            return ufunc(a, np.reshape(b, (*[1] * (np.ndim(a) - np.ndim(b)), *np.shape(b))))
        raise errors.ufunc_method(ufunc, how)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if kwargs:
            kwargs = {k: v for k, v in kwargs.items() if DEFAULTS.get(k, kwargs) is not v}
        if "out" in kwargs:
            raise errors.with_out(function)
        if function in NO_GRADIENT:
            if function is np.full_like:  # np.asarray refuses values that a gradient flows to
                np.asarray(kwargs["fill_value"] if "fill_value" in kwargs else args[1])
            return function(*unwrapped(args), **{k: unwrapped(v) for k, v in kwargs.items()})
        if "where" in kwargs:
            raise errors.with_where(function)
        if function in WRITERS:
            if isinstance(args[0], Node) or any(map(is_tracked, args)):
                raise errors.filled(function)
            return function(*unwrapped(args), **kwargs)
        return apply(function, args, kwargs)

    # --- operators ---

    __add__ = operator_of(np.add)
    __radd__ = operator_of(np.add, swapped=True)
    __iadd__ = in_place(np.add)
    __sub__ = operator_of(np.subtract)
    __rsub__ = operator_of(np.subtract, swapped=True)
    __isub__ = in_place(np.subtract)
    __mul__ = operator_of(np.multiply)
    __rmul__ = operator_of(np.multiply, swapped=True)
    __imul__ = in_place(np.multiply)
    __truediv__ = operator_of(np.true_divide)
    __rtruediv__ = operator_of(np.true_divide, swapped=True)
    __itruediv__ = in_place(np.true_divide)
    __floordiv__ = operator_of(np.floor_divide)
    __rfloordiv__ = operator_of(np.floor_divide, swapped=True)
    __ifloordiv__ = in_place(np.floor_divide)
    __mod__ = operator_of(np.remainder)
    __rmod__ = operator_of(np.remainder, swapped=True)
    __imod__ = in_place(np.remainder)
    __rpow__ = operator_of(np.power, swapped=True)
    __ipow__ = in_place(np.power)
    __matmul__ = operator_of(np.matmul)
    __rmatmul__ = operator_of(np.matmul, swapped=True)
    __imatmul__ = in_place(np.matmul)
    __divmod__ = lambda self, other: (self // other, self % other)
    __rdivmod__ = lambda self, other: (other // self, other % self)
    __neg__ = sign(np.negative)
    __pos__ = sign(np.positive)
    __abs__ = sign(np.absolute)
    __lt__ = compare(np.less)
    __le__ = compare(np.less_equal)
    __eq__ = compare(np.equal)
    __ne__ = compare(np.not_equal)
    __gt__ = compare(np.greater)
    __ge__ = compare(np.greater_equal)

    def __pow__(self, exponent: Any) -> "Tensor":
        # x² is by far the most common power, and NumPy squares much faster than it takes powers.
        if type(exponent) is int and exponent == 2:
            return apply(np.square, (self,), NOTHING)  # type: ignore[no-any-return]
        return power(self, exponent)  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> "Tensor":
        return apply(operator.getitem, (self, index), NOTHING)  # type: ignore[no-any-return]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise errors.set_item()

    # --- NumPy's methods ---

    T = property(method(np.transpose), doc="The transpose: all axes in reverse order.")
    mT = property(method(np.matrix_transpose), doc="The last two axes exchanged.")

    sum = method(np.sum)
    prod = method(np.prod)
    mean = method(np.mean)
    var = method(np.var)
    std = method(np.std)
    max = method(np.max)
    min = method(np.min)
    cumsum = method(np.cumsum)
    clip = method(np.clip)
    round = method(np.round)
    dot = method(np.dot)
    trace = method(np.trace)
    diagonal = method(np.diagonal)
    ravel = method(np.ravel)
    flatten = method(np.ravel)
    squeeze = method(np.squeeze)
    swapaxes = method(np.swapaxes)
    repeat = method(np.repeat)
    take = method(np.take)
    argmax = method(np.argmax)
    argmin = method(np.argmin)
    argsort = method(np.argsort)
    any = method(np.any)
    all = method(np.all)

    def reshape(self, *shape: Any) -> "Tensor":
        """t.reshape(2, 3) or t.reshape((2, 3))."""
        shape = shape[0] if len(shape) == 1 else shape
        return apply(np.reshape, (self, shape), NOTHING)  # type: ignore[no-any-return]

    def transpose(self, *axes: Any) -> "Tensor":
        """t.transpose(1, 0) or t.transpose((1, 0)); all axes reversed by default."""
        order = axes[0] if len(axes) == 1 else axes or None
        return apply(np.transpose, (self, order), NOTHING)  # type: ignore[no-any-return]

    def astype(self, dtype: Any) -> "Tensor":
        """The same values in another dtype; between floats, gradients come back in the original."""
        if np.dtype(dtype).kind not in "fc":  # complex numbers are refused by the walk
            return leaf(Tensor, self.array.astype(dtype))
        return apply(cast, (self, dtype), NOTHING)  # type: ignore[no-any-return]
