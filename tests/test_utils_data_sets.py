"""Data sets that Keras' functions make: windows of a series, splits, folders of images."""

import json
import pathlib

import numpy
import pytest
from keras_image_folders import SIZES, pixels

from minpy.data import Dataset
from minpy.utils import (
    image_dataset_from_directory,
    split_dataset,
    timeseries_dataset_from_array,
)


def ints(data):
    return [int(item) for item in data]


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("bounds", [(None, None), (4, 19)])
def test_windows_are_those_of_a_loop(stride, rate, bounds):
    series = numpy.sin(numpy.arange(48.0)).reshape(24, 2)
    targets = numpy.arange(24)
    first, last = bounds[0] or 0, bounds[1] or 24
    starts = [
        s for s in range(first, last, stride) if s + 3 * rate < last
    ]  # the last of four entries lies in the series
    expected = numpy.array([[series[s + i * rate] for i in range(4)] for s in starts])
    data = timeseries_dataset_from_array(
        series, targets, 4, stride, rate, batch_size=5, start_index=bounds[0], end_index=bounds[1]
    )
    batches = list(data)
    numpy.testing.assert_array_equal(numpy.concatenate([x for x, _ in batches]), expected)
    assert [int(t) for _, y in batches for t in y] == starts
    assert len(data) == len(batches) == -(-len(starts) // 5)


def test_windows_without_targets_or_batches_and_in_another_order_each_epoch():
    data = timeseries_dataset_from_array(numpy.arange(30), None, 3, batch_size=None, shuffle=True)
    orders = []
    for epoch in (0, 1):
        data.set_epoch(epoch)
        windows = [window.tolist() for window in data]
        assert all(w == [w[0], w[0] + 1, w[0] + 2] for w in windows)
        orders.append([w[0] for w in windows])
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(28))


def test_fewer_targets_end_the_windows():
    ((x, y),) = timeseries_dataset_from_array(numpy.arange(10), numpy.arange(10)[8:], 3)
    assert x.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert y.tolist() == [8, 9]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sequence_length": 0}, "sequence_length: got 0"),
        ({"sequence_stride": 1.5}, "sequence_stride: got 1.5"),
        ({"sampling_rate": -1}, "sampling_rate: got -1"),
        ({"start_index": 5, "end_index": 5}, "got 5 and 5 for a series of 10"),
        ({"end_index": 11}, "got None and 11"),
        ({"sequence_length": 6, "sampling_rate": 2}, "spans 11 steps, the series has 10"),
    ],
)
def test_bad_windows_say_what_to_give(options, told):
    with pytest.raises(ValueError, match=told):
        timeseries_dataset_from_array(numpy.arange(10), None, **{"sequence_length": 3, **options})


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((0.8, None), (8, 2)),
        ((None, 3), (7, 3)),
        ((4, 0.2), (4, 2)),
        ((0.25, 0.25), (2, 2)),
    ],
)
def test_sides_of_a_split_have_the_sizes_asked_for(sizes, expected):
    for source in (numpy.arange(10), Dataset.from_arrays(numpy.arange(10))):
        left, right = split_dataset(source, *sizes)
        assert (len(left), len(right)) == expected
        assert ints(left) == list(range(expected[0]))
        assert ints(right) == list(range(10 - expected[1], 10))


def test_no_element_changes_sides():
    shuffled = Dataset.from_arrays(numpy.arange(20)).shuffle()
    unknown = shuffled.filter(lambda i: True)
    for source, mix in ((shuffled, False), (unknown, False), (numpy.arange(20), True)):
        left, right = split_dataset(source, 0.5, shuffle=mix, seed=3)
        sides = []
        for epoch in range(3):
            for side in (left, right):
                side.set_epoch(epoch, epoch)
            sides.append((ints(left), ints(right)))
        assert sides[0] == sides[1] == sides[2]
        assert sorted(sides[0][0] + sides[0][1]) == list(range(20))
        assert sides[0][0] != list(range(10))


def test_arrays_of_a_list_are_split_together():
    left, _ = split_dataset([numpy.arange(4), numpy.arange(4) * 10], right_size=1)
    assert [(int(x), int(y)) for x, y in left] == [(0, 0), (1, 10), (2, 20)]


def test_bad_sizes_say_what_to_give():
    for sizes, told in (
        ((), "give left_size, right_size or both"),
        ((1.5,), "left_size: got 1.5"),
        ((0,), "left_size: got 0"),
        ((8, 8), "8 and 8 of 10"),
        ((10,), "10 and 0 of 10"),
    ):
        with pytest.raises(ValueError, match=told):
            split_dataset(numpy.arange(10), *sizes)


@pytest.fixture
def folder(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for i in range(5):
            pixels = numpy.full((4, 4, 3), 100 * label + i, numpy.uint8)
            image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return tmp_path


def levels(data):
    return sorted(float(x[0, 0, 0]) for item in data for x in item[0])


def test_images_come_in_batches_with_labels_of_each_mode(folder):
    options = {"image_size": (4, 4), "data_format": "channels_last", "batch_size": 4}
    for mode, told in (
        ("int", lambda y: y),
        ("categorical", lambda y: y.argmax(-1)),
        ("binary", lambda y: y),
    ):
        data = image_dataset_from_directory(folder, label_mode=mode, seed=1, **options)
        assert data.class_names == ["cat", "dog"]
        assert [len(x) for x, _ in data] == [4, 4, 2]
        for x, y in data:
            numpy.testing.assert_array_equal(told(y), x[:, 0, 0, 0] >= 100)
    alone = image_dataset_from_directory(folder, labels=None, shuffle=False, **options)
    assert next(iter(alone))[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_parts_for_training_and_validation_share_no_image(folder):
    options = {"image_size": (4, 4), "data_format": "channels_last", "validation_split": 0.3}
    train, held = image_dataset_from_directory(folder, subset="both", **options)
    assert len(levels(held)) == 3
    assert sorted(levels(train) + levels(held)) == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]
    train.set_epoch(2, 9)
    again = image_dataset_from_directory(folder, subset="validation", **options)
    assert sorted(levels(train) + levels(again)) == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]


STORED = json.loads(pathlib.Path(__file__).with_name("keras_image_folders.json").read_text())


@pytest.fixture(scope="module")
def wide_and_tall(tmp_path_factory):
    image = pytest.importorskip("PIL.Image")
    made = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        image.fromarray(pixels(*size)).save(made / f"{number}.png")
    return made


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_images_are_brought_to_a_size_as_keras_brings_them(wide_and_tall, data_format):
    assert len(STORED["cases"]) > 24
    for case in STORED["cases"]:
        (images,) = image_dataset_from_directory(
            wide_and_tall, labels=None, shuffle=False, data_format=data_format, **case["settings"]
        )
        assert images.dtype == "float32"
        if data_format == "channels_first":
            images = images.transpose(0, 2, 3, 1)
        expected = numpy.reshape(case["values"], case["shape"])
        # TensorFlow rounds the weights of cubic convolution to a table of 1,024.
        near = 0.15 if case["settings"]["interpolation"] == "bicubic" else 2e-2
        numpy.testing.assert_allclose(images, expected, atol=near, err_msg=str(case["settings"]))


def test_labels_may_be_given_and_images_lie_anywhere_then(wide_and_tall):
    options = {"image_size": (2, 2), "data_format": "channels_last", "shuffle": False}
    data = image_dataset_from_directory(wide_and_tall, labels=[3, 5], **options)
    ((_, y),) = data
    assert y.tolist() == [3, 5]
    assert data.class_names == ["3", "5"]
    assert data.file_paths == [str(wide_and_tall / "0.png"), str(wide_and_tall / "1.png")]


def test_paths_are_those_of_the_part_that_is_asked_for(folder):
    options = {"image_size": (4, 4), "data_format": "channels_last", "validation_split": 0.3}
    train, held = image_dataset_from_directory(folder, subset="both", seed=4, **options)
    for part in (train, held):
        shown = sorted(
            int(pathlib.Path(p).stem) + 100 * (pathlib.Path(p).parent.name == "dog")
            for p in part.file_paths
        )
        assert shown == levels(part)


def test_links_to_folders_are_followed_when_asked_for(folder, wide_and_tall):
    (folder / "cat" / "more").symlink_to(wide_and_tall, target_is_directory=True)
    options = {"image_size": (4, 4), "label_mode": None}
    assert len(image_dataset_from_directory(folder, **options).file_paths) == 10
    more = image_dataset_from_directory(folder, follow_links=True, **options)
    assert len(more.file_paths) == 12


def test_a_resize_of_ones_own_is_checked(folder):
    def doubled(pixels, height, width):
        return numpy.repeat(numpy.repeat(pixels, 2, 0), 2, 1)

    data = Dataset.from_image_folder(folder, (8, 8), resize=doubled)
    assert next(iter(data))[0].shape == (3, 8, 8)
    with pytest.raises(ValueError, match=r"resize returned pixels of shape \(8, 8, 3\)"):
        next(iter(Dataset.from_image_folder(folder, (4, 4), resize=doubled)))


def test_bad_arguments_for_folders_say_what_to_give(folder):
    for options, told in (
        ({"labels": [1, 2]}, "2 labels for the 10 images"),
        ({"labels": [0.5] * 10}, "a whole number for each image"),
        ({"labels": "folders"}, "give 'inferred', None, or a number an image"),
        ({"labels": None, "class_names": ["cat"]}, "class_names name the folders"),
        ({"interpolation": "box"}, "interpolation: got 'box'; give one of"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "got both"),
        ({"label_mode": "float"}, "label_mode: got 'float'"),
        ({"subset": "training"}, "give both, or neither"),
        ({"validation_split": 0.2, "subset": "test"}, "subset is one of"),
        ({"label_mode": "binary", "class_names": ["cat"]}, "needs two classes"),
    ):
        with pytest.raises(ValueError, match=told):
            image_dataset_from_directory(folder, **options)
