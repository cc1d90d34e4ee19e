"""Every rule, compiled, with each of its inputs in every way and layout: held against eager.

    python benchmarks/inputs.py --seconds 600 --seed 1      a sample, drawn by a seed
    python benchmarks/inputs.py                             all of them, which takes hours

It prints each case that differs, or fails, and at the end how many were tried.
"""

import argparse
import random
import sys
import warnings
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from inputs import cases, differences

from tinygrad_slp.rule import functions


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--seconds", type=float, default=float("inf"))
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--rule", help="a rule by name, such as np.dot")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    rules = [rule for rule in functions() if chosen.rule in (None, rule.name)]
    tasks = [
        (rule.name, large, case, backend)
        for rule in rules
        for large in (False, True)
        for case in cases(rule, large)
        for backend in ("numpy", "llvm")
    ]
    random.Random(chosen.seed).shuffle(tasks)
    end, tried, wrong = monotonic() + chosen.seconds, 0, 0
    for name, large, (call, k, *how), backend in tasks:
        if monotonic() > end:
            break
        tried += 1
        try:
            told = differences((call, k, *how), backend)
        except Exception as failed:
            told = f"{type(failed).__name__}: {failed}"
        if told:
            wrong += 1
            size = "large" if large else "small"
            print(f"{name}, {call!r}, {size}, input {k}, {', '.join(how)}, {backend}: {told}")
    print(f"{tried} of {len(tasks)} cases tried, {wrong} differ")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
