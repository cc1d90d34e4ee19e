"""Modules find, save and load what they hold; layers and losses do what their formulas say."""

import copy
from collections import deque
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, rules
from tinygrad_slp.check import slips
from tinygrad_slp.nn.activations import ACTIVATIONS
from tinygrad_slp.pytorch import NN, TENSOR
from tinygrad_slp.rules import activations


class Net(nn.Module):
    """Parameters in fields, lists, dicts and modules, one of them shared, and a buffer."""

    def __init__(self):
        self.first = nn.Linear(3, 2, rng=0)
        self.branches = [nn.Linear(2, 2, rng=1), {"a": Tensor([1.0], requires_grad=True)}]
        self.tied = self.first.weight
        self.frozen = Tensor([2.0])
        self.running = nn.Buffer(np.zeros(2))
        self.name = "net"

    def forward(self, x):
        return self.branches[0](self.first(x)) * self.branches[1]["a"]


NAMES = ["first.weight", "first.bias", "branches.0.weight", "branches.0.bias", "branches.1.a"]


def test_parameters_are_found_and_shared_ones_counted_once():
    assert [name for name, _ in Net().named_parameters()] == [*NAMES, "frozen"]


def test_children_and_modules_are_those_of_pytorch_a_shared_one_once():
    m = nn.Linear(2, 2)
    twice = nn.Sequential(m, nn.Sequential(m, nn.ReLU()), m)
    assert [type(x) for x in twice.children()] == [nn.Linear, nn.Sequential]
    assert [name for name, _ in twice.named_children()] == ["0", "1"]
    assert [name for name, _ in twice.named_modules()] == ["", "0", "1", "1.1"]
    assert list(twice.modules()) == [x for _, x in twice.named_modules()]
    assert list(nn.Sequential(m, m).modules())[1:] == [m]
    assert list(m.children()) == []
    assert [name for name, _ in Net().named_children()] == ["first", "branches.0"]


def test_apply_calls_a_function_with_what_is_within_first():
    inner = nn.Sequential(nn.ReLU())
    model = nn.Sequential(nn.Linear(2, 2), inner)
    seen = []
    assert model.apply(seen.append) is model
    assert seen == [model[0], inner[0], inner, model]


def test_state_dict_round_trip_and_independence():
    a, b = Net(), Net()
    for x in b.parameters():
        x.data = x.data + 1
    b.running += 5
    state = b.state_dict()
    assert list(state) == [*NAMES, "tied", "frozen", "running"]
    a.load_state_dict(state)
    np.testing.assert_array_equal(a.running.data, [5, 5])
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_array_equal(x.data, y.data)
    state["frozen"][:] = 99
    assert b.frozen.item() == 3
    assert a.first.weight is a.tied


def test_load_state_dict_is_all_or_nothing_and_names_every_problem():
    net = Net()
    before = net.state_dict()
    state = dict(before, extra=np.ones(1))
    del state["first.bias"]
    state["frozen"] = np.ones((2, 2))
    state["first.weight"] = state["first.weight"] + 1
    with pytest.raises(ValueError, match=r"(?s)frozen: shape \(2, 2\), expected \(1,\).*first.bias: missing.*extra: unexpected"):  # fmt: skip  # noqa: E501
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(ValueError, match="numbers"):
        net.load_state_dict({"first.bias": [1.0, 2.0], "frozen": ["seven"]}, strict=False)
    np.testing.assert_array_equal(net.first.bias.data, before["first.bias"])
    net.load_state_dict({"frozen": [7.0]}, strict=False)
    assert net.frozen.item() == 7


def test_train_eval_zero_grad_and_freezing():
    net = Net()
    assert net.eval() is net
    assert not net.first.training
    net.train()
    assert all(m.training for m in net.modules())
    net(np.ones((4, 3))).sum().backward()
    assert net.first.weight.grad is not None
    net.zero_grad(set_to_none=False)
    assert not net.first.weight.grad.data.any()
    net.zero_grad()
    assert net.first.weight.grad is None
    net.requires_grad_(False)
    assert not net(np.ones((4, 3))).requires_grad


def test_repr_shows_the_tree():
    text = repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ELU(0.5), nn.Softmax())))
    assert text == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ELU(alpha=0.5)\n"
        "    (1): Softmax(dim=-1)\n"
        "  )\n"
        ")"
    )


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="def forward"):
        nn.Module()(1)


def test_modules_are_trees_for_grad():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Tanh())
    X = np.arange(6.0).reshape(2, 3)
    value, grads = tg.value_and_grad(lambda m: np.mean(m(X) ** 2))(model)
    loss = np.mean(model(X) ** 2)
    loss.backward()
    assert isinstance(grads, nn.Sequential)
    assert value.item() == loss.item()
    for p, g in zip(model.parameters(), grads.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.data, g.data)


def test_every_mapping_is_a_tree_for_grad():
    model = nn.Sequential(nn.Linear(2, 1, rng=0))
    model.layers = [MappingProxyType({"a": model.layers[0]})]
    X = np.arange(6.0).reshape(3, 2)
    grads = tg.grad(lambda m: m.layers[0]["a"](X).sum())(model)
    np.testing.assert_array_equal(grads.layers[0]["a"].weight.data, [[6, 9]])
    g = tg.grad(lambda t: np.sum(t["x"] ** 2))(MappingProxyType({"x": np.array([1.0, 2.0])}))
    np.testing.assert_array_equal(g["x"], [2, 4])


@pytest.mark.parametrize("kind", [set, frozenset, deque, lambda x: np.array([*x, None], object)])
def test_modules_where_none_is_looked_for_are_refused(kind):
    model = nn.Linear(2, 1)
    model.kept = kind([1, "a"])
    assert "weight" in model.state_dict()
    for x, name in ((nn.Identity(), "Identity"), (Tensor(1.0), "Tensor")):
        model.kept = [kind([x])]
        with pytest.raises(TypeError, match=rf"kept\.0 .*{name}.* lists"):
            list(model.parameters())


def test_shared_parameters_stay_shared_under_grad():
    net = Net()
    grads = tg.grad(lambda m: (m.first(np.ones((1, 3))) + m.tied.sum()).sum())(net)
    assert grads.first.weight is grads.tied
    np.testing.assert_array_equal(grads.tied.data, np.full((2, 3), 3.0))


def test_forward_is_looked_up_when_a_module_is_called():
    class Doubled:
        def forward(self, x):
            return 2 * super().forward(x)

    class Identity(nn.Module):
        def forward(self, x):
            return x

    class Both(Doubled, Identity):
        pass

    assert Both()(3) == 6
    layer = Identity()
    layer.forward = lambda x: -x
    assert layer(3) == -3


def test_a_module_that_holds_itself_says_so():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    model.layers[1].model = model
    with pytest.raises(ValueError, match="self"):
        list(model.parameters())


def test_cross_entropy_with_logits_keeps_its_digits_where_it_is_small():
    loss = nn.binary_cross_entropy_with_logits(np.array([40.0]), np.array([1.0]))
    assert loss == pytest.approx(np.exp(-40), rel=1e-15)


def test_targets_in_a_list_have_the_dtype_of_the_prediction():
    p = np.ones(2, dtype=np.float32)
    assert nn.mse_loss(Tensor(p), [0, 1]).dtype == np.float32


def test_modules_can_be_copied():
    net = Net()
    twin = copy.deepcopy(net)
    np.testing.assert_array_equal(twin(np.ones((1, 3))).data, net(np.ones((1, 3))).data)
    assert twin.first.weight is twin.tied


# --- layers ---


def test_linear_draws_as_documented():
    layer = nn.Linear(4, 100, rng=0)
    assert layer.weight.shape == (100, 4)
    assert layer.bias.shape == (100,)
    assert 0.49 < np.max(np.abs(layer.weight.data)) <= 0.5
    np.testing.assert_array_equal(layer.weight.data, nn.Linear(4, 100, rng=0).weight.data)
    ones = nn.Linear(2, 3, bias=False, init=lambda rng, shape: np.ones(shape), dtype=np.float32)
    assert ones(np.ones(2, dtype=np.float32)).dtype == np.float32
    assert ones(np.ones(2, dtype=np.float32)).tolist() == [2, 2, 2]
    assert list(dict(ones.named_parameters())) == ["weight"]


def test_linear_takes_any_leading_shape():
    layer = nn.Linear(3, 2, rng=0)
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    y = layer(x)
    for i in range(2):
        np.testing.assert_allclose(y.data[i], layer(x[i]).data, rtol=1e-14)
    assert layer([1.0, 2.0, 3.0]).shape == (2,)


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.Perceptron(3)])
@pytest.mark.parametrize("shape", [(4, 2), (3, 4), ()])
def test_shape_errors_name_the_layer_and_both_sizes(layer, shape):
    with pytest.raises(ValueError, match=rf"{type(layer).__name__}.*features.*3 features") as error:
        layer(np.ones(shape))
    assert str(shape) in str(error.value)


def test_bad_layers_are_refused():
    for make in (
        lambda: nn.Linear(0, 2),
        lambda: nn.Perceptron(0),
        lambda: nn.Linear(2, 3, init=lambda rng, shape: np.ones(shape[::-1])),
    ):
        with pytest.raises(ValueError):
            make()
    with pytest.raises(TypeError, match=r"Sequential\(\*layers\)"):
        nn.Sequential([nn.Tanh()])


def test_perceptron_starts_as_the_tutorial_does():
    model = nn.Perceptron(1000, rng=0)
    assert model.bias.item() == 0
    assert 0 <= model.weight.data.min() < 0.01
    assert 0.99 < model.weight.data.max() < 1


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (nn.Sigmoid(), tg.sigmoid), (nn.Tanh(), np.tanh), (nn.ReLU(), tg.relu),
        (nn.LeakyReLU(0.2), lambda x: tg.leaky_relu(x, negative_slope=0.2)),
        (nn.Softplus(), tg.softplus),
        (nn.SiLU(), tg.silu), (nn.GELU(), tg.gelu), (nn.ELU(0.3), lambda x: tg.elu(x, alpha=0.3)),
        (nn.Softmax(0), lambda x: tg.softmax(x, axis=0)), (nn.LogSoftmax(), tg.log_softmax),
    ],
    ids=lambda f: type(f).__name__,
)  # fmt: skip
def test_activation_modules(module, function):
    x = np.linspace(-2, 2, 6).reshape(2, 3)
    np.testing.assert_array_equal(module(x), function(x))


def test_sequential_is_a_sequence():
    model = nn.Sequential(nn.Tanh(), nn.ReLU(), nn.Sigmoid())
    assert len(model) == len(list(model)) == 3
    assert isinstance(model[1], nn.ReLU)
    assert isinstance(model[1:], nn.Sequential)
    assert len(model[1:]) == 2


# --- losses ---

PAIRS = {
    "mse_loss": (nn.MSELoss, lambda p, t: (p - t) ** 2),
    "l1_loss": (nn.L1Loss, lambda p, t: np.abs(p - t)),
    "huber_loss": (
        nn.HuberLoss,
        lambda p, t: np.where(np.abs(p - t) <= 1, (p - t) ** 2 / 2, np.abs(p - t) - 0.5),
    ),
    "binary_cross_entropy": (nn.BCELoss, lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p))),
    "binary_cross_entropy_with_logits": (
        nn.BCEWithLogitsLoss,
        lambda z, t: np.log(1 + np.exp(z)) - t * z,
    ),
    "hinge_loss": (nn.HingeLoss, lambda p, t: np.maximum(0, 1 - t * p)),
}


@pytest.mark.parametrize("name", PAIRS)
@given(n=st.integers(1, 5), m=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_losses_are_their_formulas(name, n, m, seed):
    make, formula = PAIRS[name]
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.01, 0.99, (n, m)) if name.endswith("entropy") else 3 * rng.normal(size=(n, m))
    t = rng.uniform(size=(n, m))
    if name == "hinge_loss":
        t = np.sign(t - 0.5)
    expected = formula(p, t)
    for reduction, value in (
        ("none", expected), ("sum", expected.sum()), ("mean", expected.mean()),
    ):  # fmt: skip
        for loss in (getattr(nn, name), lambda p, t, r: make(r)(p, t)):
            np.testing.assert_allclose(loss(p, t, reduction), value, rtol=1e-12, atol=1e-14)
            tracked = loss(Tensor(p, requires_grad=True), t, reduction)
            np.testing.assert_allclose(tracked.data, value, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", PAIRS)
def test_prediction_and_target_never_broadcast(name):
    for p, t in (((4,), (4, 1)), ((4, 1), (4,)), ((3,), (1,)), ((2, 3), (3, 2)), ((3,), ())):
        with pytest.raises(ValueError, match="same shape") as error:
            getattr(nn, name)(Tensor(np.full(p, 0.5)), np.ones(t))
        assert str(p) in str(error.value)
        assert str(t) in str(error.value)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_])
@pytest.mark.parametrize("wrap", [np.array, Tensor])
def test_losses_of_small_integers_are_those_of_floats(name, dtype, wrap):
    loss, p, t = getattr(nn, name), np.array([1, 0, 1]), np.array([1, 1, 1])
    if dtype is np.int8 and name in ("mse_loss", "l1_loss", "huber_loss"):
        p, t = 100 * p, -100 * t
    found = loss(wrap(p.astype(dtype)), wrap(t.astype(dtype)), "none")
    np.testing.assert_array_equal(found, loss(p.astype(float), t.astype(float), "none"))


def test_scores_of_small_integers_are_those_of_floats():
    z, t = np.array([[0, 255]], dtype=np.uint8), [1]
    assert nn.nll_loss(z, t) == -255
    assert nn.cross_entropy(z, [0]) == pytest.approx(255)


def test_unknown_reductions_are_refused():
    for loss in (nn.mse_loss, nn.l1_loss, nn.cross_entropy):
        target = [0] if loss is nn.cross_entropy else np.ones((1, 2))
        with pytest.raises(ValueError, match=r'"mean", "sum" or "none".*average'):
            loss(np.ones((1, 2)), target, reduction="average")
    with pytest.raises(ValueError, match="average"):
        nn.MSELoss("average")


def test_cross_entropy_takes_indices_and_probabilities():
    z, t = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]]), [1, 2]
    by_index = nn.cross_entropy(z, t)
    assert by_index == pytest.approx(nn.cross_entropy(z, np.eye(3)[t]), rel=1e-15)
    assert by_index == pytest.approx(nn.nll_loss(tg.log_softmax(z), t), rel=1e-15)


@pytest.mark.parametrize("t", [[0, 3], [-1, 0], [0.0, 1.0], [0], [[0], [1]]])
def test_bad_class_indices_are_refused(t):
    with pytest.raises(ValueError, match=r"class 3 in row 1|class -1 in row 0|integer class"):
        nn.cross_entropy(np.ones((2, 3)), t)


def test_bce_of_certainty_is_finite_and_of_nonsense_refused():
    p = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    with np.errstate(all="raise"):
        loss = nn.binary_cross_entropy(p, [0.0, 1.0, 1.0, 0.0], "none")
        loss.sum().backward()
    assert loss.tolist() == [0, 0, 100, 100]
    assert np.isfinite(p.grad.data).all()
    with pytest.raises(ValueError, match="with_logits"):
        nn.binary_cross_entropy([1.5], [1.0])
    with pytest.raises(ValueError, match="−1 and 1"):
        nn.hinge_loss([1.5], [0.0])


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("wrap", [np.array, Tensor])
def test_losses_of_nan_are_nan(name, wrap):
    loss = getattr(nn, name)(wrap([np.nan, 0.5, 0.5]), [1.0, 1.0, 1.0], "none")
    np.testing.assert_array_equal(np.isnan(loss), [True, False, False])


@pytest.mark.parametrize("loss", [nn.binary_cross_entropy_with_logits, nn.mse_loss, nn.huber_loss])
def test_losses_are_stable_at_ten_thousand(loss):
    z = Tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    with np.errstate(all="raise"):
        loss(z, [1.0, 0.0, 0.0, 1.0]).backward()
    assert np.isfinite(z.grad.data).all()


def test_cross_entropy_is_stable_at_ten_thousand():
    z = Tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    with np.errstate(all="raise"):
        loss = nn.cross_entropy(z, [0, 0])
        loss.backward()
    assert loss.item() == 1e4
    np.testing.assert_array_equal(z.grad.data, [[0, 0], [-0.5, 0.5]])


def test_an_activation_is_known_by_all_who_name_them():
    functions = {name: getattr(tg, name) for name in activations.__all__}
    elementwise = {name for name, f in functions.items() if tg.RULES[f].form == "elementwise"}
    assert {*ACTIVATIONS} == elementwise | {"tanh"}
    assert {*functions} <= {*tg.__all__} & {*rules.__all__} & {*TENSOR} & {*NN}
    for name, layer in ACTIVATIONS.items():
        x = np.linspace(-2, 2, 5)
        np.testing.assert_array_equal(layer()(x), functions.get(name, np.tanh)(x))
        assert getattr(nn, layer.__name__) is layer
        assert layer.__doc__
        assert {"relu", "silu", "gelu", "tanh", "sigmoid", "softplus"} <= {*slips.ACTIVATIONS}
