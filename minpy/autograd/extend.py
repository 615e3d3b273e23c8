"""HIPS autograd's ``extend``, under its name: what one writes own derivatives with."""

from minpy.autograd.containers import register_container
from minpy.autograd.rules import (
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
)
from minpy.primitives import primitive

__all__ = [
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "primitive",
    "register_container",
]
