"""Layer functions as parts of a compiled graph: the same numbers and gradients as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy import random
from minpy.layers import functions as F

pytestmark = pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")

rng = np.random.default_rng(0)


def some(*shape):
    return rng.standard_normal(shape).astype("float32")


IMAGES, KERNELS, BIASES = some(2, 4, 8, 8), some(6, 4, 3, 3), some(6)
ROWS, LABELS = some(5, 6), np.array([0, 1, 2, 3, 5])
STATISTICS = some(6), rng.random(6).astype("float32")

CASES = {
    "affine": (F.affine, ROWS, some(6, 3), some(3)),
    "affine of images": (F.affine, IMAGES, some(256, 3)),
    "conv": (lambda *a: F.conv(*a, stride=2, pad=1), IMAGES, KERNELS, BIASES),
    "conv same": (lambda *a: F.conv(*a, stride=2, pad="same"), IMAGES, KERNELS),
    "conv groups": (lambda *a: F.conv(*a, dilation=2, groups=2), IMAGES, some(6, 2, 3, 3)),
    "conv 1-D": (lambda *a: F.conv(*a, pad=((1, 2),)), some(2, 4, 9), some(3, 4, 3)),
    "conv 3-D": (F.conv, some(2, 2, 4, 4, 4), some(3, 2, 2, 2, 2)),
    "conv transpose": (lambda *a: F.conv_transpose(*a, stride=2), some(2, 6, 4, 4), KERNELS),
    "max pool": (F.max_pool, IMAGES),
    "max pool same": (lambda x: F.max_pool(x, 3, 2, "same"), IMAGES),
    "average pool": (lambda x: F.avg_pool(x, 3, 2, "same"), IMAGES),
    "global pools": (lambda x: F.global_avg_pool(x) * F.global_max_pool(x), IMAGES),
    "batch norm": (lambda *a: F.batchnorm(*a)[0], IMAGES, some(4), some(4)),
    "batch norm of rows": (lambda *a: F.batchnorm(*a, eps=1e-3)[0], ROWS, some(6), some(6)),
    "batch norm, testing": (
        lambda *a: F.batchnorm(*a, "test", 1e-3, 0.9, *STATISTICS)[0], ROWS, some(6), some(6)
    ),
    "softmax": (F.softmax, ROWS),
    "log softmax": (F.log_softmax, ROWS),
    "loss of classes": (F.softmax_loss, ROWS, LABELS),
    "loss of probabilities": (F.softmax_loss, ROWS, np.eye(6, dtype="float32")[LABELS]),
    "hinge loss": (lambda x: F.svm_loss(x, LABELS), ROWS),
    "squared loss": (F.l2_loss, ROWS, some(5, 6)),
    "binary loss": (F.binary_cross_entropy, ROWS, rng.random((5, 6)).astype("float32")),
    "flatten": (F.flatten, IMAGES),
    **{
        f.__name__: (f, ROWS)
        for f in (
            F.relu, F.sigmoid, F.softplus, F.softsign, F.elu, F.selu, F.leaky_relu, F.gelu,
            F.silu, F.hard_sigmoid, F.exponential,
        )
    },
    "tanh": (F.tanh, ROWS),
}  # fmt: skip


@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.parametrize("case", CASES)
def test_a_compiled_function_gives_the_same_values_and_gradients(case):
    function, *arrays = CASES[case]
    arrays = [mnp.array(a) for a in arrays]
    compiled = minpy.jit(function)
    floats = tuple(i for i, a in enumerate(arrays) if a.dtype.kind == "f")
    found = []
    for f in (function, compiled):
        out = f(*arrays)
        gradients = minpy.grad(lambda *a, f=f: mnp.sum(f(*a) ** 2), floats)(*arrays)
        found.append([out, *gradients])
    assert compiled.jit_status == "compiled"
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=2e-4, atol=2e-4)


@pytest.mark.usefixtures("by_program_and_by_graph")
def test_dropout_in_a_graph_is_a_function_of_seed_and_step():
    x = mnp.ones((40, 40))
    compiled = minpy.jit(lambda x: F.dropout(F.dropout(x, 0.5), 0.2))
    for step in (0, 1, 2, 0):
        with random.scope(7, step):
            expected = F.dropout(F.dropout(x, 0.5), 0.2).asnumpy()
        with random.scope(7, step):
            np.testing.assert_allclose(compiled(x).asnumpy(), expected)
    assert compiled.jit_status == "compiled"


@pytest.mark.usefixtures("by_program_and_by_graph")
def test_the_gradient_of_dropout_in_a_graph_uses_the_masks_of_its_value():
    x = mnp.array(some(30, 30))
    compiled = minpy.jit(lambda x: F.dropout(x, 0.5) ** 2)
    for _ in range(3):  # the first call traces
        value, gradient = minpy.value_and_grad(lambda x: mnp.sum(compiled(x)))(x)
        # d/dx of a x² with a in {0, 4} is 2 a x: half of x times it adds up to the value.
        assert float(mnp.sum(gradient * x)) / 2 == pytest.approx(float(value), rel=1e-4)


def test_a_dense_layers_weights_are_used_as_they_lie_in_memory(monkeypatch):
    """No node turns a matrix round: at each step that would cost as much as the product."""
    from minpy.layers import Dense
    from minpy.models import Sequential

    monkeypatch.setattr("minpy.graph.native.available", lambda: False)
    model = Sequential([Dense(8, activation="relu"), Dense(3)])
    model.compile("sgd", "mse")
    model.fit(some(16, 5), some(16, 3), batch_size=8, verbose=0)
    assert model.jit_status == "compiled"
    (replay,) = model._step._graphs.values()
    operators = replay._graph.operators
    assert operators.count("FullyConnected") >= 2
    assert "transpose" not in operators
