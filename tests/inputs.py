"""The inputs of a rule in every way that they come to a step, in every layout, small and large."""

import itertools
from copy import copy

import numpy as np

import tinygrad_slp as tg
from tinygrad_slp.check.examples import Call, Drawer
from tinygrad_slp.jit import TraceError, jit
from tinygrad_slp.tree import flatten

WAYS = "argument", "closed over", "made in the step", "held in a field", "constant Tensor"
LAYOUTS = (
    "C", "F", "strided", "reversed", "broadcast", "byte-swapped", "misaligned", "read-only",
    "field of a structured array",
)  # fmt: skip
KINDS = "value", "gradient"
LARGE = 4
"""How many times as long the axes of a large input are: above what registers hold."""


def laid_out(x, layout):
    """The same numbers in another layout; of a broadcast array, those of its first row."""
    doubled = tuple(slice(None, None, 2) for _ in x.shape)
    match layout:
        case "F":
            return np.array(x, order="F")
        case "strided":
            room = np.zeros([2 * n for n in x.shape], x.dtype)
            room[doubled] = x
            return room[doubled]
        case "reversed":
            backwards = tuple(slice(None, None, -1) for _ in x.shape)
            return x[backwards].copy()[backwards]
        case "broadcast":
            return np.broadcast_to(x[:1].copy(), x.shape) if x.ndim else x.copy()
        case "byte-swapped":
            return x.astype(x.dtype.newbyteorder())
        case "misaligned":
            room = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
            room[...] = x
            return room
        case "read-only":
            copy = x.copy()
            copy.flags.writeable = False
            return copy
        case "field of a structured array":
            rows = np.zeros(x.shape, [("other", np.int8), ("x", x.dtype)])
            rows["x"] = x
            return rows["x"]
    return x.copy()


class Larger(Drawer):
    """Draws arrays in the range of a rule with longer axes, but for those of length 1."""

    def __call__(self, *shape):
        shape = [n if n == 1 else LARGE * n for n in shape]
        n = int(np.prod(shape))
        self.values = list(self.rng.permutation(self.values * (1 + n // len(self.values))))
        return super().__call__(*shape)


def calls(rule, large, seed=0):
    """The example calls of a rule that hold, their arrays drawn small or large."""
    x = (Larger if large else Drawer)(rule.domain, seed)
    found = rule.examples(lambda *args, **kwargs: Call(rule.function, args, kwargs), x)
    return [call for call in found if not large or works(call)]


def works(call):
    try:
        call(*call.arrays)
    except (ValueError, IndexError, TypeError):
        return False
    return True


class Holder:
    """An object of the user's, with an array in a field."""


def without_arrays(call):
    """The call, for a step to close over: it holds no arrays but those of its settings."""
    bare = copy(call)
    bare.arrays = []
    leaves = [0.0 if i in call.where else x for i, x in enumerate(call.leaves)]
    bare.leaves, bare.rebuild = flatten(call.rebuild(leaves))
    return bare


def supplier(x, template, way, layout, alone):
    """A function by which a step comes to an array that is no argument; None if it is one.

    Args:
        alone: it would meet no argument, and becomes a Tensor on its way.
    """
    form = tg.Tensor if alone else lambda x: x
    if way == "closed over":
        return lambda: form(x)
    if way == "made in the step":
        content, dtype, shape = template.tobytes(), template.dtype, template.shape
        return lambda: laid_out(np.frombuffer(content, dtype).reshape(shape), layout)
    if way == "held in a field":
        holder = Holder()
        holder.x = x
        return lambda: form(holder.x)
    if way == "constant Tensor":
        constant = tg.Tensor(x)
        return lambda: constant
    return None


def step_of(call, k, way, layout, kind):
    """A call of a rule as a step, whose input k comes in this way and layout.

    Returns:
        The step; its arguments, a scale and the other inputs; and the array that it closes over.
    """
    others = list(call.arrays)
    template = others.pop(k)
    x = laid_out(template, layout)
    supply = supplier(x, template, way, layout, alone=not others)
    bare = without_arrays(call)

    def value(scale, *given):
        arrays = list(given)
        if supply is not None:
            arrays.insert(k, supply())
        return bare(*arrays) * scale

    if way == "argument":
        others.insert(k, x)
    given = [np.array(1.5), *others]
    if kind == "value":
        return value, given, x
    with np.errstate(all="ignore"):
        weights = np.random.default_rng(2).normal(size=np.shape(call(*call.arrays)))
    total = lambda *given: np.sum(weights * np.square(value(*given)))
    return tg.value_and_grad(total, tuple(range(len(given)))), [tg.Tensor(x) for x in given], x


def cases(rule, large):
    """All cases of a rule, as what `step_of` takes."""
    for call in calls(rule, large):
        for k, x in enumerate(call.arrays):
            for way, layout, kind in itertools.product(WAYS, LAYOUTS, KINDS):
                if x.ndim or layout in ("C", "byte-swapped", "read-only"):
                    yield call, k, way, layout, kind


def leaves(x):
    """The arrays in nested lists and tuples."""
    if isinstance(x, list | tuple):
        return [y for part in x for y in leaves(part)]
    return [np.asarray(getattr(x, "data", x) if isinstance(x, tg.Tensor) else x)]


def differences(case, backend):
    """What a step gives, compiled, that it does not give as it is: a text, empty for nothing.

    It is called as it is traced, compiled, and after what it closes over was written into.
    """
    step, given, x = step_of(*case)
    alone = len(case[0].arrays) == 1
    compiled = jit(lambda *given: step(*given), backend=backend)
    told = []
    with np.errstate(all="ignore"):
        for time in range(4):
            if time == 3:
                if case[2] not in ("closed over", "held in a field") or not x.flags.writeable:
                    break
                x *= 0.999
            try:
                found = leaves(compiled(*given))
            except TraceError as refused:  # of a large one that meets no argument as it is
                return "" if alone and "make Tensor" in str(refused) else str(refused)
            for a, b in zip(found, leaves(step(*given)), strict=True):
                told += [text for text in [difference(a, b)] if text]
            if told:
                return f"call {time}: {told[0]}"
    return ""


def difference(found, expected):
    kind = lambda x: f"{x.dtype.newbyteorder('=')} {x.shape}"
    if kind(found) != kind(expected):
        return f"{kind(found)}, expected {kind(expected)}"
    if expected.dtype.kind != "f":
        return "" if np.array_equal(found, expected) else f"{found}, expected {expected}"
    finite = expected[np.isfinite(expected)]
    tolerance = (1e-10 if expected.dtype == np.float64 else 1e-4) * np.max(
        np.abs(finite), initial=1e-300
    )
    if np.allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True):
        return ""
    return f"{found.ravel()[:6]}, expected {expected.ravel()[:6]}"
