"""The gate lets calls through that are as the last one was, and no others."""

import gc
import sys
import threading
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from steps import batch, classes, network, perceptron, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim, tutorial
from tinygrad_slp.graph import NOTHING, Node, leaf
from tinygrad_slp.jit import TraceError, jit
from tinygrad_slp.jit.variant import PATIENCE

pytest.importorskip("llvmlite", reason="native code needs llvmlite")

from tinygrad_slp.jit.llvm import gate, watching

pytestmark = pytest.mark.native
X, Y = tutorial.X, tutorial.Y


def opened(step, *args, expected=True):
    """Calls a step until its gate is open; returns how often."""
    n = 0
    while step.gate is None and n < 3 * PATIENCE:
        step(*args)
        n += 1
    assert (step.gate is not None) == expected
    return n


def twins(make, *args):
    """A training to be run eagerly, and the same compiled with its gate open; and its step."""
    eager, compiled = make(), make()
    step = native(compiled.step)
    for _ in range(opened(step, *args)):
        eager.step(*args)
    return eager, compiled, step


def is_through(step, *args):
    """Whether the gate takes a call like this, and not Python."""
    before = step.gate
    calls = step.latest.calls
    step(*args)
    return before is not None and step.gate is before and step.latest.calls == calls


def native(f, **settings):
    return jit(f, backend="llvm", **settings)


# --- it does what the step does ---


@pytest.mark.parametrize("given", [lambda x: x, Tensor], ids=["arrays", "Tensors"])
def test_a_training_by_the_gate_is_the_same(given):
    eager, compiled = perceptron(momentum=0.9), perceptron(momentum=0.9)
    step, x, y = native(compiled.step), given(X), given(Y)
    expected = [eager.step(x, y) for _ in range(300)]
    same([step(x, y) for _ in range(300)], expected, "llvm")
    assert is_through(step, x, y)
    eager.step(x, y)
    same(compiled.state, eager.state, "llvm")


def test_other_arrays_of_the_same_form_go_through():
    eager, _, step = twins(network, *batch())
    for seed in range(1, 20):
        x, y = batch(seed=seed)
        same(step(x, y), eager.step(x, y), "llvm")
    assert is_through(step, x, y)


def test_a_result_is_a_tensor_of_its_own():
    step = native(perceptron().step)
    opened(step, X, Y)
    first, second = step(X, Y), step(X, Y)
    assert type(first) is Tensor
    assert first.shape == ()
    assert type(first.array) is np.float64
    assert float(first) > float(second)
    assert not first.requires_grad


def test_a_result_is_as_a_leaf_is_and_dies_like_one():
    step = native(perceptron().step)
    opened(step, X, Y)
    before = sys.getrefcount(NOTHING)
    results = [step(X, Y) for _ in range(50)]
    plain = leaf(Tensor, results[0].array)
    for name in {*Node.__slots__} - {"__weakref__", "order"}:
        assert getattr(results[0], name) is getattr(plain, name)
    assert [x.order for x in results] == sorted({x.order for x in results})
    assert plain.order > results[-1].order
    assert weakref.ref(results[0])() is results[0]
    assert all(map(gc.is_tracked, results))
    del plain
    assert sys.getrefcount(NOTHING) == before + len(results)
    results.clear()
    assert sys.getrefcount(NOTHING) == before + 2  # which may be given again


def test_a_result_that_nobody_has_is_given_again():
    step = native(perceptron().step)
    opened(step, X, Y)
    results = [id(step(X, Y)) for _ in range(20)]
    assert len(set(results)) <= 3
    for _ in range(20):
        loss = step(X, Y)
        results.append(id(loss))
    assert len(set(results)) <= 4


RESULTS: dict[str, tuple[Callable[[Tensor], object], Callable[[object], float]]] = {
    "the Tensor": (lambda y: y, float),
    "its number": (lambda y: y.array, float),
    "its data": (lambda y: y.data, float),
    "a weak reference": (weakref.ref, lambda y: np.nan if y() is None else float(y())),
    "a graph": (lambda y: Tensor(2.0, requires_grad=True) * y, lambda y: float(y) / 2),
    "a gradient": (lambda y: backward(y), lambda y: float(y.grad)),
}


def backward(y):
    x = Tensor(1.0, requires_grad=True)
    (x * y).backward()
    return x


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_that_somebody_has_stays_as_it_is(name):
    take, number = RESULTS[name]
    eager, _, step = twins(perceptron, X, Y)
    taken = []
    for _ in range(6):
        taken.append(take(step(X, Y)))
        step(X, Y)
    expected = [(float(eager.step(X, Y)), eager.step(X, Y))[0] for _ in range(6)]
    if name == "a weak reference":
        assert {x for x in map(number, taken[:-2]) if not np.isnan(x)} == set()
    else:
        np.testing.assert_allclose(list(map(number, taken)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: setattr(y, "requires_grad", True),
        lambda y: setattr(y, "grad", Tensor(3.0)),
        lambda y: setattr(y, "data", 7.0),
        lambda y: setattr(y, "data", np.ones(())),
    ],
    ids=["requires_grad", "grad", "data", "an array"],
)
def test_a_result_that_was_changed_is_not_given_again(change):
    eager, _, step = twins(perceptron, X, Y)
    for _ in range(6):
        y, expected = step(X, Y), eager.step(X, Y)
        same(y, expected, "llvm")
        assert type(y.array) is np.float64
        assert not y.requires_grad
        assert y.grad is None
        change(y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8, np.bool_])
def test_results_of_all_sizes_are_given_again(dtype):
    step = native(lambda x: (x * 3).max())
    x = Tensor(np.array([1, 0]).astype(dtype))
    opened(step, x)
    for k in range(8):
        x = Tensor(np.array([k % 3, k % 2]).astype(dtype))
        y, expected = step(x), (x * 3).max()
        assert y.dtype == expected.dtype
        assert y.item() == expected.item()


def test_a_gate_that_is_replaced_while_it_asks():
    def step(x, y):
        return nn.cross_entropy(x, y)

    compiled, x, y = native(step), Tensor(X), np.array([0, 1, 2, 0])
    opened(compiled, x, y)
    gone = weakref.ref(compiled.gate)

    def replacing(x):
        compiled.shut()
        compiled.latest.gate = None
        ask(compiled, lambda x: True)
        gc.collect()
        return True

    ask(compiled, replacing)
    same(compiled(x, y), step(x, y), "llvm")
    assert gone() is None
    same(compiled(x, y), step(x, y), "llvm")


def test_a_gate_keeps_its_code_if_another_thread_has_compiled_it_too():
    eager, _, step = twins(perceptron, X, Y)
    there = weakref.ref(gate.compiled())
    gate.compiled.cache_clear()
    gc.collect()
    assert there() is not None
    same(step(X, Y), eager.step(X, Y), "llvm")
    assert is_through(step, X, Y)


def test_a_learning_rate_is_read_anew():
    eager, compiled, step = twins(perceptron, X, Y)
    for k in range(10):
        eager.optimizer.lr = compiled.optimizer.lr = 0.1 * k
        same(step(X, Y), eager.step(X, Y), "llvm")
    assert is_through(step, X, Y)


def test_a_method_and_a_default_argument():
    class Model:
        def __init__(self):
            self.training = perceptron()

        @native
        def step(self, x, y, factor=1.0):
            return self.training.step(x, y) * factor

    model, eager = Model(), perceptron()
    for _ in range(3 * PATIENCE):
        same(model.step(X, Y), eager.step(X, Y), "llvm")
    assert model.step.gate is not None


# --- what changes is seen ---


class Squared(nn.Module):
    """A layer of a user's own."""

    power = 2

    def __init__(self):
        self.scale = 1.5

    def forward(self, x):
        return self.scale * x**self.power


class Scene:
    """A training with much that can change, and what its step sees beside it."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.layers = [nn.Linear(3, 4, rng=rng), Squared(), nn.Dropout(0.5, rng=1)]
        self.model = nn.Sequential(*self.layers, nn.Linear(4, 1, rng=rng)).eval()
        self.optimizer = optim.SGD(self.model.parameters(), lr=1e-4)
        self.weights = {"loss": 1.0, "other": 3.0}
        self.shift = Tensor([0.5])
        self.factor = 2.0
        factor = 1.0

        def step(x, y, *, more=1.0):
            self.optimizer.zero_grad()
            loss = nn.mse_loss((self.model(x) + self.shift).reshape(-1), y)
            loss = loss * self.weights["loss"] * self.factor * factor * more
            loss = loss * GLOBAL[0] * len(GLOBAL) * len("".join(self.weights))
            loss.backward()
            self.optimizer.step()
            return loss.detach()

        def set_factor(value):
            nonlocal factor
            factor = value

        self.plain, self.set_factor = step, set_factor

    @property
    def weight(self):
        return self.layers[0].weight

    def tensors(self):
        return [self.shift, *self.model.parameters()]


GLOBAL = [1.0, 1.0, 1.0]


def replace_list(scene):
    globals()["GLOBAL"] = [2.0, 1.0, 1.0]


def rename_key(scene):
    value = scene.weights.pop("other")
    scene.weights["longer"] = value


CHANGES: dict[str, Callable[[Scene], None]] = {
    "a number in a dict": lambda s: s.weights.update(loss=2.0),
    "a key of a dict": rename_key,
    "one more in a dict": lambda s: s.weights.update(more=1.0),
    "one less in a dict": lambda s: s.weights.pop("other"),
    "a field": lambda s: setattr(s, "factor", 3.0),
    "an equal number of another kind": lambda s: setattr(s, "factor", 2),
    "a new field": lambda s: setattr(s.layers[1], "power", 3),
    "an item of a list": lambda s: GLOBAL.__setitem__(0, 1.5),
    "one more in a list": lambda s: GLOBAL.append(1.0),
    "one less in a list": lambda s: GLOBAL.pop(),
    "a global": replace_list,
    "a closed-over variable": lambda s: s.set_factor(4.0),
    "the defaults": lambda s: setattr(s.plain, "__kwdefaults__", {"more": 3.0}),
    "a class": lambda s: setattr(Squared, "power", 3),
    "a layer": lambda s: s.model.layers.__setitem__(0, nn.Linear(3, 4, rng=7)),
    "a layer less": lambda s: s.model.layers.pop(1),
    "training": lambda s: s.model.train(),
    "a frozen weight": lambda s: setattr(s.weight, "requires_grad", False),
    "a thawed Tensor": lambda s: setattr(s.shift, "requires_grad", True),
    "a weight set": lambda s: setattr(s.weight, "data", np.ones((4, 3))),
    "all weights loaded": lambda s: s.model.load_state_dict(s.model.state_dict()),
    "a Tensor that is only read": lambda s: setattr(s.shift, "data", [0.7]),
    "momentum": lambda s: s.optimizer.param_groups[0].__setitem__("momentum", 0.5),
    "lr": lambda s: setattr(s.optimizer, "lr", 2e-4),
}


@pytest.fixture
def untouched():
    """What the changes change beyond their scene, as it was before."""
    yield
    Squared.power = 2
    globals()["GLOBAL"] = [1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(name, untouched):
    eager, compiled = Scene(), Scene()
    step = native(compiled.plain)
    for _ in range(opened(step, X, Y)):
        eager.plain(X, Y)
    CHANGES[name](compiled)
    shared = {
        "an item of a list",
        "one more in a list",
        "one less in a list",
        "a global",
        "a class",
    }
    if name not in shared:
        CHANGES[name](eager)
    for _ in range(3):
        same(step(X, Y), eager.plain(X, Y), "llvm")
    same([x.data for x in compiled.tensors()], [x.data for x in eager.tensors()], "llvm")


class Settings:
    def __init__(self):
        self.a, self.b, self.more = 2.0, 3.0, 5.0


def with_a_hole():
    found = {"gone": 7.0, "a": 2.0, "b": 3.0}
    del found["gone"]
    return found


def swap(x):
    """The first two values change places."""
    (a, first), (b, second), *_ = x.items()
    x.update({a: second, b: first})


DICTS = {
    "of text": lambda: {"a": 2.0, "b": 3.0},
    "of other keys": lambda: {1: 2.0, "b": 3.0},
    "with a key deleted": with_a_hole,
    "of many": lambda: {f"a{k}": 1.0 + k / 1024 for k in range(100)},
    "of fields": lambda: vars(Settings()),
}
EDITS = {
    "one more": lambda x: x.update(new=4.0),
    "one less": lambda x: x.popitem(),
    "none": lambda x: x.clear(),
    "another value": lambda x: x.update({next(iter(x)): 9.0}),
    "values changed places": swap,
    "another key": lambda x: x.update(renamed=x.popitem()[1]),
    "another order": lambda x: x.update([(key := next(iter(x)), x.pop(key))]),
}


def weighted(weights):
    """A step that sees all of a dict, in its order; and the same compiled, with its gate open."""

    def plain(x):
        total = x.sum()
        for key, weight in weights.items():
            total = total * weight + len(str(key))
        return total

    step = native(plain)
    opened(step, Tensor(X))
    assert is_through(step, Tensor(X))
    return plain, step


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", DICTS)
def test_an_edit_of_a_dict_is_seen(kind, edit):
    weights = DICTS[kind]()
    plain, step = weighted(weights)
    before = plain(Tensor(X))
    EDITS[edit](weights)
    assert float(plain(Tensor(X))) != float(before)
    same(step(Tensor(X)), plain(Tensor(X)), "llvm")


def test_the_first_in_a_dict_is_seen():
    weights: dict[str, float] = {}
    plain, step = weighted(weights)
    weights["a"] = 2.0
    same(step(Tensor(X)), plain(Tensor(X)), "llvm")


def test_a_function_with_other_code():
    def step(x):
        return (x * 2).sum()

    def other(x):
        return (x * 3).sum()

    compiled, x = native(step), Tensor(X)
    opened(compiled, x)
    step.__code__ = other.__code__
    same(compiled(x), Tensor(3 * X.sum()), "llvm")


def test_a_variable_that_is_gone():
    namespace, step, x = module()
    opened(step, x)
    del namespace["factor"]
    with pytest.raises(NameError, match="factor"):
        step(x)
    namespace["factor"] = 5.0
    same(step(x), Tensor(5 * X.sum()), "llvm")


def module():
    """The variables of a module, a step in it that reads one of them, and what it is given."""
    namespace = {"jit": native, "factor": 2.0}
    exec("step = jit(lambda x: (x * factor).sum())", namespace)
    return namespace, namespace["step"], Tensor(X)


def test_new_variables_beside_those_that_a_step_reads():
    namespace, step, x = module()
    opened(step, x)
    for k in range(300):
        namespace[f"other{k}"] = k
        same(step(x), Tensor(2 * X.sum()), "llvm")
        namespace["factor"] = 3.0
        same(step(x), Tensor(3 * X.sum()), "llvm")
        namespace["factor"] = 2.0
        same(step(x), Tensor(2 * X.sum()), "llvm")


def test_another_variable_of_the_module_may_change_all_the_time():
    namespace, step, x = module()
    namespace["loss"] = 1.0
    opened(step, x)
    for _ in range(3):
        namespace["loss"] = step(x)
        assert is_through(step, x)


def test_variables_that_share_their_names():
    holder = Settings()
    exec("def step(x): return (x * a).sum()", vars(holder))
    step, x = native(vars(holder)["step"]), Tensor(X)
    for _ in range(2 * PATIENCE):
        same(step(x), Tensor(2 * X.sum()), "llvm")
    holder.a = 4.0
    same(step(x), Tensor(4 * X.sum()), "llvm")


def test_a_gradient_from_elsewhere_is_forgotten():
    training = perceptron()
    step, w = native(training.step), training.model.weight
    opened(step, X, Y)
    w.grad = Tensor(np.ones(3))
    step(X, Y)
    assert w.grad is None


def test_a_gradient_from_elsewhere_is_added_to():
    def make():
        w = Tensor(np.ones((4, 3)), requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1)

        def step(x):
            loss = (w * x).sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()

        return w, step

    (w, step), (other, eager) = make(), make()
    compiled, x = native(step), Tensor(X)
    for _ in range(opened(compiled, x)):
        eager(x)
    for _ in range(3):
        w.grad, other.grad = Tensor(np.ones((4, 3))), Tensor(np.ones((4, 3)))
        same(compiled(x), eager(x), "llvm")
    same(w.data, other.data, "llvm")


def test_weights_that_are_taken_stay_as_they_are():
    eager, compiled, step = twins(perceptron, X, Y)
    for _ in range(3):
        old = compiled.model.weight.data
        copy = old.copy()
        for _ in range(3):
            step(X, Y)
            eager.step(X, Y)
        np.testing.assert_array_equal(old, copy)
    same(compiled.state, eager.state, "llvm")


def test_a_graph_built_before_is_still_right():
    training = perceptron()
    step = native(training.step)
    opened(step, X, Y)
    w = training.model.weight
    loss = (w * w).sum()
    step(X, Y)
    with pytest.raises(RuntimeError):
        loss.backward()
    loss = (w * w).sum()
    expected = 2 * w.data.copy()
    loss.backward()
    np.testing.assert_array_equal(w.grad.data, expected)


def test_recording_that_is_off():
    def step(x):
        y = (x * x).sum()
        return y.detach() if y.requires_grad else -y

    compiled, x = native(step), Tensor(X, requires_grad=True)
    opened(compiled, x)
    with tg.no_grad():
        assert float(compiled(x)) == -np.sum(X * X)
    assert float(compiled(x)) == np.sum(X * X)


# --- arguments ---


SIX = np.arange(6.0).reshape(2, 3)
FORMS = {
    "a row": SIX[0],
    "float32": SIX.astype(np.float32),
    "another byte order": SIX.astype(">f8"),
    "Fortran's order": np.asfortranarray(SIX),
    "every other one": np.arange(24.0).reshape(4, 6)[::2, ::2],
    "a part": np.arange(24.0).reshape(4, 6)[1:3, :3],
    "one row again and again": np.broadcast_to(SIX[0], (2, 3)),
    "no axes": np.array(2.0),
    "one axis more": SIX[None],
    "a Tensor": Tensor(SIX),
    "a number": 2.0,
    "a whole number": 2,
    "a number of NumPy": np.float64(2),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_argument_of_another_form(name):
    step, y = native(lambda x, y: Tensor(x * y).sum()), FORMS[name]
    opened(step, SIX, SIX)
    product = SIX * (y.data if isinstance(y, Tensor) else y)
    for _ in range(3):
        assert float(step(SIX, y)) == product.sum()
        assert float(step(SIX, SIX)) == (SIX * SIX).sum()


def test_arrays_in_memory_that_is_not_aligned():
    eager, _, step = twins(perceptron, X, Y)
    raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
    x = raw[1:].view(np.float64).reshape(X.shape)
    x[...] = X
    assert not x.flags.aligned
    same(step(x, Y), eager.step(X, Y), "llvm")


@pytest.mark.filterwarnings("ignore:.*shape")
def test_arrays_whose_shape_is_set_in_place():
    step = native(lambda x: (x * np.arange(3.0)).sum())
    x = np.arange(6.0).reshape(2, 3)
    opened(step, Tensor(x))
    y = np.arange(6.0).reshape(2, 3)
    y.shape = (1, 2, 3)
    assert float(step(Tensor(y))) == (x * np.arange(3.0)).sum()


WRONG = {
    "one too few": lambda step: step(X),
    "one too many": lambda step: step(X, Y, X),
    "another name": lambda step: step(X, z=Y),
    "one that is not there": lambda step: step(X, Y, z=Y),
    "a matrix": lambda step: step(X.view(np.matrix), Y),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused_as_ever(name):
    step = native(perceptron().step)
    opened(step, X, Y)
    with pytest.raises(TypeError, match=r"argument|matrix"):
        WRONG[name](step)


def test_arguments_may_be_named_in_any_order():
    eager, _, step = twins(perceptron, X, Y)
    same(step(X, y=Y), eager.step(X, Y), "llvm")
    same(step(y=Y, x=X), eager.step(X, Y), "llvm")


def test_an_argument_that_only_has_a_name():
    step = native(lambda x, *, factor=1.0: (x * factor).sum())
    opened(step, Tensor(X))
    assert float(step(Tensor(X), factor=2.0)) == 2 * X.sum()


def test_a_tensor_that_requires_grad_now():
    def step(x):
        return (x * 2 if x.requires_grad else x).sum().detach()

    compiled, x = native(step), Tensor(X)
    opened(compiled, x)
    x.requires_grad = True
    assert float(compiled(x)) == 2 * X.sum()


def test_a_tensor_that_is_written_is_no_argument():
    mean = Tensor(np.zeros((4, 3)))

    def step(x):
        mean.data = 0.9 * mean + 0.1 * x
        return mean.sum()

    compiled = native(step)
    opened(compiled, Tensor(X))
    with pytest.raises(TraceError, match="gives new data"):
        compiled(mean)


def test_a_class_out_of_range_is_refused():
    (x, _), y = batch(), classes()
    eager, compiled, step = twins(lambda: network(loss=nn.cross_entropy), x, y)
    assert is_through(step, x, y)
    eager.step(x, y)
    with pytest.raises(ValueError, match="class"):
        step(x, y + 3)
    same(step(x, y[::-1]), eager.step(x, y[::-1]), "llvm")
    same(compiled.state, eager.state, "llvm")


def ask(step, condition):
    """Has a step ask this of the classes it is given."""
    ((place, _),) = step.latest.required
    step.latest.required[:] = [(place, condition)]


def test_what_a_condition_raises_is_raised():
    step, (x, _), y = native(network(loss=nn.cross_entropy).step), batch(), classes()
    opened(step, x, y)

    def refuse(x):
        raise KeyboardInterrupt

    ask(step, refuse)
    with pytest.raises(KeyboardInterrupt):
        step(x, y)


# --- when there is none ---


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 2,
        lambda x: (x.sum(), x.mean()),
        lambda x: x.sum(),
    ],
    ids=["an array", "two results", "no Tensor"],
)
def test_other_results_go_by_python(f):
    step, x = native(f), np.arange(3.0)
    opened(step, x, expected=False)
    same(step(x), f(x), "llvm")


def test_a_step_that_sees_a_set():
    powers = {2}
    step, x = native(lambda x: sum((x**p).sum() for p in powers)), Tensor(X)
    opened(step, x, expected=False)
    powers.add(3)
    assert float(step(x)) == pytest.approx((X**2).sum() + (X**3).sum())


def test_small_arrays_by_numpy_are_still_compared():
    scale = np.array([1.0, 2.0, 3.0])
    step, x = native(lambda x: (x * (scale + 1)).sum()), Tensor(X)
    opened(step, x, expected=False)
    scale[0] = 10
    assert float(step(x)) == (X * (scale + 1)).sum()


def test_objects_with_slots_go_by_python():
    class Slotted:
        __slots__ = ("factor",)

    holder = Slotted()
    holder.factor = 2.0
    step, x = native(lambda x: (x * holder.factor).sum()), Tensor(X)
    opened(step, x, expected=False)
    holder.factor = 3.0
    assert float(step(x)) == 3 * X.sum()


def test_unknown_layouts_have_no_gate(monkeypatch):
    monkeypatch.setattr(watching, "layout_is_known", lambda: False)
    eager, compiled = perceptron(), perceptron()
    for _ in range(opened(native(compiled.step), X, Y, expected=False)):
        eager.step(X, Y)
    same(compiled.state, eager.state, "llvm")


def test_a_step_within_a_step_is_a_part_of_it():
    inner = native(lambda x: (x * x).sum())
    opened(inner, Tensor(X))
    outer = native(tg.grad(lambda x: inner(x) * 2))
    for _ in range(3):
        same(outer(X), 4 * X, "llvm")


def test_a_step_within_a_step_is_a_part_of_it_with_arguments_of_its_own_too():
    x = Tensor(X)
    inner = native(lambda x: (x * x).sum())
    opened(inner, x)
    outer = native(lambda z: inner(x) * z)
    for k in range(3):
        x.data = X * k
        same(outer(Tensor(3.0)), Tensor((X * k * X * k).sum() * 3.0), "llvm")


# --- one at a time, and nothing stays behind ---


def test_loops_and_scans_in_between():
    eager, compiled = perceptron(), perceptron()
    step = native(compiled.step)
    for k in range(1, 60):
        step(X, Y)
        eager.step(X, Y)
        if k % 7 == 0:
            step.loop(3, X, Y)
            step.scan(X[None], Y[None])
            for _ in range(4):
                eager.step(X, Y)
    same(compiled.state, eager.state, "llvm")


def test_kinds_of_arguments_that_take_turns():
    eager, compiled = network(), network()
    step = native(compiled.step)
    data = [batch(n=7), batch(n=5)]
    for k in range(200):
        x, y = data[k % 20 == 19]
        same(step(x, y), eager.step(x, y), "llvm")
    assert [v.gate is not None for (v,) in step.variants.values()].count(True) == 1
    same(compiled.state, eager.state, "llvm")


def test_a_gate_that_is_shut_lets_nobody_through():
    step = native(perceptron().step)
    opened(step, X, Y)
    assert step.gate is not None
    step(X, y=Y)
    assert step.gate is None
    calls = step.latest.calls
    step(X, Y)
    assert step.latest.calls == calls + 1
    opened(step, X, Y)
    step.loop(1, X, Y)
    assert step.gate is None


def test_threads_that_share_a_gate_do_every_step():
    eager, training = perceptron(), perceptron()
    step = native(training.step)
    for _ in range(opened(step, X, Y) + 8 * 500):
        eager.step(X, Y)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        work = lambda k: [step(X, Y) if (i + k) % 9 else step(X, y=Y) for i in range(500)]
        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    same(training.state, eager.state, "llvm")


def test_references_are_given_back():
    step, (x, _), y = native(network(loss=nn.cross_entropy).step), batch(), classes()
    opened(step, x, y)
    held = x, y, Tensor, x.dtype, np.float64, True, None
    before = [sys.getrefcount(thing) for thing in held]
    for _ in range(1000):
        step(x, y)
    after = [sys.getrefcount(thing) for thing in held]
    assert all(abs(a - b) < 100 for a, b in zip(after, before, strict=True))


def test_a_dropped_step_is_freed_with_its_gate():
    training = perceptron()
    step = native(training.step)
    opened(step, X, Y)
    seen = [weakref.ref(x) for x in (step, step.gate)]
    gc.disable()
    try:
        del step
        assert [x() for x in seen] == [None, None]
    finally:
        gc.enable()


def test_what_is_collected_with_a_step_may_call_it():
    step, x, found = native(lambda x: (x * x).sum()), Tensor(X), []
    opened(step, x)

    class Last:
        __slots__ = ()  # so that it is not collected, but dropped, when parts of the step are gone

        def __del__(self, step=step):
            found.append(float(step(x)))

    step.me, step.last = step, Last()
    del step, Last
    gc.collect()
    assert set(found) == {float((X * X).sum())}


def test_what_is_collected_first_may_call_a_step_that_is_older_than_its_code():
    x, found = Tensor(X), []

    class Trainer:
        def __init__(self):
            self.step = native(self.plain)

        def plain(self, x):
            return x.sum()

    class Log:
        def __init__(self, trainer):
            self.trainer, self.me = trainer, self

        def __del__(self):
            found.append(float(self.trainer.step(x)))

    gc.collect()
    gc.disable()
    try:
        trainer = Trainer()
        gc.collect(0)
        opened(trainer.step, x)
        Log(trainer)
        del trainer
        gc.collect()
    finally:
        gc.enable()
    assert found == [X.sum()]


def test_a_step_whose_argument_has_lost_its_array():
    step, x = native(lambda x: x.sum()), Tensor(X)
    opened(step, x)
    del x.array
    with pytest.raises(AttributeError, match="array"):
        step(x)
    y = step(Tensor(X))
    step(Tensor(X))
    opened(step, Tensor(X))
    y = step(Tensor(X))
    step(Tensor(X))
    del y.array
    del y
    assert [float(step(Tensor(X))) for _ in range(3)] == [X.sum()] * 3


def test_a_gate_outlives_the_traces_of_other_steps():
    x = Tensor(X)
    inner = native(lambda x: (x * x).sum())
    opened(inner, x)
    before = inner.gate
    native(lambda z: inner(x) * z)(Tensor(1.0))
    inner(x)
    assert inner.gate is before
    assert is_through(inner, x)


@pytest.mark.parametrize("make", [lambda: jit(len, static_argnames="z"), lambda: jit(5)])
def test_a_step_that_could_not_be_made_dies_in_silence(make, monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    with pytest.raises((ValueError, TypeError)):
        make()
    gc.collect()
    assert not said


def test_what_another_thread_changes_while_a_gate_is_built(monkeypatch):
    factors = {"k": 2.0}
    step = native(lambda x: (x * factors["k"]).sum())
    look, looked = watching.Rows.look_into, []

    def changing(self, x):
        if x is factors and not looked:
            looked.append(x)
            factors["k"] = 3.0
        look(self, x)

    monkeypatch.setattr(watching.Rows, "look_into", changing)
    for _ in range(3 * PATIENCE):
        factor = factors["k"]
        assert float(step(Tensor(X))) == factor * X.sum()
    assert looked
    assert is_through(step, Tensor(X))
