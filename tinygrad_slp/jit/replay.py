"""The replay in NumPy: the operations of a program one after the other, into buffers made before.

It computes what the eager step computes with the same NumPy functions, to the bit; but for sums
over what is not in C order, see docs/jit.md.
"""

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from operator import is_
from typing import Any

import numpy as np

from ..graph import Node
from ..walk import ancestors
from .calls import Calls, Entry, is_plain, may_fail
from .memory import Plan, Planner
from .program import Program
from .trace import Place

NEVER, WITH_ARGUMENTS, ALWAYS = 0, 1, 2
"""When a value is another one in the next step of a loop; WITH_ARGUMENTS: in a scan alone."""


class Tape:
    """A program as calls, one after the other, bound to the buffers of its places.

    Args:
        tapes: the calls that are made once, those for each set of arguments, those for each step.
        calls: finds where values are.
        places: the buffer of every place.
        arguments: the places of the arguments that are read, in order.
    """

    def __init__(
        self,
        program: Program,
        tapes: Sequence[list[Entry]],
        plan: Plan,
        calls: Calls,
        places: Mapping[Place, Any],
        arguments: Sequence[Place],
    ) -> None:
        self.program, self.plan = program, plan
        self.first, self.given, self.rest = tapes
        self.all = [*self.first, *self.given, *self.rest]
        self.done = 0
        self.arguments = [places[place] for place in arguments]
        self.lent: Sequence[Any] = [None] * len(arguments)
        self.results = [calls.array_of(x) for x in program.outputs]
        self.quiet = copy_context()
        self.quiet.run(np.seterr, all="ignore")

    def give(self, arguments: Sequence[Any], lent: Sequence[Any] = ()) -> None:
        """Takes what the arguments are in the next steps.

        Args:
            lent: arrays that do not change, of the last of the arguments.
        """
        for buffer, x in zip(self.arguments, arguments, strict=False):
            np.copyto(buffer, x)
        if not all(map(is_, lent, self.lent)):
            for buffer, x in zip(self.arguments[len(arguments) :], lent, strict=True):
                np.copyto(buffer, x)
            self.lent = lent

    def run(self) -> None:
        """One step, of the arguments given and what stands in the buffers of other places."""
        self.quiet.copy().run(self.play)  # a fork may come while a thread is in one

    def play(self) -> None:
        for call, args in self.all:
            call(*args)

    def repeat(
        self,
        n: int,
        scanned: list[np.ndarray] | None,
        order: np.ndarray,
        results: list[np.ndarray],
    ) -> None:
        """n steps; `done` is how many of them are.

        Args:
            scanned: for each argument an array; step i takes what stands at order[i] in it. None:
                the arguments stay as they were given.
            results: arrays of n results each.

        Raises:
            Unmet: something that the step checks is not true.
        """
        self.quiet.copy().run(self.play_again, n, scanned, order, results)

    def play_again(self, n: int, scanned: Any, order: np.ndarray, results: Any) -> None:
        once, again = [*self.first, *self.given], self.rest
        if scanned is not None:
            once, again = self.first, [*self.given, *self.rest]
        pairs = list(zip(results, self.results, strict=True))
        for call, args in once if n else ():
            call(*args)
        for self.done in range(n):
            i = self.done
            if scanned is not None:
                self.give([x[order[i]] for x in scanned])
            for call, args in again:
                call(*args)
            for result, value in pairs:
                result[i] = value
        self.done = n


class Replay(Tape):
    """All calls are NumPy's.

    What does not depend on what the program stores is the same in all steps of a loop: it is
    computed first, and then, but for what a scan gives other arguments, not again.
    """

    def __init__(
        self, program: Program, places: Mapping[Place, Any], arguments: Sequence[Place]
    ) -> None:
        moving = when_moving(program)
        may_end = {x for x, _ in program.checks} | {x for x in program.nodes if may_fail(x)}
        early = ancestors(may_end)  # so that places can be updated right there
        nodes = sorted(program.nodes, key=lambda x: (moving[x.order], x.order not in early))
        kept = [x.order for n in nodes for x in n.parents if moving[x.order] < moving[n.order]]
        checks = {x.order: [c for y, c in program.checks if y is x] for x, _ in program.checks}
        risky = [k for k, x in enumerate(nodes, 1) if x in may_end]
        plan = Planner(
            program, places, [[x] for x in nodes], (), in_place, kept, max(risky, default=0)
        ).plan()
        calls = Calls(plan.arrays, moving)
        for node in (*program.inputs.values(), *nodes):
            if node.function is not None and node.order not in plan.views:
                calls.add(node)
            for condition in checks.get(node.order, ()):
                calls.add_check(node, condition)
        calls.tapes[ALWAYS].extend(
            (np.copyto, (a, calls.array_of(b), "unsafe")) for a, b in plan.copies
        )
        super().__init__(program, calls.tapes, plan, calls, places, arguments)

    def summary(self) -> str:
        return f"replayed with NumPy, {len(self.plan.views)} views, in {self.plan.bytes:,} bytes"

    def remark(self, node: Node) -> str:
        return "a view" if node.order in self.plan.views else ""


def when_moving(program: Program) -> dict[int, int]:
    """When the value of each node, by its order, is another one in the next step of a loop."""
    found = {
        x.order: ALWAYS if p in program.stores else (NEVER, WITH_ARGUMENTS)[p.kind == "argument"]
        for p, x in program.inputs.items()
    }
    for node in program.nodes:
        found[node.order] = max((found[x.order] for x in node.parents), default=NEVER)
    return found


def in_place(node: Node, x: Node) -> bool:
    """Whether a node may be computed where this input stands: elementwise, if it pays.

    For one element it does not: NumPy takes a slower path where the result is an operand.
    """
    function = node.function
    elementwise = isinstance(function, np.ufunc) and is_plain(function) and x in node.parents
    return elementwise and np.size(node.array) > 1
