"""Derivatives of functions: JAX's signatures, trees, nesting, closures, and what comes back."""

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp


class Pair(NamedTuple):
    a: object
    b: object


def test_plain_in_plain_out():
    x = np.array([1.0, 2.0])
    results = [
        grad(np.sum)(x), value_and_grad(np.sum)(x)[0], vjp(np.sin, x)[0],
        vjp(np.sin, x)[1](x)[0], jvp(np.sin, (x,), (x,))[1], jacobian(np.sin)(x),
        hessian(np.sum)(x), hvp(np.prod, (x,), (x,)),
    ]  # fmt: skip
    for result in results:
        assert isinstance(result, np.ndarray | np.floating)
    gradient = grad(np.sum)(x)
    gradient *= 2  # it is the user's own


def test_tensors_in_tensors_out_and_recorded_if_they_are():
    x = Tensor([1.0, 2.0])
    assert isinstance(grad(lambda x: np.sum(x**3))(x), Tensor)
    x.requires_grad = True
    g = grad(lambda x: np.sum(x**3))(x)
    assert g.requires_grad
    g.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [6, 12])
    with no_grad():
        assert not grad(lambda x: np.sum(x**3))(x).requires_grad


def test_argnums_and_keywords_and_aux():
    def f(a, b, *, c):
        return np.sum(a * b**2) * c, {"seen": a}

    (value, aux), (by_b, by_a) = value_and_grad(f, (1, 0), has_aux=True)(2.0, 3.0, c=10.0)
    assert (value, by_b, by_a) == (180, 120, 90)
    assert aux["seen"] == 2
    gradient, aux = grad(f, 1, has_aux=True)(2.0, 3.0, c=10.0)
    assert gradient == 120
    with pytest.raises(TypeError, match="argnums"):
        grad(np.sum, 3)(np.ones(2))
    with pytest.raises(TypeError, match="pair"):
        grad(np.sum, has_aux=True)(np.ones(2))


def test_aux_is_handed_through_every_derivative():
    def f(a, b):
        return a**2 * b, {"seen": a + b, "name": "f"}

    x, u = np.array([2.0, 3.0]), np.array([1.0, 10.0])
    y, tangent, aux = jvp(f, (x, 4.0), (u, 0.0), has_aux=True)
    np.testing.assert_array_equal(y, [16, 36])
    np.testing.assert_array_equal(tangent, [16, 240])
    (by_a, by_b), of_jacobian = jacobian(f, (0, 1), has_aux=True)(x, 4.0)
    np.testing.assert_array_equal(by_a, [[16, 0], [0, 24]])
    np.testing.assert_array_equal(by_b, [4, 9])
    H, of_hessian = hessian(lambda a: f(a, 4.0), has_aux=True)(2.0)
    assert (H, of_hessian["seen"]) == (8, 6)
    for found in (aux, of_jacobian):
        assert type(found["seen"]) is np.ndarray
        np.testing.assert_array_equal(found["seen"], [6, 7])
        assert found["name"] == "f"
    for derivative in (jacobian, hessian):
        with pytest.raises(TypeError, match="pair"):
            derivative(np.sum, has_aux=True)(x)
    with pytest.raises(TypeError, match="pair"):
        jvp(np.sum, (x,), (u,), has_aux=True)


def test_derivatives_have_the_form_of_the_trees_they_are_of():
    tree = {"w": [np.array([1.0, 2.0]), 3.0], "p": Pair(4.0, (5.0, None))}

    def f(t):
        return np.sum(t["w"][0] ** 2) * t["w"][1] + t["p"].a * t["p"].b[0]

    g = grad(f)(tree)
    np.testing.assert_array_equal(g["w"][0], [6, 12])
    assert g["w"][1] == 5
    assert g["p"] == Pair(5, (4, None))
    value, tangent = jvp(lambda t: {"y": f(t)}, (tree,), (tree,))
    assert tangent["y"] == 3 * 15 + 2 * 20
    assert value["y"] == 35
    J = jacobian(lambda t: {"y": t["a"] * 2, "z": t["b"]})({"a": np.ones(2), "b": 1.0})
    np.testing.assert_array_equal(J["y"]["a"], 2 * np.eye(2))
    np.testing.assert_array_equal(J["y"]["b"], np.zeros(2))
    assert J["z"]["b"] == 1


def test_nesting_to_the_fourth_derivative():
    f = lambda x: x**5
    for expected in (5 * 16, 20 * 8, 60 * 4, 120 * 2):
        f = grad(f)
        assert f(2.0) == expected


def test_no_perturbation_is_confused_with_another():
    """Siskind and Pearlmutter, Perturbation confusion in forward AD, 2005."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1
    inner = lambda x: jvp(lambda y: x + y, (1.0,), (1.0,))[1]
    assert jvp(lambda x: x * inner(x), (1.0,), (1.0,))[1] == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6


def test_all_ways_to_a_second_derivative_agree():
    x, u = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2.0, -0.5])
    f = lambda x: np.sum(np.sin(x) * np.roll(x, 1) ** 2)
    H = hessian(f)(x)
    np.testing.assert_allclose(H, H.T, rtol=1e-14, atol=1e-15)
    for product in (
        hvp(f, (x,), (u,)),
        grad(lambda x: np.sum(grad(f)(x) * u))(x),
        grad(lambda x: jvp(f, (x,), (u,))[1])(x),
        vjp(grad(f), x)[1](u)[0],
        jacobian(lambda x: jvp(f, (x,), (u,))[1])(x),
    ):
        np.testing.assert_allclose(product, H @ u, rtol=1e-13)
    second = jvp(lambda x: jvp(f, (x,), (u,))[1], (x,), (u,))[1]
    assert second == pytest.approx(u @ H @ u, rel=1e-13)


def test_closed_over_tensors_are_differentiated_through():
    w = Tensor([2.0, 3.0], requires_grad=True)
    g = grad(lambda x: np.sum(w * x**2))(np.ones(2))
    assert isinstance(g, Tensor)
    np.testing.assert_array_equal(g.data, [4, 6])
    g.sum().backward()
    np.testing.assert_array_equal(w.grad.data, [2, 2])
    with no_grad():
        assert type(grad(lambda x: np.sum(w * x**2))(np.ones(2))) is np.ndarray


def test_a_closed_over_tensor_that_is_itself_a_result_keeps_its_gradient():
    as_value = lambda z: value_and_grad(lambda x: z)(1.0)[0]
    as_part = lambda z: vjp(lambda x: (2 * x, z), 1.0)[0][1]
    as_aux = lambda z: grad(lambda x: (x, {"seen": z * 1}), has_aux=True)(1.0)[1]["seen"]
    without_inputs = lambda z: vjp(lambda: z)[0]
    for inner in (as_value, as_part, as_aux, without_inputs):
        assert grad(lambda w, inner=inner: inner(w * w))(3.0) == 6
    assert type(as_aux(2.0)) is not Tensor


def test_dicts_are_matched_by_name_and_structures_compared():
    _, pullback = vjp(lambda a: {"a": 2 * a, "b": (3 * a, None)}, 1.0)
    assert pullback({"b": (1.0, None), "a": 0.0}) == (3,)
    for wrong in ({"a": 0.0}, {"a": 0.0, "c": (1.0, None)}, {"a": 0.0, "b": [1.0, None]}, 1.0):
        with pytest.raises(ValueError, match=r"cotangents: .*{'a': ·, 'b': \(·, None\)}"):  # fmt: skip  # noqa: E501
            pullback(wrong)
    product = lambda d: d["x"] * d["y"]
    assert jvp(product, ({"x": 2.0, "y": 5.0},), ({"y": 1.0, "x": 0.0},))[1] == 2
    model = tg.nn.Linear(2, 1, rng=0)
    with pytest.raises(ValueError, match=r"Linear\(weight, bias\)"):
        jvp(lambda m: m(np.ones(2)), (model,), (tg.nn.Linear(2, 1, bias=False),))


@pytest.mark.parametrize("argnums", [np.int64(1), (np.int64(1),), range(1, 2), -1])
def test_argnums_may_be_any_integers(argnums):
    found = grad(lambda a, b: a * b, argnums)(2.0, 3.0)
    assert found == (2 if np.ndim(argnums) == 0 else (2,))


def test_gradients_of_closed_over_tensors_are_left_alone():
    w = Tensor([2.0, 3.0], requires_grad=True)
    grad(lambda x: np.sum(w * x))(np.ones(2))
    assert w.grad is None


def test_zeros_where_nothing_depends():
    x = np.ones((2, 3))
    np.testing.assert_array_equal(grad(lambda x: 3.0)(x), np.zeros((2, 3)))
    np.testing.assert_array_equal(grad(lambda x, y: np.sum(y), 0)(x, x), np.zeros((2, 3)))
    assert jvp(lambda x: 3.0, (x,), (x,)) == (3, 0)
    np.testing.assert_array_equal(hessian(np.sum)(np.ones(2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.sign(x)))(x), np.zeros((2, 3)))
    np.testing.assert_array_equal(jacobian(lambda x: x[:0])(np.ones(2)), np.zeros((0, 2)))


def test_the_pullback_can_be_called_again():
    _, pullback = vjp(lambda x, y: (x * y, x), 2.0, 3.0)
    for _ in range(2):
        assert pullback((1.0, 0.0)) == (3, 2)
        assert pullback((0.0, 1.0)) == (1, 0)


def test_what_does_not_fit_is_refused():
    x = np.ones(2)
    with pytest.raises(TypeError, match=r"\(2,\).*jacobian"):
        grad(lambda x: x * 2)(x)
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        vjp(np.sin, x)[1](np.ones(3))
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        jvp(np.sin, (x,), (np.ones(3),))
    with pytest.raises(TypeError, match=r"jvp\(f, \(x,\), \(t,\)\)"):
        jvp(np.sin, x, x)
    with pytest.raises(ValueError, match=r"tangents: .*\(·, ·\).*\(·\)"):
        jvp(np.sin, (x,), (x, x))
    with pytest.raises(TypeError, match="twice"):
        grad(lambda a, b: a * b, (0, -2))(1.0, 2.0)


def test_names_and_docs_are_kept():
    def loss(x):
        """The loss."""
        return np.sum(x)

    assert grad(loss).__name__ == "loss"


def test_jacobian_shapes():
    J = jacobian(lambda x: np.outer(x, x))(np.arange(3.0))
    assert J.shape == (3, 3, 3)
    by_a, by_b = jacobian(lambda a, b: a @ b, (0, 1))(np.ones((2, 3)), np.ones(3))
    assert by_a.shape == (2, 2, 3)
    np.testing.assert_array_equal(by_b, np.ones((2, 3)))


def test_backward_with_create_graph_can_be_differentiated_again():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.sum().backward()
    np.testing.assert_array_equal(first.data, [3, 12])
    np.testing.assert_array_equal(x.grad.data, [6, 12])


def test_second_order_through_a_module():
    model = tg.nn.Sequential(tg.nn.Linear(2, 3, rng=0), tg.nn.Tanh(), tg.nn.Linear(3, 1, rng=1))
    x = np.array([[0.5, -1.0]])
    slope = grad(lambda x: model(x).sum())(x)
    (slope**2).sum().backward()
    h = 1e-6
    w = model[0].weight
    found, start = w.grad.data[1, 0], w.data.copy()
    penalty = []
    for sign in (1, -1):
        moved = start.copy()
        moved[1, 0] += sign * h
        w.data = moved
        penalty.append(np.sum(grad(lambda x: model(x).sum())(x).data ** 2))
    assert found == pytest.approx((penalty[0] - penalty[1]) / (2 * h), rel=1e-7)


def test_tangents_and_cotangents_can_be_differentiated_by():
    x, u = np.array([0.5, 2.0]), np.array([3.0, -1.0])
    by_cotangent = grad(lambda v: np.sum(vjp(np.sin, x)[1](v)[0] ** 2))(u)
    np.testing.assert_allclose(by_cotangent, 2 * u * np.cos(x) ** 2, rtol=1e-14)
    _, pullback = vjp(np.sin, x)
    outside = grad(lambda v: np.sum(pullback(v)[0] ** 2))(u)
    np.testing.assert_array_equal(outside.data, by_cotangent)
    by_tangent = grad(lambda t: np.sum(jvp(np.sin, (x,), (t,))[1] ** 2))(u)
    np.testing.assert_allclose(by_tangent, 2 * u * np.cos(x) ** 2, rtol=1e-14)


def test_an_argument_in_the_place_of_argnums_is_refused():
    x = np.ones(3)
    for maker in (tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian):
        for given in (x, 1.5, Tensor(x), [1.0, 2.0], None, True, "0", (0, 1.0)):
            with pytest.raises(TypeError, match=rf"{maker.__name__}\(f\)\(x\)"):
                maker(np.sum, given)
    assert tg.jacobian(np.multiply, range(2))(1.0, 2.0) == (2.0, 1.0)
    assert tg.grad(np.multiply, np.int64(1))(3.0, 2.0) == 3.0
