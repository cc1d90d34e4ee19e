"""The training step by hand in NumPy as a person writes it: every intermediate a new array."""

import numpy as np

from .workloads import BETAS, EPS, MOMENTUM


def naive(workload):
    step = perceptron(workload) if workload.mse else classifier(workload)

    def run(n):
        for _ in range(n):
            loss = step()
        return float(loss)

    return "NumPy by hand", run


def perceptron(workload):
    x, y = workload.data()
    w, b = workload.parameters()
    lr = workload.lr

    def step():
        nonlocal w, b
        a = 1 / (1 + np.exp(-(x @ w + b)))
        loss = np.mean((a - y) ** 2)
        dz = 2 / len(x) * (a - y) * a * (1 - a)
        w -= lr * x.T @ dz
        b -= lr * dz.sum(axis=0)
        return loss

    return step


def classifier(workload):
    x, y = workload.data()
    p = workload.parameters()
    weights, biases, rows = p[0::2], p[1::2], np.arange(len(x))
    update = {"sgd": sgd, "momentum": momentum, "adam": adam}[workload.optimizer](p, workload.lr)
    if workload.activation == "tanh":
        f, slope = np.tanh, lambda a: 1 - a**2
    else:
        f, slope = lambda z: np.maximum(z, 0), lambda a: a > 0

    def step():
        inputs = [x]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(f(inputs[-1] @ W + b))
        z = inputs[-1] @ weights[-1] + biases[-1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        softmax = e / e.sum(axis=1, keepdims=True)
        loss = -np.mean(np.log(softmax[rows, y]))
        dz = softmax
        dz[rows, y] -= 1
        dz /= len(x)
        gradients = []
        for k in reversed(range(len(weights))):
            gradients = [inputs[k].T @ dz, dz.sum(axis=0), *gradients]
            if k:
                dz = dz @ weights[k].T * slope(inputs[k])
        update(gradients)
        return loss

    return step


def sgd(parameters, lr):
    def update(gradients):
        for p, g in zip(parameters, gradients, strict=True):
            p -= lr * g

    return update


def momentum(parameters, lr):
    velocities = [np.zeros_like(p) for p in parameters]

    def update(gradients):
        for k, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            velocities[k] = MOMENTUM * velocities[k] + g
            p -= lr * velocities[k]

    return update


def adam(parameters, lr):
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    (β1, β2), t = BETAS, 0

    def update(gradients):
        nonlocal t
        t += 1
        for k, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            means[k] = β1 * means[k] + (1 - β1) * g
            squares[k] = β2 * squares[k] + (1 - β2) * g**2
            mean, square = means[k] / (1 - β1**t), squares[k] / (1 - β2**t)
            p -= lr * mean / (np.sqrt(square) + EPS)

    return update
