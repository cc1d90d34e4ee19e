"""One training step of the tutorial's perceptron against the same step in other ways.

    python benchmarks/step.py

Peers that are not installed are left out: PyTorch, micrograd. float64, 4 samples of 3 features.
"""

from timing import medians, verdict  # before NumPy: it sets the number of threads

# isort: split
import numpy as np

from tinygrad_slp import Tensor, nn, optim

X = np.array([[0.0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 0]])
Y = np.array([[0.0], [1], [1], [0]])


def by_hand():
    """NumPy as a person writes it: the tutorial's matrix form, a loss and a learning rate."""
    w, b, lr = np.random.default_rng(0).uniform(size=(3, 1)), np.zeros(1), 1.0

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def step():
        nonlocal w, b
        a = sigmoid(X @ w + b)
        loss = np.mean((a - Y) ** 2)
        dz = 2 / len(X) * (a - Y) * a * (1 - a)
        w -= lr * X.T @ dz
        b -= lr * dz.sum()
        return loss

    return step


def ours(x=X, y=Y):
    """Given arrays, which are copied into every graph, as their owner may change them."""
    model = nn.Sequential(nn.Linear(3, 1, rng=0), nn.Sigmoid())
    loss_of = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=1.0)

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def ours_tensors():
    """Given Tensors made once, as PyTorch is."""
    return ours(Tensor(X), Tensor(Y))


def pytorch():
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    x, y = torch.tensor(X), torch.tensor(Y)
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Sigmoid())
    loss_of = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def micrograd():
    from micrograd.engine import Value

    w = [Value(v) for v in (0.1, 0.5, 0.9)]
    b = Value(0.0)

    def sigmoid(z):  # micrograd has no exp: e⁻ᶻ is the power z of the constant 1/e, both ways
        e = Value(float(np.exp(-z.data)), (z,), "exp")

        def back():
            z.grad -= e.data * e.grad

        e._backward = back
        return (1 + e) ** -1

    def step():
        loss = 0
        for x, (y,) in zip(X.tolist(), Y.tolist(), strict=True):
            a = sigmoid(sum((wi * xi for wi, xi in zip(w, x, strict=True)), b))
            loss = loss + (a - y) ** 2 * 0.25
        for p in (*w, b):
            p.grad = 0
        loss.backward()
        for p in (*w, b):
            p.data -= p.grad
        return loss

    return step


def main():
    steps = {}
    for make in (by_hand, ours_tensors, ours, pytorch, micrograd):
        try:
            steps[make.__name__] = make()
        except ImportError as error:
            print(f"left out: {make.__name__} ({error})")
    time = medians(steps, repeat=300)
    for name, t in time.items():
        print(f"{name:<12} {t * 1e6:8.2f} µs a step   {t / time['by_hand']:6.2f}x NumPy by hand")
    print()
    verdict("ours, of Tensors / NumPy by hand", time["ours_tensors"] / time["by_hand"], 1.5)
    verdict("ours, of arrays / NumPy by hand", time["ours"] / time["by_hand"], 1.5)
    if "pytorch" in time:
        verdict("PyTorch eager / ours, of Tensors", time["pytorch"] / time["ours_tensors"], 5, True)
        verdict("PyTorch eager / ours, of arrays", time["pytorch"] / time["ours"], 5, True)


if __name__ == "__main__":
    main()
