"""Files as arrays: tables of text, folders of images, HDF5; must not know what reads them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy

__all__ = ["csv_columns", "hdf5_lengths", "hdf5_rows", "image_files", "image_reader"]

_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# Colour mode → Pillow's name of it.
_COLOURS = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_FILTERS = ("bicubic", "bilinear", "box", "hamming", "lanczos", "nearest")
# A file is read in parts of about this size: a call of h5py takes as long as 100 kB do.
_BYTES_A_READ = 4_000_000


def csv_columns(
    path: str | os.PathLike[str],
    columns: Sequence[str | int] | None,
    header: bool,
    delimiter: str,
) -> dict[str | int, numpy.ndarray]:
    """Return columns of a table of text by name, or by number where it has no header.

    A column is float32 if each of its entries is a number or empty (NaN), else an array of
    strings.

    Raises
    ------
    ValueError
        If the file has no rows, rows of unequal length, one name twice, or not the columns.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=delimiter)
        rows = []
        for row in reader:
            if not row:  # an empty line
                continue
            if rows and len(row) != len(rows[0]):
                raise ValueError(
                    f"from_csv: {path}, line {reader.line_num} has {len(row)} entries, the first "
                    f"line has {len(rows[0])}; is {delimiter!r} the delimiter?"
                )
            rows.append(row)
    names: list[Any] = list(range(len(rows[0]))) if rows else []
    if header and rows:
        names = [name.strip() for name in rows.pop(0)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"from_csv: {path} has the columns {twice} twice; rename them, or give "
                "header=False and column numbers"
            )
    if not rows:
        raise ValueError(
            f"from_csv: {path} has no rows" + (" after its header" if header and names else "")
        )
    wanted = names if columns is None else list(columns)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f"from_csv: asked for the columns {missing}; {path} has {names}")
    return {name: _entries([row[names.index(name)] for row in rows]) for name in wanted}


def _entries(texts: list[str]) -> numpy.ndarray:
    try:
        return numpy.array([text.strip() or "nan" for text in texts]).astype(numpy.float32)
    except ValueError:
        return numpy.array(texts)


def hdf5_lengths(path: str | os.PathLike[str], names: Sequence[str]) -> int:
    """Return the number of rows that data sets of a file have.

    Raises
    ------
    ModuleNotFoundError
        If there is no h5py.
    ValueError
        If the file hasn't these data sets, or they have different numbers of rows.
    """
    h5py = _h5py()
    with h5py.File(path, "r") as file:
        found: list[str] = []
        file.visititems(lambda name, it: found.append(name) if _has_rows(it) else None)
        missing = [name for name in names if name not in file or not _has_rows(file[name])]
        if not names or missing:
            raise ValueError(
                f"from_hdf5: asked for {missing or 'nothing'}; {path} has {sorted(found)}"
            )
        rows = {name: len(file[name]) for name in names}
    if len(set(rows.values())) > 1:
        raise ValueError(f"from_hdf5: rows are {rows}; give data sets of the same length")
    return rows[names[0]]


def hdf5_rows(
    path: str | os.PathLike[str], names: Sequence[str], rows_a_read: int | None
) -> Iterator[Any]:
    """Give the rows of data sets of a file in order; many are read at once."""
    with _h5py().File(path, "r") as file:
        read = [file[name] for name in names]
        total = len(read[0])
        step = rows_a_read or _rows_a_read(read)
        for start in range(0, total, step):
            parts = [data[start : start + step] for data in read]
            for row in zip(*parts, strict=True):
                yield row if len(row) > 1 else row[0]


def _rows_a_read(read: list[Any]) -> int:
    """Return how many rows make up a read: whole chunks of the file, where it has them."""
    bytes_a_row = sum(
        int(numpy.prod(data.shape[1:], dtype=numpy.int64)) * data.dtype.itemsize for data in read
    )
    rows = max(1, _BYTES_A_READ // max(1, bytes_a_row))
    chunk = max((data.chunks[0] for data in read if data.chunks), default=1)
    return -(-rows // chunk) * chunk


def _has_rows(item: Any) -> bool:
    return bool(getattr(item, "shape", ()))


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ModuleNotFoundError(
            "from_hdf5 needs h5py, which isn't installed: pip install h5py"
        ) from None
    return h5py


def image_files(
    folder: str | os.PathLike[str],
    class_names: Sequence[str] | None,
    labels: Sequence[int] | str | None = "inferred",
    follow_links: bool = False,
) -> tuple[list[str], numpy.ndarray | None, list[str] | None]:
    """Return the images of a folder that has a folder a class, their labels and the classes.

    Parameters
    ----------
    folder
        Has ``<class>/<image>``; images of its own too where labels aren't those of the folders.
    class_names
        The folders to read, in the order of their labels.
    labels
        ``'inferred'`` from the folders, one for each image, or None.
    follow_links
        Whether folders that links name are searched too, inside those of the classes.

    Returns
    -------
    paths
        Sorted, those of the first class first.
    labels
        Number of the class, int64.
    class_names
        Names of the folders: sorted, or as given. Of given labels these, sorted.

    Raises
    ------
    ValueError
        If there are no such folders, no images in them, or another number of labels.
    """
    folder = os.fspath(folder)
    if not os.path.isdir(folder):
        raise ValueError(f"from_image_folder: {folder!r} is no folder")
    if labels is None or not isinstance(labels, str):
        return _images_below(folder, class_names, labels, follow_links)
    found = sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".")
    )
    if class_names is not None:
        missing = [name for name in class_names if name not in found]
        if missing:
            raise ValueError(
                f"from_image_folder: no folders for the classes {missing}, got {found}"
            )
        found = list(class_names)
    paths: list[str] = []
    numbers: list[int] = []
    for label, name in enumerate(found):
        inside = _images_in(os.path.join(folder, name), follow_links)
        paths += inside
        numbers += [label] * len(inside)
    if not paths:
        raise ValueError(
            f"from_image_folder: {folder!r} has no images in the folders {found}; expected "
            f"<class>/<image>, with images that end in {', '.join(_IMAGES)}"
        )
    return paths, numpy.array(numbers, numpy.int64), found


def _images_below(
    folder: str,
    class_names: Sequence[str] | None,
    labels: Sequence[int] | None,
    follow_links: bool,
) -> tuple[list[str], numpy.ndarray | None, list[str] | None]:
    """Return all images of a folder and of those in it, with labels of one's own, or none."""
    if class_names is not None:
        raise ValueError(
            "from_image_folder: class_names name the folders that labels are inferred from; leave "
            "them out with labels of your own"
        )
    paths = _images_in(folder, follow_links)
    if not paths:
        raise ValueError(
            f"from_image_folder: {folder!r} has no images, which end in {', '.join(_IMAGES)}"
        )
    if labels is None:
        return paths, None, None
    if len(labels) != len(paths):
        raise ValueError(
            f"from_image_folder: {len(labels)} labels for the {len(paths)} images of {folder!r}; "
            "give one each, in the order of their sorted paths"
        )
    numbers = numpy.asarray(labels)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"from_image_folder: labels of shape {numbers.shape} and dtype {numbers.dtype}; "
            "expected a whole number for each image"
        )
    return paths, numbers.astype(numpy.int64), [str(n) for n in numpy.unique(numbers)]


def _images_in(folder: str, follow_links: bool) -> list[str]:
    """Return the paths of images in a folder and those in it, sorted."""
    return sorted(
        os.path.join(base, file)
        for base, _, files in os.walk(folder, followlinks=follow_links)
        for file in files
        if file.lower().endswith(_IMAGES) and not file.startswith(".")
    )


def image_reader(
    size: int | tuple[int, int],
    data_format: str,
    color_mode: str,
    interpolation: str,
    dtype: Any,
    resize: Callable[[numpy.ndarray, int, int], numpy.ndarray] | None = None,
) -> Callable[[str], numpy.ndarray]:
    """Return the function that reads an image file as an array of one size.

    Parameters
    ----------
    size, data_format, color_mode, interpolation, dtype, resize
        As in `Dataset.from_image_folder`.

    Raises
    ------
    ModuleNotFoundError
        If there is no Pillow.
    ValueError
        If a setting is none of those that there are.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ModuleNotFoundError(
            "images are read with Pillow, which isn't installed: pip install pillow"
        ) from None
    for name, given, known in (
        ("data_format", data_format, ("channels_first", "channels_last")),
        ("color_mode", color_mode, tuple(_COLOURS)),
        ("interpolation", interpolation, _FILTERS),
    ):
        if given not in known and not (resize and name == "interpolation"):
            raise ValueError(f"{name}: got {given!r}; give one of {known}")
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or any(not isinstance(n, int | numpy.integer) or n < 1 for n in sides):
        raise ValueError(f"size: got {size!r}; give (height, width) in pixels, or one number")
    height, width = sides
    resample = None if resize else getattr(Image.Resampling, interpolation.upper())

    def read(path: str) -> numpy.ndarray:
        try:
            with Image.open(path) as file:
                image = file.convert(_COLOURS[color_mode])
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(f"{path}: can't be read as an image: {error}") from error
        if resize is None and image.size != (width, height):
            image = image.resize((width, height), resample)
        pixels = numpy.asarray(image, None if resize else dtype)
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if resize is not None:
            pixels = numpy.asarray(resize(pixels, height, width), dtype)
            if pixels.shape[:2] != (height, width):
                raise ValueError(
                    f"{path}: resize returned pixels of shape {pixels.shape}; expected "
                    f"({height}, {width}, channels)"
                )
        if data_format == "channels_first":
            pixels = pixels.transpose(2, 0, 1)
        return numpy.ascontiguousarray(pixels)

    return read
