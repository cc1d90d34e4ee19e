"""From LLVM's instructions to machine code in memory, by way of the cache on disk.

The cache is a folder of the user's: `tinygrad_slp` in XDG_CACHE_HOME, ~/.cache, or the like of the
system; TINYGRAD_SLP_CACHE names another one, or turns it off, with "off". A file is named after all
that its code depends on, written beside and then renamed, and ignored if it is not whole.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import random
from tempfile import NamedTemporaryFile
from typing import Any

import llvmlite
import numpy as np
from llvmlite import binding as llvm

PASSES = "always_inliner", "sroa", "instruction_combine", "simplify_cfg"
"""What LLVM does to the instructions, before it chooses the machine's. They come vectorized and
unrolled: all that its level 3 does besides takes ten times as long, for a few percent at most."""
MOST = 256 << 20
"""Bytes that the files of the cache may take; those that were written first go first."""
LONG = 1 << 20
"""Characters of instructions, 1,700 operations, from which on LLVM is asked for plain code: that
takes it a third of the time."""
DIGEST = 32
"""Bytes at the beginning of a file, by which the rest is known to be whole."""


@cache
def target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


def machine(level: int) -> Any:
    """The processor that this runs on, as LLVM knows it; of level 0 to 3, how well to use it."""
    return target().create_target_machine(cpu=processor(), features=features(), opt=level)


@cache
def processor() -> str:
    return str(llvm.get_host_cpu_name())


@cache
def features() -> str:
    text: str = llvm.get_host_cpu_features().flatten()
    # LLVM avoids the widest registers where they slowed down the clock; today they do not.
    return text + ",-prefer-256-bit"


@cache
def register_bytes() -> int:
    """How many bytes a vector register holds."""
    has = llvm.get_host_cpu_features()
    return 64 if has.get("avx512f") else 32 if has.get("avx") else 16


class Code:
    """Machine code in memory.

    Args:
        key: all that the code depends on, but for the processor, LLVM and us.
        instructions: gives LLVM's instructions as text, if the code is not in the cache.
    """

    def __init__(self, key: str, instructions: Callable[[], str]) -> None:
        path = place_of(key)
        compiled = kept(path)
        if compiled is None:
            compiled = compile_(instructions())
            keep(path, compiled)
        # The engine only loads. It takes the machine as its own, and has to be given a module,
        # which would take it a millisecond to compile.
        nothing = llvm.parse_assembly("")
        engine = llvm.create_mcjit_compiler(nothing, target().create_target_machine())
        engine.remove_module(nothing)
        engine.add_object_file(llvm.ObjectFileRef.from_data(compiled))
        engine.finalize_object()
        # In an array the garbage collector does not find it. It would close it before it asks all
        # others, of which one may call the step in its __del__.
        self.engine: Any = np.array(engine, dtype=object)

    def address(self, name: str) -> int:
        """Where a function is."""
        return int(self.engine[()].get_function_address(name))


def compile_(text: str) -> bytes:
    """The object file that LLVM makes of its instructions."""
    compiler = machine(0 if len(text) > LONG else 3)
    module = llvm.parse_assembly(text)
    module.verify()
    passes = llvm.create_new_module_pass_manager()
    for name in PASSES:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, llvm.create_pass_builder(compiler, llvm.create_pipeline_tuning_options()))
    compiled: bytes = compiler.emit_object(module)
    return compiled


# --- the cache ---


def folder() -> Path | None:
    """Where code is kept; None if it is not."""
    chosen = os.environ.get("TINYGRAD_SLP_CACHE", "")
    if chosen.lower() in ("off", "0", "no", "none"):
        return None
    if chosen:
        return Path(chosen).expanduser()
    try:
        home = Path.home()
    except RuntimeError:
        return None
    usual = {
        "darwin": home / "Library" / "Caches",
        "win32": Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")),
    }.get(sys.platform, Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache"))
    return usual / "tinygrad_slp"


@cache
def ourselves() -> str:
    """A digest of the files that make instructions of a program."""
    files = sorted(Path(__file__).parent.parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def place_of(key: str) -> Path | None:
    """The file for the code of this key, on this processor, by this LLVM and by us."""
    where = folder()
    if where is None:
        return None
    llvm_version = ".".join(map(str, llvm.llvm_version_info))
    versions = np.__version__, llvmlite.__version__, llvm_version
    text = "\n".join((*versions, processor(), features(), ourselves(), key))
    return where / hashlib.sha256(text.encode()).hexdigest()


def kept(path: Path | None) -> bytes | None:
    """The code in a file of the cache; None if there is none, or it is not whole."""
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, compiled = content[:DIGEST], content[DIGEST:]
    return compiled if hashlib.sha256(compiled).digest() == digest else None


def keep(path: Path | None, compiled: bytes) -> None:
    """Writes a file of the cache, whole or not at all; a full or read-only disk is no error."""
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                file.write(hashlib.sha256(compiled).digest() + compiled)
                file.close()
                os.replace(file.name, path)
                if random() < 1 / 32:  # to look at all files each time would take longer
                    empty(path.parent)
            except OSError:
                os.unlink(file.name)


def empty(where: Path) -> None:
    """Removes the oldest files of the cache, beyond the most that it may take."""
    files = sorted(where.iterdir(), key=lambda file: -file.stat().st_mtime)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > MOST:
            file.unlink()
