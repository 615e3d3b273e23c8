"""``keras.utils``' functions that make data sets, as chains of `Dataset`; knows no model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy

from minpy.data import Dataset
from minpy.utils.image_sizes import INTERPOLATIONS, cropped_to, padded_to, stretched_to
from minpy.utils.targets import to_categorical

__all__ = ["image_dataset_from_directory", "split_dataset", "timeseries_dataset_from_array"]

_LABEL_MODES = ("int", "categorical", "binary", None)
_SUBSETS = ("training", "validation", "both")


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Dataset:
    """Return windows that slide over a series, with a target each.

    Parameters
    ----------
    data : array_like, shape (steps, ...)
        The series. Windows are views of it: it isn't copied.
    targets : array_like or None
        ``targets[i]`` belongs to the window that begins at ``data[i]``.
    sequence_length : int
        Entries in a window.
    sequence_stride : int
        Steps from the beginning of a window to that of the next.
    sampling_rate : int
        Steps from an entry of a window to the next.
    batch_size : int or None
        Windows a batch; None for single ones.
    shuffle : bool
        Whether windows come in another order each epoch.
    seed : int, optional
        Of the orders.
    start_index, end_index : int, optional
        The part of the series that is used, ``data[start_index:end_index]``.

    Returns
    -------
    Dataset
        Batches ``x`` of shape ``(batch, sequence_length, ...)``, or ``(x, y)``.

    Raises
    ------
    ValueError
        If a number is none of those that make sense, or the series is too short for a window.

    Examples
    --------
    >>> import numpy
    >>> series = numpy.arange(6)
    >>> ((x, y),) = timeseries_dataset_from_array(series, series[3:], 3, batch_size=8)
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3], [2, 3, 4]], [3, 4, 5])
    """
    for name, value in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        if isinstance(value, bool) or not isinstance(value, int | numpy.integer) or value < 1:
            raise ValueError(f"{name}: got {value!r}; give a whole number, 1 or more")
    series = numpy.asarray(data)
    first = 0 if start_index is None else start_index
    last = len(series) if end_index is None else end_index
    if not 0 <= first < last <= len(series):
        raise ValueError(
            f"start_index, end_index: got {start_index} and {end_index} for a series of "
            f"{len(series)}; give 0 <= start_index < end_index <= {len(series)}"
        )
    span = (sequence_length - 1) * sampling_rate + 1
    windows = last - first - span + 1
    if targets is not None:
        targets = numpy.asarray(targets)[first:]
        windows = min(windows, len(targets))
    if windows < 1:
        raise ValueError(
            f"a window spans {span} steps, the series has {last - first}"
            + ("" if targets is None else f" and {len(targets)} targets")
            + "; give a longer series, or a smaller sequence_length or sampling_rate"
        )
    views = numpy.lib.stride_tricks.sliding_window_view(series[first:last], span, axis=0)
    x = numpy.moveaxis(views[..., ::sampling_rate], -1, 1)[:windows:sequence_stride]
    made = Dataset.from_arrays(x if targets is None else (x, targets[:windows:sequence_stride]))
    if shuffle:
        made = made.shuffle(seed=seed)
    return made if batch_size is None else made.batch(batch_size)


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Dataset, Dataset]:
    """Return the first and the last elements of a data set as two, for training and testing.

    Parameters
    ----------
    dataset : Dataset, or arrays
        Arrays, and tuples and dicts of them, are split along their first axis. The elements of a
        `Dataset` are kept in memory, so that no element changes sides from epoch to epoch.
    left_size, right_size : int or float, optional
        A number of elements, or a share between 0 and 1; the rest if not given.
    shuffle : bool
        Whether elements are shuffled, once, before the split.
    seed : int, optional
        Of that order.

    Raises
    ------
    ValueError
        If no size is given, or the sizes leave a side without elements or overlap.

    Examples
    --------
    >>> left, right = split_dataset([1, 2, 3, 4], left_size=0.75)
    >>> [int(n) for n in left], [int(n) for n in right]
    ([1, 2, 3], [4])
    """
    if isinstance(dataset, Dataset):
        data = dataset.cache()
    else:
        arrays = isinstance(dataset, list) and all(hasattr(part, "shape") for part in dataset)
        data = Dataset.from_arrays(tuple(dataset) if arrays else dataset)
    total = data.cardinality()
    if total is None:
        total = sum(1 for _ in data)
    left, right = _sizes(left_size, right_size, int(total))
    if shuffle:
        data = data.shuffle(seed=0 if seed is None else seed, reshuffle_each_iteration=False)
    return data.take(left), data.skip(int(total) - right).take(right)


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Return how many elements each side gets."""
    if left is None and right is None:
        raise ValueError("split_dataset: give left_size, right_size or both")
    numbers = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            numbers.append(None)
        elif isinstance(size, float) and 0 < size < 1:
            numbers.append(round(size * total))
        elif isinstance(size, int | numpy.integer) and not isinstance(size, bool) and size > 0:
            numbers.append(int(size))
        else:
            raise ValueError(
                f"{name}: got {size!r}; give a number of elements, or a share between 0 and 1"
            )
    first, second = numbers
    first = total - second if first is None else first
    second = total - first if second is None else second
    if first < 1 or second < 1 or first + second > total:
        raise ValueError(
            f"split_dataset: left_size={left} and right_size={right} make {first} and {second} of "
            f"{total} elements; give sizes that leave each side some and don't overlap"
        )
    return first, second


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Sequence[int] | str | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Return batches of the images of a folder that has a folder a class.

    Parameters
    ----------
    directory : str or path
        Has ``<class>/<image>``; without labels, or with some of your own, images anywhere in it.
    labels : 'inferred', sequence of int, or None
        Numbers of the folders; one for each image, in the order of their sorted paths; or none.
    label_mode : {'int', 'categorical', 'binary', None}
        Labels as int64, as rows with a one, as one float32 of two classes, or none.
    class_names : sequence of str, optional
        The folders in the order of their labels; all, sorted, if not given.
    color_mode : {'rgb', 'rgba', 'grayscale'}
        What images are converted to.
    batch_size : int or None
        Images a batch; None for single ones.
    image_size : (int, int)
        Height and width that images are resized to.
    shuffle : bool
        Whether images come in another order each epoch; else class by class.
    seed : int, optional
        Of the order, and of the choice of images for validation.
    validation_split : float, optional
        Share of the images for validation.
    subset : {'training', 'validation', 'both'}, optional
        Which part is wanted; with `validation_split`.
    interpolation : str
        ``'bilinear'``, ``'nearest'``, ``'bicubic'``, ``'area'``, ``'lanczos3'``, ``'lanczos5'``,
        ``'gaussian'`` or ``'mitchellcubic'``; no filter goes before it where images get smaller.
    follow_links : bool
        Whether folders that links name are searched too, inside those of the classes.
    crop_to_aspect_ratio : bool
        Cuts off what doesn't fit the new aspect ratio, so that nothing is distorted.
    pad_to_aspect_ratio : bool
        Adds zeros around the resized image instead.
    data_format : {'channels_first', 'channels_last'}, optional
        `minpy.config.image_data_format` if not given.
    verbose : bool
        Kept for Keras' sake: nothing is printed.

    Returns
    -------
    Dataset, or two of them for ``subset='both'``
        Batches ``(images, labels)`` or ``images``, float32 from 0 to 255, with `class_names` and
        `file_paths`, in the order of the images where they aren't shuffled.

    Raises
    ------
    ModuleNotFoundError
        If there is no Pillow.
    ValueError
        If there are no images, or an argument is none of those named.

    Examples
    --------
    >>> import os, tempfile, numpy
    >>> from PIL import Image
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ('cat', 'dog'):
    ...     os.mkdir(os.path.join(folder.name, name))
    ...     image = Image.fromarray(numpy.zeros((8, 8, 3), numpy.uint8))
    ...     image.save(os.path.join(folder.name, name, '1.png'))
    >>> data = image_dataset_from_directory(
    ...     folder.name, label_mode='categorical', image_size=(4, 4), data_format='channels_last')
    >>> ((x, y),) = data
    >>> x.shape, y.shape, data.class_names
    ((2, 4, 4, 3), (2, 2), ['cat', 'dog'])
    >>> folder.cleanup()
    """
    if isinstance(labels, str) and labels != "inferred":
        raise ValueError(f"labels: got {labels!r}; give 'inferred', None, or a number an image")
    if label_mode not in _LABEL_MODES:
        raise ValueError(f"label_mode: got {label_mode!r}; give one of {_LABEL_MODES}")
    if (validation_split is None) != (subset is None) or (
        subset is not None and subset not in _SUBSETS
    ):
        raise ValueError(
            f"validation_split={validation_split!r}, subset={subset!r}: give both, or neither; "
            f"subset is one of {_SUBSETS}"
        )
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation: got {interpolation!r}; give one of {INTERPOLATIONS}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "give crop_to_aspect_ratio=True or pad_to_aspect_ratio=True, got both: images are cut, "
            "or filled up"
        )
    fit = padded_to if pad_to_aspect_ratio else stretched_to
    data = Dataset.from_image_folder(
        directory,
        image_size,
        data_format,
        color_mode=color_mode,
        class_names=class_names,
        labels=None if label_mode is None else labels,
        resize=partial(cropped_to if crop_to_aspect_ratio else fit, interpolation=interpolation),
        follow_links=follow_links,
    )
    paths = data.file_paths or []
    labelled = labels is not None and label_mode is not None
    names = data.class_names or []
    if labelled and label_mode == "binary" and len(names) != 2:
        raise ValueError(f"label_mode='binary' needs two classes, {directory} has {names}")
    parts = {"all": (data, paths)}
    if validation_split is not None:
        # One order for all calls, so that no image is in both parts.
        order = 0 if seed is None else seed
        numbers = Dataset.from_arrays(numpy.arange(len(paths)))
        if shuffle:
            data, numbers = (
                part.shuffle(seed=order, reshuffle_each_iteration=False) for part in (data, numbers)
            )
        _, held = _sizes(None, float(validation_split), len(data))
        shuffled = [paths[int(number)] for number in numbers]
        kept = len(data) - held
        parts = {
            "training": (data.take(kept), shuffled[:kept]),
            "validation": (data.skip(kept), shuffled[kept:]),
        }

    def finished(part: Dataset, part_paths: list[str]) -> Dataset:
        if shuffle:
            part = part.shuffle(seed=seed)
        if labelled and label_mode == "categorical":
            part = part.map(lambda image, label: (image, to_categorical(label, len(names))))
        elif labelled and label_mode == "binary":
            part = part.map(lambda image, label: (image, numpy.float32(label)))
        part = part if batch_size is None else part.batch(batch_size)
        part.file_paths = part_paths
        return part

    if subset == "both":
        return finished(*parts["training"]), finished(*parts["validation"])
    return finished(*parts[subset or "all"])
