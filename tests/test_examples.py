"""The examples, and the README's own lines, run and say what they should."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
SAYS = {
    "perceptron.py": [r"largest difference (0|\d\.\de-1[6-9])", r"\[1\. 0\. 1\.\] → 0\.9[5-9]"],
    "xor_mlp.py": [r"loss 0\.6931, 0 of 4 right", r"4 of 4 right"],
    "own_rule.py": [r"mish .* agrees", r"sloppy_mish .* IS WRONG"],
    "check_your_derivation.py": [
        r"right ---\n.*RIGHT to", r"1/n of a mean is missing|1/n is missing", r"σ′ is missing",
        r"σ′ is taken at a", r"the sign is wrong", r"only the last sample.*factor of 2|last sample",
    ],
    "check_torch_function.py": [r"0\.0001 ---\n.*gradcheck: True\ngradient: WRONG"],
    "curvature.py": [r"\[-0\.0067  0\.0027  0\.0206  0\.1571\]", r"30 +0\.07\d+ +0\.0000\d+"],
}  # fmt: skip


def run(*command, cwd=HERE):
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_every_example_is_tested():
    assert sorted(SAYS) == sorted(p.name for p in (HERE / "examples").glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
def test_example(name):
    if "torch" in name:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    said = run(f"examples/{name}")
    for pattern in SAYS[name]:
        assert re.search(pattern, said), said


def test_the_lines_in_the_readme_learn_xor(tmp_path):
    (lines,) = [
        block
        for block in re.findall(
            r"```python\n(.*?)```", (HERE / "README.md").read_text("utf-8"), re.S
        )
        if "import" in block
    ]
    assert len(lines.strip().splitlines()) <= 16
    said = run("-c", lines, cwd=tmp_path)
    assert re.match(r"\[\[0\.0\d?\], \[(1\.0|0\.9\d)\], \[(1\.0|0\.9\d)\], \[0\.0\d?\]\]", said)


def test_the_readme_has_its_two_commands():
    first, second = re.findall(r"```sh\n(.*?)```", (HERE / "README.md").read_text("utf-8"), re.S)[
        :2
    ]
    for command in (first, second):
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && ")
    assert first.rstrip().endswith(".venv/bin/tinygrad-slp")
    assert second.rstrip().endswith("python -m pytest")
