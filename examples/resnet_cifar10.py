"""A residual network on photographs in CIFAR-10's format.

    python examples/resnet_cifar10.py [FOLDER] [--small]

FOLDER holds ``cifar-10-python.tar.gz`` or the unpacked ``cifar-10-batches-py``; the archive is
fetched (170 MB) where neither is there. He et al., 2015, section 4.2: three stages of blocks, each
stage with half the resolution and twice the channels of the one before.
"""

import sys

import minpy
from minpy import datasets
from minpy.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    Input,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Rescaling,
)
from minpy.models import Model, Sequential
from minpy.optimizers import SGD
from minpy.optimizers.schedules import CosineDecay


def block(x, channels, strides):
    """Two convolutions beside a shortcut, which is a convolution where the shape changes."""
    shortcut = x
    x = Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    x = BatchNormalization(momentum=0.9)(x)
    x = ReLU()(x)
    x = Conv2D(channels, 3, padding="same", use_bias=False)(x)
    x = BatchNormalization(momentum=0.9)(x)
    if strides != 1 or shortcut.shape[1] != channels:
        shortcut = Conv2D(channels, 1, strides=strides, use_bias=False)(shortcut)
        shortcut = BatchNormalization(momentum=0.9)(shortcut)
    return ReLU()(Add()([x, shortcut]))


def resnet(blocks, channels, classes=10):
    inputs = Input((3, 32, 32))
    x = Rescaling(1 / 127.5, offset=-1)(inputs)
    x = Conv2D(channels, 3, padding="same", use_bias=False)(x)
    x = ReLU()(BatchNormalization(momentum=0.9)(x))
    for stage in range(3):
        for number in range(blocks):
            x = block(x, channels * 2**stage, 2 if stage and not number else 1)
    return Model(inputs, Dense(classes, activation="softmax")(GlobalAveragePooling2D()(x)))


def main(folder="out/cifar10", small=False):
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = datasets.cifar10(folder)
    print(f"{len(x_train)} photographs to train on, {len(x_test)} held out, 32×32 pixels each")
    blocks, channels, epochs, batch_size = (1, 8, 8, 32) if small else (3, 16, 60, 128)
    model = resnet(blocks, channels)
    steps = epochs * (len(x_train) // batch_size)
    model.compile(
        SGD(CosineDecay(0.1, steps), momentum=0.9, nesterov=True, weight_decay=5e-4),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    if not small:  # the photographs change from epoch to epoch
        moved = Sequential([RandomFlip("horizontal"), RandomTranslation(0.125, 0.125)])
    for epoch in range(epochs):
        x = x_train if small else moved(x_train, training=True)
        history = model.fit(x, y_train, batch_size=batch_size, verbose=0)
        print(f"epoch {epoch + 1}: loss {history.history['loss'][0]:.3f}")
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"{accuracy:.1%} of the held-out photographs are right")
    print(f"training ran: {model.jit_status}")
    return accuracy


if __name__ == "__main__":
    folders = [a for a in sys.argv[1:] if a != "--small"]
    main(*folders, small="--small" in sys.argv)
