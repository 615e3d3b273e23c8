"""Files as data sets: tables of text, folders of images, HDF5."""

import os
import sys

import numpy
import pytest

from minpy.data import Dataset, readers


def rows_of(path, *args, **options):
    return list(Dataset.from_csv(path, *args, **options))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "irises.csv"
    path.write_text(
        "\ufefflength,width,place,kind\n"
        '5.5,3.5,"by the sea, in sand",setosa\n'
        "\n"
        "6.5,,wood,virginica\n",
        "utf-8",
    )
    return path


def test_columns_of_numbers_are_a_vector_and_empty_entries_are_nan(table):
    ((x, y),) = Dataset.from_csv(table, "kind", ["width", "length"]).batch(2)
    assert x.dtype == numpy.float32
    numpy.testing.assert_array_equal(x, [[3.5, 5.5], [numpy.nan, 6.5]])
    assert y.tolist() == ["setosa", "virginica"]
    (x,) = Dataset.from_csv(table, columns=["length"]).batch(2)
    assert x.tolist() == [[5.5], [6.5]]


def test_columns_with_strings_make_a_dict(table):
    (batch,) = Dataset.from_csv(table).batch(2)
    assert list(batch) == ["length", "width", "place", "kind"]
    assert batch["place"].tolist() == ["by the sea, in sand", "wood"]
    assert batch["length"].dtype == numpy.float32
    x, y = next(iter(Dataset.from_csv(table, "width", ["length"], as_dict=True)))
    assert x == {"length": 5.5}
    assert y == 3.5


def test_tables_without_a_header_have_columns_by_number(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("1;2;3\n4;5;6\n")
    ((x, y),) = Dataset.from_csv(path, label=2, header=False, delimiter=";").batch(2)
    assert x.tolist() == [[1, 2], [4, 5]]
    assert y.tolist() == [3, 6]


def test_bad_tables_say_what_is_wrong(table, tmp_path):
    for arguments, told in (
        ({"label": "colour"}, r"asked for the columns|label is 'colour'"),
        ({"columns": ["length", "height"]}, r"\['height'\].*'length', 'width', 'place', 'kind'"),
        ({"label": "kind", "as_dict": False}, r"\['place'\], which have strings"),
        ({"label": "kind", "columns": []}, "no columns are left"),
    ):
        with pytest.raises(ValueError, match=told):
            Dataset.from_csv(table, **arguments)
    for text, told in (
        ("a,b\n1,2\n1\n", "line 3 has 1 entries, the first line has 2"),
        ("a,b\n", "no rows after its header"),
        ("", "has no rows"),
        ("a,a\n1,2\n", r"\['a'\] twice"),
    ):
        path = tmp_path / "bad.csv"
        path.write_text(text)
        with pytest.raises(ValueError, match=told):
            Dataset.from_csv(path)


def test_fit_takes_a_table(tmp_path):
    from minpy.layers import Dense
    from minpy.models import Sequential

    x = numpy.linspace(-1, 1, 30)
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{v},{3 * v - 1}\n" for v in x))
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.1
    model.fit(Dataset.from_csv(path, "y").shuffle().batch(10), epochs=60, verbose=0)
    weight, bias = (numpy.asarray(w) for w in model.get_weights())
    numpy.testing.assert_allclose([weight.item(), bias.item()], [3, -1], atol=0.02)


# --- HDF5 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows_per_read", [None, 1, 3, 100])
def test_rows_of_hdf5_files_are_read_in_order(tmp_path, rows_per_read):
    h5py = pytest.importorskip("h5py")
    path = str(tmp_path / "rows.h5")
    x = numpy.arange(20.0).reshape(10, 2)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=x, chunks=(4, 2))
        file["in/y"], file["one"] = numpy.arange(10), 3
    data = Dataset.from_hdf5(path, "x", "in/y", rows_per_read=rows_per_read)
    assert len(data) == 10
    ((read, numbers),) = data.batch(10)
    numpy.testing.assert_array_equal(read, x)
    assert numbers.tolist() == list(range(10))
    iterator = iter(data)
    next(iterator)
    iterator.close()
    with h5py.File(path, "a") as file:  # it isn't held open
        file["z"] = numpy.arange(3)
    for names, told in (
        (("w",), r"\['w'\].*'in/y', 'x', 'z'"),
        (("one",), "'one'"),
        ((), "nothing"),
    ):
        with pytest.raises(ValueError, match=told):
            Dataset.from_hdf5(path, *names)
    with pytest.raises(ValueError, match="the same length"):
        Dataset.from_hdf5(path, "x", "z")


def test_hdf5_files_are_read_in_parts_of_whole_chunks(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    path = str(tmp_path / "rows.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=numpy.zeros((50, 10)), chunks=(7, 10))
    reads = []
    original = h5py.Dataset.__getitem__

    def read(self, rows, **options):
        reads.append(rows)
        return original(self, rows, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", read)
    monkeypatch.setattr(readers, "_BYTES_A_READ", 800)  # ten rows: up to two chunks
    assert len(list(Dataset.from_hdf5(path, "x"))) == 50
    assert [r.start for r in reads] == [0, 14, 28, 42]


@pytest.mark.parametrize(
    ("missing", "call", "told"),
    [
        ("h5py", lambda path: Dataset.from_hdf5(path, "x"), "pip install h5py"),
        ("PIL", lambda path: Dataset.from_image_folder(path, 8), "pip install pillow"),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, missing, call, told):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=told):
        call(tmp_path)


# --- images -------------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "images"
    for name, level, file in (
        ("night", 0, "b.png"),
        ("night", 10, "deep/a.bmp"),
        ("day", 255, "B.PNG"),
        ("day", 200, "a.png"),
    ):
        path = folder / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = numpy.full((6, 4, 3), level, numpy.uint8)
        pixels[0, 0] = (1, 2, 3)
        image.fromarray(pixels).save(path)
    (folder / "day" / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    return folder


def test_labels_are_numbers_of_the_sorted_class_folders(images):
    data = Dataset.from_image_folder(images, (6, 4), "channels_last")
    assert data.class_names == ["day", "night"]
    assert len(data) == 4
    assert [(float(x[-1, -1, 0]), int(y)) for x, y in data] == [(255, 0), (200, 0), (0, 1), (10, 1)]
    x, y = next(iter(data))
    assert x.shape == (6, 4, 3)
    assert x.dtype == numpy.float32
    assert x[0, 0].tolist() == [1, 2, 3]
    assert y.dtype == numpy.int64
    other = Dataset.from_image_folder(images, 6, class_names=["night"])
    assert [int(y) for _, y in other] == [0, 0]


def test_images_have_the_size_layout_colours_and_dtype_asked_for(images):
    first = {}
    for layout in ("channels_first", "channels_last"):
        data = Dataset.from_image_folder(images, (6, 4), layout, dtype="uint8")
        x, y = next(iter(data.shuffle(seed=2).batch(3)))
        first[layout] = x
        assert x.dtype == numpy.uint8
        assert y.shape == (3,)
    numpy.testing.assert_array_equal(
        first["channels_first"], first["channels_last"].transpose(0, 3, 1, 2)
    )
    grey = Dataset.from_image_folder(images, (3, 2), "channels_first", "grayscale", "nearest")
    assert {x.shape for x, _ in grey} == {(1, 3, 2)}
    rgba = Dataset.from_image_folder(images, 5, "channels_last", "rgba")
    assert {x.shape for x, _ in rgba} == {(5, 5, 4)}
    assert {float(x[-1, -1, 3]) for x, _ in rgba} == {255}


def test_bad_image_folders_say_what_is_wrong(images, tmp_path):
    for path, options, told in (
        (tmp_path / "none", {}, "is no folder"),
        (tmp_path, {"size": 0}, "size: got 0"),
        (tmp_path, {"size": (1, 2, 3)}, r"size: got \(1, 2, 3\)"),
        (images, {"data_format": "first"}, "data_format: got 'first'"),
        (images, {"color_mode": "bgr"}, "color_mode: got 'bgr'"),
        (images, {"interpolation": "best"}, "interpolation: got 'best'"),
        (images, {"class_names": ["dusk"]}, r"no folders for the classes \['dusk'\]"),
        (images / "night" / "deep", {}, "has no images in the folders"),
    ):
        with pytest.raises(ValueError, match=told):
            Dataset.from_image_folder(path, **{"size": 4, **options})
    broken = os.path.join(images, "day", "c.png")
    with open(broken, "wb") as file:
        file.write(b"no image")
    with pytest.raises(ValueError, match=r"c\.png: can't be read as an image"):
        list(Dataset.from_image_folder(images, 4))
