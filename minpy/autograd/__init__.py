"""Derivatives of any order, in reverse and forward mode, over primitives."""

from minpy.autograd.builtins import dict, isinstance, list, tuple, type
from minpy.autograd.check import check_grads
from minpy.autograd.checkpointing import checkpoint
from minpy.autograd.containers import register_container
from minpy.autograd.fixed_points import fixed_point
from minpy.autograd.jacobians import (
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    jacobian,
    jacobian_vector_product,
    make_ggnvp,
    make_hvp,
    make_jvp_reversemode,
    tensor_jacobian_product,
    vector_jacobian_product,
)
from minpy.autograd.operators import (
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_and_loss,
    grad_named,
    holomorphic_grad,
    make_jvp,
    make_vjp,
    multigrad_dict,
    value_and_grad,
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
    "checkpoint",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "deriv",
    "elementwise_grad",
    "fixed_point",
    "grad",
    "grad_and_aux",
    "grad_and_loss",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "jacobian",
    "jacobian_vector_product",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_jvp_reversemode",
    "make_vjp",
    "multigrad_dict",
    "primitive",
    "register_container",
    "tensor_jacobian_product",
    "value_and_grad",
    "vector_jacobian_product",
]
