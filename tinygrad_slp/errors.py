"""What the core says where it refuses a call: what was given, and what to write instead."""

import warnings
from collections.abc import Callable, Sequence
from inspect import currentframe
from typing import Any

import numpy as np

from .rule import Rule, name

Function = Callable[..., Any]
PACKAGE = __name__.partition(".")[0]
NOT_COMPLEX = "complex numbers are not differentiated; write real and imaginary parts as arrays"


def users_frame() -> tuple[Any, int]:
    """The innermost call that is neither ours nor NumPy's, and how many calls up it is."""
    frame, level = currentframe(), 0
    while frame and frame.f_globals.get("__name__", "").split(".")[0] in (PACKAGE, "numpy"):
        frame, level = frame.f_back, level + 1
    return frame, level


def users_line() -> str:
    """The user's line, as file:number."""
    frame, _ = users_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


def warn(message: str) -> None:
    """Warns of the user's line, once for each line."""
    warnings.warn(message, stacklevel=users_frame()[1])


NO_SLOPE: dict[Function, str] = {
    np.frexp: "jumps at the powers of 2",
    np.nextafter: "and np.spacing tell how numbers are rounded",
    np.spacing: "and np.nextafter tell how numbers are rounded",
}
"""Functions that have no derivative, and why."""


def without_rule(function: Function, given: Sequence[Any]) -> TypeError:
    """A function of Tensors that has no derivative rule."""
    if function in (np.linalg.eig, np.linalg.eigvals):
        return TypeError(
            f"{name(function)} of a Tensor: eigenvalues of a matrix that is not symmetric may be "
            f"complex, and {NOT_COMPLEX}. For a symmetric one write np.linalg.eigh or eigvalsh; "
            f"to stop gradients, {name(function)}(x.data)"
        )
    arrays = isinstance(function, np.ufunc)
    kinds = np.ndarray, list, tuple, float
    inputs = [x for x in given if arrays or is_node(x) or isinstance(x, kinds)]
    inputs = inputs[: getattr(function, "nin", None)]
    letters = "x" if len(inputs) == 1 else "abcdefgh"[: len(inputs)]
    pairs = zip(letters, inputs, strict=False)
    data = ", ".join([f"{a}.data" if is_node(x) else a for a, x in pairs])
    if why := NO_SLOPE.get(function):
        return TypeError(
            f"{name(function)} {why}, which has no derivative: to get a plain value write "
            f"{name(function)}({data})"
        )
    lambdas = [f"lambda g, y, {', '.join(letters)}: g * ..."] * len(letters)
    return TypeError(
        f"{name(function)} has no derivative rule, so it cannot take a Tensor. Give it arrays "
        f"({name(function)}({data}), which stops gradients), or declare its rule:\n"
        f"    tinygrad_slp.declare({name(function)}, 'its formula', {', '.join(lambdas)}, "
        "domain=REAL)"
    )


def is_node(x: Any) -> bool:
    return hasattr(x, "parents") and hasattr(x, "tracked")


def quiet_generator(function: Function) -> TypeError:
    """A generator decorated with @no_grad()."""
    return TypeError(
        f"@no_grad() on the generator {function.__name__} would end before its first yield: write "
        "with no_grad(): inside it, around parts without a yield"
    )


def crossed(rule: Rule, column: Any, row: Any) -> str:
    """A column (n, 1) beside a row (n,), whose elements all meet each other."""
    return (
        f"{rule.name} of shapes {column} and {row} makes one of shape "
        f"{np.broadcast_shapes(column, row)}: to go element by element reshape one of them, as "
        f"with a.reshape({row}) or b.reshape({column}); if all pairs are meant, write "
        f"b[np.newaxis] for the one of shape {row}"
    )


def plain_number() -> str:
    """A Python number taken from a Tensor that requires grad."""
    return (
        "float() of a Tensor that requires grad is a plain number, through which no gradient "
        "flows: write t.item() to take it so, np.exp(t) for math.exp(t), np.stack for x[i] = t"
    )


def tracked_setting(what: str) -> TypeError:
    """A Tensor that requires grad where no gradient flows: as, or within, a setting."""
    return TypeError(
        f"{what} was given as a Tensor that requires grad, and no gradient flows through it: "
        "write t.detach(), or t.item() for a plain number"
    )


def of_another_framework(value: Any) -> TypeError:
    """An array of PyTorch, JAX or the like."""
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    return TypeError(
        f"a {kind} is not an array of NumPy, and its own gradient would be lost: give "
        "np.asarray(x); in PyTorch, np.asarray(x.detach().cpu())"
    )


def in_place(function: Function) -> RuntimeError:
    """w -= ... of a leaf that requires grad, where operations are recorded."""
    return RuntimeError(
        f"{name(function)} in place on a leaf that requires grad would lose its gradient; "
        "to update it, write\n    with no_grad():\n        w -= lr * w.grad"
    )


def with_out(function: Function) -> TypeError:
    return TypeError(
        f"{name(function)}(out=...) would write past the graph of a Tensor; write y = f(x); and "
        "w.data = w.data - step for w.data -= step, a = a + t for a += t"
    )


def with_where(function: Function) -> TypeError:
    instead = "np.where(condition, f(x), other)"
    if not isinstance(function, np.ufunc):
        instead = (
            "it of np.where(condition, t, 0) for a sum, with 1 for a product, -np.inf for a max, "
            "np.inf for a min; for a mean that sum / np.sum(condition), else of t[condition]"
        )
    return TypeError(f"{name(function)}(where=...) does not take a Tensor: write {instead}")


def filled(function: Function) -> TypeError:
    """np.copyto and its like, which write a Tensor into an array."""
    return TypeError(
        f"{name(function)}, by which NumPy fills arrays, would write past the graph of a Tensor: "
        "write np.where(mask, t, array), np.stack([t, u]), np.broadcast_to(t, shape) for "
        "np.full(shape, t), or give t.data"
    )


def copy_of_tracked() -> TypeError:
    return TypeError(
        "this Tensor requires grad, and a new Tensor of its value would silently drop its "
        "gradient: use the Tensor itself, or t.detach()"
    )


def no_numbers(dtype: Any, data: Any) -> TypeError:
    return TypeError(
        f"a Tensor is made of numbers, got {dtype} from {type(data).__name__}; "
        "to join Tensors write np.stack or np.concatenate"
    )


def no_leaf(function: Function) -> RuntimeError:
    """New data for a computed Tensor."""
    return RuntimeError(
        f"this Tensor was made by {name(function)}; only a leaf can be given new data. Use "
        "t.detach() to start afresh from its value"
    )


def no_floats(dtype: Any) -> TypeError:
    return TypeError(
        f"only floating-point Tensors can require grad, and this one is {dtype}: "
        "write Tensor(data, requires_grad=True, dtype=np.float64)"
    )


def without_leaf() -> RuntimeError:
    return RuntimeError(
        "backward() of a Tensor that does not depend on any leaf with requires_grad=True"
    )


def no_number(shape: tuple[int, ...]) -> RuntimeError:
    """backward() of many numbers, without a gradient."""
    return RuntimeError(
        f"backward() of a Tensor of shape {shape}: give gradient= of that shape, or reduce it to "
        "one number first, with .sum() or .mean()"
    )


def ufunc_method(ufunc: np.ufunc, how: str) -> TypeError:
    return TypeError(
        f"{name(ufunc)}.{how} does not take a Tensor; "
        "write np.sum, np.prod, np.max or np.cumsum, or t[index]"
    )


def set_item() -> TypeError:
    return TypeError(
        "a Tensor is not changed in place, a graph may need it: write np.where(mask, value, t), "
        "or set all of it with t.data = new_array"
    )


def array_of_tracked() -> TypeError:
    return TypeError(
        "this Tensor requires grad, and a plain array would silently drop its gradient: "
        "write t.data (or t.detach()) to go on without it, or a NumPy function of the "
        "Tensor itself, such as np.stack([t, u]) for np.array([t, u])"
    )


def not_argnums(maker: str, argnums: Any) -> TypeError:
    """An argument of the function in the place of argnums."""
    return TypeError(
        f"{maker}(f, argnums) makes a function, and argnums says which of its arguments are "
        f"differentiated: 0, or (0, 1); got {argnums!r:.60}. Write {maker}(f)(x)"
    )


def freed(function: Any) -> RuntimeError:
    return RuntimeError(
        f"the graph behind the output of {name(function)} has been freed by an earlier "
        "backward(); to walk it again write backward(retain_graph=True) the first time, or run the "
        "forward pass again"
    )


def changed(function: Any, shape: tuple[int, ...]) -> RuntimeError:
    return RuntimeError(
        f"a Tensor of shape {shape} was given new data after {name(function)} had used it, so the "
        "gradient would be wrong: call backward() before changing the data, or run the forward "
        "pass again"
    )


def other_shape(function: Any, g: Any, k: int, x: Any) -> ValueError:
    """A rule's cotangent that does not fit its input."""
    return ValueError(
        f"{known(function)}: the rule gave a cotangent of shape {g.shape} for input {k} of shape "
        f"{x.shape}; expected that shape, or one that broadcasting made of it"
    )


def complex_slope(function: Any) -> TypeError:
    return TypeError(f"{known(function)}: {NOT_COMPLEX}")


def known(function: Any) -> str:
    return "a derivative" if function is None else name(function)


def grad_is_no_tensor(grad: Any) -> TypeError:
    return TypeError(
        f"the .grad of a Tensor should be None or a Tensor; it was set to the "
        f"{type(grad).__name__} {grad!r:.40}. To forget a gradient write w.grad = None or "
        "zero_grad(); to set one, w.grad = Tensor(array)"
    )
