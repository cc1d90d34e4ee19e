"""Draws programs, as people write them: a step, calls of it, and changes between the calls.

A program is text. A line is kept if it runs and gives finite numbers, so nothing here works out
shapes; what a line finds by name is in `worlds.py`.
"""

import itertools
import random
import re

import numpy as np
from inputs import LAYOUTS, calls
from worlds import RULES, Eager, dtype_of, namespace, outcomes, plain, quiet

DTYPES = {
    "float64": 12, "float32": 6, "float16": 1, "int64": 3, "int32": 1, "int8": 1, "uint8": 1,
    "uint64": 1, "bool": 2,
}  # fmt: skip
"""And how often each is drawn."""
SHAPES = (
    "()", "(1,)", "(3,)", "(2, 3)", "(3, 2)", "(2, 1)", "(4, 3)", "(2, 3, 2)", "(9, 16)", "(80,)",
    "(40, 30)",
)  # fmt: skip
LINES = """
np.exp(-np.abs(x)) | np.log(np.abs(x) + 0.1) | np.sqrt(np.square(x) + 0.1) | np.sin(x) | np.tanh(x)
np.square(x) | abs(x) | -x | +x | np.negative(x) | np.sign(x) | np.floor(x) | np.round(x, 1)
x + y | x - y | x * y | x / (1 + abs(y)) | x ** 2 | x ** 0.5 | 2 ** np.tanh(x) | x // 2 | x % 3
x * 2 | 1.5 - x | x + n | n * x | x + g | x * np.float32(0.5) | x - np.float64(0.5) | x + True
np.maximum(x, y) | np.minimum(x, 0) | np.hypot(x, y) | np.arctan2(x, y) | np.logaddexp(x, y)
np.where(x > y, x, y) | np.where(x, 1.0, y) | np.clip(x, -1, 1) | np.clip(x, None, y)
x > y | x <= 0.5 | x == y | x != 0 | np.logical_and(x, y) | np.logical_not(x) | x & 3
(x > 0) | (y > 0) | x ^ y | x << 1 | np.isnan(x) | np.isfinite(x) | np.any(x) | divmod(x, 2)[1]
np.all(x > -9, axis=0) | x.sum() | x.sum(axis=0) | np.sum(x, axis=-1, keepdims=True) | x.mean()
np.mean(x, axis=0) | x.max() | x.min(axis=-1) | np.max(x, axis=0) | np.prod(x, axis=0) | x.std()
np.var(x, axis=-1) | np.cumsum(x, axis=0) | np.argmax(x, axis=-1) | x.argmin() | np.argsort(x)
np.sort(x, axis=-1) | np.median(x) | x.ravel() | x.T | x.reshape(-1) | np.reshape(x, (1, -1))
x[::-1] | x[..., ::2] | x[0] | x[-1:] | x[:, None] | x[None] | t[i] | t[..., i] | t[i, i]
x[np.arange(len(x)) // 2] | x[[0, -1]] | x[0, ..., 1:] | np.take(t, i, axis=-1) | np.squeeze(x)
np.take_along_axis(x, np.argsort(x, axis=-1), axis=-1) | np.concatenate([x, y]) | np.tile(x, 2)
np.stack([x, x * 2]) | np.swapaxes(x, 0, -1) | np.expand_dims(x, 1) | np.repeat(x, 2, axis=0)
np.roll(x, 1) | np.flip(x) | np.pad(x, 1) | np.tril(x) | np.diag(x)
np.broadcast_to(x, (2, *x.shape)) | np.zeros_like(x) + y | np.ones(x.shape) * x
np.arange(len(x)) * x.T | x * np.eye(3)[0] | np.full(3, 0.5) + x | x @ y | x @ x.T | np.dot(x, y)
np.tanh(x) @ np.ones((3, 2)) | np.outer(x, y) | np.einsum("ij,kj->ik", x, y) | np.matmul(x, w)
x.astype(np.float32) | x.astype(np.float64) | x.astype(int) | x.astype(bool) | x.copy()
tg.sigmoid(x) | tg.relu(x) | tg.leaky_relu(x, 0.1) | tg.softplus(x) | tg.gelu(x) | tg.silu(x)
tg.elu(x) | tg.softmax(x) | tg.log_softmax(x, axis=0) | tg.logsumexp(x, axis=-1)
np.linalg.norm(x) | x * len(x) | model(fit(x, (5, 4))) | model(np.ones((5, 4)))
nn.Embedding(3, 2, rng=0)(i) | embedding(i) | embedding(i.reshape(-1)) | nn.mse_loss(x, y)
nn.l1_loss(x, y) | nn.huber_loss(x, 0 * y) | nn.cross_entropy(fit(x, (4, 3)), fit(i, (4,)))
nn.nll_loss(tg.log_softmax(fit(x, (4, 3))), fit(i, (4,))) | nn.hinge_loss(x, 2.0 * (y > 0) - 1)
nn.binary_cross_entropy_with_logits(x, tg.sigmoid(y)) | stream.uniform((2, 3))
stream.uniform(x.shape, np.float32) * x | x.data if isinstance(x, Tensor) else x | holder.x * x
Tensor(np.arange(3.0)) * x | Tensor([1.0, 2.0]).sum() * x
"""
LINES = [line for row in LINES.strip().split("\n") for line in re.split(r" \| (?!\(y)", row)]
LETTERS = re.compile(r"\b[xytn]\b")
EXAMPLES = [(name, k) for name, rule in RULES.items() for k, _ in enumerate(calls(rule, False))]
OPTIMIZERS = (
    "SGD(W, lr=0.05)", "SGD(W, lr=0.05, momentum=0.9, nesterov=True)", "Adam(W, lr=0.01)",
    "SGD(W, lr=0.05, momentum=0.5, weight_decay=0.1)", "AdamW(W, lr=0.01)", "RMSprop(W, lr=0.01)",
    "Adagrad(W, lr=0.05)", "Lion(W, lr=0.01)", "NAdam(W, lr=0.01)",
)  # fmt: skip
MODELS = (
    "nn.Linear(4, 3, rng=1)",
    "nn.Sequential(nn.Linear(4, 3, rng=1), nn.BatchNorm1d(3), nn.ReLU())",
    "nn.Sequential(nn.Dropout(0.5, rng=2), nn.Linear(4, 2, rng=3, dtype=np.float32))",
    "nn.Sequential(nn.Linear(4, 3, rng=1), nn.LayerNorm(3), nn.GELU(), nn.Linear(3, 1, rng=2))",
)
WAYS = {
    "argument": ("{x} = {array}", "{x}"),
    "closed over": ("X0 = {array}", "X0"),
    "made in the step": (
        "content = {array}.tobytes()",
        "laid_out(np.frombuffer(content, 'float64').reshape({shape}), {layout!r})",
    ),
    "held in a field": ("holder.x = {array}", "holder.x"),
    "constant Tensor": ("C0 = Tensor({array})", "C0"),
}
"""How an array comes to a step: a line before it, and what it is called there."""
KINDS = "value", "gradient", "second derivative", "train", "accumulate"
REFUSALS = (
    "does not give it to a Tensor as it is",  # a large closed-over array that meets none
    "gradients could still flow",
)
REORDERS = re.compile(
    r"(?s:(?:concatenate|stack|append).*'broadcast')|rollaxis|"
    r"\.T\b|transpose|moveaxis|swapaxes|'F'|reversed|structured|strided|swapped|diag|\.\.\., i"
)
"""Words in programs of which something may not be in C order, or is summed along another axis."""


class Program:
    """A random program: of the same seed the same one.

    Attributes:
        kind: what the step does with the values that it computes: one of KINDS.
        setup: lines before the step: what it closes over and is given.
        lines: what it computes, line by line.
        step: the functions that take the values of these lines, the last one the step.
        after: calls of the step, and changes between them.
        refusals: words of the errors that are no fault.
        may_fail: whether it may be an error, the same one compiled.
    """

    refusals, may_fail = REFUSALS, True

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        while True:
            self.draw()
            failed = [x for x in outcomes(self, Eager) if isinstance(x, Exception)]
            if not failed or self.rng.random() < 0.2:
                return

    def text(self, shaken: bool = False) -> str:
        """The program up to the first call.

        Args:
            shaken: each value that it computes goes through `shaken`.
        """
        arguments = ", ".join(self.arguments)
        lines = self.lines
        if shaken:
            pairs = [line.split(" = ", 1) for line in lines]
            lines = [f"{name} = shaken({value})" for name, value in pairs]
        values = ", ".join(line.partition(" ")[0] for line in self.lines)
        body = [f"    {line}" for line in [*lines, f"return [{values}]"]]
        compute = [f"def compute({arguments}):", *body]
        both = ["plain_step = step", "step = compiled(step)"]
        return "\n".join([*self.setup, *compute, *self.step, *both])

    def __str__(self) -> str:
        return "\n".join([f"# {self.kind}, seed {self.seed}", self.text(), *self.after])

    @property
    def is_exact(self) -> bool:
        """Whether all is in C order, in which a replay computes."""
        return not REORDERS.search(" ".join([self.text(), *self.after]))

    @property
    def eps(self) -> float:
        """Of the least precise dtype in it."""
        named = re.findall(r"float\d\d", " ".join([self.text(), *self.after]))
        return max(float(np.finfo(name).eps) for name in named)

    # --- how it is drawn ---

    def draw(self) -> None:
        self.kind = self.one_of(KINDS)
        self.names = namespace(Eager)
        self.draw_setup()
        self.draw_lines()
        self.draw_step()
        self.draw_after()

    def one_of(self, choices):
        return self.rng.choice(choices)

    def often(self, share: float) -> bool:
        return self.rng.random() < share

    def run(self, line: str) -> None:
        with quiet():
            exec(line, self.names)

    def array(self, shape: str = "", dtype: str = "") -> str:
        dtype = dtype or self.rng.choices([*DTYPES], DTYPES.values())[0]
        layout = self.one_of(LAYOUTS) if self.often(0.5) else "C"
        shape = shape or self.one_of(SHAPES)
        return f"drawn({self.rng.randrange(99)}, {shape}, {dtype!r}, {layout!r})"

    def maybe_tensor(self, x: str) -> str:
        return f"Tensor({x})" if self.often(0.3) else x

    def draw_setup(self) -> None:
        arrays = [f"a{k}" for k in range(self.rng.randint(0, 3))]
        self.arguments = arrays + ["i"] * self.often(0.3) + ["n"] * self.often(0.3)
        whole = self.one_of(["int64", "int32", "int8", "uint8", "uint64"])
        self.setup = [
            *(f"{x} = {self.maybe_tensor(self.array())}" for x in [*arrays, "X0", "X1"]),
            f"holder.x = {self.array()}",
            f"C0 = Tensor({self.array()})",
            f"i = drawn(0, {self.one_of(['(2,)', '(4,)', '()'])}, {whole!r}, 'C', 0, 2)",
            f"n = {self.one_of(['2', '1.5', '-0.5', '3'])}",
            "g = 1.5",
            f"w = Tensor({self.array('(3, 2)', self.one_of(['float64', 'float32']))}, True)",
            f"model = {self.one_of(MODELS)}",
            "embedding = nn.Embedding(3, 2, rng=0)",
            "stream = Stream(3)",
            "s = Tensor(0.5)",
            "W = [w, *model.parameters(), *embedding.parameters()]",
            f"optimizer = optim.{self.one_of(OPTIMIZERS)}",
        ]
        for line in self.setup:
            self.run(line)
        self.floats = [x for x in arrays if dtype_of(self.names[x]).kind == "f"]
        if not self.floats and self.kind in ("gradient", "second derivative"):
            self.kind = "train"

    def draw_lines(self) -> None:
        """Lines that run, on arguments that are as the step will have them."""
        if self.kind in ("gradient", "second derivative"):
            for x in self.floats:
                self.run(f"{x} = Tensor(getattr({x}, 'array', {x}), True)")
        known = [*self.arguments, *self.arguments, "X0", "X1", "holder.x", "C0", "w"]
        self.lines: list[str] = []
        most = self.rng.randint(2, 10)
        for _ in range(50):
            if len(self.lines) == most:
                break
            name = f"v{len(self.lines)}"
            setup, value = self.expression(known)
            try:
                self.run("\n".join([*setup, f"{name} = {value}"]))
            except Exception:
                continue
            if is_fine(self.names[name]):
                self.setup += setup
                self.lines.append(f"{name} = {value}")
                known += [name] * 3

    def expression(self, known: list[str]) -> tuple[list[str], str]:
        """Lines to be run before the step, and an expression."""
        if self.often(0.25):
            name, k = self.one_of(EXAMPLES)
            low, high = RULES[name].domain
            call = f"c{len(self.setup)}"
            shapes = [x.shape for x in calls(RULES[name], False)[k].arrays]
            given = [f"fit({self.one_of(known)}, {shape}, {low}, {high})" for shape in shapes]
            return [f"{call} = example({name!r}, {k})"], f"{call}({', '.join(given)})"
        letters = {"x": self.one_of(known), "y": self.one_of(known)}
        letters["t"] = self.one_of([x for x in known if x[0] in "aCw"])  # of a plain x no x[i]
        letters["n"] = "n" if "n" in self.arguments else "2.5"
        return [], LETTERS.sub(lambda found: letters[found[0]], self.one_of(LINES))

    def draw_step(self) -> None:
        given = ", ".join(self.arguments)
        first = self.floats[0] if self.floats else ""
        places = tuple(self.arguments.index(x) for x in self.floats)
        forward = [f"value = loss({given}) + sum(np.sum(p * p) for p in W)", "value.backward()"]
        clip = ["optim.clip_grad_norm_(W, 1.0)"] * self.often(0.2)
        lines = {
            "value": [f"return [plain(v) for v in compute({given})]"],
            "gradient": [f"return tg.value_and_grad(loss, {places})({given})"],
            "second derivative": [
                f"slope = lambda {first}: total(tg.grad(loss, {places})({given}))",
                f"return tg.grad(slope)({first})",
            ],
            "train": [
                "optimizer.zero_grad()", *forward, *clip, "optimizer.step()",
                "return value.detach()",
            ],
            "accumulate": [*forward, "return plain(value)"],
        }[self.kind]  # fmt: skip
        if self.often(0.2):
            lines.insert(0, "s.data = 0.9 * s.data + 0.1 * plain(total([C0]))")
        if self.kind == "train" and self.often(0.2):
            lines.insert(-1, "optimizer.lr = optimizer.lr * 0.9")
        self.step = [
            f"def loss({given}):", f"    return total(compute({given}))",
            f"def step({given}):", *(f"    {line}" for line in lines),
        ]  # fmt: skip

    def draw_after(self) -> None:
        given = ", ".join(self.arguments)
        call, arrays = f"r = step({given})", [x for x in self.arguments if x != "n"]
        times = str(self.rng.randint(1, 4))
        more = [call, call, f"r = step.loop({', '.join([times, *self.arguments])})"]
        if arrays == self.arguments and arrays:
            more.append(f"r = step.scan({', '.join(f'series({x})' for x in arrays)})")
        self.after = [call, call]
        for _ in range(self.rng.randint(1, 4)):
            self.after += [*([self.change()] * self.often(0.8)), self.one_of(more)]
        self.after.append(call)

    def change(self) -> str:
        """What people do between two calls."""
        name = self.one_of(["X0", "X1", "holder.x", *self.arguments, *self.arguments])
        old = self.names["holder"].x if name == "holder.x" else self.names[name]
        shape, dtype = str(np.shape(old)), str(dtype_of(old))
        # What meets no Tensor in one of two places is read anew in the other alone: docs/jit.md.
        may_write = name in self.arguments or " ".join(self.lines).count(name) < 2
        within = [f"{name}[...] = drawn(7, {shape}, {dtype!r})", f"{name}[:1] = 1"] * may_write
        array = lambda *of: self.maybe_tensor(self.array(*of))
        if name == "n":
            return f"n = {self.one_of(['2', '1.5', '-1.5', '4'])}"
        if name == "i":
            beyond = ["i[-1] = 40", "i = i * 0 - 40"]
            return self.one_of(["i = 1 - i", "i = i[::-1]", "i[...] = 1", *beyond])
        return self.one_of([
            f"{name} = {array(shape, dtype)}", f"{name} = {array(shape, dtype)}",
            f"{name} = {array(shape)}", f"{name} = {array('', dtype)}",
            *within,
            f"C0.data = drawn(8, C0.shape, C0.dtype, {self.one_of(LAYOUTS)!r})",
            f"w.data = {self.array('(3, 2)', 'float64')}", "w.data = w.data * 1.5",
            "w.requires_grad = not w.requires_grad", "w.grad = None", "optimizer.zero_grad()",
            "w.grad = Tensor(np.ones_like(w.data))", "optimizer.lr = 0.03", "g = 2.5", "g = 3",
            "optimizer.weight_decay = 0.2", "model.eval()", "model.train()", "step.retrace()",
            f"r = plain_step({', '.join(self.arguments)})", "model = copy.deepcopy(model)",
            "w = Tensor(w.data, True)", "model.load_state_dict(model.state_dict())",
            "optimizer.load_state_dict(optimizer.state_dict())",
        ])  # fmt: skip


class Example(Program):
    """A step that is an example call of a rule, of which one input comes in some way and layout.

    Args:
        k: the number of the call among the examples of its rule, large ones or small ones.
        position: of the input among the arrays of the call.
        way: one of WAYS.
        layout: one of LAYOUTS.
        kind: "value" or "gradient".
    """

    may_fail = False

    def __init__(self, name, k, large, position, way, layout, kind) -> None:
        self.seed, self.kind, self.rng = 0, kind, random.Random(0)
        shapes = [x.shape for x in calls(RULES[name], large)[k].arrays]
        held = {"closed over": "X0", "held in a field": "holder.x"}.get(way)
        is_alone = len(shapes) == 1 and held is not None  # it becomes a Tensor, as no other is one
        form = "Tensor({})" if kind == "gradient" else "{}"
        one = "np.full((), 1.5, 'float64')"
        self.arguments, inputs = ["scale"], []
        self.setup = [
            "X0 = X1 = holder.x = np.zeros(2)", "C0 = Tensor(np.zeros(2))", "model = nn.ReLU()",
            "w = Tensor(np.ones(2), True)", "W = [w]", "optimizer = optim.SGD(W, lr=0.1)",
            "stream, s = Stream(3), Tensor(0.5)", f"call = example({name!r}, {k}, {large})",
            f"scale = {form.format(one)}",
        ]  # fmt: skip
        for j, shape in enumerate(shapes):
            x, how, order = (f"x{j}", way, layout) if j == position else (f"x{j}", "argument", "C")
            array = f"array_of({name!r}, {k}, {large}, {j}, {order!r})"
            if how == "argument":
                self.arguments.append(x)
                array = form.format(array)
            line, expression = WAYS[how]
            self.setup.append(line.format(x=x, array=array))
            expression = expression.format(x=x, shape=shape, layout=order)
            inputs.append(f"Tensor({expression})" if is_alone else expression)
        self.refusals = REFUSALS[:1] if is_alone else ()
        self.lines = [f"v0 = call({', '.join(inputs)}) * scale"]
        self.floats = self.arguments
        self.draw_step()
        run = f"r = step({', '.join(self.arguments)})"
        self.after = [run, run, run]
        if held and layout not in ("read-only", "broadcast"):
            self.after += [f"{held}[...] = 0.999 * {held}", run]


def examples(name):
    """All of them of a rule, as what makes an `Example`; but a matrix of equal rows is singular."""
    of_matrices = name.startswith("np.linalg.") or getattr(
        RULES[name].function, "__module__", ""
    ).endswith("decompositions")
    for large in (False, True):
        for k, call in enumerate(calls(RULES[name], large)):
            for j, x in enumerate(call.arrays):
                for way, layout, kind in itertools.product(WAYS, LAYOUTS, KINDS[:2]):
                    if layout == "broadcast" and of_matrices:
                        continue
                    if x.ndim or layout in ("C", "byte-swapped", "read-only"):
                        yield name, k, large, j, way, layout, kind


def is_fine(x) -> bool:
    """Whether a value is of a dtype that is computed with, finite, and not too large."""
    return dtype_of(x).kind in "biuf" and np.size(x) < 5000 and bool(np.all(np.isfinite(plain(x))))
