"""What a training shows while it runs, and how Ctrl-C ends it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import FrameType, TracebackType
from typing import Any

LINES = 10
"""About how many lines are printed where there is no bar."""

Report = Callable[[Mapping[str, float]], None]


@contextmanager
def reporting(show: bool, done: int, epochs: int) -> Iterator[Report]:
    """A way to report each epoch: a bar on a terminal, a few plain lines elsewhere, or nothing."""
    if not show:
        yield lambda row: None
    elif sys.stdout.isatty() and find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(total=epochs, initial=done, unit="epoch", file=sys.stdout) as bar:

            def advance(row: Mapping[str, float]) -> None:
                bar.set_postfix_str(measured(row), refresh=False)
                bar.update()

            yield advance
    else:
        every, started = max(1, epochs // LINES), time.perf_counter()

        def line(row: Mapping[str, float]) -> None:
            epoch = int(row["epoch"])
            if epoch in (1, epochs) or epoch % every == 0:
                said = f"epoch {epoch:>{len(str(epochs))}}/{epochs}  {measured(row)}"
                each = (time.perf_counter() - started) / max(epoch - done, 1)
                print(said + time_left(each * (epochs - epoch)), flush=True)

        yield line


def measured(row: Mapping[str, float]) -> str:
    """The losses and metrics of an epoch, in one line."""
    hidden = "epoch", "lr", "seconds"
    return "  ".join(f"{name} {x:.4g}" for name, x in row.items() if name not in hidden)


def time_left(seconds: float) -> str:
    """As in "  at most 3 min left"; nothing if it is less than a second."""
    if seconds < 1:
        return ""
    amount = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    return f"  at most {amount} left"


class Interruption:
    """Within it, the first Ctrl-C is noted and the second raises KeyboardInterrupt.

    In the main thread only, and unless somebody else handles Ctrl-C already.

    Args:
        show: say so when it comes.

    Attributes:
        noted: whether there was one.
    """

    def __init__(self, show: bool) -> None:
        self.show = show
        self.noted = False
        self.ours = False

    def __enter__(self) -> "Interruption":
        main = threading.current_thread() is threading.main_thread()
        self.ours = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.ours:
            signal.signal(signal.SIGINT, self.note)
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def note(self, number: int, frame: FrameType | None) -> Any:
        if self.noted:
            raise KeyboardInterrupt
        self.noted = True
        if self.show:  # not print, which may be what was interrupted
            os.write(2, b"\nending after this epoch; Ctrl-C again ends it at once\n")
