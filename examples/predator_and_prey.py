"""Rates of a differential equation, fitted to measurements through its solver.

Hares x and lynxes y, as in the pelts that the Hudson's Bay Company bought: x′ = (α − βy)x and
y′ = (δx − γ)y (Lotka 1925, Volterra 1926). The fourth-order method of Runge and Kutta is plain
NumPy, so a gradient goes through all its steps, to the four rates and to where it began. What to
look at: the rates that made the data are found again from noisy points. Needs SciPy; with a name it
draws a picture: python examples/predator_and_prey.py cycles.png
"""

import sys

import numpy as np

from tinygrad_slp import optim

TRUE = np.array([0.55, 0.028, 0.024, 0.80])  # α, β, δ, γ by year
YEARS, STEPS = 20, 4  # so many steps a year


def change(state, rates):
    """The derivatives of x and y."""
    (x, y), (a, b, d, c) = state, rates
    return np.stack([(a - b * y) * x, (d * x - c) * y])


def solved(rates, start):
    """x and y at the end of each year, (YEARS, 2)."""
    state, h, found = start, 1 / STEPS, []
    for _ in range(YEARS):
        for _ in range(STEPS):
            k1 = change(state, rates)
            k2 = change(state + h / 2 * k1, rates)
            k3 = change(state + h / 2 * k2, rates)
            k4 = change(state + h * k3, rates)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        found.append(state)
    return np.stack(found)


def loss(params, measured):
    """The mean square of the relative error; all is fitted by its logarithm, which keeps it > 0."""
    found = solved(np.exp(params["rates"]), np.exp(params["start"]))
    return np.mean((np.log(found) - np.log(measured)) ** 2)


def draw(path, measured, params):
    from matplotlib.figure import Figure

    fitted = solved(np.exp(params["rates"]), np.exp(params["start"]))
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for k, name in enumerate(("hares", "lynxes")):
        (line,) = axes.plot(range(1, YEARS + 1), fitted[:, k], label=f"{name}, fitted")
        axes.plot(
            range(1, YEARS + 1), measured[:, k], "o", color=line.get_color(), label="measured"
        )
    axes.set_xlabel("year")
    axes.set_ylim(0, 95)
    axes.set_xticks(range(0, YEARS + 1, 5))
    axes.legend(frameon=False, ncols=2)
    figure.savefig(path, dpi=80)


def main():
    rng = np.random.default_rng(0)
    measured = solved(TRUE, np.array([34.0, 6.0])) * np.exp(0.05 * rng.normal(size=(YEARS, 2)))
    start = {"rates": np.log([0.5, 0.02, 0.02, 0.7]), "start": np.log(measured[0])}
    found = optim.minimize(loss, start, (measured,), method="BFGS")
    print(f"loss {loss(start, measured):.4f} → {found.fun:.4f} in {found.nit} steps")
    print("       true  found")
    for name, true, rate in zip("αβδγ", TRUE, np.exp(found.x["rates"]), strict=True):
        print(f"{name}  {true:9.4f} {rate:6.4f}")
    if len(sys.argv) > 1:
        draw(sys.argv[1], measured, found.x)


if __name__ == "__main__":
    main()
