"""Optimizers step as their formulas say, resume exactly, and refuse what cannot be meant."""

import copy
import inspect
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import Tensor, nn, optim

# Every optimizer, with few and with many options.
CASES = [
    (optim.SGD, {"lr": 0.05}), (optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True, "maximize": True}),
    (optim.Adam, {"lr": 0.05}), (optim.Adam, {"lr": 0.05, "weight_decay": 0.1, "amsgrad": True}),
    (optim.AdamW, {"lr": 0.05}), (optim.RMSprop, {"lr": 0.05}),
    (optim.RMSprop, {"lr": 0.05, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    (optim.Adagrad, {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    (optim.NAdam, {"lr": 0.05}),
    (optim.NAdam, {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.Lion, {"lr": 0.05, "weight_decay": 0.1}),
]  # fmt: skip
every = pytest.mark.parametrize(("make", "options"), CASES)


def parameter(*values, dtype=np.float64):
    return Tensor(list(values), requires_grad=True, dtype=dtype)


def quadratic_step(w, optimizer):
    optimizer.zero_grad()
    (w**2).sum().backward()
    optimizer.step()


# --- the formulas, by hand ---


@given(st.floats(0.001, 0.4), st.integers(1, 20))
def test_plain_descent_of_a_parabola_is_a_geometric_series(lr, steps):
    w = parameter(1.0, -3.0)
    optimizer = optim.SGD([w], lr=lr)
    for _ in range(steps):
        quadratic_step(w, optimizer)
    np.testing.assert_allclose(w.data, np.array([1, -3]) * (1 - 2 * lr) ** steps, rtol=1e-12)


HALF = np.sqrt(0.5)


@pytest.mark.parametrize(
    ("make", "options", "first", "second"),
    [
        # v₁ = 2; v₂ = 0.5·2 + 0.75·1.6 = 2.2.
        (optim.SGD, {"momentum": 0.5, "dampening": 0.25}, 0.8, 0.8 - 0.1 * 2.2),
        # v₁ = 2, g + μv = 3; v₂ = 0.5·2 + 1.4 = 2.4, g + μv = 1.4 + 1.2.
        (optim.SGD, {"momentum": 0.5, "nesterov": True}, 0.7, 0.7 - 0.1 * 2.6),
        # m₁ = 1, m̂₁ = 2, v₁ = 1, v̂₁ = 4; m₂ = 0.5 + 0.9, /(1 − 1/4); v₂ = 0.75 + 0.81, /(1 − 9/16).
        (
            optim.Adam, {"betas": (0.5, 0.75), "eps": 0},
            0.9, 0.9 - 0.1 * (1.4 / 0.75) / np.sqrt((0.75 + 0.25 * 3.24) / 0.4375),
        ),
        # The same, but w is 0.98·w before each step; g₂ = 2·0.88.
        (
            optim.AdamW, {"betas": (0.5, 0.75), "eps": 0, "weight_decay": 0.2},
            0.98 - 0.1,
            0.98 * 0.88 - 0.1 * ((0.5 + 0.88) / 0.75) / np.sqrt((0.75 + 0.25 * 1.76**2) / 0.4375),
        ),
        # v₁ = 4/2; v₂ = 1 + g²/2 for g = 2w.
        (
            optim.RMSprop, {"alpha": 0.5, "eps": 0},
            1 - 0.2 * HALF,
            1 - 0.2 * HALF - 0.2 * (1 - 0.2 * HALF) / np.sqrt(1 + 2 * (1 - 0.2 * HALF) ** 2),
        ),
        # total₁ = 4, total₂ = 4 + 1.8²; the second rate is 0.1/(1 + 0.5).
        (
            optim.Adagrad, {"lr_decay": 0.5, "eps": 0},
            0.9, 0.9 - 0.1 / 1.5 * 1.8 / np.sqrt(4 + 1.8**2),
        ),
        # ψ = 0, so μ = 0.5·0.5 at each step. m₁ = 1, v̂₁ = 4:
        # m̄₁ = 0.25·1/(1 − 1/16) + 0.75·2/(1 − 1/4). m₂ = 0.5 + w for g = 2w:
        # m̄₂ = 0.25·m₂/(1 − 1/64) + 0.75·2w/(1 − 1/16).
        (
            optim.NAdam, {"betas": (0.5, 0.75), "eps": 0, "momentum_decay": 0},
            1 - 0.1 * (4 / 15 + 2) / 2,
            (w := 1 - 0.1 * (4 / 15 + 2) / 2)
            - 0.1 * (16 / 63 * (0.5 + w) + 0.8 * 2 * w) / np.sqrt((0.75 + w**2) / 0.4375),
        ),
        # m₁ = 0.5·2 = 1; both signs are +, and w is 0.98·w before.
        (optim.Lion, {"betas": (0.9, 0.5), "weight_decay": 0.2}, 0.88, 0.98 * 0.88 - 0.1),
    ],
)  # fmt: skip
def test_two_steps_by_hand(make, options, first, second):
    """L = w², so g = 2w; w = 1 and lr = 0.1."""
    w = parameter(1.0)
    optimizer = make([w], lr=0.1, **options)
    for expected in (first, second):
        quadratic_step(w, optimizer)
        assert w.item() == pytest.approx(expected, rel=1e-14)


def test_lion_turns_only_when_momentum_and_gradient_agree():
    """g = 1, then −1: 0.9·m + 0.1·g with m = 0.01 is −0.091; with m = 0.5 it is 0.35."""
    for beta, direction in ((0.99, 1), (0.5, -1)):
        w = parameter(0.0)
        optimizer = optim.Lion([w], lr=1, betas=(0.9, beta))
        for g in (1.0, -1.0):
            before = w.item()
            w.grad = Tensor([g])
            optimizer.step()
        assert w.item() - before == direction


def test_a_centered_variance_that_rounds_below_zero_is_zero():
    """Where all gradients are equal, the variance is rounding: of either sign."""
    g = np.random.default_rng(0).normal(size=1000)
    w = Tensor(np.zeros(1000), requires_grad=True)
    optimizer = optim.RMSprop([w], centered=True, alpha=0.5, eps=1e-3)
    for _ in range(100):
        w.grad = Tensor(g)
        optimizer.step()
    assert np.isfinite(w.data).all()


# --- what holds for all ---


@every
def test_maximizing_goes_where_minimizing_the_opposite_goes(make, options):
    up, down = parameter(1.0, -3.0), parameter(1.0, -3.0)
    climbing = make([up], **{**options, "maximize": True})
    descending = make([down], **{**options, "maximize": False})
    for k in range(5):
        up.grad, down.grad = Tensor([1.0 + k, 2.0]), Tensor([-1.0 - k, -2.0])
        climbing.step()
        descending.step()
    np.testing.assert_array_equal(up.data, down.data)


@every
def test_resuming_gives_the_same_bits(make, options):
    def start(lr):
        w, late = parameter(1.0, -3.0), parameter(2.0)
        return (w, late), make([w, late], **{**options, "lr": lr})

    def step(params, optimizer, k):
        optimizer.zero_grad()
        (params[0] ** 2).sum().backward()
        if k > 2:
            (params[1] ** 2).sum().backward()
        optimizer.step()

    params, optimizer = start(options["lr"])
    for k in range(7):
        step(params, optimizer, k)
    others, resumed = start(0.5)
    resumed.load_state_dict(optimizer.state_dict())
    for p, q in zip(params, others, strict=True):
        q.data = p.data
    for k in range(7):
        step(params, optimizer, k)
        step(others, resumed, k)
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert repr(resumed) == repr(optimizer)


@every
def test_a_state_that_was_json_loses_nothing(make, options):
    """JSON makes texts of the numbers of the parameters, and lists of tuples."""
    optimizer, other = make([parameter(1.0, -3.0)], **options), make([parameter(0.0, 0.0)])
    quadratic_step(optimizer.params[0], optimizer)
    text = json.dumps(optimizer.state_dict(), default=np.ndarray.tolist)
    other.load_state_dict(json.loads(text))
    assert repr(other.state_dict()) == repr(optimizer.state_dict())


@every
def test_a_closure_is_called_before_the_step_and_its_loss_returned(make, options):
    """As of LBFGS, so that one loop serves all."""
    a, b = parameter(1.0, -3.0), parameter(1.0, -3.0)
    one, other = make([a], **options), make([b], **options)

    def closure():
        one.zero_grad()
        loss = (a**2).sum()
        loss.backward()
        return loss

    assert one.step(closure).item() == 10
    quadratic_step(b, other)
    np.testing.assert_array_equal(a.data, b.data)
    assert one.step() is None


@every
def test_no_array_is_written_into(make, options):
    w = parameter(1.0, -3.0)
    optimizer = make([w], **options)
    for _ in range(3):
        quadratic_step(w, optimizer)
        state = [x for _, x in optimizer.param_groups[0].cohorts[0].slots]
        held = [w.data, w.grad.data, *(x.data for x in state[0] if x is not None)]  # read-only
        before = [x.copy() for x in held]
        saved = optimizer.state_dict()
        quadratic_step(w, optimizer)
        for x, y in zip(held, before, strict=True):
            np.testing.assert_array_equal(x, y)
        for array in saved["state"][0].values():
            np.asarray(array)[...] = np.nan  # a copy: nothing comes of it
    assert np.isfinite(w.data).all()


@every
def test_float32_stays_and_parameters_without_gradient_stay(make, options):
    w, idle = parameter(1.0, dtype=np.float32), parameter(5.0)
    given = {k: v if isinstance(v, bool) else np.float64(v) for k, v in options.items()}
    optimizer = make(iter([w, idle]), **given)
    optimizer.lr = np.float64(0.2)
    for _ in range(3):
        quadratic_step(w, optimizer)
    assert w.dtype == np.float32
    for state in optimizer.state_dict()["state"][0].values():
        assert isinstance(state, float) or state.dtype == np.float32
    assert idle.item() == 5


@every
def test_groups_differ_in_their_settings_only(make, options):
    """Two groups do what two optimizers do."""
    a, b, c, d = (parameter(1.0, -3.0) for _ in range(4))
    apart = [make([a], **options), make([b], **{**options, "lr": 0.01})]
    together = make([{"params": [c]}, {"params": [d], "lr": 0.01}], **options)
    for _ in range(5):
        quadratic_step(a, apart[0])
        quadratic_step(b, apart[1])
        together.zero_grad()
        ((c**2).sum() + (d**2).sum()).backward()
        together.step()
    np.testing.assert_array_equal(a.data, c.data)
    np.testing.assert_array_equal(b.data, d.data)


@pytest.mark.parametrize("make", [optim.Adam, optim.NAdam, optim.Adagrad])
def test_a_parameter_that_comes_late_counts_its_own_steps(make):
    """It takes the steps that it would have taken from the beginning."""
    early, late = parameter(1.0), parameter(1.0)
    optimizer, path = make([early, late]), []
    for k in range(10):
        optimizer.zero_grad()
        (early**2).sum().backward()
        if k >= 5:
            (late**2).sum().backward()
        optimizer.step()
        path.append((early.item(), late.item()))
    assert [x for x, _ in path[:5]] == [y for _, y in path[5:]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every
def test_a_rule_is_a_function_of_arrays_that_reads_only(make, options, dtype):
    """Its inputs cannot be written into, and its outputs are of their dtype."""
    optimizer = make([parameter(1.0, -3.0, dtype=dtype)], **options)
    group = optimizer.param_groups[0]
    w, *state = (np.array([k, 3.0], dtype) for k in range(1, 2 + len(optimizer.state_names)))
    for x in (w, *state):
        x.flags.writeable = False
    numbers = [7.0] * len(optimizer.counts)
    if "mu_product" in optimizer.counts:
        numbers[1] = 0.5
    for kept in (state, [None] * len(state)):
        if kept is state or make is optim.SGD:
            found = make.rule(w, -w, *kept, 0.1, *numbers, **group.settings)
            assert {x.dtype for x in found if x is not None} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (optim.SGD, {"momentum": 0.9}), (optim.Adam, {"amsgrad": True}),
        (optim.RMSprop, {"centered": True}), (optim.RMSprop, {"momentum": 0.9}),
    ],
)  # fmt: skip
def test_an_option_can_be_switched_on_later(make, option):
    """Before the first step, it is as if it had been given; later, its state begins then."""
    given, switched = parameter(1.0), parameter(1.0)
    optimizers = make([given], **option), make([switched])
    for name, value in option.items():
        optimizers[1].param_groups[0][name] = value
    for _ in range(3):
        quadratic_step(given, optimizers[0])
        quadratic_step(switched, optimizers[1])
    np.testing.assert_array_equal(given.data, switched.data)
    later = make([given])
    quadratic_step(given, later)
    later.param_groups[0][name] = value
    quadratic_step(given, later)
    assert np.isfinite(given.item())


@every
def test_a_copy_goes_its_own_way(make, options):
    w = parameter(1.0, -3.0)
    optimizer = make([w], **options)
    quadratic_step(w, optimizer)
    twin = pickle.loads(pickle.dumps(copy.deepcopy(optimizer)))
    quadratic_step(w, optimizer)
    assert twin.params[0] is not w
    quadratic_step(twin.params[0], twin)
    np.testing.assert_array_equal(twin.params[0].data, w.data)


# --- groups and settings ---


def test_settings_are_read_and_set_by_name():
    optimizer = optim.Adam([parameter(1.0)])
    group = optimizer.param_groups[0]
    group["lr"], group["betas"] = 0.3, [0.5, np.float64(0.6)]
    assert (optimizer.lr, group["betas"]) == (0.3, (0.5, 0.6))
    optimizer.lr = 0.1
    assert group["lr"] == 0.1
    assert dict(group)["eps"] == 1e-8
    with pytest.raises(KeyError, match=r"momentum.*params, lr, betas"):
        group["momentum"] = 1
    with pytest.raises(ValueError, match=r"lr .*0 or more.*-1"):
        group["lr"] = -1
    with pytest.raises(TypeError, match="add_param_group"):
        group["params"] = []


def test_one_rate_cannot_be_set_for_several_groups():
    optimizer = optim.SGD([{"params": [parameter(1.0)]}, {"params": [parameter(2.0)], "lr": 0.5}])
    assert optimizer.lr == 1e-3
    with pytest.raises(ValueError, match=r"2 groups(.|\n)*for group in optimizer.param_groups"):
        optimizer.lr = 1


def test_repr_shows_settings_and_sizes():
    w, b = Tensor(np.zeros((500, 3)), requires_grad=True), parameter(1.0)
    assert repr(optim.SGD([w, b], lr=0.1, nesterov=True, momentum=0.9)) == (
        "SGD(lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=True, "
        "maximize=False: 2 parameters of 1,501 numbers)"
    )
    assert repr(optim.Lion([{"params": [w]}, {"params": [b], "lr": 1}])).splitlines()[2] == (
        "  lr=1.0, betas=(0.9, 0.99), weight_decay=0.0, maximize=False: 1 parameter of 1 numbers"
    )


# --- errors ---


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (optim.SGD, {"lr": -1}, "lr"), (optim.SGD, {"lr": float("nan")}, "lr"),
        (optim.SGD, {"momentum": -1}, "momentum"), (optim.SGD, {"weight_decay": -1}, "decay"),
        (optim.SGD, {"nesterov": True}, "Nesterov"),
        (optim.SGD, {"nesterov": True, "momentum": 1, "dampening": 1}, "Nesterov"),
        (optim.Adam, {"betas": (0.9, 1.0)}, r"betas\[1\].*1.0"),
        (optim.Adam, {"betas": (0.9,)}, r"betas .*2 num"), (optim.AdamW, {"eps": -1}, "eps"),
        (optim.RMSprop, {"alpha": -1}, "alpha"), (optim.Adagrad, {"lr_decay": -1}, "lr_decay"),
        (optim.NAdam, {"momentum_decay": -1}, "momentum_decay"),
        (optim.Lion, {"betas": (-0.1, 0.9)}, "betas"),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make([parameter(1.0)], **settings)
    with pytest.raises(ValueError, match=message):
        make([{"params": [parameter(1.0)], **settings}])


def test_what_cannot_be_optimized_is_refused():
    w = parameter(1.0)
    for params, error, message in (
        ([], ValueError, "no parameters"), ([np.ones(1)], TypeError, r"ndarray"),
        (w, TypeError, r"\[w\]"), ([w, w], ValueError, "twice"), ([w * 2], ValueError, "leaves"),
        ([{"params": []}], ValueError, "no parameters"),
        ([{"params": w}], TypeError, r"\[w\]"), ([{"lr": 1}], TypeError, r"dict"),
        ([{"params": [w]}, {"params": [w]}], ValueError, "twice"),
        ([{"params": [w]}, w], TypeError, r"dict"),
        ([{"params": [w], "betas": (0, 0)}], ValueError, r"SGD .*betas.*lr"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            optim.SGD(params, lr=0.1)
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        with pytest.raises(TypeError, match=r"\[w\]"):
            clip(w, 1)
        with pytest.raises(ValueError, match=r"0 or more.*-1"):
            clip([w], -1)
    with pytest.raises(ValueError, match="norm_type"):
        optim.clip_grad_norm_([w], 1, 0)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (optim.SGD, {"lr": "0.1"}, r"lr .*number, 0 or more.*str '0\.1'"),
        (optim.Adam, {"lr": None}, r"lr .*None"),
        (optim.Adam, {"lr": np.ones(2)}, r"lr .*ndarray"),
        (optim.SGD, {"momentum": [0.9]}, r"momentum .*list \[0\.9\]"),
        (optim.SGD, {"dampening": "a"}, r"dampening .*finite number.*str 'a'"),
        (optim.Adam, {"betas": 0.9}, r"betas .*2 numbers.*0\.9"),
        (optim.Lion, {"betas": ("0.9", 0.9)}, r"betas\[0\] .*str '0\.9'"),
    ],
)  # fmt: skip
def test_settings_that_are_no_numbers_are_refused_by_name(make, settings, message):
    w = parameter(1.0)
    with pytest.raises(TypeError, match=message):
        make([w], **settings)
    group = make([w]).param_groups[0]
    before = repr(group)
    for name, value in settings.items():
        with pytest.raises(TypeError, match=message):
            group[name] = value
    assert repr(group) == before


@pytest.mark.parametrize("use", [optim.SGD, optim.LBFGS, lambda p: optim.clip_grad_norm_(p, 1.0)])
def test_what_is_no_list_of_parameters_says_what_to_write(use):
    model = nn.Linear(2, 1)
    for wrong, got in (
        (model, "Linear"), (model.parameters, "method"), (0.1, r"float: 0\.1"), (None, "NoneType"),
        (nn.Sequential(model), "Linear"), (model.state_dict(), "str: 'weight'"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=rf"model\.parameters\(\).*{got}"):
            use(wrong)


def test_a_limit_that_is_no_number_is_refused_by_name():
    w = parameter(1.0)
    for clip, arguments, message in (
        (optim.clip_grad_norm_, ("1",), r"max_norm .*number, .*str '1'"),
        (optim.clip_grad_norm_, (1, "inf"), r"norm_type .*str 'inf'"),
        (optim.clip_grad_value_, (None,), r"clip_value .*None"),
    ):
        with pytest.raises(TypeError, match=message):
            clip([w], *arguments)


def test_a_group_that_is_refused_is_not_added():
    w = parameter(1.0)
    optimizer = optim.SGD([w])
    for group in ({"params": [w]}, {"params": [parameter(1.0)], "lr": -1}):
        with pytest.raises(ValueError, match=r"twice|lr"):
            optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == 1


def changed(state, *path, to):
    """The same state with another value at a path."""
    if not path:
        return to
    key, *further = path
    other = state.copy()
    other[key] = changed(state[key], *further, to=to)
    return other


def test_state_of_other_parameters_is_refused_and_nothing_changes():
    a, b = optim.Adam([parameter(1.0)]), optim.Adam([parameter(1.0, 2.0)], lr=0.5)
    quadratic_step(a.params[0], a)
    quadratic_step(b.params[0], b)
    good = b.state_dict()
    before = repr(good)
    two = optim.Adam([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)]}])
    for state, message in (
        (a.state_dict(), "shapes"), ({"lr": 1}, "expected"), (two.state_dict(), "groups of"),
        (changed(good, "param_groups", 0, to={"params": [0]}), "a group has"),
        (changed(good, "param_groups", 0, "lr", to=-1), "lr should be"),
        (changed(good, "state", 0, to={"momentum_buffer": 1}), "parameter 0 has"),
        (changed(good, "state", to={}), r"0 .*\[\].*\['step', 'exp_avg', 'exp_avg_"),
        (changed(good, "state", 0, to={"step": 1.0}), r"0 has \['step'\], .* perhaps \['max"),
        (changed(good, "state", to={**good["state"], 1: {}}), r"parameters .*1"),
        (changed(good, "state", to={"w": {}}), "parameters .*w"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            b.load_state_dict(state)
        assert repr(b.state_dict()) == before
    b.load_state_dict(good)
    assert repr(b.state_dict()) == before


def stepped(make, options):
    optimizer = make([parameter(1.0, -3.0), parameter(2.0)], **options)
    for _ in range(3):
        optimizer.zero_grad()
        sum((p**2).sum() for p in optimizer.params).backward()
        optimizer.step()
    return optimizer


def goes_on(optimizer):
    """The parameters after two more steps."""
    for _ in range(2):
        optimizer.zero_grad()
        sum((p**2).sum() for p in optimizer.params).backward()
        optimizer.step()
    return np.concatenate([p.data for p in optimizer.params])


@every
@pytest.mark.parametrize(("other", "others"), CASES)
def test_the_state_of_another_optimizer_is_right_or_refused(make, options, other, others):
    """Right: it then goes on as the other would have; but AdamW stays AdamW."""
    source, target = stepped(other, others), make([parameter(0.0, 0.0), parameter(0.0)], **options)
    kin = {make, other} <= {optim.Adam, optim.AdamW}
    if make is not other and not kin:
        before = repr(target.state_dict())
        with pytest.raises(ValueError, match=r"group"):
            target.load_state_dict(source.state_dict())
        assert repr(target.state_dict()) == before
        return
    target.load_state_dict(source.state_dict())
    for p, q in zip(target.params, source.params, strict=True):
        p.data = q.data
    if make is optim.AdamW:
        source.param_groups[0].settings["decoupled_weight_decay"] = True
    assert target.param_groups[0]["lr"] == source.param_groups[0]["lr"]
    np.testing.assert_array_equal(goes_on(target), goes_on(source))


def test_adamw_stays_adamw():
    source, target = optim.Adam([parameter(1.0)], weight_decay=0.1), optim.AdamW([parameter(1.0)])
    target.load_state_dict(source.state_dict())
    group = target.param_groups[0]
    assert (group["decoupled_weight_decay"], group["weight_decay"]) == (True, 0.1)
    with pytest.raises(ValueError, match=r"decoupled_weight_decay of AdamW .*True.*False"):
        group["decoupled_weight_decay"] = False
    with pytest.raises(ValueError, match=r"decoupled_weight_decay of AdamW .*True.*False"):
        optim.AdamW([{"params": [parameter(1.0)], "decoupled_weight_decay": False}])
    with pytest.raises(TypeError, match=r"AdamW .*'decoupled_weight_decay'.* params, lr"):
        optim.AdamW([parameter(1.0)], decoupled_weight_decay=False)


# --- rules of users ---


@every
def test_a_subclass_with_a_rule_of_its_own_steps_by_it(make, options):
    """Twice as far, by the rule of the class it comes from."""

    def further(w, *others, **settings):
        moved, *state = make.rule(w, *others, **settings)
        return w + 2 * (moved - w), *state

    class Twice(make):
        rule = staticmethod(further)

    assert {**Twice.settings, "lr": 0} == {**make.settings, "lr": 0}
    a, b = parameter(1.0, -3.0), parameter(1.0, -3.0)
    quadratic_step(a, make([a], **options))
    quadratic_step(b, Twice([b], **options))
    np.testing.assert_allclose(b.data - [1, -3], 2 * (a.data - [1, -3]), rtol=1e-12)


def test_a_new_optimizer_is_a_rule_and_its_name():
    class Signs(optim.Optimizer):
        """w ← w − lr · sign(g + decay · w)."""

        def rule(w, g, lr, decay=0.5, firm=False):
            return (w - lr * np.sign(g + decay * w * firm),)

    w = parameter(1.0, -3.0)
    optimizer = Signs([w], 0.25, firm=True)
    quadratic_step(w, optimizer)
    assert w.tolist() == [0.75, -2.75]
    assert "lr=0.25, decay=0.5, firm=True, maximize=False" in repr(optimizer)
    for wrong, message in (
        ({}, r"Signs .*'lr'.*params, lr, decay, firm, maximize"),
        ({"lr": 1, "dekay": 1}, "Signs .*'dekay'; it takes"),
        ({"lr": 1, "firm": 0}, r"firm .*True or False.*0"),
        ({"lr": "x"}, r"lr .*number, 0 or more.*str 'x'"),
    ):
        with pytest.raises(TypeError, match=message):
            Signs([w], **wrong)


@every
def test_signatures_show_the_settings(make, options):
    shown = inspect.signature(make).parameters
    assert [*shown][:2] == ["params", "lr"]
    assert set(options) <= set(shown)
    group = make([parameter(1.0)]).param_groups[0]
    assert all(group[name] == x.default for name, x in shown.items() if name != "params")


# --- clipping ---


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, lambda w, lr: optim.LBFGS(w)])
def test_zero_grad_forgets_gradients_or_sets_them_to_zero(make):
    w, idle = parameter(1.0, 2.0), parameter(3.0)
    optimizer = make([w, idle], lr=0.1)
    (w * w).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0, 0]
    assert idle.grad is None
    optimizer.zero_grad(set_to_none=True)
    assert w.grad is None


def use_of(make):
    return lambda w: make([w], lr=0.1).step()


@pytest.mark.parametrize(
    "use",
    [lambda w: (w * w).sum().backward(), *map(use_of, (optim.SGD, optim.Adam, optim.Lion)),
     lambda w: optim.clip_grad_norm_([w], 1.0), lambda w: optim.clip_grad_value_([w], 1.0),
     lambda w: optim.LBFGS([w]).gradient()],
)  # fmt: skip
@pytest.mark.parametrize("wrong", [0, np.zeros(2)], ids=["int 0", "ndarray"])
def test_a_gradient_set_to_what_is_no_tensor_says_what_to_write(use, wrong):
    w = parameter(1.0, 2.0)
    w.grad = wrong
    with pytest.raises(TypeError, match=rf"{type(wrong).__name__} .*0.*w\.grad = None.*Tensor\("):
        use(w)
    w.grad = Tensor([0.5, 0.5])
    use(w)


def test_clipping_by_hand():
    """√(3² + 4²) = 5; gradients of one dtype each, and one that is not there."""
    a, b, idle = parameter(0.0, dtype=np.float32), parameter(0.0), parameter(0.0)
    a.grad, b.grad = Tensor([3.0], dtype=np.float32), Tensor([-4.0])
    held = b.grad.data
    assert optim.clip_grad_norm_([a, b, idle], 1.0) == 5
    assert a.grad.dtype == np.float32
    assert a.grad.item() == pytest.approx(0.6, rel=1e-6)
    assert b.grad.item() == pytest.approx(-0.8, rel=1e-6)
    optim.clip_grad_value_([a, b, idle], 0.7)
    assert (a.grad.dtype, b.grad.item()) == (np.float32, -0.7)
    assert held == -4
    assert idle.grad is None
    assert optim.clip_grad_norm_([idle], 1.0) == 0


# --- L-BFGS ---


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def test_lbfgs_finds_the_end_of_a_curved_valley():
    pytest.importorskip("scipy", reason="SciPy is not installed: pip install scipy")
    x, idle = parameter(-1.2, 1.0, 0.5), parameter(7.0)
    optimizer = optim.LBFGS([x, idle], max_iter=200, tolerance_grad=1e-10, tolerance_change=0)
    first = rosenbrock(x).item()

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(x)
        loss.backward()
        return loss

    losses = []
    assert optimizer.step(closure, losses.append).item() == first
    np.testing.assert_allclose(x.data, 1, rtol=1e-8)
    assert len(losses) == optimizer.found.nit > 10
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == optimizer.found.fun == rosenbrock(x).item()
    assert idle.item() == 7
    assert repr(optimizer).startswith("LBFGS(maxiter=200")


def test_a_closure_that_returns_no_loss_is_refused():
    pytest.importorskip("scipy", reason="SciPy is not installed: pip install scipy")
    w = parameter(1.0)
    for wrong, got in ((lambda: (w * w).sum().backward(), "NoneType: None"), (lambda: 1, "int: 1")):
        with pytest.raises(TypeError, match=rf"return loss.*{got}"):
            optim.LBFGS([w]).step(wrong)


def test_lbfgs_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad-slp\[optim\]'"):
        optim.LBFGS([parameter(1.0)]).step(lambda: None)
    with pytest.raises(TypeError, match=r"\[w\]"):
        optim.LBFGS(parameter(1.0))


def test_state_is_what_a_rule_takes_between_the_gradient_and_lr():
    """A default of 0: it begins as zeros; without a default as None."""

    class Mean(optim.Optimizer):
        """Steps along a running mean."""

        def rule(w, g, mean=0, last=None, lr=0.1):
            mean = 0.5 * mean + 0.5 * g
            return w - lr * (mean if last is None else mean + last), mean, g

    w = parameter(1.0, -3.0)
    optimizer = Mean([w])
    assert sorted(optimizer.state_dict()["state"][0]) == ["mean"]
    quadratic_step(w, optimizer)
    np.testing.assert_allclose(w.data, [0.9, -2.7])
    assert sorted(optimizer.state_dict()["state"][0]) == ["last", "mean"]
    wrong_rules = {"ndarray": lambda w, g, m, lr=1: w - g, "1 ": lambda w, g, m, lr=1: (w,)}
    for got, wrong in wrong_rules.items():
        w, make = parameter(1.0, -3.0), type("Wrong", (optim.Optimizer,), {"rule": wrong})
        with pytest.raises(TypeError, match=rf"Wrong .*\(w, m,\).*{got}"):
            quadratic_step(w, make([w]))
    with pytest.raises(TypeError, match=r"Two: .*\['m'\].*\['m', 'v'\]"):
        type("Two", (optim.Optimizer,), {"rule": lambda w, g, m, lr: w, "state_names": ("m", "v")})
    with pytest.raises(TypeError, match=r"Rateless: .* lr"):
        type("Rateless", (optim.Optimizer,), {"rule": lambda w, g: w})


def test_a_rule_that_counts_takes_t_directly_after_lr():
    """Anywhere else it would be a constant, or the number of the step be taken for a setting."""

    class Fading(optim.Optimizer):
        def rule(w, g, /, lr=0.1, t=1, *, delta=1.0):
            return (w - lr / (1 + delta * (t - 1)) * g,)

    w = parameter(8.0)
    optimizer, path = Fading([w], lr=0.25), []
    for _ in range(3):
        quadratic_step(w, optimizer)
        path.append(w.item())
    assert path == [4.0, 3.0, 2.5] and optimizer.state_dict()["state"][0]["step"] == 3
    assert list(Fading.settings) == ["lr", "delta", "maximize"]

    class Further(Fading):
        """Counts no more, as its own rule does not."""

        def rule(w, g, lr=0.1):
            return (w - lr * g,)

    assert not Further.counts
    for rule in (
        lambda w, g, m=0, lr=0.1, beta=0.9, t=1: (w, m),
        lambda w, g, t=1, lr=0.1: (w, t),
        lambda w, g, lr=0.1, beta=0.9, *, t=1: (w,),
    ):
        for counts in ({}, {"counts": {"step": 0}}):
            with pytest.raises(TypeError, match=r"Misplaced: .*'lr'.*\bt\b.*directly after lr"):
                type("Misplaced", (optim.Optimizer,), {"rule": rule, **counts})
    counts = {"counts": {"step": 0}, "rule": lambda w, g, lr=0.1, beta=0.9: (w,)}
    with pytest.raises(TypeError, match=r"Countless: .*'beta'.*\bt\b"):
        type("Countless", (optim.Optimizer,), counts)
