"""Data that come in batches: generators, iterables, sequences with workers, MXNet's iterators."""

from __future__ import annotations

import threading
import time

import numpy
import pytest

from minpy import random, runtime
from minpy.data import PyDataset, source_of
from minpy.layers import Dense
from minpy.models import Sequential

rng = numpy.random.default_rng(0)
X, Y = rng.random((40, 3)).astype("float32"), rng.random((40, 2)).astype("float32")
WEIGHTS = rng.random(40).astype("float32")


def model(**arguments):
    random.seed(1)
    made = Sequential([Dense(4, activation="tanh"), Dense(2)])
    made.compile("sgd", "mse", **arguments)
    return made


def batch_threads():
    return [t for t in threading.enumerate() if t.name.startswith("minpy-batches")]


def in_batches(size=8, weights=False):
    for i in range(0, 40, size):
        rows = slice(i, i + size)
        yield (X[rows], Y[rows], WEIGHTS[rows]) if weights else (X[rows], Y[rows])


class Iterable:
    """Begins anew each time, like a PyTorch DataLoader."""

    def __iter__(self):
        yield from in_batches()

    def __len__(self):
        return 5


class Numbered(PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.begun = self.ended = 0
        self.threads = set()

    def __len__(self):
        return 5

    def __getitem__(self, index):
        self.threads.add(threading.current_thread().name)
        time.sleep(0.002 * (5 - index))  # the first are ready last
        rows = slice(8 * index, 8 * index + 8)
        return X[rows], Y[rows]

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


def fitted(data, epochs=2, **arguments):
    made = model()
    history = made.fit(data, epochs=epochs, verbose=0, shuffle=False, **arguments)
    return history.history["loss"], made.get_weights()


def same(a, b):
    assert a[0] == b[0]
    for u, v in zip(a[1], b[1], strict=True):
        numpy.testing.assert_array_equal(u, v)


def of_arrays(epochs=2, **arguments):
    made = model()
    history = made.fit(X, Y, 8, epochs=epochs, verbose=0, shuffle=False, **arguments)
    return history.history["loss"], made.get_weights()


def test_every_kind_of_data_trains_as_its_arrays_do():
    expected = of_arrays()
    forever = (batch for _ in range(99) for batch in in_batches())
    same(fitted(forever, steps_per_epoch=5), expected)
    same(fitted(Iterable()), expected)
    same(fitted(Numbered()), expected)
    same(fitted(Numbered(workers=3)), expected)
    assert not batch_threads()


def test_workers_share_the_batches_and_epochs_are_announced():
    data = Numbered(workers=3)
    fitted(data, epochs=3)
    assert len(data.threads) > 1
    assert data.begun == data.ended == 3


def test_a_sequences_batches_are_shuffled_by_seed_and_epoch():
    first, second = (source_of(Numbered(), shuffle=True, seed=4) for _ in range(2))
    orders = [[b.x[0, 0] for b in source.batches(e)] for source in (first, second) for e in (0, 1)]
    assert orders[0] == orders[2]
    assert orders[1] == orders[3]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_sample_weights_and_class_weights_come_with_batches():
    same(
        fitted((b for _ in range(2) for b in in_batches(weights=True)), steps_per_epoch=5),
        of_arrays(sample_weight=WEIGHTS),
    )
    labels = (numpy.arange(40) % 2).astype("int64")

    def labelled():
        for i in range(0, 40, 8):
            yield X[i : i + 8], labels[i : i + 8]

    found = []
    for data in ((labelled(),), (X, labels, 8)):
        made = model()
        made.compile("sgd", "sparse_categorical_crossentropy")
        made.fit(*data, class_weight={0: 1.0, 1: 3.0}, shuffle=False, verbose=0)
        found.append(made.get_weights())
    for a, b in zip(*found, strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_evaluate_predict_and_validation_take_them_too():
    made = model()
    made.fit(X, Y, verbose=0, validation_data=Iterable())
    assert made.evaluate(Iterable(), verbose=0) == pytest.approx(
        made.evaluate(X, Y, 8, verbose=0), rel=1e-6
    )
    expected = made.predict(X, 8, verbose=0)
    for data in (Iterable(), in_batches(), (x for x, _ in in_batches()), Numbered(workers=2)):
        numpy.testing.assert_array_equal(made.predict(data, verbose=0), expected)
    numpy.testing.assert_array_equal(made.predict(Iterable(), steps=2, verbose=0), expected[:16])


def test_a_generator_that_ends_early_ends_the_training_with_a_warning():
    made = model()
    with pytest.warns(UserWarning, match=r"ended after 2 of 5 batches"):
        history = made.fit(
            (b for _ in range(1) for b in list(in_batches()) + list(in_batches())[:2]),
            steps_per_epoch=5,
            epochs=4,
            verbose=0,
        )
    assert len(history.history["loss"]) == 2
    assert made.optimizer.iterations == 7
    assert not batch_threads()


def test_batches_that_nobody_asked_for_stay_in_the_generator():
    data = (batch for _ in range(3) for batch in in_batches())
    made = model()
    made.fit(data, steps_per_epoch=2, epochs=2, verbose=0)
    assert len(list(data)) == 15 - 4


def test_an_error_in_a_generator_arrives_and_nothing_keeps_running():
    def broken():
        yield X[:8], Y[:8]
        yield X[8:16], Y[8:16]
        raise OSError("the connection is gone")

    made = model()
    with pytest.raises(OSError, match="the connection is gone"):
        made.fit(broken(), verbose=0)
    assert made.optimizer.iterations == 2
    assert not batch_threads()


def test_an_error_in_a_worker_arrives():
    class Broken(Numbered):
        def __getitem__(self, index):
            if index == 3:
                raise KeyError("no such file")
            return super().__getitem__(index)

    with pytest.raises(KeyError, match="no such file"):
        fitted(Broken(workers=2))
    assert not batch_threads()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: iter(()), "empty"),
        (lambda: iter([(X[:8], Y[:7])]), "x has 8, y has 7"),
        (lambda: iter([(X[:8], Y[:8], WEIGHTS[:8], 4)]), "tuple of 4"),
        (lambda: iter([([[1.0, 2.0], [3.0]], Y[:2])]), "shape"),
        (lambda: iter([(X[:8], numpy.array(["a"] * 8))]), "number the classes"),
        (lambda: iter([X[:8]]), "targets"),
    ],
)
def test_what_a_generator_may_not_yield_is_said_before_the_first_step(data, message):
    made = model()
    made(X[:1])
    before = made.get_weights()
    with pytest.raises((ValueError, TypeError), match=message):
        made.fit(data(), verbose=0)
    for a, b in zip(before, made.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_targets_beside_a_data_set_are_refused_and_batch_sizes_not_used():
    with pytest.raises(ValueError, match="yields it with x"):
        model().fit(in_batches(), Y, verbose=0)
    with pytest.warns(UserWarning, match="makes its batches itself, so 4 isn't used"):
        model().fit(in_batches(), batch_size=4, verbose=0)


def test_a_generator_of_validation_data_is_read_as_far_as_asked_and_left_to_its_owner():
    data = (batch for _ in range(9) for batch in in_batches())
    made = model()
    made.fit(X, Y, 8, epochs=2, validation_data=data, validation_steps=3, verbose=0)
    assert not batch_threads()
    numpy.testing.assert_array_equal(next(data)[0], X[8:16])  # the seventh batch


@pytest.mark.parametrize("begun", [False, True])
def test_of_a_generator_only_what_nobody_has_read_is_skipped(begun):
    data = in_batches()
    if begun:
        next(data)
    source = source_of(data)
    source.skip(2)
    source.first()
    assert next(batch.x[0, 0] for batch in source.batches()) == X[8 if begun else 16, 0]


@pytest.mark.skipif(not runtime.available(), reason="mxnet is not installed")
def test_mxnets_own_iterators_train_without_their_padding():
    mx = runtime.library()
    data = mx.io.NDArrayIter(X[:36], Y[:36], batch_size=8, label_name="y")
    made = model()
    loss = made.fit(data, epochs=2, verbose=0).history["loss"]
    other = model()
    assert loss == other.fit(X[:36], Y[:36], 8, epochs=2, shuffle=False, verbose=0).history["loss"]


def test_tensors_and_frames_of_other_libraries_are_taken_as_arrays():
    class Tensor:
        """What PyTorch's tensors offer."""

        def __init__(self, value):
            self.value, self.shape = value, value.shape

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.value

    same(fitted([(Tensor(x), Tensor(y)) for x, y in in_batches()].__iter__(), 1), of_arrays(1))
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    made = model()
    loss = made.fit(frame, pandas.DataFrame(Y), 8, epochs=2, shuffle=False, verbose=0)
    assert loss.history["loss"] == of_arrays()[0]


def test_frames_may_have_columns_of_several_kinds_of_numbers():
    pandas = pytest.importorskip("pandas")
    kinds = {
        "half": X[:, 0].astype("float64"),
        "count": pandas.array([*range(39), None], dtype="Int64"),
        "kind": numpy.arange(40) % 2 == 0,
    }
    batch = source_of(pandas.DataFrame(kinds), pandas.Series(Y[:, 0]), batch_size=40).first()
    columns = [X[:, 0], [*range(39), numpy.nan], [1.0, 0.0] * 20]
    numpy.testing.assert_array_equal(batch.x, numpy.array(columns, "float32").T)
    with pytest.raises(TypeError, match="turn text into numbers first"):
        source_of(pandas.DataFrame({**kinds, "name": ["a"] * 40}), Y)


@pytest.mark.parametrize("how", ["not compiled", "another loss", "compiled"])
def test_predictions_need_no_targets_and_ignore_those_that_come_along(how):
    made = Sequential([Dense(2)])
    if how != "not compiled":
        made.compile("sgd", "mse" if how == "compiled" else "sparse_categorical_crossentropy")
    expected = made.predict(X, verbose=0)
    for data in (in_batches(weights=True), Numbered(), Iterable()):
        numpy.testing.assert_array_equal(made.predict(data, verbose=0), expected)


def test_a_predict_step_of_ones_own_sees_what_the_data_set_yields():
    class Shifted(Sequential):
        def predict_step(self, data):
            x, y, _ = data
            return self(x) + y

    made = Shifted([Dense(2)])
    expected = made(X).asnumpy() + Y
    numpy.testing.assert_allclose(
        made.predict(in_batches(weights=True), verbose=0), expected, rtol=1e-5
    )


def test_lists_of_inputs_targets_and_weights_as_pytorch_makes_them():
    def listed(*parts):
        return source_of([list(parts)].__iter__()).first()

    x, y, w = X[:8], Y[:8], WEIGHTS[:8]
    batch = listed(x, y, w)
    numpy.testing.assert_array_equal(batch.x, x)
    numpy.testing.assert_array_equal(batch.sample_weight, w)
    batch = listed({"a": x, "b": [x, y]}, y)
    assert list(batch.x) == ["a", "b"]
    numpy.testing.assert_array_equal(batch.y, y)
    batch = listed(x)
    assert batch.y is None
    numpy.testing.assert_array_equal(batch.x, x)
    rows = source_of([x[:2].tolist()].__iter__()).first()  # numbers: one array
    numpy.testing.assert_array_equal(rows.x, x[:2])
