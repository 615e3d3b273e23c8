"""Confusion tables and Cohen's kappa, by scikit-learn and by definition, over unequal batches."""

from __future__ import annotations

import json

import numpy
import pytest

from minpy import losses, metrics
from minpy.errors import ShapeError

RNG = numpy.random.default_rng(0)
TRUE = RNG.integers(0, 4, 60)
PREDICTED = numpy.where(RNG.random(60) < 0.6, TRUE, RNG.integers(0, 4, 60))
WEIGHTS = RNG.random(60)
PARTS = [(0, 7), (7, 8), (8, 40), (40, 60)]


def over_batches(metric, weighted):
    for start, stop in PARTS:
        weights = WEIGHTS[start:stop] if weighted else None
        metric.update_state(TRUE[start:stop], PREDICTED[start:stop], weights)
    return metric.result()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_table_is_that_of_scikit_learn(normalize, weighted):
    sklearn = pytest.importorskip("sklearn.metrics")
    found = over_batches(metrics.ConfusionMatrix(4, normalize), weighted)
    expected = sklearn.confusion_matrix(
        TRUE, PREDICTED, normalize=normalize, sample_weight=WEIGHTS if weighted else None
    )
    numpy.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("weightage", [None, "linear", "quadratic"])
def test_kappa_is_that_of_scikit_learn(weightage, weighted):
    sklearn = pytest.importorskip("sklearn.metrics")
    found = over_batches(metrics.CohenKappa(4, weightage), weighted)
    expected = sklearn.cohen_kappa_score(
        TRUE, PREDICTED, weights=weightage, sample_weight=WEIGHTS if weighted else None
    )
    assert found == pytest.approx(expected, rel=1e-12)


def test_kappa_by_hand():
    # Cohen's own form: observed agreement 0.7, by chance 0.5·0.6 + 0.5·0.4 = 0.5.
    metric = metrics.CohenKappa(2)
    metric.update_state([0] * 25 + [1] * 25, [0] * 20 + [1] * 5 + [0] * 10 + [1] * 15)
    assert metric.result() == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_rows_of_scores_count_by_their_largest():
    scores = numpy.eye(4)[PREDICTED] * 0.8 + 0.05
    metric = metrics.CohenKappa(4, sparse_y_pred=False)
    metric.update_state(TRUE, scores)
    assert metric.result() == over_batches(metrics.CohenKappa(4), False)


@pytest.mark.parametrize(
    "make",
    [lambda: metrics.ConfusionMatrix(4, "true"), lambda: metrics.CohenKappa(4, "quadratic")],
)
def test_tables_are_saved_reset_and_gone_on_with(make):
    whole, part = make(), make()
    expected = over_batches(whole, True)
    part.update_state(TRUE[:8], PREDICTED[:8], WEIGHTS[:8])
    again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(part))))
    again.set_state(json.loads(json.dumps(part.get_state())))
    again.update_state(TRUE[8:], PREDICTED[8:], WEIGHTS[8:])
    numpy.testing.assert_allclose(again.result(), expected, rtol=1e-12)
    again.reset_state()
    assert not numpy.any(again.result())


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="normalize"):
        metrics.ConfusionMatrix(3, "rows")
    with pytest.raises(ValueError, match="weightage"):
        metrics.CohenKappa(3, "cubic")


def test_functions_of_losses_are_found_among_metrics_as_in_keras():
    for name in ("binary_crossentropy", "huber", "kl_divergence", "poisson", "squared_hinge"):
        assert getattr(metrics, name) is getattr(losses, name)


def test_kappa_of_one_hot_targets_takes_a_weight_a_sample():
    rng = numpy.random.RandomState(4)
    labels, scores = rng.randint(0, 3, 30), rng.rand(30, 3)
    weights = rng.rand(30)
    shares = numpy.zeros((3, 3))
    numpy.add.at(shares, (labels, scores.argmax(1)), weights / weights.sum())
    by_chance = (shares.sum(1) * shares.sum(0)).sum()
    expected = (numpy.trace(shares) - by_chance) / (1 - by_chance)
    one_hot = numpy.eye(3)[labels]
    for given in (weights, weights[:, None]):
        metric = metrics.CohenKappa(3, sparse_y_true=False, sparse_y_pred=False)
        metric.update_state(one_hot, scores, sample_weight=given)
        assert metric.result() == pytest.approx(expected)
    with pytest.raises(ShapeError, match="sparse_y_true=False"):
        metrics.CohenKappa(3).update_state(one_hot, one_hot, sample_weight=weights)
    with pytest.raises(ShapeError, match=r"\(30, 3\) and \(30,\); sparse_y_true"):
        metrics.CohenKappa(3).update_state(one_hot, labels)
