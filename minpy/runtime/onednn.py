"""oneDNN as a library of kernels: its C interface, as far as it is used here.

MXNet's operators run on the oneDNN 2.4 that is linked into it and that nobody else can call; each
of them takes and gives arrays in the plain layout, or converts them again and again. Here is a
oneDNN of its own (the package onednn-cpu-gomp), called without MXNet: arrays stay in the layout
that its convolutions like best from one end of a step to the other. It shares libgomp, and so its
threads, with MXNet. This module must know nothing of traces or programs.

A *layout* says where in memory an array's elements are (oneDNN's memory descriptor), a *recipe*
what a kernel does with which layouts (its primitive descriptor), a *kernel* is one compiled.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import math
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy

from minpy.runtime.openmp import forked

__all__ = ["Kernel", "Layout", "OneDNN", "Recipe", "Refused", "library"]

_PACKAGE = "onednn-cpu-gomp"
# The interface is that of major version 3; the file name carries it.
_FILE = "libdnnl.so.3"

_DTYPES = {"float32": 3, "bfloat16": 2, "uint8": 6}
_BYTES = {"float32": 4, "bfloat16": 2, "uint8": 1}
_ANY = 1  # the layout that a kernel likes best
_BLOCKED = {3: 56, 4: 78, 5: 121}  # blocks of 16 channels, by the number of axes
TRAINING, INFERENCE, BACKWARD = 64, 96, 128
_IMPLEMENTATION = 8
_QUERY = {
    "src": 129,
    "diff_src": 130,
    "weights": 131,
    "diff_weights": 132,
    "dst": 133,
    "diff_dst": 134,
    "workspace": 135,
}
ARGUMENTS = {
    "src": 1,
    "src1": 2,
    "dst": 17,
    "weights": 33,
    "bias": 41,
    "mean": 49,
    "variance": 50,
    "scale": 51,
    "shift": 52,
    "workspace": 64,
    "diff_src": 129,
    "diff_dst": 145,
    "diff_weights": 161,
    "diff_bias": 169,
    "diff_scale": 255,
    "diff_shift": 256,
}
ELTWISE = {
    "relu": 0x20,
    "tanh": 0x21,
    "elu": 0x22,
    "square": 0x23,
    "absolute": 0x24,
    "sqrt": 0x25,
    "sigmoid": 0x29,
    "exp": 0x2A,
    "gelu": 0x31,
    "linear": 0x26,
}
BINARY = {
    "add": 0x1FFF0,
    "multiply": 0x1FFF1,
    "maximum": 0x1FFF2,
    "minimum": 0x1FFF3,
    "true_divide": 0x1FFF4,
    "subtract": 0x1FFF5,
}
# Derivatives by a function's result, not by its argument.
BY_RESULT = {"relu": 0x100, "tanh": 0x101, "sigmoid": 0x104}
SOFTMAX = 0x30000
DIRECT = 1  # the algorithm of convolutions: no other is in this build
POOLING = {"max": 0x1FF, "average": 0x2FF, "average_inside": 0x3FF}
NORMALIZATION = {"global": 1, "scale": 2, "shift": 4, "relu": 8}


class Refused(Exception):
    """What oneDNN has no kernel for."""


class _Handle:
    """An object of oneDNN's, destroyed with its last reference here."""

    __slots__ = ("_destroy", "handle")

    def __init__(self, handle: int, destroy: Any) -> None:
        self.handle = handle
        self._destroy = destroy

    def __del__(self) -> None:
        if self.handle and sys is not None and not sys.is_finalizing():
            self._destroy(self.handle)


class Layout(_Handle):
    """Where the elements of an array are.

    Attributes
    ----------
    shape
        Of the array.
    dtype
        Of its elements.
    bytes
        That it takes, padding included.
    plain
        Whether its rows are one after the other, in float32.
    """

    __slots__ = ("bytes", "dtype", "plain", "shape")

    shape: tuple[int, ...]
    dtype: str
    bytes: int
    plain: bool


class Recipe(_Handle):
    """What a kernel does, and the layouts that it does it in."""

    __slots__ = ("_library",)

    def __init__(self, handle: int, destroy: Any, library: OneDNN) -> None:
        super().__init__(handle, destroy)
        self._library = library

    @property
    def implementation(self) -> str:
        """Its name, such as ``'jit:avx512_core'``."""
        name = ctypes.c_char_p()
        self._library.c.dnnl_primitive_desc_query(
            ctypes.c_void_p(self.handle), _IMPLEMENTATION, 0, ctypes.byref(name)
        )
        return (name.value or b"").decode()

    def layout(self, name: str, shape: Sequence[int], dtype: str = "float32") -> Layout:
        """Return the layout of an argument, of which the shape and the dtype are known."""
        found = self._library.c.dnnl_primitive_desc_query_md(self.handle, _QUERY[name], 0)
        if not found:
            raise Refused(f"a kernel without {name}")
        return self._library.copy(found, shape, dtype)


class Kernel(_Handle):
    """A compiled recipe."""

    __slots__ = ("recipe",)

    recipe: Recipe


class OneDNN:
    """The library, its engine for this processor, and a stream to run kernels in."""

    def __init__(self, path: str) -> None:
        self.c = c = ctypes.CDLL(path)
        pointer = ctypes.c_void_p
        c.dnnl_primitive_desc_query_md.restype = pointer
        c.dnnl_memory_desc_get_size.restype = ctypes.c_size_t
        for name, arguments in _SIGNATURES.items():
            getattr(c, name).argtypes = [_TYPES[a] for a in arguments]
        self.engine = self._new(c.dnnl_engine_create, 1, 0)
        self.stream = self._new(c.dnnl_stream_create, self.engine, 1)
        self.execute = _address(c.dnnl_primitive_execute)
        self.sgemm = _address(c.dnnl_sgemm)

    @property
    def version(self) -> str:
        """Its version, such as ``'3.2.0'``."""
        function = self.c.dnnl_version
        function.restype = ctypes.POINTER(ctypes.c_int * 3)
        return ".".join(map(str, function().contents))

    def _new(self, function: Any, *args: Any) -> int:
        made = ctypes.c_void_p()
        status = function(ctypes.byref(made), *args)
        if status or not made.value:
            raise Refused(f"{function.__name__} gave status {status}")
        return made.value

    # --- layouts --------------------------------------------------------------------------------

    def _layout(self, handle: int, shape: Sequence[int], plain: bool, dtype: str) -> Layout:
        layout = Layout(handle, self.c.dnnl_memory_desc_destroy)
        layout.dtype = dtype
        layout.shape = tuple(shape)
        layout.bytes = self.c.dnnl_memory_desc_get_size(handle)
        layout.plain = plain
        return layout

    def strided(
        self, shape: Sequence[int], strides: Sequence[int] | None = None, dtype: str = "float32"
    ) -> Layout:
        """Return a layout with so many elements from one index to the next; rows if not given."""
        rows = row_strides(shape)
        strides = rows if strides is None else list(strides)
        handle = self._new(
            self.c.dnnl_memory_desc_create_with_strides,
            len(shape),
            _sizes(shape),
            _DTYPES[dtype],
            _sizes(strides),
        )
        return self._layout(handle, shape, strides == rows and dtype == "float32", dtype)

    def any(self, shape: Sequence[int], dtype: str = "float32") -> Layout:
        """Return the layout that stands for whichever a kernel likes best."""
        handle = self._new(
            self.c.dnnl_memory_desc_create_with_tag,
            len(shape),
            _sizes(shape),
            _DTYPES[dtype],
            _ANY,
        )
        return self._layout(handle, shape, False, dtype)

    def blocked(self, shape: Sequence[int]) -> Layout:
        """Return the layout with blocks of 16 channels, which are the second axis."""
        tag = _BLOCKED[len(shape)]
        handle = self._new(
            self.c.dnnl_memory_desc_create_with_tag, len(shape), _sizes(shape), 3, tag
        )
        return self._layout(handle, shape, False, "float32")

    def copy(self, handle: int, shape: Sequence[int], dtype: str = "float32") -> Layout:
        """Return a layout that belongs to a recipe as one that outlives it."""
        made = self._new(self.c.dnnl_memory_desc_clone, handle)
        layout = self._layout(made, shape, False, dtype)
        if dtype == "float32" and len(layout.shape) and layout.bytes == 4 * math.prod(layout.shape):
            rows = self.strided(layout.shape)
            layout.plain = self.same(layout, rows)
        return layout

    def same(self, a: Layout, b: Layout) -> bool:
        """Say whether two layouts are the same."""
        return a is b or bool(self.c.dnnl_memory_desc_equal(a.handle, b.handle))

    # --- kernels --------------------------------------------------------------------------------

    def recipe(
        self, operation: str, *args: Any, after: str | tuple[str, float] | None = None
    ) -> Recipe:
        """Return what a kernel does.

        Parameters
        ----------
        operation
            Its name in the C interface, as in ``dnnl_<operation>_primitive_desc_create``.
        args
            Its arguments from the third: layouts, recipes, lists of sizes, numbers, None.
        after
            The function of `ELTWISE` that is applied to each element of the result, with its first
            parameter if it has one.

        Raises
        ------
        Refused
            If there is no such kernel, or only the reference for tests, which is slower than
            anything.
        """
        c = self.c
        function = getattr(c, f"dnnl_{operation}_primitive_desc_create")
        given: list[Any] = []
        for a in args:
            if isinstance(a, _Handle):
                given.append(ctypes.c_void_p(a.handle))
            elif isinstance(a, tuple | list):
                given.append(_sizes(a))
            elif isinstance(a, float):
                given.append(ctypes.c_float(a))
            elif a is None:
                given.append(ctypes.c_void_p())
            else:
                given.append(ctypes.c_int(a))
        attributes = None
        if after is not None:
            operations = self._new(c.dnnl_post_ops_create)
            name, number = (after, 0.0) if isinstance(after, str) else after
            c.dnnl_post_ops_append_eltwise(operations, ELTWISE[name], number, 0.0)
            attributes = self._new(c.dnnl_primitive_attr_create)
            c.dnnl_primitive_attr_set_post_ops(attributes, operations)
            c.dnnl_post_ops_destroy(operations)
        engine = ctypes.c_void_p(self.engine)
        where = (engine,) if operation != "reorder" else ()
        try:
            handle = self._new(function, *where, *given, ctypes.c_void_p(attributes))
        finally:
            if attributes is not None:
                c.dnnl_primitive_attr_destroy(attributes)
        made = Recipe(handle, c.dnnl_primitive_desc_destroy, self)
        if made.implementation.startswith("ref"):
            raise Refused(f"{operation} for reference only")
        return made

    def first_recipe(self, operation: str, *candidates: Sequence[Any]) -> Recipe:
        """Return what a kernel does with the first arguments for which there is one."""
        for arguments in candidates[:-1]:
            try:
                return self.recipe(operation, *arguments)
            except Refused:
                continue
        return self.recipe(operation, *candidates[-1])

    def reordering(self, given: Layout, wanted: Layout) -> Recipe:
        """Return the recipe that moves an array from one layout to another."""
        engine = _EngineArgument(self.engine)
        return self.recipe("reorder", given, engine, wanted, engine)

    def kernel(self, recipe: Recipe) -> Kernel:
        """Compile a recipe."""
        made = Kernel(
            self._new(self.c.dnnl_primitive_create, recipe.handle), self.c.dnnl_primitive_destroy
        )
        made.recipe = recipe
        return made

    def memory(self, layout: Layout, array: numpy.ndarray, start: int = 0) -> _Handle:
        """Return an array's memory as oneDNN's, in a layout; the array has to live as long.

        It begins `start` bytes behind the array's beginning.
        """
        assert array.nbytes >= start + layout.bytes and array.flags.c_contiguous
        address = array.ctypes.data + start
        made = self._new(self.c.dnnl_memory_create, layout.handle, self.engine, address)
        return _Handle(made, self.c.dnnl_memory_destroy)


class _EngineArgument(_Handle):
    """The engine as an argument; it is never destroyed."""

    __slots__ = ()

    def __init__(self, handle: int) -> None:
        super().__init__(handle, lambda handle: None)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _sizes(numbers: Sequence[int]) -> Any:
    # oneDNN reads as many of the twelve as there are axes.
    return (ctypes.c_int64 * 12)(*map(int, numbers))


def empty(layout: Layout) -> numpy.ndarray:
    """Return memory for a layout of bytes."""
    raw = numpy.zeros(layout.bytes + 64, numpy.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + layout.bytes]


def row_strides(shape: Sequence[int]) -> list[int]:
    """Return how many elements lie from one index of each axis to the next, by rows."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return strides[::-1]


# What ctypes can't guess of the functions that are called with plain numbers.
_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int, "f": ctypes.c_float, "z": ctypes.c_size_t}
_SIGNATURES = {
    "dnnl_engine_create": "piz",
    "dnnl_stream_create": "ppi",
    "dnnl_memory_desc_create_with_strides": "pipip",
    "dnnl_memory_desc_create_with_tag": "pipii",
    "dnnl_memory_desc_clone": "pp",
    "dnnl_memory_desc_destroy": "p",
    "dnnl_memory_desc_get_size": "p",
    "dnnl_memory_desc_equal": "pp",
    "dnnl_memory_create": "pppp",
    "dnnl_memory_destroy": "p",
    "dnnl_memory_set_data_handle": "pp",
    "dnnl_post_ops_create": "p",
    "dnnl_post_ops_append_eltwise": "piff",
    "dnnl_post_ops_destroy": "p",
    "dnnl_primitive_attr_create": "p",
    "dnnl_primitive_attr_set_post_ops": "pp",
    "dnnl_primitive_attr_destroy": "p",
    "dnnl_primitive_desc_query_md": "pii",
    "dnnl_primitive_desc_destroy": "p",
    "dnnl_primitive_create": "pp",
    "dnnl_primitive_destroy": "p",
}


def _path() -> str | None:
    """Return where the package has put the library."""
    beside = os.path.join(sys.prefix, "lib", _FILE)
    if os.path.exists(beside):
        return beside
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(f.locate()) for f in files if f.name == _FILE), None)


def library() -> OneDNN | None:
    """Return oneDNN, None where its package isn't installed or doesn't run.

    None in a fork too, whose OpenMP threads stayed behind. ``MINPY_ONEDNN=0`` in the environment
    keeps it off: MXNet's operators run instead.
    """
    return None if forked() else _loaded()


@functools.cache
def _loaded() -> OneDNN | None:
    if os.environ.get("MINPY_ONEDNN") == "0":
        return None
    path = _path()
    if path is None:
        return None
    try:
        return OneDNN(path)
    except (OSError, AttributeError, Refused):
        return None
