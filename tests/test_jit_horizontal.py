"""Horizontal fusion: what the NumPy replay does to all small parameters at once, and when not."""

import numpy as np
import pytest

from tinygrad_slp import Tensor, jit, nn, no_grad, optim

X = np.random.default_rng(0).standard_normal((8, 4))
Y = np.random.default_rng(1).integers(0, 3, 8)


def network():
    return nn.Sequential(nn.Linear(4, 6, rng=0), nn.Tanh(), nn.Linear(6, 3, rng=1))


def training(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def replayed(step, *arguments, times=4):
    """A step compiled for the NumPy replay, after some calls."""
    compiled = jit(step, backend="numpy")
    for _ in range(times):
        compiled(*arguments)
    return compiled


def groups(compiled):
    """How many places stand side by side, for each group that does."""
    places = compiled.latest.engine.program.inputs
    return [len(place.holder) for place in places if place.kind == "together"]


def array_of(x):
    return x.data if isinstance(x, Tensor) else np.asarray(x)


def same_bits(xs, ys):
    return all(array_of(x).tobytes() == array_of(y).tobytes() for x, y in zip(xs, ys, strict=True))


RULES = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: optim.Adam(p, amsgrad=True, weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p),
    "nadam": lambda p: optim.NAdam(p),
    "rmsprop": lambda p: optim.RMSprop(p, centered=True, momentum=0.9),
    "adagrad": lambda p: optim.Adagrad(p),
    "lion": lambda p: optim.Lion(p),
}


@pytest.mark.parametrize("rule", RULES)
def test_every_optimizer_updates_all_small_parameters_at_once_with_the_same_bits(rule):
    model, twin = network(), network()
    compiled = replayed(training(model, RULES[rule](model.parameters())), X, Y)
    eager = training(twin, RULES[rule](twin.parameters()))
    for _ in range(4):
        eager(X, Y)
    assert set(groups(compiled)) == {4}
    assert same_bits(compiled.loop(5, X, Y), [eager(X, Y) for _ in range(5)])
    assert same_bits(model.state_dict().values(), twin.state_dict().values())


def test_an_update_is_one_call_for_all_parameters():
    model = network()
    compiled = replayed(training(model, optim.SGD(model.parameters(), lr=0.1)), X, Y)
    program = compiled.latest.engine.program
    assert [len(x.inputs) for x in program.nodes if x.function.__name__ == "join"] == [4]
    assert len(program.stores) == 1
    assert "model.layers[0].weight, model.layers[0].bias" in str(compiled.program)


def test_gradients_are_computed_where_their_join_stands():
    model = network()
    compiled = replayed(training(model, optim.SGD(model.parameters(), lr=0.1)), X, Y)
    plan = compiled.latest.engine.plan
    (joined,) = (x for x in compiled.latest.engine.program.nodes if x.function.__name__ == "join")
    whole = plan.arrays[joined.order]
    assert all(np.shares_memory(whole, plan.arrays[x.order]) for x in joined.inputs)
    assert not plan.copies


def test_parameters_with_another_learning_rate_are_updated_apart():
    model = network()
    layers = [
        {"params": model.layers[0].parameters()},
        {"params": model.layers[2].parameters(), "lr": 0.01},
    ]
    compiled = replayed(training(model, optim.SGD(layers, lr=0.1)), X, Y)
    assert groups(compiled) == [2, 2]


def test_large_parameters_stand_alone():
    model = nn.Sequential(nn.Linear(4, 600, rng=0), nn.Tanh(), nn.Linear(600, 3, rng=1))
    compiled = replayed(training(model, optim.SGD(model.parameters(), lr=0.1)), X, Y)
    assert groups(compiled) == [3]  # 19,200 bytes are too many, 14,400 are not


def test_of_two_dtypes_each_stands_with_its_own():
    a, b, c, d = (Tensor(np.ones(3), requires_grad=True, dtype=t) for t in ("f4", "f8", "f4", "f8"))

    def step():
        with no_grad():
            for p in (a, b, c, d):
                p.data = p.data * 0.5 + 1

    assert groups(replayed(step)) == [2, 2]


# --- steps whose parts depend on one another ---

M = np.array([[0.5, 0.25, 0.0], [0.0, 0.5, 0.25], [0.25, 0.0, 0.5]])


def chain(p):
    """Each reads what was computed for the one before."""
    p["a"] = p["a"] * 0.5
    p["b"] = p["b"] * 0.5 + p["a"]


def alternating(p):
    """The update of b needs the one of a, in the same way as that needs the old b."""
    p["a"] = p["a"] - M @ p["b"]
    p["b"] = p["b"] - M @ p["a"]


def swapping(p):
    p["a"], p["b"] = p["b"] * 1.5, p["a"] * 1.5


def reading_what_is_written_alone(p):
    """a and b are read side by side, but a alone is written."""
    p["c"], p["d"] = p["c"] + p["a"], p["d"] + p["b"]
    p["a"] = M @ p["a"]


def reading_in_two_orders(p):
    p["c"], p["d"] = p["c"] + p["a"], p["d"] + p["b"]
    p["e"], p["f"] = p["e"] * 0.5 + p["b"], p["f"] * 0.5 + p["a"]


def reading_the_same(p):
    p["c"], p["d"] = p["c"] + p["a"], p["d"] + p["a"]


def keeping_a_part(p):
    """A part of the join is stored, and a value of the size of the join is computed later."""
    step = M @ p["a"], M @ p["b"]
    p["a"], p["b"] = p["a"] - step[0], p["b"] - step[1]
    p["e"] = step[1]
    p["z"] = np.tanh(np.exp(M @ p["z"]))


def averaging_twice(p):
    """New values do not depend on the old ones, which are read one by one: in products alone."""
    step = M @ p["a"], M @ p["b"]
    p["c"], p["d"] = p["c"] + step[0], p["d"] + step[1]
    p["a"], p["b"] = p["c"] * -0.1, p["d"] * -0.1


def nearly_the_same_numbers(p):
    p["a"], p["b"] = p["a"] * np.array(0.12345678912), p["b"] * np.array(0.12345678999)


def written_as_one_and_as_another(p):
    """c and d are written alike but read beside one written otherwise."""
    p["e"], p["f"] = p["e"] + p["c"], p["f"] + p["a"]
    p["c"], p["d"] = p["c"] * 0.5, p["d"] * 0.5


def written_in_two_ways(p):
    """a and b are read side by side, and written in two ways."""
    p["c"], p["d"] = p["c"] + p["a"], p["d"] + p["b"]
    p["a"], p["b"] = p["a"] * 0.5, p["b"] - 0.5


def stepping_to_what_is_computed(p):
    """a and b are read side by side, and become what no function of each element gives."""
    p["c"], p["d"] = p["c"] + p["a"], p["d"] + p["b"]
    p["a"], p["b"] = M @ p["c"], M @ p["d"]


STEPS = [
    averaging_twice, nearly_the_same_numbers, written_in_two_ways, written_as_one_and_as_another,
    stepping_to_what_is_computed,
    chain, alternating, swapping, reading_what_is_written_alone, reading_in_two_orders,
    reading_the_same, keeping_a_part,
]  # fmt: skip


def compared(change, values):
    """Whether a change of parameters, replayed, leaves the bits that it leaves when run."""
    tensors = {name: Tensor(x) for name, x in values.items()}

    def step():
        arrays = {name: t.data for name, t in tensors.items()}
        before = dict(arrays)
        change(arrays)
        for name, x in arrays.items():
            if x is not before[name]:
                tensors[name].data = x

    compiled = replayed(step)
    compiled.loop(2)
    for _ in range(6):
        change(values)
    return compiled, same_bits(tensors.values(), values.values())


@pytest.mark.parametrize("change", STEPS)
def test_steps_whose_parts_depend_on_one_another(change):
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal(3) for name in "abcdef"}
    values["z"] = rng.standard_normal((3, 2))
    assert compared(change, values)[1]


ONE = [np.negative, np.tanh, lambda x: x * 0.5, lambda x: 1 - x, lambda x: M @ x, np.copy]
TWO = [np.add, np.subtract, np.maximum, lambda x, y: x - 0.1 * y, lambda x, y: x * (M @ y)]


def random_change(rng):
    """Some statements, each done to two or three of the names, as to parameters of an optimizer."""
    statements = []
    for _ in range(rng.integers(1, 4)):
        f = (ONE + TWO)[rng.integers(len(ONE + TWO))]
        rows = [list(rng.permutation(list("abcdef"))[: rng.integers(2, 4)]) for _ in range(3)]
        if rng.random() < 0.6:
            rows[1] = rows[0]
        statements += [(f, row) for row in zip(*rows, strict=False)]

    def change(p):
        for f, (name, x, y) in statements:
            y = f(p[x]) if f in ONE else f(p[x], p[y])
            p[name] = np.minimum(np.maximum(y, -9.0), 9.0)

    return change


@pytest.mark.parametrize("seed", range(60))
def test_random_steps_leave_the_same_bits(seed):
    rng = np.random.default_rng(seed)
    values = {name: rng.standard_normal(3) for name in "abcdef"}
    assert compared(random_change(rng), values)[1]


def test_an_average_of_weights_is_kept_beside_them():
    model = network()
    averages = [Tensor(p.data.copy()) for p in model.parameters()]
    twin, copies = network(), [p.data.copy() for p in model.parameters()]

    def followed(model, rule, update):
        step = training(model, rule)

        def both(x, y):
            loss = step(x, y)
            update()
            return loss

        return both

    def move():
        with no_grad():
            for average, p in zip(averages, model.parameters(), strict=True):
                average.data = average.data * 0.9 + p.data * 0.1

    def move_copies():
        for k, p in enumerate(twin.parameters()):
            copies[k] = copies[k] * 0.9 + p.data * 0.1

    compiled = replayed(followed(model, optim.SGD(model.parameters(), lr=0.1), move), X, Y)
    eager = followed(twin, optim.SGD(twin.parameters(), lr=0.1), move_copies)
    for _ in range(4):
        eager(X, Y)
    assert groups(compiled) == [4, 4]
    assert same_bits([t.data for t in averages], copies)


def test_new_and_old_values_may_be_returned():
    a, b = (Tensor(np.full(3, v), requires_grad=True) for v in (1.0, 2.0))

    def step():
        with no_grad():
            old = a.data + 0, b.data
            a.data = a.data * 2
            b.data = b.data * 2
        return *old, a.data, b.data

    compiled = replayed(step, times=3)
    assert groups(compiled) == [2]
    assert [x[0] for x in compiled()] == [8, 16, 16, 32]
    assert [x[-1].tolist() for x in compiled.loop(2)] == [[32] * 3, [64] * 3, [64] * 3, [128] * 3]


def test_what_somebody_took_of_one_parameter_stays_as_it_was():
    model = network()
    compiled = replayed(training(model, optim.SGD(model.parameters(), lr=0.1)), X, Y)
    weight, bias = model.layers[0].weight, model.layers[2].bias
    taken, part = weight.data, bias.data[1:]
    before = taken.copy(), part.copy()
    compiled.loop(3, X, Y)
    assert same_bits(before, (taken, part))
    assert not np.array_equal(weight.data, taken)


def test_a_parameter_set_between_steps_is_seen():
    model, twin = network(), network()
    compiled = replayed(training(model, optim.SGD(model.parameters(), lr=0.1)), X, Y)
    eager = training(twin, optim.SGD(twin.parameters(), lr=0.1))
    for _ in range(4):
        eager(X, Y)
    for m in (model, twin):
        m.layers[0].bias.data = np.full(6, 0.5)
    assert same_bits([compiled(X, Y).data], [eager(X, Y).data])
    assert same_bits(model.state_dict().values(), twin.state_dict().values())
