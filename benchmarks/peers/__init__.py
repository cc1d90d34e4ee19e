"""The ways to train that training.py compares; each is a function of a workload: its name, and run.

run(n) takes n training steps, on from where it stood, and returns the loss that the last of them
saw, or NaN where there is none to compare. What cannot be had is an ImportError or LeftOut.
"""

from . import (
    in_autograd,
    in_c,
    in_go,
    in_jax,
    in_micrograd,
    in_mygrad,
    in_numpy,
    in_sklearn,
    in_tinygrad,
    in_torch,
    ours,
    preallocating,
    products,
)

PEERS = [
    in_numpy.naive,
    preallocating.preallocated,
    ours.eager,
    ours.numpy_step,
    ours.numpy_loop,
    ours.llvm_step,
    ours.llvm_loop,
    in_c.plain,
    in_c.fast_math,
    in_go.tutorial,
    in_torch.eager,
    in_torch.fused,
    in_torch.compiled,
    in_jax.each_step,
    in_jax.whole_loop,
    in_autograd.recorded,
    in_mygrad.recorded,
    in_micrograd.recorded,
    in_tinygrad.tiny_jit,
    in_sklearn.partial_fit,
    products.from_numpy,
    products.from_c,
]
"""The first is what the others are compared with."""

SLOW = [in_torch.compiled]
"""Those that compile for ten seconds and more."""
