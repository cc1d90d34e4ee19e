"""Arrays in every layout, and the example calls of rules with small and with large ones."""

from copy import copy

import numpy as np

from tinygrad_slp.check.examples import Call, Drawer
from tinygrad_slp.tree import flatten

LAYOUTS = (
    "C", "F", "strided", "reversed", "broadcast", "byte-swapped", "misaligned", "read-only",
    "field of a structured array",
)  # fmt: skip
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


def without_arrays(call):
    """The call, for a step to close over: it holds no arrays but those of its settings."""
    bare = copy(call)
    bare.arrays = []
    leaves = [0.0 if i in call.where else x for i, x in enumerate(call.leaves)]
    bare.leaves, bare.rebuild = flatten(call.rebuild(leaves))
    return bare
