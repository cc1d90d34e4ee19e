"""Training steps by scikit-learn: one partial_fit of the whole batch each.

Its weights are drawn by itself, so its loss is not compared.
"""

import math

import numpy as np

from .workloads import BETAS, EPS, MOMENTUM, only


def partial_fit(workload):
    from sklearn.neural_network import MLPClassifier

    only(not workload.mse, "its classifier has no squared error")
    x, y = workload.data()
    model = MLPClassifier(
        workload.sizes[1:-1],
        activation=workload.activation,
        solver="adam" if workload.optimizer == "adam" else "sgd",
        alpha=0,
        batch_size=len(x),
        learning_rate_init=workload.lr,
        shuffle=False,
        random_state=0,
        momentum=MOMENTUM if workload.optimizer == "momentum" else 0,
        nesterovs_momentum=False,
        beta_1=BETAS[0],
        beta_2=BETAS[1],
        epsilon=EPS,
    )

    def run(n):
        for _ in range(n):
            model.partial_fit(x, y, classes=np.arange(workload.sizes[-1]))
        return math.nan

    return "scikit-learn, partial_fit", run
