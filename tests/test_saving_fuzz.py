"""Whatever the bytes of a file are: the model that was saved, or one clear error, and no waste."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_slp import nn
from tinygrad_slp.saving import files, load, save

pytest.importorskip("safetensors")

X = np.random.default_rng(0).normal(size=(3, 4))


def made(rng=0):
    return nn.MLP([4, 3, 2], nn.ELU, dropout=0.5, norm="batch", rng=rng)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "m"
    save(made(), path, metadata={"a": [1, {"b": (2.5, None)}]})
    return path


@pytest.fixture(scope="module")
def whole(path):
    return path.read_bytes()


def check(path):
    """Loads a file both ways: it gives the model that was saved, or an error that names it."""
    other = made(rng=1)
    before = other(X).data  # moves the running averages, as training does
    state = other.state_dict()
    for into in (None, other):
        try:
            model = load(path, into=into)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            for name, array in other.state_dict().items():
                np.testing.assert_array_equal(array, state[name])
        else:
            np.testing.assert_array_equal(model(X).data, made().eval()(X).data)
    assert before.shape == (3, 2)


@settings(max_examples=150)
@given(at=st.floats(0, 1))
def test_a_file_cut_off_is_refused(path, whole, at):
    path.write_bytes(whole[: int(at * (len(whole) - 1))])
    check(path)
    with pytest.raises(ValueError, match="safetensors"):
        load(path)


@settings(max_examples=400)
@given(flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_file_with_other_bytes_is_refused_or_the_same(path, whole, flips):
    content = bytearray(whole)
    for at, byte in flips:
        content[int(at * (len(content) - 1))] = byte
    path.write_bytes(content)
    check(path)


@settings(max_examples=150)
@given(content=st.binary(max_size=200), keep=st.integers(0, 200))
def test_a_file_with_another_end_is_refused_or_the_same(path, whole, content, keep):
    path.write_bytes(whole[:keep] + content)
    check(path)


def places(data, here=()):
    """The way to every part of plain data."""
    yield here
    for key, part in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(part, dict | list):
            yield from places(part, (*here, key))
        else:
            yield (*here, key)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class", "fields", "array", "state", "same", "tuple", "dict", "x"]),
            parts,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(draw=st.data(), new=JSON)
def test_a_description_that_was_made_up_with_a_right_digest(path, whole, draw, new):
    path.write_bytes(whole)
    state, description = files.read(path)
    *way, last = draw.draw(st.sampled_from(list(places(description))[1:]))
    part = description
    for key in way:
        part = part[key]
    part[last] = new
    files.write(path, state, description)
    try:
        assert isinstance(load(path), nn.Module)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_file_asks_for_more_memory_than_it_has_bytes(path, whole):
    """In a process that may have 300 MB more than it has."""
    start = json.dumps({"w": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}})
    huge = [
        (2**62).to_bytes(8, "little") + whole[8:],
        (10**8).to_bytes(8, "little") + whole[8:],
        len(start).to_bytes(8, "little") + start.encode() + bytes(64),
    ]
    code = (
        "import resource, sys; from tinygrad_slp.saving import load; import safetensors.numpy\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000,) * 2)\n"
        "for path in sys.argv[1:]:\n"
        "    try: load(path)\n"
        "    except ValueError as error: print(error)\n"
    )
    paths = [path.with_name(f"huge{i}") for i in range(len(huge))]
    for name, content in zip(paths, huge, strict=True):
        name.write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, timeout=60
    )
    assert run.stderr == ""
    assert run.stdout.count("not a whole safetensors file") == len(huge)
