"""Every derivation in the checker's library is right, and says where it can be read."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_slp as tg
from benchmarks.power.library import DERIVATIONS


@pytest.mark.parametrize("known", DERIVATIONS, ids=lambda known: known.name)
def test_the_gradients_are_those_of_the_loss(known):
    rng = np.random.default_rng(0)
    for _ in range(10):
        inputs = known.shapes.fresh(rng, known.values).inputs
        for name, gradient in known.gradients.items():
            right = tg.grad(known.loss, known.shapes.names.index(name))(*inputs)
            scale = np.abs(right).max()
            np.testing.assert_allclose(gradient(*inputs), right, rtol=1e-10, atol=1e-13 * scale)


def test_there_are_as_many_as_the_page_of_the_checker_says():
    page = (Path(__file__).parent.parent / "docs" / "checker.md").read_text("utf-8")
    (many,) = re.findall(r"and (\d+) losses with hand-derived gradients", page)
    assert len({known.name for known in DERIVATIONS}) == int(many) == 13


def test_each_says_its_loss_and_where_it_can_be_read():
    assert all(known.source and known.loss.__doc__ for known in DERIVATIONS)
