"""Live: a number of an object that may change between steps, such as the learning rate."""

from typing import Any

import numpy as np

from ..recorder import recorder


class Live:
    """A field that a compiled step reads anew each time; all other fields it takes as they are.

        class Group:
            lr = Live()

    The number is in an array of its own, which a compiled step reads and writes without Python.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, cls: type) -> Any:
        if owner is None:
            return self
        cell, active = owner.__dict__[self.name], recorder.get()
        # A Python float, so that float32 parameters stay float32 whatever they are multiplied by.
        return float(cell) if active is None else active.read_number(cell)

    def __set__(self, owner: Any, value: Any) -> None:
        active = recorder.get()
        cell = vars(owner).setdefault(self.name, np.zeros(()))
        cell[()] = value if active is None else active.write_number(cell, value)
