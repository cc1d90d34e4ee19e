"""Gradients derived by hand, each beside its loss: what the checker is tried on, and a crib.

The losses are written for Tensors too; the gradients are plain NumPy, as on paper: δ is the
gradient by what the formula calls z, a or the output, and runs back from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_slp import rules
from tinygrad_slp.check.formula import Interval, Shapes

Array = Any
Gradient = Callable[..., Array]


@dataclass(frozen=True)
class Derivation:
    """A loss and its gradients by hand.

    Attributes:
        loss, gradients: called with the inputs in the order of `shapes`; `gradients` by input.
        values: by input, the interval that its numbers are drawn from; (−2, 2) by default.
        source: where the derivation can be read.
    """

    name: str
    shapes: Shapes
    loss: Callable[..., Any]
    gradients: Mapping[str, Gradient]
    values: Mapping[str, Interval] = field(default_factory=dict)
    source: str = ""


DERIVATIONS: list[Derivation] = []


def derivation(
    shapes: str, source: str, gradients: Mapping[str, Gradient], **values: Interval
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters the decorated loss and its gradients in the library."""

    def enter(loss: Callable[..., Any]) -> Callable[..., Any]:
        name = loss.__name__.replace("_", " ")
        DERIVATIONS.append(Derivation(name, Shapes.parse(shapes), loss, gradients, values, source))
        return loss

    return enter


def σ(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# --- one layer ---


def perceptron_δ(X: Array, w: Array, b: Array, y: Array) -> Array:
    """∂L/∂z = 2/n (a − y) a(1 − a)"""
    a = σ(X @ w + b)
    return 2 / len(y) * (a - y) * a * (1 - a)


@derivation(
    "X: n d; w: d; b: ; y: n",
    "Rumelhart, Hinton, Williams, Nature 323 (1986)",
    {
        "w": lambda X, w, b, y: X.T @ perceptron_δ(X, w, b, y),
        "b": lambda X, w, b, y: perceptron_δ(X, w, b, y).sum(),
    },
    y=(0, 1),
)
def perceptron(X: Array, w: Array, b: Array, y: Array) -> Any:
    """L = 1/n Σ (σ(Xw + b) − y)²"""
    return np.mean((rules.sigmoid(X @ w + b) - y) ** 2)


@derivation(
    "X: n d; w: d; b: ; y: n",
    "Bishop, Pattern Recognition and Machine Learning, eq. 4.91",
    {
        "w": lambda X, w, b, y: X.T @ (σ(X @ w + b) - y) / len(y),
        "b": lambda X, w, b, y: (σ(X @ w + b) - y).mean(),
    },
    y=(0, 1),
)
def logistic(X: Array, w: Array, b: Array, y: Array) -> Any:
    """L = −1/n Σ (y log a + (1 − y) log(1 − a)), a = σ(Xw + b)"""
    z = X @ w + b
    return np.mean((1 - y) * z + rules.softplus(-z))


def softmax_δ(X: Array, W: Array, b: Array, Y: Array) -> Array:
    """∂L/∂Z = (P Σⱼyⱼ − Y)/n"""
    return (softmax(X @ W + b) * Y.sum(axis=1, keepdims=True) - Y) / len(X)


@derivation(
    "X: n d; W: d k; b: k; Y: n k",
    "Bishop, Pattern Recognition and Machine Learning, eq. 4.109",
    {
        "W": lambda X, W, b, Y: X.T @ softmax_δ(X, W, b, Y),
        "b": lambda X, W, b, Y: softmax_δ(X, W, b, Y).sum(axis=0),
    },
    Y=(0, 1),
)
def softmax_cross_entropy(X: Array, W: Array, b: Array, Y: Array) -> Any:
    """L = −1/n Σᵢ Σⱼ yᵢⱼ log softmax(XW + b)ᵢⱼ"""
    return -np.sum(Y * rules.log_softmax(X @ W + b)) / len(X)


λ = 0.1


@derivation(
    "X: n d; w: d; y: n",
    "Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, eq. 3.43",
    {"w": lambda X, w, y: 2 / len(y) * X.T @ (X @ w - y) + 2 * λ * w},
)
def ridge(X: Array, w: Array, y: Array) -> Any:
    """L = 1/n ‖Xw − y‖² + λ‖w‖²"""
    return np.mean((X @ w - y) ** 2) + λ * np.sum(w * w)


@derivation(
    "X: n d; w: d; y: n",
    "Huber, Annals of Mathematical Statistics 35 (1964)",
    {"w": lambda X, w, y: X.T @ np.clip(X @ w - y, -1, 1) / len(y)},
)
def huber(X: Array, w: Array, y: Array) -> Any:
    """L = 1/n Σ ½r² where |r| ≤ 1, else |r| − ½, of r = Xw − y"""
    r = np.abs(X @ w - y)
    near = np.minimum(r, 1)
    return np.mean(near * (r - near / 2))


@derivation(
    "X: n d; w: d; y: n",
    "McCullagh, Nelder, Generalized Linear Models, ch. 6",
    {"w": lambda X, w, y: X.T @ (np.exp(X @ w) - y) / len(y)},
    X=(-1, 1), w=(-1, 1), y=(0, 5),
)  # fmt: skip
def poisson(X: Array, w: Array, y: Array) -> Any:
    """L = 1/n Σ (eᶯ − yη), η = Xw: the negative log-likelihood without log y!"""
    η = X @ w
    return np.mean(np.exp(η) - y * η)


@derivation(
    "X: n d; w: d; v: d; y: n",
    "Nix, Weigend, Estimating the mean and variance of the target distribution (1994)",
    {
        "w": lambda X, w, v, y: X.T @ ((X @ w - y) * np.exp(-(X @ v))) / len(y),
        "v": lambda X, w, v, y: X.T @ (1 - (X @ w - y) ** 2 * np.exp(-(X @ v))) / (2 * len(y)),
    },
    X=(-1, 1), v=(-1, 1),
)  # fmt: skip
def gaussian_nll(X: Array, w: Array, v: Array, y: Array) -> Any:
    """L = 1/2n Σ (s + (μ − y)² e⁻ˢ), μ = Xw, s = Xv the logarithm of the variance"""
    s = X @ v
    return np.mean(s + (X @ w - y) ** 2 * np.exp(-s)) / 2


# --- two layers ---


def back_through(X: Array, W2: Array, a: Array, slope: Array, δ2: Array) -> dict[str, Array]:
    """The four gradients of two layers: δ₁ = δ₂W₂ᵀ ⊙ f′(z₁)"""
    δ1 = δ2 @ W2.T * slope
    return {"W1": X.T @ δ1, "b1": δ1.sum(axis=0), "W2": a.T @ δ2, "b2": δ2.sum(axis=0)}


def tanh_layers(X: Array, W1: Array, b1: Array, W2: Array, b2: Array, Y: Array) -> dict[str, Array]:
    a = np.tanh(X @ W1 + b1)
    return back_through(X, W2, a, 1 - a**2, 2 / Y.size * (a @ W2 + b2 - Y))


def relu_layers(X: Array, W1: Array, b1: Array, W2: Array, b2: Array, Y: Array) -> dict[str, Array]:
    z = X @ W1 + b1
    a = np.maximum(z, 0)
    return back_through(X, W2, a, z > 0, 2 / Y.size * (a @ W2 + b2 - Y))


def each(gradients: Callable[..., dict[str, Array]], *names: str) -> dict[str, Gradient]:
    """Gradients computed together, as one function for each."""
    return {name: lambda *xs, name=name: gradients(*xs)[name] for name in names}


LAYERS = "X: n d; W1: d h; b1: h; W2: h m; b2: m; Y: n m"
BACKPROPAGATION = "Goodfellow, Bengio, Courville, Deep Learning, algorithm 6.4"


@derivation(LAYERS, BACKPROPAGATION, each(tanh_layers, "W1", "b1", "W2", "b2"))
def two_layers_tanh(X: Array, W1: Array, b1: Array, W2: Array, b2: Array, Y: Array) -> Any:
    """L = mean (tanh(XW₁ + b₁)W₂ + b₂ − Y)²"""
    return np.mean((np.tanh(X @ W1 + b1) @ W2 + b2 - Y) ** 2)


@derivation(LAYERS, BACKPROPAGATION, each(relu_layers, "W1", "b1", "W2", "b2"))
def two_layers_relu(X: Array, W1: Array, b1: Array, W2: Array, b2: Array, Y: Array) -> Any:
    """L = mean (relu(XW₁ + b₁)W₂ + b₂ − Y)²"""
    return np.mean((rules.relu(X @ W1 + b1) @ W2 + b2 - Y) ** 2)


# --- normalization, attention, similarity ---

ε = 1e-5


def normalized(X: Array, axis: int) -> tuple[Array, Array]:
    """x̂ = (X − mean)/s and s = √(var + ε)"""
    s = np.sqrt(X.var(axis=axis, keepdims=True) + ε)
    return (X - X.mean(axis=axis, keepdims=True)) / s, s


def normalization(axis: int) -> Callable[..., dict[str, Array]]:
    """∂X = (g − mean g − x̂ mean(g ⊙ x̂))/s, with g = V ⊙ γ"""

    def mean(t: Array) -> Array:
        return t.mean(axis=axis, keepdims=True)

    def gradients(X: Array, γ: Array, β: Array, V: Array) -> dict[str, Array]:
        x, s = normalized(X, axis)
        g = V * γ
        return {
            "X": (g - mean(g) - x * mean(g * x)) / s,
            "γ": (V * x).sum(axis=0),
            "β": V.sum(axis=0),
        }

    return gradients


@derivation(
    "X: n d; γ: d; β: d; V: n d",
    "Ioffe, Szegedy, Batch Normalization (2015), section 3",
    each(normalization(0), "X", "γ", "β"),
)
def batch_norm(X: Array, γ: Array, β: Array, V: Array) -> Any:
    """L = Σ V ⊙ (γx̂ + β), x̂ normalized over the batch"""
    centred = X - np.mean(X, axis=0)
    return np.sum(V * (γ * centred / np.sqrt(np.mean(centred**2, axis=0) + ε) + β))


@derivation(
    "X: n d; γ: d; β: d; V: n d",
    "Ba, Kiros, Hinton, Layer Normalization (2016)",
    each(normalization(1), "X", "γ", "β"),
)
def layer_norm(X: Array, γ: Array, β: Array, V: Array) -> Any:
    """L = Σ V ⊙ (γx̂ + β), x̂ normalized over the features"""
    centred = X - np.mean(X, axis=1, keepdims=True)
    scale = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + ε)
    return np.sum(V * (γ * centred / scale + β))


def attention_gradients(Q: Array, K: Array, V: Array, T: Array) -> dict[str, Array]:
    """∂S = P ⊙ (∂P − Σ ∂P ⊙ P), ∂P = δVᵀ, δ = 2(PV − T)/size"""
    root = np.sqrt(Q.shape[1])
    P = softmax(Q @ K.T / root)
    δ = 2 / T.size * (P @ V - T)
    dP = δ @ V.T
    dS = P * (dP - (dP * P).sum(axis=1, keepdims=True)) / root
    return {"Q": dS @ K, "K": dS.T @ Q, "V": P.T @ δ}


@derivation(
    "Q: q d; K: k d; V: k m; T: q m",
    "Vaswani et al., Attention Is All You Need (2017), eq. 1",
    each(attention_gradients, "Q", "K", "V"),
)
def attention(Q: Array, K: Array, V: Array, T: Array) -> Any:
    """L = mean (softmax(QKᵀ/√d)V − T)²"""
    return np.mean((rules.softmax(Q @ K.T / np.sqrt(Q.shape[1])) @ V - T) ** 2)


def cosine_gradient(u: Array, v: Array) -> Array:
    """∂c/∂u = (v̂ − cû)/‖u‖"""
    û, v̂ = u / np.linalg.norm(u), v / np.linalg.norm(v)
    return (v̂ - (û @ v̂) * û) / np.linalg.norm(u)


@derivation(
    "u: d; v: d",
    "the quotient rule; Nguyen, Bai, Cosine Similarity Metric Learning (2010), section 3",
    {"u": cosine_gradient, "v": lambda u, v: cosine_gradient(v, u)},
)
def cosine_similarity(u: Array, v: Array) -> Any:
    """c = u·v / (‖u‖‖v‖)"""
    return u @ v / (np.sqrt(u @ u) * np.sqrt(v @ v))
