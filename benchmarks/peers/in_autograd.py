"""Training steps by HIPS autograd, whose gradients go to the updates by hand."""

from .in_numpy import adam, momentum, sgd


def recorded(workload):
    import autograd.numpy as np
    from autograd import value_and_grad

    x, y = workload.data()
    p = workload.parameters()
    rows = np.arange(len(x))
    f = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
    }[workload.activation]

    def loss(p):
        a = x
        for W, b in zip(p[0:-2:2], p[1:-2:2], strict=True):
            a = f(np.dot(a, W) + b)
        z = np.dot(a, p[-2]) + p[-1]
        if workload.mse:
            return np.mean((f(z) - y) ** 2)
        z = z - np.max(z, axis=1, keepdims=True)
        scores = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.mean(scores[rows, y])

    loss_and_gradients = value_and_grad(loss)
    update = {"sgd": sgd, "momentum": momentum, "adam": adam}[workload.optimizer](p, workload.lr)

    def run(n):
        for _ in range(n):
            value, gradients = loss_and_gradients(p)
            update(gradients)
        return float(value)

    return "HIPS autograd", run
