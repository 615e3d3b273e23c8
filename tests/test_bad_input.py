"""Bad input as a user meets it: what is said, before which step, and that nothing is half done."""

from __future__ import annotations

import threading
import warnings

import numpy
import pytest

import minpy.numpy as np
from minpy import random
from minpy.callbacks import LambdaCallback, TerminateOnNaN
from minpy.data import Dataset, PyDataset
from minpy.errors import ShapeError
from minpy.layers import (
    Concatenate,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    Input,
    Layer,
)
from minpy.losses import Loss
from minpy.models import Model, Sequential
from minpy.optimizers import SGD

rng = numpy.random.default_rng(0)
X = rng.random((64, 4)).astype("float32")
Y = rng.random((64, 2)).astype("float32")
LABELS = numpy.arange(64) % 3


def dense(units=2, loss="mse", activation=None, **compiled):
    model = Sequential([Input((4,)), Dense(units, activation=activation, name="fc")])
    model.compile(SGD(0.1), loss, **compiled)
    return model


def classifier(**options):
    return dense(3, "sparse_categorical_crossentropy", "softmax", **options)


def yes_or_no():
    return dense(1, "binary_crossentropy", "sigmoid")


def convolutional():
    model = Sequential([Input((3, 8, 8)), Conv2D(2, 3), Flatten(), Dense(2)])
    model.compile(SGD(0.1), "mse")
    return model


def undeclared():
    model = Sequential([Conv2D(2, 3, name="conv"), Flatten(), Dense(2)])
    model.compile(SGD(0.1), "mse")
    return model


def functional():
    inputs = Input((4,), name="table")
    model = Model(inputs, Dense(2, name="price")(inputs))
    model.compile(SGD(0.1), "mse")
    return model


def state(model):
    return [w.copy() for w in model.get_weights()], model.optimizer.iterations


def refused(model, error, message, **fit):
    """Check that `fit` raises, has done no step, and leaves no thread behind."""
    before, steps = state(model)
    threads = set(threading.enumerate())
    with pytest.raises(error, match=message):
        model.fit(**{"verbose": 0, **fit})
    after, steps_after = state(model)
    assert steps_after == steps == 0
    for a, b in zip(before, after, strict=False):  # a model not built has none before
        numpy.testing.assert_array_equal(a, b)
    assert set(threading.enumerate()) == threads


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (dense, numpy.ones((64, 2, 4)), r"expected input of shape \(batch, 4\).*got \(32, 2, 4\)"),
        (dense, numpy.ones((64, 2, 2)), r"got \(32, 2, 2\); .*x\.reshape\(\(-1, 4\)\)"),
        (dense, numpy.ones((64, 5)), r"expected input of shape \(batch, 4\).*got \(32, 5\)"),
        (dense, numpy.ones(64), r"expected input of shape \(batch, 4\).*got \(32,\)"),
        (dense, 3.0, "samples along an axis, got a number"),
        (
            convolutional,
            numpy.ones((64, 8, 8, 3)),
            r"\(batch, 3, 8, 8\).*axes are in another order",
        ),
        (convolutional, numpy.ones((64, 1, 8, 8)), r"\(batch, 3, 8, 8\).*got \(32, 1, 8, 8\)"),
        (undeclared, numpy.ones((64, 8, 8)), r"Conv2D 'conv'.*need a channel axis, x\[:, None\]"),
        (
            functional,
            numpy.ones((64, 5)),
            r"input 'table' expected shape \(None, 4\), got \(32, 5\)",
        ),
    ],
)
def test_wrong_ranks_and_channels_name_both_shapes(model, x, message, jit):
    made = model()
    made.compile(SGD(0.1), "mse", jit=jit)
    refused(made, (ShapeError, ValueError), message, x=x, y=Y)


def test_a_last_axis_of_length_one_may_be_missing_from_what_was_declared():
    column = Sequential([Input((1,)), Dense(2)])
    expected = column.predict(X[:, :1], verbose=0)
    numpy.testing.assert_array_equal(column.predict(X[:, 0], verbose=0), expected)
    table = dense()
    expected = table.predict(X, verbose=0)
    numpy.testing.assert_array_equal(table.predict(X[..., None], verbose=0), expected)


def test_images_in_another_order_of_axes_are_told_by_the_layer_too():
    model = undeclared()
    model.fit(numpy.ones((64, 3, 8, 8)), Y, verbose=0)
    with pytest.raises(ShapeError, match=r"Conv2D 'conv'.*look like data_format='channels_last'"):
        model.predict(numpy.ones((64, 8, 8, 3)), verbose=0)


def test_arrays_of_unequal_lengths_and_ragged_samples():
    refused(dense(), ValueError, "x has 64, y has 60", x=X, y=Y[:60])
    refused(dense(), ValueError, "samples must have equal shapes", x=[[1.0, 2.0], [3.0]], y=Y[:2])


# --- targets and losses ---------------------------------------------------------------------------


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 1, r"class numbers from 0 to 2, as the model has 3 outputs, got 1 to 3"),
        (LABELS - 1, r"got -1 to 1; number the classes from 0"),
        (LABELS[:, None] + 1, r"got 1 to 3"),
        (LABELS + 0.5, "with fractions, or NaN"),
        (numpy.where(LABELS == 1, numpy.nan, LABELS), "with fractions, or NaN"),
    ],
)
def test_labels_that_are_no_classes_are_told_before_the_first_step(labels, message, jit):
    # A wrong label in the last batch too: all of them are looked at first.
    refused(classifier(jit=jit), ValueError, message, x=X, y=labels)
    late = numpy.where(numpy.arange(64) < 62, LABELS, 7)
    refused(classifier(jit=jit), ValueError, "got 0 to 7", x=X, y=late, shuffle=False, batch_size=8)
    refused(
        classifier(jit=jit), ValueError, "validation_data: y: .*got 0 to 7", x=X, y=LABELS,
        validation_data=(X, late),
    )  # fmt: skip


def test_labels_in_batches_of_a_generator_are_looked_at_batch_by_batch():
    def batches():
        yield X[:32], LABELS[:32]
        yield X[32:], LABELS[32:] + 1

    for jit in ("auto", False):
        model = classifier(jit=jit)
        with pytest.raises(ValueError, match=r"from 0 to 2.*got"):
            model.fit(batches(), verbose=0)
        assert model.optimizer.iterations == 1
    refused(classifier(), ValueError, "from 0 to 2", x=iter([(X, LABELS + 1)]))


def test_an_ignored_class_is_no_wrong_label():
    from minpy.losses import SparseCategoricalCrossentropy

    model = classifier()
    model.compile(SGD(0.1), SparseCategoricalCrossentropy(ignore_class=-1))
    labels = numpy.where(LABELS == 2, -1, LABELS)
    assert numpy.isfinite(model.fit(X, labels, verbose=0).history["loss"]).all()


def test_targets_of_yes_and_no_are_from_zero_to_one():
    refused(yes_or_no(), ValueError, r"targets from 0 to 1, got 0 to 2; for several", x=X, y=LABELS)
    refused(yes_or_no(), ValueError, r"got -1 to 1", x=X, y=LABELS - 1)
    assert yes_or_no().fit(X, LABELS == 1, verbose=0).history["loss"]
    assert yes_or_no().fit(X, (LABELS / 2).astype("float32"), verbose=0).history["loss"]


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (
            "mse",
            numpy.ones((64, 2)),
            r"\(32, 3\), as y_pred has, got \(32, 2\); give .* last layer",
        ),
        ("mse", numpy.ones((64, 5, 3)), r"got \(32, 5, 3\); give the model's last layer"),
        ("categorical_crossentropy", LABELS, "use 'sparse_categorical_crossentropy'"),
        (
            "sparse_categorical_crossentropy",
            numpy.eye(3)[LABELS],
            "one-hot rows use 'categorical_crossentropy'",
        ),
        ("binary_crossentropy", LABELS == 1, "3 outputs a sample and there is one target"),
        (["mse", "mae"], Y, r"1 output, \['fc'\], got a list of 2"),
        ({"price": "mse"}, Y, r"no output 'price' among \['fc'\]"),
    ],
)
def test_a_loss_that_does_not_fit_the_output_says_which_would(loss, y, message, jit):
    refused(dense(3, loss, "softmax", jit=jit), (ShapeError, ValueError), message, x=X, y=y)


def test_losses_of_outputs_that_do_not_exist_are_told_by_compile():
    model = functional()
    with pytest.raises(ValueError, match=r"no output 'prise' among \['price'\]; did you mean"):
        model.compile("sgd", {"prise": "mse"})
    model.compile("sgd", {"price": "mse"})
    assert model.fit(X, Y, verbose=0).history["loss"]


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        ({"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
        ({"metrics": ["top_k_acc"]}, "did you mean 'top_k_categorical_accuracy'"),
        ({"metrics": ["qqq"]}, "there are accuracy, binary_accuracy"),
        ({"loss": "sparse_crossentropy"}, "did you mean 'sparse_categorical_crossentropy'"),
        ({"metrics": {"fc": ["rms_error"]}}, "did you mean 'rmse'"),
        ({"weighted_metrics": ["auuc"]}, "did you mean 'auc'"),
        ({"loss": "categorical_crosentropy"}, "did you mean 'categorical_crossentropy'"),
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
    ],
)
def test_names_that_do_not_exist_suggest_the_nearest_and_change_nothing(arguments, nearest):
    model = dense()
    optimizer = model.optimizer
    with pytest.raises(ValueError, match=nearest):
        model.compile(**{"loss": "mse", **arguments})
    assert model.optimizer is optimizer
    assert model.fit(X, Y, verbose=0).history["loss"]  # as it was compiled before


@pytest.mark.parametrize("kind", ["U", object])
def test_text_says_how_to_make_numbers_of_it(kind):
    words = numpy.array(["cat", "dog", "cow", "dog"] * 16).astype(kind)
    refused(classifier(), TypeError, r"y: .*number the classes.*numpy\.unique", x=X, y=words)
    refused(classifier(), TypeError, r"y: .*number the classes", x=X, y=words.tolist())
    refused(dense(), TypeError, r"x: .*StringLookup or TextVectorization", x=words[:, None], y=Y)
    stream = iter([(X, words)])
    refused(classifier(), TypeError, r"batch 0 of the data set: y: .*number the classes", x=stream)
    with pytest.raises(TypeError, match="number the classes"):
        classifier().evaluate(X, words, verbose=0)


# --- NaN ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize("what", ["x", "y", "sample_weight"])
def test_nan_in_the_data_is_told_before_the_first_step(what, wrong):
    data = {"x": X.copy(), "y": Y.copy(), "sample_weight": numpy.ones(64)}
    data[what][[5, 9]] = wrong
    steps = []

    def note(step, logs=None):
        steps.append(step)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = dense()
        with pytest.raises(UserWarning, match=rf"{what} has NaN.* in 2 of 64 samples, .* sample 5"):
            model.fit(**data, verbose=0, callbacks=[LambdaCallback(on_train_batch_begin=note)])
    assert not steps and model.optimizer.iterations == 0
    with pytest.warns(UserWarning, match="leave those samples out, or replace") as told:
        dense().fit(**data, verbose=0)
    assert sum("NaN" in str(w.message) for w in told) == 1  # and not again by the loss


def test_finite_numbers_whose_squares_overflow_are_not_called_nan():
    x = X.copy()
    x[3] = 1e30
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dense(loss="mae").fit(x, Y, verbose=0)


def test_nan_in_a_batch_of_a_generator_is_told_where_the_loss_turns_nan():
    broken = X.copy()
    broken[40] = numpy.nan

    def batches():
        for start in range(0, 64, 16):
            yield broken[start : start + 16], Y[start : start + 16]

    model = dense()
    with pytest.warns(
        UserWarning, match=r"loss is NaN in step 3; in this batch x has NaN.*in 1 of 16"
    ):
        model.fit(batches(), verbose=0)
    assert model.optimizer.iterations == 4
    stopped = dense()
    with pytest.warns(UserWarning, match=r"TerminateOnNaN\(\) ends the training there"):
        stopped.fit(batches(), verbose=0, callbacks=[TerminateOnNaN()])
    assert stopped.optimizer.iterations == 3


@pytest.mark.parametrize("jit", ["auto", False])
def test_a_training_that_diverges_says_what_to_change(jit):
    model = dense(jit=jit)
    model.compile(SGD(1e12), "mse", jit=jit)
    with pytest.warns(UserWarning, match="batch is finite.*lower the learning rate, clip") as told:
        model.fit(X, Y, epochs=20, verbose=0)
    assert sum("the loss is NaN" in str(w.message) for w in told) == 1


# --- data sets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: {"x": X[:0], "y": Y[:0]}, "x has no samples"),
        (lambda: {"x": [], "y": []}, "x has no samples"),
        (lambda: {"x": iter(())}, "ended before its first batch; a generator can be used once"),
        (lambda: {"x": Dataset.from_tensor_slices((X[:0], Y[:0])).batch(4)}, "before its first"),
        (lambda: {"x": X, "y": Y, "validation_data": (X[:0], Y[:0])}, "x has no samples"),
        (lambda: {"x": X, "y": Y, "validation_split": 0.999}, "leaves no samples for training"),
    ],
)
def test_an_empty_data_set_is_refused(data, message):
    refused(dense(), ValueError, message, **data())


def test_nothing_to_evaluate_or_predict_is_refused_too():
    for call in (dense().evaluate, lambda *a, **k: dense().predict(a[0], **k)):
        with pytest.raises(ValueError, match="empty"):
            call(X[:0], Y[:0], verbose=0)
    with pytest.raises(ValueError, match="batch is empty"):
        dense().train_on_batch(X[:0], Y[:0])


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        ((X, Y, Y, Y), ValueError, "expected x, .*, got a tuple of 4"),
        ((), ValueError, "got a tuple of 0"),
        (None, ValueError, r"batch 0 of the data set: .*got None"),
        (X, ValueError, "expected targets, got y=None"),
        ((X, Y[:7]), ValueError, "batch 0 of the data set: .*x has 64, y has 7"),
        (([[1.0, 2.0], [3.0]], Y[:2]), ValueError, "samples must have equal shapes"),
    ],
)
def test_a_generator_that_yields_the_wrong_things_is_refused(item, error, message):
    refused(dense(), error, message, x=iter([item]))


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize(
    ("item", "message"),
    [
        (X[:8], "batch 1 of the data set: expected x and y, as in the batches before, got x"),
        ((X[:8], Y[:8], numpy.ones(8)), "expected x and y.*got x, y and sample_weight"),
        (((X[:8], X[:8]), Y[:8]), r"expected x and y.*got x\[0\], x\[1\] and y"),
        ((X[:8], Y[:7]), "batch 1 of the data set: .*x has 8, y has 7"),
        ((numpy.ones((8, 5)), Y[:8]), r"\(batch, 4\).*got \(8, 5\)"),
        (None, "batch 1 of the data set: .*got None"),
    ],
)
@pytest.mark.parametrize("sequence", [False, True])
def test_a_wrong_batch_in_the_middle_leaves_the_steps_before_it(item, message, sequence, jit):
    items = [(X[:8], Y[:8]), item]

    class Numbered(PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return items[index]

    model, other = dense(jit=jit), dense()
    other.set_weights(model.get_weights())
    threads = set(threading.enumerate())
    with pytest.raises((ValueError, ShapeError), match=message):
        model.fit(Numbered() if sequence else iter(items), verbose=0, shuffle=False)
    assert set(threading.enumerate()) == threads
    other.train_on_batch(X[:8], Y[:8])
    assert model.optimizer.iterations == 1
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6)


def of(batches):
    return ((X[:8], Y[:8]) for _ in range(batches))


def test_a_generator_that_ends_early_is_told_by_whoever_reads_it():
    with pytest.warns(UserWarning, match="ended after 1 of 4 batches, so the training ends here"):
        assert len(dense().fit(of(5), steps_per_epoch=4, epochs=3, verbose=0).history["loss"]) == 2
    with pytest.warns(
        UserWarning, match="after 2 of 4 batches, so loss and metrics are of these"
    ) as w:
        dense().evaluate(of(2), steps=4, verbose=0)
    assert w[0].filename == __file__
    with pytest.warns(
        UserWarning, match="after 2 of 4 batches, so there are predictions for these"
    ):
        assert dense().predict((x for x, _ in of(2)), steps=4, verbose=0).shape == (16, 2)


def test_validation_data_that_is_used_up_is_no_loss_of_zero():
    refused(
        dense(), ValueError, "used up by the first of 3 validations; give validation_steps",
        x=X, y=Y, validation_data=of(2), epochs=3,
    )  # fmt: skip
    model = dense()
    with (
        pytest.warns(UserWarning, match="after 2 of 4 batches"),
        pytest.raises(ValueError, match="used up by the validations before"),
    ):
        model.fit(X, Y, validation_data=of(2), validation_steps=4, epochs=2, verbose=0)
    assert model.history.history.keys() == {"loss", "val_loss"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = dense().fit(X, Y, validation_data=of(4), validation_steps=2, epochs=2, verbose=0)
        assert len(found.history["val_loss"]) == 2
        dense().fit(X, Y, validation_data=of(4), epochs=2, validation_freq=2, verbose=0)


def test_arguments_that_are_no_counts_and_things_that_are_no_data():
    for name, value in [("epochs", 2.5), ("epochs", -1), ("steps_per_epoch", 0), ("epochs", None)]:
        refused(dense(), ValueError, f"{name}: expected a whole number", x=X, y=Y, **{name: value})
    refused(dense(), TypeError, "got a function; call it", x=lambda: iter([(X, Y)]))
    for wrong in (0, "1", [1, 0], 1.5, True):
        message = "validation_freq: expected a number of epochs"
        refused(dense(), ValueError, message, x=X, y=Y, validation_freq=wrong)
    batches = ((X, Y) for _ in range(3))
    refused(dense(), ValueError, "give validation_data", x=batches, validation_split=0.5)
    unbatched = Dataset.from_tensor_slices((X, Y))
    refused(dense(), ValueError, r"x has 4, y has 2; put single samples into batches", x=unbatched)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1.0, 2.0, 1.0], TypeError, r"got a list; of a list make dict\(enumerate\(weights\)\)"),
        ({"cat": 2.0}, ValueError, "expected class numbers, got 'cat'"),
        ({0: "2"}, ValueError, "expected a finite number for class 0, got '2'"),
        ({0: numpy.nan}, ValueError, "expected a finite number for class 0, got nan"),
    ],
)
def test_weights_of_classes_go_by_number(weights, error, message, stream):
    y = numpy.zeros(len(X), int)
    data = {"x": [(X, y)].__iter__()} if stream else {"x": X, "y": y}
    refused(classifier(), error, message, class_weight=weights, **data)


def test_weights_of_classes_are_for_one_output():
    y = numpy.zeros(len(X), int)
    for several in ([y, y], {"a": y, "b": y}):
        refused(classifier(), ValueError, "give sample_weight", x=X, y=several, class_weight={0: 2})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[1, 3]], "labels from 1 to 2"),
        ([[0, 1]], "0 is the blank"),
        ([[1, 1, 2]], "needs 4 steps"),
    ],
)
def test_all_labels_of_sequences_are_looked_at_before_the_first_step(labels, message):
    model = Sequential([Input((3, 2)), Dense(3)])
    model.compile("sgd", "ctc")
    x = numpy.ones((6, 3, 2), "float32")
    y = numpy.repeat([[1, 2, 0][: len(labels[0])]], 6, 0)
    y[5] = labels[0]
    refused(model, ValueError, message, x=x, y=y, batch_size=2)


def test_an_argument_that_a_layer_does_not_have_suggests_the_nearest():
    with pytest.raises(TypeError, match="'activaton'; did you mean 'activation'"):
        Dense(3, activaton="relu")
    with pytest.raises(TypeError, match="'trainble'; did you mean 'trainable'"):
        Conv2D(2, 3, trainble=False)


def test_a_metric_that_does_not_fit_leaves_the_weights_as_they_were():
    for jit in ("auto", False):
        model = classifier(metrics=["precision"], jit=jit)
        refused(model, ShapeError, r"precision: expected y_true of shape \(32, 3\)", x=X, y=LABELS)


def test_of_several_outputs_the_one_with_wrong_labels_is_named():
    inputs = Input((4,))
    outputs = [Dense(2, name="size")(inputs), Dense(3, "softmax", name="kind")(inputs)]
    model = Model(inputs, outputs)
    model.compile(SGD(0.1), {"size": "mse", "kind": "sparse_categorical_crossentropy"})
    wrong = {"size": Y, "kind": LABELS + 1}
    refused(model, ValueError, "output 'kind': y: expected class numbers from 0 to 2", x=X, y=wrong)


# --- models ---------------------------------------------------------------------------------------


def test_a_model_without_layers_says_so():
    model = Sequential([])
    model.compile("sgd", "mse")
    for call in (
        lambda: model.fit(X, Y, verbose=0),
        lambda: model.evaluate(X, Y, verbose=0),
        lambda: model.predict(X, verbose=0),
        lambda: model(X),
    ):
        with pytest.raises(
            ValueError, match=r"the model has no layers; add some with add\(layer\)"
        ):
            call()
    model.summary(print_fn=lambda text: None)  # there is nothing, and that can be shown


@pytest.mark.parametrize("jit", ["auto", False])
def test_a_model_without_weights_that_train_is_told(jit):
    class Nothing(Model):
        def call(self, x):
            return x * 2

    frozen = dense()
    frozen.trainable = False
    for model in (Nothing(), Sequential([Flatten()]), frozen):
        model.compile("sgd", "mse", jit=jit)
        with pytest.warns(UserWarning, match="no weight of the model trains"):
            loss = model.fit(X, X if model is not frozen else Y, verbose=0).history["loss"]
        assert numpy.isfinite(loss).all()


def test_a_layer_in_two_graphs_has_one_set_of_weights():
    layer = Dense(4, name="shared")
    first, second = Input((4,)), Input((4,))
    one, two = Model(first, layer(first)), Model(second, layer(layer(second)))
    for model in (one, two):
        model.compile(SGD(0.1), "mse")
        model.fit(X, X, verbose=0)
    numpy.testing.assert_array_equal(one.get_weights()[0], two.get_weights()[0])
    numpy.testing.assert_allclose(
        two.predict(X, verbose=0), one.predict(one.predict(X, verbose=0), verbose=0), rtol=1e-5
    )
    with pytest.raises(ValueError, match="keep what each call returns"):
        _ = layer.input
    wide = Input((5,))
    with pytest.raises(
        ShapeError, match=r"Dense 'shared'.*inputs of shape \(None, 4\), .* another"
    ):
        layer(wide)


def test_a_layer_twice_in_a_stack_and_inputs_of_another_graph():
    layer = Dense(4)
    with pytest.raises(ValueError, match=r"'dense' is in the stack already; .*Model\(inputs"):
        Sequential([layer, layer])
    with pytest.raises(ValueError, match="give each its own name"):
        Sequential([Dense(4, name="a"), Dense(4, name="a")])
    first, second = Input((4,)), Input((4,))
    with pytest.raises(ValueError, match=r"the graph is disconnected.*Add it to the inputs"):
        Model(first, Dense(2)(Concatenate()([first, second])))


def test_numbers_that_are_no_rows_of_a_table():
    model = Sequential([Embedding(10, 4), Flatten(), Dense(2)])
    model.compile("sgd", "mse")
    for ids in (numpy.full((64, 3), 10), numpy.full((64, 3), -1)):
        refused(model, IndexError, "numbers from 0 to 9 for a table of 10 rows", x=ids, y=Y)


# --- what users write themselves ------------------------------------------------------------------


class OwnLoss(Loss):
    """A loss that says which targets it can't be trained on."""

    def call(self, y_true, y_pred):
        return np.mean(np.log(y_true) - y_pred, axis=-1)

    def check_targets(self, y_true, shape):
        assert shape == (None, 2)
        if y_true.min() <= 0:
            raise ValueError("y: expected positive numbers")


def test_a_loss_of_ones_own_may_look_at_all_targets_first():
    random.seed(0)
    refused(dense(loss=OwnLoss()), ValueError, "y: expected positive numbers", x=X, y=Y - 1)
    assert dense(loss=OwnLoss()).fit(X, Y, verbose=0).history["loss"]


class Scaled(Layer):
    """Multiplies by a Python number, or by a weight that doesn't train."""

    def __init__(self, kept):
        super().__init__()
        self.kept = kept
        self.number = 1.0

    def build(self, input_shape):
        self.factor = self.add_weight(name="factor", shape=(), initializer="ones", trainable=False)

    def call(self, x):
        return x * (self.factor if self.kept else self.number)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("jit", ["auto", False])
def test_what_a_callback_changes_counts_from_then_on(kept, jit):
    layer = Scaled(kept)
    model = Sequential([layer, Dense(1, kernel_initializer="ones", trainable=False)])
    model.compile("sgd", "mse", jit=jit)

    def double(epoch, logs):
        layer.number *= 2
        layer.factor = layer.number

    loss = model.fit(
        numpy.ones((8, 4)), numpy.zeros((8, 1)), epochs=3, verbose=0,
        callbacks=[LambdaCallback(on_epoch_end=double)],
    ).history["loss"]  # fmt: skip
    numpy.testing.assert_allclose(loss, [16, 64, 256])
