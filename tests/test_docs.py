"""What is generated in docs/ is what the code says now."""

import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from pytest import approx

import tinygrad_slp
from benchmarks.power.cases import cases
from benchmarks.power.regimes import REGIMES
from tinygrad_slp.cli import main
from tinygrad_slp.commands.other_files import READERS

DOCS = Path(__file__).parent.parent / "docs"


def test_the_table_of_functions_is_up_to_date(tmp_path):
    (tmp_path / "make_functions.py").write_bytes((DOCS / "make_functions.py").read_bytes())
    subprocess.run([sys.executable, tmp_path / "make_functions.py"], check=True)
    written = (tmp_path / "functions.md").read_text("utf-8")
    kept = (DOCS / "functions.md").read_text("utf-8")
    if find_spec("scipy") is None:
        kept = kept.partition("\n## scipy.special")[0]
    assert written == kept, "run docs/make_functions.py"


def test_the_core_has_about_as_many_lines_as_the_readme_says():
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    parts = re.findall(r"\(([^()]*), about ([\d,]+) lines\)", readme)
    assert len(parts) == 2
    for names, said in parts:
        count = 0
        for name in re.findall(r"`([\w/.]+)`", names):
            path = DOCS.parent / "tinygrad_slp" / name
            for file in path.glob("*.py") if path.is_dir() else [path]:
                count += len(file.read_text("utf-8").splitlines())
        assert count == approx(int(said.replace(",", "")), rel=0.1), names


EXTRAS = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
PAGES = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *DOCS.glob("*.md")]


def test_every_extra_that_is_named_is_one():
    code = [x for part in ("tinygrad_slp", "examples") for x in (DOCS.parent / part).rglob("*.py")]
    for path in (*PAGES, *code):
        text = path.read_text("utf-8")
        for named in re.findall(r"(?:tinygrad-slp|'\.)\[([a-z,]+)\]", text):
            assert {*named.split(",")} <= {*EXTRAS}, (path.name, named)
        for package, extra in re.findall(r"need\(\"(\w+)\", .*, \"(\w+)\"\)", text):
            assert any(x.startswith(package) for x in EXTRAS[extra]), (path.name, package)
    for package, _ in READERS.values():
        assert any(x.startswith(package) for x in EXTRAS["data"])


@pytest.mark.parametrize("page", ["README.md", "docs/tables.md"])
def test_commands_work_as_pasted(page, tmp_path, monkeypatch, capsys):
    """Each block makes the environment it uses, and finds its files in a fresh clone."""
    pytest.importorskip("pandas", reason="pandas is not installed (extra cli)")
    pytest.importorskip("safetensors", reason="safetensors is not installed (extra io)")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tinygrad_slp").symlink_to(DOCS.parent / "tinygrad_slp")
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS.parent / page).read_text("utf-8"), re.DOTALL)
    for block in blocks:
        assert block.strip().startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
        for line in re.findall(r"\.venv/bin/tinygrad-slp (.+)", block):
            fast = ["--epochs", "2", "--members", "2"] if line.startswith("train") else []
            assert main([*shlex.split(line), *fast]) == 0
    assert {x.name for x in tmp_path.iterdir()} >= {"model.safetensors", "report.html"}


def test_no_generated_section_is_empty():
    found = set()
    for page in DOCS.glob("*.md"):
        text = page.read_text("utf-8")
        for name in re.findall(r"<!-- (\w+) -->", text):
            between = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
            assert between.count("|") > 10, (page.name, name)
            found.add(name)
    assert found == {"training", "scaling", "models", "compare"}


PUBLIC = (
    "nn",
    "optim",
    "train",
    "data",
    "metrics",
    "saving",
    "plot",
    "check",
    "sklearn",
    "tabular",
)


@pytest.mark.parametrize("package", ["", *PUBLIC])
def test_the_reference_has_every_public_name_once(package):
    page = (DOCS / "reference" / f"{package or 'tinygrad_slp'}.md").read_text("utf-8")
    names = re.findall(r"^(?:\.\. (?:auto\w+|data)::|  {8})\s*(\S+)$", page, re.M)
    if package == "sklearn":
        pytest.importorskip("sklearn", "1.6", "scikit-learn is not installed")
    module = import_module(f"tinygrad_slp.{package}".rstrip("."))
    public = {*module.__all__}
    whole = [n for n in names if n.endswith(".activations")]  # all that is in them
    names += [name for there in whole for name in import_module(there).__all__]
    found = [n.rpartition(".")[2] for n in names if n not in (module.__name__, *whole)]
    if not package:  # other pages have what is left out here
        public = public - {"nn", "optim", "jit", "TraceError"} | {"Rule"}
    assert len(found) == len({*found})
    assert {*found} == public, "the page in docs/reference lacks a name, or has one too many"


def written(page):
    return (DOCS / page).read_text("utf-8")


def row(text, title):
    """The cells of the last row of a table that begins with a title."""
    return re.findall(rf"^\| {title} \|(.*)\|$", text, re.M)[-1].split("|")


def test_the_tour_counts_the_lines_there_are_and_names_this_version():
    ours = [p.read_text("utf-8") for p in Path(tinygrad_slp.__file__).parent.rglob("*.py")]
    lines = [line.strip() for text in ours for line in text.splitlines()]
    now = sum(1 for line in lines if line and not line.startswith("#"))
    counted = row(written("tour.md"), "lines of its own Python, without tests")[0]
    assert int(counted.replace(",", "")) == approx(now, rel=0.05), "run benchmarks/compare.py"
    assert row(written("tour.md"), "version")[0].strip() == tinygrad_slp.__version__


def test_the_power_tables_are_of_about_the_cases_there_are():
    text = written("checker.md")
    every, seeds = map(int, re.search(r"power --every (\d+) --seeds (\d+)", text).groups())
    right = row(text.partition("Right gradients, at ")[2].partition("Lost to rounding")[0], "all")
    trials = sum(map(int, right)) / seeds
    assert trials * every / len(REGIMES) == approx(len(cases()), rel=0.05), "run benchmarks.power"
