"""Train a small convolutional network on real handwritten digits, from data to a saved model.

    python examples/digits.py [FOLDER]

Fits with validation, TensorBoard and checkpoints; draws learning curves and a confusion matrix;
then a fresh process loads the saved model and has to give the same predictions, bit for bit.
Everything is written under FOLDER (``out/digits``).
"""

import pathlib
import subprocess
import sys
import time

import numpy

import minpy
from minpy import datasets
from minpy.callbacks import ModelCheckpoint, ReduceLROnPlateau, TensorBoard
from minpy.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from minpy.losses import SparseCategoricalCrossentropy
from minpy.models import Sequential, load_model

EPOCHS = 30


def digits():
    """Return training and test digits as images (n, 1, 8, 8) from 0 to 1, with their labels."""
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    return (x_train[:, None] / 16, y_train), (x_test[:, None] / 16, y_test)


def network():
    return Sequential(
        [
            Input((1, 8, 8)),
            Conv2D(32, 3, padding="same", activation="relu"),
            BatchNormalization(momentum=0.9),
            Conv2D(32, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Dropout(0.25),
            Flatten(),
            Dense(128, activation="relu"),
            Dropout(0.5),
            Dense(10),
        ],
        name="digits",
    )


def draw_curves(history, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(history.history[name], label="training")
        axes.plot(history.history[f"val_{name}"], label="held out")
        axes.set(xlabel="epoch", title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def draw_confusion(labels, predicted, path):
    from matplotlib.figure import Figure

    counts = numpy.zeros((10, 10), int)
    numpy.add.at(counts, (labels, predicted), 1)
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in numpy.ndenumerate(counts):
        if count:
            color = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, count, ha="center", va="center", color=color)
    axes.set(xlabel="predicted", ylabel="digit", xticks=range(10), yticks=range(10))
    figure.savefig(path, dpi=120)


def check_in_fresh_process(model_file, predictions_file):
    """Load the model in a new interpreter and compare its predictions with the saved ones."""
    subprocess.run(
        [sys.executable, __file__, "--check", str(model_file), str(predictions_file)], check=True
    )


def check(model_file, predictions_file):
    _, (x_test, _) = digits()
    found = load_model(model_file).predict(x_test, verbose=0)
    if not numpy.array_equal(found, numpy.load(predictions_file)):
        sys.exit("the loaded model's predictions differ from the saved ones")
    print("a fresh process loaded the model and gave the same predictions, bit for bit")


def main(folder="out/digits"):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = digits()
    print(f"{len(x_train)} digits to train on, {len(x_test)} held out, 8×8 pixels each\n")

    model = network()
    model.summary()
    model.compile(
        "adam", loss=SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    start = time.perf_counter()
    history = model.fit(
        x_train,
        y_train,
        epochs=EPOCHS,
        validation_data=(x_test, y_test),
        callbacks=[
            TensorBoard(folder / "logs", histogram_freq=5, write_images=True),
            ModelCheckpoint(folder / "best.h5", monitor="val_accuracy", save_best_only=True),
            ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=5),
        ],
    )
    seconds = time.perf_counter() - start
    model.save(folder / "model.h5")

    predictions = model.predict(x_test, verbose=0)
    numpy.save(folder / "predictions.npy", predictions)
    predicted = predictions.argmax(axis=1)
    accuracy = (predicted == y_test).mean()
    draw_curves(history, folder / "curves.png")
    draw_confusion(y_test, predicted, folder / "confusion.png")
    print(f"\n{accuracy:.2%} of the held-out digits are right, after {seconds:.1f} s of training")
    check_in_fresh_process(folder / "model.h5", folder / "predictions.npy")
    print(
        f"""
model            {folder / "model.h5"} (the best epoch's: {folder / "best.h5"})
learning curves  {folder / "curves.png"}
confusion matrix {folder / "confusion.png"}
TensorBoard      {sys.executable} -m tensorboard.main --logdir {folder / "logs"}"""
    )
    return accuracy


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
