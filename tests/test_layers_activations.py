"""Activation layers in graphs, and what they refuse; `test_layers_keras` has Keras' numbers."""

from __future__ import annotations

import numpy as np
import pytest
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy import activations, layers
from minpy.errors import ShapeError
from minpy.models import Sequential, load_model


def test_settings_and_inputs_that_make_no_sense_are_refused():
    for settings in ({"max_value": -1.0}, {"negative_slope": -1.0}, {"threshold": -1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))} from 0, got -1.0"):
            layers.ReLU(**settings)
    with pytest.raises(ValueError, match="negative_slope from 0, got None"):
        layers.LeakyReLU(None)
    with pytest.raises(ValueError, match="axis to be a number or a list of them, got 'last'"):
        layers.Softmax("last")
    with pytest.raises(ShapeError, match="axis 2 is no axis of an input with 2 axes"):
        layers.Softmax(2)(mnp.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"mask that broadcasts.*\(2, 3\), got \(4,\)"):
        layers.Softmax()(mnp.ones((2, 3)), mask=mnp.ones(4))
    with pytest.raises(ValueError, match=r"shared_axes to be numbers from 1.*got \[0\]"):
        layers.PReLU(shared_axes=[0])
    with pytest.raises(ShapeError, match=r"shared_axes \[3\] names an axis"):
        layers.PReLU(shared_axes=[3])(mnp.ones((2, 3)))
    with pytest.raises(ShapeError, match="axes of unknown length must be among shared_axes"):
        layers.PReLU()._build_once((None, None, 3))
    with pytest.raises(ValueError, match="did you mean 'gelu'"):
        layers.Activation("gelo")


def test_where_a_mask_leaves_nothing_softmax_is_0():
    mask = mnp.array([[True, True, False], [False, False, False]])
    out = layers.Softmax()(mnp.ones((2, 3)), mask=mask).asnumpy()
    np.testing.assert_allclose(out, [[0.5, 0.5, 0], [0, 0, 0]])


def test_all_of_them_in_one_model_are_saved_loaded_and_trained_compiled(tmp_path):
    model = Sequential([
        layers.PReLU(input_shape=(4, 6)),
        layers.LeakyReLU(0.1),
        layers.ELU(0.5),
        layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.1),
        layers.Activation("mish"),
        layers.Softmax(axis=[1, 2]),
    ])  # fmt: skip
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((8, 4, 6)).astype("float32")
    model.fit(x, x, epochs=2, batch_size=4, verbose=0)
    assert NEEDS_MXNET or model.jit_status == "compiled"
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.get_config() == model.get_config()


def test_sparsemax_is_the_nearest_point_among_probabilities():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 6)) * 2
    found = activations.sparsemax(x).asnumpy()
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-12)
    assert (found >= 0).all() and (found == 0).any()
    # No random probabilities are nearer; and those of a vertex are itself.
    others = rng.dirichlet(np.ones(6), 2000)
    distances = ((x[:, None] - others) ** 2).sum(-1).min(1)
    assert (((x - found) ** 2).sum(-1) <= distances).all()
    np.testing.assert_array_equal(activations.sparsemax(np.eye(3) * 5).asnumpy(), np.eye(3))
    np.testing.assert_allclose(activations.sparsemax(x.T, axis=0).asnumpy(), found.T)
    minpy.check_grads(lambda x: activations.sparsemax(x) ** 2)(x)


@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
def test_sparsemax_can_be_part_of_a_graph():
    x = mnp.array(np.random.default_rng(0).standard_normal((5, 4, 6)).astype("float32"))
    for axis in (-1, 1):

        def loss(x, axis=axis):
            return mnp.sum(activations.sparsemax(x, axis) ** 3)

        compiled = minpy.jit(loss)
        np.testing.assert_allclose(
            minpy.grad(compiled)(x).asnumpy(), minpy.grad(loss)(x).asnumpy(), atol=1e-6
        )
        assert compiled.jit_status == "compiled"
