"""The tutorial's gradient derived by hand, with five classic mistakes, and what the checker says.

Needs Hypothesis, which draws and shrinks the examples: pip install 'tinygrad-slp[test]'
"""

import numpy as np

from tinygrad_slp import sigmoid
from tinygrad_slp.check import check_formula


def loss(X, w, b, y):
    """L = 1/n Σ (a − y)², a = σ(z), z = Xw + b"""
    return np.mean((sigmoid(X @ w + b) - y) ** 2)


# By the chain rule, ∂L/∂w = Xᵀ δ with δ = 2/n (a − y) σ′(z), and σ′(z) = a(1 − a).
def right(X, w, b, y):
    a = sigmoid(X @ w + b)
    return X.T @ (2 / len(y) * (a - y) * a * (1 - a))


def without_the_mean(X, w, b, y):
    a = sigmoid(X @ w + b)
    return X.T @ (2 * (a - y) * a * (1 - a))


def without_the_slope(X, w, b, y):
    a = sigmoid(X @ w + b)
    return X.T @ (2 / len(y) * (a - y))


def slope_at_the_output(X, w, b, y):
    a = sigmoid(X @ w + b)
    return X.T @ (2 / len(y) * (a - y) * sigmoid(a) * (1 - sigmoid(a)))


def wrong_sign(X, w, b, y):
    a = sigmoid(X @ w + b)
    return X.T @ (2 / len(y) * (y - a) * a * (1 - a))


def last_sample_and_no_two(X, w, b, y):
    a = sigmoid(X @ w + b)
    δ = (a - y) * a * (1 - a) / len(y)
    return X[-1] * δ[-1]


for formula in (
    right, without_the_mean, without_the_slope, slope_at_the_output, wrong_sign,
    last_sample_and_no_two,
):  # fmt: skip
    print(f"--- {formula.__name__.replace('_', ' ')} ---")
    print(check_formula(loss, {"w": formula}, "X: n d; w: d; b: ; y: n")["w"], end="\n\n")
