"""Primitives: their registry, and what a call does that no kernel or no rule is there for."""

from __future__ import annotations

import _thread
import inspect
import pickle
import time

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.array import as_ndarray
from minpy.autograd import origin
from minpy.autograd.containers import map_leaves
from minpy.context import cpu
from minpy.errors import NoDerivativeError, PolicyError
from minpy.policy import use_policy
from minpy.primitives import Primitive


def private(kernel, **options):
    """Return a primitive that no registry knows."""
    return Primitive("of a test", kernel, register=False, **options)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'add' exists already"):
        Primitive("add", numpy.add)


def test_a_primitive_says_what_it_is():
    assert repr(np.add) == "<primitive add>"
    assert pickle.loads(pickle.dumps(np.add)) is np.add
    own = private(lambda x, *, scale=2.0: x * scale)
    assert list(inspect.signature(own).parameters) == ["x", "scale"]


@pytest.mark.parametrize("path", ["char.upper", "rec.array", "fft.fftfreq", "ma.masked_where"])
def test_a_function_by_the_fall_back_is_one_by_any_path(path):
    module, name = path.split(".")
    function = getattr(getattr(np, module), name)
    assert repr(function).endswith(", by the fall-back>")
    assert pickle.loads(pickle.dumps(function)) is function
    with pytest.raises(AttributeError, match="_nothing"):
        _ = function._nothing


def test_modules_that_numpy_has_two_names_for_are_reached_by_both():
    for module in (np.char, np.core.defchararray):
        assert module.upper(["a"]).tolist() == ["A"]
    assert np.char.upper is np.core.defchararray.upper


def test_the_fall_back_writes_to_out():
    days, out = numpy.array(["2026-11-20", "2026-11-21"], "M8[D]"), np.zeros(2, bool)
    assert np.is_busday(days, out=out) is out
    assert out.tolist() == [True, False]


def test_masks_are_not_lost_in_a_primitive():
    double = private(lambda x: x * 2, arrays=1)
    masked = numpy.ma.array([1.0, 2.0], mask=[True, False])
    with pytest.raises(TypeError, match="mask would be lost"):
        double(masked)


@pytest.mark.skipif(not runtime.available(), reason="needs mxnet")
def test_an_mxnet_kernel_may_return_several_arrays():
    both = private(
        lambda x: (x * 2, x * 3),
        arrays=1,
        mxnet=lambda F, x: (F("_mul_scalar", x, scalar=2.0), F("_mul_scalar", x, scalar=3.0)),
    )
    with use_policy("only_mxnet"):
        double, triple = both(np.array([1.0, 2.0]))
    assert (double.tolist(), triple.tolist()) == ([2.0, 4.0], [3.0, 6.0])


def test_an_operation_with_an_mxnet_kernel_alone_says_why_it_can_not_run():
    alone = minpy.primitive(lambda F, x: F("_np_copy", x), name="alone", only_mxnet=True)
    x = np.ones(2)
    with use_policy("only_numpy"), pytest.raises(PolicyError, match="an MXNet kernel alone"):
        alone(x)
    why = "can't take these arguments" if runtime.available() else "isn't installed"
    with pytest.raises(PolicyError, match=why):
        alone(np.array([1j, 2j]))


def test_a_derivative_without_a_rule_is_refused_in_both_modes():
    by_vjp = private(lambda x, y: x * y, arrays=2)
    minpy.defvjp(by_vjp, lambda ans, x, y: lambda g: g * y)  # for the first argument only
    x = np.array([1.0, 2.0])
    assert minpy.make_jvp(lambda a: by_vjp(a, x))(x)(np.ones(2))[1].tolist() == [1.0, 2.0]
    with pytest.raises(NoDerivativeError, match="of a test"):
        minpy.make_jvp(lambda a: by_vjp(x, a))(x)(np.ones(2))
    with pytest.raises(NoDerivativeError, match="of a test"):
        minpy.grad(lambda a: np.sum(by_vjp(x, a)))(x)


def test_a_rule_may_say_that_there_is_no_derivative():
    constant = private(lambda x: x * 0 + 3, arrays=1)
    minpy.defjvp(constant, lambda t, ans, x: None)
    minpy.defvjp(constant, lambda ans, x: lambda g: None)
    x = np.array([1.0, 2.0])
    value, tangent = minpy.make_jvp(constant)(x)(np.ones(2))
    assert (value.tolist(), tangent.tolist()) == ([3.0, 3.0], [0.0, 0.0])
    assert minpy.grad(lambda a: np.sum(constant(a) * a))(x).tolist() == [3.0, 3.0]


def test_containers_of_different_structure_are_refused():
    assert map_leaves(lambda a, b: a + b, {"a": 1, "b": (2, 3)}, {"a": 10, "b": (20, 30)}) == {
        "a": 11,
        "b": (22, 33),
    }
    with pytest.raises(ValueError, match="3 leaves, got 2"):
        map_leaves(lambda a, b: a, [1, 2, 3], [1, 2])


def test_a_derivative_needs_no_python_program_around_it():
    """A thread may begin in C: then no line of a program made an operation."""
    found: list = []
    work = map(minpy.grad(np.sin), [np.array(0.5)])
    _thread.start_new_thread(list.extend, (found, work))
    end = time.monotonic() + 20
    while not found and time.monotonic() < end:
        time.sleep(0.01)
    numpy.testing.assert_allclose(found[0].asnumpy(), numpy.cos(0.5), rtol=1e-6)


def test_an_error_whose_place_has_no_line_points_at_its_function():
    code = test_a_name_is_registered_once.__code__
    try:
        raise RuntimeError("of a rule")
    except RuntimeError as error:
        shown = origin.located(error, (code, 10**9), "sin").__traceback__
    last = shown
    while last.tb_next:
        last = last.tb_next
    assert last.tb_lineno == code.co_firstlineno


def test_what_makes_itself_an_array_keeps_its_history():
    class Wrapped:
        def __init__(self, value):
            self.value = value

        def __minpy_array__(self):
            return self.value

    x = np.array([1.0, 2.0])
    assert as_ndarray(Wrapped(x)) is x
    assert as_ndarray(Wrapped(x), "int32").dtype == "int32"
    gradient = minpy.grad(lambda a: np.sum(np.multiply(Wrapped(a), a)))(x)
    assert gradient.tolist() == [2.0, 4.0]


@pytest.mark.skipif(not runtime.available(), reason="needs a device")
def test_parts_that_devices_have_no_dtype_for_are_computed_on_the_host():
    with cpu(1):
        z = np.array([1 + 2j, 3 - 1j])
        assert z.real.tolist() == [1.0, 3.0]
        assert z[::-1].tolist() == [3 - 1j, 1 + 2j]
        assert np.array([1.0, 2.0]).astype("complex128")[1:].tolist() == [2 + 0j]


@pytest.mark.skipif(not runtime.available(), reason="needs a device")
def test_results_on_a_device_are_written_to_numpy_arrays():
    out = numpy.zeros(2)
    with cpu(1):
        x = np.array([1.0, 2.0])
        assert np.add(x, x, out=out) is out
        assert np.reshape(numpy.ones(4), (2, 2)).tolist() == [[1.0, 1.0], [1.0, 1.0]]
        seen = np.array([1.0, 2.0], "float32").view("complex64")
    assert out.tolist() == [2.0, 4.0]
    assert seen.tolist() == [1 + 2j]
