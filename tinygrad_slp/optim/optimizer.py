"""Optimizer: parameters in groups, their state, and the step that an update rule takes for each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import Parameter, Signature, signature
from typing import Any, ClassVar

import numpy as np

from ..checks import at_least, below_1, flag
from ..graph import leaf
from ..tensor import Tensor
from ..walk import forget, gradient
from .group import Cohort, Group, Slot, listed, parameters_in, refuse_twice

Params = Iterable[Tensor] | Iterable[Mapping[str, Any]]

TORCHS = {
    "foreach", "capturable", "differentiable", "fused", "base_momentum", "max_momentum", "max_lr",
    "min_lr",
}  # fmt: skip
"""What PyTorch's groups hold besides settings: how it computes, and what its OneCycleLR notes."""


class Optimizer:
    """Base of all optimizers: w and its state become what an update rule makes of them and ∂L/∂w.

    A subclass names a function of plain arrays,

        rule(w, g, *state, lr, *counts, **settings) -> (w, *state)

    that returns new arrays and writes into none. State that the rule does not keep is None. The
    rule's signature is where the settings and their defaults are read; `class AdamW(Adam,
    weight_decay=0.01)` gives them other defaults.

    Args:
        params: Tensors that require grad, such as `model.parameters()`; or a list of dicts, each
            with "params" and the settings in which this group differs from the others.
        lr: the learning rate; may be changed between steps, as `optimizer.lr`.
        settings: what else the rule takes: numbers of 0 or more, pairs of numbers from 0 to below
            1, and flags.
        maximize: go up instead of down.

    Attributes:
        param_groups: the groups; `optimizer.param_groups[0]["lr"] = 0.1` changes a setting.

    Raises:
        TypeError: params are not Tensors, or settings no numbers, or unknown.
        ValueError: no params, a parameter twice, or settings out of range.
    """

    rule: Callable[..., tuple[Any, ...]]
    state_names: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[dict[str, float]] = {}
    """What is counted for all parameters of a cohort alike, and where the counting begins.

    A parameter that has no gradient in a step does not take it: it then counts for itself.
    """
    settings: ClassVar[dict[str, Any]] = {}
    """All settings of the class by name, with their defaults."""
    fixed: ClassVar[dict[str, Any]] = {}
    """Settings that make the class what it is: they are not to be changed."""

    def __init_subclass__(cls, **defaults: Any) -> None:
        super().__init_subclass__()
        if "rule" in vars(cls):
            cls.rule = staticmethod(cls.rule)  # def rule(w, g, lr): ... is a rule too
            cls.settings = dict(settings_of(cls, len(cls.state_names), len(cls.counts)))
        cls.settings = {**cls.settings, **defaults, **cls.fixed, "maximize": False}
        if cls.__init__ is Optimizer.__init__:
            cls.__signature__ = cls.arguments()  # type: ignore[attr-defined]

    @classmethod
    def arguments(cls) -> Signature:
        """What the class is called with."""
        given = {k: x for k, x in cls.settings.items() if k not in {*cls.fixed, "maximize"}}
        return Signature(
            [
                Parameter("params", Parameter.POSITIONAL_OR_KEYWORD),
                *(
                    Parameter(k, Parameter.POSITIONAL_OR_KEYWORD, default=x)
                    for k, x in given.items()
                ),
                Parameter("maximize", Parameter.KEYWORD_ONLY, default=False),
            ]
        )

    def __init__(self, params: Params, *given: Any, **settings: Any) -> None:
        try:
            bound = self.arguments().bind(params, *given, **settings)
        except TypeError as error:
            raise TypeError(
                f"{type(self).__name__} {error}; it takes {', '.join(self.arguments().parameters)}"
            ) from None
        chosen = {k: x for k, x in bound.arguments.items() if k != "params"}
        self.defaults = {**self.settings, **chosen}
        self.param_groups: list[Group] = []
        found = listed(params)
        grouped = found and isinstance(found[0], Mapping)
        for group in found if grouped else [{"params": found}]:
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
        added = Group(params, {**self.defaults, **own}, self.checked)
        slots: list[Slot] = [(p, self.start(p.array)) for p in params]
        added.cohorts = [Cohort(slots, self.counts)]
        self.param_groups.append(added)

    def start(self, w: Any) -> list[Tensor | None]:
        """The state of a parameter before its first step."""
        return [None for _ in self.state_names]

    @classmethod
    def checked(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings as numbers of Python, so that float32 parameters stay float32.

        Each is of the kind of its default: a flag, a pair of numbers, or a number.

        Raises:
            TypeError: a setting is no number,
            ValueError: or out of range; with its name, its value and its range.
        """
        for name, value in cls.fixed.items():
            if settings[name] != value:
                raise ValueError(f"{name} of {cls.__name__} is {value}, got {settings[name]!r}")
        return {name: like(cls.settings[name], name, value) for name, value in settings.items()}

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
            for cohort in self.ready(group) if self.counts else group.cohorts:
                self.update(group, cohort, self.numbers(group, cohort))
        return loss

    def ready(self, group: Group) -> list[Cohort]:
        """The cohorts that have gradients; those where some do and some do not, are split first."""
        for cohort in list(group.cohorts):
            idle = [slot for slot in cohort.slots if slot[0].grad is None]
            if 0 < len(idle) < len(cohort.slots):
                cohort.slots = [slot for slot in cohort.slots if slot[0].grad is not None]
                group.cohorts.append(Cohort(idle, self.counted(cohort)))
        return [cohort for cohort in group.cohorts if cohort.slots[0][0].grad is not None]

    def numbers(self, group: Group, cohort: Cohort) -> tuple[Any, ...]:
        """The learning rate, and the counts that the rule asks for, with this step."""
        lr = group.lr
        if not self.counts:
            return (lr,)
        cohort.step = cohort.step + 1
        return lr, cohort.step

    def update(self, group: Group, cohort: Cohort, numbers: tuple[Any, ...]) -> None:
        """One step of the rule for each of these parameters, given the numbers of this step."""
        rule, settings, maximize = self.rule, group.settings, group.maximize
        for p, state in cohort.slots:
            grad = p.grad
            if grad is None:
                continue
            g = grad.array if type(grad) is Tensor else gradient(p)
            # Loops: in Python 3.11 a list comprehension costs a function call.
            given = [p.array, -g if maximize else g]
            for x in state:
                given.append(None if x is None else x.array)
            given += numbers
            new = rule(*given, **settings)
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
            {**group.saved_settings(), "params": [numbers[id(p)] for p in group.params]}
            for group in self.param_groups
        ]
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def counted(self, cohort: Cohort) -> dict[str, Any]:
        return {name: getattr(cohort, name) for name in self.counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on exactly where another optimizer of the same parameters stopped.

        A state of the same optimizer in PyTorch is taken too. What makes a class what it is stays:
        AdamW that is given Adam's state goes on as AdamW.

        Raises:
            TypeError, ValueError: the state has other groups, names or shapes, or settings out of
                range; nothing is changed.
        """
        self.refuse_others("the state", state, {"state", "param_groups"})
        of_torch = any("foreach" in group for group in state["param_groups"])
        given = [self.own_settings(group, of_torch) for group in state["param_groups"]]
        numbers = iter(range(len(self.params)))
        expected = [[next(numbers) for _ in group.params] for group in self.param_groups]
        if [group.get("params") for group in given] != expected:
            raise ValueError(
                f"the state is for groups of {[len(group.get('params', ())) for group in given]} "
                f"parameters, these are {[len(part) for part in expected]}"
            )
        checked = []
        for group, new in zip(self.param_groups, given, strict=True):
            self.refuse_others("a group", new.keys() - {"initial_lr"}, set(group.keys()))
            checked.append(self.checked({k: new[k] for k in new if k in self.settings}))
        saved = {str(k): x for k, x in state["state"].items()}  # JSON makes texts of numbers
        if others := sorted(saved.keys() - set(map(str, range(len(self.params))))):
            raise ValueError(
                f"the state is of parameters {', '.join(others)}, here are {len(self.params)}, "
                "numbered from 0"
            )
        loaded = [
            self.loaded(k, p, own_state(self, saved.get(str(k)), of_torch))
            for k, p in enumerate(self.params)
        ]
        for group, new, settings in zip(self.param_groups, given, checked, strict=True):
            group.take(settings)
            group.initial_lr = new.get("initial_lr")
            group.cohorts = self.together([loaded[k] for k in new["params"]])

    def own_settings(self, group: Mapping[str, Any], of_torch: bool) -> dict[str, Any]:
        """A saved group without what only PyTorch has; flags that it did not have yet are False."""
        flags = {k: False for k, x in self.settings.items() if of_torch and x is False}
        own = {k: x for k, x in group.items() if not (of_torch and k in TORCHS)}
        return {**flags, **own, **{k: x for k, x in self.fixed.items() if k in own or of_torch}}

    def refuse_others(self, what: str, given: Iterable[str], expected: set[str]) -> None:
        if set(given) != expected:
            raise ValueError(f"{what} has {sorted(given)}, expected {sorted(expected)}")

    def loaded(
        self, k: int, p: Tensor, state: Mapping[str, Any] | None
    ) -> tuple[Slot, dict[str, Any]]:
        """The parameter with its state, and what is counted for it; None: before its first step."""
        if state is None:
            return (p, self.start(p.array)), dict(self.counts)
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
            array = array_like(p, state[name]) if name in state else None
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


def settings_of(cls: type[Optimizer], states: int, counts: int) -> Iterator[tuple[str, Any]]:
    """The settings of a class and their defaults, as the signature of its rule has them.

    Of a setting without a default the parent's is taken, or it has to be given.
    """
    parameters = list(signature(cls.rule).parameters.values())
    if any(x.kind is Parameter.VAR_KEYWORD for x in parameters):
        yield from cls.settings.items()
    named = [x for x in parameters if x.kind is Parameter.POSITIONAL_OR_KEYWORD][2 + states :]
    for x in [*named[:1], *named[1 + counts :]]:
        inherited = cls.settings.get(x.name, Parameter.empty)
        yield x.name, inherited if x.default is Parameter.empty else x.default


def like(default: Any, name: str, value: Any) -> Any:
    """A setting of the kind of its default: a flag, numbers from 0 to below 1, or a number."""
    if isinstance(default, bool):
        return flag(name, value)
    if isinstance(default, tuple):
        if not isinstance(value, tuple | list) or len(value) != len(default):
            kind = ValueError if isinstance(value, tuple | list) else TypeError
            raise kind(f"{name} should be {len(default)} numbers, as {default}; got {value!r}")
        return tuple(below_1(f"{name}[{k}]", x) for k, x in enumerate(value))
    return at_least(name, value, 0)


def array_like(p: Tensor, x: Any) -> Any:
    """A copy of an array, or of a tensor of PyTorch, in the dtype of a parameter."""
    return np.array(np.asarray(x), dtype=p.dtype, order="C")


def own_state(
    optimizer: Optimizer, state: Mapping[str, Any] | None, of_torch: bool
) -> Mapping[str, Any] | None:
    """The saved state of a parameter; PyTorch has none before the first step, and counts always."""
    if not of_torch or state is None:
        return None if of_torch else state or {}
    unused = {"step"} - optimizer.counts.keys()
    return {name: x for name, x in state.items() if x is not None and name not in unused}
