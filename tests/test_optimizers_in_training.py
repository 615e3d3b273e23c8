"""Optimizers inside fit: loss scales, averages, accumulation, whole-matrix steps, saved state."""

from __future__ import annotations

import numpy
import pytest

from minpy import optimizers
from minpy.layers import BatchNormalization, Dense, Dropout
from minpy.models import Sequential, load_model
from minpy.runtime import available

RNG = numpy.random.default_rng(0)
X = RNG.standard_normal((40, 6)).astype("float32")
Y = RNG.integers(0, 3, 40)
JIT = ["auto", False] if available() else [False]


def model_with(optimizer, jit=False):
    model = Sequential(
        [
            Dense(8, activation="tanh", input_shape=(6,)),
            BatchNormalization(),
            Dropout(0.2),
            Dense(3, activation="softmax"),
        ]
    )
    model._seed = 5
    drawn = numpy.random.default_rng(1)
    model.set_weights(
        [drawn.standard_normal(w.shape) * 0.3 if w.ndim > 1 else w for w in model.get_weights()]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", jit=jit)
    return model


def fit(model, epochs=2):
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0).history["loss"]


def assert_same(a, b):
    for one, other in zip(a.get_weights(), b.get_weights(), strict=True):
        numpy.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize(
    "scaled",
    [
        lambda: optimizers.Adam(0.01, loss_scale_factor=1024.0),
        lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01), dynamic_growth_steps=3),
    ],
)
def test_a_loss_scale_of_a_power_of_two_changes_no_bit(jit, scaled):
    plain, other = model_with(optimizers.Adam(0.01), jit), model_with(scaled(), jit)
    assert fit(plain) == fit(other)
    assert_same(plain, other)
    assert (other.jit_status == "compiled") == (jit == "auto")


@pytest.mark.parametrize("jit", JIT)
def test_a_batch_that_overflows_leaves_the_weights_and_halves_the_scale(jit):
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=2.0**127)
    model = model_with(optimizer, jit)
    before = model.trainable_weights[0].numpy()
    model.train_on_batch(1e3 * X[:8], Y[:8])
    assert optimizer.loss_scale == 2.0**126
    assert optimizer.iterations == 0
    numpy.testing.assert_array_equal(model.trainable_weights[0].numpy(), before)


@pytest.mark.parametrize("name", ["Muon", "Adafactor", "Lamb", "ScheduleFreeAdamW"])
def test_training_goes_down_and_compiled_is_eager(name):
    models = [model_with(getattr(optimizers, name)(0.02), jit) for jit in JIT]
    losses = [fit(model, epochs=8) for model in models]
    assert losses[0][-1] < 0.8 * losses[0][0]
    numpy.testing.assert_allclose(losses[0], losses[-1], rtol=2e-3)


_EACH = [
    name
    for name, value in vars(optimizers).items()
    if isinstance(value, type)
    and issubclass(value, optimizers.Optimizer)
    and name not in ("LossScaleOptimizer", "MultiOptimizer", "Optimizer")
]


@pytest.mark.parametrize("name", _EACH)
def test_twenty_steps_compiled_are_those_operation_by_operation(name):
    compiled, eager = (model_with(getattr(optimizers, name)(0.002), jit) for jit in ("auto", False))
    for model in (compiled, eager):
        fit(model, epochs=-(-20 // -(-len(X) // 8)))
        assert model.optimizer.iterations >= 20
    for one, other in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        numpy.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


def test_only_the_kernels_of_hidden_layers_follow_muon():
    model = model_with(optimizers.Muon(0.02, exclude_layers=["dense_2|dense_1$"]))
    model.train_on_batch(X[:8], Y[:8])
    optimizer = model.optimizer
    matrices = [s.name for s in optimizer._layout.segments if optimizer._is_matrix(s)]
    kernels = [p.path for p in model.trainable_weights if len(p.shape) == 2]
    assert matrices
    assert set(matrices) <= set(kernels)
    assert len(kernels) == 2


def test_fit_ends_with_the_averaged_weights():
    averaged = model_with(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    plain = model_with(optimizers.SGD(0.1))
    average = None
    for step in range(4):
        for model in (averaged, plain):
            model.train_on_batch(X[8 * step : 8 * step + 8], Y[8 * step : 8 * step + 8])
        kernel = plain.trainable_weights[0].numpy()
        average = kernel if average is None else 0.5 * average + 0.5 * kernel
    numpy.testing.assert_array_equal(averaged.trainable_weights[0].numpy(), kernel)
    again = model_with(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    again.fit(X[:32], Y[:32], batch_size=8, shuffle=False, verbose=0)
    numpy.testing.assert_allclose(again.trainable_weights[0].numpy(), average, rtol=1e-5)


def test_accumulated_batches_make_the_step_of_the_whole_batch():
    def without_batch_statistics(optimizer):
        model = Sequential([Dense(3, input_shape=(6,))])
        model.set_weights([numpy.full((6, 3), 0.1), numpy.zeros(3)])
        model.compile(optimizer, "mse")
        return model

    target = RNG.standard_normal((40, 3))
    small = without_batch_statistics(optimizers.Adam(0.01, gradient_accumulation_steps=4))
    large = without_batch_statistics(optimizers.Adam(0.01))
    small.fit(X, target, batch_size=10, shuffle=False, epochs=3, verbose=0)
    large.fit(X, target, batch_size=40, shuffle=False, epochs=3, verbose=0)
    assert (small.optimizer.iterations, small.optimizer.batches) == (3, 12)
    for a, b in zip(small.get_weights(), large.get_weights(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_accumulated_batches_draw_dropout_of_their_own():
    model = Sequential([Dropout(0.5, input_shape=(6,)), Dense(3)])
    model.compile(optimizers.SGD(0.0, gradient_accumulation_steps=2), "mse")
    losses = [model.train_on_batch(X[:8], numpy.zeros((8, 3))) for _ in range(2)]
    assert losses[1] != losses[0]


OPTIONS = [
    lambda: optimizers.Adam(0.01, gradient_accumulation_steps=3, use_ema=True),
    lambda: optimizers.LossScaleOptimizer(optimizers.Lamb(0.01), dynamic_growth_steps=4),
    lambda: optimizers.LossScaleOptimizer(
        optimizers.MultiOptimizer(
            optimizers.OptimizerMap(optimizers.Adagrad(0.1), {".*kernel": optimizers.Muon(0.01)})
        )
    ),
    lambda: optimizers.Muon(0.01),
    lambda: optimizers.Adafactor(0.01),
    lambda: optimizers.ScheduleFreeAdamW(0.01, warmup_steps=9),
]


@pytest.mark.parametrize("make", OPTIONS)
def test_a_saved_model_goes_on_bit_for_bit(make, tmp_path):
    whole, first = model_with(make(), "auto"), model_with(make(), "auto")
    whole.optimizer.exclude_from_weight_decay(var_names=["bias"])
    first.optimizer.exclude_from_weight_decay(var_names=["bias"])
    batches = [(X[8 * i : 8 * i + 8], Y[8 * i : 8 * i + 8]) for i in range(5)]
    for batch in batches:
        whole.train_on_batch(*batch)
    for batch in batches[:2]:
        first.train_on_batch(*batch)
    first.save(tmp_path / "half.h5")
    second = load_model(tmp_path / "half.h5")
    assert second.optimizer.get_state() == first.optimizer.get_state()
    for batch in batches[2:]:
        second.train_on_batch(*batch)
    assert_same(whole, second)


def test_slots_follow_their_weights_when_layers_are_frozen():
    model = model_with(optimizers.ScheduleFreeAdamW(0.01))
    model.train_on_batch(X[:8], Y[:8])
    before = model._slots_by_weight()["momentum"]
    model.layers[0].trainable = False
    model.train_on_batch(X[:8], Y[:8])
    assert set(model._slots_by_weight()["momentum"]) < set(before)
    frozen = model.layers[0].weights[0]
    model.layers[0].trainable = True
    held = frozen.numpy()
    model.train_on_batch(X[:8], Y[:8])
    # The mean of a weight whose way begins now begins where it is.
    moved = numpy.abs(model._slots_by_weight()["momentum"][frozen.path] - held).max()
    assert 0 < moved < 0.05
