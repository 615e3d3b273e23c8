"""Batches of arrays: what comes when, from memory and from files, and the thread that gathers."""

from __future__ import annotations

import threading

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minpy
import minpy.numpy as np
from minpy.data import ArrayBatches, prefetched
from minpy.layers import Dense
from minpy.models import Sequential


def gathered(data, **where):
    """Copy the batches of an epoch: they may share memory."""
    return [[leaf.copy() for leaf in batch.leaves] for batch in data.batches(**where)]


def batch_threads():
    return [t for t in threading.enumerate() if t.name == "minpy-batches"]


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 40),
    size=st.integers(1, 12),
    ahead=st.integers(0, 3),
    start=st.integers(0, 3),
    shuffle=st.booleans(),
    dtype=st.sampled_from(["float32", "float64", "uint8", "int64", "bool"]),
)
def test_batches_are_the_rows_in_the_epochs_order(samples, size, ahead, start, shuffle, dtype):
    x = (numpy.arange(samples * 3).reshape(samples, 3) % 200).astype(dtype)
    y = numpy.arange(samples)
    data = ArrayBatches(x, {"a": y, "b": -y}, batch_size=size, shuffle=shuffle, seed=3, ahead=ahead)
    order = data.order(epoch=2)
    rows = y if order is None else order
    assert sorted(rows.tolist()) == y.tolist()
    found = gathered(data, epoch=2, start=start)
    assert len(found) == max(0, len(data) - start)
    for i, (bx, by, bz) in enumerate(found, start):
        expected = rows[i * size : (i + 1) * size]
        numpy.testing.assert_array_equal(by, expected)
        numpy.testing.assert_array_equal(bz, -expected)
        numpy.testing.assert_array_equal(bx, x[expected].astype("float32"))
        assert bx.dtype == numpy.float32
        assert by.dtype == y.dtype
    assert not batch_threads()


def test_strided_and_transposed_arrays_are_gathered_too():
    x = numpy.arange(60.0, dtype="float32").reshape(6, 10)
    for view in (x.T, x[::-1], x[:, ::2]):
        for shuffle in (False, True):
            data = ArrayBatches(view, batch_size=4, shuffle=shuffle)
            rows = data.order(0) if shuffle else numpy.arange(len(view))
            found = numpy.concatenate([b[0] for b in gathered(data)])
            numpy.testing.assert_array_equal(found, view[rows])


def test_another_epoch_has_another_order_and_the_same_one_the_same():
    data = ArrayBatches(numpy.arange(50.0), batch_size=7, shuffle=True, seed=1)
    first, again, second = (
        numpy.concatenate([b[0] for b in gathered(data, epoch=e)]) for e in (0, 0, 1)
    )
    numpy.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_a_thread_that_gathers_gives_what_gathering_in_turn_gives():
    x = numpy.random.default_rng(0).random((1000, 30))
    one, two = (ArrayBatches(x, batch_size=64, shuffle=True, ahead=ahead) for ahead in (0, 2))
    for a, b in zip(gathered(one), gathered(two), strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_a_batch_stays_as_it_is_until_the_next_one_is_asked_for():
    x = numpy.arange(4000, dtype="float32")
    data = ArrayBatches(x, batch_size=10, shuffle=True, ahead=2)
    order = data.order(0)
    for i, batch in enumerate(data.batches()):
        numpy.testing.assert_array_equal(batch.x, order[i * 10 : i * 10 + 10])
        numpy.testing.assert_array_equal(batch.x, order[i * 10 : i * 10 + 10])


def test_leaving_early_ends_the_thread():
    data = ArrayBatches(numpy.ones((1000, 3)), batch_size=10, shuffle=True, ahead=2)
    batches = data.batches()
    next(batches)
    assert len(batch_threads()) == 1
    batches.close()
    assert not batch_threads()


def test_an_error_of_the_thread_comes_where_its_item_would_have():
    def two_then_error(take):
        for i in range(2):
            slot = take()
            slot[0] = i
            yield slot
        raise OSError("the disk is gone")

    items = prefetched(two_then_error, [[None], [None], [None]])
    assert [next(items)[0], next(items)[0]] == [0, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)
    assert not batch_threads()


class Unreadable(numpy.ndarray):
    """An array whose rows from some point on can't be read, like a damaged file's."""

    def __getitem__(self, rows):
        if isinstance(rows, numpy.ndarray) and (rows >= 900).any():
            raise OSError("row 900 can't be read")
        return super().__getitem__(rows)


def test_fit_passes_an_error_of_the_thread_on_and_keeps_the_last_whole_step():
    x = numpy.random.default_rng(0).random((1000, 300)).view(Unreadable)
    model = Sequential([Dense(2)])
    model.compile("adam", "mse")
    minpy.random.seed(0)
    with pytest.raises(OSError, match="row 900"):
        model.fit(x, numpy.ones((1000, 2)), batch_size=100, verbose=0)
    steps = model.optimizer.iterations
    assert 0 <= steps < 10
    assert all(numpy.isfinite(w).all() for w in model.get_weights())
    assert not batch_threads()
    before = model.get_weights()
    model.train_on_batch(numpy.ones((4, 300)), numpy.ones((4, 2)))
    assert model.optimizer.iterations == steps + 1
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def train(x, y):
    minpy.random.seed(5)
    model = Sequential([Dense(8, activation="relu"), Dense(2)])
    model.compile("adam", "mse")
    history = model.fit(x, y, batch_size=32, epochs=2, verbose=0, validation_split=0.25)
    return history.history["loss"], model.get_weights(), model.predict(x, verbose=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_files_train_as_the_same_arrays_in_memory_do(tmp_path, dtype):
    h5py = pytest.importorskip("h5py")
    rng = numpy.random.default_rng(0)
    x = (rng.random((200, 20)) * 10).astype(dtype)
    y = rng.random((200, 2)).astype("float32")
    numpy.save(tmp_path / "x.npy", x)
    mapped = numpy.load(tmp_path / "x.npy", mmap_mode="r")
    expected = train(x, y)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"], file["y"] = x, y
    with h5py.File(tmp_path / "x.h5") as file:
        for loss, weights, predictions in (train(mapped, y), train(file["x"], file["y"])):
            assert loss == expected[0]
            for a, b in zip(weights, expected[1], strict=True):
                numpy.testing.assert_array_equal(a, b)
            numpy.testing.assert_array_equal(predictions, expected[2])
    assert not batch_threads()


def test_a_file_larger_than_what_may_be_held_is_read_by_parts(tmp_path):
    h5py = pytest.importorskip("h5py")
    largest = []

    with h5py.File(tmp_path / "x.h5", "w") as file:
        x = file.create_dataset("x", (20_000, 50), "float32", chunks=(100, 50))
        for i in range(0, 20_000, 1000):
            x[i : i + 1000] = i
        data = ArrayBatches(x, batch_size=64)
        for batch in data.batches():
            largest.append(batch.x.nbytes)
            assert batch.x[0, 0] == (len(largest) - 1) * 64 // 1000 * 1000
        assert max(largest) == 64 * 50 * 4
        model = Sequential([Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, numpy.zeros((20_000, 1)), batch_size=512, steps_per_epoch=3, verbose=0)


def test_what_the_caller_changes_is_seen_by_the_batches_after_it():
    x = numpy.zeros((6, 1), "float32")
    seen = []
    for batch in ArrayBatches(x, batch_size=2).batches():
        seen.append(float(batch.x[0, 0]))
        x[:] += 1
    assert seen == [0.0, 1.0, 2.0]


def test_inputs_that_a_model_writes_to_are_not_the_callers():
    class Doubling(minpy.models.Model):
        def build(self, shape):
            self.w = self.add_weight("w", (1,), "ones")

        def call(self, x):
            x *= 2
            return x * self.w

    x = np.ones((8, 1))
    model = Doubling()
    model.compile("sgd", "mse", jit=False)
    model.fit(x, numpy.ones((8, 1)), batch_size=4, verbose=0, shuffle=False)
    assert float(x.sum()) == 8.0
