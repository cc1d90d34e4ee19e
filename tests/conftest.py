"""How all tests run: the same examples each time, native code where it is, a cache of our own."""

import os
import tempfile
from importlib.util import find_spec

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("steps")
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# Here, for processes that tests start too.
CACHE = tempfile.TemporaryDirectory()
os.environ["TINYGRAD_SLP_CACHE"] = CACHE.name
LEFT_OUT = []


def pytest_collection_modifyitems(config, items):
    """Without llvmlite, leaves out the tests marked `native`; there are too many to skip each."""
    if find_spec("llvmlite"):
        return
    LEFT_OUT[:] = [item for item in items if item.get_closest_marker("native")]
    config.hook.pytest_deselected(items=LEFT_OUT)
    items[:] = [item for item in items if not item.get_closest_marker("native")]


def pytest_terminal_summary(terminalreporter):
    if LEFT_OUT:
        terminalreporter.write_line(
            f"{len(LEFT_OUT)} tests of native code left out: llvmlite is not installed (extra jit)"
        )
