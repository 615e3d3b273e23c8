"""Optimizers on flat buffers: kernels against the reference, clipping, decay, state, bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpy import optimizers
from minpy.errors import ShapeError
from minpy.optimizers import Optimizer, Segment, fused, race
from minpy.optimizers.rules import row, rules
from minpy.optimizers.schedules import CosineDecay, ExponentialDecay, LearningRateSchedule

# One of each row of the table.
EVERY_ROW = {
    "sgd": ("SGD", {}),
    "sgd_momentum": ("SGD", {"momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "lion": ("Lion", {}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_momentum": ("RMSprop", {"momentum": 0.9}),
    "rmsprop_centered": ("RMSprop", {"centered": True}),
    "rmsprop_centered_momentum": ("RMSprop", {"momentum": 0.9, "centered": True}),
    "adam": ("Adam", {}),
    "adam_amsgrad": ("Adam", {"amsgrad": True}),
    "adamax": ("Adamax", {}),
    "nadam": ("Nadam", {}),
    "schedule_free_adamw": ("ScheduleFreeAdamW", {}),
    "ftrl": ("Ftrl", {"l1_regularization_strength": 0.01, "beta": 0.1}),
    "ftrl_power": ("Ftrl", {"learning_rate_power": -0.8}),
}
# Rows of optimizers that look at one weight at a time: test_optimizers_options.py.
BY_WEIGHT = {"lamb", "muon", "descend"}
OPTIONS = {
    "plain": {},
    "decay": {"weight_decay": 0.1},
    "clipvalue": {"clipvalue": 0.5, "weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.7, "weight_decay": 0.1},
    "global_clipnorm": {"global_clipnorm": 0.7},
}
SIZE = 1003
SEGMENTS = [Segment(0, 500, "a"), Segment(512, 530, "bias", decay=False), Segment(544, SIZE, "c")]


def gradients(steps, size=SIZE, dtype="float32", seed=0):
    generator = numpy.random.default_rng(seed)
    for step in range(steps):
        g = generator.standard_normal(size).astype(dtype) * (1 + step % 4)
        g[500:512] = g[530:544] = 0  # padding
        yield g


def make(row_name, options=None, **more):
    kind, arguments = EVERY_ROW[row_name]
    return getattr(optimizers, kind)(**{**arguments, **(options or {}), **more})


def train(optimizer, steps=50, dtype="float32", size=SIZE, segments=SEGMENTS, scale=1.0):
    w = numpy.linspace(-1, 1, size).astype(dtype)
    for g in gradients(steps, size, dtype):
        optimizer.step(w, g, segments, scale)
    return w


def test_there_is_an_optimizer_for_every_row_of_the_table():
    own = {name for name in rules if rules[name].update.__module__ == "minpy.optimizers.rules"}
    assert {n for n in own if n != "sign_descent"} == set(EVERY_ROW) | BY_WEIGHT
    for name in EVERY_ROW:
        assert make(name).rule == name


# --- compiled kernels -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EVERY_ROW)
def test_compiled_kernel_gives_the_bits_of_the_numpy_reference(name, dtype):
    compiled, reference = make(name), make(name)
    reference.fused = False
    a, b = train(compiled, dtype=dtype), train(reference, dtype=dtype)
    assert fused.why_not() is None
    if name == "ftrl_power":  # NumPy's power isn't the C library's
        numpy.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
        return
    numpy.testing.assert_array_equal(a, b)
    for slot in compiled.slots:
        numpy.testing.assert_array_equal(compiled.slots[slot], reference.slots[slot])


@pytest.mark.parametrize("option", [o for o in OPTIONS if o != "plain"])
@pytest.mark.parametrize("name", ["sgd", "rmsprop_centered", "adam", "lion"])
def test_clipping_decay_and_scale_are_the_same_in_kernel_and_reference(name, option):
    compiled, reference = make(name, OPTIONS[option]), make(name, OPTIONS[option])
    reference.fused = False
    numpy.testing.assert_array_equal(train(compiled, scale=0.25), train(reference, scale=0.25))


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop_centered_momentum"])
def test_a_long_buffer_on_several_threads_gives_the_same_bits(name):
    size = fused.SHORTEST_SHARED + 17
    several, one = make(name), make(name)
    one.build(size)
    one._race = None
    a = train(several, steps=8, size=size, segments=None)
    assert several._race._warm[0] and (several._race._warm[1] or os.cpu_count() == 1)
    numpy.testing.assert_array_equal(a, train(one, steps=8, size=size, segments=None))


def test_two_threads_of_the_program_can_train_at_once():
    size = fused.SHORTEST_SHARED + 5
    expected = train(make("adam"), steps=12, size=size, segments=None)
    found = {}

    def work(i):
        found[i] = train(make("adam"), steps=12, size=size, segments=None)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(3):
        numpy.testing.assert_array_equal(found[i], expected)


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


STEP = """
import numpy
from minpy.optimizers import Adam, fused
w = numpy.linspace(-1, 1, 150_000).astype('float32')
optimizer = Adam()
for _ in range(6):
    optimizer.step(w, w.copy())
"""


def test_a_child_process_goes_on_after_a_fork():
    out = run_python(
        STEP
        + """
import os
child = os.fork()
if child == 0:
    for _ in range(3):
        optimizer.step(w, w.copy())
    os._exit(0 if numpy.isfinite(w).all() and optimizer.iterations == 9 else 1)
print(os.waitpid(child, 0)[1])
"""
    )
    assert out == "0"


def test_a_child_process_that_imports_optimizers_after_a_fork_trains():
    out = run_python(
        """
        import multiprocessing
        import minpy
        import minpy.numpy as np
        x = np.ones((512, 512))
        minpy.set_global_policy('prefer_mxnet')
        np.dot(x, x).asnumpy()  # MXNet's threads run in the parent

        def work(queue):
            import numpy
            from minpy.optimizers import Adam
            w = numpy.linspace(-1, 1, 150_000).astype('float32')
            optimizer = Adam()
            for _ in range(6):
                optimizer.step(w, w.copy())
            queue.put(float(w.sum()))

        if __name__ == '__main__':
            context = multiprocessing.get_context('fork')
            queue = context.Queue()
            child = context.Process(target=work, args=(queue,))
            child.start()
            print(queue.get(timeout=60) is not None)
            child.join()
        """
    )
    assert out == "True"


def test_without_numba_steps_run_in_numpy_and_give_the_same_bits():
    told = "\nprint(w.sum(dtype='float64').hex(), fused.why_not())"
    compiled = run_python(STEP + told)
    plain = run_python("import sys; sys.modules['numba'] = None\n" + STEP + told)
    assert compiled.split()[0] == plain.split()[0]
    assert compiled.endswith("None")
    assert "numba can't be imported" in plain


def test_without_a_place_for_machine_code_kernels_are_compiled_anyway(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    told = """
from minpy.optimizers.rules import rules
cached = fused.kernel(rules['adam'], w.dtype)._cached
print(cached, w.sum(dtype='float64').hex())
"""
    code = STEP + told
    blocked = run_python(code, NUMBA_CACHE_DIR=str(in_the_way))
    kept = run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
    assert blocked.split() == ["False", kept.split()[1]]
    assert kept.startswith("True")
    assert list((tmp_path / "kernels").rglob("*.nbc"))
    again = run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
    assert again == kept


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX permissions")
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, monkeypatch):
    folder = tmp_path / "minpy" / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert fused._kept_source("adam_0.py", "x = 1") is None
    folder.chmod(0o700)
    assert fused._kept_source("adam_0.py", "x = 1") == str(folder / "adam_0.py")


def test_the_faster_way_leads_and_the_other_is_tried_again_now_and_then():
    one = race.Race()
    taken = [0, 0]
    for _ in range(2000):
        way = one.next()
        taken[way] += 1
        one.took(way, (1e-4, 3e-4)[way])
    assert 3 <= taken[1] < 20
    # The machine changes: the other way is now the faster one, and takes over.
    for _ in range(5000):
        way = one.next()
        one.took(way, (9e-4, 3e-4)[way])
    assert one.next() == 1


def test_a_rule_of_the_users_own_is_compiled_too():
    if "test_heavy_ball" not in rules:

        @row
        def test_heavy_ball(w, g, ball, /, rate, keep):
            ball = keep * ball + g
            return w - rate * ball, ball

    class HeavyBall(Optimizer):
        rule = "test_heavy_ball"

        def scalars(self, rate, step):
            return {"rate": rate, "keep": 0.9}

    w = numpy.zeros(3, "float32")
    optimizer = HeavyBall(0.5)
    for _ in range(2):
        optimizer.step(w, numpy.ones(3, "float32"))
    numpy.testing.assert_allclose(w, -0.5 - 0.5 * 1.9, rtol=1e-6)
    assert fused.kernel(rules["test_heavy_ball"], w.dtype) is not None


# --- what a step does -----------------------------------------------------------------------------


@pytest.mark.parametrize("fused_", [True, False])
@pytest.mark.parametrize("name", EVERY_ROW)
def test_nan_in_a_gradient_reaches_its_weight_and_no_other(name, fused_):
    optimizer = make(name)
    optimizer.fused = fused_
    w = numpy.ones(40, "float32")
    g = numpy.ones(40, "float32")
    g[7] = numpy.nan
    optimizer.step(w, g)
    optimizer.step(w, numpy.ones(40, "float32"))
    bad = numpy.isnan(w)
    assert bad[7] or name == "lion"  # a sign of NaN is NaN in NumPy
    assert bad.sum() == bad[7]


@pytest.mark.parametrize("option", ["clipvalue", "clipnorm", "global_clipnorm"])
def test_clipping_does_not_hide_nan(option):
    optimizer = optimizers.SGD(0.1, **{option: 0.5})
    w, g = numpy.ones(8, "float32"), numpy.ones(8, "float32")
    g[3] = numpy.nan
    optimizer.step(w, g, [(0, 8)])
    assert numpy.isnan(w[3])


@pytest.mark.parametrize("name", ["sgd_momentum", "adam", "rmsprop_momentum", "adadelta"])
def test_slots_of_units_without_gradient_become_exactly_zero(name):
    arguments = {"adam": {"beta_2": 0.9}}.get(name, {})
    optimizer = make(name, arguments)
    w = numpy.ones(64, "float32")
    optimizer.step(w, numpy.full(64, 1e-3, "float32"))
    for _ in range(2000):
        optimizer.step(w, numpy.zeros(64, "float32"))
    for slot in optimizer.slots.values():
        assert not slot.any()


def test_denormals_work_as_before_once_the_step_is_done():
    optimizer = optimizers.Adam()
    optimizer.step(numpy.ones(64, "float32"), numpy.full(64, 1e-25, "float32"))
    tiny = numpy.full(3, 1e-39, "float32")
    assert (tiny * numpy.float32(0.5) > 0).all()


@given(
    st.floats(0.0, 1.0),
    st.floats(0.01, 10.0),
    st.floats(0.0, 1.0),
    st.integers(1, 40),
)
@settings(max_examples=40, deadline=None)
def test_decay_clipping_and_scale_in_closed_form(rate, longest, decay, size):
    generator = numpy.random.default_rng(size)
    w0, g = generator.standard_normal(size), generator.standard_normal(size)
    scale = 0.5
    optimizer = optimizers.SGD(rate, global_clipnorm=longest, weight_decay=decay)
    w = w0.copy()
    optimizer.step(w, g, scale=scale)
    norm = numpy.linalg.norm(g * scale)
    clipped = g * scale * min(1.0, longest / norm)
    numpy.testing.assert_allclose(w, w0 - w0 * decay * rate - rate * clipped, atol=1e-12)


def test_clipnorm_measures_each_weight_by_itself():
    optimizer = optimizers.SGD(1.0, clipnorm=1.0)
    w = numpy.zeros(5)
    optimizer.step(w, numpy.array([3.0, 4.0, 0.0, 0.3, 0.4]), [(0, 2), (3, 5)])
    numpy.testing.assert_allclose(w, [-0.6, -0.8, 0, -0.3, -0.4])


def test_a_norm_beyond_float32_is_still_a_norm():
    optimizer = optimizers.SGD(1.0, global_clipnorm=1.0)
    w = numpy.zeros(2, "float32")
    optimizer.step(w, numpy.array([3e25, 4e25], "float32"))
    numpy.testing.assert_allclose(w, [-0.6, -0.8], rtol=1e-6)
    optimizer.step(w, numpy.array([1e-30, 0], "float32"))
    numpy.testing.assert_allclose(w, [-0.6, -0.8], rtol=1e-6)


def test_padding_between_weights_stays_zero():
    for name in EVERY_ROW:
        optimizer = make(name, {"weight_decay": 0.1})
        w = numpy.ones(24, "float32")
        w[10:16] = 0
        for _ in range(3):
            g = numpy.ones(24, "float32")
            g[10:16] = 0
            optimizer.step(w, g, [(0, 10), (16, 24)])
        assert not w[10:16].any(), name


def test_first_step_of_adam_is_the_learning_rate():
    w = numpy.zeros(3)
    optimizers.Adam(0.01, epsilon=0.0).step(w, numpy.array([1e-8, -5.0, 1e6]))
    numpy.testing.assert_allclose(w, [-0.01, 0.01, -0.01], rtol=1e-12)


@pytest.mark.parametrize("name", EVERY_ROW)
def test_a_quadratic_is_minimized(name):
    rates = {"sgd": 0.1, "ftrl": 1.0, "ftrl_power": 1.0, "adagrad": 0.5, "adadelta": 20.0}
    optimizer = make(name, learning_rate=rates.get(name, 0.02))
    w = numpy.array([1.0, -2.0, 0.5])
    start = (w**2).sum()
    for _ in range(400):
        optimizer.step(w, 2 * w)
    assert (w**2).sum() < 0.05 * start


# --- bad input ------------------------------------------------------------------------------------


def strided():
    return numpy.ones(20, "float32")[::2]


def read_only():
    w = numpy.ones(10, "float32")
    w.flags.writeable = False
    return w


@pytest.mark.parametrize(
    ("w", "g", "segments", "error", "text"),
    [
        (numpy.ones(9, "float32"), numpy.ones(9, "float32"), None, ShapeError, r"\(10,\)"),
        (numpy.ones(10, "float32"), numpy.ones(9, "float32"), None, ShapeError, "gradients"),
        (numpy.ones((2, 5), "float32"), numpy.ones(10, "float32"), None, ShapeError, "weights"),
        (numpy.ones(10), numpy.ones(10), None, TypeError, "float32, got float64"),
        (numpy.ones(10, "float32"), numpy.ones(10, "int32"), None, TypeError, "int32"),
        (strided(), numpy.ones(10, "float32"), None, ValueError, "contiguous"),
        (read_only(), numpy.ones(10, "float32"), None, ValueError, "read-only"),
        (
            numpy.ones(10, "float32"),
            numpy.ones(10, "float32"),
            [(0, 5), (4, 10)],
            ShapeError,
            "rising",
        ),
        (numpy.ones(10, "float32"), numpy.ones(10, "float32"), [(0, 11)], ShapeError, "within 10"),
    ],
)
def test_a_step_that_cannot_be_done_changes_nothing(w, g, segments, error, text):
    optimizer = optimizers.Adam(weight_decay=0.1)
    optimizer.build(10, "float32")
    before = w.copy()
    with pytest.raises(error, match=text):
        optimizer.step(w, g, segments)
    numpy.testing.assert_array_equal(w, before)
    assert optimizer.iterations == 0
    assert not any(slot.any() for slot in optimizer.slots.values())


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        ("SGD", {"learning_rate": -1.0}, "learning_rate"),
        ("SGD", {"learning_rate": float("nan")}, "learning_rate"),
        ("SGD", {"learning_rate": "fast"}, "learning_rate"),
        ("SGD", {"momentum": 1.5}, "momentum from 0 to 1"),
        ("Adam", {"beta_1": "0.9"}, "beta_1"),
        ("Adam", {"clipnorm": 1.0, "clipvalue": 1.0}, "at most one of"),
        ("Adam", {"clipvalue": -1.0}, "clipvalue"),
        ("AdamW", {"weight_decay": None}, "use Adam"),
        ("Lion", {"beta_1": 0.0}, "beta_1 > 0"),
        ("Adagrad", {"initial_accumulator_value": -0.1}, "initial_accumulator_value"),
        ("Ftrl", {"l1_regularization_strength": -0.1}, "l1_regularization_strength"),
        ("Ftrl", {"learning_rate_power": 0.1}, "learning_rate_power"),
    ],
)
def test_a_wrong_argument_is_named(kind, arguments, text):
    with pytest.raises(ValueError, match=text):
        getattr(optimizers, kind)(**arguments)


def test_clipnorm_and_exclusions_ask_for_segments():
    with pytest.raises(ValueError, match="clipnorm needs to be told the segments"):
        optimizers.SGD(clipnorm=1.0).step(numpy.ones(3), numpy.ones(3))
    optimizer = optimizers.AdamW()
    optimizer.exclude_from_weight_decay(["bias"])
    with pytest.raises(ValueError, match="segments"):
        optimizer.step(numpy.ones(3), numpy.ones(3))


def test_building_twice_needs_a_reset_unless_it_is_the_same():
    optimizer = optimizers.Adam()
    optimizer.build(10)
    optimizer.build(10)
    with pytest.raises(ValueError, match="reset_slots"):
        optimizer.build(11)
    optimizer.reset_slots()
    assert not optimizer.built
    optimizer.build(11)
    assert optimizer.slots["momentum"].shape == (11,)
    with pytest.raises(TypeError, match="int32"):
        optimizers.Adam().build(3, "int32")


# --- learning rate, state, configuration ----------------------------------------------------------


def test_learning_rate_is_read_and_set_as_a_number():
    optimizer = optimizers.SGD(0.1)
    optimizer.learning_rate = numpy.float32(0.5)
    assert optimizer.learning_rate == 0.5
    w = numpy.zeros(1)
    optimizer.step(w, numpy.ones(1))
    assert w[0] == -0.5
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate = -0.5
    assert optimizer.learning_rate == 0.5


def test_a_schedule_is_asked_at_every_step_and_cannot_be_overwritten_by_a_number():
    optimizer = optimizers.SGD(ExponentialDecay(1.0, 1, 0.5))
    w = numpy.zeros(1)
    for expected in (-1.0, -1.5, -1.75):
        optimizer.step(w, numpy.ones(1))
        assert w[0] == expected
    assert optimizer.learning_rate == 0.125
    with pytest.raises(TypeError, match="schedule ExponentialDecay"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = CosineDecay(0.2, 10)
    assert optimizer.learning_rate == CosineDecay(0.2, 10)(3)


def test_a_learning_rate_may_be_a_function():
    rates = iter([1.0, 0.5])
    optimizer = optimizers.SGD(lambda: next(rates))
    w = numpy.zeros(1)
    optimizer.step(w, numpy.ones(1))
    optimizer.step(w, numpy.ones(1))
    assert w[0] == -1.5


@pytest.mark.parametrize("name", EVERY_ROW)
def test_training_goes_on_from_state_and_slots_bit_for_bit(name):
    whole = make(name)
    w = numpy.linspace(-1, 1, SIZE).astype("float32")
    for g in gradients(20):
        whole.step(w, g)

    first = make(name)
    v = numpy.linspace(-1, 1, SIZE).astype("float32")
    given_ = list(gradients(20))
    for g in given_[:9]:
        first.step(v, g)
    state = json.loads(json.dumps(first.get_state()))
    config = json.loads(json.dumps(optimizers.serialize(first)))
    second = optimizers.deserialize(config)
    second.build(SIZE, "float32")
    second.set_state(state)
    for slot, values in first.slots.items():
        second.slots[slot][...] = values
    for g in given_[9:]:
        second.step(v, g)
    numpy.testing.assert_array_equal(v, w)
    assert second.iterations == 20


def test_a_state_that_is_none_changes_nothing():
    optimizer = optimizers.Adam(0.1)
    for bad in (
        {},
        {"iterations": -1},
        {"iterations": "3"},
        {"iterations": 2, "learning_rate": -1},
    ):
        with pytest.raises(ValueError, match=r"iterations|learning_rate"):
            optimizer.set_state(bad)
        assert optimizer.iterations == 0 and optimizer.learning_rate == 0.1


def test_reset_starts_anew():
    optimizer = optimizers.Adagrad(0.1, initial_accumulator_value=0.25)
    w = numpy.ones(5, "float32")
    optimizer.step(w, w.copy())
    optimizer.reset()
    assert optimizer.iterations == 0
    assert (optimizer.slots["accumulator"] == 0.25).all()


@pytest.mark.parametrize("name", EVERY_ROW)
def test_configuration_makes_an_equal_optimizer(name):
    optimizer = make(name, OPTIONS["clipnorm"], name="mine")
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    again = optimizers.deserialize(config)
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    numpy.testing.assert_array_equal(train(again, 5), train(optimizer, 5))


def test_configuration_keeps_a_schedule_of_the_users_own():
    class Stairs(LearningRateSchedule):
        def __call__(self, step):
            return 0.1 / (1 + step // 2)

        def get_config(self):
            return {}

    config = json.loads(json.dumps(optimizers.serialize(optimizers.Adam(Stairs()))))
    again = optimizers.deserialize(config, {"Stairs": Stairs})
    again.iterations = 5
    assert again.learning_rate == 0.1 / 3
    with pytest.raises(ValueError, match="Stairs"):
        optimizers.deserialize(config)
    with pytest.raises(ValueError, match="function can't be saved"):
        optimizers.serialize(optimizers.Adam(lambda: 0.1))


def test_names_find_optimizers_and_a_wrong_one_suggests_the_nearest():
    for name, kind in {
        "adam": "Adam",
        "SGD": "SGD",
        "rmsprop": "RMSprop",
        "RMSProp": "RMSprop",
        "AdamW": "AdamW",
    }.items():
        assert type(optimizers.get(name)).__name__ == kind
    own = optimizers.Adam()
    assert optimizers.get(own) is own
    with pytest.raises(ValueError, match="did you mean 'adam'"):
        optimizers.get("adm")
    with pytest.raises(TypeError, match="name of an optimizer"):
        optimizers.get(3)
    with pytest.raises(TypeError, match="name of an optimizer"):
        optimizers.get(len)


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_cosine_restarts_start_at_the_top_of_each_fall(n):
    from minpy.optimizers.schedules import CosineDecayRestarts

    rate = CosineDecayRestarts(0.1, first_decay_steps=1000, t_mul=2.0)
    k = n % 8
    top = 1000 * (2**k - 1)  # 0, 1000, 3000, 7000, …
    assert rate(top) == pytest.approx(0.1)
    assert rate(top + 1000 * 2**k - 1) < 1e-5
