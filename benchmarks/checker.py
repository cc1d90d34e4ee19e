"""A check of the loss of a perceptron of 2,410 parameters, against PyTorch's gradcheck.

    python benchmarks/checker.py

64-32-10, tanh, batch 32, float64, loss and gradient by hand in NumPy; PyTorch is given the same two
functions in an autograd.Function. Without PyTorch ours is timed alone.
"""

from importlib.util import find_spec

from timing import medians, verdict  # before NumPy: it sets the number of threads

# isort: split
import numpy as np

from tinygrad_slp.check import check_gradient

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((32, 64)), rng.standard_normal((32, 10))
PARAMETERS = [
    rng.standard_normal((64, 32)) / 8, np.zeros(32), rng.standard_normal((32, 10)) / 6, np.zeros(10)
]  # fmt: skip


def loss(p):
    W1, b1, W2, b2 = p
    return np.mean((np.tanh(X @ W1 + b1) @ W2 + b2 - Y) ** 2)


def gradient(p):
    W1, b1, W2, b2 = p
    a = np.tanh(X @ W1 + b1)
    δ2 = 2 / Y.size * (a @ W2 + b2 - Y)
    δ1 = δ2 @ W2.T * (1 - a**2)
    return [X.T @ δ1, δ1.sum(axis=0), a.T @ δ2, δ2.sum(axis=0)]


def in_torch():
    """gradcheck, slow and fast, of the same loss and gradient."""
    import torch

    torch.set_num_threads(1)

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *p):
            ctx.save_for_backward(*p)
            return torch.tensor(loss([x.detach().numpy() for x in p]))

        @staticmethod
        def backward(ctx, g):
            found = gradient([x.detach().numpy() for x in ctx.saved_tensors])
            return tuple(g * torch.from_numpy(x) for x in found)

    leaves = [torch.tensor(x, requires_grad=True) for x in PARAMETERS]
    return {
        "gradcheck": lambda: torch.autograd.gradcheck(Loss.apply, leaves),
        "gradcheck, fast_mode": lambda: torch.autograd.gradcheck(
            Loss.apply, leaves, fast_mode=True
        ),
    }


def ours(method):
    def check():
        assert check_gradient(loss, PARAMETERS, gradient, method=method).ok

    return check


if __name__ == "__main__":
    functions = {"elements": ours("elements"), "directions": ours("directions")}
    if find_spec("torch"):
        functions |= in_torch()
    times = medians(functions, repeat=1, rounds=5)
    for name, seconds in times.items():
        print(f"{name:<24} {seconds * 1e3:9.1f} ms")
    if "gradcheck" in times:
        verdict("elements / gradcheck", times["elements"] / times["gradcheck"], 4)
    verdict("directions / 20 ms", times["directions"] / 20e-3, 1)
