"""Discrete Fourier transforms: ``numpy.fft`` with derivatives.

It must not know how a transform is computed. What isn't here by name is NumPy's own function, by
the fall-back.

A transform is linear, and its matrix symmetric: a gradient goes back by the transform itself, after
which it is cropped or padded as the argument was before. Of a real argument the gradient is the
real part. Transforms over several axes are one over each, in NumPy's order, so an axis may be named
twice.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import def_linear, defvjp
from minpy.numpy.elementwise import conjugate, real
from minpy.numpy.fallback import reach
from minpy.numpy.function import Function, composition
from minpy.numpy.shaping import pad, roll
from minpy.primitives import default_precision

__all__ = [
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]

__getattr__, __dir__ = reach("numpy.fft", __all__)

Axes = int | Sequence[int] | None

# Which scaling the transpose of a transform between real and complex numbers has.
_OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _function(name: str) -> Function:
    transform = getattr(numpy.fft, name)

    @functools.wraps(transform)
    def kernel(a: Any, *args: Any, **kwargs: Any) -> numpy.ndarray:
        # NumPy 1.26 transforms in double precision, and never goes back.
        return default_precision(transform(a, *args, **kwargs), [a])

    made = Function(f"fft.{name}", kernel, arrays=1, doc=transform.__doc__)
    def_linear(made)
    return made


def _fitted(g: ndarray, length: int, axis: int) -> ndarray:
    """Crop or pad with zeros at the end of an axis: the transpose of doing it the other way."""
    now = g.shape[axis]
    axis %= g.ndim
    if length < now:
        return g[(slice(None),) * axis + (slice(length),)]
    if length > now:
        widths = [(0, length - now if i == axis else 0) for i in range(g.ndim)]
        return pad(g, widths)
    return g


def _of_kind(g: ndarray, x: ndarray) -> ndarray:
    return g if x.dtype.kind == "c" else real(g)


# --- one axis -------------------------------------------------------------------------------------

fft, ifft = _function("fft"), _function("ifft")
rfft, irfft = _function("rfft"), _function("irfft")


def _by_itself(transform: Function) -> Any:
    def rule(ans: Any, x: ndarray, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
        length = x.shape[axis]
        return lambda g: _of_kind(_fitted(transform(g, axis=axis, norm=norm), length, axis), x)

    return rule


def _rfft_vjp(ans: Any, x: ndarray, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    # Half of the frequencies of `fft`: the other half has no gradient.
    length = x.shape[axis]
    whole = length if n is None else n
    return lambda g: real(_fitted(fft(g, n=whole, axis=axis, norm=norm), length, axis))


def _irfft_vjp(ans: Any, x: ndarray, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    # All frequencies but the first, and the last of an even length, stand for their mirrored ones.
    length, whole = x.shape[axis], ans.shape[axis]
    twice = numpy.full(whole // 2 + 1, 2.0, ans.dtype)
    twice[0] = 1.0
    if whole % 2 == 0:
        twice[-1] = 1.0
    twice = twice.reshape((-1,) + (1,) * (x.ndim - 1 - axis % x.ndim))

    def vjp(g: Any) -> Any:
        spectrum = conjugate(rfft(g, axis=axis, norm=_OPPOSITE[norm])) * twice
        return _of_kind(_fitted(spectrum, length, axis), x)

    return vjp


defvjp(fft, _by_itself(fft))
defvjp(ifft, _by_itself(ifft))
defvjp(rfft, _rfft_vjp)
defvjp(irfft, _irfft_vjp)


@composition("fft.hfft", numpy.fft.hfft, arrays=1)
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> ndarray:
    """Return the transform of a signal with Hermitian symmetry, as `numpy.fft.hfft`."""
    a = as_ndarray(a)
    return irfft(conjugate(a), n=n, axis=axis, norm=_OPPOSITE[norm])


@composition("fft.ihfft", numpy.fft.ihfft, arrays=1)
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> ndarray:
    """Return the inverse of `hfft`, as `numpy.fft.ihfft`."""
    return conjugate(rfft(as_ndarray(a), n=n, axis=axis, norm=_OPPOSITE[norm]))


# --- several axes ---------------------------------------------------------------------------------


def _along(a: ndarray, s: Any, axes: Axes) -> list[tuple[int, int]]:
    """Return pairs of a length and an axis."""
    if axes is None:
        axes = range(a.ndim) if s is None else range(-len(s), 0)
    lengths = [a.shape[axis] for axis in axes] if s is None else list(s)
    if len(lengths) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    return list(zip(lengths, axes, strict=True))


def _each(transform: Function, a: Any, s: Any, axes: Axes, norm: Any) -> ndarray:
    a = as_ndarray(a)
    for n, axis in reversed(_along(a, s, axes)):
        a = transform(a, n=n, axis=axis, norm=norm)
    return a


@composition("fft.fftn", numpy.fft.fftn, arrays=1)
def fftn(a: Any, s: Any = None, axes: Axes = None, norm: Any = None) -> ndarray:
    """Return the transform over several axes, as `numpy.fft.fftn`."""
    return _each(fft, a, s, axes, norm)


@composition("fft.ifftn", numpy.fft.ifftn, arrays=1)
def ifftn(a: Any, s: Any = None, axes: Axes = None, norm: Any = None) -> ndarray:
    """Return the inverse transform over several axes, as `numpy.fft.ifftn`."""
    return _each(ifft, a, s, axes, norm)


@composition("fft.rfftn", numpy.fft.rfftn, arrays=1)
def rfftn(a: Any, s: Any = None, axes: Axes = None, norm: Any = None) -> ndarray:
    """Return the transform of real numbers over several axes, as `numpy.fft.rfftn`."""
    a = as_ndarray(a)
    *rest, (n, axis) = _along(a, s, axes)
    a = rfft(a, n=n, axis=axis, norm=norm)
    for n, axis in rest:
        a = fft(a, n=n, axis=axis, norm=norm)
    return a


@composition("fft.irfftn", numpy.fft.irfftn, arrays=1)
def irfftn(a: Any, s: Any = None, axes: Axes = None, norm: Any = None) -> ndarray:
    """Return the inverse of `rfftn`, as `numpy.fft.irfftn`."""
    a = as_ndarray(a)
    *rest, (n, axis) = _along(a, s, axes)
    if s is None:
        n = 2 * (n - 1)
    for length, along in rest:
        a = ifft(a, n=length, axis=along, norm=norm)
    return irfft(a, n=n, axis=axis, norm=norm)


@composition("fft.fft2", numpy.fft.fft2, arrays=1)
def fft2(a: Any, s: Any = None, axes: Axes = (-2, -1), norm: Any = None) -> ndarray:
    """Return the transform over two axes, as `numpy.fft.fft2`."""
    return fftn(a, s=s, axes=axes, norm=norm)


@composition("fft.ifft2", numpy.fft.ifft2, arrays=1)
def ifft2(a: Any, s: Any = None, axes: Axes = (-2, -1), norm: Any = None) -> ndarray:
    """Return the inverse transform over two axes, as `numpy.fft.ifft2`."""
    return ifftn(a, s=s, axes=axes, norm=norm)


@composition("fft.rfft2", numpy.fft.rfft2, arrays=1)
def rfft2(a: Any, s: Any = None, axes: Axes = (-2, -1), norm: Any = None) -> ndarray:
    """Return the transform of real numbers over two axes, as `numpy.fft.rfft2`."""
    return rfftn(a, s=s, axes=axes, norm=norm)


@composition("fft.irfft2", numpy.fft.irfft2, arrays=1)
def irfft2(a: Any, s: Any = None, axes: Axes = (-2, -1), norm: Any = None) -> ndarray:
    """Return the inverse of `rfft2`, as `numpy.fft.irfft2`."""
    return irfftn(a, s=s, axes=axes, norm=norm)


# --- order of the frequencies ---------------------------------------------------------------------


def _rolled(x: Any, axes: Axes, inverse: bool) -> ndarray:
    x = as_ndarray(x)
    axes = range(x.ndim) if axes is None else axes
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    shifts = tuple(-(x.shape[a] // 2) if inverse else x.shape[a] // 2 for a in axes)
    return roll(x, shifts, axes)


@composition("fft.fftshift", numpy.fft.fftshift, arrays=1)
def fftshift(x: Any, axes: Axes = None) -> ndarray:
    """Bring frequency zero to the middle, as `numpy.fft.fftshift`."""
    return _rolled(x, axes, inverse=False)


@composition("fft.ifftshift", numpy.fft.ifftshift, arrays=1)
def ifftshift(x: Any, axes: Axes = None) -> ndarray:
    """Undo `fftshift`, as `numpy.fft.ifftshift`."""
    return _rolled(x, axes, inverse=True)
