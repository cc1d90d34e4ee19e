"""Uncertainty: a network that says how far its own prediction may be off, and whether that is true.

It predicts a mean μ(x) and a variance v(x), fitted by the likelihood of a normal distribution (Nix
and Weigend 1994), to data whose noise grows from left to right. What to look at: the predicted
deviation follows the true one; and of intervals that promise 80 %, 80 % of new points are inside,
everywhere, while a fixed deviation promises too little on the left and too much on the right.
"""

from statistics import NormalDist

import numpy as np

from tinygrad_slp import nn, no_grad, optim, softplus
from tinygrad_slp.metrics import mse
from tinygrad_slp.train import fit


def noise(x):
    return 0.05 + 0.4 * x


def sample(n, rng):
    """x in [0, 1], and y = sin(2πx) + normal noise of deviation 0.05 + 0.4x; both (n, 1)."""
    x = rng.uniform(size=(n, 1))
    return x, np.sin(2 * np.pi * x) + noise(x) * rng.normal(size=(n, 1))


def mean_and_variance(output):
    """Two outputs as μ (n, 1) and v (n, 1), which softplus keeps above 0."""
    return output[:, :1], softplus(output[:, 1:]) + 1e-4


def loss(output, y):
    μ, v = mean_and_variance(output)
    return nn.gaussian_nll_loss(μ, y, v)


def train(x, y):
    model = nn.MLP([1, 32, 32, 2], nn.Tanh, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=150)
    fit(model, (x, y), loss, optimizer, epochs=150, callbacks=[schedule], progress=False)
    return model


def inside(y, μ, σ, share):
    """How many of y are in the interval about μ that promises this share."""
    return np.mean(np.abs(y - μ) <= NormalDist().inv_cdf((1 + share) / 2) * σ)


def main():
    rng = np.random.default_rng(0)
    x, y = sample(2000, rng)
    model = train(x, y)

    print("x      sin(2πx)   predicted mean   true deviation   predicted deviation")
    at = np.linspace(0.1, 0.9, 5)
    with no_grad():
        μ, v = (t.data[:, 0] for t in mean_and_variance(model(at[:, None])))
    for row in np.stack([at, np.sin(2 * np.pi * at), μ, noise(at), np.sqrt(v)], axis=1):
        print("{:.1f}  {:9.3f}  {:15.3f}  {:15.3f}  {:19.3f}".format(*row))

    x, y = sample(5000, rng)
    with no_grad():
        μ, v = (t.data for t in mean_and_variance(model(x)))
    fixed, left = np.sqrt(mse(y, μ)), x < 0.5
    print("\nOf 5000 new points, how many are in the interval that promises a share of them:")
    print("promised   predicted deviation: all   left  right   one deviation: all   left  right")
    for share in (0.5, 0.8, 0.95):
        parts = [
            inside(y[part], μ[part], σ[part], share)
            for σ in (np.sqrt(v), np.full_like(v, fixed))
            for part in (x >= 0, left, ~left)
        ]
        print("{:7.0%} {:>24.1%} {:6.1%} {:6.1%} {:>20.1%} {:6.1%} {:6.1%}".format(share, *parts))
    worst = max(abs(inside(y, μ, np.sqrt(v), share) - share) for share in (0.5, 0.8, 0.95))
    print(f"largest difference between promised and kept: {worst:.3f}")


if __name__ == "__main__":
    main()
