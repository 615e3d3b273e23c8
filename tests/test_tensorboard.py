"""The TensorBoard callback's files, read back with TensorBoard's own reader."""

import io
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef
from training_stand_in import CountedLogs, Dense, TwoLayers, Weight

from minpy.callbacks import CallbackList, LambdaCallback, TensorBoard
from minpy.callbacks.event_file import EventFile
from minpy.callbacks.kernel_image import MAX_TILES, kernel_image
from minpy.callbacks.model_graph import graph_def
from minpy.callbacks.png import encode_png

TESTS = str(pathlib.Path(__file__).parent)


def _read(folder):
    kinds = ("scalars", "histograms", "images", "tensors")
    return EventAccumulator(str(folder), size_guidance=dict.fromkeys(kinds, 0)).Reload()


def _curve(events, tag):
    points = events.Scalars(tag)
    return [point.step for point in points], [point.value for point in points]


def _same(values, expected):
    np.testing.assert_array_equal(np.float32(values), np.float32(expected))


# --- curves -----------------------------------------------------------------------------------


def test_curves_by_epoch_are_the_history(tmp_path):
    record = TwoLayers().fit(TensorBoard(tmp_path), epochs=4)
    for folder, prefix in (("train", ""), ("validation", "val_")):
        steps, values = _curve(_read(tmp_path / folder), "epoch_loss")
        assert steps == [0, 1, 2, 3]
        _same(values, record.history[f"{prefix}loss"])


def test_the_learning_rate_of_each_epoch_is_a_curve(tmp_path):
    model = TwoLayers()

    def halve(epoch, logs):
        model.optimizer.learning_rate = 0.02 / 2**epoch

    model.fit([LambdaCallback(on_epoch_begin=halve), TensorBoard(tmp_path)], epochs=3)
    steps, values = _curve(_read(tmp_path / "train"), "epoch_learning_rate")
    assert steps == [0, 1, 2]
    _same(values, [0.02, 0.01, 0.005])


@pytest.mark.parametrize(
    ("update_freq", "expected"),
    [("batch", list(range(1, 11))), (1, list(range(1, 11))), (4, [4, 8])],
)
def test_curves_by_batch_are_at_the_optimizers_iterations(tmp_path, update_freq, expected):
    losses = []
    note = LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["loss"]))
    TwoLayers().fit([note, TensorBoard(tmp_path, update_freq=update_freq)], epochs=2, steps=5)
    steps, values = _curve(_read(tmp_path / "train"), "batch_loss")
    assert steps == expected
    _same(values, [losses[step - 1] for step in expected])
    assert _curve(_read(tmp_path / "train"), "batch_learning_rate")[0] == expected


def test_a_batchs_metrics_are_read_only_when_they_are_written(tmp_path):
    CountedLogs.reads = 0
    TwoLayers().fit(TensorBoard(tmp_path), steps=20)
    assert CountedLogs.reads == 0
    TwoLayers().fit(TensorBoard(tmp_path, update_freq=5), steps=20)
    assert CountedLogs.reads == 4


def test_each_validation_is_written_at_its_iteration(tmp_path):
    record = TwoLayers().fit(TensorBoard(tmp_path), epochs=3, steps=7)
    steps, values = _curve(_read(tmp_path / "validation"), "evaluation_loss_vs_iterations")
    assert steps == [7, 14, 21]
    _same(values, record.history["val_loss"])


def test_an_evaluation_by_itself_is_written_and_its_file_closed(tmp_path):
    model, board = TwoLayers(), TensorBoard(tmp_path)
    model.optimizer.iterations = 12
    logs = model.evaluate(callbacks=board)
    assert board._files == {}
    steps, values = _curve(_read(tmp_path / "validation"), "evaluation_loss_vs_iterations")
    assert steps == [12]
    _same(values, [logs["loss"]])
    assert not (tmp_path / "train").exists()


def test_a_second_fit_goes_on_where_the_curves_ended(tmp_path):
    model, board = TwoLayers(), TensorBoard(tmp_path, update_freq="batch")
    model.fit(board, epochs=3, steps=2)
    model.fit(board, epochs=2, steps=2)  # numbers its epochs from 0 again
    model.fit(board, epochs=7, initial_epoch=5, steps=2)  # is told where it goes on
    train = _read(tmp_path / "train")
    assert _curve(train, "epoch_loss")[0] == [0, 1, 2, 3, 4, 5, 6]
    assert _curve(train, "batch_loss")[0] == list(range(1, 15))
    assert _curve(_read(tmp_path / "validation"), "epoch_loss")[0] == [0, 1, 2, 3, 4, 5, 6]


def test_a_resumed_run_goes_on_where_the_curves_ended(tmp_path):
    model, board = TwoLayers(), TensorBoard(tmp_path, write_graph=False)
    model.fit(board, epochs=3)
    states = {}
    model.fit(board, epochs=1, after_epoch=lambda run: states.update(run.get_state()))
    resumed = TensorBoard(tmp_path, write_graph=False)
    resumed.set_state(states["TensorBoard"])
    model.fit(resumed, epochs=3, initial_epoch=1)
    assert _curve(_read(tmp_path / "train"), "epoch_loss")[0] == [0, 1, 2, 3, 4, 5]


def test_another_model_starts_at_epoch_0(tmp_path):
    board = TensorBoard(tmp_path / "a")
    TwoLayers().fit(board, epochs=3)
    board.log_dir = str(tmp_path / "b")
    TwoLayers().fit(board, epochs=2)
    events = _read(tmp_path / "b" / "train")
    assert _curve(events, "epoch_loss")[0] == [0, 1]
    assert events.Tags()["graph"]


def test_speed_is_written_by_epoch_and_by_batch(tmp_path):
    pause = LambdaCallback(on_train_batch_begin=lambda batch, logs: time.sleep(0.01))
    board = TensorBoard(tmp_path, write_steps_per_second=True, update_freq=2)
    TwoLayers().fit([pause, board], epochs=2, steps=6)
    train = _read(tmp_path / "train")
    for tag, count in (("epoch_steps_per_second", 2), ("batch_steps_per_second", 6)):
        _, values = _curve(train, tag)
        assert len(values) == count
        assert all(10 < value < 100 for value in values)


def test_values_that_are_no_numbers_are_left_out_and_nan_is_kept(tmp_path):
    board = TensorBoard(tmp_path)
    board.set_model(TwoLayers())
    board.on_train_begin()
    board.on_epoch_begin(0)
    board.on_epoch_end(0, {"loss": float("nan"), "matrix": np.eye(2), "size": np.float32(3)})
    board.on_train_end()
    train = _read(tmp_path / "train")
    assert set(train.Tags()["scalars"]) == {"epoch_loss", "epoch_size", "epoch_learning_rate"}
    assert np.isnan(_curve(train, "epoch_loss")[1])


# --- histograms -------------------------------------------------------------------------------


def test_histograms_of_weights_and_gradients(tmp_path):
    model = TwoLayers()
    model.fit(TensorBoard(tmp_path, histogram_freq=2), epochs=4)
    train = _read(tmp_path / "train")
    names = [weight.name for weight in model.weights]
    assert sorted(train.Tags()["histograms"]) == sorted(
        f"{name}/{kind}" for name in names for kind in ("histogram", "gradient")
    )
    assert [e.step for e in train.Histograms("first/kernel/histogram")] == [0, 2]


def test_a_histogram_is_that_of_the_weights_at_the_end_of_the_epoch(tmp_path):
    model = TwoLayers(features=40, hidden=30)
    model.optimizer.learning_rate = 1e-4
    model.fit(TensorBoard(tmp_path, histogram_freq=1), epochs=1)
    train = _read(tmp_path / "train")
    for tag, values in (
        ("first/kernel/histogram", model.weights[0].numpy()),
        ("first/kernel/gradient", model.gradients()["first/kernel"]),
    ):
        histogram = train.Histograms(tag)[0].histogram_value
        assert histogram.num == 1200
        assert histogram.min == pytest.approx(values.min())
        assert histogram.max == pytest.approx(values.max())
        edges = [histogram.min, *histogram.bucket_limit]
        counts, _ = np.histogram(values.astype(np.float64), bins=edges)
        np.testing.assert_allclose(histogram.bucket, counts, atol=2)  # float32 edges on the way
        assert sum(histogram.bucket) == 1200


@pytest.mark.filterwarnings("ignore:overflow")  # in TensorBoard's own reader
@given(
    st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
        lambda dtype: stnp.arrays(dtype, stnp.array_shapes(max_dims=3, max_side=6))
    )
)
def test_any_array_has_a_histogram_of_its_finite_values(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("histogram")
    file = EventFile(str(folder))
    file.histogram("values", values, 3)
    file.close()
    events = _read(folder)
    finite = values[np.isfinite(values)]
    if not finite.size:
        assert events.Tags()["histograms"] == []
        return
    (event,) = events.Histograms("values")
    assert sum(event.histogram_value.bucket) == finite.size


# --- pictures ---------------------------------------------------------------------------------


def _with_first_weight(value, name="first/kernel"):
    model = TwoLayers()
    model.weights[0] = Weight(name, value)
    return model


def _picture(folder, tag, index=0):
    event = _read(folder).Images(tag)[index]
    pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert (event.height, event.width) == pixels.shape[:2]
    return event.step, pixels


def _write(board, model, epochs):
    board.set_model(model)
    board.on_train_begin()
    for epoch in range(epochs):
        board.on_epoch_begin(epoch)
        board.on_epoch_end(epoch, {"loss": 1.0})
    board.on_train_end()


def test_kernels_of_a_first_convolution_are_tiles(tmp_path):
    kernels = np.zeros((4, 1, 3, 3))
    kernels[0] = 1
    kernels[1] = -1
    kernels[3, 0, 0, 2] = 0.5
    model = _with_first_weight(kernels, "conv/kernel")
    _write(TensorBoard(tmp_path, write_images=True), model, epochs=2)
    step, pixels = _picture(tmp_path / "train", "conv/kernel/image", index=1)
    assert step == 1
    # Two by two tiles of 3x3 weights at 8x8 pixels, with a black pixel around each.
    assert pixels.shape == (51, 51)
    assert (pixels[[0, 25, 50]] == 0).all() and (pixels[:, [0, 25, 50]] == 0).all()
    assert (pixels[1:25, 1:25] == 255).all()
    assert (pixels[1:25, 26:50] == 1).all()
    assert (pixels[26:50, 1:25] == 128).all()
    last = pixels[26:50, 26:50]
    assert (last[:8, 16:] == 192).all()
    assert (
        np.delete(last.ravel(), np.ravel_multi_index(np.mgrid[:8, 16:24], (24, 24))) == 128
    ).all()


def test_kernels_over_three_channels_are_in_colour():
    kernels = np.zeros((1, 3, 24, 24))
    kernels[0, 0], kernels[0, 2] = 2, -2
    pixels = kernel_image(kernels)
    assert pixels.shape == (26, 26, 3)
    assert (pixels[1:25, 1:25] == [255, 128, 1]).all()


def test_kernels_over_many_channels_are_a_row_of_tiles_each():
    kernels = np.zeros((3, 5, 24, 24))
    kernels[1, 4] = 1
    pixels = kernel_image(kernels)
    assert pixels.shape == (3 * 25 + 1, 5 * 25 + 1)
    assert (pixels[26:50, 101:125] == 255).all()
    assert (pixels == 255).sum() == 24 * 24


def test_a_dense_layer_over_pictures_shows_what_each_unit_looks_for(tmp_path):
    weight = np.zeros((64, 10))
    weight[10, 0] = 1  # row 1, column 2 of an 8x8 picture
    _write(TensorBoard(tmp_path, write_images=True), _with_first_weight(weight), epochs=1)
    _, pixels = _picture(tmp_path / "train", "first/kernel/image")
    assert pixels.shape == (3 * 25 + 1, 4 * 25 + 1)
    assert (pixels[1:25, 1:25].reshape(8, 3, 8, 3)[1, :, 2] == 255).all()
    assert (pixels == 255).sum() == 9
    colour = kernel_image(np.ones((3 * 16, 5)))
    assert colour.shape[2] == 3


def test_the_first_convolution_is_taken_although_a_dense_layer_comes_before(tmp_path):
    model = _with_first_weight(np.ones((64, 3)))
    model.weights[2] = Weight("conv/kernel", np.ones((2, 1, 3, 3)))
    _write(TensorBoard(tmp_path, write_images=True), model, epochs=1)
    assert _read(tmp_path / "train").Tags()["images"] == ["conv/kernel/image"]


def test_weights_that_are_no_picture_are_none(tmp_path):
    TwoLayers(features=7).fit(TensorBoard(tmp_path, write_images=True))
    assert _read(tmp_path / "train").Tags()["images"] == []


def test_pictures_come_with_the_histograms(tmp_path):
    model = _with_first_weight(np.ones((64, 3)))
    _write(TensorBoard(tmp_path, histogram_freq=3, write_images=True), model, epochs=7)
    events = _read(tmp_path / "train")
    assert [e.step for e in events.Images("first/kernel/image")] == [0, 3, 6]


@given(
    stnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 300), st.integers(0, 5), st.integers(0, 6), st.integers(0, 6)),
        elements=st.floats(width=32),
        fill=st.just(1.0),
    )
)
def test_any_kernels_make_a_picture_of_bounded_size_or_none(kernels):
    pixels = kernel_image(kernels)
    if not kernels.size:
        assert pixels is None
    else:
        assert pixels.dtype == np.uint8
        assert pixels.shape[0] * pixels.shape[1] <= (MAX_TILES + 16) * 28**2


@given(
    stnp.arrays(
        np.uint8,
        st.one_of(
            stnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
            stnp.array_shapes(min_dims=2, max_dims=2, max_side=20).map(lambda s: (*s, 3)),
        ),
    )
)
def test_a_png_holds_its_pixels(pixels):
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


@pytest.mark.parametrize("shape", [(0, 3), (4,), (2, 2, 4)])
def test_what_is_no_picture_is_no_png(shape):
    with pytest.raises(ValueError, match="expected uint8"):
        encode_png(np.zeros(shape, np.uint8))


# --- graph and summary ------------------------------------------------------------------------


def _nodes(graph):
    parsed = GraphDef.FromString(graph.SerializeToString())
    assert len({node.name for node in parsed.node}) == len(parsed.node)
    names = {node.name for node in parsed.node}
    assert all(source in names for node in parsed.node for source in node.input)
    return {node.name: node for node in parsed.node}


def _sizes(shape):
    return [dim.size for dim in shape.dim]


def test_the_graph_has_layers_shapes_parameters_and_edges(tmp_path):
    TwoLayers(features=4, hidden=3).fit(TensorBoard(tmp_path))
    events = _read(tmp_path / "train")
    nodes = _nodes(events.Graph())
    assert list(nodes["first"].input) == ["input", "first/kernel", "first/bias"]
    assert list(nodes["second"].input) == ["first", "second/kernel", "second/bias"]
    assert nodes["first"].op == "Dense"
    assert nodes["input"].op == "Placeholder"
    assert _sizes(nodes["input"].attr["shape"].shape) == [-1, 4]
    attributes = nodes["first"].attr
    assert _sizes(attributes["input_shape"].shape) == [-1, 4]
    assert _sizes(attributes["output_shape"].shape) == [-1, 3]
    assert _sizes(attributes["_output_shapes"].list.shape[0]) == [-1, 3]
    assert attributes["parameters"].i == attributes["trainable_parameters"].i == 4 * 3 + 3
    assert _sizes(nodes["first/kernel"].attr["shape"].shape) == [4, 3]
    assert nodes["first/kernel"].attr["dtype"].type == 1  # DT_FLOAT


def test_frozen_weights_are_not_counted_as_trainable():
    model = TwoLayers()
    model.weights[0].trainable = False
    attributes = _nodes(graph_def(model))["first"].attr
    assert attributes["parameters"].i == 15 and attributes["trainable_parameters"].i == 3


def test_branches_follow_the_layers_own_inbound_names():
    class Input(Dense):
        pass

    layers = [
        Input("image", [], (None, 8), (None, 8), inbound=[]),
        Dense("left", [], (None, 8), (None, 4), inbound=["image"]),
        Dense("right branch", [], (None, 8), (None, 4), inbound=["image"]),
        Dense("join", [], [(None, 4), (None, 4)], (None, 8), inbound=["left", "right branch"]),
        Dense("late", [], (None, 8), None, inbound=["join", "somewhere else"]),
    ]
    nodes = _nodes(graph_def(SimpleNamespace(layers=layers)))
    assert nodes["image"].op == "Placeholder" and list(nodes["image"].input) == []
    assert list(nodes["join"].input) == ["left", "right_branch"]
    shapes = nodes["join"].attr["input_shape"].list.shape
    assert [_sizes(shape) for shape in shapes] == [[-1, 4], [-1, 4]]
    assert list(nodes["late"].input) == ["join", "somewhere_else"]
    assert "output_shape" not in nodes["late"].attr


def test_layers_of_one_name_and_without_weights_are_told_apart():
    layers = [Dense("same", [], None, None) for _ in range(3)]
    nodes = _nodes(graph_def(SimpleNamespace(layers=layers)))
    assert list(nodes) == ["input", "same", "same_1", "same_2"]
    assert list(nodes["same_2"].input) == ["same_1"]


def test_a_model_without_layers_is_one_node_with_its_weights():
    class TwoLayerNet:
        name = "net"
        weights = (Weight("w1", np.ones((3, 2))), Weight("b1", np.ones(2)))

    nodes = _nodes(graph_def(TwoLayerNet()))
    assert list(nodes["net"].input) == ["input", "net/w1", "net/b1"]
    assert nodes["net"].op == "TwoLayerNet" and nodes["net"].attr["parameters"].i == 8


def test_the_summary_is_a_text(tmp_path):
    model, lines = TwoLayers(), []
    model.summary(print_fn=lines.append)
    model.fit(TensorBoard(tmp_path))
    (event,) = _read(tmp_path / "train").Tensors("model/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    assert text.splitlines() == [f"    {line}" for line in lines]


def test_graph_and_summary_are_written_once_and_only_if_wanted(tmp_path):
    model, board = TwoLayers(), TensorBoard(tmp_path / "with")
    model.fit(board, epochs=2)
    model.fit(board, epochs=4, initial_epoch=2)
    assert len(_read(tmp_path / "with" / "train").Tensors("model/text_summary")) == 1
    model.fit(TensorBoard(tmp_path / "without", write_graph=False))
    tags = _read(tmp_path / "without" / "train").Tags()
    assert not tags["graph"] and tags["tensors"] == []


def test_a_model_whose_weights_come_with_the_first_batch_is_described_after_the_epoch(tmp_path):
    model = TwoLayers()
    weights, model.weights = model.weights, []
    board = TensorBoard(tmp_path)
    board.set_model(model)
    board.on_train_begin()
    board.on_epoch_begin(0)
    assert board._files == {}
    model.weights = weights
    board.on_epoch_end(0, {"loss": 1.0})
    board.on_train_end()
    assert "first/kernel" in _nodes(_read(tmp_path / "train").Graph())


# --- files ------------------------------------------------------------------------------------


def test_files_are_complete_after_each_epoch(tmp_path):
    seen = []

    def look(epoch, logs):
        if epoch:
            seen.append(_curve(_read(tmp_path / "train"), "epoch_loss")[0])

    TwoLayers().fit([TensorBoard(tmp_path), LambdaCallback(on_epoch_begin=look)], epochs=3)
    assert seen == [[0], [0, 1]]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_files_are_closed_after_an_error(tmp_path, error):
    board = TensorBoard(tmp_path, update_freq=1)

    def stop(batch, logs):
        if batch == 3:
            raise error

    with pytest.raises(error):
        TwoLayers().fit([board, LambdaCallback(on_train_batch_end=stop)], steps=9)
    assert board._files == {}
    assert _curve(_read(tmp_path / "train"), "batch_loss")[0] == [1, 2, 3, 4]


def test_a_process_killed_in_an_epoch_leaves_the_epochs_before(tmp_path):
    program = (
        "import sys, time\n"
        "from training_stand_in import TwoLayers\n"
        "from minpy.callbacks import LambdaCallback, TensorBoard\n"
        "def wait(epoch, logs):\n"
        "    if epoch == 2:\n"
        "        print('there', flush=True); time.sleep(60)\n"
        "TwoLayers().fit([TensorBoard(sys.argv[1]), LambdaCallback(on_epoch_begin=wait)], epochs=9)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": TESTS},
        cwd=pathlib.Path(TESTS).parent,
    )
    assert process.stdout.readline() == b"there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert _curve(_read(tmp_path / "train"), "epoch_loss")[0] == [0, 1]
    assert _curve(_read(tmp_path / "validation"), "epoch_loss")[0] == [0, 1]


def test_fits_of_one_second_have_files_of_their_own(tmp_path):
    model = TwoLayers()
    for number in range(12):
        model.fit(TensorBoard(tmp_path), epochs=number + 1, initial_epoch=number)
    assert len(list((tmp_path / "train").iterdir())) == 12
    assert _curve(_read(tmp_path / "train"), "epoch_loss")[0] == list(range(12))


def test_records_are_in_the_tfrecord_format(tmp_path):
    """Length, masked CRC-32C of it, data, masked CRC-32C of that; the CRC bit by bit here."""

    def masked_crc(data):
        crc = 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        crc ^= 0xFFFFFFFF
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32

    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32
    file = EventFile(str(tmp_path))
    file.scalars({"a": 1.5}, 3)
    file.close()
    data, records = pathlib.Path(file.path).read_bytes(), 0
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        record, data = data[12 : 12 + length], data[12 + length :]
        (record_crc,) = struct.unpack("<I", data[:4])
        assert length_crc == masked_crc(struct.pack("<Q", length))
        assert record_crc == masked_crc(record)
        data, records = data[4:], records + 1
    assert records == 2


def test_a_log_dir_that_is_a_file_is_refused_before_training(tmp_path):
    (tmp_path / "logs").write_text("mine")
    model = TwoLayers()
    with pytest.raises(NotADirectoryError, match="name of a folder"):
        model.fit(TensorBoard(tmp_path / "logs"))
    assert model.optimizer.iterations == 0
    assert (tmp_path / "logs").read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        {"update_freq": 0},
        {"update_freq": "step"},
        {"update_freq": 1.5},
        {"histogram_freq": -1},
        {"histogram_freq": 0.5},
        {"profile_batch": 2},
        {"embeddings_freq": 1},
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=name):
        TensorBoard(**arguments)


def test_nothing_is_written_before_a_run_begins(tmp_path):
    CallbackList(TensorBoard(tmp_path / "logs"), model=TwoLayers(), epochs=1)
    assert not (tmp_path / "logs").exists()
