"""Mixed precision: what is rounded to bfloat16, how far results are off, and refusals."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, losses, mixed_precision, models
from minpy.autograd.trace import open_trace
from minpy.config import settings
from minpy.datasets import digits
from minpy.graph.native import Program, ProgramTrace
from minpy.layers.functions import affine, conv
from minpy.mixed_precision import Policy, global_policy, set_global_policy

needs_bfloat16 = pytest.mark.skipif(
    mixed_precision.why_unavailable() is not None, reason=str(mixed_precision.why_unavailable())
)

rng = numpy.random.default_rng(0)


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    settings.products = "float32"


def rounded(x):
    """Return float32 numbers rounded to bfloat16's 8 bits, to nearest even; by their bits."""
    bits = numpy.ascontiguousarray(x, "float32").view("uint32").astype("uint64")
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype("uint32").view("float32")


def as_program(function, *arrays):
    with open_trace(ProgramTrace) as trace:
        given = [trace.input(np.array(a), a) for a in arrays]
        program = Program(trace, [function(*given)], [None], True, "bfloat16")
    program.run()
    return program.results[0]


@needs_bfloat16
def test_large_products_have_rounded_operands_and_exact_sums():
    x, w, b = (rng.standard_normal(s).astype("float32") for s in ((256, 300), (300, 256), (256,)))
    found = as_program(affine, x, w, b)
    expected = rounded(x).astype("float64") @ rounded(w).astype("float64") + b
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    assert numpy.abs(found - (x.astype("float64") @ w + b)).max() > 1e-3


@needs_bfloat16
def test_small_products_are_float32():
    x, w, b = (rng.standard_normal(s).astype("float32") for s in ((64, 30), (30, 20), (20,)))
    numpy.testing.assert_allclose(as_program(affine, x, w, b), x @ w + b, rtol=1e-4, atol=1e-5)


@needs_bfloat16
def test_large_convolutions_have_rounded_operands():
    x = rng.standard_normal((32, 16, 16, 16)).astype("float32")
    w = rng.standard_normal((16, 16, 3, 3)).astype("float32")
    found = as_program(lambda x, w: conv(x, w, pad=1), x, w)
    exact = [np.array(rounded(a).astype("float64")) for a in (x, w)]
    expected = conv(*exact, pad=1).asnumpy()
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def trained(policy, epochs=2):
    set_global_policy(policy)
    minpy.random.seed(1)
    (x, y), _ = digits()
    model = models.Sequential(
        [
            layers.Reshape((1, 8, 8)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", strides=2),
            layers.BatchNormalization(axis=1),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dense(10),
        ]
    )
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    x = numpy.asarray(x, "float32").reshape(len(x), 64)
    x = x / x.max()
    history = model.fit(x[:768], y[:768], batch_size=128, epochs=epochs, verbose=0)
    assert model.jit_status == "compiled"
    return model, numpy.array(history.history["loss"])


@needs_bfloat16
def test_a_model_learns_as_it_does_in_float32():
    _, plain = trained("float32")
    model, mixed = trained("mixed_bfloat16")
    assert (mixed != plain).any()  # it isn't float32 by another name
    numpy.testing.assert_allclose(mixed, plain, rtol=0.05)
    assert all(w.dtype == numpy.float32 for w in model.get_weights())
    buffers = model._step.buffers.blocks
    assert all(block.gradients.dtype == numpy.float32 for block in buffers)


@needs_bfloat16
def test_equal_runs_are_equal_bit_for_bit():
    first, again = (trained("mixed_bfloat16", epochs=1)[0].get_weights() for _ in range(2))
    for a, b in zip(first, again, strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_float32_is_in_force_by_itself():
    assert global_policy() == Policy("float32")
    assert mixed_precision.dtype_policy().compute_dtype == "float32"


@pytest.mark.parametrize("name", ["mixed_float16", "bfloat16", "", None, 3])
def test_other_policies_are_refused(name):
    with pytest.raises(ValueError, match="'float32', 'mixed_bfloat16'"):
        set_global_policy(name)
    assert global_policy() == Policy("float32")


def test_a_processor_without_it_refuses(monkeypatch):
    monkeypatch.setattr(mixed_precision, "_processor_flags", lambda: frozenset(["avx512f"]))
    with pytest.raises(RuntimeError, match="stay with 'float32'"):
        set_global_policy("mixed_bfloat16")
    assert global_policy() == Policy("float32")


@needs_bfloat16
def test_policies_are_plain_values():
    policy = Policy("mixed_bfloat16")
    assert Policy(**policy.get_config()) == policy
    assert hash(policy) == hash(Policy("mixed_bfloat16"))
    assert (policy.compute_dtype, policy.variable_dtype) == ("bfloat16", "float32")
    set_global_policy(policy)
    assert global_policy() == policy
