"""Every way to get a silently wrong gradient that we know of: one named test each."""

import gc
import operator
import subprocess
import sys
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, grad, nn, no_grad
from tinygrad_slp.rule import RULES


def leaf(*values, dtype=None):
    return Tensor(list(values), requires_grad=True, dtype=dtype)


# --- dtypes ---


@pytest.mark.parametrize("scalar", [2, 2.0, True])
def test_python_scalars_never_promote_float32(scalar):
    x = leaf(1, 2, dtype=np.float32)
    for y in (x * scalar, scalar * x, x + scalar, scalar - x, x / scalar, x**scalar, np.exp(x)):
        assert y.dtype == np.float32
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype == np.float32


def test_float32_gradient_stays_float32_beside_a_float64_array():
    x = leaf(1, 2, dtype=np.float32)
    y = x * np.array(2.0)
    assert y.dtype == np.float64
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_reductions_and_losses_stay_float32():
    x = Tensor(np.ones((3, 2)), requires_grad=True, dtype=np.float32)
    for y in (x.mean(), x.std(axis=0), np.median(x), np.linalg.norm(x), tg.logsumexp(x), x.var()):
        assert y.dtype == np.float32


@pytest.mark.parametrize("data", [1, [1, 2], [True], np.arange(3)])
def test_integer_leaves_say_what_to_write(data):
    with pytest.raises(TypeError, match=r"dtype=np\.float64"):
        Tensor(data, requires_grad=True)


def test_grad_of_an_integer_says_what_to_write():
    with pytest.raises(TypeError, match=r"1\.0"):
        grad(lambda x: x**2)(3)


@pytest.mark.parametrize("data", ["text", None, [[1.0], [1.0, 2.0]], [object()]])
def test_data_that_is_not_numeric_is_refused(data):
    with pytest.raises(TypeError, match="numbers"):
        Tensor(data)


# --- arrays that change under a graph ---


def test_tensor_copies_its_data():
    source = np.ones(2)
    x = Tensor(source, requires_grad=True)
    y = (x * x).sum()
    source[:] = 100
    y.backward()
    np.testing.assert_array_equal(x.grad.data, [2, 2])


def test_data_is_read_only():
    x = leaf(1.0, 2.0)
    y = x * x
    for t in (x, y):
        with pytest.raises(ValueError, match="read-only"):
            t.data[0] = 5.0
    with pytest.raises(TypeError, match=r"np\.where"):
        x[0] = 5.0


def test_a_raw_array_changed_after_use_does_not_change_the_gradient():
    x, c = leaf(1.0, 2.0), np.array([3.0, 4.0])
    y = (x * c).sum() + (c * x).sum() + np.where(c > 0, x, 0).sum()
    c[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad.data, [7, 9])


def test_an_array_given_to_a_layer_and_changed_does_not_change_the_gradient():
    layer, x = nn.Linear(2, 1, rng=0), np.array([[1.0, 2.0], [3.0, 4.0]])
    y = layer(x).sum()
    x[:] = 100.0
    y.backward()
    assert layer.weight.grad.tolist() == [[4.0, 6.0]]


def test_an_index_changed_after_use_does_not_change_the_gradient():
    x, index, items = leaf(1.0, 2.0, 3.0), np.array([0, 1]), [2, 2]
    y = x[index].sum() + x[items].sum() + np.take(x, index).sum()
    index[:] = 2
    items[:] = [0, 0]
    y.backward()
    np.testing.assert_array_equal(x.grad.data, [2, 2, 2])


def test_new_data_between_forward_and_backward_is_an_error():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    w.data = [5.0, 5.0]
    with pytest.raises(RuntimeError, match="data"):
        y.backward()


def test_an_optimizer_step_between_forward_and_backward_is_an_error():
    w = leaf(1.0, 2.0)
    (w * w).sum().backward()
    later = (w * w).sum()
    tg.optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="data"):
        later.backward()


def test_new_data_keeps_shape_and_dtype_and_is_copied():
    w = leaf(1.0, 2.0, dtype=np.float32)
    source = np.array([3.0, 4.0])
    w.data = source
    source[:] = 0
    assert w.dtype == np.float32
    assert w.tolist() == [3, 4]
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        w.data = np.ones(3)
    with pytest.raises(RuntimeError, match="leaf"):
        (w * 2).data = np.ones(2)


def test_in_place_update_of_a_leaf_works_under_no_grad_and_is_refused_elsewhere():
    w = leaf(1.0, 2.0)
    kept = w
    (w * w).sum().backward()
    with no_grad():
        w -= 0.5 * w.grad
    assert w is kept
    assert w.requires_grad
    np.testing.assert_array_equal(w.data, [0, 0])
    with pytest.raises(RuntimeError, match="no_grad"):
        w += 1.0


IN_PLACE = [
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv,
    operator.imod, operator.ipow, operator.imatmul,
]  # fmt: skip


@pytest.mark.parametrize("operate", IN_PLACE, ids=lambda f: f.__name__)
def test_every_operator_in_place_keeps_the_leaf(operate):
    a = np.array([[5.0, 2.0], [3.0, 7.0]])
    w, b = Tensor(a, requires_grad=True), np.array([[2.0, 3.0], [2.0, 2.0]])
    expected = operate(a.copy(), b)
    with pytest.raises(RuntimeError, match="no_grad"):
        operate(w, b)
    product = operate(w * 1, b)
    np.testing.assert_array_equal(product.data, expected)
    assert product.requires_grad
    with no_grad():
        assert operate(w, b) is w
    np.testing.assert_array_equal(w.data, expected)


def test_in_place_arithmetic_on_an_array_never_swallows_a_tensor():
    a = np.ones(2)
    with pytest.raises(TypeError, match=r"a = a \+ t"):
        a += leaf(1.0, 2.0)


def test_views_given_as_gradients_are_not_written_into():
    x = leaf(1.0, 2.0)
    (x + x + x.sum()).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [4, 4])
    a, b = grad(lambda a, b: (a + b).sum(), (0, 1))(np.ones(2), np.ones(2))
    a[:] = 7
    np.testing.assert_array_equal(b, [1, 1])


def test_an_array_that_is_read_only_for_a_while_is_copied():
    x, c = leaf(1.0, 2.0), np.array([3.0, 4.0])
    c.flags.writeable = False
    y = (x * c).sum()
    c.flags.writeable = True
    c[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad.data, [3, 4])


def test_a_tensor_is_no_value_to_fill_an_array_with():
    x, w = np.zeros(2), leaf(2.0)
    with pytest.raises(TypeError, match=r"np\.stack"):
        x[:] = w
    for fill in (lambda: np.full_like(w, w.sum()), lambda: np.full_like(w, fill_value=w.sum())):
        with pytest.raises(TypeError, match="gradient"):
            fill()
    assert np.full_like(w, 3.0) == [3]


# --- the graph ---


def test_a_node_used_twice_adds_up():
    x = leaf(3.0)
    y = x * x
    (y * y + y).sum().backward()
    assert x.grad.item() == 4 * 27 + 6


def test_gradients_accumulate_until_cleared():
    x = leaf(3.0)
    for _ in range(2):
        (x * x).sum().backward()
    assert x.grad.item() == 12


def test_second_backward_says_that_the_graph_is_freed():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 6


def test_a_part_of_the_graph_that_was_freed_is_noticed():
    x = leaf(1.0)
    h = x * x
    (h * 2).sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        (h * 3).sum().backward()
    assert x.grad.item() == 4


def test_backward_without_anything_to_do_is_an_error():
    with pytest.raises(RuntimeError, match="requires_grad=True"):
        Tensor(1.0).backward()


def test_backward_of_many_numbers_asks_for_a_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"\(2,\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        (x * x).backward(np.ones(3))
    (x * x).backward([1.0, 10.0])
    np.testing.assert_array_equal(x.grad.data, [2, 40])


def deep_chain(operations, walk):
    x = leaf(1.0)
    y = x
    for _ in range(operations):
        y = y * 1.0
    if walk:
        y.sum().backward()
        assert x.grad.item() == 1


@pytest.mark.parametrize(
    "operations, walk", [(1_000_000, True), (200_000, False)], ids=["walked", "dropped"]
)
def test_a_million_operations_in_a_small_stack(operations, walk):
    """Recursion would overflow the stack after a few thousand already."""
    code = f"import threading, test_footguns as t; threading.stack_size(256 * 1024); \
        w = threading.Thread(target=t.deep_chain, args=({operations}, {walk})); w.start(); \
        w.join(); print('ok')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HERE)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "ok", "")


HERE = __file__.rpartition("/")[0]


def uses():
    """One of each: what may leave garbage behind."""
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    (np.exp(x) @ x.T).sum().backward()
    np.sin(x).sum().backward(create_graph=True)
    x.grad = None  # which was made of x, and so holds it
    grad(grad(lambda v: np.sum(v**3)))(2.0)
    tg.hessian(lambda v: np.prod(v))(np.ones(3))
    tg.vjp(lambda v: np.cos(v), np.ones(3))[1](np.ones(3))
    tg.jvp(lambda v: tg.softmax(v), (np.ones(3),), (np.ones(3),))
    repr(x.sum())
    with suppress(TypeError):
        np.fft.fft(x)


def test_no_use_leaves_reference_cycles():
    uses()
    gc.collect()
    gc.disable()
    try:
        uses()
        assert gc.collect() == 0
    finally:
        gc.enable()


def cost_of_nodes(n):
    """Bytes of n recorded operations, besides their arrays."""
    y = leaf(*range(12), dtype=float)
    c = Tensor(np.ones(12))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    arrays = [y.array * 1 for _ in range(n)]
    middle = tracemalloc.get_traced_memory()[0]
    for _ in range(n):
        y = y * c
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(arrays) == n
    return (after - middle) - (middle - before)


def test_a_node_costs_at_most_300_bytes_besides_its_array():
    n = 1000
    # The least of three: a table of the interpreter's that grows in one of them is no node's.
    assert min(cost_of_nodes(n) for _ in range(3)) < 300 * n


# --- rules ---


def test_a_rule_without_a_domain_is_an_error():
    with pytest.raises(TypeError, match="domain"):
        tg.declare(np.gcd, "step", lambda g, y, a, b: g * 0, lambda g, y, a, b: g * 0)
    assert np.gcd not in RULES


def test_a_rule_with_too_few_vjps_is_an_error():
    with pytest.raises(TypeError, match="vjp"):
        tg.declare(np.gcd, "step", lambda g, y, a, b: g * 0, domain=tg.REAL)


def test_a_cotangent_of_another_shape_is_an_error():
    @tg.differentiable(lambda g, y, x, c: g.T, None, domain=tg.REAL)
    def wrong(x, c):
        """x·c"""
        return x * c

    x = Tensor(np.ones((2, 3)), requires_grad=True)
    try:
        with pytest.raises(ValueError, match=r"wrong.*\(3, 2\) for input 0 of shape \(2, 3\)"):
            wrong(x, 1.0).sum().backward()
        with pytest.raises(ValueError, match=r"\(2, 1\) for input 0 of shape \(1, 2\)"):
            wrong(Tensor(np.ones((1, 2)), requires_grad=True), 1.0).sum().backward()
    finally:
        del RULES[wrong]


def test_an_own_rule_has_higher_derivatives_and_forward_mode():
    @tg.differentiable(lambda g, y, x: g * 3 * x**2, form="elementwise", domain=tg.REAL)
    def cube(x):
        """x³"""
        assert type(x) is not Tensor
        return x * x * x

    try:
        assert grad(grad(cube))(2.0) == 12
        assert tg.jvp(cube, (2.0,), (1.0,)) == (8, 12)
        assert cube(2.0) == 8
    finally:
        del RULES[cube]


def test_slopes_where_nothing_moves_are_zero():
    """Found by the checker: a norm that one zero holds at 0, and bounds that are equal."""
    with np.errstate(divide="ignore"):
        slope = tg.grad(lambda x: np.linalg.norm(x, -2))(np.array([0.0, 1.9, 3.4]))
    np.testing.assert_array_equal(slope, [0.0, 0.0, 0.0])
    assert tg.grad(lambda x: np.clip(x, 0.0, 0.0))(0.0) == 0.0
    assert tg.grad(lambda x: np.clip(x, 0.0, 1.0))(0.0) == 1.0


def test_inputs_of_an_own_function_are_not_swapped_by_their_names(table):
    @tg.differentiable(lambda g, y, b, a: g, lambda g, y, b, a: -g, domain=tg.REAL)
    def difference(b, a):
        return b - a

    @tg.differentiable(
        lambda g, y, c, a, b: g, lambda g, y, c, a, b: g * b, lambda g, y, c, a, b: g * a,
        domain=tg.REAL,
    )  # fmt: skip
    def multiplied_and_added(c, a, b):
        return c + a * b

    one, two, five = Tensor([1.0]), Tensor([2.0]), Tensor([5.0])
    assert difference(b=five, a=one).tolist() == difference(a=one, b=five).tolist() == [4.0]
    assert multiplied_and_added(b=two, c=five, a=one).tolist() == [7.0]
    assert multiplied_and_added(five, b=two, a=one).tolist() == [7.0]


def test_what_a_record_says_runs_is_what_runs(table):
    def never(*arrays):
        raise AssertionError

    vjps = (
        [lambda g, y, a: g],
        [lambda g, y, a, b: g] * 2,
        [lambda g, y, a, b, c: g] * 3,
    )
    x = np.array([1.0, 2.0])
    for n, each in enumerate(vjps, 1):
        add = tg.differentiable(*each, domain=tg.REAL, run=lambda *arrays: sum(arrays))(never)
        for given in ([Tensor(x)] * n, [Tensor(x, requires_grad=True)] * n, [x] * n):
            y = add(*given)
            assert np.shape(y) == (2,) and [v.item() for v in y] == [n, 2 * n]


def test_a_vjp_that_makes_nothing_of_g_has_a_tangent_of_0(table):
    @tg.differentiable(lambda g, y, x: Tensor(np.zeros(2)), domain=tg.REAL)
    def flat(x):
        return np.ones_like(x)

    x, t = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert tg.jvp(flat, (x,), (t,))[1].tolist() == [0, 0]
