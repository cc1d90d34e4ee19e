"""Snapshot: all that a training step changes, kept aside, to be put back where it was."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..nn import Module
from ..nn.module import named_parts
from ..optim import Optimizer
from ..random import Stream
from ..tensor import Tensor


def streams(modules: Iterable[Module]) -> list[Stream]:
    """The random streams of some modules and all within them, each once, in order."""
    fields = (list(vars(part).values()) for module in modules for part in module.modules())
    found = (x for values in fields for _, x in named_parts(values, into=False, leaves=(Stream,)))
    return list({id(x): x for x in found if isinstance(x, Stream)}.values())


class Snapshot:
    """Parameters, buffers, random streams, and what an optimizer keeps.

    Values go back into the very objects they were taken from, so that a compiled step stays valid.

    Args:
        others: more Tensors to keep.
    """

    def __init__(
        self, modules: Sequence[Module], optimizer: Optimizer, others: Iterable[Tensor] = ()
    ) -> None:
        self.groups = [(group, list(group.cohorts)) for group in optimizer.param_groups]
        cohorts = [cohort for _, cohorts in self.groups for cohort in cohorts]
        self.cohorts = [(c, list(c.slots), optimizer.counted(c)) for c in cohorts]
        self.made = [(made, list(made)) for c in cohorts for _, made in c.slots]
        state = [x for made, _ in self.made for x in made if x is not None]
        drawn = [stream.state for stream in streams(modules)]
        kept = [x for module in modules for x in (*module.parameters(), *module.buffers())]
        held: list[Any] = [*optimizer.params, *kept, *drawn, *state, *others]
        self.tensors = [(x, x.array.copy()) for x in held if isinstance(x, Tensor)]
        self.arrays = [(x, x.copy()) for x in held if isinstance(x, np.ndarray)]

    def restore(self) -> None:
        """Puts all of it back; may be done again."""
        for group, cohorts in self.groups:
            group.cohorts[:] = cohorts
        for cohort, slots, counts in self.cohorts:
            cohort.slots[:] = slots
            for name, value in counts.items():
                setattr(cohort, name, value)
        for made, before in self.made:
            made[:] = before
        for tensor, array in self.tensors:
            tensor.renew(array.copy())
        for x, array in self.arrays:
            x[...] = array
