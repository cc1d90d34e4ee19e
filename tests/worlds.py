"""Runs a random program twice, as it is and compiled, and tells where the two differ."""

import copy
import traceback
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from inputs import calls, laid_out, without_arrays

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.jit import TraceError, jit
from tinygrad_slp.random import Stream
from tinygrad_slp.rule import functions
from tinygrad_slp.tree import flatten

RULES = {rule.name: rule for rule in functions()}
SHAKES = 6
ROUNDING = {float(np.finfo(f"f{n}").eps): x for n, x in ((8, 1e-11), (4, 1e-4), (2, 2e-2))}
"""How far apart, of their size, numbers may be: by the eps of the least precise dtype."""


@contextmanager
def quiet():
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- what programs find by name ---


def drawn(seed, shape, dtype, layout="C", low=-2.5, high=3.0):
    """Numbers drawn evenly, in a layout; whole ones for whole dtypes."""
    dtype, rng = np.dtype(dtype), np.random.default_rng(seed)
    if dtype.kind == "u":
        low = max(low, 0)
    if dtype.kind in "iu":
        return laid_out(rng.integers(int(low), int(high), shape).astype(dtype), layout)
    x = rng.uniform(low, high, shape)
    return laid_out(np.asarray(x > 0 if dtype.kind == "b" else x).astype(dtype), layout)


def fit(x, shape, low=-np.inf, high=np.inf):
    """The numbers of x, taken one after the other, in this shape and between these bounds."""
    n = int(np.prod(shape))
    x = np.reshape(np.reshape(x, -1)[np.arange(n) % np.size(x)], shape)
    if dtype_of(x).kind == "f" and high < np.inf:
        x = low + (high - low) * tg.sigmoid(x)
    return x


def example(name, k, large=False):
    """Example call number k of a rule, to be given other arrays."""
    return without_arrays(calls(RULES[name], large)[k])


def array_of(name, k, large, position, layout="C"):
    """An array that this call is given."""
    return laid_out(calls(RULES[name], large)[k].arrays[position], layout)


def dtype_of(x):
    return getattr(x, "dtype", np.result_type(x))


def plain(x):
    return x.detach() if isinstance(x, Tensor) else x


def total(values):
    """A number that depends on each of the floating-point values."""
    floats = [x for x in values if dtype_of(x).kind == "f"]
    return sum((np.mean(np.arctan(x) * (1 + k)) for k, x in enumerate(floats)), 0.0)


def series(x):
    """What a scan goes through: x and other arrays like it."""
    return np.stack([x, x[..., ::-1] if np.ndim(x) else x, x])


class Eager:
    """A step as it is, with what a compiled step has besides."""

    def __init__(self, step):
        self.step = step

    def __call__(self, *args):
        return self.step(*args)

    def loop(self, n, *args):
        return stacked([self.step(*args) for _ in range(n)])

    def scan(self, *args):
        return stacked([self.step(*(x[k] for x in args)) for k in range(len(args[0]))])

    def retrace(self):
        """Nothing is compiled."""


def stacked(results):
    rows = [[np.asarray(getattr(x, "data", x)) for x in flatten(result)[0]] for result in results]
    return [np.stack(column) for column in zip(*rows, strict=True)]


def namespace(compiled, shake=None):
    """The names that a program begins with.

    Args:
        shake: changes a value by a few units in the last place; None leaves all as they are.
    """
    names = [copy, nn, optim, Tensor, Stream, drawn, fit, example, plain, total, series]
    names += [array_of, laid_out]
    found = {x.__name__.rpartition(".")[2]: x for x in names}
    found |= {"np": np, "tg": tg, "holder": SimpleNamespace(), "compiled": compiled}
    return found | {"shaken": shake, "__name__": "program"}


# --- what happens ---


def state(names, kind):
    """All that a step can leave behind."""
    W = names["W"]
    told = [*W, *names["model"].buffers(), names["s"], names["stream"].state, names["X0"]]
    told += [names["X1"], names["holder"].x, names["C0"]]
    told += [x for x in flatten(names["optimizer"].state_dict())[0] if not isinstance(x, str)]
    return told + ([w.grad for w in W] if kind == "accumulate" else [])


def outcomes(program, compiled, shake=None):
    """For each call of a program: what it gave and left behind, or the exception; then no more."""
    names = namespace(compiled, shake)
    with quiet():
        exec(program.text(shake is not None), names)
        for line in program.after:
            try:
                exec(line, names)
            except Exception as failed:
                yield failed
                return
            left = flatten([names.pop("r", None), state(names, program.kind)])[0]
            yield [(isinstance(x, Tensor), np.array(getattr(x, "data", x))) for x in left]


def shaker(seed):
    rng = np.random.default_rng(seed)

    def shake(x):
        dtype = dtype_of(x)
        if dtype.kind != "f":
            return x
        moved = 1 + 8 * np.finfo(dtype).eps * rng.uniform(-1, 1, np.shape(x))
        return x * moved.astype(dtype)

    return shake


def difference(program, backend, compiled=None):
    """Where a compiled program differs from the program as it is: a text, empty for nowhere.

    A replay is held to the last bit, native code to what rounding can do: as far as the program
    moves when each of its values is moved by a few units in the last place.

    Args:
        compiled: another compiler than `jit`.
    """
    found = outcomes(program, compiled or (lambda step: jit(step, backend=backend)))
    shaken = None
    for k, (a, b) in enumerate(zip(found, outcomes(program, Eager), strict=False)):
        where = f"{program.after[k]}: "
        if isinstance(a, Exception) or isinstance(b, Exception):
            if isinstance(a, TraceError) and any(text in str(a) for text in program.refusals):
                return ""
            return (
                ""
                if program.may_fail and repr(a) == repr(b)
                else where + f"{told(a)}, expected {told(b)}"
            )
        if len(a) != len(b):
            return where + f"{len(a)} leaves, expected {len(b)}"
        is_step = " step(" in program.after[k]  # of several steps the results are stacked
        for j, ((is_tensor, x), (is_expected, y)) in enumerate(zip(a, b, strict=True)):
            y = y.astype(y.dtype.newbyteorder("="))  # what a step gives may be in either order
            x = x.astype(x.dtype.newbyteorder("="))
            if (x.shape, x.dtype) != (y.shape, y.dtype) or (is_step and is_tensor != is_expected):
                return where + f"leaf {j}: {x.dtype} {x.shape}, expected {y.dtype} {y.shape}"
            if same(x, y):
                continue
            shaken = shaken or [
                list(outcomes(program, Eager, shaker(seed))) for seed in range(SHAKES)
            ]
            others = [run[k][j][1] for run in shaken if len(run) > k and isinstance(run[k], list)]
            if (program.is_exact and backend == "numpy") or not near(x, y, others, program.eps):
                return where + f"leaf {j}:\n{x.ravel()[:6]}, expected\n{y.ravel()[:6]}"
    return ""


def told(outcome):
    if not isinstance(outcome, Exception):
        return "a result"
    return "".join(traceback.format_exception(outcome)[-3:])


def same(x, y):
    return np.array_equal(x, y, equal_nan=y.dtype.kind == "f")


def near(x, y, shaken, eps):
    """Whether two arrays differ no more than those that were shaken do."""
    if len(shaken) < SHAKES or any(z.shape != y.shape for z in shaken):
        return True
    if y.dtype.kind != "f":
        return any(not same(y, z) for z in shaken)
    unsettled = np.any([np.isfinite(z) != np.isfinite(y) for z in shaken], axis=0)
    there = np.isfinite(y) & ~unsettled
    if not np.all(np.isfinite(x[there])) or np.any(np.isfinite(x) & ~np.isfinite(y) & ~unsettled):
        return False
    wide = np.longdouble
    moved = max(np.max(np.abs(z.astype(wide) - y), where=there, initial=0) for z in shaken)
    scale = np.max(np.abs(y.astype(wide)), where=there, initial=0)
    most = 20 * moved + ROUNDING[eps] * scale + 4 * eps
    return bool(np.max(np.abs(x.astype(wide) - y), where=there, initial=0) <= most)


def shortened(program, backend):
    """The program without each line that it differs without as well."""
    for name in ("after", "lines", "step", "setup"):
        for k in reversed(range(len(getattr(program, name)))):
            shorter = copy.copy(program)
            lines = getattr(program, name)
            setattr(shorter, name, lines[:k] + lines[k + 1 :])
            try:
                if difference(shorter, backend):
                    program = shorter
            except Exception:
                continue
    return program
