"""``minpy.dispatch.policy`` of minpy 0.3.4: policies as objects, over the names of `minpy.policy`.

>>> import minpy
>>> from minpy.dispatch import policy
>>> @minpy.wrap_policy(policy.OnlyNumPyPolicy())
... def f():
...     return minpy.current_policy()
>>> f()
'only_numpy'
"""

from __future__ import annotations

from typing import Any

from minpy.errors import PolicyError
from minpy.policy import operation_counts, set_global_policy, wrap_policy

__all__ = [
    "AutoBlacklistPolicy",
    "OnlyMXNetPolicy",
    "OnlyNumPyPolicy",
    "Policy",
    "PreferMXNetPolicy",
    "PrimitivePolicyError",
    "create",
    "set_global_policy",
    "wrap_policy",
]

PrimitivePolicyError = PolicyError


class Policy:
    """A policy as an object; `minpy.set_global_policy` and `minpy.wrap_policy` take it."""

    name = "auto"

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def show_op_stat(self) -> None:
        """Print how often each operation ran on MXNet and on NumPy since the counts were reset."""
        counts = operation_counts()
        totals = {}
        print("--------Op Dispatch Statistics Start--------")
        for title, kind in (("MXNet", "mxnet"), ("NUMPY", "numpy")):
            print(f"{title} op called times:")
            totals[kind] = 0
            for operation, ran in counts.items():
                if ran[kind]:
                    print(f" {operation} : {ran[kind]}")
                    totals[kind] += ran[kind]
        total = sum(totals.values())
        if total:
            print(
                f"Total Dispatch Proportion: {totals['mxnet'] / total:.1%} in MXNet, "
                f"{totals['numpy'] / total:.1%} in NumPy"
            )
        print("--------Op Dispatch Statistics End--------")


class PreferMXNetPolicy(Policy):
    """MXNet where it has a kernel, NumPy otherwise: the default of minpy 0.3.4."""

    name = "prefer_mxnet"


class OnlyNumPyPolicy(Policy):
    """NumPy only."""

    name = "only_numpy"


class OnlyMXNetPolicy(Policy):
    """MXNet only; an operation that it can't do raises `PolicyError`."""

    name = "only_mxnet"


class AutoBlacklistPolicy(PreferMXNetPolicy):
    """MXNet, and NumPy for the calls that MXNet can't take.

    minpy 0.3.4 learned from failures which calls those are, and kept rules in a file. Each kernel
    says so itself now, so the arguments are accepted and there is nothing to learn or save.
    """

    def __init__(self, gen_rule: bool = False, append_rule: bool = True, loc: Any = None) -> None:
        self.gen_rule, self.append_rule, self.loc = gen_rule, append_rule, loc

    def save_rules(self) -> None:
        """Do nothing: there are no rules."""


_BY_NAME = {
    kind.name: kind for kind in (Policy, PreferMXNetPolicy, OnlyNumPyPolicy, OnlyMXNetPolicy)
}


def create(policy: Any) -> Policy:
    """Return a policy object for a name; an object is returned as it is.

    Raises
    ------
    TypeError
        If there is no such policy.

    Examples
    --------
    >>> create('only_numpy')
    OnlyNumPyPolicy()
    """
    if isinstance(policy, Policy):
        return policy
    if not isinstance(policy, str) or policy not in _BY_NAME:
        raise TypeError(f"expected a policy or one of {', '.join(_BY_NAME)}, got {policy!r}")
    return _BY_NAME[policy]()
