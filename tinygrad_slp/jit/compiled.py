"""A compiled step: it is traced once and then replayed, one call or thousands at a time."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial, update_wrapper
from importlib.util import find_spec
from inspect import Parameter, signature
from threading import RLock
from typing import Any
from weakref import WeakSet
from zlib import crc32

import numpy as np

from .. import errors
from ..checks import whole
from ..recorder import recorder
from . import TraceError
from .differences import changes
from .environment import Environment
from .program import Unmet
from .results import joined, reshaped, stacked
from .signature import Signature, contents, difference, filled, sign
from .trace import Differentiated, Recording, trace
from .variant import Variant

MOST_KINDS = 16
"""Kinds of arguments for which variants are kept."""
MOST_VARIANTS = 4
"""Variants kept for arguments of one kind: for training and evaluation, with old gradients and
without."""
MANY = 8
"""Traces after which one is told what makes them necessary."""


def chosen(backend: str) -> str:
    """The back end that is meant and there.

    Raises:
        ImportError: llvm is asked for and not installed.
    """
    there = find_spec("llvmlite") is not None
    if backend == "llvm" and not there:
        raise ImportError("backend='llvm' needs llvmlite: pip install 'tinygrad-slp[jit]'")
    if backend == "auto" and not there:
        say_once("jit replays with NumPy; for native code: pip install 'tinygrad-slp[jit]'")
    return "llvm" if there and backend != "numpy" else "numpy"


said: set[str] = set()


def say_once(text: str) -> None:
    if text not in said:
        said.add(text)
        print(f"tinygrad_slp: {text}", file=sys.stderr)


steps: WeakSet["Compiled"] = WeakSet()


def renew_locks() -> None:
    """After a fork: threads that held a lock are not there to give it back."""
    for step in list(steps):
        step.lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=renew_locks)


class Compiled:
    """A function that is traced for each kind of arguments, and replayed: see `jit`."""

    def __init__(self, step: Callable[..., Any], static: tuple[str, ...], backend: str) -> None:
        update_wrapper(self, step)  # first, as it takes the fields of another step too
        self.variants: dict[Any, list[Variant]] = {}
        self.latest: Variant | None = None
        self.step = step
        self.name = name_of(step)
        self.backend = chosen(backend)
        self.signature = signature(step)
        known = list(self.signature.parameters)
        if unknown := [name for name in static if name not in known]:
            raise ValueError(f"static_argnames={unknown}: the arguments are {', '.join(known)}")
        self.static = frozenset(static)
        kinds = [
            p.kind is Parameter.POSITIONAL_OR_KEYWORD for p in self.signature.parameters.values()
        ]
        self.names = known if all(kinds) else []
        self.eager: set[Any] = set()
        self.traces = 0
        self.kinds = 0
        self.again = 0
        self.unsettled: Counter[Any] = Counter()
        self.lock = RLock()
        steps.add(self)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """One step."""
        if recorder.get() is not None:
            return self.step(*args, **kwargs)  # within another step, a part of it
        with self.lock:
            if kwargs:
                args, kwargs = self.in_order(args, kwargs)
            latest = self.latest
            if latest is not None and not kwargs and latest.is_like(args) and latest.holds(True):
                return self.replay(latest, args, args, kwargs)
            return self.answer(args, kwargs)

    def answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One step by the variant for these arguments, or traced."""
        found = self.signed(args, kwargs)
        if found.key in self.eager:
            return self.step(*args, **kwargs)
        variant = self.find(found, found.leaves)
        if variant is None:
            return self.trace(found, args, kwargs)  # which refuses what is given and written
        self.latest = variant
        return self.replay(variant, found.leaves, args, kwargs)

    def replay(self, variant: Variant, leaves: Any, args: Any, kwargs: Any) -> Any:
        """One step by this variant; by Python, if something is not as the step wants it to be."""
        try:
            return variant.run(leaves)
        except Unmet:
            pass
        return self.step(*args, **kwargs)  # which says what is wrong

    def in_order(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, without names where they can be; two ways to give the same are one.

        Raises:
            TypeError: the step does not take these.
        """
        if not kwargs:
            return args, kwargs
        rest = self.names[len(args) : len(args) + len(kwargs)]
        if len(rest) == len(kwargs) and all(name in kwargs for name in rest):  # a quick way
            return (*args, *(kwargs[name] for name in rest)), {}
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError:
            self.step(*args, **kwargs)  # which says it better
            raise
        return bound.args, bound.kwargs

    def loop(self, n: int, /, *args: Any, **kwargs: Any) -> Any:
        """n steps of the same arguments; returns their n results, stacked.

        Raises:
            TypeError: n is no whole number.
            ValueError: n is below 0.
        """
        n = whole("n", n, 0)
        args, kwargs = self.in_order(args, kwargs)
        leaves = self.signed(args, kwargs).leaves
        return self.many(
            n, leaves, lambda done: (args, kwargs), lambda v, done: v.loop(n - done, leaves)
        )

    def scan(self, *args: Any, epochs: int | None = None, shuffle: Any = None) -> Any:
        """One step for each index along the first axis of all arguments, as `jax.lax.scan` does.

        Args:
            args: arrays or Tensors of shapes (n, ...), of the same n; or trees of them.
            epochs: how often to go through them.
            shuffle: a Generator, or a seed: each epoch takes them in an order drawn anew.

        Returns:
            The results of all steps, stacked: of shapes (n, ...), or (epochs, n, ...).

        Raises:
            ValueError: the arguments have different lengths.
        """
        leaves = self.signed(args, {}).leaves
        n, order = order_of(leaves, epochs, shuffle)
        if not len(order):
            return reshaped(np.zeros(0), epochs, n)

        def batch(done: int) -> tuple[list[Any], dict[str, Any]]:
            return self.filled(args, (x[int(order[done])] for x in leaves)), {}

        run = lambda variant, done: variant.scan(order[done:], leaves)
        return reshaped(self.many(len(order), leaves, batch, run), epochs, n)

    def many(
        self,
        n: int,
        leaves: Sequence[Any],
        batch: Callable[[int], tuple[Sequence[Any], dict[str, Any]]],
        run: Callable[[Variant, int], tuple[int, Any]],
    ) -> Any:
        """The results of n steps, stacked: as many at once as a variant can do.

        Args:
            batch: the arguments of a step, given how many are done.
            run: has a variant do what is left: how many it did, and their results.
        """
        parts: list[Any] = []
        done, more = 0, True
        with self.lock:
            while more:
                args, kwargs = batch(done)
                if variant := self.ready(self.signed(args, kwargs), leaves):
                    count, results = run(variant, done)
                    done, parts = done + count, [*parts, results]
                if done < n:
                    args, kwargs = batch(done)
                    step = self.step if variant else self  # which says what is wrong
                    done, parts = done + 1, [*parts, stacked([step(*args, **kwargs)])]
                more = done < n
        return joined(parts)

    def find(self, found: Signature, leaves: Sequence[Any]) -> Variant | None:
        """The variant that does now what the step would do with arguments of this kind."""
        variants = [v for v in self.variants.get(found.key, ()) if v.is_apart(leaves)]
        for quickly in (True, False):
            for variant in variants:
                if variant.holds(quickly):
                    return variant
        return None

    def ready(self, found: Signature, leaves: Sequence[Any]) -> Variant | None:
        """The variant for these arguments, if it can take one step after the other from here."""
        variant = self.find(found, leaves)
        if variant is None or not variant.repeats:
            return None
        self.latest = variant
        return variant if variant.accepts(leaves) else None

    def retrace(self) -> None:
        """Forgets all programs: the next call traces again what it finds then."""
        with self.lock:
            self.latest = None
            self.variants.clear()
            self.eager.clear()
            self.kinds = self.again = 0

    @property
    def program(self) -> Any:
        """The program of the latest call: print it, or take `.to_dot()`."""
        if self.latest is None:
            raise RuntimeError("nothing is compiled yet: call the step first")
        return self.latest.listing()

    def __reduce__(self) -> Any:
        """Copies are compiled anew, for the step of the copy; a global name stays one."""
        name = getattr(self, "__qualname__", "")
        if vars(sys.modules.get(self.__module__, self)).get(name) is self:
            return name
        return Compiled, (self.step, tuple(self.static), self.backend)

    def __get__(self, instance: Any, cls: type) -> Any:
        """A method of a class, bound: its programs are kept for each instance."""
        if instance is None or not hasattr(self.step, "__get__"):
            return self
        name = f"_jit_{self.step.__qualname__}"
        method = self.step.__get__(instance, cls)
        own = getattr(instance, "__dict__", None)
        if own is None:
            raise TypeError(
                f"{self.name} keeps its programs in the objects that have it, and a "
                f"{type(instance).__name__} has __slots__: add '__dict__' to them"
            )
        bound = own.get(name)
        if bound is None or bound.step != method:  # another's, in a copy
            bound = Compiled(method, tuple(self.static), self.backend)
            if isinstance(instance, type):  # of a class method, and its dict is only read
                setattr(instance, name, bound)
            else:
                own[name] = bound
        return bound

    # --- tracing ---

    def signed(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Signature:
        """What is the same for all calls that one trace serves; of arguments in order."""
        given = dict(zip(self.names_of(args), args, strict=True))
        found = sign({**given, **kwargs}, self.static)
        found.is_flat = found.is_flat and not kwargs
        return found

    def names_of(self, args: Sequence[Any]) -> list[str]:
        """The names of positional arguments; of those that have none, their numbers."""
        plain = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
        names = [k for k, p in self.signature.parameters.items() if p.kind in plain][: len(args)]
        return [*names, *(f"argument {k}" for k in range(len(names), len(args)))]

    def filled(self, args: Sequence[Any], leaves: Iterator[Any]) -> list[Any]:
        """The same positional arguments with other leaves."""
        names = self.names_of(args)
        return [filled(x, leaves, k in self.static) for x, k in zip(args, names, strict=True)]

    def trace(self, found: Signature, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Runs the step as it stands, and keeps what it computes."""
        environment = Environment(self.step, found.static)
        environment.refuse_unseen()
        random = environment.random_states()
        before = {path: checksum(x) for path, x in environment.arrays.items()}

        def call(leaves: list[Any]) -> Any:
            new = iter(leaves)
            given = self.filled(args, new)
            named = {k: filled(v, new, k in self.static) for k, v in kwargs.items()}
            before = contents([given, named])
            result = self.step(*given, **named)
            if contents([given, named]) != before:
                raise TraceError(
                    f"{self.name} changes a list or dict that it is given, which a replay "
                    "would not do: return the new values instead"
                )
            return result

        try:
            seen = trace(call, found.leaves, found.paths, environment.arrays.values())
        except Differentiated:
            self.eager.add(found.key)
            say_once(
                f"{self.name} runs as it is where gradients flow through it: jit what "
                "differentiates it, as jit(grad(f)) or the whole training step"
            )
            return self.step(*args, **kwargs)
        if changed := [p for p, x in environment.arrays.items() if checksum(x) != before[p]]:
            raise TraceError(
                f"{self.name} writes into the array {', '.join(changed)}, which a replay "
                "would not do: hold it in a Tensor, t.data = ..., or return the new values"
            )
        self.check_random(random, environment.random_states())
        self.check_settled(environment, found)
        self.check_arrays(seen, environment)
        variant = Variant(seen, environment, found, self.backend)
        self.remember(found, variant)
        return variant.results.of_one(seen.arrays)

    def check_random(self, before: dict[str, str], after: dict[str, str]) -> None:
        """Refuses random numbers that a replay would repeat."""
        if drawn := [name for name, state in after.items() if before.get(name, state) != state]:
            raise TraceError(
                f"{self.name} draws random numbers from {', '.join(drawn)}, which each "
                "replay would repeat: give "
                "them as arguments, or draw them from a tinygrad_slp.random.Stream"
            )

    def check_settled(self, environment: Environment, found: Signature) -> None:
        """Refuses a step that changes what it sees each time: a replay would not.

        Once is fine, an optimizer makes its momentum in the first step; the next call traces anew.
        """
        if environment.holds():
            self.unsettled.clear()
        else:
            self.unsettled[found.key] += 1
        if self.unsettled[found.key] > 2:
            changed = changes(environment.seen, Environment(self.step, found.static).seen)
            raise TraceError(
                f"{self.name} changes what it reads, each time it runs: "
                f"{'; '.join(changed[:3])}. A replay would not do that. Return values from the "
                "step and keep them outside, or hold what changes in a Tensor"
            )

    def check_arrays(self, seen: Recording, environment: Environment) -> None:
        """Refuses arrays whose changes a replay would not see.

        Raises:
            TraceError: an array went through NumPy before it met a Tensor, or a Tensor comes
                from where a replay would not look, or is read in a thread that the step starts.
        """
        known = set(map(id, environment.tensors.values()))
        for place in seen.inputs:
            if place.kind == "value" and id(place.holder) not in known:
                raise TraceError(
                    f"{self.name} reads a Tensor of shape {place.holder.shape} that no name leads "
                    "to, so a replay would not see it replaced: hold it in a variable, a field "
                    "that the step names, a list, a dict or a Module, or give it as an argument"
                )
        for path, x in environment.tensors.items():
            if x in seen.elsewhere:
                raise TraceError(
                    f"{self.name} starts a thread that reads {path}, which a replay would not do: "
                    "read it in the step itself, or compute outside of the step what the thread "
                    "computes, and give it as an argument"
                )
        used = {id(p.holder) for p in seen.inputs if p.kind == "array"}
        for path, x in environment.arrays.items():
            if id(x) not in used and x.nbytes > 4096:
                raise TraceError(
                    f"{self.name} closes over the array {path} of shape {x.shape}, but "
                    "does not give it to a Tensor as it is; a replay would not see it change. "
                    f"Give it as an argument, or make Tensor({path}) once, outside of the step"
                )

    def warn(self, times: int, why: str) -> None:
        errors.warn(f"{self.name} was traced {times} times, as {why}")

    def remember(self, found: Signature, variant: Variant) -> None:
        """Keeps a variant, and warns of what is of another kind again and again."""
        self.traces += 1
        old = next(reversed(self.variants), None)
        alike = self.variants.pop(found.key, [])
        if not alike:
            self.kinds += 1
            if self.kinds % MANY == 0:
                self.warn(
                    self.kinds,
                    f"its arguments change: {difference(old, found.key)}. Pad batches to one "
                    "shape, or make numbers arrays",
                )
        elif changed := changes(alike[0].environment.seen, variant.environment.seen):
            self.again += 1
            if self.again % MANY == 0:
                self.warn(
                    self.again,
                    f"what it reads changes: {'; '.join(changed[:3])}. Give it as an argument, or "
                    "hold it in a Tensor",
                )
        for other in alike:
            other.let_go()
        self.variants[found.key] = [variant, *alike[: MOST_VARIANTS - 1]]
        self.latest = variant
        if len(self.variants) > MOST_KINDS:
            self.variants.pop(next(iter(self.variants)))


def name_of(step: Any) -> str:
    """What users call a step; a partial has no name of its own."""
    function = step.func if isinstance(step, partial) else step
    return getattr(function, "__name__", type(function).__name__)


def checksum(x: np.ndarray) -> int:
    return crc32(np.ascontiguousarray(x).data)


def order_of(leaves: list[Any], epochs: int | None, shuffle: Any) -> tuple[int, np.ndarray]:
    """How many parts the arguments of a scan have, and the order in which they are taken.

    Raises:
        ValueError: the arguments have different lengths, or none.
    """
    lengths = {x.shape[0] if np.ndim(x) else -1 for x in leaves}
    if len(lengths) != 1 or -1 in lengths:
        raise ValueError(
            "scan takes arrays of the same length along the first axis, got "
            f"{', '.join(str(np.shape(x)) for x in leaves) or 'none'}"
        )
    n, rounds = lengths.pop(), 1 if epochs is None else epochs
    if shuffle is None:
        return n, np.tile(np.arange(n), rounds)
    rng = np.random.default_rng(shuffle)
    order = [rng.permutation(n) for _ in range(rounds)]
    return n, np.concatenate([*order, np.zeros(0, dtype=np.int64)]).astype(np.int64)
