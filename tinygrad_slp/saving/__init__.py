"""A model in a safetensors file: its arrays under PyTorch's names, and a description beside them.

    save(model, "model.safetensors", encoders={"species": encoder})
    model = load("model.safetensors")       # in eval mode, with model.encoders

Any program that reads safetensors reads the arrays. The description says in JSON which classes the
model is made of and what their fields hold (see `description`); no code is in it, and none is run.
"""

from .files import write_whole
from .model import load, save

__all__ = ["load", "save", "write_whole"]
