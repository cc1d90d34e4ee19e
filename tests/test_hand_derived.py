"""Autodiff gives what textbooks derive by hand, on data that Hypothesis draws.

All data are multiples of ¼: a sum such as w·x + b is then exact in any order, and all that is left
to differ is the rounding of the formulas themselves. Sizes are drawn pairwise different, so that a
transposed or mistaken axis cannot hide. `close` compares on a scale: the sum of the magnitudes of
the terms that a formula adds, which is what rounding is relative to.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, tutorial

TOLERANCE = 1e-14
UNDERFLOW = 1e-300


def close(found, expected, scale, tolerance=TOLERANCE):
    """Whether two arrays of one shape differ by rounding only."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    return bool(np.all(np.abs(found - expected) <= tolerance * np.asarray(scale) + UNDERFLOW))


def gradients(loss, *points):
    """Gradients by `backward`, which the functional `grad` repeats to the last bit."""
    leaves = [Tensor(x, requires_grad=True) for x in points]
    loss(*leaves).backward()
    found = [x.grad.data for x in leaves]
    for g, again in zip(found, tg.grad(loss, range(len(points)))(*points), strict=True):
        np.testing.assert_array_equal(g, again)
    return found


def σ(z):
    """The sigmoid, without overflow on either side."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e / (1 + e), 1 / (1 + e))


# --- what is drawn ---


def quarters(low, high, *shape):
    """Arrays of multiples of ¼."""
    return arrays(np.float64, shape, elements=st.integers(4 * low, 4 * high).map(lambda k: k / 4))


def sizes(count, least=1):
    """Pairwise different sizes."""
    return st.lists(st.integers(least, 6), min_size=count, max_size=count, unique=True)


@st.composite
def perceptrons(draw, slopes=(1, 16, 256)):
    """X (n, d), y (n,), w (d,), b (): an ordinary neuron, or one saturated up to |z| of 1000s."""
    n, d = draw(sizes(2))
    steep = draw(st.sampled_from(slopes))
    X, w, b = draw(quarters(-2, 2, n, d)), draw(quarters(-2, 2, d)), draw(quarters(-2, 2))
    return X, draw(quarters(0, 1, n)), steep * w, steep * b


@st.composite
def two_layers(draw):
    """X (n, d), Y (n, m), W1 (d, h), b1 (h,), W2 (h, m), b2 (m,)."""
    n, d, h, m = draw(sizes(4))
    layer = [draw(quarters(-2, 2, *shape)) for shape in [(n, d), (d, h), (h,), (h, m), (m,)]]
    return layer[0], draw(quarters(0, 1, n, m)), *layer[1:]


@st.composite
def classifications(draw):
    """X (n, d), W (d, c), b (c,) and the class of each sample (n,); logits up to 1000s."""
    n, d, c = draw(sizes(3, least=2))
    steep = draw(st.sampled_from([1, 64]))
    X, W, b = draw(quarters(-2, 2, n, d)), draw(quarters(-2, 2, d, c)), draw(quarters(-2, 2, c))
    return X, steep * W, steep * b, draw(arrays(np.int64, n, elements=st.integers(0, c - 1)))


# --- the tutorial's perceptron: L = (1/n) Σ (σ(w·x + b) − y)² ---


def perceptron_loss(X, y):
    return lambda w, b: np.mean((tg.sigmoid(X @ w + b) - y) ** 2)


@given(perceptrons())
def test_descent_of_one_sample(data):
    """gradW = −(ŷ − y)·ŷ·(1 − ŷ)·x, gradB without x: −½ of the gradient of (ŷ − y)²."""
    X, y, w, b = data
    for x, t in zip(X, y, strict=True):
        gw, gb = gradients(lambda w, b, x=x, t=t: (tg.sigmoid(np.dot(w, x) + b) - t) ** 2, w, b)
        a = σ(w @ x + b)
        d = -(a - t) * a * (1 - a)
        assert close(-gw / 2, d * x, np.abs(d * x))
        assert close(-gb / 2, d, np.abs(d))
        for found, expected in zip((d * x, d), tutorial.descent(x, t, w, b), strict=True):
            assert close(found, expected, np.abs(expected))


@given(perceptrons())
def test_update_of_a_batch_is_the_mean_of_twice_the_descents(data):
    """w ← w + (2/n) Σ gradWᵢ is one step of SGD with learning rate 1 on nn.Perceptron."""
    X, y, w, b = data
    model = nn.Perceptron(len(w))
    model.weight.data, model.bias.data = w, b
    nn.MSELoss()(model(X), y).backward()
    steps = [tutorial.descent(x, t, w, b) for x, t in zip(X, y, strict=True)]
    for parameter, descents in zip(
        (model.weight, model.bias), zip(*steps, strict=True), strict=True
    ):
        expected = 2 / len(X) * np.sum(descents, axis=0)
        scale = 2 / len(X) * np.sum(np.abs(descents), axis=0)
        assert close(-parameter.grad.data, expected, scale)


@given(perceptrons())
def test_the_matrix_form_is_the_gradient_however_it_is_written(data):
    """∂L/∂w = (2/n)·Xᵀ[(a − y) ⊙ a ⊙ (1 − a)], ∂L/∂b without Xᵀ, three ways of writing L."""
    X, y, w, b = data
    n, d = X.shape
    a = σ(X @ w + b)
    dz = 2 / n * (a - y) * a * (1 - a)
    gw, gb = X.T @ dz, np.sum(dz)
    scale_w, scale_b = np.abs(X).T @ np.abs(dz), np.sum(np.abs(dz))
    written = perceptron_loss(X, y)
    named = lambda w, b: nn.mse_loss(tg.sigmoid(np.dot(X, w) + b), y)
    for found in (gradients(written, w, b), gradients(named, w, b), tutorial.gradient(X, y, w, b)):
        assert close(found[0], gw, scale_w)
        assert close(found[1], gb, scale_b)
    layers = nn.Sequential(nn.Linear(d, 1), nn.Sigmoid())
    layers[0].weight.data, layers[0].bias.data = w[None, :], b[None]
    nn.MSELoss()(layers(X), y[:, None]).backward()
    assert close(layers[0].weight.grad.data, gw[None, :], scale_w)
    assert close(layers[0].bias.grad.data, gb[None], scale_b)


@pytest.mark.parametrize("z", [-1e3, -746.0, -709.5, -690.0, -36.5, -0.0, 36.5, 37.5, 709.5, 1e3])
@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
def test_a_saturated_perceptron_keeps_its_tail_and_has_no_nan(z, y):
    """No NaN, no overflow at the edges of the exponential; for z ≪ 0 the tail is kept."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        (g,) = gradients(lambda z: (tg.sigmoid(z) - y) ** 2, z)
    a, rest = σ(z), σ(-z)
    # The formula takes 1 − a from the rounded a, so that much of `rest` is lost near a = 1.
    lost = np.finfo(float).eps / TOLERANCE
    assert close(g, 2 * (a - y) * a * rest, 2 * (a + y) * a * (rest + lost))
    if y and -700 < z < 0:
        assert g != 0


# --- second derivatives of the perceptron's loss ---


@given(perceptrons())
def test_hessian_of_the_perceptron(data):
    """∂²L/∂zᵢ² = (2/n)·s·(s + (a − y)(1 − 2a)) = Dᵢᵢ with s = a(1 − a); H = [X 1]ᵀ D [X 1]."""
    X, y, w, b = data
    n, d = X.shape
    loss = perceptron_loss(X, y)
    a = σ(X @ w + b)
    s = a * (1 - a)
    Z = np.hstack([X, np.ones((n, 1))])
    H = Z.T @ np.diag(2 / n * s * (s + (a - y) * (1 - 2 * a))) @ Z
    scale = np.abs(Z).T @ np.diag(2 / n * s * (s + np.abs(a - y))) @ np.abs(Z)

    (ww, wb), (bw, bb) = tg.hessian(loss, (0, 1))(w, b)
    assert close(np.block([[ww, wb[:, None]], [bw[None, :], bb[None, None]]]), H, scale)

    tangent = np.arange(1.0, d + 2)
    Hw, Hb = tg.hvp(loss, (w, b), (tangent[:d], tangent[d]))
    assert close(np.append(Hw, Hb), H @ tangent, scale @ tangent)

    leaves = Tensor(w, requires_grad=True), Tensor(b, requires_grad=True)
    loss(*leaves).backward(create_graph=True)
    gw, gb = (x.grad for x in leaves)
    for x in leaves:
        x.grad = None
    (gw @ tangent[:d] + gb * tangent[d]).backward()
    again = np.append(leaves[0].grad.data, leaves[1].grad.data)
    assert close(again, H @ tangent, scale @ tangent)


@given(perceptrons())
def test_hessian_of_logistic_regression(data):
    """H = (1/n)·Xᵀ diag(a(1 − a)) X: no sample counts negatively, so the loss is convex."""
    X, y, w, b = data
    a = σ(-np.abs(X @ w + b))  # a(1 − a) is the same at −z, and exact where a is small
    D = np.diag(a * (1 - a))
    H = X.T @ D @ X / len(X)
    scale = np.abs(X).T @ D @ np.abs(X) / len(X)
    loss = lambda w: nn.binary_cross_entropy_with_logits(X @ w + b, y)
    assert close(tg.hessian(loss)(w), H, scale)


# --- classification ---


@given(perceptrons())
def test_logistic_regression(data):
    """∂L/∂w = (1/n)·Xᵀ(σ(z) − y), saturated or not: σ′ cancels."""
    X, y, w, b = data
    n = len(X)
    a = σ(X @ w + b)
    gw, gb = gradients(lambda w, b: nn.binary_cross_entropy_with_logits(X @ w + b, y), w, b)
    assert close(gw, X.T @ ((a - y) / n), np.abs(X).T @ (a + y) / n)
    assert close(gb, np.sum(a - y) / n, np.sum(a + y) / n)


@given(perceptrons(slopes=(1,)))
def test_logistic_regression_through_probabilities(data):
    """The same through BCE of a = σ(z), where ∂L/∂a = (a − y)/(a(1 − a)) and σ′ cancels it.

    Not saturated: BCE keeps a(1 − a) above 10⁻¹², as PyTorch does, and then nothing cancels.
    """
    X, y, w, b = data
    w, b = w / 2, b / 2
    a = σ(X @ w + b)
    gw, gb = gradients(lambda w, b: nn.binary_cross_entropy(tg.sigmoid(X @ w + b), y), w, b)
    assert close(gw, X.T @ ((a - y) / len(X)), np.abs(X).T @ (a + y) / len(X))
    assert close(gb, np.mean(a - y), np.mean(a + y))


@given(classifications())
def test_softmax_and_cross_entropy(data):
    """∂L/∂Z = (p − onehot(y))/n with Z = XW + b; through W: Xᵀ(p − onehot(y))/n."""
    X, W, b, classes = data
    n = len(X)
    Z = X @ W + b
    e = np.exp(Z - np.max(Z, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    Y = np.eye(len(b))[classes]
    dZ, scale = (p - Y) / n, (p + Y) / n

    by_index = lambda Z: nn.cross_entropy(Z, classes)
    by_probability = lambda Z: nn.cross_entropy(Z, Y)
    written_out = lambda Z: np.mean(tg.logsumexp(Z, axis=1) - np.sum(Y * Z, axis=1))
    for loss in (by_index, by_probability, written_out):
        (found,) = gradients(loss, Z)
        assert close(found, dZ, scale)
        gW, gb = gradients(lambda W, b, loss=loss: loss(X @ W + b), W, b)
        assert close(gW, X.T @ dZ, np.abs(X).T @ scale)
        assert close(gb, np.sum(dZ, axis=0), np.sum(scale, axis=0))


# --- backpropagation through two layers, written out ---

HIDDEN = {  # h = φ(z), and φ′(z) written by h where that is how books write it
    "sigmoid": (tg.sigmoid, nn.Sigmoid, lambda z, h: h * (1 - h)),
    "tanh": (np.tanh, nn.Tanh, lambda z, h: 1 - h**2),
    "relu": (tg.relu, nn.ReLU, lambda z, h: 1.0 * (z > 0)),
}


@pytest.mark.parametrize("name", HIDDEN)
@given(data=two_layers())
def test_backpropagation_through_two_layers(name, data):
    """δ₂ = ∂L/∂Z₂, δ₁ = (δ₂W₂ᵀ) ⊙ φ′(Z₁); ∂Wₖ = (input of layer k)ᵀ δₖ, ∂bₖ = Σ δₖ.

    The second layer sums numbers that are not multiples of ¼, so that rounding of the sizes of
    its terms goes into all that follows, and into the scale.
    """
    X, Y, W1, b1, W2, b2 = data
    φ, layer, slope = HIDDEN[name]
    loss = lambda W1, b1, W2, b2: nn.mse_loss(tg.sigmoid(φ(X @ W1 + b1) @ W2 + b2), Y)
    Z1 = X @ W1 + b1
    H = φ(Z1)
    A = σ(H @ W2 + b2)
    δ2 = 2 / A.size * (A - Y) * A * (1 - A)
    δ1 = δ2 @ W2.T * slope(Z1, H)
    expected = X.T @ δ1, δ1.sum(axis=0), H.T @ δ2, δ2.sum(axis=0)

    steep = 2 / A.size * A * (1 + np.abs(H) @ np.abs(W2) + np.abs(b2))
    back = steep @ np.abs(W2).T * slope(Z1, H)
    scales = np.abs(X).T @ back, back.sum(axis=0), np.abs(H).T @ steep, steep.sum(axis=0)
    model = nn.Sequential(nn.Linear(*W1.shape), layer(), nn.Linear(*W2.shape), nn.Sigmoid())
    for parameter, value in zip(model.parameters(), (W1.T, b1, W2.T, b2), strict=True):
        parameter.data = value
    nn.MSELoss()(model(X), Y).backward()
    by_layers = [x.grad.data.T for x in model.parameters()]
    for found in (gradients(loss, W1, b1, W2, b2), by_layers):
        for g, by_hand, scale in zip(found, expected, scales, strict=True):
            assert close(g, by_hand, scale)


# --- the comparison itself has power ---


def test_a_slip_in_the_twelfth_digit_is_seen():
    X, y, w, b = (
        np.array([[0.5, -1.0], [2.0, 0.25]]),
        np.array([0.0, 1]),
        np.array([1.0, -0.5]),
        0.25,
    )
    gw, _ = gradients(perceptron_loss(X, y), w, b)
    a = σ(X @ w + b)
    dz = (a - y) * a * (1 - a)
    scale = np.abs(X).T @ np.abs(dz)
    assert close(gw, X.T @ dz, scale)
    assert not close(gw * (1 + 1e-12), X.T @ dz, scale)
    assert not close(gw, X.T @ ((a - y) * a), scale)
    assert not close(gw, X @ dz, scale)
