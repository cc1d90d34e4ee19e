"""The command without a name: the tutorial's perceptron, on its data or on a table of yours."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import __version__, nn, optim, tutorial
from ..jit import jit
from ..plot import plot_training
from ..table import as_text, counted
from ..train.progress import reporting
from . import BadInput, arguments
from .arguments import Parser
from .csv_source import UNNAMED
from .encoding import check_range, fitted
from .table import read_numbers, read_target
from .target import Target, split


def main(argv: Sequence[str]) -> None:
    options = parser().parse_args(argv)
    check(options)
    run = on_table if options.file else on_tutorial
    run(options)


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="tinygrad-slp",
        description="Train a single-layer perceptron: on the tutorial's data, or on a CSV table.",
        epilog="Networks on tables: tinygrad-slp train | predict | evaluate | graph, each with "
        "--help. To check a gradient derived by hand: tinygrad-slp check --help",
    )
    p.add_argument("file", nargs="?", metavar="FILE.csv", help="a table: header row, numeric cells")
    p.add_argument("--target", metavar="COLUMN", help="the column to predict: two classes, or 0…1")
    arguments.add_reading(p)
    p.add_argument("--lr", type=float, default=1.0, metavar="RATE", help="learning rate, default 1")
    arguments.add_training(p, epochs=1000)
    p.add_argument("--version", action="version", version=f"tinygrad-slp {__version__}")
    p.set_defaults(validation=0.2)
    return p


def check(options: argparse.Namespace) -> None:
    """Refuses what cannot work before any work is done.

    Raises:
        BadInput: in one line.
    """
    arguments.check_training(options)
    if options.file and not options.target:
        raise BadInput(f"which column of {options.file} should be predicted? Write --target COLUMN")
    if options.target and not options.file:
        raise BadInput("--target needs a table: tinygrad-slp FILE.csv --target COLUMN")


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
    source = arguments.source(options)
    frame = read_numbers(source, options.target)
    target = read_target(frame, options.target)
    train_rows, test_rows = split(target, options)
    columns = {
        name: x for name, x in frame.columns.items() if name not in (options.target, UNNAMED)
    }
    encoder = fitted(columns, train_rows, target.rows)
    check_range(source, encoder, columns)
    X, y = encoder.transform(columns), target.y.astype(float)
    model = nn.Perceptron(X.shape[1], rng=options.seed)
    title(f"{source}: {len(X)} rows, {counted(X.shape[1], 'feature')}, target {options.target!r}")
    for note in source.notes():
        print(f"  {note}")
    print(f"  {target.said}")
    print(f"  {len(train_rows)} rows to train on, {len(test_rows)} held out; features standardised")

    losses = train(model, X[train_rows], y[train_rows], options)

    title("What it learned, per standard deviation of each feature")
    names = [*columns, "bias"]
    weights = [*model.weight.data, model.bias.item()]
    shown = [(name, f"{value:+.4f}") for name, value in zip(names, weights, strict=True)]
    print(as_text(shown, before="  "))
    title("How good it is")
    for name, rows in (("training", train_rows), ("held out", test_rows)):
        print(f"  {name}   {score(model, X[rows], y[rows], target)}")
    picture(options, losses, list(columns), model)


def score(model: nn.Module, X: np.ndarray, y: np.ndarray, target: Target) -> str:
    """Mean squared error, and accuracy where the target has classes."""
    p = model(X).data
    text = f"MSE {np.mean((p - y) ** 2):.4f}"
    if target.task == "classification":
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
    with reporting(True, 0, options.epochs) as report:
        try:
            for loss in each_epoch(step, X, y, options):
                losses.append(loss)
                report({"epoch": len(losses), "MSE": loss})
        except KeyboardInterrupt:
            stopped = "   stopped by Ctrl-C"
    losses.append(nn.mse_loss(model(X), y).item())
    done = len(losses) - 1
    print(f"after {done} epochs  MSE {losses[-1]:.6f}{stopped}")
    if not np.isfinite(losses[-1]):
        print("the error is no longer a number: try a smaller --lr")
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
    print()
    with arguments.writing(options.plot):
        plot_training(losses, names, model.weight.data, model.bias.item(), path=options.plot)
