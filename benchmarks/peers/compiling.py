"""C sources of this folder as libraries: compiled by gcc in a folder that goes away again."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

from .workloads import LeftOut

HERE = Path(__file__).parent


def library(source, defines=(), flags=()):
    """A ctypes library of one C file of this folder."""
    if not shutil.which("gcc"):
        raise LeftOut("no gcc")
    with tempfile.TemporaryDirectory() as folder:
        compiled, linked = f"{folder}/it.o", f"{folder}/it.so"
        macros = [f"-D{name}={value}" for name, value in dict(defines).items()]
        command = ["gcc", "-std=c11", "-O3", "-march=native", "-fPIC", *flags, *macros]
        subprocess.run([*command, "-c", str(HERE / source), "-o", compiled], check=True)
        # Linked without the flags: -ffast-math would link a start-up file that makes the
        # processor flush small numbers to zero, for all peers in this process.
        subprocess.run(["gcc", "-shared", compiled, "-o", linked, "-lm"], check=True)
        return ctypes.CDLL(linked)  # stays loaded when the file is gone


def address(array):
    return ctypes.c_void_p(array.ctypes.data)
