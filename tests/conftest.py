"""How all tests run: the same examples each time, native code where it is, a cache of our own."""

import os
import signal
import tempfile
from importlib.util import find_spec

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("steps")
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("repeatable")

# Here, for processes that tests start too.
CACHE = tempfile.TemporaryDirectory()
os.environ["TINYGRAD_SLP_CACHE"] = CACHE.name
# A shell has what it starts in the background ignore Ctrl-C, and so would what tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
HAS_LLVM = find_spec("llvmlite") is not None


@pytest.fixture
def table():
    """The table of rules, for a test that adds some: they are gone after it."""
    from tinygrad_slp.rule import RULES

    before = dict(RULES)
    yield RULES
    RULES.clear()
    RULES.update(before)


def pytest_collection_modifyitems(config, items):
    """Without llvmlite, leaves out the tests marked `native`; there are too many to skip each."""
    if not HAS_LLVM:
        config.hook.pytest_deselected(items=[x for x in items if x.get_closest_marker("native")])
        items[:] = [x for x in items if not x.get_closest_marker("native")]


def pytest_terminal_summary(terminalreporter):
    if not HAS_LLVM:
        terminalreporter.write_line(
            "tests of native code (marked native) are left out: llvmlite is not installed "
            "(extra jit)"
        )
