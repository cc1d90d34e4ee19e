"""The training step by hand in C, the loop over the steps too, compiled for this machine."""

import ctypes

from .compiling import address, library
from .workloads import only


def plain(workload):
    return "C, gcc -O3", compiled(workload)


def fast_math(workload):
    return "C, gcc -O3 -ffast-math", compiled(workload, ["-ffast-math"])


def compiled(workload, flags=()):
    only(workload.optimizer == "sgd", "not written in C: that would be a BLAS")
    x, y = workload.data()
    parameters = workload.parameters()
    defines = {"B": workload.batch, "LR": workload.lr}
    if workload.mse:
        defines |= {"D": workload.sizes[0]}
        train = library("perceptron.c", defines, flags).train
    else:
        defines |= zip("IHO", workload.sizes, strict=True)
        defines |= {"CLASS": f"int{8 * y.itemsize}_t"}
        train = library("mlp.c", defines, flags).train
    train.restype = ctypes.c_double
    arrays = [address(a) for a in (x, y, *parameters)]

    def run(n, kept=(x, y, parameters)):  # as their addresses do not keep them
        return train(ctypes.c_int64(n), *arrays)

    return run
