"""What holds for NumPy's arrays holds for those of another library, without a line for it."""

from importlib.util import find_spec

import numpy as np
import pytest
from calls import NAMES, RULES, Call, calls
from foreign import Foreign

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn, optim

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
P, CLASSES = rng.uniform(size=(8, 3)), rng.integers(0, 3, size=8)


LIBRARIES = {"of the tests": (Foreign, lambda x: x.held)}
if find_spec("cupy"):  # on a machine with a GPU
    import cupy

    LIBRARIES["CuPy"] = cupy.asarray, cupy.asnumpy


@pytest.fixture(params=LIBRARIES)
def library(request):
    """What makes an array of another library, and what gives NumPy's back."""
    return LIBRARIES[request.param]


def moved(call, library):
    """The same call, with all its arrays in another library."""
    there = Call(call.function, call.rebuild(list(call.leaves)), call.kwargs)
    there.part = call.part
    there.leaves = [library(x) if isinstance(x, np.ndarray) else x for x in call.leaves]
    return there


def squares(call, arrays):
    """The value of a call, and the gradients of half the sum of its squares."""
    leaves = [Tensor(x, requires_grad=True) for x in arrays]
    y = call(*leaves)
    ((y * y).sum() / 2).backward()
    return [y, *(x.grad for x in leaves)]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_values_and_gradients_are_the_same_and_stay_there(rule, library):
    there, back = library
    for call in calls(rule):
        expected = squares(call, call.arrays)
        found = squares(moved(call, there), map(there, call.arrays))
        for x, y in zip(expected, found, strict=True):
            assert type(y.array) is type(there(X))
            np.testing.assert_allclose(back(y.array), x.data, rtol=1e-10, atol=1e-13)


def perceptron():
    return nn.Sequential(nn.Linear(4, 5, rng=0), nn.Tanh(), nn.Linear(5, 3, rng=1))


def normalized():
    first, last = nn.Linear(4, 5, rng=0), nn.Linear(5, 3, rng=1)
    return nn.Sequential(first, nn.LayerNorm(5), nn.ReLU(), last)


TRAININGS = {
    "mse": (perceptron, nn.mse_loss, Y, lambda p: optim.SGD(p, lr=0.1)),
    "momentum": (normalized, nn.huber_loss, Y, lambda p: optim.SGD(p, lr=0.1, momentum=0.9)),
    "classes": (perceptron, nn.cross_entropy, CLASSES, lambda p: optim.Adam(p, lr=0.01)),
    "probabilities": (perceptron, nn.cross_entropy, P / P.sum(1, keepdims=True), optim.AdamW),
    "logits": (perceptron, nn.binary_cross_entropy_with_logits, P, optim.RMSprop),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_the_same_and_stays_there(name, library):
    make, loss, target, optimizer = TRAININGS[name]
    there, back = library

    def trained(library):
        model = make()
        for p in model.parameters():
            p.data = library(p.data)
        optimizing = optimizer(model.parameters())
        for _ in range(5):
            optimizing.zero_grad()
            value = loss(model(library(X)), library(target))
            value.backward()
            optimizing.step()
        return [value.array, *(p.array for p in model.parameters())]

    for x, y in zip(trained(np.copy), trained(there), strict=True):
        assert type(y) is type(there(X))
        np.testing.assert_allclose(back(y), x, rtol=1e-10)


def test_functional_derivatives_stay_there(library):
    there, back = library
    f = lambda x: np.sum(np.tanh(x) ** 3)
    for derivative in (tg.grad(f), tg.grad(lambda x: tg.grad(f)(x).sum()), tg.hessian(f)):
        found = derivative(there(X[0]))
        assert type(found) is type(there(X))
        np.testing.assert_allclose(back(found), derivative(X[0]), rtol=1e-12)


def test_a_graph_that_mixes_libraries_says_so():
    with pytest.raises(TypeError, match=r"numpy\.ndarray"):
        Tensor(Foreign(X), requires_grad=True) * X


def test_new_data_of_another_library_takes_the_dtype_of_the_tensor():
    """np.dtype("float64") == None is True: a dtype is compared to None by `is`."""
    for dtype in (np.float64, np.float32):
        t = Tensor(Foreign(np.zeros(2, dtype)), requires_grad=True)
        for data in ([1, 0], [True, False], np.float32([0.75, 1.0]), [0.75, 1.0]):
            t.data = Foreign(np.array(data))
            assert t.dtype == dtype and t.data.held.tolist() == np.asarray(data, dtype).tolist()
    assert Tensor(Foreign(np.array([1, 2]))).dtype == np.int64
