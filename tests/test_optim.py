"""SGD steps as its formulas say, resumes exactly, and refuses what cannot be meant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import Tensor, optim

OPTIONS = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3}, {"weight_decay": 0.1},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
]  # fmt: skip


def quadratic_step(w, optimizer):
    optimizer.zero_grad()
    (w**2).sum().backward()
    optimizer.step()


@given(st.floats(0.001, 0.4), st.integers(1, 20))
def test_plain_descent_of_a_parabola_is_a_geometric_series(lr, steps):
    w = Tensor([1.0, -3.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=lr)
    for _ in range(steps):
        quadratic_step(w, optimizer)
    np.testing.assert_allclose(w.data, np.array([1, -3]) * (1 - 2 * lr) ** steps, rtol=1e-12)


def test_momentum_by_hand():
    """g = 2w; v₁ = 2, w₁ = 1 − 0.1·2 = 0.8; v₂ = 0.5·2 + 0.75·1.6 = 2.2, w₂ = 0.58."""
    w = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.5, dampening=0.25)
    quadratic_step(w, optimizer)
    assert w.item() == pytest.approx(0.8, rel=1e-15)
    quadratic_step(w, optimizer)
    assert w.item() == pytest.approx(0.58, rel=1e-15)


@pytest.mark.parametrize("options", OPTIONS)
def test_resuming_gives_the_same_bits(options):
    def start():
        w = Tensor([1.0, -3.0], requires_grad=True)
        return w, optim.SGD([w], lr=0.05, **options)

    w, optimizer = start()
    for _ in range(7):
        quadratic_step(w, optimizer)
    again, resumed = start()
    resumed.load_state_dict(optimizer.state_dict())
    again.data = w.data
    for _ in range(7):
        quadratic_step(w, optimizer)
        quadratic_step(again, resumed)
    np.testing.assert_array_equal(w.data, again.data)


def test_state_of_other_parameters_is_refused():
    a = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.1, momentum=0.9)
    quadratic_step(a.params[0], a)
    b = optim.SGD([Tensor([1.0, 2.0], requires_grad=True)], lr=0.5)
    with pytest.raises(ValueError, match="shapes"):
        b.load_state_dict(a.state_dict())
    with pytest.raises(ValueError, match="expected"):
        b.load_state_dict({"lr": 1})
    assert b.lr == 0.5


def test_parameters_without_gradient_stay_and_float32_stays():
    w = Tensor([1.0], requires_grad=True, dtype=np.float32)
    idle = Tensor([5.0], requires_grad=True)
    optimizer = optim.SGD(iter([w, idle]), lr=np.float64(0.1), momentum=np.float64(0.9))
    optimizer.lr = np.float64(0.2)
    quadratic_step(w, optimizer)
    quadratic_step(w, optimizer)
    assert w.dtype == np.float32
    assert idle.item() == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1}, "lr"), ({"lr": float("nan")}, "lr"), ({"lr": 1, "momentum": -1}, "momentum"),
        ({"lr": 1, "weight_decay": -1}, "weight_decay"), ({"lr": 1, "nesterov": True}, "Nesterov"),
        ({"lr": 1, "nesterov": True, "momentum": 1, "dampening": 1}, "Nesterov"),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        optim.SGD([Tensor([1.0], requires_grad=True)], **settings)


def test_what_cannot_be_optimized_is_refused():
    w = Tensor([1.0], requires_grad=True)
    for params, error in (
        ([], ValueError), ([np.ones(1)], TypeError), (w, TypeError), ([w, w], ValueError),
        ([w * 2], ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            optim.SGD(params, lr=0.1)
