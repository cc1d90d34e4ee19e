"""What tells small and large frameworks apart, tried on each that is installed, as a table.

    python benchmarks/compare.py [--write]

--write puts it between <!-- compare --> and <!-- /compare --> of docs/tour.md. A cell is what a few
lines gave that ran here: "no" is the error they ended in. tinygrad is run where there is clang: one
comes by `pip install ziglang`, as a script on the PATH that runs `python -m ziglang clang "$@"`.
"""

import os

os.environ |= {"DEV": "CPU", "JAX_PLATFORMS": "cpu"}

# isort: split
import argparse
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve()
PAGE = HERE.parents[1] / "docs" / "tour.md"
OURS = HERE.parents[1] / "tinygrad_slp"


class NotRun(Exception):
    """Why a framework that is installed does not run here."""


# --- the frameworks: how each says the same ---


def of_functions(grad, array):
    """What all have: `grad`, of functions, as JAX has it, and an array made of a list."""
    return {"array": array, "grad": grad}


def ours():
    import tinygrad_slp as tg
    from tinygrad_slp.check import check_gradient

    def check():
        return check_gradient(lambda x: np.sum(np.sin(x)), np.ones(3)).verdict

    return {
        **of_functions(tg.grad, tg.Tensor),
        "check": check,
        "compile": lambda step: tg.jit(step)(np.ones(3)),
    }


def micrograd():
    from micrograd.engine import Value

    def grad(f):
        def slope(x):
            x = Value(x)
            f(x).backward()
            return x.grad

        return slope

    return of_functions(grad, lambda x: Value(x[0]))


def autograd():
    import autograd
    from autograd.test_util import check_grads

    def check():
        return check_grads(lambda x: autograd.numpy.sum(autograd.numpy.sin(x)))(np.ones(3))

    return {**of_functions(autograd.grad, autograd.numpy.array), "check": check}


def mygrad():
    import mygrad

    def grad(f):
        def slope(x):
            x = mygrad.tensor(x)
            f(x).backward()
            return x.grad

        return slope

    return of_functions(grad, mygrad.tensor)


def tinygrad():
    if not which(os.environ.get("CC", "clang")):
        raise NotRun("no clang")
    from tinygrad import Tensor, TinyJit

    def grad(f):
        def slope(x):
            x = x if isinstance(x, Tensor) else Tensor(x, dtype="float32")
            return f(x).gradient(x)[0]

        return slope

    return {
        **of_functions(grad, lambda x: Tensor(x).numpy()),
        "compile": lambda step: TinyJit(lambda x: step(x).realize())(Tensor([1.0, 1, 1])),
    }


def torch():
    import torch

    def grad(f):
        def slope(x):
            x = x if torch.is_tensor(x) else torch.tensor(x, dtype=torch.float64)
            x.requires_grad_()
            return torch.autograd.grad(f(x), x, create_graph=True)[0]

        return slope

    def check():
        x = torch.ones(3, dtype=torch.float64, requires_grad=True)
        return torch.autograd.gradcheck(lambda x: x.sin().sum(), x)

    return {
        **of_functions(grad, torch.tensor),
        "check": check,
        "compile": lambda step: torch.compile(step)(torch.ones(3)),
    }


def jax():
    import jax
    from jax.test_util import check_grads

    def check():
        return check_grads(lambda x: jax.numpy.sin(x).sum(), (np.ones(3, np.float32),), 1)

    return {
        **of_functions(jax.grad, jax.numpy.array),
        "check": check,
        "compile": lambda step: jax.jit(step)(np.ones(3)),
    }


FRAMEWORKS = {
    "tinygrad_slp": ("tinygrad_slp", "tinygrad-slp", ours),
    "micrograd": ("micrograd.nn", "micrograd", micrograd),
    "HIPS autograd": ("autograd", "autograd", autograd),
    "MyGrad": ("mygrad", "mygrad", mygrad),
    "tinygrad": ("tinygrad", "tinygrad", tinygrad),
    "PyTorch": ("torch", "torch", torch),
    "JAX": ("jax", "jax", jax),
}

# --- what is tried with each ---

NUMPY = {
    "exp": lambda x: np.sum(np.exp(x)),
    "maximum": lambda x: np.sum(np.maximum(x, 0.5)),
    "where": lambda x: np.sum(np.where(np.array([True, False, True]), x, 0.0)),
    "concatenate": lambda x: np.sum(np.concatenate([x, x])),
    "einsum": lambda x: np.einsum("i,i->", x, x),
    "linalg.norm": lambda x: np.linalg.norm(x),
}


def tried(run):
    """What it gave, or the kind of error it ended in."""
    try:
        return run()
    except NotRun as reason:
        return f"not run: {reason}"
    except Exception as error:
        return f"no ({type(error).__name__})"


def dtype(way):
    x = way["array"]([1.0, 2.0])
    return str(x.dtype).removeprefix("torch.") if hasattr(x, "dtype") else "Python's float"


def second(way):
    """x³ at 2, whose second derivative is 12."""
    grad = way["grad"]
    found = grad(grad(lambda x: x * x * x))(2.0)
    return "yes" if abs(float(getattr(found, "item", lambda: found)()) - 12) < 1e-5 else "no"


def numpy_functions(way):
    """How many of NumPy's functions can be called in a function that is differentiated."""
    x = np.array([1.0, 2.0, 3.0])
    return f"{sum(works(way, f, x) for f in NUMPY.values())} of {len(NUMPY)}"


def works(way, f, x):
    """Whether the gradient is that of central differences."""
    slopes = [(f(x + d) - f(x - d)) / 2e-5 for d in 1e-5 * np.eye(3)]
    try:
        return np.allclose(way["grad"](f)(x).tolist(), slopes, atol=1e-4)
    except Exception:
        return False


def checker(framework):
    if "check" not in framework.way:
        return named(framework.dist, "grad_?check|check_?grad|numeric|finite_?diff")
    framework.way["check"]()
    return "yes"


def compiler(framework):
    if "compile" not in framework.way:
        return named(framework.dist, "jit|compile")
    framework.way["compile"](lambda x: x * x + x)
    return "yes"


def named(dist, pattern):
    """The functions and classes of its Python code whose names say so."""
    names = re.findall(r"(?:def|class) (\w+)", "\n".join(sources(dist)))
    found = {name for name in names if re.search(pattern, name, re.IGNORECASE)}
    return ", ".join(sorted(found)) or "none found"


def version(dist):
    return distribution(dist).version


def files(dist):
    if dist == "tinygrad-slp":
        return [p for p in OURS.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    found = distribution(dist).files or []
    return [Path(f.locate()) for f in found if f.suffix != ".pyc" and Path(f.locate()).is_file()]


def needed(dist, found=None):
    """The packages that come with it, itself first, by the requirements it declares."""
    found = [] if found is None else found
    try:
        requires = distribution(dist).requires or []
    except PackageNotFoundError:
        return found
    if dist.lower() in found:
        return found
    found.append(dist.lower())
    for line in requires:
        if "extra ==" not in line:
            needed(re.match(r"[\w.-]+", line)[0].replace("_", "-"), found)
    return found


def size(dist):
    """Megabytes of itself, and with all it needs."""
    total = [sum(p.stat().st_size for p in files(d)) / 1e6 for d in needed(dist)]
    return f"{total[0]:.3g} / {sum(total):.3g} ({len(total)})"


def sources(dist):
    code = [p for p in files(dist) if p.suffix == ".py" and "test" not in p.name]
    return [p.read_text("utf-8", "replace") for p in code]


def lines(dist):
    """Of its own Python files without tests, those that are not empty and no comment."""
    text = (line.strip() for source in sources(dist) for line in source.splitlines())
    return f"{sum(1 for line in text if line and not line.startswith('#')):,}"


def seconds(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start


@cache
def import_times():
    """Milliseconds that imports take in a new process beyond Python itself: the least of seven."""
    modules = [
        module for module, _, _ in FRAMEWORKS.values() if find_spec(module.partition(".")[0])
    ]
    rounds = [{m: seconds(f"import {m}") for m in ("sys", *modules)} for _ in range(7)]
    least = {m: min(times[m] for times in rounds) for m in rounds[0]}
    return {m: f"{1e3 * (least[m] - least['sys']):.0f}" for m in modules}


ROWS = {
    "version": lambda f: version(f.dist),
    "MB installed: itself / with all it needs (packages)": lambda f: size(f.dist),
    "lines of its own Python, without tests": lambda f: lines(f.dist),
    "import, ms": lambda f: import_times()[f.module],
    "dtype of an array made of [1.0, 2.0]": lambda f: dtype(f.way),
    "second derivative of x³, by its `grad` twice": lambda f: second(f.way),
    "NumPy's own functions inside what is differentiated": lambda f: numpy_functions(f.way),
    "gradient checker": checker,
    "compiler, run on a function": compiler,
}


class Framework(NamedTuple):
    module: str
    dist: str
    make: Callable[[], dict[str, Any]]

    @property
    def way(self):
        return self.make()


def column(module, dist, make):
    """All cells of one framework, or None if it is not installed."""
    try:
        import_module(module)
    except ImportError:
        return None
    framework = Framework(module, dist, make)
    return [str(tried(partial(row, framework))) for row in ROWS.values()]


def markdown():
    found = {name: column(*parts) for name, parts in FRAMEWORKS.items()}
    found = {name: cells for name, cells in found.items() if cells}
    lines = [["", *found], ["---"] * (len(found) + 1)]
    lines += [[title, *cells] for title, *cells in zip(ROWS, *found.values(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write into docs/{PAGE.name}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    text = markdown()
    print(text)
    if options.write:
        before, _, rest = PAGE.read_text("utf-8").partition("<!-- compare -->")
        after = rest.partition("<!-- /compare -->")[2]
        page = f"{before}<!-- compare -->\n{text}\n\n<!-- /compare -->{after}"
        PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
