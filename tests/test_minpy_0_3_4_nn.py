"""Programs for minpy 0.3.4's ``minpy.nn``, as its examples and tutorials have them."""

from __future__ import annotations

import pickle

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import core, datasets, runtime
from minpy.nn import init, layers, optim
from minpy.nn.io import DataBatch, DataIter, NDArrayIter, load_data_labels, save_data_labels
from minpy.nn.model import ModelBase, ParamsNameNotFoundError
from minpy.nn.solver import Solver
from minpy.primitive import customop

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")

batch_size = 64


@pytest.fixture(scope="module")
def digits():
    """Return training and test digits: 1280 and 512 images of 64 numbers from 0 to 1."""
    (x, y), (x_test, y_test) = datasets.digits()
    flat = [a.reshape(len(a), 64).astype("float32") / 16 for a in (x, x_test)]
    return (flat[0][:1280], y[:1280]), (flat[1][:512], y_test[:512])


def iterators(digits, kind=NDArrayIter, shape=(64,)):
    return [
        kind(x.reshape(-1, *shape), y, batch_size=batch_size, shuffle=i == 0)
        for i, (x, y) in enumerate(digits)
    ]


class TwoLayerNet(ModelBase):
    def __init__(self):
        super(TwoLayerNet, self).__init__()  # noqa: UP008
        self.add_param(name="w1", shape=(64, 48)) \
            .add_param(name="b1", shape=(48,)) \
            .add_param(name="w2", shape=(48, 10)) \
            .add_param(name="b2", shape=(10,))  # fmt: skip

    def forward(self, X, mode):
        X = np.reshape(X, (batch_size, 64))
        y1 = layers.affine(X, self.params["w1"], self.params["b1"])
        y2 = layers.relu(y1)
        return layers.affine(y2, self.params["w2"], self.params["b2"])

    def loss(self, predict, y):
        return layers.softmax_loss(predict, y)


def solved(model, data, **options):
    np.random.seed(0)
    told = {
        "num_epochs": 4,
        "init_rule": "gaussian",
        "init_config": {"stdvar": 0.1},
        "update_rule": "sgd_momentum",
        "optim_config": {"learning_rate": 0.1, "momentum": 0.9},
        "verbose": False,
    }
    solver = Solver(model, *data, **{**told, **options})
    solver.init()
    solver.train()
    return solver


# --- the solver -----------------------------------------------------------------------------------


def test_a_perceptron_learns_the_digits(digits, capsys):
    solver = solved(TwoLayerNet(), iterators(digits), verbose=True, print_every=20)
    assert solver.val_acc_history[-1] > 0.9  # chance is 0.1
    assert len(solver.loss_history) == 4 * 20
    printed = capsys.readouterr().out
    assert "(Iteration 1 / 80) loss: 2." in printed and "(Epoch 4 / 4) train acc" in printed
    # The parameters are those of the best epoch.
    best = max(solver.val_acc_history)
    assert solver.check_accuracy(solver.test_dataiter) == best == solver.best_val_acc


@needs_mxnet
def test_mxnets_own_iterator_gives_the_same_training(digits):
    import mxnet.io

    def losses(kind):
        data = [kind(x, y, batch_size=batch_size) for x, y in digits]
        return solved(TwoLayerNet(), data, num_epochs=1).loss_history

    ours, theirs = losses(NDArrayIter), losses(mxnet.io.NDArrayIter)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert minpy.nn.io.MNISTIter is mxnet.io.MNISTIter


def test_each_rule_learns(digits):
    rates = {"sgd": 0.5, "sgd_momentum": 0.1, "rmsprop": 0.01, "adam": 0.01}
    for rule, rate in rates.items():
        solver = solved(
            TwoLayerNet(),
            iterators(digits),
            num_epochs=2,
            update_rule=rule,
            optim_config={"learning_rate": rate},
        )
        assert solver.val_acc_history[-1] > 0.8, rule


def test_batch_normalization_and_dropout_with_statistics_that_start_without_a_value(digits):
    class Net(TwoLayerNet):
        def __init__(self):
            super().__init__()
            self.add_param(name="gamma", shape=(48,), init_rule="constant", init_config={"value": 1.0}) \
                .add_param(name="beta", shape=(48,), init_rule="constant") \
                .add_aux_param(name="running_mean", value=None) \
                .add_aux_param(name="running_var", value=None)  # fmt: skip  # noqa: E501

        def forward(self, X, mode):
            y = layers.relu(layers.affine(X, self.params["w1"], self.params["b1"]))
            y, self.aux_params["running_mean"], self.aux_params["running_var"] = layers.batchnorm(
                y,
                self.params["gamma"],
                self.params["beta"],
                mode=mode,
                running_mean=self.aux_params["running_mean"],
                running_var=self.aux_params["running_var"],
            )
            y = layers.dropout(y, 0.5, mode=mode)
            return layers.affine(y, self.params["w2"], self.params["b2"])

    model = Net()
    assert model.aux_params["running_mean"] is None
    assert model.param_configs["gamma"]["init_config"] == {"value": 1.0}
    solver = solved(model, iterators(digits))
    assert solver.val_acc_history[-1] > 0.9
    assert model.aux_params["running_mean"].shape == (48,)
    assert float(np.max(model.aux_params["running_var"])) > 0.01
    # The same model, trained by fit: the statistics are found in a first pass.
    model = Net()
    minpy.random.seed(0)
    model.compile(minpy.optimizers.Adam(0.01))
    model.fit(*digits[0], epochs=8, batch_size=64, verbose=0)
    predicted = model.predict(digits[1][0], verbose=0).argmax(axis=1)
    assert (predicted == digits[1][1]).mean() > 0.9
    assert model.jit_status == "compiled" or not runtime.available()


def test_regression_keeps_the_parameters_of_the_smallest_loss():
    rng = numpy.random.RandomState(0)
    x = rng.randn(256, 3).astype("float32")
    y = x @ numpy.array([[1.0], [-2.0], [0.5]], "float32") + 3

    class Line(ModelBase):
        def __init__(self):
            super().__init__()
            self.add_param("w", (3, 1)).add_param("b", (1,))

        def forward(self, X, mode):
            return layers.affine(X, self.params["w"], self.params["b"])

        def loss(self, predict, y):
            return layers.l2_loss(predict, y)

    data = [NDArrayIter(x, y, batch_size=32) for _ in range(2)]
    solver = solved(
        Line(),
        data,
        task_type="regression",
        num_epochs=30,
        update_rule="sgd",
        optim_config={"learning_rate": 0.05},
        lr_decay=0.95,
    )
    numpy.testing.assert_allclose(solver.model.params["w"].asnumpy().T, [[1, -2, 0.5]], atol=1e-3)
    assert solver.best_val_acc == min(solver.val_acc_history) < 1e-6
    assert solver.optim_configs["w"]["learning_rate"] == pytest.approx(0.05 * 0.95**30)


def test_a_solver_of_ones_own_reads_the_parameters_by_closure(digits):
    """A subclass does its own steps, as the original's policy gradient solver does."""

    class Accumulating(Solver):
        def train(self):
            x, y = digits[0]
            for start in range(0, 1280, batch_size):
                X, labels = x[start : start + batch_size], y[start : start + batch_size]

                def loss_func(*params, X=X, labels=labels):
                    return self.model.loss(self.model.forward(np.array(X), "train"), labels)

                arrays = list(self.model.params.values())
                grads, loss = core.grad_and_loss(loss_func, argnum=range(len(arrays)))(*arrays)
                self.loss_history.append(float(loss))
                for (name, w), g in zip(self.model.params.items(), grads, strict=True):
                    new, self.optim_configs[name] = self.update_rule(w, g, self.optim_configs[name])
                    self.model.params[name] = new

    np.random.seed(0)
    solver = Accumulating(TwoLayerNet(), None, None, update_rule="adam")
    solver.init()
    solver.train()
    assert min(solver.loss_history[-5:]) < 0.9 * solver.loss_history[0]


def test_training_is_written_for_tensorboard(digits, tmp_path):
    solved(
        TwoLayerNet(),
        iterators(digits),
        num_epochs=2,
        visualize=True,
        summaries_dir=str(tmp_path),
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train, test = (EventAccumulator(str(tmp_path / name)) for name in ("train", "test"))
    train.Reload()
    test.Reload()
    assert len(train.Scalars("loss")) == 40
    assert len(train.Scalars("squared L2-norm of the gradient")) == 40
    assert [e.step for e in test.Scalars("accuracy")] == [1, 2]


def test_wrong_options_are_named(digits):
    model, data = TwoLayerNet(), iterators(digits)
    with pytest.raises(ValueError, match="learning"):
        Solver(model, *data, learning=1)
    with pytest.raises(ValueError, match="update_rule among"):
        Solver(model, *data, update_rule="newton")
    with pytest.raises(ValueError, match="task_type"):
        Solver(model, *data, task_type="ranking")
    with pytest.raises(ValueError, match="init_rule"):
        Solver(model, *data, init_rule="magic")
    with pytest.raises(ValueError, match="no training data"):
        Solver(model, None, None).train()


# --- symbols in models ----------------------------------------------------------------------------


def test_a_convolutional_symbol_under_numpy_style_layers(digits):
    mx = pytest.importorskip("mxnet")

    @customop("numpy")
    def my_softmax(x, y):
        p = numpy.exp(x - numpy.max(x, axis=1, keepdims=True))
        p /= numpy.sum(p, axis=1, keepdims=True)
        return -numpy.sum(numpy.log(p[numpy.arange(len(x)), y.astype(int)])) / len(x)

    @my_softmax.def_grad
    def my_softmax_grad(ans, x, y):
        def grad(g):
            p = numpy.exp(x - numpy.max(x, axis=1, keepdims=True))
            p /= numpy.sum(p, axis=1, keepdims=True)
            p[numpy.arange(len(x)), y.astype(int)] -= 1
            return p / len(x)

        return grad

    class ConvolutionNet(ModelBase):
        def __init__(self):
            super().__init__()
            net = mx.sym.Variable(name="X")
            net = mx.sym.Convolution(data=net, name="conv", kernel=(3, 3), num_filter=8)
            net = mx.sym.Activation(data=net, act_type="relu")
            net = mx.sym.Pooling(data=net, pool_type="max", kernel=(2, 2), stride=(2, 2))
            net = mx.sym.Flatten(data=net)
            self.conv = core.Function(net, input_shapes={"X": (batch_size, 1, 8, 8)}, name="conv")
            self.add_params(self.conv.get_params())
            features = self.conv.get_one_output_shape()[1]
            self.add_param(name="w1", shape=(features, 10)).add_param(name="b1", shape=(10,))

        def forward(self, X, mode):
            out = self.conv(X=X, **self.params)
            return layers.affine(out, self.params["w1"], self.params["b1"])

        def loss(self, predict, y):
            return my_softmax(predict, y)

    solver = solved(ConvolutionNet(), iterators(digits, shape=(1, 8, 8)), num_epochs=3)
    assert solver.val_acc_history[-1] > 0.85


def symbolic_classifier(mx):
    class Net(ModelBase):
        def __init__(self):
            super().__init__()
            net = mx.sym.FullyConnected(mx.sym.Variable("X"), name="fc1", num_hidden=48)
            net = mx.sym.Activation(data=net, act_type="relu")
            net = mx.sym.FullyConnected(net, name="fc2", num_hidden=10)
            net = mx.sym.SoftmaxOutput(data=net, name="softmax", normalization="batch")
            shapes = {"X": (batch_size, 64), "softmax_label": (batch_size,)}
            self.net = core.Function(net, input_shapes=shapes, name="net")
            self.add_params(self.net.get_params())

        def forward_batch(self, batch, mode):
            return self.net(X=batch.data[0], softmax_label=batch.label[0], **self.params)

        def loss(self, predict, y):
            return layers.softmax_cross_entropy(predict, y)

    return Net()


def test_a_model_that_is_one_symbol_with_its_loss(digits):
    mx = pytest.importorskip("mxnet")
    solver = solved(symbolic_classifier(mx), iterators(digits))
    assert solver.val_acc_history[-1] > 0.9
    assert solver.loss_history[0] == pytest.approx(2.3, abs=0.5)  # of ten classes: log 10


def test_a_symbol_in_a_model_is_compiled_into_fits_graph(digits):
    mx = pytest.importorskip("mxnet")
    x, y = digits[0]

    class Net(ModelBase):
        def __init__(self):
            super().__init__()
            net = mx.sym.FullyConnected(mx.sym.Variable("X"), name="fc", num_hidden=10)
            self.net = core.Function(net, input_shapes={"X": (64, 64)})
            self.add_params(self.net.get_params())

        def forward(self, X, mode):
            return self.net(X=X, **self.params)

        def loss(self, predict, y):
            return layers.softmax_loss(predict, y)

    found = {}
    for jit in (False, "auto"):
        minpy.random.seed(0)
        model = Net()
        model.compile(minpy.optimizers.SGD(0.1), jit=jit)
        found[jit] = model.fit(x, y, epochs=2, batch_size=64, verbose=0).history["loss"]
        assert model.jit_status.startswith("compiled") == (jit == "auto"), model.jit_status
    numpy.testing.assert_allclose(found["auto"], found[False], rtol=1e-5)
    assert found["auto"][1] < found["auto"][0]


def test_a_symbol_that_normalizes_is_trained_by_fit_and_by_a_solver(digits):
    mx = pytest.importorskip("mxnet")

    class Net(ModelBase):
        def __init__(self):
            super().__init__()
            net = mx.sym.FullyConnected(mx.sym.Variable("X"), name="fc1", num_hidden=32)
            net = mx.sym.BatchNorm(net, name="bn", fix_gamma=False, momentum=0.8)
            net = mx.sym.Activation(net, act_type="relu")
            net = mx.sym.FullyConnected(net, name="fc2", num_hidden=10)
            self.net = core.Function(net, input_shapes={"X": (64, 64)}, name="net")
            self.add_params(self.net.get_params())
            for name, shape in self.net.get_aux_shapes().items():
                self.add_aux_param(name, numpy.ones(shape) * ("var" in name))

        def forward(self, X, mode):
            self.net.is_train = mode == "train"
            return self.net(X=X, **self.params, **self.aux_params)

        def loss(self, predict, y):
            return layers.softmax_loss(predict, y)

    def trained_by_fit(model):
        minpy.random.seed(0)
        model.params["bn_gamma"] = numpy.ones(32)
        model.compile(minpy.optimizers.Adam(0.01))
        model.fit(*digits[0], batch_size=64, epochs=4, verbose=0)
        # In training it normalizes by the batch, in a prediction by what it has gathered: one
        # graph can't do both, so it runs eagerly.
        assert "BatchNorm" in model.jit_status

    def trained_by_solver(model):
        rules = {"init_rule": "xavier", "update_rule": "adam"}
        solved(model, iterators(digits), **rules, optim_config={"learning_rate": 0.01})

    for train in (trained_by_fit, trained_by_solver):
        model = Net()
        train(model)
        assert float(np.abs(model.aux_params["bn_moving_mean"]).max()) > 0.1
        predicted = model.predict(digits[1][0], verbose=0).argmax(axis=1)
        assert (predicted == digits[1][1]).mean() > 0.85, train.__name__


# --- models ---------------------------------------------------------------------------------------


def test_parameters_are_set_as_a_dict(digits):
    model = TwoLayerNet()
    model.params = {"b1": numpy.ones(48)}
    assert float(model.params["b1"].sum()) == 48
    with pytest.raises(ParamsNameNotFoundError, match="'b3'"):
        model.params = {"b3": numpy.ones(48)}
    with pytest.raises(ValueError, match="exists already"):
        model.add_aux_param("w1", None)
    model.add_aux_param("a", None).add_aux_param("c", [1.0, 2.0])
    assert list(model.aux_params) == ["c", "a"] and len(model.aux_params) == 2
    with pytest.raises(ValueError, match="exists already"):
        model.add_aux_param("a", None)
    with pytest.raises(KeyError, match="add_aux_param"):
        model.aux_params["d"] = 3
    with pytest.raises(KeyError):
        model.aux_params["d"]
    with pytest.raises(TypeError, match="deleted"):
        del model.aux_params["a"]


def test_what_a_program_says_of_a_parameter_is_kept():
    model = ModelBase()
    model.add_params({"w": {"shape": (2, 3), "init_rule": "gaussian"}, "b": {"shape": (3,)}})
    model.add_param("own", (2,), update_rule="sgd")
    assert model.param_configs == {
        "w": {"shape": (2, 3), "init_rule": "gaussian"},
        "b": {"shape": (3,)},
        "own": {"shape": (2,), "update_rule": "sgd"},
    }


# --- layers ---------------------------------------------------------------------------------------


def by_hand_lstm(x, h, c, Wx, Wh, b):
    a = x @ Wx + h @ Wh + b
    n = h.shape[1]
    sigmoid = [1 / (1 + numpy.exp(-a[:, k * n : (k + 1) * n])) for k in range(3)]
    c = sigmoid[1] * c + sigmoid[0] * numpy.tanh(a[:, 3 * n :])
    return sigmoid[2] * numpy.tanh(c), c


def test_recurrent_layers_compute_what_their_equations_say():
    rng = numpy.random.RandomState(0)
    x, h0 = rng.randn(3, 5, 4), rng.randn(3, 6)
    Wx, Wh, b = rng.randn(4, 6), rng.randn(6, 6), rng.randn(6)
    h = h0
    expected = []
    for t in range(5):
        h = numpy.tanh(x[:, t] @ Wx + h @ Wh + b)
        expected.append(h)
    found = layers.rnn_temporal(*map(np.array, (x, h0, Wx, Wh, b)))
    numpy.testing.assert_allclose(found.asnumpy(), numpy.stack(expected, 1), rtol=1e-6)

    Wx, Wh, b = rng.randn(4, 24), rng.randn(6, 24), rng.randn(24)
    h, c, expected = h0, numpy.zeros_like(h0), []
    for t in range(5):
        h, c = by_hand_lstm(x[:, t], h, c, Wx, Wh, b)
        expected.append(h)
    found = layers.lstm_temporal(*map(np.array, (x, h0, Wx, Wh, b)))
    numpy.testing.assert_allclose(found.asnumpy(), numpy.stack(expected, 1), rtol=1e-6)

    gates = rng.randn(4, 12), rng.randn(6, 12), rng.randn(12)
    own = rng.randn(4, 6), rng.randn(6, 6), rng.randn(6)
    rz = 1 / (1 + numpy.exp(-(x[:, 0] @ gates[0] + h0 @ gates[1] + gates[2])))
    r, z = rz[:, :6], rz[:, 6:]
    m = numpy.tanh(x[:, 0] @ own[0] + (r * h0) @ own[1] + own[2])
    found = layers.gru_step(*map(np.array, (x[:, 0], h0, *gates, *own)))
    numpy.testing.assert_allclose(found.asnumpy(), z * h0 + (1 - z) * m, rtol=1e-6)


def test_layers_over_time():
    rng = numpy.random.RandomState(0)
    x, w, b = rng.randn(2, 3, 4), rng.randn(4, 5), rng.randn(5)
    scores = layers.temporal_affine(x, np.array(w), np.array(b))
    numpy.testing.assert_allclose(scores.asnumpy(), x @ w + b, rtol=1e-6)
    y, mask = rng.randint(0, 5, (2, 3)), numpy.array([[1, 1, 0], [1, 0, 0]], bool)
    p = numpy.exp(x @ w + b)
    p /= p.sum(-1, keepdims=True)
    expected = -(numpy.log(numpy.take_along_axis(p, y[..., None], 2))[..., 0] * mask).sum() / 2
    assert float(layers.temporal_softmax_loss(scores, y, mask)) == pytest.approx(expected)


def test_shapes_that_the_original_broadcast():
    rng = numpy.random.RandomState(0)
    x, w = rng.randn(6, 4), rng.randn(4, 3)
    out = layers.affine(x, np.array(w), np.array(x[:, :1]))
    numpy.testing.assert_allclose(out.asnumpy(), x @ w + x[:, :1], rtol=1e-6)
    flat, _, _ = layers.batchnorm(np.array(x), np.ones(4), np.zeros(4))
    wide, _, _ = layers.batchnorm(np.array(x), np.ones((1, 4)), np.zeros((1, 4)))
    numpy.testing.assert_array_equal(flat.asnumpy(), wide.asnumpy())


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_cross_entropy_of_probabilities(one_hot):
    rng = numpy.random.RandomState(0)
    scores = rng.randn(7, 4)
    y = rng.randint(0, 4, 7)
    p = numpy.exp(scores)
    p /= p.sum(1, keepdims=True)
    label = numpy.eye(4)[y] if one_hot else y.astype("float32")
    found = layers.softmax_cross_entropy(np.array(p), label)
    assert float(found) == pytest.approx(-numpy.log(p[range(7), y]).mean())
    g = core.grad(lambda s: layers.softmax_cross_entropy(layers.softmax(s), label))(scores)
    numpy.testing.assert_allclose(g.asnumpy(), (p - numpy.eye(4)[y]) / 7, atol=1e-7)
    with pytest.raises(ValueError, match="class numbers from 0 to 3"):
        layers.softmax_cross_entropy(np.array(p), numpy.full(7, 4))


# --- rules ----------------------------------------------------------------------------------------


def test_update_rules_equal_their_formulas():
    rng = numpy.random.RandomState(0)
    w, grads = rng.randn(5), rng.randn(3, 5)
    told = {
        "sgd": {"learning_rate": 0.1},
        "sgd_momentum": {"learning_rate": 0.1, "momentum": 0.8},
        "rmsprop": {"learning_rate": 0.1, "decay_rate": 0.9},
        "adam": {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9},
    }

    def reference(rule):
        x, m, v = w.copy(), 0 * w, 0 * w
        for t, g in enumerate(grads, 1):
            if rule == "sgd":
                x = x - 0.1 * g
            elif rule == "sgd_momentum":
                v = 0.8 * v - 0.1 * g
                x = x + v
            elif rule == "rmsprop":
                v = 0.9 * v + 0.1 * g**2
                x = x - 0.1 * g / (numpy.sqrt(v) + 1e-8)
            else:
                m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
                x = x - 0.1 * m / (1 - 0.8**t) / (numpy.sqrt(v / (1 - 0.9**t)) + 1e-8)
        return x

    for rule, config in told.items():
        x = np.array(w)
        for g in grads:
            x, config = getattr(optim, rule)(x, np.array(g), config)
        numpy.testing.assert_allclose(x.asnumpy(), reference(rule), rtol=1e-9, err_msg=rule)
        assert getattr(optim, rule)(np.ones(2), np.ones(2))[1]["learning_rate"] > 0


def test_initial_values_have_the_spread_that_was_asked_for():
    np.random.seed(3)
    w = init.xavier((300, 100), {}).asnumpy()
    assert w.std() == pytest.approx(numpy.sqrt(6 / 400), rel=0.02)
    assert init.xavier((150,), {}).asnumpy().std() == pytest.approx(numpy.sqrt(6 / 150), rel=0.2)
    g = init.gaussian((200, 100), {"mu": 2.0, "stdvar": 0.5}).asnumpy()
    assert (g.mean(), g.std()) == (pytest.approx(2, abs=0.02), pytest.approx(0.5, rel=0.02))
    assert init.constant((2,), {"value": 3}).tolist() == [3, 3]
    assert init.custom((2,), {"function": lambda shape: numpy.full(shape, 7)}).tolist() == [7, 7]
    assert init.custom((2,)).tolist() == [0, 0]
    assert init.find_rule("orthogonal")((3, 3), None).shape == (3, 3)


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [numpy.array, np.array], ids=["numpy", "minpy"])
@pytest.mark.parametrize(("size", "batches"), [(100, 10), (128, 8)])
def test_batches_keep_data_and_labels_together(make, size, batches):
    numbers = numpy.arange(1000) // 100
    data, labels = make(numbers[:, None, None] * numpy.ones((1, 2, 2))), make(numbers[:, None])
    shuffled = NDArrayIter(data, labels, batch_size=size, shuffle=True)
    seen = [b.data[0].asnumpy()[:, 0, 0] for b in shuffled]
    assert len(seen) == batches == shuffled.getnumiterations()
    assert (numpy.sort(numpy.concatenate(seen)[:1000]) == numbers).all()
    assert not (numpy.concatenate(seen)[:1000] == numbers).all()
    counts = numpy.zeros(10, int)
    for batch in NDArrayIter(data, labels, batch_size=size):
        label = batch.label[0].asnumpy().flatten().astype(int)
        assert (batch.data[0].asnumpy()[:, 0, 0] == label).all()
        numpy.add.at(counts, label, 1)
    # What fills the last batch up are the first samples.
    assert counts.tolist() == [100 + batches * size - 1000, *[100] * 9]


def test_the_last_batch():
    x = numpy.arange(10.0)
    padded = NDArrayIter(x, batch_size=4)
    assert [b.pad for b in padded] == [0, 0, 2]
    discarded = NDArrayIter(x, batch_size=4, last_batch_handle="discard")
    assert [b.data[0].tolist() for b in discarded] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    rolled = NDArrayIter(x, batch_size=4, last_batch_handle="roll_over")
    assert [b.data[0].tolist() for b in rolled][-1] == [8, 9, 0, 1]
    rolled.reset()
    assert next(rolled).data[0].tolist() == [2, 3, 4, 5]
    rolled.hard_reset()
    assert next(rolled).data[0].tolist() == [0, 1, 2, 3]


def test_iterators_of_several_arrays_and_parts_of_them():
    x, z = numpy.arange(20.0).reshape(10, 2), numpy.arange(10)
    data = NDArrayIter({"a": x, "b": z}, [z, z], batch_size=5)
    assert data.provide_data == [("a", (5, 2)), ("b", (5,))]
    assert [name for name, _ in data.provide_label] == ["_0_softmax_label", "_1_softmax_label"]
    assert data.num_source == 4 and len(data.data_list) == 4
    part = data.getsubiter(5)
    batch = next(part)
    assert (batch.data[0].asnumpy()[:, 0] == 2 * batch.label[0].asnumpy()).all()
    assert len(set(batch.label[0].tolist())) == 5
    assert "data" in repr(batch)


def test_wrong_data_is_named():
    with pytest.raises(TypeError, match="got str"):
        NDArrayIter("data")
    with pytest.raises(TypeError, match="a to be an array"):
        NDArrayIter({"a": [1]})
    with pytest.raises(ValueError, match="one length"):
        NDArrayIter(numpy.ones(3), numpy.ones(4))
    with pytest.raises(ValueError, match="batch size"):
        NDArrayIter(numpy.ones(3), batch_size=4)
    with pytest.raises(ValueError, match="last_batch_handle"):
        NDArrayIter(numpy.ones(3), last_batch_handle="drop")
    with pytest.raises(ValueError, match="no data"):
        NDArrayIter([])
    with pytest.raises(ValueError, match="reset"):
        NDArrayIter(numpy.ones(3)).getdata()
    with pytest.raises(AttributeError):
        minpy.nn.io.NothingIter  # noqa: B018


def test_an_iterator_of_ones_own():
    class Squares(DataIter):
        def __init__(self):
            super().__init__()
            self.i = -1

        def iter_next(self):
            self.i += 1
            return self.i < 3

        def getdata(self):
            return [np.array([float(self.i**2)])]

        def getindex(self):
            return self.i

    batches = list(Squares())
    assert [float(b.data[0][0]) for b in batches] == [0, 1, 4]
    assert isinstance(batches[0], DataBatch) and [b.index for b in batches] == [0, 1, 2]


def test_data_files_come_back_also_those_of_the_original(tmp_path):
    x, y = numpy.random.RandomState(0).randn(4, 3), numpy.arange(4)
    save_data_labels(x, y, tmp_path / "new")
    with open(tmp_path / "old", "wb") as file:
        pickle.dump({"data": x, "labels": y}, file, protocol=2)
    for name in ("new", "old"):
        data, labels = load_data_labels(tmp_path / name)
        numpy.testing.assert_array_equal(data, x)
        numpy.testing.assert_array_equal(labels, y)


def test_a_data_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("it ran",))

    with open(tmp_path / "evil", "wb") as file:
        pickle.dump({"data": Evil(), "labels": 1}, file)
    with pytest.raises(ValueError, match="only NumPy arrays"):
        load_data_labels(tmp_path / "evil")
    (tmp_path / "text").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="text"):
        load_data_labels(tmp_path / "text")


# --- the writer -----------------------------------------------------------------------------------


def test_scalars_are_written_for_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from minpy.visualization import summaryOps
    from minpy.visualization.writer import LegacySummaryWriter as SummaryWriter

    writer = SummaryWriter(str(tmp_path / "train"))
    for step, value in enumerate([np.array([1.5]), numpy.array(2.5), 3.5]):
        writer.add_summary(summaryOps.scalarSummary("loss", value), step)
    writer.add_summary(summaryOps.scalarSummary("loss", 4).SerializeToString(), 3)
    writer.flush()
    writer.close()
    assert writer.get_logdir() == str(tmp_path / "train")
    events = EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [
        (0, 1.5),
        (1, 2.5),
        (2, 3.5),
        (3, 4.0),
    ]
    with pytest.raises(ValueError, match="one number"):
        summaryOps.scalarSummary("loss", numpy.ones(2))


def test_l2_loss_takes_class_numbers_of_any_dtype():
    """Iterators give labels as floats, and the benchmarks made them with `np.zeros`."""
    scores = np.array([[0.5, 2.0], [1.0, -1.0], [0.0, 0.0]])
    one_hot = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    expected = float(((scores - one_hot) ** 2).sum() / 3)
    for labels in (one_hot, np.array([0.0, 1.0, 0.0]), np.array([0, 1, 0])):
        assert float(layers.l2_loss(scores, labels)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="expected class numbers from 0 to 1, got 0 to 2"):
        layers.l2_loss(scores, np.array([0.0, 2.0, 0.0]))
    assert float(layers.l2_loss(scores[:, :1], scores[:, 0])) == 0.0
    gradient = minpy.grad(layers.l2_loss)(scores, np.zeros((3,)))
    numpy.testing.assert_allclose(gradient[:, 0].asnumpy(), [-1 / 3, 0, -2 / 3], rtol=1e-6)
