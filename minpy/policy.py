"""Policies: which kernel of an operation runs, NumPy's or MXNet's; knows no arrays.

=============== ================================================================================
``auto``        The faster one for that operation on that device: on the CPU NumPy for
                element-wise work, reductions and indexing and MXNet (oneDNN) for convolution,
                pooling, normalisation and the like; on a GPU MXNet where it can. Large products of
                float32 matrices are oneDNN's, called directly. The default.
``prefer_mxnet``  MXNet where it has a kernel that takes the arguments, NumPy otherwise.
``only_mxnet``  MXNet; an operation that it can't do raises `PolicyError`.
``only_numpy``  NumPy; mxnet is not imported.
=============== ================================================================================

The policy in force is the process's, not a thread's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from minpy import runtime
from minpy.errors import PolicyError

__all__ = [
    "current_policy",
    "operation_counts",
    "reset_operation_counts",
    "set_global_policy",
    "use_policy",
    "wrap_policy",
]

NAMES = ("auto", "prefer_mxnet", "only_mxnet", "only_numpy")

_F = TypeVar("_F", bound=Callable[..., Any])


class _State:
    __slots__ = ("_found_fast", "fast_ready", "listeners", "name", "operations", "takes_fast")

    def __init__(self) -> None:
        self.name = "auto" if runtime.installed() else "only_numpy"
        # Whether kernels that are neither NumPy's nor MXNet's may run: where nobody chose.
        self.takes_fast = True
        self._found_fast = False  # whether they have been seen to run
        self.fast_ready = False
        self.operations: dict[str, Any] = {}  # name -> Primitive, filled by minpy.primitive
        self.listeners: list[Callable[[str], None]] = []

    def find_fast(self) -> None:
        """Note that kernels which are neither NumPy's nor MXNet's run here."""
        self._found_fast, self.fast_ready = True, self.takes_fast

    def choose(self, name: str, takes_fast: bool) -> None:
        """Put a policy in force."""
        self.name, self.takes_fast = name, takes_fast
        self.fast_ready = takes_fast and self._found_fast
        for listener in self.listeners:
            listener(name)


state = _State()


def set_global_policy(policy: str) -> None:
    """Choose which kernels run from now on.

    Parameters
    ----------
    policy
        ``'auto'``, ``'prefer_mxnet'``, ``'only_mxnet'`` or ``'only_numpy'``.

    Raises
    ------
    ValueError
        If there is no such policy.
    PolicyError
        If the policy needs mxnet and mxnet can't be used; the old policy stays.

    Examples
    --------
    >>> import minpy
    >>> minpy.set_global_policy('only_numpy')
    >>> minpy.current_policy()
    'only_numpy'
    >>> minpy.set_global_policy('auto')
    """
    name = getattr(policy, "name", policy)
    if name not in NAMES:
        raise ValueError(f"set_global_policy: expected one of {', '.join(NAMES)}, got {policy!r}")
    if name in ("prefer_mxnet", "only_mxnet") and not runtime.available():
        raise PolicyError(f"policy {name!r} needs mxnet: {runtime.why_unavailable()}")
    takes_fast = name == "auto"
    if name == "auto" and not runtime.installed():
        name = "only_numpy"
    state.choose(name, takes_fast)


def current_policy() -> str:
    """Return the name of the policy in force."""
    return state.name


@contextmanager
def use_policy(policy: str) -> Iterator[None]:
    """Put a policy in force for a ``with`` block.

    Examples
    --------
    >>> import minpy
    >>> with minpy.policy.use_policy('only_numpy'):
    ...     minpy.current_policy()
    'only_numpy'
    """
    before = state.name, state.takes_fast
    set_global_policy(policy)
    try:
        yield
    finally:
        state.choose(*before)


def wrap_policy(policy: str) -> Callable[[_F], _F]:
    """Return a decorator that puts a policy in force while the function runs.

    Examples
    --------
    >>> import minpy
    >>> @minpy.wrap_policy('only_numpy')
    ... def f():
    ...     return minpy.current_policy()
    >>> f()
    'only_numpy'
    """
    if getattr(policy, "name", policy) not in NAMES:
        raise ValueError(f"wrap_policy: expected one of {', '.join(NAMES)}, got {policy!r}")

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with use_policy(policy):
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]

    return decorate


def operation_counts() -> dict[str, dict[str, int]]:
    """Return how often each operation ran on which kernel since the last reset.

    Returns
    -------
    dict
        Operation name → ``{'numpy': calls, 'mxnet': calls}``; operations that never ran are
        left out.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.policy.reset_operation_counts()
    >>> x = np.ones(3) + np.ones(3)
    >>> minpy.policy.operation_counts()['add']
    {'numpy': 1, 'mxnet': 0}
    """
    return {
        name: {"numpy": op.ran_numpy, "mxnet": op.ran_mxnet}
        for name, op in sorted(state.operations.items())
        if op.ran_numpy or op.ran_mxnet
    }


def reset_operation_counts() -> None:
    """Set all operation counts to zero."""
    for op in state.operations.values():
        op.ran_numpy = op.ran_mxnet = 0
