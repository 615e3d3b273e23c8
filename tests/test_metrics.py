"""Metrics against Keras' values, exactness over unequal batches, names, state, shapes."""

from __future__ import annotations

import inspect
import json
import pathlib
import timeit

import keras_values as ask
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minpy.numpy as np
from minpy import losses, metrics
from minpy.errors import ShapeError

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_values.json").read_text())["metrics"]


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}-{case[2]}"


def batch(kind, size, seed):
    """Return a batch in the dtypes that training has."""
    return [
        a if a.dtype.kind == "i" else a.astype("float32")
        for a in ask.metric_batch(kind, size, seed)
    ]


def feed(metric, kind, weighted=False, wrap=lambda x: x, sizes=ask.BATCHES):
    for i, size in enumerate(sizes):
        given_ = [wrap(a) for a in batch(kind, size, 100 * i)]
        if weighted:
            metric.update_state(*given_, sample_weight=wrap(ask.weights(size, 100 * i)))
        else:
            metric.update_state(*given_)
    return metric.result()


# --- Keras' values --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_metric_over_unequal_batches_has_the_value_that_keras_gives(case):
    name, arguments, kind, plain, weighted = case
    kind_of = getattr(metrics, name)
    numpy.testing.assert_allclose(feed(kind_of(**arguments), kind), plain, rtol=3e-6, atol=1e-6)
    numpy.testing.assert_allclose(
        feed(kind_of(**arguments), kind, weighted=True), weighted, rtol=3e-6, atol=1e-6
    )


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_minpy_arrays_and_numpy_arrays_give_the_same(case):
    name, arguments, kind, _, _ = case
    kind_of = getattr(metrics, name)
    numpy.testing.assert_array_equal(
        feed(kind_of(**arguments), kind, True, np.array), feed(kind_of(**arguments), kind, True)
    )


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_reset_forgets_and_state_goes_on(case):
    name, arguments, kind, _, _ = case
    metric = getattr(metrics, name)(**arguments)
    first = feed(metric, kind)
    metric.reset_state()
    numpy.testing.assert_array_equal(feed(metric, kind), first)

    whole, half = (getattr(metrics, name)(**arguments) for _ in range(2))
    for i in range(2):
        for metric in (whole, half):
            metric.update_state(*batch(kind, 6, i))
    rest = getattr(metrics, name)(**arguments)
    rest.set_state(json.loads(json.dumps(half.get_state())))
    for metric in (whole, rest):
        metric.update_state(*batch(kind, 4, 9))
    numpy.testing.assert_array_equal(rest.result(), whole.result())


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_configuration_makes_an_equal_metric(case):
    name, arguments, kind, _, _ = case
    metric = getattr(metrics, name)(name="mine", **arguments)
    again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(again) is type(metric) and again.name == "mine"
    numpy.testing.assert_array_equal(feed(again, kind), feed(metric, kind))


# --- exactness ------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 10**6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_split_into_batches_gives_the_value_of_the_whole(sizes, seed, weighted):
    generator = numpy.random.default_rng(seed)
    n = sum(sizes)
    labels, scores = generator.integers(0, 4, n), generator.random((n, 4))
    hot = numpy.eye(4)[labels]
    weight = generator.random(n) if weighted else None
    for name, true in {
        "sparse_categorical_accuracy": labels,
        "categorical_accuracy": hot,
        "binary_accuracy": hot,
        "mse": hot,
        "rmse": hot,
        "sparse_categorical_crossentropy": labels,
        "auc": hot,
        "precision": hot,
        "f1_score": hot,
        "r2_score": hot,
    }.items():
        whole, parts = metrics.get(name), metrics.get(name)
        whole.update_state(true, scores, weight)
        start = 0
        for size in sizes:
            rows = slice(start, start + size)
            parts.update_state(true[rows], scores[rows], None if weight is None else weight[rows])
            start += size
        numpy.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-10, atol=1e-12)


def test_a_mean_of_millions_of_float32_values_loses_nothing():
    mean = metrics.Mean()
    for _ in range(1000):
        mean.update_state(numpy.full(10_000, 0.1, "float32"))
    assert mean.result() == pytest.approx(float(numpy.float32(0.1)), rel=1e-12)


def test_accuracy_by_counting():
    generator = numpy.random.default_rng(3)
    scores, labels = generator.random((50, 7)), generator.integers(0, 7, 50)
    metric = metrics.SparseCategoricalAccuracy()
    metric.update_state(labels, scores)
    assert metric.result() == sum(s.argmax() == y for s, y in zip(scores, labels, strict=True)) / 50
    top = metrics.SparseTopKCategoricalAccuracy(k=3)
    top.update_state(labels, scores)
    best = numpy.argsort(-scores, 1)[:, :3]
    assert top.result() == numpy.mean([y in row for row, y in zip(best, labels, strict=True)])


def test_area_under_the_curve_is_the_share_of_pairs_in_the_right_order():
    generator = numpy.random.default_rng(0)
    y = generator.integers(0, 2, 300)
    p = numpy.clip(y * 0.3 + generator.random(300) * 0.7, 0, 1)
    pairs = p[y == 1][:, None] - p[y == 0][None]
    exact = (pairs > 0).mean()
    metric = metrics.AUC(num_thresholds=5000)
    metric.update_state(y, p)
    assert metric.result() == pytest.approx(exact, abs=2e-3)


def test_a_step_of_accuracy_costs_a_few_microseconds():
    labels, scores = numpy.arange(32) % 10, numpy.random.default_rng(0).random((32, 10))
    metric = metrics.get("accuracy", labels.shape, scores.shape)
    best = min(timeit.repeat(lambda: metric.update_state(labels, scores), number=200, repeat=20))
    assert best / 200 < 10e-6


def test_nothing_counted_is_zero_not_an_error():
    for name, kind in inspect.getmembers(metrics, inspect.isclass):
        if issubclass(kind, metrics.Metric) and name not in ("Metric", "MeanMetricWrapper"):
            required = [
                p
                for p in inspect.signature(kind).parameters.values()
                if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
            ]
            if not required and name not in NEED_ARGUMENTS:
                assert not numpy.any(kind().result()), name


NEED_ARGUMENTS = {
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "PrecisionAtRecall",
    "RecallAtPrecision",
}


def test_nan_predictions_are_wrong_rather_than_right():
    y, p = numpy.array([1, 0]), numpy.array([[numpy.nan], [0.1]])
    metric = metrics.BinaryAccuracy()
    metric.update_state(y, p)
    assert metric.result() == 0.5
    top = metrics.SparseTopKCategoricalAccuracy(k=1)
    top.update_state([1], [[numpy.nan, numpy.nan]])
    assert top.result() == 0
    mse = metrics.MeanSquaredError()
    mse.update_state([[1.0]], [[numpy.nan]])
    assert numpy.isnan(mse.result())


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("true", "predicted", "kind"),
    [
        ((8,), (8, 1), "BinaryAccuracy"),
        ((8, 1), (8, 1), "BinaryAccuracy"),
        ((8,), (8,), "BinaryAccuracy"),
        ((8,), (8, 5), "SparseCategoricalAccuracy"),
        ((8, 1), (8, 5), "SparseCategoricalAccuracy"),
        ((8, 3), (8, 3, 5), "SparseCategoricalAccuracy"),
        ((8, 5), (8, 5), "CategoricalAccuracy"),
        ((8, 3, 5), (8, 3, 5), "CategoricalAccuracy"),
    ],
)
def test_accuracy_means_what_the_shapes_say(true, predicted, kind):
    for name in ("accuracy", "acc"):
        metric = metrics.get(name, true, predicted)
        assert type(metric).__name__ == kind and metric.name == name
    generator = numpy.random.default_rng(0)
    y = generator.integers(0, 2, true)
    p = generator.random(predicted)
    late = metrics.get("accuracy")
    late.update_state(y, p)
    late.update_state(y, p)
    metric.update_state(y, p)
    assert late.result() == metric.result()
    late.reset_state()
    assert late.result() == 0


def test_names_functions_and_objects_are_metrics():
    y, p = numpy.array([[1.0, 2.0]]), numpy.array([[1.0, 4.0]])

    def distance(y_true, y_pred):
        return numpy.abs(y_true - y_pred).sum(-1)

    for identifier in ("mse", "MSE", "mean_squared_error", "MeanSquaredError"):
        metric = metrics.get(identifier)
        metric.update_state(y, p)
        assert metric.result() == 2.0 and metric.name == "mean_squared_error"
    metric = metrics.get(distance)
    metric.update_state(y, p)
    assert metric.result() == 2.0 and metric.name == "distance"
    metric = metrics.get(losses.Huber(delta=0.5))
    metric.update_state(y, p)
    assert metric.result() == pytest.approx(0.5 * (2 - 0.25) / 2)
    own = metrics.Mean()
    assert metrics.get(own) is own
    assert metrics.get(None) is None
    assert metrics.get(metrics.AUC).name == "auc"
    with pytest.raises(ValueError, match="did you mean 'mean_squared_error'"):
        metrics.get("mean_squared_eror")
    with pytest.raises(ValueError, match="can't be made from its name alone"):
        metrics.get("mean_io_u")


def test_a_metric_of_the_users_own_is_written_as_in_keras():
    class Hits(metrics.Metric):
        def __init__(self, name="hits", **kwargs):
            super().__init__(name=name, **kwargs)
            self.hits = self.add_weight(name="hits", initializer="zeros")
            self.each = self.add_variable(shape=(2,), initializer="zeros", name="each")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.hits.assign_add(numpy.sum(numpy.asarray(y_true) == numpy.asarray(y_pred)))
            self.each.assign(self.each + numpy.array([1.0, 2.0]))

        def result(self):
            return float(self.hits) + self.each.numpy().sum()

    metric = metrics.get(Hits())
    assert metric([1, 2], [1, 3]) == 1 + 3
    assert metric([1, 2], [1, 2]) == 3 + 6
    again = metrics.deserialize(metrics.serialize(metric), {"Hits": Hits})
    again.set_state(metric.get_state())
    assert again.result() == 9
    metric.reset_state()
    assert metric.result() == 0


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "true", "predicted", "text"),
    [
        ("accuracy", (4, 2), (4, 3), "one-hot rows"),
        ("categorical_accuracy", (4,), (4, 3), "sparse_categorical_accuracy"),
        ("sparse_categorical_accuracy", (5,), (4, 3), r"labels of shape \(4,\)"),
        ("binary_accuracy", (4,), (4, 3), r"y_true of shape \(4, 3\)"),
        ("mse", (4,), (4, 3), "one unit"),
        ("precision", (4, 2), (4, 3), r"\(4, 3\)"),
        ("f1_score", (4,), (4, 3), "batch, classes"),
    ],
)
def test_shapes_that_do_not_fit_are_named(name, true, predicted, text):
    with pytest.raises(ShapeError, match=text):
        metrics.get(name).update_state(numpy.zeros(true), numpy.zeros(predicted))


def test_weights_that_fit_no_sample_are_an_error():
    for name in ("mse", "binary_accuracy", "precision"):
        with pytest.raises(ShapeError, match="sample_weight"):
            metrics.get(name).update_state(numpy.zeros((4, 3)), numpy.zeros((4, 3)), numpy.ones(5))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds"),
        (lambda: metrics.AUC(curve="ROD"), "curve"),
        (lambda: metrics.Precision(thresholds=1.5), "thresholds from 0 to 1"),
        (lambda: metrics.F1Score(average="mean"), "average"),
        (lambda: metrics.IoU(2, [2]), "target_class_ids"),
        (lambda: metrics.R2Score(class_aggregation="sum"), "class_aggregation"),
        (lambda: metrics.PrecisionAtRecall(1.5), "recall from 0 to 1"),
    ],
)
def test_a_wrong_argument_is_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_f_scores_take_one_weight_for_all_and_one_for_each_class():
    y = numpy.array([[1, 0], [0, 1], [1, 1]])
    p = numpy.array([[0.9, 0.2], [0.8, 0.7], [0.3, 0.9]])
    weights = numpy.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]])
    plain, same, each = (metrics.F1Score(threshold=0.5) for _ in range(3))
    plain.update_state(y, p)
    same.update_state(y, p, 0.5)
    each.update_state(y, p, weights)
    numpy.testing.assert_allclose(same.result(), plain.result())
    expected = []
    for column in range(2):
        w, t, q = weights[:, column], y[:, column], p[:, column] > 0.5
        right = (w * t * q).sum()
        expected.append(2 * right / (2 * right + (w * (1 - t) * q).sum() + (w * t * ~q).sum()))
    numpy.testing.assert_allclose(each.result(), expected)


@pytest.mark.parametrize("told", [{"beta": None}, {"beta": "1"}, {"beta": 0}, {"beta": True}])
def test_f_scores_want_a_positive_number(told):
    with pytest.raises(ValueError, match="beta > 0"):
        metrics.FBetaScore(**told)


@pytest.mark.parametrize("threshold", ["0.5", 2, 0, True])
def test_f_scores_want_a_threshold_that_probabilities_can_pass(threshold):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        metrics.F1Score(threshold=threshold)
