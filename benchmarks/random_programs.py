"""Random programs, each as it is and compiled by both back ends: they must give the same.

    python benchmarks/random_programs.py --count 10000 --seed 0

A program, which `tests/programs.py` draws, is a step in any dtypes and layouts, calls of it, and
changes between the calls. One that differs is printed, as short as it still differs, and can be run
again by its own seed with `--count 1`.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
os.environ["TINYGRAD_SLP_CACHE"] = "off"  # no program comes again

from programs import Program
from worlds import difference, shortened


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0, help="of the first; the next has the next")
    options.add_argument("--backend", choices=("numpy", "llvm"), action="append")
    chosen = options.parse_args()
    kinds: Counter[str] = Counter()
    wrong = 0
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        program = Program(seed)
        kinds[program.kind] += 1
        for backend in chosen.backend or ("numpy", "llvm"):
            if difference(program, backend):
                wrong += 1
                shorter = shortened(program, backend)
                print(f"{shorter}\n-- {backend}, {difference(shorter, backend)}\n", flush=True)
    print(f"{chosen.count} programs, {wrong} differ: {dict(kinds)}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
