"""`ModelBase` as programs for minpy 0.3.4 use it."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import datasets
from minpy.nn import layers
from minpy.nn.model import ModelBase


class TwoLayerNet(ModelBase):
    def __init__(self):
        super(TwoLayerNet, self).__init__()  # noqa: UP008
        self.add_param(name="w1", shape=(64, 32)).add_param(name="b1", shape=(32,))
        self.add_param(name="w2", shape=(32, 10)).add_param(name="b2", shape=(10,))

    def forward(self, X, mode):
        X = np.reshape(X, (X.shape[0], 64))
        y1 = layers.relu(layers.affine(X, self.params["w1"], self.params["b1"]))
        return layers.affine(y1, self.params["w2"], self.params["b2"])

    def loss(self, predict, y):
        return layers.softmax_loss(predict, y)


@pytest.fixture(scope="module")
def digits():
    (x, y), _ = datasets.digits()
    return x[:640] / 16, y[:640]


def test_fit_needs_no_compile_and_learns(digits):
    minpy.random.seed(0)
    model = TwoLayerNet()
    history = model.fit(*digits, epochs=40, verbose=0)
    assert history.history["loss"][-1] < 0.5
    predicted = model.predict(digits[0], verbose=0).argmax(axis=1)
    assert (predicted == digits[1]).mean() > 0.9


def test_forward_is_told_the_mode(digits):
    modes = []

    class Net(TwoLayerNet):
        def forward(self, X, mode):
            modes.append(mode)
            return super().forward(X, mode)

    model = Net()
    model.fit(digits[0][:32], digits[1][:32], verbose=0)
    assert modes[-1] == "train"
    model.predict(digits[0][:32], verbose=0)
    assert modes[-1] == "test"


def test_gradients_are_those_of_the_loss(digits):
    x, y = digits[0][:32], digits[1][:32]
    model = TwoLayerNet()
    before = {name: value.asnumpy() for name, value in model.params.items()}
    model.compile(minpy.optimizers.SGD(1.0))
    model.train_on_batch(x, y)

    def loss(params):
        h = layers.relu(layers.affine(np.array(x).reshape((32, 64)), params["w1"], params["b1"]))
        return layers.softmax_loss(layers.affine(h, params["w2"], params["b2"]), y)

    expected = minpy.grad(loss)({name: np.array(value) for name, value in before.items()})
    for name, g in expected.items():
        moved = before[name] - model.params[name].asnumpy()
        numpy.testing.assert_allclose(moved, g.asnumpy(), rtol=1e-4, atol=1e-6)


def test_params_are_a_dict_of_arrays():
    model = TwoLayerNet()
    assert list(model.params) == ["w1", "b1", "w2", "b2"]
    assert model.params["w1"].shape == (64, 32)
    model.params["b1"] = numpy.ones(32)
    assert float(model.params["b1"].sum()) == 32
    with pytest.raises(ValueError, match="shape"):
        model.params["b1"] = numpy.ones(3)
    with pytest.raises(KeyError, match="add_param"):
        model.params["nope"] = numpy.ones(3)
    with pytest.raises(ValueError, match="exists already"):
        model.add_param("w1", (2, 2))


@pytest.mark.parametrize(
    ("rule", "config", "low", "high"),
    [
        ("constant", {"value": 2.0}, 2.0, 2.0),
        ("gaussian", {"stdvar": 0.5}, 0.45, 0.55),
        ("zeros", None, 0.0, 0.0),
    ],
)
def test_init_rules(rule, config, low, high):
    minpy.random.seed(1)
    model = ModelBase()
    model.add_param("w", (200, 100), init_rule=rule, init_config=config)
    value = model.params["w"].asnumpy()
    spread = value.std() if rule == "gaussian" else value.mean()
    assert low <= spread <= high


def test_aux_params_keep_running_statistics_and_are_not_trained():
    class Normed(ModelBase):
        def __init__(self):
            super().__init__()
            self.add_param("gamma", (3,), init_rule="constant", init_config={"value": 1.0})
            self.add_param("beta", (3,))
            self.add_aux_param("mean", numpy.zeros(3)).add_aux_param("var", numpy.ones(3))

        def forward(self, X, mode):
            out, self.aux_params["mean"], self.aux_params["var"] = layers.batchnorm(
                X,
                self.params["gamma"],
                self.params["beta"],
                mode=mode,
                momentum=0.5,
                running_mean=self.aux_params["mean"],
                running_var=self.aux_params["var"],
            )
            return out

        def loss(self, predict, y):
            return layers.l2_loss(predict, y)

    x = numpy.random.default_rng(0).standard_normal((32, 3)).astype("float32") + 5
    model = Normed()
    model.fit(x, x, batch_size=32, epochs=1, verbose=0)
    numpy.testing.assert_allclose(model.aux_params["mean"].asnumpy(), x.mean(axis=0) / 2, rtol=1e-5)
    assert [p.name for p in model.trainable_weights] == ["gamma", "beta"]
    before = model.aux_params["mean"].asnumpy()
    model.predict(x, verbose=0)
    numpy.testing.assert_array_equal(before, model.aux_params["mean"].asnumpy())


def test_save_and_load_by_prefix(tmp_path, digits):
    model = TwoLayerNet()
    model.fit(digits[0][:64], digits[1][:64], verbose=0)
    model.save(tmp_path / "net")
    other = TwoLayerNet()
    other.load(tmp_path / "net")
    numpy.testing.assert_array_equal(
        other.predict(digits[0], verbose=0), model.predict(digits[0], verbose=0)
    )
    assert other.optimizer.iterations == model.optimizer.iterations


def test_sample_weights_need_a_loss_that_can_be_weighted(digits):
    model = TwoLayerNet()
    with pytest.raises(ValueError, match="compile\\(loss="):
        model.fit(digits[0][:32], digits[1][:32], sample_weight=numpy.ones(32), verbose=0)


def test_a_model_without_forward_or_loss_says_so(digits):
    with pytest.raises(RuntimeError, match="compile"):
        ModelBase().fit(*digits, verbose=0)
