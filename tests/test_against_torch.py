"""The same models in PyTorch: outputs, gradients and trajectories agree, to rounding."""

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
F = torch.nn.functional

ACTIVATIONS = {
    "Sigmoid": {}, "Tanh": {}, "ReLU": {}, "LeakyReLU": {"negative_slope": 0.2}, "Softplus": {},
    "SiLU": {}, "GELU": {}, "ELU": {"alpha": 0.7}, "Softmax": {"dim": 1}, "LogSoftmax": {"dim": 1},
}  # fmt: skip


def near(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12, atol=1e-13)


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = np.random.default_rng(0).normal(size=(4, 5)) * 3
    ours = tg.Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    y = getattr(nn, name)(**ACTIVATIONS[name])(ours)
    z = getattr(torch.nn, name)(**ACTIVATIONS[name])(theirs)
    near(y.data, z)
    (y**2).sum().backward()
    (z**2).sum().backward()
    near(ours.grad.data, theirs.grad)


LOSSES = {
    "mse_loss": "normal", "l1_loss": "normal", "huber_loss": "normal", "nll_loss": "class",
    "binary_cross_entropy": "unit", "binary_cross_entropy_with_logits": "unit",
    "cross_entropy": "class",
}  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, reduction):
    kind = LOSSES[name]
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, (6, 3)) if kind == "unit" else 2 * rng.normal(size=(6, 3))
    # Exactly 0 is a corner where they agree, but for BCE: PyTorch's 1e-12 there is a float32.
    p[0, 0] = p[0, 0] if name == "binary_cross_entropy" else 0.0
    t = rng.integers(0, 3, 6) if kind == "class" else rng.uniform(0, 1, (6, 3))
    ours, theirs = tg.Tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    y = getattr(nn, name)(ours, t, reduction)
    z = getattr(F, name)(theirs, torch.tensor(t), reduction=reduction)
    near(y.data, z)
    y.sum().backward()
    z.sum().backward()
    near(ours.grad.data, theirs.grad)


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
        near(back[k].numpy(), v)
    theirs.load_state_dict(back)
    near(ours(X).data, theirs(torch.tensor(X)))


def test_the_default_init_has_the_bounds_of_torch():
    ours, theirs = nn.Linear(16, 4000, rng=0), torch.nn.Linear(16, 4000)
    for name in ("weight", "bias"):
        a, b = getattr(ours, name).data, getattr(theirs, name).detach().numpy()
        assert a.shape == b.shape
        assert np.max(np.abs(a)) == pytest.approx(np.max(np.abs(b)), rel=2e-3)
        assert np.std(a) == pytest.approx(np.std(b), rel=2e-2)
