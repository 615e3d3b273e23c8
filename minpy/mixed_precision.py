"""Mixed precision by Keras' names: large products in bfloat16, all else float32; knows no layer.

Off by default. Under ``'mixed_bfloat16'`` compiled models compute their large products and
convolutions on operands rounded to bfloat16, forward and back, with sums in float32. Weights,
gradients, the optimizer's state and the loss stay float32. docs/performance.md says what that
gains.
"""

from __future__ import annotations

import os

from minpy.config import settings
from minpy.graph import native
from minpy.runtime import onednn

__all__ = [
    "DTypePolicy",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

# Name -> what large products are computed in.
_PRODUCTS = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
_PROCESSOR = "/proc/cpuinfo"


class Policy:
    """What large products are computed in, and what weights are kept in.

    Parameters
    ----------
    name
        ``'float32'`` or ``'mixed_bfloat16'``.

    Attributes
    ----------
    name
        As given.
    compute_dtype
        What the operands of large products are rounded to: ``'float32'`` or ``'bfloat16'``.
        Arrays of that dtype are never seen: results are float32.
    variable_dtype
        What weights, gradients and optimizers' state are: ``'float32'``.

    Raises
    ------
    ValueError
        If `name` is neither.

    Examples
    --------
    >>> from minpy.mixed_precision import Policy
    >>> Policy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or name not in _PRODUCTS:
            raise ValueError(
                f"Policy: expected one of {', '.join(map(repr, _PRODUCTS))}, got {name!r}; "
                "the dtype of everything is minpy.set_default_dtype's"
            )
        self.name = name
        self.compute_dtype = _PRODUCTS[name]
        self.variable_dtype = "float32"

    def __repr__(self) -> str:
        return f"Policy({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def get_config(self) -> dict[str, str]:
        """Return what `Policy(**config)` makes an equal one of."""
        return {"name": self.name}


def set_global_policy(policy: str | Policy) -> None:
    """Choose the precision of large products in models that are compiled from now on.

    A model that has trained, evaluated or predicted keeps the steps that it has: set the policy
    before, or call ``compile`` again.

    Parameters
    ----------
    policy
        ``'float32'``, what minpy starts with, ``'mixed_bfloat16'``, or a `Policy`.

    Raises
    ------
    ValueError
        If there is no such policy.
    RuntimeError
        For ``'mixed_bfloat16'`` where the processor has no instructions for bfloat16, or oneDNN
        (onednn-cpu-gomp) isn't installed. The policy is as before then.

    Examples
    --------
    >>> from minpy import mixed_precision
    >>> mixed_precision.set_global_policy("float32")
    >>> mixed_precision.global_policy()
    Policy('float32')
    """
    chosen = policy if isinstance(policy, Policy) else Policy(policy)
    if chosen.compute_dtype == "bfloat16":
        reason = why_unavailable()
        if reason is not None:
            raise RuntimeError(
                f"set_global_policy: {chosen.name!r} can't be had here, {reason}; "
                "stay with 'float32'"
            )
    settings.products = chosen.compute_dtype


def global_policy() -> Policy:
    """Return the policy in force."""
    return Policy(next(n for n, dtype in _PRODUCTS.items() if dtype == settings.products))


def why_unavailable() -> str | None:
    """Return the reason why ``'mixed_bfloat16'`` can't be had here, or None where it can."""
    if onednn.library() is None or not native.available():
        return "oneDNN (onednn-cpu-gomp) or numba isn't installed"
    if "avx512_bf16" not in _processor_flags():
        # Without them oneDNN converts back and forth, which takes longer than float32.
        return "the processor has no AVX512_BF16 instructions"
    return None


def _processor_flags() -> frozenset[str]:
    if not os.path.exists(_PROCESSOR):
        return frozenset()
    with open(_PROCESSOR, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    return frozenset()


# Keras has them by these names too.
DTypePolicy = Policy
dtype_policy = global_policy
set_dtype_policy = set_global_policy
