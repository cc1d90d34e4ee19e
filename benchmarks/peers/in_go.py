"""The tutorial's program, in Go: kept running, it trains when asked and times itself."""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .workloads import LeftOut, only

SOURCE = Path(__file__).parent / "perceptron.go"


def tutorial(workload):
    only(workload.mse, "the tutorial has the perceptron alone")
    if not shutil.which("go"):
        raise LeftOut("no go")
    weights, bias = workload.parameters()
    start = [repr(float(v)) for v in (*weights.ravel(), *bias)]
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/perceptron"
        subprocess.run(["go", "build", "-o", program, str(SOURCE)], check=True)
        process = subprocess.Popen(
            [program, *start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"GOMAXPROCS": "1"},
        )
    atexit.register(process.communicate)  # the end of its input ends it

    def run(n):
        process.stdin.write(f"{n}\n")
        process.stdin.flush()
        return float(process.stdout.readline().split()[1])

    return "Go, the tutorial's program", run
