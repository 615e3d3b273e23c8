"""Flush-to-zero inside compiled kernels: two functions for numba, made when numba is loaded.

Arithmetic on denormal numbers (below 1.2e-38 in float32) takes a hundred times as long as on
others, and one of them holds up a whole vector: squares of gradients of 1e-20 make a step four
times as slow. The processor's control register can have them counted as zero. It belongs to a
thread, so a kernel sets it where it runs, and puts it back.

It must not know what the kernels compute.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

__all__ = ["VERSION", "flushing_functions"]

# Part of the names of kernels on disk, which contain these functions: raise it with a change here.
VERSION = 1

# Bits of MXCSR: results that are denormal become zero, operands that are count as zero.
_FLUSH = 0x8000 | 0x0040


def flushing_functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return two functions for use in compiled code.

    Returns
    -------
    begin, end
        ``before = begin()`` flushes from here on, in this thread; ``end(before)`` goes back. They
        do nothing on other processors than x86-64.
    """
    import numba
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    flags = {"nogil": True, "error_model": "numpy", "inline": "always"}
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return numba.njit(lambda: 0, **flags), numba.njit(lambda before: None, **flags)

    def access(builder: Any, name: str, place: Any) -> None:
        pointer = ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer]), name
        )
        builder.call(function, [builder.bitcast(place, pointer)])

    @intrinsic
    def read(typing_context: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = cgutils.alloca_once(builder, ir.IntType(32))
            access(builder, "llvm.x86.sse.stmxcsr", place)
            return builder.load(place)

        return types.uint32(), code

    @intrinsic
    def write(typing_context: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(args[0], place)
            access(builder, "llvm.x86.sse.ldmxcsr", place)
            return context.get_dummy_value()

        return types.void(types.uint32), code

    bits = types.uint32(_FLUSH)

    @numba.njit(**flags)
    def begin() -> Any:
        before = read()
        write(types.uint32(before | bits))
        return before

    @numba.njit(**flags)
    def end(before: Any) -> None:
        write(before)

    return begin, end
