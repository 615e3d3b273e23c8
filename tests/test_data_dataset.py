"""Data sets: order, batches, re-iteration, threads, and training as on arrays."""

import threading

import numpy
import pytest

from minpy.data import Dataset


def test_batches_hold_the_rows_in_order_and_can_be_read_again():
    x, y = numpy.arange(14.0).reshape(7, 2), numpy.arange(7)
    data = Dataset.from_arrays((x, y)).batch(3)
    for _ in range(2):
        numpy.testing.assert_array_equal(numpy.concatenate([b[0] for b in data]), x)
        assert [b[1].tolist() for b in data] == [[0, 1, 2], [3, 4, 5], [6]]
    assert data.cardinality() == 3


@pytest.mark.parametrize("size", [None, 4])
def test_shuffled_order_is_a_function_of_seed_and_epoch(size):
    data = Dataset.from_arrays(numpy.arange(30)).shuffle(size)
    orders = {}
    for epoch in (0, 1, 0):
        data.set_epoch(epoch, 3)
        order = [int(i) for i in data]
        assert sorted(order) == list(range(30))
        assert orders.setdefault(epoch, order) == order
    assert orders[0] != orders[1]


def test_take_skip_shard_repeat_and_filter_are_those_of_lists():
    data, rows = Dataset.from_arrays(numpy.arange(10)), list(range(10))
    assert list(data.take(3)) == rows[:3]
    assert list(data.skip(3)) == rows[3:]
    assert list(data.shard(3, 1)) == rows[1::3]
    assert list(data.repeat(2)) == rows * 2
    assert list(data.filter(lambda i: i % 2)) == rows[1::2]


def test_prefetch_keeps_order_and_leaves_no_thread_when_left_early():
    before = threading.active_count()
    data = Dataset.from_arrays(numpy.arange(20)).prefetch(2)
    assert list(data) == list(range(20))
    iterator = iter(data)
    assert next(iterator) == 0
    iterator.close()
    assert threading.active_count() == before


def test_fit_on_batches_gives_the_weights_of_fit_on_arrays():
    import minpy
    from minpy.layers import Dense
    from minpy.models import Sequential

    x = numpy.sin(numpy.arange(60.0)).reshape(20, 3).astype("float32")
    y = numpy.cos(numpy.arange(20.0)).reshape(20, 1).astype("float32")
    trained = []
    for args, options in (
        ((x, y), {"batch_size": 8, "shuffle": False}),
        ((Dataset.from_arrays((x, y)).batch(8),), {}),
        ((Dataset.from_generator(lambda: zip(x, y, strict=True)).batch(8),), {}),
    ):
        minpy.random.seed(0)
        model = Sequential([Dense(4, activation="tanh"), Dense(1)])
        model.compile("sgd", "mse")
        model.fit(*args, epochs=2, verbose=0, **options)
        trained.append([numpy.asarray(w) for w in model.get_weights()])
    for other in trained[1:]:
        for a, b in zip(trained[0], other, strict=True):
            numpy.testing.assert_array_equal(a, b)


def test_bad_input_says_what_to_do():
    with pytest.raises(ValueError, match="same number of rows"):
        Dataset.from_arrays((numpy.ones(2), numpy.ones(3)))
    with pytest.raises(TypeError, match="give the function"):
        Dataset.from_generator(iter([1]))
    with pytest.raises(ValueError, match="batch_size: got 0"):
        Dataset.from_arrays(numpy.ones(2)).batch(0)


def test_rows_of_hdf5_files_are_read_in_order(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = str(tmp_path / "rows.h5")
    x = numpy.arange(10.0).reshape(5, 2)
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = x, numpy.arange(5)
    data = Dataset.from_hdf5(path, "x", "y")
    assert data.cardinality() == 5
    ((rows, numbers),) = data.batch(5)
    numpy.testing.assert_array_equal(rows, x)
    assert numbers.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"has .'x', 'y'."):
        Dataset.from_hdf5(path, "z")


def test_zip_concatenate_enumerate_and_unbatch_are_those_of_lists():
    a, b = Dataset.from_arrays(numpy.arange(5)), Dataset.from_arrays(numpy.arange(10, 13))
    assert list(Dataset.zip(a, b)) == [(0, 10), (1, 11), (2, 12)]
    assert Dataset.zip(a, b).cardinality() == 3
    assert list(a.concatenate(b)) == [0, 1, 2, 3, 4, 10, 11, 12]
    assert list(b.enumerate(2)) == [(2, 10), (3, 11), (4, 12)]
    assert list(a.batch(2).unbatch()) == [0, 1, 2, 3, 4]
