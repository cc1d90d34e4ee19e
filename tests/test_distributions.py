"""Distributions: densities, moments, samples and divergences, beside SciPy's and PyTorch's."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="SciPy is not installed (extra scipy)")

from scipy import stats

import tinygrad_slp.distributions as D
from tinygrad_slp import Tensor, grad, jit
from tinygrad_slp.check import check_gradient
from tinygrad_slp.random import Stream

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.normal(size=shape)


def positive(*shape):
    return RNG.uniform(0.5, 3, size=shape)


COUNTS = np.array([[0.0, 1, 2], [3, 4, 9]])
# name: parameters, values, and SciPy's distribution of the same parameters.
CASES = {
    "Normal": ({"loc": real(3), "scale": positive(2, 1)}, real(2, 3), stats.norm),
    "LogNormal": (
        {"loc": real(3), "scale": positive(2, 1)}, positive(2, 3),
        lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
    ),
    "StudentT": ({"df": positive(3) + 2.5, "loc": real(3), "scale": positive(2, 1)}, real(2, 3),
                 stats.t),
    "Laplace": ({"loc": real(3), "scale": positive(2, 1)}, real(2, 3), stats.laplace),
    "Cauchy": ({"loc": real(3), "scale": positive(2, 1)}, real(2, 3), stats.cauchy),
    "Gamma": (
        {"concentration": positive(3), "rate": positive(2, 1)}, positive(2, 3),
        lambda concentration, rate: stats.gamma(concentration, scale=1 / rate),
    ),
    "Exponential": (
        {"rate": positive(2, 3)}, positive(2, 3), lambda rate: stats.expon(scale=1 / rate)
    ),
    "Beta": (
        {"concentration1": positive(3), "concentration0": positive(2, 1)},
        RNG.uniform(0.1, 0.9, size=(2, 3)),
        lambda concentration1, concentration0: stats.beta(concentration1, concentration0),
    ),
    "VonMises": (
        {"loc": real(3), "concentration": positive(2, 1)}, real(2, 3),
        lambda loc, concentration: stats.vonmises(concentration, loc),
    ),
    "Poisson": ({"rate": positive(2, 3)}, COUNTS, stats.poisson),
    "Bernoulli": ({"probs": RNG.uniform(0.1, 0.9, size=(2, 3))}, COUNTS % 2, stats.bernoulli),
    "Binomial": ({"total_count": 9.0, "probs": RNG.uniform(0.1, 0.9, size=(2, 3))}, COUNTS,
                 stats.binom),
    "NegativeBinomial": (
        {"total_count": positive(3), "probs": RNG.uniform(0.1, 0.9, size=(2, 3))}, COUNTS,
        lambda total_count, probs: stats.nbinom(total_count, 1 - probs),
    ),
    "Dirichlet": ({"concentration": positive(4)}, np.array([0.1, 0.2, 0.3, 0.4]), stats.dirichlet),
    "Multinomial": (
        {"total_count": 6, "probs": np.array([0.1, 0.2, 0.3, 0.4])}, np.array([1.0, 2, 3, 0]),
        stats.multinomial,
    ),
    "MultivariateNormal": (
        {"loc": real(3), "covariance_matrix": np.cov(real(3, 9))}, real(3),
        stats.multivariate_normal,
    ),
    "Categorical": ({"probs": np.array([0.1, 0.2, 0.3, 0.4])}, np.array([0.0, 3, 1]), None),
}  # fmt: skip
every = pytest.mark.parametrize("name", CASES)


def made(name, wrap=lambda x: x):
    parameters, x, peer = CASES[name]
    parameters = {k: wrap(p) if isinstance(p, np.ndarray) else p for k, p in parameters.items()}
    return getattr(D, name)(**parameters), x, peer and peer(*CASES[name][0].values())


@every
def test_densities_and_moments_are_those_of_scipy(name):
    ours, x, scipys = made(name)
    if scipys is None:
        return
    log = scipys.logpdf if hasattr(scipys, "logpdf") and name not in COUNTED else scipys.logpmf
    np.testing.assert_allclose(ours.log_prob(x), log(x), rtol=1e-12, atol=1e-12)
    assert np.shape(ours.log_prob(x)) == np.broadcast_shapes(
        x.shape[: x.ndim - len(ours.event_shape)], ours.batch_shape
    )
    if name not in ("VonMises", "MultivariateNormal", "Multinomial"):
        np.testing.assert_allclose(ours.mean, scipys.mean(), rtol=1e-12)
        np.testing.assert_allclose(ours.variance, scipys.var(), rtol=1e-11)
        np.testing.assert_array_equal(ours.stddev, np.sqrt(ours.variance))
    assert np.shape(ours.mean) == np.shape(ours.variance) == ours.shape_of(())
    try:
        entropy = ours.entropy()
    except NotImplementedError as error:
        assert name in ("Poisson", "Binomial", "NegativeBinomial", "Multinomial") and name in str(
            error
        )
    else:
        np.testing.assert_allclose(entropy, scipys.entropy(), rtol=1e-9)


NOT_THE_SAME = {("entropy", "Binomial"), ("entropy", "Multinomial"), ("variance", "Cauchy")}
"""Sums over all counts in PyTorch; and what SciPy calls undefined and PyTorch infinite."""
COUNTED = ("Poisson", "Bernoulli", "Binomial", "NegativeBinomial", "Multinomial")


@every
def test_densities_moments_and_their_gradients_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    parameters, x, _ = CASES[name]
    names = [k for k, p in parameters.items() if isinstance(p, np.ndarray)]
    ours = {k: Tensor(p, requires_grad=True) if k in names else p for k, p in parameters.items()}
    theirs = {
        k: torch.tensor(p, requires_grad=True) if k in names else int(p)
        for k, p in parameters.items()
    }
    p, q = getattr(D, name)(**ours), getattr(torch.distributions, name)(**theirs)
    # PyTorch's I₀ is right to seven digits, its ψ to nine.
    rtol = 1e-6 if name == "VonMises" else 1e-8
    for what in ("log_prob", "mean", "variance", "entropy"):
        try:
            expected = {
                "log_prob": lambda q: q.log_prob(torch.tensor(x)), "entropy": lambda q: q.entropy(),
            }.get(what, lambda q, what=what: getattr(q, what))(q)  # fmt: skip
        except NotImplementedError:
            continue
        if (what, name) in NOT_THE_SAME:
            continue
        found = {"log_prob": lambda p: p.log_prob(x), "entropy": lambda p: p.entropy()}.get(
            what, lambda p, what=what: getattr(p, what)
        )(p)
        value = found.data if isinstance(found, Tensor) else found
        np.testing.assert_allclose(value, expected.detach().numpy(), rtol=rtol, atol=1e-12)
        if not expected.requires_grad or not np.isfinite(value).all():
            continue
        for k in names:
            ours[k].grad = theirs[k].grad = None
        weight = np.random.default_rng(1).normal(size=value.shape)
        np.sum(found * weight).backward(retain_graph=True)
        (expected * torch.tensor(weight)).sum().backward(retain_graph=True)
        for k in names:
            slope = np.zeros_like(parameters[k]) if ours[k].grad is None else ours[k].grad.data
            other = np.zeros_like(slope) if theirs[k].grad is None else theirs[k].grad.numpy()
            if k == "covariance_matrix":  # of a symmetric matrix only the sum of both halves tells
                slope, other = slope + slope.T, other + other.T
            np.testing.assert_allclose(
                slope, np.broadcast_to(other, slope.shape), rtol=rtol, atol=1e-9
            )


def test_logits_are_the_same_as_probabilities():
    z = real(2, 3)
    p = 1 / (1 + np.exp(-z))
    for make in (
        D.Bernoulli,
        lambda **k: D.Binomial(9.0, **k),
        lambda **k: D.NegativeBinomial(2.5, **k),
    ):
        a, b = make(logits=z), make(probs=p)
        np.testing.assert_allclose(a.log_prob(COUNTS % 2), b.log_prob(COUNTS % 2), rtol=1e-12)
        np.testing.assert_allclose(a.mean, b.mean)
        np.testing.assert_allclose(b.logits, z)
    far = D.Bernoulli(logits=np.array([800.0, -800.0]))
    np.testing.assert_array_equal(far.log_prob(np.array([0.0, 1.0])), [-800, -800])
    np.testing.assert_allclose(
        D.Categorical(logits=z).log_prob([0, 2]), D.Categorical(np.exp(z)).log_prob([0, 2])
    )


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("Categorical",)])
def test_draws_have_the_distribution(name):
    """Kolmogorov–Smirnov for numbers, moments for counts and vectors; shapes as asked for."""
    ours, _, scipys = made(name)
    n = 20_000
    x = ours.sample((n,), rng=7)
    assert x.shape == (n, *ours.batch_shape, *ours.event_shape) and type(x) is np.ndarray
    if name not in COUNTED and not ours.event_shape:
        if name == "VonMises":  # SciPy's angles are around loc
            turned = ours.loc + (x - ours.loc + np.pi) % (2 * np.pi) - np.pi
            shares = scipys.cdf(turned)
        else:
            shares = scipys.cdf(x)
        for index in np.ndindex(ours.batch_shape):
            assert stats.kstest(shares[(slice(None), *index)], "uniform").pvalue > 1e-4
    else:
        error = np.sqrt(ours.variance / n)
        assert np.all(np.abs(x.mean(axis=0) - ours.mean) < 5 * error)
        np.testing.assert_allclose(x.var(axis=0), ours.variance, rtol=0.1)
    again = ours.sample((n,), rng=7)
    np.testing.assert_array_equal(x, again)
    stream = Stream(7)
    np.testing.assert_array_equal(ours.sample((n,), stream), x)
    assert not np.array_equal(ours.sample((n,), stream), x)  # it goes on


def test_classes_are_drawn_as_often_as_they_are_probable():
    p = D.Categorical(np.array([[1.0, 2, 3, 4], [4, 3, 2, 1]]))
    x = p.sample((20_000,), 0)
    for k in range(4):
        np.testing.assert_allclose(np.mean(x == k, axis=0), p.probs[:, k], atol=0.015)


@pytest.mark.parametrize(
    "name",
    ["Normal", "LogNormal", "Laplace", "Cauchy", "Exponential", "Dirichlet", "MultivariateNormal"],
)
def test_gradients_flow_through_draws(name):
    """As the slope of the same draw (by the same seed) in each parameter."""
    parameters, *_ = CASES[name]
    key = {"Dirichlet": None, "MultivariateNormal": "loc"}.get(name, [*parameters][-1])
    if key is None:  # how gammas depend on their concentration has no formula
        with pytest.raises(TypeError, match="requires grad"):
            D.Dirichlet(Tensor(parameters["concentration"], requires_grad=True)).rsample((), 0)
        return
    f = lambda v: np.sum(getattr(D, name)(**{**parameters, key: v}).rsample((5,), 3) ** 2)
    assert check_gradient(f, parameters[key], grad(f)(parameters[key])).ok


@pytest.mark.parametrize("name", ["VonMises", *COUNTED, "Categorical"])
def test_draws_that_jump_say_so(name):
    ours, *_ = made(name)
    with pytest.raises(NotImplementedError, match=r"write sample"):
        ours.rsample()


@pytest.mark.parametrize(
    "name",
    [n for n in CASES if n not in ("StudentT", "VonMises", "NegativeBinomial", "Multinomial")],
)
def test_divergences_are_means_of_log_ratios(name):
    """Beside draws of the first; 0 of the same; with the gradient of the same."""
    p, *_ = made(name)
    changed = {
        k: v * 1.2 if isinstance(v, np.ndarray) and k != "probs" else v
        for k, v in CASES[name][0].items()
    }
    if "probs" in changed:
        changed["probs"] = changed["probs"] ** 1.2
    q = getattr(D, name)(**changed)
    found = D.kl_divergence(p, q)
    x = p.sample((40_000,), 5)
    ratio = p.log_prob(x) - q.log_prob(x)
    assert np.all(np.abs(ratio.mean(axis=0) - found) < 6 * ratio.std(axis=0) / 200 + 1e-12)
    np.testing.assert_allclose(D.kl_divergence(p, p), np.zeros(p.batch_shape), atol=1e-12)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if name == "Cauchy":
        return  # not in PyTorch
    pair = [
        getattr(torch.distributions, name)(
            **{
                k: torch.tensor(v) if isinstance(v, np.ndarray) else int(v)
                for k, v in given.items()
            }
        )
        for given in (CASES[name][0], changed)
    ]
    np.testing.assert_allclose(
        found, torch.distributions.kl_divergence(*pair), rtol=1e-8, atol=1e-12
    )


def test_a_divergence_without_a_formula_says_what_to_write():
    with pytest.raises(NotImplementedError, match=r"Normal ‖ Laplace.*rsample"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Laplace(0.0, 1.0))


def test_outside_of_the_support_the_density_is_0():
    for p, outside in (
        (D.Gamma(2.0, 1.0), -1.0), (D.Beta(2.0, 3.0), 1.5), (D.Exponential(1.0), -0.1),
        (D.LogNormal(0.0, 1.0), 0.0), (D.Poisson(2.0), 1.5), (D.Poisson(2.0), -1.0),
        (D.Bernoulli(0.3), 0.5), (D.Binomial(4.0, 0.3), 5.0), (D.Categorical(np.ones(3)), 3.0),
    ):  # fmt: skip
        assert p.log_prob(np.array(outside)) == -np.inf
        slope = grad(lambda x, p=p: p.log_prob(x)[1])(np.array([outside, p.inner]))
        assert slope[0] == 0 and np.isfinite(slope[1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: D.Normal(0.0, -1.0), "scale of Normal .*above 0; got -1"),
        (lambda: D.Gamma(np.array([1.0, 0.0]), 1.0), "concentration of Gamma .*got 0"),
        (lambda: D.Bernoulli(1.5), "probs of Bernoulli .*from 0 to 1; got 1.5"),
        (lambda: D.Bernoulli(), "either probs or logits"),
        (lambda: D.Categorical(np.array([0.5, -0.1])), "probs of Categorical .*got -0.1"),
        (lambda: D.MultivariateNormal(np.zeros(2)), "either covariance_matrix or scale_tril"),
        (lambda: D.MultivariateNormal(np.zeros(2), scale_tril=np.diag([1.0, -1])), "diagonal .*-1"),
        (lambda: D.MixtureSameFamily(D.Categorical(np.ones(2)), D.Normal(np.zeros(3), 1.0)),
         "3 .*2"),
        (lambda: D.Normal(Tensor([0.0]), Tensor([0.0])), "scale"),
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_mixture_is_a_weighted_sum():
    weights, loc, scale = np.array([0.2, 0.8]), np.array([-1.0, 2.0]), np.array([0.5, 1.5])
    p = D.MixtureSameFamily(D.Categorical(weights), D.Normal(loc, scale))
    x = real(7)
    by_hand = np.log(
        sum(w * stats.norm(m, s).pdf(x) for w, m, s in zip(weights, loc, scale, strict=True))
    )
    np.testing.assert_allclose(p.log_prob(x), by_hand, rtol=1e-12)
    drawn = p.sample((50_000,), 3)
    assert drawn.shape == (50_000,) and p.batch_shape == ()
    np.testing.assert_allclose(drawn.mean(), p.mean, atol=5 * np.sqrt(p.variance / 50_000))
    np.testing.assert_allclose(drawn.var(), p.variance, rtol=0.03)
    vectors = D.MixtureSameFamily(
        D.Categorical(weights), D.MultivariateNormal(real(2, 3), scale_tril=np.eye(3))
    )
    assert vectors.sample((4, 5), 0).shape == (4, 5, 3)
    assert np.shape(vectors.log_prob(real(4, 3))) == (4,)
    np.testing.assert_allclose(vectors.sample((50_000,), 1).mean(axis=0), vectors.mean, atol=0.03)


def test_a_likelihood_is_compiled():
    x = positive(50)

    def loss(params):
        a, b = np.exp(params[0]), np.exp(params[1])
        return -np.sum(D.Gamma(a, b).log_prob(x)) - np.sum(D.Normal(0.0, a).log_prob(x))

    step = jit(grad(loss))
    at = np.array([0.3, -0.2])
    for _ in range(3):
        np.testing.assert_allclose(np.asarray(step(at)), grad(loss)(at), rtol=1e-12)
