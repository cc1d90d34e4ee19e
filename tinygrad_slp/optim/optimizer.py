"""Optimizer: parameters in groups, their state, and the step that an update rule takes for each."""

from collections.abc import Callable, Collection, Iterable, Mapping
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

        rule(w, g, *state, lr, t, **settings) -> (w, *state)

    that returns new arrays and writes into none. All else is read off its signature. What comes
    before lr is state, which begins as zeros if its default is 0, else as None. t, directly after
    lr, is the number of the step, 1, 2, ...; a rule that does not count leaves it out. All others
    are settings and their defaults; `class AdamW(Adam, weight_decay=0.01)` gives them others.

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
    """What the state is called in files; by default as in the rule."""
    starts: ClassVar[tuple[Any, ...]] = ()
    """What the state begins as: 0 for zeros, or None."""
    counts: ClassVar[dict[str, float]] = {}
    """What is counted for all parameters of a cohort alike, and where the counting begins.

    By default the steps, if the rule takes t. A parameter that has no gradient in a step does not
    take it: it then counts for itself.
    """
    settings: ClassVar[dict[str, Any]] = {}
    """All settings of the class by name, with their defaults."""
    fixed: ClassVar[dict[str, Any]] = {}
    """Settings that make the class what it is: they are not to be changed."""

    def __init_subclass__(cls, **defaults: Any) -> None:
        super().__init_subclass__()
        if "rule" in vars(cls):
            cls.rule = staticmethod(cls.rule)  # def rule(w, g, lr): ... is a rule too
            cls.read_rule()
        cls.settings = {**cls.settings, **defaults, **cls.fixed, "maximize": False}
        if cls.__init__ is Optimizer.__init__:
            cls.__signature__ = cls.arguments()  # type: ignore[attr-defined]

    @classmethod
    def read_rule(cls) -> None:
        """Takes state and settings from the rule's signature; what it leaves open is inherited."""
        parameters = list(signature(cls.rule).parameters.values())
        parents = cls.settings
        inherits = any(x.kind is Parameter.VAR_KEYWORD for x in parameters)
        any_other = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD
        named = [x for x in parameters if x.kind not in any_other][2:]
        names = [x.name for x in named]
        if "lr" not in names:
            if not inherits:
                raise TypeError(f"{cls.__name__}: a rule takes lr, as def rule(w, g, lr=0.01) does")
            return
        k = names.index("lr")
        cls.state_names = vars(cls).get("state_names", tuple(names[:k]))
        if len(cls.state_names) != k:
            raise TypeError(
                f"{cls.__name__}: between g and lr the rule takes the state {names[:k]}, and "
                f"state_names are {list(cls.state_names)}"
            )
        counts = {"step": 0} if "t" in names else {}
        cls.counts = vars(cls).get("counts", counts)
        if (names.index("t") if "t" in names else k) != k + bool(cls.counts):
            raise TypeError(
                f"{cls.__name__}: the rule takes {names}; t, the number of the step, comes "
                "directly after lr, as in def rule(w, g, m=0, lr=0.01, t=1, beta=0.9)"
            )
        cls.starts = tuple(None if x.default is Parameter.empty else x.default for x in named[:k])
        cls.settings = dict(parents) if inherits else {}
        for x in [named[k], *named[k + 1 + len(cls.counts) :]]:
            own = x.default is not Parameter.empty
            cls.settings[x.name] = x.default if own else parents.get(x.name, x.default)

    @classmethod
    def arguments(cls) -> Signature:
        """What the class is called with."""
        own = [k for k in cls.settings if k not in {*cls.fixed, "maximize"}]
        named = [
            Parameter(k, Parameter.POSITIONAL_OR_KEYWORD, default=cls.settings[k]) for k in own
        ]
        params = Parameter("params", Parameter.POSITIONAL_OR_KEYWORD)
        maximize = Parameter("maximize", Parameter.KEYWORD_ONLY, default=False)
        return Signature([params, *named, maximize])

    def __init__(self, params: Params, *args: Any, **settings: Any) -> None:
        try:
            chosen = self.arguments().bind(params, *args, **settings).arguments
        except TypeError as error:
            raise TypeError(
                f"{type(self).__name__} {error}; it takes {', '.join(self.arguments().parameters)}"
            ) from None
        del chosen["params"]
        self.defaults = {**self.settings, **chosen}
        self.param_groups: list[Group] = []
        each = listed(params)
        grouped = each and isinstance(each[0], Mapping)
        for group in each if grouped else [{"params": each}]:
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
        return [None if x is None else leaf(Tensor, np.full_like(w, x)) for x in self.starts]

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
            if type(new) is not tuple or len(new) != len(state) + 1:
                raise self.no_result(new)
            p.renew(new[0])
            for k, x in enumerate(state, 1):
                if x is not None:
                    x.renew(new[k])
                elif new[k] is not None:
                    state[k - 1] = leaf(Tensor, new[k])

    def no_result(self, new: Any) -> TypeError:
        got = f"{len(new)} values" if isinstance(new, tuple) else f"the {type(new).__name__} {new}"
        return TypeError(
            f"the rule of {type(self).__name__} should return a tuple, "
            f"({', '.join(['w', *self.state_names])},): got {got:.80}"
        )

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
        refuse_others("the state", state, {"state", "param_groups"})
        state = of_pytorch(self, state)
        groups = [{**group, **self.fixed} for group in state["param_groups"]]
        numbers = iter(range(len(self.params)))
        expected = [[next(numbers) for _ in group.params] for group in self.param_groups]
        if [group.get("params") for group in groups] != expected:
            raise ValueError(
                f"the state is for groups of {[len(group.get('params', ())) for group in groups]} "
                f"parameters, these are {[len(part) for part in expected]}"
            )
        checked = []
        for own, group in zip(self.param_groups, groups, strict=True):
            refuse_others("a group", group.keys() - {"initial_lr"}, set(own))
            checked.append(self.checked({k: group[k] for k in self.settings}))
        every = [str(k) for k in range(len(self.params))]  # JSON makes texts of numbers
        saved = {str(k): x for k, x in state["state"].items()}
        refuse_others("the state of all parameters", {*every, *saved}, set(every))
        loaded = [self.loaded(k, p, saved.get(str(k), {})) for k, p in enumerate(self.params)]
        for own, group, settings in zip(self.param_groups, groups, checked, strict=True):
            own.take(settings)
            own.initial_lr = group.get("initial_lr")
            own.cohorts = together([loaded[k] for k in group["params"]])

    def loaded(
        self, k: int, p: Tensor, state: Mapping[str, Any] | None
    ) -> tuple[Slot, dict[str, Any]]:
        """The parameter with its state, and what is counted for it; None: before its first step."""
        if state is None:
            return (p, self.start(p.array)), dict(self.counts)
        started = dict(zip(self.state_names, self.start(p.array), strict=True))
        optional = [name for name, x in started.items() if x is None]
        needed = [*self.counts, *(name for name in started if name not in optional)]
        if not set(needed) <= set(state) <= {*needed, *optional}:
            raise ValueError(
                f"the state of parameter {k} has {sorted(state)}, expected {needed}"
                + (f" and perhaps {optional}" if optional else "")
            )
        arrays = [array_like(p, state[n]) if n in state else None for n in self.state_names]
        for name, array in zip(self.state_names, arrays, strict=True):
            if array is not None and array.shape != p.shape:
                raise ValueError(
                    f"the state is for parameters of other shapes: {name} of parameter {k} has "
                    f"{array.shape}, the parameter {p.shape}"
                )
        counts = {name: float(state[name]) for name in self.counts}
        return (p, [None if x is None else leaf(Tensor, x) for x in arrays]), counts

    def __repr__(self) -> str:
        if len(self.param_groups) == 1:
            return f"{type(self).__name__}({self.param_groups[0]!r})"
        groups = "".join(f"\n  {group!r}" for group in self.param_groups)
        return f"{type(self).__name__}({groups}\n)"


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


def together(loaded: list[tuple[Slot, dict[str, Any]]]) -> list[Cohort]:
    """Cohorts of parameters with the same counts."""
    cohorts: dict[tuple[Any, ...], Cohort] = {}
    for slot, counts in loaded:
        cohorts.setdefault(tuple(counts.values()), Cohort([], counts)).slots.append(slot)
    return list(cohorts.values())


def refuse_others(what: str, given: Collection[str], expected: set[str]) -> None:
    if set(given) != expected:
        raise ValueError(f"{what} has {sorted(given)}, expected {sorted(expected)}")


def of_pytorch(optimizer: Optimizer, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state of PyTorch as one of ours: flags that it had not yet are False.

    There a parameter has no state before its first step, and always counts its steps.
    """
    if not any("foreach" in group for group in state["param_groups"]):
        return state
    flags = {k: False for k, x in optimizer.settings.items() if x is False}
    unused = {"step"} - optimizer.counts.keys()
    groups = [
        {**flags, **{k: x for k, x in group.items() if k not in TORCHS}}
        for group in state["param_groups"]
    ]
    every: dict[Any, Any] = dict.fromkeys(range(len(optimizer.params)))
    for k, own in state["state"].items():
        every[k] = {name: x for name, x in own.items() if x is not None and name not in unused}
    return {"state": every, "param_groups": groups}
