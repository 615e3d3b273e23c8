"""Learn to add numbers written as text: one recurrent network reads, another writes.

    python examples/addition.py [--small]

Sutskever, Vinyals and Le, 2014; reversing what is read, as there, makes it easier. No rule of
addition is given: the held-out sums were never seen.
"""

import sys

import numpy

import minpy
from minpy.layers import LSTM, Dense, Input, RepeatVector, TimeDistributed
from minpy.models import Sequential
from minpy.utils import to_categorical

SIGNS = "0123456789+ "


def encode(texts):
    return numpy.array([[SIGNS.index(sign) for sign in text] for text in texts])


def sums(digits, count, seed=0):
    """Return questions such as "7+12 ", reversed and as one-hot rows, and their answers."""
    generator = numpy.random.default_rng(seed)
    largest = 10**digits
    pairs = generator.permutation(largest**2)[:count]
    a, b = pairs // largest, pairs % largest
    questions = [f"{x}+{y}".ljust(2 * digits + 1)[::-1] for x, y in zip(a, b, strict=True)]
    answers = [str(x + y).ljust(digits + 1) for x, y in zip(a, b, strict=True)]
    return to_categorical(encode(questions), len(SIGNS)), encode(answers)


def network(digits, units):
    model = Sequential(
        [
            Input((2 * digits + 1, len(SIGNS))),
            LSTM(units),
            RepeatVector(digits + 1),
            LSTM(units, return_sequences=True),
            TimeDistributed(Dense(len(SIGNS), activation="softmax")),
        ],
        name="addition",
    )
    model.compile(
        minpy.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def main(small=False):
    minpy.random.seed(0)
    digits, count, epochs = (1, 100, 150) if small else (2, 10_000, 60)
    x, y = sums(digits, count)
    held_out = count // 10
    model = network(digits, 64 if small else 128)
    model.fit(x[held_out:], y[held_out:], batch_size=30 if small else 128, epochs=epochs, verbose=0)
    written = model.predict(x[:held_out], verbose=0).argmax(axis=-1)
    for question, answer in zip(x[:5].argmax(axis=-1), written, strict=False):
        asked = "".join(SIGNS[i] for i in question)[::-1].strip()
        print(f"{asked} = {''.join(SIGNS[i] for i in answer)}")
    right = (written == y[:held_out]).all(axis=1).mean()
    seen = (model.predict(x[held_out:], verbose=0).argmax(axis=-1) == y[held_out:]).all(1).mean()
    print(f"{seen:.1%} of the sums seen are right")
    print(f"{right:.1%} of the sums never seen are right")
    print(f"training ran: {model.jit_status}")
    return seen, right


if __name__ == "__main__":
    main("--small" in sys.argv)
