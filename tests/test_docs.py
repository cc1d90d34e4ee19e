"""What is generated in docs/ is what the code says now."""

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_table_of_functions_is_up_to_date(tmp_path):
    (tmp_path / "make_functions.py").write_bytes((DOCS / "make_functions.py").read_bytes())
    subprocess.run([sys.executable, tmp_path / "make_functions.py"], check=True)
    written = (tmp_path / "functions.md").read_text("utf-8")
    assert written == (DOCS / "functions.md").read_text("utf-8"), "run docs/make_functions.py"
