"""Tapes: what they keep, when they let go of it, and how long they may be."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy
import pytest

import minpy
import minpy.numpy as np


def network(x):
    for _ in range(5):
        x = np.tanh(np.dot(x, x)) + x[::-1] * np.max(x)
        x[0] = x[1] * 2.0
    return np.sum(x)


def test_a_loop_of_gradients_leaks_nothing():
    x = np.array(numpy.linspace(-0.3, 0.3, 9).reshape(3, 3))
    derived = minpy.grad(network)
    hessian = minpy.hessian(lambda v: np.sum(np.sin(v) * v))
    push = minpy.make_jvp(network)(x)

    def work(times):
        for _ in range(times):
            derived(x)
            hessian(x[0])
            push(x)
        gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks()

    work(20)
    objects, blocks = work(5)
    later_objects, later_blocks = work(60)
    assert later_objects - objects < 50
    assert later_blocks - blocks < 500


def test_a_tape_makes_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        seen = []

        def f(x):
            y = network(x * 1.0)
            seen.append(weakref.ref(x))
            seen.append(weakref.ref(y))
            return y

        minpy.grad(f)(np.ones((3, 3)))
        minpy.make_jvp(f)(np.ones((3, 3)))(np.ones((3, 3)))
        vjp, value = minpy.make_vjp(f)(np.ones((3, 3)))
        del vjp, value
        assert [ref() for ref in seen] == [None] * len(seen)
    finally:
        gc.enable()


def test_the_pass_back_frees_what_it_no_longer_needs():
    results: list[weakref.ref] = []
    alive = []

    @minpy.primitive
    def step(x):
        return x * 1.5

    def rule(ans, x):
        results.append(weakref.ref(ans._np))
        place = len(results) - 1

        def vjp(g):
            alive.append(sum(ref() is not None for ref in results[place + 2 :]))
            return g * 1.5 + ans * 0.0

        return vjp

    minpy.defvjp(step, rule)

    def f(x):
        for _ in range(20):
            x = step(x)
        return np.sum(x)

    minpy.grad(f)(np.ones(1000))
    assert len(alive) == 20
    assert max(alive) == 0
    vjp, _ = minpy.make_vjp(f)(np.ones(3))
    first = vjp(np.array(1.0)).tolist()
    assert vjp(np.array(1.0)).tolist() == first  # this tape keeps everything


def test_a_tape_of_a_hundred_thousand_operations():
    def f(x, steps):
        for _ in range(steps):
            x = x * 1.00001
        return x

    vjp, value = minpy.make_vjp(f)(np.array(2.0, dtype="float64"), 100_000)
    assert float(vjp(np.array(1.0))) == pytest.approx(1.00001**100_000)
    del vjp, value  # neither does its end recurse
    assert float(minpy.grad(f)(2.0, 10_000)) == pytest.approx(1.00001**10_000, rel=1e-2)


def test_gradients_add_up_where_a_value_is_used_often():
    def f(x):
        total = 0.0
        for i in range(1000):
            total = total + x * float(i)
        return total

    assert float(minpy.grad(f)(np.array(1.0, dtype="float64"))) == sum(range(1000))


def test_a_constant_array_is_not_copied_by_a_tape():
    constant = np.array(numpy.ones(200_000))
    memory = constant._np
    before = sys.getrefcount(memory)
    vjp, _ = minpy.make_vjp(lambda x: x * constant)(np.ones(200_000))
    assert sys.getrefcount(memory) > before
    del vjp
    assert sys.getrefcount(memory) == before


def test_ten_thousand_gradients_leak_nothing():
    x = np.array(numpy.linspace(-0.3, 0.3, 3))
    derived = minpy.value_and_grad(lambda x: np.sum(np.tanh(x) * x[::-1]))

    def work(times):
        for _ in range(times):
            derived(x)
        gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks()

    work(100)
    objects, blocks = work(100)
    later_objects, later_blocks = work(10_000)
    assert later_objects - objects < 20
    assert later_blocks - blocks < 100


def test_the_pass_back_needs_no_more_memory_than_the_forward_pass_left():
    import tracemalloc

    def f(x):
        for _ in range(50):
            x = np.tanh(x)
        return np.sum(x)

    x = np.array(numpy.linspace(-1, 1, 100_000))
    minpy.grad(f)(x)
    tracemalloc.start()
    try:
        vjp, _ = minpy.make_vjp(f)(x)
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        del vjp
        minpy.grad(f)(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < kept * 1.2  # each step's values go as the gradients come


def test_a_checkpoint_keeps_less():
    import tracemalloc

    def block(x):
        for _ in range(10):
            x = np.tanh(x)
        return x

    def chain(block):
        def f(x):
            for _ in range(10):
                x = block(x)
            return np.sum(x)

        return f

    x = np.array(numpy.linspace(-1, 1, 50_000))
    peaks = []
    for step in (block, minpy.autograd.checkpoint(block)):
        tracemalloc.start()
        try:
            minpy.grad(chain(step))(x)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 0.4 * peaks[0]
