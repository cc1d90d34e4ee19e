"""The command without a name: the tutorial's perceptron, on its data or on a table of yours."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, nn, optim, tutorial
from ..jit import BACKENDS, jit
from ..table import as_text
from . import BadInput
from .table import Table, read_table, standardise


def main(argv: Sequence[str]) -> None:
    options = parser().parse_args(argv)
    check(options)
    run = on_table if options.file else on_tutorial
    run(options)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="tinygrad-slp",
        description="Train a single-layer perceptron: on the tutorial's data, or on a CSV table.",
        epilog="Networks on tables: tinygrad-slp train | predict | evaluate | graph, each with "
        "--help. To check a gradient derived by hand: tinygrad-slp check --help",
    )
    p.add_argument("file", nargs="?", metavar="FILE.csv", help="a table: header row, numeric cells")
    p.add_argument("--target", metavar="COLUMN", help="the column to predict: two classes, or 0…1")
    p.add_argument("--epochs", type=int, default=1000, metavar="N", help="default 1000")
    p.add_argument("--lr", type=float, default=1.0, metavar="RATE", help="learning rate, default 1")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of all random numbers")
    p.add_argument(
        "--backend",
        choices=(*BACKENDS, "eager"),
        default="auto",
        help="what computes the epochs: native code, NumPy, or neither compiled; default auto",
    )
    p.add_argument("--plot", metavar="FILE.png", help="write a picture (needs matplotlib)")
    p.add_argument("--version", action="version", version=f"tinygrad-slp {__version__}")
    return p


def check(options: argparse.Namespace) -> None:
    """Refuses what cannot work before any work is done.

    Raises:
        BadInput: in one line.
    """
    if options.epochs < 1:
        raise BadInput(f"--epochs should be at least 1, got {options.epochs}")
    if not 0 < options.lr < float("inf"):
        raise BadInput(f"--lr should be a number above 0, got {options.lr}")
    if options.seed < 0:
        raise BadInput(f"--seed should be 0 or more, got {options.seed}")
    if options.file and not options.target:
        raise BadInput(f"which column of {options.file} should be predicted? Write --target COLUMN")
    if options.target and not options.file:
        raise BadInput("--target needs a table: tinygrad-slp FILE.csv --target COLUMN")
    if options.backend == "llvm" and find_spec("llvmlite") is None:
        raise BadInput("--backend llvm needs llvmlite: pip install 'tinygrad-slp[jit]'")
    if options.plot:
        check_plot(options.plot)


def check_plot(path: str) -> None:
    folder = Path(path).parent
    if Path(path).suffix not in (".png", ".svg", ".pdf"):
        raise BadInput(f"--plot {path}: the name should end in .png, .svg or .pdf")
    if Path(path).is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise BadInput(f"--plot {path}: cannot write a file there")
    if find_spec("matplotlib") is None:
        raise BadInput("--plot needs matplotlib: pip install 'tinygrad-slp[plot]'")


# --- the two jobs ---


def on_tutorial(options: argparse.Namespace) -> None:
    """The tutorial, from its data to its predictions."""
    X, y = tutorial.X, tutorial.Y
    model = nn.Perceptron(3, rng=options.seed)
    title("The data: the output is the first input")
    rows = [[f"{value:.0f}" for value in (*row, t)] for row, t in zip(X, y, strict=True)]
    print(as_text([("x₁", "x₂", "x₃", "y"), *rows], left=(), before="  "))

    title("The gradient of the mean squared error, before training")
    by_hand_w, by_hand_b = tutorial.gradient(X, y, model.weight.data, model.bias.data)
    nn.mse_loss(model(X), y).backward()
    by_hand = [*by_hand_w, by_hand_b]
    by_autodiff = [*grad_of(model.weight), *grad_of(model.bias)]
    names = ["w₁", "w₂", "w₃", "b"]
    for name, h, a in zip(names, by_hand, by_autodiff, strict=True):
        print(f"  ∂L/∂{name:<3} by hand {h:+.15f}   autodiff {a:+.15f}")
    largest = max(abs(h - a) for h, a in zip(by_hand, by_autodiff, strict=True))
    print(f"  largest difference {largest:.1e}")

    losses = train(model, X, y, options)

    title("What it learned")
    for name, value in zip(names, [*model.weight.data, model.bias.item()], strict=True):
        print(f"  {name:<3} {value:+9.4f}")
    title("Predictions")
    for sample, p in zip(tutorial.SAMPLES, model(tutorial.SAMPLES).data, strict=True):
        inputs = ", ".join(f"{v:.0f}" for v in sample)
        print(f"  ({inputs}) → {p:.4f}   so {round(p)}; its first input is {sample[0]:.0f}")
    picture(options, losses, names[:3], model)


def on_table(options: argparse.Namespace) -> None:
    """The same perceptron on the user's table, judged on rows held out."""
    table = read_table(options.file, options.target)
    rng = np.random.default_rng(options.seed)
    train_rows, test_rows = table.split(0.2, rng)
    X = standardise(table.X, train_rows)
    model = nn.Perceptron(X.shape[1], rng=rng)
    title(f"{options.file}: {len(X)} rows, {X.shape[1]} features, target {table.target!r}")
    if table.classes:
        print(f"  class 0 is {table.classes[0]!r}, class 1 is {table.classes[1]!r}")
    else:
        print("  the target is a number from 0 to 1")
    print(f"  {len(train_rows)} rows to train on, {len(test_rows)} held out; features standardised")

    losses = train(model, X[train_rows], table.y[train_rows], options)

    title("What it learned, per standard deviation of each feature")
    width = max(map(len, [*table.features, "bias"]))
    for name, value in zip(
        [*table.features, "bias"], [*model.weight.data, model.bias.item()], strict=True
    ):
        print(f"  {name:<{width}} {value:+9.4f}")
    title("How good it is")
    for name, rows in (("training", train_rows), ("held out", test_rows)):
        print(f"  {name}   {score(model, X[rows], table.y[rows], table)}")
    picture(options, losses, table.features, model)


def score(model: nn.Module, X: np.ndarray, y: np.ndarray, table: Table) -> str:
    """Mean squared error, and accuracy where the target has classes."""
    if not len(y):
        return "no rows"
    p = model(X).data
    text = f"MSE {np.mean((p - y) ** 2):.4f}"
    if table.classes:
        text += f"   accuracy {np.mean((p >= 0.5) == (y == 1)):7.2%}"
    return text


def train(
    model: nn.Perceptron, X: np.ndarray, y: np.ndarray, options: argparse.Namespace
) -> list[float]:
    """Full-batch gradient descent; returns the error before each epoch and after the last.

    Ctrl-C ends it early and keeps what was learned.
    """
    title(f"Training: {options.epochs} epochs, learning rate {options.lr:g}")
    optimizer = optim.SGD(model.parameters(), lr=options.lr)

    def step(X: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.mse_loss(model(X), y)
        loss.backward()
        optimizer.step()
        return loss

    losses: list[float] = []
    stopped = ""
    with progress(options.epochs) as report:
        try:
            for loss in each_epoch(step, X, y, options):
                losses.append(loss)
                report(len(losses) - 1, loss)
        except KeyboardInterrupt:
            stopped = "   stopped by Ctrl-C"
    losses.append(nn.mse_loss(model(X), y).item())
    done = len(losses) - 1
    print(f"  after {done:>6} epochs   MSE {losses[-1]:.6f}{stopped}")
    if not np.isfinite(losses[-1]):
        print("  the error is not a number any more: try a smaller --lr")
    return losses


def each_epoch(
    step: Callable[..., Any], X: np.ndarray, y: np.ndarray, options: argparse.Namespace
) -> Iterator[float]:
    """The loss of each epoch; compiled epochs run in batches of about a tenth of a second."""
    if options.backend == "eager":
        for _ in range(options.epochs):
            yield step(X, y).item()
        return
    native = options.backend != "numpy" and find_spec("llvmlite") is not None
    compiled = jit(step, backend="llvm" if native else "numpy")
    done, batch = 0, 1
    while done < options.epochs:
        start = time.perf_counter()
        losses = compiled.loop(min(batch, options.epochs - done), X, y)
        done += len(losses)
        if time.perf_counter() - start < 0.05:
            batch *= 2
        yield from losses.tolist()


@contextmanager
def progress(epochs: int) -> Iterator[Callable[[int, float], None]]:
    """A way to report each epoch: a bar on a terminal, a few plain lines elsewhere."""
    if sys.stdout.isatty() and find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(total=epochs, unit="epoch", file=sys.stdout) as bar:

            def show(epoch: int, loss: float) -> None:
                bar.set_postfix_str(f"MSE {loss:.6f}", refresh=False)
                bar.update()

            yield show
        return
    shown = {0, 1, 10, 100, *range(0, epochs, max(1000, epochs // 10))}

    def line(epoch: int, loss: float) -> None:
        if epoch in shown:
            print(f"  after {epoch:>6} epochs   MSE {loss:.6f}", flush=True)

    yield line


# --- how it looks ---


def title(text: str) -> None:
    print(f"\n{text}")


def grad_of(parameter: Any) -> list[float]:
    return np.atleast_1d(parameter.grad.data).tolist()  # type: ignore[no-any-return]


def picture(
    options: argparse.Namespace, losses: list[float], names: list[str], model: nn.Perceptron
) -> None:
    """Writes the picture that --plot asked for."""
    if not options.plot:
        return
    from ..plot import plot_training

    try:
        plot_training(losses, names, model.weight.data, model.bias.item(), path=options.plot)
    except OSError as error:
        raise BadInput(f"--plot {options.plot}: {error.strerror}") from None
    print(f"\nwrote {options.plot}")
