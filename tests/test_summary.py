"""The summary of a model says what is in it and leaves it as it was."""

import re

import numpy as np
import pytest

from tinygrad_slp import Tensor, nn
from tinygrad_slp.summary import Row, readable, summary

X = np.random.default_rng(0).normal(size=(6, 4))


def by_path(table):
    return {row.path: row for row in table.rows}


def test_shapes_parameters_and_memory():
    model = nn.MLP([4, 8, 3], norm="batch", dropout=0.5, rng=0)
    model[0].requires_grad_(False)
    table = summary(model, X)
    rows = by_path(table)
    assert [row.kind for row in table.rows] == [
        "MLP", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear",
    ]  # fmt: skip
    assert rows["0"].outputs == [(6, 8)]
    assert rows[""].outputs == rows["4"].outputs == [(6, 3)]
    assert (rows["0"].trainable, rows["0"].frozen) == (0, 40)
    assert (rows["1"].trainable, rows["1"].frozen) == (16, 0)
    assert table.trainable + table.frozen == sum(p.size for p in model.parameters())
    assert table.bytes == sum(x.nbytes for x in model.state_dict().values())
    assert table.bytes_made == 8 * (4 * 6 * 8 + 6 * 3)
    assert all(row.calls == 1 and row.ms >= 0 for row in table.rows)


def test_the_text_is_a_table_of_aligned_columns():
    text = re.sub(r"\d\.\d{3}", "0.123", repr(summary(nn.MLP([4, 1000, 3], rng=0), X)))
    assert text == (
        "layer  class   output     parameters  frozen     ms\n"
        "───────────────────────────────────────────────────\n"
        "       MLP     (6, 3)                         0.123\n"
        "  0    Linear  (6, 1000)       5,000          0.123\n"
        "  1    ReLU    (6, 1000)                      0.123\n"
        "  2    Linear  (6, 3)          3,003          0.123\n"
        "───────────────────────────────────────────────────\n"
        "8,003 parameters, 64.0 kB with buffers; 96.1 kB of outputs; 0.123 ms forward"
    )


def test_html_is_escaped():
    class Net(nn.Module):
        def __init__(self):
            self.parts = {"<b>": nn.Tanh()}

        def forward(self, x):
            return self.parts["<b>"](x)

    text = summary(Net(), X)._repr_html_()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert text.count("<tr>") == 3


def cells(html):
    return [re.findall(r"<t[hd] .*?>(.*?)</t[hd]>", line) for line in html.split("</tr>")[:-1]]


def test_a_notebook_shows_what_is_in_a_module():
    model = nn.MLP([4, 1000, 3], norm="batch", rng=0)
    model[0].requires_grad_(False)
    options = model[1].extra_repr()
    assert cells(model._repr_html_()) == [
        ["layer", "class", "options", "shapes", "parameters", "frozen"],
        ["", "MLP", "", "", "", ""],
        ["  0", "Linear", "in_features=4, out_features=1000, bias=True",
         "weight (1000, 4), bias (1000,)", "5,000", "5,000"],
        ["  1", "BatchNorm1d", options, "weight (1000,), bias (1000,)", "2,000", ""],
        ["  2", "ReLU", "", "", "", ""],
        ["  3", "Linear", "in_features=1000, out_features=3, bias=True",
         "weight (3, 1000), bias (3,)", "3,003", ""],
    ]  # fmt: skip
    assert "10,003 parameters (5,000 frozen), 96.0 kB with buffers" in model._repr_html_()
    assert repr(model).startswith("MLP(")


def test_a_notebook_shows_shared_parameters_once_and_escapes_names():
    model = Shared()
    model.parts = {"<b>": Tensor([1.0], requires_grad=True)}
    found = cells(model._repr_html_())
    assert [line[3] for line in found] == [
        "shapes", "scale.0 (1,), scale.1 (1,), parts.&lt;b&gt; (1,)", "weight (4, 4), bias (4,)",
        "weight (2, 2), bias (2,)",
    ]  # fmt: skip


class Shared(nn.Module):
    """A layer used twice, one never used, a parameter of its own, and two outputs."""

    def __init__(self):
        self.layer = nn.Linear(4, 4, rng=0)
        self.again = [self.layer]
        self.unused = nn.Linear(2, 2)
        self.tied = self.layer.weight
        self.scale = [Tensor([2.0], requires_grad=True), Tensor([1.0])]

    def forward(self, x):
        return self.layer(self.again[0](x)) * self.scale[0], {"size": x.shape[0], "x": x}


def test_shared_layers_count_once_and_unused_ones_are_named():
    model = Shared()
    table = summary(model, X)
    rows = by_path(table)
    assert list(rows) == ["", "layer", "unused"]
    assert rows["layer"].calls == 2
    assert rows[""].outputs == [(6, 4), (6, 4)]
    assert (rows[""].trainable, rows[""].frozen) == (1, 1)
    assert table.trainable + table.frozen == sum(p.size for p in model.parameters())
    assert "(6, 4) ×2" in repr(table)
    assert "not called" in repr(table)


def fields(model):
    return [{k: id(v) for k, v in vars(m).items()} for m in model.modules()]


@pytest.mark.parametrize("x", [X, np.ones((6, 5))], ids=["runs", "raises"])
def test_the_model_is_left_as_it_was(x):
    model = nn.MLP([4, 8, 3], norm="batch", dropout=0.5, rng=0)
    model[2].train(False)
    model[4].forward = nn.Linear(8, 3, rng=9).forward
    before, state = fields(model), model.state_dict()
    if x is X:
        summary(model, x)
    else:
        with pytest.raises(ValueError, match="4 features"):
            summary(model, x)
    assert fields(model) == before
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    assert all(p.grad is None for p in model.parameters())


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"summary\(model, X\)"):
        summary(nn.Tanh())
    with pytest.raises(TypeError, match="function"):
        summary(lambda x: x, X)


def test_several_inputs():
    assert summary(nn.MSELoss(), X, X).rows == [
        Row("", "MSELoss", outputs=[()], bytes_made=8, calls=1, ms=pytest.approx(0, abs=1e9))
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2.5e6, "2.5 MB"), (3e9, "3.0 GB")],
)
def test_bytes_are_readable(size, text):
    assert readable(size) == text


def test_functions_between_layers_have_rows():
    inner = nn.Sequential(lambda x: 2 * x, nn.Linear(4, 2, rng=1))
    model = nn.Sequential(nn.Linear(4, 4, rng=0), np.tanh, inner, np.tanh)
    before = fields(model)
    layers = list(model.layers)
    table = summary(model, X)
    rows = by_path(table)
    assert list(rows) == ["", "0", "1", "2", "2.0", "2.1", "3"]
    assert [rows[path].kind for path in ("1", "2.0", "3")] == ["np.tanh", "<lambda>", "np.tanh"]
    assert all(row.calls == 1 for row in table.rows)
    assert rows["2.0"].outputs == [(6, 4)]
    assert table.bytes_made == 8 * (3 * 24 + 2 * 12)
    assert fields(model) == before
    assert model.layers == layers
    assert "np.tanh" in model._repr_html_()
