"""Where compiling matters: a training step by width, batch and depth; compile times; one call.

    python benchmarks/scaling.py [--write]

Of an MLP with tanh, float32, cross-entropy, plain SGD: eager, replayed with NumPy, as native code,
by PyTorch if it is installed, and its matrix products alone. Interleaved, medians; one thread, and
the widest again with two.
"""

from timing import medians, put_between  # before NumPy: it sets the number of threads

# isort: split
import argparse
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from contextlib import suppress
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from peers.ours import parts
from peers.workloads import WORKLOADS

from tinygrad_slp import jit, nn, optim

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
WIDE = {"width, with 2 threads (batch 32, 2 layers)": [(w, 32, 2) for w in (512, 2048)]}
SWEEPS = {
    "width (batch 32, 2 layers)": [(w, 32, 2) for w in (8, 32, 128, 512, 2048)],
    "batch (width 64, 2 layers)": [(64, b, 2) for b in (1, 16, 256, 4096)],
    "layers (width 32, batch 32)": [(32, 32, n) for n in (1, 4, 16, 64)],
}


def data(width, batch):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, width)).astype(np.float32)
    return x, rng.integers(0, 10, batch)


def training(width, layers):
    """A step of ours, as it stands."""
    rng = np.random.default_rng(1)
    hidden = []
    for _ in range(layers - 1):
        hidden += [nn.Linear(width, width, rng=rng, dtype=np.float32), nn.Tanh()]
    model = nn.Sequential(*hidden, nn.Linear(width, 10, rng=rng, dtype=np.float32))
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def products(width, batch, layers):
    """The matrix products of a step: forward, and back to all weights and inputs but the first."""
    shapes = [(batch, i, o) for i, o in pairwise([width] * layers + [10])]
    work = []
    for k, (b, i, o) in enumerate(shapes):
        x, W, g = (np.ones(s, np.float32) for s in ((b, i), (o, i), (b, o)))
        work += [(x, W.T, np.empty((b, o), np.float32)), (g.T, x, np.empty((o, i), np.float32))]
        if k:
            work.append((g, W, np.empty((b, i), np.float32)))

    def run():
        for x, y, out in work:
            np.dot(x, y, out)

    return run


def pytorch(width, batch, layers):
    import torch

    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    hidden = []
    for _ in range(layers - 1):
        hidden += [torch.nn.Linear(width, width), torch.nn.Tanh()]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(width, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = map(torch.from_numpy, data(width, batch))

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def contenders(width, batch, layers):
    """What is timed, by name: functions that take one step."""
    x, y = data(width, batch)
    eager = training(width, layers)
    found = {"products": products(width, batch, layers), "eager": lambda: eager(x, y)}
    for backend in ("numpy", "llvm"):
        try:
            step = jit(training(width, layers), backend=backend)
        except ImportError:
            continue
        step.loop(3, x, y)
        found[backend] = lambda step=step: step.loop(20, x, y)
    with suppress(ImportError):
        found["PyTorch"] = pytorch(width, batch, layers)
    return found


def row(width, batch, layers):
    """µs of a step for each contender."""
    found = contenders(width, batch, layers)
    repeat = max(1, min(200, int(2e9 / (1e5 + 6 * width * width * batch * layers) / 20)))
    times = medians(found, repeat=repeat, rounds=7)
    per_call = {"numpy": 20, "llvm": 20}
    return {name: t * 1e6 / per_call.get(name, 1) for name, t in times.items()}


def sweeps(chosen):
    """The tables, as Markdown."""
    lines = []
    for title, points in chosen.items():
        rows = [(p, row(*p)) for p in points]
        names = list(rows[0][1])
        lines += ["", f"| {title} | {' | '.join(names)} | eager / native |"]
        lines.append("|---" * (len(names) + 2) + "|")
        for point, times in rows:
            varied = {"w": point[0], "b": point[1], "l": point[2]}[title[0]]
            cells = " | ".join(f"{t:.1f}" if t < 100 else f"{t:.0f}" for t in times.values())
            gain = times["eager"] / times.get("llvm", times["numpy"])
            lines.append(f"| {varied} | {cells} | {gain:.1f} |")
    return lines


def from_another_process(option, **variables):
    """A table of a process of its own: a BLAS counts its threads when loaded, memory is fresh."""
    command = [sys.executable, __file__, option]
    env = {**os.environ, **variables}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stdout.rstrip()


def compile_times():
    """Milliseconds of the second call of a step, which compiles: medians, cold and cached."""
    second_call(*ready(WORKLOADS[0]))  # which loads LLVM
    lines = ["", "| compile, ms | cold | from the cache |", "|---|---:|---:|"]
    for workload in WORKLOADS:
        pairs = [cold_and_cached(workload) for _ in range(7)]
        cold, cached = map(median, zip(*pairs, strict=True))
        lines.append(f"| {workload.title} | {cold:.1f} | {cached:.1f} |")
    return lines


def cold_and_cached(workload):
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINYGRAD_SLP_CACHE"] = folder
        taken = [second_call(*ready(workload)) for _ in range(2)]
        del os.environ["TINYGRAD_SLP_CACHE"]
    return taken


def ready(workload):
    """A step whose optimizer has made what it keeps, as it does in a first step; and its data."""
    step, x, y = parts(workload)
    step(x, y)
    return step, x, y


def second_call(step, x, y):
    step = jit(step, backend="llvm")
    step(x, y)
    start = time.perf_counter()
    step(x, y)
    return (time.perf_counter() - start) * 1e3


def memory_per_step(backend):
    """Bytes that are allocated, at the most, while 200 steps are replayed."""
    step, (x, y) = jit(training(64, 2), backend=backend), data(64, 32)
    step.loop(5, x, y)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step.loop(200, x, y)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return f"{backend}: at most {peak:,} bytes allocated in 200 replayed steps"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write into docs/{PAGE.name}")
    parser.add_argument("--wide", action="store_true", help="only the widest, as Markdown")
    parser.add_argument("--compile", action="store_true", help="only how long compiling takes")
    options = parser.parse_args()
    if options.wide or options.compile:
        print("\n".join(sweeps(WIDE) if options.wide else compile_times()))
        return
    lines = [*sweeps(SWEEPS), from_another_process("--wide", THREADS="2")]
    if find_spec("llvmlite"):
        memory = f"{memory_per_step('llvm')}; {memory_per_step('numpy')}."
        lines += ["", from_another_process("--compile").lstrip(), "", memory]
    print("\n".join(lines))
    if options.write:
        put_between(PAGE, "scaling", "\n".join(lines))


if __name__ == "__main__":
    main()
