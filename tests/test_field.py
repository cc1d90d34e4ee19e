"""Models of the field, written in NumPy as papers have them: their gradients beside derivations.

A Gaussian process and a differential equation are in examples/.
"""

import numpy as np
import pytest

from tinygrad_slp import grad, hessian, logsumexp, softmax
from tinygrad_slp.check import check_gradient

RNG = np.random.default_rng(0)


def right(f, x, gradient):
    """Whether a gradient is that of f at x, by the checker of this project."""
    return check_gradient(f, x, gradient).ok


def test_a_mixture_fitted_by_gradient_ends_where_expectation_maximization_does():
    """At a fixed point of EM the gradient is 0: the responsibilities are those of the slope."""
    x = np.concatenate([RNG.normal(-2, 0.7, 60), RNG.normal(1, 0.5, 90)])

    def minus_log_likelihood(params):
        logits, mean, log_scale = params
        z = (x[:, None] - mean) * np.exp(-log_scale)
        parts = -0.5 * z * z - log_scale - 0.5 * np.log(2 * np.pi)
        return -np.sum(logsumexp(parts + logits - logsumexp(logits), axis=1))

    weight, mean, scale = np.array([0.5, 0.5]), np.array([-1.0, 0.5]), np.array([1.0, 1.0])
    for _ in range(300):  # Dempster, Laird and Rubin, 1977
        density = weight * np.exp(-0.5 * ((x[:, None] - mean) / scale) ** 2) / scale
        share = density / density.sum(axis=1, keepdims=True)
        n = share.sum(axis=0)
        mean = (share.T @ x) / n
        scale = np.sqrt(np.sum(share * (x[:, None] - mean) ** 2, axis=0) / n)
        weight = n / len(x)
    for slope in grad(minus_log_likelihood)((np.log(weight), mean, np.log(scale))):
        np.testing.assert_allclose(slope, 0, atol=1e-8)
    start = np.zeros(2), np.array([-1.0, 0.5]), np.zeros(2)
    of_mean = grad(minus_log_likelihood)(start)[1]
    assert right(lambda m: minus_log_likelihood((start[0], m, start[2])), start[1], of_mean)


def test_a_hidden_markov_model_by_the_forward_algorithm():
    """∂ log p/∂ log B is the expected count of each emission, which backward passes give: Eisner,
    Inside-outside and forward-backward algorithms are just backprop, 2016."""
    k, seen = 3, RNG.integers(4, size=25)
    start, a, b = RNG.normal(size=k), RNG.normal(size=(k, k)), RNG.normal(size=(k, 4))

    def log_likelihood(log_b):
        alpha = start - logsumexp(start) + log_b[:, seen[0]]
        log_a = a - logsumexp(a, axis=1, keepdims=True)
        for symbol in seen[1:]:
            alpha = logsumexp(alpha[:, None] + log_a, axis=0) + log_b[:, symbol]
        return logsumexp(alpha)

    log_b = b - logsumexp(b, axis=1, keepdims=True)
    counts = grad(log_likelihood)(log_b)
    p0, pa, pb = softmax(start), softmax(a, axis=1), np.exp(log_b)
    forward = [p0 * pb[:, seen[0]]]
    for symbol in seen[1:]:
        forward.append((forward[-1] @ pa) * pb[:, symbol])
    backward = [np.ones(k)]
    for symbol in seen[:0:-1]:
        backward.append(pa @ (pb[:, symbol] * backward[-1]))
    posterior = np.array(forward) * np.array(backward[::-1])
    posterior /= posterior.sum(axis=1, keepdims=True)
    expected = np.stack([posterior[seen == s].sum(axis=0) for s in range(4)], axis=1)
    np.testing.assert_allclose(counts, expected, rtol=1e-10)
    assert log_likelihood(log_b) == pytest.approx(np.log(forward[-1].sum()))


def test_a_kalman_filter_is_the_likelihood_of_one_large_normal_distribution():
    """Of a random walk seen through noise, in its two variances."""
    n = 12
    y = np.cumsum(RNG.normal(size=n)) + RNG.normal(size=n)

    def by_filter(log_variances):
        q, r = np.exp(log_variances[0]), np.exp(log_variances[1])
        mean, variance, total = 0.0, 1.0, 0.0
        for value in y:
            variance = variance + q
            s = variance + r
            total = total - 0.5 * (np.log(2 * np.pi * s) + (value - mean) ** 2 / s)
            gain = variance / s
            mean, variance = mean + gain * (value - mean), (1 - gain) * variance
        return total

    def at_once(log_variances):
        q, r = np.exp(log_variances[0]), np.exp(log_variances[1])
        steps = np.minimum.outer(np.arange(1, n + 1), np.arange(1, n + 1))
        c = 1.0 + q * steps + r * np.eye(n)
        return -0.5 * (y @ np.linalg.solve(c, y) + np.linalg.slogdet(c)[1] + n * np.log(2 * np.pi))

    at = np.array([-0.3, 0.4])
    assert by_filter(at) == pytest.approx(at_once(at))
    np.testing.assert_allclose(grad(by_filter)(at), grad(at_once)(at), rtol=1e-9)
    np.testing.assert_allclose(hessian(by_filter)(at), hessian(at_once)(at), rtol=1e-8)


def test_a_cox_regression_by_its_partial_likelihood():
    """∂ℓ/∂β = Σ over events of x minus its mean over those at risk, weighted by exp(xβ): Cox,
    Regression models and life tables, 1972."""
    X, event = RNG.normal(size=(30, 3)), RNG.random(30) < 0.7
    order = np.argsort(RNG.exponential(size=30))
    X, event = X[order], event[order]
    at_risk = np.tri(30).T > 0  # those whose time is not yet over

    def log_likelihood(beta):
        risk = X @ beta
        total = logsumexp(np.where(at_risk, risk, -np.inf), axis=1)
        return np.sum(np.where(event, risk - total, 0.0))

    beta = np.array([0.5, -0.3, 0.1])
    weights = np.where(at_risk, np.exp(X @ beta), 0)
    mean = (weights @ X) / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(grad(log_likelihood)(beta), np.sum((X - mean)[event], axis=0))


def test_a_negative_binomial_regression():
    """With μ = exp(xβ) and dispersion r: ∂ℓ/∂β = Σ x·r(k − μ)/(r + μ)."""
    pytest.importorskip("scipy", reason="SciPy is not installed (extra scipy)")
    from scipy import special

    from tinygrad_slp import distributions, optim

    X = np.column_stack([np.ones(200), RNG.normal(size=200)])
    true, r = np.array([1.0, 0.5]), 3.0
    k = RNG.negative_binomial(r, r / (r + np.exp(X @ true)))

    def minus_log_likelihood(params):
        mean, r = np.exp(X @ params["beta"]), np.exp(params["log_r"])
        return -np.sum(distributions.NegativeBinomial(r, logits=np.log(mean / r)).log_prob(k))

    def by_hand(params):
        mean, r = np.exp(X @ params["beta"]), np.exp(params["log_r"])
        to_beta = X.T @ (r * (k - mean) / (r + mean))
        to_r = (
            special.psi(k + r) - special.psi(r) + np.log(r / (r + mean)) + (mean - k) / (r + mean)
        )
        return {"beta": -to_beta, "log_r": -r * np.sum(to_r)}

    at = {"beta": np.array([0.5, 0.1]), "log_r": 0.3}
    found, expected = grad(minus_log_likelihood)(at), by_hand(at)
    np.testing.assert_allclose(found["beta"], expected["beta"], rtol=1e-10)
    np.testing.assert_allclose(found["log_r"], expected["log_r"], rtol=1e-10)
    fitted = optim.minimize(minus_log_likelihood, at, method="Newton-CG").x
    np.testing.assert_allclose(by_hand(fitted)["beta"], 0, atol=1e-3)
    np.testing.assert_allclose(fitted["beta"], true, atol=0.25)
