"""A learning-rate finder: one short training in which the rate grows with each step.

The loss stays, then falls, then explodes: a good rate is where it falls (Smith, Cyclical learning
rates for training neural networks, 2017). What to look at: the curve, drawn below as text, and how
training goes with the rate it suggests, with less, and with more.
"""

import numpy as np

from tinygrad_slp import jit, nn, optim
from tinygrad_slp.data import batches, spirals
from tinygrad_slp.train import NonFiniteError, fit


def network():
    return nn.MLP([2, 32, 32, 3], rng=0)


def losses_by_rate(X, y, rates):
    """The loss before each step, of steps with growing rates, smoothed; up to where it explodes."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=rates[0], momentum=0.9)

    @jit
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    feed = batches(X, y, size=32, shuffle=0, drop_last=True)
    smooth, found = None, []
    while len(found) < len(rates):
        for batch in feed:
            if len(found) == len(rates):
                break
            optimizer.lr = rates[len(found)]
            loss = step(*batch).item()
            smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
            if not smooth < 4 * min([smooth, *found]):
                return np.array(found)
            found.append(smooth)
    return np.array(found)


def suggested(rates, losses):
    """A tenth of the rate at which the loss was lowest: there it still fell, and fast."""
    return rates[np.argmin(losses)] / 10


def main():
    X, y = spirals(600, classes=3, noise=0.04, rng=0)
    rates = np.geomspace(1e-4, 100, 300)
    losses = losses_by_rate(X, y, rates)
    rate = suggested(rates, losses)

    print("learning rate   loss")
    shown = range(0, len(losses), 12)
    nearest = min(shown, key=lambda k: abs(np.log(rates[k] / rate)))
    for k in shown:
        bar = "█" * round(40 * min(losses[k] / losses[0], 1.5))
        print(f"{rates[k]:13.2g}   {losses[k]:5.2f} {bar}{' ← here' if k == nearest else ''}")
    print(f"suggested: {rate:.2g}, a tenth of where the loss was lowest\n")

    for lr in (rate / 100, rate / 10, rate, 10 * rate, 100 * rate):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        try:
            history = fit(model, (X, y), nn.cross_entropy, optimizer, epochs=30, progress=False)
            print(f"30 epochs at {lr:8.2g}: loss {history['loss'][-1]:.4f}")
        except NonFiniteError as error:
            print(f"30 epochs at {lr:8.2g}: NaN in epoch {error.epoch}")


if __name__ == "__main__":
    main()
