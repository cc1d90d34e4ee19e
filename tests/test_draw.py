"""Drawings show the graph that is there, no box on another, no text outside its box."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_slp import REAL, RULES, Tensor, differentiable, jit, nn, sigmoid
from tinygrad_slp.draw import draw
from tinygrad_slp.draw.layout import GAP, layout
from tinygrad_slp.draw.svg import LETTER

X = np.array([[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1.0]])
y = np.array([0, 1, 1, 0.0])


def scalar(x=3.0):
    return Tensor(x, requires_grad=True)


def shapes(drawing):
    """What a drawing shows: title, lines and the titles of its inputs, for each box."""
    titles = [v.title for v in drawing.vertices]
    return [(v.title, v.lines, [titles[k] for k in v.inputs]) for v in drawing.vertices]


def test_a_diamond():
    x = scalar()
    y = x * x + x
    assert shapes(draw(y, x=x)) == [
        ("x", ["3"], []),
        ("np.multiply", ["9"], ["x", "x"]),
        ("np.add", ["12"], ["np.multiply", "x"]),
    ]
    y.backward(retain_graph=True)
    assert shapes(draw(y, {"x": x}))[0] == ("x", ["3", "gradient 7"], [])
    assert [v.kind for v in draw(y).vertices] == ["parameter", "operation", "operation"]


def test_the_perceptron_by_hand():
    w, b = Tensor([0.1, 0.2, 0.3], requires_grad=True), scalar(0.0)
    z = X @ w + b
    loss = np.mean((sigmoid(z) - y) ** 2)
    loss.backward(retain_graph=True)
    drawn = shapes(draw(loss, {"w": w, "b": b}, X=X, y=y, z=z))
    found = {title: (lines, inputs) for title, lines, inputs in drawn}
    assert found["X"] == (["(4, 3)"], [])
    assert found["y"] == (["(4,)", "[0, 1, 1, 0]"], [])
    assert found["w"][0][:2] == ["(3,)", "[0.1, 0.2, 0.3]"]
    assert found["w"][0][2].startswith("gradient [")
    assert {title: inputs for title, (_, inputs) in found.items() if inputs} == {
        "np.matmul": ["X", "w"],
        "z = np.add": ["np.matmul", "b"],
        "sigmoid": ["z = np.add"],
        "np.subtract": ["sigmoid", "y"],
        "np.square": ["np.subtract"],
        "np.mean": ["np.square"],
    }


def test_a_model_names_its_parameters_frozen_ones_too():
    model = nn.MLP([3, 8, 2], nn.Tanh, dtype=np.float32, rng=0)
    model[0].weight.requires_grad = False
    vertices = draw(model(X.astype(np.float32)).sum(), model).vertices
    kinds = {v.title: v.kind for v in vertices}
    assert kinds["0.weight"] == "constant"
    assert kinds["2.bias"] == "parameter"
    assert next(v for v in vertices if v.title == "0.weight").lines == ["(8, 3) float32"]
    model[0].bias.grad = Tensor(np.ones(8))
    bias = next(v for v in draw(model[0].bias, model).vertices)
    assert bias.lines[-1] == "gradient of norm 2.83"


def test_numbers_and_settings_stand_in_the_title():
    x = Tensor([1.0, 2.0], requires_grad=True)
    titles = [v.title for v in draw((2.5 * x[0] + np.sum(x, axis=0)) ** 3).vertices]
    assert "np.multiply(2.5, ·)" in titles
    assert "np.sum(·, axis=0)" in titles
    assert "np.power(·, 3)" in titles
    assert any(title.startswith("getitem(·, ") for title in titles)


def test_a_constant_used_twice_is_one_box():
    x = Tensor([1.0, 2.0], requires_grad=True)
    a = np.array([3.0, 4.0])
    assert [v.title for v in draw(x * a + a, a=a).vertices].count("a") == 1


def test_a_recorded_gradient_knows_its_leaf():
    x = scalar()
    (np.exp(x) * np.sin(x)).backward(create_graph=True)
    assert shapes(draw(x.grad, x=x))[0][0] == "x"


def test_what_was_not_recorded_is_one_box():
    assert shapes(draw(Tensor([1.0, 2.0]))) == [("constant", ["(2,)", "[1, 2]"], [])]


def test_what_cannot_be_drawn_is_refused(tmp_path):
    x = scalar()
    z = x * x
    with pytest.raises(ValueError, match=r"\.svg, \.dot, \.gv, \.mmd"):
        draw(z).save(tmp_path / "z.png")
    z.backward()
    with pytest.raises(RuntimeError, match=r"retain_graph=True"):
        draw(z)
    with pytest.raises(TypeError, match=r"Tensor.*float"):
        draw(1.0)
    for _ in range(401):
        x = x + 1
    with pytest.raises(ValueError, match=r"402.*400"):
        draw(x)


def rectangles(svg):
    """The boxes of an SVG: left, top, right, bottom, and their texts with where these stand."""
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    for group in root.iter(f"{space}g"):
        rect = group.find(f"{space}rect").attrib
        left, top, width, height = (float(rect[k]) for k in ("x", "y", "width", "height"))
        texts = [
            (float(t.get("x")), float(t.get("y")), t.text) for t in group.findall(f"{space}text")
        ]
        yield left, top, left + width, top + height, texts


def examples():
    model = nn.Sequential(
        nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Residual(nn.MLP([4, 8, 4], nn.GELU, rng=1))
    )
    loss = nn.cross_entropy(model(X), [0, 1, 2, 3])
    penalty = sum((p**2).sum() for p in model.parameters())
    loss = loss + 1e-3 * penalty
    loss.backward(retain_graph=True)
    x = scalar()
    return {"diamond": draw(x * x + x, x=x), "deep": draw(loss, model, X=X), "leaf": draw(x)}


@pytest.mark.parametrize("name", ["diamond", "deep", "leaf"])
def test_nothing_overlaps_and_no_text_is_clipped(name):
    drawing = examples()[name]
    root = ET.fromstring(drawing.svg)
    x, y, width, height = map(float, root.get("viewBox").split())
    boxes = list(rectangles(drawing.svg))
    assert len(boxes) == len(drawing.vertices)
    for left, top, right, bottom, texts in boxes:
        assert x < left < right < x + width
        assert y < top < bottom < y + height
        for middle, base, text in texts:
            assert left < middle - len(text) * LETTER / 2
            assert middle + len(text) * LETTER / 2 < right
            assert top < base - 9 < base < bottom
    for a, b in combinations(boxes, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


SOURCES = st.lists(st.integers(0, 30), max_size=4)


@given(
    st.lists(st.tuples(st.integers(20, 200), st.integers(20, 60), SOURCES), min_size=1, max_size=30)
)
def test_any_graph_is_laid_out(nodes):
    sizes = [(w, h) for w, h, _ in nodes]
    inputs = [[s % k for s in sources] if k else [] for k, (_, _, sources) in enumerate(nodes)]
    placed = layout(sizes, inputs)
    for a, b in combinations(placed.boxes, 2):
        if a.layer == b.layer:
            assert abs(a.x - b.x) >= (a.width + b.width) / 2 + GAP - 1e-6
    for box, sources, lines in zip(placed.boxes, inputs, placed.lines, strict=True):
        assert box.width / 2 - 1e-6 <= box.x <= placed.width - box.width / 2 + 1e-6
        assert 0 <= box.y - box.height / 2 <= box.y + box.height / 2 <= placed.height
        for source, line in zip(sources, lines, strict=True):
            above = placed.boxes[source]
            assert above.layer < box.layer
            assert line[0] == (above.x, above.y + above.height / 2)
            assert abs(line[-1][0] - box.x) < box.width / 2
            assert line[-1][1] == box.y - box.height / 2
            assert all(y <= v for (_, y), (_, v) in pairwise(line))
        ends = [line[-1][0] for line in lines]
        assert ends == sorted(set(ends))
        for line in lines:
            for (x, y), (u, v) in list(pairwise(line))[1::2]:
                assert x == u
                for other in placed.boxes:
                    if y <= other.y <= v:
                        assert abs(other.x - x) > other.width / 2


def test_the_texts_of_names_are_escaped():
    x = scalar()
    drawing = draw(x * x, {'<&">\\`#': x})
    assert "&lt;&amp;" in drawing.svg
    ET.fromstring(drawing.svg)
    assert r'label="<&\">\\`#\n3"' in drawing.dot
    assert '"#lt;#amp;#quot;#gt;\\#96;#35;<br/>3"' in drawing.mermaid


def test_a_drawing_is_saved_and_shown(tmp_path):
    drawing = draw(scalar() * 2)
    assert drawing._repr_svg_() == drawing.svg
    assert repr(drawing).startswith("Drawing of 2 nodes")
    for suffix, text in (
        ("svg", drawing.svg), ("dot", drawing.dot), ("gv", drawing.dot), ("mmd", drawing.mermaid),
    ):  # fmt: skip
        drawing.save(tmp_path / f"d.{suffix}")
        assert (tmp_path / f"d.{suffix}").read_text("utf-8") == text


def test_a_notebook_shows_the_text_of_a_tensor_and_below_it_the_graph():
    loss = np.mean((sigmoid(X @ Tensor([0.1, 0.2, 0.3], requires_grad=True)) - y) ** 2)
    assert loss._repr_html_() == f"<pre>{loss!r}</pre>{draw(loss).svg}"


def test_the_text_in_a_notebook_is_escaped():
    half = differentiable(lambda g, y, x: g / 2, form="linear", domain=REAL)(lambda x: x / 2)
    y = half(Tensor([2.0, 2], requires_grad=True))
    assert "<pre>Tensor([1., 1.], made by &lt;lambda&gt;)</pre>" in y._repr_html_()
    del RULES[half]


def test_a_gradient_whose_norm_is_not_a_number_is_drawn():
    x = Tensor(np.ones(5), requires_grad=True)
    x.grad = Tensor(np.full(5, 1e300))
    with np.errstate(all="raise"):
        assert "gradient of norm inf" in (x * 2)._repr_html_()


def freed():
    z = scalar() ** 2
    z.backward()
    return z


def chain(n):
    x = scalar()
    for _ in range(n):
        x = -x
    return x


def test_a_graph_of_60_nodes_is_the_largest_that_a_notebook_draws_unasked():
    assert chain(59)._repr_html_().count("np.negative") == 1 + 59
    assert chain(60)._repr_html_() is None


UNDRAWN = {
    "a leaf": scalar,
    "not recorded": lambda: Tensor(1.0) * 2,
    "freed": freed,
    "many nodes": lambda: chain(100_000),
    "many inputs": lambda: np.stack([scalar() for _ in range(10_000)]),
    "many constants": lambda: np.stack([scalar(), *np.ones(10_000)]),
    "large constants": lambda: scalar() * np.ones(10_000_000),
}


@pytest.mark.parametrize("name", UNDRAWN)
def test_a_notebook_shows_the_text_alone_where_no_graph_can_be_seen_at_a_glance(name):
    assert UNDRAWN[name]()._repr_html_() is None


def test_a_large_array_is_no_large_graph():
    assert np.exp(Tensor(np.ones(10_000_000), requires_grad=True))._repr_html_()


def test_no_more_of_a_large_graph_is_looked_at_than_would_be_drawn():
    middle = chain(1)
    x = middle
    for _ in range(100):
        x = -x
    middle.inputs = None  # whoever looks at it fails
    assert x._repr_html_() is None


def test_a_tensor_of_a_watched_step_has_no_picture():
    w = Tensor(np.ones((3, 9)), requires_grad=True)
    shown = []

    def step(X):
        z = X @ w
        shown.extend([z, z._repr_html_()])
        return z.detach()

    jit(step, backend="numpy")(X)
    assert shown[1:] == [None]
    assert shown[0]._repr_html_() is None  # afterwards neither


def test_mermaid_has_every_node_and_edge():
    drawing = examples()["deep"]
    nodes = re.findall(r'^  n(\d+)[(\[]".*"[)\]]:::\w+$', drawing.mermaid, re.M)
    edges = re.findall(r"^  n(\d+) --> n(\d+)$", drawing.mermaid, re.M)
    assert len(nodes) == len(drawing.vertices)
    assert [(int(a), int(b)) for a, b in edges] == [
        (s, k) for k, v in enumerate(drawing.vertices) for s in v.inputs
    ]


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
def test_graphviz_reads_the_dot_text():
    drawing = examples()["deep"]
    run = subprocess.run(["dot", "-Tplain"], input=drawing.dot, capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr == ""
    assert run.stdout.count("\nnode ") == len(drawing.vertices)
