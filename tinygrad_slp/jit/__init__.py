"""The compiler of the training step: trace → program → NumPy replay, or native code by LLVM.

All but `jit` itself is imported when a first step is compiled, as most programs need none of it.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any

__all__ = ["BACKENDS", "TraceError", "jit"]

BACKENDS = "auto", "numpy", "llvm"


class TraceError(TypeError):
    """A step does something that a replay of it cannot do; the message says where, and what to do.

    A TypeError, as the value is not of a type that Python's `if`, `float` or NumPy could take.
    """


def jit(
    step: Callable[..., Any] | None = None,
    *,
    static_argnames: str | Sequence[str] = (),
    backend: str = "auto",
) -> Any:
    """Compiles a function that computes with Tensors and arrays, such as a training step.

        @jit
        def step(x, y):
            optimizer.zero_grad()
            loss = mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        loss = step(x, y)                   # one step
        losses = step.loop(1000, x, y)      # 1000 steps of the same arguments
        losses = step.scan(X, Y)            # a step for each x in X and y in Y

    The first call runs the step as it stands and records what it computes; later calls replay the
    record. Parameters, momentum and gradients are what they would be without jit, except that the
    gradients of parameters that the step itself updates end as None, unless it adds to old ones.
    Python runs while tracing only: prints and other side effects are not replayed.

    Args:
        step: the function; its arrays, Tensors and numbers may change from call to call.
        static_argnames: arguments that decide what is computed; it is traced anew for each value.
        backend: "numpy" replays with NumPy, bit for bit; "llvm" makes native code of it, with the
            extra `jit`; "auto" does that where it can.

    Raises:
        TraceError: the step asks for a value while traced, or does what a replay could not do.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend should be one of {', '.join(BACKENDS)}; got {backend!r}")
    if iscoroutinefunction(step) or isgeneratorfunction(step) or isasyncgenfunction(step):
        raise TypeError("jit takes a function that computes and returns: no coroutine or generator")
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    compiled = import_module(".compiled", __name__).Compiled
    if step is None:
        return lambda step: compiled(step, names, backend)
    return compiled(step, names, backend)
