"""What weights start as: Keras' initializers, and the rules of the original minpy.

An initializer is a function of a shape and a dtype; it knows of layers no more than their fans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from minpy.by_name import NameTable
from minpy.errors import ShapeError
from minpy.initializers.constant import Constant, Identity, Ones, Zeros
from minpy.initializers.initializer import Initializer, RandomInitializer, fans_of
from minpy.initializers.orthogonal import Orthogonal
from minpy.initializers.random_values import RandomNormal, RandomUniform, TruncatedNormal
from minpy.initializers.rules import RULES, Custom, Xavier
from minpy.initializers.short_time_fourier import STFT
from minpy.initializers.variance_scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

_table = NameTable(
    "initializer",
    [
        Zeros,
        Ones,
        Constant,
        Identity,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        LecunNormal,
        LecunUniform,
        Orthogonal,
        STFT,
        Xavier,
        Custom,
    ],
    aliases={
        "zero": "Zeros",
        "one": "Ones",
        "eye": "Identity",
        "IdentityInitializer": "Identity",
        "OrthogonalInitializer": "Orthogonal",
        "STFTInitializer": "STFT",
        "stft": "STFT",
        "normal": "RandomNormal",
        "uniform": "RandomUniform",
        "gaussian": "RandomNormal",
    },
    folder="minpy.initializers",
)

get = _table.get
serialize = _table.serialize
deserialize = _table.deserialize

# Keras' other names of the same classes; three of them stand before modules of this package.
IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
STFTInitializer = stft = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros


def make(
    initializer: Any,
    shape: Sequence[int],
    dtype: Any = None,
    fans: tuple[int, int] | None = None,
    generator: numpy.random.Generator | None = None,
) -> numpy.ndarray:
    """Return the first values of a weight.

    Parameters
    ----------
    initializer
        A name, an `Initializer`, or a function of shape and dtype.
    shape, dtype
        Of the weight; the default float dtype if not given.
    fans
        Fan-in and fan-out where they don't follow from the shape (see `fans_of`).
    generator
        Where random numbers come from; `minpy.random` if not given.

    Raises
    ------
    ValueError
        If there is no initializer of that name.
    ShapeError
        If a function returns values of another shape.

    Examples
    --------
    >>> make('ones', (2,))
    array([1., 1.], dtype=float32)
    """
    found = get(initializer)
    if found is None:
        raise ValueError(f"a weight of shape {tuple(shape)} needs an initializer, got None")
    if isinstance(found, Initializer):
        return found(shape, dtype, fans=fans, generator=generator)
    values = numpy.asarray(found(tuple(shape), dtype=dtype), dtype)
    if values.shape != tuple(shape):
        raise ShapeError(
            f"initializer {getattr(found, '__name__', found)!r} returned shape {values.shape} "
            f"for a weight of shape {tuple(shape)}"
        )
    return values


def get_rule(init_rule: Any, init_config: Mapping[str, Any] | None = None) -> Any:
    """Return the initializer of a rule's name and arguments, as ``add_param`` takes them.

    Parameters
    ----------
    init_rule
        ``'xavier'``, ``'gaussian'``, ``'uniform'``, ``'constant'``, ``'custom'``, the name of any
        of Keras' initializers, or an object.
    init_config
        Arguments: ``{'mu', 'stdvar'}`` of gaussian, ``{'range': (low, high)}`` of uniform,
        ``{'value'}`` of constant, ``{'function'}`` of custom, the constructor's own of the others.

    Raises
    ------
    ValueError
        If the rule doesn't exist, or doesn't have an argument.

    Examples
    --------
    >>> get_rule('gaussian', {'stdvar': 0.01})
    RandomNormal(mean=0.0, stddev=0.01, seed=None)
    """
    config = dict(init_config or {})
    if not isinstance(init_rule, str):
        if config:
            raise ValueError(
                f"init_config {config} goes with the name of a rule, not {init_rule!r}"
            )
        return get(init_rule)
    if init_rule in RULES:
        known, build = RULES[init_rule]
        unknown = config.keys() - known
        if not unknown:
            return build(config)
        if not (init_rule == "uniform" and config.keys() <= {"minval", "maxval", "seed"}):
            raise ValueError(
                f"init_rule {init_rule!r} takes {', '.join(sorted(known))}; "
                f"got {', '.join(sorted(unknown))}"
            )
    return deserialize({"class_name": init_rule, "config": config})
