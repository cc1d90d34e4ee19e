"""The examples, and the README's own lines, run and say what they should."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
SAYS = {
    "perceptron.py": [r"largest difference (0|\d\.\de-1[6-9])", r"\[1\. 0\. 1\.\] → 0\.9[5-9]"],
    "xor_mlp.py": [r"loss 0\.6931, 0 of 4 right", r"4 of 4 right"],
    "own_rule.py": [r"\nmish: RIGHT to", r"\nsloppy_mish: WRONG"],
    "check_your_derivation.py": [
        r"right ---\n.*RIGHT to", r"1/n of a mean is missing|1/n is missing", r"σ′ is missing",
        r"σ′ is taken at a", r"the sign is wrong", r"only the last sample.*factor of 2|last sample",
    ],
    "check_torch_function.py": [r"0\.0001 ---\n.*gradcheck: True\ngradient: WRONG"],
    "breast_cancer.py": [r"mean test accuracy over 5 splits: (0\.9[5-9]|1\.0)\d* ±"],
    "digits.py": [r"mean test accuracy over 5 splits: (0\.9[7-9]|1\.0)\d* ±"],
    "gpu.py": [r"numpy: loss 0\.\d+ → 0\.0\d+", r"cupy: (not installed|loss 0\.\d+ → 0\.0)"],
    "learning_rate.py": [r"← here", r"suggested: 0\.0\d+"],
    "penguins.py": [
        r"sex: \d missing, a category", r"all columns.*accuracy (0\.9[5-9]|1\.0)",
        r"without island and bill_length_mm.*accuracy 0\.[78]", r"Chinstrap (0\.9|1\.0)",
    ],
    "spirals.py": [r"no hidden layer .* 0\.5", r"2 x 32 .* (0\.9[7-9]|1\.0)"],
    "uncertainty.py": [r"80% +(79|80|81)\.\d% ", r"promised and kept: 0\.0[0-2]"],
    "gaussian_process.py": [r"noise 0\.(1[5-9]|2[0-5])", r"at 5.0: .* ± 0\.[1-9]"],
    "predator_and_prey.py": [r"loss 0\.1\d* → 0\.00", r"α +0\.5500 0\.5", r"γ +0\.8000 0\.[78]"],
    "curvature.py": [r"\[-0\.0067  0\.0027  0\.0206  0\.1571\]", r"30 +0\.07\d+ +0\.0000\d+"],
}  # fmt: skip


def run(*command, cwd=HERE):
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    hint = "jit replays with NumPy"  # where llvmlite is missing
    assert not [line for line in done.stderr.splitlines() if hint not in line]
    return done.stdout


def lines_in(page, language="python"):
    text = (HERE / "docs" / page).read_text("utf-8")
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", text, re.S))


def test_every_example_is_tested():
    assert sorted(SAYS) == sorted(p.name for p in (HERE / "examples").glob("*.py"))


NEEDS = {
    "check_torch_function.py": ("torch", "PyTorch"),
    "breast_cancer.py": ("sklearn", "scikit-learn"),
    "digits.py": ("sklearn", "scikit-learn"),
    "spirals.py": ("matplotlib", "matplotlib"),
    "gaussian_process.py": ("scipy", "SciPy"),
    "predator_and_prey.py": ("scipy", "SciPy"),
}


@pytest.mark.parametrize("name", SAYS)
def test_example(name, tmp_path):
    if name in NEEDS:
        module, package = NEEDS[name]
        pytest.importorskip(module, reason=f"{package} is not installed")
    said = run(HERE / "examples" / name, cwd=tmp_path)
    for pattern in SAYS[name]:
        assert re.search(pattern, said), said


def test_the_suggested_learning_rate_is_better_than_ten_times_and_a_tenth_of_it():
    said = run("examples/learning_rate.py")
    _, low, right, high, _ = (float(x) for x in re.findall(r"epochs at .* loss (.*)", said))
    assert right < low
    assert right < high


@pytest.mark.parametrize("name", ["spirals.py", "gaussian_process.py", "predator_and_prey.py"])
def test_an_example_draws_its_picture(name, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    pytest.importorskip("scipy", reason="SciPy is not installed")
    run(HERE / "examples" / name, "there.png", cwd=tmp_path)
    assert (tmp_path / "there.png").read_bytes().startswith(b"\x89PNG")


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


def test_the_commands_in_the_readme_train_on_a_table_and_predict(tmp_path):
    for module in "safetensors", "matplotlib":
        pytest.importorskip(module, reason=f"{module} is not installed")
    table = tmp_path / "tinygrad_slp" / "data" / "penguins.csv"
    table.parent.mkdir(parents=True)
    table.write_bytes((HERE / table.relative_to(tmp_path)).read_bytes())
    readme = (HERE / "README.md").read_text("utf-8")
    for command in re.findall(r"^ *\.venv/bin/tinygrad-slp (.*)$", readme, re.M):
        call = [sys.executable, "-m", "tinygrad_slp", *shlex.split(command)]
        subprocess.run(call, cwd=tmp_path, check=True, capture_output=True)
    written = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert written == {"model.safetensors", "report.html", "guesses.csv"}
    assert len((tmp_path / "guesses.csv").read_text("utf-8").splitlines()) == 345


def test_the_excerpt_in_the_readme_is_one():
    readme = (HERE / "README.md").read_text("utf-8")
    file, line = re.search(r"# an excerpt of (\S+)\n(.*)\n```", readme).groups()
    assert f"\n{line}\n" in (HERE / file).read_text("utf-8")


def test_the_lines_in_the_tour_run_and_draw(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    run("-c", lines_in("tour.md"), cwd=tmp_path)
    drawn = {"graph.svg", "history.png", "confusion.png", "boundary.png", "histograms.png"}
    assert {path.name for path in tmp_path.iterdir()} == drawn


LEAVES = {
    "jit.md": "assert losses.shape == (4,); assert np.max(losses.data) < loss.item()",
    "checker.md": "assert report.ok; test_my_dw()",
    "tables.md": 'assert model.facts["losses"]["model"] < 0.2',
}


def test_the_lines_in_every_page_are_tested():
    pages = {path.name for path in (HERE / "docs").glob("*.md") if lines_in(path.name)}
    assert pages == {"tour.md", *LEAVES, *PRINTS}


PRINTS = ["from-formulas-to-autodiff.md", "extending.md"]


@pytest.mark.parametrize("page", PRINTS)
def test_a_page_prints_what_it_says(page, tmp_path):
    """Each block of code ends in an assertion, or in numbers that the block below it shows."""
    text = (HERE / "docs" / page).read_text("utf-8")
    for code, shown in re.findall(r"```python\n(.*?)```\n+(```text)?", text, re.S):
        assert shown or re.match(r"(assert|np\.testing)", code.splitlines()[-1]), code
    said = run("-c", lines_in(page), cwd=tmp_path)
    assert said == "".join(re.findall(r"```text\n(.*?)```", text, re.S))


@pytest.mark.parametrize("page", LEAVES)
def test_the_lines_in_a_page_run(page, tmp_path):
    run("-c", "\n".join([lines_in(page), LEAVES[page]]), cwd=tmp_path)


def test_the_command_in_the_page_of_the_checker_finds_the_gradient_right(tmp_path):
    (tmp_path / "module.py").write_text(lines_in("checker.md"), "utf-8")
    command = lines_in("checker.md", "sh").splitlines()[0]
    assert "RIGHT to" in run("-m", *shlex.split(command.replace("-", "_", 1)), cwd=tmp_path)


def test_the_tour_shows_pictures_that_there_are_and_that_are_light():
    tour = (HERE / "docs" / "tour.md").read_text("utf-8")
    shown = set(re.findall(r'src="pictures/(.*?)" width="\d+" alt="\w', tour))
    there = {p for p in (HERE / "docs" / "pictures").iterdir() if p.suffix in (".png", ".svg")}
    assert shown == {path.name for path in there}
    assert all(path.stat().st_size < 60_000 for path in there)


def test_the_readme_has_its_two_commands():
    first, second = re.findall(r"```sh\n(.*?)```", (HERE / "README.md").read_text("utf-8"), re.S)[
        :2
    ]
    for command in (first, second):
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && ")
    assert first.rstrip().endswith(".venv/bin/tinygrad-slp")
    assert second.rstrip().endswith("python -m pytest -n auto --dist worksteal")
