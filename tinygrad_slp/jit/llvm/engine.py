"""From LLVM's instructions to machine code in memory, and where that is kept for the next time."""

from functools import cache
from typing import Any

from llvmlite import binding as llvm

from .products import addresses


@cache
def machine() -> Any:
    """The processor that this runs on, as LLVM knows it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in addresses().items():
        llvm.add_symbol(name, address)
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features(), opt=3)


def features() -> str:
    text: str = llvm.get_host_cpu_features().flatten()
    # LLVM avoids the widest registers where they slowed down the clock; today they do not.
    return text + ",-prefer-256-bit"


def register_bytes() -> int:
    """How many bytes a vector register holds."""
    has = llvm.get_host_cpu_features()
    return 64 if has.get("avx512f") else 32 if has.get("avx") else 16


class Code:
    """Machine code, made of LLVM's instructions as text."""

    def __init__(self, text: str) -> None:
        module = llvm.parse_assembly(text)
        module.verify()
        passes = llvm.create_pass_builder(machine(), llvm.create_pipeline_tuning_options(3))
        passes.getModulePassManager().run(module, passes)
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())
        self.object = machine().emit_object(module)
        self.text = text
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(self.object))
        self.engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function is."""
        return int(self.engine.get_function_address(name))
