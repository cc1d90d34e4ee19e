"""Saving a model and what belongs to it in one file, and getting it back."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..nn import Module
from ..nn.module import held, named_parts
from .description import Builder, Describer
from .files import read, write

FORMAT = 1
EXTRAS = {"encoders", "metadata"}


def save(
    model: Module,
    path: str | Path,
    *,
    encoders: Any = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model to a safetensors file, whole or not at all.

    It has parameters and buffers by the names of `state_dict()`, and classes and fields of the
    modules, so that `load` can make the model again. Gradients, and whether the model
    is training, are not saved.

    Args:
        encoders: what turns a table into numbers and back: an `Encoder` of `tinygrad_slp.data`, or
            a dict or list of them. By default `model.encoders`, which a loaded model has.
        metadata: numbers, texts, lists and dicts that you want to find again as `model.metadata`.
            By default what is there.

    Raises:
        ModuleNotFoundError: safetensors is not installed; the message says how to install it.
        OSError: it cannot be written there; a file that was there still is.
        TypeError: the model is not a Module.
        ValueError: an array of a dtype that the format lacks; encoders or metadata that a file
            cannot hold, or that could not be told from parts of the model; or a model that holds
            itself.
    """
    if not isinstance(model, Module):
        raise TypeError(f"save takes a Module, got {type(model).__name__}: {model!r}")
    extras = carried(model, encoders=encoders, metadata=metadata)
    where = type(model).__name__
    data = {
        "format": FORMAT,
        "model": Describer(held(model).items()).fields(model, where, but=extras),
    }
    data |= {field: Describer(whole=True).data(value, field) for field, value in extras.items()}
    write(path, model.state_dict(), data)


def load(path: str | Path, *, into: Any = None, classes: Iterable[type] = ()) -> Any:
    """The model in a file that `save` wrote, in eval mode and ready to predict.

    It has `encoders` and `metadata`, if they were saved with it.

    Args:
        into: a model to set the parameters and buffers of, and to return, instead of making one:
            for a model that holds what a file cannot, such as a function of your own, and for
            safetensors files of other programs.
        classes: your own classes that the file may name; ours are known.

    Raises:
        ModuleNotFoundError: safetensors is not installed; the message says how to install it.
        OSError: there is no such file, or it cannot be read.
        TypeError: `into` is not a Module.
        ValueError: the file is damaged, none of ours, or does not fit; `into` is unchanged.
    """
    if into is not None and not isinstance(into, Module):
        raise TypeError(f"load(path, into=model) takes a Module, got {type(into).__name__}")
    state, data = read(path)
    try:
        data = understood(data)
        extras = {field: Builder({}, classes).value(data[field]) for field in EXTRAS & data.keys()}
        if into is None:
            model = made(data, state, classes)
        else:
            model = into
            fill(model, state)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as problem:
        raise ValueError(
            f"{path}: its description makes no model ({type(problem).__name__}: {problem}); "
            "save it again, or make the model and write load(path, into=model)"
        ) from None
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None
    vars(model).update(extras)
    return model.eval()


def carried(model: Module, **given: Any) -> dict[str, Any]:
    """What goes with the model: what is given, or else was loaded with it.

    Raises:
        ValueError: the model has a field of that name for something else; or it would be taken for
            a part of the model.
    """
    extras = {}
    for field, value in given.items():
        own = vars(model).get(field)
        if value is not None and holds_arrays(own):
            raise ValueError(
                f"{type(model).__name__} has a field {field} with modules or arrays, so {field}= "
                "of save would hide it; give that field another name"
            )
        if holds_arrays(value):
            raise ValueError(
                f"{field} holds arrays or modules, which would be parts of the model once it is "
                "loaded; write them as lists, x.tolist()"
            )
        if value is not None or (own is not None and not holds_arrays(own)):
            extras[field] = own if value is None else value
    return extras


def holds_arrays(x: Any) -> bool:
    """Whether a model with this in a field would count it, or what is in it, as its own."""
    return any(True for _ in named_parts([x]))


def understood(data: Any) -> dict[str, Any]:
    """The description in the file; an empty one, if the file is none of ours.

    Raises:
        ValueError: it is of another format.
    """
    if data is None:
        return {}
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(
            f"it is not in format {FORMAT}, which this version reads; a newer tinygrad_slp may"
        )
    return data


def made(data: dict[str, Any], state: dict[str, np.ndarray], classes: Iterable[type]) -> Module:
    """The model that a description describes, of these arrays.

    Raises:
        ValueError: there is no description; it needs what is not here; or arrays are left over.
    """
    if "model" not in data:
        raise ValueError(
            "it was not written by tinygrad_slp.save, so it does not say which model its arrays "
            "belong to; make the model, and write load(path, into=model)"
        )
    builder = Builder(state, classes)
    model = builder.value(data["model"])
    if not isinstance(model, Module):
        raise ValueError(f"it describes a {type(model).__name__}, expected a Module")
    own = held(model).keys()
    if wrong := (own - state.keys()) | (state.keys() - own - builder.used):
        raise ValueError(
            f"its arrays are not those of the model it describes: {', '.join(sorted(wrong))}"
        )
    return model


def fill(model: Module, state: dict[str, np.ndarray]) -> None:
    """Sets all parameters and buffers of a model, or none.

    Raises:
        ValueError: every problem found, one a line.
    """
    other = [
        f"{path}: {state[path].dtype}, expected {x.dtype}"
        for path, x in held(model).items()
        if path in state and state[path].dtype != x.dtype
    ]
    if other:
        raise ValueError(
            "nothing was loaded, the dtypes differ: make the model with the dtype of the file, or "
            "convert with model.load_state_dict(safetensors.numpy.load_file(path))\n  "
            + "\n  ".join(other)
        )
    model.load_state_dict(state)
