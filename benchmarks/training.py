"""Microseconds of a training step by tinygrad_slp and by its peers, all in one run.

    python benchmarks/training.py [--workloads W1,W2,W3] [--compile] [--quick] [--write]

One process, one thread, rounds interleaved, medians. Every peer starts from the same weights, and
its loss after some steps is compared with NumPy's. What is not installed is left out.
"""

from timing import medians, put_between  # before NumPy: it sets the number of threads

# isort: split
import argparse
import math
import platform
import time
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from peers import PEERS, SLOW
from peers.workloads import WORKLOADS, LeftOut

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
PACKAGES = ["numpy", "torch", "jax", "autograd", "mygrad", "micrograd", "tinygrad", "scikit-learn"]


class Row(NamedTuple):
    workload: str
    peer: str
    microseconds: float
    ratio: float
    """To NumPy by hand."""


def rows(workload, peers=PEERS, rounds=15, seconds=0.03):
    """A Row for every peer that takes part; rounds of about `seconds` each."""
    runs = ready(workload, peers)
    counts = {name: calibrated(run, seconds) for name, run in runs.items()}
    for name, run in runs.items():
        warn_of_threads(name, partial(run, counts[name]))
    timed = {name: partial(run, counts[name]) for name, run in runs.items()}
    times = medians(timed, repeat=1, rounds=rounds)
    each = {name: 1e6 * t / counts[name] for name, t in times.items()}
    first = next(iter(each.values()))
    return [Row(workload.title, name, t, t / first) for name, t in each.items()]


def ready(workload, peers):
    """The peers' run functions by name, after some steps; prints who is left out or astray."""
    runs, expected = {}, None
    for peer in peers:
        try:
            name, run = peer(workload)
            loss = run(workload.steps_compared)
        except (ImportError, LeftOut) as reason:
            print(f"  left out: {peer.__module__}.{peer.__name__}: {reason}")
            continue
        except Exception as error:  # a peer's fault, which should not cost the others' times
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"  left out: {peer.__module__}.{peer.__name__} failed: {problem}")
            continue
        expected = loss if expected is None else expected
        if math.isnan(loss):
            print(f"  loss not compared: {name}")
        elif not math.isclose(loss, expected, rel_tol=workload.tolerance):
            print(f"  WARNING: {name} has a loss of {loss!r}, NumPy {expected!r}")
        runs[name] = run
    return runs


def calibrated(run, seconds):
    """The number of steps that takes about so long."""
    n = 1
    while True:
        start = time.perf_counter()
        run(n)
        taken = time.perf_counter() - start
        if taken > seconds / 4:
            return max(1, round(n * seconds / taken))
        n *= 4


def warn_of_threads(name, call):
    start, start_of_work = time.perf_counter(), time.process_time()
    call()
    threads = (time.process_time() - start_of_work) / (time.perf_counter() - start)
    if threads > 1.2:
        print(f"  WARNING: {name} works on {threads:.1f} threads")


def versions():
    """Of Python and of the packages that take part, where installed."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)


def machine():
    """The processor, and what NumPy's BLAS takes it for."""
    cpu = "unknown processor"
    if (info := Path("/proc/cpuinfo")).exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"{cpu}; threadpoolctl, which knows the BLAS, is not installed"
    blas = [
        f"{b['internal_api']} {b['version']} for {b.get('architecture', '?')}, "
        f"threads: {b['num_threads']}"
        for b in threadpool_info()
        if b["user_api"] == "blas"
    ]
    return "; ".join([cpu, *blas])


def grouped(found):
    """[(workload, its rows by time)], in the order of the workloads."""
    titles = dict.fromkeys(row.workload for row in found)
    by_time = sorted(found, key=lambda row: row.microseconds)
    return [(title, [row for row in by_time if row.workload == title]) for title in titles]


def figures(x):
    """Three of them, or all of a whole number."""
    return f"{x:.3g}" if x < 100 else f"{x:.0f}"


def table(found):
    """Plain text, the fastest first."""
    lines = []
    for title, group in grouped(found):
        lines += ["", title]
        for _, name, us, ratio in group:
            lines += [f"  {name:<36} {figures(us):>8} µs {figures(ratio):>9}x"]
    return "\n".join(lines)


def markdown(found):
    """The same, as the page has it."""
    lines = []
    for title, group in grouped(found):
        lines += ["", f"| {title} | µs a step | against NumPy by hand |", "|---|---:|---:|"]
        for _, name, us, ratio in group:
            ours = "**" if name.startswith("tinygrad_slp") else ""
            lines += [f"| {ours}{name}{ours} | {figures(us)} | {figures(ratio)} |"]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="W1,W2,W3", help="those whose names begin so")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="torch.compile too, 10 s and more")
    parser.add_argument("--quick", action="store_true", help="three short rounds: a trial run")
    parser.add_argument("--write", action="store_true", help=f"write into docs/{PAGE.name}")
    options = parser.parse_args()
    peers = [peer for peer in PEERS if options.compile or peer not in SLOW]
    rounds, seconds = (3, 0.01) if options.quick else (options.rounds, 0.03)
    print(machine())
    print(versions())
    found = []
    for workload in WORKLOADS:
        if workload.name.startswith(tuple(options.workloads.split(","))):
            print(f"{workload.name}: {workload.title}")
            found += rows(workload, peers, rounds, seconds)
    print(table(found))
    if options.write:
        put_between(PAGE, "training", f"{machine()}; {versions()}\n{markdown(found)}")


if __name__ == "__main__":
    main()
