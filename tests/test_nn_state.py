"""What a module counts as its own, with fields of every kind: nothing that was computed."""

import copy
import pickle
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.jit import jit
from tinygrad_slp.saving import load, save
from tinygrad_slp.train import EarlyStopping, fit

Pair = namedtuple("Pair", "first second")
X = np.random.default_rng(0).normal(size=(6, 3))
FIELDS = {
    "a computed Tensor": lambda x, h: h * 2,
    "one without gradient": lambda x, h: h.detach() * 2,
    "a detached Tensor": lambda x, h: h.detach(),
    "computed of a buffer": lambda x, h: nn.Buffer(np.ones(2)) * h,
    "computed of a buffer, without gradient": lambda x, h: nn.Buffer(2.0) * h.detach(),
    "a Tensor of integers": lambda x, h: Tensor(np.arange(len(x))),
    "an array": lambda x, h: np.array(x),
    "an array of texts": lambda x, h: np.array(["a", "b"]),
    "an array of objects": lambda x, h: np.array([None, "b"], dtype=object),
    "a list of computed Tensors": lambda x, h: [h, {"b": h + 1}],
    "a set": lambda x, h: {h, 1},
    "a named tuple": lambda x, h: Pair(h, None),
    "a mapping": lambda x, h: OrderedDict(a=h),
    "a number": lambda x, h: 3.5,
    "a text": lambda x, h: "abc",
    "nothing": lambda x, h: None,
    "a function": lambda x, h: np.tanh,
    "a class": lambda x, h: nn.ReLU,
}
each_field = pytest.mark.parametrize("kind", FIELDS)
PARAMETERS = ["inner.weight", "inner.bias", "frozen", "scale.0"]
BUFFERS = ["seen"]


class Net(nn.Module):
    """Keeps something in a field, each time that it is called."""

    def __init__(self, kind, rng=0):
        self.kind = kind
        self.inner = nn.Linear(3, 2, rng=rng)
        self.frozen = Tensor([3.0], requires_grad=True)
        self.frozen.requires_grad = False
        self.scale = [Tensor([2.0], requires_grad=True)]
        self.seen = nn.Buffer(0)

    def forward(self, x):
        h = self.inner(x) * self.scale[0] + self.frozen
        self.kept = FIELDS[self.kind](x, h)
        return h


def loss_of(model, x=X):
    return np.mean(np.square(model(x)))


def is_of_its_own(model):
    """Whether the state of this model is what was made as such, in every way to ask for it."""
    named = [name for name, _ in model.named_parameters()], [n for n, _ in model.named_buffers()]
    return named == (PARAMETERS, BUFFERS) and set(model.state_dict()) == {*PARAMETERS, *BUFFERS}


@each_field
def test_what_a_forward_keeps_is_no_state(kind):
    model = Net(kind)
    loss_of(model).backward()
    optim.clip_grad_norm_(model.parameters(), 1.0)
    assert is_of_its_own(model)
    state = model.state_dict()
    model(X[:2])
    assert is_of_its_own(model)
    model.load_state_dict(state)
    with tg.no_grad():
        model(X[:4])
    assert is_of_its_own(model)
    model.requires_grad_(False)
    model(X[:4])
    assert is_of_its_own(model.requires_grad_())
    model.zero_grad()
    assert is_of_its_own(model.eval().train())
    assert model.scale[0].requires_grad


@each_field
@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_hold_the_same_state_and_the_values_that_were_kept(kind, again):
    model = Net(kind)
    for kept in ("nothing yet", "something"):
        if kept == "something":
            model(X)
            if kind == "a set":
                with pytest.raises(TypeError, match="detach"):
                    again(model)
                return
        twin = again(model)
        assert is_of_its_own(twin)
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(twin.state_dict()[name], array)
        assert [p.requires_grad for p in twin.parameters()] == [True, True, False, True]
        twin.requires_grad_()
        assert all(p.requires_grad for p in twin.parameters())
        np.testing.assert_array_equal(twin(X).data, model(X).data)
    if isinstance(model.kept, Tensor):
        np.testing.assert_array_equal(again(model).kept.data, model.kept.data)


@each_field
def test_a_gradient_by_a_module_knows_its_parameters(kind):
    model = Net(kind)
    model.requires_grad_()
    seen = []

    def loss(m):
        assert is_of_its_own(m)
        value = loss_of(m)
        assert is_of_its_own(m)
        seen.append(m.inner.weight)
        return value

    def squared(m):
        g = tg.grad(loss)(m)
        assert is_of_its_own(g)
        assert is_of_its_own(copy.copy(g))
        return sum(np.sum(x * x) for x in g.parameters())

    gradients = tg.grad(loss)(model)
    assert is_of_its_own(gradients)
    loss_of(model).backward()
    for p, g in zip(model.parameters(), gradients.parameters(), strict=True):
        np.testing.assert_allclose(g.data, p.grad.data, rtol=1e-13)
    second = tg.grad(squared)(model)
    assert seen[-1].function is not None
    assert is_of_its_own(second)
    for name, g in second.named_parameters():
        x, h = dict(model.named_parameters())[name], 1e-5
        before, values = x.data, []
        for sign in (1, -1):
            x.data = before + sign * h * (np.arange(x.size) == 0).reshape(x.shape)
            values.append(squared(model).item())
        x.data = before
        np.testing.assert_allclose(
            np.ravel(g.data)[0], (values[0] - values[1]) / (2 * h), rtol=1e-6, atol=1e-6
        )


@each_field
def test_a_training_goes_on_whatever_is_kept(kind):
    model = Net(kind)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    history = fit(
        model, (X, X[:, :2]), nn.mse_loss, optimizer, epochs=4, batch_size=4,
        validation=(X[:5], X[:5, :2]), callbacks=[EarlyStopping(patience=1)], jit=False,
    )  # fmt: skip
    assert len(history["loss"])
    assert is_of_its_own(model)


@each_field
def test_a_file_holds_the_state(kind, tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed (extra io)")
    model = Net(kind)
    model(X)
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors", into=Net(kind, rng=1))
    np.testing.assert_array_equal(again(X).data, model(X).data)
    if kind in ("a set", "a mapping", "a named tuple", "an array of objects", "a class"):
        return
    again = load(tmp_path / "m.safetensors", classes=[Net])
    assert is_of_its_own(again)
    np.testing.assert_array_equal(again(X).data, model(X).data)
    again.requires_grad_()
    assert all(p.requires_grad for p in again.parameters())


# --- fields that are given something else ---


def test_a_buffer_follows_a_buffer_in_its_field():
    model = Net("nothing")
    for value in (model.seen + 1, Tensor(2.5), np.array(3), 0.9 * model.seen):
        model.seen = value
        assert is_of_its_own(model)
        assert isinstance(model.seen, nn.Buffer)
        np.testing.assert_array_equal(model.seen.data, np.asarray(value))
    with pytest.raises(TypeError, match=r"Net\.seen .*buffer.*detach"):
        model.seen = loss_of(model)
    with pytest.raises(TypeError, match=r"Net\.seen .*buffer.*detach"):
        model.seen = model.seen * loss_of(model)
    model.seen = None
    assert not list(model.named_buffers())


@pytest.mark.parametrize("value", [np.ones((2, 3)), Tensor(np.ones((2, 3)))])
def test_a_parameter_is_not_lost_by_what_its_field_is_given(value):
    layer = nn.Linear(3, 2, rng=0)
    for new in (value, layer.weight - 0.1 * layer.weight, layer.weight.detach()):
        with pytest.raises(TypeError, match=r"Linear\.weight .*parameter.*weight\.data = "):
            layer.weight = new
    layer.weight.data = value
    np.testing.assert_array_equal(layer.weight.data, np.ones((2, 3)))
    layer.weight = other = Tensor(np.zeros((2, 3)), requires_grad=True)
    layer.weight.requires_grad = False
    assert next(layer.parameters()) is other
    layer.bias = None
    assert len(list(layer.parameters())) == 1


def test_constants_are_not_thawed():
    model = Net("nothing")
    model.constant, model.whole = Tensor([1.0]), Tensor([1])
    model.requires_grad_(False).requires_grad_()
    assert not model.constant.requires_grad
    assert not model.whole.requires_grad
    assert not model.seen.requires_grad
    assert "constant" in dict(model.named_parameters())
    assert "whole" not in model.state_dict()
    twin = pickle.loads(pickle.dumps(model)).requires_grad_()
    assert not twin.constant.requires_grad
    model.constant = model.inner(X)
    assert "constant" not in model.state_dict()
    assert all(p.requires_grad for p in model.parameters())


def test_what_was_frozen_by_hand_is_thawed():
    model = Net("nothing")
    for p in model.parameters():
        p.requires_grad = False
    assert is_of_its_own(model)
    assert all(p.requires_grad for p in model.requires_grad_().parameters())


@pytest.mark.parametrize("backend", ["numpy"])
def test_a_compiled_step_keeps_the_state_too(backend):
    model = Net("a number")
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @jit(backend=backend)
    def step(x):
        optimizer.zero_grad()
        loss = loss_of(model, x)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(X)
    assert is_of_its_own(model)


# --- train and eval ---


class FrozenNorm(nn.BatchNorm1d):
    """The usual frozen batch norm: its averages stay."""

    def train(self, mode=True):
        return super().train(False)


class Counting(nn.Module):
    def __init__(self):
        self.modes = []
        self.inside = nn.Dropout()

    def train(self, mode=True):
        self.modes.append(mode)
        return super().train(mode)

    def forward(self, x):
        return x


PLACES = {
    "a field": lambda m: vars(nn.Residual(m)),
    "a list": lambda m: {"parts": [m]},
    "a dict in a tuple": lambda m: {"parts": ({"m": m},)},
    "a Sequential": lambda m: {"parts": nn.Sequential(nn.ReLU(), m)},
    "a ModuleList": lambda m: {"parts": nn.ModuleList([m])},
    "a ModuleDict": lambda m: {"parts": nn.ModuleDict({"m": m})},
    "deep within": lambda m: {"parts": nn.Sequential(nn.Sequential(nn.Residual(m)))},
}


@pytest.mark.parametrize("place", PLACES)
def test_train_and_eval_of_a_module_within_are_called(place):
    norm, counting = FrozenNorm(3), Counting()
    model = nn.Module()
    vars(model).update(a=PLACES[place](norm), b=PLACES[place](counting))
    for mode in (model.train, lambda: model.train(False), model.eval, model.train):
        mode()
        assert not norm.training
    assert counting.modes == [True, False, False, True]
    assert counting.inside.training
    norm(X)
    assert norm.num_batches_tracked.item() == 0


def test_a_frozen_norm_stays_so_in_a_training():
    model = nn.Sequential(nn.Linear(3, 3, rng=0), FrozenNorm(3), nn.Linear(3, 2, rng=1))
    before = model[1].running_mean.data
    fit(model, (X, X[:, :2]), nn.mse_loss, optim.SGD(model.parameters(), lr=0.1), epochs=3)
    np.testing.assert_array_equal(model[1].running_mean.data, before)


def test_a_mode_is_true_or_false():
    with pytest.raises(TypeError, match=r"mode .*True or False"):
        nn.Linear(3, 2).train(X)
