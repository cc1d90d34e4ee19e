"""A model as plain data, and back: a module is its class and its fields.

So no class has to say how it is saved, layers that were appended or replaced come back as they
were, and what is shared stays shared. In the JSON, null, true, 3, 0.5, "text" and lists mean
themselves; everything else is an object:

    {"class": "nn.Linear", "fields": {...}}     a module
    {"encoder": {...}}                          an encoder, as its own `state()`
    {"array": "Tensor", "state": "0.weight"}    the array of that name in the file
    {"array": "Tensor", "values": [...]}        an array that is no part of the model's state
    {"same": 3}                                 the object or array that ended fourth, once more
    {"tuple": [...]}  {"dict": [[key, value]]}  {"float": "nan"}
    {"function": "np.tanh"}                     a function that has a rule
    {"unknown": "Net.rng, a Generator"}         what a file cannot hold
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import nn
from ..data import Encoder
from ..graph import leaf
from ..random import Stream
from ..rule import RULES, name
from ..tensor import Tensor
from .files import DTYPES

KINDS = {"array", "class", "dict", "encoder", "float", "function", "same", "tuple", "unknown"}
KNOWN: dict[str, Any] = {"random.Stream": Stream} | {
    f"nn.{cls.__name__}": cls
    for cls in vars(nn).values()
    if isinstance(cls, type) and issubclass(cls, nn.Module)
}
ARRAYS: dict[str, type] = {"Tensor": Tensor, "Buffer": nn.Buffer, "ndarray": np.ndarray}
CHARACTERS = 10**7  # in one array of strings, where a long string makes all others as long


class Describer:
    """Turns a model, or what goes with it, into plain data.

    Args:
        named: what the file has under these names.
        whole: refuse what a file cannot hold, instead of naming it.
    """

    def __init__(self, named: Iterable[tuple[str, Any]] = (), whole: bool = False) -> None:
        self.whole = whole
        self.names: dict[int, str] = {}
        for path, x in named:
            self.names.setdefault(id(x), path)
        self.functions = {id(function): name for name, function in functions().items()}
        self.classes = {cls: name for name, cls in KNOWN.items()}
        self.done: dict[int, int] = {}
        self.open: set[int] = set()

    def data(self, x: Any, where: str) -> Any:
        """Plain data for x, which is found `where`."""
        cls = type(x)
        if x is None or cls in (bool, int, str) or (cls is float and math.isfinite(x)):
            return x
        if cls is float:
            return {"float": str(x)}
        if cls is list:
            return [self.data(part, f"{where}[{i}]") for i, part in enumerate(x)]
        if cls is tuple:
            return {"tuple": self.data(list(x), where)}
        if cls is dict:
            pairs = [[self.data(k, where), self.data(v, f"{where}[{k!r}]")] for k, v in x.items()]
            return {"dict": pairs}
        if id(x) in self.functions:
            return {"function": self.functions[id(x)]}
        return self.once(x, where)

    def once(self, x: Any, where: str) -> Any:
        """Plain data for an object or array, which may be shared.

        Raises:
            ValueError: it holds itself; or a file cannot hold it, and the whole is wanted.
        """
        if id(x) in self.done:
            return {"same": self.done[id(x)]}
        if id(x) in self.open:
            raise ValueError(
                f"{where} is a {type(x).__name__} that holds itself; such a model cannot be saved"
            )
        self.open.add(id(x))
        if isinstance(x, np.ndarray | np.generic) or type(x) in ARRAYS.values():
            data = self.array(x, where)
        elif isinstance(x, nn.Module | Stream):
            data = self.fields(x, where)
        elif isinstance(x, Encoder):
            data = {"encoder": x.state()}
        else:
            data = self.unknown(x, where)
        self.open.discard(id(x))
        if "unknown" not in data:
            self.done[id(x)] = len(self.done)
        return data

    def fields(self, x: Any, where: str, but: Iterable[str] = ()) -> dict[str, Any]:
        """A module as its class and its fields, but for some."""
        fields = {k: v for k, v in vars(x).items() if k not in ("training", *but)}
        described = {k: self.data(v, f"{where}.{k}") for k, v in fields.items()}
        return {"class": self.class_name(x), "fields": described}

    def class_name(self, x: Any) -> str:
        """The name of a class in the file: of one of ours with its module, so of no other."""
        return self.classes.get(type(x), type(x).__name__)

    def array(self, x: Any, where: str) -> dict[str, Any]:
        """An array as its name in the file, if it has one there, else as its values."""
        plain = "ndarray" if isinstance(x, np.ndarray) else "scalar"
        data: dict[str, Any] = {"array": type(x).__name__ if isinstance(x, Tensor) else plain}
        if isinstance(x, Tensor):
            data["requires_grad"] = x.requires_grad and x.function is None
            data["trainable"] = bool(getattr(x, "trainable", False))
        if id(x) in self.names:
            return {**data, "state": self.names[id(x)]}
        array = np.asarray(x.array if isinstance(x, Tensor) else x)
        dtype = "str" if array.dtype.kind == "U" else array.dtype.name
        if dtype not in (*DTYPES, "str"):
            return self.unknown(x, where)
        values = [self.data(v, where) for v in array.ravel().tolist()]
        return {**data, "dtype": dtype, "shape": list(array.shape), "values": values}

    def unknown(self, x: Any, where: str) -> dict[str, Any]:
        """The name of what a file cannot hold."""
        if self.whole:
            raise ValueError(
                f"{where} is a {type(x).__name__}, which a file cannot hold: encoders are those of "
                "tinygrad_slp.data, metadata are numbers, texts, lists and dicts, as str(x)"
            )
        return {"unknown": f"{where}, a {type(x).__name__}"}


class Builder:
    """Makes of plain data what it describes.

    Args:
        state: the arrays of the file.
        classes: what the data may name, beside the classes in `KNOWN`.
    """

    def __init__(self, state: Mapping[str, np.ndarray], classes: Iterable[type]) -> None:
        self.state = state
        self.classes: dict[str, Any] = KNOWN | {cls.__name__: cls for cls in classes}
        self.done: list[Any] = []
        self.used: set[str] = set()

    def value(self, data: Any) -> Any:
        """What the data describes.

        Raises:
            ValueError: a class, function, or array that is not there; a kind that is not known.
        """
        if isinstance(data, list):
            return [self.value(part) for part in data]
        if not isinstance(data, dict):
            return data
        kind = next(iter(data), "")
        if kind not in KINDS:
            raise ValueError(f"it has a {kind!r}, which this version does not know")
        return getattr(self, f"{kind}_of")(data)

    def float_of(self, data: Any) -> float:
        return float(data["float"])

    def tuple_of(self, data: Any) -> tuple[Any, ...]:
        return tuple(self.value(data["tuple"]))

    def dict_of(self, data: Any) -> dict[Any, Any]:
        return {self.value(key): self.value(x) for key, x in data["dict"]}

    def same_of(self, data: Any) -> Any:
        return self.done[data["same"]]

    def function_of(self, data: Any) -> Any:
        if data["function"] not in functions():
            raise ValueError(
                f"it uses the function {data['function']}, which has no rule here; import the file "
                "that declares its rule first"
            )
        return functions()[data["function"]]

    def unknown_of(self, data: Any) -> Any:
        raise ValueError(
            f"it uses {data['unknown']}, which a file cannot hold; make the model, and write "
            "load(path, into=model)"
        )

    def encoder_of(self, data: Any) -> Any:
        x = Encoder.from_state(data["encoder"])
        self.done.append(x)
        return x

    def array_of(self, data: Any) -> Any:
        array = self.named(data["state"]) if "state" in data else values_of(data)
        x: Any = array
        if data["array"] == "scalar":
            x = array[()]
        elif data["array"] != "ndarray":
            x = leaf(ARRAYS[data["array"]], array)
            x.trainable = data.get("trainable", True) if "state" in data else None
            x.requires_grad = bool(data["requires_grad"])
        self.done.append(x)
        return x

    def named(self, name: str) -> np.ndarray:
        if name not in self.state:
            raise ValueError(f"it describes an array {name} that it does not have")
        self.used.add(name)
        return self.state[name].copy()

    def class_of(self, data: Any) -> Any:
        cls = self.classes.get(data["class"])
        if cls is None:
            short = str(data["class"])
            raise ValueError(
                f"it is made of the class {short}, which is not one of tinygrad_slp.nn; write "
                f"load(path, classes=[{short}]), or load(path, into=model)"
            )
        x = cls.__new__(cls)
        for field, value in data["fields"].items():
            vars(x)[field] = self.value(value)
        self.done.append(x)
        return x


def values_of(data: Any) -> np.ndarray:
    """The array that is written out in the data.

    Raises:
        ValueError: a dtype that is not among those saved; far too long strings.
    """
    values = [float(v["float"]) if isinstance(v, dict) else v for v in data["values"]]
    if data["dtype"] == "str":
        if max((len(str(v)) for v in values), default=0) * len(values) > CHARACTERS:
            raise ValueError("it has an array of strings that is too large")
    elif data["dtype"] not in DTYPES:
        raise ValueError(f"it has an array of {data['dtype']}")
    return np.array(values, dtype=data["dtype"]).reshape(data["shape"])


def functions() -> dict[str, Any]:
    """The functions that have a rule, by name; of two with the same name, the first."""
    return {name(function): function for function in reversed(RULES)}
