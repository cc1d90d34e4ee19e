"""Times functions side by side: in one process, on one thread, interleaved, as medians.

Imported before NumPy, it keeps the matrix libraries to one thread, or to as many as the environment
variable THREADS says.
"""

import os
import statistics
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = os.environ.get("THREADS", "1")


def medians(functions, repeat, rounds=31):
    """Seconds per call of each function, by name: the median of interleaved rounds."""
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            for _ in range(repeat):
                function()
            times[name].append((time.perf_counter() - start) / repeat)
    return {name: statistics.median(t) for name, t in times.items()}


def verdict(name, value, bound, least=False):
    """One line: a ratio, its target and whether it is met."""
    met = value >= bound if least else value <= bound
    sign = "≥" if least else "≤"
    print(f"{name:<44} {value:7.2f}x   target {sign} {bound:.3g}   {'met' if met else 'NOT MET'}")


def put_between(page, name, text):
    """Puts text between two comments of a page, `<!-- name -->` and `<!-- /name -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = page.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1:
        raise SystemExit(f"{page.name} should have {begin} and {end}, once each")
    before, rest = old.split(begin)
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}", encoding="utf-8")
