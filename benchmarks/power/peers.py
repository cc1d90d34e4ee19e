"""The gradient checkers of other libraries, at their defaults, on the same functions.

Each is given a plain NumPy loss and gradient of one array, wrapped in what it takes for a function
with a derivative of its own. Nothing of theirs is imported before it is asked for.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

Function = Callable[[Any], Any]
Accepts = Callable[[Function, Function, Any], bool]
SCIPY_BOUND = 1e-6  # check_grad returns a distance and leaves the bound to its user


def installed() -> dict[str, Accepts]:
    """The checkers that can be run here, by name and version."""
    known: list[tuple[str, str, Accepts]] = [
        ("torch", "torch.autograd.gradcheck {}", torch_gradcheck),
        ("torch", "torch.autograd.gradcheck {}, fast_mode", partial(torch_gradcheck, fast=True)),
        ("jax", "jax.test_util.check_grads {}, order 1", jax_check_grads),
        ("autograd", "autograd.test_util.check_grads {}, order 1", autograd_check_grads),
        ("scipy", "scipy.optimize.check_grad {}, below 1e-6 · max(1, ‖g‖)", scipy_check_grad),
    ]
    return {
        title.format(version(package)): quietly(accepts)
        for package, title, accepts in known
        if find_spec(package) is not None
    }


def quietly(accepts: Accepts) -> Accepts:
    """The same without warnings and printed lines."""

    def quiet(f: Function, grad: Function, x: Any) -> bool:
        silent = contextlib.redirect_stdout(io.StringIO())
        with warnings.catch_warnings(), np.errstate(all="ignore"), silent:
            warnings.simplefilter("ignore")
            return accepts(f, grad, x)

    return quiet


def torch_gradcheck(f: Function, grad: Function, x: Any, fast: bool = False) -> bool:
    torch = import_module("torch")

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.tensor(np.asarray(f(x.detach().numpy())))

    def backward(ctx: Any, g: Any) -> Any:
        return g * torch.tensor(np.array(grad(ctx.saved_tensors[0].detach().numpy()), order="C"))

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function: Any = type("Ours", (torch.autograd.Function,), methods)
    leaf = torch.tensor(x, requires_grad=True)
    return bool(
        torch.autograd.gradcheck(function.apply, (leaf,), raise_exception=False, fast_mode=fast)
    )


def jax_check_grads(f: Function, grad: Function, x: Any) -> bool:
    jax = import_module("jax")
    util = import_module("jax.test_util")
    with x64(jax):
        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        number = jax.ShapeDtypeStruct((), x.dtype)

        def number_of(x: Any) -> Any:
            return np.asarray(f(np.asarray(x)), x.dtype)

        def gradient_of(x: Any) -> Any:
            return np.asarray(grad(np.asarray(x)), x.dtype)

        ours = jax.custom_vjp(lambda x: jax.pure_callback(number_of, number, x))
        ours.defvjp(
            lambda x: (ours(x), x),
            lambda x, g: (g * jax.pure_callback(gradient_of, like, x),),
        )
        try:
            util.check_grads(ours, (jax.numpy.asarray(x),), order=1, modes=["rev"])
        except AssertionError:
            return False
        return True


@contextlib.contextmanager
def x64(jax: Any) -> Iterator[None]:
    """JAX with 64-bit numbers, which it otherwise makes 32-bit ones."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def autograd_check_grads(f: Function, grad: Function, x: Any) -> bool:
    extend = import_module("autograd.extend")
    util = import_module("autograd.test_util")
    ours = extend.primitive(lambda x: np.asarray(f(x))[()])
    extend.defvjp(ours, lambda y, x: lambda g: g * np.asarray(grad(x)))
    try:
        util.check_grads(ours, modes=["rev"], order=1)(x)
    except AssertionError:
        return False
    return True


def scipy_check_grad(f: Function, grad: Function, x: Any) -> bool:
    optimize = import_module("scipy.optimize")

    def flat(x0: Any) -> Any:
        return np.ravel(grad(x0.reshape(x.shape)))

    off = optimize.check_grad(lambda x0: float(f(x0.reshape(x.shape))), flat, np.ravel(x))
    return bool(off <= SCIPY_BOUND * max(1.0, float(np.linalg.norm(flat(np.ravel(x))))))
