"""Who writes PyTorch's names is told what they are called here; nothing else notices."""

import copy
import importlib
import inspect
import pickle
import pydoc
import re

import numpy as np
import pytest

import tinygrad_slp as tg
from tinygrad_slp import Tensor, nn
from tinygrad_slp.pytorch import MODULE, PACKAGES, TENSOR

T, LAYER = Tensor(np.ones((2, 2)), requires_grad=True), nn.Linear(2, 2)
FILES = {name: importlib.import_module(name) for name in PACKAGES}
OWNERS = [(T, TENSOR), (nn.Buffer(1.0), TENSOR), (LAYER, MODULE)]
OWNERS += [(FILES[name], names) for name, names in PACKAGES.items()]
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
        (lambda: nn.functional.one_hot(T), r"functional has no 'one_hot': write np\.eye"),
        (lambda: nn.init.zeros_(T), r"w\.data = np\.zeros"),
        (lambda: tg.optim.lr_scheduler, r"optim has no 'lr_scheduler': write optim\.StepLR"),
        (lambda: tg.vmap, r"NumPy functions of an array with one axis more"),
        (lambda: tg.cuda.is_available(), "CPU"),
        (lambda: tg.autograd.grad, r"tinygrad_slp\.grad"),
        (lambda: T.to("cuda"), "CPU"),
        (lambda: T.long(), r"t\.astype\(np\.int64\)"),
        (lambda: T.retain_grad(), r"tinygrad_slp\.grad\(f\)"),
        (lambda: T.register_hook(print), r"differentiable"),
        (lambda: T.add_(1), r"w\.data = array"),
        (lambda: T.masked_fill(T > 0, 0), r"np\.where\(mask, value, t\)"),
        (lambda: LAYER.to("cuda"), "CPU"),
        (lambda: LAYER.register_forward_hook(print), r"super\(\)\.forward"),
        (lambda: nn.SmoothL1Loss(), "HuberLoss"),
        (lambda: nn.LSTM(2, 2), "a Module of your own"),
        (lambda: nn.relu(T), r"nn has no 'relu': write tinygrad_slp\.relu"),
        (lambda: tg.zeros(3), r"Tensor\(np\.zeros\(\.\.\.\)\)"),
        (lambda: tg.cat([T]), r"np\.concatenate"),
    ],
)
def test_a_name_of_pytorch_says_what_to_write(use, said):
    with pytest.raises(AttributeError, match=said):
        use()


IMPORTS = {
    "from tinygrad_slp import manual_seed": "rng=0",
    "from tinygrad_slp import randn, Tensor": "default_rng",
    "from tinygrad_slp import vmap": "NumPy",
    "from tinygrad_slp.nn import Parameter": "requires_grad=True",
    "from tinygrad_slp.nn import relu": r"tinygrad_slp\.relu",
    "from tinygrad_slp.nn.utils import clip_grad_norm_": r"optim\.clip_grad_norm_",
    "import tinygrad_slp.optim.lr_scheduler": r"optim\.StepLR",
    "import tinygrad_slp.optim.lr_scheduler as S": r"optim\.StepLR",
    "from tinygrad_slp.optim import lr_scheduler": r"optim\.StepLR",
    "from tinygrad_slp.optim.lr_scheduler import StepLR": r"optim\.StepLR",
    "from tinygrad_slp.utils.data import DataLoader": r"train\.fit",
    "import tinygrad_slp.autograd": r"tinygrad_slp\.grad",
}


@pytest.mark.parametrize("line", IMPORTS)
def test_an_import_of_a_name_of_pytorch_says_what_to_write(line):
    for _ in range(2):
        with pytest.raises(ImportError, match=IMPORTS[line]):
            exec(line, {})


def test_other_imports_are_as_ever():
    for line in (
        "import tinygrad_slp.nothing", "from tinygrad_slp import nothing", "import nothing_at_all",
        "from tinygrad_slp.nn import nothing", "import tinygrad_slp.nn.nothing",
    ):  # fmt: skip
        with pytest.raises(ImportError, match="nothing") as error:
            exec(line, {})
        assert "write" not in str(error.value)
    for package in ("", ".nn", ".optim"):
        exec(f"from tinygrad_slp{package} import *", {})
    exec("import tinygrad_slp.tensor as t; from tinygrad_slp.tensor import Tensor", {})


def test_tensor_is_called_as_in_pytorch():
    with pytest.raises(TypeError, match=r"write tinygrad_slp\.Tensor\(data\)"):
        tg.tensor([1.0], requires_grad=True)
    scope = {}
    exec("from tinygrad_slp import tensor", scope)
    with pytest.raises(TypeError, match=r"write tinygrad_slp\.Tensor\(data\)"):
        scope["tensor"]([1.0])


X = np.random.default_rng(0).normal(size=(4, 3))
FUNCTIONAL = {
    "relu": (nn.ReLU(), ()), "tanh": (nn.Tanh(), ()), "sigmoid": (nn.Sigmoid(), ()),
    "silu": (nn.SiLU(), ()), "elu": (nn.ELU(), ()), "gelu": (nn.GELU(), ()),
    "leaky_relu": (nn.LeakyReLU(), ()), "softplus": (nn.Softplus(), ()),
    "softmax": (nn.Softmax(0), (0,)), "log_softmax": (nn.LogSoftmax(0), (0,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_functional_is_what_the_layers_are(name):
    import tinygrad_slp.nn.functional as F

    layer, more = FUNCTIONAL[name]
    np.testing.assert_array_equal(getattr(F, name)(X, *more), layer(X))
    if more:
        np.testing.assert_array_equal(getattr(F, name)(X, dim=0), layer(X))
        np.testing.assert_array_equal(getattr(F, name)(X, axis=0), layer(X))
        with pytest.raises(TypeError, match=r"dim.*axis"):
            getattr(F, name)(X, dim=0, axis=0)


def test_functional_linear_and_losses():
    import tinygrad_slp.nn.functional as F

    layer = nn.Linear(3, 2, rng=0)
    np.testing.assert_allclose(
        F.linear(Tensor(X), layer.weight, layer.bias).data, layer(X).data, rtol=1e-14
    )
    assert F.cross_entropy is nn.cross_entropy
    same = {n for n in F.__all__ if getattr(F, n) in (getattr(nn, n, 0), getattr(tg, n, 0))}
    assert {*F.__all__} == {*FUNCTIONAL, "linear"} | same


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
    for name, names in PACKAGES.items():
        assert not {*vars(FILES[name])} & {*names}


def test_what_is_to_be_written_is_there():
    scope = {"np": np, "t": T, "u": T, "tinygrad_slp": tg, "Tensor": Tensor, "axis": 0, "p": 2}
    scope |= {"mask": T.data > 0, "value": 0.0, "indices": np.zeros((2, 2), int)}
    scope |= {"classes": 3}
    tried = 0
    scope["f"] = lambda x: np.sum(x * x)
    for _, _, instead in ABSENT:
        if instead.startswith(("t", "np.")):
            try:
                code = compile(instead.replace("(2, 3)", "(4, 1)"), "hint", "eval")
            except SyntaxError:
                continue  # a sentence
            eval(code, scope)
            tried += 1
    assert tried > 90


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
    with pytest.raises(AttributeError, match=r"'Tensor' .*'sinh'"):
        T.sinh  # noqa: B018
    with pytest.raises(AttributeError, match=r"'tinygrad_slp\.nn' .*'x'"):
        nn.x  # noqa: B018
    with pytest.raises(ImportError):
        from tinygrad_slp import functional  # noqa: F401
