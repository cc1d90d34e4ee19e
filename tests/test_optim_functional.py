"""Functional and minimize: trees in, trees out, the same numbers as the classes and as SciPy."""

import numpy as np
import pytest
from test_optim import CASES

from tinygrad_slp import Tensor, grad, hessian, jacobian, jit, nn, optim, tree

X = np.random.default_rng(0).normal(size=(30, 3))
Y = X @ np.array([1.0, -2, 0.5]) + 3
PARAMS = {"w": np.array([0.3, -0.2, 0.1]), "b": (0.5, [np.float64(1.0)])}


def loss(params):
    b, (c,) = params["b"]
    return np.mean((X @ params["w"] + b * c - Y) ** 2)


@pytest.mark.parametrize(("make", "options"), CASES)
def test_a_functional_optimizer_steps_as_the_class_does(make, options):
    leaves, rebuild = tree.flatten(PARAMS)
    tensors = [Tensor(x, requires_grad=True) for x in leaves]
    of_class, functional = make(tensors, **options), optim.Functional(make, **options)
    params, state = PARAMS, functional.init(PARAMS)
    for _ in range(4):
        of_class.zero_grad()
        loss(rebuild(tensors)).backward()
        of_class.step()
        params, state = functional.update(grad(loss)(params), state, params)
        for x, y in zip(tensors, tree.flatten(params)[0], strict=True):
            np.testing.assert_allclose(y, x.data, rtol=1e-14)
    assert tree.structure(params) == tree.structure(PARAMS)
    assert options.get("maximize") or loss(params) < loss(PARAMS)


def test_the_given_trees_stay_as_they_are_and_float32_too():
    params = {"w": np.array([1, 2], np.float32)}
    adam = optim.Functional(optim.Adam, lr=0.1)
    state = adam.init(params)
    grads = {"w": np.array([1, -1], np.float32)}
    for x in (params["w"], grads["w"], state["slots"][0][0]):
        x.flags.writeable = False
    new, after = adam.update(grads, state, params)
    assert new["w"].dtype == after["slots"][0][0].dtype == np.float32
    assert state["step"] == 0 and after["step"] == 1


def test_a_gradient_flows_through_steps():
    """How the loss after two steps depends on where they began: by hand for SGD on a parabola."""
    sgd = optim.Functional(optim.SGD, lr=0.1)

    def after_two(w):
        state = sgd.init(w)
        for _ in range(2):
            w, state = sgd.update(2 * w, state, w)
        return np.sum(w * w)

    w = np.array([1.0, -3.0])
    np.testing.assert_allclose(grad(after_two)(w), 2 * 0.8**4 * w, rtol=1e-14)


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.NAdam])
def test_steps_are_compiled(make):
    functional = optim.Functional(make, lr=0.05)
    params = {"w": np.array([0.3, -0.2, 0.1]), "b": (np.array(0.5), [np.array(1.0)])}

    def step(params, state):
        return functional.update(grad(loss)(params), state, params)

    compiled = jit(step)
    a = b = (params, functional.init(params))
    for _ in range(4):
        a, b = step(*a), compiled(*b)
    for x, y in zip(tree.flatten(a[0])[0], tree.flatten(b[0])[0], strict=True):
        np.testing.assert_allclose(np.asarray(y), x, rtol=1e-12)


def test_what_does_not_fit_is_refused():
    model = nn.Linear(2, 1, rng=0)
    sgd = optim.Functional(optim.SGD, lr=0.1)
    with pytest.raises(TypeError, match=r"Module.*optim.Adam\(model.parameters\(\)\)"):
        sgd.init(model)
    with pytest.raises(TypeError, match="LBFGS"):
        optim.Functional(optim.LBFGS)
    with pytest.raises(TypeError, match=r"SGD takes lr.*got rate"):
        optim.Functional(optim.SGD, rate=0.1)
    with pytest.raises(ValueError, match="lr"):
        optim.Functional(optim.SGD, lr=-1)
    with pytest.raises(ValueError, match="structure"):
        sgd.update({"v": np.ones(2)}, sgd.init({"w": np.ones(2)}), {"w": np.ones(2)})


# --- searches of SciPy ---

METHODS = [
    "BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov",
    "trust-exact", "dogleg", "trust-constr", "Nelder-Mead", "Powell", "COBYLA",
]  # fmt: skip


@pytest.fixture
def optimize():
    return pytest.importorskip("scipy.optimize", reason="SciPy is not installed (extra scipy)")


def valley(p):
    """Rosenbrock's, whose least is 0 at (1, 1)."""
    x, y = p
    return (1 - x) ** 2 + 10 * (y - x * x) ** 2


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_end_of_the_valley(method, optimize):
    options = {"maxiter": 2000} if method in ("Nelder-Mead", "Powell", "COBYLA") else {}
    start = (1.2, 1.3) if method == "dogleg" else (-0.5, 0.7)  # dogleg goes where it is convex
    found = optim.minimize(valley, start, method=method, tol=1e-8, options=options)
    assert isinstance(found.x, tuple) and all(type(x) is float for x in found.x)
    np.testing.assert_allclose(found.x, (1, 1), atol=2e-3)
    assert type(found) is optimize.OptimizeResult


def test_trees_and_modules_come_back_as_they_were_given(optimize):
    exact, *_ = np.linalg.lstsq(np.column_stack([X, np.ones(30)]), Y)
    params = {"w": np.zeros(3, np.float32), "b": [0]}
    seen = []
    found = optim.minimize(
        lambda p, scale: scale * np.sum((X @ p["w"] + p["b"][0] - Y) ** 2), params, (2.0,),
        method="L-BFGS-B", callback=lambda p: seen.append(p["w"].shape),
    )  # fmt: skip
    assert found.x["w"].dtype == np.float32 and type(found.x["b"][0]) is float
    np.testing.assert_allclose(found.x["w"], exact[:3], rtol=1e-4)
    assert seen and {*seen} == {(3,)}
    model = nn.Linear(3, 1, rng=0)
    before = model.weight.data
    found = optim.minimize(lambda m: nn.mse_loss(m(X)[:, 0], Y), model)
    assert isinstance(found.x, nn.Linear) and found.x.weight.requires_grad
    np.testing.assert_allclose(found.x.weight.data[0], exact[:3], rtol=1e-5)
    np.testing.assert_array_equal(model.weight.data, before)


def test_bounds_and_derivatives_by_hand(optimize):
    found = optim.minimize(valley, [0.5, 0.2], method="L-BFGS-B", bounds=[(0, 0.8), (0, 1)])
    np.testing.assert_allclose(found.x, [0.8, 0.64], rtol=1e-5)
    with pytest.raises(TypeError, match="leave out jac"):
        optim.minimize(valley, [0.5, 0.2], jac=grad(valley))
    with pytest.raises(TypeError, match="one number"):
        optim.minimize(lambda x: x, np.ones(2))


def test_searches_of_scipy_called_by_yourself(optimize):
    found = optimize.minimize(*optim.with_gradient(valley, (-0.5, 0.7)), jac=True, method="BFGS")
    np.testing.assert_allclose(found.x, [1, 1], rtol=1e-4)
    f = lambda x: np.stack([x[0] + np.sin(x[1]) - 1, x[0] * x[1] - 0.2])
    root = optimize.root(f, [1.0, 0.5], jac=jacobian(f))
    np.testing.assert_allclose(f(root.x), 0, atol=1e-10)
    t = np.linspace(0, 3, 40)
    decay = lambda p: p[0] * np.exp(-p[1] * t) - 2 * np.exp(-0.7 * t)
    fitted = optimize.least_squares(decay, [1.0, 1.0], jac=jacobian(decay))
    np.testing.assert_allclose(fitted.x, [2, 0.7], rtol=1e-8)
    curved = hessian(lambda x: valley(x))(np.ones(2))
    np.testing.assert_allclose(curved, [[82, -40], [-40, 20]])
