"""Pictures of models: boxes and arrows in Graphviz' language, and files."""

from __future__ import annotations

import re
import stat

import pytest

import minpy.numpy as np
from minpy.layers import Dense, Dropout, Input
from minpy.models import Model, Sequential, plot_model, to_dot


def boxes_and_arrows(text):
    """Return box → its text without markup, and the arrows between the boxes' texts."""
    labels = {
        name: re.sub(r"<[^<>]+>", " ", label).split()
        for name, label in re.findall(r"(layer\d+) \[label=<(.*)>\];", text)
    }
    shown = {name: " ".join(words) for name, words in labels.items()}
    arrows = re.findall(r"(layer\d+) -> (layer\d+);", text)
    return shown, {(shown[a], shown[b]) for a, b in arrows}


def small():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(3, activation="relu", name="shared")
    z = np.concatenate([shared(a), shared(b)], axis=1)
    stack = Sequential([Dense(3, name="first"), Dense(2, name="second")], name="stack")
    return Model([a, b], stack(z), name="small")


def test_a_box_for_each_layer_and_an_arrow_for_each_tensor():
    shown, arrows = boxes_and_arrows(to_dot(small(), show_layer_names=True))
    a, b, shared = "a (InputLayer)", "b (InputLayer)", "shared (Dense)"
    joined, stack = "concatenate (Concatenate)", "stack (Sequential)"
    assert sorted(shown.values()) == sorted([a, b, shared, joined, stack])
    assert arrows == {(a, shared), (b, shared), (shared, joined), (joined, stack)}


def test_nested_models_are_frames_with_their_layers():
    text = to_dot(small(), show_layer_names=True, expand_nested=True)
    _, arrows = boxes_and_arrows(text)
    assert ("concatenate (Concatenate)", "first (Dense)") in arrows
    assert ("first (Dense)", "second (Dense)") in arrows
    assert not any("stack" in end for arrow in arrows for end in arrow)
    assert 'label="stack"' in text and text.count("subgraph cluster_") == 1


def test_arrows_lead_through_nested_graphs_to_the_layers_that_they_mean():
    x, y = Input((2,), name="x"), Input((2,), name="y")
    inner = Model([x, y], [Dense(2, name="p")(x), Dense(2, name="q")(y)], name="inner")
    u, v = Input((2,), name="u"), Input((2,), name="v")
    left, right = inner([u, v])
    model = Model([u, v], [Dense(1, name="r")(right), Dense(1, name="l")(left)])
    _, arrows = boxes_and_arrows(to_dot(model, show_layer_names=True, expand_nested=True))
    assert arrows == {
        ("u (InputLayer)", "x (InputLayer)"),
        ("v (InputLayer)", "y (InputLayer)"),
        ("x (InputLayer)", "p (Dense)"),
        ("y (InputLayer)", "q (Dense)"),
        ("p (Dense)", "l (Dense)"),
        ("q (Dense)", "r (Dense)"),
    }


def test_what_stands_in_the_boxes():
    model = small()
    model.get_layer("shared").trainable = False
    text = to_dot(
        model,
        show_shapes=True,
        show_dtype=True,
        show_layer_activations=True,
        show_trainable=True,
        rankdir="LR",
        dpi=90,
    )
    shown, _ = boxes_and_arrows(text)
    assert "InputLayer Output shape: (None, 4) Output dtype: float32" in shown.values()
    assert (
        "Dense Activation: relu Input shape: (None, 4) Output shape: (None, 3) "
        "Output dtype: float32 Non-trainable" in shown.values()
    )
    assert "rankdir=LR" in text and "dpi=90" in text


def test_a_stack_is_a_chain_and_a_class_of_ones_own_is_one_box():
    model = Sequential([Input((3,)), Dense(2), Dropout(0.5), Dense(1)])
    shown, arrows = boxes_and_arrows(to_dot(model))
    assert list(shown.values()) == ["Dense", "Dropout", "Dense"]
    assert arrows == {("Dense", "Dropout"), ("Dropout", "Dense")}

    class Net(Model):
        def __init__(self):
            super().__init__()
            self.out = Dense(1)

        def call(self, x):
            return self.out(x)

    net = Net()
    net.build((None, 3))
    assert list(boxes_and_arrows(to_dot(net))[0].values()) == ["Net"]


def test_a_part_of_a_model_has_an_input_of_its_own():
    model = small()
    joined = model.output._node.args[0]
    head = Model(joined, model.output)
    shown, arrows = boxes_and_arrows(to_dot(head, show_layer_names=True))
    assert arrows == {("concatenate_input (InputLayer)", "stack (Sequential)")}
    assert len(shown) == 2


def test_tensorboard_draws_the_same_arrows():
    from minpy.callbacks.model_graph import graph_def

    nodes = {node.name: node for node in graph_def(small()).node}
    layers = {name: node for name, node in nodes.items() if "/" not in name}
    arrows = {
        (source, name) for name, node in layers.items() for source in node.input if source in layers
    }
    assert arrows == {
        ("a", "shared"),
        ("b", "shared"),
        ("shared", "concatenate"),
        ("concatenate", "stack"),
    }
    assert nodes["concatenate"].op == "Concatenate" and nodes["a"].op == "Placeholder"


def test_names_can_hold_any_character():
    model = Sequential([Input((3,)), Dense(2, name='a<b>&"c"')])
    assert "a&lt;b&gt;&amp;&quot;c&quot;" in to_dot(model, show_layer_names=True)


def test_the_text_needs_no_program(tmp_path):
    path = plot_model(small(), tmp_path / "m.dot", show_shapes=True)
    assert path.read_text() == to_dot(small(), show_shapes=True)


def test_without_graphviz_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"install graphviz.*m\.dot"):
        plot_model(small(), tmp_path / "m.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_graphviz_gets_the_text_and_writes_the_file(tmp_path, monkeypatch, kind):
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$1" > "$3"\n/bin/cat >> "$3"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    path = plot_model(small(), tmp_path / f"m.{kind}", rankdir="LR")
    assert path.read_text() == f"-T{kind}\n" + to_dot(small(), rankdir="LR")


def test_a_failed_drawing_leaves_the_old_file(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho half > "$3"\necho "syntax error" >&2\nexit 1\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    old = tmp_path / "m.png"
    old.write_text("old")
    with pytest.raises(OSError, match="syntax error"):
        plot_model(small(), old)
    assert old.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "m.png"]


def test_what_can_not_be_drawn(tmp_path):
    with pytest.raises(ValueError, match=r"isn't built yet.*model\.build"):
        to_dot(Sequential([Dense(2)]))
    with pytest.raises(ValueError, match="expected one of TB, BT, LR, RL"):
        to_dot(small(), rankdir="UP")
    with pytest.raises(ValueError, match=r"expected a \.png"):
        plot_model(small(), tmp_path / "m.txt")
