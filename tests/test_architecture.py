"""The house as docs/architecture.md draws it: which file may import which, read off the code."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_slp
from tinygrad_slp.rule import functions

PACKAGE = Path(tinygrad_slp.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ORDER = [
    "rule", "errors", "recorder", "graph", "checks", "walk", "tensor", "rules", "tree", "autodiff",
    "random", "distributions", "nn", "optim", "dot", "jit", "table", "check", "data", "metrics",
    "saving", "summary", "draw", "plot", "train", "tabular", "sklearn", "tutorial", "notebook",
    "pytorch", "__init__", "commands", "cli", "__main__",
]  # fmt: skip
SHOWN = {"draw", "summary"}
"""What notebook.py imports when a Tensor or a Module is shown."""


def room(path):
    """The part of the house a file belongs to."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path):
    """The other rooms that a file imports from."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            yield from ("__init__" if name.startswith("__") else name for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    here = room(path)
    for there in imports(path):
        if here != "__init__":
            assert ORDER.index(there) < ORDER.index(here) or there == here


def module_of(path):
    """The dotted name of a file, such as ("nn", "module"); of a package, ("nn",)."""
    *folders, name = path.relative_to(PACKAGE).with_suffix("").parts
    return tuple(folders) if name == "__init__" else (*folders, name)


def modules_imported(path, modules):
    """The modules of ours that a file imports, anywhere in it and for whatever reason."""
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            there = above + tuple(node.module.split(".") if node.module else ())
            for alias in node.names:
                found = (*there, alias.name)
                yield found if found in modules else there


def test_no_circle_of_imports_also_within_a_package():
    modules = {module_of(path): path for path in FILES}
    graph = {
        name: set(modules_imported(path, modules)) - {name, ()} for name, path in modules.items()
    }
    names = [".".join(name) for name in graphlib.TopologicalSorter(graph).static_order()]
    assert len(names) == len(modules)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_inside_a_function_but_of_extras(path):
    extras = {
        "llvm", "matplotlib", "pandas", "picture", "plot", "safetensors", "scipy", "sklearn",
        "tqdm",
    }  # fmt: skip
    extras |= SHOWN if room(path) == "notebook" else set()
    tree = ast.parse(path.read_text("utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom):
                    assert node.module.split(".")[0] in extras
                assert not isinstance(node, ast.Import)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_begins_with_a_sentence(path):
    sentence = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert sentence
    assert sentence.partition("\n\n")[0].rstrip().endswith((".", ")"))


def loaded_by(code):
    """The modules that a new Python has loaded after this code."""
    printing = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", printing], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_import_needs_numpy_only():
    loaded = loaded_by("import tinygrad_slp")
    extras = {"matplotlib", "tqdm", "pandas", "scipy", "torch", "pytest", "hypothesis"}
    assert not extras & {name.partition(".")[0] for name in loaded}
    assert not {f"tinygrad_slp.{there}" for there in SHOWN} & set(loaded)


def test_every_rule_can_be_proven():
    for rule in functions():
        assert rule.examples is not None, rule.name
        assert rule.formula.strip(), rule.name


def test_every_public_name_exists_and_is_documented():
    for module in (tinygrad_slp, tinygrad_slp.nn, tinygrad_slp.optim):
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                assert thing.__doc__, name
