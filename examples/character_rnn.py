"""Learn a text letter by letter, and go on writing it: the Zen of Python.

    python examples/character_rnn.py [--small]

The text comes with Python (``import this``). The network reads forty letters and says how likely
each next one is; greedy writing from a beginning recites the text once it is learnt.
"""

import contextlib
import io
import sys

import numpy

import minpy
from minpy.callbacks import LambdaCallback
from minpy.layers import GRU, Dense, Embedding, Input
from minpy.losses import SparseCategoricalCrossentropy
from minpy.models import Sequential

LENGTH = 40


def zen():
    """Return the Zen of Python, which the module `this` holds in code and prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return "".join(this.d.get(letter, letter) for letter in this.s)


def windows(text, letters):
    """Return stretches of the text as numbers, and the same stretches one letter on."""
    numbers = numpy.array([letters.index(letter) for letter in text])
    starts = numpy.arange(0, len(text) - LENGTH)
    x = numbers[starts[:, None] + numpy.arange(LENGTH)]
    y = numbers[starts[:, None] + numpy.arange(1, LENGTH + 1)]
    return x, y


def network(letters, units):
    return Sequential(
        [
            Input((None,), dtype="int32"),
            Embedding(len(letters), 32),
            GRU(units, return_sequences=True),
            Dense(len(letters)),
        ],
        name="zen",
    )


def written(model, letters, start, count):
    """Return how the model goes on after a start, always with the likeliest letter."""
    text = start
    for _ in range(count):
        read = numpy.array([[letters.index(letter) for letter in text[-LENGTH:].rjust(LENGTH)]])
        text += letters[int(model.predict(read, verbose=0)[0, -1].argmax())]
    return text


def main(small=False):
    minpy.random.seed(0)
    text = zen()
    letters = sorted(set(text))
    x, y = windows(text, letters)
    model = network(letters, 96 if small else 256)
    model.compile(minpy.optimizers.Adam(0.01), loss=SparseCategoricalCrossentropy(from_logits=True))
    show = LambdaCallback(
        on_epoch_end=lambda epoch, logs: print(f"epoch {epoch + 1}: loss {logs['loss']:.3f}")
    )
    model.fit(x, y, batch_size=64, epochs=8 if small else 40, verbose=0, callbacks=[show])
    start = text[text.index("Beautiful") :][:LENGTH]
    went_on = written(model, letters, start, 60)
    expected = text[text.index("Beautiful") :][: LENGTH + 60]
    same = numpy.mean([a == b for a, b in zip(went_on[LENGTH:], expected[LENGTH:], strict=True)])
    print(f"\n{went_on}\n\n{same:.0%} of the sixty letters are the text's")
    print(f"training ran: {model.jit_status}")
    return same


if __name__ == "__main__":
    main("--small" in sys.argv)
