"""Every way to get a stale or wrong result from a compiled step that we know of: one test each."""

import dataclasses
import gc
import random
import sys
import types
import warnings
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.jit import TraceError, jit

llvm = pytest.param("llvm", marks=pytest.mark.native)
each_backend = pytest.mark.parametrize("backend", ["numpy", llvm])
X = np.array([1.0, 2.0])


def never_stale(step, eager, change, *args):
    """After some calls, and again after a change: what eager gives, or an error; never else."""
    for _ in range(3):
        np.testing.assert_array_equal(step(*args), eager(*args))
    for _ in range(2):
        change()
        for _ in range(2):
            try:
                found = step(*args)
            except TraceError:
                return "refused"
            np.testing.assert_array_equal(found, eager(*args))
    return "seen"


# --- what a step closes over ---


USES = {
    "with a tensor": lambda x, array: (Tensor(x) * array).detach(),
    "alone": lambda x, array: x * array,
    "through NumPy": lambda x, array: x * np.sqrt(array),
    "as a condition": lambda x, array: np.where(array > 1, x, -x),
    "as an index": lambda x, array: x[array.astype(int) % 2],
}


@each_backend
@pytest.mark.parametrize("n", [2, 3000], ids=["small", "large"])
@pytest.mark.parametrize("use", USES)
def test_an_array_changed_in_place_is_seen_or_refused(use, n, backend):
    array, x = np.ones(n), np.arange(float(n))

    def step(x):
        return USES[use](x, array)

    def plain(f):
        return lambda x: getattr(f(x), "array", f(x))

    def change():
        array[0] += 1

    compiled = jit(step, backend=backend)
    try:
        compiled(x)
    except TraceError as refused:
        assert "array" in str(refused)
        assert "argument" in str(refused)
    else:
        assert never_stale(plain(compiled), plain(step), change, x) == "seen"


@each_backend
def test_a_list_appended_to_in_the_step_is_an_error_that_names_it(backend):
    history = []

    def step(x):
        history.append(3.0)
        return x * len(history)

    compiled = jit(step, backend=backend)
    with pytest.raises(TraceError, match="history"):
        for _ in range(4):
            compiled(X)


@each_backend
def test_a_value_kept_in_a_list_is_an_error(backend):
    history = []

    def step(x):
        history.append(x.sum())
        return x * 2

    compiled = jit(step, backend=backend)
    with pytest.raises(TraceError, match="history"):
        for _ in range(4):
            compiled(X)


@each_backend
def test_a_kept_value_used_after_the_step_is_an_error(backend):
    kept = {}

    def step(x):
        kept["y"] = x * 2
        return x

    compiled = jit(step, backend=backend)
    compiled(X)
    with pytest.raises(TraceError, match="return values from the step"):
        np.exp(kept["y"])
    with pytest.raises(TraceError):
        kept["y"].item()


class Counting:
    def __init__(self):
        self.calls = 0

    def step(self, x):
        self.calls += 1
        return x * self.calls


@each_backend
def test_a_counter_is_an_error_that_names_it(backend):
    compiled = jit(Counting().step, backend=backend)
    with pytest.raises(TraceError, match=r"calls.*1.*2|calls"):
        for _ in range(4):
            compiled(X)


@each_backend
def test_a_counter_in_a_closure_is_an_error(backend):
    n = 0

    def step(x):
        nonlocal n
        n += 1
        return x * n

    compiled = jit(step, backend=backend)
    with pytest.raises(TraceError, match="n "):
        for _ in range(4):
            compiled(X)


FACTOR = 2.0


def scaled(x):
    return x * FACTOR


@each_backend
def test_a_global_rebound_after_the_trace_is_seen(backend, monkeypatch):
    def change():
        monkeypatch.setitem(globals(), "FACTOR", FACTOR + 1)

    assert never_stale(jit(scaled, backend=backend), scaled, change, X) == "seen"


@each_backend
def test_a_global_of_a_called_function_is_seen(backend, monkeypatch):
    def change():
        monkeypatch.setitem(globals(), "FACTOR", FACTOR + 1)

    step = lambda x: scaled(x) + 1
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_a_called_function_rebound_is_seen(backend, monkeypatch):
    def change():
        monkeypatch.setitem(globals(), "scaled", lambda x: x - 1)

    step = lambda x: scaled(x)
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_an_attribute_of_a_users_module_is_seen(backend, monkeypatch):
    module = types.ModuleType("my_settings")
    module.factor = 2.0
    monkeypatch.setitem(globals(), "my_settings", module)

    def change():
        module.factor += 1

    step = lambda x: x * my_settings.factor  # noqa: F821
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


class Config:
    factor = 2.0

    class Inner:
        factor = 3.0


@each_backend
def test_an_attribute_of_a_class_is_seen(backend):
    class Local:
        factor = 2.0

    def change():
        Local.factor += 1

    step = lambda x: x * Local.factor
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_an_attribute_of_a_global_class_is_seen(backend, monkeypatch):
    def change():
        monkeypatch.setattr(Config, "factor", Config.factor + 1)

    step = lambda x: x * Config.factor
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_an_attribute_of_the_class_of_an_object_is_seen(backend, monkeypatch):
    def change():
        monkeypatch.setattr(Config, "factor", Config.factor + 1)

    config = Config()
    step = lambda x: x * config.factor
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


class Slotted:
    __slots__ = ("factor",)

    def __init__(self):
        self.factor = 2.0


@each_backend
def test_a_slot_of_an_object_is_seen(backend):
    held = Slotted()

    def change():
        held.factor += 1

    step = lambda x: x * held.factor
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_an_attribute_of_a_function_is_seen(backend):
    def helper(x):
        return x * helper.factor

    helper.factor = 2.0

    def change():
        helper.factor += 1

    step = lambda x: helper(x)
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_a_default_rebound_is_seen(backend):
    def helper(x, factor=2.0):
        return x * factor

    def change():
        helper.__defaults__ = (helper.__defaults__[0] + 1,)

    step = lambda x: helper(x)
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


CONTAINERS = {
    "dict": {"a": 2.0},
    "OrderedDict": OrderedDict(a=2.0),
    "defaultdict": defaultdict(float, a=2.0),
    "Counter": Counter(a=2),
    "namespace": types.SimpleNamespace(a=2.0),
    "dict in a tuple": ({"a": 2.0},),
    "dict in a dict": {"b": {"a": 2.0}},
    "proxy": types.MappingProxyType({"a": 2.0}),
}


@each_backend
@pytest.mark.parametrize("name", CONTAINERS)
def test_an_item_of_a_container_is_seen(name, backend):
    container = CONTAINERS[name]
    inner = container[0] if isinstance(container, tuple) else container
    inner = inner["b"] if "b" in name.split() or "b" in getattr(inner, "keys", dict)() else inner
    if name == "namespace":
        inner = vars(container)
    if name == "proxy":
        inner = {"a": 2.0}
        container = types.MappingProxyType(inner)

    def look():
        found = container[0] if isinstance(container, tuple) else container
        found = vars(found) if name == "namespace" else found
        return (found["b"] if name == "dict in a dict" else found)["a"]

    def change():
        inner["a"] += 1

    step = lambda x: x * look()
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_a_deque_is_seen(backend):
    container = deque([2.0])

    def change():
        container[0] += 1

    step = lambda x: x * container[0]
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_a_set_is_seen(backend):
    flags = set()

    def change():
        flags.symmetric_difference_update({"negative"})

    step = lambda x: -x if "negative" in flags else x
    assert never_stale(jit(step, backend=backend), step, change, X) == "seen"


@each_backend
def test_an_equal_number_of_another_type_is_seen(backend):
    held = {"factor": 1}

    def change():
        held["factor"] = 1.0 if type(held["factor"]) is int else 1

    compiled = jit(lambda x: x * held["factor"], backend=backend)
    x = np.array([1, 2])
    for _ in range(3):
        assert compiled(x).dtype == np.int64
    change()
    assert compiled(x).dtype == np.float64


@each_backend
def test_a_zero_of_another_sign_is_seen(backend):
    held = types.SimpleNamespace(zero=0.0)
    step = jit(lambda x: np.copysign(x, held.zero), backend=backend)
    for _ in range(3):
        np.testing.assert_array_equal(step(X), X)
    held.zero = -0.0
    np.testing.assert_array_equal(step(X), -X)


# --- randomness ---


@each_backend
def test_a_generator_in_the_step_gives_new_numbers_or_is_refused(backend):
    rng = np.random.default_rng(0)
    step = jit(lambda x: x + rng.normal(size=2), backend=backend)
    try:
        found = [step(X) for _ in range(5)]
    except TraceError as refused:
        assert "test_jit_footguns" in str(refused) or "rng" in str(refused)
        return
    assert len({tuple(y) for y in found}) == 5


@each_backend
@pytest.mark.parametrize("draw", [random.random, np.random.random], ids=["random", "np.random"])
def test_global_random_numbers_are_new_or_refused(draw, backend):
    step = jit(lambda x: x * draw(), backend=backend)
    try:
        found = [step(X) for _ in range(5)]
    except TraceError:
        return
    assert len({tuple(y) for y in found}) == 5


# --- parameters and models ---


def quadratic(w, backend, lr=0.1):
    """A step of gradient descent for Σ(w·x)², by hand; and compiled."""

    def step(x):
        w.grad = None
        loss = np.sum((w * x) ** 2)
        loss.backward()
        with tg.no_grad():
            w.data = w.data - lr * w.grad.data
        return loss.detach()

    return jit(step, backend=backend)


class Holder:
    def __init__(self, *values):
        self.w = Tensor(list(values), requires_grad=True)
        self.pair = (Tensor(values[0]), 1)


@each_backend
@pytest.mark.parametrize("values", [(1.0, 2.0), (3.0,)], ids=["two elements", "one element"])
def test_a_parameter_replaced_by_another_tensor_is_seen(values, backend):
    holder = Holder(*values)
    step = jit(lambda x: (holder.w * x).detach(), backend=backend)
    for _ in range(3):
        step(2.0)
    old, holder.w = holder.w, Tensor(list(values), requires_grad=True)
    step(2.0)
    holder.w.data = np.full(len(values), 10.0)
    np.testing.assert_array_equal(step(2.0).data, np.full(len(values), 20.0))
    old.data = np.zeros(len(values))
    np.testing.assert_array_equal(step(2.0).data, np.full(len(values), 20.0))


@each_backend
def test_a_parameter_of_one_element_in_a_tuple_replaced_by_an_equal_one_is_seen(backend):
    holder = Holder(3.0)
    step = jit(lambda x: holder.pair[0] * x, backend=backend)
    for _ in range(3):
        step(2.0)
    holder.pair = (Tensor(3.0), 1)
    step(2.0)
    holder.pair[0].data = 5.0
    assert step(2.0).item() == 10


@dataclasses.dataclass
class Parameters:
    w: Tensor


@each_backend
def test_a_dataclass_replaced_by_an_equal_one_is_seen(backend):
    holder = types.SimpleNamespace(parameters=Parameters(Tensor(3.0)))
    step = jit(lambda x: holder.parameters.w * x, backend=backend)
    for _ in range(3):
        step(2.0)
    holder.parameters = Parameters(Tensor(3.0))
    step(2.0)
    holder.parameters.w.data = 5.0
    assert step(2.0).item() == 10


@each_backend
def test_a_global_parameter_replaced_by_an_equal_one_is_seen(backend, monkeypatch):
    monkeypatch.setitem(globals(), "WEIGHT", Tensor([3.0]))
    step = jit(lambda x: WEIGHT * x, backend=backend)  # noqa: F821
    for _ in range(3):
        step(2.0)
    monkeypatch.setitem(globals(), "WEIGHT", Tensor([3.0]))
    step(2.0)
    globals()["WEIGHT"].data = [5.0]
    assert step(2.0).item() == 10


def training(*layers, **settings):
    model = nn.Sequential(*layers) if layers else nn.Linear(2, 2, rng=np.random.default_rng(0))
    optimizer = optim.SGD(model.parameters(), **{"lr": 0.1, **settings})

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return model, optimizer, step


def equal_states(a, b):
    for (name, x), (other, y) in zip(a.state_dict().items(), b.state_dict().items(), strict=True):
        assert name == other
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12, atol=1e-14)


def linear(seed=0):
    return nn.Linear(2, 2, rng=np.random.default_rng(seed))


A, B = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.1]]), np.array([[1.0, 0], [0, 1], [1, 1]])


@each_backend
def test_a_layer_appended_after_the_trace_is_seen(backend):
    (model, _, step), (other, _, reference) = training(linear()), training(linear())
    step = jit(step, backend=backend)
    for _ in range(3):
        step(A, B), reference(A, B)
    for m in (model, other):
        m.layers.append(nn.Tanh())
    for _ in range(3):
        np.testing.assert_allclose(step(A, B).data, reference(A, B).data, rtol=1e-12)
    equal_states(model, other)


@each_backend
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_frozen_part_stays_as_it_is(when, backend):
    made = [training(linear(0), nn.Tanh(), linear(1)) for _ in range(2)]
    (model, _, step), (other, _, reference) = made
    step = jit(step, backend=backend)
    if when == "between":
        for _ in range(3):
            step(A, B), reference(A, B)
    for m in (model, other):
        m.layers[0].weight.requires_grad = False
    frozen = model.layers[0].weight.data.copy()
    for _ in range(3):
        step(A, B), reference(A, B)
    np.testing.assert_array_equal(model.layers[0].weight.data, frozen)
    equal_states(model, other)
    for m in (model, other):
        m.layers[0].weight.requires_grad = True
    for _ in range(3):
        step(A, B), reference(A, B)
    assert np.any(model.layers[0].weight.data != frozen)
    equal_states(model, other)


@each_backend
@pytest.mark.parametrize("form", ["data", "tensor", "detached"])
def test_an_argument_that_aliases_a_parameter(form, backend):
    """The argument is what it was at the call, also where the step has updated the parameter."""

    def make():
        w = Tensor([1.0, 2.0], requires_grad=True)

        def step(x):
            w.grad = None
            loss = np.sum((w * Tensor([1.0, 3.0])) ** 2)
            loss.backward()
            with tg.no_grad():
                w.data = w.data - 0.1 * w.grad.data
            return x * 1.0

        return w, step

    def given(w):
        return {"data": lambda: w.data, "tensor": lambda: w, "detached": w.detach}[form]()

    (v, reference), (w, step) = make(), make()
    step = jit(step, backend=backend)
    for _ in range(5):
        try:
            found = step(given(w))
        except TraceError:  # its gradient is asked for: refused
            assert form == "tensor"
            return
        expected = reference(given(v))
        np.testing.assert_allclose(
            np.asarray(getattr(found, "array", found)),
            np.asarray(getattr(expected, "array", expected)),
            rtol=1e-14,
        )
        np.testing.assert_allclose(w.data, v.data, rtol=1e-14)


@each_backend
@pytest.mark.parametrize("n", [2, 100], ids=["in registers", "in memory"])
def test_an_argument_that_aliases_a_parameter_in_many_steps(n, backend):
    """In a loop the argument stays what it was before the first step."""

    def make():
        w = Tensor(np.linspace(1, 2, n), requires_grad=True)

        def step(x):
            w.grad = None
            np.sum((w - x) ** 2 + w).backward()
            with tg.no_grad():
                w.data = w.data - 0.1 * w.grad.data

        return w, step

    (v, reference), (w, step) = make(), make()
    step = jit(step, backend=backend)
    for _ in range(3):
        x, y = w.data, v.data.copy()
        step.loop(4, x)
        for _ in range(4):
            reference(y)
        np.testing.assert_allclose(w.data, v.data, rtol=1e-14)


@each_backend
def test_an_array_held_across_a_step_keeps_its_values(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step, held = quadratic(w, backend), []
    for _ in range(6):
        held.append((w.data, w.data.copy()))
        step(X)
    for array, copy in held:
        np.testing.assert_array_equal(array, copy)


@each_backend
def test_a_tensor_detached_before_a_step_keeps_its_values(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step, held = quadratic(w, backend), []
    for _ in range(6):
        held.append((w.detach(), w.data.copy()))
        step(X)
    for tensor, copy in held:
        np.testing.assert_array_equal(tensor.data, copy)


@each_backend
def test_an_array_held_across_a_loop_and_a_scan_keeps_its_values(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = quadratic(w, backend)
    step.loop(4, X)
    for run in (lambda: step.loop(3, X), lambda: step.scan(np.ones((3, 2)))):
        old, view = w.data, w.data[:1]
        copy = old.copy()
        run()
        np.testing.assert_array_equal(old, copy)
        np.testing.assert_array_equal(view, copy[:1])
        assert np.any(w.data != copy)


@each_backend
def test_a_view_held_across_a_step_keeps_its_values(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = quadratic(w, backend)
    for _ in range(4):
        views = [w.data[1:], w.data.reshape(1, 2), memoryview(w.data), np.asarray(w.detach()).T]
        copies = [np.array(view) for view in views]
        step(X)
        for view, copy in zip(views, copies, strict=True):
            np.testing.assert_array_equal(np.asarray(view), copy)


@each_backend
def test_a_gradient_held_across_a_step_keeps_its_values(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        w.grad = None
        np.sum((w * x) ** 2).backward()

    compiled, held = jit(step, backend=backend), []
    for k in range(5):
        compiled(X + k)
        held.append((w.grad, w.grad.data, w.grad.data.copy()))
    for tensor, array, copy in held:
        np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(tensor.data, copy)


@each_backend
@pytest.mark.parametrize("warm", [0, 1, 4])
def test_a_graph_built_before_a_step_gives_the_right_gradient_or_an_error(warm, backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = quadratic(w, backend)
    for _ in range(warm):
        step(X)
    v = w.data.copy()
    graph = np.sum(w**3)
    step(X)
    w.grad = None
    try:
        graph.backward()
    except RuntimeError as error:
        assert "new data" in str(error)
        return
    np.testing.assert_allclose(w.grad.data, 3 * v**2)


# --- exceptions in the middle ---


@each_backend
def test_an_exception_while_tracing_leaves_everything_as_it_was(backend):
    model, optimizer, step = training(linear())
    fail = [True]

    def failing(x, y):
        loss = step(x, y)
        if fail[0]:
            raise ZeroDivisionError
        return loss

    compiled = jit(failing, backend=backend)
    with pytest.raises(ZeroDivisionError):
        compiled(A, B)
    type_of_array = type(model.layers[0].weight.array)
    assert type_of_array is np.ndarray
    assert all(type(p.data) is np.ndarray for p in model.parameters())
    y = model(A)
    y.sum().backward()
    fail[0] = False
    other, _, reference = training(linear())
    other.load_state_dict(model.state_dict())
    for _ in range(4):
        np.testing.assert_allclose(compiled(A, B).data, reference(A, B).data, rtol=1e-12)
    equal_states(model, other)
    assert optimizer.lr == 0.1


@each_backend
def test_a_refusal_while_tracing_leaves_plain_arrays(backend):
    model, _, step = training(linear())

    def asking(x, y):
        loss = step(x, y)
        return float(loss)

    compiled = jit(asking, backend=backend)
    for _ in range(3):
        with pytest.raises(TraceError):
            compiled(A, B)
    assert all(type(p.array) is np.ndarray for p in model.parameters())
    assert all(p.grad is None or type(p.grad.array) is np.ndarray for p in model.parameters())
    step(A, B)


@each_backend
def test_a_class_out_of_range_is_the_error_of_eager_and_changes_nothing(backend):
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, t):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled, t = jit(step, backend=backend), np.array([0, 1, 1])
    for _ in range(3):
        compiled(A, t)
    before, momentum = model.state_dict(), optimizer.state_dict()
    for wrong in (np.array([0, 2, 1]), np.array([0, -1, 1])):
        with pytest.raises(ValueError, match="there are 2 classes") as eager:
            nn.cross_entropy(model(A), wrong)
        for run in (compiled, lambda x, t: compiled.loop(3, x, t)):
            with pytest.raises(ValueError, match="there are 2 classes") as found:
                run(A, wrong)
            assert str(found.value) == str(eager.value)
        with pytest.raises(ValueError, match="there are 2 classes"):
            compiled.scan(np.stack([A, A]), np.stack([wrong, wrong]))
    for name, x in model.state_dict().items():
        np.testing.assert_array_equal(x, before[name])
    assert str(optimizer.state_dict()) == str(momentum)
    assert np.isfinite(compiled(A, t).item())


@each_backend
def test_probabilities_out_of_range_are_an_error_in_a_later_call(backend):
    def step(p, t):
        return nn.binary_cross_entropy(p, t)

    compiled, t = jit(step, backend=backend), np.array([0.0, 1.0])
    for _ in range(3):
        np.testing.assert_allclose(compiled(np.array([0.2, 0.9]), t), step(np.array([0.2, 0.9]), t))
    with pytest.raises(ValueError, match="probabilities"):
        compiled(np.array([0.2, 1.9]), t)
    with pytest.raises(ValueError, match="−1 and 1"):
        hinge = jit(nn.hinge_loss, backend=backend)
        for _ in range(3):
            hinge(X, np.array([1.0, -1.0]))
        hinge(X, np.array([1.0, 0.0]))


@each_backend
def test_an_index_out_of_range_in_a_later_call_is_an_error(backend):
    step = jit(lambda x, i: x[i], backend=backend)
    x = np.arange(4.0)
    for i in ([0, 3], [1, 1], [-1, 2]):
        np.testing.assert_array_equal(step(x, np.array(i)), x[i])
    with pytest.raises(IndexError):
        step(x, np.array([0, 4]))
    with pytest.raises(IndexError):
        step(x, np.array([0, -5]))
    np.testing.assert_array_equal(step(x, np.array([-4, -1])), [0, 3])


@each_backend
def test_warnings_of_numpy_do_not_stop_a_replay(backend):
    step = jit(lambda x: np.log(x), backend=backend)
    with np.errstate(all="ignore"):
        for _ in range(3):
            step(np.zeros(2))
    np.testing.assert_array_equal(step(np.zeros(2)), [-np.inf, -np.inf])


# --- values that are asked for ---


def ask_while(x):
    while x.sum() > 0:
        x = x - 1
    return x


def write(x):
    x[0] = 5
    return x


QUESTIONS = {
    "if": (lambda x: x if x.sum() > 0 else -x, r"np\.where.*static_argnames"),
    "while": (ask_while, r"np\.where.*static_argnames"),
    "and": (lambda x: x.sum() > 0 and x, r"np\.where.*static_argnames"),
    "bool": (lambda x: bool(x.sum()), r"np\.where"),
    "float": (lambda x: float(x.sum()), "return it from the step"),
    "int": (lambda x: int(x.sum()), "return it from the step"),
    "item": (lambda x: x.sum().item(), "return it from the step"),
    "tolist": (lambda x: x.tolist(), "return it from the step"),
    "asarray": (lambda x: np.asarray(x), r"np\.stack"),
    "array": (lambda x: np.array([x, x]), r"np\.stack"),
    "index": (lambda x: [1, 2, 3][x.sum()], "static_argnames|static argument"),
    "range": (lambda x: [x for _ in range(x.sum())], "static_argnames|static argument"),
    "mask": (lambda x: x[x > 1], r"np\.where"),
    "nonzero": (lambda x: np.nonzero(x), r"np\.where"),
    "argwhere": (lambda x: np.argwhere(x), r"np\.where"),
    "format": (lambda x: f"{x.sum():.2f}", "return it from the step"),
    "max of Python": (lambda x: max(x[0], x[1]), r"np\.where"),
    "sorted": (lambda x: sorted(x), r"np\.where"),
    "in": (lambda x: 1.0 in x, r"np\.where"),
}


@each_backend
@pytest.mark.parametrize("form", ["array", "tensor"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_asking_for_a_value_names_this_file_and_the_way_out(name, form, backend):
    ask, way_out = QUESTIONS[name]
    x = Tensor(X) if form == "tensor" else X
    if form == "tensor" and name == "mask":
        ask = lambda t: t[t > 1]
    line = ask.__code__.co_firstlineno
    compiled = jit(ask, backend=backend)
    for _ in range(2):
        with pytest.raises(TraceError, match=way_out) as error:
            compiled(x)
        assert f"test_jit_footguns.py:{line}" in str(error.value) or name == "while"
        assert "test_jit_footguns.py:" in str(error.value)


@each_backend
def test_a_question_in_a_function_of_the_users_own_names_that_line(backend):
    def helper(loss):
        return float(loss)

    def step(x):
        return helper(x.sum())

    with pytest.raises(TraceError) as error:
        jit(step, backend=backend)(X)
    assert f"test_jit_footguns.py:{helper.__code__.co_firstlineno + 1}" in str(error.value)


@each_backend
def test_mutating_an_argument_in_the_step_is_refused(backend):
    def in_place(x):
        x += 1
        return x

    def by_out(x):
        np.exp(x, out=x)
        return x

    def by_at(x):
        np.add.at(x, [0], 1.0)
        return x

    def by_copyto(x):
        np.copyto(x, 0.0)
        return x

    for step in (write, by_out, by_at, by_copyto):
        x = X.copy()
        with pytest.raises(TraceError, match=r"written|writes"):
            jit(step, backend=backend)(x)
        np.testing.assert_array_equal(x, X)
    # x += 1 on an array changes the caller's; a compiled step must do so each time, or refuse.
    compiled, x, y = jit(in_place, backend=backend), X.copy(), X.copy()
    try:
        for _ in range(4):
            np.testing.assert_array_equal(compiled(x), in_place(y))
            np.testing.assert_array_equal(x, y)
    except TraceError:
        np.testing.assert_array_equal(x, X)


@each_backend
def test_mutating_a_list_or_dict_argument_is_refused_or_repeated(backend):
    def step(batch):
        batch["n"] = batch["x"] * 2
        return batch["x"] + 1

    compiled = jit(step, backend=backend)
    for k in range(4):
        given = {"x": X + k}
        try:
            compiled(given)
        except TraceError:
            return
        assert set(given) == {"x", "n"}
        np.testing.assert_array_equal(given["n"], (X + k) * 2)


@each_backend
def test_printing_happens_while_tracing_only(backend, capsys):
    def step(x):
        print("traced", x.shape)
        return x * 2

    compiled = jit(step, backend=backend)
    for _ in range(5):
        compiled(X)
    compiled.loop(5, X)
    assert capsys.readouterr().out == "traced (2,)\n"
    compiled(np.ones(3))
    assert capsys.readouterr().out == "traced (3,)\n"


@each_backend
@pytest.mark.parametrize(
    "result",
    [
        lambda x: types.SimpleNamespace(y=x * 2), lambda x: (y for y in x), lambda x: {x.sum()},
        lambda x: slice(0, x.sum()), lambda x: lambda: x * 2, lambda x: deque([x]),
    ],
    ids=["object", "generator", "set", "slice", "function", "deque"],
)  # fmt: skip
def test_a_result_that_a_replay_could_not_make_anew_is_refused(result, backend):
    with pytest.raises((TraceError, TypeError), match="return"):
        jit(lambda x: result(x), backend=backend)(X)


@each_backend
def test_coroutines_and_generators_are_refused(backend):
    async def coroutine(x):
        return x

    def generator(x):
        yield x

    for step in (coroutine, generator):
        with pytest.raises(TypeError, match=r"generator|coroutine|async"):
            jit(step, backend=backend)(X)


@each_backend
@pytest.mark.parametrize("kind", ["masked", "matrix"])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arrays_with_rules_of_their_own_are_refused_or_obeyed(kind, backend):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = np.ma.array(x, mask=x == 2) if kind == "masked" else np.asmatrix(x)
    f = lambda x: (x * x).sum()
    step = jit(f, backend=backend)
    try:
        found = [step(x) for _ in range(3)]
    except TypeError:
        return
    assert found == [f(x)] * 3


@each_backend
def test_whole_numbers_of_python_do_not_wrap_around(backend):
    step = jit(lambda n: n * 2**40, backend=backend)
    for n in (1, 2, 3):
        assert step(n) == n * 2**40
    with suppress(OverflowError):  # loud is as good as right
        assert step(2**30) == 2**70


@each_backend
def test_a_python_number_that_does_not_fit_is_an_error_as_in_eager(backend):
    step, x = jit(lambda x, n: x + n, backend=backend), np.ones(2, np.uint8)
    for n in (1, 2, 3):
        np.testing.assert_array_equal(step(x, n), x + n)
    with pytest.raises(OverflowError):
        step(x, 300)


@each_backend
def test_division_of_python_numbers_by_zero_is_an_error_as_in_eager(backend):
    step = jit(lambda a: 1.0 / a, backend=backend)
    for a in (1.0, 2.0, 4.0):
        assert step(a) == 1 / a
    with pytest.raises(ZeroDivisionError):
        step(0.0)


# --- graphs across the border ---


@each_backend
def test_returning_a_tensor_with_a_live_graph_is_refused(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    for step in (lambda x: np.sum(w * x), lambda x: {"loss": [w * x]}, lambda x: w * x):
        with pytest.raises(TraceError, match="detach"):
            jit(step, backend=backend)(X)


@each_backend
def test_returning_a_parameter_gives_its_value(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = jit(lambda x: (w, x * 2), backend=backend)
    for _ in range(3):
        found = step(X)[0]
        np.testing.assert_array_equal(found.data, w.data)
    w.data = [5.0, 6.0]
    np.testing.assert_array_equal(step(X)[0].data, [5, 6])


@each_backend
def test_backward_for_an_argument_is_refused(backend):
    def step(x):
        np.sum(x * x).backward()

    x = Tensor(X, requires_grad=True)
    for _ in range(2):
        with pytest.raises(TraceError, match="argument"):
            jit(step, backend=backend)(x)
    assert x.grad is None


@each_backend
def test_a_graph_begun_outside_is_not_walked_twice(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    y = w * 3  # eager, and closed over

    def step(x):
        w.grad = None
        np.sum(y * x).backward(retain_graph=True)
        return w.grad.detach()

    compiled = jit(step, backend=backend)
    for k in range(4):
        try:
            found = compiled(X + k)
        except (TraceError, RuntimeError):
            return
        np.testing.assert_array_equal(found.data, 3 * (X + k))


@each_backend
def test_no_grad_around_a_call_is_a_program_of_its_own(backend):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = jit(lambda x: w * x, backend=backend)
    for _ in range(3):
        with tg.no_grad():
            np.testing.assert_array_equal(step(X).data, w.data * X)
        with pytest.raises(TraceError, match="detach"):
            step(X)


# --- many programs ---


@each_backend
def test_thrashing_warns_and_names_the_argument(backend):
    step = jit(lambda x, batch: x.sum() + batch.sum(), backend=backend)
    with pytest.warns(UserWarning, match=r"(?s)traced \d+ times.*batch.*\(\d+,\)") as seen:
        for n in range(1, 30):
            step(X, np.ones(n))
    assert len(step.variants) <= 16
    assert "x:" not in str(seen[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steady = jit(lambda x: x * 2, backend=backend)
        for k in range(100):
            steady(np.ones(2 + k % 2))


@each_backend
def test_thrashing_by_a_static_argument_is_named(backend):
    step = jit(lambda x, n: x * n, static_argnames="n", backend=backend)
    with pytest.warns(UserWarning, match="n: "):
        for n in range(30):
            step(X, n)


# --- what stays behind ---


def uses(backend):
    """One of each: what may leave garbage behind."""
    model, _, step = training(linear(), nn.Tanh(), linear(1), momentum=0.9)
    compiled = jit(step, backend=backend)
    for _ in range(4):
        compiled(A, B)
    compiled.loop(3, A, B)
    compiled.scan(np.stack([A, A]), np.stack([B, B]))
    compiled(A[:2], B[:2])
    str(compiled.program)
    pure = jit(tg.grad(lambda x: np.sum(np.sin(x))), backend=backend)
    for _ in range(3):
        pure(Tensor(X))
    with suppress(TraceError):
        jit(lambda x: float(x.sum()), backend=backend)(X)
    return model


@each_backend
def test_no_use_leaves_reference_cycles(backend):
    uses(backend)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        uses(backend)
        gc.collect()
        # llvmlite's pointers to its modules refer to themselves, by way of a dict.
        foreign = [x for x in gc.garbage if "llvmlite" in repr(x)]
        assert [x for x in gc.garbage if not any(x is y for y in foreign)] == []
        assert len(foreign) < 20
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@each_backend
def test_a_dropped_model_and_its_step_are_freed(backend):
    model, optimizer, step = training(linear())
    compiled = jit(step, backend=backend)
    for _ in range(4):
        compiled(A, B)
    seen = [weakref.ref(x) for x in (model, model.layers[0].weight, compiled)]
    del model, optimizer, step, compiled
    gc.collect()
    assert [x() for x in seen] == [None] * 3


@each_backend
def test_big_arguments_are_not_kept(backend):
    step = jit(lambda x: x.sum(), backend=backend)
    x = np.ones(1000)
    for _ in range(3):
        step(x)
    before = sys.getrefcount(x)
    step(np.zeros(1000))
    assert sys.getrefcount(x) <= before


# --- random programs ---


UNARY = [np.exp, np.tanh, np.sin, np.square, np.negative, np.abs, tg.sigmoid, tg.relu, tg.softplus]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.hypot, np.arctan2]
MOVES = [
    lambda x: x.T, lambda x: x.reshape(-1), lambda x: x[::-1], lambda x: x[..., :1],
    lambda x: x[1:] if len(x) > 1 else x, lambda x: np.expand_dims(x, 0),
    lambda x: x[np.arange(len(x)) // 2], lambda x: np.swapaxes(x, 0, -1),
]  # fmt: skip
REDUCTIONS = [
    lambda x: x.sum(), lambda x: x.sum(axis=0), lambda x: x.max(axis=-1), lambda x: x.mean(axis=0),
    lambda x: x.sum(axis=-1, keepdims=True), lambda x: x.min(axis=0, keepdims=True),
]  # fmt: skip


@st.composite
def programs(draw):
    """Shapes of the inputs, and what is done, one after the other, to values made before."""
    rows, columns = draw(st.sampled_from([(1, 1), (2, 3), (3, 2), (4, 4), (7, 11), (9, 16)]))
    shapes = [(rows, columns)]
    shapes += draw(
        st.lists(
            st.sampled_from([(rows, columns), (columns,), (rows, 1), (), (columns, rows)]),
            min_size=1, max_size=2,
        )
    )  # fmt: skip
    kinds = st.sampled_from(["unary", "binary", "binary", "move", "reduce", "matmul", "where"])
    choice = st.integers(0, 1000)
    steps = draw(st.lists(st.tuples(kinds, choice, choice, choice), min_size=3, max_size=8))
    return shapes, steps


def run(steps, *inputs):
    """The program; what does not fit, as a product of wrong shapes, is left out."""
    values = list(inputs)
    for kind, which, i, j in steps:
        x, y = values[i % len(values)], values[j % len(values)]
        if kind == "unary":
            values.append(UNARY[which % len(UNARY)](x))
        elif kind in ("binary", "where"):
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                continue
            f = BINARY[which % len(BINARY)]
            values.append(f(x, y) if kind == "binary" else np.where(x > y, x, y * 2))
        elif kind == "matmul":
            if x.ndim and y.ndim and x.shape[-1] == y.shape[max(0, y.ndim - 2)]:
                values.append(np.tanh(x @ y))
        elif x.ndim:
            change = MOVES if kind == "move" else REDUCTIONS
            values.append(change[which % len(change)](x))
    return tuple(values[len(inputs) :])


def drawn(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


@settings(max_examples=150)
@given(programs())
def test_random_programs_replay_to_the_bit(program):
    shapes, steps = program
    eager = lambda *x: run(steps, *x)
    compiled = jit(eager, backend="numpy")
    for seed in (0, 0, 1):
        inputs = drawn(shapes, seed)
        for x, y in zip(compiled(*inputs), eager(*inputs), strict=True):
            assert np.shape(x) == np.shape(y)
            np.testing.assert_array_equal(x, y)


@pytest.mark.native
@settings(max_examples=150)
@given(programs())
def test_random_programs_agree_in_native_code(program):
    shapes, steps = program
    eager = lambda *x: run(steps, *x)
    compiled = jit(eager, backend="llvm")
    for seed in (0, 0, 1):
        inputs = drawn(shapes, seed)
        with np.errstate(all="ignore"):
            pairs = list(zip(compiled(*inputs), eager(*inputs), strict=True))
        for x, y in pairs:
            assert np.shape(x) == np.shape(y)
            finite = np.isfinite(y)
            np.testing.assert_array_equal(np.isfinite(x), finite)
            scale = np.max(np.abs(y), where=finite, initial=0)
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.parametrize("backend", ["numpy", llvm])
@settings(max_examples=60)
@given(program=programs())
def test_gradients_of_random_programs(backend, program):
    shapes, steps = program
    total = lambda *x: sum(np.sum(np.sin(y)) for y in run(steps, *x)) + sum(np.sum(y) for y in x)
    eager = tg.grad(total, range(len(shapes)))
    compiled = jit(lambda *x: eager(*x), backend=backend)
    for seed in (0, 0, 1):
        inputs = [Tensor(x) for x in drawn(shapes, seed)]
        with np.errstate(all="ignore"):
            pairs = list(zip(compiled(*inputs), eager(*inputs), strict=True))
        for x, y in pairs:
            if backend == "numpy":
                np.testing.assert_array_equal(x.data, y.data)
            elif np.isfinite(y.data).all():
                scale = np.max(np.abs(y.data), initial=0)
                np.testing.assert_allclose(x.data, y.data, rtol=1e-7, atol=1e-9 * scale)
