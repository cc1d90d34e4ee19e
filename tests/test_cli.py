"""The command line, used as a new user would, with right and with wrong input."""

import os
import re
import signal
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from tinygrad_slp.cli import main
from tinygrad_slp.commands import COMMANDS
from tinygrad_slp.commands.csv_source import Source
from tinygrad_slp.commands.table import read_numbers, read_target

PROGRAM = (sys.executable, "-m", "tinygrad_slp")


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(text, name="t.csv", encoding="utf-8"):
    with open(name, "wb") as file:
        file.write(text.encode(encoding))
    return name


def separable(n=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2))
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in X]
    return "height,width,good\n" + "\n".join(rows) + "\n"


def test_without_arguments_gradients_by_hand_agree_and_the_error_falls(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "  x₁  x₂  x₃  y\n   0   0   1  0\n" in said
    for h, a in re.findall(r"by hand ([+-][\d.]+)   autodiff ([+-][\d.]+)", said):
        assert abs(float(h) - float(a)) < 1e-14
    assert len(re.findall("by hand", said)) == 4
    errors = [float(v) for v in re.findall(r"epoch.* MSE ([\d.]+)", said)]
    assert len(errors) > 5
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.002
    assert re.search(r"\(0, 1, 0\) → 0\.0\d+   so 0", said)
    assert re.search(r"\(1, 0, 1\) → 0\.9\d+   so 1", said)
    assert len(re.findall(r"by hand [+-][\d.]+   autodiff [+-]\d", said)) == 4


def test_the_seed_decides_and_epochs_count(capsys):
    runs = []
    for seed in ("1", "1", "2"):
        assert main(["--seed", seed, "--epochs", "7", "--lr", "0.5"]) == 0
        runs.append(capsys.readouterr().out)
    assert runs[0] == runs[1] != runs[2]
    assert "after 7 epochs" in runs[0]
    assert "learning rate 0.5" in runs[0]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["trian", "d.csv", "--target", "y"], "'trian'; did you mean train?"),
        (["evalute"], "'evalute'; did you mean evaluate?"),
        (["foo"], "'foo'; the commands are check, train, predict, evaluate, graph"),
    ],
)
def test_a_word_that_is_no_command_is_named(argv, said, capsys):
    assert main(argv) == 2
    assert capsys.readouterr().err == f"tinygrad-slp: error: no command or file {said}\n"


def test_a_file_may_be_called_like_a_word(capsys):
    assert main([table(separable(), "train_"), "--target", "good", "--epochs", "2"]) == 0
    assert "60 rows, 2 features" in capsys.readouterr().out


def test_labels_that_are_the_same_number_are_one_class():
    source = Source(table("x,y\n1,0\n2,1.0\n\n3,1\n   \n4,0.0\n5,1\n"))
    read = read_target(read_numbers(source, "y"), "y")
    assert read.said == "class 0 is '0', class 1 is '1'"
    np.testing.assert_array_equal(read.y, [0, 1, 1, 0, 1])


def test_a_table_with_two_labels(capsys):
    assert main([table(separable()), "--target", "good", "--epochs", "300"]) == 0
    said = capsys.readouterr().out
    assert "60 rows, 2 features" in said
    assert "class 0 is 'no', class 1 is 'yes'" in said
    assert "48 rows to train on, 12 held out" in said
    train, test = re.findall(r"accuracy +([\d.]+)%", said)
    assert float(train) > 95
    assert float(test) > 80
    weights = dict(re.findall(r"(height|width) +([+-][\d.]+)", said))
    assert float(weights["height"]) > 1
    assert float(weights["width"]) < -1


def test_a_numeric_target(capsys):
    rows = "\n".join(f"{x / 10},{1 / (1 + np.exp(-x / 5)):.4f}" for x in range(-20, 20))
    assert main([table("x,p\n" + rows), "--target", "p", "--epochs", "500"]) == 0
    said = capsys.readouterr().out
    assert "a number from 0 to 1" in said
    assert "accuracy" not in said
    training, held_out = re.findall(r"(?:training|held out) +MSE ([\d.]+)", said)
    assert float(training) < 1e-3
    assert float(held_out) < 1e-3


@pytest.mark.parametrize("text", ["\ufeff" + separable(), separable().replace("\n", "\r\n")])
def test_bom_and_crlf_are_accepted(text, capsys):
    assert main([table(text), "--target", "good", "--epochs", "2"]) == 0
    assert "2 features" in capsys.readouterr().out


def test_quoted_cells_and_blank_lines_keep_line_numbers(capsys):
    text = 'a,"b, c",y\n1,2,0\n\n3,4,1\n5,6,0\n7,8,1\n9,x,0\n'
    assert main([table(text), "--target", "y"]) == 2
    assert "line 7, column 'b, c': 'x' is not a finite number" in capsys.readouterr().err


def test_a_constant_column_does_no_harm(capsys):
    text = "a,b,y\n" + "\n".join(f"{i},3.3,{i % 2}" for i in range(20))
    assert main([table(text), "--target", "y", "--epochs", "5"]) == 0
    assert "nan" not in capsys.readouterr().out


def test_the_separator_may_be_another(capsys):
    text = separable().replace(",", ";")
    assert main([table(text), "--target", "good", "--epochs", "2", "--separator", ";"]) == 0
    assert "60 rows, 2 features" in capsys.readouterr().out


def test_texts_for_missing_values_and_no_header(capsys):
    rows = "\n".join(f"{k},{k % 2}" for k in range(20))
    given = [table(rows), "--no-header", "--target", "2", "--epochs", "2"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "20 rows, 1 feature" in said and "the columns are named 1 to 2" in said
    assert main([*given, "--missing", "7"]) == 2
    assert "line 8, column '1': no value; expected one in every row" in capsys.readouterr().err


TRAIN = pytest.param(
    ["train"], marks=pytest.mark.skipif(not find_spec("pandas"), reason="needs the extra cli")
)
ROWS = "\n".join(f"{i},{i % 2}" for i in range(8))
BAD = {
    "empty file": ("", "the file is empty; expected a header row"),
    "missing column": (f"a,b\n{ROWS}", "no column 'y' to predict; there are a, b"),
    "wrong separator": ("a;y\n1;0\n", "if ';' separates the columns, write --separator ';'"),
    "inf": (f"a,y\n{ROWS}\n-inf,1", "line 10, column 'a': '-inf' is not a finite number"),
    "too large": (f"a,y\n{ROWS}\n1e999,1", "line 10, column 'a': '1e999' is not a finite number"),
    "too short": (f"a,y\n{ROWS}\n5", "line 10: 1 cells, the header has 2"),
    "too long": (f"a,y\n{ROWS}\n1,2,3\n", "line 10: 3 cells, the header has 2"),
    "all too long": ("a,y\n" + "1,p,2\n" * 9, "line 2: 3 cells, the header has 2"),
    "open quote": (f'a,y\n"1,p\n{ROWS}\n', "cells, the header has 2"),
    "duplicate name": (f"y,y\n{ROWS}", "line 1: 2 columns named 'y'"),
    "page": ("<!doctype html>\n<p>y</p>\n", "line 1: begins with '<!doctype html>', like HTML"),
    "records": ('[{"a":1,"y":2},\n{"a":3,"y":4}]\n', "like HTML or JSON, not like CSV"),
    "late open quote": (f'a,y\n{ROWS}\n"1,p\n{ROWS}\n', "a quote that opens in line 10 should"),
    "one class": ("a,y\n" + "1,p\n2,p\n" * 9, "column 'y' is 'p' in every row"),
}
BAD_FOR_THE_PERCEPTRON = {
    "header only": ("a,y\n", "0 rows of data, too few"),
    "only the target": ("y\n0\n1\n0\n1\n0\n", "'y' is the only column"),
    "not a number": (f"a,y\n{ROWS}\nred,1", "line 10, column 'a': 'red' is not a finite number"),
    "empty cell": (f"a,y\n{ROWS}\n,1", "line 10, column 'a': no value"),
    "nan": (f"a,y\n{ROWS}\nnan,1", "line 10, column 'a': no value"),
    "target missing": (f"a,y\n{ROWS}\n5,NaN", "line 10, column 'y': no value"),
    "three classes": ("a,y\n" + "1,p\n1,q\n1,r\n" * 3, "column 'y': 'p' is not a number from 0"),
    "out of range": ("a,y\n1,0\n1,0.5\n1,1\n1,7\n1,1\n", "line 5, column 'y': '7' is not a number"),
    "too few rows": ("a,y\n1,0\n2,1\n", "2 rows of data, too few"),
}


def refused(capsys, *arguments):
    """The one line that the program says when it refuses."""
    before = sorted(os.listdir())
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "error: " in said.err
    assert sorted(os.listdir()) == before
    return said.err


@pytest.mark.parametrize("command", [[], TRAIN])
@pytest.mark.parametrize("case", BAD)
def test_bad_tables_get_one_clear_line(case, command, capsys):
    text, message = BAD[case]
    said = refused(capsys, *command, table(text), "--target", "y")
    assert "error: t.csv: " in said
    assert message in said


@pytest.mark.parametrize("case", BAD_FOR_THE_PERCEPTRON)
def test_the_perceptron_refuses_what_it_cannot_learn_from(case, capsys):
    text, message = BAD_FOR_THE_PERCEPTRON[case]
    said = refused(capsys, table(text), "--target", "y")
    assert said.startswith("tinygrad-slp: error: t.csv: ")
    assert message in said


def test_a_number_too_far_from_the_others_is_refused(capsys):
    for seed in range(9):
        code = main([table(f"a,y\n{ROWS}\n1e300,1"), "--target", "y", "--seed", str(seed)])
        said = capsys.readouterr().err
        assert (code, "line 10, column 'a': 1e300 is more than a million" in said) in (
            (0, False), (2, True),
        )  # fmt: skip


@pytest.mark.parametrize("command", [[], ["train", "t.csv", "--target", "good"]])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs should be 1 or more"), (["--lr", "nan"], "--lr should be a"),
        (["--lr", "0"], "--lr should be a number above 0"), (["--lr", "-1"], "above 0, got -1"),
        (["--seed", "-1"], "--seed should be 0 or more"), (["--epochs", "many"], "invalid int"),
        (["--colour"], "unrecognized"), (["--plot", "p.txt"], ".png"),
        (["--plot", "no/p.png"], "there is no directory"),
    ],
)  # fmt: skip
def test_bad_options_get_one_clear_line(arguments, message, command, capsys):
    if "--plot" in arguments:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    table(separable())
    assert message in refused(capsys, *command, *arguments)


@pytest.mark.parametrize("command", [[], TRAIN])
def test_files_that_are_no_tables(command, capsys):
    table("größe,y\n1,0\n", "latin.csv", "latin-1")
    wrong = [*command, "latin.csv", "--target", "y", "--encoding"]
    assert "not utf-8-sig text" in refused(capsys, *wrong, "utf-8")
    assert "no such encoding" in refused(capsys, *wrong, "utf-99")
    for file, message in (
        ("none.csv", "No such file"), (".", "directory"),
    ):  # fmt: skip
        assert f"{file}: " in (said := refused(capsys, *command, file, "--target", "y"))
        assert message in said


def test_a_table_and_its_target_belong_together(capsys):
    assert "Write --target COLUMN" in refused(capsys, "t.csv")
    assert "needs a table" in refused(capsys, "--target", "y")


ON_A_TABLE = ["--target", "good", "--epochs", "2"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
@pytest.mark.parametrize("command", [[], TRAIN])
def test_a_pipe_that_nothing_is_written_into_is_not_waited_for(command, capsys):
    os.mkfifo("pipe.csv")
    assert main([*command, "pipe.csv", *ON_A_TABLE]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "error: pipe.csv: a pipe that no program writes to;" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
@pytest.mark.parametrize("command", [[], TRAIN])
@pytest.mark.parametrize("later", [False, True])
def test_a_pipe_is_read_to_its_end(command, later, capsys, tmp_path, monkeypatch):
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "copies"))
    os.mkfifo("pipe.csv")
    reader = os.open("pipe.csv", os.O_RDONLY | os.O_NONBLOCK)  # lets the writer begin
    writer = os.open("pipe.csv", os.O_WRONLY)

    def write():
        with open(writer, "w", encoding="utf-8") as file:
            file.write(separable())

    timer = Timer(0.3 if later else 0, write)
    timer.start()
    if not later:
        timer.join()
    assert main([*command, "pipe.csv", *ON_A_TABLE]) == 0
    timer.join()
    os.close(reader)
    assert "pipe.csv: 60 rows" in capsys.readouterr().out
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="/dev/stdin is POSIX")
@pytest.mark.parametrize("command", [[], TRAIN])
@pytest.mark.parametrize("piped", [False, True])
def test_standard_input_is_a_table_too(command, piped):
    given = [*PROGRAM, *command, "/dev/stdin", *ON_A_TABLE]
    with open(table(separable()), encoding="utf-8") as file:
        source = {"input": file.read()} if piped else {"stdin": file}
        done = subprocess.run(
            given, **source, capture_output=True, encoding="utf-8", env=environment()
        )
    assert done.returncode == 0
    assert "/dev/stdin: 60 rows" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("command", [[], TRAIN])
def test_a_table_is_typed_into_a_terminal(command, capsys):
    import pty

    here, there = pty.openpty()
    os.write(here, separable(12).encode() + b"\x04")  # Ctrl-D
    terminal = os.ttyname(there)
    assert main([*command, terminal, *ON_A_TABLE]) == 0
    assert f"{terminal}: 12 rows" in capsys.readouterr().out
    os.close(here)
    os.close(there)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="/dev/zero is POSIX")
@pytest.mark.parametrize("command", [[], TRAIN])
def test_a_device_that_never_ends_is_refused(command, capsys):
    assert main([*command, "/dev/zero", *ON_A_TABLE]) == 2
    assert "/dev/zero: a device; expected a CSV file" in capsys.readouterr().err


def test_a_training_that_diverges_ends_and_shows_its_error(capsys):
    with np.errstate(over="ignore"):
        assert main([table(separable()), "--target", "good", "--lr", "1e300"]) == 0
    training, held_out = re.findall(r"(?:training|held out) +MSE ([\d.]+)", capsys.readouterr().out)
    assert 0 < float(training) <= 1
    assert 0 <= float(held_out) <= 1


def test_version_and_help(capsys):
    for option in ("--version", "--help"):
        assert main([option]) == 0
        assert "tinygrad-slp" in (said := capsys.readouterr().out)
    assert "train | predict | evaluate | graph" in said
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        said = capsys.readouterr().out
        assert "example:\n  tinygrad-slp" in said
        assert len(said.splitlines()) < 72


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-8"])
@pytest.mark.parametrize(
    "command", [["--epochs", "2", "--backend", "numpy"], ["train", "t.csv", "--target", "good",
                "--epochs", "2", "--backend", "numpy"], ["check", "--help"]],
)  # fmt: skip
def test_an_output_that_lacks_arrows_and_subscripts_has_plain_signs(encoding, command):
    if command[0] == "train":
        pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")
    table(separable())
    said, expected = (
        subprocess.run(
            [sys.executable, "-m", "tinygrad_slp", *command], capture_output=True, check=True,
            env={**os.environ, "PYTHONIOENCODING": written},
        ).stdout.decode(written)
        for written in (encoding, "utf-8")
    )  # fmt: skip
    assert said.count("?") == expected.count("?")
    assert said.count("\n") == expected.count("\n")
    if command[0] == "train":
        assert ("→" if encoding == "utf-8" else "->") in said
    if command[0] == "--epochs" and encoding == "ascii":
        assert "x1" in said and "dL/dw1" in said


def test_plot_writes_a_png_and_says_so(capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    assert main(["--epochs", "20", "--plot", "p.png"]) == 0
    assert "wrote p.png" in capsys.readouterr().out
    with open("p.png", "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def environment():
    return {**os.environ, "PYTHONIOENCODING": "utf-8"}


def test_ctrl_c_stops_and_still_prints_the_result():
    program = subprocess.Popen(
        [*PROGRAM, "--epochs", "100000000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment(),
    )  # fmt: skip
    try:
        while not (line := program.stdout.readline()).startswith("epoch "):
            assert line, "it ended by itself"
        program.send_signal(signal.SIGINT)
        rest, errors = program.communicate(timeout=60)
    finally:
        program.kill()  # or it would go on for hours, if Ctrl-C did not end it
    assert program.returncode == 0
    assert errors == ""
    assert "stopped by Ctrl-C" in rest
    assert "Predictions" in rest


def test_a_reader_that_leaves_early_is_no_error():
    program = subprocess.Popen(
        [*PROGRAM, "--epochs", "3000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment(),
    )  # fmt: skip
    program.stdout.readline()
    program.stdout.close()
    with program.stderr as errors:
        assert errors.read() == ""
    assert program.wait(timeout=60) == 0


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX")
def test_a_terminal_gets_a_bar():
    pytest.importorskip("tqdm", reason="tqdm is not installed (extra cli)")
    import fcntl
    import pty
    import termios

    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    program = subprocess.Popen(
        [*PROGRAM, "--epochs", "2000"], stdout=there, stderr=there, env=environment()
    )
    os.close(there)
    said = b""
    try:
        while part := os.read(here, 4096):
            said += part
    except OSError:  # how a terminal ends on Linux
        pass
    assert program.wait(timeout=60) == 0
    os.close(here)
    assert b"| 2000/2000 [" in said
    assert b"Predictions" in said
