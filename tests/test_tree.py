"""Trees: what is taken apart is put together again, as leaves, by path or as one vector."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import Tensor, grad, nn, tree

Pair = namedtuple("Pair", "left right")
leaves = st.integers() | st.floats(allow_nan=False) | st.text(max_size=2)
trees = st.recursive(
    leaves | st.none(),
    lambda part: (
        st.lists(part, max_size=3)
        | st.lists(part, max_size=3).map(tuple)
        | st.builds(Pair, part, part)
        | st.dictionaries(st.text(max_size=2) | st.integers(), part, max_size=3)
    ),
)


@given(trees)
def test_leaves_give_the_tree_again(x):
    found, rebuild = tree.flatten(x)
    again = rebuild(found)
    assert again == x and type(again) is type(x)
    assert tree.map(lambda leaf: leaf, x) == x
    assert tree.structure(tree.map(str, x)) == tree.structure(x)
    assert tree.flatten(tree.map(str, x))[0] == [str(leaf) for leaf in found]


@given(trees)
def test_each_path_leads_to_its_leaf(x):
    found, _ = tree.flatten(x)
    paths = tree.paths(x, "x")
    assert len(set(paths)) == len(paths) == len(found)
    for path, leaf in zip(paths, found, strict=True):
        assert eval(path, {"x": x}) is leaf


@given(trees)
def test_leaves_are_in_the_order_of_a_reference(x):
    turned = tree.map(lambda leaf: leaf, x)
    if isinstance(turned, dict):
        turned = dict(reversed(turned.items()))
    assert tree.leaves_like(turned, x) == tree.flatten(x)[0]


def test_mappings_become_dicts_and_modules_stay_what_they_are():
    x = OrderedDict(b=1, a=(2, None))
    assert tree.map(float, x) == {"b": 1.0, "a": (2.0, None)}
    layer = nn.Linear(2, 1, rng=0)
    twice = tree.map(lambda p: p * 2, [layer])
    np.testing.assert_array_equal(twice[0].weight.data, 2 * layer.weight.data)
    assert tree.paths([layer, 3], "x") == ["weight", "bias", "x[1]"]


MIXED = {"W": np.arange(6.0).reshape(2, 3), "b": [np.float32(0.5), 2.5, None], "n": np.arange(3)}


def test_a_vector_has_all_numbers_and_gives_the_tree_again():
    vector, unravel = tree.ravel(MIXED)
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 0.5, 2.5, 0, 1, 2] and vector.dtype == float
    again = unravel(vector)
    assert again["b"][2] is None and tree.structure(again) == tree.structure(MIXED)
    for new, old in zip(tree.flatten(again)[0], tree.flatten(MIXED)[0], strict=True):
        assert new.shape == np.shape(old) and new.dtype == np.result_type(old)
        np.testing.assert_array_equal(new, old)
    assert unravel(vector.tolist())["n"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(10,), (12,), (11, 1), ()], ids=str)
def test_a_vector_of_another_shape_is_refused(shape):
    _, unravel = tree.ravel(MIXED)
    with pytest.raises(ValueError) as error:
        unravel(np.zeros(shape))
    assert "(11,)" in str(error.value) and str(shape) in str(error.value)


def test_a_tree_without_leaves_is_an_empty_vector():
    for x in ((), {}, None, [None, ()]):
        vector, unravel = tree.ravel(x)
        assert vector.shape == (0,) and unravel(vector) == x


def test_gradients_flow_through_both():
    model, rng = nn.MLP([3, 4, 2], nn.Tanh, rng=0), np.random.default_rng(0)
    X, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    vector, unravel = tree.ravel(model)
    slope = grad(lambda v: nn.mse_loss(unravel(v)(X), y))(vector.data)
    nn.mse_loss(model(X), y).backward()
    expected = np.concatenate([p.grad.data.reshape(-1) for p in model.parameters()])
    np.testing.assert_allclose(slope, expected, rtol=1e-12)
    weights = rng.normal(size=vector.shape)
    model.zero_grad()
    (tree.ravel(model)[0] * weights).sum().backward()
    parts = tree.flatten(unravel(weights))[0]
    for p, part in zip(model.parameters(), parts, strict=True):
        np.testing.assert_array_equal(p.grad.data, part.data)


def test_a_module_of_a_vector_is_trained_like_the_old_one():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.BatchNorm1d(2))
    vector, unravel = tree.ravel(model)
    other = unravel(vector.data * 2)
    assert [p.requires_grad for p in other.parameters()] == [True] * 4
    assert isinstance(tree.ravel(Tensor([1.0, 2.0]))[0], Tensor)
    assert isinstance(tree.ravel([1.0, np.zeros(2)])[0], np.ndarray)
