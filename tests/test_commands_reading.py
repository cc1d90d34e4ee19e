"""How the commands read tables: in parts, the same as whole, and in little memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")

from tinygrad_slp.commands import BadInput
from tinygrad_slp.commands.csv_source import Source
from tinygrad_slp.commands.reading import Texts, read


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text):
    Path("t.csv").write_bytes(text.encode())
    return "t.csv"


def test_reading_in_parts_is_reading_whole(monkeypatch):
    rng = np.random.default_rng(0)
    texts = ["", "red", "green", "blue"]
    rows = [(f"{rng.normal():.4f}", texts[rng.integers(4)], "" if k < 9 else k) for k in range(50)]
    write("a,b,c\n" + "\n".join(",".join(map(str, row)) for row in rows))
    whole = read(Source("t.csv"))
    for part in (1, 7, 50, 51):
        monkeypatch.setattr("tinygrad_slp.commands.reading.PART", part)
        found = read(Source("t.csv"))
        np.testing.assert_array_equal(found.columns["a"], [float(row[0]) for row in rows])
        assert found.columns["b"][:].tolist() == [row[1] for row in rows]
        assert found.columns["b"].names.tolist() == sorted(texts)
        np.testing.assert_array_equal(found.columns["c"], whole.columns["c"])
        assert np.isnan(found.columns["c"][:9]).all()


def test_a_column_that_becomes_text_late_is_text_throughout(monkeypatch):
    monkeypatch.setattr("tinygrad_slp.commands.reading.PART", 4)
    write("a,b\n" + "\n".join(f"{k},{k}" for k in range(8)) + "\n" + "x,1\ny,1\nz,1\n" * 5)
    a = read(Source("t.csv")).columns["a"]
    assert isinstance(a, Texts)
    assert a[:3].tolist() == ["0", "1", "2"]


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,x\n2,y\n", "\ufeffa,b\n1,x\n2,y\n", "a,b\r\n1,x\r\n2,y\r\n", "a,b\r1,x\r2,y\r",
     "a, b\n 1 , x \n\n2,y \n   \n", '"a","b"\n"1","x"\n"2","y"'],
)  # fmt: skip
def test_the_ways_to_write_the_same_table(text):
    frame = read(Source(write(text)))
    np.testing.assert_array_equal(frame.columns["a"], [1, 2])
    assert frame.columns["b"][:].tolist() == ["x", "y"]


def test_large_whole_numbers_and_truth_values():
    write("a,b\n99999999999999999999999,True\n1,\n3,false\n")
    frame = read(Source("t.csv"))
    np.testing.assert_array_equal(frame.columns["a"], [1e23, 1, 3])
    assert frame.columns["b"][:].tolist() == ["true", "", "false"]


PEAK = """
from tinygrad_slp.cli import main
code = main(["train", "t.csv", "--target", "y", "--epochs", "1", "--hidden", "8"])
kb = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, kb)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_memory_grows_by_less_than_three_times_the_table():
    """The peak of 400,000 rows less that of 1,000, which is what the interpreter takes."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(1000, 19))
    lines = [",".join(f"{x:.3f}" for x in row) + f",{'pq'[int(row[0] > 0)]}" for row in numbers]
    rows = "\n".join(lines) + "\n"
    peaks = []
    for times in (1, 400):
        write(",".join(f"x{k}" for k in range(19)) + ",y\n" + rows * times)
        done = subprocess.run(
            [sys.executable, "-c", PEAK], capture_output=True, encoding="utf-8", check=True
        )
        code, peak = done.stdout.split()[-2:]
        assert code == "0"
        peaks.append(int(peak) * 1024)
    assert peaks[1] - peaks[0] < 3 * 400_000 * 20 * 8


# --- other files than CSV ---

TABLE = """name,day,count,share,ok,y
ann,2024-01-05,1,0.5,True,a
bob,2024-02-06,,0.25,False,None
"c, d",2024-03-07,3,,True,a
zoë,,4,1e-3,,
"""


def in_other_files():
    """The same table as CSV, Parquet and a spreadsheet with a title."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra data)")
    pytest.importorskip("openpyxl", reason="openpyxl is not installed (extra data)")
    frame = pd.read_csv(write(TABLE), parse_dates=["day"], keep_default_na=False, na_values=[""])
    frame["ok"] = frame["ok"].astype("boolean")
    frame["name"] = frame["name"].astype("category")
    frame.to_parquet("t.parquet")
    with pd.ExcelWriter("t.xlsx") as book:
        frame.to_excel(book, index=False, startrow=2)
        book.book.active.cell(1, 1, "People")
    return ["t.csv", "t.parquet", "t.xlsx"]


def test_parquet_and_excel_are_read_as_csv_is():
    paths = in_other_files()
    for texts in ([], ["count"]):
        whole, *others = (read(Source(path, encoding="utf-8"), texts).columns for path in paths)
        for other in others:
            assert [*other] == [*whole]
            for name, values in whole.items():
                if name == "day":  # with times, the same in both
                    midnight = [x and f"{x} 00:00:00" for x in values[:].tolist()]
                    assert other[name][:].tolist() == midnight
                else:
                    np.testing.assert_array_equal(other[name][:], values[:])


def test_the_encoding_is_of_texts_and_not_of_parquet():
    in_other_files()
    names = read(Source("t.parquet", encoding="latin-1")).columns["name"]
    assert names[:].tolist() == ["ann", "bob", "c, d", "zoë"]


def test_which_sheet_is_read_is_said():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl", reason="openpyxl is not installed (extra data)")
    frame = pd.DataFrame({"a": [1, 2]})
    with pd.ExcelWriter("t.xlsx") as book:
        frame.to_excel(book, sheet_name="first", index=False)
        (frame + 1).to_excel(book, sheet_name="second", index=False)
    source = Source("t.xlsx")
    np.testing.assert_array_equal(read(source).columns["a"], [1, 2])
    assert any("'first'" in note and "of 2" in note for note in source.notes())


def test_files_that_are_not_what_their_names_say():
    in_other_files()
    Path("a.parquet").write_text("a,b\n1,2\n")
    Path("a.xlsx").write_text("a,b\n1,2\n")
    Path("a.csv").write_bytes(Path("t.xlsx").read_bytes())
    for path, words in (("a.parquet", "as .parquet"), ("a.xlsx", "as .xlsx"), ("a.csv", ".xlsx"),
                        ("no.parquet", "No such file")):  # fmt: skip
        with pytest.raises(BadInput, match=words) as info:
            read(Source(path))
        assert "\n" not in str(info.value)


def test_the_index_of_a_parquet_file_is_a_column_if_it_has_a_name():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra data)")
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=[5, 6])
    frame.to_parquet("t.parquet")
    assert [*read(Source("t.parquet")).columns] == ["a"]
    frame.rename_axis("key").to_parquet("t.parquet")
    assert [*read(Source("t.parquet")).columns] == ["key", "a"]


def test_a_file_without_a_header():
    write("1,x,1\n2,y,1\n3,x,2\n")
    source = Source("t.csv", named=False)
    frame = read(source)
    assert [*frame.columns] == ["1", "2", "3"] and len(frame) == 3
    assert frame.columns["2"][:].tolist() == ["x", "y", "x"]
    assert source.first("2", lambda text: text == "y") == (2, "y")
    assert any("1 to 3" in note for note in source.notes())
    write("1,2\n3,4\n5,6\n")
    assert any("--no-header" in note for note in Source("t.csv").notes())
    write("1,1\n3,4\n5,6\n")
    with pytest.raises(BadInput, match=r"2 columns named '1'.*--no-header"):
        read(Source("t.csv"))


def test_other_texts_that_mean_a_missing_value():
    write("a,b\n1,x\n999,gone\nn.d.,y\n")
    frame = read(Source("t.csv", missing=["999", "n.d.", "gone"]))
    np.testing.assert_array_equal(frame.columns["a"], [1, np.nan, np.nan])
    assert frame.columns["b"][:].tolist() == ["x", "", "y"]


def test_too_few_cells_and_too_many_have_their_own_advice():
    for text, words in (("a,b\n1\n2,3\n", "1 cells.*,,"), ("a,b\n1,2,3\n2,3\n", "3 cells.*quotes")):
        write(text)
        with pytest.raises(BadInput, match=words):
            read(Source("t.csv"))


def test_columns_without_a_name_are_named_and_told():
    write("a,,y,\n1,2,p,\n3,4,q,\n")
    source = Source("t.csv")
    frame = read(source)
    assert [*frame.columns] == ["a", "column 2", "y", "column 4"]
    np.testing.assert_array_equal(frame.columns["column 2"], [2, 4])
    assert any("'column 2', 'column 4'" in note for note in source.notes())


def test_a_long_text_is_no_error():
    write(f"a,y\n1,{'z' * 200_000}\n2,y\n")
    assert read(Source("t.csv")).columns["y"].names[1] == "z" * 200_000


def test_durations_are_days():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra data)")
    pd.DataFrame({"a": pd.to_timedelta([36, 12, None], unit="h")}).to_parquet("t.parquet")
    np.testing.assert_array_equal(read(Source("t.parquet")).columns["a"], [1.5, 0.5, np.nan])
