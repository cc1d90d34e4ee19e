"""XOR: no single-layer perceptron can learn it, a network of two layers can."""

import numpy as np

from tinygrad_slp import nn, optim

X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([[0.0], [1], [1], [0]])


def train(model, epochs=2000):
    """Full-batch gradient descent with momentum; returns the last loss."""
    loss_of = nn.BCELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = loss_of(model(X), Y)
        loss.backward()
        optimizer.step()
    return loss.item()


def show(name, model):
    print(f"{name}\n{model}")
    loss = train(model)
    right = 0
    for x, y, p in zip(X, Y[:, 0], model(X).data[:, 0], strict=True):
        right += round(p) == y and abs(p - 0.5) > 0.01
        print(f"   {x} → {p:.3f}   should be {y:.0f}")
    print(f"   loss {loss:.4f}, {right} of 4 right\n")


show(
    "A perceptron draws one straight line, and no line separates (0,1), (1,0) from (0,0), (1,1).\n"
    "The best it can do is to answer one half to everything, at a loss of log 2 = 0.6931:",
    nn.Sequential(nn.Linear(2, 1, rng=0), nn.Sigmoid()),
)
show(
    "A hidden layer bends the plane first; four hidden units are enough:",
    nn.Sequential(nn.Linear(2, 4, rng=0), nn.Tanh(), nn.Linear(4, 1, rng=1), nn.Sigmoid()),
)
