"""Derivatives of any order, in reverse and forward mode, over primitives."""

from minpy.autograd.check import check_grads
from minpy.autograd.containers import register_container
from minpy.autograd.operators import (
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_and_loss,
    hessian,
    hessian_vector_product,
    jacobian,
    jacobian_vector_product,
    make_jvp,
    make_vjp,
    value_and_grad,
    vector_jacobian_product,
)
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
    "check_grads",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "deriv",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_and_loss",
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "jacobian_vector_product",
    "make_jvp",
    "make_vjp",
    "primitive",
    "register_container",
    "value_and_grad",
    "vector_jacobian_product",
]
