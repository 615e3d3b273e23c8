"""MXNet's update operators, for weights on a GPU, beside the reference in NumPy.

They are run on ``cpu(1)``, a device of MXNet's apart from the host.
"""

from __future__ import annotations

import numpy
import pytest

from minpy import runtime
from minpy.context import cpu, gpu, num_gpus
from minpy.errors import ContextError, ShapeError
from minpy.optimizers import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    LossScaleOptimizer,
    MultiOptimizer,
    Muon,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)
from minpy.optimizers.on_mxnet import OnDevice, operators

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")

# Two weights with padding behind the first, as a model's lie.
SEGMENTS = ((0, 12, "dense/kernel", True, (3, 4)), (16, 20, "dense/bias", True, (4,)))
SIZE = 20

MAKERS = {
    "sgd": lambda **o: SGD(0.1, **o),
    "momentum": lambda **o: SGD(0.1, 0.9, **o),
    "nesterov": lambda **o: SGD(0.1, 0.9, nesterov=True, **o),
    "rmsprop": lambda **o: RMSprop(0.1, **o),
    "rmsprop_large_epsilon": lambda **o: RMSprop(0.1, epsilon=0.1, **o),
    "rmsprop_momentum": lambda **o: RMSprop(0.01, momentum=0.8, **o),
    "rmsprop_centered": lambda **o: RMSprop(0.01, centered=True, epsilon=1e-3, **o),
    "rmsprop_centered_momentum": lambda **o: RMSprop(
        0.01, momentum=0.8, centered=True, epsilon=1e-3, **o
    ),
    "adam": lambda **o: Adam(0.1, **o),
    "adam_large_epsilon": lambda **o: Adam(0.1, 0.8, 0.99, epsilon=0.1, **o),
    "amsgrad": lambda **o: Adam(0.1, amsgrad=True, **o),
    "adamw": lambda **o: AdamW(0.1, **{"weight_decay": 0.1, **o}),
    "adamax": lambda **o: Adamax(0.1, **o),
    "nadam": lambda **o: Nadam(0.1, **o),
    "adagrad": lambda **o: Adagrad(0.1, **o),
    "adadelta": lambda **o: Adadelta(1.0, **o),
    "adafactor": lambda **o: Adafactor(0.1, **o),
    "lion": lambda **o: Lion(0.01, **o),
    "ftrl": lambda **o: Ftrl(
        0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.1, beta=0.2, **o
    ),
    "ftrl_shrinkage": lambda **o: Ftrl(0.1, l2_shrinkage_regularization_strength=0.1, **o),
    "ftrl_power": lambda **o: Ftrl(0.1, learning_rate_power=-0.3, **o),
    "lamb": lambda **o: Lamb(0.1, **o),
    "muon": lambda **o: Muon(0.1, **o),
    "schedule_free": lambda **o: ScheduleFreeAdamW(0.1, **o),
}

# What every optimizer is run with, and what is done around the rows, by one code for all.
CLIPPED = {
    "nothing": {},
    "decay_and_clipvalue": {"weight_decay": 0.05, "clipvalue": 0.3},
    "clipnorm": {"clipnorm": 0.5},
    "decay_and_global_clipnorm": {"weight_decay": 0.05, "global_clipnorm": 0.5},
}
AROUND = {
    "average": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 2, "clipvalue": 0.3},
    "loss_scale": {"loss_scale_factor": 8.0, "clipvalue": 0.05},
}
CASES = [(name, options) for name in MAKERS for options in CLIPPED] + [
    (name, options) for name in ("adam", "lamb", "nadam") for options in AROUND
]

TOLERANCES = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-12}


def _by_place(first, second):
    """Return a function that gives biases to the second optimizer."""
    return lambda weight: second if weight.path.endswith("bias") else first


def buffers(dtype="float32", steps=5):
    rng = numpy.random.default_rng(3)
    w = rng.normal(size=SIZE).astype(dtype)
    gradients = rng.normal(size=(steps, SIZE)).astype(dtype)
    w[12:16] = gradients[:, 12:16] = 0
    w[16:] = 0  # a bias begins at zero, where LAMB's ratio is one
    return w, gradients


def both(make, options, dtype="float32"):
    """Return weights and optimizer after steps on the host, and the same on a device."""
    w, gradients = buffers(dtype)
    host, device = make(**options), make(**options)
    host.fused = device.fused = False
    on_device = OnDevice(device, cpu(1))
    moved = on_device.upload(w)
    for g in gradients:
        host.step(w, g, SEGMENTS, 0.5)
        on_device.step(moved, on_device.upload(g), SEGMENTS, 0.5)
    assert moved.context == runtime.library().cpu(1)
    on_device.fetch()
    return (w, host), (moved.asnumpy(), device)


def agree(one, other, tolerance):
    (w, host), (moved, device) = one, other
    numpy.testing.assert_allclose(moved, w, rtol=tolerance, atol=tolerance)
    assert host.get_state() == device.get_state()
    assert host.slots.keys() == device.slots.keys()
    for name, slot in host.slots.items():
        # MXNet takes 1 - β in float32.
        numpy.testing.assert_allclose(
            device.slots[name], slot, rtol=max(2e-5, tolerance), atol=tolerance, err_msg=name
        )


@needs_mxnet
@pytest.mark.parametrize(("name", "options"), CASES)
def test_each_optimizer_does_on_a_device_what_the_table_says(name, options):
    one, other = both(MAKERS[name], {**CLIPPED, **AROUND}[options])
    assert abs(one[0] - buffers()[0]).max() > 1e-3  # something has happened
    agree(one, other, TOLERANCES["float32"])


@needs_mxnet
@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("name", MAKERS)
def test_other_dtypes_agree_to_their_own_rounding(name, dtype):
    one, other = both(MAKERS[name], {"weight_decay": 0.05, "clipvalue": 0.3}, dtype)
    agree(one, other, TOLERANCES[dtype])


@needs_mxnet
def test_weights_left_out_of_decay_keep_their_length():
    one, other = [], []
    for made, way in ((one, "host"), (other, "device")):
        optimizer = SGD(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        w = numpy.ones(SIZE, "float32")
        g = numpy.zeros(SIZE, "float32")
        if way == "host":
            optimizer.step(w, g, SEGMENTS)
        else:
            on_device = OnDevice(optimizer, cpu(1))
            moved = on_device.upload(w)
            on_device.step(moved, on_device.upload(g), SEGMENTS)
            w = moved.asnumpy()
        made.append(w)
    numpy.testing.assert_allclose(other[0], one[0], rtol=1e-7)
    assert other[0][16:].tolist() == [1] * 4 and (other[0][:12] < 1).all()


@needs_mxnet
@pytest.mark.parametrize(
    "make",
    [
        lambda: LossScaleOptimizer(Adam(0.1), initial_scale=4.0, dynamic_growth_steps=3),
        lambda: MultiOptimizer(_by_place(SGD(0.1), Adam(0.1))),
    ],
    ids=["loss_scale", "multi"],
)
def test_optimizers_made_of_others_do_their_steps_on_the_host(make):
    one, other = both(lambda **_: make(), {})
    agree(one, other, 0)


@needs_mxnet
def test_slots_go_to_the_device_and_back_and_may_be_changed_between():
    w, gradients = buffers()
    host, device = SGD(0.1, 0.9), SGD(0.1, 0.9)
    on_device = OnDevice(device, cpu(1))
    moved = on_device.upload(w)
    for i, g in enumerate(gradients):
        host.step(w, g, SEGMENTS)
        on_device.step(moved, on_device.upload(g), SEGMENTS)
        if i == 3:
            on_device.fetch()
            numpy.testing.assert_allclose(device.slots["momentum"], host.slots["momentum"])
            for optimizer in (host, device):
                optimizer.slots["momentum"][:] *= 0.5
    numpy.testing.assert_allclose(moved.asnumpy(), w, rtol=1e-6, atol=1e-7)


@needs_mxnet
def test_a_row_of_ones_own_runs_on_a_device_too():
    from minpy.optimizers import Optimizer
    from minpy.optimizers.rules import row

    @row
    def test_cubic_descent(w, g, seen, /, rate):
        """Go along the cube of the gradient."""
        return w - rate * g * g * g, numpy.maximum(seen, numpy.abs(g))

    class Cubic(Optimizer):
        rule = "test_cubic_descent"

        def scalars(self, rate, step):
            return {"rate": rate / step}

    agree(*both(lambda **o: Cubic(0.1, **o), {"weight_decay": 0.1}), 1e-6)


@needs_mxnet
def test_buffers_that_do_not_fit_are_told_and_nothing_changes():
    on_device = OnDevice(SGD(0.1, 0.9), cpu(1))
    w = on_device.upload(numpy.ones(4, "float32"))
    with pytest.raises(ShapeError, match=r"expected gradients of shape \(4,\).*got \(3,\)"):
        on_device.step(w, on_device.upload(numpy.ones(3, "float32")))
    with pytest.raises(TypeError, match="expected gradients of float32, got float64"):
        on_device.step(w, on_device.upload(numpy.ones(4, "float64")))
    assert on_device.optimizer.iterations == 0 and w.asnumpy().tolist() == [1] * 4


@pytest.mark.skipif(num_gpus() > 0, reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_told_at_once():
    with pytest.raises(ContextError, match=r"gpu\(0\) can't be used: .*(install|driver)"):
        OnDevice(SGD(0.1), gpu(0))


@needs_mxnet
def test_the_rows_of_the_table_that_have_operators_are_rows():
    from minpy.optimizers.rules import rules

    assert set(operators) <= set(rules)
    assert {"sgd", "sgd_momentum", "sgd_nesterov", "adam", "rmsprop", "ftrl", "lamb"} <= set(
        operators
    )


@pytest.mark.gpu
@pytest.mark.parametrize("name", MAKERS)
def test_steps_on_a_gpu_are_those_of_the_host(name):
    w, gradients = buffers()
    host, device = MAKERS[name](weight_decay=0.05), MAKERS[name](weight_decay=0.05)
    on_device = OnDevice(device, gpu(0))
    moved = on_device.upload(w)
    for g in gradients:
        host.step(w, g, SEGMENTS)
        on_device.step(moved, on_device.upload(g), SEGMENTS)
    numpy.testing.assert_allclose(moved.asnumpy(), w, rtol=1e-5, atol=1e-6)
