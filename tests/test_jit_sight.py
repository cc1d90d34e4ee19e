"""What a step reaches by detours is seen; what cannot be seen is refused; what it costs is told."""

import itertools
import types
from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from dataclasses import dataclass
from functools import (
    cached_property,
    partial,
    partialmethod,
    singledispatchmethod,
    update_wrapper,
)

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from steps import X, each_backend, never_stale, same

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn
from tinygrad_slp.jit import TraceError, jit
from tinygrad_slp.rule import RULES

CALLS = 5
"""Of a step, before something changes."""
factor = 2.0


def factor_changes():
    global factor
    factor += 1


class Called:
    def __call__(self, x):
        return x * factor


class Made:
    def __init__(self):
        self.by = factor


class Multiplying:
    def __mul__(self, x):
        return x * factor


class Missing:
    def __getattr__(self, name):
        return factor


class Entered:
    def __enter__(self):
        return factor

    def __exit__(self, *exception): ...


class Descriptor:
    def __get__(self, instance, cls):
        return factor


class Described:
    by = Descriptor()


class Detours:
    @property
    def by_property(self):
        return factor

    @cached_property
    def cached(self):
        return lambda: factor

    def times(self, x, y):
        return x * y * factor

    doubled = partialmethod(times, 2.0)

    @singledispatchmethod
    def chosen(self, x):
        return x

    @chosen.register
    def _(self, n: int):
        return n * factor


def by_with(x):
    with Entered() as by:
        return x * by


DETOURS = {
    "call": Called(),
    "init": lambda x: x * Made().by,
    "operator": lambda x: Multiplying() * x,
    "getattr": lambda x: x * Missing().by,
    "with": by_with,
    "descriptor": lambda x: x * Described().by,
    "property": lambda x: x * Detours().by_property,
    "cached property": lambda x: x * Detours().cached(),
    "partial method": lambda x: Detours().doubled(x),
    "single dispatch": lambda x: x * Detours().chosen(2),
    "partial": partial(lambda y, x: x * y * factor, 2.0),
}


@each_backend
@pytest.mark.parametrize("name", DETOURS)
def test_a_global_is_seen_through(name, backend):
    step = DETOURS[name]
    compiled = jit(step, backend=backend)
    assert never_stale(compiled, step, factor_changes, X, calls=CALLS) == "seen"


@each_backend
def test_a_global_is_seen_through_a_rule(backend):
    @tg.differentiable(lambda g, y, x: -factor * g, form="elementwise", domain=tg.REAL)
    def reverse(x):
        """x"""
        return x * 1.0

    step = lambda x: tg.grad(lambda x: np.sum(reverse(x)))(x)
    try:
        compiled = jit(step, backend=backend)
        assert never_stale(compiled, step, factor_changes, X, calls=CALLS) == "seen"
    finally:
        del RULES[reverse]  # which is no derivative, as other tests would find


class Scaled:
    """A decorator with a field."""

    def __init__(self, f, by=2.0):
        update_wrapper(self, f)
        self.f, self.by = f, by

    def __call__(self, x):
        return self.by * self.f(x)


class Named(float):
    by = 2.0


class Partly(partial): ...


HOLDERS = {
    "decorator": (Scaled(lambda x: x + 1), lambda h, x: h(x) * 1, lambda h: setattr(h, "by", 7.0)),
    "polynomial": (
        Polynomial([1.0, 2.0]), lambda h, x: x * h.coef[1], lambda h: setattr(h, "coef", h.coef * 2)
    ),
    "kind of float": (Named(2.0), lambda h, x: x * h.by, lambda h: setattr(h, "by", h.by + 1)),
    "kind of partial": (
        Partly(lambda by, x: by[0] * x, [2.0]), lambda h, x: h(x),
        lambda h: h.args[0].__setitem__(0, h.args[0][0] + 1),
    ),
}  # fmt: skip


@each_backend
@pytest.mark.parametrize("name", HOLDERS)
def test_what_an_object_holds_is_seen(name, backend):
    holder, f, change = HOLDERS[name]
    step = partial(f, holder)
    compiled = jit(step, backend=backend)
    assert never_stale(compiled, step, lambda: change(holder), X, calls=CALLS) == "seen"


# --- containers ---


@each_backend
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_the_order_of_a_dict_is_seen(kind, backend):
    functions = kind(double=lambda x: 2 * x, more=lambda x: x + 1)

    def step(x):
        for f in functions.values():
            x = f(x)
        return x

    def change():
        first = next(iter(functions))
        functions[first] = functions.pop(first)

    assert never_stale(jit(step, backend=backend), step, change, X, calls=CALLS) == "seen"


@each_backend
def test_an_array_that_is_given_another_shape_is_seen(backend):
    data = np.arange(6.0).reshape(2, 3)

    def change():
        data.resize(data.shape[::-1], refcheck=False)

    step = lambda: np.sum(Tensor(data) * np.arange(1, 1 + data.shape[1]), axis=0).data
    assert never_stale(jit(step, backend=backend), step, change, calls=CALLS) == "seen"


class Table:
    """As a DataFrame: NumPy can make an array of it."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(2)


UNSEEN = {
    "an iterator": itertools.count(1.0),
    "a cycle": itertools.cycle([1.0, 2.0]),
    "a generator": (i for i in range(9)),
    "parameters": nn.Linear(2, 1).parameters(),
    "a table": Table(),
    "an array of Python's": array("d", [1.0, 2.0]),
    "an array of objects": np.array([[2.0], None], dtype=object),
}


@each_backend
@pytest.mark.parametrize("name", UNSEEN)
def test_what_could_change_unseen_is_refused(name, backend):
    value, held = UNSEEN[name], types.SimpleNamespace(value=UNSEEN[name])
    with pytest.raises(TraceError, match=r"reads value.*next\(batches\) or df.to_numpy\(\)"):
        jit(lambda x: x * len(str(value)), backend=backend)(X)
    with pytest.raises(TraceError, match=r"reads held\.value"):
        jit(lambda x: x * len(str(held.value)), backend=backend)(X)
    with pytest.raises(TypeError, match=r"value is an array of|argument value is a"):
        jit(lambda x, value: x * len(str(value)), backend=backend)(X, value)


@each_backend
def test_an_iterator_that_no_code_names_is_no_matter(backend):
    held = types.SimpleNamespace(factor=2.0, batches=itertools.count())
    compiled = jit(lambda x: x * held.factor, backend=backend)
    np.testing.assert_array_equal(compiled(X), 2 * X)


class Net(nn.Module):
    def __init__(self):
        self.items = iter([1.0, 2.0])

    def forward(self, x):
        return x * next(self.items)


class Trainer:
    def __init__(self):
        self.factor, self.batches = 2.0, iter([1.0, 2.0])

    def step(self, x):
        return x * self.factor

    def next_step(self, x):
        return self.advance() * x

    def advance(self):
        return next(self.batches)


@each_backend
def test_an_iterator_is_refused_only_in_code_that_the_step_may_run(backend):
    trainer = Trainer()
    np.testing.assert_array_equal(jit(trainer.step, backend=backend)(X), 2 * X)
    with pytest.raises(TraceError, match=r"reads self\.batches, a list_iterator"):
        jit(trainer.next_step, backend=backend)(X)
    net = Net()
    with pytest.raises(TraceError, match=r"reads net\.items, a list_iterator"):
        jit(lambda x: net(x), backend=backend)(X)


class Anything:
    def __init__(self):
        self.factor = 2.0

    def __getattr__(self, name):
        return 1.0


@each_backend
def test_an_object_that_has_all_attributes_is_seen(backend):
    held = Anything()

    def change():
        held.factor += 1

    step = lambda x: x * held.factor * held.other
    assert never_stale(jit(step, backend=backend), step, change, X, calls=CALLS) == "seen"


# --- shapes that follow from values ---

SHAPES = {
    "bincount": (np.bincount, [0, 1, 2], [0, 0, 0]),
    "repeat": (lambda c: np.repeat(c, c), [1, 1, 1], [0, 1, 0]),
    "delete": (lambda c: np.delete(c, c > 2), [1, 2, 3], [1, 2, 1]),
    "setdiff1d": (lambda c: np.setdiff1d(c, [3, 4]), [0, 1, 2], [0, 3, 4]),
    "trim_zeros": (np.trim_zeros, [1, 1, 2], [0, 0, 2]),
}


@each_backend
@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_that_follows_from_values_is_an_error(name, backend):
    function, first, second = SHAPES[name]
    compiled = jit(function, backend=backend)
    with pytest.raises(TraceError, match=rf"the shape of .*{name}.* depends on values"):
        for values in (first, first, second):
            compiled(np.array(values))


def test_an_array_of_objects_is_refused():
    with pytest.raises(TypeError, match="x is an array of Python objects"):
        jit(lambda x: x * 2)(np.array([1, "a"], dtype=object))


# --- what is kept, and said ---


@each_backend
def test_modes_in_turns_are_traced_once_each(backend):
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.BatchNorm1d(3))
    compiled = jit(lambda x: model(x).detach(), backend=backend)
    for _ in range(5):
        for mode in (model.train, model.eval):
            mode()
            compiled(np.eye(2))
            compiled(np.eye(2))
    assert compiled.traces <= 3


def test_who_changes_what_a_step_reads_again_and_again_is_told():
    settings = {"beta": 0.0}
    compiled = jit(lambda x: x * settings["beta"], backend="numpy")
    with pytest.warns(UserWarning, match=r"what it reads changes: settings\['beta'\] \(7.0, then"):
        for k in range(9):
            settings["beta"] = float(k)
            np.testing.assert_array_equal(compiled(X), X * k)


@each_backend
def test_a_cache_filled_once_for_each_shape_settles(backend):
    cache = {}

    def step(x):
        if x.shape not in cache:
            cache[x.shape] = len(cache) + 2.0
        return x * cache[x.shape]

    compiled = jit(step, backend=backend)
    for _ in range(2):
        for n in range(2, 7):
            np.testing.assert_array_equal(compiled(np.ones(n)), np.full(n, float(n)))


def test_a_partial_has_the_name_of_its_function_in_messages():
    def scaled(by, x):
        return x * by

    compiled = jit(partial(scaled, 2.0), backend="numpy")
    with pytest.warns(UserWarning, match="scaled was traced 8 times") as seen:
        for n in range(8):
            compiled(np.ones(n))
    assert seen[0].filename == __file__


# --- what is equal, and another ---


class Field:
    def __init__(self, value):
        self.value = value


class Slot:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Layer(nn.Module):
    def __init__(self, value):
        self.value = value


@dataclass
class Record:
    value: object


def by_default(value):
    def read(value=value):
        return value

    return read, lambda new: setattr(read, "__defaults__", (new,))


def by_default_with_a_name(value):
    def read(*, value=value):
        return value

    return read, lambda new: setattr(read, "__kwdefaults__", {"value": new})


def in_closure(value):
    def put(new):
        nonlocal value
        value = new

    return lambda: value, put


def in_global(value):
    variables = {"value": value}
    exec("def read(): return value", variables)
    return variables["read"], lambda new: variables.update(value=new)


def in_function(value):
    def read():
        return read.value

    read.value = value
    return read, lambda new: setattr(read, "value", new)


def in_item(container, key):
    return lambda: container[key], lambda new: container.__setitem__(key, new)


def in_inner_item(container, key):
    return lambda: container[key]["a"], lambda new: container[key].update(a=new)


def in_items_behind_a_proxy(value):
    items = {"a": value}
    proxy = types.MappingProxyType(items)
    return lambda: proxy["a"], lambda new: items.update(a=new)


def in_tuple(value):
    holder = Field((value, 1))
    return lambda: holder.value[0], lambda new: setattr(holder, "value", (new, 1))


def in_field(holder):
    return lambda: holder.value, lambda new: setattr(holder, "value", new)


def in_inner_field(outer, inner):
    return lambda: outer.value.value, lambda new: setattr(inner, "value", new)


def in_field_of_a_new_record(value):
    holder = Field(Record(value))
    return lambda: holder.value.value, lambda new: setattr(holder, "value", Record(new))


def in_class_of(holder):
    return lambda: holder.value, lambda new: setattr(type(holder), "value", new)


def with_value(holder, value):
    holder.value = value
    return holder


def kind_of(base, **contents):
    return type("Kind", (base,), {"__module__": __name__, **contents})


def module(value):
    return with_value(types.ModuleType("my_config"), value)


PLACES = {
    "a default": by_default,
    "a default with a name": by_default_with_a_name,
    "a closure": in_closure,
    "a global": in_global,
    "a function": in_function,
    "a dict": lambda value: in_item({"a": value}, "a"),
    "an OrderedDict": lambda value: in_item(OrderedDict(a=value), "a"),
    "a defaultdict": lambda value: in_item(defaultdict(float, a=value), "a"),
    "a Counter": lambda value: in_item(Counter({"a": value}), "a"),
    "a dict behind a proxy": in_items_behind_a_proxy,
    "a dict in a tuple": lambda value: in_inner_item(({"a": value},), 0),
    "a dict in a dict": lambda value: in_inner_item({"b": {"a": value}}, "b"),
    "a list": lambda value: in_item([value], 0),
    "a deque": lambda value: in_item(deque([value]), 0),
    "a UserList": lambda value: in_item(UserList([value]), 0),
    "a tuple": in_tuple,
    "a kind of list": lambda value: in_item(kind_of(list)([value]), 0),
    "a kind of dict": lambda value: in_item(kind_of(dict)(a=value), "a"),
    "a UserDict": lambda value: in_item(UserDict(a=value), "a"),
    "a dict in a deque": lambda value: in_inner_item(deque([{"a": value}]), 0),
    "a dict in a kind of list": lambda value: in_inner_item(kind_of(list)([{"a": value}]), 0),
    "a dict in an OrderedDict": lambda value: in_inner_item(OrderedDict(b={"a": value}), "b"),
    "an OrderedDict in a dict": lambda v: in_inner_item({"b": OrderedDict(a=v)}, "b"),
    "an OrderedDict in a tuple": lambda v: in_inner_item((OrderedDict(a=v),), 0),
    "a field": lambda value: in_field(Field(value)),
    "a namespace": lambda value: in_field(types.SimpleNamespace(value=value)),
    "a slot": lambda value: in_field(Slot(value)),
    "a new record": in_field_of_a_new_record,
    "a field of a dict": lambda value: in_field(with_value(kind_of(dict)(), value)),
    "a field of a list": lambda value: in_field(with_value(kind_of(list)(), value)),
    "a slot of a dict": lambda v: in_field(with_value(kind_of(dict, __slots__=("value",))(), v)),
    "a slot of a list": lambda v: in_field(with_value(kind_of(list, __slots__=("value",))(), v)),
    "a class": lambda value: in_field(kind_of(object, value=value)),
    "the class of an object": lambda value: in_class_of(kind_of(object, value=value)()),
    "a module": lambda value: in_field(module(value)),
    "a module in a field": lambda value: in_inner_field(Field(inner := module(value)), inner),
    "a Module": lambda value: in_field(Layer(value)),
}
"""Where a step may find a value: makers of a function that reads it there, and one that puts it."""
VALUES = {
    "a number": (2.0, 3.0, np.multiply),
    "an equal number of another type": (1, 1.0, lambda x, v: x.astype(int) * v),
    "a zero of another sign": (0.0, -0.0, np.copysign),
    "None": (2.0, None, lambda x, v: x if v is None else x * v),
    "a text": ("sum", "max", lambda x, v: getattr(np, v)(x)),
    "a function": (lambda *x: x[-1] + 1, lambda *x: x[-1] - 1, lambda x, v: v(x)),
    "an array": (np.array([1.0, 2.0]), np.array([1.0, 3.0]), np.multiply),
    "an array in a Tensor": (np.ones(2), np.zeros(2), lambda x, v: np.exp(Tensor(v) * x).detach()),
    "a Tensor": (Tensor([1.0, 2.0]), Tensor([1.0, 3.0]), np.multiply),
}
"""Two values that may be there, and what is done with them."""


@each_backend
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_another_value_is_seen_wherever_it_is(place, value, backend):
    old, new, use = VALUES[value]
    read, put = PLACES[place](old)
    step = lambda x: use(x, read())
    compiled = jit(step, backend=backend)
    for now in (old, new, old, new):
        put(now)
        for _ in range(2):
            same(compiled(X), step(X), "llvm")


@pytest.mark.parametrize("make", [lambda x: x, lambda x: (x,), lambda x: {"a": x}, lambda x: [x]])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_added_to_an_equal_list_is_seen(place, make):
    words = ["a"]
    read, put = PLACES[place](make(words))
    step = lambda x: x * len(str(read()))
    compiled = jit(step, backend="numpy")
    for _ in range(2):
        same(compiled(X), step(X), "numpy")
    words = ["a"]
    put(make(words))
    for _ in range(3):
        same(compiled(X), step(X), "numpy")
        words.append("b")


@each_backend
def test_a_variable_of_a_module_that_is_an_argument_is_seen(backend):
    config = module(2.0)
    step = lambda x, config: x * config.value
    change = lambda: setattr(config, "value", config.value + 1)
    assert never_stale(jit(step, backend=backend), step, change, X, config, calls=CALLS) == "seen"


@each_backend
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("listed", [False, True], ids=["alone", "in a list"])
def test_a_parameter_replaced_by_an_equal_one_is_left_alone(place, listed, backend):
    old, new = Tensor([2.0]), Tensor([5.0])
    read, put = PLACES[place]([old] if listed else old)

    def step():
        w = read()[0] if listed else read()
        w.data = w.data + 1

    compiled = jit(step, backend=backend)
    for _ in range(3):
        compiled()
    assert old == new
    put([new] if listed else new)
    for _ in range(3):
        compiled()
    assert (old.item(), new.item()) == (5, 8)
