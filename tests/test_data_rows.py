"""Rows stay together, each in one place, in an order that a seed decides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import Tensor
from tinygrad_slp.data import batches, train_test_split


def joined(epoch):
    return [np.concatenate(parts) for parts in zip(*epoch, strict=True)]


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 9) | st.none())
def test_an_epoch_has_each_row_once(n, size, seed):
    X, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n)
    data = batches(X, y, -y, size=size, shuffle=seed)
    for _ in range(2):
        epoch = list(data)
        assert [len(b[1]) for b in epoch] == [size] * (n // size) + [n % size] * (n % size > 0)
        assert len(data) == len(epoch)
        X_found, y_found, w_found = joined(epoch)
        np.testing.assert_array_equal(np.sort(y_found), y)
        np.testing.assert_array_equal(X_found, X[y_found])
        np.testing.assert_array_equal(w_found, -y_found)
        assert seed is not None or np.array_equal(y_found, y)
    if n >= size:
        full = batches(X, y, size=size, shuffle=seed, drop_last=True)
        assert [len(y_b) for _, y_b in full] == [size] * len(full) == [size] * (n // size)


def test_a_seed_gives_the_same_orders_and_a_generator_moves_on():
    y = np.arange(50)

    def orders(shuffle, epochs=3):
        data = batches(y, size=7, shuffle=shuffle)
        return [joined(data)[0].tolist() for _ in range(epochs)]

    first = orders(3)
    assert first == orders(3) == orders(np.random.default_rng(3))
    assert first[0] != first[1] != first[2] and first != orders(4)
    rng = np.random.default_rng(3)
    assert [*orders(rng, 1), *orders(rng, 2)] == first


def test_the_state_of_rng_resumes():
    a, b = (batches(np.arange(20), size=6, shuffle=0) for _ in range(2))
    list(a)
    b.rng.bit_generator.state = a.rng.bit_generator.state
    np.testing.assert_array_equal(joined(a), joined(b))


def test_two_epochs_at_once_do_not_mix():
    data = batches(np.arange(10), size=5, shuffle=0)
    pairs = list(zip(data, data, strict=True))
    for side in range(2):
        found = np.concatenate([pair[side][0] for pair in pairs])
        np.testing.assert_array_equal(np.sort(found), np.arange(10))


def test_in_order_nothing_is_copied():
    X = np.zeros((10, 2))
    assert all(np.shares_memory(X, X_b) for (X_b,) in batches(X, size=4))


def test_tensors_stay_tensors_and_lists_become_arrays():
    ((X_b, y_b),) = batches(Tensor([[1.0], [2.0]]), [3, 4], size=2, shuffle=0)
    assert isinstance(X_b, Tensor)
    np.testing.assert_array_equal(X_b.data[:, 0] + 2, y_b)


def test_batches_refuse():
    X = np.zeros((10, 2))
    for error, message, arrays, options in (
        (ValueError, r"one length.*\(10, 2\), \(3,\)", (X, [1, 2, 3]), {"size": 2}),
        (ValueError, r"\(10, 2\), \(\)", (X, 5), {"size": 2}),
        (ValueError, "arrays", (), {"size": 2}),
        (ValueError, r"rows.*\(0, 2\)", (X[:0],), {"size": 2}),
        (ValueError, "size .*1 or more.*0", (X,), {"size": 0}),
        (ValueError, "10 rows .*size=11", (X,), {"size": 11, "drop_last": True}),
        (TypeError, "True.*shuffle=0", (X,), {"size": 2, "shuffle": True}),
        (TypeError, "shuffle .*False", (X,), {"size": 2, "shuffle": False}),
        (TypeError, "size", (X, X), {}),
        (TypeError, r"size .*2.5", (X,), {"size": 2.5}),
    ):
        with pytest.raises(error, match=message):
            batches(*arrays, **options)


# --- train_test_split ---


def parts(n, **options):
    """The rows of both parts, which together are all rows, and the same for each array."""
    y = np.arange(n)
    X_train, X_test, train, test = train_test_split(np.stack([y, -y], axis=1), y, **options)
    np.testing.assert_array_equal(np.sort([*train, *test]), y)
    np.testing.assert_array_equal(X_train, np.stack([train, -train], axis=1))
    np.testing.assert_array_equal(X_test, np.stack([test, -test], axis=1))
    return train, test


@given(st.integers(2, 60), st.floats(0.05, 0.95), st.integers(0, 9))
def test_sizes_are_those_of_scikit_learn(n, share, seed):
    selection = pytest.importorskip("sklearn.model_selection")
    try:
        expected = [len(p) for p in selection.train_test_split(range(n), test_size=share)]
    except ValueError:
        with pytest.raises(ValueError, match="empty"):
            parts(n, test_size=share)
        return
    assert [len(p) for p in parts(n, test_size=share, rng=seed)] == expected


@given(st.lists(st.integers(2, 12), min_size=1, max_size=4), st.data())
def test_each_label_gets_its_share(sizes, data):
    n, k = sum(sizes), len(sizes)
    count = data.draw(st.integers(k, n - k))
    names = np.array(["b", "a", "d", "c"])
    labels = data.draw(st.permutations(np.repeat(names[:k], sizes).tolist()))
    _, test = parts(n, test_size=count, stratify=labels, rng=data.draw(st.integers(0, 9)))
    assert len(test) == count
    for name, size in zip(names, sizes, strict=False):
        assert abs(np.sum(np.array(labels)[test] == name) - size * count / n) < 1


def test_any_row_may_be_chosen_as_often_as_any_other():
    rng, labels = np.random.default_rng(0), np.arange(12) % 3
    for options in ({}, {"stratify": labels}):
        found = [parts(12, test_size=4, rng=rng, **options)[1] for _ in range(3000)]
        often = np.bincount(np.ravel(found), minlength=12) / 3000
        assert np.max(np.abs(often - 1 / 3)) < 5 * np.sqrt(2 / 9 / 3000)
        for place in range(4):  # and in any place, so that labels do not come in blocks
            at = np.bincount([test[place] for test in found], minlength=12) / 3000
            assert np.max(np.abs(at - 1 / 12)) < 5 * np.sqrt(1 / 12 / 3000)


def test_the_same_seed_gives_the_same_split():
    a, b, c = (parts(30, rng=seed)[1].tolist() for seed in (1, 1, 2))
    assert a == b != c


def test_tables_are_split_and_stay_tables():
    pandas = pytest.importorskip("pandas")
    y = np.arange(10)
    table = {"x": y * 2.0, "name": [f"n{k}" for k in range(10)]}
    frame = pandas.DataFrame(table, index=list("abcdefghij"))
    train, test, f_train, f_test, y_train, y_test = train_test_split(table, frame, y, rng=0)
    for part, f_part, rows in ((train, f_train, y_train), (test, f_test, y_test)):
        assert part["x"].tolist() == f_part["x"].tolist() == (rows * 2.0).tolist()
        assert part["name"].tolist() == f_part["name"].tolist() == [f"n{k}" for k in rows]
        assert list(part) == list(f_part.columns) == ["x", "name"]
    for wrong in ({"x": y, "z": y[:3]}, {}):
        with pytest.raises(ValueError, match=r"length|rows"):
            train_test_split(wrong)


def test_split_refuses():
    X = np.zeros((6, 2))
    for message, arrays, options in (
        (r"one length.*\(6, 2\), \(2,\)", (X, [1, 2]), {}),
        (r"none", (), {}),
        ("test_size=1.0 of 6 rows leaves one part empty", (X,), {"test_size": 1.0}),
        ("test_size=6 of 6 rows", (X,), {"test_size": 6}),
        ("test_size=0 of 6 rows", (X,), {"test_size": 0}),
        ("test_size=-0.5", (X,), {"test_size": -0.5}),
        ("test_size=0.2 of 1 rows", (X[:1],), {}),
        ("only once .*: 'b'", (X,), {"stratify": list("aaaaab")}),
        ("2 labels .* 5 and 1 rows", (X,),
         {"stratify": list("aaabbb"), "test_size": 1}),
        (r"shapes \(6, 2\), \(2,\)", (X,), {"stratify": [1, 1]}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            train_test_split(*arrays, **options)
