"""One step in NumPy, over blocks that stay in the cache: the reference for the compiled kernels.

It runs where numba isn't installed, and for dtypes that numba has no arithmetic for. The arithmetic
is the compiled kernel's, operation by operation, so that both give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.optimizers.rules import Rule

__all__ = ["step"]

# Elements at a time: the dozen temporaries of a rule then fit the second-level cache.
_BLOCK = 16384


def step(
    rule: Rule,
    w: numpy.ndarray,
    g: numpy.ndarray,
    slots: list[numpy.ndarray],
    scalars: list[Any],
    bounds: numpy.ndarray,
    scales: numpy.ndarray,
    decays: numpy.ndarray,
    clip: Any,
    tiny: Any,
) -> None:
    """Update `w` and `slots` in place.

    Parameters
    ----------
    rule
        Row of the table.
    w, g
        1-D buffers of equal length.
    slots
        Buffers of that length, in the rule's order; their dtype is the one computed in.
    scalars
        In the rule's order, of that dtype.
    bounds
        Where runs of weights begin and end, one more than runs.
    scales, decays
        A run's factor on the gradient, and on the weight, which loses ``decay · w`` first.
    clip
        Limit of a gradient's elements.
    tiny
        A slot's elements below it become zero.
    """
    own = len(rule.own_slots)
    named = dict(zip(rule.own_scalars, scalars, strict=not rule.averaged))
    computed = scales.dtype
    with numpy.errstate(all="ignore"):
        for scale, decay, first, last in zip(scales, decays, bounds[:-1], bounds[1:], strict=True):
            for start in range(int(first), int(last), _BLOCK):
                part = slice(start, min(start + _BLOCK, int(last)))
                gradient = g[part].astype(computed) * scale
                gradient = numpy.minimum(numpy.maximum(gradient, -clip), clip)
                weight = w[part].astype(computed)
                weight = weight - weight * decay
                new = rule.update(weight, gradient, *[s[part] for s in slots[:own]], **named)
                if rule.averaged:
                    keep, rest = scalars[-2:]
                    new = (*new, slots[-1][part] * keep + new[0] * rest)
                w[part] = new[0]
                for slot, value in zip(slots, new[1:], strict=True):
                    slot[part] = numpy.where(numpy.abs(value) < tiny, computed.type(0), value)
