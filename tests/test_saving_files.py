"""A file is whole or not there, and a bad one is refused by its name."""

import errno
import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from test_saving import edit, net, same

from tinygrad_slp import nn
from tinygrad_slp.saving import files, load, save, write_whole

pytest.importorskip("safetensors")
import safetensors.numpy as numpy_side

# --- writing ---


@pytest.mark.parametrize("fails", ["write", "fsync", "replace", "interrupt"])
def test_a_failed_save_leaves_the_old_file_and_no_other(fails, tmp_path, monkeypatch):
    path = tmp_path / "m"
    save(net(), path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        if fails == "interrupt":
            raise KeyboardInterrupt
        raise OSError(errno.ENOSPC, "No space left on device")

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            full()

    if fails == "write":
        monkeypatch.setattr("builtins.open", lambda *a, real=open: Full(real(*a)))
    else:
        monkeypatch.setattr(files.os, "fsync" if fails == "interrupt" else fails, full)
    with pytest.raises((OSError, KeyboardInterrupt)) as error:
        save(net(rng=1), path)
    if fails != "interrupt":
        assert str(error.value) == f"[Errno 28] No space left on device: '{path}'"
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs limits on files")
def test_a_system_that_really_refuses_to_write_on(tmp_path):
    code = (
        "import resource, signal, sys; from tinygrad_slp.saving import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_whole(sys.argv[1], bytes(10_000))"
    )
    path = tmp_path / "m"
    write_whole(path, b"old")
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert run.stderr.splitlines()[-1] == f"OSError: [Errno 27] File too large: '{path}'"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m"]


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path):
    path, link = tmp_path / "m", tmp_path / "link"
    save(net(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~current_umask()
    path.chmod(0o640)
    link.symlink_to(path)
    save(net(rng=1), link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    same(load(path), net(rng=1))


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(IsADirectoryError, match=r"a directory.*" + tmp_path.name):
        save(net(), tmp_path)
    with pytest.raises(FileNotFoundError, match="none/m"):
        save(net(), tmp_path / "none" / "m")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file/m"):
        save(net(), tmp_path / "file" / "m")
    monkeypatch.setattr(files.os, "access", lambda *a: False)
    with pytest.raises(PermissionError, match=r"denied.*file"):
        save(net(), tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_what_cannot_be_saved_is_named(tmp_path):
    model = nn.Module()
    model.wide = nn.Buffer(np.zeros(2, np.longdouble))
    with pytest.raises(ValueError, match=r"wide is float128|wide is longdouble"):
        save(model, tmp_path / "m")
    model = nn.Sequential(nn.Tanh())
    model.whole = [model]
    with pytest.raises(ValueError, match="self"):
        save(model, tmp_path / "m")
    with pytest.raises(TypeError, match=r"Module.*dict"):
        save({}, tmp_path / "m")
    assert os.listdir(tmp_path) == []


# --- bad files ---


def test_bad_files_are_refused_by_name_and_leave_the_model(tmp_path):
    path, model = tmp_path / "m.safetensors", net(rng=1)
    save(net(), path)
    whole = path.read_bytes()
    arrays = files.read(path)[0]
    one = dict(arrays)
    one["0.weight"] = one["0.weight"].T
    narrow = {name: array.astype(np.float32) for name, array in arrays.items()}
    renamed = dict(arrays, extra=np.ones(1))
    del renamed["0.bias"]
    bad = {
        "not a whole": [b"", whole[:5], whole[:100], whole[:-1], whole + b"x", b"\xff" * 64],
        r"0.weight: shape \(4, 8\), expected \(8, 4\)": [numpy_side.save(one)],
        r"0.weight: float32, expected float64": [numpy_side.save(narrow)],
        r"(?s)0.bias: missing.*extra: unexpected": [numpy_side.save(renamed)],
        "damaged": [whole[:-1] + bytes([whole[-1] ^ 1]), whole.replace(b'"nn.', b'"mm.', 1)],
    }
    before = model.state_dict()
    for message, contents in bad.items():
        for content in contents:
            path.write_bytes(content)
            with pytest.raises(ValueError, match=message) as error:
                load(path, into=model)
            assert str(error.value).startswith(f"{path}: ")
            with pytest.raises(ValueError, match=r"m.safetensors: .*"):
                load(path)
            assert model.training
            for name, array in model.state_dict().items():
                np.testing.assert_array_equal(array, before[name])
    path.write_bytes(numpy_side.save(arrays))
    with pytest.raises(ValueError, match=r"into=model"):
        load(path)
    same(load(path, into=model), net())
    with pytest.raises(TypeError, match=r"Module.*str"):
        load(path, into="model")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="none"):
        load(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"not a file.*pipe"):
        load(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"nn.MLP"', '"os.system"', r"os\.system"),
        ('"nn.MLP"', '["nn.MLP"]', "makes no model"),
        ('"nn.MLP"', '"random.Stream"', r"Stream.*Module"),
        ('"format": 1', '"format": 2', "not in format 1"),
        ('"layers"', '"__class__"', "makes no model"),
        ('"state": "0.bias"', '"state": "0.bios"', r"0\.bios"),
        ('"array": "Tensor"', '"code": "Tensor"', r"'code'"),
        ('"array": "Tensor"', '"array": "dtype"', "makes no model"),
        ('{"array": "Tensor"', '{"same": 10000000000, "array": "Tensor"', "makes no model"),
        ('{"array": "Tensor"', '{"function": "eval", "array": "Tensor"', "function eval"),
        ('"model": {', '"model": null, "x": {', "describes a NoneType"),
        ('"layers": [', '"s": {"array": "ndarray", "dtype": "float64", "shape": [100000000000], '
         '"values": [1]}, "layers": [', "reshape"),
        ('"layers": [', '"s": {"array": "ndarray", "dtype": "O", "shape": [], "values": [1]}, '
         '"layers": [', "an array of O"),
        ('"layers": [', '"s": {"array": "ndarray", "dtype": "str", "shape": [1000], "values": ['
         + '"",' * 999 + '"' + "a" * 20_000 + '"]}, "layers": [', "too large"),
    ],
)  # fmt: skip
def test_descriptions_that_were_made_up_are_refused(old, new, message, tmp_path):
    path = tmp_path / "m"
    save(net(), path)
    assert old in json.dumps(files.read(path)[1])
    edit(path, lambda text: text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")


def test_arrays_that_the_model_lacks_are_named(tmp_path):
    save(net(), tmp_path / "m")
    edit(tmp_path / "m", str, lambda state: dict(state, extra=np.ones(2)))
    with pytest.raises(ValueError, match="extra"):
        load(tmp_path / "m")


def test_a_file_of_two_parameters_with_one_name_is_refused(tmp_path):
    model = nn.ModuleDict({"x": nn.Linear(1, 1), "a": nn.Sequential(nn.Linear(1, 1))})
    save(model, tmp_path / "m")
    edit(
        tmp_path / "m",
        lambda text: text.replace('"x"', '"a.0"').replace('"x.', '"a.0.'),
        lambda state: {name: x for name, x in state.items() if name[0] == "a"},
    )
    for into in (None, nn.ModuleDict({"a.0": nn.Linear(1, 1), "a": [nn.Linear(1, 1)]})):
        with pytest.raises(ValueError, match=r"m: .*a\.0\.weight"):
            load(tmp_path / "m", into=into)


def test_without_safetensors_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: save(net(), tmp_path / "m"), lambda: load(tmp_path / "m")):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'tinygrad-slp\[io\]'"):
            call()
