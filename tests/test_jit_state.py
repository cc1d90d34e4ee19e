"""Where parameters stand between replays: in the program's buffers, unless somebody watches."""

import numpy as np
import pytest
from steps import each_backend

from tinygrad_slp import jit, nn, optim, tutorial
from tinygrad_slp.jit import state

X, Y = tutorial.X, tutorial.Y.reshape(-1, 1)


def training():
    model = nn.Sequential(nn.Linear(3, 1, rng=0), nn.Sigmoid())
    optimizer = optim.SGD(model.parameters(), lr=1.0, momentum=0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, step


@pytest.fixture
def moves(monkeypatch):
    """Counts how often a program has to go on with other buffers."""
    counted = []
    move = state.State.move

    def counting(self):
        counted.append(self)
        move(self)

    monkeypatch.setattr(state.State, "move", counting)
    return counted


def settles(compiled):
    for _ in range(3):
        compiled(X, Y)
    return compiled.latest.settled


@each_backend
def test_where_nobody_watches_parameters_are_the_buffers(backend, moves):
    _, step = training()
    compiled = jit(step, backend=backend)
    compiled(X, Y)
    assert settles(compiled)
    assert not moves


@each_backend
def test_who_records_the_weights_of_every_step_moves_the_program_once(backend, moves):
    (model, step), (twin, eager) = training(), training()
    compiled = jit(step, backend=backend)
    seen, expected = [], []
    for _ in range(state.AWHILE):
        compiled(X, Y)
        eager(X, Y)
        seen.append(model.layers[0].weight.data)
        expected.append(twin.layers[0].weight.data)
    assert len(moves) == 1
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


@each_backend
def test_who_stops_recording_gets_the_buffers_back(backend, moves):
    model, step = training()
    compiled = jit(step, backend=backend)
    settles(compiled)
    taken = model.layers[0].weight.data
    before = taken.copy()
    assert not settles(compiled)
    for _ in range(state.AWHILE):
        compiled(X, Y)
    assert settles(compiled)
    assert len(moves) == 1
    np.testing.assert_array_equal(taken, before)
