"""The seam to a compiler: what it is told, and asked, while it records a step.

This is all that the library knows of `jit`. Who records sets `recorder`, for its thread and task.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Protocol


class Recorder(Protocol):
    """In place of values it gives what records: stand-ins that speak NumPy's protocols."""

    def operands(self, inputs: Sequence[Any], settings: dict[str, Any]) -> list[Any]:
        """What a function with these settings is to be given, in place of its inputs."""

    def read_number(self, cell: Any) -> Any:
        """The number in a cell, an array of shape (), which may be another one in each step."""

    def write_number(self, cell: Any, value: Any) -> float:
        """What to leave in a cell, when a step gives it this value."""

    def require(self, condition: Callable[[Any], bool], x: Any) -> Any:
        """The value of x in this step. Each later step is to see whether the condition holds."""


recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
