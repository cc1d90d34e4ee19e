"""Files that are whole or not there: arrays and plain data beside them, as safetensors."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

State = Mapping[str, np.ndarray]

KEY = "tinygrad_slp"  # of all our metadata: the package writes several in any order
DTYPES = {
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
    "float32", "float64",
}  # fmt: skip


def write(path: str | Path, state: State, data: Any) -> None:
    """Writes arrays by name, and data that JSON can hold.

    Raises:
        ModuleNotFoundError: safetensors is not installed; the message says how to install it.
        OSError: it cannot be written there; a file that was there still is.
        ValueError: an array of a dtype that the format lacks.
    """
    numpy_side, _ = safetensors()
    for name, array in state.items():
        if array.dtype.name not in DTYPES:
            raise ValueError(
                f"{path}: {name} is {array.dtype}, which safetensors files cannot hold; "
                "convert it, for instance to float64"
            )
    # In C order: the package writes an array in Fortran order as if it were in C order.
    native = {
        name: array.astype(array.dtype.newbyteorder("="), "C") for name, array in state.items()
    }
    text = json.dumps({"sha256": digest(native, data), "description": data}, ensure_ascii=False)
    write_whole(path, numpy_side.save(native, metadata={KEY: text}))


def read(path: str | Path) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays of a file by name, and the data that `write` put beside them, or None.

    Raises:
        ModuleNotFoundError: safetensors is not installed; the message says how to install it.
        OSError: there is no such file, or it cannot be read.
        ValueError: it is no safetensors file, not a whole one, or was changed since.
    """
    numpy_side, error = safetensors()
    kind = Path(path)
    if kind.exists() and not kind.is_file() and not kind.is_dir():  # a pipe would wait for a writer
        raise OSError(errno.EINVAL, "not a file, expected the name of one", str(path))
    data = Path(path).read_bytes()
    try:
        state = numpy_side.load(data)
    except error as problem:
        raise ValueError(
            f"{path}: not a whole safetensors file ({problem}); save the model again, or fetch the "
            "file again"
        ) from None
    except (AttributeError, ImportError, LookupError, TypeError) as problem:
        raise ValueError(
            f"{path}: holds arrays of a dtype that NumPy lacks ({problem}); convert them to float32"
        ) from None
    text = metadata(data).get(KEY)
    if text is None:
        return state, None
    try:
        facts = json.loads(text)
        description = facts["description"]
        intact = facts["sha256"] == digest(state, description)
    except (LookupError, RecursionError, TypeError, ValueError):
        intact = False
    if not intact:
        raise ValueError(
            f"{path}: damaged, or edited since it was saved; fetch or save it again. If it was "
            "edited on purpose, write its arrays to a file without metadata, and read that with "
            "load(path, into=model)"
        )
    return state, description


def metadata(data: bytes) -> dict[str, str]:
    """The texts in the header of a file: 8 bytes for its length, then JSON."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header.get("__metadata__") or {}


def digest(state: State, data: Any) -> str:
    """SHA-256 of data that JSON can hold, and of arrays with their names, dtypes and shapes."""
    sha = hashlib.sha256(json.dumps(data).encode())
    for name in sorted(state):
        array = state[name]
        sha.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file so that at any moment the old one or the new one is there, whole.

    The bytes go to a file beside it, down to the disk, and only then take its name. A process that
    is killed meanwhile may leave that file, .NAME.*.tmp.

    Raises:
        OSError: it cannot be written there; a file that was there still is.
    """
    target = os.path.realpath(path)  # what a link points to, not the link
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp")
    try:
        if os.path.isdir(target):
            raise IsADirectoryError(errno.EISDIR, "a directory, expected the name of a file")
        if os.path.exists(target) and not os.path.isfile(target):
            raise OSError(errno.EINVAL, "not a file, expected the name of one")
        if os.path.exists(target) and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException as problem:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(problem, OSError):
            raise OSError(problem.errno, problem.strerror, str(path)) from None
        raise
    sync_folder(folder)


def sync_folder(path: str) -> None:
    """Brings a change of names down to the disk, where the system lets a folder be synced."""
    with suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def safetensors() -> tuple[Any, type[Exception]]:
    """The NumPy side of safetensors, and its error.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    try:
        from safetensors import SafetensorError, numpy
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "saving and loading need safetensors: pip install 'tinygrad-slp[io]'"
        ) from None
    return numpy, SafetensorError
