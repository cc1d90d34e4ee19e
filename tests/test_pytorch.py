"""Who writes PyTorch's names is told what they are called here; nothing else notices."""

import copy
import inspect
import pickle
import pydoc
import re

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn
from tinygrad_slp.pytorch import MODULE, NN, PACKAGE, TENSOR

T, LAYER = Tensor(np.ones((2, 2)), requires_grad=True), nn.Linear(2, 2)
OWNERS = [(T, TENSOR), (nn.Buffer(1.0), TENSOR), (LAYER, MODULE), (nn, NN), (tg, PACKAGE)]
ABSENT = [(x, name, instead) for x, names in OWNERS for name, instead in names.items()]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: T.numpy(), r"Tensor has no 'numpy': write t\.data"),
        (lambda: T.clone(), r"np\.array\(t\.data\)"),
        (lambda: T.view(4), r"t\.reshape"),
        (lambda: T.unsqueeze(0), r"np\.expand_dims"),
        (lambda: T.exp(), r"np\.exp\(t\)"),
        (lambda: T.requires_grad_(), r"t\.requires_grad = True"),
        (lambda: T.is_leaf, "t.function is None"),
        (lambda: T.grad_fn, "t.function"),
        (lambda: T.to(np.float32), r"t\.astype"),
        (lambda: T.detach().zero_(), r"w\.grad = None"),
        (lambda: LAYER.to("cpu"), "Linear has no 'to': write dtype="),
        (lambda: LAYER.register_buffer("b", T), r"nn\.Buffer"),
        (lambda: nn.Parameter(T), "requires_grad=True"),
        (lambda: nn.functional, r"tinygrad_slp\.relu"),
        (lambda: nn.relu(T), r"nn has no 'relu': write tinygrad_slp\.relu"),
        (lambda: tg.zeros(3), r"Tensor\(np\.zeros\(\.\.\.\)\)"),
        (lambda: tg.cat([T]), r"np\.concatenate"),
    ],
)
def test_a_name_of_pytorch_says_what_to_write(use, said):
    with pytest.raises(AttributeError, match=said):
        use()


def test_absent_names_are_absent_to_all_who_ask():
    for x, name, _ in ABSENT:
        assert not hasattr(x, name)
        assert not hasattr(type(x), name)
        assert name not in dir(x)
        assert getattr(x, name, 7) == 7


def test_no_absent_name_hides_one_that_is_there():
    for cls, names in ((Tensor, TENSOR), (nn.Module, MODULE)):
        written = re.findall(r"^    (?:def )?(\w+)(?:\(| =)", inspect.getsource(cls), re.M)
        assert len(written) > 10
        assert not {*written} & {*names}
    assert not {*tg.__all__} & {*PACKAGE}
    assert not {*nn.__all__} & {*NN}


def test_what_is_to_be_written_is_there():
    scope = {"np": np, "t": T, "u": T, "tinygrad_slp": tg, "Tensor": Tensor, "axis": 0, "p": 2}
    tried = 0
    for _, _, instead in ABSENT:
        if instead.startswith(("t", "np.")) and " " not in instead.replace(" @ u", ""):
            eval(instead.replace("(2, 3)", "(4, 1)"), scope)
            tried += 1
    assert tried > 50


def test_copies_pickles_numpy_and_help_do_not_notice():
    assert copy.deepcopy(T).tolist() == pickle.loads(pickle.dumps(T)).tolist() == T.tolist()
    twin = copy.copy(LAYER)
    assert twin.weight is LAYER.weight
    assert not hasattr(T, "__array_interface__")
    assert not hasattr(T, "_repr_png_")
    assert np.exp(T).shape == np.add(np.ones(2), T).shape == (2, 2)
    assert "sum" in dir(T)
    assert "forward" in dir(LAYER)
    assert "Not here: write t.data." in pydoc.render_doc(Tensor)


def test_a_module_of_the_users_may_have_such_names():
    class Net(nn.Module):
        def __init__(self):
            self.to = nn.Linear(2, 2)
            self.cuda = 3

        def float(self):
            return 1.5

    net = Net()
    assert net.float() == 1.5
    assert net.cuda == 3
    assert {"to", "cuda", "float"} <= {*dir(net)}
    assert [name for name, _ in net.named_parameters()] == ["to.weight", "to.bias"]


def test_other_names_are_missed_as_ever():
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'sinh'"):
        T.sinh  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'tinygrad_slp.nn' has no attribute 'x'"):
        nn.x  # noqa: B018
    with pytest.raises(ImportError):
        from tinygrad_slp import functional  # noqa: F401
