"""The same layers, losses and models in PyTorch: states move both ways; outputs, gradients and
trajectories agree, to rounding."""

import numpy as np
import pytest
from torch_peers import float64, near, torch  # noqa: F401

from tinygrad_slp import Tensor, nn, optim

F = torch.nn.functional


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensors(x):
    if x.dtype.kind != "f":
        return x, torch.tensor(x)
    return Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)


# --- layers ---

INDICES = np.random.default_rng(0).integers(0, 5, (6, 2))
CASES = {
    "Sigmoid": (lambda n: n.Sigmoid(), 3 * normal(4, 5)),
    "Tanh": (lambda n: n.Tanh(), 3 * normal(4, 5)),
    "ReLU": (lambda n: n.ReLU(), 3 * normal(4, 5)),
    "LeakyReLU": (lambda n: n.LeakyReLU(negative_slope=0.2), 3 * normal(4, 5)),
    "Softplus": (lambda n: n.Softplus(), 3 * normal(4, 5)),
    "SiLU": (lambda n: n.SiLU(), 3 * normal(4, 5)),
    "Softplus with settings": (lambda n: n.Softplus(beta=1.7, threshold=0.5), 3 * normal(4, 5)),
    "Softplus, no threshold": (
        lambda n: n.Softplus(0.3, threshold=1e9 if n is torch.nn else None),
        3 * normal(4, 5),
    ),
    "GELU": (lambda n: n.GELU(), 3 * normal(4, 5)),
    "GELU by a tanh": (lambda n: n.GELU(approximate="tanh"), 3 * normal(4, 5)),
    "ReLU in place": (lambda n: n.ReLU(inplace=n is nn), 3 * normal(4, 5)),
    "ELU": (lambda n: n.ELU(alpha=0.7), 3 * normal(4, 5)),
    "Softmax": (lambda n: n.Softmax(dim=1), 3 * normal(4, 5)),
    "LogSoftmax": (lambda n: n.LogSoftmax(dim=1), 3 * normal(4, 5)),
    "Embedding": (lambda n: n.Embedding(5, 3), INDICES),
    "Embedding, padding": (lambda n: n.Embedding(5, 3, padding_idx=-2), INDICES),
    "BatchNorm1d": (lambda n: n.BatchNorm1d(4), normal(6, 4)),
    "BatchNorm1d of signals": (lambda n: n.BatchNorm1d(4, eps=1e-3, momentum=0.3), normal(6, 4, 3)),
    "BatchNorm1d, all alike": (lambda n: n.BatchNorm1d(4, momentum=None), normal(6, 4)),
    "BatchNorm1d, not affine": (lambda n: n.BatchNorm1d(4, affine=False), normal(6, 4)),
    "BatchNorm1d, no averages": (
        lambda n: n.BatchNorm1d(4, track_running_stats=False),
        normal(6, 4),
    ),
    "BatchNorm1d, no bias": (lambda n: n.BatchNorm1d(4, bias=False), normal(6, 4)),
    "LayerNorm": (lambda n: n.LayerNorm(4), normal(2, 3, 4)),
    "LayerNorm of two axes": (lambda n: n.LayerNorm((3, 4), eps=0.1, bias=False), normal(2, 3, 4)),
    "LayerNorm, not affine": (lambda n: n.LayerNorm([4], elementwise_affine=False), normal(6, 4)),
    "Flatten": (lambda n: n.Flatten(), normal(2, 3, 4)),
    "Flatten, the middle": (lambda n: n.Flatten(1, -2), normal(2, 3, 4, 5)),
    "Identity": (lambda n: n.Identity(), normal(2, 3)),
    "Dropout of nothing": (lambda n: n.Dropout(0.0), normal(2, 3)),
    "Dropout of all": (lambda n: n.Dropout(1.0), normal(2, 3)),
    "ModuleList": (lambda n: n.Sequential(*n.ModuleList([n.Linear(4, 2), n.Tanh()])), normal(6, 4)),
}


def walked(n):
    """What the walks over a model with shared layers give, by names."""
    shared, act = n.Linear(2, 2), n.ReLU()
    model = n.Sequential(shared, n.Sequential(shared, act, n.ModuleList([act])), shared)
    applied = []
    model.apply(lambda m: applied.append(type(m).__name__))
    within = [(name, type(m).__name__) for name, m in model.named_modules()]
    return within, [name for name, _ in model.named_children()], applied


def test_walks_over_modules_go_the_same_way():
    assert walked(nn) == walked(torch.nn)


@pytest.mark.parametrize("name", CASES)
def test_outputs_gradients_and_states_agree(name):
    make, x = CASES[name]
    ours, theirs = make(nn), make(torch.nn)
    start = {k: v.shape for k, v in ours.state_dict().items()}
    assert start == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    for mode in (True, True, False):
        ours.train(mode)
        theirs.train(mode)
        a, b = tensors(x)
        y, z = ours(a), theirs(b)
        near(y.data, z)
        weights = normal(*z.shape, seed=1)
        if z.requires_grad:
            (y * weights).sum().backward()
            (z * torch.tensor(weights)).sum().backward()
        if x.dtype.kind == "f":
            near(a.grad.data, b.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        near(p.grad.data, q.grad)
    for k, v in theirs.state_dict().items():
        near(ours.state_dict()[k], v)
    back = {k: torch.tensor(v) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(back)


@pytest.mark.parametrize("name", CASES)
def test_parameters_and_buffers_have_the_names_and_starts_of_torch(name):
    make, _ = CASES[name]
    ours, theirs = make(nn), make(torch.nn)
    for kind in ("named_parameters", "named_buffers"):
        here, there = dict(getattr(ours, kind)()), dict(getattr(theirs, kind)())
        assert list(here) == list(there)
        for k, v in there.items():
            assert here[k].dtype == v.detach().numpy().dtype
            if "Norm" in name:
                near(here[k].data, v)


def test_the_embedding_starts_as_torch_does():
    ours, theirs = nn.Embedding(2000, 20, rng=0), torch.nn.Embedding(2000, 20)
    for w in (ours.weight.data, theirs.weight.detach().numpy()):
        assert w.std() == pytest.approx(1, rel=0.02)
        assert abs(w.mean()) < 0.03


def test_the_default_init_has_the_bounds_of_torch():
    ours, theirs = nn.Linear(16, 4000, rng=0), torch.nn.Linear(16, 4000)
    for name in ("weight", "bias"):
        a, b = getattr(ours, name).data, getattr(theirs, name).detach().numpy()
        assert a.shape == b.shape
        assert np.max(np.abs(a)) == pytest.approx(np.max(np.abs(b)), rel=2e-3)
        assert np.std(a) == pytest.approx(np.std(b), rel=2e-2)


def test_dropout_has_the_moments_of_torch():
    x = np.ones((1000, 100))
    ours, theirs = nn.Dropout(0.3, rng=0)(x), torch.nn.Dropout(0.3)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-15)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.01)


# --- losses ---

LOSSES = {
    "mse_loss": "normal", "l1_loss": "normal", "huber_loss": "normal", "nll_loss": "class",
    "binary_cross_entropy": "unit", "binary_cross_entropy_with_logits": "unit",
    "cross_entropy": "class",
}  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients_agree(name, reduction):
    kind = LOSSES[name]
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, (6, 3)) if kind == "unit" else 2 * rng.normal(size=(6, 3))
    # Exactly 0 is a corner where they agree, but for BCE: PyTorch's 1e-12 there is a float32.
    p[0, 0] = p[0, 0] if name == "binary_cross_entropy" else 0.0
    t = rng.integers(0, 3, 6) if kind == "class" else rng.uniform(0, 1, (6, 3))
    ours, theirs = Tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    y = getattr(nn, name)(ours, t, reduction)
    z = getattr(F, name)(theirs, torch.tensor(t), reduction=reduction)
    near(y.data, z)
    y.sum().backward()
    z.sum().backward()
    near(ours.grad.data, theirs.grad)


WEIGHTS = [0.5, 2.0, 0.25]
OF_CLASSES = [
    {}, {"weight": WEIGHTS}, {"ignore_index": -100}, {"ignore_index": 1},
    {"weight": WEIGHTS, "ignore_index": 2}, {"label_smoothing": 0.3},
    {"weight": WEIGHTS, "ignore_index": -1, "label_smoothing": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("settings", OF_CLASSES)
@pytest.mark.parametrize("shape", [(3,), (6, 3), (4, 3, 5), (2, 3, 4, 2)])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "cross_entropy of shares"])
def test_losses_of_classes_agree_with_all_their_settings(name, shape, settings, reduction):
    rng = np.random.default_rng(1)
    p, name, _ = 2 * rng.normal(size=shape), *(name + " ").split(" ", 1)
    t = rng.integers(0, 3, np.delete(shape, min(1, len(shape) - 1)))
    if _:
        settings = {k: v for k, v in settings.items() if k != "ignore_index"}
        t = rng.uniform(size=shape)
    elif t.ndim and settings.get("ignore_index") is not None:
        t.flat[::3] = settings["ignore_index"]
    if name == "nll_loss":
        settings = {k: v for k, v in settings.items() if k != "label_smoothing"}
    theirs = {k: torch.tensor(v) if k == "weight" else v for k, v in settings.items()}
    if "ignore_index" in settings and not t.ndim and t == settings["ignore_index"]:
        return
    a, b = tensors(p)
    y = getattr(nn, name)(a, t, reduction, **settings)
    z = getattr(F, name)(b, torch.tensor(t), reduction=reduction, **theirs)
    near(y.data, z)
    y.sum().backward()
    z.sum().backward()
    near(a.grad.data, b.grad, rtol=1e-11)


@pytest.mark.parametrize("settings", OF_CLASSES[1:])
def test_the_state_of_a_loss_is_that_of_torch(settings):
    theirs = {k: torch.tensor(v) if k == "weight" else v for k, v in settings.items()}
    there = torch.nn.CrossEntropyLoss(**theirs).state_dict()
    assert list(nn.CrossEntropyLoss(**settings).state_dict()) == list(there)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHTS, [[2.0]] * 6])
@pytest.mark.parametrize("pos_weight", [None, WEIGHTS, 3.0])
def test_weights_of_logits_agree(weight, pos_weight, reduction):
    settings = {"weight": weight, "pos_weight": pos_weight}
    theirs = {k: None if v is None else torch.tensor(v) for k, v in settings.items()}
    (a, b), t = tensors(3 * normal(6, 3)), np.random.default_rng(1).uniform(0, 1, (6, 3))
    y = nn.BCEWithLogitsLoss(reduction, **settings)(a, t)
    z = torch.nn.BCEWithLogitsLoss(reduction=reduction, **theirs)(b, torch.tensor(t))
    near(y.data, z)
    y.sum().backward()
    z.sum().backward()
    near(a.grad.data, b.grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(6, 3), (6, 1), (6,), (1, 3)])
def test_the_gaussian_loss_and_its_gradients_agree(shape, full, reduction):
    p, t = normal(2, 6, 3)
    v = np.random.default_rng(1).uniform(0, 1, shape)
    v.flat[0] = 1e-9  # below ε
    settings = {"full": full, "eps": 1e-3, "reduction": reduction}
    ours, theirs = [tensors(x) for x in (p, v)], torch.tensor(t)
    (a, b), (u, w) = ours
    y = nn.GaussianNLLLoss(**settings)(a, t, u)
    z = torch.nn.GaussianNLLLoss(**settings)(b, theirs, w)
    near(y.data, z)
    y.sum().backward()
    z.sum().backward()
    near(a.grad.data, b.grad)
    near(u.grad.data, w.grad)


# --- trajectories ---

OPTIONS = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3}, {"weight_decay": 0.1},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
def test_a_state_dict_moves_over_and_fifty_steps_agree(options):
    def layers(n):
        return n.Linear(3, 5), n.Tanh(), n.Linear(5, 2)

    theirs = torch.nn.Sequential(*layers(torch.nn))
    ours = nn.Sequential(*layers(nn))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    X, y = np.random.default_rng(2).normal(size=(2, 8, 3))
    y = y[:, :2]
    ours_optimizer = optim.SGD(ours.parameters(), lr=0.1, **options)
    theirs_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, **options)
    for _ in range(50):
        ours_optimizer.zero_grad()
        theirs_optimizer.zero_grad()
        nn.MSELoss()(ours(X), y).backward()
        torch.nn.MSELoss()(theirs(torch.tensor(X)), torch.tensor(y)).backward()
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            near(p.grad.data, q.grad)
        ours_optimizer.step()
        theirs_optimizer.step()
    back = {k: torch.tensor(v) for k, v in ours.state_dict().items()}
    for k, v in theirs.state_dict().items():
        near(back[k], v)
    theirs.load_state_dict(back)
    near(ours(X).data, theirs(torch.tensor(X)))


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_fifty_steps_of_an_mlp_agree(norm):
    ours = nn.MLP([3, 8, 8, 2], nn.Tanh, norm=norm, rng=0)
    layer = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}[norm]
    theirs = torch.nn.Sequential(
        torch.nn.Linear(3, 8), layer(8), torch.nn.Tanh(),
        torch.nn.Linear(8, 8), layer(8), torch.nn.Tanh(), torch.nn.Linear(8, 2),
    )  # fmt: skip
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    X, y = normal(10, 3), normal(10, 2, seed=1)
    a = optim.SGD(ours.parameters(), lr=0.05, momentum=0.5)
    b = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.5)
    for _ in range(50):
        a.zero_grad()
        b.zero_grad()
        nn.mse_loss(ours(X), y).backward()
        torch.nn.functional.mse_loss(theirs(torch.tensor(X)), torch.tensor(y)).backward()
        a.step()
        b.step()
    for k, v in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[k], v.numpy(), rtol=1e-9, atol=1e-11)
    y, z = ours.eval()(X).data, theirs.eval()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-11)
