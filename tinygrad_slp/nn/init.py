"""How weights start: `init(rng, shape)` draws an array, for `Linear(..., init=xavier_uniform)`.

Settings are given with `functools.partial(kaiming_normal, nonlinearity="tanh")`. A weight has shape
(out, in, ...): each output is made of fan_in = in·(...) inputs, each input goes to fan_out outputs.
Inits that use fan_in or fan_out raise ValueError for a shape of fewer than two axes.
"""

import math

import numpy as np

from ..random import Rng

Shape = tuple[int, ...]


def fans(shape: Shape) -> tuple[int, int]:
    """fan_in and fan_out.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"this init needs a weight of shape (out, in, ...), got {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


GAINS = {
    "linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
}  # fmt: skip


def calculate_gain(nonlinearity: str, a: float = 0.01) -> float:
    """What keeps the variance from layer to layer: PyTorch's table, √(2/(1 + a²)) for leaky ReLU.

    Raises:
        ValueError: the name is not in the table.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + a**2))
    if nonlinearity not in GAINS:
        names = ", ".join([*GAINS, "leaky_relu"])
        raise ValueError(f"nonlinearity should be one of {names}; got {nonlinearity!r}")
    return GAINS[nonlinearity]


def uniform(rng: Rng, shape: Shape, a: float = 0.0, b: float = 1.0) -> np.ndarray:
    """U(a, b)"""
    return rng.uniform(a, b, shape)


def normal(rng: Rng, shape: Shape, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    """N(mean, std²)"""
    return rng.normal(mean, std, shape)


def xavier_uniform(rng: Rng, shape: Shape, gain: float = 1.0) -> np.ndarray:
    """U(−b, b), b = gain·√(6/(fan_in + fan_out))

    Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, 2010.
    """
    bound = gain * math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-bound, bound, shape)


def xavier_normal(rng: Rng, shape: Shape, gain: float = 1.0) -> np.ndarray:
    """N(0, s²), s = gain·√(2/(fan_in + fan_out)); Glorot and Bengio 2010"""
    return rng.normal(0, gain * math.sqrt(2 / sum(fans(shape))), shape)


def kaiming_std(shape: Shape, a: float, mode: str, nonlinearity: str) -> float:
    """gain/√fan: the deviation at which a layer keeps the variance of its inputs.

    Raises:
        ValueError: the mode is neither "fan_in" (forward) nor "fan_out" (backward).
    """
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode should be "fan_in" or "fan_out", got {mode!r}')
    fan = fans(shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform(
    rng: Rng,
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
) -> np.ndarray:
    """U(−b, b), b = gain·√(3/fan), with the gain of a leaky ReLU of slope a

    He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
    """
    bound = math.sqrt(3) * kaiming_std(shape, a, mode, nonlinearity)
    return rng.uniform(-bound, bound, shape)


def kaiming_normal(
    rng: Rng,
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
) -> np.ndarray:
    """N(0, s²), s = gain/√fan, with the gain of a leaky ReLU of slope a; He et al. 2015"""
    return rng.normal(0, kaiming_std(shape, a, mode, nonlinearity), shape)


def orthogonal(rng: Rng, shape: Shape, gain: float = 1.0) -> np.ndarray:
    """gain·Q, rows or columns (the fewer) orthonormal, every such Q as likely as any other

    Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, 2014. Q of the QR decomposition of a normal matrix is made unique, and
    so uniform, by a positive diagonal of R (Mezzadri, How to generate random matrices, 2007).
    """
    fan_in, _ = fans(shape)
    rows, columns = sorted((shape[0], fan_in), reverse=True)
    q, r = np.linalg.qr(rng.normal(size=(rows, columns)))
    q = q * np.where(np.diagonal(r) < 0, -1, 1)
    weight: np.ndarray = gain * (q if shape[0] >= fan_in else q.T)
    return weight.reshape(shape)
