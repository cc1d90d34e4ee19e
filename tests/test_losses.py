"""The settings of losses do what their formulas say, eager and compiled, and for empty inputs."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import Tensor, nn
from tinygrad_slp.jit import jit

rng = np.random.default_rng(0)
W = np.array([0.5, 2.0, 0.25, 1.5])
SHAPES = {
    "one sample": (4,), "rows": (5, 4), "signals": (3, 4, 2), "pictures": (2, 4, 3, 2)
}  # fmt: skip
SETTINGS = [
    {}, {"weight": W}, {"ignore_index": -100}, {"ignore_index": 1}, {"label_smoothing": 0.2},
    {"weight": W, "ignore_index": 3, "label_smoothing": 0.1}, {"weight": W, "ignore_index": -100},
    {"weight": W, "label_smoothing": 1.0},
]  # fmt: skip


def log_softmax(z):
    z = z - z.max()
    return z - np.log(np.sum(np.exp(z)))


def of_one(log_p, t, weight=None, ignore_index=None, label_smoothing=0.0):
    """The loss of one sample and its weight in the mean, from the definition."""
    weight = np.ones(len(log_p)) if weight is None else weight
    if np.ndim(t):
        q, own = t, 1.0
    elif t == ignore_index:
        return 0.0, 0.0
    else:
        q, own = np.eye(len(log_p))[t], weight[t]
    q = (1 - label_smoothing) * q + label_smoothing / len(log_p)
    return -np.sum(weight * q * log_p), own


def by_samples(z):
    """Scores with the axis of the classes last."""
    return z if z.ndim < 2 else np.moveaxis(z, 1, -1)


def drawn(shape, probabilities, settings, seed=1):
    draw = np.random.default_rng(seed)
    z = draw.normal(size=shape)
    axis = min(1, len(shape) - 1)
    if probabilities:
        t = draw.uniform(size=shape)
        return z, t / t.sum(axis=axis, keepdims=True)
    t = draw.integers(0, shape[axis], np.delete(shape, axis))
    if not t.ndim:
        t = np.array(2)  # one sample that is ignored has no mean
    if settings.get("ignore_index") is not None and t.ndim:
        t.flat[::2] = settings["ignore_index"]
        t.flat[1] = 0
    return z, t


def expected(loss, z, t, settings, reduction):
    rows = by_samples(z).reshape(-1, z.shape[min(1, z.ndim - 1)])
    targets = by_samples(t).reshape(rows.shape) if t.shape == z.shape else t.reshape(-1)
    log_p = map(log_softmax, rows) if loss == "cross_entropy" else rows
    pairs = [of_one(p, q, **settings) for p, q in zip(log_p, targets, strict=True)]
    losses, weights = np.array(pairs).T
    if reduction == "mean":
        return losses.sum() / weights.sum()
    return losses.sum() if reduction == "sum" else losses.reshape(by_samples(z).shape[:-1])


def slopes(f, z, h=1e-6):
    """Differences of f by each element of z."""
    steps = h * np.eye(z.size).reshape(z.size, *z.shape)
    return np.reshape([(f(z + s) - f(z - s)) / (2 * h) for s in steps], z.shape)


CASES = [
    (loss, shape, probabilities, settings)
    for loss in ("cross_entropy", "nll_loss")
    for shape in SHAPES.values()
    for probabilities in (False, True)
    for settings in SETTINGS
    if loss == "cross_entropy" or not (probabilities or "label_smoothing" in settings)
    if not (probabilities and "ignore_index" in settings)
]
MODULES = {"cross_entropy": nn.CrossEntropyLoss, "nll_loss": nn.NLLLoss}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("loss", "shape", "probabilities", "settings"), CASES)
def test_losses_of_classes_are_their_definition(loss, shape, probabilities, settings, reduction):
    z, t = drawn(shape, probabilities, settings)
    value = expected(loss, z, t, settings, reduction)
    function, module = getattr(nn, loss), MODULES[loss](reduction, **settings)
    x = Tensor(z, requires_grad=True)
    for found in (function(z, t, reduction, **settings), function(x, t, reduction, **settings),
                  module(x, t), module(input=x, target=Tensor(t))):  # fmt: skip
        found = found.data if isinstance(found, Tensor) else found
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-14)
        assert np.shape(found) == np.shape(value)
    total = lambda z: np.sum(expected(loss, z, t, settings, reduction))
    function(x, t, reduction, **settings).sum().backward()
    np.testing.assert_allclose(x.grad.data, slopes(total, z), rtol=1e-6, atol=1e-8)


@each_backend
@pytest.mark.parametrize(("loss", "shape", "probabilities", "settings"), CASES[::3])
def test_compiled_losses_of_classes(loss, shape, probabilities, settings, backend):
    module = MODULES[loss](**settings)
    w = Tensor(0.7, requires_grad=True)

    @jit(backend=backend)
    def step(z, t):
        w.grad = None
        value = module(z * w, t)
        value.backward()
        return value, w.grad

    for seed in (1, 2, 3):
        z, t = drawn(shape, probabilities, settings, seed)
        u = Tensor(0.7, requires_grad=True)
        value = module(z * u, t)
        value.backward()
        found, slope = step(z, t)
        np.testing.assert_allclose(found.data, value.data, rtol=1e-12)
        np.testing.assert_allclose(slope.data, u.grad.data, rtol=1e-11)
    if not probabilities:
        for wrong in (4, -2):
            with pytest.raises(ValueError, match=f"class {wrong} .*4 classes"):
                step(z, np.where(np.arange(t.size).reshape(t.shape) == 0, wrong, t))


def test_what_is_ignored_may_be_anything():
    z = Tensor([[1.0, 2.0], [np.nan, np.inf]], requires_grad=True)
    for loss in (nn.cross_entropy, nn.nll_loss):
        z.grad = None
        value = loss(z, [0, -100], ignore_index=-100)
        value.backward()
        assert np.isfinite(value.item())
        np.testing.assert_array_equal(z.grad.data[1], [0, 0])
        assert z.grad.data[0].any()
    with pytest.warns(RuntimeWarning):
        assert np.isnan(nn.cross_entropy(np.ones((2, 3)), [-1, -1], ignore_index=-1))


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.nll_loss])
@pytest.mark.parametrize(
    ("z", "t", "settings", "said"),
    [
        ((2, 3), [0, -100], {}, r"class -100 in row 1 .*ignore_index=-100"),
        ((2, 3), [0, -1], {"ignore_index": -100}, r"class -1 in row 1 .*3 classes"),
        ((2, 3, 4), [0, 1], {}, r"\(2, 3, 4\) and int64 of shape \(2,\)"),
        ((2, 3), [[0, 1, 0], [1, 0, 0]], {}, r"int64 of shape \(2, 3\)"),
        ((3,), [1], {}, r"\(3,\) and int64 of shape \(1,\)"),
        ((2, 3), [0, 1], {"weight": [1.0, 2.0]}, r"weight has shape \(2,\).*3 classes"),
        ((), 0, {}, r"\(\)"),
    ],
)
def test_targets_that_do_not_fit(loss, z, t, settings, said):
    with pytest.raises(ValueError, match=said):
        loss(np.ones(z), t, **settings)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1])
def test_a_smoothing_is_a_share(smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing .*0 to 1"):
        nn.CrossEntropyLoss(label_smoothing=smoothing)
    with pytest.raises(ValueError, match=r"label_smoothing .*0 to 1"):
        nn.cross_entropy(np.ones((1, 2)), [0], label_smoothing=smoothing)


# --- weights of binary cross-entropies ---

BINARY = {
    "binary_cross_entropy": nn.BCELoss, "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss
}  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, W, W[:1], rng.uniform(size=(3, 4)), np.float64(2)])
@pytest.mark.parametrize("pos_weight", [None, W, np.float64(3)])
@pytest.mark.parametrize("name", BINARY)
def test_weights_of_binary_cross_entropy(name, weight, pos_weight, reduction):
    if name == "binary_cross_entropy" and pos_weight is not None:
        return
    z, t = rng.normal(size=(3, 4)), rng.uniform(size=(3, 4))
    p, given = 1 / (1 + np.exp(-z)), z
    if name == "binary_cross_entropy":
        given = p
    one = lambda x: 1 if x is None else x
    losses = -one(weight) * (one(pos_weight) * t * np.log(p) + (1 - t) * np.log(1 - p))
    value = {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
    settings = {"weight": weight, "pos_weight": pos_weight}
    if name == "binary_cross_entropy":
        del settings["pos_weight"]
    found = getattr(nn, name)(given, t, reduction, **settings)
    np.testing.assert_allclose(found, value, rtol=1e-12)
    module = BINARY[name](reduction, **settings)
    np.testing.assert_allclose(np.asarray(module(Tensor(given), t)), value, rtol=1e-12)
    half = getattr(nn, name)(Tensor(given, dtype=np.float32), t.astype("f4"), reduction, **settings)
    assert half.dtype == np.float32


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (3, 4, 1)])
def test_weights_that_do_not_fit(name, shape):
    with pytest.raises(
        ValueError, match=r"weight .*\(3, 4\); got " + str(shape)[:-1].replace("(", r"\(")
    ):
        getattr(nn, name)(np.full((3, 4), 0.5), np.ones((3, 4)), weight=np.ones(shape))


def test_weights_go_with_a_loss():
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert twin(np.ones((1, 2)), [1]) is not None
        np.testing.assert_array_equal(twin.state_dict()["weight"], [1, 2])
    assert list(loss.parameters()) == []
    assert repr(loss) == "CrossEntropyLoss(reduction='mean', label_smoothing=0.0)"


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (1, 4), (1, 1), (3, 4), (3,)])
def test_a_variance_may_have_any_shape_that_broadcasts(shape):
    p, t = rng.normal(size=(2, 3, 4))
    v = rng.uniform(0.5, 2, size=shape)
    if shape == (1,):
        with pytest.raises(ValueError, match=r"got \(1,\)"):
            nn.gaussian_nll_loss(p, t, v)
        return
    full = np.broadcast_to(v[:, None] if shape == (3,) else v, (3, 4))
    value = np.mean(0.5 * (np.log(full) + (p - t) ** 2 / full))
    assert nn.gaussian_nll_loss(p, t, v) == pytest.approx(value, rel=1e-13)


# --- nothing at all ---

PAIRS = (
    "mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy", "hinge_loss",
    "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss", "gaussian_nll_loss",
)  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "backend", ["eager", "numpy", pytest.param("llvm", marks=pytest.mark.native)]
)
@pytest.mark.parametrize("name", PAIRS)
def test_the_loss_of_an_empty_selection_is_that_of_pytorch(name, backend, reduction):
    """NaN for a mean, 0 for a sum; the gradient of what was selected from is 0."""
    loss = getattr(nn, name)
    z = Tensor(np.full((5, 3), 0.5), requires_grad=True)
    t = np.zeros(0, int) if name in ("cross_entropy", "nll_loss") else np.ones((0, 3))
    more = [np.ones((0, 3))] if name == "gaussian_nll_loss" else []

    def step():
        z.grad = None
        value = loss(z[:0], t, *more, reduction=reduction)
        value.sum().backward()
        return value, z.grad

    step = step if backend == "eager" else jit(step, backend=backend)
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            value, gradient = step()
        if reduction == "none":
            assert value.size == 0
        else:
            np.testing.assert_array_equal(value.data, np.nan if reduction == "mean" else 0)
        np.testing.assert_array_equal(gradient.data, np.zeros((5, 3)))


@pytest.mark.parametrize("name", PAIRS)
def test_an_empty_mean_warns(name):
    t = np.zeros(0, int) if name in ("cross_entropy", "nll_loss") else np.ones((0, 3))
    more = [np.ones((0, 3))] if name == "gaussian_nll_loss" else []
    for wrap in (np.array, Tensor):
        with pytest.warns(RuntimeWarning):
            value = getattr(nn, name)(wrap(np.ones((0, 3))), t, *more)
        assert np.isnan(value.item())


@pytest.mark.parametrize(
    ("layer", "shape", "out"),
    [
        (nn.Linear(3, 2), (0, 3), (0, 2)), (nn.Linear(3, 2), (0, 5, 3), (0, 5, 2)),
        (nn.Linear(3, 2), (4, 0, 3), (4, 0, 2)), (nn.Perceptron(3), (0, 3), (0,)),
        (nn.BatchNorm1d(3).eval(), (0, 3), (0, 3)),
        (nn.BatchNorm1d(3).eval(), (0, 3, 2), (0, 3, 2)),
        (nn.BatchNorm1d(3).eval(), (2, 3, 0), (2, 3, 0)),
        (nn.LayerNorm(3), (0, 3), (0, 3)), (nn.Dropout(), (0, 3), (0, 3)),
        (nn.Flatten(), (0, 3, 2), (0, 6)), (nn.Residual(nn.Tanh()), (0, 3), (0, 3)),
        (nn.MLP([3, 4, 2]), (0, 3), (0, 2)), (nn.Softmax(), (0, 3), (0, 3)),
        (nn.LogSoftmax(0), (3, 0), (3, 0)), (nn.GELU(), (0,), (0,)),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else str(x),
)  # fmt: skip
def test_layers_of_nothing_give_nothing(layer, shape, out):
    x = Tensor(np.ones(shape), requires_grad=True)
    assert layer(np.ones(shape)).shape == out
    y = layer(x)
    assert y.shape == out
    y.sum().backward()
    assert x.grad.shape == shape
    for p in layer.parameters():
        np.testing.assert_array_equal(p.grad.data, np.zeros(p.shape))


@pytest.mark.parametrize(
    "backend", ["eager", "numpy", pytest.param("llvm", marks=pytest.mark.native)]
)
def test_logits_from_far_left_to_far_right_keep_their_digits(backend):
    """Value and slope against 360 digits; at the ends the smaller of two terms is all there is."""
    mp = pytest.importorskip("mpmath", reason="mpmath is not installed: pip install mpmath").mp
    z = np.array([-700, -350.5, -40, -20, -1e-9, 0, 1e-9, 3, 20, 40, 350.5, 700.0])
    z, t = (x.ravel() for x in np.meshgrid(z, [0, 1e-12, 0.25, 1 - 2**-40, 1]))

    x = Tensor(z, requires_grad=True)

    def step():
        x.grad = None
        losses = nn.binary_cross_entropy_with_logits(x, t, "none")
        losses.sum().backward()
        return losses, x.grad

    step = step if backend == "eager" else jit(step, backend=backend)
    for _ in range(2):
        losses, slopes = step()
    with mp.workdps(360):
        for a, b, loss, slope in zip(z, t, losses.data, slopes.data, strict=True):
            right, left = 1 / (1 + mp.exp(-mp.mpf(a))), 1 / (1 + mp.exp(mp.mpf(a)))
            b = mp.mpf(b)
            exact = -b * mp.log(right) - (1 - b) * mp.log(left)
            assert abs(loss - exact) <= 1e-14 * exact
            terms = (1 - b) * right, b * left
            assert abs(slope - (terms[0] - terms[1])) <= 1e-14 * max(terms)
