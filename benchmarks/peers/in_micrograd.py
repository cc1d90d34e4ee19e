"""Training steps by micrograd, a graph of scalars."""

import math

from .workloads import only


def recorded(workload):
    from micrograd.engine import Value

    only(workload.mse, "thousands of weights, each an object: minutes a step")
    x, y = (a.tolist() for a in workload.data())
    weights, bias = workload.parameters()
    w, b = [Value(v) for v in weights.ravel().tolist()], Value(bias.item())

    def exp_of_minus(z):  # which micrograd lacks
        e = Value(math.exp(-z.data), (z,), "exp")

        def back():
            z.grad -= e.data * e.grad

        e._backward = back
        return e

    def step():
        loss = 0
        for sample, (target,) in zip(x, y, strict=True):
            z = sum((wi * xi for wi, xi in zip(w, sample, strict=True)), b)
            a = (1 + exp_of_minus(z)) ** -1
            loss = loss + (a - target) ** 2
        loss = loss * (1 / len(x))
        for p in (*w, b):
            p.grad = 0
        loss.backward()
        for p in (*w, b):
            p.data -= workload.lr * p.grad
        return loss

    def run(n):
        for _ in range(n):
            loss = step()
        return loss.data

    return "micrograd", run
