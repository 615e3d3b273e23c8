"""Models as scikit-learn's estimators: its own checks, its tools, and what ours do beyond them."""

from __future__ import annotations

import copy
import pathlib
import pickle
import re
import subprocess
import sys

import numpy
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from minpy.layers import Dense, Input
from minpy.losses import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from minpy.models import Sequential
from minpy.optimizers import Adam
from minpy.wrappers import Classifier, Regressor, SKLearnClassifier, SKLearnRegressor, Transformer

X, SPECIES = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
NAMES = numpy.array(["setosa", "versicolor", "virginica"])[SPECIES]


def classifying(X, y, units=8, loss="categorical_crossentropy", activation="softmax", outputs=None):
    model = Sequential([
        Input(X.shape[1:]),
        Dense(units, activation="relu"),
        Dense(outputs or y.shape[1], activation=activation),
    ])  # fmt: skip
    model.compile(Adam(0.01), loss, metrics=["accuracy"])
    return model


@parametrize_with_checks([Classifier(), Regressor()])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_keras_names_are_the_same_classes():
    assert SKLearnClassifier is Classifier
    assert SKLearnRegressor is Regressor


# --- scikit-learn's tools -------------------------------------------------------------------------


def test_cross_validation_of_a_pipeline_tells_irises_apart():
    pipeline = make_pipeline(StandardScaler(), Classifier(random_state=0))
    assert cross_val_score(pipeline, X, NAMES, cv=3).mean() > 0.9


def test_a_grid_goes_over_the_models_arguments_and_those_of_fit():
    search = GridSearchCV(
        Classifier(classifying, random_state=0),
        {"model_kwargs": [{"units": 1}, {"units": 16}], "fit_kwargs": [{"epochs": 40}]},
        cv=2,
    ).fit(X, NAMES)
    assert search.best_params_["model_kwargs"] == {"units": 16}
    assert search.best_score_ > 0.85
    assert search.best_estimator_.epoch_ == 40


def test_weights_reach_the_model_through_a_pipeline():
    at = numpy.zeros((100, 1))
    numbers = numpy.arange(100) % 2
    pipeline = make_pipeline(StandardScaler(), Regressor(random_state=0))
    pipeline.fit(at, numbers, regressor__sample_weight=numpy.where(numbers, 3.0, 1.0))
    assert abs(pipeline.predict(at[:1])[0] - 0.75) < 0.05


# --- models ---------------------------------------------------------------------------------------


def test_each_fit_trains_a_copy_of_a_model_that_was_given():
    model = classifying(X, numpy.eye(3)[SPECIES])
    before = copy.deepcopy(model.get_weights())
    found = Classifier(model, fit_kwargs={"epochs": 30}).fit(X, NAMES)
    assert found.score(X, NAMES) > 0.85
    assert found.model_ is not model
    for a, b in zip(before, model.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("loss", "activation", "outputs", "classes"),
    [
        ("sparse_categorical_crossentropy", "softmax", 3, 3),
        (CategoricalCrossentropy(from_logits=True), None, 3, 3),
        ("binary_crossentropy", "sigmoid", 1, 2),
        (BinaryCrossentropy(from_logits=True), None, 1, 2),
        ("binary_crossentropy", "sigmoid", 2, 2),
    ],
)
def test_losses_get_targets_in_their_form(loss, activation, outputs, classes):
    kept = classes > SPECIES
    settings = {"loss": loss, "activation": activation, "outputs": outputs}
    found = Classifier(classifying, model_kwargs=settings, random_state=0)
    found.fit(X[kept], NAMES[kept], epochs=60)
    assert found.score(X[kept], NAMES[kept]) > 0.85
    if not (activation == "sigmoid" and outputs == 2):  # two units that say nothing of each other
        probabilities = found.predict_proba(X[kept])
        assert probabilities.shape == (kept.sum(), classes)
        numpy.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)
        likeliest = found.classes_[probabilities.argmax(axis=1)]
        assert (likeliest == found.predict(X[kept])).all()


def test_one_seed_gives_the_same_numbers_and_leaves_minpys_own_alone():
    from minpy import random

    state = random.get_state()
    a, b, c = (Classifier(random_state=seed).fit(X, SPECIES).predict_proba(X) for seed in (1, 1, 2))
    assert random.get_state() == state
    numpy.testing.assert_array_equal(a, b)
    assert abs(a - c).max() > 1e-4


def test_a_warm_start_goes_on_and_a_cold_one_starts_anew():
    found = Regressor(warm_start=True, random_state=0, fit_kwargs={"epochs": 5})
    x, y = make_regression(n_samples=100, n_features=3, random_state=0)
    first = found.fit(x, y).history_["loss"]
    model = found.model_
    again = found.fit(x, y).history_["loss"]
    assert found.model_ is model
    assert again[0] < first[-1]
    assert found.set_params(warm_start=False).fit(x, y).history_["loss"] == first


def test_a_warm_start_refuses_new_classes_and_keeps_its_model():
    found = Classifier(warm_start=True).fit(X[SPECIES < 2], NAMES[SPECIES < 2])
    model = found.model_
    with pytest.raises(ValueError, match="warm_start=False to start anew"):
        found.fit(X, NAMES)
    assert found.model_ is model


def test_a_default_regressor_needs_no_scaling():
    x, y = make_regression(n_samples=200, n_features=4, n_targets=2, random_state=0)
    found = Regressor(random_state=0).fit(1000 + 50 * x, 1e4 + y)
    assert found.predict(1000 + 50 * x).shape == (200, 2)
    assert found.score(1000 + 50 * x, 1e4 + y) > 0.9


def test_images_are_taken_as_they_are():
    images = numpy.random.default_rng(0).normal(size=(40, 1, 4, 4))
    labels = images.mean(axis=(1, 2, 3)) > 0
    assert Classifier(random_state=0).fit(images, labels).score(images, labels) > 0.9


def test_a_transformer_gives_features_to_the_next_step():
    model = Sequential([Dense(2, activation="tanh"), Dense(3)])
    model.compile("adam", SparseCategoricalCrossentropy(from_logits=True))
    features = Transformer(model, fit_kwargs={"epochs": 3}).fit(X, SPECIES)
    assert list(features.get_feature_names_out()) == [f"transformer{i}" for i in range(3)]
    found = make_pipeline(clone(features), Classifier()).fit(X, SPECIES)
    assert found[0].transform(X).shape == (150, 3)
    with pytest.raises(ValueError, match="Transformer: expected a compiled model"):
        Transformer().fit(X, SPECIES)


def test_a_trained_model_can_be_pickled_and_goes_on_with_the_same_bits():
    model = classifying(X, numpy.eye(3)[SPECIES])
    model.fit(X, numpy.eye(3)[SPECIES], epochs=2, verbose=0)
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    expected = model.fit(X, numpy.eye(3)[SPECIES], epochs=3, verbose=0).history
    for one in copies:
        assert one.fit(X, numpy.eye(3)[SPECIES], epochs=3, verbose=0).history == expected


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Sequential([Dense(1)]), ValueError, "isn't compiled"),
        ("network", TypeError, "expected a compiled model, a function"),
        (lambda X, y: None, TypeError, "got NoneType"),
        (lambda X, y: Sequential([Dense(1)]), ValueError, "that the function returned"),
    ],
)
def test_what_is_no_compiled_model_is_refused(model, error, message):
    found = Regressor(model)
    with pytest.raises(error, match=message):
        found.fit(X, SPECIES)
    with pytest.raises(NotFittedError):
        found.predict(X)


def test_bad_targets_say_what_to_do():
    with pytest.raises(ValueError, match=r"one class.*'setosa'"):
        Classifier().fit(X[:9], NAMES[:9])
    with pytest.raises(ValueError, match="one class that sample_weight doesn't make zero"):
        Classifier().fit(X, NAMES, sample_weight=(SPECIES == 1).astype(float))
    with pytest.raises(ValueError, match="sample_weight must have a number that isn't zero"):
        Regressor().fit(X, SPECIES, sample_weight=numpy.zeros(150))
    with pytest.raises(ValueError, match="one output unit for 3 classes"):
        Classifier(classifying, model_kwargs={"outputs": 1}).fit(X, NAMES)
    linear = Classifier(classifying, model_kwargs={"loss": "mse", "activation": None})
    with pytest.raises(ValueError, match="ends with activation='softmax'"):
        linear.fit(X, NAMES).predict_proba(X)


def test_without_scikit_learn_the_message_says_what_to_install():
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import minpy.wrappers\n"
        "try:\n    minpy.wrappers.Classifier\n"
        "except ImportError as error:\n    print(error)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert "pip install 'scikit-learn>=1.6'" in told


# --- the page -------------------------------------------------------------------------------------


def test_the_programs_of_the_page_run():
    page = pathlib.Path(__file__).parent.parent / "docs" / "wrappers.md"
    names: dict = {}
    for program in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(program, page.name, "exec"), names)
    assert names["search"].best_score_ > 0.9
    assert names["scores"].mean() > 0.9
