"""The training step by hand in NumPy where nothing is allocated: out= everywhere, buffers kept."""

import math

import numpy as np

from .workloads import BETAS, EPS, MOMENTUM


def preallocated(workload):
    step = perceptron(workload) if workload.mse else classifier(workload)

    def run(n):
        for _ in range(n):
            loss = step()
        return float(loss)

    return "NumPy, out=", run


def perceptron(workload):
    x, y = workload.data()
    w, b = workload.parameters()
    xT, batch, minus_lr = x.T, len(x), -workload.lr
    a, d, slope, dw, db = (np.empty_like(v) for v in (y, y, y, w, b))
    flat = d.ravel()

    def step():
        np.dot(x, w, out=a)
        np.add(a, b, out=a)
        np.negative(a, out=a)
        np.exp(a, out=a)
        np.add(a, 1, out=a)
        np.reciprocal(a, out=a)
        np.subtract(a, y, out=d)
        loss = flat.dot(flat) / batch
        np.subtract(1, a, out=slope)
        np.multiply(slope, a, out=slope)
        np.multiply(d, slope, out=d)
        np.multiply(d, 2 * minus_lr / batch, out=d)
        np.dot(xT, d, out=dw)
        np.add.reduce(d, axis=0, out=db)
        np.add(w, dw, out=w)
        np.add(b, db, out=b)
        return loss

    return step


def flat_copy(arrays):
    """One vector of all the arrays, and views of it in their shapes: updated in one call."""
    vector = np.concatenate([a.ravel() for a in arrays])
    ends = np.cumsum([a.size for a in arrays])
    pairs = zip(arrays, ends, strict=True)
    views = [vector[end - a.size : end].reshape(a.shape) for a, end in pairs]
    return vector, views


def classifier(workload):
    x, y = workload.data()
    batch = len(x)
    p, parameters = flat_copy(workload.parameters())
    g, gradients = flat_copy(workload.parameters())
    weights, biases, dW, db = parameters[::2], parameters[1::2], gradients[::2], gradients[1::2]
    outputs = [np.empty((batch, b.size), x.dtype) for b in biases]
    deltas, scratch = ([np.empty_like(a) for a in outputs] for _ in range(2))
    inputs = [x, *outputs[:-1]]
    z, e, softmax_less_target = outputs[-1], scratch[-1], deltas[-1]
    row, inverse = np.empty((batch, 1), x.dtype), np.empty((batch, 1), x.dtype)
    target = np.zeros_like(z)
    target[np.arange(batch), y] = 1
    flat_z, flat_target = z.ravel(), target.ravel()
    update = {"sgd": sgd, "momentum": momentum, "adam": adam}[workload.optimizer](p, g, workload.lr)
    activate, times_slope = ACTIVATIONS[workload.activation]
    last = len(weights) - 1

    def loss_and_its_gradient():
        np.maximum.reduce(z, axis=1, keepdims=True, out=row)
        np.subtract(z, row, out=z)
        np.exp(z, out=e)
        np.add.reduce(e, axis=1, keepdims=True, out=row)
        np.divide(1 / batch, row, out=inverse)
        np.multiply(e, inverse, out=softmax_less_target)
        np.multiply(target, 1 / batch, out=e)
        np.subtract(softmax_less_target, e, out=softmax_less_target)
        np.log(row, out=row)
        return (np.add.reduce(row, axis=None) - flat_z.dot(flat_target)) / batch

    def step():
        for k, (a, W, b, out) in enumerate(zip(inputs, weights, biases, outputs, strict=True)):
            np.dot(a, W, out=out)
            np.add(out, b, out=out)
            if k < last:
                activate(out)
        loss = loss_and_its_gradient()
        for k in range(last, -1, -1):
            np.dot(inputs[k].T, deltas[k], out=dW[k])
            np.add.reduce(deltas[k], axis=0, out=db[k])
            if k:
                np.dot(deltas[k], weights[k].T, out=deltas[k - 1])
                times_slope(deltas[k - 1], inputs[k], scratch[k - 1])
        update()
        return loss

    return step


def times_slope_of_tanh(d, a, scratch):
    np.multiply(a, a, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(d, scratch, out=d)


def times_slope_of_relu(d, a, scratch):
    np.greater(a, 0, out=scratch, casting="unsafe")  # np.sign takes twice as long
    np.multiply(d, scratch, out=d)


ACTIVATIONS = {
    "tanh": (lambda z: np.tanh(z, out=z), times_slope_of_tanh),
    "relu": (lambda z: np.maximum(z, 0, out=z), times_slope_of_relu),
}


def sgd(p, g, lr):
    def update():
        np.multiply(g, lr, out=g)
        np.subtract(p, g, out=p)

    return update


def momentum(p, g, lr):
    v = np.zeros_like(p)

    def update():
        np.multiply(v, MOMENTUM, out=v)
        np.add(v, g, out=v)
        np.multiply(v, lr, out=g)
        np.subtract(p, g, out=p)

    return update


def adam(p, g, lr):
    m, v, scratch = (np.zeros_like(p) for _ in range(3))
    (β1, β2), t = BETAS, 0

    def update():
        nonlocal t
        t += 1
        np.multiply(m, β1, out=m)
        np.multiply(g, 1 - β1, out=scratch)
        np.add(m, scratch, out=m)
        np.multiply(v, β2, out=v)
        np.multiply(g, g, out=g)
        np.multiply(g, 1 - β2, out=g)
        np.add(v, g, out=v)
        np.sqrt(v, out=scratch)
        # √(v/c₂) + ε over the length of the step, so that one division does all
        length = lr / (1 - β1**t)
        np.multiply(scratch, 1 / (math.sqrt(1 - β2**t) * length), out=scratch)
        np.add(scratch, EPS / length, out=scratch)
        np.divide(m, scratch, out=scratch)
        np.subtract(p, scratch, out=p)

    return update
