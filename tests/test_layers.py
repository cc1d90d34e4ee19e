"""Layers do what their formulas say, keep their state, and name what is wrong with an input."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.rules.networks import standardize


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# --- buffers ---


def test_buffers_are_state_but_no_parameters():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.BatchNorm1d(2))
    parameters = ["0.weight", "0.bias", "1.weight", "1.bias"]
    buffers = ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert [name for name, _ in model.named_parameters()] == parameters
    assert [name for name, _ in model.named_buffers()] == buffers
    assert list(model.state_dict()) == parameters + buffers
    assert len(list(model.buffers())) == 3
    before = model.state_dict()
    model.requires_grad_(False)
    assert not any(x.requires_grad for x in (*model.parameters(), *model.buffers()))
    model(normal(4, 3))
    after = model.state_dict()
    assert all(np.any(after[name] != before[name]) for name in buffers)
    assert before["1.num_batches_tracked"] == 0
    model.load_state_dict(before)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
        assert array.dtype == before[name].dtype


def test_a_shared_buffer_counts_once():
    model = nn.Module()
    model.a = model.b = nn.Buffer(np.zeros(2))
    assert [name for name, _ in model.named_buffers()] == ["a"]
    assert list(model.state_dict()) == ["a", "b"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_has_buffers_of_its_own(again):
    model = nn.BatchNorm1d(2)
    twin = again(model)
    twin(normal(4, 2))
    assert isinstance(twin.running_mean, nn.Buffer)
    assert model.num_batches_tracked.item() == 0
    assert twin.num_batches_tracked.item() == 1


# --- normalisation ---

sizes = st.integers(2, 6), st.integers(1, 4), st.integers(0, 2**32 - 1)


@given(*sizes)
def test_batch_norm_is_the_formula_of_its_paper_and_so_is_its_gradient(n, d, seed):
    """Ioffe and Szegedy 2015, algorithm 1, and the gradients in section 3."""
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(2, n, d)) * 10.0 ** rng.integers(-2, 3)
    gamma, beta = rng.normal(size=(2, d))
    eps = 1e-3
    layer = nn.BatchNorm1d(d, eps=eps)
    layer.weight.data, layer.bias.data = gamma, beta
    t = Tensor(x, requires_grad=True)
    y = layer(t)
    y.backward(g)

    mu = x.sum(axis=0) / n
    var = ((x - mu) ** 2).sum(axis=0) / n
    z = (x - mu) / np.sqrt(var + eps)
    dz = g * gamma
    dvar = (dz * (x - mu)).sum(axis=0) * -0.5 * (var + eps) ** -1.5
    dmu = (dz * -1 / np.sqrt(var + eps)).sum(axis=0) + dvar * (-2 * (x - mu)).sum(axis=0) / n
    dx = dz / np.sqrt(var + eps) + dvar * 2 * (x - mu) / n + dmu / n
    np.testing.assert_allclose(y.data, gamma * z + beta, rtol=1e-11, atol=1e-11)
    rounding = 1e-12 * np.max(np.abs(dz / np.sqrt(var + eps)))  # dx is a difference of such terms
    np.testing.assert_allclose(t.grad.data, dx, rtol=1e-9, atol=rounding)
    near = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12 * np.sum(np.abs(g)))
    near(layer.weight.grad.data, (g * z).sum(axis=0))
    near(layer.bias.grad.data, g.sum(axis=0))


@given(*sizes)
def test_layer_norm_of_rows_is_batch_norm_of_columns(n, d, seed):
    x = normal(d, n, seed=seed)
    by_row = nn.LayerNorm(n, elementwise_affine=False)(x)
    by_column = nn.BatchNorm1d(d, affine=False)(x.T)
    np.testing.assert_allclose(by_row, by_column.T, rtol=1e-12, atol=1e-14)


def test_float16_is_added_up_where_it_does_not_end():
    x = np.full((2, 4000), 100, dtype=np.float16)
    x[:, ::2] = 90
    for layer, features in ((nn.LayerNorm(4000), x), (nn.BatchNorm1d(2), x.T)):
        t = Tensor(features, requires_grad=True)
        y = layer(t)
        np.testing.assert_allclose(np.abs(y.data), 1, rtol=1e-3)
        (y**3).sum().backward()
        assert np.isfinite(t.grad.data).all()


def test_standardize_is_smooth_to_second_order():
    f = lambda x: np.sum(standardize(x) ** 3)
    x = normal(4, 2)
    H = tg.hessian(f)(x)
    h = 1e-5
    slope = (tg.grad(f)(x + h * np.eye(1, 8).reshape(4, 2)) - tg.grad(f)(x)) / h
    np.testing.assert_allclose(H[0, 0], slope, rtol=1e-3, atol=1e-3)


def test_running_averages_follow_their_formula_and_normalize_in_eval():
    x = normal(5, 6, 2)
    layer, even = nn.BatchNorm1d(2, momentum=0.3), nn.BatchNorm1d(2, momentum=None)
    mean, var = np.zeros(2), np.ones(2)
    for batch in x:
        layer(batch)
        even(batch)
        mean = 0.7 * mean + 0.3 * batch.mean(axis=0)
        var = 0.7 * var + 0.3 * batch.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean.data, mean, rtol=1e-14)
    np.testing.assert_allclose(layer.running_var.data, var, rtol=1e-14)
    np.testing.assert_allclose(even.running_mean.data, x.mean(axis=(0, 1)), rtol=1e-13)
    np.testing.assert_allclose(even.running_var.data, x.var(axis=1, ddof=1).mean(axis=0))
    assert layer.num_batches_tracked.item() == 5
    layer.eval()
    expected = (x[0] - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(layer(x[0]).data, expected, rtol=1e-12)
    np.testing.assert_allclose(layer(x[0, :1]).data, expected[:1], rtol=1e-12)
    assert layer.num_batches_tracked.item() == 5


# --- dropout, embedding, shapes ---


def test_dropout_drops_and_scales_and_is_off_in_eval():
    layer = nn.Dropout(0.25, rng=0)
    x = Tensor(np.full((100, 200), 3.0), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert set(np.unique(y.data)) == {0, 4}
    assert np.mean(y.data) == pytest.approx(3, abs=0.05)
    np.testing.assert_array_equal(x.grad.data, y.data / 3)
    assert np.any(layer(x).data != y.data)
    layer.eval()
    assert layer(x) is x


def test_dropout_takes_integers_as_the_floats_they_are():
    x = np.arange(12).reshape(3, 4)
    for whole in (x, x.astype(bool), Tensor(x)):
        y = nn.Dropout(rng=7)(whole)
        right = nn.Dropout(rng=7)(np.asarray(whole).astype(float))
        assert y.dtype == np.float64
        np.testing.assert_array_equal(np.asarray(y), right)


def test_dropout_of_all_of_nothing_and_by_seed():
    x = np.ones((3, 4))
    assert nn.Dropout(0)(x) is x
    np.testing.assert_array_equal(nn.Dropout(1)(x), np.zeros((3, 4)))
    np.testing.assert_array_equal(nn.Dropout(rng=7)(x), nn.Dropout(rng=7)(x))
    assert list(nn.Dropout().state_dict()) == []


def test_embedding_takes_rows_and_adds_up_their_gradients():
    layer = nn.Embedding(4, 3, padding_idx=-1, rng=0)
    i = np.array([[0, 2, 2], [3, 0, 3]])
    y = layer(i)
    np.testing.assert_array_equal(y.data, layer.weight.data[i])
    np.testing.assert_array_equal(y.data[1, 0], np.zeros(3))
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.data[:, 0], [2, 0, 2, 0])
    assert layer([1]).shape == (1, 3)
    assert layer(Tensor(1)).shape == (3,)
    assert layer(np.zeros((0, 2), dtype=int)).shape == (0, 2, 3)


def test_flatten_and_identity():
    x = normal(2, 3, 4, 5)
    assert nn.Flatten()(x).shape == (2, 60)
    assert nn.Flatten(0)(Tensor(x)).shape == (120,)
    assert nn.Flatten(-3, 2)(x).shape == (2, 12, 5)
    assert nn.Identity()(x) is x


# --- containers ---


def test_residual_adds():
    model = nn.Residual(nn.Linear(3, 3, rng=0))
    x = normal(4, 3)
    np.testing.assert_array_equal(model(x).data, x + model.module(x).data)
    assert list(model.state_dict()) == ["module.weight", "module.bias"]


def test_module_list_and_dict():
    class Net(nn.Module):
        def __init__(self):
            self.steps = nn.ModuleList([nn.Linear(2, 2, rng=0)])
            self.steps.append(nn.Tanh())
            self.steps.extend([nn.Linear(2, 1, rng=1)])
            self.heads = nn.ModuleDict({"a": nn.Linear(1, 1, rng=2)})
            self.heads["b"] = nn.Linear(1, 2, rng=3)

        def forward(self, x, head):
            for step in self.steps:
                x = step(x)
            return self.heads[head](x)

    net = Net()
    assert list(net.state_dict()) == [
        "steps.0.weight", "steps.0.bias", "steps.2.weight", "steps.2.bias", "heads.a.weight",
        "heads.a.bias", "heads.b.weight", "heads.b.bias",
    ]  # fmt: skip
    assert net(normal(3, 2), "b").shape == (3, 2)
    assert len(net.steps) == 3
    assert isinstance(net.steps[:2], nn.ModuleList)
    assert net.steps[1:][0] is net.steps[1]
    twin = copy.deepcopy(net.heads)
    del twin["a"]
    assert list(twin) == list(twin.keys()) == ["b"]
    assert "a" in net.heads
    assert len(net.heads) == len(net.heads.values()) == 2
    assert dict(net.heads.items())["b"] is net.heads["b"]
    grads = tg.grad(lambda m: np.sum(m(normal(3, 2), "a") ** 2))(net)
    assert grads.heads["a"].weight.shape == (1, 1)


def kinds(model):
    return [type(layer).__name__ for layer in model]


def test_two_parameters_of_one_name_are_refused():
    class Net(nn.Module):
        def __init__(self):
            self.parts = {"a.0": nn.Linear(1, 1), "a": [nn.Linear(1, 1)]}

    with pytest.raises(ValueError, match=r"parts\.a\.0\.weight"):
        Net().state_dict()


@pytest.mark.parametrize("activation", [nn.ReLU(), "relu"])
def test_mlp_makes_its_own_activations(activation):
    with pytest.raises(TypeError, match=r"activation .* nn\.ReLU.* np\.tanh"):
        nn.MLP([2, 3, 1], activation)


@pytest.mark.parametrize("f", [np.tanh, tg.relu, tg.leaky_relu, lambda x: x * x])
def test_mlp_takes_a_function_as_activation(f):
    model, x = nn.MLP([2, 3, 1], f, rng=0), normal(4, 2)
    first, _, last = model
    np.testing.assert_array_equal(model(x).data, last(f(first(x))).data)
    settings = nn.MLP([2, 3, 1], lambda: nn.LeakyReLU(0.3), rng=0)
    assert settings[1].negative_slope == 0.3
    with pytest.raises(TypeError, match=r"MLP\[1\] .* Linear\(\.\.\.\)"):
        nn.MLP([2, 3, 1], nn.Linear)


def test_an_activation_is_made_of_any_function():
    Cube = nn.activations.activation("Cube", lambda x: x**3)
    assert repr(nn.MLP([1, 2, 1], Cube)[1]) == "Cube()" and Cube()(Tensor(2.0)).item() == 8
    assert "Cube" not in {kind.__name__ for kind in nn.activations.ACTIVATIONS.values()}


def test_mlp_is_a_sequential():
    make = lambda: nn.MLP([4, 8, 6, 2], nn.Tanh, dropout=0.1, norm="batch", rng=0)
    model = make()
    hidden = ["Linear", "BatchNorm1d", "Tanh", "Dropout"]
    assert kinds(model) == [*hidden, *hidden, "Linear"]
    x = normal(5, 4)
    np.testing.assert_array_equal(model(x).data, make()(x).data)
    assert kinds(nn.MLP([4, 8, 2])) == ["Linear", "ReLU", "Linear"]
    assert kinds(nn.MLP([4, 8, 2], norm="layer")) == ["Linear", "LayerNorm", "ReLU", "Linear"]
    assert kinds(nn.MLP([4, 2], dropout=0.5)) == ["Linear"]
    assert kinds(model[:2]) == hidden[:2]
    start = lambda rng, shape: np.ones(shape)
    assert nn.MLP([2, 2, 1], init=start, dtype=np.float32)[2].weight.tolist() == [[1, 1]]


def test_float32_stays_float32():
    model = nn.Sequential(
        nn.Embedding(5, 4, padding_idx=0, dtype=np.float32, rng=0),
        nn.Flatten(),
        nn.MLP([8, 6, 8], norm="batch", dropout=0.5, dtype=np.float32, rng=0),
        nn.Residual(nn.LayerNorm(8, dtype=np.float32)),
        nn.BatchNorm1d(8, momentum=None, dtype=np.float32),
    )
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        y = model(np.array([[0, 1], [4, 2], [3, 3]]))
        assert y.dtype == np.float32
        nn.mse_loss(y, y.data + 1).backward()
        optimizer.step()
    types = {x.dtype for x in (*model.parameters(), *model.buffers())}
    assert types == {np.dtype(np.float32), np.dtype(np.int64)}
    assert model.eval()(np.array([[0, 1]])).dtype == np.float32


# --- the gaussian loss ---


@given(*sizes, st.booleans())
def test_gaussian_nll_is_its_formula(n, d, seed, full):
    rng = np.random.default_rng(seed)
    p, t = rng.normal(size=(2, n, d))
    v = rng.uniform(0.1, 3, (n, d))
    expected = 0.5 * (np.log(v) + (t - p) ** 2 / v) + full * 0.5 * np.log(2 * np.pi)
    value = nn.gaussian_nll_loss(p, t, v, full=full, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-15)
    module = nn.GaussianNLLLoss(full=full)(Tensor(p), Tensor(t), v)
    np.testing.assert_allclose(module.data, expected.mean(), rtol=1e-12, atol=1e-15)
    one = nn.GaussianNLLLoss(full=full, reduction="sum")(p, t, v[:, 0])
    np.testing.assert_array_equal(one, nn.gaussian_nll_loss(p, t, v[:, :1], full, reduction="sum"))


def test_a_variance_of_zero_has_a_gradient_that_leads_out():
    v = Tensor([[0.0, 1e-9]], requires_grad=True)
    loss = nn.gaussian_nll_loss(np.zeros((1, 2)), np.full((1, 2), 0.1), v, eps=1e-4)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (np.log(1e-4) + 0.01 / 1e-4))
    np.testing.assert_allclose(v.grad.data, np.full((1, 2), 0.25 * (1e4 - 0.01 * 1e8)))


# --- what they say ---

WRONG_SHAPES = [
    (nn.BatchNorm1d(3), (4, 2), r"BatchNorm1d\(3.*\(batch, 3\) or \(batch, 3, length\)"),
    (nn.BatchNorm1d(3), (3,), r"BatchNorm1d\(3.*\(batch, 3\)"),
    (nn.BatchNorm1d(3), (1, 3), r"batch of 1.*eval"),
    (nn.LayerNorm((2, 3)), (4, 3), r"LayerNorm\(\(2, 3\).*last axes should be \(2, 3\)"),
    (nn.LayerNorm(3), (), "LayerNorm"),
    (nn.Flatten(), (3,), r"Flatten\(start_dim=1.*axes"),
    (nn.Flatten(2, 1), (3, 4, 5), "Flatten"),
    (nn.Residual(nn.Linear(3, 2)), (4, 3), r"\(4, 2\) and \(4, 3\).*Linear"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), WRONG_SHAPES)
def test_wrong_shapes_name_the_layer_and_both_shapes(layer, shape, message):
    with pytest.raises(ValueError, match="(?s)" + message) as error:
        layer(np.ones(shape))
    assert str(shape) in str(error.value) or "batch of 1" in str(error.value)


def test_wrong_indices_and_variances():
    layer = nn.Embedding(4, 2)
    for i in ([4], [-1], [[0, 7]]):
        with pytest.raises(ValueError, match=r"Embedding\(4, 2\).*rows 0 to 3"):
            layer(i)
    with pytest.raises(TypeError, match=r"Embedding\(4, 2\) .*integers.*float64"):
        layer([1.0])
    p = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 1\).*\(3,\)"):
        nn.gaussian_nll_loss(p, p, np.ones(3))
    with pytest.raises(ValueError, match=r"variance.*-1"):
        nn.gaussian_nll_loss(p, p, -p)
    with pytest.raises(ValueError, match="same shape"):
        nn.gaussian_nll_loss(p, p[0], p)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.BatchNorm1d(0),
        lambda: nn.LayerNorm(()),
        lambda: nn.LayerNorm((2, 0)),
        lambda: nn.Embedding(0, 2),
        lambda: nn.Embedding(3, 2, padding_idx=3),
        lambda: nn.Embedding(3, 2, init=lambda rng, shape: np.ones(2)),
        lambda: nn.Dropout(1.5),
        lambda: nn.MLP([3]),
        lambda: nn.MLP([3, 2, 1], norm="group"),
        lambda: nn.gaussian_nll_loss(np.ones(1), np.ones(1), np.ones(1), eps=0),
        lambda: nn.GaussianNLLLoss(eps=0),
        lambda: nn.HuberLoss(delta=-1),
        lambda: nn.BatchNorm1d(2, eps=-1),
        lambda: nn.BatchNorm1d(2, momentum=1.1),
        lambda: nn.LayerNorm(2, eps=np.nan),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(2.0, 3), r"in_features .*whole number.*2\.0"),
        (lambda: nn.Linear(2, "3"), r"out_features .*whole number.*str '3'"),
        (lambda: nn.Perceptron(2.0), r"features .*2"),
        (lambda: nn.Embedding(2.0, 1), r"num_embeddings .*2"),
        (lambda: nn.Embedding(2, None), r"embedding_dim .*None"),
        (lambda: nn.BatchNorm1d(2.0), r"num_features .*2"),
        (lambda: nn.LayerNorm((2, 3.0)), r"normalized_shape .*3\.0"),
        (lambda: nn.LayerNorm(3.0), r"normalized_shape .*3\.0"),
        (lambda: nn.Embedding(2, 1, padding_idx=0.0), r"padding_idx .*0\.0"),
        (lambda: nn.Flatten(1.0), r"start_dim .*1\.0"),
        (lambda: nn.MLP(2, 3), r"sizes .*list .* MLP\(\[4, 8, 2\]\).*2"),
        (lambda: nn.MLP([2, 3.5, 1]), r"sizes .*\[2, 3\.5, 1\]"),
    ],
)
def test_sizes_that_are_no_whole_numbers_are_named(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_sizes_may_be_integers_of_numpy():
    assert nn.MLP(np.array([2, 3, 1])).state_dict().keys() == nn.MLP([2, 3, 1]).state_dict().keys()
    assert repr(nn.Linear(np.int64(2), 3)) == repr(nn.Linear(2, 3))


def test_a_repr_shows_every_layer_with_its_settings():
    model = nn.Sequential(
        nn.Embedding(4, 2, padding_idx=0),
        nn.Dropout(0.1),
        nn.BatchNorm1d(2, affine=False),
        nn.LayerNorm(2),
        nn.Flatten(),
        nn.Residual(nn.Identity()),
        nn.ModuleDict({"loss": nn.GaussianNLLLoss()}),
    )
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Embedding(4, 2, padding_idx=0)\n"
        "  (1): Dropout(p=0.1)\n"
        "  (2): BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)\n"
        "  (3): LayerNorm((2,), eps=1e-05, elementwise_affine=True, bias=True)\n"
        "  (4): Flatten(start_dim=1, end_dim=-1)\n"
        "  (5): Residual(\n"
        "    (module): Identity()\n"
        "  )\n"
        "  (6): ModuleDict(\n"
        "    (loss): GaussianNLLLoss(full=False, eps=1e-06, reduction='mean')\n"
        "  )\n"
        ")"
    )


def test_without_averages_no_eval_mode_is_advised():
    for mode in (True, False):
        layer = nn.BatchNorm1d(3, track_running_stats=False).train(mode)
        with pytest.raises(ValueError, match=r"batch of 1\b(?!.*eval)"):
            layer(np.ones((1, 3)))


CALLS = {
    "Linear": nn.Linear(3, 2), "Perceptron": nn.Perceptron(3), "Dropout": nn.Dropout(),
    "Flatten": nn.Flatten(), "Identity": nn.Identity(), "LayerNorm": nn.LayerNorm(3),
    "BatchNorm1d": nn.BatchNorm1d(3), "Sequential": nn.Sequential(nn.Tanh()),
    "Residual": nn.Residual(nn.Tanh()), "MLP": nn.MLP([3, 2]),
    "LinearEnsemble": nn.LinearEnsemble(2, 3, 2), "PiecewiseLinear": nn.PiecewiseLinear([[0, 1]]),
    "MLPEnsemble": nn.MLPEnsemble(2, [3, 4, 2]),
    **{name: getattr(nn, name)() for name in nn.activations.__all__},
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_the_input_has_the_name_that_pytorch_gives_it(name):
    layer, x = CALLS[name].eval(), normal(4, 3)
    for wrap in (np.array, Tensor):
        x = x[np.newaxis] if "Ensemble" in name else x
        y, z = layer(wrap(x)), layer(input=wrap(x))
        np.testing.assert_array_equal(getattr(y, "data", y), getattr(z, "data", z))


def test_every_layer_is_among_these():
    layers = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    others = {"Buffer", "Module", "ModuleList", "ModuleDict", "Embedding"}
    assert layers - others - {*CALLS} == {name for name in layers if name.endswith("Loss")}
    assert nn.Embedding(3, 2)(input=[1]).shape == (1, 2)
    for name in layers & {n for n in layers if n.endswith("Loss")} - {"GaussianNLLLoss"}:
        assert [*inspect.signature(getattr(nn, name).forward).parameters][1:] == ["input", "target"]


def test_functions_between_layers_show():
    model = nn.Sequential(nn.Linear(2, 3), np.tanh, nn.Sequential(tg.relu, lambda x: x), np.exp)
    lines = [line.strip() for line in repr(model).splitlines()]
    assert lines[2:8] == [
        "(1): np.tanh", "(2): Sequential(", "(0): relu", "(1): <lambda>", ")", "(3): np.exp"
    ]  # fmt: skip


PLACES = {
    "Sequential[1]": lambda x: nn.Sequential(nn.Linear(3, 4), x),
    "Sequential[0]": lambda x: nn.Sequential(x),
    "Sequential[2]": lambda x: nn.Sequential(nn.Tanh(), nn.Tanh()).append(x),
    "Sequential[-1]": lambda x: nn.Sequential(nn.Tanh()).__setitem__(-1, x),
    "ModuleList[1]": lambda x: nn.ModuleList([nn.Tanh(), x]),
    "ModuleList[0]": lambda x: nn.ModuleList().extend([x]),
    "ModuleList[3]": lambda x: nn.ModuleList([nn.Tanh()]).insert(3, x),
    "ModuleDict['a']": lambda x: nn.ModuleDict({"a": x}),
    "ModuleDict['b']": lambda x: nn.ModuleDict().update({"b": x}),
    "ModuleDict['c']": lambda x: nn.ModuleDict().__setitem__("c", x),
    "Residual.module": lambda x: nn.Residual(x),
}


@pytest.mark.parametrize("kind", [nn.ReLU, nn.Linear, nn.Module, dict])
@pytest.mark.parametrize("place", PLACES)
def test_a_class_is_refused_where_a_layer_is_meant(place, kind):
    with pytest.raises(TypeError, match=rf"{re.escape(place)} .*{kind.__name__}\("):
        PLACES[place](kind)


@pytest.mark.parametrize("x", [3, None, [nn.Tanh()], {"a": nn.Tanh()}, Tensor(1.0)])
def test_what_cannot_be_called_is_no_layer(x):
    for make in (nn.Sequential, nn.Residual, nn.Sequential(nn.Tanh()).append):
        with pytest.raises(TypeError, match=r"function.*\*layers"):
            make(x)


def test_a_layer_can_be_replaced_and_taken_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    model[-1] = nn.ReLU()
    model.append(nn.Linear(2, 1)).extend([nn.Sigmoid()]).insert(0, np.tanh)
    del model[-1]
    assert kinds(model) == ["ufunc", "Linear", "ReLU", "Linear"]
    assert list(model.state_dict()) == ["1.weight", "1.bias", "3.weight", "3.bias"]


def test_a_softmax_takes_its_axis_under_both_names():
    x = normal(3, 4)
    for make, function in ((nn.Softmax, tg.softmax), (nn.LogSoftmax, tg.log_softmax)):
        for layer in (make(0), make(dim=0), make(axis=0)):
            np.testing.assert_array_equal(layer(x), function(x, axis=0))
        np.testing.assert_array_equal(make()(x), function(x))
        with pytest.raises(TypeError, match="dim=0, axis=1"):
            make(dim=0, axis=1)


@given(st.floats(-30, 30), st.floats(0.1, 5))
def test_softplus_and_gelu_are_their_formulas(x, beta):
    assert nn.Softplus(beta)(x) == pytest.approx(np.logaddexp(0, beta * x) / beta, rel=1e-13)
    cut = nn.Softplus(beta, threshold=1.5)(x)
    assert cut == (x if beta * x > 1.5 else pytest.approx(np.logaddexp(0, beta * x) / beta))
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    tanh = x * 0.5 * (1 + np.tanh(u))
    assert nn.GELU("tanh")(x) == pytest.approx(tanh, rel=1e-9, abs=1e-14)
    slope = tg.grad(nn.GELU("tanh"))(x)
    h = 1e-6
    measured = (nn.GELU("tanh")(x + h) - nn.GELU("tanh")(x - h)) / (2 * h)
    assert slope == pytest.approx(measured, rel=1e-5, abs=1e-7)


def test_gelu_by_a_tanh_keeps_its_digits_far_to_the_left():
    assert nn.GELU("tanh")(-10.0) == pytest.approx(-10 / (1 + np.exp(87.27)), rel=5e-2)
    with np.errstate(all="raise", under="ignore"):
        assert nn.GELU("tanh")(np.float32(-50)) == 0


SLIPS = [
    (lambda: nn.ReLU(normal(2, 2)), r"inplace .*True or False"),
    (lambda: nn.Dropout(0.5, Tensor(1.0)), "inplace"),
    (lambda: nn.LeakyReLU(normal(2, 2)), r"negative_slope .*number"),
    (lambda: nn.LeakyReLU("x"), r"negative_slope .*number.*str 'x'"),
    (lambda: nn.LeakyReLU(True), r"negative_slope .*number.*bool True"),
    (lambda: nn.ELU(None), r"alpha .*number"),
    (lambda: nn.Softplus("x"), r"beta .*number"),
    (lambda: nn.Softplus(1.0, "x"), r"threshold .*number"),
    (lambda: nn.Softmax(normal(2, 2)), r"dim .*whole number"),
    (lambda: nn.Dropout("x"), r"p .*number.*str 'x'"),
    (lambda: nn.Linear(True, 1), r"in_features .*whole number.*"),
    (lambda: nn.BatchNorm1d(2, eps="x"), r"eps .*number"),
    (lambda: nn.BatchNorm1d(2, momentum="x"), r"momentum .*number"),
    (lambda: nn.HuberLoss(delta=None), r"delta .*number"),
    (lambda: nn.CrossEntropyLoss(label_smoothing="x"), r"label_smoothing .*number"),
]


@pytest.mark.parametrize(("make", "said"), SLIPS)
def test_a_setting_of_another_kind_is_named(make, said):
    with pytest.raises(TypeError, match=said):
        make()


@pytest.mark.parametrize("make", [lambda: nn.GELU("erf"), lambda: nn.Softplus(0.0)])
def test_a_setting_out_of_range_is_named(make):
    with pytest.raises(ValueError, match=r"approximate .*none|beta .*above 0"):
        make()


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, nn.BCEWithLogitsLoss, nn.NLLLoss])
def test_weights_in_the_place_of_the_reduction(loss):
    for w in (np.ones(3), Tensor(np.ones(3)), [1.0, 2.0]):
        with pytest.raises(ValueError, match="weight=w"):
            loss(w)


def test_every_setting_of_a_layer_shows():
    for layer, shown in (
        (nn.BatchNorm1d(3, bias=False), "affine=True, track_running_stats=True, bias=False"),
        (nn.LayerNorm(3, bias=False), "elementwise_affine=True, bias=False"),
        (nn.HuberLoss(delta=2.0), "reduction='mean', delta=2.0"),
        (nn.LeakyReLU(0.1), "negative_slope=0.1"),
        (nn.LogSoftmax(0), "dim=0"),
        (nn.Linear(2, 1, bias=False), "bias=False"),
        (nn.Perceptron(2), "features=2"),
    ):
        assert shown in repr(layer)
