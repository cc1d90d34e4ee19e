"""LLVM's instructions as the text that it reads: types, values, functions, and what writes them.

A builder is at the end of a block. Each of its methods writes a line there, and returns the value
that the line makes; nothing else is kept of it, as objects for all of it, such as llvmlite has,
take a good part of the time that it takes to compile. What an instruction does, LLVM's language
reference says under its name.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from struct import pack
from typing import Any

import numpy as np

# --- types ---


class Type:
    """Numbers of one kind, side by side; one number alone is no vector. Equal types are identical.

    Attributes:
        one: the type of one of these numbers.
        width: bits of a whole number.
    """

    __slots__ = ("count", "one", "text", "width")

    def __init__(self, text: str, width: int = 0, one: "Type | None" = None, count: int = 1):
        self.text, self.width, self.one, self.count = text, width, one or self, count

    def __str__(self) -> str:
        return self.text


POINTER, NOTHING, DOUBLE, FLOAT = map(Type, ("ptr", "void", "double", "float"))


@cache
def whole(width: int) -> Type:
    """Whole numbers of so many bits, with a sign or without."""
    return Type(f"i{width}", width)


@cache
def vector(one: Type, n: int) -> Type:
    return one if n == 1 else Type(f"<{n} x {one.text}>", one.width, one, n)


BIT, BYTE, FLAG, INDEX = map(whole, (1, 8, 32, 64))

# --- values ---


class Value:
    """Something that instructions can take.

    Attributes:
        text: its name, or what it is.
        constant: the number that it is, or each of its lanes; None, if that is not known.
    """

    __slots__ = ("constant", "text", "type")

    def __init__(self, type: Type, text: str, constant: Any = None) -> None:
        self.type, self.text, self.constant = type, text, constant

    def __str__(self) -> str:
        return f"{self.type.text} {self.text}"


def written(one: Type, number: Any) -> str:
    """A number in LLVM's words; floats by their bits."""
    if one.width:
        return str(int(number))
    return f"0x{pack('>d', float(np.float32(number) if one is FLOAT else number)).hex()}"


def filled(type: Type, number: Any) -> Value:
    """A constant, in every lane."""
    text = written(type.one, number)
    return Value(type, text if type.count == 1 else f"splat ({type.one.text} {text})", number)


def listed(one: Type, numbers: Sequence[Any]) -> Value:
    """A vector of these constants."""
    text = ", ".join([f"{one.text} {written(one, x)}" for x in numbers])
    return Value(vector(one, len(numbers)), f"<{text}>")


def undefined(type: Type) -> Value:
    return Value(type, "undef")


class Phi(Value):
    """What a block finds, depending on where it is entered from."""

    __slots__ = ("incoming",)

    def __init__(self, type: Type, text: str) -> None:
        super().__init__(type, text)
        self.incoming: list[str] = []

    def add_incoming(self, x: Value, block: "BasicBlock") -> None:
        self.incoming.append(f"[{x.text}, %{block.name}]")

    @property
    def line(self) -> str:
        return f"{self.text} = phi {self.type.text} {', '.join(self.incoming)}"


# --- functions ---


class BasicBlock:
    """Lines of which the last one says where to go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str | Phi] = []

    def __str__(self) -> str:
        lines = (x.line if isinstance(x, Phi) else x for x in self.lines)
        return "\n".join((f"{self.name}:", *lines))


class Module:
    """Functions, by their names."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}

    def __str__(self) -> str:
        weights = '!0 = !{!"branch_weights", i32 1, i32 99}'  # of what is unlikely
        return "\n".join((*map(str, self.functions.values()), weights))


class Function(Value):
    """A function of a module; another module's or library's, if it has no blocks.

    Args:
        made: what it returns.
        given: what it is given.
        marks: words that LLVM knows, such as noinline.
        shared: whether other modules know it.
        argument_marks: words for each of its arguments.
    """

    def __init__(
        self,
        module: Module,
        name: str,
        made: Type,
        given: Sequence[Type],
        marks: str = "",
        shared: bool = True,
        argument_marks: str = "",
    ) -> None:
        super().__init__(POINTER, f'@"{name}"')
        self.module, self.made, self.marks = module, made, marks
        self.linkage = "" if shared else "internal"
        self.argument_marks = argument_marks
        self.args = [Value(type, f"%a{k}") for k, type in enumerate(given)]
        self.blocks: list[BasicBlock] = []
        self.stack: list[str] = []  # the lines that make room for it
        self.names = 0
        module.functions[name] = self

    def new_name(self) -> str:
        self.names += 1
        return f"%v{self.names}"

    def append_block(self) -> BasicBlock:
        self.blocks.append(BasicBlock(f"b{len(self.blocks)}"))
        return self.blocks[-1]

    def begin(self) -> "Builder":
        """A builder at its beginning."""
        return Builder(self, self.append_block())

    def __str__(self) -> str:
        given = ", ".join(f"{x.type.text} {self.argument_marks} {x.text}" for x in self.args)
        head = f"{self.linkage} {self.made.text} {self.text}({given})"
        if not self.blocks:
            return f"declare {head}"
        name, _, lines = str(self.blocks[0]).partition("\n")
        body = "\n".join((name, *self.stack, lines, *map(str, self.blocks[1:])))
        return f"define {head} {self.marks} {{\n{body}\n}}"


# --- what writes them ---


def of_two(name: str) -> Callable[["Builder", Value, Value], Value]:
    """An instruction of two numbers, or of two vectors."""

    def write(self: "Builder", x: Value, y: Value) -> Value:
        return self.write(x.type, f"{name} {x.type.text} {x.text}, {y.text}")

    return write


def to_type(name: str) -> Callable[["Builder", Value, Type], Value]:
    """The same number, or the same numbers, in another type."""

    def write(self: "Builder", x: Value, type: Type) -> Value:
        return self.write(type, f"{name} {x.type.text} {x.text} to {type.text}")

    return write


def comparison(name: str, prefix: str) -> Callable[["Builder", str, Value, Value], Value]:
    """A comparison by a sign: ==, !=, <, <=, >, >=."""
    words = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    same = ("eq", "ne") if name == "icmp" else ()  # with a sign or without
    codes = {sign: word if word in same else prefix + word for sign, word in words.items()}

    def write(self: "Builder", sign: str, x: Value, y: Value) -> Value:
        type = vector(BIT, x.type.count)
        return self.write(type, f"{name} {codes[sign]} {x.type.text} {x.text}, {y.text}")

    return write


class Builder:
    """Writes instructions at the end of a block of a function."""

    def __init__(self, function: Function, block: BasicBlock) -> None:
        self.function, self.module = function, function.module
        self.position_at_end(block)

    def position_at_end(self, block: BasicBlock) -> None:
        self.block, self.lines = block, block.lines

    def append_block(self) -> BasicBlock:
        return self.function.append_block()

    def write(self, type: Type, text: str) -> Value:
        name = self.function.new_name()
        self.lines.append(f"{name} = {text}")
        return Value(type, name)

    # --- numbers and vectors ---

    add, sub, mul = map(of_two, ("add", "sub", "mul"))
    fadd, fsub, fmul, fdiv, frem = map(of_two, ("fadd", "fsub", "fmul", "fdiv", "frem"))
    and_, or_, xor = map(of_two, ("and", "or", "xor"))
    shl, lshr, ashr = map(of_two, ("shl", "lshr", "ashr"))
    zext, sext, trunc, bitcast = map(to_type, ("zext", "sext", "trunc", "bitcast"))
    fpext, fptrunc = map(to_type, ("fpext", "fptrunc"))
    sitofp, uitofp, fptosi, fptoui = map(to_type, ("sitofp", "uitofp", "fptosi", "fptoui"))
    icmp_signed, icmp_unsigned = comparison("icmp", "s"), comparison("icmp", "u")
    fcmp_ordered, fcmp_unordered = comparison("fcmp", "o"), comparison("fcmp", "u")

    def fneg(self, x: Value) -> Value:
        return self.write(x.type, f"fneg {x}")

    def not_(self, x: Value) -> Value:
        return self.xor(x, filled(x.type, -1))

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return self.write(x.type, f"select {condition}, {x}, {y}")

    def extract_element(self, x: Value, k: int) -> Value:
        return self.write(x.type.one, f"extractelement {x}, i64 {k}")

    def insert_element(self, x: Value, number: Value, k: int) -> Value:
        return self.write(x.type, f"insertelement {x}, {number}, i64 {k}")

    def shuffle_vector(self, x: Value, y: Value, mask: Value) -> Value:
        return self.write(vector(x.type.one, mask.type.count), f"shufflevector {x}, {y}, {mask}")

    # --- memory ---

    def load(self, pointer: Value, type: Type, align: int = 8, how: str = "load") -> Value:
        return self.write(type, f"{how} {type.text}, ptr {pointer.text}, align {align}")

    def store(self, x: Value, pointer: Value, align: int = 8) -> None:
        self.lines.append(f"store {x}, ptr {pointer.text}, align {align}")

    def offset(self, pointer: Value, n: Value) -> Value:
        """A pointer n bytes further on."""
        return self.write(POINTER, f"getelementptr i8, ptr {pointer.text}, {n}")

    def room(self, nbytes: int) -> Value:
        """A pointer to so many bytes of memory, until the function returns."""
        name = self.function.new_name()
        self.function.stack.append(f"{name} = alloca [{nbytes} x i8], align 64")
        return Value(POINTER, name)

    # --- where it goes on ---

    def call(self, function: Function, given: Sequence[Value]) -> Value:
        made = function.made
        text = f"call {made.text} {function.text}({', '.join(map(str, given))})"
        if made is not NOTHING:
            return self.write(made, text)
        self.lines.append(text)
        return undefined(made)

    def phi(self, type: Type) -> Phi:
        x = Phi(type, self.function.new_name())
        self.lines.append(x)
        return x

    def branch(self, block: BasicBlock) -> None:
        self.lines.append(f"br label %{block.name}")

    def cbranch(
        self, condition: Value, block: BasicBlock, otherwise: BasicBlock, unlikely: bool
    ) -> None:
        """Goes on in one of two blocks."""
        weights = ", !prof !0" if unlikely else ""
        self.lines.append(f"br {condition}, label %{block.name}, label %{otherwise.name}{weights}")

    def ret(self, x: Value | None = None) -> None:
        self.lines.append(f"ret {x}" if x else "ret void")

    @contextmanager
    def if_rare(self, condition: Value) -> Iterator[None]:
        """Within it, what is done if a condition holds, which it seldom does."""
        block, after = self.append_block(), self.append_block()
        self.cbranch(condition, block, after, unlikely=True)
        self.position_at_end(block)
        yield
        self.branch(after)
        self.position_at_end(after)
