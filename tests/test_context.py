"""Contexts: where new arrays are made, and how arrays get from one device to another."""

from __future__ import annotations

import pickle
import threading

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.context import Context, cpu, current_context, gpu, num_gpus, set_context
from minpy.errors import ContextError

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")
no_gpu = pytest.mark.skipif(num_gpus() > 0, reason="this machine has a GPU")


def test_the_host_is_the_default():
    assert current_context() == cpu() == cpu(0)
    assert np.ones(2).context == cpu()
    assert repr(cpu()) == "cpu(0)" and repr(gpu(1)) == "gpu(1)"
    assert cpu().on_host and not cpu(1).on_host and not gpu().on_host


def test_contexts_compare_by_device():
    assert gpu(0) == gpu(0) != gpu(1)
    assert len({cpu(), cpu(0), gpu(0), gpu()}) == 2
    assert cpu() != "cpu(0)"


@pytest.mark.parametrize("bad", [("tpu", 0), ("cpu", -1), ("cpu", 1.5), ("gpu", True)])
def test_there_are_no_other_devices(bad):
    with pytest.raises(ValueError, match="Context: expected"):
        Context(*bad)


@no_gpu
def test_a_gpu_that_is_not_there_fails_where_it_is_entered():
    context = gpu(0)  # naming it is no error
    for enter in (context.__enter__, lambda: set_context(context), context.check):
        with pytest.raises(ContextError, match=r"gpu\(0\) can't be used: .*(install|driver)"):
            enter()
    assert current_context() == cpu()
    with pytest.raises(ContextError):
        np.ones(2).as_in_context(gpu(0))
    assert num_gpus() == 0


def test_set_context_takes_contexts_only():
    with pytest.raises(TypeError, match="expected cpu"):
        set_context("cpu")


@needs_mxnet
def test_blocks_nest_and_end_with_exceptions_too():
    with cpu(1):
        assert current_context() == cpu(1)
        with cpu(2) as inner:
            assert current_context() == inner == cpu(2)
        assert current_context() == cpu(1)
        set_context(cpu(3))
        assert np.ones(1).context == cpu(3)
    assert current_context() == cpu()
    with pytest.raises(KeyError), cpu(1):
        raise KeyError
    assert current_context() == cpu()


@needs_mxnet
def test_each_thread_has_its_own():
    seen = []

    def work():
        seen.append(current_context())
        with cpu(2):
            seen.append(np.ones(1).context)

    with cpu(1):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert current_context() == cpu(1)
    assert seen == [cpu(), cpu(2)]


@needs_mxnet
@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros((2, 3)),
        lambda: np.array([1.0, 2.0]),
        lambda: np.array(numpy.ones(2)),
        lambda: np.arange(3),
        lambda: np.eye(2),
        lambda: np.linspace(0, 1, 3),
        lambda: np.full(2, 7.0),
        lambda: np.zeros((0, 3)),
        lambda: np.array(1.5),
        lambda: np.r_[1.0, 2.0],
        lambda: np.hanning(3),
        lambda: np.ndarray((2, 2)),
        lambda: np.add(1.0, numpy.ones(2)),
    ],
)
def test_new_arrays_lie_on_the_current_context(make):
    expected = make()
    with cpu(1):
        made = make()
    assert made.context == cpu(1)
    assert made.shape == expected.shape and made.dtype == expected.dtype
    assert np.zeros(2, ctx=cpu(1)).context == cpu(1)


@needs_mxnet
def test_results_lie_where_the_arguments_do():
    x = np.ones((2, 3), ctx=cpu(1))
    for y in (x + 1.0, x.T, x[0], x.sum(), np.sort(x), np.dot(x, x.T), x > 0, np.zeros_like(x)):
        assert y.context == cpu(1)
    assert (x + np.ones(3)).context == cpu(1)  # the host's arrays join the device's
    assert (np.ones(3) * x).context == cpu(1)
    with pytest.raises(ValueError, match=r"cpu\(1\) and cpu\(2\).*as_in_context"):
        x + np.ones(3, ctx=cpu(2))


@needs_mxnet
def test_copies_between_devices_are_copies_and_carry_gradients():
    x = np.array([1.0, 2.0])
    assert x.as_in_context(cpu()) is x
    there = x.as_in_context(cpu(1))
    x[0] = 5.0
    assert there.tolist() == [1, 2]
    assert there.as_in_context(cpu(2)).as_in_context(cpu()).tolist() == [1, 2]

    def f(v):
        away = v.as_in_context(cpu(1))
        return np.sum(away * away)

    g = minpy.grad(f)(x)
    assert g.context == cpu()
    assert g.tolist() == [10, 4]


@needs_mxnet
def test_what_mxnet_has_no_dtype_for_stays_on_the_host():
    with cpu(1):
        z = np.array([1 + 2j])
    assert z.context == cpu()
    assert np.array(["a"], ctx=cpu(1)).context == cpu()


@needs_mxnet
def test_writing_in_place_on_a_device():
    x = np.zeros((2, 3), ctx=cpu(1))
    row, flat = x[1], x.reshape(6)
    copied = x.T.reshape(6)  # NumPy can't make this a view
    row[0] = 1.0
    flat[1] = 5.0
    x *= 2.0
    x[0] += np.array([1.0, 0.0, 0.0])  # of the host
    assert x.tolist() == [[1, 10, 0], [2, 0, 0]]
    assert row.tolist() == [2, 0, 0]
    assert flat.tolist() == [1, 10, 0, 2, 0, 0]
    assert copied.tolist() == [0] * 6
    assert x.context == row.context == cpu(1)
    host = np.zeros(3)
    host[...] = x[1]
    host += x[1]
    assert host.tolist() == [4, 0, 0]
    assert host.context == cpu()


@needs_mxnet
def test_arrays_of_a_device_leave_it_for_others():
    x = np.array([[1.0, 2.0]], ctx=cpu(1))
    assert type(x.asnumpy()) is numpy.ndarray
    assert numpy.asarray(x).tolist() == [[1, 2]]
    assert float(x[0, 1]) == 2.0
    assert numpy.from_dlpack(x).tolist() == [[1, 2]]
    back = pickle.loads(pickle.dumps(x))
    assert back.context == cpu(1) and back.tolist() == x.tolist()
    assert repr(x) == "array([[1., 2.]], ctx=cpu(1))"
    assert not hasattr(x, "__array_interface__")


@needs_mxnet
def test_mxnets_own_arrays_come_in():
    import mxnet

    nd = mxnet.nd.array([1.0, 2.0])
    x = np.asarray(nd)
    assert x.context == cpu() and x.dtype == numpy.float32
    nd[0] = 7.0
    assert x.tolist() == [7, 2]  # the same memory
    assert np.array(nd) is not x
    there = np.asarray(mxnet.nd.array([1.0], ctx=mxnet.cpu(1)))
    assert there.context == cpu(1)
    assert (x + nd).tolist() == [14, 4]
    assert np.sin(nd).shape == (2,)
    assert (np.ones(2) * nd).tolist() == [7, 2]
