"""Optimizers that look at whole weights, averages, accumulation, loss scales, exclusions."""

from __future__ import annotations

import json
import pathlib

import keras_optimizers as ask
import numpy
import pytest

from minpy import optimizers
from minpy.errors import ShapeError
from minpy.optimizers import Segment, fused

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_optimizers.json").read_text())
GAP = 5  # between two weights, as in a model's buffers


def segments():
    found, start = [], 0
    for path, shape in ask.SHAPES.items():
        stop = start + int(numpy.prod(shape))
        found.append(Segment(start, stop, path, True, shape))
        start = stop + GAP
    return found


SEGMENTS = segments()
SIZE = SEGMENTS[-1].stop + GAP


def flat(arrays, dtype="float32"):
    buffer = numpy.zeros(SIZE, dtype)
    for segment, array in zip(SEGMENTS, arrays, strict=True):
        buffer[segment.start : segment.stop] = numpy.asarray(array).ravel()
    return buffer


def train(optimizer, dtype="float32", steps=ask.STEPS, first=0, w=None):
    w = flat(ask.initial_weights().values(), dtype) if w is None else w
    seen = {}
    for step in range(first, steps):
        g = flat(ask.gradients(step).values(), dtype)
        optimizer.step(w, g, SEGMENTS)
        seen[str(step + 1)] = w.astype("float32")
    seen["last"] = w.copy()
    optimizer.finalize_variable_values(w)
    seen["final"] = w.astype("float32")
    return seen


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}"


def tolerance(name):
    # The iteration of Muon multiplies a rounding error by 3.4 in each round.
    return {"Muon": 2e-5}.get(name, 3e-6)


@pytest.mark.parametrize("fused_", [True, False], ids=["compiled", "numpy"])
@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_optimizer_takes_the_steps_that_keras_takes(case, fused_):
    name, arguments, expected = case
    optimizer = getattr(optimizers, name)(**arguments)
    optimizer.fused = fused_
    seen = train(optimizer)
    for step, weights in expected.items():
        numpy.testing.assert_allclose(
            seen[step], flat(weights), rtol=tolerance(name), atol=tolerance(name), err_msg=step
        )


@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_float64_and_float16_weights_follow_the_same_path(case):
    name, arguments, expected = case
    for dtype, close in (("float64", 5e-5), ("float16", 5e-2)):
        seen = train(getattr(optimizers, name)(**arguments), dtype)
        numpy.testing.assert_allclose(
            seen["final"], flat(expected["final"]), rtol=close, atol=close, err_msg=dtype
        )


@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_compiled_kernels_give_the_bits_of_the_numpy_reference(case):
    name, arguments, _ = case
    compiled, reference = (getattr(optimizers, name)(**arguments) for _ in range(2))
    reference.fused = False
    a, b = train(compiled), train(reference)
    assert fused.why_not() is None
    numpy.testing.assert_array_equal(a["final"], b["final"])
    for slot in compiled.slots:
        numpy.testing.assert_array_equal(compiled.slots[slot], reference.slots[slot])


@pytest.mark.parametrize("case", EXPECTED["excluded"], ids=name_of)
def test_weights_left_out_by_path_and_by_name_are_not_decayed(case):
    name, arguments, expected = case
    optimizer = getattr(optimizers, name)(**arguments)
    optimizer.exclude_from_weight_decay(var_list=["dense/kernel"], var_names=["bias"])
    seen = train(optimizer)
    for step, weights in expected.items():
        numpy.testing.assert_allclose(
            seen[step], flat(weights), rtol=tolerance(name), atol=tolerance(name)
        )
    # It is state: a run that goes on from a checkpoint leaves the same weights out.
    again = getattr(optimizers, name)(**arguments)
    again.set_state(json.loads(json.dumps(optimizer.get_state())))
    again.iterations = 0
    numpy.testing.assert_array_equal(train(again)["final"], seen["final"])


def test_weights_of_a_model_are_left_out_of_decay_by_themselves():
    from minpy.layers import Dense
    from minpy.models import Sequential

    model = Sequential([Dense(3, input_shape=(4,), name="one"), Dense(2, name="two")])
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[model.weights[0]])
    w, paths = numpy.ones(6, "float32"), [model.weights[0].path, model.weights[2].path]
    optimizer.step(w, numpy.zeros(6, "float32"), [(0, 3, paths[0]), (3, 6, paths[1])])
    numpy.testing.assert_allclose(w, [1, 1, 1, 0.95, 0.95, 0.95])


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 5, 10])
@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_a_run_cut_anywhere_goes_on_bit_for_bit(case, cut):
    name, arguments, _ = case
    whole = train(getattr(optimizers, name)(**arguments))
    first = getattr(optimizers, name)(**arguments)
    w = train(first, steps=cut)["last"]
    config = json.loads(json.dumps(optimizers.serialize(first)))
    second = optimizers.deserialize(config)
    second.build(SIZE, "float32", w)
    second.set_state(json.loads(json.dumps(first.get_state())))
    assert list(second.slots) == list(first.slots)
    for slot, buffer in first.slots.items():
        second.slots[slot][...] = buffer
    numpy.testing.assert_array_equal(train(second, first=cut, w=w)["final"], whole["final"])


@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_padding_between_weights_stays_zero(case):
    name, arguments, _ = case
    final = train(getattr(optimizers, name)(**arguments))["final"]
    for segment in SEGMENTS:
        assert not final[segment.stop : segment.stop + GAP].any()


def test_slots_that_begin_as_the_weights_do_so_whenever_they_are_made():
    w = flat(ask.initial_weights().values())
    early, late = (optimizers.ScheduleFreeAdamW(0.05, use_ema=True) for _ in range(2))
    early.build(SIZE, "float32", w)
    for slot in ("momentum", "moving_average"):
        numpy.testing.assert_array_equal(early.slots[slot], w)
    numpy.testing.assert_array_equal(train(early)["final"], train(late)["final"])


def test_an_average_that_was_never_begun_replaces_nothing():
    optimizer = optimizers.SGD(0.1, use_ema=True)
    w = numpy.ones(4, "float32")
    optimizer.build(4)
    optimizer.finalize_variable_values(w)
    assert (w == 1).all()


# --- accumulation ---------------------------------------------------------------------------------


def test_weights_wait_for_the_last_of_the_accumulated_batches():
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=3)
    w = numpy.zeros(2, "float32")
    for batch, value in enumerate([1.0, 2.0, 6.0]):
        assert (w == 0).all()
        assert (optimizer.batches, optimizer.iterations) == (batch, 0)
        optimizer.step(w, numpy.full(2, value, "float32"))
    numpy.testing.assert_allclose(w, -3.0)
    assert (optimizer.batches, optimizer.iterations) == (3, 1)


def test_a_schedule_counts_steps_and_not_batches():
    halving = optimizers.schedules.ExponentialDecay(1.0, 1, 0.5, staircase=True)
    optimizer = optimizers.SGD(halving, gradient_accumulation_steps=2)
    w = numpy.zeros(1, "float32")
    for _ in range(6):
        optimizer.step(w, numpy.ones(1, "float32"))
    numpy.testing.assert_allclose(w, -(1 + 0.5 + 0.25))


def test_a_state_of_another_number_of_accumulated_batches_is_refused():
    first = optimizers.SGD(gradient_accumulation_steps=2)
    w = numpy.zeros(1, "float32")
    for _ in range(5):
        first.step(w, w)
    second = optimizers.SGD(gradient_accumulation_steps=3)
    with pytest.raises(ValueError, match="gradient_accumulation_steps"):
        second.set_state(first.get_state())
    assert second.batches == 0


# --- several optimizers ---------------------------------------------------------------------------


def several(default, chosen, **arguments):
    def make(case):
        return getattr(optimizers, case[0])(**case[1])

    chosen = {key: make(case) for key, case in chosen.items()}
    return optimizers.MultiOptimizer(optimizers.OptimizerMap(make(default), chosen), **arguments)


@pytest.mark.parametrize("case", EXPECTED["several"], ids=lambda case: case[0][0])
def test_each_weight_takes_the_steps_of_its_optimizer(case):
    default, chosen, expected = case
    optimizer = several(default, chosen)
    seen = train(optimizer)
    for step, weights in expected.items():
        numpy.testing.assert_allclose(seen[step], flat(weights), rtol=3e-6, atol=3e-6)
    assert {inner.iterations for inner in optimizer.optimizers} == {ask.STEPS}


@pytest.mark.parametrize("told", [False, True], ids=["at the first step", "when built"])
@pytest.mark.parametrize("case", EXPECTED["several"], ids=lambda case: case[0][0])
def test_several_optimizers_go_on_from_their_state(case, told):
    default, chosen, _ = case
    whole = train(several(default, chosen))
    first = several(default, chosen)
    w = train(first, steps=7)["last"]
    second = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(first))))
    second.build(SIZE, "float32", *((w, SEGMENTS) if told else ()))
    second.set_state(json.loads(json.dumps(first.get_state())))
    for slot, buffer in first.slots.items():
        second.slots[slot][...] = buffer
    numpy.testing.assert_array_equal(train(second, first=7, w=w)["final"], whole["final"])


def test_a_function_chooses_by_path_name_and_shape():
    fast, slow = optimizers.SGD(1.0), optimizers.SGD(0.1, weight_decay=1.0)
    optimizer = optimizers.MultiOptimizer(lambda v: fast if len(v.shape) > 1 else slow)
    segments = [(0, 4, "a/kernel", True, (2, 2)), (4, 6, "a/bias")]
    w = numpy.zeros(6, "float32")
    optimizer.step(w, numpy.ones(6, "float32"), segments)
    numpy.testing.assert_allclose(w, [-1, -1, -1, -1, -0.1, -0.1], rtol=1e-6)
    fast.learning_rate = 0.0
    slow.exclude_from_weight_decay(var_names=["bias"])
    optimizer.step(w, numpy.ones(6, "float32"), segments)
    numpy.testing.assert_allclose(w, [-1, -1, -1, -1, -0.2, -0.2], rtol=1e-6)
    with pytest.raises(ValueError, match="OptimizerMap"):
        optimizers.serialize(optimizer)


def test_maps_say_what_is_wrong_with_them():
    chosen = optimizers.OptimizerMap(optimizers.SGD(), {"a.*": optimizers.Adam()})
    with pytest.raises(ValueError, match="already"):
        chosen["a.*"] = optimizers.SGD()
    chosen[".*b"] = optimizers.Lion()
    with pytest.raises(ValueError, match=r"a\.\*' and '\.\*b'"):
        chosen["ab"]
    with pytest.raises(ValueError, match="around the MultiOptimizer"):
        chosen["c"] = optimizers.LossScaleOptimizer(optimizers.SGD())
    with pytest.raises(ValueError, match="regular expression"):
        chosen["("] = optimizers.SGD()
    with pytest.raises(TypeError, match="OptimizerMap"):
        optimizers.MultiOptimizer({"a": optimizers.SGD()})
    both = optimizers.MultiOptimizer(chosen)
    with pytest.raises(AttributeError, match="learning rate"):
        both.learning_rate = 0.1
    w = numpy.zeros(2, "float32")
    both.step(w, w.copy(), [(0, 1, "a"), (1, 2, "b")])
    with pytest.raises(ShapeError, match="others than"):
        both.step(w, w.copy(), [(0, 2, "a")])


# --- schedules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", EXPECTED["one cycles of torch"], ids=str)
def test_one_cycle_has_the_rates_that_torch_has(case):
    arguments, expected = case
    schedule = optimizers.schedules.OneCycle(**arguments)
    found = [schedule(step) for step in range(arguments["total_steps"])]
    numpy.testing.assert_allclose(found, expected, rtol=1e-6)
    assert schedule(arguments["total_steps"] + 9) == found[-1]
    again = optimizers.schedules.deserialize(optimizers.schedules.serialize(schedule))
    assert [again(step) for step in range(5)] == found[:5]


@pytest.mark.parametrize("after", [0.2, optimizers.schedules.CosineDecay(0.2, 10)])
def test_a_warm_up_ends_where_the_schedule_begins(after):
    schedule = optimizers.schedules.WarmUp(after, 4, initial_learning_rate=0.1)
    rates = [schedule(step) for step in range(14)]
    numpy.testing.assert_allclose(rates[:5], [0.1, 0.125, 0.15, 0.175, 0.2])
    rest = [after if after == 0.2 else after(step) for step in range(10)]
    numpy.testing.assert_allclose(rates[4:], rest)
    config = json.loads(json.dumps(optimizers.serialize(optimizers.SGD(schedule))))
    again = optimizers.deserialize(config)
    again.iterations = 2
    assert again.learning_rate == rates[2]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda s: s.WarmUp("fast", 3), TypeError, "LearningRateSchedule or a number"),
        (lambda s: s.WarmUp(0.1, 0), ValueError, "warmup_steps"),
        (lambda s: s.OneCycle(0.1, 10, rising=2), ValueError, "rising"),
        (lambda s: s.OneCycle(0.1, 10, shape="round"), ValueError, "'linear'"),
    ],
)
def test_schedules_that_cannot_be_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make(optimizers.schedules)


# --- loss scale -----------------------------------------------------------------------------------


def test_the_scale_moves_as_that_of_keras():
    optimizer = optimizers.LossScaleOptimizer(
        optimizers.Adam(0.05), initial_scale=16.0, dynamic_growth_steps=3
    )
    w = ask.initial_weights()["dense/bias"].astype("float32")
    for step, (scale, weights) in enumerate(EXPECTED["loss scale"]):
        g = ask.gradients(step)["dense/bias"].astype("float32")
        if step % 7 == 4:
            g *= numpy.float32("inf")
        optimizer.step(w, g)
        assert optimizer.loss_scale == scale
        numpy.testing.assert_allclose(w, weights, rtol=2e-6, atol=2e-6)


def test_large_gradients_whose_squares_overflow_are_finite():
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=2.0**60)
    w = numpy.zeros(2, "float32")
    optimizer.step(w, numpy.full(2, 1e25, "float32"))
    assert optimizer.loss_scale == 2.0**60
    numpy.testing.assert_allclose(w, -1e25 / 2.0**60, rtol=1e-6)


def test_the_loss_scale_and_its_optimizer_are_saved():
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.01, clipnorm=1.0), 8.0, 2)
    w = numpy.zeros(3, "float32")
    for _ in range(3):
        optimizer.step(w, numpy.ones(3, "float32"), [(0, 3)])
    again = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer))))
    again.set_state(json.loads(json.dumps(optimizer.get_state())))
    assert (again.loss_scale, again.iterations, again.clipnorm) == (16.0, 3, 1.0)
    assert again.get_state() == optimizer.get_state()
    optimizer.learning_rate = 0.5
    assert optimizer.inner_optimizer.learning_rate == 0.5


def test_scale_loss_is_undone_by_the_step():
    for optimizer in (
        optimizers.SGD(0.1, loss_scale_factor=64.0),
        optimizers.LossScaleOptimizer(optimizers.SGD(0.1)),
    ):
        w = numpy.zeros(2, "float32")
        optimizer.step(w, optimizer.scale_loss(numpy.ones(2, "float32")))
        numpy.testing.assert_allclose(w, -0.1, rtol=1e-6)


# --- Muon and Adafactor by their definitions ------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (4, 9)])
def test_singular_values_of_a_step_of_muon_are_about_one(shape):
    g = numpy.random.default_rng(0).standard_normal(shape)
    w = numpy.zeros(g.size)
    optimizer = optimizers.Muon(1.0, weight_decay=None, rms_rate=None)
    optimizer.step(w, g.ravel(), [(0, g.size, "kernel", True, shape)])
    left, _, right = numpy.linalg.svd(g, full_matrices=False)
    step = -w.reshape(shape)
    values = numpy.diag(left.T @ step @ right.T)
    assert ((values > 0.5) & (values < 1.3)).all()
    # Nothing but the singular values has changed.
    numpy.testing.assert_allclose(left @ numpy.diag(values) @ right, step, atol=1e-10)


def test_rank_one_mean_squares_are_exact_for_rank_one_gradients():
    rows, columns = numpy.array([1.0, 2.0, 3.0]), numpy.array([1.0, 0.5, 0.25, 2.0])
    g = numpy.outer(rows, columns)
    w = numpy.ones(12)
    optimizer = optimizers.Adafactor(0.01)
    optimizer.step(w, g.ravel(), [(0, 12, "kernel", True, (3, 4))])
    means = numpy.concatenate([(g**2).mean(1), (g**2).mean(0)])
    numpy.testing.assert_allclose(optimizer.slots["velocity"][:7], means, rtol=1e-12)
    numpy.testing.assert_allclose(w, 0.99)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (2, 1, 3), (2, 2), (3, 2, 2)])
def test_means_of_thin_matrices_have_room(shape):
    size = int(numpy.prod(shape))
    w, g = numpy.ones(size), ask.numbers((size,), 3) + 2.0
    optimizer = optimizers.Adafactor(0.01)
    optimizer.step(w, g, [(0, size, "kernel", True, shape)])
    squares = g.reshape(shape) ** 2
    rows, columns = squares.mean(-1, keepdims=True), squares.mean(-2, keepdims=True)
    mean = rows / rows.mean(-2, keepdims=True) * columns
    step = g.reshape(shape) / numpy.sqrt(mean)
    step /= max(1.0, numpy.sqrt((step**2).mean()))
    numpy.testing.assert_allclose(w, 1 - 0.01 * step.ravel(), rtol=1e-12)


def test_a_transposed_matrix_takes_the_transposed_steps():
    shape = (5, 3)
    kernel, g = ask.numbers(shape, 1), ask.numbers(shape, 2)
    for name in ("Adafactor", "Muon"):
        w = kernel.ravel().copy()
        getattr(optimizers, name)(0.1).step(w, g.ravel(), [(0, 15, "k", True, shape)])
        turned = kernel.T.ravel().copy()
        getattr(optimizers, name)(0.1).step(turned, g.T.ravel(), [(0, 15, "k", True, shape[::-1])])
        numpy.testing.assert_allclose(turned.reshape(3, 5).T, w.reshape(shape), rtol=1e-12)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ema_momentum": 1.5}, "ema_momentum from 0 to 1"),
        ({"ema_overwrite_frequency": 0}, "ema_overwrite_frequency"),
        ({"gradient_accumulation_steps": 2.5}, "gradient_accumulation_steps"),
        ({"gradient_accumulation_steps": True}, "gradient_accumulation_steps"),
        ({"loss_scale_factor": 0}, "loss_scale_factor"),
        ({"loss_scale_factor": float("inf")}, "loss_scale_factor"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        optimizers.Adam(**arguments)


@pytest.mark.parametrize("name", ["Adafactor", "Lamb", "Muon"])
def test_optimizers_of_whole_weights_ask_where_they_are(name):
    optimizer = getattr(optimizers, name)()
    w = numpy.ones(4, "float32")
    with pytest.raises(ValueError, match="segments"):
        optimizer.step(w, w.copy())
    assert (w == 1).all()
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        optimizer.step(w, w.copy(), [(0, 4, "kernel", True, (3, 2))])
    assert (w == 1).all()
    assert optimizer.batches == 0


def test_a_pattern_that_is_no_regular_expression_is_refused():
    with pytest.raises(ValueError, match="regular expressions"):
        optimizers.AdamW().exclude_from_weight_decay(var_names=["(bias"])


def test_a_loss_scale_needs_an_optimizer():
    with pytest.raises(TypeError, match="inner_optimizer"):
        optimizers.LossScaleOptimizer("adam")
    with pytest.raises(ValueError, match="initial_scale"):
        optimizers.LossScaleOptimizer(optimizers.Adam(), initial_scale=0)
