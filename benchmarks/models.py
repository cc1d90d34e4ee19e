"""Accuracy and time of whole trainings on real tables, by tinygrad_slp, scikit-learn and PyTorch.

    python benchmarks/models.py [--splits 5] [--write]

One process, one thread, float64. All have the same layers (ReLU), the same rows in the same splits,
Adam with the same rate, batch size and number of epochs, and no regularisation; each draws its own
initial weights and orders. LogisticRegression alone is as it comes: L-BFGS, regularised. The first
training compiles, the others find the code in the cache. What is not installed is left out.
"""

from timing import put_between  # before NumPy: it sets the number of threads

# isort: split
import argparse
import os
import statistics
import time
import warnings
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
from training import PAGE, machine, versions

from tinygrad_slp import data, nn, optim
from tinygrad_slp.metrics import accuracy
from tinygrad_slp.train import fit

EPOCHS, BATCH, RATE = 60, 32, 3e-3


class Task(NamedTuple):
    name: str
    table: Any
    y: np.ndarray
    encoder: type
    hidden: tuple[int, ...]


class Split(NamedTuple):
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def tasks():
    """The tables, each with the network for it."""
    table = data.load_penguins()
    species = data.Labels().fit_transform(table.pop("species"))
    del table["year"]
    return [
        Task("breast cancer", *data.load_breast_cancer(), data.Standardizer, (16,)),
        Task("digits", *data.load_digits(), data.Standardizer, (128,)),
        Task("penguins", table, species, data.TableEncoder, (16,)),
    ]


def split_of(task, seed):
    """The rows to train and to test on, encoded by what the former know."""
    train, test = data.train_test_split(np.arange(len(task.y)), stratify=task.y, rng=seed)
    rows = [take(task.table, part) for part in (train, test)]
    encoder = task.encoder().fit(rows[0])
    X, X_test = (encoder.transform(part) for part in rows)
    return Split(X, task.y[train], X_test, task.y[test])


def take(table, rows):
    if isinstance(table, dict):
        return {name: column[rows] for name, column in table.items()}
    return table[rows]


def sizes_of(split, hidden):
    """One output for two classes, with a logistic loss, as scikit-learn has it; else one each."""
    classes = len(np.unique(split.y))
    return [split.X.shape[1], *hidden, 1 if classes == 2 else classes]


def guess(scores):
    return scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)


# --- peers: each trains a network, and returns how it labels points ---


def ours(split, hidden, seed, jit=True):
    sizes = sizes_of(split, hidden)
    model = nn.MLP(sizes, rng=seed)
    loss, y = nn.cross_entropy, split.y
    if sizes[-1] == 1:
        loss, y = nn.binary_cross_entropy_with_logits, split.y[:, None].astype(float)
    optimizer = optim.Adam(model.parameters(), lr=RATE)
    fit(
        model, (split.X, y), loss, optimizer, EPOCHS, batch_size=BATCH, jit=jit, shuffle=seed,
        progress=False,
    )  # fmt: skip
    return lambda X: guess(model(X).data)


def ours_eager(split, hidden, seed):
    return ours(split, hidden, seed, jit=False)


def scikit_learn(split, hidden, seed):
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden, alpha=0, batch_size=BATCH, learning_rate_init=RATE, max_iter=EPOCHS, tol=0,
        n_iter_no_change=EPOCHS, random_state=seed,
    )  # fmt: skip
    return model.fit(split.X, split.y).predict


def pytorch(split, hidden, seed):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    sizes, layers = sizes_of(split, hidden), []
    for inputs, outputs in pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    X, y, loss_of = (
        torch.from_numpy(split.X),
        torch.from_numpy(split.y),
        torch.nn.CrossEntropyLoss(),
    )
    if sizes[-1] == 1:
        y, loss_of = y[:, None].double(), torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            loss_of(model(X[rows]), y[rows]).backward()
            optimizer.step()
    return lambda X: guess(model(torch.from_numpy(X)).detach().numpy())


def logistic_regression(split, hidden, seed):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000).fit(split.X, split.y).predict


NETWORKS = {
    "**tinygrad_slp**": ours,
    "**tinygrad_slp**, `jit=False`": ours_eager,
    "scikit-learn, MLPClassifier": scikit_learn,
    "PyTorch, eager": pytorch,
}
LINEAR = {
    "**tinygrad_slp**": ours,
    "scikit-learn, LogisticRegression": logistic_regression,
    "PyTorch, eager": pytorch,
}
MODULES = {
    scikit_learn: "sklearn.neural_network",
    logistic_regression: "sklearn.linear_model",
    pytorch: "torch",
}


# --- what is measured ---


class Row(NamedTuple):
    peer: str
    accuracies: list[float]
    seconds: list[float]


def measured(peers, splits, hidden):
    """A Row for each peer; the peers take turns, split by split."""
    rows = [Row(name, [], []) for name in peers]
    for seed, split in enumerate(splits):
        for row, peer in zip(list(rows), peers.values(), strict=True):
            start = time.perf_counter()
            predict = peer(split, hidden, seed)
            row.seconds.append(time.perf_counter() - start)
            row.accuracies.append(accuracy(split.y_test, predict(split.X_test).astype(np.int64)))
    return rows


def installed(peers):
    """Those of the peers that can be imported; they are, as imports are not to be timed."""
    found = {}
    for name, peer in peers.items():
        module = MODULES.get(peer)
        try:
            if module:
                import_module(module)
            found[name] = peer
        except ImportError as error:
            print(f"left out: {name} ({error})")
    return found


def shape(split, hidden):
    return "-".join(map(str, sizes_of(split, hidden)))


def markdown(task, splits, networks, linear):
    """One table: for the network, and for the linear model."""
    n, d = splits[0].X.shape
    lines = [
        f"| {task.name}: {n} rows to train, {len(splits[0].y_test)} to test, {d} columns "
        "| test accuracy | first, s | then, s |",
        "|---|---:|---:|---:|",
    ]
    for hidden, peers in ((task.hidden, networks), ((), linear)):
        for row in measured(peers, splits, hidden):
            mean, spread = np.mean(row.accuracies), np.std(row.accuracies)
            then = statistics.median(row.seconds[1:] or row.seconds)
            lines.append(
                f"| {shape(splits[0], hidden)}, {row.peer} | {mean:.3f} ± {spread:.3f} "
                f"| {row.seconds[0]:.3f} | {then:.3f} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write into docs/{Path(PAGE).name}")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")  # that it has not converged
    os.environ["TINYGRAD_SLP_CACHE"] = mkdtemp()  # empty, whatever has been compiled before
    peers = [installed(some) for some in (NETWORKS, LINEAR)]
    tables = []
    for task in tasks():
        splits = [split_of(task, seed) for seed in range(options.splits)]
        tables.append(markdown(task, splits, *peers))
        print(f"\n{tables[-1]}", flush=True)
    if options.write:
        put_between(PAGE, "models", "\n\n".join([f"{machine()}; {versions()}", *tables]))


if __name__ == "__main__":
    main()
