"""Why the commands read with pandas, in parts: seconds and memory, each way in its own process.

    python benchmarks/reading.py [--rows 1000000]

A table of 20 columns of numbers is written to a temporary file and read in every way, imports
included. A library that is not installed is left out.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS = 20


def pandas_whole(path):
    import pandas

    return pandas.read_csv(path).to_numpy()


def as_the_commands_do(path):
    from tinygrad_slp.commands.csv_source import Source
    from tinygrad_slp.commands.reading import read

    return read(Source(path)).columns


def polars_guessing(path):
    import polars

    return polars.read_csv(path).to_numpy()


def polars_sure(path):
    import polars

    return polars.read_csv(path, low_memory=True, infer_schema_length=None).to_numpy()


WAYS = {
    "pandas, whole": pandas_whole,
    "tinygrad_slp: pandas, in parts, into arrays made beforehand": as_the_commands_do,
    "polars, whole, kinds guessed": polars_guessing,
    "polars, whole, low_memory, kinds from all rows": polars_sure,
}


def write(path, rows):
    rng = np.random.default_rng(0)
    with open(path, "w") as file:
        file.write(",".join(f"x{k}" for k in range(COLUMNS)) + "\n")
        for start in range(0, rows, 10_000):
            part = rng.standard_normal((min(10_000, rows - start), COLUMNS))
            np.savetxt(file, part, "%.6f", ",")


def measure(way, path):
    """Reads the file here, in a process made for it, and prints what that took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    try:
        table = WAYS[way](path)
    except ImportError as reason:
        print(f"left out: {reason}")
        return
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{seconds:.2f} s  {peak / 1024:.0f} MiB more at the peak" if len(table) else "empty")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write(path, options.rows)
        size = options.rows * COLUMNS * 8
        print(f"{path.stat().st_size / 1e6:.0f} MB of text, {size / 2**20:.0f} MiB as float64")
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way, "--path", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{way:60} {done.stdout.strip()}")


if __name__ == "__main__":
    main()
