"""Files that hold a training: written whole or not at all, and refused unless they are whole.

A file is an .npz without pickles: numbered arrays; `tree`, a JSON text with the rest, in which
{"$array": "3"} means array 3; and `digest`, the SHA-256 of all that.
"""

import json
import os
import zipfile
from collections.abc import Mapping
from glob import escape
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..saving.files import write_whole

FORMAT = "tinygrad_slp training"
VERSION = 1


def write(path: str | os.PathLike[str], tree: Any) -> None:
    """Writes nested dicts, lists, arrays, numbers and text.

    A process that is killed, at any moment, leaves the file that was there before, or this one. It
    may leave a file .name.*.tmp beside it, which the next to write this file removes.

    Raises:
        OSError: the file cannot be written; what was there before is there still.
    """
    path = Path(os.path.realpath(path))
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        left.unlink(missing_ok=True)
    file = BytesIO()
    save(file, tree)
    write_whole(path, file.getvalue())


def save(file: BinaryIO, tree: Any) -> None:
    arrays: dict[str, np.ndarray] = {}
    packed = pack({"format": FORMAT, "version": VERSION, "tree": tree}, arrays)
    arrays["tree"] = np.frombuffer(json.dumps(packed).encode(), dtype=np.uint8)
    np.savez(file, digest=digest(arrays), **arrays)  # type: ignore[arg-type]


def read(path: str | os.PathLike[str]) -> Any:
    """What was written; what was the key of a dict is a text.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is not a whole file of this kind.
    """
    content = BytesIO(Path(path).read_bytes())  # so that an OSError is one of the disk
    try:
        arrays = loaded(content)
    except Exception as error:  # zipfile and NumPy raise a dozen kinds of errors at broken files
        raise ValueError(
            f"{path} is not a checkpoint, or is damaged: {type(error).__name__}: {error}"
        ) from None
    found: Any = json.loads(arrays.pop("tree").tobytes())
    if found["format"] != FORMAT or found["version"] != VERSION:
        raise ValueError(
            f"{path} is a {found['format']} of version {found['version']}, "
            f"expected {FORMAT} of version {VERSION}"
        )
    return unpack(found["tree"], arrays)


def loaded(file: BinaryIO) -> dict[str, np.ndarray]:
    """All arrays of a file, with the digest that it says they have."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is not an .npz file")
    file.seek(0)
    with np.load(file, allow_pickle=False) as members:
        arrays = {name: members[name] for name in members.files}
    if not {"tree", "digest"} <= set(arrays):
        raise ValueError(f"it lacks tree or digest, and has {', '.join(list(arrays)[:5])}")
    if not np.array_equal(arrays.pop("digest"), digest(arrays)):
        raise ValueError("its checksum does not match")
    return arrays


def digest(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The SHA-256 of arrays with their names, dtypes and shapes."""
    total = sha256()
    for name in sorted(arrays):
        x = arrays[name]
        total.update(f"{name} {x.dtype.str} {x.shape}\n".encode())
        total.update(np.ascontiguousarray(x).data)
    return np.frombuffer(total.digest(), dtype=np.uint8)


def pack(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The tree without its arrays, which are put among the others."""
    if isinstance(tree, dict):
        return {str(name): pack(part, arrays) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        return [pack(part, arrays) for part in tree]
    if isinstance(tree, np.ndarray):
        name = str(len(arrays))
        arrays[name] = tree
        return {"$array": name}
    return tree.item() if isinstance(tree, np.generic) else tree


def unpack(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(tree, list):
        return [unpack(part, arrays) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {"$array"}:
        return arrays[tree["$array"]]
    return {name: unpack(part, arrays) for name, part in tree.items()}
