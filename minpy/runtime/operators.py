"""MXNet's operators, one call at a time, and how their names and attributes are told in C.

It must not know what an operator is for: that is said where kernels are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from minpy.runtime import loading
from minpy.runtime.loading import library
from minpy.runtime.memory import numpy_shapes

__all__ = ["eager", "encode", "operator"]

_handles: dict[str, ctypes.c_void_p] = {}
_encoded: dict[tuple, tuple] = {}


def operator(name: str) -> ctypes.c_void_p:
    """Return MXNet's handle of the operator with this name."""
    handle = _handles.get(name)
    if handle is None:
        handle = ctypes.c_void_p()
        mx = library()
        mx.base.check_call(loading.lib.NNGetOpHandle(name.encode(), ctypes.byref(handle)))
        _handles[name] = handle
    return handle


def encode(attrs: dict[str, Any]) -> tuple:
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
        return loading.mx.nd.empty(shape, ctx=like.context, dtype=like.dtype)

    def _invoke(
        self, name: str, inputs: Sequence[Any], outputs: Sequence[Any] | None, attrs: dict
    ) -> Any:
        handle = operator(name)
        for nd in inputs:
            shape = nd.shape
            if not shape or 0 in shape:
                with numpy_shapes():
                    return self._call(name, handle, inputs, outputs, attrs)
        return self._call(name, handle, inputs, outputs, attrs)

    @staticmethod
    def _call(name, handle, inputs, outputs, attrs):
        mx = loading.mx
        count, keys, values = encode(attrs)
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
        status = loading.lib.MXImperativeInvokeEx(
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
            message = mx.base.py_str(loading.lib.MXGetLastError()).split("Stack trace:")[0]
            raise mx.base.MXNetError(f"{name}: {message.strip()}")
        if outputs is not None:
            return None
        made_arrays = [mx.nd.NDArray(ctypes.c_void_p(made[i])) for i in range(filled.value)]
        return made_arrays[0] if len(made_arrays) == 1 else tuple(made_arrays)


eager = _Eager()
