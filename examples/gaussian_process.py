"""A Gaussian process: a curve with its uncertainty, its length and noise found by likelihood.

Rasmussen and Williams, Gaussian processes for machine learning, 2006, chapters 2 and 5: with the
covariance K = s²·exp(−(x − x′)²/2ℓ²) + σ²·1 the likelihood of all points at once is that of one
normal distribution, and its gradient goes through the Cholesky factor. What to look at: the noise
that was put in is found again, and the band is wide where there are no points. Needs SciPy; with a
name it draws a picture: python examples/gaussian_process.py curve.png
"""

import sys

import numpy as np

from tinygrad_slp import optim

NOISE = 0.2


def sample(rng):
    """y = sin x + x/4 with noise, and no points from 4 to 6."""
    x = np.sort(rng.uniform(0, 10, size=50))
    x = x[(x < 4) | (x > 6)]
    return x, np.sin(x) + x / 4 + NOISE * rng.normal(size=len(x))


def covariance(a, b, params):
    far = (a[:, None] - b) ** 2
    return np.exp(2 * params["log_size"]) * np.exp(-far / (2 * np.exp(2 * params["log_length"])))


def factor(x, params):
    """The Cholesky factor of K with the noise."""
    noise = np.exp(2 * params["log_noise"]) + 1e-10
    return np.linalg.cholesky(covariance(x, x, params) + noise * np.eye(len(x)))


def minus_log_likelihood(params, x, y):
    """½yᵀK⁻¹y + ½log|K| + ½n log 2π"""
    L = factor(x, params)
    z = np.linalg.solve(L, y)
    return 0.5 * np.sum(z * z) + np.sum(np.log(np.diagonal(L))) + 0.5 * len(y) * np.log(2 * np.pi)


def predicted(at, x, y, params):
    """The mean and the deviation of the curve."""
    L = factor(x, params)
    k = np.linalg.solve(L, covariance(x, at, params))
    variance = np.exp(2 * params["log_size"]) - np.sum(k * k, axis=0)
    return k.T @ np.linalg.solve(L, y), np.sqrt(np.maximum(variance, 0))


def draw(path, x, y, params):
    from matplotlib.figure import Figure

    at = np.linspace(0, 10, 300)
    mean, deviation = predicted(at, x, y, params)
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(at, mean - 2 * deviation, mean + 2 * deviation, alpha=0.25, linewidth=0)
    axes.plot(at, mean, label="mean, and two deviations")
    axes.plot(at, np.sin(at) + at / 4, "--", color="grey", label="the truth")
    axes.plot(x, y, "k.", label="points")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=80)


def main():
    x, y = sample(np.random.default_rng(0))
    start = {"log_size": 0.0, "log_length": 0.0, "log_noise": -1.0}
    found = optim.minimize(minus_log_likelihood, start, (x, y), method="L-BFGS-B")
    params = found.x
    print(f"minus log-likelihood {minus_log_likelihood(start, x, y):.2f} → {found.fun:.2f}")
    for name, value in params.items():
        print(f"{name[4:]:>7} {np.exp(value):.3f}")
    mean, deviation = predicted(np.array([2.0, 5.0]), x, y, params)
    for at, m, d in zip((2.0, 5.0), mean, deviation, strict=True):
        print(f"at {at}: {m:.2f} ± {d:.2f}, in truth {np.sin(at) + at / 4:.2f}")
    if len(sys.argv) > 1:
        draw(sys.argv[1], x, y, params)


if __name__ == "__main__":
    main()
