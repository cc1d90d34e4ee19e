"""What is generated in docs/ is what the code says now."""

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_table_of_functions_is_up_to_date(tmp_path):
    (tmp_path / "make_functions.py").write_bytes((DOCS / "make_functions.py").read_bytes())
    subprocess.run([sys.executable, tmp_path / "make_functions.py"], check=True)
    written = (tmp_path / "functions.md").read_text("utf-8")
    assert written == (DOCS / "functions.md").read_text("utf-8"), "run docs/make_functions.py"


def test_the_core_has_about_as_many_lines_as_the_readme_says():
    files = re.findall(r"^  ([\w/.]+)  ", (DOCS / "architecture.md").read_text("utf-8"), re.M)
    core = files[files.index("rule.py") : files.index("autodiff.py") + 1]
    paths = []
    for name in core:
        path = DOCS.parent / "tinygrad_slp" / name
        paths += path.glob("*.py") if path.is_dir() else [path]
    count = sum(len(p.read_text("utf-8").splitlines()) for p in paths)
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    said = int(re.search(r"about ([\d,]+) lines", readme)[1].replace(",", ""))
    assert abs(count - said) < said / 10, count


def test_no_generated_section_is_empty():
    for page in DOCS.glob("*.md"):
        text = page.read_text("utf-8")
        for name in re.findall(r"<!-- (\w+) -->", text):
            between = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
            assert between.count("|") > 10, (page.name, name)
