"""Operations as instructions over memory that is laid out once, run by one call.

A program knows where each array lies and how: by rows, a matrix by columns, or in a layout of
oneDNN's; it moves an array from one to the other where an instruction asks for it. Memory is used
again as soon as nobody needs what is in it. It must not know how operations are lowered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.graph.native.blas import Sgemm, sgemm
from minpy.graph.native.instructions import COLUMNS, OTHER, UNARY
from minpy.graph.native.recording import (
    FLOAT,
    LOWERINGS,
    Operation,
    ProgramTrace,
    Value,
    aligned,
    constant,
)
from minpy.graph.native.rewriting import rewritten
from minpy.graph.trace import SAME_ELEMENTS, Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import ARGUMENTS, Kernel, Layout, Recipe

__all__ = ["Program", "available"]

_ALIASES = frozenset([*SAME_ELEMENTS, "positive", "transpose"])
# Multiplications from which a product is oneDNN's.
_PRODUCT_OF_ONEDNN = 30_000
# Rounding operands to bfloat16 takes longer than a smaller product gains by it.
_WORTH_ROUNDING = 8_000_000
PRODUCTS = frozenset(["matrix_product", "dot", "matmul"])


def available() -> bool:
    """Say whether programs can run here: numba, and a matrix product to call."""
    try:
        import numba
    except ImportError:
        return False
    if numba.config.DISABLE_JIT:
        return False
    return sgemm() is not None or onednn.library() is not None


class _Buffer:
    """Memory that is given back when the last of its users is done."""

    __slots__ = ("array", "users")

    def __init__(self, array: numpy.ndarray) -> None:
        self.array = array
        self.users = 1


class Program:
    """Operations as instructions over memory that is laid out once.

    Parameters
    ----------
    trace
        Which has recorded them.
    results
        The arrays to compute.
    targets
        For each result the memory that it is to lie in and whether it lies there turned round, or
        None for memory of the program's own.
    shared
        Whether threads share the work: large operations go to oneDNN then, which does that.
    products
        What large products and convolutions are computed in: ``'float32'`` or ``'bfloat16'``, to
        which their operands are rounded then; sums are made, and results are, in float32.

    Attributes
    ----------
    results
        The memory of each result, which the next run overwrites. What isn't float32 may lie there
        in another dtype than the result's.
    library
        oneDNN, if it is there.
    operations
        Those that are computed.
    whole
        Input of whole numbers → memory of its own dtype, to be filled before each run: that of
        float32 holds them up to 2**24.
    has_threads
        Whether its instructions share their work among threads where there are several.
    """

    def __init__(
        self,
        trace: ProgramTrace,
        results: Sequence[Any],
        targets: Sequence[tuple[numpy.ndarray, bool] | None],
        shared: bool = False,
        products: str = "float32",
    ) -> None:
        self.products = products
        self.library = onednn.library()
        self.shared = shared and self.library is not None
        self._rows: list[list[int]] = []
        self._numbers: list[float] = []
        self._kept: list[Any] = []
        self._parts: list[Callable[[], None]] = []
        self._count = 0
        # Where each address stands: (part, row, column); and oneDNN's handles on memory that begins
        # there, with how many bytes behind it.
        self._cells: dict[int, list[tuple[int, int, int]]] = {}
        self._handles: dict[int, list[tuple[int, int]]] = {}
        self._fixed: set[int] = set()
        self._tables: dict[int, numpy.ndarray] = {}
        self.has_threads = False
        self.whole: dict[Value, numpy.ndarray] = {}
        self._laid: dict[Value, list[tuple[Layout | None, numpy.ndarray]]] = {}
        self._free: dict[int, list[numpy.ndarray]] = {}
        self._buffers: dict[int, _Buffer] = {}
        self._temporaries: list[numpy.ndarray] = []
        self._recipes: dict[Any, Any] = {}
        values = [trace.value_of(r) for r in results]
        self.operations = rewritten(trace.operations, values)
        self.wanted = set(values)
        for operation in self.operations:
            self.wanted.update(a for a in operation.given if isinstance(a, Value))
        self._place_results(values, targets)
        self._lower(values)
        self.results: list[numpy.ndarray] = []
        for value, target in zip(values, targets, strict=True):
            if target is None:
                self.results.append(self._for_numpy(value)[0])
                continue
            memory, turned = target
            if value.memory is not memory:
                self._move(value, memory, turned)
            self.results.append(memory)
        self._close()

    def reads_anywhere(self, memory: numpy.ndarray) -> bool:
        """Say whether an input's memory can be read somewhere else by `read_from`."""
        address = memory.ctypes.data
        returned = any(address == result.ctypes.data for result in self.results)
        return address not in self._fixed and not returned

    def read_from(self, memory: numpy.ndarray, address: int) -> None:
        """Read an input at an address from now on, in place of the memory that it was given."""
        first = memory.ctypes.data
        for part, row, column in self._cells.get(first, ()):
            self._tables[part][row, column] = address
        if self.library is not None:
            for handle, start in self._handles.get(first, ()):
                self.library.c.dnnl_memory_set_data_handle(handle, address + start)

    def __len__(self) -> int:
        return self._count

    def run(self) -> None:
        """Compute the results of what the inputs' memory holds."""
        for part in self._parts:
            part()

    def _close(self) -> None:
        """Make one part of the instructions that were emitted since the last."""
        if not self._rows:
            return
        from minpy.graph.native.kernels import run

        product = sgemm() or Sgemm(0, 4)
        table = numpy.array(self._rows, numpy.int64).reshape(-1, COLUMNS)
        self._tables[len(self._parts)] = table
        factors = numpy.array(self._numbers, FLOAT)
        address, integer = product.address, product.integer
        other = execute = 0
        if self.library is not None:
            other, execute = self.library.sgemm, self.library.execute

        def part() -> None:
            failed = run(table, factors, address, integer, other, execute)
            if failed:
                raise RuntimeError(f"oneDNN refused to run instruction {failed - 1} of a program")

        self._parts.append(part)
        self._count += len(self._rows)
        self._rows, self._numbers = [], []

    def _lower(self, results: list[Value]) -> None:
        last: dict[Value, int] = {}
        for i, operation in enumerate(self.operations):
            for value in operation.given:
                if isinstance(value, Value):
                    last[value] = i
            for value in operation.made:
                last.setdefault(value, i)
        for value in results:
            last.pop(value, None)
        ends: dict[int, list[Value]] = {}
        for value, i in last.items():
            ends.setdefault(i, []).append(value)
        for i, operation in enumerate(self.operations):
            self._emit_operation(operation)
            for value in ends.get(i, ()):
                self.release(value)
            for array in self._temporaries:
                self._free.setdefault(array.size, []).append(array)
            self._temporaries.clear()

    def _emit_operation(self, operation: Operation) -> None:
        lowering = LOWERINGS.get(operation.name)
        if lowering is not None and not operation.on_host:
            try:
                lowering(self, *operation.made, *operation.given, **operation.told)
                return
            except TypeError as reason:  # an argument that the instruction knows nothing of
                refused = Untraceable(f"{operation.name}: {reason}")
            except onednn.Refused as reason:
                refused = Untraceable(f"{operation.name}: oneDNN has none such ({reason})")
            except Untraceable as reason:
                refused = reason
            if operation.kernel is None:
                raise refused
        self._call_back(operation)

    def _call_back(self, operation: Operation) -> None:
        """Have NumPy's kernel called between two parts, on memory that lies by rows."""
        kernel, told, name = operation.kernel, dict(operation.told), operation.name
        assert kernel is not None
        then = told.pop("then", None)
        given = [self._for_numpy(a) for a in operation.given]
        fill = operation.into
        made = [
            self.memory(v) if fill is None or v in self.wanted else None for v in operation.made
        ]
        self._kept += [a for a, _ in given] + made
        self._fixed.update(a.ctypes.data for a, _ in given if isinstance(a, numpy.ndarray))

        def part() -> None:
            arrays = [a if dtype is None else a.astype(dtype) for a, dtype in given]
            if fill is not None:
                fill(arrays, made, **told)
                return
            results = kernel(*arrays, **told)
            if type(results) not in (tuple, list):
                results = (results,)
            for memory, result in zip(made, results, strict=True):
                if numpy.shape(result) != memory.shape:
                    raise ValueError(
                        f"{name}: a result of shape {numpy.shape(result)} where the traced call "
                        f"had {memory.shape}: what a compiled step computes has the same shapes at "
                        "each run; give compile(jit=False)"
                    )
                numpy.copyto(memory, result)

        self._close()
        self._parts.append(part)
        self._count += 1
        if then is not None:
            self.emit(UNARY[then], made[0], made[0], sizes=(1, made[0].size))

    def _for_numpy(self, given: Any) -> tuple[Any, numpy.dtype | None]:
        """Return where an operand lies for NumPy's kernels, and a dtype to bring it to first."""
        if not isinstance(given, Value):
            return given, None
        if given.dtype == FLOAT or given.native:
            return self.straight(given), None
        origin = given.origin
        if origin is None or origin.dtype.kind not in "iu":
            # Stored as float32, and what it was again.
            return self.straight(given), given.dtype
        if origin not in self.whole:
            self.whole[origin] = numpy.zeros(origin.shape, origin.dtype)
        exact = self.whole[origin].reshape(given.shape)
        return exact, None if given.dtype == exact.dtype else given.dtype

    def _place_results(self, values: list[Value], targets: Sequence) -> None:
        """Let results be computed where they are to lie in the end, where that can be."""
        makers = {o.made[0]: o.name for o in self.operations}
        makers |= {v: o.name for o in self.operations for v in o.made[1:]}
        for value, target in zip(values, targets, strict=True):
            name = makers.get(value)
            if target is None or name is None or name in _ALIASES or value.memory is not None:
                continue
            memory, turned = target
            if not turned or name in PRODUCTS:
                value.memory, value.turned = memory, turned

    def _move(self, value: Value, memory: numpy.ndarray, turned: bool) -> None:
        if turned:
            source = self.straight(value)
            self.emit(OTHER["transpose"], memory, source, sizes=source.shape)
        else:
            self.emit(UNARY["copy"], memory, self.straight(value), sizes=(1, value.size))

    # --- memory ---------------------------------------------------------------------------------

    def room(self, floats: int) -> numpy.ndarray:
        """Return memory for so many numbers, which `release` gives back."""
        floats = -(-floats // 16) * 16
        free = self._free.get(floats)
        array = free.pop() if free else aligned((floats,))
        self._buffers[array.ctypes.data] = _Buffer(array)
        return array

    def temporary(self, shape: tuple[int, ...]) -> numpy.ndarray:
        """Return memory that only the instructions of one operation use."""
        found = self.room(math.prod(shape))
        self._temporaries.append(self._buffers.pop(found.ctypes.data).array)
        return found[: math.prod(shape)].reshape(shape)

    def share(self, value: Value) -> None:
        """Say that a value lies in memory of another's."""
        assert value.memory is not None
        buffer = self._buffers.get(value.memory.ctypes.data)
        if buffer is not None:
            buffer.users += 1

    def release(self, value: Value) -> None:
        """Give back the memory of a value that nobody reads any more."""
        places = [memory for _, memory in self._laid.pop(value, ())]
        if value.memory is not None:
            places.append(value.memory)
        for memory in places:
            address = memory.ctypes.data
            buffer = self._buffers.get(address)
            if buffer is None:
                continue
            buffer.users -= 1
            if not buffer.users:
                del self._buffers[address]
                self._free.setdefault(buffer.array.size, []).append(buffer.array)

    def memory(self, value: Value) -> numpy.ndarray:
        """Return where a value lies, by rows or, if it is `turned`, by columns."""
        if value.layout is not None:
            return self.straight(value)
        if value.memory is None:
            if value.native:
                value.memory = numpy.empty(value.shape, value.dtype)
            elif value.constant is not None:
                value.memory = aligned(value.shape)
                value.memory[...] = value.constant
            else:
                value.memory = self.room(value.size)[: value.size].reshape(value.shape)
        return value.memory

    def straight(self, value: Any) -> numpy.ndarray:
        """Return where a value or a number lies with its rows one after the other."""
        if not isinstance(value, Value):
            value = constant(value)
        if value.layout is not None:
            assert self.library is not None
            rows = self.laid(value, self.library.strided(value.layout.shape))
            return rows.reshape(-1)[: value.size].reshape(value.shape)
        memory = self.memory(value)
        if not value.turned:
            return memory
        found = next((m for layout, m in self._laid.get(value, ()) if layout is None), None)
        if found is None:
            found = self.room(value.size)[: value.size].reshape(value.shape)
            self._laid.setdefault(value, []).append((None, found))
            self.emit(OTHER["transpose"], found, memory, sizes=memory.shape)
        return found

    def lies(self, value: Value, shape: Sequence[int] | None = None) -> Layout:
        """Return the layout that a value lies in, by default of its own shape."""
        assert self.library is not None
        if value.layout is not None:
            return value.layout
        shape = value.shape if shape is None else shape
        if value.turned:
            return self.library.strided(shape, [1, shape[0]])
        return self.library.strided(shape)

    def laid(self, value: Value, layout: Layout) -> numpy.ndarray:
        """Return where a value lies in a layout, to which it is moved if it lies otherwise."""
        assert self.library is not None
        if value.layout is None and layout.plain:
            return self.straight(value)
        if value.layout is not None and value.layout.shape != layout.shape:
            memory = self.straight(value)
            now = self.library.strided(layout.shape)
        else:
            now = self.lies(value, layout.shape)
            memory = self.memory(value) if value.layout is None else value.memory
        if self.library.same(now, layout):
            return memory
        known = self._laid.setdefault(value, [])
        for other, found in known:
            if other is not None and self.library.same(other, layout):
                return found
        found = self.room(-(-layout.bytes // 4))
        known.append((layout, found))
        self.reorder(now, memory, layout, found)
        return found

    def laid_as(self, value: Value, shape: Sequence[int], dtype: str = "float32") -> Layout:
        """Return the layout of the kernels' that a value lies in, or any if in none."""
        assert self.library is not None
        known = [value.layout, *(layout for layout, _ in self._laid.get(value, ()))]
        for layout in known:
            if (
                layout is not None
                and layout.shape == tuple(shape)
                and layout.dtype == dtype
                and not layout.plain
            ):
                return layout
        return self.library.any(shape, dtype)

    def precision(self, multiplications: int) -> str:
        """Return what a product with so many multiplications is computed in."""
        return self.products if multiplications >= _WORTH_ROUNDING else "float32"

    # --- instructions ---------------------------------------------------------------------------

    def emit(
        self,
        code: int,
        out: numpy.ndarray,
        *operands: numpy.ndarray,
        sizes: Sequence[int] = (),
        flags: int = 0,
        number: float = 0.0,
    ) -> None:
        """Add an instruction."""
        arrays = [out, *operands]
        self._kept += arrays
        addresses = [a.ctypes.data for a in arrays]
        addresses += [0] * (4 - len(addresses))
        fields = [*sizes] + [0] * (3 - len(sizes)) + [flags]
        if (
            code == OTHER["product"]
            and self.library is not None
            and (sgemm() is None or math.prod(sizes) >= _PRODUCT_OF_ONEDNN)
        ):
            # oneDNN's makes its machine code for this processor, which NumPy's BLAS may take for an
            # older one: 359 µs where it is 120. Below, calling it takes longer.
            fields[-1] += 4
            self.has_threads = True
        for column, address in enumerate(addresses[: len(arrays)], start=1):
            place = len(self._parts), len(self._rows), column
            self._cells.setdefault(address, []).append(place)
        row = [code, *addresses, *fields]
        self._rows.append(row + [0] * (COLUMNS - len(row)))
        self._numbers.append(number)

    def remembered(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gave for this key before, in this program."""
        if key not in self._recipes:
            self._recipes[key] = make()
        return self._recipes[key]

    def call(
        self,
        recipe: Recipe,
        given: dict[str, tuple[Value | numpy.ndarray, Layout]],
        made: dict[str, tuple[Value | numpy.ndarray, Layout]],
    ) -> None:
        """Add a kernel of oneDNN's.

        Parameters
        ----------
        recipe
            What it does.
        given, made
            For each argument, by its name in `onednn.ARGUMENTS`, a value or memory, and the
            layout that the kernel reads or writes it in.
        """
        assert self.library is not None
        found = {
            name: (self.laid(what, layout) if isinstance(what, Value) else what, layout)
            for name, (what, layout) in given.items()
        }
        moves = []
        for name, (what, layout) in made.items():
            memory = what
            if isinstance(what, Value):
                memory = self.place(what, layout)
                if what.memory is not memory:
                    moves.append((what, layout, memory))
            found[name] = memory, layout
        self.kernel(self.library.kernel(recipe), found)
        for value, layout, memory in moves:
            self.reorder(layout, memory, self.lies(value, layout.shape), value.memory)

    def place(self, value: Value, layout: Layout) -> numpy.ndarray:
        """Return memory for a kernel to write a value to in a layout.

        It is the value's own from then on, unless that has to lie otherwise.
        """
        assert self.library is not None
        floats = layout.bytes // 4
        if value.memory is not None:
            if self.library.same(self.lies(value, layout.shape), layout):
                return value.memory
            return self.temporary((floats,))
        memory = self.room(floats)[:floats]
        value.layout = None if layout.plain else layout
        value.memory = memory.reshape(value.shape) if layout.plain else memory
        return value.memory

    def reorder(
        self, now: Layout, memory: numpy.ndarray, layout: Layout, found: numpy.ndarray
    ) -> None:
        """Add the kernel that moves an array to another layout."""
        assert self.library is not None
        recipe = self.library.reordering(now, layout)
        self.kernel(self.library.kernel(recipe), {"src": (memory, now), "dst": (found, layout)})

    def kernel(
        self,
        kernel: Kernel,
        arguments: dict[str, tuple[numpy.ndarray, Layout]],
        starts: dict[str, int] | None = None,
    ) -> None:
        """Add a compiled kernel of oneDNN's, on memory.

        Parameters
        ----------
        kernel
            Which.
        arguments
            For each argument memory and its layout.
        starts
            How many bytes behind the beginning of its memory an argument begins, if it does.
        """
        assert self.library is not None
        pairs = []
        for name, (memory, layout) in arguments.items():
            start = (starts or {}).get(name, 0)
            made = self.library.memory(layout, memory, start)
            self._handles.setdefault(memory.ctypes.data, []).append((made.handle, start))
            self._kept += [made, memory, layout]
            pairs += [ARGUMENTS[name], made.handle]
        table = numpy.array(pairs, numpy.int64)
        self._kept += [table, kernel]
        row = [OTHER["kernel"], kernel.handle, table.ctypes.data, self.library.stream, 0]
        row += [len(arguments)]
        self._rows.append(row + [0] * (COLUMNS - len(row)))
        self._numbers.append(0.0)
        self.has_threads = True
