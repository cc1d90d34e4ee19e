"""A differentiable function of your own: its formula, its hand-derived rule, and a check of it."""

import numpy as np

import tinygrad_slp as tg
from tinygrad_slp import REAL, Tensor, differentiable, grad
from tinygrad_slp.check import check_rule


# y = x·tanh(log(1 + eˣ)) (Misra, Mish, 2019). With s = log(1 + eˣ):
#     y′ = tanh s + x·(1 − tanh² s)·σ(x)
# A rule is given the cotangent g of the output, the output y and the input x; it returns g·y′.
@differentiable(
    lambda g, y, x: (
        g * (np.tanh(tg.softplus(x)) + x * (1 - np.tanh(tg.softplus(x)) ** 2) * tg.sigmoid(x))
    ),
    form="elementwise",
    domain=REAL,
)
def mish(x):
    """x·tanh(log(1 + eˣ))"""
    return x * np.tanh(tg.softplus(x))


# The same function with a slip in the rule: the factor σ(x) is forgotten.
@differentiable(
    lambda g, y, x: g * (np.tanh(tg.softplus(x)) + x * (1 - np.tanh(tg.softplus(x)) ** 2)),
    form="elementwise",
    domain=REAL,
)
def sloppy_mish(x):
    """x·tanh(log(1 + eˣ)), with a wrong rule"""
    return x * np.tanh(tg.softplus(x))


x = Tensor([-2.0, -0.5, 1.0], requires_grad=True)
print("mish of a Tensor:", mish(x))
mish(x).sum().backward()
print("its gradient:    ", x.grad)
print("given an array it gives an array:", mish(np.array([-2.0, -0.5, 1.0])))

print("\nThe rule is written in NumPy, so it can itself be differentiated:")
print(f"   mish″(1) = {grad(grad(mish))(1.0):.12f}")

print("\nAre the rules right? check_rule measures slopes, which know nothing of a rule:")
for f in (mish, sloppy_mish):
    print(check_rule(f))
