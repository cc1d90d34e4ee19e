"""The same optimizers, schedules and clipping in PyTorch: fifty steps agree, to rounding."""

import numpy as np
import pytest
from torch_peers import float64, near, torch  # noqa: F401

from tinygrad_slp import Tensor, optim

STEPS = 50
OPTIONS = {
    "SGD": [
        {}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "maximize": True},
    ],
    "Adam": [
        {}, {"lr": 0.1, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "AdamW": [
        {}, {"lr": 0.1, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True},
        {"lr": 0.1, "maximize": True},
    ],
    "RMSprop": [
        {}, {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.8, "centered": True},
        {"maximize": True, "centered": True}, {"momentum": 0.5},
    ],
    "Adagrad": [
        {}, {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3},
        {"eps": 1e-3, "maximize": True},
    ],
    "NAdam": [
        {}, {"lr": 0.1, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        {"momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"maximize": True},
    ],
}  # fmt: skip
CASES = [(name, options) for name, cases in OPTIONS.items() for options in cases]


def start(seed=0):
    """The same two parameters, here and there."""
    rng = np.random.default_rng(seed)
    arrays = rng.normal(size=(3, 2)), rng.normal(size=2)
    return [Tensor(x, requires_grad=True) for x in arrays], [
        torch.tensor(x, requires_grad=True) for x in arrays
    ]


def gradients(parameters, k):
    """Gradients of step k: some of the parameter, some of no pattern."""
    rng = np.random.default_rng(100 + k)
    return [np.sin(3 * np.asarray(p)) + rng.normal(size=p.shape) for p in parameters]


def give(ours, theirs, k, idle=()):
    found = gradients([p.detach().numpy() for p in theirs], k)
    for i, (p, q, g) in enumerate(zip(ours, theirs, found, strict=True)):
        p.grad = None if i in idle else Tensor(g)
        q.grad = None if i in idle else torch.tensor(g)


def agree(ours, theirs, rtol=1e-10):
    for p, q in zip(ours, theirs, strict=True):
        near(p.data, q, rtol)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_fifty_steps_are_those_of_torch(name, options):
    ours, theirs = start()
    a = getattr(optim, name)(ours, **options)
    b = getattr(torch.optim, name)(theirs, **options)
    for k in range(STEPS):
        give(ours, theirs, k)
        a.step()
        b.step()
        agree(ours, theirs)


@pytest.mark.parametrize("name", OPTIONS)
def test_groups_and_parameters_that_miss_steps(name):
    ours, theirs = start()
    optimizers = [
        getattr(module, name)([{"params": p[:1], "lr": 0.05}, {"params": p[1:]}], lr=0.01)
        for module, p in ((optim, ours), (torch.optim, theirs))
    ]
    late, other = start(1)
    for optimizer, p in zip(optimizers, (late, other), strict=True):
        optimizer.add_param_group({"params": p, "weight_decay": 0.1})
    for k in range(STEPS):
        give(ours + late, theirs + other, k, [(), (0,), (2,), (1, 3)][k // 3 % 4])
        for optimizer in optimizers:
            optimizer.step()
        agree(ours + late, theirs + other)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_defaults_and_names_of_arguments_are_those_of_torch(name, options):
    ours, theirs = start()
    a = getattr(optim, name)(ours, **options).param_groups[0]
    b = getattr(torch.optim, name)(theirs, **options).param_groups[0]
    for setting in a:
        if setting != "params":
            assert a[setting] == b[setting], setting


def as_torch_has_it(state):
    """Our state with PyTorch's tensors; it has none of a parameter before its first step."""
    tensors = {
        k: {name: torch.tensor(x) for name, x in kept.items()}
        for k, kept in state["state"].items()
        if kept.get("step", 1)
    }
    return {"state": tensors, "param_groups": state["param_groups"]}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("to_torch", [False, True])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_training_moves_from_torch_to_here_and_back(name, options, to_torch):
    """The state of PyTorch's optimizer as it is; with a schedule, and a parameter that waits."""
    if to_torch and name in ("RMSprop", "Adagrad"):
        pytest.skip("PyTorch asks for a count here, or for what it makes before the first step")
    ours, theirs = start()
    a = getattr(optim, name)(ours, **options)
    b = getattr(torch.optim, name)(theirs, **options)
    torch.optim.lr_scheduler.ExponentialLR(b, 0.9)
    for k in range(10):
        give(ours, theirs, k, idle=(1,))
        a.step()
        b.step()
    if to_torch:
        b = getattr(torch.optim, name)(theirs)
        b.load_state_dict(as_torch_has_it(a.state_dict()))
    else:
        a = getattr(optim, name)(ours)
        a.load_state_dict(b.state_dict())
        assert a.param_groups[0].initial_lr == a.lr
    for k in range(10, 20):
        give(ours, theirs, k)
        a.step()
        b.step()
        agree(ours, theirs)


# --- schedules ---

SCHEDULES = {
    "StepLR": [{"step_size": 7}, {"step_size": 3, "gamma": 0.9}],
    "MultiStepLR": [{"milestones": [5, 20, 20, 33]}, {"milestones": [30, 10], "gamma": 0.5}],
    "ExponentialLR": [{"gamma": 0.93}],
    "LinearLR": [{}, {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 20}],
    "CosineAnnealingLR": [{"T_max": 50}, {"T_max": 15, "eta_min": 0.003}],
    "OneCycleLR": [
        {"max_lr": 0.3, "total_steps": 51}, {"max_lr": [0.3, 0.1], "total_steps": 60},
        {"max_lr": 1, "total_steps": 51, "anneal_strategy": "linear", "three_phase": True},
        {"max_lr": 1, "total_steps": 55, "pct_start": 0.1, "div_factor": 3, "final_div_factor": 9},
    ],
}  # fmt: skip
PLANS = [(name, options) for name, cases in SCHEDULES.items() for options in cases]


def pair():
    """An optimizer with two groups, here and there."""
    return [
        module.SGD([{"params": p[:1]}, {"params": p[1:], "lr": 0.02}], lr=0.1)
        for module, p in zip((optim, torch.optim), start(), strict=True)
    ]


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def made(name, options, ours, theirs):
    extra = {"cycle_momentum": False} if name == "OneCycleLR" else {}
    return (
        getattr(optim, name)(ours, **options),
        getattr(torch.optim.lr_scheduler, name)(theirs, **options, **extra),
    )


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("name", "options"), PLANS)
def test_the_rates_of_a_schedule_are_those_of_torch(name, options):
    ours, theirs = pair()
    a, b = made(name, options, ours, theirs)
    for _ in range(STEPS):
        near(rates(ours), rates(theirs))
        assert a.get_last_lr() == rates(ours)
        a.step()
        b.step()
    near(rates(ours), rates(theirs))


@pytest.mark.filterwarnings("ignore:Detected call of", "ignore:The epoch parameter")
def test_the_rates_of_schedules_in_sequence_are_those_of_torch():
    ours, theirs = pair()
    parts = [("LinearLR", {}), ("CosineAnnealingLR", {"T_max": 30}), ("StepLR", {"step_size": 4})]
    parts = [made(name, options, ours, theirs) for name, options in parts]
    a = optim.SequentialLR(ours, [a for a, _ in parts], [5, 35])
    b = torch.optim.lr_scheduler.SequentialLR(theirs, [b for _, b in parts], [5, 35])
    for _ in range(STEPS):
        near(rates(ours), rates(theirs))
        a.step()
        b.step()


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2}, {"patience": 1, "cooldown": 3, "factor": 0.5, "min_lr": 0.004},
        {"mode": "max", "patience": 2, "threshold": 0.01},
        {"mode": "max", "threshold_mode": "abs", "patience": 1, "min_lr": [0.01, 0.0]},
        {"threshold_mode": "abs", "threshold": 0.05, "patience": 1, "factor": 0.7},
    ],
)  # fmt: skip
def test_rates_on_a_plateau_fall_when_those_of_torch_do(options):
    ours, theirs = pair()
    a = optim.ReduceLROnPlateau(ours, **options)
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    losses = np.random.default_rng(0).uniform(0, 1, STEPS) / np.arange(1, STEPS + 1)
    for loss in losses:
        a.step(loss)
        b.step(loss)
        near(rates(ours), rates(theirs))


# --- clipping ---


@pytest.mark.parametrize("norm_type", [1, 2, 2.0, 3, float("inf")])
@pytest.mark.parametrize("max_norm", [0.3, 100, 0])
def test_gradients_clipped_by_norm_are_those_of_torch(max_norm, norm_type):
    ours, theirs = start()
    give(ours, theirs, 0)
    norm = optim.clip_grad_norm_(ours, max_norm, norm_type)
    near(norm, torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type), 1e-13)
    for p, q in zip(ours, theirs, strict=True):
        near(p.grad.data, q.grad, 1e-13)


def test_gradients_clipped_by_value_are_those_of_torch():
    ours, theirs = start()
    give(ours, theirs, 0)
    optim.clip_grad_value_(ours, 0.3)
    torch.nn.utils.clip_grad_value_(theirs, 0.3)
    for p, q in zip(ours, theirs, strict=True):
        near(p.grad.data, q.grad, 1e-13)
