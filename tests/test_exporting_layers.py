"""Every layer as ONNX: the numbers of its forward pass, or an error that says what there isn't."""

from __future__ import annotations

import keras_layer_checks
import keras_layer_values
import numpy
import pytest
from test_functional_layers import KINDS, called, case, data_for, inputs_for

import minpy.numpy as np
from minpy import layers
from minpy.autograd.containers import flatten
from minpy.exporting import NotExportable
from minpy.layers import InputSpec
from minpy.models import Model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

# Keras' cases of layers: settings, inputs and options of the call.
CASES = keras_layer_checks.cases_of(
    "activations", "attention", "core", "merging", "normalization", "spectrograms"
)
PLAIN_CASES = keras_layer_checks.cases_of("convolutional", "pooling", "reshaping")

# Layers that ONNX has no counterpart of, and the primitive that their error names.
WITHOUT = {
    "ContrastLimitedAdaptiveHistogramEqualization": "image_equalized_by_tiles",
}


def run(path, data):
    """Return what onnxruntime makes of arrays."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, data, strict=True)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_gives_the_same_numbers_in_onnxruntime(kind, tmp_path):
    shapes, options = case(kind.__name__)
    x = inputs_for(shapes)
    try:
        y = called(kind(**options), x)
    except TypeError as error:
        if "works on data" in str(error):
            pytest.skip("works on data, not inside a model")
        raise
    model = Model(x, y)
    data = data_for(shapes)
    if kind.__name__ in WITHOUT:
        with pytest.raises(NotExportable, match=WITHOUT[kind.__name__]) as raised:
            model.export(tmp_path / "a.onnx")
        assert f"layer '{model.layers[-1].name}'" in str(raised.value)
        return
    model.export(tmp_path / "a.onnx")
    for samples in (2, 5):  # one file for batches of any size
        more = [numpy.concatenate([a, a, a])[:samples] for a in flatten(data)[0]]
        own = model(more if isinstance(data, list) else more[0], training=False)
        found = run(tmp_path / "a.onnx", more)
        for a, b in zip(found, flatten(own)[0], strict=True):
            assert a.dtype == b.dtype
            numpy.testing.assert_allclose(a, b.asnumpy(), rtol=1e-5, atol=1e-5)


class Calling(Model):
    """A layer as a model: called as one of Keras' cases says."""

    def __init__(self, layer, how, options):
        super().__init__()
        self.layer = layer
        self.how, self.options = how, options

    def call(self, inputs):
        given = inputs if isinstance(inputs, list) else [inputs]
        return keras_layer_values.called(self.layer, self.how, given, self.options)


def check_case(layer, how, inputs, options, path):
    """Compare what ONNX makes of a case of Keras' with what the layer does."""
    options = {name: value for name, value in options.items() if name != "training"}
    model = Calling(layer, how, options)
    own = [a.asnumpy() for a in flatten(model(inputs if len(inputs) > 1 else inputs[0]))[0]]
    # Arrays beside the inputs have a batch size of their own.
    batch = [a.shape[:1] if options else (None,) for a in inputs]
    model.export(
        path,
        input_signature=[
            InputSpec(shape=(*n, *a.shape[1:]), dtype=a.dtype)
            for n, a in zip(batch, inputs, strict=True)
        ],
    )
    found = run(path, [a.asnumpy() for a in inputs])
    for a, b in zip(found, own, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_layers_of_all_settings_give_the_same_numbers(case, tmp_path):
    check_case(*keras_layer_checks.made(case)[:1], case["call"],
               *keras_layer_checks.made(case)[1:], tmp_path / "a.onnx")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", PLAIN_CASES)
def test_convolutions_and_poolings_of_all_settings_give_the_same_numbers(case, tmp_path):
    layer = getattr(layers, case["kind"])(**case["settings"])
    x = np.array(keras_layer_values.numbers(tuple(case["shape"]), seed=1))
    layer(x)
    layer.set_weights(keras_layer_values.weights_of([tuple(p.shape) for p in layer.weights]))
    check_case(layer, "one", [x], {}, tmp_path / "a.onnx")
