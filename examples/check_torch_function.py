"""A backward written by hand in PyTorch, and the same checks of it by PyTorch and by us.

Needs PyTorch. The mistake, a slope off by a ten-thousandth, is below gradcheck's default tolerance.
"""

from importlib.util import find_spec

from tinygrad_slp.check import check_gradient

if find_spec("torch") is None:
    raise SystemExit("PyTorch is not installed: pip install torch")
import torch


def swish(wrong=0.0):
    """x σ(x), with its derivative σ(x) + x σ(x)(1 − σ(x)) off by a relative error."""

    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            s = torch.sigmoid(x)
            return g * (s + x * s * (1 - s)) * (1 + wrong)

    return Swish.apply


x = torch.linspace(-2, 2, 5, dtype=torch.float64, requires_grad=True)
for error in (0.0, 1e-4):
    print(f"--- a relative error of {error:g} ---")
    print("torch.autograd.gradcheck:", torch.autograd.gradcheck(swish(error), x))
    print(check_gradient(swish(error), x), end="\n\n")
