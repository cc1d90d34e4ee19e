"""The same layers in PyTorch: states move both ways; outputs, gradients and trajectories agree."""

import numpy as np
import pytest

from tinygrad_slp import Tensor, nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)


def near(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-11, atol=1e-13)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


INDICES = np.random.default_rng(0).integers(0, 5, (6, 2))
CASES = {
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


def tensors(x):
    if x.dtype.kind != "f":
        return x, torch.tensor(x)
    return Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)


def walked(n):
    """What the walks over a model with shared layers give, by names."""
    shared, act = n.Linear(2, 2), n.ReLU()
    model = n.Sequential(shared, n.Sequential(shared, act, n.ModuleList([act])), shared)
    applied = []
    model.apply(lambda m: applied.append(type(m).__name__))
    within = [(name, type(m).__name__) for name, m in model.named_modules()]
    return within, [name for name, _ in model.named_children()], applied


def test_walks_over_modules():
    assert walked(nn) == walked(torch.nn)


@pytest.mark.parametrize("name", CASES)
def test_layers(name):
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


def test_dropout_has_the_moments_of_torch():
    x = np.ones((1000, 100))
    ours, theirs = nn.Dropout(0.3, rng=0)(x), torch.nn.Dropout(0.3)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-15)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.01)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(6, 3), (6, 1), (6,)])
def test_gaussian_nll_loss(shape, full, reduction):
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
