"""Models as ONNX files: what onnxruntime makes of them, names, batch sizes, and what is refused."""

from __future__ import annotations

import builtins
import doctest
import pathlib
import re

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers
from minpy.autograd.containers import flatten
from minpy.exporting import NotExportable
from minpy.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    InputSpec,
    Layer,
    LayerNormalization,
    Masking,
    MaxPooling2D,
    MultiHeadAttention,
    SimpleRNN,
)
from minpy.layers.functions import affine, relu
from minpy.models import Model, ModelBase, Sequential

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def numbers(*shape, seed=0):
    return numpy.random.default_rng(seed).standard_normal(shape).astype("float32")


def check(model, path, *inputs, tol=1e-5, **options):
    """Export a model, and compare its outputs for two batch sizes; return the session."""
    data = list(inputs)
    model(data[0] if len(data) == 1 else data)  # makes the weights
    model.export(path, **options)
    session = session_of(path)
    names = [i.name for i in session.get_inputs()]
    for samples in (len(data[0]), 1):
        part = [a[:samples] for a in data]
        own = flatten(model.predict_on_batch(part[0] if len(part) == 1 else part))[0]
        found = session.run(None, dict(zip(names, part, strict=True)))
        for a, b in zip(found, own, strict=True):
            assert a.shape == b.shape
            numpy.testing.assert_allclose(a, b, rtol=tol, atol=tol)
    return session


def trained(model, x, y, loss="mse"):
    model.compile("adam", loss)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    return model


# --- kinds of models ------------------------------------------------------------------------------


def test_a_trained_sequential_model(tmp_path):
    x = numbers(16, 2, 8, 8)
    model = trained(
        Sequential(
            [
                Input((2, 8, 8), name="images"),
                Conv2D(4, 3, padding="same", activation="relu"),
                BatchNormalization(momentum=0.5),
                MaxPooling2D(2),
                Flatten(),
                Dropout(0.5),
                Dense(3, activation="softmax", name="classes"),
            ]
        ),
        x,
        numpy.eye(3, dtype="float32")[numpy.arange(16) % 3],
        "categorical_crossentropy",
    )
    session = check(model, tmp_path / "a.onnx", x)
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("images", ["batch", 2, 8, 8])]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("classes", ["batch", 3])]
    # Weights have their paths as names, and their values; BatchNormalization's averages too.
    proto = onnx.load(tmp_path / "a.onnx")
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in proto.graph.initializer}
    for weight in model.weights:
        numpy.testing.assert_array_equal(stored[weight.path], weight.numpy())
    onnx.checker.check_model(proto, full_check=True)


def test_several_inputs_and_outputs_keep_their_names(tmp_path):
    a, b = Input((3,), name="first"), Input((4,), dtype="int32", name="second")
    h = layers.Concatenate()([Dense(5)(a), Flatten()(Embedding(6, 2)(b))])
    outputs = {"score": Dense(1, name="one")(h), "kind": Dense(2, activation="softmax")(h)}
    model = Model({"first": a, "second": b}, outputs)
    x = {"first": numbers(6, 3), "second": numpy.arange(24, dtype="int32").reshape(6, 4) % 6}
    own = model.predict_on_batch(x)
    model.export(tmp_path / "a.onnx")
    session = session_of(tmp_path / "a.onnx")
    assert {i.name: i.type for i in session.get_inputs()} == {
        "first": "tensor(float)",
        "second": "tensor(int32)",
    }
    assert sorted(o.name for o in session.get_outputs()) == ["kind", "score"]
    for name in ("score", "kind"):
        (found,) = session.run([name], x)
        numpy.testing.assert_allclose(found, own[name], rtol=1e-5, atol=1e-6)


def test_a_model_whose_output_is_its_input_as_well(tmp_path):
    x = Input((3,), name="x")
    session = check(Model(x, [x, Dense(2)(x), x * 2.0]), tmp_path / "a.onnx", numbers(4, 3))
    names = [o.name for o in session.get_outputs()]
    assert len(set(names)) == 3 and "x" not in names


class Net(Model):
    def __init__(self):
        super().__init__()
        self.hidden = Dense(8, activation="gelu")
        self.scale = self.add_weight("scale", (8,), "ones")
        self.out = Sequential([LayerNormalization(), Dense(2)])

    def call(self, x, training=False):
        h = self.hidden(x) * self.scale
        if training:
            h = h + minpy.random.normal(h.shape)
        return {"y": self.out(h), "norm": np.sqrt(np.sum(h**2, axis=-1))}


def test_a_subclassed_model_with_models_inside_and_a_dict_of_outputs(tmp_path):
    session = check(Net(), tmp_path / "a.onnx", numbers(5, 3))
    assert {o.name for o in session.get_outputs()} == {"y", "norm"}


class Affine(ModelBase):
    def __init__(self):
        super().__init__()
        self.add_param("w1", (6, 5)).add_param("b1", (5,)).add_param("w2", (5, 2))

    def forward(self, X, mode):
        h = relu(affine(X, self.params["w1"], self.params["b1"]))
        return affine(h, self.params["w2"])


def test_a_model_base_is_told_its_input(tmp_path):
    model = Affine()
    with pytest.raises(ValueError, match="input_signature"):
        model.export(tmp_path / "a.onnx")
    check(model, tmp_path / "a.onnx", numbers(4, 6), input_signature=[(None, 6)])


def test_a_model_inside_of_a_model(tmp_path):
    inner = Sequential([Input((3,)), Dense(4, activation="tanh")], name="inner")
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = Model([a, b], Dense(1)(inner(a) - inner(b)))
    check(model, tmp_path / "a.onnx", numbers(4, 3), numbers(4, 3, seed=1))
    stored = [i.name for i in onnx.load(tmp_path / "a.onnx").graph.initializer]
    assert sum(name.endswith("kernel") for name in stored) == 2  # the inner one is there once


# --- layers whose graphs depend on more than their shapes -----------------------------------------


@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
@pytest.mark.parametrize("masked", [False, True])
def test_recurrent_layers_with_masks_anywhere_and_backwards(kind, masked, tmp_path):
    x = numbers(4, 6, 3)
    x[1, 4:], x[2, :2], x[3, 2] = 0, 0, 0
    stack = [Masking()] if masked else []
    model = Sequential(
        [
            Input((6, 3)),
            *stack,
            Bidirectional(kind(4, return_sequences=True)),
            kind(3, go_backwards=True, bias_initializer="normal", recurrent_dropout=0.2),
        ]
    )
    session = check(model, tmp_path / "a.onnx", x)
    del session
    kinds = {n.op_type for n in onnx.load(tmp_path / "a.onnx").graph.node}
    own = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}[kind.__name__]
    assert "Scan" in kinds if masked else own in kinds


def test_recurrent_layers_return_their_states(tmp_path):
    x = Input((5, 3), name="x")
    ys = [
        *LSTM(4, return_sequences=True, return_state=True)(x),
        *GRU(4, return_state=True, reset_after=False)(x),
        SimpleRNN(2, activation="relu")(x),
    ]
    check(Model(x, ys), tmp_path / "a.onnx", numbers(3, 5, 3))


def test_a_text_model_with_a_mask(tmp_path):
    words = numpy.random.default_rng(0).integers(1, 20, (6, 9)).astype("int32")
    words[0, 3:], words[1, 7:] = 0, 0
    model = Sequential(
        [
            Input((9,), dtype="int32"),
            Embedding(20, 6, mask_zero=True),
            LSTM(5, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            Dense(2, activation="softmax"),
        ]
    )
    check(model, tmp_path / "a.onnx", words)


def test_attention_with_a_mask_and_a_causal_one(tmp_path):
    words = Input((7,), dtype="int32", name="words")
    h = Embedding(11, 8, mask_zero=True)(words)
    h = MultiHeadAttention(2, 4)(h, h, use_causal_mask=True) + h
    x = numpy.random.default_rng(0).integers(0, 11, (5, 7)).astype("int32")
    check(Model(words, LayerNormalization()(h)), tmp_path / "a.onnx", x)


class Oddities(Layer):
    """Shapes, constants and parts that depend on the batch size."""

    def call(self, x):
        n = x.shape[0]
        start = np.zeros((n, 2))  # a constant for each sample
        heads = np.reshape(x, (n * 2, 3))  # twice the batch
        back = np.reshape(heads * 2.0, (n, 2, 3))[:, ::-1]
        both = np.concatenate([start, np.reshape(back, (n, 6))], axis=1)
        wide = np.broadcast_to(np.arange(8.0), (n, 8))
        return np.where(both > 0.5, both, wide[:n]) + np.tile(both[:, :1], (1, 8))


def test_lengths_that_depend_on_the_batch_size(tmp_path):
    x = Input((6,), name="x")
    check(Model(x, Oddities()(x)), tmp_path / "a.onnx", numbers(5, 6))


class OverTheBatch(Layer):
    def call(self, x):
        return x - np.sum(x, axis=0) * (1.0 / x.shape[0])


def test_what_depends_on_the_batch_size_otherwise_is_exported_for_one_size(tmp_path):
    x = Input((3,), name="x")
    model = Model(x, OverTheBatch()(x))
    with pytest.warns(UserWarning, match=r"one sample: multiply of over_the_batch"):
        model.export(tmp_path / "a.onnx")
    assert session_of(tmp_path / "a.onnx").get_inputs()[0].shape == [1, 3]
    data = numbers(4, 3)
    model.export(tmp_path / "a.onnx", input_signature=[InputSpec(shape=(4, 3), dtype="float32")])
    session = session_of(tmp_path / "a.onnx")
    assert session.get_inputs()[0].shape == [4, 3]
    (found,) = session.run(None, {session.get_inputs()[0].name: data})
    numpy.testing.assert_allclose(found, data - data.mean(0), atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[: len(x) // 2 + 1],
        lambda x: np.reshape(x[:, None] - x[None], (len(x) ** 2, 3)),
        lambda x: x if len(x) > 4 else -x,
    ],
    ids=["half", "square", "branch"],
)
def test_a_batch_size_that_is_computed_with_is_noticed(function, tmp_path):
    x = Input((3,), name="x")

    class Computed(Layer):
        def call(self, x):
            return function(x)

        def compute_output_shape(self, input_shape):
            return input_shape

    with pytest.warns(UserWarning, match="exported for batches of one sample"):
        Model(x, Computed()(x)).export(tmp_path / "a.onnx")


def test_as_many_outputs_as_samples_are_exported_for_one(tmp_path):
    class Rows(Model):
        def call(self, x):
            return [x[i] * 2.0 for i in range(len(x))]

    with pytest.warns(UserWarning, match="exported for batches of one sample"):
        Rows().export(tmp_path / "a.onnx", input_signature=[(None, 3)])
    assert len(session_of(tmp_path / "a.onnx").get_outputs()) == 1


def test_a_signature_leaves_names_and_dtypes_as_they_are(tmp_path):
    ids = Input((None,), dtype="int32", name="ids")
    model = Model(ids, Embedding(5, 2)(ids))
    model.export(tmp_path / "a.onnx", input_signature=[(None, 4)])
    (given,) = session_of(tmp_path / "a.onnx").get_inputs()
    assert (given.name, given.shape, given.type) == ("ids", ["batch", 4], "tensor(int32)")


def test_a_dict_of_inputs_is_told_by_a_dict(tmp_path):
    class Both(Model):
        def call(self, inputs):
            return Flatten()(inputs["a"]) @ np.ones((4, 2)) + inputs["b"]

    spec = {"a": (None, 2, 2), "b": InputSpec(shape=(None, 2), dtype="int32")}
    Both().export(tmp_path / "a.onnx", input_signature=[spec])
    session = session_of(tmp_path / "a.onnx")
    assert [(i.name, i.type) for i in session.get_inputs()] == [
        ("a", "tensor(float)"),
        ("b", "tensor(int32)"),
    ]
    data = {"a": numbers(3, 2, 2), "b": numpy.arange(6, dtype="int32").reshape(3, 2)}
    (found,) = session.run(None, data)
    expected = data["a"].sum((1, 2))[:, None] + data["b"]
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


class Pieces(Layer):
    """Functions of `minpy.numpy` side by side."""

    def call(self, x):
        y = np.abs(x) + 0.5
        square = x[:, None] * y[:, :, None]
        parts = [
            np.cumsum(x, axis=-1), np.sort(x, axis=-1), np.flip(x, -1), np.roll(x, 2, axis=1),
            np.repeat(x, 2, axis=1), np.pad(x, ((0, 0), (1, 2)), "edge"), np.log1p(y), np.expm1(x),
            np.arctan2(x, x[:, ::-1]), np.maximum(x, 0.1) % 0.4, np.power(y, 1.5), x // 0.3,
            np.logaddexp(x, y), np.stack([x, y], 1).reshape((len(x), -1)), x[:, [3, 0, 0]],
            x[:, None, 1:-1:2].squeeze(1), np.take(x, np.array([1, 2]), axis=1),
            np.einsum("bi,bj->bij", x, y).reshape((len(x), -1)),
            np.triu(square)[:, 1], np.broadcast_arrays(x, y[:, :1])[1],
            np.var(x, axis=1, keepdims=True), np.std(x, axis=1, keepdims=True, ddof=1),
            np.argmax(x, axis=1)[:, None].astype("float32"), np.clip(x, -0.5, 0.5),
            np.logical_and(x > 0, y < 1).astype("float32"), np.sign(x), np.round(x, 1), np.cbrt(x),
            np.take_along_axis(x, np.argsort(x, axis=1), axis=1), np.prod(y, axis=1, keepdims=True),
            np.any(x > 1, axis=1, keepdims=True).astype("float32"), np.diff(x, axis=1),
            np.diagonal(square, 1, 1, 2),
            np.isposinf(np.where(x > 0, np.inf, -np.inf)).astype("float32"),
            *(np.rot90(square, k, (1, 2)).reshape((len(x), -1)) for k in (1, 2, 3)),
            np.tensordot(x, np.ones((4, 2)), 1), np.hypot(x, y), np.min(x, axis=1, keepdims=True),
        ]  # fmt: skip
        return np.concatenate(parts, axis=1)


def test_functions_of_numpy_in_a_layer(tmp_path):
    x = Input((4,), name="x")
    model = Model(x, Pieces()(x))
    model.compile(jit=False)
    check(model, tmp_path / "a.onnx", numbers(6, 4), tol=2e-5)


class Written(Layer):
    def call(self, x):
        y = np.zeros_like(x)
        y[:, 1:] = x[:, :-1]
        y[:, 0] = 3.0
        return y


def test_writes_into_arrays(tmp_path):
    x = Input((4,), name="x")
    check(Model(x, Written()(x)), tmp_path / "a.onnx", numbers(6, 4))


def test_a_model_of_double_precision(tmp_path):
    model = Sequential([Input((3,), dtype="float64"), Dense(2, activation="tanh", dtype="float64")])
    session = check(model, tmp_path / "a.onnx", numbers(4, 3).astype("float64"), tol=1e-12)
    assert session.get_inputs()[0].type == "tensor(double)"


# --- the examples ---------------------------------------------------------------------------------


@pytest.fixture
def example(monkeypatch):
    import importlib

    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


def test_the_residual_network_of_the_examples(example, tmp_path):
    x = numpy.abs(numbers(3, 3, 32, 32)) * 80
    check(example("resnet_cifar10").resnet(1, 4), tmp_path / "a.onnx", x, tol=1e-4)


def test_the_transformer_of_the_examples(example, tmp_path):
    module = example("transformer_classifier")
    words = Input((12,), dtype="int32", name="words")
    h = module.TransformerBlock(8, 2, 16)(module.TokenAndPosition(12, 30, 8)(words))
    model = Model(words, Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(h)))
    x = numpy.random.default_rng(0).integers(1, 30, (5, 12)).astype("int32")
    x[0, 4:] = 0
    check(model, tmp_path / "a.onnx", x)


def test_the_autoencoder_of_the_examples(example, tmp_path):
    model, decoder = example("variational_autoencoder").autoencoder(16, 8)
    check(model, tmp_path / "a.onnx", numbers(4, 16))
    check(decoder, tmp_path / "b.onnx", numbers(4, decoder.input_shape[1]))


# --- what is refused ------------------------------------------------------------------------------


class Determinant(Layer):
    def call(self, x):
        return np.linalg.det(x)


class Branch(Layer):
    def call(self, x):
        return x if float(np.sum(x)) > 0 else -x


class Noise(Layer):
    def call(self, x):
        return x + minpy.random.normal(x.shape)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            Determinant(name="solver"),
            (2, 2),
            r"'linalg.det', in layer 'solver', has no counterpart",
        ),
        (Branch(name="fork"), (2,), "reads a number that depends on its input"),
        (Noise(name="noisy"), (2,), "draws random numbers"),
    ],
)
def test_what_onnx_has_no_counterpart_of_is_named_and_the_old_file_stays(
    layer, shape, message, tmp_path
):
    file = tmp_path / "a.onnx"
    file.write_bytes(b"old")
    x = Input(shape, name="x")
    with pytest.raises(NotExportable, match=message) as raised:
        Model(x, layer(x)).export(file)
    assert layer.name in str(raised.value)
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_a_stateful_layer_is_refused_and_goes_on_from_where_it_was(tmp_path):
    model = Sequential([LSTM(3, stateful=True, name="memory")])
    model(numbers(4, 5, 3))
    before = [np.array(s).asnumpy() for s in model.layers[0].states]
    with pytest.raises(NotExportable, match="layer 'memory' is stateful"):
        model.export(tmp_path / "a.onnx", input_signature=[(4, 5, 3)])
    for a, b in zip(before, model.layers[0].states, strict=True):
        numpy.testing.assert_array_equal(a, b.asnumpy())


def test_cells_and_functions_in_layers(tmp_path):
    x = Input((5, 3), name="x")
    cells = layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(2)])
    y = layers.Lambda(lambda h: np.tanh(h) * 2)(layers.RNN(cells)(x))
    check(Model(x, y), tmp_path / "a.onnx", numbers(4, 5, 3))


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.onnx"
    file.write_bytes(b"old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="space"):
        Sequential([Input((2,)), Dense(1)]).export(file)
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_weights_that_no_file_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("minpy.exporting.onnx_file._LARGEST", 10)
    with pytest.raises(NotExportable, match="holds 2 GB"):
        Sequential([Input((2,)), Dense(1)]).export(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_other_formats_and_arguments_are_refused(tmp_path):
    model = Sequential([Input((2,)), Dense(1)])
    with pytest.raises(ValueError, match="'onnx', the one that there is, got 'openvino'"):
        model.export(tmp_path / "a", format="openvino")
    with pytest.raises(TypeError, match="opset_version"):
        model.export(tmp_path / "a", opset_version=17)
    assert not list(tmp_path.iterdir())


def test_lengths_that_nobody_told_are_asked_for(tmp_path):
    x = Input((None, 3), name="x")
    model = Model(x, GRU(2)(x))
    with pytest.raises(ValueError, match="only the batch axis may be of any length"):
        model.export(tmp_path / "a.onnx")
    check(model, tmp_path / "a.onnx", numbers(3, 5, 3), input_signature=[(None, 5, 3)])


def test_without_the_package_the_error_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "onnx":
            raise ImportError("No module named 'onnx'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'minpy\[export\]'"):
        Sequential([Input((2,)), Dense(1)]).export(tmp_path / "a.onnx")


def test_exporting_leaves_weights_and_training_as_they_were(tmp_path, capsys):
    x = numbers(16, 3)
    model = trained(
        Sequential([Input((3,)), Dense(4), BatchNormalization(), Dense(1)]), x, x[:, :1]
    )
    before = model.get_weights()
    model.export(tmp_path / "a.onnx", verbose=True)
    assert "nodes, opset 18" in capsys.readouterr().out
    for a, b in zip(before, model.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_every_example_of_the_page_prints_what_it_says():
    page = EXAMPLES.parent / "docs" / "exporting.md"
    text = re.sub(r"^```.*$", "", page.read_text(), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert len(examples.examples) > 20
    told: list[str] = []
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.DocTestRunner(optionflags=options).run(examples, out=told.append)
    assert result.failed == 0, "".join(told)
