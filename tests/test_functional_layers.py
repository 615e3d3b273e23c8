"""Every layer in a functional model, alone and nested: shapes, dtypes, configuration and files."""

from __future__ import annotations

import json

import numpy
import pytest

from minpy import layers, random, runtime
from minpy.autograd.containers import flatten
from minpy.layers import Input
from minpy.models import Functional, Model, load_model
from minpy.optimizers import SGD

SIGNAL, IMAGE, VOLUME = (3, 8), (3, 8, 8), (3, 6, 6, 6)
STEPS = (5, 3)

# Layer → shape of a sample (or several), and arguments. Layers that aren't here take (4,) and none.
CALLS = {
    "Activation": ((4,), {"activation": "relu"}),
    "AlphaDropout": ((4,), {"rate": 0.5}),
    "CategoryEncoding": ((4,), {"num_tokens": 5}),
    "ConvLSTM1D": ((2, *SIGNAL), {"filters": 2, "kernel_size": 3}),
    "ConvLSTM2D": ((2, *IMAGE), {"filters": 2, "kernel_size": 3}),
    "ConvLSTM3D": ((2, *VOLUME), {"filters": 2, "kernel_size": 3}),
    "Dense": ((4,), {"units": 3}),
    "Discretization": ((4,), {"bin_boundaries": [0.0, 1.0]}),
    "EinsumDense": ((4,), {"equation": "ab,bc->ac", "output_shape": 3}),
    "Embedding": ((4,), {"input_dim": 9, "output_dim": 3}),
    "Flatten": (STEPS, {}),
    "GRU": (STEPS, {"units": 4}),
    "GaussianDropout": ((4,), {"rate": 0.5}),
    "GaussianNoise": ((4,), {"stddev": 0.5}),
    "GroupNormalization": ((4,), {"groups": 2}),
    "LSTM": (STEPS, {"units": 4}),
    "Masking": (STEPS, {}),
    "MelSpectrogram": ((40,), {"fft_length": 16, "sequence_stride": 4, "num_mel_bins": 3}),
    "Permute": (STEPS, {"dims": (2, 1)}),
    "RepeatVector": ((4,), {"n": 3}),
    "ReversibleEmbedding": ((4,), {"input_dim": 9, "output_dim": 3}),
    "Rescaling": ((4,), {"scale": 2.0}),
    "Reshape": ((4,), {"target_shape": (2, 2)}),
    "SimpleRNN": (STEPS, {"units": 4}),
    "STFTSpectrogram": ((20, 2), {"frame_length": 4}),
    "Attention": ([STEPS, STEPS], {}),
    "AdditiveAttention": ([STEPS, STEPS], {}),
    "CenterCrop": (IMAGE, {"height": 4, "width": 4}),
    "Dropout": ((4,), {"rate": 0.5}),
    "AugMix": (IMAGE, {"num_chains": 1, "chain_depth": 1}),
    "AutoContrast": (IMAGE, {}),
    "ContrastLimitedAdaptiveHistogramEqualization": (IMAGE, {"tile_grid_size": (2, 2)}),
    "CutMix": (IMAGE, {}),
    "Equalization": (IMAGE, {}),
    "MixUp": (IMAGE, {}),
    "RandAugment": (IMAGE, {}),
    "RandomColorJitter": (IMAGE, {"brightness_factor": 0.2, "hue_factor": 0.2}),
    "RandomColorDegeneration": (IMAGE, {"factor": 0.2}),
    "RandomElasticTransform": (IMAGE, {}),
    "RandomErasing": (IMAGE, {}),
    "RandomGaussianBlur": (IMAGE, {}),
    "RandomGrayscale": (IMAGE, {}),
    "RandomHue": (IMAGE, {"factor": 0.2}),
    "RandomInvert": (IMAGE, {}),
    "RandomPerspective": (IMAGE, {}),
    "RandomPosterization": (IMAGE, {"factor": 8}),
    "RandomSaturation": (IMAGE, {"factor": 0.2}),
    "RandomSharpness": (IMAGE, {"factor": 0.2}),
    "RandomShear": (IMAGE, {"x_factor": 0.2, "y_factor": 0.2}),
    "Solarization": (IMAGE, {"addition_factor": 0.2, "threshold_factor": 0.2}),
    "RandomBrightness": (IMAGE, {"factor": 0.2}),
    "RandomContrast": (IMAGE, {"factor": 0.2}),
    "RandomCrop": (IMAGE, {"height": 4, "width": 4}),
    "RandomFlip": (IMAGE, {}),
    "RandomRotation": (IMAGE, {"factor": 0.2}),
    "RandomTranslation": (IMAGE, {"height_factor": 0.2, "width_factor": 0.2}),
    "RandomZoom": (IMAGE, {"height_factor": 0.2}),
    "Resizing": (IMAGE, {"height": 4, "width": 6}),
    "Dot": ([(4,), (4,)], {"axes": 1}),
    "GroupQueryAttention": (
        [STEPS, STEPS],
        {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
    ),
    "MultiHeadAttention": ([STEPS, STEPS], {"num_heads": 2, "key_dim": 3}),
}
# Called with an argument for each tensor.
APART = {"GroupQueryAttention", "MultiHeadAttention"}
INNER = {
    "Bidirectional": lambda: (STEPS, {"layer": layers.LSTM(3)}),
    "RNN": lambda: (STEPS, {"cell": layers.LSTMCell(3)}),
    "TimeDistributed": lambda: (STEPS, {"layer": layers.Dense(2)}),
    "SpectralNormalization": lambda: ((4,), {"layer": layers.Dense(2)}),
}
MERGING = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
# What has no place in a graph of its own: graphs' own parts, cells (RNN is called), work on text
# and data, and functions, which aren't saved.
LEFT_OUT = {
    "HashedCrossing",
    "InputLayer",
    "Lambda",
    "Operation",
    "Pipeline",
    "StackedRNNCells",
}


def case(name):
    """Return shapes and arguments for a layer."""
    if name in INNER:
        return INNER[name]()
    if name in CALLS:
        return CALLS[name]
    if name in MERGING:
        return [(4,), (4,)], {}
    spatial = {"1D": SIGNAL, "2D": IMAGE, "3D": VOLUME}.get(name.removesuffix("Transpose")[-2:])
    if spatial is None:
        return (4,), {}
    options = {}
    if "Conv" in name:
        options = (
            {"kernel_size": 3}
            if name.startswith("Depthwise")
            else {
                "filters": 2,
                "kernel_size": 3,
            }
        )
    if name.startswith("Adaptive"):
        options = {"output_size": 2}
    if name.startswith("SpatialDropout"):
        options = {"rate": 0.5}
    return spatial, options


def is_left_out(kind):
    inside = getattr(kind, "call", None) is not layers.Layer.call
    python = any(base.__name__ == "PythonLayer" for base in kind.__mro__)
    return kind.__name__ in LEFT_OUT or kind.__name__.endswith("Cell") or python or not inside


KINDS = [kind for kind in layers._CLASSES if not is_left_out(kind)]


def data_for(shapes):
    rng = numpy.random.default_rng(0)
    several = isinstance(shapes, list)
    made = [
        rng.integers(0, 3, (2, *shape)).astype("float32") + 0.5 * (len(shape) > 1)
        for shape in (shapes if several else [shapes])
    ]
    return made if several else made[0]


def inputs_for(shapes):
    return [Input(shape) for shape in shapes] if isinstance(shapes, list) else Input(shapes)


def called(layer, x):
    return layer(*x) if type(layer).__name__ in APART else layer(x)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_in_a_functional_model(kind, tmp_path):
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
    found = flatten(model(data))[0]
    for value, told in zip(found, flatten(y)[0], strict=True):
        assert len(value.shape) == len(told.shape)
        assert all(n in (None, m) for n, m in zip(told.shape, value.shape, strict=True))
        assert value.dtype == told.dtype
    text = json.dumps(model.get_config())
    again = Functional.from_config(json.loads(text))
    assert json.dumps(again.get_config()) == text
    z = inputs_for(shapes)
    nested = Model(z, model(z))
    nested.save(tmp_path / "a.h5")
    loaded = load_model(tmp_path / "a.h5")
    assert [w.path for w in loaded.weights] == [w.path for w in nested.weights]
    for a, b in zip(*(flatten(m(data, training=False))[0] for m in (nested, loaded)), strict=True):
        numpy.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


# What doesn't train as a compiled step, and why; docs/keras.md says so too.
RUN_EAGERLY: dict[str, str] = (
    {} if runtime.available() else {"Discretization": "searches in MXNet's graphs, not in programs"}
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_trains_compiled_as_it_does_operation_by_operation(kind):
    losses, weights = {}, {}
    for jit in ("auto", False):
        random.seed(0)
        shapes, options = case(kind.__name__)
        x = inputs_for(shapes)
        try:
            y = called(kind(**options), x)
        except TypeError as error:
            if "works on data" in str(error):
                pytest.skip("works on data, not inside a model")
            raise
        y = layers.Flatten()(layers.Rescaling(0.1)(flatten(y)[0][0]))
        model = Model(x, layers.Dense(1)(y))
        model.compile(SGD(0.01), "mse", jit=jit)
        data, targets = data_for(shapes), numpy.ones((2, 1), "float32")
        losses[jit] = [model.train_on_batch(data, targets) for _ in range(3)]
        weights[jit] = model.get_weights()
        if jit == "auto" and kind.__name__ not in RUN_EAGERLY:
            assert model.jit_status == "compiled", model.jit_status
    numpy.testing.assert_allclose(losses["auto"], losses[False], rtol=1e-4, atol=1e-6)
    for a, b in zip(weights["auto"], weights[False], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
