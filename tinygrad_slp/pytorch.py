"""What names known from PyTorch or NumPy are called here, said where one is missing.

Each such name of a class is a descriptor that raises. A `__getattr__` would be shorter, but of a
class that has one, Python 3.11 reads all attributes slower, which every operation would feel.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

C = TypeVar("C", bound=type)

NUMPY = "abs", "cos", "exp", "log", "sin", "sqrt", "tanh"
OURS = (
    "elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "relu", "sigmoid", "silu", "softmax",
    "softplus",
)  # fmt: skip
CASTS = "double", "float", "half", "to", "type"
DEVICES = "cpu", "cuda"
MADE = "arange", "eye", "full", "linspace", "ones", "ones_like", "zeros", "zeros_like"

TENSOR = {
    **{name: f"np.{name}(t)" for name in NUMPY},
    **{name: f"tinygrad_slp.{name}(t)" for name in OURS},
    **dict.fromkeys(CASTS, "t.astype(np.float32)"),
    **dict.fromkeys(DEVICES, "t itself, as all arrays are on the CPU"),
    **dict.fromkeys(
        ("clone", "copy"), "t itself, which no operation changes; np.array(t.data) for its values"
    ),
    "copy_": "w.data = array",
    "dim": "t.ndim",
    "grad_fn": "t.function",
    "is_leaf": "t.function is None",
    "matmul": "t @ u",
    "mm": "t @ u",
    "norm": "np.linalg.norm(t)",
    "numel": "t.size",
    "numpy": "t.data",
    "permute": "t.transpose(1, 0)",
    "pow": "t ** p",
    "requires_grad_": "t.requires_grad = True",
    "t": "t.T",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(2, 3)",
    "zero_": "w.grad = None to forget a gradient, w.data = np.zeros(w.shape) to set a leaf",
}

MODULE = {
    **dict.fromkeys(CASTS, "dtype= where layers are made, as in nn.Linear(3, 2, dtype=np.float32)"),
    **dict.fromkeys(DEVICES, "model itself, as all arrays are on the CPU"),
    "add_module": "self.name = module",
    "compile": "step = tinygrad_slp.jit(step), of a whole training step",
    "register_buffer": "self.name = nn.Buffer(data)",
    "register_parameter": "self.name = Tensor(data, requires_grad=True)",
}

NN = {
    **{name: f"tinygrad_slp.{name}" for name in OURS},
    "Parameter": "Tensor(data, requires_grad=True)",
    "functional": "tinygrad_slp.relu and its like; losses are nn.mse_loss and its like",
    "tanh": "np.tanh",
    "utils": "optim.clip_grad_norm_ and optim.clip_grad_value_",
}

PACKAGE = {
    **{name: f"np.{name}, which takes Tensors" for name in (*NUMPY, "matmul", "stack", "where")},
    **{name: f"Tensor(np.{name}(...))" for name in MADE},
    **{name: f"np.{name}" for name in ("float32", "float64", "int64")},
    "cat": "np.concatenate, which takes Tensors",
    "compile": "tinygrad_slp.jit",
    "from_numpy": "Tensor(array)",
    "load": "tinygrad_slp.saving.load(path), after import tinygrad_slp.saving",
    "manual_seed": "rng=0 where layers are made, as in nn.Linear(3, 2, rng=0)",
    "randn": "Tensor(np.random.default_rng(0).normal(size=(2, 3)))",
    "save": "tinygrad_slp.saving.save(model, path), after import tinygrad_slp.saving",
}


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


def lacking(package: str, names: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a package that lacks these names."""

    def look_up(name: str) -> NoReturn:
        if name in names:
            raise absent(package, name, names[name], package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return look_up
