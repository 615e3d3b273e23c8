"""Randomness as a function of seed and step: repeatable, independent, rightly distributed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import minpy
from minpy import random
from minpy.layers import functions as F

# What scope(3, 4) drops first at rate 0.5.
MASK = [2, 0, 0, 0, 0, 2, 2, 2, 0, 2, 2, 2, 0, 2, 0, 0, 2, 2, 2, 2, 0, 2, 2, 2]


@pytest.fixture(autouse=True)
def _same_state_afterwards():
    state = random.get_state()
    yield
    random.set_state(state)


def draws():
    """Return some of everything that can be drawn."""
    return np.concatenate(
        [
            random.uniform((50,)).asnumpy(),
            random.normal((50,)).asnumpy(),
            random.dropout_mask((50,), 0.3).asnumpy(),
            F.dropout(np.ones(50), 0.5).asnumpy(),
        ]
    )


def test_a_seed_fixes_everything_that_is_drawn_after_it():
    def everything():
        minpy.random.seed(5)
        return [
            draws().tolist(),
            random.generator("initializer").normal(size=3).tolist(),
            random.generator("shuffle", 2).permutation(9).tolist(),
            random.new_seed(),
        ]

    first, again = everything(), everything()
    assert first == again
    minpy.random.seed(6)
    assert draws().tolist() != first[0]


def test_the_numbers_are_the_same_in_every_process_and_release():
    with random.scope(3, 4):
        masked = F.dropout(np.ones(24), 0.5).asnumpy().astype(int).tolist()
    # Written down at the first release: a checkpoint's training goes on with the same masks.
    assert masked == MASK
    code = (
        "import numpy as np; from minpy import random; from minpy.layers import functions as F\n"
        "with random.scope(3, 4): print(F.dropout(np.ones(24), .5).asnumpy().astype(int).tolist())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(MASK)


def test_a_scope_gives_the_same_draws_for_the_same_seed_and_step_only():
    def at(seed, step):
        with random.scope(seed, step):
            return draws()

    first = at(1, 10)
    random.uniform((7,))
    assert (at(1, 10) == first).all()
    for other in (at(1, 11), at(2, 10), at(10, 1)):
        assert (other != first).mean() > 0.4


def test_draws_in_a_scope_differ_from_each_other_and_leave_the_global_stream_alone():
    random.seed(0)
    expected = [random.uniform((4,)).tolist() for _ in range(2)]
    random.seed(0)
    found = [random.uniform((4,)).tolist()]
    with random.scope(0, 0):
        inside = [random.uniform((4,)).tolist() for _ in range(3)]
        with random.scope(0, 1):
            nested = random.uniform((4,)).tolist()
        inside.append(random.uniform((4,)).tolist())
    found.append(random.uniform((4,)).tolist())
    assert found == expected
    distinct = [tuple(v) for v in (*inside, nested, *found)]
    assert len(set(distinct)) == len(distinct)
    with random.scope(0, 0):
        assert [random.uniform((4,)).tolist() for _ in range(4)] == inside


def test_a_scope_ends_where_an_error_leaves_it():
    random.seed(0)
    expected = random.uniform((4,)).tolist()
    random.seed(0)
    with pytest.raises(KeyError), random.scope(1, 1):
        raise KeyError
    assert random.uniform((4,)).tolist() == expected


def test_named_streams_do_not_depend_on_each_other_or_on_scopes():
    random.seed(7)
    expected = random.generator("initializer").random(3)
    random.seed(7)
    random.generator("shuffle").random(100)
    draws()
    with random.scope(1, 1):
        found = random.generator("initializer").random(3)
    assert (found == expected).all()
    assert (random.generator("initializer").random(3) != expected).all()


def test_a_generator_is_its_owners_to_keep():
    mine = random.generator("mine")
    state = mine.bit_generator.state
    draws()
    assert str(mine.bit_generator.state) == str(state)


def test_state_survives_json_and_goes_on_where_it_was():
    random.seed(3)
    draws()
    random.generator("initializer")
    state = json.loads(json.dumps(random.get_state()))
    expected = (draws(), random.generator("initializer").random(2), random.new_seed())
    random.seed(99)
    random.set_state(state)
    found = (draws(), random.generator("initializer").random(2), random.new_seed())
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "state", [None, {}, {"seed": 1}, {"seed": -1, "taken": {}}, {"seed": 1, "taken": {"a": -2}}]
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(state):
    before = random.get_state()
    with pytest.raises(ValueError, match="set_state"):
        random.set_state(state)
    assert random.get_state() == before


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    for use in (random.seed, lambda s: random.uniform((1,), seed=s)):
        with pytest.raises(ValueError, match="integer from 0"):
            use(seed)
    with pytest.raises(ValueError, match="integer from 0"), random.scope(seed, 0):
        pass
    with pytest.raises(ValueError, match="as the step"), random.scope(0, seed):
        pass


def test_large_and_numpy_seeds_are_taken():
    for seed in (2**200, np.int64(4), np.uint8(4)):
        random.seed(seed)
        with random.scope(seed, np.int32(3)):
            random.uniform((2,))
    random.seed(None)
    first = random.get_state()["seed"]
    random.seed(None)
    assert random.get_state()["seed"] != first


def test_threads_have_their_own_scopes():
    found = {}
    ready = threading.Barrier(4)

    def work(i):
        with random.scope(i % 2, 5):
            ready.wait()
            found[i] = draws().tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[2] and found[1] == found[3] and found[0] != found[1]


def test_threads_that_draw_without_a_scope_never_draw_the_same():
    random.seed(0)
    found = []

    def work():
        found.extend(tuple(random.uniform((3,)).tolist()) for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 800


def test_statistics_of_uniform_and_normal_draws():
    n = 200_000
    u = random.uniform((n,), -2.0, 6.0, seed=0).asnumpy().astype("float64")
    assert u.min() >= -2 and u.max() < 6
    assert u.mean() == pytest.approx(2.0, abs=4 * 8 / np.sqrt(12 * n))
    z = random.normal((n,), 1.0, 3.0, "float64", seed=0).asnumpy()
    assert z.dtype == np.float64
    assert z.mean() == pytest.approx(1.0, abs=4 * 3 / np.sqrt(n))
    assert z.std() == pytest.approx(3.0, rel=4 / np.sqrt(2 * n))
    assert (abs(z - 1) < 3).mean() == pytest.approx(0.6827, abs=0.005)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.25, 0.3, 0.5, 0.8, 0.999])
def test_masks_realise_their_rate_in_every_place(rate):
    n = 400_000
    mask = random.dropout_mask((n,), rate, "float64", seed=1).asnumpy()
    assert set(np.unique(mask)) <= {0.0, 1 / (1 - rate)}
    slack = 4 * np.sqrt(rate * (1 - rate) / n)
    assert (mask == 0).mean() == pytest.approx(rate, abs=slack)
    # Neighbours are independent: both dropped as often as the product says.
    both = (mask[:-1] == 0) & (mask[1:] == 0)
    assert both.mean() == pytest.approx(rate**2, abs=4 * rate / np.sqrt(n) + 1e-4)
    # Substreams are independent of each other.
    with random.scope(1, 1):
        a, b = (random.dropout_mask((n,), rate).asnumpy() == 0 for _ in range(2))
    assert (a & b).mean() == pytest.approx(rate**2, abs=4 * rate / np.sqrt(n) + 1e-4)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (5, 7)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_shapes_and_dtypes_of_draws(shape, dtype):
    for made in (
        random.uniform(shape, dtype=dtype),
        random.normal(shape, dtype=dtype),
        random.dropout_mask(shape, 0.1, dtype),
    ):
        assert made.shape == shape and made.dtype == dtype
    with pytest.raises(ValueError, match="float dtype"):
        random.uniform(shape, dtype=int)


def test_an_observer_sees_each_draw_and_can_make_it_anew():
    seen = []

    def observer(value, again):
        seen.append((value.asnumpy(), again))
        return value * 0

    with random.observed(observer), random.scope(8, 9):
        replaced = F.dropout(np.ones(30), 0.5).asnumpy()
        random.normal((4,))
        F.dropout(np.ones(30), 0.5, seed=1)  # a constant, not a draw
    assert not replaced.any()
    assert len(seen) == 2
    with random.scope(8, 9):
        for value, again in seen:
            np.testing.assert_array_equal(again().asnumpy(), value)
    with random.scope(8, 10):
        assert (seen[0][1]().asnumpy() != seen[0][0]).any()


def test_a_rehearsal_draws_what_comes_next_and_takes_nothing():
    random.seed(4)
    with random.rehearsal():
        first = draws()
        with random.rehearsal():
            ahead = draws()
        assert (draws() == ahead).all() and (ahead != first).any()
    assert (draws() == first).all()
    with random.scope(1, 1):
        random.uniform((2,))
        with random.rehearsal():
            first = draws()
        assert (draws() == first).all()


def test_resumed_masks_are_those_of_the_uninterrupted_run():
    def run(steps):
        out = []
        for step in steps:
            with random.scope(42, step):
                out += [F.dropout(np.ones(64), 0.4).asnumpy(), random.normal((3,)).asnumpy()]
        return np.concatenate(out)

    whole = run(range(6))
    random.seed(1)
    draws()
    np.testing.assert_array_equal(np.concatenate([run(range(3)), run(range(3, 6))]), whole)
