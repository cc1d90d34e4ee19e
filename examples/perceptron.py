"""The tutorial "Build Your Own Neural Network in Go", step by step, and then by autodiff."""

import numpy as np

from tinygrad_slp import Tensor, nn, no_grad, sigmoid, tutorial

X, Y = tutorial.X, tutorial.Y

print("1. Vector helpers: dot product, sum, a scalar times a vector. NumPy has them.")
u, v = X[1], X[2]
print(f"   u·v = {np.dot(u, v):.0f}   u + v = {u + v}   2v = {2 * v}")

print("\n2. The initial state: weights from [0, 1), bias exactly 0.")
w = Tensor(np.random.default_rng(0).uniform(size=3), requires_grad=True)
b = Tensor(0.0, requires_grad=True)
print(f"   w = {w.data}   b = {b.item()}")


def predict(x):
    """ŷ = σ(w·x + b)"""
    return sigmoid(x @ w + b)


print("\n3. The forward pass ŷ = σ(w·x + b), before any training:")
print(f"   ŷ = {predict(X).data}   y = {Y}")

print("\n4. The gradient. By hand, one sample at a time, the descent direction")
print("   gradW = −(ŷ−y)·ŷ·(1−ŷ)·x; summed, times 2/n; its opposite is ∂L/∂w:")
directions = [tutorial.descent(x, y, w.data, b.data) for x, y in zip(X, Y, strict=True)]
by_hand = -2 / len(X) * sum(grad_w for grad_w, _ in directions)
loss = np.mean((predict(X) - Y) ** 2)
loss.backward()
print(f"   by hand   {by_hand}")
print(f"   autodiff  {w.grad.data}")
print(f"   largest difference {np.max(np.abs(by_hand - w.grad.data)):.1e}")

print("\n5. Training: full batch, w ← w − ∂L/∂w, 1000 epochs. The error after each of some:")
for epoch in range(1001):
    w.grad = b.grad = None
    loss = np.mean((predict(X) - Y) ** 2)
    if epoch in (0, 1, 10, 100, 1000):
        print(f"   after {epoch:>4} epochs   MSE {loss.item():.6f}")
    loss.backward()
    with no_grad():
        w -= w.grad
        b -= b.grad

print("\n6. Prediction. The output should follow the first input:")
for sample, p in zip(tutorial.SAMPLES, predict(tutorial.SAMPLES).data, strict=True):
    print(f"   {sample} → {p:.4f}")

print("\nThe same model ready-made, nn.Perceptron(3):", nn.Perceptron(3, rng=0))
