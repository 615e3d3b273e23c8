"""Keras' functions of a session: seeds of everything, a fresh start, questions about tensors."""

from __future__ import annotations

import gc
import random as python_random
from typing import Any

import numpy

__all__ = ["clear_session", "get_source_inputs", "is_keras_tensor", "set_random_seed"]


def set_random_seed(seed: int) -> None:
    """Seed Python's ``random``, NumPy's global generator and `minpy.random`.

    Parameters
    ----------
    seed
        An integer from 0 to below 2³².

    Raises
    ------
    ValueError
        If it isn't; nothing is seeded then.

    Examples
    --------
    >>> import numpy
    >>> from minpy import random, utils
    >>> def draws():
    ...     utils.set_random_seed(7)
    ...     return numpy.random.rand(), float(random.uniform(()))
    >>> draws() == draws()
    True
    """
    from minpy import random

    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(
            f"set_random_seed: expected an integer from 0 to below 2**32, got {seed!r}"
        )
    python_random.seed(seed)
    numpy.random.seed(seed)
    random.seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Give back the memory of models that nobody holds any more.

    Names are numbered in each model anew, so there is nothing else to forget.

    Parameters
    ----------
    free_memory
        False does nothing.
    """
    if free_memory:
        gc.collect()


def is_keras_tensor(x: Any) -> bool:
    """Say whether something is a symbolic tensor, as `Input` and layers called on one return.

    Examples
    --------
    >>> from minpy.layers import Dense, Input
    >>> from minpy.utils import is_keras_tensor
    >>> is_keras_tensor(Dense(2)(Input((3,)))), is_keras_tensor([1.0])
    (True, False)
    """
    from minpy.layers.symbolic import KerasTensor

    return isinstance(x, KerasTensor)


def get_source_inputs(tensor: Any) -> list[Any]:
    """Return the symbolic inputs that a symbolic tensor was made from, each once.

    Raises
    ------
    ValueError
        If it isn't symbolic.

    Examples
    --------
    >>> from minpy.layers import Add, Input
    >>> from minpy.utils import get_source_inputs
    >>> a, b = Input((3,), name='a'), Input((3,), name='b')
    >>> [x.name for x in get_source_inputs(Add()([a, b]))]
    ['a', 'b']
    """
    from minpy.layers.symbolic import symbolic_leaves

    if not is_keras_tensor(tensor):
        raise ValueError(f"get_source_inputs: expected a symbolic tensor, got {tensor!r}")
    found, seen, stack = [], set(), [tensor]
    while stack:
        one = stack.pop()
        node = one._node
        if id(node) in seen:
            continue
        seen.add(id(node))
        before = list(symbolic_leaves([*node.args, *node.kwargs.values()]))
        if before:
            stack.extend(reversed(before))
        else:
            found.append(one)
    return found
