"""Training steps by MyGrad, which has no optimizers: its gradients go to the updates by hand."""

from .in_numpy import adam, momentum, sgd


def recorded(workload):
    import mygrad as mg
    from mygrad.nnet.activations import relu, sigmoid
    from mygrad.nnet.losses import softmax_crossentropy

    x, y = workload.data()
    p = [mg.tensor(a) for a in workload.parameters()]
    arrays = [q.data for q in p]
    f = {"sigmoid": sigmoid, "tanh": mg.tanh, "relu": relu}[workload.activation]
    rule = {"sgd": sgd, "momentum": momentum, "adam": adam}[workload.optimizer]
    update = rule(arrays, workload.lr)

    def loss():
        a = x
        for W, b in zip(p[0:-2:2], p[1:-2:2], strict=True):
            a = f(mg.matmul(a, W) + b)
        z = mg.matmul(a, p[-2]) + p[-1]
        return mg.mean((f(z) - y) ** 2) if workload.mse else softmax_crossentropy(z, y)

    def run(n):
        for _ in range(n):
            value = loss()
            value.backward()
            update([q.grad for q in p])
        return float(value)

    return "MyGrad", run
