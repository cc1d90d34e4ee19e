"""Schedules of one optimizer act together as PyTorch's do, whatever sets its rates in between."""

from itertools import product

import numpy as np
import pytest
from test_optim_against_torch import made, pair, rates
from torch_peers import float64, near, torch  # noqa: F401

from tinygrad_slp import Tensor, optim

STEPS = 30
PLANS = {
    "StepLR": {"step_size": 4, "gamma": 0.7}, "MultiStepLR": {"milestones": [0, 3, 9, 9, 20]},
    "ExponentialLR": {"gamma": 0.93}, "LinearLR": {"start_factor": 0.1, "total_iters": 12},
    "CosineAnnealingLR": {"T_max": 7, "eta_min": 0.003},
    "OneCycleLR": {"max_lr": [0.3, 0.1], "total_steps": 40},
    "ReduceLROnPlateau": {"patience": 1, "factor": 0.5, "min_lr": [1e-4, 0]},
    "SequentialLR": {},
}  # fmt: skip
LOSSES = np.random.default_rng(0).uniform(1, 2, STEPS)


def both(name, ours, theirs):
    """The same schedule here and there; of SequentialLR, one of four parts."""
    if name != "SequentialLR":
        return made(name, PLANS[name], ours, theirs)
    names = ["LinearLR", "CosineAnnealingLR", "MultiStepLR", "OneCycleLR"]
    parts = [made(part, PLANS[part], ours, theirs) for part in names]
    return (
        optim.SequentialLR(ours, [a for a, _ in parts], [5, 9, 17]),
        torch.optim.lr_scheduler.SequentialLR(theirs, [b for _, b in parts], [5, 9, 17]),
    )


def step(name, schedule, k):
    schedule.step(*([LOSSES[k]] if name == "ReduceLROnPlateau" else []))


# Two cycles of PyTorch share the fields of one group: the later one's numbers are both's.
CYCLES = {"OneCycleLR", "SequentialLR"}
PAIRS = [(a, b) for a, b in product(PLANS, PLANS) if not (a in CYCLES and b in CYCLES)]


@pytest.mark.filterwarnings("ignore:Detected call of", "ignore:The epoch parameter")
@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("by_hand", [False, True])
def test_two_schedules_give_the_rates_of_torch(first, second, by_hand):
    ours, theirs = pair()
    schedules = [both(name, ours, theirs) for name in (first, second)]
    for k in range(STEPS):
        near(rates(ours), rates(theirs), 1e-12)
        if by_hand and k in (6, 13):
            for optimizer in (ours, theirs):
                for group, lr in zip(optimizer.param_groups, (0.05 * k, 0.7), strict=True):
                    group["lr"] = lr
        if k == 16:
            ours, schedules = resumed(ours, schedules, (first, second))
        for name, (a, b) in zip((first, second), schedules, strict=True):
            step(name, b, k)
            if min(rates(theirs)) < 0:  # PyTorch then trains uphill
                with pytest.raises(ValueError, match=r"below 0.* eta_min"):
                    step(name, a, k)
                return
            step(name, a, k)
    near(rates(ours), rates(theirs), 1e-12)


def resumed(optimizer, schedules, names):
    """New ones of the same plans, which are given the states of the old ones."""
    other, dummy = pair()
    new = [both(name, other, dummy)[0] for name in names]
    other.load_state_dict(optimizer.state_dict())
    for a, (old, _) in zip(new, schedules, strict=True):
        a.load_state_dict(old.state_dict())
    return other, [(a, b) for a, (_, b) in zip(new, schedules, strict=True)]


def test_a_warm_up_and_then_a_plateau():
    optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    warm_up = optim.LinearLR(optimizer, 0.5, total_iters=2)
    plateau = optim.ReduceLROnPlateau(optimizer, patience=0)
    found = []
    for loss in (3, 2, 2, 2, 2):
        warm_up.step()
        plateau.step(loss)
        found.append(optimizer.lr)
    np.testing.assert_allclose(found, [0.75, 1, 0.1, 0.01, 0.001], rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "options", "factor"),
    [
        (optim.StepLR, {"step_size": 1, "gamma": 0.5}, 0.5),
        (optim.MultiStepLR, {"milestones": [1, 1], "gamma": 0.5}, 0.25),
        (optim.ExponentialLR, {"gamma": 0.5}, 0.5), (optim.ExponentialLR, {"gamma": 0}, 0),
        (optim.LinearLR, {"start_factor": 0.25, "end_factor": 1, "total_iters": 3}, 2),
        (optim.LinearLR, {"start_factor": 1, "end_factor": 0, "total_iters": 1}, 0),
        (optim.CosineAnnealingLR, {"T_max": 2}, 0.5), (optim.CosineAnnealingLR, {"T_max": 1}, 0),
    ],
)  # fmt: skip
def test_a_rate_set_by_hand_is_what_the_next_step_changes(make, options, factor):
    optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=8.0)
    schedule = make(optimizer, **options)
    optimizer.lr = 3.0
    schedule.step()
    assert optimizer.lr == pytest.approx(3 * factor, rel=1e-14, abs=1e-15)
