"""Training steps by tinygrad_slp."""

from itertools import pairwise

from tinygrad_slp import Tensor, jit, nn, optim

from .workloads import BETAS, EPS, MOMENTUM, LeftOut

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


def network(workload):
    """The model with the workload's weights; of the form that PyTorch's `nn` has too."""
    layers = []
    sizes, p = workload.sizes, workload.parameters()
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        layer = nn.Linear(inputs, outputs, dtype=workload.dtype)
        layer.load_state_dict({"weight": p[2 * k].T, "bias": p[2 * k + 1]})
        layers += [layer, ACTIVATIONS[workload.activation]()]
    return nn.Sequential(*(layers if workload.mse else layers[:-1]))


def optimizer(workload, parameters):
    if workload.optimizer != "adam":
        momentum = MOMENTUM if workload.optimizer == "momentum" else 0
        return optim.SGD(parameters, lr=workload.lr, momentum=momentum)
    if not hasattr(optim, "Adam"):
        raise LeftOut("tinygrad_slp.optim has no Adam yet")
    return optim.Adam(parameters, lr=workload.lr, betas=BETAS, eps=EPS)


def parts(workload):
    """A training step, and the data as Tensors, made once, as PyTorch has them."""
    model = network(workload)
    rule = optimizer(workload, model.parameters())
    loss_of = nn.MSELoss() if workload.mse else nn.CrossEntropyLoss()

    def step(x, y):
        rule.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        rule.step()
        return loss

    return step, *map(Tensor, workload.data())


def compiled(workload, backend, how):
    """Replays of the step: one call a step, or all steps in one call."""
    step, x, y = parts(workload)
    if backend == "llvm":
        import llvmlite  # noqa: F401  an ImportError leaves this peer out

    step = jit(step, backend=backend)

    def each_step(n):
        for _ in range(n):
            loss = step(x, y)
        return float(loss)

    run = each_step if how == "step" else lambda n: step.loop(n, x, y).data[-1].item()
    return f"tinygrad_slp, jit with {backend}, {how}", run


def llvm_loop(workload):
    return compiled(workload, "llvm", "loop")


def llvm_step(workload):
    return compiled(workload, "llvm", "step")


def numpy_loop(workload):
    return compiled(workload, "numpy", "loop")


def numpy_step(workload):
    return compiled(workload, "numpy", "step")


def eager(workload):
    step, x, y = parts(workload)

    def run(n):
        for _ in range(n):
            loss = step(x, y)
        return float(loss)

    return "tinygrad_slp, eager", run
