"""Linear algebra of Tensors: formulas derived by hand, PyTorch's slopes, and what is refused."""

import numpy as np
import pytest

from tinygrad_slp import Tensor, grad, hessian, jacobian, jit

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 3)) + 4 * np.eye(3)
S = A @ A.T  # symmetric, positive definite
B = RNG.normal(size=(3, 2))


def symmetric(slope):
    """What of a cotangent counts along symmetric matrices."""
    return (slope + slope.mT) / 2


# --- formulas derived by hand ---


def test_the_slope_of_log_det_is_the_inverse():
    """d log|A| = tr(A⁻¹dA)"""
    np.testing.assert_allclose(grad(lambda a: np.linalg.slogdet(a)[1])(A), np.linalg.inv(A).T)
    np.testing.assert_allclose(grad(np.linalg.det)(A), np.linalg.det(A) * np.linalg.inv(A).T)
    inverse = np.linalg.inv(S)
    found = hessian(lambda a: np.linalg.slogdet(a).logabsdet)(S)
    np.testing.assert_allclose(found, -np.einsum("li,jk->ijkl", inverse, inverse), rtol=1e-9)


def test_the_likelihood_of_a_gaussian_process():
    """log p = −½yᵀK⁻¹y − ½log|K|, so ∂/∂θ = ½αᵀ(∂K/∂θ)α − ½tr(K⁻¹∂K/∂θ), α = K⁻¹y: Rasmussen and
    Williams, Gaussian processes for machine learning, 2006, equation 5.9."""
    x = np.linspace(0, 1, 6)
    y, far = np.sin(5 * x), (x[:, None] - x) ** 2

    def log_likelihood(length):
        k = np.exp(-far / (2 * length**2)) + 0.1 * np.eye(6)
        factor = np.linalg.cholesky(k)
        z = np.linalg.solve(factor, y)
        return -0.5 * np.sum(z * z) - np.sum(np.log(np.diagonal(factor)))

    length = 0.3
    k = np.exp(-far / (2 * length**2))
    slope, inverse = k * far / length**3, np.linalg.inv(k + 0.1 * np.eye(6))
    alpha = inverse @ y
    by_hand = 0.5 * alpha @ slope @ alpha - 0.5 * np.trace(inverse @ slope)
    assert grad(log_likelihood)(length) == pytest.approx(by_hand, rel=1e-10)


def test_eigenvalues_of_a_symmetric_matrix_add_up_to_its_trace():
    np.testing.assert_allclose(
        grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(S), np.eye(3), atol=1e-12
    )
    v = np.linalg.eigh(S)[1]
    largest = grad(lambda a: np.linalg.eigh(a).eigenvalues[-1])(S)
    np.testing.assert_allclose(symmetric(largest), np.outer(v[:, -1], v[:, -1]), atol=1e-12)


def test_singular_values_squared_add_up_to_the_squares_of_the_elements():
    f = lambda a: np.sum(np.linalg.svdvals(a) ** 2)
    np.testing.assert_allclose(grad(f)(B), 2 * B, rtol=1e-12)
    np.testing.assert_allclose(hessian(f)(B).reshape(6, 6), 2 * np.eye(6), atol=1e-10)
    u, _, vt = np.linalg.svd(B, full_matrices=False)
    np.testing.assert_allclose(grad(lambda a: np.sum(np.linalg.svdvals(a)))(B), u @ vt, atol=1e-12)


def test_what_a_decomposition_is_put_together_from_gives_the_matrix_again():
    """The Jacobian of A ↦ UΣVᵀ, QR and LLᵀ is the identity."""

    def again_by_svd(a):
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        return (u * s) @ vt

    def again_by_qr(a):
        q, r = np.linalg.qr(a)
        return q @ r

    for f, a in ((again_by_svd, B), (again_by_svd, B.T), (again_by_qr, B), (again_by_qr, A)):
        np.testing.assert_allclose(jacobian(f)(a).reshape(a.size, -1), np.eye(a.size), atol=1e-11)
    factor = lambda a: np.linalg.cholesky((a + a.T) / 2)
    found = jacobian(lambda a: factor(a) @ factor(a).T)(S).reshape(9, 9)
    swap = np.eye(9).reshape(3, 3, 3, 3).swapaxes(0, 1).reshape(9, 9)
    np.testing.assert_allclose(found, (np.eye(9) + swap) / 2, atol=1e-11)


def test_least_squares_by_its_normal_equations():
    y = RNG.normal(size=5)
    x = RNG.normal(size=(5, 2))
    f = lambda x, y: np.sum(np.linalg.lstsq(x, y)[0] * np.array([1.0, -2]))
    g = lambda x, y: np.sum(np.linalg.solve(x.T @ x, x.T @ y) * np.array([1.0, -2]))
    for found, expected in zip(grad(f, (0, 1))(x, y), grad(g, (0, 1))(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8)
    of_array, of_tensor = np.linalg.lstsq(x, y), np.linalg.lstsq(Tensor(x), y)
    for a, b in zip(of_array, of_tensor, strict=True):
        np.testing.assert_allclose(b.data if isinstance(b, Tensor) else b, a, rtol=1e-10)


def test_powers_and_chains():
    np.testing.assert_allclose(
        grad(lambda a: np.trace(np.linalg.matrix_power(a, 3)))(A), 3 * (A @ A).T
    )
    np.testing.assert_array_equal(np.linalg.matrix_power(Tensor(A), 0), np.eye(3))
    a, b, c = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=4)
    np.testing.assert_allclose(np.linalg.multi_dot([Tensor(a), b, c]).data, a @ b @ c)
    with pytest.raises(TypeError):
        np.linalg.matrix_power(Tensor(A), 2.0)


# --- beside PyTorch ---

FUNCTIONS = {
    "inv": (np.linalg.inv, A), "det": (np.linalg.det, A), "pinv": (np.linalg.pinv, B),
    "cholesky": (np.linalg.cholesky, S), "eigvalsh": (np.linalg.eigvalsh, S),
    "svdvals": (np.linalg.svdvals, B), "cond": (np.linalg.cond, A),
    "slogdet": (lambda a: np.linalg.slogdet(a)[1], A),
    "qr": (lambda a: np.linalg.qr(a)[0] ** 2, B), "eigh": (lambda a: np.linalg.eigh(a)[1] ** 2, S),
    "svd": (lambda a: np.linalg.svd(a, full_matrices=False)[2] ** 2, B),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes_of_both_orders_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours, a = FUNCTIONS[name]
    linalg = torch.linalg
    theirs = {
        "slogdet": lambda a: linalg.slogdet(a)[1], "qr": lambda a: linalg.qr(a)[0] ** 2,
        "eigh": lambda a: linalg.eigh(a)[1] ** 2,
        "svd": lambda a: linalg.svd(a, full_matrices=False)[2] ** 2,
    }.get(name) or getattr(linalg, name)  # fmt: skip
    batch = np.stack([a, a + 0.1 * np.eye(*a.shape)])
    weight = RNG.normal(size=np.shape(ours(batch)))
    along = RNG.normal(size=batch.shape)
    along = symmetric(along) if name in ("cholesky", "eigvalsh", "eigh") else along
    f = lambda a: np.sum(weight * ours(a))
    first = grad(f)(batch)
    t = torch.tensor(batch, requires_grad=True)
    (expected,) = torch.autograd.grad(
        (torch.tensor(weight) * theirs(t)).sum(), t, create_graph=True
    )
    assert np.sum(first * along) == pytest.approx(
        (expected * torch.tensor(along)).sum().item(), rel=1e-8
    )
    second = grad(lambda a: np.sum(grad(f)(a) * along))(batch)
    (curved,) = torch.autograd.grad((expected * torch.tensor(along)).sum(), t)
    found, expected = np.sum(second * along), (curved * torch.tensor(along)).sum().item()
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-9)


# --- jit, and what is refused ---


def test_a_step_with_a_decomposition_is_compiled_in_parts():
    @jit
    def step(a, b):
        return np.sum(np.linalg.solve(a, b) ** 2) + np.linalg.slogdet(a)[1]

    gradient = jit(grad(lambda a, b: np.sum(np.linalg.solve(a, b) ** 2) + np.linalg.slogdet(a)[1]))
    for _ in range(2):
        assert step(A, B).item() == pytest.approx(
            np.sum(np.linalg.solve(A, B) ** 2) + np.linalg.slogdet(A)[1]
        )
        np.testing.assert_allclose(
            np.asarray(gradient(A, B)),
            grad(lambda a: np.sum(np.linalg.solve(a, B) ** 2) + np.linalg.slogdet(a)[1])(A),
        )


@pytest.mark.parametrize(
    ("f", "a", "words"),
    [
        (lambda a: np.linalg.eigh(a)[1], np.eye(3), "same"),
        (lambda a: np.linalg.svd(a)[0], np.eye(2), "same"),
        (lambda a: np.linalg.svd(a)[0], B, "full_matrices=False"),
        (lambda a: np.linalg.svd(a, full_matrices=False)[0], np.outer([1.0, 2, 3], [1, 2]), "is 0"),
        (np.linalg.qr, B.T, "wider"),
        (lambda a: np.linalg.qr(a, mode="complete"), B, "complete"),
        (np.linalg.inv, np.zeros((2, 2)), "Singular"),
        (np.linalg.cholesky, -S, "positive definite"),
        (lambda a: np.linalg.eigh(a, UPLO="X"), S, "UPLO"),
    ],
)  # fmt: skip
def test_what_has_no_derivative_is_an_error(f, a, words):
    with pytest.raises((ValueError, np.linalg.LinAlgError), match=words):
        grad(lambda a: np.sum(np.square(f(a)[0] if isinstance(f(a), tuple) else f(a))))(a)


def test_values_alone_have_slopes_where_vectors_have_none():
    np.testing.assert_allclose(
        grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(np.eye(3)), 2 * np.eye(3), atol=1e-12
    )
    with pytest.raises(ValueError, match="second derivatives"):
        hessian(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(np.eye(3))


def test_rank_is_a_plain_number():
    assert np.linalg.matrix_rank(Tensor(B, requires_grad=True)) == 2


# --- products and norms ---

V, W = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 2, 3))
SAME = {
    "kron": (np.kron, lambda a: np.einsum("ij,kl->ikjl", a, A).reshape(6, 9), (A,)),
    "cross": (np.cross, lambda a: np.stack([np.linalg.det(np.stack(
        [e + 0 * a, a, V + 0 * a], axis=-2)) for e in np.eye(3)], axis=-1), (V,)),
    "vecdot": (np.linalg.vecdot, lambda a: np.sum(a * W, axis=-1), (W,)),
    "outer": (lambda a, b: np.linalg.outer(a[0], b), lambda a: a[0][:, None] * A[:1], (A[0],)),
    "tensordot": (np.linalg.tensordot, lambda a: np.einsum("ij,kij->k", a, W),
                  (np.moveaxis(W, 0, -1),)),
    "matmul": (np.linalg.matmul, lambda a: a @ A, (A,)),
    "trace": (np.linalg.trace, lambda a: a[0, 0] + a[1, 1], ()),
    "diagonal": (np.linalg.diagonal, lambda a: a[[0, 1], [0, 1]], ()),
    "matrix_transpose": (np.linalg.matrix_transpose, lambda a: a.T, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_a_product_has_the_slopes_of_its_sum_by_hand(name):
    function, by_hand, others = SAME[name]
    weight = RNG.normal(size=np.shape(by_hand(V)))
    np.testing.assert_allclose(function(V, *others), by_hand(V), rtol=1e-12)
    found = grad(lambda a: np.sum(weight * function(a, *others) ** 2))(V)
    expected = grad(lambda a: np.sum(weight * by_hand(a) ** 2))(V)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("order", [2, -2, "nuc", "fro", 1, -np.inf])
def test_norms_of_matrices_are_those_of_numpy_along_any_two_axes(order):
    for axes in (0, 1), (2, 0), (-2, -1):
        for keepdims in (False, True):
            f = lambda x, a=axes, k=keepdims: np.linalg.norm(x, order, axis=a, keepdims=k)
            np.testing.assert_allclose(f(Tensor(W)).data, f(W), rtol=1e-12)
    along = RNG.normal(size=W.shape)
    f = lambda x: np.sum(np.linalg.norm(x, order, axis=(2, 0)) ** 2)
    slope = (f(W + 1e-6 * along) - f(W - 1e-6 * along)) / 2e-6
    assert np.sum(grad(f)(W) * along) == pytest.approx(slope, rel=1e-6)


def test_the_slope_of_a_determinant_is_its_cofactors_at_singular_matrices_too():
    for a, cofactors in (
        ([[1.0, 2], [2, 4]], [[4, -2], [-2, 1]]),
        ([[0.0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]]),
        ([[5.0]], [[1]]),
    ):
        np.testing.assert_allclose(grad(np.linalg.det)(np.array(a)), cofactors, atol=1e-12)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        hessian(np.linalg.det)(np.array([[1.0, 2], [2, 4]]))


def test_singular_values_that_tie_share_the_slope():
    np.testing.assert_allclose(
        grad(lambda a: np.linalg.norm(a, 2))(np.eye(2)), np.eye(2) / 2, atol=1e-15
    )
    np.testing.assert_allclose(grad(np.linalg.cond)(np.eye(3)), np.zeros((3, 3)), atol=1e-15)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (np.linalg.eig, "eigh"), (np.linalg.eigvals, "eigvalsh"),
        (lambda a: np.cross(a, a), "3 numbers, got 2"),
        (lambda a: np.linalg.outer(a, a), "np.outer"),
        (lambda a: np.vecdot(a * 1j, a), "conjugates"),
        (lambda a: np.linalg.norm(a, "other"), "'nuc'"),
    ],
)  # fmt: skip
def test_other_products_and_eigenvalues_say_what_to_write(f, words):
    with pytest.raises((TypeError, ValueError), match=words):
        f(Tensor(B[:2], requires_grad=True))


def test_lists_and_shapes_are_taken_as_numpy_takes_them():
    v = [1.0, 2, 3]
    for f, *given in (
        (np.linalg.solve, A, v), (np.linalg.solve, A.tolist(), np.array(v)),
        (lambda a, b: np.linalg.lstsq(a, b)[0], B, v),
        (lambda a, b: np.linalg.lstsq(a, b)[1], B, v),
        (lambda a, b: np.linalg.lstsq(a, b)[1], B.T, v[:2]),
        (lambda a, b: np.linalg.lstsq(a, b)[1], A, v),
    ):  # fmt: skip
        found = f(*(x if isinstance(x, list) else Tensor(x, requires_grad=True) for x in given))
        expected = f(*given)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.data, expected, rtol=1e-9)
    vector, matrix = Tensor(v, requires_grad=True), Tensor(B, requires_grad=True)
    for power in 0, 1, 2:
        with pytest.raises(np.linalg.LinAlgError, match=r"\(3, 2\)"):
            np.linalg.matrix_power(matrix, power)
    if hasattr(np, "matvec"):
        for f in np.matvec, np.vecmat:
            with pytest.raises(ValueError, match=r"\(3,\) and \(3,\)"):
                f(vector, vector)


def test_a_list_beside_whole_numbers_keeps_its_fractions():
    whole = np.array([[2, 1], [1, 3]])
    for f in (lambda b: np.kron([1.5, 2], b), lambda b: np.linalg.solve([[1.5, 0], [0, 1]], b)):
        np.testing.assert_allclose(f(Tensor(whole)).data, f(whole))
