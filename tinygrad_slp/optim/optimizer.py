"""Optimizer: parameters in groups, their state, and the step that an update rule takes for each."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..graph import leaf
from ..tensor import Tensor
from ..walk import forget, gradient
from .group import Cohort, Group, Slot, listed, parameters_in, plain, refuse_twice, refuse_unless

Params = Iterable[Tensor] | Iterable[Mapping[str, Any]]

NOT_NEGATIVE = {
    "lr", "momentum", "weight_decay", "eps", "alpha", "lr_decay", "initial_accumulator_value",
    "momentum_decay",
}  # fmt: skip
RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **{name: (lambda x: x >= 0, "a number, 0 or more") for name in NOT_NEGATIVE},
    "dampening": (lambda x: x - x == 0, "a finite number"),
    "betas": (
        lambda x: len(x) == 2 and all(0 <= beta < 1 for beta in x),
        "two numbers from 0 to below 1",
    ),
}


class Optimizer:
    """Base of all optimizers: w and its state become what an update rule makes of them and ∂L/∂w.

    A subclass names a function of plain arrays,

        rule(w, g, *state, lr, **settings) -> (w, *state)

    that returns new arrays and writes into none. State that the rule does not keep is None.

    Args:
        params: Tensors that require grad, such as `model.parameters()`; or a list of dicts, each
            with "params" and the settings in which this group differs from the others.
        settings: what holds where a group says nothing else; `lr` and `maximize` among them.

    Attributes:
        param_groups: the groups; `optimizer.param_groups[0]["lr"] = 0.1` changes a setting.

    Raises:
        TypeError: params are not Tensors, or settings no numbers.
        ValueError: no params, a parameter twice, or settings unknown or out of range.
    """

    rule: Callable[..., tuple[Any, ...]]
    state_names: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[dict[str, float]] = {}
    """What is counted for all parameters of a cohort alike, and where the counting begins."""

    def __init__(self, params: Params, settings: dict[str, Any]) -> None:
        self.defaults = settings
        self.param_groups: list[Group] = []
        given = listed(params)
        grouped = given and isinstance(given[0], Mapping)
        for group in given if grouped else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Adds {"params": [...], "lr": ...}: parameters, and settings other than the defaults."""
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f'a group is a dict {{"params": [...], "lr": ...}}; got {group!r}')
        own = {name: value for name, value in group.items() if name != "params"}
        if unknown := [name for name in own if name not in self.defaults]:
            raise ValueError(
                f"{type(self).__name__} has no setting {', '.join(unknown)}; "
                f"it has {', '.join(self.defaults)}"
            )
        params = parameters_in(group["params"])
        refuse_twice([*self.params, *params])
        added = Group(params, {**self.defaults, **own}, self.check)
        slots: list[Slot] = [(p, self.start(p.array)) for p in params]
        added.cohorts = [Cohort(slots, self.counts)]
        self.param_groups.append(added)

    def start(self, w: Any) -> list[Tensor | None]:
        """The state of a parameter before its first step."""
        return [None for _ in self.state_names]

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> None:
        """Refuses settings out of range.

        Raises:
            TypeError: a setting is no number,
            ValueError: or out of range; with its name, its value and its range.
        """
        for name, value in settings.items():
            if name in RANGES:
                refuse_unless(name, value, *RANGES[name])

    @property
    def params(self) -> list[Tensor]:
        """All parameters, group by group."""
        return [p for group in self.param_groups for p in group.params]

    @property
    def lr(self) -> float:
        """The learning rate; of the first group, if there are several, and then not to be set."""
        return self.param_groups[0].lr  # type: ignore[no-any-return]

    @lr.setter
    def lr(self, value: float) -> None:
        if len(self.param_groups) > 1:
            raise ValueError(
                f"there are {len(self.param_groups)} groups, each with a learning rate: write\n"
                f'    for group in optimizer.param_groups:\n        group["lr"] = {value}'
            )
        self.param_groups[0]["lr"] = value

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters; set_to_none=False: sets them to 0."""
        for group in self.param_groups:
            forget(group.params, set_to_none)

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Updates every parameter that has a gradient.

        Args:
            closure: is called before, and what it returns is returned: a loop written for `LBFGS`
                serves all optimizers.
        """
        loss = None if closure is None else closure()
        for group in self.param_groups:
            lr = group.lr
            for cohort in group.cohorts:
                self.update(group, cohort, lr)
        return loss

    def update(self, group: Group, cohort: Cohort, *numbers: Any) -> None:
        """One step of the rule for each of these parameters, given the numbers of this step."""
        rule, settings, maximize = self.rule, group.settings, group.maximize
        for p, state in cohort.slots:
            g = gradient(p)
            if g is None:
                continue
            # Loops: in Python 3.11 a list comprehension costs a function call.
            arrays = [p.array, -g if maximize else g]
            for x in state:
                arrays.append(None if x is None else x.array)
            new = rule(*arrays, *numbers, **settings)
            p.renew(new[0])
            for k, x in enumerate(state, 1):
                if x is not None:
                    x.renew(new[k])
                elif new[k] is not None:
                    state[k - 1] = leaf(Tensor, new[k])

    # --- going on later ---

    def state_dict(self) -> dict[str, Any]:
        """The settings of the groups, and a copy of the state of every parameter, by number."""
        numbers = {id(p): k for k, p in enumerate(self.params)}
        state = {
            numbers[id(p)]: {
                **self.counted(cohort),
                **{
                    name: np.array(x.array)
                    for name, x in zip(self.state_names, arrays, strict=True)
                    if x is not None
                },
            }
            for group in self.param_groups
            for cohort in group.cohorts
            for p, arrays in cohort.slots
        }
        groups = [
            {**group.all_settings(), "params": [numbers[id(p)] for p in group.params]}
            for group in self.param_groups
        ]
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def counted(self, cohort: Cohort) -> dict[str, Any]:
        return {name: getattr(cohort, name) for name in self.counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on exactly where another optimizer of the same parameters stopped.

        Raises:
            ValueError: the state has other groups, names or shapes; nothing is changed.
        """
        self.refuse_others("the state", state, {"state", "param_groups"})
        given, numbers = state["param_groups"], iter(range(len(self.params)))
        expected = [[next(numbers) for _ in group.params] for group in self.param_groups]
        if [group.get("params") for group in given] != expected:
            raise ValueError(
                f"the state is for groups of {[len(group['params']) for group in given]} "
                f"parameters, these are {[len(part) for part in expected]}"
            )
        for group, new in zip(self.param_groups, given, strict=True):
            self.refuse_others("a group", new, set(group.keys()))
            self.check({name: value for name, value in new.items() if name != "params"})
        saved = {str(k): x for k, x in state["state"].items()}  # JSON makes texts of numbers
        if others := sorted(saved.keys() - set(map(str, range(len(self.params))))):
            raise ValueError(
                f"the state is of parameters {', '.join(others)}, here are {len(self.params)}, "
                "numbered from 0"
            )
        loaded = [self.loaded(k, p, saved.get(str(k), {})) for k, p in enumerate(self.params)]
        for group, new in zip(self.param_groups, given, strict=True):
            for name, value in new.items():
                if name in group.settings:
                    group.settings[name] = plain(value)
                elif name != "params":
                    setattr(group, name, value)
            group.cohorts = self.together([loaded[k] for k in new["params"]])

    def refuse_others(self, what: str, given: Mapping[str, Any], expected: set[str]) -> None:
        if set(given) != expected:
            raise ValueError(f"{what} has {sorted(given)}, expected {sorted(expected)}")

    def loaded(self, k: int, p: Tensor, state: Mapping[str, Any]) -> tuple[Slot, dict[str, Any]]:
        """The parameter with its state, and what is counted for it."""
        started = dict(zip(self.state_names, self.start(p.array), strict=True))
        needed = [*self.counts, *(name for name, x in started.items() if x is not None)]
        perhaps = [name for name, x in started.items() if x is None]
        if not set(needed) <= set(state) <= {*needed, *perhaps}:
            raise ValueError(
                f"the state of parameter {k} has {sorted(state)}, expected {needed}"
                + (f" and perhaps {perhaps}" if perhaps else "")
            )
        arrays: list[Tensor | None] = []
        for name in self.state_names:
            array = np.array(state[name], dtype=p.dtype, order="C") if name in state else None
            if array is not None and array.shape != p.shape:
                raise ValueError(
                    f"the state is for parameters of other shapes: {name} of parameter {k} has "
                    f"{array.shape}, the parameter {p.shape}"
                )
            arrays.append(None if array is None else leaf(Tensor, array))
        counts = {name: float(state[name]) for name in self.counts}
        return (p, arrays), counts

    def together(self, loaded: list[tuple[Slot, dict[str, Any]]]) -> list[Cohort]:
        """Cohorts of parameters with the same counts."""
        cohorts: dict[tuple[Any, ...], Cohort] = {}
        for slot, counts in loaded:
            cohort = cohorts.setdefault(tuple(counts.values()), Cohort([], counts))
            cohort.slots.append(slot)
        return list(cohorts.values())

    def __repr__(self) -> str:
        if len(self.param_groups) == 1:
            return f"{type(self).__name__}({self.param_groups[0]!r})"
        groups = "".join(f"\n  {group!r}" for group in self.param_groups)
        return f"{type(self).__name__}({groups}\n)"
