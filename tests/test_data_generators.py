"""Generated and loaded data are what their docstrings say."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import data, nn, optim

MADE = {
    "xor": (data.xor, 2),
    "two_moons": (data.two_moons, 2),
    "spirals": (data.spirals, 3),
    "blobs": (data.blobs, 3),
}


def by_rows(X, y):
    """The points in an order that does not depend on how they were shuffled."""
    rows = np.column_stack([y, X])
    return rows[np.lexsort(np.round(rows, 9).T)]


@pytest.mark.parametrize("name", MADE)
@given(n=st.integers(4, 60), seed=st.integers(0, 99))
def test_shapes_dtypes_shares_and_seeds(name, n, seed):
    make, classes = MADE[name]
    X, y = make(n, rng=seed)
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((n, 2), np.float64, (n,), np.int64)
    counts = np.bincount(y, minlength=classes)
    assert len(counts) == classes and np.ptp(counts) <= 1
    again = make(n, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert not np.array_equal(X, make(n, rng=seed + 1)[0])


@pytest.mark.parametrize("name", MADE)
def test_the_order_is_random(name):
    _, y = MADE[name][0](60, rng=0)
    assert np.any(np.diff(y) < 0) and len(np.unique(y[:15])) > 1


@pytest.mark.parametrize("name", MADE)
def test_noise_has_its_deviation(name):
    make, _ = MADE[name]
    clean, noisy = (make(20_000, noise=noise, rng=0)[0] for noise in (0, 0.3))
    assert np.std(noisy - clean) == pytest.approx(0.3, rel=0.02)


def test_gates_are_pythons_operators():
    for name, gate in {
        "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
        "nand": lambda a, b: 1 - (a & b), "nor": lambda a, b: 1 - (a | b),
        "xnor": lambda a, b: 1 - (a ^ b),
    }.items():  # fmt: skip
        X, y = data.gates(name)
        assert X.shape == (4, 2) and len(np.unique(X, axis=0)) == 4
        np.testing.assert_array_equal(y, [gate(int(a), int(b)) for a, b in X])


def test_gates_are_for_training():
    X, y = data.gates("nand")
    model = nn.Perceptron(2, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        nn.binary_cross_entropy(model(X), y).backward()
        optimizer.step()
    np.testing.assert_array_equal(model(X).data > 0.5, y)


def test_xor_without_noise_is_the_gate():
    X, y = data.xor(50, noise=0, rng=0)
    np.testing.assert_array_equal(y, X[:, 0] != X[:, 1])


@pytest.mark.parametrize("n", [2, 20, 40])
def test_moons_are_those_of_scikit_learn(n):
    datasets = pytest.importorskip("sklearn.datasets")
    ours, theirs = data.two_moons(n, noise=0, rng=0), datasets.make_moons(n, random_state=0)
    np.testing.assert_allclose(by_rows(*ours), by_rows(*theirs), atol=1e-12)


def test_spirals_turn_evenly():
    X, y = data.spirals(90, 5, noise=0, turns=2, rng=0)
    r = np.hypot(*X.T)
    assert (r.min(), r.max()) == (pytest.approx(0.1), pytest.approx(1))
    turned = np.arctan2(X[:, 1], X[:, 0]) / (2 * np.pi) - 2 * r - y / 5
    np.testing.assert_allclose(turned, np.rint(turned), atol=1e-12)


def test_blobs_have_one_centre_for_each_class():
    X, y = data.blobs(40, classes=4, features=5, noise=0, rng=0)
    assert X.shape == (40, 5) and np.max(np.abs(X)) <= 10
    assert len(np.unique(np.column_stack([X, y]), axis=0)) == 4


def test_generators_refuse():
    for message, call in {
        "and, or, xor, nand, nor, xnor.*'not'": lambda: data.gates("not"),
        "2 points .*3 groups": lambda: data.spirals(2),
        "classes .*1 or more.*0": lambda: data.blobs(5, classes=0),
        "noise .*0 or more.*-1": lambda: data.two_moons(10, noise=-1),
        "noise .*0 or more.*nan": lambda: data.xor(10, noise=np.nan),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()


# --- loaded ---


def test_the_penguins_have_their_counts_and_means():
    table = data.load_penguins()
    assert list(table) == [
        "species", "island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm",
        "body_mass_g", "sex", "year",
    ]  # fmt: skip
    assert {x.shape for x in table.values()} == {(344,)}
    found = {name: dict(zip(*np.unique(table[name], return_counts=True), strict=True))
             for name in ("species", "island", "sex")}  # fmt: skip
    assert found == {
        "species": {"Adelie": 152, "Chinstrap": 68, "Gentoo": 124},
        "island": {"Biscoe": 168, "Dream": 124, "Torgersen": 52},
        "sex": {"": 11, "female": 165, "male": 168},
    }
    for name, mean in {
        "bill_length_mm": 43.92193, "bill_depth_mm": 17.15117, "flipper_length_mm": 200.91520,
        "body_mass_g": 4201.754,
    }.items():  # fmt: skip
        assert np.isnan(table[name]).sum() == 2
        assert np.nanmean(table[name]) == pytest.approx(mean, rel=1e-6)
    assert set(table["year"]) == {2007, 2008, 2009}


@pytest.mark.parametrize("name, shape, classes", [
    ("load_breast_cancer", (569, 30), 2), ("load_digits", (1797, 64), 10),
])  # fmt: skip
def test_tables_of_scikit_learn(name, shape, classes, monkeypatch):
    load = getattr(data, name)
    pytest.importorskip("sklearn")
    X, y = load()
    assert (X.shape, X.dtype, y.shape, y.dtype) == (shape, np.float64, shape[:1], np.int64)
    assert np.array_equal(np.unique(y), np.arange(classes))
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'tinygrad-slp[sklearn]'")):
        load()


def test_classes_are_counted_where_indices_have_32_bits(monkeypatch):
    """There np.bincount refuses int64, which it could not cast safely."""
    bincount = np.bincount

    def strict(x, *args):
        assert x.dtype == np.intp, f"Cannot cast array data from {x.dtype} to {np.dtype(np.intp)}"
        return bincount(x, *args)

    expected = data.spirals(12, rng=0)
    monkeypatch.setattr(np, "intp", np.int32)
    monkeypatch.setattr(np, "bincount", strict)
    for found, array in zip(data.spirals(12, rng=0), expected, strict=True):
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
