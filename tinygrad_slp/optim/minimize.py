"""minimize: SciPy's searches for a minimum, with derivatives by autodiff, of functions of trees."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff import hessian, hvp, value_and_grad
from ..graph import Node
from ..tensor import Tensor
from ..tree import flatten, ravel

WITHOUT = ("nelder-mead", "powell", "cobyla", "cobyqa")
"""Methods that take no derivative."""
WITH_PRODUCT = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr")
"""Methods that take the Hessian times a vector."""
WITH_HESSIAN = ("dogleg", "trust-exact")


def minimize(
    f: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), method: str = "BFGS", **options: Any
) -> Any:
    """Where a function is least, near x0: `scipy.optimize.minimize`, with derivatives by autodiff.

        found = optim.minimize(lambda p: np.sum((X @ p["w"] + p["b"] - y) ** 2), {"w": w, "b": 0.0})
        found.x["w"], found.fun

    All is computed in float64.

    Args:
        f: a function of a number, an array, or a nested tuple, list, dict or Module of them, that
            returns one number; written in NumPy.
        x0: where the search begins.
        args: what else f takes.
        method: of SciPy, such as "BFGS", "L-BFGS-B", "Newton-CG", "trust-exact" or "Nelder-Mead".
        options: what else SciPy takes: `tol`, `bounds` (of the numbers of x0 in a row), `callback`
            (it is given x like x0), `options`, ...

    Returns:
        SciPy's result; its x is like x0.

    Raises:
        ImportError: SciPy is not installed.
        TypeError: f does not return one number, or derivatives are given.
    """
    try:
        from scipy import optimize
    except ImportError:
        raise ImportError("minimize needs SciPy: pip install 'tinygrad-slp[optim]'") from None
    if given := sorted({"jac", "hess", "hessp"} & {*options}):
        raise TypeError(f"the derivatives are computed: leave out {', '.join(given)}")
    start, unravel = in_float64(x0)
    if (callback := options.get("callback")) is not None:
        options["callback"] = lambda x: callback(as_given(unravel(x), x0))

    def of_vector(x: Any) -> Any:
        return f(unravel(x), *args)

    name, of_second_order = str(method).lower(), {}
    if name in WITH_PRODUCT:
        of_second_order = {"hessp": lambda x, v: hvp(of_vector, (x,), (v,))}
    elif name in WITH_HESSIAN:
        of_second_order = {"hess": hessian(of_vector)}
    if name in WITHOUT:
        found = optimize.minimize(lambda x: float(of_vector(x)), start, method=method, **options)
    else:
        slope = value_and_grad(of_vector)
        found = optimize.minimize(
            slope, start, method=method, jac=True, **of_second_order, **options
        )
    found.x = as_given(unravel(found.x), x0)
    return found


def with_gradient(f: Callable[..., Any], x0: Any) -> tuple[Callable[..., Any], Any]:
    """A function of a vector that returns f and its gradient, and x0 as a vector: for searches of
    SciPy that are called by yourself.

        optimize.minimize(*with_gradient(f, x0), jac=True, method="TNC")
    """
    start, unravel = in_float64(x0)
    return value_and_grad(lambda x, *args: f(unravel(x), *args)), start


def in_float64(x0: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All numbers of a tree as one vector, and what makes a tree of such a vector again."""
    leaves, rebuild = flatten(x0)
    wide = [
        Tensor(x.array.astype(float), requires_grad=x.tracked)
        if isinstance(x, Node)
        else np.asarray(x, float)
        for x in leaves
    ]
    vector, unravel = ravel(rebuild(wide))
    return np.array(vector.array if isinstance(vector, Node) else vector), unravel


def as_given(tree: Any, x0: Any) -> Any:
    """A tree with numbers where x0 has numbers, and with the floating-point dtypes of x0."""
    leaves, rebuild = flatten(tree)
    return rebuild([like_leaf(x, old) for x, old in zip(leaves, flatten(x0)[0], strict=True)])


def like_leaf(x: Any, old: Any) -> Any:
    if isinstance(old, int | float):
        return float(x)
    if isinstance(old, Node):
        return Tensor(x.array.astype(old.array.dtype), requires_grad=old.tracked)
    dtype = np.result_type(old)
    return x.astype(dtype if dtype.kind == "f" else float)
