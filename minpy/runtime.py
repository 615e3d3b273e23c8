"""The one module that imports mxnet: sets its engine up, calls operators, shares memory.

It must not know about minpy's arrays, policies or derivatives: it deals in ``numpy.ndarray``,
``mxnet.nd.NDArray`` and operator names.

mxnet is imported when it is first needed, not when minpy is: a program that stays on the NumPy
kernels never waits for it. What has to be in place before that import (the alias that NumPy 1.24
removed, the engine's environment variables) is set here when minpy is imported, so that a user's
own ``import mxnet`` afterwards finds it too.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import importlib.util
import itertools
import json
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy

__all__ = [
    "Unsupported",
    "available",
    "borrow",
    "copy_to",
    "eager",
    "library",
    "num_gpus",
    "report",
    "view",
]


class Unsupported(Exception):
    """An MXNet kernel can't take these arguments; the NumPy kernel has to."""


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _find_build() -> str | None:
    """Say which mxnet is installed: 'cpu', 'gpu', or None where there is none."""
    try:
        spec = importlib.util.find_spec("mxnet")
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    for folder in spec.submodule_search_locations:
        for record in glob.glob(os.path.join(os.path.dirname(folder), "mxnet_cu*", "RECORD")):
            if _is_library_of(folder, record):
                return "gpu"
    return "cpu"


def _is_library_of(folder: str, record: str) -> bool:
    """Say whether a package's libmxnet.so is the one that lies there.

    The CPU and the CUDA package write the same file; the one that was unpacked last has won.
    """
    try:
        size = os.path.getsize(os.path.join(folder, "libmxnet.so"))
        with open(record, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("mxnet/libmxnet.so,"):
                    return line.rstrip().endswith(f",{size}")
    except OSError:
        return False
    return True  # a build of one's own without a record of its files


# What the CUDA 11 build is linked to, each after those it needs itself. Wheels put these libraries
# where the dynamic loader doesn't look.
_CUDA_LIBRARIES = (
    "libcudart.so.11.0",
    "libcublasLt.so.11",
    "libcublas.so.11",
    "libcufft.so.10",
    "libcurand.so.10",
    "libcusparse.so.11",
    "libcusolver.so.11",
    "libnvrtc.so.11.2",
    "libnvToolsExt.so.1",
    "libcudnn.so.8",
    "libnccl.so.2",
)


def _load_cuda() -> None:
    """Load the CUDA libraries that the ``nvidia-*`` wheels brought, so that mxnet finds them."""
    for folder in sys.path:
        for library_name in _CUDA_LIBRARIES:
            for path in glob.glob(os.path.join(folder, "nvidia", "*", "lib", library_name)):
                with contextlib.suppress(OSError):
                    ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)


def _prepare_environment() -> dict[str, str]:
    """Set what mxnet reads at its import; return what was set, variable by variable."""
    chosen: dict[str, str] = {}
    if "bool" not in vars(numpy):
        # mxnet 1.9.1 reads the alias numpy.bool, at import and later; numpy 1.24 removed it.
        numpy.bool = numpy.bool_
    if _BUILD == "cpu" and not _IMPORTED_BEFORE:
        # The threaded engine gives OpenMP half the cores and its own threads fight over the
        # rest; the naive one with all cores in OpenMP is 1.5 to 4 times as fast on a CPU.
        # OpenMP's threads spin while they wait for each other: with another process on the same
        # cores, a step of 5 ms took up to 228 ms; with few spins 16 ms, and no more when alone.
        wanted = {
            "MXNET_ENGINE_TYPE": "NaiveEngine",
            "OMP_NUM_THREADS": str(usable_cores()),
            "GOMP_SPINCOUNT": "10000",
        }
        for variable, value in wanted.items():
            if variable not in os.environ:
                os.environ[variable] = chosen[variable] = value
    return chosen


_IMPORTED_BEFORE = sys.modules.get("mxnet") is not None
_BUILD = _find_build()
_CHOSEN = _prepare_environment() if _BUILD else {}

# Mxnet instantiates its engine at its first operation. Imported by the user before us, it may run
# the threaded engine: results are then only valid after a wait.
_synchronous = os.environ.get("MXNET_ENGINE_TYPE") == "NaiveEngine"

# How many OpenMP threads operators share their work out to; None leaves it to mxnet.
_all_threads: int | None = None
with contextlib.suppress(KeyError, ValueError):
    _all_threads = int(os.environ["OMP_NUM_THREADS"])

_lock = threading.RLock()
_mx: Any = None
_why_not: str | None = None if _BUILD else "mxnet is not installed (no wheel fits this platform?)"


@contextlib.contextmanager
def _quiet_stderr():
    """Hide what C++ writes to file descriptor 2: the engine announces itself there."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield
        return
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _load() -> None:
    global _mx, _why_not
    with _lock:
        if _mx is not None or _why_not is not None:
            return
        try:
            if _BUILD == "gpu":
                _load_cuda()
            with _quiet_stderr(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import mxnet

                mxnet.nd.zeros((1,)).wait_to_read()  # starts the engine
        except Exception as error:  # a broken library raises OSError, an old numpy AttributeError…
            _why_not = f"import mxnet failed: {type(error).__name__}: {str(error)[:200]}"
            print(
                f"minpy: {_why_not}. Everything runs on the NumPy kernels (policy only_numpy).",
                file=sys.stderr,
            )
            return
        _declare(mxnet.base._LIB)
        _mx = mxnet


def available() -> bool:
    """Say whether mxnet is installed and could be imported (imports it)."""
    if _mx is None and _why_not is None:
        _load()
    return _mx is not None


def installed() -> bool:
    """Say whether mxnet is installed, without importing it."""
    return _why_not is None


def why_unavailable() -> str | None:
    """Return the reason why mxnet can't be used, or None where it can or wasn't tried yet."""
    return _why_not


def library() -> Any:
    """Return the mxnet module; raise `ImportError` with the reason where it can't be had."""
    if _mx is None and not available():
        raise ImportError(_why_not)
    return _mx


def synchronous() -> bool:
    """Say whether an operation has finished when its call returns (the naive engine)."""
    return _synchronous


def num_gpus() -> int:
    """Return the number of GPUs that the installed mxnet can use."""
    if _BUILD != "gpu" or not available():
        return 0
    try:
        return int(_mx.context.num_gpus())
    except Exception:  # no driver
        return 0


def build() -> str | None:
    """Return 'cpu' or 'gpu' for the mxnet build found, None where there is none."""
    return _BUILD


# --- memory shared with NumPy -------------------------------------------------------------------

_DTYPE_NAMES = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool")
_DTYPES = {numpy.dtype(name): code for code, name in enumerate(_DTYPE_NAMES)}
_TYPESTRS = {code: dtype.str for dtype, code in _DTYPES.items()}


def _declare(lib: Any) -> None:
    """Give ctypes the argument types once, so that it doesn't guess them at each call."""
    p = ctypes.POINTER
    lib.MXNDArrayGetData.argtypes = [ctypes.c_void_p, p(ctypes.c_void_p)]
    lib.MXNDArrayGetDType.argtypes = [ctypes.c_void_p, p(ctypes.c_int)]


def supports(dtype: numpy.dtype) -> bool:
    """Say whether MXNet has arrays of this dtype."""
    return dtype in _DTYPES


def borrow(array: numpy.ndarray) -> Any:
    """Return an NDArray on the CPU over the memory of `array`, without a copy where it can be.

    An array that is not contiguous, or that MXNet can't address in place, is copied.

    Raises
    ------
    Unsupported
        If MXNet has no such dtype.
    """
    if array.dtype not in _DTYPES:
        raise Unsupported(f"MXNet has no dtype {array.dtype}")
    mx = library()
    if not array.flags.c_contiguous:
        array = numpy.ascontiguousarray(array)
    if array.ndim == 0 or array.size == 0:
        with numpy_shapes():
            return mx.nd.from_numpy(array.view(), zero_copy=True)
    # from_numpy locks the array it is given against writing: give it a view of its own.
    return mx.nd.from_numpy(array.view(), zero_copy=True)


class _Memory:
    """Keeps an NDArray alive for the NumPy array that lies on its memory."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, owner: Any, interface: dict[str, Any]) -> None:
        self.owner = owner
        self.__array_interface__ = interface


def view(nd: Any) -> numpy.ndarray:
    """Return a NumPy array over the memory of an NDArray on the CPU, without a copy."""
    if not _synchronous:
        nd.wait_to_read()
    lib = _mx.base._LIB
    pointer, code = ctypes.c_void_p(), ctypes.c_int()
    lib.MXNDArrayGetDType(nd.handle, ctypes.byref(code))
    shape = nd.shape
    if code.value not in _TYPESTRS:  # bfloat16 has no NumPy dtype
        return nd.astype("float32").asnumpy()
    if 0 in shape:
        return numpy.empty(shape, _TYPESTRS[code.value])
    lib.MXNDArrayGetData(nd.handle, ctypes.byref(pointer))
    interface = {
        "shape": shape,
        "typestr": _TYPESTRS[code.value],
        "data": (pointer.value, False),
        "version": 3,
    }
    return numpy.asarray(_Memory(nd, interface))


def address(nd: Any) -> int:
    """Return where the memory of an NDArray on the CPU begins (naive engine)."""
    pointer = ctypes.c_void_p()
    _mx.base._LIB.MXNDArrayGetData(nd.handle, ctypes.byref(pointer))
    return pointer.value


def copy_to(nd: Any, device_type: str, device_id: int) -> Any:
    """Copy an NDArray to a device."""
    mx = library()
    context = mx.Context(device_type, device_id)
    shape = nd.shape
    if not shape or 0 in shape:
        with numpy_shapes():
            return nd.as_in_context(context)
    return nd.as_in_context(context)


@contextlib.contextmanager
def numpy_shapes():
    """Let MXNet take shapes with no axes or no elements as NumPy means them, in this thread."""
    mx = library()
    before = mx.util.set_np_shape(True)
    try:
        yield
    finally:
        mx.util.set_np_shape(before)


# --- operators ----------------------------------------------------------------------------------

_handles: dict[str, ctypes.c_void_p] = {}
_encoded: dict[tuple, tuple] = {}


def _operator(name: str) -> ctypes.c_void_p:
    handle = _handles.get(name)
    if handle is None:
        handle = ctypes.c_void_p()
        mx = library()
        mx.base.check_call(mx.base._LIB.NNGetOpHandle(name.encode(), ctypes.byref(handle)))
        _handles[name] = handle
    return handle


def _encode(attrs: dict[str, Any]) -> tuple:
    """Turn operator attributes into C strings, kept for the next call with the same ones."""
    key = tuple(attrs.items())
    try:
        return _encoded[key]
    except KeyError:
        pass
    kept = [(k, v) for k, v in key if v is not None]
    strings = ctypes.c_char_p * len(kept)
    keys = strings(*[k.encode() for k, _ in kept])
    values = strings(*[str(v).encode() for _, v in kept])
    if len(_encoded) > 4096:  # shapes among the attributes must not fill the memory
        _encoded.clear()
    _encoded[key] = encoded = (len(kept), keys, values)
    return encoded


class _Eager:
    """Runs MXNet operators on NDArrays; MXNet kernels get it as their argument ``F``.

    ``F(name, *inputs, **attrs)`` runs one operator and returns an NDArray, or a tuple of them.
    ``F.into(name, inputs, outputs, **attrs)`` runs one that can't work out its output shapes
    (MXNet's ``_backward_…`` operators) and fills `outputs`.
    """

    symbolic = False

    def __call__(self, name: str, *inputs: Any, **attrs: Any) -> Any:
        return self._invoke(name, inputs, None, attrs)

    def into(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any], **attrs: Any) -> None:
        self._invoke(name, inputs, outputs, attrs)

    def transposed(self, x: Any) -> Any:
        """Return the array with its axes reversed."""
        return self("transpose", x)

    @staticmethod
    def empty(shape: tuple[int, ...], like: Any) -> Any:
        """Return a new NDArray with the dtype and on the device of another."""
        return _mx.nd.empty(shape, ctx=like.context, dtype=like.dtype)

    def _invoke(
        self, name: str, inputs: Sequence[Any], outputs: Sequence[Any] | None, attrs: dict
    ) -> Any:
        handle = _operator(name)
        for nd in inputs:
            shape = nd.shape
            if not shape or 0 in shape:
                with numpy_shapes():
                    return self._call(name, handle, inputs, outputs, attrs)
        return self._call(name, handle, inputs, outputs, attrs)

    @staticmethod
    def _call(name, handle, inputs, outputs, attrs):
        mx = _mx
        count, keys, values = _encode(attrs)
        n = len(inputs)
        given = (ctypes.c_void_p * n)(*[nd.handle for nd in inputs])
        stypes = ctypes.POINTER(ctypes.c_int)()
        if outputs is None:
            filled, made = ctypes.c_int(0), ctypes.POINTER(ctypes.c_void_p)()
        else:
            filled = ctypes.c_int(len(outputs))
            made = ctypes.cast(
                (ctypes.c_void_p * len(outputs))(*[nd.handle for nd in outputs]),
                ctypes.POINTER(ctypes.c_void_p),
            )
        status = mx.base._LIB.MXImperativeInvokeEx(
            handle,
            n,
            given,
            ctypes.byref(filled),
            ctypes.byref(made),
            count,
            keys,
            values,
            ctypes.byref(stypes),
        )
        if status != 0:
            message = mx.base.py_str(mx.base._LIB.MXGetLastError()).split("Stack trace:")[0]
            raise mx.base.MXNetError(f"{name}: {message.strip()}")
        if outputs is not None:
            return None
        made_arrays = [mx.nd.NDArray(ctypes.c_void_p(made[i])) for i in range(filled.value)]
        return made_arrays[0] if len(made_arrays) == 1 else tuple(made_arrays)


eager = _Eager()


def is_ndarray(value: Any) -> bool:
    """Say whether a value is an array of MXNet's (never imports mxnet)."""
    mx = sys.modules.get("mxnet")
    return mx is not None and isinstance(value, mx.nd.NDArray)


def threads() -> int:
    """Return how many OpenMP threads MXNet's operators share their work out to."""
    return _all_threads or usable_cores()


def parallel_region() -> Any:
    """Return ``GOMP_parallel(function, data, threads, flags)`` of the OpenMP that MXNet runs on.

    None where mxnet isn't loaded, or has another OpenMP.
    """
    # Looked up through the library that is linked to it: others bring an OpenMP of their own.
    found = None if _mx is None else getattr(_mx.base._LIB, "GOMP_parallel", None)
    if found is not None:
        found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        found.restype = None
    return found


class one_thread:
    """Runs MXNet's operators on one thread for a ``with`` block, if `alone` says so."""

    __slots__ = ("_alone",)

    def __init__(self, alone: bool = True) -> None:
        self._alone = alone and _all_threads is not None

    def __enter__(self) -> None:
        if self._alone:
            _mx.base._LIB.MXSetNumOMPThreads(1)

    def __exit__(self, *error: Any) -> None:
        if self._alone:
            _mx.base._LIB.MXSetNumOMPThreads(_all_threads)


def report() -> dict[str, str]:
    """Describe the runtime: versions, engine, threads, oneDNN, devices, and what failed."""
    facts = {"minpy runtime": "NumPy kernels only"}
    if not available():
        facts["mxnet"] = f"not in use: {_why_not}"
        return facts
    features = _mx.runtime.Features()

    def has(name: str) -> bool:
        return name in features and features.is_enabled(name)

    facts["minpy runtime"] = f"mxnet, {_BUILD} build"
    facts["mxnet"] = _mx.__version__
    engine = os.environ.get("MXNET_ENGINE_TYPE", "ThreadedEnginePerDevice (mxnet's default)")
    facts["engine"] = engine + _origin("MXNET_ENGINE_TYPE")
    facts["OpenMP threads"] = os.environ.get("OMP_NUM_THREADS", "mxnet's default") + _origin(
        "OMP_NUM_THREADS"
    )
    facts["usable cores"] = str(usable_cores())
    facts["oneDNN"] = "yes" if has("MKLDNN") else "no"
    facts["CUDA"] = "yes" if has("CUDA") else "no (CPU build)"
    facts["GPUs"] = str(num_gpus())
    if _IMPORTED_BEFORE and not _synchronous:
        facts["not set up"] = (
            "mxnet was imported before minpy, so its engine is as it was; "
            "import minpy first for the faster one"
        )
    return facts


def _origin(variable: str) -> str:
    if variable in _CHOSEN:
        return " (set by minpy)"
    return " (set by you)" if variable in os.environ else ""


# --- graphs ---------------------------------------------------------------------------------------


class SymbolValue:
    """A node of a graph under construction, with the shape and dtype that it has there."""

    __slots__ = (
        "dtype",
        "is_variable",
        "origin",
        "relu_of",
        "shape",
        "symbol",
        "transpose_of",
    )

    def __init__(self, symbol: Any, shape: tuple[int, ...] | None = None, dtype: Any = None):
        self.symbol = symbol
        self.shape = shape
        self.dtype = dtype
        self.transpose_of: SymbolValue | None = None
        self.relu_of: SymbolValue | None = None
        self.is_variable = False
        self.origin: str | None = None  # the input that it has the elements of


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[str, numpy.ndarray] = {}


class _Symbolic:
    """Builds graph nodes; MXNet kernels get it as their argument ``F`` while they are traced.

    Its inputs and results are `SymbolValue`; a result has no shape yet, the tracer knows it from
    the value that it has computed beside.
    """

    symbolic = True

    def __init__(self) -> None:
        self._scratch = _Scratch()

    def scratch(self, value: numpy.ndarray) -> SymbolValue:
        """Return a variable for an operator that wants memory to write to, starting as `value`."""
        name = f"scratch{next(_node_numbers)}"
        self._scratch.arrays[name] = value
        return variable(name, value.shape, value.dtype)

    def take_scratch(self) -> dict[str, numpy.ndarray]:
        """Return the memory asked for in this thread since the last call."""
        taken, self._scratch.arrays = self._scratch.arrays, {}
        return taken

    def __call__(self, name: str, *inputs: Any, **attrs: Any) -> Any:
        mx = library()
        handle = _operator(name)
        count, keys, values = _encode(attrs)
        made = ctypes.c_void_p()
        lib = mx.base._LIB
        mx.base.check_call(
            lib.MXSymbolCreateAtomicSymbol(handle, count, keys, values, ctypes.byref(made))
        )
        symbol = mx.sym.Symbol(made)
        given = (ctypes.c_void_p * len(inputs))(*[i.symbol.handle for i in inputs])
        node_name = f"{name.lower().lstrip('_')}{next(_node_numbers)}"
        mx.base.check_call(
            lib.NNSymbolCompose(symbol.handle, node_name.encode(), len(inputs), None, given)
        )
        outputs = len(symbol.list_outputs())
        if outputs == 1:
            return SymbolValue(symbol)
        return tuple(SymbolValue(symbol[i]) for i in range(outputs))

    def into(self, name: str, inputs: Any, outputs: Any, **attrs: Any) -> None:
        """Refuse: a graph works out the shapes of all of its nodes by itself."""
        raise Unsupported(f"{name} can't be part of a graph")

    def transposed(self, x: SymbolValue) -> SymbolValue:
        """Return the node with its axes reversed; two in a row cancel."""
        if x.transpose_of is not None:
            return x.transpose_of
        made = self("transpose", x)
        made.transpose_of = x
        return made


# MXNet tells the nodes of a graph apart by their names.
_node_numbers = itertools.count()

symbolic = _Symbolic()


def variable(name: str, shape: tuple[int, ...], dtype: Any) -> SymbolValue:
    """Return an input of a graph."""
    made = SymbolValue(library().sym.Variable(name), shape, dtype)
    made.is_variable = True
    return made


class Graph:
    """A compiled graph (MXNet's CachedOp) on the CPU or a GPU.

    Parameters
    ----------
    outputs
        Its results.
    static
        Whether what it computes on the way lies in the same memory at each run. Results never do.
    """

    def __init__(self, outputs: Sequence[SymbolValue], static: bool = True) -> None:
        mx = library()
        group = mx.sym.Group([o.symbol for o in outputs])
        self._group = group
        self.inputs: list[str] = group.list_inputs()
        self.count = len(outputs)
        flags = [("static_alloc", static), ("static_shape", static)]
        self._op = mx.nd.CachedOp(group, flags)
        self._lib = mx.base._LIB
        self._ran = False
        self._layouts: list[tuple | None] = [None] * self.count

    @property
    def operators(self) -> list[str]:
        """The operators of its nodes, in order."""
        nodes = json.loads(self._group.tojson())["nodes"]
        return [node["op"] for node in nodes if node["op"] != "null"]

    def bind(self, arrays: dict[str, Any]) -> Any:
        """Return the C list of the inputs' handles, to be kept and given to `run`."""
        handles = [arrays[name].handle for name in self.inputs]
        return (ctypes.c_void_p * len(handles))(*handles)

    def run(self, bound: Any, record: bool) -> list[Any]:
        """Run the graph; with `record`, `backward` may follow. Returns NDArrays.

        MXNet always believes that it trains: otherwise oneDNN brings the weights into a layout of
        its own in place, and NumPy, which shares their memory, reads that. No operator of a graph
        of ours depends on the mode. Shapes are taken as NumPy means them.
        """
        # This is called at each training step: nothing here that can be done once.
        lib = self._lib
        before, shapes = ctypes.c_int(), ctypes.c_int()
        reference = ctypes.byref(before)
        count = ctypes.c_int(0)
        made = ctypes.POINTER(ctypes.c_void_p)()
        stypes = ctypes.POINTER(ctypes.c_int)()
        lib.MXSetIsNumpyShape(1, ctypes.byref(shapes))
        lib.MXAutogradSetIsTraining(1, reference)
        lib.MXAutogradSetIsRecording(int(record), reference)
        try:
            # At its first run oneDNN remarks on pooling that isn't going to be differentiated.
            with _NOTHING if self._ran else _quiet_stderr():
                status = lib.MXInvokeCachedOpEx(
                    self._op.handle,
                    len(bound),
                    bound,
                    ctypes.byref(count),
                    ctypes.byref(made),
                    ctypes.byref(stypes),
                )
            self._ran = True
        finally:
            lib.MXAutogradSetIsRecording(0, reference)
            lib.MXAutogradSetIsTraining(0, reference)
            lib.MXSetIsNumpyShape(shapes.value, reference)
        _mx.base.check_call(status)
        NDArray = _mx.nd.NDArray
        return [NDArray(ctypes.c_void_p(made[i])) for i in range(count.value)]

    def view(self, results: Sequence[Any], number: int) -> numpy.ndarray:
        """Return a NumPy array over the memory of one of the results of a static graph's run."""
        layout = self._layouts[number]
        if layout is None or not _synchronous:
            found = view(results[number])
            if found.size and type(found.base) is _Memory:
                memory = ctypes.c_char * found.nbytes
                self._layouts[number] = (memory, found.shape, found.dtype)
            return found
        memory, shape, dtype = layout
        pointer = ctypes.c_void_p()
        nd = results[number]
        self._lib.MXNDArrayGetData(nd.handle, ctypes.byref(pointer))
        block = memory.from_address(pointer.value)
        block.owner = nd  # NumPy keeps the block alive, and that the memory
        return numpy.ndarray(shape, dtype, block)


_NOTHING = contextlib.nullcontext()


def backward(heads: Sequence[Any], gradients: Sequence[Any] | None = None) -> None:
    """Run the derivatives of recorded results back, into the gradients that were marked.

    Without `gradients` each head counts with ones.
    """
    n = len(heads)
    lib = _mx.base._LIB
    handles = (ctypes.c_void_p * n)(*[nd.handle for nd in heads])
    given = None
    if gradients is not None:
        given = (ctypes.c_void_p * n)(*[nd.handle for nd in gradients])
    shapes, after = ctypes.c_int(), ctypes.c_int()
    lib.MXSetIsNumpyShape(1, ctypes.byref(shapes))
    try:
        status = lib.MXAutogradBackwardEx(n, handles, given, 0, None, 0, 0, 1, None, None)
    finally:
        lib.MXSetIsNumpyShape(shapes.value, ctypes.byref(after))
    _mx.base.check_call(status)


def mark(variables: Sequence[Any], gradients: Sequence[Any]) -> None:
    """Say where `backward` writes the gradients of variables."""
    library().autograd.mark_variables(list(variables), list(gradients), "write")
