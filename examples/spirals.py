"""Spirals: how hidden units bend the plane, with a picture of the boundary they draw.

    python examples/spirals.py [spirals.png]

Needs matplotlib: pip install 'tinygrad-slp[plot]'. What to look at: three straight cuts get half of
the points, whatever the training; hidden units follow the arms, and are unsure only between them.
"""

import sys
from importlib.util import find_spec

from tinygrad_slp import nn, optim
from tinygrad_slp.data import spirals, train_test_split
from tinygrad_slp.metrics import accuracy
from tinygrad_slp.train import fit

if find_spec("matplotlib") is None:
    raise SystemExit("matplotlib is not installed: pip install 'tinygrad-slp[plot]'")
from matplotlib.figure import Figure

from tinygrad_slp.plot import decision_boundary

NETWORKS = {"no hidden layer": [2, 3], "8 hidden units": [2, 8, 3], "2 x 32": [2, 32, 32, 3]}


def train(sizes, X, y):
    model = nn.MLP(sizes, nn.Tanh, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    fit(model, (X, y), nn.cross_entropy, optimizer, epochs=150, progress=False)
    return model


def main(path="spirals.png"):
    X, y = spirals(600, classes=3, noise=0.04, rng=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, test_size=0.4, rng=0)
    figure = Figure(figsize=(15, 4.4), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, (name, sizes) in zip(panels, NETWORKS.items(), strict=True):
        model = train(sizes, X_train, y_train)
        right = accuracy(y_test, model(X_test).data.argmax(axis=1))
        print(f"{name:<16} {sum(p.size for p in model.parameters()):>5} parameters, ", end="")
        print(f"test accuracy {right:.3f}")
        decision_boundary(model, X_test, y_test, ax=axes)
        axes.set_title(f"{name}: {right:.1%} of the test points")
        if axes is not panels[-1]:
            axes.get_legend().remove()
    figure.savefig(path, dpi=60)
    print(f"the boundaries are in {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
