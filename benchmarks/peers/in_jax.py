"""Training steps compiled by JAX."""

import os

from .workloads import BETAS, EPS, MOMENTUM


def imported():
    # One thread: the XLA_FLAGS that are given for it leave two at work in W3, on two processors.
    os.environ["NPROC"] = "1"  # read when JAX is first used
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)  # not on a thread beside Python's
    jax.config.update("jax_enable_x64", True)  # for W1; the others give float32 arrays
    jax.config.update("jax_platforms", "cpu")
    return jax


def parts(jax, workload):
    """A pure step: (state, loss) to the next, and the first state."""
    np = jax.numpy
    x, y = map(np.asarray, workload.data())
    f = {"sigmoid": jax.nn.sigmoid, "tanh": np.tanh, "relu": jax.nn.relu}[workload.activation]
    p = [np.asarray(a) for a in workload.parameters()]

    def loss(p):
        a = x
        for W, b in zip(p[0:-2:2], p[1:-2:2], strict=True):
            a = f(a @ W + b)
        z = a @ p[-2] + p[-1]
        if workload.mse:
            return np.mean((f(z) - y) ** 2)
        scores = jax.nn.log_softmax(z)
        return -np.mean(np.take_along_axis(scores, y[:, None], axis=1))

    def step(state):
        p, m, v, t, _ = state
        value, g = jax.value_and_grad(loss)(p)
        t = t + 1
        return *updated(workload, np, p, g, m, v, t), t, value

    zeros = {"sgd": 0, "momentum": 1, "adam": 2}[workload.optimizer]
    m, v = ([np.zeros_like(a) for a in p] if k < zeros else [] for k in range(2))
    return step, (p, m, v, np.zeros((), np.int32), np.zeros((), workload.dtype))


def updated(workload, np, p, g, m, v, t):
    lr, each = workload.lr, range(len(p))
    if workload.optimizer == "adam":
        β1, β2 = BETAS
        m = [β1 * m[k] + (1 - β1) * g[k] for k in each]
        v = [β2 * v[k] + (1 - β2) * g[k] ** 2 for k in each]
        c1, c2 = ((1 - np.float64(β) ** t).astype(p[0].dtype) for β in BETAS)
        return [p[k] - lr / c1 * m[k] / (np.sqrt(v[k] / c2) + EPS) for k in each], m, v
    if workload.optimizer == "momentum":
        m = g = [MOMENTUM * m[k] + g[k] for k in each]
    return [p[k] - lr * g[k] for k in each], m, v


def each_step(workload):
    jax = imported()
    step, state = parts(jax, workload)
    step = jax.jit(step, donate_argnums=0)

    def run(n):
        nonlocal state
        for _ in range(n):
            state = step(state)
        return float(state[-1])

    return "JAX, jit of the step", run


def whole_loop(workload):
    jax = imported()
    step, state = parts(jax, workload)

    @jax.jit
    def steps(n, state):
        return jax.lax.fori_loop(0, n, lambda _, state: step(state), state)

    def run(n):
        nonlocal state
        state = steps(n, state)
        return float(state[-1])

    return "JAX, jit of the loop", run
