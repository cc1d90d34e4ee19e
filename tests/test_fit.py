"""fit: it trains as a loop written by hand does, and says what it measured."""

import json
import signal
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_slp import Tensor, nn, no_grad, optim
from tinygrad_slp.jit import TraceError
from tinygrad_slp.random import Stream
from tinygrad_slp.train import (
    Checkpoint,
    EarlyStopping,
    History,
    NonFiniteError,
    blocks,
    fit,
    progress,
)
from tinygrad_slp.train.fit import EVALUATED

MODES = [False, "numpy"]


def table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X[:, :1] * X[:, 1:2] + rng.normal(size=(n, 1)) / 10


def network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(3, 8, rng=rng), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2, rng=rng),
        nn.Linear(8, 1, rng=rng),
    )  # fmt: skip


def simple(seed=0):
    return nn.MLP([3, 8, 1], nn.Tanh, rng=seed)


def by_hand(model, optimizer, X, y, epochs, size, rng):
    """The loop that fit is instead of; returns the mean loss of each epoch."""
    losses = []
    for _ in range(epochs):
        order, total = rng.permutation(len(X)), []
        for k in range(0, len(X), size):
            rows = order[k : k + size]
            optimizer.zero_grad()
            loss = nn.mse_loss(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total.append(loss.item() * len(rows))
        losses.append(sum(total) / len(X))
    return losses


def run(model, data, epochs=3, optimizer=None, **settings):
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return fit(
        model, data, nn.mse_loss, optimizer, epochs, **{"jit": False, "progress": False, **settings}
    )


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


# --- what it computes ---


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize("make", [simple, network])
@pytest.mark.parametrize("size", [2, 8, 16, 25, 49, 50, 99])
def test_it_is_the_loop_written_by_hand(jit, make, size):
    X, y = table(50 if make is simple or 50 % size != 1 else 49)
    one, other = make(), make()
    expected = by_hand(one, optim.Adam(one.parameters()), X, y, 4, size, np.random.default_rng(5))
    optimizer = optim.Adam(other.parameters())
    history = run(other, (X, y), 4, optimizer, batch_size=size, jit=jit, shuffle=5)
    assert same(one.state_dict(), other.state_dict())
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-13)


@given(n=st.integers(1, 40), size=st.integers(1, 45), block=st.integers(1, 600))
def test_every_row_comes_once_an_epoch(n, size, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        rows = blocks.RowFeed((np.arange(n), np.arange(n)[:, None] * 2.0), size, "data")
        for rng in (None, np.random.default_rng(0)):
            seen = list(rows.blocks(rng))
            x = np.concatenate([part[0].ravel() for part in seen])
            y = np.concatenate([part[1].ravel() for part in seen])
            assert np.array_equal(y, 2 * x)
            assert np.array_equal(np.sort(x), np.arange(n))
            assert rng is not None or np.array_equal(x, np.arange(n))
            sizes = [part[0].shape[1] for part in seen for _ in part[0]]
            assert sizes[:-1] == [min(size, n)] * (len(sizes) - 1)


@pytest.mark.parametrize("jit", MODES)
@settings(max_examples=8)
@given(size=st.integers(2, 60), block=st.sampled_from([1, 500, 2000]))
def test_blocks_do_not_change_what_is_computed(jit, size, block):
    X, y = table(61 if 60 % size else 60)
    one, other = simple(), simple()
    run(one, (X, y), batch_size=size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        run(other, (X, y), batch_size=size, jit=jit)
    assert same(one.state_dict(), other.state_dict())


@pytest.mark.parametrize("jit", MODES)
def test_batches_of_an_iterable(jit):
    X, y = table()
    one, other = network(), network()
    expected = run(one, (X, y), shuffle=None, batch_size=20, jit=jit)
    parts = [(X[:20], y[:20]), (X[20:40], y[20:40]), (X[40:], y[40:])]
    assert run(other, parts, jit=jit)["loss"] == expected["loss"]
    assert same(one.state_dict(), other.state_dict())


@pytest.mark.native
def test_native_code_comes_close():
    X, y = table()
    one, other = network(), network()
    a = run(one, (X, y), validation=(X, y), epochs=5)
    b = run(other, (X, y), validation=(X, y), epochs=5, jit="llvm")
    np.testing.assert_allclose(a["val_loss"], b["val_loss"], rtol=1e-10)


@pytest.mark.parametrize("jit", MODES)
def test_validation_does_not_disturb(jit):
    X, y = table()
    one, other = network(), network()
    a = run(one, (X, y), jit=jit)
    b = run(other, (X, y), jit=jit, validation=table(30, seed=1))
    assert a["loss"] == b["loss"]
    assert same(one.state_dict(), other.state_dict())


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize("n", [1, 30, EVALUATED + 1])
def test_validation_is_in_eval_and_metrics_are_of_all_rows(jit, n):
    X, y = table()
    Xv, yv = table(n, seed=1)
    model = network()
    metrics = {"mae": lambda y, p: np.mean(np.abs(y - p)), "rows": lambda y, p: len(p)}
    history = run(model, (X, y), jit=jit, validation=(Xv, yv), metrics=metrics)
    assert not any(module.training for module in model.modules())
    with no_grad():
        p = model(Xv)
    assert history["val_loss"][-1] == pytest.approx(nn.mse_loss(p, yv).item(), rel=1e-12)
    assert history["val_mae"][-1] == pytest.approx(np.mean(np.abs(p.data - yv)), rel=1e-12)
    assert history["val_rows"] == [n] * 3


def test_more_arrays_go_to_the_loss():
    X, y = table()
    w = np.arange(len(X)) % 2.0

    def weighted(p, y, w):
        return (w[:, None] * nn.mse_loss(p, y, "none")).sum() / w.sum()

    one, other = simple(), simple()
    sgd = optim.SGD(one.parameters(), lr=0.1)
    fit(one, (X, y, w), weighted, sgd, 2, batch_size=50, shuffle=None, progress=False, jit="numpy")
    odd = X[1::2], y[1::2]
    run(other, odd, 2, optim.SGD(other.parameters(), lr=0.1), batch_size=25, shuffle=None)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)


@pytest.mark.parametrize("jit", MODES)
def test_predictions_may_be_trees(jit):
    class Gaussian(nn.Module):
        def __init__(self):
            self.net = nn.Linear(3, 2, rng=0)

        def forward(self, x):
            y = self.net(x)
            return y[:, :1], np.exp(y[:, 1:])

    model, (X, y) = Gaussian(), table()

    def loss(p, y):
        return nn.gaussian_nll_loss(p[0], y, p[1])

    metrics = {"deviation": lambda y, p: np.mean(np.sqrt(p[1]))}
    adam = optim.Adam(model.parameters())
    history = fit(
        model, (X, y), loss, adam, 2, validation=(X, y), metrics=metrics, jit=jit, progress=False
    )
    assert history["val_deviation"][-1] > 0


@pytest.mark.parametrize("jit", MODES)
def test_clip_comes_before_each_step(jit):
    X, y = table()
    model = simple()
    before = model.state_dict()
    sgd = optim.SGD(model.parameters(), lr=1.0)
    run(
        model, (X, y), 1, sgd, batch_size=50, jit=jit,
        clip=lambda params: optim.clip_grad_norm_(params, 0.01),
    )  # fmt: skip
    moved = np.sqrt(sum(np.sum((v - before[k]) ** 2) for k, v in model.state_dict().items()))
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_memory_stays_with_the_data(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 2**20)
    X, y = np.ones((200_000, 10)), np.ones((200_000, 1))
    model = nn.Linear(10, 1, rng=0)
    sgd = optim.SGD(model.parameters(), lr=1e-3)
    tracemalloc.start()
    run(model, (X, y), 1, sgd, batch_size=1000, jit="numpy", validation=(X, y))
    extra = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert extra < X.nbytes


class Drifting(nn.Module):
    """Changes all its state, wherever it is kept, each time it is called in training."""

    def __init__(self, rng, *layers):
        self.layers = layers
        states = [nn.Buffer(np.ones(1)) for _ in range(4)]
        noises = [Stream(rng) for _ in range(4)]
        self.state, self.listed, self.named = states[0], [states[1]], {"a": (states[2], states[3])}
        self.frozen = Tensor(np.ones(1))
        self.noise, self.noises, self.by_name = noises[0], noises[1:2], {"a": tuple(noises[2:])}

    def drift(self):
        """A number made of all its state."""
        noises = [self.noise, *self.noises, *self.by_name["a"]]
        with no_grad():
            for t in (self.state, self.frozen, *self.listed, *self.named["a"]):
                t.data = t.data * 0.9 + sum(noise.uniform((1,)) for noise in noises)
        return sum(t.data for t in (self.state, self.frozen, *self.listed, *self.named["a"]))


class DriftingLayers(Drifting):
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x + self.drift() / 10


class DriftingLoss(Drifting):
    def forward(self, prediction, y):
        return nn.mse_loss(prediction, y + self.drift() / 10)


class DriftingClip(Drifting):
    def forward(self, params):
        factor = np.tanh(self.drift())
        for p in params:
            if p.requires_grad:
                p.grad.data = p.grad.data * factor


def run_with_state_everywhere(jit, epochs, path, resume=None):
    rng = np.random.default_rng(0)
    inner = nn.Sequential(DriftingLayers(rng), nn.Linear(3, 1, rng=rng))
    model, loss, clip = DriftingLayers(rng, inner), DriftingLoss(rng), DriftingClip(rng)
    history = fit(
        model, table(), loss, optim.Adam(model.parameters()), epochs, clip=clip, jit=jit,
        batch_size=16, callbacks=[Checkpoint(path)], resume=resume, progress=False,
    )  # fmt: skip
    parts = {"model": model, "loss": loss, "clip": clip}
    states = {f"{k}.{n}": v for k, part in parts.items() for n, v in part.state_dict().items()}
    return history["loss"], states


@pytest.mark.parametrize("jit", MODES)
def test_state_in_every_kind_of_field_is_kept(jit, tmp_path):
    path = tmp_path / "run.npz"
    expected, states = run_with_state_everywhere(False, 5, tmp_path / "other.npz")
    losses, found = run_with_state_everywhere(jit, 5, path)
    assert losses == expected
    assert same(found, states)
    run_with_state_everywhere(jit, 2, path)
    losses, found = run_with_state_everywhere(jit, 5, path, resume=path)
    assert losses == expected
    assert same(found, states)


class Remembering(nn.Linear):
    def forward(self, x):
        self.last = super().forward(x)
        return self.last


class Counting(nn.Linear):
    count = 0

    def forward(self, x):
        self.count += 1
        return super().forward(x)


class Drawing(nn.Linear):
    generator = np.random.default_rng(0)

    def forward(self, x):
        return super().forward(x) + self.generator.normal()


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Remembering, r"changes what it reads.*: model\.last \(a Tensor, then another\)"),
        (Counting, r"changes what it reads.*: model\.count \(\d, then \d\)"),
        (Drawing, r"draws random numbers from type\(model\)\.generator"),
    ],
)
def test_what_cannot_be_compiled_is_named_with_the_way_out(kind, found):
    model = kind(3, 1, rng=0)
    way_out = r".*keep that out of model, loss and clip, or write fit\(\.\.\., jit=False\)"
    with pytest.raises(TraceError, match=found + way_out):
        run(model, table(), 9, jit="numpy")
    run(kind(3, 1, rng=0), table(), 9, jit=False)


def test_a_trace_undoes_what_it_did_to_tensors_outside_of_modules():
    def losses(jit):
        noise, seen = Stream(0), Tensor([1.0])

        def loss(prediction, y):
            seen.data = seen.data * 0.9 + noise.uniform((1,))
            return nn.mse_loss(prediction, y + seen.data)

        model = simple()
        return fit(
            model, table(), loss, optim.Adam(model.parameters()), 3, jit=jit, progress=False
        )["loss"]

    assert losses("numpy") == losses(False)


# --- what goes with it ---


def test_early_stopping_takes_the_best_weights():
    X, y = table(20)
    model, kept = simple(), []
    stopping = EarlyStopping(patience=3)
    adam = optim.Adam(model.parameters(), lr=0.1)
    history = run(
        model, (X, y), 500, adam, validation=table(30, seed=9),
        callbacks=[stopping, lambda training: kept.append(training.model.state_dict())],
    )  # fmt: skip
    assert len(history) == stopping.best_epoch + 3 < 500
    assert history.best["epoch"] == stopping.best_epoch
    assert history.best["val_loss"] == stopping.best == min(history["val_loss"])
    assert same(model.state_dict(), kept[stopping.best_epoch - 1])
    assert "in epoch 1, for 3 epochs" in history.stopped


def test_early_stopping_by_a_metric_that_should_grow():
    model, values = simple(), iter([1, 3, 3.5, 2, 3.9])
    history = run(
        model, table(), 5, validation=table(9), metrics={"score": lambda y, p: next(values)},
        callbacks=[EarlyStopping(2, min_delta=1, monitor="val_score", mode="max")],
    )  # fmt: skip
    assert history["val_score"] == [1, 3, 3.5, 2]


def test_early_stopping_asks_which_way_a_metric_goes():
    with pytest.raises(ValueError, match=r"'max'.*val_accuracy.*None"):
        EarlyStopping(monitor="val_accuracy")
    assert EarlyStopping(monitor="loss").best == np.inf


def test_early_stopping_by_a_loss_that_is_never_a_number():
    model, stopping = simple(), EarlyStopping(3, monitor="val_deviance", mode="min")
    history = run(
        model, table(), 9, validation=table(9), metrics={"deviance": lambda y, p: np.nan},
        callbacks=[stopping],
    )  # fmt: skip
    assert np.isnan(history["val_deviance"]).tolist() == [True] * 3
    assert history.stopped == "val_deviance was not a number for 3 epochs"
    assert stopping.best_epoch == 0
    trained = simple()
    run(trained, table(), 3)
    assert same(model.state_dict(), trained.state_dict())  # there are no best weights to go back to


def test_callbacks_in_the_order_given():
    said = []

    class Both:
        def on_train_begin(self, training):
            said.append(("begin", training.epoch))

        def on_epoch_end(self, training):
            said.append(("a", training.epoch))
            if training.epoch == 2:
                training.stop("enough")

        def on_train_end(self, training):
            said.append(("end", training.epoch))

    history = run(
        simple(), table(), 5, callbacks=[Both(), lambda training: said.append(("b", len(said)))]
    )
    assert said == [("begin", 0), ("a", 1), ("b", 2), ("a", 2), ("b", 4), ("end", 2)]
    assert history.stopped == "enough"


@pytest.mark.parametrize("jit", MODES)
def test_schedules_are_callbacks(jit):
    model = simple()
    sgd = optim.SGD(model.parameters(), lr=0.8)
    schedules = [optim.StepLR(sgd, 2, 0.5)]
    history = run(model, table(), 5, sgd, callbacks=schedules, jit=jit)
    assert history["lr"] == [0.8, 0.8, 0.4, 0.4, 0.2]
    sgd = optim.SGD(model.parameters(), lr=1e-3)
    plateau = optim.ReduceLROnPlateau(
        sgd, factor=0.5, patience=0, threshold=9, threshold_mode="abs"
    )
    history = run(model, table(), 4, sgd, validation=table(9), callbacks=[plateau], jit=jit)
    assert history["lr"] == [1e-3, 1e-3, 5e-4, 2.5e-4]
    cycle = optim.OneCycleLR(sgd, 0.5, total_steps=10)
    assert max(run(model, table(), 10, sgd, callbacks=[cycle], jit=jit)["lr"]) == 0.5


@pytest.mark.parametrize("jit", ["numpy", True])
def test_what_a_callback_changes_is_seen_by_compiled_steps(jit):
    def change(training):
        if training.epoch == 2:
            next(training.model.parameters()).requires_grad = False
        if training.epoch == 4:
            training.optimizer.param_groups[0]["momentum"] = 0.5
        if training.epoch == 5:
            training.model[1].momentum = 0.5
            training.model.load_state_dict(network(seed=2).state_dict())

    one, other = network(), network()
    given = {"callbacks": [change], "validation": table(9), "batch_size": 10}
    a = run(one, table(), 7, **given)
    b = run(other, table(), 7, jit=jit, **given)
    np.testing.assert_allclose(a["val_loss"], b["val_loss"], rtol=0 if jit == "numpy" else 1e-10)


def test_lines_where_there_is_no_terminal(capsys):
    run(simple(), table(), 1000, batch_size=50, progress=True, validation=table(9))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("epoch    1/1000  loss ") and "  val_loss " in lines[0]
    run(simple(), table(), 3, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    run(simple(), table(), 3, progress=True)
    out = capsys.readouterr().out
    assert "3/3" in out and "loss " in out


def test_lines_say_how_long_it_may_still_take(monkeypatch, capsys):
    clock = iter([0.0, 4.0, 8.0, 12.0, 1000.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.reporting(True, done=2, epochs=50) as report:
        for epoch in (5, 10, 15, 50):
            report({"epoch": epoch, "loss": 0.5})
    left = [line.partition("0.5")[2].strip() for line in capsys.readouterr().out.splitlines()]
    assert left == ["at most 60 s left", "at most 40 s left", "at most 32 s left", ""]
    assert progress.time_left(600).split()[2:4] == ["10", "min"]


def test_a_history_is_read_by_column_and_survives_json():
    history = run(simple(), table(), 30, validation=table(9))
    assert len(history) == len(history["loss"]) == len(history.epochs) == 30
    assert history.columns == ["epoch", "loss", "val_loss", "lr", "seconds"]
    again = History.from_dict(json.loads(json.dumps(history.to_dict())))
    assert again.epochs == history.epochs and repr(again) == repr(history)
    assert len(repr(history).splitlines()) == 10
    assert list(history) == history.epochs
    assert "val_loss" in history and "acc" not in history and "loss" not in History()
    with pytest.raises(KeyError, match=r"'acc'.*epoch, loss, val_loss"):
        history["acc"]
    assert repr(History()) == "History: no epochs" and not len(History()) and not History()["loss"]
    with pytest.raises(ValueError, match="epochs"):
        _ = History().best


def test_the_best_epoch_is_none_with_nan():
    history = History()
    history.epochs = [{"epoch": k, "loss": x} for k, x in enumerate([np.nan, 2.0, 1.0, np.nan], 1)]
    assert history.best["epoch"] == 3


# --- what ends it ---


def ctrl_c(at):
    def callback(training):
        if training.epoch == at:
            signal.raise_signal(signal.SIGINT)

    return callback


@pytest.mark.parametrize("jit", MODES)
def test_ctrl_c_ends_after_the_epoch(jit, capfd):
    X, y = table()
    one, other = network(), network()
    history = run(one, (X, y), 9, callbacks=[ctrl_c(3)], jit=jit, progress=True)
    assert len(history) == 3 and history.stopped == "Ctrl-C in epoch 3"
    assert "Ctrl-C again ends it at once" in capfd.readouterr().err
    run(other, (X, y), 3)
    assert same(one.state_dict(), other.state_dict())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("jit", MODES)
def test_a_second_ctrl_c_raises_and_goes_back_to_the_epoch_before(jit):
    X, y = table()
    one, other = network(), network()
    kept = []

    class Twice:
        def __iter__(self):
            kept.append(1)
            for k in range(0, 50, 10):
                if len(kept) == 3 and k in (20, 30):
                    signal.raise_signal(signal.SIGINT)
                yield X[k : k + 10], y[k : k + 10]

    with pytest.raises(KeyboardInterrupt):
        run(one, Twice(), 9, jit=jit)
    run(other, (X, y), 2, shuffle=None, batch_size=10)
    assert same(one.state_dict(), other.state_dict())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_training_runs_in_another_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(run(simple(), table(), 2)))
    thread.start()
    thread.join()
    assert len(done[0]) == 2


class Rooted(nn.Module):
    """√(x·W·w) of w = 0: the value is 0, the slope infinite."""

    def __init__(self):
        self.inner = nn.Linear(3, 1, rng=0)
        self.outer = nn.Linear(1, 1, bias=False, init=lambda rng, shape: np.zeros(shape))

    def forward(self, x):
        return np.sqrt(self.outer(self.inner(x)))


CAUSES = {
    "overflow": (simple, nn.mse_loss, 1e200, r"epoch 1, batch 2: .* made infinity .*\(Linear\)"),
    "log": (
        simple, lambda p, y: np.log(p + 0.3).mean(), 0.1,
        r"epoch \d+, batch \d: np.log made NaN .*, after layer .* \(Linear\); its inputs were -",
    ),
    "slope": (
        Rooted, nn.mse_loss, 0.1,
        r"batch 1: the derivative of np.sqrt made infinity .*, after layer outer \(Linear\); "
        r"its inputs were 0\. The model is as before the training",
    ),
    "update": (
        simple, lambda p, y: nn.mse_loss(p, y) * 1e155, 1e307,
        r"batch 1: the update of \S+weight by SGD made infinity .* the gradients were up to \S+e\+",
    ),
}  # fmt: skip


@pytest.mark.parametrize("jit", [*MODES, True])
@pytest.mark.parametrize("kind", CAUSES)
def test_not_a_number_is_explained_and_undone(jit, kind):
    make, loss, lr, text = CAUSES[kind]
    model, kept = make(), []
    sgd = optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    start = model.state_dict(), sgd.state_dict()["state"]
    with pytest.raises(NonFiniteError, match=text) as caught:
        fit(
            model, table(), loss, sgd, 50, jit=jit, progress=False,
            callbacks=[lambda t: kept.append((t.model.state_dict(), t.optimizer.state_dict()))],
        )  # fmt: skip
    error = caught.value
    assert error.epoch == len(error.history) + 1 == len(kept) + 1
    assert error.history.stopped in str(error)
    weights, state = (kept[-1][0], kept[-1][1]["state"]) if kept else start
    assert same(model.state_dict(), weights)
    assert all(same(sgd.state_dict()["state"][k], state[k]) for k in state)


def test_not_a_number_in_the_data_is_found():
    X, y = table()
    X[37, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"NaN .*inputs.*row 37"):
        run(simple(), (X, y))
    y[41] = np.inf
    with pytest.raises(NonFiniteError, match=r"batch 3: .*infinity.*targets"):
        run(simple(), [(X[:20], y[:20]), (X[20:30], y[20:30]), (X[38:], y[38:])])


def test_parameters_that_were_not_finite_are_named():
    model = simple()
    name, p = next(iter(model.named_parameters()))
    p.data = np.full(p.shape, np.nan)
    with pytest.raises(NonFiniteError, match=f"{name} .*NaN"):
        run(model, table())


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"data": (np.ones((3, 3)), np.ones((4, 1)))}, r"rows.*\(3, 3\), "),
        ({"data": (np.ones((0, 3)), np.ones((0, 1)))}, "data has no rows"),
        ({"data": (np.ones((3, 3)),)}, r"at least two arrays, \(X, y\).*1"),
        ({"data": np.ones((3, 3))}, r"tuple of arrays \(X, y\), .*ndarray"),
        ({"data": iter([])}, "gives its batches once"),
        ({"data": []}, "data gave no batches"),
        ({"data": ["ab"]}, r"batch 1 of data .*tuple .*str"),
        ({"data": (np.array([["a"]]), np.ones(1))}, "array 0 of data .*<U1"),
        ({"data": (1.0, 2.0)}, r"array 0 of data .*\(n, \.\.\.\)"),
        ({"validation": (np.ones((3, 3)), np.ones(4))}, "arrays of validation should have"),
        ({"epochs": -1}, r"epochs .*whole number, 0 or more.*-1"),
        ({"epochs": 1.5}, r"1.5"),
        ({"batch_size": 0}, r"batch_size .*1 or more.*0"),
        ({"batch_size": 32.0}, r"batch_size .*1 or more.*32\.0"),
        ({"batch_size": None, "data": [table()]}, r"batch_size .*None"),
        ({"metrics": [len], "validation": table()}, r"argmax\(axis=1\)\)\}.*list: \[<"),
        ({"metrics": {"a": "mse"}, "validation": table()}, r"metrics\['a'\] .*str: 'mse'"),
        ({"shuffle": True}, "shuffle is a seed or a Generator, not True: write a seed"),
        ({"jit": "c"}, r"jit .*True, False, 'auto', 'numpy' or 'llvm'.*'c'"),
        ({"metrics": {"a": len}}, "give fit validation="),
        ({"callbacks": [EarlyStopping()]}, r"monitors 'val_loss', .* loss, lr, seconds; give fit"),
        (
            {"callbacks": [EarlyStopping(1, 0, "acc", "max")], "validation": table()},
            "monitors 'acc'",
        ),
        ({"callbacks": [3]}, r"callback .*int"),
        ({"callbacks": print}, r"callbacks .*list.*<.*print>; write \[callback\]"),
        (
            {"optimizer": optim.LBFGS(simple().parameters())},
            r"optim\.Adam\(model\.parameters\(\)\).*LBFGS",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_changes(change, text):
    given = {"data": table(), "epochs": 1, **change}
    model = simple()
    before = model.state_dict()
    with pytest.raises((ValueError, TypeError), match=text):
        run(model, **given)
    assert same(model.state_dict(), before)


def raising(training):
    raise RuntimeError("no such luck")


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"metrics": {"a": lambda y, p: p["a"]}, "validation": table()}, "indices"),
        ({"validation": (np.ones((3, 2)), np.ones((3, 1)))}, "shape"),
        (
            {"data": [(np.ones((4, 3)), np.ones((4, 1))), (np.ones((4, 3)), np.ones((4, 2)))]},
            "shape",
        ),
        ({"callbacks": [raising]}, "luck"),
    ],
)
def test_an_error_in_an_epoch_takes_back_the_epoch(jit, change, text):
    model = simple()
    before = model.state_dict()
    with pytest.raises((ValueError, IndexError, TypeError, RuntimeError), match=text):
        run(model, **{"data": table(), "jit": jit, **change})
    assert same(model.state_dict(), before)
    assert not model.training


class Failing:
    """Raises at one of the hooks of a callback, in its epoch 3."""

    def __init__(self, hook, error):
        self.error = error
        setattr(self, hook, self.fail)

    def fail(self, training):
        if training.epoch >= 3:
            raise self.error


def failing_metric(error):
    calls = []

    def metric(y, prediction):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return 0.0

    return metric


@pytest.mark.parametrize("error", [RuntimeError("no such luck"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("where", ["on_epoch_end", "on_train_end", "metric"])
def test_a_failure_does_not_lose_the_history(where, error):
    model, other = simple(), simple()
    settings = {"validation": table(), "epochs": 5}
    if where == "metric":
        settings["metrics"] = {"a": failing_metric(error)}
    else:
        settings["callbacks"] = [EarlyStopping(9, restore_best=False), Failing(where, error)]
    with pytest.raises(type(error)) as caught:
        run(model, table(), **settings)
    history = caught.value.history
    assert len(history) == (5 if where == "on_train_end" else 2)
    assert f"{len(history)} epochs" in "".join(caught.value.__notes__)
    assert history["loss"] == run(other, table(), len(history))["loss"]
    assert same(model.state_dict(), other.state_dict())


def test_a_resumed_training_that_fails_keeps_the_history(tmp_path):
    path, error = tmp_path / "run.npz", RuntimeError("no such luck")
    whole = run(simple(), table(), 3, callbacks=[Checkpoint(path)])
    for epochs, hook in ((3, "on_train_end"), (4, "on_epoch_end")):
        model = simple()
        with pytest.raises(RuntimeError, match="luck") as caught:
            run(model, table(), epochs, callbacks=[Failing(hook, error)], resume=path)
        assert caught.value.history.to_dict() == whole.to_dict()


def test_a_loss_that_is_no_function_is_refused():
    model, (X, y) = simple(), table()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match=r"nn\.mse_loss.*'mse'"):
        fit(model, (X, y), "mse", sgd, 1)
    with pytest.raises(TypeError, match=r"ndarray.*fit\(model, \(X, y\),"):
        fit(model, X, y, nn.mse_loss, sgd)
    with pytest.raises(TypeError, match=r"clip .*clip_grad_norm_.*1\.0"):
        fit(model, (X, y), nn.mse_loss, sgd, 1, clip=1.0)


def test_a_class_in_the_place_of_a_loss_or_a_model_is_refused():
    model = simple()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match=r"MSELoss\(\)"):
        fit(model, table(), nn.MSELoss, sgd, 1)
    for wrong, got in ((lambda x: x, "function: <function"), (nn.Linear, "type: <class")):
        with pytest.raises(TypeError, match=rf"Module.*{got}"):
            fit(wrong, table(), nn.mse_loss, sgd, 1)


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda p, y: nn.mse_loss(p.data, y), r"float64: np\.float64\("),
        (lambda p, y: None, "NoneType: None"),
        (lambda p, y: 0.5, r"float: 0\.5"),
    ],
)
def test_a_loss_that_returns_no_tensor_is_refused(jit, loss, got):
    model = simple()
    before = model.state_dict()
    with pytest.raises(TypeError, match=rf"Tensor.*\.item\(\).*{got}"):
        fit(model, table(), loss, optim.SGD(model.parameters()), 1, jit=jit)
    assert same(model.state_dict(), before)


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize(
    ("loss", "wrong", "text"),
    [
        (nn.cross_entropy, 2, r"class 2 in row 8 of the 32 targets.*2 classes"),
        (lambda p, t: nn.hinge_loss(p[:, 0], t), 5, r"targets −1 and 1.*\[1 5\]"),
        (lambda p, t: nn.gaussian_nll_loss(p[:, 0], t, t), -3, "a negative variance, -3"),
    ],
)
def test_a_target_that_cannot_be_is_named_also_in_a_compiled_step(jit, loss, wrong, text):
    model, y = nn.MLP([3, 8, 2], rng=0), np.ones(128, dtype=int)
    y[40] = wrong
    optimizer = optim.Adam(model.parameters())
    with pytest.raises(ValueError, match=text):
        fit(model, (table(128)[0], y), loss, optimizer, 1, jit=jit, shuffle=None, progress=False)


@pytest.mark.parametrize("jit", [*MODES, True])
def test_a_column_of_predictions_beside_a_row_of_targets_is_not_silent(jit):
    X, y = table()
    for loss in (nn.mse_loss, nn.l1_loss, nn.huber_loss, nn.binary_cross_entropy_with_logits):
        with pytest.raises(ValueError, match=r"\(32, 1\).*\(32,\)"):
            model = simple()
            fit(model, (X, y[:, 0]), loss, optim.SGD(model.parameters()), 1, jit=jit)
    own = lambda prediction, target: np.mean((prediction - target) ** 2)
    with pytest.warns(UserWarning, match=r"\(25, 1\).*\(25,\)"):
        model = simple()
        fit(
            model, (X, y[:, 0]), own, optim.SGD(model.parameters()), 1,
            jit=jit, batch_size=25, progress=False,
        )  # fmt: skip


def test_callbacks_refuse():
    sgd = optim.SGD(simple().parameters())
    with pytest.raises(ValueError, match=r"StepLR .*optimizer"):
        run(simple(), table(), callbacks=[optim.StepLR(sgd, 1)])
    for wrong in ({"patience": 0}, {"min_delta": -1}, {"mode": "up"}):
        with pytest.raises(ValueError, match=r"should be"):
            EarlyStopping(**wrong)
    with pytest.raises(ValueError, match=r"every .*whole number, 1"):
        Checkpoint("a.npz", every=0)
    with pytest.raises(ValueError, match="writ"):
        Checkpoint("/no/such/directory/a.npz")


def test_a_cycle_of_batches_is_no_cycle_of_epochs():
    model = simple()
    sgd = optim.SGD(model.parameters())
    cycle = optim.OneCycleLR(sgd, 0.1, total_steps=120)
    with pytest.raises(ValueError, match=r"120.*total_steps=3"):
        run(model, table(), epochs=3, optimizer=sgd, callbacks=[cycle])


def test_no_epochs_change_nothing():
    model = simple()
    before = model.state_dict()
    assert len(run(model, table(), 0)) == 0
    assert same(model.state_dict(), before)


def test_an_optimizer_of_another_model_is_refused():
    X, y = table()
    with pytest.raises(ValueError, match="parameter"):
        fit(network(), (X, y), nn.mse_loss, optim.SGD(network().parameters(), lr=0.1), 1)


def test_a_metric_that_would_take_the_place_of_the_loss_is_refused():
    X, y = table()
    with pytest.raises(ValueError, match="rename"):
        run(network(), (X, y), validation=(X, y), metrics={"loss": lambda y, p: 0.0})


def test_a_class_is_no_callback():
    X, y = table()
    with pytest.raises(TypeError, match=r"EarlyStopping\(\.\.\.\)"):
        run(network(), (X, y), callbacks=[EarlyStopping])


def test_nan_in_the_validation_data_stops_and_says_so():
    X, y = table()
    bad = np.where(np.arange(X.size).reshape(X.shape) == 3, np.nan, X)
    history = run(network(), (X, y), validation=(bad, y), epochs=4)
    assert len(history) == 1
    assert history.stopped == "val_loss is not a number in epoch 1: NaN in that data"


def test_a_history_in_a_notebook():
    X, y = table()
    metrics = {"<b>x": lambda y, p: 0.5}
    history = run(network(), (X, y), validation=(X, y), metrics=metrics, epochs=2)
    history.stopped = "<i>"
    html = history._repr_html_()
    assert html.count("<tr>") == 3
    assert ">loss</th>" in html
    assert ">val_&lt;b&gt;x</th>" in html
    assert "<b>" not in html and "<i>" not in html


def test_epochs_may_be_an_integer_of_numpy():
    assert len(run(network(), table(), epochs=np.int64(2))) == 2
