"""A variant: a step traced for one kind of arguments, with its program and what computes it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..graph import is_recording
from ..tensor import Tensor
from .environment import Environment
from .horizontal_fusion import HorizontalFusion
from .listing import Listing
from .program import Program, Unmet
from .replay import Replay
from .results import Results
from .signature import Signature
from .simplify import read_off
from .state import State, all_hold
from .trace import Place, Recording

SMALL = 4096
"""Bytes of an array up to which it is compared with what it was, each time."""


class Variant:
    """What one trace serves.

    The program is made when it is first needed: a step that is traced once and never again, as the
    first one of an optimizer that makes its momentum, costs little more.
    """

    def __init__(
        self, seen: Recording, environment: Environment, found: Signature, backend: str
    ) -> None:
        self.seen: Recording | None = seen
        self.given = [place for place in seen.inputs if place.kind == "argument"]
        self.environment = environment
        self.paths = found.paths
        self.backend = backend
        self.required = seen.required
        self.small = [
            (x, x.copy())
            for x in environment.arrays.values()
            if x.nbytes <= SMALL and Place("array", x) not in seen.inputs
        ]
        self.looked_at = list(seen.empty)
        self.were_empty = list(seen.empty.values())
        self.forgotten = seen.forgotten
        none_after = dict.fromkeys(seen.forgotten, True)
        none_after |= {p.holder: False for p in seen.stores if p.kind == "gradient"}
        self.repeats = all(none_after.get(x, none) == none for x, none in seen.empty.items())
        self.recording = is_recording()
        self.results = Results(seen)
        self.settled = False
        self.forms = list(map(form_of, found.leaves)) if found.is_flat else None
        self.written = {id(p.holder) for p in seen.stores if p.kind == "value"}
        self.program: Program | None = None
        self.engine: Any = None
        self.reason = ""

    # --- may it run? ---

    def is_like(self, args: tuple[Any, ...]) -> bool:
        """Whether these arguments are arrays and Tensors of the same form: quickly."""
        forms = self.forms
        if forms is None or len(args) != len(forms) or is_recording() is not self.recording:
            return False
        for k, (cls, tracked, shape, dtype) in enumerate(forms):
            x = args[k]
            if type(x) is not cls:
                return False
            if cls is Tensor:
                if x.tracked is not tracked or id(x) in self.written:
                    return False
                x = x.array
            if x.shape != shape or (x.dtype is not dtype and x.dtype != dtype):
                return False
        return True

    def is_apart(self, leaves: Iterable[Any]) -> bool:
        """Whether the step is given no Tensor to which it gives new data."""
        return self.written.isdisjoint(map(id, leaves))

    def holds(self, quickly: bool = False) -> bool:
        """Whether a replay would do what the step would do now.

        Args:
            quickly: do not look whether other objects in the scope are the same numbers or texts.
        """
        if not (self.environment.is_untouched() if quickly else self.environment.holds()):
            return False
        if self.looked_at and self.were_empty != [x.grad is None for x in self.looked_at]:
            return False
        if self.engine is None:
            self.build()
        if self.small and not all(same_content(x, old) for x, old in self.small):
            return False
        self.settled = self.state.is_settled()
        return self.settled or (self.environment.tracks_the_same() and self.state.fits())

    def accepts(self, leaves: Sequence[Any]) -> bool:
        """Whether all that the step checks of its inputs is true; asked of all batches at once."""
        return not self.required or all_hold(self.required, leaves)

    # --- run ---

    def let_go(self) -> None:
        """Keeps the program of the run that was traced, and nothing of its values."""
        if self.seen is not None:
            self.program = read_off(self.seen)
            self.program.forget_values()
            self.seen = None  # last: if Ctrl-C comes before, all of this is done again

    def build(self) -> None:
        self.let_go()
        assert self.program is not None
        arguments = [p for p in self.program.inputs if p.kind == "argument"]
        self.arguments = [p.holder for p in arguments]
        state, engine = self.bound(self.program, arguments)
        if engine.program is not self.program:
            engine.program.forget_values()
        self.state, self.engine = state, engine  # the engine last: with it, all is there

    def bound(self, program: Program, arguments: list[Place]) -> tuple[State, Any]:
        """The back end that was asked for; NumPy, if it has no code for an operation.

        It is bound to buffers that are made for it.
        """
        tensors = self.environment.tensors.values()
        if self.backend == "llvm":
            from .llvm.native import NotLowered, native

            state = State(program, tensors, plain=True)
            try:
                return state, native(program, state.buffers, [*arguments, *state.lent])
            except NotLowered as missing:
                self.reason = f"; there is no native code for {missing}"
        alike = HorizontalFusion(program)
        state = State(program, tensors, alike.groups)
        return state, Replay(alike.fused(), state.buffers, [*arguments, *state.lent])

    def prepare(self, leaves: Sequence[Any]) -> None:
        """Brings the buffers in step with the Tensors, and takes the arguments."""
        if not self.settled:
            self.state.load()
        given = [array_in(leaves[k]) for k in self.arguments]
        self.engine.give(given, self.state.arrays_lent)

    def run(self, leaves: Sequence[Any]) -> Any:
        """One step.

        Raises:
            Unmet: something that the step checks is not true; nothing is stored.
        """
        if not self.accepts(leaves):
            raise Unmet
        if self.arguments or not self.settled:
            self.prepare(leaves)
        self.engine.run()
        self.finish()
        return self.results.of_one(self.engine.results)

    def loop(self, n: int, leaves: Sequence[Any]) -> tuple[int, Any]:
        """n steps of the same arguments; fewer, if one of its checks fails: how many, and what."""
        self.prepare(leaves)
        return self.repeat(n, None, np.zeros(n, dtype=np.int64))

    def scan(self, order: np.ndarray, args: Sequence[Any]) -> tuple[int, Any]:
        """A step for each index of the order, of that part of the arguments."""
        self.prepare([x[0] for x in args])
        return self.repeat(len(order), [array_in(args[k]) for k in self.arguments], order)

    def repeat(self, n: int, scanned: list[Any] | None, order: np.ndarray) -> tuple[int, Any]:
        """n steps; those that were done before an error or Ctrl-C stay done."""
        results = self.room(n)
        self.engine.done = 0
        try:
            self.engine.repeat(n, scanned, order, results)
        except Unmet:
            results = [x[: self.engine.done] for x in results]
        finally:
            if self.engine.done:
                self.finish()
        return self.engine.done, self.results.of_many(self.engine.done, results)

    def room(self, n: int) -> list[np.ndarray]:
        """Arrays for the results of n steps."""
        return [np.empty((n, *x.shape), x.dtype) for x in self.engine.results]

    def finish(self) -> None:
        """Leaves the Tensors as the step would."""
        self.state.store()
        for tensor in self.forgotten:
            if tensor.grad is not None:
                tensor.grad = None

    # --- what it is ---

    def listing(self) -> Listing:
        """The program, with what its user calls things."""
        if self.engine is None:
            self.build()
        names = self.environment.labels()
        names |= {place: self.paths[place.holder] for place in self.given}
        for place in self.engine.program.inputs | self.engine.program.stores:
            if place.kind == "together":
                names[place] = ", ".join(names[part] for part in place.holder)
        how = self.engine.summary() + self.reason
        return Listing(self.engine.program, names, how, self.engine.remark)


def form_of(x: Any) -> tuple[Any, ...]:
    return type(x), getattr(x, "tracked", False), x.shape, x.dtype


def array_in(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


def same_content(x: np.ndarray, old: np.ndarray) -> bool:
    return x.shape == old.shape and x.dtype == old.dtype and x.tobytes() == old.tobytes()
