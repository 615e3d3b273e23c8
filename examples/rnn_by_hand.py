"""A recurrent network written by hand, that learns to spell from Python's own documentation.

    python examples/rnn_by_hand.py [--small]

An LSTM (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000) in NumPy reads
text and predicts the next character. The text is that which ``help()`` shows. A guess that knows
how often each character comes, and nothing of what came before, is measured beside it.
"""

import itertools
import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np


def documentation(length):
    """Return English text of Python's documentation, lower case, in an alphabet of few letters."""
    from pydoc_data.topics import topics

    text = " ".join(" ".join(topics[name].split()) for name in sorted(topics)).lower()
    kept = "abcdefghijklmnopqrstuvwxyz ,.()_'\"="
    return "".join(c for c in text if c in kept)[:length]


class Alphabet:
    """The characters of a text, and their numbers."""

    def __init__(self, text):
        self.letters = sorted(set(text))
        self.number = {c: i for i, c in enumerate(self.letters)}

    def __len__(self):
        return len(self.letters)

    def encode(self, text):
        return numpy.array([self.number[c] for c in text])


def start(rng, letters, units):
    scale = 1 / numpy.sqrt(units)
    bias = numpy.zeros(4 * units, "float32")
    bias[units : 2 * units] = 1  # remember, at first

    def uniform(*shape):
        return np.array(rng.uniform(-scale, scale, shape).astype("float32"))

    return {
        "input": uniform(letters, 4 * units),
        "state": uniform(units, 4 * units),
        "bias": np.array(bias),
        "output": uniform(units, letters),
        "frequencies": np.zeros(letters),
    }


def sigmoid(x):
    return 0.5 * (np.tanh(0.5 * x) + 1)


def step(params, letter, h, c):
    """Return the next state and cell for a batch of letters, (batch,)."""
    units = h.shape[1]
    a = params["input"][letter] + np.dot(h, params["state"]) + params["bias"]
    i, f, o = (sigmoid(a[:, k * units : (k + 1) * units]) for k in range(3))
    c = f * c + i * np.tanh(a[:, 3 * units :])
    return o * np.tanh(c), c


def cross_entropy(params, letters):
    """Return the mean cross-entropy of each next letter, in nats; letters are (time, batch)."""
    h = c = np.zeros((letters.shape[1], params["state"].shape[0]))
    total = 0.0
    for now, following in itertools.pairwise(letters):
        h, c = step(params, now, h, c)
        scores = np.dot(h, params["output"]) + params["frequencies"]
        top = np.max(scores, axis=1)
        logs = top + np.log(np.sum(np.exp(scores - top[:, None]), axis=1))
        total = total + np.mean(logs - scores[np.arange(len(following)), following])
    return total / (len(letters) - 1)


def write(params, alphabet, begin, length, rng):
    """Return text that the network writes, one letter drawn after the other."""
    h = c = np.zeros((1, params["state"].shape[0]))
    text = begin
    for at in range(len(begin) + length - 1):
        h, c = step(params, alphabet.encode(text[at]), h, c)
        if at < len(begin) - 1:
            continue
        scores = (np.dot(h, params["output"]) + params["frequencies"]).asnumpy()[0].astype(float)
        p = numpy.exp(scores - scores.max())
        text += alphabet.letters[rng.choice(len(p), p=p / p.sum())]
    return text


def main(small=False):
    rng = numpy.random.default_rng(0)
    text = documentation(60_000 if small else 300_000)
    alphabet = Alphabet(text)
    numbers = alphabet.encode(text)
    split = len(numbers) * 9 // 10
    updates, time, batch, units = (90, 16, 24, 40) if small else (1500, 50, 64, 128)

    def pieces(of, count):
        at = rng.integers(0, len(of) - time - 1, count)
        return np.array(numpy.stack([of[at + i] for i in range(time + 1)]))

    frequency = numpy.bincount(numbers[:split], minlength=len(alphabet)) / split
    held_out = pieces(numbers[split:], 200)
    seen = held_out.asnumpy()[1:]
    guess = float(-numpy.log(numpy.maximum(frequency, 1e-6))[seen].mean())

    objective = minpy.value_and_grad(cross_entropy)
    losses = []

    def gradient(params, at):
        value, g = objective(params, pieces(numbers[:split], batch))
        losses.append(float(value))
        if at % 50 == 0:
            print(f"update {at}: {losses[-1]:.3f} nats a character")
        norm = float(np.sqrt(sum(np.sum(part**2) for part in g.values())))
        return {name: part * min(1.0, 1 / norm) for name, part in g.items()}

    params = adam(
        gradient, start(rng, len(alphabet), units), updates, rate=0.01 if small else 0.005
    )
    loss = float(cross_entropy(params, held_out))
    print(f"held-out text: {loss:.3f} nats a character; by frequency alone {guess:.3f}, "
          f"by chance {numpy.log(len(alphabet)):.3f}")  # fmt: skip
    sample = write(params, alphabet, "the ", 80, rng)
    print(f"it writes: {sample}")
    return {"losses": losses, "loss": loss, "guess": guess, "letters": len(alphabet)}


if __name__ == "__main__":
    main("--small" in sys.argv)
