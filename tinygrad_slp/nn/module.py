"""Module: an object whose fields hold parameters, buffers and other modules.

A floating-point `Tensor(...)` is a parameter (frozen, if it does not require grad), a `Buffer` is
state that goes with them. Computed Tensors and plain arrays may be kept in fields too, but are no
part of the state. Fields, lists, tuples and dicts are walked; nothing is registered.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from operator import attrgetter
from typing import Any, Self

import numpy as np

from ..checks import flag
from ..graph import leaf
from ..rule import name
from ..tensor import Tensor
from ..tree import branches, like
from ..walk import forget


class Buffer(Tensor):
    """A Tensor that is state of a Module but no parameter: no optimizer and no `grad` takes it."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return Buffer, *super().__reduce__()[1:]


class Forward(property):
    """`__call__` as a property that gives `forward`: faster by half than a function calling it."""

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__get__(x)(*args, **kwargs)  # for Module.__call__(module, x)


class Module:
    """Base of all layers and models: give it fields, and a `forward` that computes with them."""

    training = True

    __call__ = Forward(attrgetter("forward"))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} has no forward: write def forward(self, x): ..."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        old = vars(self).get(name)
        lost = any(is_one(old) and not is_one(value) for is_one in (is_buffer, is_trainable))
        if lost and isinstance(value, Tensor | np.ndarray):
            value = successor(f"{type(self).__name__}.{name}", old, value)
        object.__setattr__(self, name, value)

    def __getstate__(self) -> Any:
        """For copies and pickles: what was computed goes along as values, without its graph."""
        state = super().__getstate__()
        found = (x for _, x in named_parts([state], into=False) if isinstance(x, Tensor))
        computed = {id(x): x.detach() for x in found if x.function and not is_state(x)}
        return replaced(state, computed, into=False) if computed else state

    # --- what it holds ---

    def _parts(self) -> dict[str, Any]:
        """What is walked for parameters, by name: all fields, unless a container says otherwise."""
        return vars(self)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters with their dotted names; a shared one once, under its first name."""
        return once((path, x) for path, x in named_parts(self) if is_parameter(x))

    def parameters(self) -> Iterator[Tensor]:
        return (x for _, x in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """The buffers with their dotted names; a shared one once, under its first name."""
        return once((path, x) for path, x in named_parts(self) if is_buffer(x))

    def buffers(self) -> Iterator[Any]:
        return (x for _, x in self.named_buffers())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly within this one, with their names; a shared one once."""
        return once((path, x) for path, x in named_parts(self, into=False) if isinstance(x, Module))

    def children(self) -> Iterator["Module"]:
        return (x for _, x in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """This module, named "", and all within it, with their dotted names; a shared one once."""
        within = ((path, x) for path, x in named_parts(self) if isinstance(x, Module))
        return once(chain([("", self)], within))

    def modules(self) -> Iterator["Module"]:
        return (x for _, x in self.named_modules())

    def apply(self, function: Callable[["Module"], Any]) -> Self:
        """Calls a function with all modules within, and then with this one."""
        for x in self.children():
            x.apply(function)
        function(self)
        return self

    def with_parameters(self, parameters: list[Any]) -> Self:
        """A copy with other parameters, in the order of `parameters()`; shared ones stay shared."""
        old = [id(x) for x in self.parameters()]
        copied: Self = replaced(self, dict(zip(old, parameters, strict=True)))
        for x in parameters:
            if isinstance(x, Tensor) and not is_state(x):  # a computed one, as within `grad`
                x.trainable = x.tracked
        return copied

    # --- its state ---

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers as plain arrays, by dotted name."""
        return {path: np.array(x.array) for path, x in held(self).items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Sets parameters and buffers to the arrays of a `state_dict`: all of them, or none.

        Args:
            state: by dotted name, arrays of the same shapes; they are converted to the dtypes here.
            strict: refuse missing and unexpected names.

        Raises:
            ValueError: every problem found, one a line; nothing has been changed.
        """
        here = held(self)
        new = {path: np.asarray(state[path]) for path in here if path in state}
        problems = [
            f"{path}: shape {array.shape}, expected {here[path].shape}"
            for path, array in new.items()
            if array.shape != here[path].shape
        ]
        problems += [
            f"{path}: {array.dtype}, expected numbers"
            for path, array in new.items()
            if array.dtype.kind not in "biuf"
        ]
        if strict:
            problems += [f"{path}: missing" for path in here if path not in state]
            problems += [f"{path}: unexpected" for path in state if path not in here]
        if problems:
            raise ValueError(
                f"the state does not fit this {type(self).__name__}; nothing was loaded:\n  "
                + "\n  ".join(problems)
            )
        for path, array in new.items():
            here[path].data = array

    def train(self, mode: bool = True) -> Self:
        """Sets `training` here, and calls `train` of the modules within.

        Raises:
            TypeError: the mode is neither True nor False, as in train(X, y).
        """
        self.training = flag("mode", mode)
        for x in self.children():
            x.train(mode)
        return self

    def eval(self) -> Self:
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters; set_to_none=False: sets them to 0."""
        forget(self.parameters(), set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes all parameters, or thaws those that were frozen: constants stay constant."""
        for x in self.parameters():
            if is_trainable(x):
                x.requires_grad = requires_grad
        return self

    # --- how it looks ---

    def extra_repr(self) -> str:
        """What the repr has in brackets, before the modules within."""
        return ""

    def _listed(self) -> list[tuple[str, Any]]:
        """What a repr and a summary list: the modules directly within; of some, functions too."""
        parts = named_parts(self, into=False)
        return [(path, x) for path, x in parts if isinstance(x, Module)]

    def __repr__(self) -> str:
        head = type(self).__name__
        named = (
            (path, repr(x) if isinstance(x, Module) else name(x)) for path, x in self._listed()
        )
        lines = [f"  ({path}): " + text.replace("\n", "\n  ") for path, text in named]
        if not lines:
            return f"{head}({self.extra_repr()})"
        return "\n".join([f"{head}({self.extra_repr()}", *lines, ")"])


def is_state(x: Any) -> bool:
    return is_parameter(x) or is_buffer(x)


def is_parameter(x: Any) -> bool:
    return was_made(x) and x.dtype.kind == "f" and not isinstance(x, Buffer)


def is_trainable(x: Any) -> bool:
    return is_parameter(x) and x.trainable


def is_buffer(x: Any) -> bool:
    return was_made(x) and isinstance(x, Buffer)


def was_made(x: Any) -> bool:
    """Whether x is a Tensor that somebody made, and no result of a computation."""
    return isinstance(x, Tensor) and getattr(x, "trainable", None) is not None


def successor(field: str, old: Any, new: Any) -> Buffer:
    """The buffer that follows another one in a field that is given a constant or an array.

    Raises:
        TypeError: the field holds a parameter; or the new value carries a gradient.
    """
    kind = f"{type(new).__name__} of shape {new.shape}"
    if is_parameter(old):
        raise TypeError(
            f"{field} is a parameter, which a {kind} is not: to give it new values write "
            f"{field}.data = array; for another one Tensor(array, requires_grad=True); to freeze "
            f"it {field}.requires_grad = False"
        )
    if isinstance(new, Tensor) and new.tracked:
        raise TypeError(
            f"{field} is a buffer, which holds values without gradient; got a computed {kind}: "
            "write x.detach() of it"
        )
    buffer = leaf(Buffer, new.array if isinstance(new, Tensor) else new.copy())
    buffer.trainable = False
    return buffer


def held(module: Module) -> dict[str, Tensor]:
    """All parameters and buffers by dotted name.

    Raises:
        ValueError: two have the same name, as those in {"a.0": layer, "a": [layer]}.
    """
    found: dict[str, Tensor] = {}
    for path, x in named_parts(module):
        if is_state(x):
            if path in found:
                raise ValueError(f"two parameters are called {path}: use names without dots")
            found[path] = x
    return found


def once(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Named things, each under its first name only."""
    seen = set()
    for path, x in named:
        if id(x) not in seen:
            seen.add(id(x))
            yield path, x


UNWALKED = {set, frozenset, deque, np.ndarray}
"""Collections in which no module is looked for."""


def named_parts(
    x: Any,
    path: str = "",
    into: bool = True,
    above: tuple[int, ...] = (),
    leaves: tuple[type, ...] = (Tensor, np.ndarray),
) -> Iterator[tuple[str, Any]]:
    """What a module, list, tuple or dict holds, with dotted names, in order and depth first.

    Args:
        into: also walk the modules found.
        above: the ids of what the walk is in.
        leaves: what is looked for beside modules.

    Raises:
        TypeError: modules or Tensors are in what has no order or names to walk by, as a set.
        ValueError: something holds itself, as a layer with a field that is its model.
    """
    if id(x) in above:
        raise ValueError(
            f"{path} is a {type(x).__name__} that holds itself; keep a reference back to it out of "
            "the fields, for instance as a function: self.model = lambda: model"
        )
    above = (*above, id(x))
    if isinstance(x, Module):
        items = list(x._parts().items())
    elif isinstance(x, Mapping):
        items = list(x.items())
    else:
        items = [(str(i), part) for i, part in enumerate(x)]
    for key, part in items:
        here = f"{path}.{key}" if path else str(key)
        if type(part) in UNWALKED:
            refuse_within(here, part)
        if isinstance(part, leaves):
            yield here, part
        elif isinstance(part, Module):
            yield here, part
            if into:
                yield from named_parts(part, here, into, above, leaves)
        elif isinstance(part, Mapping | list | tuple):
            yield from named_parts(part, here, into, above, leaves)


def refuse_within(path: str, x: Any) -> None:
    """Refuses modules and Tensors in a collection that is not walked.

    Raises:
        TypeError: there are some.
    """
    if not isinstance(x, np.ndarray) or x.dtype == object:
        for part in x.flat if isinstance(x, np.ndarray) else x:
            if isinstance(part, Module) or is_state(part):
                raise TypeError(
                    f"{path} is a {type(x).__name__} that holds a {type(part).__name__}, which "
                    "would be no part of the model: keep modules and Tensors in fields, lists, "
                    "tuples or dicts"
                )


def replaced(x: Any, new: Mapping[int, Any], into: bool = True) -> Any:
    """A copy of a tree of modules with some of its Tensors, by id, replaced.

    Args:
        into: also in modules, which are copied.
    """
    if isinstance(x, Tensor):
        return new.get(id(x), x)
    if isinstance(x, Module):
        if not into:
            return x
        module = copy.copy(x)
        vars(module).update({name: replaced(part, new) for name, part in vars(x).items()})
        return module
    found = branches(x)
    return x if found is None else like(x, [replaced(part, new, into) for part in found.values()])
