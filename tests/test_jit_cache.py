"""Machine code on disk: found again, never trusted when it is not whole, never in the way."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_slp import jit

pytestmark = pytest.mark.native

X = np.arange(4.0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of our own."""
    monkeypatch.setenv("TINYGRAD_SLP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch):
    """Counts how often LLVM is asked."""
    from tinygrad_slp.jit.llvm import engine

    count, compile_ = [], engine.compile_

    def counted(text):
        count.append(text)
        return compile_(text)

    monkeypatch.setattr(engine, "compile_", counted)
    return count


def run(factor=2.0):
    """Three calls of a step, the third by machine code."""
    step = jit(lambda x: np.sum(np.exp(x) * factor), backend="llvm")
    results = [step(X) for _ in range(3)]
    np.testing.assert_allclose(results, np.sum(np.exp(X) * factor), rtol=1e-14)


def test_code_is_found_again(folder, compiled):
    run()
    run()
    assert len(compiled) == 1
    assert len(list(folder.iterdir())) == 1


def test_other_programs_have_files_of_their_own(folder, compiled):
    run()
    run(3.0)
    assert len(compiled) == len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", [
    lambda content: content[: len(content) // 2],
    lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    lambda content: b"",
    lambda content: b"something else altogether",
    lambda content: bytes(32) + content[32:],
], ids=["cut", "a bit", "empty", "foreign", "digest"])  # fmt: skip
def test_a_file_that_is_not_whole_is_ignored_and_mended(folder, compiled, damage):
    run()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    run()
    assert len(compiled) == 2
    run()
    assert len(compiled) == 2


@pytest.mark.parametrize("word", ["off", "OFF", "0"])
def test_it_can_be_turned_off(folder, compiled, monkeypatch, word):
    monkeypatch.setenv("TINYGRAD_SLP_CACHE", word)
    run()
    run()
    assert len(compiled) == 2
    assert not folder.exists()


def test_the_oldest_files_go_when_there_are_too_many(folder, monkeypatch):
    from tinygrad_slp.jit.llvm import engine

    monkeypatch.setattr(engine, "random", lambda: 0.0)  # it looks each time
    run(1.0)
    (first,) = folder.iterdir()
    size = first.stat().st_size
    monkeypatch.setattr(engine, "MOST", 3.5 * size)
    for k in range(2, 8):
        for age, file in enumerate(sorted(folder.iterdir(), key=lambda x: x.stat().st_mtime)):
            os.utime(file, (age, age))  # in the order of their making, whatever the clock
        run(float(k))
    assert len(list(folder.iterdir())) == 3
    assert not first.exists()


def test_a_tilde_is_the_home(tmp_path, compiled, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("TINYGRAD_SLP_CACHE", os.path.join("~", "mine"))
    run()
    assert len(list((tmp_path / "mine").iterdir())) == 1
    assert len(compiled) == 1


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path, compiled, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TINYGRAD_SLP_CACHE", str(tmp_path / "file" / "cache"))
    run()
    assert len(compiled) == 1


def test_code_by_another_version_of_us_is_not_found(folder, compiled, monkeypatch):
    from tinygrad_slp.jit.llvm import engine

    run()
    monkeypatch.setattr(engine, "ourselves", lambda: "another version")
    run()
    assert len(compiled) == 2


def test_processes_do_not_get_in_each_others_way(folder):
    code = (
        "import numpy as np; from tinygrad_slp import jit\n"
        "step = jit(lambda x: np.sum(np.tanh(x)), backend='llvm')\n"
        "for _ in range(3): y = step(np.arange(4.0))\n"
        "print(repr(float(y)))"
    )
    command = [sys.executable, "-c", code]
    processes = [
        subprocess.Popen(command, env=os.environ.copy(), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert len(set(said)) == 1
    assert len(list(folder.iterdir())) == 1
