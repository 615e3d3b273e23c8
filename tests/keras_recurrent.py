"""Asks Keras what its recurrent layers compute: outputs, gradients, and 20 steps of training.

Run it where Keras is installed, which the tests themselves don't need:

    KERAS_BACKEND=torch python tests/keras_recurrent.py
"""

from __future__ import annotations

import json
import pathlib

import numpy

EXPECTED = pathlib.Path(__file__).with_suffix(".json")
RATE, EPOCHS = 0.3, 20


def numbers(shape, seed=0, low=-1.0, high=1.0):
    """Return numbers that look random and are the same everywhere: no generator, no library."""
    count = int(numpy.prod(shape))
    i = numpy.arange(count, dtype=numpy.int64)
    mixed = ((i * i * 31 + i * 7919 + seed * 104729 + 12345) * 48271) % 2147483647
    return (low + (high - low) * (mixed % 10007) / 10007.0).reshape(shape)


def layer(name, **arguments):
    """Describe a layer."""
    return {"layer": name, "arguments": arguments}


SEQUENCE = (3, 5, 4)
CASES = []


def case(described, shape=SEQUENCE, **options):
    """Add a case: a layer, the shape of its input, and how it is called."""
    CASES.append({"of": described, "shape": list(shape), **options})


for name in ("LSTM", "GRU", "SimpleRNN"):
    case(layer(name, units=3))
    case(layer(name, units=3, return_sequences=True, return_state=True), masked=True)
    case(layer(name, units=3, return_state=True), initial=True)
    case(layer(name, units=3, return_sequences=True), initial=True, masked=True)
    case(layer(name, units=3, go_backwards=True, return_sequences=True), masked=True)
    case(layer(name, units=3, zero_output_for_mask=True, return_sequences=True), masked=True)
    case(layer(name, units=3, use_bias=False))
    case(layer(name, units=3, activation="softsign", return_sequences=True))
    case(layer(name, units=3, activation="relu"), masked=True, initial=True)
    case(layer(name, units=3, unroll=True))
for name in ("LSTM", "GRU"):
    case(layer(name, units=3, recurrent_activation="hard_sigmoid"))
case(layer("GRU", units=3, reset_after=False, return_sequences=True), masked=True)
case(layer("GRU", units=3, reset_after=False, use_bias=False), initial=True)
case(layer("GRU", units=3, reset_after=True, activation="softsign", use_bias=False))
for cell in ("LSTMCell", "GRUCell", "SimpleRNNCell"):
    case(layer("RNN", cell=layer(cell, units=3), return_sequences=True), masked=True)
case(
    layer(
        "RNN",
        cell=[layer("LSTMCell", units=3), layer("GRUCell", units=2)],
        return_sequences=True,
    )
)
for mode in ("concat", "sum", "ave", "mul"):
    inner = layer("LSTM", units=3, return_sequences=True)
    case(layer("Bidirectional", layer=inner, merge_mode=mode), masked=mode != "sum")
case(layer("Bidirectional", layer=layer("GRU", units=2)), masked=True)
case(layer("Bidirectional", layer=layer("SimpleRNN", units=2, return_state=True)))
case(
    layer(
        "Bidirectional",
        layer=layer("LSTM", units=2, return_sequences=True),
        backward_layer=layer(
            "LSTM", units=2, return_sequences=True, go_backwards=True, activation="relu"
        ),
    )
)
case(layer("TimeDistributed", layer=layer("Dense", units=3, activation="tanh")))
for rank, size in ((1, (6,)), (2, (5, 4)), (3, (4, 3, 3))):
    for data_format in ("channels_first", "channels_last"):
        first = data_format == "channels_first"
        shape = (2, 3, 2, *size) if first else (2, 3, *size, 2)
        settings = {"filters": 2, "kernel_size": 2, "data_format": data_format}
        case(layer(f"ConvLSTM{rank}D", padding="same", return_sequences=True, **settings), shape)
        case(layer(f"ConvLSTM{rank}D", strides=2, return_state=True, **settings), shape)


def rounded(array):
    """Return numbers as JSON holds them, to 7 digits."""
    return [float(f"{x:.7g}") for x in numpy.asarray(array, "float64").ravel()]


def build(described, layers):
    """Make a layer of its description."""
    arguments = dict(described["arguments"])
    for name, value in arguments.items():
        if isinstance(value, dict):
            arguments[name] = build(value, layers)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            arguments[name] = [build(one, layers) for one in value]
    return getattr(layers, described["layer"])(**arguments)


def main():
    """Write what Keras computes."""
    import keras
    import torch

    keras.config.set_floatx("float64")
    found = []
    for told in CASES:
        x = numbers(told["shape"], 1)
        samples, steps = told["shape"][:2]
        mask = None
        if told.get("masked"):
            mask = numpy.ones((samples, steps), bool)
            mask[1, [1, steps - 1]] = False
            mask[2, :2] = False
            x = x * mask[:, :, None]
        made = build(told["of"], keras.layers)
        made.build(tuple(told["shape"]))
        weights = [0.8 * numbers(w.shape, 10 + i) for i, w in enumerate(made.weights)]
        made.set_weights(weights)
        options = {}
        if mask is not None:
            options["mask"] = torch.tensor(mask)
        if told.get("initial"):
            count = 2 if told["of"]["layer"] == "LSTM" else 1
            units = told["of"]["arguments"]["units"]
            options["initial_state"] = [
                torch.tensor(numbers((samples, units), 40 + i)) for i in range(count)
            ]
        given = torch.tensor(x, requires_grad=True)
        outputs = made(given, **options)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        loss = sum((o * torch.tensor(numbers(o.shape, 50 + i))).sum()
                   for i, o in enumerate(outputs))  # fmt: skip
        loss.backward()
        entry = {
            **told,
            "outputs": [{"shape": list(o.shape), "values": rounded(o.detach())} for o in outputs],
            "of_input": rounded(given.grad),
            "of_weights": [rounded(w.value.grad) for w in made.weights],
        }
        if "initial" not in told and len(outputs) == 1:
            made = build(told["of"], keras.layers)
            stack = [keras.layers.Masking()] if mask is not None else []
            model = keras.Sequential([keras.Input(told["shape"][1:]), *stack, made])
            made.set_weights(weights)
            model.compile(keras.optimizers.SGD(RATE), "mse")
            if mask is None or len(outputs[0].shape) == 2:
                target = numbers(outputs[0].shape, 60)
                history = model.fit(
                    x, target, batch_size=samples, epochs=EPOCHS, shuffle=False, verbose=0
                )
                entry["losses"] = rounded(history.history["loss"])
                entry["trained"] = [rounded(w) for w in made.get_weights()]
        found.append(entry)
    EXPECTED.write_text(json.dumps({"keras": keras.__version__, "cases": found}) + "\n")
    print(f"Keras {keras.__version__}: {len(found)} cases, {EXPECTED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
