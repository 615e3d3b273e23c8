"""The examples of Keras' models, each small, reach what only a correct program reaches."""

from __future__ import annotations

import importlib
import pathlib

import numpy
import pytest
from official_files_server import python2_batch

import minpy
from minpy import datasets, runtime
from minpy.layers import Dense, Input
from minpy.models import Sequential

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
NAMES = [
    "addition",
    "character_rnn",
    "custom_layer",
    "custom_training_step",
    "gan",
    "resnet_cifar10",
    "tabular_pipeline",
    "text_classification",
    "transfer_learning",
    "transformer_classifier",
    "two_inputs",
    "variational_autoencoder",
]
compiled = pytest.mark.skipif(not runtime.available(), reason="graphs need mxnet")


@pytest.fixture
def example(monkeypatch):
    """Return a function that imports an example."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module
    minpy.random.seed(0)


@pytest.mark.parametrize("name", NAMES)
def test_examples_say_how_to_run_them(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert f"python examples/{name}.py" in text
    assert "[--small]" in text


def test_all_sums_that_were_seen_are_right_and_most_that_were_not(example, capsys):
    seen, unseen = example("addition").main(small=True)
    assert seen == 1
    assert unseen >= 0.5


def test_questions_are_read_backwards_and_answers_are_their_sums(example):
    module = example("addition")
    x, y = module.sums(2, 50)
    for question, answer in zip(x.argmax(-1), y, strict=True):
        a, b = "".join(module.SIGNS[i] for i in question)[::-1].strip().split("+")
        assert int(a) + int(b) == int("".join(module.SIGNS[i] for i in answer))


def test_the_character_network_recites_the_zen_of_python(example, capsys):
    assert example("character_rnn").main(small=True) > 0.7
    assert "Explicit is better than implicit." in capsys.readouterr().out


def test_paragraphs_are_told_apart_by_their_words(example, capsys):
    assert example("text_classification").main(small=True) > 0.7
    assert "is of numpy" in capsys.readouterr().out


def test_paragraphs_are_told_apart_by_attention(example, capsys):
    assert example("transformer_classifier").main(small=True) > 0.6


def test_two_numbers_a_digit_say_more_than_a_linear_code_and_the_loss_is_theirs(example, capsys):
    module = example("variational_autoencoder")
    error, linear = module.main(small=True)
    assert error < 0.9 * linear
    x = numpy.array([[0.3, -0.2]], "float32"), numpy.array([[0.1, -0.4]], "float32")
    inputs = Input((2,)), Input((2,))
    model = minpy.models.Model(inputs, module.Sampling()(list(inputs)))
    model(list(x))
    mean, variance = x[0], numpy.exp(x[1])
    divergence = 0.5 * (variance + mean**2 - 1 - numpy.log(variance)).sum()
    assert float(model.losses[0]) == pytest.approx(divergence, rel=1e-5)


def test_made_digits_have_the_means_and_deviations_of_real_ones(example, capsys):
    before, after = example("gan").main(small=True)
    assert max(before) < 0.5
    assert min(after) > 0.85


def test_a_step_that_trains_models_inside_draws_anew_each_time():
    drawn = []

    class Outer(minpy.models.Model):
        def __init__(self):
            super().__init__()
            self.inner = Sequential([Input((1,)), Dense(1)])
            self.built = True

        def train_step(self, data):
            noise = minpy.random.normal((3,))
            drawn.append(tuple(noise.asnumpy()))
            loss, gradients = self.inner.value_and_gradients(lambda: (self.inner(data) ** 2).sum())
            self.inner.apply_gradients(gradients)
            return {"loss": loss}

    model = Outer()
    model.compile()
    model.inner.compile("sgd")
    model.fit(numpy.ones((8, 1), "float32"), batch_size=2, epochs=2, verbose=0)
    assert len(set(drawn)) == 8


def test_sums_and_comparisons_of_two_digits(example, capsys):
    result = example("two_inputs").main(small=True)
    assert result["sum_accuracy"] > 0.7
    assert result["left_is_larger_accuracy"] > 0.9


def test_frozen_layers_stay_and_serve_other_classes(example, capsys):
    accuracy, frozen = example("transfer_learning").main(small=True)
    assert frozen
    assert accuracy["transferred"] > 0.75
    assert accuracy["tuned"] >= accuracy["transferred"] - 0.02


def test_a_table_is_told_apart_and_the_area_is_scikit_learns(example, capsys):
    pytest.importorskip("sklearn")
    result, theirs = example("tabular_pipeline").main(small=True)
    assert result["accuracy"] > 0.92
    assert result["auc"] == pytest.approx(theirs, abs=2e-3)


def test_sharpness_aware_steps_end_in_a_flatter_place_as_accurate(example, capsys):
    found = example("custom_training_step").main(small=True)
    plain, aware = found["plain"], found["sharpness-aware"]
    assert aware[1] < 0.8 * plain[1]
    assert aware[0] > 0.95


def test_the_layer_learns_and_is_loaded_by_its_name(example, capsys):
    accuracy, same = example("custom_layer").main(small=True)
    assert accuracy > 0.93
    assert same


def digits_as_photographs(folder):
    """Write the digits in CIFAR-10's format: 32×32 pixels, three colours, six files."""
    (x, y), (x_test, y_test) = datasets.digits()
    parts = [(f"data_batch_{i}", x[i::20], y[i::20]) for i in range(1, 6)]
    parts.append(("test_batch", x_test[:100], y_test[:100]))
    folder.mkdir(parents=True)
    for name, images, labels in parts:
        large = numpy.kron(images.astype("uint8") * 15, numpy.ones((4, 4), "uint8"))
        photographs = numpy.stack([large, large // 2, 255 - large], axis=1)
        (folder / name).write_bytes(python2_batch(photographs, labels))


def test_a_residual_network_learns_photographs_in_cifars_format(example, capsys, tmp_path):
    digits_as_photographs(tmp_path / "cifar-10-batches-py")
    accuracy = example("resnet_cifar10").main(tmp_path, small=True)
    assert accuracy > 0.5
    out = capsys.readouterr().out
    assert "100 held out" in out


@compiled
@pytest.mark.parametrize("name", ["two_inputs", "variational_autoencoder", "custom_layer"])
def test_examples_train_compiled(example, capsys, name):
    example(name).main(small=True)
    assert "training ran: compiled" in capsys.readouterr().out
