"""Arguments of compiled steps: by position or by name, of subclasses; and what hangs on objects.

Each is tried often, as a step is not called once.
"""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
from steps import A, each_backend, same

from tinygrad_slp import Tensor, nn, optim
from tinygrad_slp.jit import TraceError, jit

X, Y = np.arange(6.0), np.arange(6.0) ** 2


def often(call):
    return [float(call()) for _ in range(25)]


@each_backend
def test_names_in_another_order_are_the_same_arguments(backend):
    step = jit(lambda x, y: Tensor(x - 3 * y).sum(), backend=backend)
    right, other = float((X - 3 * Y).sum()), float((Y - 3 * X).sum())
    for _ in range(2):
        assert often(lambda: step(y=Y, x=X))[-1] == right
        assert often(lambda: step(X, Y))[-1] == right
        assert often(lambda: step(X, y=Y))[-1] == right
        assert often(lambda: step(Y, X))[-1] == other
    assert step.traces == 1
    assert float(step.loop(2, y=Y, x=X)[1]) == right


@each_backend
def test_an_argument_that_may_be_left_out(backend):
    def step(x=None, y=None):
        return Tensor(x).sum() if x is not None else -Tensor(y).sum()

    compiled = jit(step, backend=backend)
    assert often(lambda: compiled(y=X))[-1] == -15
    assert often(lambda: compiled(X))[-1] == 15
    assert often(lambda: compiled(y=X))[-1] == -15


@each_backend
@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((X,), {"x": X}, "multiple values for argument 'x'"),
        ((), {}, "missing 2 required positional arguments: 'x' and 'y'"),
        ((X,), {}, "missing 1 required positional argument: 'y'"),
        ((X, X, X), {}, "takes 2 positional arguments but 3 were given"),
        ((X,), {"z": X}, "unexpected keyword argument 'z'"),
    ],
)
def test_arguments_that_the_step_does_not_take(backend, args, kwargs, message):
    step = jit(lambda x, y: Tensor(x - y).sum(), backend=backend)
    often(lambda: step(X, Y))
    with pytest.raises(TypeError, match=message):
        step(*args, **kwargs)
    assert float(step(X, Y)) == (X - Y).sum()


@each_backend
def test_an_argument_that_has_only_a_name_is_not_taken_by_position(backend):
    step = jit(lambda x, *, y: Tensor(x - y).sum(), backend=backend)
    often(lambda: step(X, y=Y))
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        step(X, Y)


@each_backend
def test_a_subclass_of_tensor(backend):
    class Named(Tensor):
        pass

    step = jit(lambda x: (x * 2).sum(), backend=backend)
    assert set(often(lambda: step(Named(X)))) == {30.0}
    assert float(step(X)) == 30


@each_backend
def test_the_gradient_of_an_argument_is_refused(backend):
    def step(x):
        return (x if x.grad is None else x.grad).sum()

    with pytest.raises(TraceError, match=r"gradient of an argument.*step\(x, x\.grad\)"):
        jit(step, backend=backend)(Tensor(X))


# --- what hangs on objects ---


class Double:
    factor = 2.0


class Triple:
    factor = 3.0


class Derived(Double):
    factor = 3.0


def replace_the_class(x):
    x.__class__ = Triple


def derive_the_class(x):
    x.__class__ = Derived


def replace_the_fields(x):
    x.__dict__ = {"factor": 3.0}


@each_backend
@pytest.mark.parametrize("replace", [replace_the_class, derive_the_class, replace_the_fields])
def test_an_object_that_became_another(backend, replace):
    x = Double()
    step = jit(lambda given: (Tensor(given) * x.factor).sum(), backend=backend)
    assert often(lambda: step(X))[-1] == 30
    replace(x)
    assert often(lambda: step(X))[0] == 45


@each_backend
def test_a_variable_that_hides_a_builtin_later(backend):
    variables = {"Tensor": Tensor}
    exec("def f(x): return (Tensor(x) * abs(-2.0)).sum()", variables)
    step = jit(variables["f"], backend=backend)
    assert often(lambda: step(X))[-1] == 30
    variables["abs"] = lambda x: 3.0
    assert often(lambda: step(X))[0] == 45


# --- copies ---


class Model(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 1, rng=0)
        self.optimizer = optim.SGD(self.layer.parameters(), lr=0.1)

    @jit
    def step(self, x):
        self.optimizer.zero_grad()
        loss = self.layer(x).sum()
        loss.backward()
        self.optimizer.step()
        return loss


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_model_has_a_step_of_its_own(copied):
    model, eager = Model(), Model()
    often(lambda: model.step(A))
    twin = copied(model)
    for _ in range(25):
        Model.step.step(eager, A)
    before = twin.layer.weight.data.copy()
    expected = Model.step.step(eager, A)
    same(model.step(A), expected, "llvm")
    np.testing.assert_array_equal(twin.layer.weight.data, before)
    same(twin.step(A), expected, "llvm")


@each_backend
def test_a_step_of_a_step_and_fields_of_its_function(backend):
    def step(x):
        return Tensor(x).sum()

    step.entry = "a field"
    inner = jit(step, backend=backend)
    often(lambda: inner(X))
    outer = jit(inner, backend=backend)
    assert often(lambda: outer(X))[-1] == 15
    assert outer.traces == 1


class Attributes(dict):
    __getattr__ = dict.__getitem__


class Two(tuple):
    def __new__(cls, a, b):
        return super().__new__(cls, (a, b))


@each_backend
def test_dicts_of_other_classes_stay_what_they_are(backend):
    step = jit(lambda given: given.a * 2, backend=backend)
    for _ in range(3):
        np.testing.assert_array_equal(step(Attributes(a=X)), 2 * X)


@each_backend
def test_tuples_of_a_class_that_takes_no_list_are_refused(backend):
    with pytest.raises(TypeError, match=r"given is a Two.*NamedTuple"):
        jit(lambda given: given[0] * given[1], backend=backend)(Two(X, 2.0))


@each_backend
def test_a_method_of_a_class(backend):
    class Model:
        by = 2.0

        @classmethod
        @partial(jit, backend=backend)
        def step(cls, x):
            return x * cls.by

    class Other(Model):
        by = 3.0

    for _ in range(3):
        np.testing.assert_array_equal(Model.step(X), 2 * X)
        np.testing.assert_array_equal(Other.step(X), 3 * X)


@each_backend
def test_a_method_of_an_object_with_slots_says_what_it_needs(backend):
    class Model:
        __slots__ = ("by",)

        @partial(jit, backend=backend)
        def step(self, x):
            return x * self.by

    with pytest.raises(TypeError, match="Model has __slots__: add '__dict__'"):
        Model().step(X)


@each_backend
def test_scan_takes_static_arguments_as_they_are(backend):
    step = jit(lambda x, n: x.sum() * n, static_argnames="n", backend=backend)
    batches = np.arange(12.0).reshape(4, 3)
    for n in (3, 3, 4):
        np.testing.assert_array_equal(step.scan(batches, n), batches.sum(axis=1) * n)


@each_backend
def test_no_steps_have_results_of_the_same_form(backend):
    step = jit(lambda x: {"loss": Tensor(x).sum(), "y": x * 2}, backend=backend)
    step(X), step(X)
    found = step.loop(0, X)
    assert type(found["loss"]) is Tensor
    assert (found["loss"].shape, found["y"].shape) == ((0,), (0, 6))


# --- new data ---


@each_backend
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_new_data_takes_the_dtype_of_the_tensor(dtype, backend):
    def make():
        w = Tensor(np.ones(6, dtype))

        def step(x, rate):
            w.data = w.data - rate * x
            return w.data * 1

        return w, step

    (w, plain), (v, eager) = make(), make()
    step = jit(plain, backend=backend)
    for _ in range(3):
        same(step(X, np.float64(0.5)), eager(X, np.float64(0.5)), backend)
        assert w.dtype == v.dtype == dtype


@each_backend
def test_a_tensor_made_in_a_step_has_the_dtype_it_is_given(backend):
    step = jit(lambda x, n: (Tensor(x, dtype=np.float32), Tensor(n)), backend=backend)
    for _ in range(3):
        x, n = step(X, 2.0)
        assert (x.dtype, n.dtype) == (np.float32, np.float64)
