"""PyTorch and our arrays, where it is installed: memory, functions, operators, indices."""

from __future__ import annotations

import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import DifferentiationError

torch = pytest.importorskip("torch")

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_is_shared_both_ways(dtype):
    x = np.zeros((2, 3), dtype=dtype)
    for there in (torch.from_dlpack(x), torch.asarray(x), torch.as_tensor(x)):
        assert there.dtype == getattr(torch, dtype) and there.shape == (2, 3)
        there[0, 1] = 1
        assert x[0, 1].item() == 1
        x[0, 1] = 0
        assert there[0, 1].item() == 0
    tensor = torch.zeros(2, 3, dtype=getattr(torch, dtype))
    for back in (np.from_dlpack(tensor), np.asarray(tensor)):
        assert type(back) is np.ndarray and back.dtype == dtype
        tensor[1, 2] = 1
        assert back[1, 2].item() == 1
        tensor[1, 2] = 0
    own = torch.from_dlpack(x, copy=True)
    x[...] = 1
    assert not own.any()


LAYOUTS = {
    "transposed": lambda x: x.T,
    "strided": lambda x: x[1:, ::2],
    "empty": lambda x: x[:0],
    "an element": lambda x: x[1, 2],
    "reversed": lambda x: x[::-1],
    "repeated": lambda x: np.broadcast_to(x[0], (2, 4)),
}


@pytest.mark.parametrize("take", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_becomes_a_tensor(take):
    x = take(np.arange(12.0).reshape(3, 4))
    for make in (torch.from_dlpack, torch.asarray, torch.as_tensor, torch.tensor):
        there = make(x)
        assert tuple(there.shape) == x.shape and there.tolist() == x.tolist()


def test_any_layout_of_a_tensor_becomes_an_array():
    t = torch.arange(12.0).reshape(3, 4)
    for part in (t.T, t[1:, ::2], t[:0], t[1, 2], t[0].expand(2, 4)):
        for make in (np.from_dlpack, np.asarray, np.array):
            found = make(part)
            assert found.shape == tuple(part.shape) and found.tolist() == part.tolist()


def test_functions_and_operators_take_arrays_beside_tensors():
    x, t = np.array([[-1.0, 2.0], [3.0, -4.0]]), torch.tensor([[1.0, 0.5], [2.0, 1.0]])
    given = torch.as_tensor(x.asnumpy())
    for function in (
        torch.sin,
        torch.nn.functional.relu,
        lambda a: torch.cat([a, t], dim=1),
        lambda a: torch.add(t, a, alpha=2),
        lambda a: torch.where(a > 0, t, a),
        lambda a: t @ a,
        lambda a: t * a - a.sum() * t,
        lambda a: t == a,
        lambda a: torch.clone(t).add_(a),
        lambda a: torch.max(a, dim=1).values,
        lambda a: torch.nn.functional.mse_loss(a, target=t),
    ):
        found = function(x)
        assert isinstance(found, torch.Tensor)
        torch.testing.assert_close(found, function(given))
    assert type(x * t) is np.ndarray  # the operator of what stands first


def test_arrays_index_tensors_and_are_assigned_to_parts_of_them():
    t = torch.arange(12).reshape(3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch takes an array for a sequence at first
        assert t[np.array([2, 0])].tolist() == t[[2, 0]].tolist()
        assert t[np.array([0, 2]), 1].tolist() == [1, 9]
        assert t[np.array(1)].tolist() == [4, 5, 6, 7]
        assert t[t[:, 0] > 0][np.array([True, False])].tolist() == [[4, 5, 6, 7]]
    t[1:, 0] = np.array([7, 8])
    assert t[:, 0].tolist() == [0, 7, 8]
    x = np.arange(5)
    x[1:3] = torch.tensor([9, 9])
    assert x[torch.tensor([1, 4])].tolist() == [9, 4]


def test_a_tensors_own_gradient_goes_through_an_array():
    weight = torch.ones(2, requires_grad=True)
    (weight * np.array([2.0, 3.0])).sum().backward()
    assert weight.grad.tolist() == [2, 3]


def test_a_derivative_is_kept_by_operators_and_never_lost_silently():
    x, t = np.array([1.0, 2.0]), torch.tensor([3.0, 4.0])
    for function in (lambda a: t * a, lambda a: a * t, lambda a: a + t * a - a):
        found = minpy.grad(lambda a, function=function: np.sum(function(a)))(x)
        numpy.testing.assert_allclose(found.asnumpy(), [3.0, 4.0])
    for function in (torch.sin, torch.as_tensor, torch.from_dlpack):
        with pytest.raises(DifferentiationError):
            minpy.grad(lambda a, function=function: function(a).sum())(x)
    with pytest.raises(TypeError):
        minpy.grad(lambda a: torch.add(t, a).sum())(x)
