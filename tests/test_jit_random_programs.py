"""Random programs, and what people do between calls, give under jit what they give without.

`benchmarks/random_programs.py` runs as many of them as one likes.
"""

import pytest
from programs import KINDS, Example, Program
from steps import each_backend
from worlds import Eager, difference


@each_backend
@pytest.mark.parametrize("seed", range(30))
def test_a_random_program(seed, backend):
    program = Program(seed)
    assert not difference(program, backend), str(program)


def test_the_same_seed_draws_the_same_program():
    assert str(Program(5)) == str(Program(5)) != str(Program(6))


class Stale(Eager):
    """A wrong compiler: later calls give what the first one gave, and leave nothing behind."""

    def __call__(self, *args):
        if not hasattr(self, "first"):
            self.first = self.step(*args)
        return self.first


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_compiler_is_found(kind):
    programs = [program for program in map(Program, range(20)) if program.kind == kind]
    assert any(difference(program, "numpy", Stale) for program in programs)


@pytest.mark.parametrize("way", ["closed over", "held in a field"])
def test_a_wrong_compiler_is_found_by_examples_too(way):
    assert difference(Example("np.exp", 0, False, 0, way, "F", "value"), "numpy", Stale)
