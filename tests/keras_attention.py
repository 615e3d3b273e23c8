"""Asks Keras what its attention layers, and EinsumDense, give.

KERAS_BACKEND=jax python tests/keras_attention.py
"""

from keras_layer_values import case, write

MHA, GQA = "MultiHeadAttention", "GroupQueryAttention"
X, Y = (2, 4, 6), (2, 3, 5)
PAIR = [(2, 4, 3), (2, 5, 3)]
TRIPLE = [(2, 4, 3), (2, 5, 2), (2, 5, 3)]
SMALL = {"num_heads": 2, "key_dim": 3}
MASKS = {"query_mask": ["mask", [2, 4], 3], "value_mask": ["mask", [2, 3], 4]}
# MultiHeadAttention ignores a query_mask that it is told, and takes that of the tensor.
VALUES = {"value_mask": ["mask", [2, 3], 4], "key_mask": ["mask", [2, 3], 5]}
HEADS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
SCORES = {"return_attention_scores": True}

CASES = [
    case(MHA, SMALL, [X, X], "args"),
    case(MHA, SMALL, [X, Y], "args"),
    case(MHA, {**SMALL, "value_dim": 4}, [X, Y, (2, 3, 2)], "args", SCORES),
    case(MHA, {**SMALL, "use_bias": False, "output_shape": 5}, [X, Y], "args"),
    case(MHA, {**SMALL, "output_shape": [2, 3]}, [X, Y], "args", SCORES),
    case(MHA, SMALL, [X, X], "args", {"use_causal_mask": True}),
    case(MHA, SMALL, [X, Y], "args", {"use_causal_mask": True, **SCORES}),
    case(MHA, SMALL, [X, Y, Y], "args", {**VALUES, **SCORES}),
    case(MHA, SMALL, [X, X], "args", {**SCORES, "attention_mask": ["mask", [2, 4, 4], 5]}),
    case(MHA, SMALL, [X, X], "args", {**SCORES, "attention_mask": ["mask", [2, 2, 4, 4], 6]}),
    case(
        MHA,
        SMALL,
        [X, Y, Y],
        "args",
        {**SCORES, "attention_mask": ["mask", [2, 4, 3], 7], **VALUES},
    ),
    case(MHA, {**SMALL, "sliding_window": 2}, [X, X], "args", {"use_causal_mask": True}),
    case(MHA, {**SMALL, "sliding_window": 2}, [X, X], "args"),
    case(MHA, {**SMALL, "use_gate": True}, [X, X], "args"),
    case(MHA, SMALL, [(2, 2, 3, 4), (2, 2, 3, 4)], "args"),
    case(MHA, {**SMALL, "attention_axes": 2}, [(2, 2, 3, 4), (2, 2, 5, 4)], "args", SCORES),
    case(MHA, {**SMALL, "attention_axes": [1]}, [(2, 2, 3, 4), (2, 4, 3, 4)], "args"),
    case(MHA, {**SMALL, "attention_axes": [1, 2]}, [(2, 2, 3, 4), (2, 2, 2, 4)], "args", SCORES),
    case(GQA, HEADS, [X, X], "args"),
    case(GQA, HEADS, [X, Y, (2, 3, 2)], "args", SCORES),
    case(GQA, {**HEADS, "use_bias": False, "use_gate": True}, [X, Y], "args"),
    case(GQA, HEADS, [X, X], "args", {"use_causal_mask": True}),
    case(GQA, HEADS, [X, Y], "args", {**MASKS, **SCORES}),
    case(GQA, {**HEADS, "sliding_window": 1}, [X, X], "args"),
    case(GQA, {**HEADS, "num_key_value_heads": 1}, [X, Y], "args"),
    case("Attention", {}, PAIR, "list"),
    case("Attention", {"use_scale": True}, TRIPLE, "list", SCORES),
    case("Attention", {"score_mode": "concat"}, TRIPLE, "list"),
    case("Attention", {"score_mode": "concat", "use_scale": True}, PAIR, "list", SCORES),
    case("Attention", {}, PAIR, "list", {"use_causal_mask": True}),
    case("Attention", {}, PAIR, "list", {"mask": [["mask", [2, 4], 3], ["mask", [2, 5], 4]]}),
    case(
        "Attention",
        {"use_scale": True},
        PAIR,
        "list",
        {"mask": [None, ["mask", [2, 5], 4]], "use_causal_mask": True, **SCORES},
    ),
    case("AdditiveAttention", {}, PAIR, "list"),
    case("AdditiveAttention", {"use_scale": False}, TRIPLE, "list", SCORES),
    case(
        "AdditiveAttention",
        {},
        TRIPLE,
        "list",
        {"mask": [["mask", [2, 4], 3], ["mask", [2, 5], 4]], "use_causal_mask": True},
    ),
    *[
        case("EinsumDense", {"equation": equation, "output_shape": out, "bias_axes": bias}, [shape])
        for equation, out, bias, shape in [
            ("ab,bc->ac", 4, "c", (3, 5)),
            ("ab,bc->ac", 4, None, (3, 5)),
            ("abc,cd->abd", [None, 4], "d", (2, 3, 5)),
            ("abc,cd->abd", [3, 4], "bd", (2, 3, 5)),
            ("...x,xy->...y", 4, "y", (2, 3, 2, 5)),
            ("ab...,bc->ac...", 4, "c", (2, 3, 2)),
            ("abc,cde->abde", [None, 2, 3], "de", (2, 4, 5)),
            ("abc,cde->abde", [None, 2, 3], "e", (2, 4, 5)),
            ("abcd,cde->abe", [None, 4], "e", (2, 3, 2, 3)),
            ("abc,bcd->abd", [3, 4], "bd", (2, 3, 5)),
            ("abc,bd->adc", [4, 5], "d", (2, 3, 5)),
            ("abc,dc->adb", [4, 3], None, (2, 3, 5)),
            ("abc,bc->abc", [3, 5], "c", (2, 3, 5)),
            ("abc,bc->a", [], None, (2, 3, 5)),
            ("abc,dbc->abd", [3, 2], "d", (2, 3, 5)),
            ("abc,cd->ad", [4], "d", (2, 3, 5)),
        ]
    ],
    case(
        "EinsumDense",
        {"equation": "abc,cd->abd", "output_shape": [None, 4], "activation": "tanh"},
        [(2, 3, 5)],
    ),
]

if __name__ == "__main__":
    write(__file__, CASES)
