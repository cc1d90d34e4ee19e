"""Native code takes the calls of objects that say so, and Python all others."""

import ctypes
import gc
import sys
import weakref

import pytest

from tinygrad_slp.jit import called
from tinygrad_slp.jit.called import Base, natively, take_calls

ARGUMENTS = 1 << 63
"""The flag that CPython may add to the number of arguments."""

pytestmark = pytest.mark.skipif(Base is object, reason="this Python has no known vectorcall")


@natively
class Asked(Base):
    def __init__(self, x=0):
        self.x = x

    def __call__(self, *args, **kwargs):
        return "Python", self.x, args, kwargs


@ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.py_object, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p
)
def native(x, args, n, names):
    n &= ~ARGUMENTS
    named = ctypes.cast(names, ctypes.py_object).value if names else ()
    given = (ctypes.py_object * (n + len(named))).from_address(args) if n or named else ()
    return "native", x.x, tuple(given[:n]), dict(zip(named, given[n:], strict=True))


ADDRESS = ctypes.cast(native, ctypes.c_void_p).value


def test_python_takes_calls_at_first_and_again():
    x = Asked(7)
    assert x(1, a=2) == ("Python", 7, (1,), {"a": 2})
    take_calls(x, ADDRESS, None)
    take_calls(x, 0, None)
    assert x(1, a=2) == ("Python", 7, (1,), {"a": 2})


@pytest.mark.parametrize("args", [(), (1,), (1, "b", None)])
@pytest.mark.parametrize("kwargs", [{}, {"a": 2, "b": 3}])
def test_native_code_is_given_all_arguments(args, kwargs):
    x = Asked(7)
    take_calls(x, ADDRESS, None)
    assert x(*args, **kwargs) == ("native", 7, args, kwargs)
    assert next(map(x, [4])) == ("native", 7, (4,), {})
    assert Asked(8)(1) == ("Python", 8, (1,), {})


def test_the_method_itself_is_pythons():
    x = Asked()
    take_calls(x, ADDRESS, None)
    assert x.__call__(1) == ("Python", 0, (1,), {})


def test_native_code_finds_what_it_needs():
    x, holder = Asked(), object()
    take_calls(x, ADDRESS, holder)
    assert ctypes.c_void_p.from_address(id(x) + called.HOLDER).value == id(holder)
    before = sys.getrefcount(holder)
    take_calls(x, 0, None)
    assert sys.getrefcount(holder) == before


def test_at_no_time_a_function_stands_there_without_what_it_needs():
    x, holders, seen = Asked(), [object(), object()], []

    def look(frame, event, argument):
        if frame.f_code is take_calls.__code__:
            places = (id(x) + at for at in (called.FUNCTION, called.HOLDER))
            seen.append([ctypes.c_void_p.from_address(place).value for place in places])
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        for function, holder in (ADDRESS, holders[0]), (0, None), (ADDRESS, holders[1]):
            take_calls(x, function, holder)
    finally:
        sys.settrace(before)
    assert len(seen) > 12
    assert {holder for function, holder in seen if function} == {*map(id, holders)}


def test_objects_are_collected_like_others():
    x = Asked(3)
    take_calls(x, ADDRESS, None)
    x.x, there = [x], weakref.ref(x)
    del x
    gc.collect()
    assert there() is None


def test_a_class_derived_from_it_is_asked_by_python():
    class Derived(Asked):
        def __call__(self, *args):
            return "derived"

    assert Derived()(1) == "derived"


def test_other_pythons_have_objects_as_ever(monkeypatch):
    monkeypatch.setattr(called, "is_possible", lambda: False)
    assert called.base() is object
    monkeypatch.setattr(called, "Base", object)

    @called.natively
    class Plain:
        def __call__(self, x):
            return x

    x = Plain()
    called.take_calls(x, 12345, None)
    assert x(3) == 3
