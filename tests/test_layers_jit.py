"""Every layer trains under jit as it does without: bit for bit in NumPy, to rounding in LLVM."""

import copy

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import nn, optim
from tinygrad_slp.jit import jit

f32 = np.float32
rng = np.random.default_rng(0)
INDICES = rng.integers(0, 5, (6, 2))
ROWS = rng.normal(size=(6, 4))
ENSEMBLES = ROWS.reshape(2, 3, 4)
SIGNALS = rng.normal(size=(6, 4, 3))


class Branches(nn.Module):
    def __init__(self):
        self.steps = nn.ModuleList([nn.Linear(4, 4, rng=0), nn.Linear(4, 4, rng=1)])
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2, rng=2)})

    def forward(self, x):
        for step in self.steps:
            x = np.tanh(step(x))
        return self.heads["a"](x)


class Gaussian(nn.Module):
    """Learns a mean and a variance; its output is the loss."""

    def __init__(self):
        self.mean, self.var = nn.Linear(4, 2, rng=0), nn.Linear(4, 1, rng=1)
        self.loss = nn.GaussianNLLLoss(full=True)

    def forward(self, x):
        return self.loss(self.mean(x), x[:, :2], nn.Softplus()(self.var(x)))


def after(*layers):
    """Layers between two Linear ones, so that there is something to learn on both sides."""
    return nn.Sequential(nn.Linear(4, 4, rng=0), *layers, nn.Linear(4, 2, rng=1))


CASES = {
    "Embedding": (lambda: nn.Embedding(5, 3, rng=0), INDICES),
    "Embedding, padding": (lambda: nn.Embedding(5, 3, padding_idx=1, rng=0), INDICES),
    "Dropout": (lambda: after(nn.Dropout(rng=0)), ROWS),
    "Dropout, all": (lambda: after(nn.Dropout(1.0)), ROWS),
    "BatchNorm1d": (lambda: after(nn.BatchNorm1d(4)), ROWS),
    "BatchNorm1d, all alike": (lambda: after(nn.BatchNorm1d(4, momentum=None)), ROWS),
    "BatchNorm1d, bare": (
        lambda: after(nn.BatchNorm1d(4, affine=False, track_running_stats=False)),
        ROWS,
    ),
    "BatchNorm1d of signals": (
        lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(12, 2, rng=0)),
        SIGNALS,
    ),
    "LayerNorm": (lambda: after(nn.LayerNorm(4)), ROWS),
    "LayerNorm of signals": (
        lambda: nn.Sequential(nn.LayerNorm((4, 3)), nn.Linear(3, 2, rng=0)),
        SIGNALS,
    ),
    "MLPEnsemble": (lambda: nn.MLPEnsemble(2, [4, 5, 2], nn.GELU, 0.2, 3, rng=0), ENSEMBLES),
    "PiecewiseLinear": (
        lambda: nn.Sequential(nn.PiecewiseLinear([[-1, 0, 1], [0, 2]]), nn.Linear(7, 2, rng=0)),
        ROWS,
    ),
    "Flatten": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 2, rng=0)), SIGNALS),
    "Identity": (lambda: after(nn.Identity()), ROWS),
    "Residual": (lambda: after(nn.Residual(nn.Tanh())), ROWS),
    "ModuleList, ModuleDict": (Branches, ROWS),
    "GaussianNLLLoss": (Gaussian, ROWS),
    "MLP": (lambda: nn.MLP([4, 8, 8, 2], norm="batch", dropout=0.3, rng=0), ROWS),
    "MLP, float32": (
        lambda: nn.MLP([4, 8, 8, 2], norm="layer", dropout=0.3, dtype=f32, rng=0),
        ROWS.astype(f32),
    ),
}


def trained(model, compiled, x, steps=5):
    """Losses, and an evaluation after them, of a model that is changed in place."""
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x):
        optimizer.zero_grad()
        loss = np.mean(np.square(model(x)))
        loss.backward()
        optimizer.step()
        return loss

    def predict(x):
        return model(x).detach()

    step, predict = compiled(step), compiled(predict)
    losses = [step(x).data for _ in range(steps)]
    model.eval()
    return [*losses, predict(x).data, predict(x).data]


def streams(model):
    return [m.stream.state.data for m in model.modules() if isinstance(m, nn.Dropout)]


@pytest.mark.parametrize("name", CASES)
@each_backend
def test_training_is_the_same(name, backend):
    make, x = CASES[name]
    eager = make()
    compiled = copy.deepcopy(eager)
    expected = trained(eager, lambda step: step, x)
    found = trained(compiled, lambda step: jit(step, backend=backend), x)
    expected += [*eager.state_dict().values(), *streams(eager)]
    found += [*compiled.state_dict().values(), *streams(compiled)]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        if backend == "numpy" or b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
        else:
            digits = 1e-4 if b.dtype == f32 else 1e-11
            np.testing.assert_allclose(a, b, rtol=digits, atol=digits / 10)


def test_a_compiled_step_goes_on_where_a_loaded_state_stopped():
    model = nn.MLP([4, 6, 2], norm="batch", rng=0)
    step = jit(lambda x: model(x).detach(), backend="numpy")
    start = model.state_dict()
    first = [step(ROWS).data for _ in range(3)]
    after = model.state_dict()
    model.load_state_dict(start)
    for y in first:
        np.testing.assert_array_equal(step(ROWS).data, y)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, after[name])


def test_wrong_indices_are_refused_in_a_replay_too():
    layer = nn.Embedding(5, 3, rng=0)
    look = jit(lambda i: layer(i).detach(), backend="numpy")
    for _ in range(2):
        assert look(INDICES).shape == (6, 2, 3)
    with pytest.raises(ValueError, match="rows 0 to 4"):
        look(INDICES + 3)
