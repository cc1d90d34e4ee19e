"""Containers: modules made of modules."""

import copy
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import signature
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ..checks import probability
from ..random import Seed
from .activations import ReLU
from .layers import Dropout, Linear
from .module import Module
from .normalization import BatchNorm1d, LayerNorm


def no_class(where: str, x: Any) -> Any:
    """What is given as a layer.

    Raises:
        TypeError: it is the class of one.
    """
    if isinstance(x, type):
        raise TypeError(f"{where} is the class {x.__name__}; a layer is made by {x.__name__}(...)")
    return x


def layer(where: str, x: Any) -> Any:
    """A module or a function, given as a layer.

    Raises:
        TypeError: it is a class, or cannot be called.
    """
    if not callable(no_class(where, x)):
        raise TypeError(
            f"{where} should be a module or a function, got {x!r:.60}. For a list write "
            "Sequential(*layers), for a dict Sequential(*layers.values())"
        )
    return x


class ModuleList(Module):
    """A list of modules, for a `forward` that says how they are used; a plain list does as well.

    Raises:
        TypeError: one of them is a class.
    """

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        self.layers: list[Any] = []
        self.extend(modules)

    def _checked(self, index: int, module: Any) -> Any:
        return no_class(f"{type(self).__name__}[{index}]", module)

    def _parts(self) -> dict[str, Any]:
        return {str(i): x for i, x in enumerate(self.layers)}

    def __getitem__(self, index: int | slice) -> Any:
        part = self.layers[index]
        if not isinstance(part, list):
            return part
        some = copy.copy(self)
        some.layers = part
        return some

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __setitem__(self, index: int, module: Any) -> None:
        self.layers[index] = self._checked(index, module)

    def __delitem__(self, index: int | slice) -> None:
        del self.layers[index]

    def insert(self, index: int, module: Any) -> None:
        self.layers.insert(index, self._checked(index, module))

    def append(self, module: Any) -> Self:
        self.layers.append(self._checked(len(self), module))
        return self

    def extend(self, modules: Iterable[Any]) -> Self:
        for module in modules:
            self.append(module)
        return self


class ModuleDict(Module):
    """A dict of modules, for a `forward` that chooses among them; a plain dict does as well.

    Raises:
        TypeError: one of them is a class.
    """

    def __init__(self, modules: Mapping[str, Any] = {}) -> None:
        self.layers: dict[str, Any] = {}
        self.update(modules)

    def _parts(self) -> dict[str, Any]:
        return self.layers

    def __getitem__(self, name: str) -> Any:
        return self.layers[name]

    def __setitem__(self, name: str, module: Any) -> None:
        self.layers[name] = no_class(f"{type(self).__name__}[{name!r}]", module)

    def update(self, modules: Mapping[str, Any]) -> None:
        for key, module in modules.items():
            self[key] = module

    def __delitem__(self, name: str) -> None:
        del self.layers[name]

    def __contains__(self, name: str) -> bool:
        return name in self.layers

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def keys(self) -> Iterable[str]:
        return self.layers.keys()

    def values(self) -> Iterable[Any]:
        return self.layers.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        return self.layers.items()


class Sequential(ModuleList):
    """Layers one after the other: each is given what the one before it returns.

    `model[0]` is the first, `model[1:]` a Sequential of the rest; layers are modules or functions.

    Raises:
        TypeError: a layer is a class, or cannot be called.
    """

    def __init__(self, *layers: Any) -> None:
        super().__init__(layers)

    def _listed(self) -> list[tuple[str, Any]]:
        return list(self._parts().items())

    def _checked(self, index: int, module: Any) -> Any:
        return layer(f"{type(self).__name__}[{index}]", module)

    def forward(self, input: Any) -> Any:
        for each in self.layers:
            input = each(input)
        return input


class Residual(Module):
    """x + f(x), of a module f that keeps the shape (He et al., Deep residual learning, 2015).

    Raises:
        TypeError: it is a class, or cannot be called.
        ValueError: f(x) has another shape than x.
    """

    def __init__(self, module: Any) -> None:
        self.module = layer("Residual.module", module)

    def forward(self, input: Any) -> Any:
        y = self.module(input)
        if np.shape(y) != np.shape(input):
            raise ValueError(
                "Residual adds f(x) to x, of the same shape; got "
                f"{np.shape(y)} and {np.shape(input)} from {self.module!r}"
            )
        return input + y


def is_maker(activation: Callable[..., Any]) -> bool:
    """Whether it is called without arguments, to make a layer: a function of x is one itself."""
    try:
        signature(activation).bind()
    except (TypeError, ValueError):  # functions in C may have no signature
        return False
    return True


NORMS: dict[Any, Callable[..., Any]] = {"batch": BatchNorm1d, "layer": LayerNorm}


class MLP(Sequential):
    """A multi-layer perceptron: Linear layers of these sizes, with activations between them.

    x of shape (..., sizes[0]) to y of shape (..., sizes[-1]). Each hidden layer is Linear, norm,
    activation, dropout; norm and dropout may be absent.

    Args:
        sizes: features of the input, of each hidden layer, of the output.
        activation: makes an activation, such as nn.ReLU; or is one, as a function of x.
        dropout: the probability.
        norm: "batch", "layer" or None.
        init: of the weights, see `Linear`.
        dtype: of the parameters.
        rng: a Generator, or a seed, for all layers.

    Raises:
        TypeError: sizes that are no whole numbers, or an activation that cannot be called.
        ValueError: fewer than two sizes, one below 1, no such norm, or dropout is no probability.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[..., Any] = ReLU,
        dropout: float = 0.0,
        norm: str | None = None,
        *,
        init: Callable[..., Any] | None = None,
        dtype: Any = np.float64,
        rng: Seed = None,
    ) -> None:
        try:
            sizes = list(map(operator.index, sizes))
        except TypeError:
            raise TypeError(
                f"sizes should be a list of whole numbers, as in MLP([4, 8, 2]); got {sizes!r}"
            ) from None
        if len(sizes) < 2:
            raise ValueError(f"MLP needs the sizes of input and output at least, got {sizes}")
        if isinstance(activation, Module) or not callable(activation):
            raise TypeError(
                "activation should be a class such as nn.ReLU, or a function such as np.tanh; got "
                f"{activation!r}"
            )
        if norm is not None and norm not in NORMS:
            raise ValueError(f'norm should be "batch", "layer" or None, got {norm!r}')
        probability("dropout", dropout)
        rng = np.random.default_rng(rng)
        layers: list[Any] = []
        for inputs, outputs in pairwise(sizes[:-1]):
            layers.append(Linear(inputs, outputs, init=init, dtype=dtype, rng=rng))
            if norm:
                layers.append(NORMS[norm](outputs, dtype=dtype))
            layers.append(activation() if is_maker(activation) else activation)
            if dropout:
                layers.append(Dropout(dropout, rng=rng))
        layers.append(Linear(sizes[-2], sizes[-1], init=init, dtype=dtype, rng=rng))
        super().__init__(*layers)
