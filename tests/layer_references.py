"""Convolution and pooling as plain loops over every number, to compare kernels with."""

from __future__ import annotations

import itertools

import numpy as np

from minpy import runtime

# A test run without mxnet checks the NumPy kernels alone.
POLICIES = ["only_numpy", "prefer_mxnet"] if runtime.available() else ["only_numpy"]
NEEDS_MXNET = not runtime.available()


def same_pads(size, window, stride):
    """Return TensorFlow's padding for ``'same'``, from its documentation's two cases."""
    total = max(window - (size % stride or stride), 0)
    return total // 2, total - total // 2


def places(size, window, stride, pads, dilation=1):
    """Return, for each window along one axis, the places it sees; None where it sees padding."""
    padded = size + sum(pads)
    reach = (window - 1) * dilation + 1
    found = []
    for start in range(0, padded - reach + 1, stride):
        seen = [start + k * dilation - pads[0] for k in range(window)]
        found.append([p if 0 <= p < size else None for p in seen])
    return found


def conv(x, w, b, strides, pads, dilations, groups):
    n, _, *size = x.shape
    filters, each, *window = w.shape
    grids = [places(*args) for args in zip(size, window, strides, pads, dilations, strict=True)]
    after = [len(g) for g in grids]
    out = np.zeros((n, filters, *after))
    per_group = filters // groups
    for o in range(filters):
        first = (o // per_group) * each
        for at in itertools.product(*map(range, after)):
            total = np.zeros(n) + (0.0 if b is None else b[o])
            for c in range(each):
                for k in itertools.product(*map(range, window)):
                    source = [g[a][j] for g, a, j in zip(grids, at, k, strict=True)]
                    if None not in source:
                        total += x[(slice(None), first + c, *source)] * w[(o, c, *k)]
            out[(slice(None), o, *at)] = total
    return out


def pool(x, kind, window, strides, pads, count_padding=False):
    _, _, *size = x.shape
    grids = [places(*args) for args in zip(size, window, strides, pads, strict=True)]
    after = [len(g) for g in grids]
    out = np.zeros((*x.shape[:2], *after))
    for at in itertools.product(*map(range, after)):
        seen = []
        for k in itertools.product(*map(range, window)):
            source = [g[a][j] for g, a, j in zip(grids, at, k, strict=True)]
            if None not in source:
                seen.append(x[(slice(None), slice(None), *source)])
        if kind == "max":
            value = np.max(seen, axis=0)
        else:
            value = np.sum(seen, axis=0) / (np.prod(window) if count_padding else len(seen))
        out[(slice(None), slice(None), *at)] = value
    return out
