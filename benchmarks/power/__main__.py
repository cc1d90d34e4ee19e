"""`python -m benchmarks.power`: mutates every right gradient there is, and counts."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import product

from .cases import cases, of_the_library
from .diagnosis import diagnosed
from .mutants import untouched, zeroed
from .peers import installed
from .regimes import REGIMES, title
from .trial import OURS, Ledger, negative_control, trial

OF_WRONG = (
    "killed", "passed in silence", "cannot tell", "no slope there", "equivalent here",
    "a subgradient at a kink",
)  # fmt: skip
OF_RIGHT = (
    "right", "false alarm, of a right one", "cannot tell, of a right one",
    "no slope there, of a right one", "lost to rounding", "no such point",
)  # fmt: skip
known_cases = cache(cases)
known_peers = cache(installed)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs everything and prints the tables; returns 1 if the checker missed anything."""
    options = parser().parse_args(argv)
    began = time.perf_counter()
    every = known_cases()
    print(f"{len(every)} right gradients of {len({c.loss for c in every})} functions, "
          f"{len(REGIMES)} regimes")  # fmt: skip
    if passed := negative_control(every, [zeroed, untouched]):
        print(f"the negative control passed, so the rest would mean nothing: {passed}")
        return 1
    print("negative control: a rule that gives zeros and one that does nothing are seen everywhere")
    with ProcessPoolExecutor(options.processes) as pool:
        ledger = Ledger()
        places = product(range(len(every)), range(len(REGIMES)))
        jobs = [(n, r) for n, r in places if (n + r) % options.every == 0]
        work = partial(trials, seeds=options.seeds, peers=not options.no_peers)
        for part in pool.map(work, jobs, chunksize=8):
            ledger.add(part)
        diagnoses = sum(
            pool.map(partial(naming, pairs=options.pairs), library(options.every)),
            Counter[tuple[str, str]](),
        )
    print_ledger(ledger, [] if options.no_peers else list(known_peers()))
    print_diagnoses(diagnoses)
    print(f"\n{time.perf_counter() - began:.0f} s")
    for text in ledger.missed:
        print(f"\nMISSED {text}")
    return int(bool(ledger.missed))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks.power", description=__doc__)
    p.add_argument("--every", type=int, default=1, help="one in so many cases and regimes")
    p.add_argument("--seeds", type=int, default=1, help="points per right gradient and regime; "
                   "at the first of them it is made wrong too")  # fmt: skip
    p.add_argument("--pairs", type=int, default=20, help="pairs of slips per gradient to name")
    p.add_argument("--no-peers", action="store_true", help="leave other libraries' checkers out")
    p.add_argument("--processes", type=int, default=os.cpu_count())
    return p


def trials(job: tuple[int, int], seeds: int, peers: bool) -> Ledger:
    """One case in one regime, at several points."""
    n, r = job
    case, regime = known_cases()[n], REGIMES[r]
    ledger = Ledger()
    for seed in range(seeds):
        others = known_peers() if peers else {}
        ledger.add(trial(case, regime, [n, r, seed], others, mutate=seed == 0))
    return ledger


def library(every: int) -> Sequence[int]:
    """The places of the library's gradients among the cases."""
    return range(0, len(list(of_the_library())), every)


def naming(n: int, pairs: int) -> Counter[tuple[str, str]]:
    return diagnosed(known_cases()[n], [n], pairs)


def print_ledger(ledger: Ledger, peers: Sequence[str]) -> None:
    print("\nWrong gradients, by regime:\n")
    print_outcomes(ledger, OF_WRONG)
    print("\nRight gradients, by regime:\n")
    print_outcomes(ledger, OF_RIGHT)
    print("\nBeside other checkers, on the same gradients at the same points:\n")
    table(
        ["checker", "killed", "passed in silence", "false alarms", "of right ones"],
        [summary(ledger, who) for who in [OURS, *peers]],
    )


def print_outcomes(ledger: Ledger, outcomes: Sequence[str]) -> None:
    rows = [[r, *(ledger.of(what, regime=r) for what in outcomes)] for r in map(title, REGIMES)]
    table(["regime", *outcomes], [*rows, ["all", *map(ledger.of, outcomes)]])


def summary(ledger: Ledger, who: str) -> list[object]:
    """A checker in one row. What ours cannot tell is neither killed nor passed."""
    killed, silent = ledger.of("killed", who), ledger.of("passed in silence", who)
    undecided = ledger.of("cannot tell", who) + ledger.of("no slope there", who)
    alarms = ledger.of("false alarm, of a right one", who)
    right = sum(ledger.of(what, who) for what in OF_RIGHT[:4])
    share = killed / max(1, killed + silent + undecided)
    return [who, f"{share:.2%}", silent, alarms, right]


def print_diagnoses(counts: Counter[tuple[str, str]]) -> None:
    print("\nThe mistake named, of slips in the library's gradients:\n")
    outcomes = ["named", "named otherwise", "not named"]
    rows = []
    for many in ("one slip", "two slips"):
        found = [counts[many, what] for what in outcomes]
        rows.append([many, *found, f"{1 - found[-1] / max(1, sum(found)):.1%}"])
    table(["", *outcomes, "explained"], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table in Markdown."""
    print(f"| {' | '.join(head)} |")
    print(f"|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    sys.exit(main())
