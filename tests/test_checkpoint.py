"""Checkpoints: whole or not there, refused if not whole, and going on with the same bits."""

import os
import random
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tinygrad_slp import nn, optim
from tinygrad_slp.data import batches
from tinygrad_slp.train import Checkpoint, EarlyStopping, checkpoint, fit

MODES = [False, "numpy", *(["llvm"] if find_spec("llvmlite") else [])]
OPTIMIZERS = {
    "Adam": lambda p: optim.Adam(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "groups": lambda p: optim.NAdam([{"params": [x], "lr": 0.01 * k} for k, x in enumerate(p, 1)]),
}


def table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X[:, :1] * X[:, 1:2] + rng.normal(size=(n, 1)) / 10


def network(width=8):
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(3, width, rng=rng), nn.BatchNorm1d(width), nn.Tanh(), nn.Dropout(0.2, rng=rng),
        nn.Linear(width, 1, rng=rng), nn.Dropout(0.1, rng=rng),
    )  # fmt: skip


def run(path, epochs, *, jit=False, kind="Adam", resume=None, n=50, patience=1000, schedule=True):
    """A training with everything on; returns all that it leaves."""
    model = network()
    optimizer = OPTIMIZERS[kind](model.parameters())
    rng = np.random.Generator(np.random.MT19937(3) if kind == "momentum" else np.random.PCG64(3))
    schedules = [optim.CosineAnnealingLR(optimizer, 1000)] if schedule else []
    plateau = optim.ReduceLROnPlateau(optimizer, factor=0.9, patience=1)
    history = fit(
        model, table(n), nn.mse_loss, optimizer, epochs, batch_size=16,
        validation=table(30, 1), metrics={"mae": lambda y, p: np.mean(np.abs(y - p))},
        callbacks=[Checkpoint(path), *schedules, plateau, EarlyStopping(patience)],
        jit=jit, shuffle=rng, progress=False, resume=resume,
    )  # fmt: skip
    return {
        "model": {name: x.tobytes() for name, x in model.state_dict().items()},
        "optimizer": repr(optimizer.state_dict()),
        "rng": rng.random(),
        "history": [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs],
        "stopped": history.stopped,
    }


# --- the same bits ---


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("n", [16, 18, 50])
def test_a_training_in_pieces_is_the_whole(tmp_path, jit, kind, n):
    path = tmp_path / "run.npz"
    whole = run(path, 6, jit=jit, kind=kind, n=n)
    kept = path.read_bytes()
    path.unlink()
    for epochs in (1, 2, 5, 6):
        resume = path if path.exists() else None
        pieces = run(path, epochs, jit=jit, kind=kind, n=n, resume=resume)
    assert pieces == whole
    again = checkpoint.read(path)
    path.write_bytes(kept)
    assert model_of(again) == model_of(checkpoint.read(path))


@pytest.mark.parametrize("jit", MODES)
def test_batches_of_an_iterable_go_on_in_their_order(tmp_path, jit):
    path, left = tmp_path / "run.npz", []
    for pieces in [(5,), (2, 5)]:
        for epochs in pieces:
            model = network()
            adam = optim.Adam(model.parameters())
            history = fit(
                model, batches(*table(), size=16, shuffle=4), nn.mse_loss, adam, epochs,
                callbacks=[Checkpoint(path)], jit=jit, progress=False,
                resume=path if epochs != pieces[0] else None,
            )  # fmt: skip
        left.append((history["loss"], repr(model.state_dict())))
    assert left[0] == left[1]


def model_of(tree):
    return {name: x.tobytes() for name, x in tree["model"].items()}


@pytest.mark.parametrize("jit", MODES)
def test_a_training_that_stopped_early_stays_so(tmp_path, jit):
    path = tmp_path / "run.npz"
    whole = run(path, 200, jit=jit, patience=3)
    assert len(whole["history"]) < 200
    assert run(path, 200, jit=jit, patience=3, resume=path) == whole
    path.unlink()
    run(path, len(whole["history"]) - 2, jit=jit, patience=3)
    assert run(path, 200, jit=jit, patience=3, resume=path) == whole


def test_every_few_epochs_and_after_the_last(tmp_path):
    model, seen = network(), []
    path = tmp_path / "run.npz"
    fit(
        model, table(), nn.mse_loss, optim.Adam(model.parameters()), 7, progress=False,
        callbacks=[Checkpoint(path, every=3), lambda t: seen.append(path.exists())],
    )  # fmt: skip
    assert seen == [False] * 3 + [True] * 4  # a checkpoint comes after all other callbacks
    assert len(checkpoint.read(path)["history"]["epochs"]) == 7


# --- killed ---


def last_words(path, jit):
    """What the process that is killed does."""
    left = run(path, 120, jit=jit, resume=path if path.exists() else None)
    path.with_name("done").write_text(repr(left))


@pytest.mark.parametrize("jit", MODES)
def test_killed_at_random_moments_it_gives_the_same_bits(tmp_path, jit):
    draw = random.Random(f"seed of {jit}")
    path = tmp_path / "run.npz"
    start = lambda: subprocess.Popen([sys.executable, __file__, str(path), str(jit)])
    for _ in range(5):
        before = path.stat().st_mtime_ns if path.exists() else None
        process = start()
        while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == before):
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        process.kill()
        process.wait()
        assert checkpoint.read(path)["history"]["epochs"]
    process = start()
    time.sleep(draw.uniform(0, 0.3))  # before it has begun
    process.kill()
    process.wait()
    assert start().wait() == 0
    assert (tmp_path / "done").read_text() == repr(run(tmp_path / "whole.npz", 120, jit=jit))
    assert sorted(x.name for x in tmp_path.iterdir()) == ["done", "run.npz", "whole.npz"]


# --- refused ---


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "run.npz"
    run(path, 2)
    return path.read_bytes()


def resumed(path, model=None, callbacks=None, **settings):
    """Resumes, and asserts that a refusal changes nothing."""
    model = model or network()
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    if callbacks is None:
        callbacks = [
            optim.CosineAnnealingLR(optimizer, 1000), optim.ReduceLROnPlateau(optimizer),
            EarlyStopping(),
        ]  # fmt: skip
    rng = np.random.default_rng(7)
    before = repr((model.state_dict(), optimizer.state_dict(), rng.bit_generator.state))
    try:
        return fit(
            model, table(), nn.mse_loss, optimizer, 2, validation=table(30, 1),
            callbacks=callbacks, progress=False, resume=path, **{"shuffle": rng, **settings},
        )  # fmt: skip
    except (ValueError, OSError):
        assert before == repr((model.state_dict(), optimizer.state_dict(), rng.bit_generator.state))
        raise


def test_a_file_that_is_not_whole_is_refused(tmp_path, written):
    path = tmp_path / "run.npz"
    draw = random.Random(0)
    lengths = [0, 1, 100, len(written) - 1, *(draw.randrange(len(written)) for _ in range(20))]
    for length in lengths:
        path.write_bytes(written[:length])
        with pytest.raises(ValueError, match="damaged"):
            resumed(path)


def test_a_file_with_a_wrong_bit_is_refused_or_the_same(tmp_path, written):
    path = tmp_path / "run.npz"
    path.write_bytes(written)
    good = repr(checkpoint.read(path))
    draw = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(written)
        damaged[draw.randrange(len(written))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            assert repr(checkpoint.read(path)) == good
        except ValueError:
            refused += 1
    assert refused > 200


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("epoch,loss\n")
    with pytest.raises(ValueError, match=r"\.npz"):
        resumed(path)
    np.savez(path, weight=np.ones(3))
    with pytest.raises(ValueError, match="weight"):
        resumed(path)
    np.savez(path, tree=np.array([{}], dtype=object), digest=np.ones(3))
    with pytest.raises(ValueError, match="allow_pickle"):
        resumed(path)
    with open(path, "wb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "VERSION", 99)
        checkpoint.save(file, {})
    with pytest.raises(ValueError, match=r"version 99.*version 1"):
        resumed(path)
    with pytest.raises(FileNotFoundError):
        resumed(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError):
        resumed(tmp_path)


def test_checkpoints_of_others_are_refused(tmp_path, written):
    path = tmp_path / "run.npz"
    path.write_bytes(written)
    assert len(resumed(path)) == 2
    with pytest.raises(ValueError, match=r"run\.npz(.|\n)*0\.weight: sha"):
        resumed(path, network(width=9))
    with pytest.raises(ValueError, match=r"callbacks \['Cosine.*\[\]"):
        resumed(path, callbacks=[])
    with pytest.raises(ValueError, match=r"shuffled"):
        resumed(path, shuffle=None)
    with pytest.raises(ValueError, match="MT19937"):
        resumed(path, shuffle=np.random.Generator(np.random.MT19937(0)))
    with pytest.raises(ValueError, match=r"2 .*0"):
        resumed(path, nn.Linear(3, 1))


# --- written ---


def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    checkpoint.write(path, {"a": np.arange(3), "b": [1.5, None, float("inf"), "c"], "n": 2**100})
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            checkpoint.write(path, {})
    with pytest.raises(TypeError):
        checkpoint.write(path, {"a": object()})
    assert path.read_bytes() == before
    assert [x.name for x in tmp_path.iterdir()] == ["run.npz"]
    read = checkpoint.read(path)
    assert read["a"].tolist() == [0, 1, 2] and read["a"].dtype == np.arange(3).dtype
    assert read["b"] == [1.5, None, float("inf"), "c"] and read["n"] == 2**100


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / ".run.npz.123.tmp").write_text("half")
    (tmp_path / ".other.npz.123.tmp").write_text("half")
    checkpoint.write(tmp_path / "run.npz", {})
    assert sorted(x.name for x in tmp_path.iterdir()) == [".other.npz.123.tmp", "run.npz"]


if __name__ == "__main__":
    mode = sys.argv[2]
    last_words(Path(sys.argv[1]), False if mode == "False" else mode)


def test_a_name_with_brackets_is_no_pattern(tmp_path):
    (tmp_path / ".run1.npz.123.tmp").write_text("of another training")
    checkpoint.write(tmp_path / "run[1].npz", {"a": 1})
    assert sorted(x.name for x in tmp_path.iterdir()) == [".run1.npz.123.tmp", "run[1].npz"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_stays_a_link(tmp_path):
    checkpoint.write(tmp_path / "run.npz", {"a": 1})
    (tmp_path / "link.npz").symlink_to(tmp_path / "run.npz")
    checkpoint.write(tmp_path / "link.npz", {"a": 2})
    assert (tmp_path / "link.npz").is_symlink()
    assert checkpoint.read(tmp_path / "run.npz") == {"a": 2}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        checkpoint.write(tmp_path / "pipe", {"a": 1})
    assert (tmp_path / "pipe").is_fifo()
