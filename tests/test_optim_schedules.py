"""Schedules follow their plans, resume exactly, and refuse what cannot be meant."""

import numpy as np
import pytest

from tinygrad_slp import Tensor, optim

PLANS = {
    optim.StepLR: {"step_size": 3}, optim.MultiStepLR: {"milestones": [2, 5]},
    optim.ExponentialLR: {"gamma": 0.9}, optim.LinearLR: {"total_iters": 4},
    optim.CosineAnnealingLR: {"T_max": 10, "eta_min": 0.01},
    optim.OneCycleLR: {"max_lr": 1.0, "total_steps": 20},
}  # fmt: skip


def new_optimizer():
    return optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.8)


def warm_up_and_cosine(optimizer):
    parts = [optim.LinearLR(optimizer, 0.25, total_iters=3), optim.CosineAnnealingLR(optimizer, 4)]
    return optim.SequentialLR(optimizer, parts, [3])


def path(schedule, steps):
    """The learning rates now and after each of these steps."""
    found = [schedule.optimizer.lr]
    for _ in range(steps):
        schedule.step()
        found.append(schedule.optimizer.lr)
    return found


def test_rates_are_those_worked_out_by_hand():
    for make, options, expected in (
        (optim.StepLR, {"step_size": 2, "gamma": 0.5}, [0.8, 0.8, 0.4, 0.4, 0.2]),
        (optim.MultiStepLR, {"milestones": [3, 1], "gamma": 0.5}, [0.8, 0.4, 0.4, 0.2, 0.2]),
        (optim.ExponentialLR, {"gamma": 0.5}, [0.8, 0.4, 0.2, 0.1, 0.05]),
        (optim.LinearLR, {"start_factor": 0.25, "total_iters": 3}, [0.2, 0.4, 0.6, 0.8, 0.8]),
        (optim.CosineAnnealingLR, {"T_max": 2, "eta_min": 0.2}, [0.8, 0.5, 0.2, 0.5, 0.8]),
        (
            optim.OneCycleLR,
            {"max_lr": 1, "total_steps": 5, "pct_start": 0.6, "anneal_strategy": "linear",
             "div_factor": 5, "final_div_factor": 2},
            [0.2, 0.6, 1.0, 0.55, 0.1, 0.1],
        ),
    ):  # fmt: skip
        found = path(make(new_optimizer(), **options), len(expected) - 1)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_warm_up_before_a_cosine():
    found = path(warm_up_and_cosine(new_optimizer()), 7)
    down = [0.4 * (1 + np.cos(np.pi * k / 4)) for k in range(5)]
    np.testing.assert_allclose(found, [0.2, 0.4, 0.6, *down], rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize("make", [*PLANS, warm_up_and_cosine])
def test_resuming_gives_the_same_bits(make):
    schedule = make(new_optimizer(), **PLANS.get(make, {}))
    path(schedule, 4)
    resumed = make(optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.3), **PLANS.get(make, {}))
    resumed.load_state_dict(schedule.state_dict())
    assert path(resumed, 8) == path(schedule, 8)
    with pytest.raises(ValueError, match="state"):
        resumed.load_state_dict({"last_epoch": 1})
    with pytest.raises(ValueError, match=r"2 .*1"):
        resumed.load_state_dict({**resumed.state_dict(), "base_lrs": [1, 2]})


def test_a_plateau_resumes():
    losses = [3, 2, 2, 2, 2, 1.9, 2, 2, 2, 2, 2]
    options = {"patience": 1, "factor": 0.5, "cooldown": 1}
    whole = optim.ReduceLROnPlateau(new_optimizer(), **options)
    found = []
    for loss in losses:
        whole.step(loss)
        found.append(whole.get_last_lr())
    assert found[3:5] == [[0.4], [0.4]]
    part, resumed = (optim.ReduceLROnPlateau(new_optimizer(), **options) for _ in range(2))
    for loss in losses[:5]:
        part.step(Tensor(loss))
    resumed.load_state_dict(part.state_dict())
    resumed.optimizer.load_state_dict(part.optimizer.state_dict())
    for loss in losses[5:]:
        resumed.step(loss)
    assert resumed.get_last_lr() == found[-1]
    with pytest.raises(ValueError, match="state"):
        resumed.load_state_dict({})


def test_what_cannot_be_meant_is_refused():
    optimizer = new_optimizer()
    part = optim.ExponentialLR(optimizer, 0.9)
    plateau = optim.ReduceLROnPlateau(optimizer)
    for make, options, message in (
        (optim.StepLR, {"step_size": 0}, r"step_size .*1 or more.*0"),
        (optim.CosineAnnealingLR, {"T_max": 0}, "T_max"),
        (optim.LinearLR, {"start_factor": 0}, "start_factor"),
        (optim.LinearLR, {"total_iters": 0}, "total_iters"),
        (optim.OneCycleLR, {"max_lr": 1, "total_steps": 0}, "total_steps"),
        (optim.OneCycleLR, {"max_lr": 1, "total_steps": 9, "pct_start": 30}, "pct_start"),
        (optim.OneCycleLR, {"max_lr": 1, "total_steps": 9, "anneal_strategy": "sin"}, "'sin'"),
        (optim.OneCycleLR, {"max_lr": [1, 2], "total_steps": 9}, "2 numbers, for 1 groups"),
        (optim.SequentialLR, {"schedulers": [part], "milestones": [3]}, "milestones"),
        (optim.SequentialLR, {"schedulers": [plateau], "milestones": []}, "schedulers should be"),
        (optim.ReduceLROnPlateau, {"mode": "down"}, "'down'"),
        (optim.ReduceLROnPlateau, {"factor": 1}, r"factor .* from 0 to below 1.*1"),
        (optim.ReduceLROnPlateau, {"factor": -1}, r"factor .* from 0 to below 1.*-1"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            make(optimizer, **options)
    with pytest.raises(ValueError, match="schedulers"):
        optim.SequentialLR(new_optimizer(), [part], [])
    cycle = optim.OneCycleLR(optimizer, 1.0, 2)
    path(cycle, 2)
    with pytest.raises(ValueError, match="cycle of 2 "):
        cycle.step()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Up from step 0 to step 0: at once.
        ({"pct_start": 0.2}, [1.0, 0.775, 0.55, 0.325, 0.1, 0.1]),
        # Up to the last step, and down in none.
        ({"pct_start": 1.0}, [0.2, 0.4, 0.6, 0.8, 1.0, 0.1]),
        ({"pct_start": 0.2, "three_phase": True}, [1.0, 0.175, 0.15, 0.125, 0.1, 0.1]),
    ],
)  # fmt: skip
def test_a_part_of_a_cycle_that_has_no_steps_counts_as_passed(options, expected):
    settings = {"div_factor": 5, "final_div_factor": 2, "anneal_strategy": "linear", **options}
    cycle = optim.OneCycleLR(new_optimizer(), 1.0, 5, **settings)
    np.testing.assert_allclose(path(cycle, 5), expected, rtol=1e-14)


def test_a_group_that_came_after_the_schedule_is_noticed():
    optimizer = new_optimizer()
    schedule = optim.StepLR(optimizer, 3)
    plateau = optim.ReduceLROnPlateau(optimizer, patience=0, threshold=9, threshold_mode="abs")
    plateau.step(1.0)
    optimizer.add_param_group({"params": [Tensor([1.0], requires_grad=True)]})
    for step in (schedule.step, lambda: plateau.step(1.0)):
        with pytest.raises(ValueError, match=r"2 .*1.* add_param_group"):
            step()
    optim.StepLR(optimizer, 3).step()


@pytest.mark.parametrize("make", [*PLANS, optim.ReduceLROnPlateau])
@pytest.mark.parametrize("wrong", [0.1, optim.LBFGS([Tensor([1.0], requires_grad=True)])])
def test_a_schedule_of_what_is_no_optimizer_says_what_comes_first(make, wrong):
    with pytest.raises(TypeError, match=rf"StepLR\(optimizer, 3\).*{type(wrong).__name__}"):
        make(wrong, **PLANS.get(make, {}))


def test_repr_shows_the_learning_rates():
    optimizer = new_optimizer()
    assert repr(optim.StepLR(optimizer, 3)) == "StepLR(step 0: lr [0.8])"
    plateau = optim.ReduceLROnPlateau(optimizer)
    plateau.step(0.5)
    assert repr(plateau) == "ReduceLROnPlateau(best 0.5: lr [0.8])"
