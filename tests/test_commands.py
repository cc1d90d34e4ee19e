"""The commands train, predict, evaluate and graph on tables as people have them."""

import csv
import html.parser
import os
import re
import shlex
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")
pytest.importorskip("safetensors", reason="safetensors is not installed (extra io)")

from tinygrad_slp.cli import main
from tinygrad_slp.data import Encoder, NumberTexts, load_penguins, penguins
from tinygrad_slp.tabular import TabularModel, report

PENGUINS = Path(penguins.__file__).with_name("penguins.csv")
PROGRAM = (sys.executable, "-m", "tinygrad_slp")
FAST = ("--backend", "eager", "--epochs", "2", "--hidden", "4", "--members", "2")


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A good model of the penguins' species, and one of their mass."""
    folder = tmp_path_factory.mktemp("models")
    species, mass = folder / "species.safetensors", folder / "mass.safetensors"
    for target, path in (("species", species), ("body_mass_g", mass)):
        arguments = ["--target", target, "--drop", "year", "--quick", "--out", str(path)]
        assert main(["train", str(PENGUINS), *arguments]) == 0
    return {"species": str(species), "mass": str(mass)}


def write(text, name="t.csv"):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def rows_of(name="out.csv"):
    with open(name, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def changed(old, new, name="t.csv"):
    """The penguins with the first of a text replaced."""
    text = PENGUINS.read_text("ascii")
    assert old in text
    return write(text.replace(old, new, 1), name)


def simple(n=40, header="a,colour,y"):
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal():.3f},{rng.choice(['red', 'blue'])},{'pq'[k % 2]}" for k in range(n)]
    return header + "\n" + "\n".join(rows) + "\n"


def refused(capsys, *arguments):
    """The one line that a command says when it refuses."""
    before = sorted(os.listdir())
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"tinygrad-slp {arguments[0]}: error: ")
    assert "Traceback" not in said.err
    assert sorted(os.listdir()) == before
    return said.err


# --- train ---


def scores_of(said, row):
    """The numbers of a row of the table that says how good it is."""
    line = next(x for x in said.splitlines() if x.strip().startswith(row + "  "))
    return [float(x.rstrip("%")) for x in line.strip().removeprefix(row).split()]


def test_texts_as_a_target_are_classes_and_the_penguins_are_told_apart(capsys):
    assert main(["train", str(PENGUINS), "--target", "species", "--validation", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "344 rows, 7 columns to learn from" in said
    assert "classification, as 'species' has 3 different texts: Adelie 152, Chinstrap 68" in said
    assert re.search(r"sex: \d+ missing, a category of their own", said)
    assert re.search(r"bill_length_mm: \d missing, a column marks them", said)
    assert "275 rows to train on, 69 held out" in said
    assert re.search(r"8 networks \d+ → 128 → 128 → 3, relu", said)
    for line in ("model", "model, held out"):
        accuracy, balanced, auc, surprise = scores_of(said, line)
        assert accuracy > 95 and balanced > 95
        assert auc > 0.99
        assert surprise < 0.1
    assert scores_of(said, "straight lines")[0] > 90
    assert 40 < scores_of(said, "baseline")[0] < 50
    assert "the model was not saved" in said
    assert os.listdir() == []


def test_straight_lines_and_nothing_to_learn_are_said(capsys):
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 60))
    for y, said in ((3 * x + 0.1 * noise, "straight lines"), (noise, "nothing was learned")):
        rows = "\n".join(f"{a},{b}" for a, b in zip(x, y, strict=True))
        assert main(["train", write("x,y\n" + rows), "--target", "y", "--quick"]) == 0
        out = capsys.readouterr().out
        assert said in out
        assert ("nothing was learned" in out) == (said == "nothing was learned")


def test_numbers_as_a_target_are_predicted_with_errors_in_their_units(capsys):
    arguments = ["--target", "body_mass_g", "--loss", "huber", "--interval", "0.9", "--quick"]
    assert main(["train", str(PENGUINS), *arguments, "--optimizer", "nadam"]) == 0
    said = capsys.readouterr().out
    assert "regression, as 'body_mass_g' has 94 different numbers" in said
    assert "2 rows without a value of 'body_mass_g': left out" in said
    error, _, absolute, r2 = scores_of(said, "model")
    assert error < 150_000  # in grams, not in deviations
    assert 100 < absolute < 350
    assert r2 > 0.8
    assert 300 < float(re.search(r"90% of new rows are within ±([\d.]+) of", said).group(1)) < 700


def test_the_task_can_be_forced(capsys):
    table = write("x,y\n" + "\n".join(f"{k / 7},{k % 3}" for k in range(30)))
    assert main(["train", table, "--target", "y", *FAST]) == 0
    said = capsys.readouterr().out
    assert "classification, as 'y' has 3 different numbers (write --task regression" in said
    assert main(["train", table, "--target", "y", "--task", "regression", *FAST]) == 0
    said = capsys.readouterr().out
    assert "regression, as --task says" in said
    assert "R²" in said


def test_the_same_seed_gives_the_same(capsys):
    runs = []
    for seed in ("1", "1", "2"):
        assert main(["train", str(PENGUINS), "--target", "species", "--seed", seed, *FAST]) == 0
        runs.append(capsys.readouterr().out)
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    "optimizer", ["adam", "adamw", "nadam", "rmsprop", "adagrad", "lion", "sgd"]
)
def test_every_optimizer_learns_at_its_own_rate(optimizer, capsys):
    arguments = ["--target", "species", "--epochs", "20", "--quick"]
    assert main(["train", str(PENGUINS), *arguments, "--optimizer", optimizer]) == 0
    assert scores_of(capsys.readouterr().out, "model")[0] > 90


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        (["--hidden", "0"], "networks 3 → 2"), (["--hidden", "5,4,3"], "3 → 5 → 4 → 3 → 2"),
        (["--activation", "leaky-relu"], "leaky_relu"), (["--lr", "0.5"], "learning rate 0.5"),
        (["--batch", "7"], "batches of 7"), (["--validation", "0"], "each left out once"),
        (["--validation", "0.5"], "20 held out"), (["--members", "3"], "3 networks"),
        (["--class-weight", "balanced"], "balanced"), (["--quick"], "4 networks"),
    ],
)  # fmt: skip
def test_every_setting_is_taken_and_shown(extra, shown, capsys):
    table = write(simple())
    fast = ["--backend", "eager", "--epochs", "2"]
    assert main(["train", table, "--target", "y", *fast, *extra]) == 0
    assert shown in capsys.readouterr().out


def test_a_model_reads_later_tables_as_it_read_the_first(capsys):
    """Its texts for missing values, and names of columns where there is no header."""
    lines = [f"{k % 7 if k % 5 else 'gone'},{'pq'[k % 2]},{k % 2}" for k in range(40)]
    write("\n".join(lines))
    given = ["--no-header", "--missing", "gone", "--target", "3", "--out", "m.safetensors"]
    assert main(["train", "t.csv", *given, *FAST]) == 0
    assert "1: 8 missing" in capsys.readouterr().out
    for command in ("predict", "evaluate"):
        assert main([command, "m.safetensors", "t.csv"]) == 0
        said, noted = capsys.readouterr()
        assert "1: 8 missing, replaced by the median" in said + noted
    assert "'gone' is not a number" in refused(
        capsys, "predict", "m.safetensors", "t.csv", "--missing", "x"
    )


def test_predictions_in_parquet_and_excel(trained):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra data)")
    pytest.importorskip("openpyxl", reason="openpyxl is not installed (extra data)")
    pd.DataFrame(load_penguins()).to_parquet("t.parquet")
    for name in ("species", "mass"):
        for out in ("out.csv", "out.parquet", "out.xlsx"):
            assert main(["predict", trained[name], "t.parquet", "-o", out]) == 0
        expected = pd.read_csv("out.csv")
        for found in (pd.read_parquet("out.parquet"), pd.read_excel("out.xlsx")):
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        assert len(expected) == 344


def test_dates_of_a_later_table_may_be_written_otherwise(capsys):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra data)")
    when = pd.date_range("2024-01-05", periods=40, freq="D")
    frame = pd.DataFrame({"when": when.strftime("%d.%m.%Y"), "y": np.arange(40) + 0.5})
    frame.to_csv("t.csv", index=False)
    frame.assign(when=when).to_parquet("t.parquet")
    said = []
    for first in ("t.csv", "t.parquet"):
        assert main(["train", first, "--target", "y", *FAST, "--out", "m.safetensors"]) == 0
        for later in ("t.csv", "t.parquet") if first == "t.csv" else ("t.parquet",):
            capsys.readouterr()
            assert main(["predict", "m.safetensors", later]) == 0
            said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[2]


def test_gaps_of_a_later_table_are_told_in_texts_that_are_numbers_or_dates_too(capsys):
    rows = [f'"{k},5",2024-01-{k % 28 + 1:02},{k % 7}' for k in range(40)]
    write("a,when,y\n" + "\n".join(rows))
    train = ["train", "t.csv", "--target", "y", "--task", "regression", *FAST]
    assert main([*train, "--out", "m.safetensors"]) == 0
    later = [*(x[:-2] for x in rows[:5]), "?,", "missing,soon", ","]
    write("a,when\n" + "\n".join(later), "new.csv")
    capsys.readouterr()
    assert main(["predict", "m.safetensors", "new.csv"]) == 0
    noted = capsys.readouterr().err
    assert "a: 3 missing, replaced by the median 20 in training" in noted
    assert "when: 3 missing" in noted and "no dates: 'soon'" in noted
    said = refused(capsys, "predict", "m.safetensors", write("a,when\n1,\nforty,\n"))
    assert "line 3, column 'a': 'forty' is not a number, as in the table the model" in said


def test_gaps_in_the_target(capsys):
    """Among numbers '?' is a gap; among texts it may be a class, which is asked."""
    rows = [f"{k},{'?' if k % 5 == 0 else k / 7}" for k in range(50)]
    train = ["train", "t.csv", "--target", "y", *FAST]
    write("a,y\n" + "\n".join(rows))
    assert main(train) == 0
    assert "10 rows without a value of 'y': left out" in capsys.readouterr().out
    write("a,y\n" + "\n".join(f"{k},{'pq?'[k % 3]}" for k in range(60)))
    assert main(train) == 0
    said = capsys.readouterr().out
    pasted = shlex.split(re.search(r"'\?' is taken for a class;.* write (.*)", said)[1])
    assert main([*train, *pasted]) == 0
    said = capsys.readouterr().out
    assert "20 rows without a value" in said and "p 20, q 20" in said and "taken" not in said
    write("a,y\n" + "\n".join(f"{k},{'x y' if k == 3 else k / 7}" for k in range(50)))
    said = refused(capsys, *train)
    pasted = shlex.split(re.search(r"write (--missing .*) if it", said)[1])
    assert main([*train, *pasted]) == 0


def test_classes_in_an_order(capsys):
    given = ["train", str(PENGUINS), "--target", "species", *FAST, "--out", "m.safetensors"]
    assert main([*given, "--order", "Gentoo,Adelie,Chinstrap"]) == 0
    assert TabularModel.load("m.safetensors").classes.tolist() == ["Gentoo", "Adelie", "Chinstrap"]
    capsys.readouterr()
    assert "'Adelie' is missing" in refused(capsys, *given, "--order", "Gentoo,Chinstrap")
    given[given.index("species")] = "body_mass_g"
    assert "--order are for classes" in refused(capsys, *given, "--order", "3000,4000")
    table = write("a,y\n" + "".join(f"{k},{k % 3}\n" for k in range(30)))
    given = ["train", table, "--target", "y", *FAST, "--out", "m.safetensors"]
    assert main([*given, "--order", "2,0,1"]) == 0
    assert TabularModel.load("m.safetensors").classes.tolist() == [2, 0, 1]
    assert "could not convert" in refused(capsys, *given, "--order", "low,high")


def test_what_is_worth_knowing_about_columns_is_said(capsys):
    rng = np.random.default_rng(0)
    lines = [
        f"{k},n{k},5,same,,{rng.normal():.3f},{rng.normal():.3},{'pq'[k % 2]}" for k in range(40)
    ]
    table = write("id,name,five,text,none,x,z,y\n" + "\n".join(lines))
    assert main(["train", table, "--target", "y", *FAST, "--validation", "0"]) == 0
    said = capsys.readouterr().out
    assert "id: a different whole number in every row, so it only tells the rows apart" in said
    assert "name: a different text in every row, like a name, so it is left out" in said
    assert "five: the same number in every row, 5, so it is left out" in said
    assert "text: the same text in every row, 'same', so it is left out" in said
    assert "none: no value in any row, so it is left out" in said
    assert "2 columns to learn from" in said


def test_a_number_beside_which_the_others_look_the_same_is_refused(capsys):
    lines = [f"{1e300 if k == 3 else k},{'pq'[k % 2]}" for k in range(40)]
    table = write("far,y\n" + "\n".join(lines))
    assert main(["train", table, "--target", "y", *FAST]) == 2
    said = capsys.readouterr().err
    assert "line 5, column 'far': 1e+300 is so far from the others" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "format",
    ["%Y-%m-%d", "%d %b %Y", "%B %d, %Y", "%a, %d %b %Y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S",
     "%m/%d/%Y"],
)  # fmt: skip
def test_dates_become_time_and_circles_and_a_later_table_has_them_too(format, capsys):
    start = datetime(2024, 1, 5)
    days = [(start + timedelta(hours=31 * k)).strftime(format) for k in range(60)]
    table = write("when,y\n" + "\n".join(f'"{day}",{k}.5' for k, day in enumerate(days)))
    assert main(["train", table, "--target", "y", "--quick", "--out", "m.safetensors"]) == 0
    said = capsys.readouterr().out
    assert "when: dates such as" in said and "month" in said and "weekday" in said
    assert scores_of(said, "model")[3] > 0.9
    assert main(["predict", "m.safetensors", table]) == 0
    predicted = [float(line) for line in capsys.readouterr().out.split()[1:]]
    assert np.corrcoef(predicted, np.arange(60))[0, 1] > 0.95


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (["1,000", "2,500", "12,345.5"], [1000, 2500, 12345.5]),
        (["1.234,5", "2,25", "-7"], [1234.5, 2.25, -7]),
        (["$7,440", "$2.50", "-$3"], [7440, 2.5, -3]), (["3.5%", "4 %", "?"], [3.5, 4, np.nan]),
        (["1", "missing", "2.5"], [1, np.nan, 2.5]), (["1'000", "2'500.5", "3"], [1000, 2500.5, 3]),
        (["3", "#N/A", "-"], [3, np.nan, np.nan]), (["1e3", ".5", "None"], [1000, 0.5, np.nan]),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(written, values, capsys):
    rows = "\n".join(f'"{written[k % 3]}",{"pq"[k % 2]}' for k in range(30))
    assert main(["train", write("a,y\n" + rows), "--target", "y", *FAST]) == 0
    assert "a: texts read as numbers" in capsys.readouterr().out
    encoder = NumberTexts().fit(np.array(written * 3))
    np.testing.assert_array_equal(encoder.numbers(np.array(written)), values)
    again = Encoder.from_state(encoder.state())
    np.testing.assert_array_equal(again.numbers(np.array(written)), values)


def test_many_different_texts_are_learned_from_by_their_pieces(capsys):
    rng = np.random.default_rng(0)
    lines = []
    for k in range(300):
        name = "".join(rng.choice([*"abcdefgh"], 6)) + ("ton" if k % 2 else "ville")
        lines.append(f"{name},{k % 2},{'ab'[k % 2]}" if k else f"{name},0,a")
    table = write("town,x,y\n" + "\n".join(lines + lines[:1]))
    arguments = ["--target", "y", "--drop", "x", "--quick", "--out", "m.safetensors"]
    assert main(["train", table, *arguments]) == 0
    said = capsys.readouterr().out
    assert "town: many different texts" in said
    assert scores_of(said, "model")[0] > 90
    assert main(["predict", "m.safetensors", table]) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings_are_noticed_and_said(encoding, capsys):
    rows = "\n".join(f"{k}.5,{('größer', 'klein')[k % 2]}" for k in range(30))
    write(("länge,y\n" + rows).encode(encoding))
    assert main(["train", "t.csv", "--target", "y", *FAST]) == 0
    said = capsys.readouterr().out
    assert "größer 15, klein 15" in said
    assert ("write --encoding NAME" in said) == (encoding in ("cp1252", "utf-16"))
    assert main(["train", "t.csv", "--target", "y", *FAST, "--encoding", encoding]) == 0


def test_an_index_that_pandas_or_r_wrote_is_left_out(capsys):
    rows = "\n".join(f"{k},{k % 7}.5,{'pq'[k % 2]}" for k in range(30))
    for header in (",x,y", '"",x,y', "id,x,y"):
        assert main(["train", write(f"{header}\n{rows}"), "--target", "y", *FAST]) == 0
        said = capsys.readouterr().out
        assert "1 column to learn from" in said
        assert "so it only tells the rows apart and is left out" in said


@pytest.mark.parametrize("above", ["A title\n", "# made by hand\n# in 2024\n", "Title,,\n\n"])
def test_a_title_or_comments_above_the_header_are_left_out(above, capsys):
    table = write(above + simple())
    assert main(["train", table, "--target", "y", *FAST]) == 0
    said = capsys.readouterr().out
    assert "above the header: left out" in said and "2 columns to learn from" in said


def test_a_target_of_numbers_as_people_write_them(capsys):
    rows = "\n".join(f'{k},"${1000 + 17 * k:,}"' for k in range(40))
    table = write("x,price\n" + rows)
    arguments = ["--target", "price", "--quick", "--out", "m.safetensors"]
    assert main(["train", table, *arguments]) == 0
    assert "regression, as 'price' has 40 different numbers" in capsys.readouterr().out
    assert main(["evaluate", "m.safetensors", table]) == 0
    assert scores_of(capsys.readouterr().out, "t.csv")[3] > 0.9


def test_ten_numbers_are_no_classes(capsys):
    table = write("x,y\n" + "\n".join(f"{k * k},{3 * k}" for k in range(10)))
    assert main(["train", table, "--target", "y", *FAST]) == 0
    assert "regression, as 'y' has 10 different numbers" in capsys.readouterr().out


def test_numbers_as_categories(capsys):
    lines = [f"{(k * 7919) % 4},{'pq'[k % 2]}" for k in range(40)]
    table = write("code,y\n" + "\n".join(lines))
    assert main(["train", table, "--target", "y", "--categories", "code", *FAST]) == 0
    assert "networks 4 → 4 → 2" in capsys.readouterr().out


def test_a_category_that_only_one_row_has_does_no_harm(capsys):
    for seed in range(4):  # it is held out in some
        table = write(simple() + "0.5,green,p\n")
        assert main(["train", table, "--target", "y", *FAST, "--seed", str(seed)]) == 0


def test_a_class_that_only_one_row_has(capsys):
    assert main(["train", write(simple() + "0.5,red,r\n"), "--target", "y", *FAST]) == 0
    assert "p 20, q 20, r 1" in capsys.readouterr().out


def test_a_class_of_one_row_is_trained_on_and_the_others_are_held_out_in_their_shares(capsys):
    rows = "".join(f"{k},p\n" for k in range(90)) + "".join(f"{k},q\n" for k in range(10))
    write("a,y\n" + rows + "5,r\n")
    for seed in range(3):
        assert (
            main(
                [
                    "train",
                    "t.csv",
                    "--target",
                    "y",
                    *FAST,
                    "--seed",
                    str(seed),
                    "--validation",
                    "0.2",
                ]
            )
            == 0
        )
        said = capsys.readouterr().out
        assert "classes with one row, which is used for training: 'r'" in said
        matrix = said[said.index("true") :].splitlines()[1:4]
        counts = [sum(map(int, line.split()[1:])) for line in matrix]
        assert counts == [18, 2, 0]


def test_a_class_may_be_called_none(capsys):
    rows = "".join(f"{k},{('none', 'mild', 'None')[k % 3]}\n" for k in range(30))
    assert main(["train", write("a,y\n" + rows), "--target", "y", *FAST]) == 0
    assert "None 10, mild 10, none 10" in capsys.readouterr().out


# --- predict, evaluate, graph ---


def test_evaluate_tells_class_by_class(trained, capsys):
    assert main(["evaluate", trained["species"], str(PENGUINS)]) == 0
    said = capsys.readouterr().out
    precision, recall, f1 = re.search(
        r"Gentoo +([\d.]+)% +([\d.]+)% +([\d.]+) +124\n", said
    ).groups()
    assert float(precision) > 98 and float(recall) > 98 and float(f1) > 0.98
    assert main(["evaluate", trained["mass"], str(PENGUINS)]) == 0
    assert "RMSE" in capsys.readouterr().out


def test_predict_and_evaluate_agree(trained, capsys):
    assert main(["predict", trained["species"], str(PENGUINS), "-o", "out.csv"]) == 0
    said = capsys.readouterr()
    assert said.out == "wrote out.csv\n"
    assert "bill_length_mm: 2 missing, replaced by the median" in said.err
    header, *rows = rows_of()
    assert header == ["species", "p(Adelie)", "p(Chinstrap)", "p(Gentoo)"]
    p = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=2e-6)
    right = [row[0] for row in rows_of(PENGUINS)[1:]]
    share = np.mean([row[0] == species for row, species in zip(rows, right, strict=True)])
    assert main(["evaluate", trained["species"], str(PENGUINS)]) == 0
    said = capsys.readouterr().out
    assert f"{share:.2%}" in said
    assert share > 0.97
    assert "true \\ predicted" in said


def test_numbers_are_predicted_in_their_own_units(trained, capsys):
    assert main(["predict", trained["mass"], str(PENGUINS)]) == 0
    header, *numbers = capsys.readouterr().out.splitlines()
    assert header == "body_mass_g"
    assert 3500 < np.mean([float(x) for x in numbers]) < 5000
    assert main(["evaluate", trained["mass"], str(PENGUINS)]) == 0
    said = capsys.readouterr().out
    assert "342 rows, regression of 'body_mass_g'" in said
    assert "2 rows without a value" in said


def test_columns_may_be_reordered_and_more(trained, capsys):
    assert main(["predict", trained["species"], str(PENGUINS)]) == 0
    expected = capsys.readouterr().out
    rows = rows_of(PENGUINS)
    write("\n".join(",".join([*reversed(row[1:]), "more"]) for row in rows).replace("more", "m", 1))
    assert main(["predict", trained["species"], "t.csv"]) == 0
    assert capsys.readouterr().out == expected


def test_an_unknown_category_can_be_ignored(trained, capsys):
    table = changed("Torgersen", "Atlantis")
    said = refused(capsys, "predict", trained["species"], table)
    assert "t.csv: line 2, column 'island': 'Atlantis' is a category that was not there" in said
    assert "known are 'Biscoe', 'Dream', 'Torgersen'" in said
    assert main(["predict", trained["species"], table, "--unknown", "ignore"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 345


def test_labels_come_back_as_they_were(capsys):
    for labels in (("1", "2"), ("true", "false"), ("ä b", 'c "d"')):
        quoted = [label.replace('"', '""') for label in labels]
        write("x,y\n" + "\n".join(f'{k - 10},"{quoted[k > 10]}"' for k in range(20)))
        assert main(["train", "t.csv", "--target", "y", *FAST, "--out", "m.safetensors"]) == 0
        assert main(["predict", "m.safetensors", "t.csv", "-o", "out.csv"]) == 0
        assert {row[0] for row in rows_of()[1:]} <= set(labels)
        assert main(["evaluate", "m.safetensors", "t.csv"]) == 0


@pytest.mark.parametrize(("ending", "sign"), [("svg", "<svg"), ("dot", "digraph"), ("mmd", "flow")])
def test_the_graph_is_written_in_the_format_of_the_ending(trained, ending, sign, capsys):
    assert main(["graph", trained["species"], "-o", f"g.{ending}"]) == 0
    text = Path(f"g.{ending}").read_text("utf-8")
    assert sign in text
    assert "networks.line.weight" in text


def test_the_model_is_loaded_from_python(trained):
    model = TabularModel.load(trained["species"])
    assert model.facts["task"] == "classification"
    assert model.classes.tolist() == ["Adelie", "Chinstrap", "Gentoo"]
    table = {name: x[:2] for name, x in load_penguins().items()}
    np.testing.assert_allclose(model.predict_proba(table).sum(axis=1), 1)


# --- the report and the picture ---


class Page(html.parser.HTMLParser):
    """What is in a page: text, and links to anything outside of it."""

    def __init__(self, text):
        super().__init__()
        self.said, self.outside, self.tags = "", [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        links = ("src", "href", "xlink:href", "data")
        self.outside += [v for k, v in attrs if k in links and not v.startswith(("#", "data:"))]

    def handle_data(self, data):
        self.said += data


@pytest.mark.parametrize("target", ["species", "body_mass_g"])
def test_the_report_is_one_file_with_all_there_is(target, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    arguments = ["--target", target, *FAST, "--report", "r.html", "--plot", "p.svg"]
    assert main(["train", str(PENGUINS), *arguments]) == 0
    page = Page(Path("r.html").read_text("utf-8"))
    assert page.outside == []
    assert "svg" in page.tags
    assert "script" not in page.tags
    for text in ("straight lines", "3 categories", "'Dream'", "flipper_length_mm", "lr0.006",
                 "11 missing" if target == "species" else "R²"):  # fmt: skip
        assert text in page.said, text
    assert ("Confusion matrix" in page.said) == (target == "species")
    assert "<svg" in Path("p.svg").read_text("utf-8")


def test_the_report_escapes_what_is_in_the_table(capsys):
    table = write(simple().replace("red", "<script>alert(1)</script>"))
    assert main(["train", table, "--target", "y", *FAST, "--report", "r.html"]) == 0
    text = Path("r.html").read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_report_does_without_matplotlib_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    assert main(["train", write(simple()), "--target", "y", *FAST, "--report", "r.html"]) == 0
    text = Path("r.html").read_text("utf-8")
    assert "The picture needs matplotlib: pip install" in text
    assert "<svg" not in text


def test_other_separators(capsys):
    for mark, option in ((";", ";"), ("\t", "tab"), ("|", "|")):
        table = write(simple().replace(",", mark))
        assert f"write --separator '{option}'" in refused(capsys, "train", table, "--target", "y")
        assert main(["train", table, "--target", "y", "--separator", option, *FAST]) == 0
        capsys.readouterr()


# --- bad input ---


GOOD = "\n".join(f"{k / 8},{'pq'[k % 2]}" for k in range(20))
BAD = {
    "header only": ("a,y\n", "there is a header but no rows"),
    "only target": ("y\np\nq\np\nq\np\n", "there is no column to learn 'y' from"),
    "mixed": (f"a,y\n{GOOD}\nforty,p", "line 22, column 'a': 'forty' is not a number"),
    "all targets missing": ("a,y\n" + "1,\n2,NA\n" * 9, "has no value in any row"),
    "constant target": ("a,y\n" + "1,0.5\n2,0.5\n" * 9, "is 0.5 in every row"),
    "too many classes": ("a,y\n" + "\n".join(f"{k},n{k}" for k in range(9)), "9 classes in 9 rows"),
    "mixed target": (f"a,y\n{GOOD}\n".replace("p", "1.5").replace("q", "2", 8) + "\n0,2",
                     "column 'y': 'q' is not a number"),
    "spreadsheet": (b"PK\x03\x04\xff\xfe", "a spreadsheet or an archive"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0" + bytes(9), "to be saved as .xlsx"),
    "compressed": (b"\x1f\x8b\x08\x00\xff" + bytes(9), "to be unpacked first"),
    "Parquet": (b"PAR1\x15\x04\xff" + bytes(9), "that ends in .parquet"),
    "binary": (bytes(range(256)), "not a text file"),
    "one row": ("a,y\n1,p\n", "1 row with a target; expected 5 or more"),
    "mixed target of prices": ("a,y\n" + "1,$5\n2,$6.50\n3,much\n" * 9, "'much' is not a number"),
    "few rows": ("a,y\n1,p\n2,q\n3,p\n4,q\n", "4 rows with a target"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_get_one_line(case, capsys):
    text, message = BAD[case]
    said = refused(capsys, "train", write(text), "--target", "y", *FAST, "--out", "m.safetensors")
    assert "t.csv" in said
    assert message in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "0"], "--batch"), (["--validation", "1"], "--validation"),
        (["--validation", "0.999"], "leaves one part empty"),
        (["--hidden", "3,x"], "--hidden"), (["--hidden", "-1"], "--hidden"),
        (["--loss", "mse"], "--loss mse is not for classification"), (["--loss", "no"], "invalid"),
        (["--task", "regression"], "is not a number, which regression predicts"),
        (["--members", "1"], "--members"), (["--dropout", "1"], "--dropout"),
        (["--interval", "0.9"], "are for numbers"), (["--quick", "--thorough"], "not allowed"),
        (["--drop", "y"], "that is the target"), (["--drop", "z"], "no such column"),
        (["--categories", "z"], "no such column"), (["--drop", "a,colour"], "no column to learn"),
        (["--separator", "ab"], "one character"), (["--out", "m.pkl"], ".safetensors"),
        (["--out", "no/m.safetensors"], "there is no directory"),
        (["--out", "d.safetensors"], "a directory"), (["--report", "r.txt"], ".html"),
        (["--report", "no/r.html"], "there is no directory"),
    ],
)  # fmt: skip
def test_bad_arguments_get_one_line(arguments, message, capsys):
    os.mkdir("d.safetensors")
    said = refused(
        capsys, "train", write(simple()), "--target", "y", "--backend", "numpy", *arguments
    )
    assert message in said


@pytest.mark.parametrize("dates", [("2024-01-30", "2024-02-28"), ("30.1.2024 12:30", "1/2/24")])
def test_a_target_of_dates_is_refused(dates, capsys):
    table = write("a,y\n" + "\n".join(f"{k},{dates[k % 2]}" for k in range(20)))
    said = refused(capsys, "train", table, "--target", "y", *FAST)
    assert "t.csv: the target 'y' is dates or times, which no model here predicts" in said
    assert "or write --task classification" in said
    assert main(["train", table, "--target", "y", *FAST, "--task", "classification"]) == 0


ODD_NAMES = ("a b", "a,b", "a, b", 'a"b', '"a"', "it's", "-x", "$HOME", "é;*", "a\nb", "--drop")


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize(
    ("cells", "option"),
    [("1e300", "--drop"), ("forty", "--categories"), (None, "--drop")],
)
def test_an_option_that_is_suggested_can_be_pasted(name, cells, option, capsys):
    """An outlier and a text among numbers are errors; numbers of rows are a note."""
    rows = [[k if cells is None or k else cells, k % 3 / 7, "pq"[k % 2]] for k in range(40)]
    with open("t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[name, "c", "y"], *rows])
    train = ["train", "t.csv", "--target", "y", *FAST]
    assert main(train) == (2 if cells else 0)
    said = "".join(capsys.readouterr())
    pasted = shlex.split(re.search(rf"(?:write|or) ({option}[ =].*)", said)[1])
    assert main([*train, *pasted]) == 0
    shown = " ".join(name.splitlines())
    said = capsys.readouterr().out
    assert (f"{shown}: left out, as --drop says" in said) == (option == "--drop")


@pytest.mark.parametrize("name", ["a,b", "a, b"])
def test_a_column_with_a_comma_in_its_name(name, capsys):
    rows = [[k / 7, k, k % 3] for k in range(40)]
    with open("t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["a", name, "c"], *rows])
    train = ["train", "t.csv", *FAST]
    said = refused(capsys, *train, "--target", "c", "--drop", name)
    pasted = shlex.split(said.split(" write ")[1])
    assert main([*train, "--target", "c", *pasted]) == 0
    assert f"{name}: left out, as --drop says" in capsys.readouterr().out
    assert main([*train, "--target", name, "--out", "a b.safetensors"]) == 0
    said = capsys.readouterr().out
    assert f"regression, as {name!r}" in said
    assert "tinygrad-slp predict 'a b.safetensors' NEW.csv" in said
    assert "invalid names" in refused(capsys, *train, "--target", "c", "--drop", "a\nb")


def test_of_many_columns_the_nearest_names_are_told(capsys):
    names = [f"column_{k}" for k in range(3000)] + ["weight", "y"]
    write(",".join(names) + "\n" + (",".join(["1"] * 3001) + ",p\n") * 5)
    for given in (["--target", "wieght"], ["--target", "y", "--drop", "wieght"]):
        said = refused(capsys, "train", "t.csv", *given)
        assert "there are weight, " in said and "and 2992 more" in said


def test_a_target_that_is_not_there(capsys):
    assert "--target; see tinygrad-slp train --help" in refused(capsys, "train", write(simple()))
    assert "no column 'z'" in refused(capsys, "train", "t.csv", "--target", "z")


def test_outputs_are_checked_before_the_training(capsys, monkeypatch):
    monkeypatch.setattr("tinygrad_slp.commands.train.learn", None)  # would fail
    train = ["train", write(simple()), "--target", "y"]
    os.symlink("t.csv", "t.html")
    assert "would replace t.csv" in refused(capsys, *train, "--report", "t.html")
    if os.path.isdir("/proc/self"):
        assert "no file can be made there" in refused(
            capsys, *train, "--out", "/proc/m.safetensors"
        )
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    write("old", "m.safetensors")
    assert "no permission to write" in refused(capsys, *train, "--out", "m.safetensors")


@pytest.mark.parametrize(("package", "arguments"), [
    ("pandas", []), ("safetensors", ["--out", "m.safetensors"]),
    ("matplotlib", ["--plot", "p.png"]), ("llvmlite", ["--backend", "llvm"]),
])  # fmt: skip
def test_what_is_not_installed_is_said(package, arguments, capsys, monkeypatch):
    find_spec = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "tinygrad_slp.commands.needs.find_spec",
        lambda name: None if name == package else find_spec(name),
    )
    said = refused(capsys, "train", write(simple()), "--target", "y", *arguments)
    assert f"needs {package}: pip install 'tinygrad-slp[" in said


def test_a_training_that_diverges_says_so_and_keeps_nothing(capsys):
    arguments = ["--target", "body_mass_g", "--optimizer", "sgd", "--lr", "1e30"]
    said = refused(capsys, "train", str(PENGUINS), *arguments, "--out", "m.safetensors")
    assert "the training diverged" in said
    assert "try a smaller --lr" in said
    said = refused(
        capsys, "train", write(simple()), "--target", "y", "--optimizer", "sgd", "--lr", "1e30",
        "--epochs", "5",
    )  # fmt: skip
    assert "the training diverged" in said and "try a smaller --lr" in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("39.1", "forty", "line 2, column 'bill_length_mm': 'forty' is not a number"),
        ("39.1", "1e300", "line 2, column 'bill_length_mm': 1e300 is more than a million"),
        ("bill_length_mm", "bill", "no column 'bill_length_mm', which the model was trained on"),
        ("island,bill_length_mm", "a,b", "no columns 'bill_length_mm', 'island', which the"),
        ("Torgersen", "", "line 2, column 'island': the cell is empty, which is a category"),
        ("species,", "x,", None),
        ("\nAdelie", "\nDodo", "line 2, column 'species': 'Dodo' is not a class"),
    ],
)
def test_bad_tables_for_a_model(old, new, message, trained, capsys):
    table = changed(old, new)
    command = "predict" if message and "class" not in message else "evaluate"
    said = refused(capsys, command, trained["species"], table)
    assert (message or "no column 'species'") in said


def test_bad_models(trained, capsys):
    table = str(PENGUINS)
    assert "No such file" in refused(capsys, "predict", "none.safetensors", table)
    assert "not a whole safetensors file" in refused(capsys, "predict", table, table)
    assert "directory" in refused(capsys, "graph", ".", "-o", "g.svg")
    write(Path(trained["species"]).read_bytes()[:-9], "cut.safetensors")
    assert "not a whole" in refused(capsys, "evaluate", "cut.safetensors", table)
    assert "would replace cut.safetensors" in refused(
        capsys, "predict", "cut.safetensors", table, "-o", "cut.safetensors"
    )
    assert "should end in .svg" in refused(capsys, "graph", trained["species"], "-o", "g.png")
    assert "required: -o/--out" in refused(capsys, "graph", trained["species"])


def test_a_model_that_train_did_not_write(capsys):
    from tinygrad_slp import nn
    from tinygrad_slp.saving import save

    save(nn.Linear(3, 1), "m.safetensors")
    said = refused(capsys, "predict", "m.safetensors", str(PENGUINS))
    assert "none of a table" in said


# --- as real processes ---


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
def test_a_reader_that_leaves_early_does_not_keep_the_model_from_being_written():
    with subprocess.Popen(
        [*PROGRAM, "train", str(PENGUINS), "--target", "sex", *FAST, "--out", "m.safetensors"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    ) as program:  # fmt: skip
        program.stdout.close()
        assert program.stderr.read() == ""
    assert program.returncode == 0
    assert Path("m.safetensors").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_an_output_that_is_full_is_one_line(trained):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "predict", trained["species"], str(PENGUINS)],
            stdout=full, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "tinygrad-slp predict: error: cannot print: No space left on device\n"


def test_a_full_disk_leaves_no_half_file(trained):
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")

    def limited():  # a disk with room for 2 kB, as far as the process can tell
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))

    write("old", "m.safetensors")
    for arguments in (
        ["train", str(PENGUINS), "--target", "sex", *FAST[:4], "--out", "m.safetensors"],
        ["predict", trained["species"], str(PENGUINS), "-o", "out.csv"],
    ):
        done = subprocess.run(
            [*PROGRAM, *arguments], capture_output=True, encoding="utf-8", preexec_fn=limited
        )
        assert done.returncode == 2
        assert "File too large" in done.stderr
        hint = "jit replays with NumPy"  # where llvmlite is missing
        assert sum(hint not in line for line in done.stderr.splitlines()) == 1
        assert os.listdir() == ["m.safetensors"]
        assert Path("m.safetensors").read_text() == "old"


def test_ctrl_c_ends_the_epoch_prints_the_result_and_saves():
    program = subprocess.Popen(
        [*PROGRAM, "train", str(PENGUINS), "--target", "species", "--epochs", "10000000",
         "--out", "m.safetensors"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    seen = ""
    try:
        while "loss" not in seen or "epoch " not in seen:
            seen += program.stdout.readline()
        program.send_signal(signal.SIGINT)
        rest, errors = program.communicate(timeout=60)
    finally:
        program.kill()  # or it would go on for hours, if Ctrl-C did not end it
    assert program.returncode == 0
    assert "stopped: Ctrl-C in epoch" in rest
    assert "straight lines" in rest
    assert "wrote m.safetensors" in rest
    assert errors.strip() == "ending after this epoch; Ctrl-C again ends it at once"
    assert TabularModel.load("m.safetensors").name == "species"


def test_bytes_that_are_0_are_no_text(capsys):
    Path("t.csv").write_bytes(b"x,y\n1,p\n2\0,q\n" * 5)
    assert main(["train", "t.csv", "--target", "y", *FAST]) == 2
    assert "null bytes; expected a text file" in capsys.readouterr().err


def test_an_underscore_makes_no_number(capsys):
    table = write("x,y\n" + "\n".join(f"{k % 3}_0,{'pq'[k % 2]}" for k in range(40)))
    assert main(["train", table, "--target", "y", *FAST, "--out", "m.safetensors"]) == 0
    Path("new.csv").write_text("x\n10\n")
    capsys.readouterr()
    assert main(["predict", "m.safetensors", "new.csv"]) == 2
    assert "'x'" in capsys.readouterr().err


def test_a_lack_of_memory_is_one_line(monkeypatch, capsys):
    def too_much(*args, **more):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("tinygrad_slp.commands.train.read", too_much)
    table = write("x,y\n1,p\n2,q\n")
    assert main(["train", table, "--target", "y", *FAST]) == 2
    said = capsys.readouterr().err
    assert said == "tinygrad-slp train: error: not enough memory: Unable to allocate 9 TiB\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_pipe_is_no_place_for_a_model(capsys):
    os.mkfifo("m.safetensors")
    table = write("x,y\n" + "\n".join(f"{k},{'pq'[k % 2]}" for k in range(20)))
    assert main(["train", table, "--target", "y", *FAST, "--out", "m.safetensors"]) == 2
    assert "a device or a pipe; expected the name of a file" in capsys.readouterr().err
    assert Path("m.safetensors").is_fifo()
