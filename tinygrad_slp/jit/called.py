"""Objects of which native code may take the calls, by CPython's vectorcall protocol (PEP 590).

To call an object, Python makes a tuple of the arguments and looks for a `__call__`, which takes as
long as a small step. It does not if there stands, at a place in the object that its class names,
the address of a function; where there is none, `__call__` takes the call as ever. A class written
in Python cannot name such a place: this base does, and a flag of the class says so.
"""

import ctypes
import sys
from contextlib import suppress
from typing import Any, TypeVar

C = TypeVar("C", bound=type)

FUNCTION, HOLDER = 16, 24
"""Where an object has the address of what takes its calls, and of what that needs."""
BYTES = 32
"""Of an object: these two, and what all objects begin with."""
BASETYPE, HAVE_VECTORCALL = 1 << 10, 1 << 11
"""Flags of classes: that others may derive from them, and that they name such a place."""
MEMBERS = 72
"""The number of what tells CPython of the fields of a class: Py_tp_members."""
IS_A_SIZE, READ_ONLY = 19, 1


class Member(ctypes.Structure):
    """PyMemberDef: a field."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class Slot(ctypes.Structure):
    """PyType_Slot: something that CPython is told of a class."""

    _fields_ = (("number", ctypes.c_int), ("content", ctypes.c_void_p))


class Spec(ctypes.Structure):
    """PyType_Spec: a class."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("size", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(Slot)),
    )


def is_possible() -> bool:
    """Whether the objects of this Python can be such, as far as has been tried."""
    is_known = sys.implementation.name == "cpython" and sys.version_info < (3, 15)
    one_at_a_time = getattr(sys, "_is_gil_enabled", lambda: True)()
    return is_known and one_at_a_time and object.__basicsize__ == FUNCTION


def base() -> Any:
    """A class whose objects have room for the two words."""
    if not is_possible():
        return object
    place = Member(b"__vectorcalloffset__", IS_A_SIZE, FUNCTION, READ_ONLY, None)
    members = (Member * 2)(place)
    slots = (Slot * 2)(Slot(MEMBERS, ctypes.addressof(members)))
    spec = Spec(f"{__name__}.Base".encode(), BYTES, 0, BASETYPE, slots)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(Spec))
    return make(("PyType_FromSpec", ctypes.pythonapi))(spec)


Base = base()


def natively(cls: C) -> C:
    """Decorates a class derived from `Base`: native code may take the calls of its objects.

    Where its flags are not found in its memory, `__call__` takes them all.
    """
    if Base is not object:
        metaclass: Any = type(cls)
        words = (ctypes.c_uint64 * (metaclass.__basicsize__ // 8)).from_address(id(cls))
        with suppress(ValueError):
            words[list(words).index(cls.__flags__)] |= HAVE_VECTORCALL
    return cls


def take_calls(x: Any, function: int, holder: Any) -> None:
    """Has a native function take the calls of an object; 0: `__call__` does.

    Args:
        holder: what the function finds in the object; somebody must hold it.
    """
    if Base is not object:
        place = ctypes.c_void_p.from_address(id(x) + FUNCTION)
        place.value = 0  # first, as another thread may call it between these lines
        ctypes.c_void_p.from_address(id(x) + HOLDER).value = id(holder)
        place.value = function
