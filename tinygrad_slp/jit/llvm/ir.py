"""LLVM's instructions as the text that it reads: types, values, functions, and what writes them.

A builder stands in a block. Each of its methods writes a line there, and returns the value that the
line makes; nothing else is kept of it, as objects for all of it, such as llvmlite has, take a good
part of the time that it takes to compile. What an instruction does, LLVM's language reference says
under its name there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from struct import pack
from typing import Any, NamedTuple

import numpy as np

# --- types ---


class Type:
    """A type, which is its text: i64, double, ptr."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Whole(Type):
    """Whole numbers of so many bits, with a sign or without."""

    __slots__ = ("width",)

    def __init__(self, width: int) -> None:
        super().__init__(f"i{width}")
        self.width = width


class Vector(Type):
    __slots__ = ("count", "element")

    def __init__(self, element: Any, count: int) -> None:
        super().__init__(f"<{count} x {element.text}>")
        self.element, self.count = element, count


class Array(Type):
    __slots__ = ()

    def __init__(self, element: Type, count: int) -> None:
        super().__init__(f"[{count} x {element.text}]")


class Signature(NamedTuple):
    """What a function returns, and what it is given."""

    made: Type
    given: Sequence[Type]


POINTER, NOTHING = Type("ptr"), Type("void")
DOUBLE, FLOAT = Type("double"), Type("float")
BIT, BYTE, FLAG, INDEX = map(Whole, (1, 8, 32, 64))

# --- values ---


class Value:
    """Something that instructions can take.

    Attributes:
        text: its name, or what it is.
        number: the number that stands in every lane of a vector, if that is known.
    """

    __slots__ = ("number", "text", "type")

    def __init__(self, type: Any, text: str) -> None:
        self.type = type
        self.text = text
        self.number: Value | None = None

    def __str__(self) -> str:
        return f"{self.type.text} {self.text}"


class Constant(Value):
    """A number; of a vector, that in every lane, or a list of one for each; None: no pointer.

    Args:
        text: how it is written, if that is shorter.
    """

    __slots__ = ("constant",)

    def __init__(self, type: Any, constant: Any, text: str = "") -> None:
        super().__init__(type, text or written(type, constant))
        self.constant = constant


def written(type: Any, constant: Any) -> str:
    """A constant in LLVM's words; floats by their bits."""
    if isinstance(type, Vector):
        return f"<{', '.join(f'{type.element.text} {written(type.element, x)}' for x in constant)}>"
    if constant is None:
        return "null"
    if type in (DOUBLE, FLOAT):
        exact = float(np.float32(constant) if type == FLOAT else constant)
        return f"0x{pack('>d', exact).hex()}"
    return str(int(constant))


def undefined(type: Type) -> Value:
    return Value(type, "undef")


def filled(type: Any, constant: Any) -> Value:
    """A constant of this type, in every lane if it is that of a vector."""
    if not isinstance(type, Vector):
        return Constant(type, constant)
    one = f"{type.element.text} {written(type.element, constant)}"
    return Constant(type, constant, f"splat ({one})")


class Phi(Value):
    """What a block finds, depending on where it is entered from."""

    __slots__ = ("incoming",)

    def __init__(self, type: Any, text: str) -> None:
        super().__init__(type, text)
        self.incoming: list[str] = []

    def add_incoming(self, x: Value, block: "Block") -> None:
        self.incoming.append(f"[{x.text}, %{block.name}]")

    @property
    def line(self) -> str:
        return f"{self.text} = phi {self.type.text} {', '.join(self.incoming)}"


# --- functions ---


class Block:
    """Lines of which the last one says where to go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str | Phi] = []
        self.is_ended = False

    def __str__(self) -> str:
        lines = (x.line if isinstance(x, Phi) else x for x in self.lines)
        return "\n".join((f"{self.name}:", *lines))


LIKELY = (0, 1), (1, 99)
"""Numbers of what says how likely a condition is, and how many of a hundred times it is true."""


class Module:
    """Functions, by their names."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}

    def __str__(self) -> str:
        weights = (f'!{k} = !{{!"branch_weights", i32 {n}, i32 {100 - n}}}' for k, n in LIKELY)
        return "\n".join((*map(str, self.functions.values()), *weights))


class Function(Value):
    """A function of a module; another module's or library's, if it has no blocks.

    Attributes:
        args: what it is given.
        marks: words that LLVM knows, such as noinline.
        is_internal: whether only its module knows it.
        stack: the lines that make room for it.
    """

    def __init__(
        self, module: Module, signature: Signature, name: str, argument_marks: str = ""
    ) -> None:
        super().__init__(POINTER, f'@"{name}"')
        self.module = module
        self.signature = signature
        self.argument_marks = argument_marks
        self.args = [Value(type, f"%a{k}") for k, type in enumerate(signature.given)]
        self.blocks: list[Block] = []
        self.stack: list[str] = []
        self.marks: list[str] = []
        self.is_internal = False
        self.names = 0
        module.functions[name] = self

    def new_name(self) -> str:
        self.names += 1
        return f"%v{self.names}"

    def append_block(self) -> Block:
        self.blocks.append(Block(f"b{len(self.blocks)}"))
        return self.blocks[-1]

    def begin(self) -> "Builder":
        """A builder at its beginning."""
        return Builder(self, self.append_block())

    def __str__(self) -> str:
        kind = "define" if self.blocks else "declare"
        kind += " internal" * self.is_internal
        given = (f"{x.type.text} {self.argument_marks} {x.text}" for x in self.args)
        head = f"{kind} {self.signature.made.text} {self.text}({', '.join(given)})"
        if not self.blocks:
            return head
        first, *others = self.blocks
        name, _, lines = str(first).partition("\n")
        return "\n".join(
            (f"{head} {' '.join(self.marks)} {{", name, *self.stack, lines, *map(str, others), "}")
        )


# --- what writes them ---


def of_two(name: str) -> Callable[["Builder", Value, Value], Value]:
    """An instruction of two numbers, or of two vectors."""

    def write(self: "Builder", x: Value, y: Value) -> Value:
        return self.write(x.type, f"{name} {x.type.text} {x.text}, {y.text}")

    return write


def cast(name: str) -> Callable[["Builder", Value, Type], Value]:
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
        type = Vector(BIT, x.type.count) if isinstance(x.type, Vector) else BIT
        return self.write(type, f"{name} {codes[sign]} {x.type.text} {x.text}, {y.text}")

    return write


class Builder:
    """Writes instructions where it stands: at the end of a block of a function."""

    def __init__(self, function: Function, block: Block) -> None:
        self.function = function
        self.module = function.module
        self.position_at_end(block)

    def position_at_end(self, block: Block) -> None:
        self.block = block
        self.lines = block.lines

    def append_block(self) -> Block:
        return self.function.append_block()

    def write(self, type: Any, text: str) -> Value:
        name = self.function.new_name()
        self.lines.append(f"{name} = {text}")
        return Value(type, name)

    # --- numbers ---

    add, sub, mul = map(of_two, ("add", "sub", "mul"))
    fadd, fsub, fmul, fdiv, frem = map(of_two, ("fadd", "fsub", "fmul", "fdiv", "frem"))
    and_, or_, xor = map(of_two, ("and", "or", "xor"))
    shl, lshr, ashr = map(of_two, ("shl", "lshr", "ashr"))
    zext, sext, trunc, bitcast = map(cast, ("zext", "sext", "trunc", "bitcast"))
    fpext, fptrunc = map(cast, ("fpext", "fptrunc"))
    sitofp, uitofp, fptosi, fptoui = map(cast, ("sitofp", "uitofp", "fptosi", "fptoui"))
    icmp_signed, icmp_unsigned = comparison("icmp", "s"), comparison("icmp", "u")
    fcmp_ordered, fcmp_unordered = comparison("fcmp", "o"), comparison("fcmp", "u")

    def fneg(self, x: Value) -> Value:
        return self.write(x.type, f"fneg {x}")

    def not_(self, x: Value) -> Value:
        return self.xor(x, filled(x.type, -1))

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return self.write(x.type, f"select {condition}, {x}, {y}")

    # --- vectors ---

    def extract_element(self, x: Value, k: Value) -> Value:
        return self.write(x.type.element, f"extractelement {x}, {k}")

    def insert_element(self, x: Value, number: Value, k: Value) -> Value:
        return self.write(x.type, f"insertelement {x}, {number}, {k}")

    def shuffle_vector(self, x: Value, y: Value, mask: Value) -> Value:
        type = Vector(x.type.element, mask.type.count)
        return self.write(type, f"shufflevector {x}, {y}, {mask}")

    # --- memory ---

    def load(self, pointer: Value, type: Any, align: int = 0, volatile: bool = False) -> Value:
        aligned = f", align {align}" if align else ""
        how = "load volatile" if volatile else "load"
        return self.write(type, f"{how} {type.text}, ptr {pointer.text}{aligned}")

    def store(self, x: Value, pointer: Value, align: int = 0) -> None:
        aligned = f", align {align}" if align else ""
        self.lines.append(f"store {x.type.text} {x.text}, ptr {pointer.text}{aligned}")

    def offset(self, pointer: Value, n: Value) -> Value:
        """A pointer n bytes further on."""
        return self.write(POINTER, f"getelementptr i8, ptr {pointer.text}, {n}")

    def room(self, type: Type, align: int) -> Value:
        """A pointer to a place for this type, until the function returns."""
        name = self.function.new_name()
        self.function.stack.append(f"{name} = alloca {type.text}, align {align}")
        return Value(POINTER, name)

    # --- where it goes on ---

    def call(self, function: Any, given: Sequence[Value], signature: Any = None) -> Value:
        """Calls a function, or what stands at a pointer to one of this signature."""
        made = (signature or function.signature).made
        text = f"call {made.text} {function.text}({', '.join(map(str, given))})"
        if made is not NOTHING:
            return self.write(made, text)
        self.lines.append(text)
        return undefined(made)

    def phi(self, type: Any) -> Phi:
        x = Phi(type, self.function.new_name())
        self.lines.append(x)
        return x

    def branch(self, block: Block) -> None:
        self.end(f"br label %{block.name}")

    def cbranch(
        self, condition: Value, block: Block, otherwise: Block, likely: bool | None = None
    ) -> None:
        """Goes on in one of two blocks.

        Args:
            likely: whether the condition is; None: it is not known.
        """
        text = f"br {condition}, label %{block.name}, label %{otherwise.name}"
        self.end(text if likely is None else f"{text}, !prof !{int(likely)}")

    def ret(self, x: Value) -> None:
        self.end(f"ret {x}")

    def ret_void(self) -> None:
        self.end("ret void")

    def end(self, text: str) -> None:
        self.lines.append(text)
        self.block.is_ended = True

    @contextmanager
    def if_then(self, condition: Value, likely: bool | None = None) -> Iterator[None]:
        """Within it, what is done if a condition holds."""
        block, after = self.append_block(), self.append_block()
        self.cbranch(condition, block, after, likely)
        self.position_at_end(block)
        yield
        if not self.block.is_ended:
            self.branch(after)
        self.position_at_end(after)
