"""What Keras' users rely on besides values: symbolic outputs, configurations, kinds of errors."""

from __future__ import annotations

import numpy
import pytest

import minpy.numpy as np
from minpy import activations, layers, random
from minpy.layers import Input, InputLayer
from minpy.layers.symbolic import KerasTensor
from minpy.models import Model, Sequential

RNG = numpy.random.default_rng(3)


def softmax_of(x, axes):
    powers = numpy.exp(x - x.max(axes, keepdims=True))
    return powers / powers.sum(axes, keepdims=True)


# --- activations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(1, 2), (2, 0), (-1,), [0, 1, 2]])
def test_softmax_and_its_logarithm_go_along_several_axes_together(axes):
    x = RNG.normal(size=(2, 3, 4))
    expected = softmax_of(x, tuple(axes))
    numpy.testing.assert_allclose(activations.softmax(np.array(x), axes).asnumpy(), expected, 1e-5)
    found = activations.log_softmax(np.array(x), axis=axes).asnumpy()
    numpy.testing.assert_allclose(found, numpy.log(expected), rtol=1e-4)


@pytest.mark.parametrize("axis", [(), (0, 3), 3])
def test_softmax_along_axes_that_are_none_says_so(axis):
    with pytest.raises(ValueError, match=r"softmax: (expected an axis|axis 3 is no axis)"):
        activations.softmax(np.ones((2, 3, 4)), axis)


# --- attention ------------------------------------------------------------------------------------


ATTENTION = [
    (layers.Attention, {}),
    (layers.AdditiveAttention, {}),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}),
    (layers.GroupQueryAttention, {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
]


@pytest.mark.parametrize(("kind", "options"), ATTENTION)
def test_attention_on_symbolic_tensors_gives_its_scores_too(kind, options):
    query, value = Input((4, 6)), Input((5, 6))
    layer = kind(**options)
    given = ([query, value],) if issubclass(kind, layers.Attention) else (query, value)
    out, scores = layer(*given, return_attention_scores=True)
    model = Model([query, value], [out, scores])
    data = [RNG.normal(size=(2, n, 6)).astype("float32") for n in (4, 5)]
    found = model.predict(data, verbose=0)
    for tensor, array in zip((out, scores), found, strict=True):
        assert tensor.shape == (None, *array.shape[1:])
    numpy.testing.assert_allclose(found[1].sum(-1), 1.0, rtol=1e-5)


def test_attention_goes_along_the_last_axis_but_one():
    query, value = (RNG.normal(size=(2, 3, n, 4)).astype("float32") for n in (5, 6))
    out, scores = layers.Attention()([query, value], return_attention_scores=True)
    expected = softmax_of(query @ value.swapaxes(-1, -2), (-1,))
    numpy.testing.assert_allclose(scores.asnumpy(), expected, rtol=1e-5)
    numpy.testing.assert_allclose(out.asnumpy(), expected @ value, rtol=1e-4, atol=1e-6)


def test_attention_scores_are_those_that_dropout_left():
    x = numpy.ones((1, 3, 2), "float32")
    layer = layers.Attention(dropout=0.5, seed=1)
    out, scores = layer([x, x], return_attention_scores=True, training=True)
    found = scores.asnumpy()
    dropped = found == 0
    assert 0 < dropped.sum() < dropped.size
    numpy.testing.assert_allclose(found[~dropped], 2 / 3, rtol=1e-6)
    numpy.testing.assert_allclose(out.asnumpy(), scores.asnumpy() @ x, rtol=1e-6)


@pytest.mark.parametrize("kind", ATTENTION[2:])
def test_attention_needs_as_many_values_as_keys(kind):
    layer = kind[0](**kind[1])
    with pytest.raises(ValueError, match="as many values as keys"):
        layer.compute_output_shape((2, 4, 8), (2, 2, 8), (2, 1, 7))
    with pytest.raises(ValueError, match="of shape"):
        layer.compute_output_shape((2, 4, 8), (2, 2, 8), 7)


def test_the_output_shape_of_attention_is_of_whole_numbers():
    with pytest.raises(ValueError, match=r"expected output_shape .* got \(8\.0,\)"):
        layers.MultiHeadAttention(num_heads=2, key_dim=16, output_shape=8.0)


# --- merging --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [layers.Add, layers.Concatenate, layers.Maximum])
def test_masks_of_merged_layers_come_in_lists(kind):
    a, b = Input((4, 5)), Input((4, 5))
    layer = kind()
    for inputs, mask in (([a, b], numpy.ones((2, 4))), (a, [None, None]), ([a, b], [None])):
        with pytest.raises(ValueError, match=r"expected a list of (inputs|2 masks)"):
            layer.compute_mask(inputs, mask)


# --- inputs, wrappers -----------------------------------------------------------------------------


def test_an_input_layer_takes_a_tensor_for_its_output():
    tensor = KerasTensor((2, 3), "float32")
    layer = InputLayer(input_tensor=tensor)
    assert layer.output is tensor
    assert (layer.batch_shape, layer.dtype, layer.sparse) == ((2, 3), "float32", False)
    assert InputLayer((3,), 2, "float32", input_tensor=tensor).batch_shape == (2, 3)


def test_an_input_layer_leaves_a_tensor_that_a_layer_made_as_it_is():
    made = layers.Dense(2)(Input((3,)))
    layer = InputLayer(input_tensor=made)
    assert layer.output is not made
    assert layer.output.shape == (None, 2)
    assert made._keras_history.operation.name == "dense"


@pytest.mark.parametrize(
    "told",
    [{"shape": (4,)}, {"batch_shape": (2, 4)}, {"batch_size": 5}, {"dtype": "float16"}],
    ids=str,
)
def test_an_input_layer_refuses_what_its_tensor_is_not(told):
    with pytest.raises(ValueError, match=f"{next(iter(told))} is .* that of input_tensor"):
        InputLayer(input_tensor=KerasTensor((2, 3)), **told)


def test_an_input_layer_refuses_arrays():
    with pytest.raises(ValueError, match="symbolic tensor, got ndarray"):
        InputLayer(input_tensor=numpy.zeros((2, 3)))


def test_the_old_name_of_an_input_layers_shape_is_taken_with_a_warning():
    with pytest.warns(UserWarning, match="now called shape"):
        layer = InputLayer(input_shape=(2, 3), batch_size=4)
    assert layer.batch_shape == (4, 2, 3)


def test_symbolic_tensors_are_dense():
    with pytest.raises(ValueError, match="arrays are dense"):
        KerasTensor((2, 3), sparse=True)


def test_a_wrapper_is_around_a_layer():
    with pytest.raises(ValueError, match="expected a layer, got 'dense'"):
        layers.Wrapper("dense")


def test_the_first_argument_may_be_named_inputs():
    x = RNG.normal(size=(2, 3)).astype("float32")
    layer = layers.Dense(2)
    numpy.testing.assert_array_equal(layer(inputs=x).asnumpy(), layer(x).asnumpy())
    assert layer(inputs=Input((3,))).shape == (None, 2)


# --- integers -------------------------------------------------------------------------------------


ON_FLOATS = [
    (layers.Conv2D, {"filters": 2, "kernel_size": 2}, (2, 3, 4, 4)),
    (layers.SeparableConv1D, {"filters": 2, "kernel_size": 2}, (2, 3, 4)),
    (layers.MaxPooling2D, {}, (2, 3, 4, 4)),
    (layers.AdaptiveAveragePooling1D, {"output_size": 2}, (2, 3, 4)),
    (layers.LSTM, {"units": 2}, (2, 4, 3)),
    (layers.BatchNormalization, {}, (4, 3)),
    (layers.LayerNormalization, {}, (4, 3)),
    (layers.RMSNormalization, {}, (4, 3)),
    (layers.UnitNormalization, {}, (4, 3)),
]


@pytest.mark.parametrize(("kind", "options", "shape"), ON_FLOATS)
def test_layers_that_compute_on_floats_take_integers(kind, options, shape):
    x = RNG.integers(0, 5, shape) + 1
    layer = kind(**options)
    found, expected = layer(x), layer(x.astype("float32"))
    assert found.dtype == "float32"
    numpy.testing.assert_array_equal(found.asnumpy(), expected.asnumpy())


def test_a_model_of_integers_trains_compiled_as_one_of_floats():
    x = RNG.integers(0, 255, (8, 3, 4, 4)).astype("uint8")
    y = RNG.normal(size=(8, 2)).astype("float32")
    found = []
    for dtype in ("uint8", "float32"):
        stack = [
            Input((3, 4, 4), dtype=dtype),
            layers.Conv2D(2, 2, kernel_initializer="ones"),
            layers.Flatten(),
            layers.Dense(2, kernel_initializer="ones"),
        ]
        model = Sequential(stack)
        model.compile("sgd", "mse")
        model.optimizer.learning_rate = 1e-9
        history = model.fit(x.astype(dtype), y, epochs=2, batch_size=4, shuffle=False, verbose=0)
        assert model.jit_status == "compiled"
        found.append(history.history["loss"])
    numpy.testing.assert_allclose(*found, rtol=1e-5)


# --- dropout, reshaping ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [layers.Dropout, layers.SpatialDropout1D])
def test_everything_may_be_dropped(kind):
    x = RNG.normal(size=(2, 3, 4)).astype("float32")
    assert not kind(1.0)(x, training=True).asnumpy().any()
    numpy.testing.assert_array_equal(kind(1.0)(x).asnumpy(), x)
    assert not random.dropout(np.array(x), 1.0).asnumpy().any()


@pytest.mark.parametrize("n", ["3", 3.5, [3], True])
def test_steps_are_counted_in_whole_numbers(n):
    with pytest.raises(TypeError, match="expected an integer number of steps"):
        layers.RepeatVector(n)


@pytest.mark.parametrize("size", [2.5, "2", True])
def test_signals_are_made_larger_by_whole_factors(size):
    with pytest.raises(TypeError, match="expected an integer size"):
        layers.UpSampling1D(size)


@pytest.mark.parametrize("kind", [layers.Cropping1D, layers.ZeroPadding1D])
def test_a_signal_has_two_ends(kind):
    with pytest.raises(ValueError, match="expected an integer or two of them"):
        kind((1,))


def test_weights_know_their_number_of_axes():
    layer = layers.Dense(2)
    layer.build((None, 3))
    assert [w.ndim for w in layer.weights] == [2, 1]


# --- normalization --------------------------------------------------------------------------------


def test_a_mask_of_a_batch_normalization_broadcasts():
    x = RNG.normal(size=(4, 2, 3, 2)).astype("float32")
    mask = numpy.array([1, 0, 1, 1], bool).reshape(4, 1, 1)
    layer = layers.BatchNormalization(axis=-1, momentum=0.0)
    layer(x, training=True, mask=mask)
    kept = x[mask.ravel()]
    numpy.testing.assert_allclose(layer.moving_mean.asnumpy(), kept.mean((0, 1, 2)), atol=1e-6)
    numpy.testing.assert_allclose(layer.moving_variance.asnumpy(), kept.var((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("axis", [2, -3, [0, 99]])
def test_layer_normalization_along_no_axis_is_refused_before_any_data(axis):
    layer = layers.LayerNormalization(axis=axis)
    for ask in (layer.compute_output_shape, layer.build):
        with pytest.raises(ValueError, match="LayerNormalization 'layer_normalization'"):
            ask((2, 4))


@pytest.mark.parametrize("kind", [layers.LayerNormalization, layers.UnitNormalization])
def test_normalized_axes_are_numbers(kind):
    with pytest.raises(TypeError, match="expected axis to be a number or a list of them"):
        kind(axis={"axis": -1})
