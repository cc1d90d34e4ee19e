"""Counting: an optimizer whose rule is told how many steps a parameter has taken."""

from collections.abc import Callable
from typing import Any, ClassVar

from ..tensor import Tensor
from .group import Cohort, Group
from .optimizer import Optimizer


class Counting(Optimizer):
    """Base of optimizers by rules rule(w, g, *state, lr, t, **settings), at the tᵗʰ step of w.

    A parameter that has no gradient in a step does not take it: it then counts for itself.
    """

    counts: ClassVar[dict[str, float]] = {"step": 0}

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Updates every parameter that has a gradient; with a closure, see `Optimizer.step`."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for cohort in self.ready(group):
                self.update(group, cohort, group.lr, *self.counted_on(group, cohort))
        return loss

    def counted_on(self, group: Group, cohort: Cohort) -> tuple[Any, ...]:
        """Counts one step more, and returns what the rule is told of it."""
        cohort.step = cohort.step + 1
        return (cohort.step,)

    def ready(self, group: Group) -> list[Cohort]:
        """The cohorts that have gradients; those where some do and some do not, are split first."""
        for cohort in list(group.cohorts):
            idle = [slot for slot in cohort.slots if slot[0].grad is None]
            if 0 < len(idle) < len(cohort.slots):
                cohort.slots = [slot for slot in cohort.slots if slot[0].grad is not None]
                group.cohorts.append(Cohort(idle, self.counted(cohort)))
        return [cohort for cohort in group.cohorts if cohort.slots[0][0].grad is not None]
