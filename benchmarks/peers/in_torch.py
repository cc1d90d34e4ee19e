"""Training steps by PyTorch."""

import signal
import time
from contextlib import contextmanager
from itertools import pairwise

from .workloads import BETAS, EPS, MOMENTUM

PATIENCE = 120  # seconds for torch.compile


def imported():
    import torch

    torch.set_num_threads(1)
    return torch


def parts(torch, workload):
    """The model with the workload's weights, x and y."""
    nn = torch.nn
    activation = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}[workload.activation]
    dtype = torch.from_numpy(workload.parameters()[0]).dtype
    layers, sizes = [], workload.sizes
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, dtype=dtype), activation()]
    model = nn.Sequential(*(layers if workload.mse else layers[:-1]))
    with torch.no_grad():
        for p, given in zip(model.parameters(), workload.parameters(), strict=True):
            p.copy_(torch.from_numpy(given.T))
    return model, *map(torch.from_numpy, workload.data())


def optimizer(torch, workload, parameters, **options):
    if workload.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=workload.lr, betas=BETAS, eps=EPS, **options)
    momentum = MOMENTUM if workload.optimizer == "momentum" else 0
    return torch.optim.SGD(parameters, lr=workload.lr, momentum=momentum, **options)


def eager(workload, **options):
    torch = imported()
    model, x, y = parts(torch, workload)
    rule = optimizer(torch, workload, model.parameters(), **options)
    loss_of = torch.nn.MSELoss() if workload.mse else torch.nn.CrossEntropyLoss()

    def run(n):
        for _ in range(n):
            rule.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            rule.step()
        return loss.item()

    return "PyTorch, eager", run


def fused(workload):
    return "PyTorch, eager, fused optimizer", eager(workload, fused=True)[1]


def compiled(workload):
    """The whole step as one function: parameters and the optimizer's state in, new ones out."""
    torch = imported()
    model, x, y = parts(torch, workload)
    functional, loss_of = torch.nn.functional, torch.nn.functional.cross_entropy
    if workload.mse:
        loss_of = functional.mse_loss
    names = [name for name, _ in model.named_parameters()]
    p = [v.detach().clone() for v in model.parameters()]
    state = [torch.zeros_like(v) for v in p], [torch.zeros_like(v) for v in p]
    state = (p, *state, torch.zeros((), dtype=torch.float64))

    def loss(p):
        named = dict(zip(names, p, strict=True))
        return loss_of(torch.func.functional_call(model, named, (x,)), y)

    @torch.compile
    def step(p, m, v, t):
        g, value = torch.func.grad_and_value(loss)(p)
        t = t + 1
        return (*updated(workload, p, g, m, v, t), t), value

    def run(n):
        nonlocal state
        for _ in range(n):
            state, value = step(*state)
        return value.item()

    with time_limit(PATIENCE), torch.no_grad():
        start = time.perf_counter()
        step(*state)
        print(f"  torch.compile took {time.perf_counter() - start:.1f} s")
    return "PyTorch, torch.compile of the step", torch.no_grad()(run)


def updated(workload, p, g, m, v, t):
    """PyTorch's formulas for lists of tensors: new p, m, v."""
    lr, each = workload.lr, range(len(p))
    if workload.optimizer == "adam":
        β1, β2 = BETAS
        m = [β1 * m[k] + (1 - β1) * g[k] for k in each]
        v = [β2 * v[k] + (1 - β2) * g[k] * g[k] for k in each]
        size, root = (lr / (1 - β1**t)).to(p[0].dtype), (1 - β2**t).sqrt().to(p[0].dtype)
        return [p[k] - size * m[k] / (v[k].sqrt() / root + EPS) for k in each], m, v
    if workload.optimizer == "momentum":
        m = g = [MOMENTUM * m[k] + g[k] for k in each]
    return [p[k] - lr * g[k] for k in each], m, v


@contextmanager
def time_limit(seconds):
    def stop(*_):
        raise TimeoutError(f"not ready after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
