"""Makes the pictures of docs/tour.md, beside this file.

    python docs/pictures/make.py

Needs matplotlib and scikit-learn. A picture is drawn small and with few colours, to be light.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tinygrad_slp import data, metrics, nn, no_grad, optim, tutorial
from tinygrad_slp.draw import draw
from tinygrad_slp.plot import confusion, histograms, plot_history
from tinygrad_slp.train import EarlyStopping, fit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "examples"))
import spirals  # noqa: E402
import uncertainty  # noqa: E402


def write(figure, name, dpi=80):
    figure.savefig(HERE / name, dpi=dpi)
    lighten(name)


def lighten(name):
    """256 colours do for a picture, in a fraction of the size."""
    with Image.open(HERE / name) as image:
        light = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    light.save(HERE / name, optimize=True)
    print(f"{name}: {(HERE / name).stat().st_size / 1000:.0f} kB")


def digits():
    """Training with too little data, so that there is something to see: losses, rows, mistakes."""
    X, y = data.load_digits()
    X, X_val, y, y_val = data.train_test_split(X / 16, y, test_size=0.7, stratify=y, rng=0)
    model = nn.MLP([64, 32, 32, 10], rng=0)
    history = fit(
        model, (X, y), nn.cross_entropy, optim.Adam(model.parameters(), lr=3e-3), 100,
        validation=(X_val, y_val), callbacks=[EarlyStopping(25)], progress=False,
        metrics={"accuracy": lambda y, p: metrics.accuracy(y, p.argmax(axis=1))},
    )  # fmt: skip
    write(plot_history(history), "history.png")
    guess = model(X_val).data.argmax(axis=1)
    write(confusion(metrics.confusion_matrix(y_val, guess)), "confusion.png")


def deep():
    """Gradients that vanish: eight layers of sigmoids, before any training."""
    X, y = data.two_moons(200, rng=0)
    model = nn.MLP([2, *8 * [32], 2], nn.Sigmoid, rng=0)
    nn.cross_entropy(model(X), y).backward()
    weights = nn.ModuleList([layer for layer in model if isinstance(layer, nn.Linear)])
    for layer in weights:
        del layer.bias
    write(histograms(weights), "histograms.png")


def band():
    """The model of examples/uncertainty.py: its mean, and two of its deviations."""
    x, y = uncertainty.sample(2000, np.random.default_rng(0))
    model = uncertainty.train(x, y)
    at = np.linspace(0, 1, 200)
    with no_grad():
        μ, v = (t.data[:, 0] for t in uncertainty.mean_and_variance(model(at[:, None])))
    axes = Figure(figsize=(6, 3.6), layout="constrained").subplots()
    axes.plot(x[::4], y[::4], ".", color="#555555", markersize=3, label="every fourth point")
    axes.plot(at, μ, color="#0072B2", linewidth=2, label="predicted mean")
    axes.fill_between(at, μ - 2 * v**0.5, μ + 2 * v**0.5, color="#56B4E9", alpha=0.4,
                      label="± 2 predicted deviations")  # fmt: skip
    axes.set(xlabel="x", ylabel="y")
    axes.legend(frameon=False)
    write(axes.figure, "uncertainty.png")


def graph():
    """The graph of the tutorial's loss, with its gradients."""
    model = nn.Perceptron(3, rng=0)
    loss = nn.mse_loss(model(tutorial.X), tutorial.Y)
    loss.backward(retain_graph=True)
    draw(loss, model, X=tutorial.X, y=tutorial.Y).save(HERE / "graph.svg")


def main():
    spirals.main(HERE / "spirals.png")
    lighten("spirals.png")
    digits()
    deep()
    band()
    graph()


if __name__ == "__main__":
    main()
