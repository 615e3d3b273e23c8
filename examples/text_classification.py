"""Say which package a paragraph of documentation is from, by its words.

    python examples/text_classification.py [--small]

The text is what is installed: docstrings of NumPy and of Python's own modules. Words become
numbers by `TextVectorization`, numbers vectors by `Embedding`, and their mean is classified.
"""

import importlib
import inspect
import sys

import numpy

import minpy
from minpy.layers import Dense, Dropout, Embedding, GlobalAveragePooling1D, Input, TextVectorization
from minpy.models import Sequential

KINDS = {
    "numpy": ["numpy", "numpy.linalg", "numpy.fft", "numpy.ma"],
    "asyncio": ["asyncio", "threading", "concurrent.futures", "selectors", "socket", "subprocess"],
    "unittest": ["unittest", "unittest.mock", "doctest", "pdb", "argparse", "logging"],
}
WORDS = 40


def docstrings(modules):
    """Return the paragraphs of the docstrings of what modules define, each once."""
    found = {}
    for name in modules:
        module = importlib.import_module(name)
        things = [module]
        for _, value in sorted(vars(module).items()):
            if inspect.isclass(value) or callable(value):
                things.append(value)
            if inspect.isclass(value):
                things += [member for _, member in sorted(vars(value).items())]
        for thing in things:
            text = inspect.getdoc(thing) if callable(thing) or thing is module else None
            for paragraph in (text or "").split("\n\n"):
                if len(paragraph.split()) >= 8 and ">>>" not in paragraph:
                    found.setdefault(" ".join(paragraph.split()), None)
    return list(found)


def paragraphs(count, seed=0):
    """Return (training texts, labels), (test texts, labels), as many of each kind."""
    generator = numpy.random.default_rng(seed)
    texts, labels = [], []
    for label, modules in enumerate(KINDS.values()):
        found = docstrings(modules)
        chosen = generator.permutation(len(found))[:count]
        texts += [found[i] for i in chosen]
        labels += [label] * len(chosen)
    order = generator.permutation(len(texts))
    texts, labels = numpy.array(texts, object)[order], numpy.array(labels)[order]
    held_out = len(texts) // 5
    return (texts[held_out:], labels[held_out:]), (texts[:held_out], labels[:held_out])


def main(small=False):
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = paragraphs(250 if small else 1000)
    words = TextVectorization(max_tokens=2000, output_sequence_length=WORDS)
    words.adapt(x_train)
    model = Sequential(
        [
            Input((WORDS,), dtype="int32"),
            Embedding(words.vocabulary_size(), 32, mask_zero=True),
            GlobalAveragePooling1D(),
            Dropout(0.3),
            Dense(32, activation="relu"),
            Dense(len(KINDS), activation="softmax"),
        ],
        name="by_words",
    )
    model.compile(
        minpy.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(words(x_train), y_train, epochs=8 if small else 15, validation_split=0.1, verbose=0)
    result = model.evaluate(words(x_test), y_test, verbose=0, return_dict=True)
    print(f"{len(x_train)} paragraphs of {', '.join(KINDS)}")
    text = numpy.array(["Return the eigenvalues of a matrix along the last two axes of the array."])
    kind = list(KINDS)[model.predict(words(text), verbose=0)[0].argmax()]
    print(f"{text[0]!r} is of {kind}")
    print(f"{result['accuracy']:.1%} of {len(x_test)} held-out paragraphs are right")
    print(f"training ran: {model.jit_status}")
    return result["accuracy"]


if __name__ == "__main__":
    main("--small" in sys.argv)
