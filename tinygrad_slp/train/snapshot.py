"""Snapshot: all that a training step changes, kept aside, to be put back where it was."""

from typing import Any

import numpy as np

from ..nn import Module
from ..optim import Optimizer
from ..random import Stream
from ..tensor import Tensor


def streams(model: Module) -> list[Stream]:
    """The random streams of a model, each once, in the order of its modules."""
    fields = (x for module in model.modules() for x in vars(module).values())
    return list({id(x): x for x in fields if isinstance(x, Stream)}.values())


class Snapshot:
    """Parameters, buffers, random streams, and what an optimizer keeps.

    Values go back into the very objects they were taken from, so that a compiled step stays valid.
    """

    def __init__(self, model: Module, optimizer: Optimizer) -> None:
        self.groups = [(group, list(group.cohorts)) for group in optimizer.param_groups]
        cohorts = [cohort for _, cohorts in self.groups for cohort in cohorts]
        self.cohorts = [(c, list(c.slots), optimizer.counted(c)) for c in cohorts]
        self.made = [(made, list(made)) for c in cohorts for _, made in c.slots]
        state = [x for made, _ in self.made for x in made if x is not None]
        drawn = [stream.state for stream in streams(model)]
        held: list[Any] = [*optimizer.params, *model.parameters(), *model.buffers(), *drawn, *state]
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
