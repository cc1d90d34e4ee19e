"""Schedules: learning rates that follow a plan, by PyTorch's names and numbers.

    schedule = SequentialLR(
        optimizer,
        [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, T_max=95)],
        milestones=[5],
    )
    for epoch in range(100):
        train()
        schedule.step()

A step changes the learning rates that it finds, as in PyTorch: several schedules of one optimizer
act together, and a rate set by hand is where the next step begins. `OneCycleLR` alone sets the
rates, whatever they were. A step compiled by `jit` sees them; `schedule.step()` stays outside.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import cos, pi
from typing import Any

from ..checks import at_least, flag, one_of, positive, probability, whole
from .group import Group
from .optimizer import Optimizer, refuse_others


class Schedule:
    """Base of schedules: each has a `rate(t, lr, base)`, what step t makes of the learning rate lr.

    Step 0 is taken when the schedule is made: a warm-up begins with a small rate.

    Attributes:
        last_epoch: t, how many steps have been taken.
        base_lrs: where the learning rates of the groups begin.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        groups = groups_of(optimizer)
        self.optimizer = optimizer
        for group in groups:
            group.initial_lr = group.lr if group.initial_lr is None else group.initial_lr
        self.base_lrs: list[Any] = [group.initial_lr for group in groups]
        self.last_epoch = 0
        self.set(self.rates(0, self.get_last_lr()))

    def rate(self, t: int, lr: float, base: float) -> float:
        raise NotImplementedError(f"{type(self).__name__}: write def rate(self, t, lr, base): ...")

    def rates(self, t: int, lrs: list[float]) -> list[float]:
        """What step t makes of the learning rates of all groups."""
        return [self.rate(t, lr, base) for lr, base in zip(lrs, self.base_lrs, strict=True)]

    def step(self) -> None:
        """Goes on to the next learning rate: once an epoch, or once a step, as was planned."""
        refuse_other_groups(self.optimizer, self.base_lrs)
        self.set(self.rates(self.last_epoch + 1, self.get_last_lr()))
        self.last_epoch += 1

    def set(self, rates: list[float]) -> None:
        if min(rates) < 0:
            raise ValueError(
                f"{type(self).__name__} would go on from lr {self.get_last_lr()} to {rates}, below "
                "0: something else has lowered the rates, to below its eta_min"
            )
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """The learning rates now."""
        return [group.lr for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where it is, and the learning rates now."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "last_lr": self.get_last_lr(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another schedule of the same plan stopped, at its learning rates.

        Raises:
            ValueError: the state has other names, or is for another number of groups.
        """
        refuse_others("the state", state, set(self.state_dict()))
        if len(state["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"the state is for {len(state['base_lrs'])} groups, here are {len(self.base_lrs)}"
            )
        self.set(state["last_lr"])
        self.last_epoch, self.base_lrs = state["last_epoch"], list(state["base_lrs"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(step {self.last_epoch}: lr {self.get_last_lr()})"


def groups_of(optimizer: Any) -> list[Group]:
    """The groups of parameters of an optimizer.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "a schedule is of an optimizer with learning rates, which comes first, as in "
            f"StepLR(optimizer, 3); got {type(optimizer).__name__}: {optimizer!r:.60}"
        )
    return optimizer.param_groups


def refuse_other_groups(optimizer: Optimizer, values: list[float]) -> None:
    """Refuses groups that came after the schedule."""
    if len(optimizer.param_groups) != len(values):
        raise ValueError(
            f"the optimizer has {len(optimizer.param_groups)} groups, this schedule was made for "
            f"{len(values)}: make the schedule after add_param_group"
        )


class StepLR(Schedule):
    """Times gamma every step_size steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = whole("step_size", step_size, 1)
        self.gamma = at_least("gamma", gamma, 0)
        super().__init__(optimizer)

    def rate(self, t: int, lr: float, base: float) -> float:
        return lr * self.gamma if t and t % self.step_size == 0 else lr


class MultiStepLR(Schedule):
    """Times gamma at each of the milestones."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = whole_numbers("milestones", milestones)
        self.gamma = at_least("gamma", gamma, 0)
        super().__init__(optimizer)

    def rate(self, t: int, lr: float, base: float) -> float:
        return float(lr * self.gamma ** self.milestones.count(t))


class ExponentialLR(Schedule):
    """Times gamma every step."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = at_least("gamma", gamma, 0)
        super().__init__(optimizer)

    def rate(self, t: int, lr: float, base: float) -> float:
        return lr * self.gamma if t else lr


class LinearLR(Schedule):
    """From start_factor · base to end_factor · base in total_iters steps of one size: a warm-up.

    Step t multiplies by fₜ/fₜ₋₁, where f goes from start_factor to end_factor.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        positive("start_factor", start_factor)
        self.start_factor = probability("start_factor", start_factor)
        self.end_factor = probability("end_factor", end_factor)
        self.total_iters = whole("total_iters", total_iters, 1)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return straight(self.start_factor, self.end_factor, t / self.total_iters)

    def rate(self, t: int, lr: float, base: float) -> float:
        if t > self.total_iters:
            return lr
        return lr * (self.factor(t) / self.factor(t - 1) if t else self.start_factor)


class CosineAnnealingLR(Schedule):
    """eta_min + (base − eta_min)·cₜ with cₜ = (1 + cos(πt/T_max))/2.

    Step t multiplies lr − eta_min by cₜ/cₜ₋₁; where cₜ₋₁ = 0 it adds (base − eta_min)·cₜ
    (Loshchilov & Hutter, SGDR, 2017, as in PyTorch).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = whole("T_max", T_max, 1)
        self.eta_min = at_least("eta_min", eta_min, 0)
        super().__init__(optimizer)

    def rate(self, t: int, lr: float, base: float) -> float:
        if t == 0:
            return lr
        c, before = (cosine(1, 0, k / self.T_max) for k in (t, t - 1))
        if (t - 1) % (2 * self.T_max) == self.T_max:
            return lr + (base - self.eta_min) * c
        return self.eta_min + (lr - self.eta_min) * c / before


def cosine(start: float, end: float, part: float) -> float:
    """From start to end along half a wave."""
    return end + (start - end) * (1 + cos(pi * part)) / 2


def straight(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


class OneCycleLR(Schedule):
    """Up to max_lr and down to almost nothing (Smith & Topin, Super-convergence, 2018).

    The learning rate only: as PyTorch does with cycle_momentum=False.

    Args:
        max_lr: the largest learning rate; or one for each group.
        total_steps: of the whole cycle; as a callback of `fit`, the number of its epochs.
        pct_start: the part of the cycle that goes up.
        anneal_strategy: "cos" or "linear".
        div_factor: the cycle begins at max_lr/div_factor,
        final_div_factor: and ends at max_lr/(div_factor · final_div_factor).
        three_phase: go down to the beginning as fast as up, and then to the end.

    Raises:
        TypeError: settings of the wrong kind.
        ValueError: settings out of range; or a step after the end of the cycle.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        anneals = {"cos": cosine, "linear": straight}
        self.anneal = anneals[one_of("anneal_strategy", anneal_strategy, anneals)]
        self.total_steps = whole("total_steps", total_steps, 1)
        self.div_factor = positive("div_factor", div_factor)
        self.final_div_factor = positive("final_div_factor", final_div_factor)
        up = probability("pct_start", pct_start) * total_steps - 1
        last = total_steps - 1
        self.ends = [up, 2 * up, last] if flag("three_phase", three_phase) else [up, last]
        for group, top in zip(
            groups_of(optimizer), one_each(optimizer, "max_lr", max_lr), strict=True
        ):
            group.initial_lr = top / self.div_factor
        super().__init__(optimizer)

    def rate(self, t: int, lr: float, base: float) -> float:
        if t > self.total_steps:
            raise ValueError(
                f"the cycle of {self.total_steps} steps is over: total_steps should be the number "
                "of all schedule.step() calls"
            )
        top = base * self.div_factor
        levels = [base, top, *([base] * (len(self.ends) - 2)), base / self.final_div_factor]
        k = min(sum(end < t for end in self.ends), len(self.ends) - 1)
        start = self.ends[k - 1] if k else 0
        span = self.ends[k] - start
        # PyTorch goes on beyond the last step, with linear annealing to below 0.
        part = min((t - start) / span, 1) if span else 1
        return self.anneal(levels[k], levels[k + 1], part)


def one_each(optimizer: Optimizer, name: str, value: float | Sequence[float]) -> list[float]:
    """A number, 0 or more, for each group, from one for all or one for each."""
    count = len(groups_of(optimizer))
    if not isinstance(value, list | tuple):
        return [at_least(name, value, 0)] * count
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} numbers, for {count} groups")
    return [at_least(name, x, 0) for x in value]


def whole_numbers(name: str, values: Any) -> list[int]:
    """Whole numbers, 0 or more, in order."""
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} should be whole numbers, as in [30, 80], got {values!r}")
    return sorted(whole(name, value, 0) for value in values)


class SequentialLR(Schedule):
    """One schedule after the other: the next begins, at its own step 0, at each milestone.

    Args:
        schedulers: of the same optimizer.
        milestones: where the second begins, the third, ...

    Raises:
        TypeError: milestones are no whole numbers.
        ValueError: not one milestone fewer than schedules; or a part is not of this optimizer.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Schedule], milestones: Sequence[int]
    ) -> None:
        self.milestones = whole_numbers("milestones", milestones)
        self.schedulers = list(schedulers)
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                "milestones are where the second schedule begins, the third, ...; "
                f"got {len(self.milestones)} for {len(self.schedulers)} schedules"
            )
        for part in self.schedulers:
            if not isinstance(part, Schedule) or part.optimizer is not optimizer:
                raise ValueError(
                    "schedulers should be schedules of this optimizer, and ReduceLROnPlateau is "
                    f"none of them; got {part!r:.60}"
                )
        for group in groups_of(optimizer):  # back to before the parts were made
            group["lr"] = group.initial_lr
        super().__init__(optimizer)

    def rates(self, t: int, lrs: list[float]) -> list[float]:
        k = passed(self.milestones, t)
        begin, part = self.milestones[k - 1] if k else 0, self.schedulers[k]
        if t == begin:
            lrs = part.base_lrs if t else self.base_lrs
        return part.rates(t - begin, lrs)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        refuse_others("the state", state, set(self.state_dict()))
        for part, saved in zip(self.schedulers, state["schedulers"], strict=True):
            part.load_state_dict(saved)
        super().load_state_dict(state)


def passed(milestones: Iterable[int], t: int) -> int:
    """How many milestones have been reached."""
    return sum(milestone <= t for milestone in milestones)
