"""Curvature: the Hessian of the perceptron's loss, and what Newton's step does with it."""

import numpy as np

from tinygrad_slp import grad, hessian, sigmoid, tutorial

X, Y = tutorial.X, tutorial.Y


def loss(p):
    """The mean squared error of the perceptron with p = (w₁, w₂, w₃, b)."""
    return np.mean((sigmoid(X @ p[:3] + p[3]) - Y) ** 2)


start = np.array([0.1, 0.5, 0.9, 0.0])
H = hessian(loss)(start)
print("The matrix of second derivatives at the start (exact, no differences taken):")
print(np.array2string(H, precision=4, suppress_small=True))
print("Its eigenvalues are the curvatures along its eigenvectors:")
print("  ", np.array2string(np.linalg.eigvalsh(H), precision=4))
print(
    "One is negative: the loss of a perceptron is not convex, so a plain Newton step may climb.\n"
)


def gradient_step(p):
    """p ← p − ∂L/∂p"""
    return p - grad(loss)(p)


def newton_step(p):
    """p ← p − (|H| + δI)⁻¹ ∂L/∂p, halved until the loss falls; |H| has the absolute eigenvalues."""
    curvature, directions = np.linalg.eigh(hessian(loss)(p))
    slope = directions.T @ grad(loss)(p)
    step = directions @ (slope / (np.abs(curvature) + 1e-3))
    while loss(p - step) > loss(p) and np.max(np.abs(step)) > 1e-12:
        step = step / 2
    return p - step


print("step    gradient descent    Newton, damped")
p = q = start
for step in range(31):
    if step in (0, 1, 2, 3, 5, 10, 20, 30):
        print(f"{step:>4}    {loss(p):16.10f}  {loss(q):16.10f}")
    p, q = gradient_step(p), newton_step(q)
print("\nGradient descent slows down where the loss is flat; Newton's step is long just there.")
