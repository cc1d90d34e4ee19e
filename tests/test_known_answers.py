"""The perceptron follows the tutorial's own program, and exact arithmetic, through 1000 epochs.

`seed_trajectories.json` holds, for three runs, the state after epochs 1, 10, 100 and 1000:
`float64` as the tutorial's compiled program prints it, `exact` in 60-digit arithmetic.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_slp import nn, optim, tutorial

KNOWN = json.loads(Path(__file__).with_name("seed_trajectories.json").read_text())
X, Y = tutorial.X, tutorial.Y
every_run = pytest.mark.parametrize(
    "run", KNOWN["runs"], ids=[str(run["initial_weights"]) for run in KNOWN["runs"]]
)


def perceptron(run, dtype=np.float64):
    """The tutorial's perceptron in the initial state of a run."""
    model = nn.Perceptron(3, dtype=dtype)
    model.weight.data, model.bias.data = run["initial_weights"], run["initial_bias"]
    return model


def trained(model, X, Y):
    """Trains for ever by full batches; after every epoch, yields its number and the mean loss."""
    loss_of = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    epoch = 0
    while True:
        optimizer.zero_grad()
        loss_of(model(X), Y).backward()
        optimizer.step()
        epoch += 1
        yield epoch, loss_of(model(X), Y)


def floats(texts):
    return np.array(texts, dtype=float)


def test_the_data_are_the_tutorials():
    np.testing.assert_array_equal(X, KNOWN["X"])
    np.testing.assert_array_equal(Y, KNOWN["y"])
    assert KNOWN["epochs"] == [1, 10, 100, 1000]


@every_run
def test_perceptron_follows_the_tutorial(run):
    model = perceptron(run)
    remaining = dict(run["epochs"])
    for epoch, loss in trained(model, X, Y):
        if known := remaining.pop(str(epoch), None):
            for source in ("float64", "exact"):
                state = known[source]
                found = model.weight.data, model.bias.data, model(X).data
                for value, name in zip(found, ("weights", "bias", "predictions"), strict=True):
                    np.testing.assert_allclose(value, floats(state[name]), rtol=1e-13, atol=0)
            np.testing.assert_allclose(loss.item(), float(known["loss_mse_exact"]), rtol=1e-13)
        if not remaining:
            break
    assert epoch == 1000


@every_run
def test_hand_derived_gradient_follows_the_tutorial(run):
    w, b = np.array(run["initial_weights"]), run["initial_bias"]
    for epoch in range(1, 1001):
        gw, gb = tutorial.gradient(X, Y, w, b)
        w, b = w - gw, b - gb
        if known := run["epochs"].get(str(epoch)):
            np.testing.assert_allclose(w, floats(known["exact"]["weights"]), rtol=1e-13)
            np.testing.assert_allclose(b, floats(known["exact"]["bias"]), rtol=1e-13)


@every_run
def test_float32_stays_float32(run):
    model = perceptron(run, np.float32)
    for epoch, loss in trained(model, X.astype(np.float32), Y.astype(np.float32)):
        values = *model.parameters(), *(x.grad for x in model.parameters()), loss
        assert {x.dtype for x in values} == {np.dtype(np.float32)}
        if epoch == 100:
            break
    known = run["epochs"]["100"]["exact"]
    np.testing.assert_allclose(model.weight.data, floats(known["weights"]), rtol=1e-4)
    np.testing.assert_allclose(model.bias.data, floats(known["bias"]), rtol=1e-4)


def test_predictions_after_training_are_the_tutorials_answers():
    model = perceptron(KNOWN["runs"][0])
    for epoch, _ in trained(model, X, Y):
        if epoch == 1000:
            break
    assert np.round(model(tutorial.SAMPLES).data).tolist() == [0, 1]
