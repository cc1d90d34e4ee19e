"""Training steps by tinygrad on the CPU: one TinyJit call each."""

import os
import shutil

from .workloads import BETAS, EPS, MOMENTUM, LeftOut


def imported():
    """tinygrad compiles C with the vector types of clang, which gcc has not."""
    if not shutil.which(os.environ.get("CC", "clang")):
        raise LeftOut("no clang, which tinygrad compiles for the CPU with")
    os.environ.setdefault("DEV", "CPU")  # read, as THREADS, when tinygrad is imported
    os.environ["THREADS"] = "0"
    import tinygrad

    return tinygrad


def tiny_jit(workload):
    tinygrad = imported()
    Tensor = tinygrad.Tensor
    x, y = (Tensor(a).realize() for a in workload.data())
    p = [Tensor(a).realize() for a in workload.parameters()]
    rule = optimizer(tinygrad.nn.optim, workload, p)

    def loss():
        a = x
        for W, b in zip(p[0:-2:2], p[1:-2:2], strict=True):
            a = getattr(a @ W + b, workload.activation)()
        z = a @ p[-2] + p[-1]
        return (z.sigmoid() - y).square().mean() if workload.mse else z.cross_entropy(y)

    @tinygrad.TinyJit
    def step():
        rule.zero_grad()
        value = loss().backward()
        return value.realize(*rule.schedule_step())

    @tinygrad.Context(TRAINING=1)
    def run(n):
        for _ in range(n):
            value = step()
        return value.item()

    return "tinygrad, TinyJit", run


def optimizer(optim, workload, parameters):
    if workload.optimizer == "adam":
        return optim.Adam(parameters, lr=workload.lr, b1=BETAS[0], b2=BETAS[1], eps=EPS)
    momentum = MOMENTUM if workload.optimizer == "momentum" else 0
    return optim.SGD(parameters, lr=workload.lr, momentum=momentum)
