"""A two-layer network as a `ModelBase`: parameters by name, a forward pass, a loss, and ``fit``.

python examples/two_layer_net.py
"""

import minpy
import minpy.numpy as np
from minpy import datasets
from minpy.nn import layers

batch_size = 32
flattened_input_size = 64
hidden_size = 128
num_classes = 10


class TwoLayerNet(minpy.nn.model.ModelBase):
    def __init__(self):
        super(TwoLayerNet, self).__init__()  # noqa: UP008
        self.add_param(name="w1", shape=(flattened_input_size, hidden_size)) \
            .add_param(name="b1", shape=(hidden_size,)) \
            .add_param(name="w2", shape=(hidden_size, num_classes)) \
            .add_param(name="b2", shape=(num_classes,))  # fmt: skip

    def forward(self, X, mode):
        X = np.reshape(X, (batch_size, flattened_input_size))
        y1 = layers.affine(X, self.params["w1"], self.params["b1"])
        y2 = layers.relu(y1)
        y3 = layers.affine(y2, self.params["w2"], self.params["b2"])
        return y3

    def loss(self, predict, y):
        return layers.softmax_loss(predict, y)


def main():
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    # The forward pass above is written for whole batches.
    whole = len(x_train) // batch_size * batch_size
    X, y = x_train[:whole] / 16, y_train[:whole]

    model = TwoLayerNet()
    model.fit(X, y, epochs=10)

    whole = len(x_test) // batch_size * batch_size
    predicted = model.predict(x_test[:whole] / 16, batch_size=batch_size, verbose=0).argmax(axis=1)
    accuracy = (predicted == y_test[:whole]).mean()
    print(f"{accuracy:.1%} of {whole} digits that it hasn't seen are right")
    return accuracy


if __name__ == "__main__":
    main()
