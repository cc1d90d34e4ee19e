"""Schedules: learning rates that follow a plan, by PyTorch's names and numbers.

    schedule = SequentialLR(
        optimizer,
        [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, T_max=95)],
        milestones=[5],
    )
    for epoch in range(100):
        train()
        schedule.step()

Each is a function of t, the number of steps it has taken: a schedule sets the learning rates anew,
whatever they were in between. A step compiled by `jit` sees them; `schedule.step()` stays outside.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import cos, pi
from typing import Any

from .group import Group, refuse_unless
from .optimizer import Optimizer


class Schedule:
    """Base of schedules: each has a `rate(t, base)`, the learning rate after t steps.

    Attributes:
        last_epoch: t, how many steps have been taken.
        base_lrs: where the learning rates of the groups begin.
    """

    def __init__(self, optimizer: Optimizer, base_lrs: list[Any] | None = None) -> None:
        groups = groups_of(optimizer)
        self.optimizer = optimizer
        for group in groups:
            group.initial_lr = group.lr if group.initial_lr is None else group.initial_lr
        self.base_lrs = base_lrs or [group.initial_lr for group in groups]
        self.last_epoch = 0
        self.set()

    def rate(self, t: int, base: float) -> float:
        raise NotImplementedError(f"{type(self).__name__}: write def rate(self, t, base): ...")

    def rates(self, t: int) -> list[float]:
        """The learning rates of all groups after t steps."""
        return [self.rate(t, base) for base in self.base_lrs]

    def step(self) -> None:
        """Goes on to the next learning rate: once an epoch, or once a step, as was planned."""
        self.last_epoch += 1
        self.set()

    def set(self) -> None:
        for group, rate in with_groups(self.optimizer, self.rates(self.last_epoch)):
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """The learning rates now."""
        return [group.lr for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another schedule of the same plan stopped; sets the learning rates too.

        Raises:
            ValueError: the state has other names, or is for another number of groups.
        """
        refuse_others(state, self.state_dict())
        if len(state["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"the state is for {len(state['base_lrs'])} groups, here are {len(self.base_lrs)}"
            )
        self.last_epoch, self.base_lrs = state["last_epoch"], list(state["base_lrs"])
        self.set()

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


def with_groups(optimizer: Optimizer, values: list[float]) -> list[tuple[Group, float]]:
    """The groups, each with its value.

    Raises:
        ValueError: there are other groups than there were.
    """
    groups = optimizer.param_groups
    if len(groups) != len(values):
        raise ValueError(
            f"the optimizer has {len(groups)} groups, this schedule was made for {len(values)}: "
            "make the schedule after add_param_group"
        )
    return list(zip(groups, values, strict=True))


def refuse_others(state: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if set(state) != set(expected):
        raise ValueError(f"the state has {sorted(state)}, expected {sorted(expected)}")


def positive(name: str, value: float) -> float:
    refuse_unless(name, value, lambda x: x > 0, "above 0")
    return value


class StepLR(Schedule):
    """base · γ^⌊t/step_size⌋: times gamma every step_size steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = positive("step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, t: int, base: float) -> float:
        return float(base * self.gamma ** (t // self.step_size))


class MultiStepLR(Schedule):
    """base · γᵏ after k of the milestones: times gamma at each of them."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, t: int, base: float) -> float:
        return float(base * self.gamma ** passed(self.milestones, t))


class ExponentialLR(Schedule):
    """base · γᵗ: times gamma every step."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, t: int, base: float) -> float:
        return float(base * self.gamma**t)


class LinearLR(Schedule):
    """From start_factor · base to end_factor · base in total_iters steps of one size: a warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(
                "start_factor should be above 0 and at most 1, end_factor from 0 to 1; "
                f"got {start_factor} and {end_factor}"
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = positive("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, t: int, base: float) -> float:
        part = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * part)


class CosineAnnealingLR(Schedule):
    """eta_min + (base − eta_min)(1 + cos(πt/T_max))/2 (Loshchilov & Hutter, SGDR, 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = positive("T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer)

    def rate(self, t: int, base: float) -> float:
        return cosine(base, self.eta_min, t / self.T_max)


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
        final_div_factor: and ends at this part of where it began.
        three_phase: go down to the beginning as fast as up, and then to the end.

    Raises:
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
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy is 'cos' or 'linear', got {anneal_strategy!r}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start should be a part, from 0 to 1; got {pct_start}")
        self.total_steps = positive("total_steps", total_steps)
        self.anneal = cosine if anneal_strategy == "cos" else straight
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        up = pct_start * total_steps - 1
        self.ends = [up, 2 * up, total_steps - 1] if three_phase else [up, total_steps - 1]
        super().__init__(optimizer, one_each(optimizer, "max_lr", max_lr))

    def rate(self, t: int, base: float) -> float:
        if t > self.total_steps:
            raise ValueError(
                f"the cycle of {self.total_steps} steps is over: total_steps should be the number "
                "of all schedule.step() calls"
            )
        low = base / self.div_factor
        levels = [low, base, *([low] * (len(self.ends) - 2)), low / self.final_div_factor]
        k = min(sum(end < t for end in self.ends), len(self.ends) - 1)
        start = self.ends[k - 1] if k else 0
        span = self.ends[k] - start
        # PyTorch goes on beyond the last step, with linear annealing to below 0.
        part = min((t - start) / span, 1) if span else 1
        return self.anneal(levels[k], levels[k + 1], part)


def one_each(optimizer: Optimizer, name: str, value: float | Sequence[float]) -> list[float]:
    """A number for each group, from one for all or one for each."""
    count = len(groups_of(optimizer))
    if not isinstance(value, list | tuple):
        return [value] * count  # type: ignore[list-item]
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} numbers, for {count} groups")
    return list(value)


class SequentialLR(Schedule):
    """One schedule after the other: the next begins, at its own step 0, at each milestone.

    Args:
        schedulers: of the same optimizer.
        milestones: where the second begins, the third, ...

    Raises:
        ValueError: not one milestone fewer than schedules; or a part is not of this optimizer.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Schedule], milestones: Sequence[int]
    ) -> None:
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "milestones are where the second schedule begins, the third, ...; "
                f"got {len(milestones)} for {len(schedulers)} schedules"
            )
        for part in schedulers:
            if not isinstance(part, Schedule) or part.optimizer is not optimizer:
                raise ValueError(
                    f"{type(part).__name__} is not a planned schedule, or of another optimizer"
                )
        self.schedulers = list(schedulers)
        self.milestones = list(milestones)
        super().__init__(optimizer)

    def rates(self, t: int) -> list[float]:
        k = passed(self.milestones, t)
        return self.schedulers[k].rates(t - self.milestones[k - 1] if k else t)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        refuse_others(state, self.state_dict())
        for part, saved in zip(self.schedulers, state["schedulers"], strict=True):
            part.load_state_dict(saved)
        super().load_state_dict(state)


def passed(milestones: Iterable[int], t: int) -> int:
    """How many milestones have been reached."""
    return sum(milestone <= t for milestone in milestones)
