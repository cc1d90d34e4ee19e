"""The trace: runs a step as ever, and keeps which arrays went in, came out and stayed behind.

While a step is traced, reading the array of a Tensor gives a `Tracer` of it. The Tensor itself
holds the plain array all the time: after the trace, everything is as if nobody had watched.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock, current_thread
from threading import enumerate as threads
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..checks import Between, Condition
from ..graph import Node, clock, leaf
from ..recorder import recorder
from ..tensor import Tensor
from ..tree import flatten
from ..walk import ancestors
from . import TraceError
from .buffers import ARRAY, GRAD, array_of
from .tracer import (
    Tracer,
    active,
    constant_tracer,
    input_node,
    kept,
    record,
    refuse,
    without_constants,
)

RESULTS = Tensor, Tracer, np.ndarray, np.generic, int, float, complex, str, bytes
"""What a step may return, beside None; bool is an int."""


class Differentiated(Exception):
    """A step that writes nothing returns what gradients of its arguments could flow through."""


class Place:
    """Where a value is read at the start of a step, or left at its end.

    Attributes:
        kind: "argument", "value" or "gradient" of a Tensor, "number" or "array"; or "together".
        holder: the number of the argument, the Tensor, the cell of a `Live` number, or the array
            itself, which somebody may write into between steps; or places that stand side by side.
    """

    __slots__ = ("holder", "key", "kind")

    def __init__(self, kind: str, holder: Any) -> None:
        self.kind = kind
        self.holder = holder
        self.key = kind, holder if kind in ("argument", "together") else id(holder)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class Recording(SimpleNamespace):
    """What was seen of one run of a step.

    Attributes:
        leaves: the leaves of what the step returned, as it returned them.
        outputs: the node or constant of each.
        arrays: of those that are nodes, what they were in this run.
        rebuild: makes the tree that the step returned of other leaves.
        inputs: the places that were read before they were written, with the node read there.
        stores: the places that were written, with the last node or constant.
        forgotten: Tensors without a gradient when the step ends.
        empty: Tensors whose `grad` the step looked at first, and whether it was None.
        required: places, each with what must be true of it for the step not to fail.
        checks: nodes, each with what must be true of it.
        elsewhere: the Tensors that were read in threads younger than the step.
    """

    leaves: list[Any]
    outputs: list[Any]
    arrays: list[np.ndarray]
    rebuild: Callable[[list[Any]], Any]
    inputs: dict[Place, Node]
    stores: dict[Place, Any]
    forgotten: list[Tensor]
    empty: dict[Tensor, bool]
    required: list[tuple[Place, Condition]]
    checks: list[tuple[Node, Condition]]
    elsewhere: set[Node]


class Trace:
    """What has been read and written since the step began.

    Attributes:
        shared: the arrays in the scope of the step, by id: what they hold is read anew each time.
        values: for every Tensor seen, a Tracer, or the array of a constant.
        arguments: what the step calls the Tensors that it is given, and those in their place.
    """

    def __init__(self, shared: Iterable[np.ndarray], paths: Sequence[str]) -> None:
        self.began = clock()
        self.paths = paths
        self.shared = {id(x): x for x in shared}
        self.inputs: dict[Place, Node] = {}
        self.values: dict[Node, Any] = {}
        self.numbers: dict[int, Any] = {}
        self.written: dict[Place, Any] = {}
        self.grads: dict[Tensor, None] = {}
        self.empty: dict[Tensor, bool] = {}
        self.arguments: dict[Node, str] = {}
        self.renewed: set[Node] = set()
        self.checks: dict[tuple[int, str], tuple[Node, Condition]] = {}
        self.asks_arguments = False
        self.threads = set(threads())
        self.elsewhere: set[Node] = set()

    def is_older(self, tensor: Node) -> bool:
        """Whether a Tensor was there before the step, even if it was given new data since."""
        return getattr(tensor, "order", self.began) < self.began or tensor in self.renewed

    def argument(self, k: int, x: Any) -> Any:
        """Leaf number k of the arguments, as the step is to see it.

        In place of a Tensor another one: the same Tensor may be in the scope of the step too.
        """
        if not isinstance(x, Tensor):
            return self.input(Place("argument", k), x)
        array = array_of(x)
        stand_in = leaf(Tensor, array, x.tracked)
        self.values[stand_in] = self.input(Place("argument", k), array)
        self.arguments[x] = self.arguments[stand_in] = self.paths[k]
        return stand_in

    def input(self, place: Place, array: Any) -> Tracer:
        if place not in self.inputs:
            self.inputs[place] = input_node(in_native_order(array))
        return Tracer(self.inputs[place])

    # --- called by Tensors, `record`, and as a `Recorder` ---

    def read(self, tensor: Node, array: Any) -> Any:
        if tensor not in self.values:
            older = isinstance(tensor, Tensor) and self.is_older(tensor)
            if older and not isinstance(array, np.ndarray | np.generic):
                raise TraceError(f"jit computes with NumPy arrays, got {type(array).__name__}")
            self.values[tensor] = self.input(Place("value", tensor), array) if older else array
        return self.values[tensor]

    def read_elsewhere(self, tensor: Node) -> None:
        """Called in another thread: of one that began after the step, the step may want results."""
        if current_thread() not in self.threads:
            self.elsewhere.add(tensor)

    def write(self, tensor: Node, array: Any) -> Any:
        if tensor in self.arguments:
            path = self.arguments[tensor]
            refuse(
                f"the step gives new data to the Tensor that is its argument {path}",
                f"return the new values; or close over the Tensor, and give {path}.detach()",
            )
        if isinstance(tensor, Tensor) and self.is_older(tensor):
            self.written[Place("value", tensor)] = array
            self.renewed.add(tensor)
        self.values[tensor] = array
        return array.now if isinstance(array, Tracer) else array

    def read_grad(self, tensor: Tensor, grad: Any) -> Any:
        if grad is not None and not isinstance(grad, Node):
            return grad  # which whoever asked will refuse
        self.asks_arguments |= tensor in self.arguments and not self.is_older(tensor)
        if tensor not in self.grads and tensor not in self.empty and self.is_older(tensor):
            self.empty[tensor] = grad is None
            if grad is not None:
                self.values[grad] = self.input(Place("gradient", tensor), array_of(grad))
        return grad

    def write_grad(self, tensor: Tensor) -> None:
        if self.is_older(tensor):
            self.grads[tensor] = None

    def read_number(self, cell: np.ndarray) -> Any:
        if id(cell) not in self.numbers:
            self.numbers[id(cell)] = self.input(Place("number", cell), float(cell))
        return self.numbers[id(cell)]

    def write_number(self, cell: np.ndarray, value: Any) -> Any:
        if not isinstance(value, Tracer):
            value = float(value)
        elif type(value.now) is not float:
            value = record(float, (value,), {})
        self.numbers[id(cell)] = self.written[Place("number", cell)] = value
        return value.now if isinstance(value, Tracer) else value

    def read_array(self, x: np.ndarray) -> Any:
        """The node of an array in the scope of the step; any other is a constant."""
        if id(x) not in self.shared:
            return kept(x)
        return self.input(Place("array", x), x).node

    def operands(self, arrays: Sequence[Any], settings: Any) -> list[Any]:
        """What a rule is given: arrays that know all NumPy, even where they meet a Tracer."""
        given = [self.read_operand(x) for x in arrays]
        if any(isinstance(x, Tracer) for x in flatten([given, settings])[0]):
            given = [constant_tracer(x) if type(x) is np.ndarray else x for x in given]
        return given

    def read_operand(self, x: Any) -> Any:
        """An array in the scope of the step as a Tracer; anything else as it is."""
        return self.input(Place("array", x), x) if id(x) in self.shared else x

    def require(self, condition: Condition, x: Any) -> Any:
        x = self.read_operand(x)
        if not isinstance(x, Tracer):
            return x
        self.check(x.node, condition)
        return x.now

    def check(self, node: Node, condition: Condition) -> None:
        """Has each replay make sure that a condition is true of a node."""
        self.checks[node.order, repr(condition)] = node, condition

    # --- at the end ---

    def finish(self, result: Any) -> Recording:
        if any(GRAD.__get__(x) is not None for x in self.arguments if not self.is_older(x)):
            refuse(
                "the step calls backward() for an argument, whose gradient would be lost",
                "jit(grad(f)), or a Tensor that the step closes over",
            )
        if self.asks_arguments:
            refuse(
                "the step reads the gradient of an argument, which a replay would not do",
                "give it as an argument of its own: step(x, x.grad)",
            )
        leaves, rebuild = flatten(result)
        for x in leaves:
            if not isinstance(x, RESULTS):
                refuse(
                    f"the step returns a {type(x).__name__}, which a replay could not make anew",
                    "return arrays, Tensors, numbers and texts, in tuples, lists, dicts or Modules",
                )
        stores = dict(self.written)
        forgotten = []
        for tensor in self.grads:
            grad = GRAD.__get__(tensor)
            # The gradient of what the step itself updated has served, and is not kept; unless it
            # was added to an older one, as it will be again.
            served = Place("value", tensor) in stores and tensor not in self.empty
            if grad is None or served:
                forgotten.append(tensor)
            else:
                stores[Place("gradient", tensor)] = self.values[grad]
        values = [without_constants(self.leaf_value(x)) for x in leaves]
        given = {x.order: place for place, x in self.inputs.items() if place not in stores}
        before = [pair for pair in self.checks.values() if is_asked_before(*pair, given)]
        return Recording(
            leaves=leaves,
            outputs=[node_of(x) for x in values],
            arrays=[np.asarray(x.now) for x in values if isinstance(x, Tracer)],
            rebuild=rebuild,
            inputs=self.inputs,
            stores={place: node_of(value) for place, value in stores.items()},
            forgotten=forgotten,
            empty=self.empty,
            required=[(given[node.order], condition) for node, condition in before],
            checks=[pair for pair in self.checks.values() if pair not in before],
            elsewhere=self.elsewhere,
        )

    def leaf_value(self, x: Any) -> Any:
        """The Tracer or constant of one leaf of what the step returned."""
        if not isinstance(x, Tensor):
            return x
        if x.function is not None and any(y.function is None for y in ancestors([x]).values()):
            if any(y.tracked for y in self.arguments) and not self.written and not self.grads:
                raise Differentiated
            refuse(
                "the step returns a Tensor through which gradients could still flow; they would "
                "end at the result of a replay",
                "y.detach(), or no_grad() around the call, or backward() or grad() inside the step",
            )
        return self.read(x, array_of(x))


def in_native_order(x: Any) -> Any:
    """An array with bytes in the order of the machine, in which all is computed."""
    swapped = isinstance(x, np.ndarray) and not x.dtype.isnative
    return x.astype(x.dtype.newbyteorder("=")) if swapped else x


def is_asked_before(node: Node, condition: Condition, given: Mapping[int, Place]) -> bool:
    """Whether a condition is asked once before steps: of what is the same in all of them.

    `Between` is asked in the step, by native code where it is about to use an index.
    """
    return node.order in given and not isinstance(condition, Between)


def node_of(value: Any) -> Any:
    value = without_constants(value)
    return value.node if isinstance(value, Tracer) else value


# --- the watch over Tensors ---


class WatchedArray:
    """Stands before the slot `array` of Tensors while some thread traces."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __get__(self, node: Any, cls: type) -> Any:
        array, trace = array_of(node), active()
        if trace is None:
            self.trace.read_elsewhere(node)
            return array
        return trace.read(node, array)

    def __set__(self, node: Any, array: Any) -> None:
        trace = active()
        ARRAY.__set__(node, array if trace is None else trace.write(node, array))


class WatchedGrad:
    """Stands before the slot `grad` of Tensors while some thread traces."""

    def __get__(self, node: Any, cls: type) -> Any:
        grad, trace = GRAD.__get__(node), active()
        return grad if trace is None else trace.read_grad(node, grad)

    def __set__(self, node: Any, grad: Any) -> None:
        trace = active()
        if trace is not None:
            trace.write_grad(node)
        GRAD.__set__(node, grad)


one_at_a_time = RLock()


def unwatch() -> None:
    for name in {"array", "grad"} & set(vars(Tensor)):
        delattr(Tensor, name)


def forked() -> None:
    """After a fork: a thread that traced is not there any more."""
    global one_at_a_time
    if active() is None:
        one_at_a_time = RLock()
        unwatch()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=forked)


@contextmanager
def watching(trace: Trace) -> Any:
    """Within it, what this thread does with Tensors is seen by the trace."""
    watched: Any = Tensor  # its slots, as ordinary attributes of a class
    with one_at_a_time:
        try:  # at once, as Ctrl-C may come anywhere
            recorder.set(trace)
            watched.array, watched.grad = WatchedArray(trace), WatchedGrad()
            yield
        finally:
            recorder.set(None)
            unwatch()


def trace(
    call: Callable[[list[Any]], Any],
    leaves: Sequence[Any],
    paths: Sequence[str],
    shared: Iterable[np.ndarray],
) -> Recording:
    """Runs a step, and returns what was seen.

    Args:
        call: runs the step, given the leaves of its arguments that are given anew each time.
        leaves: these, now.
        paths: what the user calls them.
        shared: the arrays in the scope of the step.

    Raises:
        TraceError: the step asks for a value, which will be another in a replay.
    """
    seen = Trace(shared, paths)
    with watching(seen):
        result = call([seen.argument(k, x) for k, x in enumerate(leaves)])
        return seen.finish(result)
