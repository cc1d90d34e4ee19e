"""The compiler of the training step: trace → program → NumPy replay, or native code by LLVM."""

from .compiled import BACKENDS, Compiled, jit
from .traced import TraceError

__all__ = ["BACKENDS", "Compiled", "TraceError", "jit"]
