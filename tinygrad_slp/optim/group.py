"""Group: parameters that are updated with the same settings, and their state."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..tensor import Tensor
from .live import Live

Slot = tuple[Tensor, list[Tensor | None]]
"""A parameter, and the arrays that its update rule keeps from step to step; None: not yet."""


class Cohort:
    """Parameters that have taken equally many steps, and what follows from that number.

    Attributes:
        slots: the parameters, each with its state.
        step: how many steps they have taken, if the rule asks for it.
        mu_product: of NAdam, μ₁·μ₂···μₜ.
    """

    step = Live()
    mu_product = Live()

    def __init__(self, slots: list[Slot], counts: Mapping[str, Any]) -> None:
        self.slots = slots
        for name, value in counts.items():
            setattr(self, name, value)


class Group:
    """Parameters that are updated with the same settings: group["lr"] and so on, as in PyTorch.

    The learning rate may change from step to step also under `jit`; after another setting has
    changed, a step is traced again.

    Args:
        params: the parameters.
        settings: all settings, by name.
        check: gives them as numbers of Python, or refuses them.
    """

    lr = Live()

    def __init__(
        self,
        params: list[Tensor],
        settings: dict[str, Any],
        check: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        self.params = params
        self.check = check
        self.take(check(settings))
        self.initial_lr: float | None = None  # where the schedules begin
        self.cohorts: list[Cohort] = []

    def take(self, settings: Mapping[str, Any]) -> None:
        """Takes all settings: the rule's as they are, the others as fields."""
        self.lr, self.maximize = settings["lr"], settings["maximize"]
        # Each step copies these: a dict that nothing was popped from is copied at once.
        self.settings = {k: x for k, x in settings.items() if k not in ("lr", "maximize")}

    def keys(self) -> list[str]:
        """The names that group[name] takes."""
        return ["params", "lr", *self.settings, "maximize"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, name: str) -> Any:
        self.refuse_unknown(name)
        return self.settings[name] if name in self.settings else getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.refuse_unknown(name)
        if name == "params":
            raise TypeError("write optimizer.add_param_group({'params': [...]}) to add parameters")
        found = self.check({**self.all_settings(), name: value})[name]
        if name in self.settings:
            self.settings[name] = found
        else:
            setattr(self, name, found)

    def refuse_unknown(self, name: str) -> None:
        if name not in self.keys():
            raise KeyError(f"no setting {name!r}; there are {', '.join(self.keys())}")

    def all_settings(self) -> dict[str, Any]:
        """All settings by name, without the parameters."""
        return {"lr": self.lr, **self.settings, "maximize": self.maximize}

    def saved_settings(self) -> dict[str, Any]:
        """All settings, and where the schedules began, if there are any."""
        begin = {} if self.initial_lr is None else {"initial_lr": self.initial_lr}
        return {**self.all_settings(), **begin}

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.all_settings().items())
        count, size = len(self.params), sum(p.size for p in self.params)
        return f"{settings}: {count} parameter{'s' * (count != 1)} of {size:,} numbers"


def listed(params: Any) -> list[Any]:
    """What is given as parameters, or as groups of them, as a list.

    Raises:
        TypeError: it is no iterable of them.
    """
    if isinstance(params, Tensor):
        raise TypeError("params is one Tensor; write [w] for a list of it")
    try:
        each = iter(params)
    except TypeError:
        raise no_parameters(params) from None
    return list(each)


def no_parameters(x: Any) -> TypeError:
    return TypeError(
        f"params should be Tensors, such as model.parameters(); got {type(x).__name__}: {x!r:.60}"
    )


def parameters_in(params: Iterable[Tensor]) -> list[Tensor]:
    """The parameters as a list.

    Raises:
        TypeError: these are not Tensors.
        ValueError: there are none, one of them is there twice, or was computed.
    """
    found = listed(params)
    for p in found:
        if not isinstance(p, Tensor):
            raise no_parameters(p)
        if p.function is not None:
            raise ValueError("only leaves can be optimized, and one of params was computed")
    if not found:
        raise ValueError("no parameters to optimize: is this the right model?")
    refuse_twice(found)
    return found


def refuse_twice(params: list[Tensor]) -> None:
    if len({id(p) for p in params}) < len(params):
        raise ValueError("a parameter is given twice and would be updated twice a step")
