"""What is no argument of a step is seen as one would be: each input of each rule, in every layout.

The product of rules, ways, layouts and sizes is large: a sample of it is drawn.
"""

import random

import numpy as np
import pytest
from inputs import LAYOUTS
from programs import WAYS, Example, examples
from steps import each_backend, same
from worlds import RULES, difference

from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.jit import jit


@each_backend
@pytest.mark.parametrize("name", RULES)
def test_an_input_in_any_way_and_layout(name, backend):
    drawer, found = random.Random(name), list(examples(name))
    for case in drawer.sample(found, min(4, len(found))):
        assert not difference(Example(*case), backend), str(Example(*case))


@each_backend
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["np.matmul", "np.where", "linear", "mean_squared_error"])
def test_every_way_and_layout(name, way, layout, backend):
    found = [case for case in examples(name) if case[4:6] == (way, layout)]
    for case in random.Random(0).sample(found, min(2, len(found))):
        assert not difference(Example(*case), backend), str(Example(*case))


# --- what people write ---


@each_backend
def test_fifteen_lines_of_training_without_an_argument(backend):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))

    def training():
        model = nn.Sequential(nn.Linear(2, 8, rng=1), nn.ReLU(), nn.Linear(8, 1, rng=2))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step():
            loss = nn.mse_loss(model(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    compiled, step = jit(training(), backend=backend), training()
    for _ in range(4):
        np.testing.assert_allclose(compiled().data, step().data, rtol=1e-12)


class Recurrent(nn.Module):
    """A network whose state begins with zeros that are made in `forward`."""

    def __init__(self):
        super().__init__()
        self.into = nn.Linear(2, 3, rng=1)
        self.onto = nn.Linear(3, 3, rng=2)

    def forward(self, x):
        h = np.zeros((len(x), 3))
        for k in range(x.shape[1]):
            h = np.tanh(self.into(x[:, k]) + self.onto(h))
        return h


@each_backend
def test_a_state_of_zeros_and_a_constant_made_in_the_step(backend):
    model, x = Recurrent(), np.random.default_rng(0).normal(size=(4, 5, 2))

    def step(x):
        h = model(x)
        loss = np.mean(h * Tensor(np.arange(3.0)) + np.arange(3) * h)
        model.zero_grad()
        loss.backward()
        return loss.detach(), model.onto.weight.grad.data

    compiled = jit(step, backend=backend)
    for _ in range(3):
        same(compiled(x), step(x), "llvm")
