"""Arrays of other libraries, wherever data enters: taken on purpose, or refused by name.

Stand-ins for these libraries say where an array is converted in silence; the libraries themselves
are asked where they are installed.
"""

from importlib.util import find_spec

import numpy as np
import pytest

from tinygrad_slp import Tensor, data, draw, metrics, nn, optim
from tinygrad_slp.data.arrays import CONVERSIONS, as_numpy
from tinygrad_slp.train import fit

X = np.arange(12.0).reshape(6, 2) / 12
Y = X[:, :1]
CLASSES = np.array([0, 1, 0, 1, 1, 0])
TEXTS = np.array(list("abcabc"))
P = np.stack([1 - X[:, 0], X[:, 0]], axis=1)


def stand_in(library, **more):
    """A class of arrays that must not be converted, as if defined in a library."""

    def convert(self, *args, **kwargs):
        raise AssertionError(f"an array of {library} was converted in silence")

    names = {"__module__": f"{library}.core", "shape": (6, 2), "ndim": 2, "dtype": X.dtype}
    return type("Array", (), names | {"__array__": convert, "__len__": lambda self: 6} | more)


def ignored(self, *args, **kwargs):
    raise AssertionError("not to be called")


STAND_INS = {library: stand_in(library) for library in CONVERSIONS} | {
    protocol: stand_in("theirs", **{protocol: ignored})
    for protocol in ("__array_function__", "__array_namespace__", "__dlpack__")
}


def train(x, y, validation=None, wrap=lambda *arrays: arrays):
    model = nn.Linear(2, 1, rng=0)
    sgd = optim.SGD(model.parameters())
    fit(model, wrap(x, y), nn.mse_loss, sgd, 1, validation=validation, progress=False, jit=False)
    return model.weight.data


ENTRIES = {
    "fit X": (X, lambda x: train(x, Y)),
    "fit y": (Y, lambda y: train(X, y)),
    "fit batches": (X, lambda x: train(x, Y, wrap=lambda *arrays: [arrays])),
    "fit validation": (X, lambda x: train(X, Y, (x, Y))),
    "Standardizer.fit": (X, lambda x: data.Standardizer().fit(x).mean),
    "Standardizer.transform": (X, lambda x: data.Standardizer().fit(X).transform(x)),
    "Standardizer.inverse": (X, lambda x: data.Standardizer().fit(X).inverse_transform(x)),
    "OneHot.fit": (TEXTS, lambda x: data.OneHot().fit(x).categories),
    "OneHot.transform": (TEXTS, lambda x: data.OneHot().fit(TEXTS).transform(x)),
    "OneHot.inverse": (P, lambda p: data.OneHot().fit(CLASSES).inverse_transform(p)),
    "Labels.fit": (TEXTS, lambda x: data.Labels().fit(x).classes),
    "Labels.inverse": (CLASSES, lambda i: data.Labels().fit(TEXTS).inverse_transform(i)),
    "TableEncoder": (CLASSES, lambda x: data.TableEncoder().fit_transform({"a": TEXTS, "b": x})),
    "stratify": (CLASSES, lambda y: data.train_test_split(X, stratify=y, rng=0)[0]),
    "accuracy": (CLASSES, lambda y: metrics.accuracy(CLASSES, y)),
    "balanced_accuracy": (CLASSES, lambda y: metrics.balanced_accuracy(y, CLASSES)),
    "confusion_matrix": (CLASSES, lambda y: metrics.confusion_matrix(CLASSES, y)),
    "confusion_matrix labels": (
        CLASSES[:2],
        lambda labels: metrics.confusion_matrix(CLASSES, CLASSES, labels=labels),
    ),
    "precision_recall_f1": (CLASSES, lambda y: metrics.precision_recall_f1(y, CLASSES).f1),
    "roc_auc": (P, lambda p: metrics.roc_auc(CLASSES, p)),
    "log_loss": (P[1:], lambda p: metrics.log_loss(CLASSES[1:], p)),
    "calibration": (P, lambda p: metrics.calibration(CLASSES, p).error),
    **{
        f"{name} {'true' if k else 'pred'}": (
            Y,
            lambda y, name=name, k=k: getattr(metrics, name)(*((y, Y) if k else (Y, y))),
        )
        for name in ("mse", "rmse", "mae", "r2")
        for k in range(2)
    },
    "draw": (X, lambda x: draw.draw(np.exp(Tensor(X, requires_grad=True)) * X, X=x).dot),
}


def test_every_metric_is_tried():
    assert {entry.split()[0] for entry in ENTRIES} >= {
        name for name in metrics.__all__ if name[0].islower()
    }


@pytest.mark.parametrize("library", STAND_INS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_no_array_of_another_library_is_converted_in_silence(entry, library):
    _, use = ENTRIES[entry]
    x = STAND_INS[library]()
    for given in (x, [x, x]):
        with pytest.raises(TypeError) as error:
            use(given)
        name = library if library in CONVERSIONS else "theirs"
        assert f"{name}.Array" in str(error.value)
        assert CONVERSIONS.get(library, "np.asarray(x)") in str(error.value)


def masked(x):
    return np.ma.masked_array(x, mask=np.zeros(x.shape, dtype=bool))


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_mask_of_an_array_is_not_dropped_in_silence(entry):
    x, use = ENTRIES[entry]
    with pytest.raises(TypeError, match=r"MaskedArray.*x\.filled"):
        use(masked(x))


LIBRARIES = {"dask": "dask.array", "torch": "torch", "jax": "jax.numpy", "scipy": "scipy.sparse"}


def made_by(library, x):
    """x as an array of a library; skips where that is not installed."""
    there = pytest.importorskip(LIBRARIES[library])
    if library == "scipy":
        return there.csr_array(x)
    return there.as_tensor(x) if library == "torch" else there.asarray(x)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_error_says_to_write_is_right(library):
    x = made_by(library, X)
    with pytest.raises(TypeError, match=library) as error:
        as_numpy("X", x)
    way = str(error.value).partition("write ")[2]
    found = eval(way, {"x": x, "np": np})
    assert type(found) is np.ndarray
    np.testing.assert_allclose(as_numpy("X", found), X, rtol=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_rows_of_other_libraries_stay_theirs(library):
    x = made_by(library, X)
    parts = data.train_test_split(x, np.arange(6), rng=0)
    assert all(type(part) is type(x) for part in parts[:2])
    for part, rows in zip(parts[:2], parts[2:], strict=True):
        dense = eval(CONVERSIONS[library], {"x": part, "np": np})
        np.testing.assert_allclose(dense, X[rows], rtol=1e-6)
    (whole,) = next(iter(data.batches(x, size=6)))
    assert type(whole) is type(x)


def test_rows_that_are_not_counted_yet_are_refused():
    x = made_by("dask", X)
    with pytest.raises(TypeError, match=r"known length.*nan"):
        data.batches(x[x[:, 0] > 0.5], size=2)


@pytest.mark.skipif(not find_spec("pandas"), reason="pandas is not installed")
@pytest.mark.parametrize("entry", [e for e in ENTRIES if "labels" not in e])
def test_tables_of_pandas_are_taken(entry):
    import pandas

    x, use = ENTRIES[entry]
    table = pandas.DataFrame(x) if x.ndim == 2 else pandas.Series(x)
    np.testing.assert_array_equal(use(table), use(x))


@pytest.mark.skipif(not find_spec("pyarrow"), reason="PyArrow is not installed")
def test_columns_of_pyarrow_are_taken():
    import pyarrow

    for entry in ("OneHot.fit", "TableEncoder", "accuracy", "stratify"):
        x, use = ENTRIES[entry]
        np.testing.assert_array_equal(use(pyarrow.array(x)), use(x))


def test_data_that_requires_grad_is_not_detached_in_silence():
    for x in (Tensor(X, requires_grad=True), np.exp(Tensor(X, requires_grad=True))):
        with pytest.raises(TypeError, match=r"requires grad.*t\.detach\(\)"):
            train(x, Y)
    np.testing.assert_array_equal(train(Tensor(X), Tensor(Y)), train(X, Y))
