"""What names known from PyTorch or NumPy are called here, said where one is missing.

Each such name of a class is a descriptor that raises. A `__getattr__` would be shorter, but of a
class that has one, Python 3.11 reads all attributes slower, which every operation would feel.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from .rules.activations import __all__ as OURS

C = TypeVar("C", bound=type)

NUMPY = "abs", "cos", "exp", "log", "sin", "sqrt", "square", "tanh"
REDUCTIONS = "allclose", "argmax", "argmin", "einsum", "max", "mean", "min", "sum"
CASTS = {
    "bool": "bool_", "double": "float64", "float": "float32", "half": "float16", "int": "int32",
    "long": "int64", "type": "float32",
}  # fmt: skip
DEVICES = "cpu", "cuda"
MADE = "arange", "empty", "eye", "full", "linspace", "ones", "ones_like", "zeros", "zeros_like"
ON_CPU = "t itself, as all arrays are on the CPU"
A_MODULE = "a Module of your own, whose forward calls NumPy's functions"

TENSOR = {
    **{name: f"np.{name}(t)" for name in NUMPY},
    **{name: f"tinygrad_slp.{name}(t)" for name in OURS},
    **{name: f"t.astype(np.{dtype})" for name, dtype in CASTS.items()},
    **dict.fromkeys((*DEVICES, "contiguous", "device", "is_cuda"), ON_CPU),
    **dict.fromkeys(
        ("clone", "copy"), "t itself, which no operation changes; np.array(t.data) for its values"
    ),
    **dict.fromkeys(
        ("add_", "clamp_", "copy_", "div_", "fill_", "mul_", "normal_", "sub_", "uniform_"),
        "w.data = array",
    ),
    "add": "t + u",
    "bmm": "t @ u",
    "chunk": "np.split(t, 2)",
    "clamp": "np.clip(t, 0, 1)",
    "dim": "t.ndim",
    "div": "t / u",
    "eq": "t == u",
    "expand": "np.broadcast_to(t, (2, 2))",
    "expand_as": "np.broadcast_to(t, u.shape)",
    "gather": "np.take_along_axis(t, indices, axis)",
    "grad_fn": "t.function",
    "is_leaf": "t.function is None",
    "masked_fill": "np.where(mask, value, t)",
    "matmul": "t @ u",
    "mm": "t @ u",
    "mul": "t * u",
    "neg": "-t",
    "norm": "np.linalg.norm(t)",
    "numel": "t.size",
    "numpy": "t.data",
    "permute": "t.transpose(1, 0)",
    "pow": "t ** p",
    "register_hook": "tinygrad_slp.differentiable(vjp) for a gradient of your own; or change w.grad"
    " before the step of the optimizer",
    "requires_grad_": "t.requires_grad = True",
    "retain_grad": "tinygrad_slp.grad(f)(t.data), of the function f of t that follows",
    "split": "np.split(t, 2)",
    "sub": "t - u",
    "t": "t.T",
    "to": "t.astype(np.float32) for another dtype; all arrays are on the CPU",
    "type_as": "t.astype(u.dtype)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(2, 3)",
    "view_as": "t.reshape(u.shape)",
    "zero_": "w.grad = None to forget a gradient, w.data = np.zeros(w.shape) to set a leaf",
}

DTYPE = "dtype= where layers are made, as in nn.Linear(3, 2, dtype=np.float32)"
MODULE = {
    **dict.fromkeys(("double", "float", "half", "type"), DTYPE),
    **dict.fromkeys(DEVICES, "model itself, as all arrays are on the CPU"),
    "add_module": "self.name = module",
    "compile": "step = tinygrad_slp.jit(step), of a whole training step",
    "get_parameter": "dict(model.named_parameters())[name]",
    "get_submodule": "dict(model.named_modules())[name]",
    "register_buffer": "self.name = nn.Buffer(data)",
    "register_forward_hook": "a subclass, whose forward calls super().forward(input)",
    "register_module": "self.name = module",
    "register_parameter": "self.name = Tensor(data, requires_grad=True)",
    "to": f"{DTYPE}; all arrays are on the CPU",
}

NN = {
    **{name: f"tinygrad_slp.{name}" for name in OURS},
    **dict.fromkeys(
        (
            "BatchNorm2d",
            "Conv1d",
            "Conv2d",
            "GRU",
            "LSTM",
            "MaxPool2d",
            "MultiheadAttention",
            "RNN",
        ),
        A_MODULE,
    ),
    "Parameter": "Tensor(data, requires_grad=True)",
    "ParameterList": "self.name = [Tensor(data, requires_grad=True), ...]",
    "SmoothL1Loss": "nn.HuberLoss(), which is the same for beta=1",
    "tanh": "np.tanh",
    "utils": "optim.clip_grad_norm_ and optim.clip_grad_value_",
}

FUNCTIONAL = {
    "dropout": "nn.Dropout(p), a layer with random numbers of its own",
    "layer_norm": "nn.LayerNorm(shape)",
    "normalize": "t / np.linalg.norm(t, axis=1, keepdims=True)",
    "one_hot": "np.eye(classes)[indices]",
    "smooth_l1_loss": "nn.huber_loss, which is the same for beta=1",
}

DRAWS = "uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform"
INIT = {
    **{
        f"{name}_": f"w.data = nn.init.{name}(np.random.default_rng(0), w.shape)"
        for name in (*DRAWS, "kaiming_normal", "orthogonal")
    },
    "constant_": "w.data = np.full(w.shape, value)",
    "ones_": "w.data = np.ones(w.shape)",
    "zeros_": "w.data = np.zeros(w.shape)",
}

OPTIM = {"lr_scheduler": "optim.StepLR and its like, which are in optim itself"}

PACKAGE = {
    **{
        name: f"np.{name}, which takes Tensors"
        for name in (*NUMPY, *REDUCTIONS, "matmul", "stack", "where")
    },
    **{name: f"Tensor(np.{name}(...))" for name in MADE},
    **{name: f"np.{name}" for name in ("float32", "float64", "int64")},
    **dict.fromkeys(("cuda", "device"), "code without devices, as all arrays are on the CPU"),
    **dict.fromkeys(("autograd", "func"), "tinygrad_slp.grad(f)(x), and its like"),
    "Size": "tuple",
    "as_tensor": "Tensor(array)",
    "cat": "np.concatenate, which takes Tensors",
    "clamp": "np.clip, which takes Tensors",
    "compile": "tinygrad_slp.jit",
    "enable_grad": "the code outside with tinygrad_slp.no_grad()",
    "from_numpy": "Tensor(array)",
    "inference_mode": "tinygrad_slp.no_grad",
    "is_tensor": "isinstance(t, Tensor)",
    "load": "tinygrad_slp.saving.load(path), after import tinygrad_slp.saving",
    "manual_seed": "rng=0 where layers are made, as in nn.Linear(3, 2, rng=0)",
    "mm": "np.matmul, which takes Tensors",
    "norm": "np.linalg.norm, which takes Tensors",
    "rand": "Tensor(np.random.default_rng(0).uniform(size=(2, 3)))",
    "randint": "Tensor(np.random.default_rng(0).integers(0, 10, (2, 3)))",
    "randn": "Tensor(np.random.default_rng(0).normal(size=(2, 3)))",
    "save": "tinygrad_slp.saving.save(model, path), after import tinygrad_slp.saving",
    "set_default_dtype": DTYPE,
    "set_grad_enabled": "with tinygrad_slp.no_grad(): where nothing is to be recorded",
    "utils": "tinygrad_slp.train.fit(model, (X, y), ...), which makes the batches",
    "vmap": "NumPy functions of an array with one axis more, and axis=-1",
}

HERE = __name__.rpartition(".")[0]
PACKAGES = {
    HERE: PACKAGE,
    f"{HERE}.nn": NN,
    f"{HERE}.nn.functional": FUNCTIONAL,
    f"{HERE}.nn.init": INIT,
    f"{HERE}.optim": OPTIM,
}


def say_what_to_write() -> None:
    """Lets packages, and imports from them, answer for the names that they lack."""
    for package, names in PACKAGES.items():
        module: Any = sys.modules[package]
        module.__getattr__ = lacking(package, names, vars(module).get("__getattr__"))
    sys.meta_path.append(Imports)


class Imports:
    """The last finder that Python asks: it finds nothing, but says what to write instead."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        package, _, last = name.rpartition(".")
        if last in PACKAGES.get(package, {}):
            raise ImportError(f"{package} has no {last!r}: write {PACKAGES[package][last]}")


def tensor(*args: Any, **kwargs: Any) -> NoReturn:
    """What is called tensor here is a file."""
    raise TypeError("no function tensor is here: write tinygrad_slp.Tensor(data)")


class Absent:
    """A name that a class does not have: hasattr() is False, and the error says what to write."""

    def __init__(self, name: str, instead: str) -> None:
        self.name = name
        self.instead = instead
        self.__doc__ = f"Not here: write {instead}."  # for help()

    def __get__(self, thing: Any, owner: type) -> NoReturn:
        raise absent(owner.__name__, self.name, self.instead, thing)


def absent(owner: str, name: str, instead: str, thing: Any) -> AttributeError:
    # With obj= and without name=, Python adds no "Did you mean" of its own.
    return AttributeError(f"{owner} has no {name!r}: write {instead}", obj=thing)


def without(names: Mapping[str, str]) -> Callable[[C], C]:
    """Decorates a class that lacks these names, and lists them in no dir() of its objects."""

    def listed(self: object) -> list[str]:
        return [name for name in object.__dir__(self) if name not in names or hasattr(self, name)]

    def decorate(cls: C) -> C:
        for name, instead in names.items():
            setattr(cls, name, Absent(name, instead))
        cls.__dir__ = listed  # type: ignore[assignment]
        return cls

    return decorate


def lacking(
    package: str, names: Mapping[str, str], otherwise: Callable[[str], Any] | None = None
) -> Callable[[str], Any]:
    """The `__getattr__` of a package that lacks these names, in front of one that it has."""

    def look_up(name: str) -> Any:
        if name in names:
            raise absent(package, name, names[name], package)
        if otherwise is not None:
            return otherwise(name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return look_up
