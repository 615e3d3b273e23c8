"""Data sets: order, batches, re-iteration, threads, errors, and training as on arrays."""

import math
import re
import sys
import threading
import time

import numpy
import pytest

from minpy.data import Dataset, stages


def rows(n):
    return Dataset.from_arrays(numpy.arange(n))


def ints(data):
    return [int(item) for item in data]


# --- order and batches --------------------------------------------------------------------------


def test_batches_hold_the_rows_in_order_and_can_be_read_again():
    x, y = numpy.arange(14.0).reshape(7, 2), numpy.arange(7)
    data = Dataset.from_arrays((x, y)).batch(3)
    for _ in range(2):
        numpy.testing.assert_array_equal(numpy.concatenate([b[0] for b in data]), x)
        assert [b[1].tolist() for b in data] == [[0, 1, 2], [3, 4, 5], [6]]
    assert data.cardinality() == 3


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("buffer_size", [None, 5])
def test_batches_gathered_at_once_are_those_of_elements(buffer_size, drop):
    arrays = {"a": numpy.arange(46.0).reshape(23, 2), "b": (numpy.arange(23), list("x" * 23))}

    def chain(data):
        data = data.skip(1).shuffle(buffer_size).repeat(2).take(37).shard(2, 1)
        data = data.filter(lambda item: int(item["b"][0]) % 7 != 0).batch(4, drop)
        data.set_epoch(3, 8)
        return list(data)

    at_once = chain(Dataset.from_arrays(arrays))
    one_by_one = chain(Dataset.from_arrays(arrays).map(lambda item: item))
    assert len(at_once) == len(one_by_one) > 2
    for a, b in zip(at_once, one_by_one, strict=True):
        numpy.testing.assert_array_equal(a["a"], b["a"])
        for part in (0, 1):
            numpy.testing.assert_array_equal(a["b"][part], b["b"][part])
        numpy.testing.assert_array_equal(a["a"], arrays["a"][a["b"][0]])


def test_batches_are_copies_that_leave_the_arrays_alone():
    x = numpy.zeros((4, 2))
    for batch in Dataset.from_arrays(x).batch(2):
        batch += 1
    assert not x.any()


def test_text_and_objects_are_elements_too():
    words = numpy.array(["b", "a", "b"])
    (batch,) = Dataset.from_arrays((words, [1.0, 2.0, 3.0])).batch(3)
    assert batch[0].tolist() == ["b", "a", "b"]
    (mapped,) = Dataset.from_arrays(words).map(lambda word: str(word) * 2).batch(3)
    assert mapped.tolist() == ["bb", "aa", "bb"]


@pytest.mark.parametrize("size", [None, 4])
def test_shuffled_order_is_a_function_of_seed_and_epoch(size):
    data = rows(30).shuffle(size)
    orders = {}
    for epoch in (0, 1, 0):
        data.set_epoch(epoch, 3)
        order = ints(data)
        assert sorted(order) == list(range(30))
        assert orders.setdefault(epoch, order) == order
    assert orders[0] != orders[1]


def test_a_buffer_of_four_moves_no_element_forward_by_more_than_three():
    order = ints(rows(3000).shuffle(4))  # more than the numbers drawn at once
    assert sorted(order) == list(range(3000))
    assert all(place >= item - 3 for place, item in enumerate(order))


def test_shuffles_of_a_chain_and_passes_of_repeat_have_orders_of_their_own():
    once = ints(rows(20).shuffle())
    inverse = numpy.argsort(once)
    positions = numpy.array(ints(rows(20).shuffle().shuffle()))
    # Two shuffles by one order would be that order applied to itself.
    assert inverse[positions].tolist() != once
    passes = numpy.array(ints(rows(20).shuffle().repeat(4))).reshape(4, 20)
    assert len({tuple(order) for order in passes.tolist()}) == 4
    assert passes[0].tolist() == once
    assert all(sorted(order) == list(range(20)) for order in passes.tolist())
    again = rows(20).shuffle().repeat(4)
    assert ints(again) == passes.ravel().tolist()
    again.set_epoch(1)
    assert not {tuple(p) for p in numpy.array(ints(again)).reshape(4, 20).tolist()} & {
        tuple(p) for p in passes.tolist()
    }


def test_a_seed_of_its_own_fixes_a_shuffle_and_pairs_two():
    data = rows(20).shuffle(seed=5)
    order = ints(data)
    data.set_epoch(0, 99)
    assert ints(data) == order
    data.set_epoch(1, 99)
    assert ints(data) != order
    fixed = rows(20).shuffle(seed=5, reshuffle_each_iteration=False).repeat(2)
    fixed.set_epoch(7)
    assert ints(fixed) == order * 2
    pairs = list(Dataset.zip(rows(20).shuffle(seed=5), rows(20).shuffle(seed=5)))
    assert all(a == b for a, b in pairs)
    apart = list(Dataset.zip(rows(20).shuffle(), rows(20).shuffle()))
    assert any(a != b for a, b in apart)


def test_take_skip_shard_repeat_and_filter_are_those_of_lists():
    data, numbers = rows(10), list(range(10))
    assert ints(data.take(3)) == numbers[:3]
    assert ints(data.skip(3)) == numbers[3:]
    assert ints(data.shard(3, 1)) == numbers[1::3]
    assert ints(data.repeat(2)) == numbers * 2
    assert ints(data.filter(lambda i: i % 2)) == numbers[1::2]


def test_zip_concatenate_enumerate_and_unbatch_are_those_of_lists():
    a, b = rows(5), Dataset.from_arrays(numpy.arange(10, 13))
    assert list(Dataset.zip(a, b)) == [(0, 10), (1, 11), (2, 12)]
    assert Dataset.zip(a, b).cardinality() == 3
    assert ints(a.concatenate(b)) == [0, 1, 2, 3, 4, 10, 11, 12]
    assert list(b.enumerate(2)) == [(2, 10), (3, 11), (4, 12)]
    assert ints(a.batch(2).unbatch()) == [0, 1, 2, 3, 4]


def test_repeat_without_a_count_goes_on_and_ends_where_there_is_nothing():
    assert ints(rows(3).repeat().take(8)) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert ints(rows(3).repeat().batch(2).unbatch().take(4)) == [0, 1, 2, 0]
    assert list(rows(3).filter(lambda i: False).repeat()) == []


# --- lengths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.batch(3), 4),
        (lambda d: d.batch(3, drop_remainder=True), 3),
        (lambda d: d.shuffle().map(abs).repeat(3).prefetch(), 30),
        (lambda d: d.skip(4).shard(4, 1), 2),
        (lambda d: d.concatenate(d).take(15).cache(), 15),
        (lambda d: d.repeat().take(7), 7),
        (lambda d: Dataset.zip(d, d.repeat()).enumerate(), 10),
        (lambda d: d.repeat(0), 0),
    ],
)
def test_length_is_the_number_of_elements(change, expected):
    data = change(rows(10))
    assert len(data) == data.cardinality() == expected == len(list(data))


def test_no_length_says_why():
    def generator():
        return Dataset.from_generator(lambda: iter([1, 2]))

    for data, why in (
        (generator().batch(2), "from_generator can't know"),
        (rows(3).filter(bool).map(abs).repeat(2), "filter can't know"),
        (rows(4).batch(2).unbatch(), "unbatch can't know"),
        (Dataset.zip(rows(3), generator()), "from_generator can't know"),
        (rows(3).concatenate(generator()), "from_generator can't know"),
        (Dataset(lambda epoch, seed: iter([1])), "without a cardinality"),
        (rows(3).repeat().shuffle(2).batch(2), "steps_per_epoch"),
    ):
        with pytest.raises(TypeError, match=why):
            len(data)
        assert bool(data)
    assert rows(3).repeat().skip(2).shard(2, 0).cardinality() == math.inf
    assert len(Dataset.from_generator(lambda: iter([1, 2]), cardinality=2)) == 2


# --- threads and memory -------------------------------------------------------------------------


def test_prefetch_keeps_order_and_leaves_no_thread_when_left_early():
    before = threading.active_count()
    data = rows(20).prefetch(2)
    assert ints(data) == list(range(20))
    iterator = iter(data)
    assert next(iterator) == 0
    iterator.close()
    assert threading.active_count() == before


def test_map_on_threads_runs_at_once_and_gives_elements_in_order():
    together = threading.Barrier(3, timeout=10)

    def wait(i):
        if i < 3:
            together.wait()  # passes only if three calls run at the same time
        time.sleep(0.002 * (i % 3))
        return int(i) * i

    before = threading.active_count()
    data = rows(30).map(wait, num_parallel_calls=3)
    assert ints(data) == [i * i for i in range(30)]
    iterator = iter(data)
    assert next(iterator) == 0
    iterator.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [None, 3])
def test_an_error_comes_where_its_element_would_have_come(workers):
    def function(i):
        return 10 // (5 - int(i))

    def read(data):
        return seen.extend(iter(data))  # keeps what came before the error

    seen = []
    # Python 3.10 has no notes for the element's number: there it is the cause of another error.
    told = ZeroDivisionError if sys.version_info >= (3, 11) else RuntimeError
    with pytest.raises(told, match="division"):
        read(rows(9).map(function, workers))
    assert seen == [2, 2, 3, 5, 10]

    def ends():
        yield from (0, 1, 2)
        raise OSError("disk")

    seen = []
    with pytest.raises(OSError, match="disk"):
        read(Dataset.from_generator(ends).map(function, workers))
    assert seen == [2, 2, 3]


def test_cache_calls_what_comes_before_it_once():
    calls = []
    data = rows(4).map(lambda i: calls.append(int(i)) or i * 2).cache()
    next(iter(data))  # left early: nothing is kept
    assert ints(data.shuffle().batch(2).unbatch()) != []
    assert calls == [0, 0, 1, 2, 3]
    for epoch in range(3):
        data.set_epoch(epoch, 7)
        assert ints(data) == [0, 2, 4, 6]
    assert len(calls) == 5


def test_what_is_cached_depends_on_no_epoch():
    orders = []
    for epoch in (0, 4):
        data = rows(20).shuffle().cache()
        data.set_epoch(epoch, 3 + epoch)
        orders.append(ints(data))
    assert orders[0] == orders[1]


# --- errors -------------------------------------------------------------------------------------


def _fails(i):
    if i == 2:
        raise KeyError("no such thing")
    return True


@pytest.mark.parametrize("what", ["map", "filter"])
def test_errors_of_functions_keep_their_type_and_have_the_elements_number(what, monkeypatch):
    data = getattr(rows(4).skip(1), what)(_fails)  # the row 2 is element 1
    where = f"in {what}, at element 1"
    if sys.version_info >= (3, 11):
        with pytest.raises(KeyError) as caught:
            list(data)
        assert caught.value.__notes__ == [where]
    monkeypatch.setattr(stages, "_ERRORS_TAKE_NOTES", False)
    with pytest.raises(RuntimeError, match=f"{where}: KeyError: 'no such thing'") as caught:
        list(data)
    assert isinstance(caught.value.__cause__, KeyError)


def test_stop_iteration_of_a_function_ends_no_data_set_silently():
    with pytest.raises(RuntimeError, match="in map, at element 0: StopIteration"):
        list(rows(3).map(lambda i: next(iter(()))))


@pytest.mark.parametrize(
    ("items", "told"),
    [
        (
            [{"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}],
            "element 2 has a dict of ['a'], element 0 has a dict of ['a', 'b']",
        ),
        ([(1, 2), (1, 2, 3)], "element 1 has a tuple of 3, element 0 has a tuple of 2"),
        (
            [{"a": (1, 2)}, {"a": 1}],
            "element 1 has an array of shape () at ['a'], element 0 has a tuple of 2",
        ),
        (
            [(1, {"a": [1, 2]}), (1, {"a": [1, 2, 3]})],
            "element 1 has an array of shape (3,) at [1]['a'], element 0 has an array of shape (2",
        ),
        ([1, {"a": 1}], "element 1 has a dict of ['a'], element 0 has an array of shape ()"),
        ([1.0, "one"], "element 1 has dtype <U3, element 0 has dtype float64"),
    ],
)
def test_elements_of_unequal_structure_are_told_by_number_and_name(items, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        list(Dataset.from_generator(lambda: items).batch(4))


def test_numbers_of_elements_go_on_over_batches():
    items = [(1, 2)] * 5 + [(1,)]
    with pytest.raises(ValueError, match="element 5 has a tuple of 1, element 4"):
        list(Dataset.from_generator(lambda: items).batch(2))


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda d: Dataset.from_arrays((numpy.ones(2), numpy.ones(3))), ValueError, "same number"),
        (lambda d: Dataset.from_arrays(()), ValueError, "of nothing"),
        (lambda d: Dataset.from_arrays(3.0), ValueError, "same number of rows"),
        (lambda d: Dataset.from_generator(iter([1])), TypeError, "give the function"),
        (lambda d: Dataset([1, 2]), TypeError, "make: got a list"),
        (lambda d: d.batch(0), ValueError, "batch_size: got 0"),
        (lambda d: d.batch(2.0), ValueError, "batch_size: got 2.0"),
        (lambda d: d.shuffle(0), ValueError, "buffer_size: got 0"),
        (lambda d: d.shuffle(seed=-1), ValueError, "seed: got -1"),
        (lambda d: d.repeat().shuffle(), ValueError, "give a buffer_size"),
        (lambda d: d.repeat().cache(), ValueError, "repeat after it"),
        (lambda d: d.repeat(-1), ValueError, "count: got -1"),
        (lambda d: d.take(True), ValueError, "count: got True"),
        (lambda d: d.skip("1"), ValueError, "count: got '1'"),
        (lambda d: d.shard(2, 2), ValueError, "index is 2; give one from 0 to 1"),
        (lambda d: d.prefetch(0), ValueError, "buffer_size: got 0"),
        (lambda d: d.map(3), TypeError, "map: got a int"),
        (lambda d: d.map(abs, 0), ValueError, "num_parallel_calls: got 0"),
        (lambda d: d.filter(None), TypeError, "filter: got a NoneType"),
        (lambda d: d.concatenate([1]), TypeError, "concatenate: got a list"),
        (lambda d: Dataset.zip(d, [1]), TypeError, "zip: got a list"),
        (lambda d: Dataset.zip(), ValueError, "got no data set"),
        (lambda d: d.set_epoch(-1), ValueError, "epoch: got -1"),
    ],
)
def test_bad_arguments_say_what_to_give(call, error, told):
    with pytest.raises(error, match=told):
        call(rows(4))


# --- training -----------------------------------------------------------------------------------


def _model(seed=0):
    import minpy
    from minpy.layers import Dense
    from minpy.models import Sequential

    minpy.random.seed(seed)
    model = Sequential([Dense(4, activation="tanh", input_shape=(3,)), Dense(1)])
    model.compile("sgd", "mse")
    return model


X = numpy.sin(numpy.arange(60.0)).reshape(20, 3).astype("float32")
Y = numpy.cos(numpy.arange(20.0)).reshape(20, 1).astype("float32")


def _weights(model):
    return [numpy.asarray(w) for w in model.get_weights()]


def test_fit_on_batches_gives_the_weights_of_fit_on_arrays():
    trained = []
    for args, options in (
        ((X, Y), {"batch_size": 8, "shuffle": False}),
        ((Dataset.from_arrays((X, Y)).batch(8),), {}),
        ((Dataset.from_generator(lambda: zip(X, Y, strict=True)).batch(8),), {}),
        ((Dataset.from_arrays((X, Y)).batch(8).repeat(),), {"steps_per_epoch": 3}),
    ):
        model = _model()
        model.fit(*args, epochs=2, verbose=0, **options)
        trained.append(_weights(model))
    for other in trained[1:]:
        for a, b in zip(trained[0], other, strict=True):
            numpy.testing.assert_array_equal(a, b)


def test_an_endless_data_set_needs_a_number_of_steps():
    endless = Dataset.from_arrays((X, Y)).batch(8).repeat()
    model = _model()
    for call, argument in (
        (lambda: model.fit(endless, verbose=0), "steps_per_epoch"),
        (lambda: model.fit(X, Y, validation_data=endless, verbose=0), "validation_steps"),
        (lambda: model.evaluate(endless, verbose=0), "steps"),
        (lambda: model.predict(endless, verbose=0), "steps"),
    ):
        with pytest.raises(ValueError, match=f"without end; give {argument}$"):
            call()
    assert len(model.predict(endless.map(lambda x, y: x), steps=4, verbose=0)) == 28


@pytest.mark.parametrize("parallel", [None, 2])
def test_a_backup_in_the_middle_of_an_epoch_goes_on_with_the_batches_that_were_left(
    tmp_path, parallel
):
    from minpy.callbacks import BackupAndRestore, Callback

    seen = []

    def look(x, y):
        seen.append(y.ravel().tolist())
        return x, y

    def data():
        chain = Dataset.from_arrays((X, Y)).shuffle().shuffle(6).repeat(2).batch(4)
        return chain.map(look, parallel)

    class Interrupt(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if self.epoch == 1 and batch == 4:
                raise KeyboardInterrupt

    whole = _model()
    whole.fit(data(), epochs=3, verbose=0)
    orders = [tuple(map(tuple, seen[start : start + 10])) for start in (-30, -20, -10)]
    assert len(set(orders)) == 3

    keep = BackupAndRestore(tmp_path, save_freq=1)
    with pytest.raises(KeyboardInterrupt):
        _model().fit(data(), epochs=3, verbose=0, callbacks=[Interrupt(), keep])
    resumed = _model(seed=1)  # what it has of its own is replaced by the backup
    resumed.fit(data(), epochs=3, verbose=0, callbacks=[keep])
    for a, b in zip(_weights(whole), _weights(resumed), strict=True):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batched_first", [True, False])
def test_strings_become_numbers_on_their_way_into_fit(batched_first):
    import minpy
    from minpy.layers import Dense, Embedding, Flatten, StringLookup
    from minpy.models import Sequential

    words = numpy.array(["red", "green", "blue", "green"] * 6)
    targets = (words == "green").astype("float32")[:, None]
    lookup = StringLookup(vocabulary=["blue", "green", "red"])
    data = Dataset.from_arrays((words[:, None], targets))

    def look(word, y):
        return lookup(word), y

    data = data.batch(8).map(look) if batched_first else data.map(look).batch(8)
    expected = 1 + numpy.searchsorted(["blue", "green", "red"], words)
    numpy.testing.assert_array_equal(numpy.concatenate([b[0] for b in data])[:, 0], expected)
    minpy.random.seed(0)
    model = Sequential([Embedding(4, 2), Flatten(), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.optimizer.learning_rate = 0.1
    history = model.fit(data, epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.1 < history[0]


def test_texts_become_numbers_of_words_on_their_way_into_fit():
    import minpy
    from minpy.layers import Dense, Embedding, GlobalAveragePooling1D, TextVectorization
    from minpy.models import Sequential

    texts = numpy.array(["A good film.", "bad, bad", "good!", "a bad film"] * 4)
    targets = numpy.array([[1], [0], [1], [0]] * 4, "float32")
    vectors = TextVectorization(max_tokens=10, output_sequence_length=3)
    vectors.adapt(texts)
    data = Dataset.from_arrays((texts, targets)).shuffle().batch(4)
    data = data.map(lambda text, y: (vectors(text), y), num_parallel_calls=2)
    minpy.random.seed(0)
    model = Sequential([Embedding(10, 2), GlobalAveragePooling1D(), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.1
    history = model.fit(data, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.1 < history["loss"][0]
