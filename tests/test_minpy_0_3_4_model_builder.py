"""``minpy.nn.model_builder`` and ``minpy.nn.modules`` as programs for minpy 0.3.4 use them."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.nn.model_builder as builder
import minpy.numpy as np
from minpy import datasets
from minpy.nn import layers
from minpy.nn.io import NDArrayIter
from minpy.nn.model_builder import Layer, Model, Sequential, Updater
from minpy.nn.solver import Solver

mx = pytest.importorskip("mxnet")

from minpy.nn.modules import (  # noqa: E402
    LSTM,
    RNN,
    BatchFlatten,
    BatchNorm,
    BatchReshape,
    Convolution,
    Dropout,
    Embedding,
    Flatten,
    FullyConnected,
    Identity,
    Logistic,
    Pooling,
    ReLU,
    Reshape,
    Symbolic,
    Tanh,
    Variable,
)

rng = numpy.random.RandomState(0)


@pytest.fixture(scope="module")
def digits():
    (x, y), _ = datasets.digits()
    return x[:1280].reshape(-1, 64).astype("float32") / 16, y[:1280]


def trained(model, updater, data, epochs):
    """Go over the data as the original's examples do; return the first and the last losses."""
    losses = []
    for _ in range(epochs):
        data.reset()
        for batch in data:
            loss = model(batch.data[0], labels=batch.label[0])
            updater(model.backward())
            losses.append(float(loss))
    return numpy.mean(losses[:3]), numpy.mean(losses[-3:])


def accuracy(model, x, y):
    return float((np.argmax(model.forward(np.array(x), "inference"), axis=1) == np.array(y)).mean())


class Perceptron(Model):
    def __init__(self):
        super(Perceptron, self).__init__(loss="softmax_loss")  # noqa: UP008
        self._hidden = Sequential(FullyConnected(num_hidden=48), ReLU(), Dropout(0.2))
        self._scores = FullyConnected(num_hidden=10)

    def forward(self, data, mode="training"):
        if mode == "training":
            self.training()
        elif mode == "inference":
            self.inference()
        return self._scores(self._hidden(data))


def test_a_perceptron_learns_and_its_rate_is_changed_on_the_way(digits):
    np.random.seed(0)
    minpy.random.seed(0)
    model = Perceptron()
    updater = Updater(model, update_rule="sgd_momentum", learning_rate=0.1, momentum=0.9)
    data = NDArrayIter(*digits, batch_size=64, shuffle=True)
    trained(model, updater, data, 3)
    updater.learning_rate *= 0.1
    assert updater.learning_rate == pytest.approx(0.01)
    trained(model, updater, data, 1)
    assert accuracy(model, *digits) > 0.95
    # What was built so can be trained on by fit.
    model.compile(minpy.optimizers.SGD(0.01))
    history = model.fit(*digits, batch_size=64, epochs=1, verbose=0)
    assert history.history["loss"][-1] < 0.5


def test_gradients_are_those_of_the_composition(digits):
    class Net(Model):
        def __init__(self):
            super().__init__(loss="l2_loss")
            self.a = FullyConnected(num_hidden=5)
            self.b = FullyConnected(num_hidden=5)
            # The sum, difference and product of modules are modules.
            self.net = Sequential(Tanh()) + Identity()
            self.other = (Logistic() - Identity()) * Tanh()

        def forward(self, X, mode="training"):
            return self.net(self.a(X)) + self.other(self.b(X))

    x, y = rng.randn(6, 4).astype("float32"), rng.randn(6, 5).astype("float32")
    model = Net()
    loss = model(x, labels=y)
    found = model.backward()
    names = list(found)
    assert sorted(names) == sorted(model.params) and len(names) == 4
    before = {k: v.asnumpy() for k, v in model.params.items()}
    wa, ba, wb, bb = (k for part in (model.a, model.b) for k in part._param_names)

    def reference(p):
        a = np.dot(np.array(x), p[wa].T) + p[ba]
        b = np.dot(np.array(x), p[wb].T) + p[bb]
        out = np.tanh(a) + a + (1 / (1 + np.exp(-b)) - b) * np.tanh(b)
        return np.sum((out - y) ** 2) / 6

    value, gradients = minpy.value_and_grad(reference)({k: np.array(v) for k, v in before.items()})
    assert float(loss) == pytest.approx(float(value), rel=1e-5)
    for name, g in gradients.items():
        numpy.testing.assert_allclose(found[name].asnumpy(), g.asnumpy(), rtol=1e-3, atol=1e-5)
    # The other ways to ask for the same.
    assert float(model(x, y)) == float(loss)  # labels second, as some of the examples have it
    again, loss_again = model.grad_and_loss(x, y)
    assert float(loss_again) == float(loss)
    numpy.testing.assert_array_equal(again[wa].asnumpy(), found[wa].asnumpy())
    numpy.testing.assert_allclose(
        model.backward(np.array(2.0))[wa].asnumpy(), 2 * found[wa].asnumpy(), rtol=1e-5
    )
    assert isinstance(model(x, labels=y, reduce_array=True), float)


def test_parameters_can_be_left_out_of_the_gradients():
    model = Model(loss="l2_loss")
    model.a, model.b = Variable((3,), name="one"), Variable((3,), name="two")
    model.forward = lambda X, mode: X * model.a() + model.b()
    x = numpy.ones((2, 3))
    model(x, labels=x)
    assert set(model.backward()) == {"one_variable", "two_variable"}
    model.detach("one_variable")
    model(x, labels=x)
    assert set(model.backward()) == {"two_variable"}
    model.attach("one_variable")
    model(x, labels=x, attach_all=False)
    assert set(model.backward()) == {"one_variable"}
    with pytest.raises(KeyError, match="two_variable"):
        model.detach("three")


@pytest.mark.parametrize("kind", [RNN, LSTM])
def test_recurrent_networks_use_one_symbol_at_every_step(kind, digits):
    """The original could not: its symbols held the state of one call."""

    class Net(Model):
        def __init__(self):
            super().__init__(loss="softmax_loss")
            self._rnn = kind(32, "tanh")
            self._linear = FullyConnected(num_hidden=10)

        def forward(self, data, mode="training"):
            state = ()
            for i in range(data.shape[1]):
                out = self._rnn(data[:, i, :], *state)
                state = out if isinstance(out, tuple) else (out,)
            return self._linear(state[0])

    np.random.seed(0)
    x, y = digits[0].reshape(-1, 8, 8)[:640], digits[1][:640]
    model = Net()
    updater = Updater(model, update_rule="rmsprop", learning_rate=0.005)
    first, last = trained(model, updater, NDArrayIter(x, y, batch_size=64), 6)
    assert first > 2 and last < 1.2  # of ten classes: log 10 by chance
    assert accuracy(model, x, y) > 0.6


def test_the_recurrent_weight_of_an_rnn_starts_as_the_identity():
    model = Model()
    model.rnn = RNN(4, "relu")
    model.rnn(np.zeros((2, 3)))
    weight = model.params[model.rnn.HH_weight]
    numpy.testing.assert_array_equal(weight.asnumpy(), numpy.eye(4))


def test_a_residual_network_of_convolutions(digits):
    def normalized(filters, *after):
        return Sequential(
            Convolution(kernel=(3, 3), pad=(1, 1), num_filter=filters, no_bias=True),
            BatchNorm(fix_gamma=False, momentum=0.9),
            *after,
        )

    class ResNet(Model):
        def __init__(self):
            super().__init__(loss="softmax_loss")
            self._first = Sequential(BatchReshape((1, 8, 8)), normalized(8, ReLU()))
            self._blocks = tuple(
                Sequential(normalized(8, ReLU()), normalized(8)) + Identity() for _ in range(2)
            )
            self._last = Sequential(
                Pooling(pool_type="avg", kernel=(2, 2), stride=(2, 2)),
                BatchFlatten(),
                FullyConnected(num_hidden=10),
            )

        def forward(self, data, mode="training"):
            getattr(self, mode)()
            data = self._first(data)
            for block in self._blocks:
                data = block(data)
            return self._last(data)

    np.random.seed(0)
    model = ResNet()
    updater = Updater(model, update_rule="adam", learning_rate=0.01)
    first, last = trained(model, updater, NDArrayIter(*digits, batch_size=64), 2)
    assert last < 0.3 < first
    # In inference it normalizes by the statistics that training has gathered.
    assert accuracy(model, *digits) > 0.9
    assert len(model.aux_params) == 10
    assert any(float(np.abs(v).max()) > 0.1 for v in model.aux_params.values())


def test_a_whole_symbol_is_a_module(digits):
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=24, name="fc1")
    net = mx.sym.Activation(net, act_type="relu")
    net = mx.sym.FullyConnected(net, num_hidden=10, name="fc2")

    class Net(Model):
        def __init__(self):
            super().__init__(loss="softmax_loss")
            self._symbolic = Symbolic(net, init_configs={"fc1_bias": {"value": 0.5}}, name="net")

        def forward(self, data, mode="training"):
            return self._symbolic(data=data)

    np.random.seed(0)
    model = Net()
    model(digits[0][:4], labels=digits[1][:4])
    assert list(model.params) == [
        "net_fc1_weight",
        "net_fc1_bias",
        "net_fc2_weight",
        "net_fc2_bias",
    ]
    assert float(model.params["net_fc1_bias"].min()) == 0.5
    updater = Updater(model, update_rule="adam", learning_rate=0.01)
    _, last = trained(model, updater, NDArrayIter(*digits, batch_size=64), 4)
    assert last < 0.5


def test_shapes_and_embeddings():
    model = Model()
    model.parts = [Reshape((3, 4)), Flatten(), Embedding(input_dim=5, output_dim=2)]
    reshape, flatten, embedding = model.parts
    x = np.arange(12.0)
    assert reshape(x).shape == (3, 4) and flatten(reshape(x)).shape == (12,)
    rows = embedding(np.array([1, 3, 1]))
    weight = model.params[embedding.weight].asnumpy()
    numpy.testing.assert_array_equal(rows.asnumpy(), weight[[1, 3, 1]])
    assert list(embedding.param_dict) == [embedding.weight] and embedding.aux_param_dict == {}


def test_a_layer_of_ones_own():
    class Scale(Layer):
        _module_name = "scale"

        def __init__(self, init_configs=None, update_configs=None):
            super().__init__(("gamma", "shift"))
            self._register_init_configs(init_configs)
            self._register_update_configs(update_configs)

        def forward(self, X):
            gamma, shift = self._get_params(self.gamma, self.shift)
            return X * gamma + shift

        def param_shapes(self, input_shape):
            return dict.fromkeys((self.gamma, self.shift), input_shape[1:])

    class Net(Model):
        def __init__(self):
            super().__init__(loss="l2_loss")
            self.scale = Scale(
                {("gamma", "shift"): {"init_rule": "constant"}, "shift": {"value": 2}},
                {"update_rule": "sgd", "gamma": {"learning_rate": 0.5}},
            )

        def forward(self, X, mode="training"):
            return self.scale(X)

    x = rng.randn(8, 3).astype("float32")
    model = Net()
    updater = Updater(model, learning_rate=0.1)
    model(x, labels=3 * x)
    shift = model.scale.shift
    assert model.params[shift].tolist() == [2, 2, 2]
    updater[shift].learning_rate = 0.2
    with pytest.raises(AttributeError, match="differ"):
        updater.learning_rate  # noqa: B018
    for _ in range(300):
        model(x, labels=3 * x)
        updater(model.backward())
    assert set(updater.keys()) == set(model.params)
    numpy.testing.assert_allclose(model.params[model.scale.gamma].asnumpy(), 3, atol=1e-3)
    numpy.testing.assert_allclose(model.params[shift].asnumpy(), 0, atol=1e-3)


def test_mistakes_are_named():
    with pytest.raises(RuntimeError, match="attribute"):
        FullyConnected(num_hidden=2)(np.ones((1, 2)))
    with pytest.raises(TypeError, match="modules"):
        Sequential(3)
    model = Model()
    with pytest.raises(RuntimeError, match="call the model first"):
        model.backward()
    with pytest.raises(NotImplementedError, match="Variable"):
        model.add_param("w", (2,))
    model.a = Identity(name="same")
    with pytest.raises(ValueError, match="same"):
        model.b = Identity(name="same")
    model.v = Variable((1,), name="v")
    model.v()
    with pytest.raises(ValueError, match="update_rule"):
        Updater(model)({"v_variable": np.ones(1)})


def test_modules_can_be_rearranged():
    net = Sequential(ReLU(name="a"), Tanh(name="b"))
    net.append(Identity(name="c"))
    net.insert(0, Identity(name="d"))
    net.reverse()
    assert repr(net) == "[c, b, a, d]" and net.pop().name == "d" and len(net) == 3
    assert [m.name for m in net] == ["c", "b", "a"]


# --- the layers up to 0.3.3, which the tutorials use ----------------------------------------------


def solved(model, digits, epochs, rule="sgd_momentum", rate=0.1):
    np.random.seed(0)
    data = [NDArrayIter(*digits, batch_size=64, shuffle=i == 0) for i in range(2)]
    solver = Solver(
        model,
        *data,
        num_epochs=epochs,
        init_rule="gaussian",
        init_config={"stdvar": 0.001},
        update_rule=rule,
        optim_config={"learning_rate": rate},
        verbose=False,
    )
    solver.init()
    solver.train()
    return solver.val_acc_history[-1]


def test_the_tutorials_convolutional_network(digits):
    net = builder.Sequential(
        builder.Reshape((1, 8, 8)),
        builder.Convolution((3, 3), 8),
        builder.ReLU(),
        builder.Pooling("max", (2, 2), (2, 2)),
        builder.Flatten(),
        builder.Affine(32),
        builder.Affine(10),
    )
    model = builder.Model(net, "softmax", (64,))
    assert sorted(p.shape for p in model.params.values()) == [
        (8,),
        (8, 1, 3, 3),
        (10,),
        (32,),
        (32, 10),
        (72, 32),
    ]
    assert solved(model, digits, epochs=4) > 0.85  # chance is 0.1
    # It is compiled by fit, too.
    model.compile(minpy.optimizers.SGD(0.01))
    history = model.fit(*digits, batch_size=64, epochs=1, verbose=0)
    assert model.jit_status.startswith("compiled") and history.history["loss"][0] < 0.7


def test_the_gallerys_residual_network(digits):
    def normalized(kernels, *after):
        return builder.Sequential(
            builder.Convolution((3, 3), kernels, (1, 1), (1, 1)),
            builder.SpatialBatchNormalization(),
            *after,
        )

    net = builder.Sequential(builder.Reshape((1, 8, 8)), normalized(8, builder.ReLU()))
    net.append(
        builder.Add(
            builder.Sequential(normalized(8, builder.ReLU()), normalized(8)), builder.Identity()
        )
    )
    net.append(builder.Pooling("avg", (2, 2), (2, 2)))
    net.append(builder.Reshape((128,)))
    net.append(builder.Affine(10))
    model = builder.Model(net, "softmax", (64,))
    assert solved(model, digits, epochs=2, rule="adam", rate=0.01) > 0.9
    means = [v for k, v in model.aux_params.items() if "mean" in k]
    assert len(means) == 3 and all(float(np.abs(m).max()) > 0 for m in means)


def test_the_gallerys_perceptron_exports_what_it_computes(digits):
    storage = {}
    net = builder.Sequential(
        builder.Affine(24, {"bias": {"init_rule": "constant", "init_config": {"value": 0.5}}}),
        builder.Export("affine0", storage),
        builder.Tanh(),
        builder.BatchNormalization(),
        builder.Dropout(0.1),
        builder.Sigmoid(),
        builder.Affine(10),
    )
    model = builder.Model(net, lambda predict, y: layers.svm_loss(predict, y), 64)
    x = np.array(digits[0][:64])
    model.forward(x, mode="test")
    weight = next(v for v in model.params.values() if v.shape == (64, 24))
    expected = x.asnumpy() @ weight.asnumpy() + 0.5
    numpy.testing.assert_allclose(storage["affine0"].asnumpy(), expected, rtol=1e-4, atol=1e-5)
    assert solved(model, digits, epochs=3, rule="adam", rate=0.03) > 0.9
    with pytest.raises(ValueError, match="affine0"):
        builder.Export("affine0", storage)


@pytest.mark.parametrize("mode", ["max", "avg", "sum"])
def test_pooling_is_mxnets(mode):
    x = rng.randn(2, 3, 7, 6).astype("float32")
    args = {"kernel": (3, 2), "stride": (2, 2), "pad": (1, 1)}
    expected = mx.nd.Pooling(mx.nd.array(x), pool_type=mode, **args).asnumpy()
    found = builder.Pooling(mode, (3, 2), (2, 2), (1, 1))(np.array(x))
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-5, atol=1e-6)


def test_mistakes_in_models_of_one_module_are_named():
    with pytest.raises(TypeError, match="shape of a sample"):
        builder.Model(builder.Affine(3), "softmax")
    with pytest.raises(ValueError, match="Reshape"):
        builder.Model(builder.Convolution((3, 3), 2), "l2", (5,))
    with pytest.raises(ValueError, match="'median'"):
        builder.Pooling("median", (2, 2))
    with pytest.raises(TypeError, match="two modules"):
        builder.Add(builder.Identity())
    with pytest.raises(AttributeError, match="Nothing"):
        builder.Nothing  # noqa: B018


class Div(builder.Binary):
    """As a program for 0.3.4 adds an operation to those that there are."""

    _module_name = "div"

    def __init__(self, left, right, name=None):
        super().__init__(left, right, lambda a, b: a / (1 + b * b), name)


class Branches(builder.Parallel):
    """A container of one's own: modules on the same input, joined end to end."""

    _module_name = "branches"

    def __init__(self, *modules, name=None):
        super().__init__(name)
        self.branches = modules

    def forward(self, X):
        return np.concatenate([module(X) for module in self.branches], axis=1)

    def training(self):
        for module in self.branches:
            module.training()

    def inference(self):
        for module in self.branches:
            module.inference()

    def _affiliate_to(self, model):
        for module in self.branches:
            module._affiliate_to(model)


@pytest.mark.parametrize("kind", [Div, Branches])
def test_a_container_of_ones_own_is_trained_with_what_is_inside(kind, digits):
    class Net(Model):
        def __init__(self):
            super().__init__(loss="softmax_loss")
            hidden = kind(
                Sequential(FullyConnected(num_hidden=32), ReLU()),
                Sequential(FullyConnected(num_hidden=32), Tanh(), Dropout(0.2)),
            )
            self.net = Sequential(hidden, FullyConnected(num_hidden=10))

        def forward(self, X, mode="training"):
            return self.net(X)

    minpy.random.seed(0)
    model = Net()
    updater = Updater(model, update_rule="adam", learning_rate=0.01)
    first, last = trained(model, updater, NDArrayIter(*digits, batch_size=128), epochs=4)
    assert len(model.params) == 6 and last < 0.3 * first
    model.inference()
    x = np.array(digits[0][:8])
    numpy.testing.assert_array_equal(model.net(x).asnumpy(), model.net(x).asnumpy())


def test_operations_on_two_modules_have_the_originals_arguments_and_text():
    left, right, x = Identity("left"), Tanh("right"), np.array([1.0, 2.0])
    named = builder.Add(left, right, "sum")
    assert (named.name, repr(named)) == ("sum", "left add right")
    assert isinstance(named, builder.Binary) and isinstance(named, builder.Parallel)
    assert repr(Div(left, right)) == "left div right"
    expected = 2 * (x - np.tanh(x)) - x
    found = builder.Sub(builder.Sub(left=left, right=right) + (left - right), left)(x)
    numpy.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-6)
    three = builder.Mul(left, right, right)
    numpy.testing.assert_allclose(three(x).asnumpy(), (x * np.tanh(x) ** 2).asnumpy(), rtol=1e-6)
    assert named.param_shapes((3,)) == named.aux_param_shapes((3,)) == {}
    with pytest.raises(TypeError, match="function of two arrays"):
        builder.Binary(left, right, "+")
