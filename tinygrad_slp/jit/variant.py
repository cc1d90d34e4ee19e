"""A variant: a step traced for one kind of arguments, with the program and the back end it has."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

import numpy as np

from ..graph import Node, leaf
from ..tensor import Tensor
from .program import Program, dot, is_number, read_off, text
from .replay import Replay
from .scope import Scope
from .signature import Signature
from .state import State, array_of
from .trace import GRAD, Place, Recording


class Variant:
    """What one trace serves.

    The program is made when it is first needed: a step that is traced once and never again, as the
    first one of an optimizer that makes its momentum, costs nothing more.
    """

    def __init__(self, seen: Recording, scope: Scope, found: Signature, backend: str) -> None:
        self.seen = seen
        self.scope = scope
        self.paths = found.paths
        self.backend = backend
        self.places = {p.holder: p for p in seen.inputs if p.kind == "argument"}
        self.required = [
            (next(p for p, x in seen.inputs.items() if x is node), condition)
            for node, condition in seen.required
        ]
        self.program: Program | None = None
        self.small = [
            (x, x.copy())
            for x in scope.arrays.values()
            if x.nbytes <= 4096 and Place("array", x) not in seen.inputs
        ]

    # --- may it run? ---

    def holds(self) -> bool:
        """Whether a replay would do what the step would do now."""
        return (
            self.scope.holds()
            and all((GRAD.__get__(x) is None) == empty for x, empty in self.seen.empty.items())
            and all(np.array_equal(x, old, equal_nan=True) for x, old in self.small)
            and self.state_fits()
        )

    def state_fits(self) -> bool:
        if self.program is None:
            self.build()
        return self.state.fits()

    def accepts(self, leaves: Sequence[Any]) -> bool:
        """Whether all that the step checks of its inputs is true; asked of all batches at once."""
        for place, condition in self.required:
            x = leaves[place.holder] if place.kind == "argument" else array_of_any(place)
            if not condition(getattr(x, "array", x)):
                return False
        return True

    # --- run ---

    def build(self) -> None:
        self.program = read_off(self.seen)
        self.state = State(self.program)
        self.bind()

    def bind(self) -> None:
        """Makes, or makes anew, what computes in these buffers."""
        self.engine = self.engine_for(self.state)
        self.state.settle()
        self.quiet = copy_context()
        self.quiet.run(np.seterr, all="ignore")

    def engine_for(self, state: State) -> Any:
        assert self.program is not None
        if self.backend == "llvm":
            from .llvm.native import Native

            return Native(self.program, state.buffers)
        return Replay(self.program, state.buffers)

    def prepare(self) -> None:
        """Brings the buffers in step with the Tensors."""
        self.state.load()
        if not self.state.is_ours():
            self.state.move()
            self.bind()

    def run(self, leaves: Sequence[Any]) -> Any:
        """One step."""
        self.prepare()
        self.give(leaves)
        self.quiet.run(self.engine.run)
        return self.finish([taken(x) for x in self.engine.results])

    def loop(self, n: int, leaves: Sequence[Any]) -> Any:
        """n steps of the same arguments."""
        self.prepare()
        self.give(leaves)
        results = self.room(n)
        self.quiet.run(self.engine.repeat, n, [], None, results)
        return self.finish(results)

    def scan(self, order: np.ndarray, args: Sequence[Any]) -> Any:
        """A step for each index of the order, of that part of the arguments."""
        self.prepare()
        scanned = [
            (self.state.buffers[place], getattr(args[k], "array", args[k]))
            for k, place in self.places.items()
            if place in self.state.buffers
        ]
        results = self.room(len(order))
        self.quiet.run(self.engine.repeat, len(order), scanned, order, results)
        return self.finish(results)

    def give(self, leaves: Sequence[Any]) -> None:
        """Puts the arguments into their buffers."""
        for k, place in self.places.items():
            if place in self.state.buffers:
                x = leaves[k]
                np.copyto(self.state.buffers[place], getattr(x, "array", x))

    def room(self, n: int) -> list[Any]:
        """Arrays for the results of n steps."""
        return [
            np.empty((n, *np.shape(x)), getattr(x, "dtype", type(x))) for x in self.engine.results
        ]

    def finish(self, results: list[Any]) -> Any:
        """Leaves the Tensors as the step would, and returns what it would."""
        self.state.store()
        for tensor in self.seen.forgotten:
            GRAD.__set__(tensor, None)
        leaves = [
            leaf(Tensor, x) if is_tensor else x
            for x, is_tensor in zip(results, self.seen.tensors, strict=True)
        ]
        return self.seen.rebuild(leaves)

    # --- what it is ---

    def described(self) -> "Described":
        if self.program is None:
            self.build()
        assert self.program is not None
        names = self.scope.names()
        names |= {p: self.paths[k] for k, p in self.places.items()}
        return Described(self.program, names, self.engine)


def taken(x: Any) -> Any:
    """A result that stays what it is when its buffer is used again."""
    if isinstance(x, np.ndarray):
        return x.copy() if x.ndim else x[()]
    return x


def array_of_any(place: Place) -> Any:
    return array_of(place) if place.kind in ("value", "gradient") else place.holder


class Described:
    """The program of a step, to be looked at."""

    def __init__(self, program: Program, names: dict[Place, str], engine: Any) -> None:
        self.program = program
        self.names = names
        self.engine = engine

    def __str__(self) -> str:
        head = f"{len(self.program.nodes)} operations; {self.engine.summary()}"
        notes = [f"  {note}" for note in (*self.program.notes, *self.engine.notes())]
        return "\n".join([head, *notes, text(self.program, self.names, self.engine.remark)])

    __repr__ = __str__

    def to_dot(self) -> str:
        """The program as a graph, in the language of Graphviz."""
        return dot(self.program, self.names)
