"""What is written for LLVM is what it reads, and does what its names say."""

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="native code needs llvmlite")

from tinygrad_slp.jit.llvm.engine import Code
from tinygrad_slp.jit.llvm.ir import (
    BIT,
    DOUBLE,
    FLAG,
    FLOAT,
    INDEX,
    NOTHING,
    POINTER,
    Array,
    Builder,
    Constant,
    Function,
    Module,
    Signature,
    Type,
    Value,
    Vector,
    Whole,
    filled,
    undefined,
)

pytestmark = pytest.mark.native
NUMBERS = {DOUBLE: ctypes.c_double, FLOAT: ctypes.c_float, INDEX: ctypes.c_int64}


def result(type: Type, emit: Callable[..., Value], *given: tuple[Type, Any]) -> Any:
    """What a function of these arguments returns, of which the instructions are emitted."""
    module = Module()
    function = Function(module, Signature(type, [t for t, _ in given]), "f")
    b = function.begin()
    b.ret(emit(b, *function.args))
    text = str(module)
    code = Code(text, lambda: text)
    signature = ctypes.CFUNCTYPE(NUMBERS[type], *(NUMBERS[t] for t, _ in given))
    return signature(code.address("f"))(*(x for _, x in given))


WHOLES = {
    "add": 17, "sub": 7, "mul": 60, "and_": 4, "or_": 13, "xor": 9, "shl": 384, "lshr": 0,
    "ashr": 0,
}  # fmt: skip
FLOATS = {"fadd": 9.5, "fsub": 5.5, "fmul": 15.0, "fdiv": 3.75, "frem": 1.5}


@pytest.mark.parametrize("name", WHOLES)
def test_instructions_of_whole_numbers(name):
    found = result(INDEX, lambda b, x, y: getattr(b, name)(x, y), (INDEX, 12), (INDEX, 5))
    assert found == WHOLES[name]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("type", [DOUBLE, FLOAT], ids=str)
def test_instructions_of_floats(name, type):
    assert (
        result(type, lambda b, x, y: getattr(b, name)(x, y), (type, 7.5), (type, 2.0))
        == (FLOATS[name])
    )


def test_shifts_of_negative_numbers():
    assert result(INDEX, lambda b, x, y: b.ashr(x, y), (INDEX, -8), (INDEX, 1)) == -4
    assert result(INDEX, lambda b, x, y: b.lshr(x, y), (INDEX, -8), (INDEX, 1)) == 2**63 - 4


SIGNS = {
    "==": (0, 1, 0), "!=": (1, 0, 1), "<": (1, 0, 0), "<=": (1, 1, 0), ">": (0, 0, 1),
    ">=": (0, 1, 1),
}  # fmt: skip
"""What is true of 2 and 3, 3 and 3, 4 and 3."""


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("icmp_signed", INDEX),
        ("icmp_unsigned", INDEX),
        ("fcmp_ordered", DOUBLE),
        ("fcmp_unordered", FLOAT),
    ],
)
def test_comparisons(name, type, sign):
    def emit(b, x, y):
        return b.zext(getattr(b, name)(sign, x, y), INDEX)

    found = tuple(result(INDEX, emit, (type, k), (type, 3)) for k in (2, 3, 4))
    assert found == SIGNS[sign]


def test_comparisons_of_what_is_below_zero_or_no_number():
    def is_less(how):
        return lambda b, x, y: b.zext(getattr(b, how)("<", x, y), INDEX)

    assert result(INDEX, is_less("icmp_signed"), (INDEX, -1), (INDEX, 1)) == 1
    assert result(INDEX, is_less("icmp_unsigned"), (INDEX, -1), (INDEX, 1)) == 0
    assert result(INDEX, is_less("fcmp_ordered"), (DOUBLE, math.nan), (DOUBLE, 1)) == 0
    assert result(INDEX, is_less("fcmp_unordered"), (DOUBLE, math.nan), (DOUBLE, 1)) == 1


@pytest.mark.parametrize("type", [DOUBLE, FLOAT], ids=str)
@pytest.mark.parametrize("x", [0.1, -0.0, 1e-320, 3e38, math.inf, -math.inf, math.nan])
def test_constants_are_exact(type, x):
    exact = np.float64(x) if type == DOUBLE else np.float32(x)
    found = result(type, lambda b: Constant(type, x))
    assert exact.tobytes() == type_of(type)(found).tobytes()
    vector = Vector(type, 4)
    every = result(type, lambda b: b.extract_element(filled(vector, x), Constant(INDEX, 2)))
    assert exact.tobytes() == type_of(type)(every).tobytes()


def type_of(type: Type) -> Any:
    return np.float64 if type == DOUBLE else np.float32


def test_conversions():
    through = {
        "sitofp": lambda b, x: b.fptosi(b.sitofp(x, DOUBLE), INDEX),
        "uitofp": lambda b, x: b.fptoui(b.uitofp(x, DOUBLE), INDEX),
        "trunc": lambda b, x: b.zext(b.trunc(x, Whole(8)), INDEX),
        "sext": lambda b, x: b.sext(b.trunc(x, FLAG), INDEX),
        "fptrunc": lambda b, x: b.fptosi(
            b.fpext(b.fptrunc(b.sitofp(x, DOUBLE), FLOAT), DOUBLE), INDEX
        ),
        "bitcast": lambda b, x: b.bitcast(b.bitcast(x, DOUBLE), INDEX),
        "not_": lambda b, x: b.not_(b.not_(x)),
        "fneg": lambda b, x: b.fptosi(b.fneg(b.fneg(b.sitofp(x, DOUBLE))), INDEX),
    }
    for name, emit in through.items():
        assert result(INDEX, emit, (INDEX, 100)) == 100, name


def test_vectors():
    def emit(b, x):
        pair = b.insert_element(undefined(Vector(DOUBLE, 2)), x, Constant(INDEX, 0))
        pair = b.insert_element(pair, Constant(DOUBLE, 5), Constant(INDEX, 1))
        turned = b.shuffle_vector(pair, pair, Constant(Vector(FLAG, 4), [1, 0, 2, 3]))
        condition = Constant(Vector(BIT, 4), [1, 0, 0, 1])
        chosen = b.select(condition, turned, filled(turned.type, 7))
        parts = [b.extract_element(chosen, Constant(INDEX, k)) for k in range(4)]
        total = parts[0]
        for part in parts[1:]:
            total = b.fadd(b.fmul(total, Constant(DOUBLE, 10)), part)
        return total

    assert result(DOUBLE, emit, (DOUBLE, 3)) == 5775


def test_memory_and_branches():
    def emit(b: Builder, n: Value) -> Value:
        """The sum of the squares below n, by way of memory, less a million if that is much."""
        place = b.room(Array(INDEX, 2), 64)
        second = b.offset(place, Constant(INDEX, 8))
        b.store(Constant(INDEX, 0), second, 8)
        before, body, after = b.block, b.append_block(), b.append_block()
        b.branch(body)
        b.position_at_end(body)
        i = b.phi(INDEX)
        b.store(b.add(b.load(second, INDEX), b.mul(i, i)), second)
        following = b.add(i, Constant(INDEX, 1))
        i.add_incoming(Constant(INDEX, 0), before)
        i.add_incoming(following, body)
        b.cbranch(b.icmp_signed("<", following, n), body, after, likely=True)
        b.position_at_end(after)
        with b.if_then(b.icmp_signed(">", b.load(second, INDEX), Constant(INDEX, 10**6))):
            b.store(b.sub(b.load(second, INDEX), Constant(INDEX, 10**6)), second)
        return b.load(second, INDEX)

    assert result(INDEX, emit, (INDEX, 10)) == 285
    assert result(INDEX, emit, (INDEX, 200)) == 2646700 - 10**6


def test_calls():
    def emit(b: Builder, x: Value) -> Value:
        signature = Signature(INDEX, [INDEX])
        twice = Function(b.module, signature, "twice")
        twice.is_internal = True
        twice.marks += ["noinline", "optnone"]
        inner = twice.begin()
        inner.ret(inner.add(*twice.args * 2))
        nothing = Function(b.module, Signature(NOTHING, [POINTER]), "nothing, at all", "noalias")
        nothing.is_internal = True
        nothing.begin().ret_void()
        b.call(nothing, [Constant(POINTER, None)])
        return b.call(twice, [b.call(twice, [x], signature)])

    assert result(INDEX, emit, (INDEX, 5)) == 20
