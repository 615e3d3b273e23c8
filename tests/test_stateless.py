"""Layers, metrics and optimizers as functions of their state; arrays that layers put into files."""

from __future__ import annotations

import inspect

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, metrics, optimizers
from minpy.callbacks import BackupAndRestore, LambdaCallback
from minpy.errors import ShapeError
from minpy.layers import Input
from minpy.models import Model, Sequential, load_model

X = numpy.sin(numpy.arange(24.0)).reshape(8, 3).astype("float32")
Y = numpy.cos(numpy.arange(8.0)).reshape(8, 1).astype("float32")


def net():
    model = Sequential(
        [
            Input((3,)),
            layers.Dense(4, activation="tanh", kernel_regularizer="l2"),
            layers.BatchNormalization(momentum=0.5),
            layers.Dense(1),
        ]
    )
    model.set_weights(
        [numpy.cos(numpy.arange(w.size) + 1).reshape(w.shape) ** 2 for w in model.get_weights()]
    )
    return model


def arrays(variables):
    return [np.array(v.numpy()) for v in variables]


def test_a_stateless_call_changes_nothing_and_returns_running_statistics():
    model, other = net(), net()
    before = model.get_weights()
    given = [w + 0.1 for w in arrays(model.trainable_variables)]
    rest = arrays(model.non_trainable_variables)
    out, after, terms = model.stateless_call(given, rest, X, training=True, return_losses=True)
    for a, b in zip(model.get_weights(), before, strict=True):
        numpy.testing.assert_array_equal(a, b)
    for weight, value in zip(other.trainable_variables, given, strict=True):
        weight.assign(value)
    numpy.testing.assert_array_equal(out.asnumpy(), other(X, training=True).asnumpy())
    for weight, value in zip(other.non_trainable_variables, after, strict=True):
        numpy.testing.assert_array_equal(weight.numpy(), value.asnumpy())
    assert (after[0].asnumpy() != rest[0].asnumpy()).any()
    (term,) = terms
    assert float(term) == pytest.approx(0.01 * (given[0].asnumpy() ** 2).sum(), rel=1e-5)
    # At test time nothing is kept up.
    _, same = model.stateless_call(given, rest, X)
    for a, b in zip(same, rest, strict=True):
        numpy.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_training_by_stateless_functions_is_training_with_fit():
    model, fitted = net(), net()
    fitted.compile(optimizers.Adam(0.01), "mse")
    fitted.fit(X, Y, 4, epochs=3, shuffle=False, verbose=0)

    optimizer = optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    mean = metrics.MeanSquaredError()
    trained, rest = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    state = [v.numpy() for v in optimizer.variables]

    def loss(trained, rest, x, y):
        out, rest, terms = model.stateless_call(trained, rest, x, training=True, return_losses=True)
        return np.mean((out - y) ** 2) + sum(terms), (rest, out)

    step = minpy.autograd.grad_and_aux(loss)
    for _ in range(3):
        sums = mean.stateless_reset_state()
        for at in (0, 4):
            grads, (rest, out) = step(trained, rest, X[at : at + 4], Y[at : at + 4])
            sums = mean.stateless_update_state(sums, Y[at : at + 4], out)
            trained, state = optimizer.stateless_apply(state, grads, trained)
            trained = [np.array(w) for w in trained]
    found = [*trained, *rest]
    wanted = [*fitted.trainable_variables, *fitted.non_trainable_variables]
    for a, b in zip(found, wanted, strict=True):
        numpy.testing.assert_allclose(numpy.asarray(a), b.numpy(), rtol=2e-4, atol=2e-5)
    assert optimizer.iterations == 0
    assert mean.result() == 0
    assert mean.stateless_result(sums) > 0


KINDS = sorted(
    name
    for name, kind in vars(metrics).items()
    if isinstance(kind, type)
    and issubclass(kind, metrics.Metric)
    and name not in ("Metric", "MeanMetricWrapper")
)


@pytest.mark.parametrize("kind", KINDS)
def test_each_metric_counts_statelessly_what_it_counts(kind):
    made = getattr(metrics, kind)
    y = numpy.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], "float32")
    p = numpy.array([[0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], "float32")
    given = {
        "num_classes": 2,
        "target_class_ids": [1],
        "recall": 0.5,
        "precision": 0.5,
        "sensitivity": 0.5,
        "specificity": 0.5,
    }
    needed = [
        name
        for name, p_ in inspect.signature(made).parameters.items()
        if p_.default is p_.empty and p_.kind is p_.POSITIONAL_OR_KEYWORD
    ]
    metric, other = (made(**{n: given[n] for n in needed}) for _ in range(2))
    data = (p,) if kind in ("Mean", "Sum") else (y, p)
    try:
        other.update_state(*data)
    except ValueError:  # of labels that are numbers
        data = (y[:, 1], p)
        try:
            other.update_state(*data)
        except ValueError:
            data = (y[:, 1], p[:, 1])
            other.update_state(*data)
    other.update_state(*data)
    sums = metric.stateless_reset_state()
    for _ in range(2):
        sums = metric.stateless_update_state(sums, *data)
    numpy.testing.assert_array_equal(metric.stateless_result(sums), other.result())
    for variable, value in zip(metric.variables, metric.stateless_reset_state(), strict=True):
        numpy.testing.assert_array_equal(variable.numpy(), value)


def test_what_does_not_fit_is_told():
    model = net()
    trained, rest = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    with pytest.raises(ValueError, match="has 6 trainable_variables, got 5"):
        model.stateless_call(trained[1:], rest, X)
    with pytest.raises(ValueError, match="has 2 non_trainable_variables, got 0"):
        model.stateless_call(trained, [], X)
    with pytest.raises(ShapeError, match=r"has shape \(3, 4\), got \(4,\)"):
        model.stateless_call([trained[1], *trained[1:]], rest, X)
    with pytest.raises(ValueError, match="no weights yet"):
        layers.Dense(2).stateless_call([], [], X)
    with pytest.raises(ValueError, match="has 2 variables, got 1 values"):
        metrics.Mean().stateless_result([1.0])
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match="build"):
        optimizer.stateless_apply([], trained, trained)
    optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match="6 weights, got 1 arrays"):
        optimizer.stateless_apply([], trained[:1], trained[:1])


def test_a_symbolic_call_tells_shapes_without_a_node():
    tensor = Input((3,))
    layer = layers.Dense(4)
    layer.build((None, 3))
    assert layer.symbolic_call(tensor).shape == (None, 4)
    with pytest.raises(ValueError, match="called on 0 symbolic tensors"):
        layer.output  # noqa: B018
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    assert len(model.metrics_variables) == sum(len(m.variables) for m in model.metrics)


class Vocabulary(layers.Layer):
    """Keeps something that is no weight."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = numpy.zeros(0)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seen"] = self.seen

    def load_own_variables(self, store):
        self.seen = numpy.array(store["seen"])
        super().load_own_variables({"0": store["0"]})


def with_vocabulary():
    inner = Sequential([Input((3,)), Vocabulary(name="first")], name="inner")
    inputs = Input((3,))
    out = layers.Dense(1)(Vocabulary(name="second")(inner(inputs)))
    model = Model(inputs, out)
    model.compile("sgd", "mse")
    return model, inner.layers[-1], model.get_layer("second")


def test_files_hold_what_layers_write_of_their_own(tmp_path):
    model, first, second = with_vocabulary()
    first.seen, second.seen = numpy.arange(3.0), numpy.array([7, 8])
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    again = load_model(tmp_path / "model.keras", custom_objects={"Vocabulary": Vocabulary})
    assert again.get_layer("inner").layers[-1].seen.tolist() == [0, 1, 2]
    assert again.get_layer("second").seen.tolist() == [7, 8]
    numpy.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    other, one, two = with_vocabulary()
    other.load_weights(tmp_path / "model.weights.h5")
    assert (one.seen.tolist(), two.seen.tolist()) == ([0, 1, 2], [7, 8])
    third, one, two = with_vocabulary()
    third.load(tmp_path / "model.keras")
    assert (one.seen.tolist(), two.seen.tolist()) == ([0, 1, 2], [7, 8])


def test_a_backup_holds_it_too(tmp_path):
    model, first, _ = with_vocabulary()
    first.seen = numpy.arange(2.0)

    class Killed(Exception):
        pass

    def kill(epoch, logs):
        raise Killed

    def run(model, *more):
        backup = BackupAndRestore(tmp_path, save_freq=1, delete_checkpoint=False)
        model.fit(X, Y, 4, epochs=2, verbose=0, callbacks=[backup, *more])

    with pytest.raises(Killed):
        run(model, LambdaCallback(on_epoch_end=kill))
    other, one, _ = with_vocabulary()
    run(other)
    assert one.seen.tolist() == [0, 1]


def test_own_variables_go_from_layer_to_layer():
    model, _, _ = with_vocabulary()
    dense, other = layers.Dense(2), layers.Dense(2)
    dense.build((None, 3))
    other.build((None, 3))
    store = {}
    dense.save_own_variables(store)
    assert sorted(store) == ["0", "1"]
    other.load_own_variables(store)
    for a, b in zip(dense.get_weights(), other.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    with pytest.raises(ShapeError, match="expected 2 arrays in the file, got 1"):
        other.load_own_variables({"0": store["0"]})
    with pytest.raises(ShapeError, match="expected shape"):
        other.load_own_variables({"0": store["1"], "1": store["1"]})
    store = {}
    model.save_own_variables(store)
    assert store == {}


def test_numbers_become_those_of_a_weights_dtype():
    layer = layers.Layer()
    count = layer.add_weight(shape=(2,), initializer="zeros", dtype="int32", trainable=False)
    count.assign([1.7, -2.2])
    assert count.numpy().tolist() == [1, -2]
    assert count.dtype == "int32"
    layer.set_weights([numpy.array([3.0, 4.0])])
    assert count.numpy().tolist() == [3, 4]
    with pytest.raises(TypeError, match="Cannot cast"):
        count.assign([1j, 2])


def test_results_are_asked_for_only_where_somebody_looks():
    class Watched(metrics.Mean):
        asked = 0

        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_pred)

        def result(self):
            Watched.asked += 1
            return super().result()

    model = net()
    model.compile("sgd", "mse", metrics=[Watched()])
    assert len(model.metrics) == 2
    model.reset_metrics()
    assert Watched.asked == 0
