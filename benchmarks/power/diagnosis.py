"""Does the checker name the mistake? Slips put into right derivations, alone and in pairs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from tinygrad_slp.check.gradient_slips import Sizes, factors
from tinygrad_slp.check.search import Draw, Search, distance
from tinygrad_slp.check.slips import LossGraph, Slip

from .cases import Case
from .mutants import multiplied, slipped

FRESH = 20  # inputs that an explanation has to hold on, as in check_formula
Factor = Callable[[Sizes], float]
Named = tuple[str, Slip | None, Factor | None]  # a slip on the way back, or one of the whole


def diagnosed(case: Case, seed: Sequence[int], pairs: int) -> Counter[tuple[str, str]]:
    """How often single slips and pairs of them are named, by (how many, outcome).

    Args:
        pairs: so many pairs are drawn at random.
    """
    rng = np.random.default_rng(seed)
    draws = [case.draw(rng) for _ in range(FRESH)]
    counts: Counter[tuple[str, str]] = Counter()
    singles = list(slips_of(case, draws[0]))
    for slip in singles:
        counts["one slip", outcome(case, draws, [slip])] += 1
    couples = [(one, two) for one, two in product(singles, singles) if apart(one, two)]
    for n in rng.permutation(len(couples))[:pairs]:
        counts["two slips", outcome(case, draws, couples[n])] += 1
    return counts


def slips_of(case: Case, draw: Draw) -> Iterator[Named]:
    for slip in LossGraph(case.loss, draw.inputs, case.wrt).slips():
        yield slip.text, slip, None
    for text, factor in factors(draw.sizes):
        yield text, None, factor


def apart(one: Named, two: Named) -> bool:
    """Whether somebody may make both: the first on the way back, the second later, or on top."""
    return one[1] is not None and (two[1] is None or one[1].edge < two[1].edge)


def outcome(case: Case, draws: Sequence[Draw], slips: Sequence[Named]) -> str:
    """What the search says of the gradient with these slips."""
    inner = slipped(case, [slip for _, slip, _ in slips if slip])
    outer = [factor for _, _, factor in slips if factor]
    sizes = {tuple(map(np.shape, d.inputs)): d.sizes for d in draws}

    def claim(*inputs: Any) -> Any:
        g = inner(*inputs)
        for factor in outer:
            g = multiplied(factor(sizes[tuple(map(np.shape, inputs))]), g)
        return g

    right = [case.gradient(*d.inputs) for d in draws]
    if max(distance(g, claim(*d.inputs)) for g, d in zip(right, draws, strict=True)) < 1e-9:
        return "no mistake"
    found = Search(LossGraph, case.loss, claim, case.wrt, draws, case.names).diagnose()
    if not found.slips:
        return "not named"
    return "named" if set(found.slips) == {text for text, *_ in slips} else "named otherwise"
