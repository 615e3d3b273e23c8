"""Texts and sounds of a folder that has a folder a class, as batches; images are in `data_sets`."""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.data import Dataset
from minpy.utils.targets import to_categorical

__all__ = ["audio_dataset_from_directory", "text_dataset_from_directory"]

_MODES = ("int", "categorical", "binary", None)
_SUBSETS = ("training", "validation", "both")


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Return batches of the texts of a folder that has a folder a class.

    Parameters
    ----------
    directory : str or path
        Has ``<class>/<text>.txt``, in UTF-8; folders in those are searched too.
    labels : 'inferred', None or sequence of int
        Numbers of the folders, no labels, or one for each file, in the order of their paths.
    label_mode : {'int', 'categorical', 'binary', None}
        Labels as int32, as rows with a one, as rows of one float32 for two classes, or none.
    class_names : sequence of str, optional
        The folders in the order of their labels; all, sorted, if not given.
    batch_size : int or None
        Texts a batch; None for single ones.
    max_length : int, optional
        Characters after which a text is cut off.
    shuffle : bool
        Whether texts come in another order each epoch; else by class and name.
    seed : int, optional
        Of the order, and of the choice of texts for validation.
    validation_split : float, optional
        Share of the texts for validation; `seed` must be given with it, unless ``shuffle=False``.
    subset : {'training', 'validation', 'both'}, optional
        Which part is wanted; with `validation_split`.
    follow_links : bool
        Whether links to folders are followed.
    verbose : bool
        Whether to print how many files there are.

    Returns
    -------
    Dataset, or two of them for ``subset='both'``
        Batches ``(texts, labels)`` or ``texts``, arrays of strings, with `class_names`.

    Raises
    ------
    ValueError
        If there are no texts, or an argument is none of those named.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name, text in (('good', 'a fine film'), ('bad', 'a dull film')):
    ...     os.mkdir(os.path.join(folder.name, name))
    ...     with open(os.path.join(folder.name, name, '1.txt'), 'w') as stream:
    ...         _ = stream.write(text)
    >>> data = text_dataset_from_directory(folder.name, shuffle=False, max_length=6, verbose=False)
    >>> ((x, y),) = data
    >>> x.tolist(), y.tolist(), data.class_names
    (['a dull', 'a fine'], [0, 1], ['bad', 'good'])
    >>> folder.cleanup()
    """

    def read(paths: numpy.ndarray) -> numpy.ndarray:
        found = numpy.empty(len(paths), dtype=object)
        for i, path in enumerate(paths):
            with open(path, encoding="utf-8") as stream:
                found[i] = stream.read(-1 if max_length is None else max_length)
        return found.astype(str)

    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length: expected a number of characters from 1, got {max_length!r}")
    return _batches(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose, ".txt", read,
    )  # fmt: skip


def audio_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Return batches of the sounds of a folder that has a folder a class.

    Parameters
    ----------
    directory : str or path
        Has ``<class>/<sound>.wav``, of whole numbers of 8, 16, 24 or 32 bits (PCM).
    sampling_rate : int, optional
        Samples a second that sounds are brought to, by their Fourier transform; as they are if
        not given.
    output_sequence_length : int, optional
        Samples after which sounds are cut off, and to which shorter ones are filled with zeros;
        without it those of the longest sound of a batch.
    ragged : bool
        Must be False: arrays have no rows of several lengths.
    labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset
        As of `text_dataset_from_directory`.
    follow_links, verbose
        As of `text_dataset_from_directory`.

    Returns
    -------
    Dataset, or two of them for ``subset='both'``
        Batches ``(sounds, labels)`` or ``sounds``, float32 from -1 to 1, of shape (batch, samples,
        channels), with `class_names`.

    Raises
    ------
    ValueError
        If there are no sounds, an argument is none of those named, or, when it is read, a file
        has something else.

    Examples
    --------
    >>> import os, tempfile, wave
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name, value in (('left', 64), ('right', -128)):
    ...     os.mkdir(os.path.join(folder.name, name))
    ...     with wave.open(os.path.join(folder.name, name, '1.wav'), 'wb') as sound:
    ...         sound.setparams((1, 2, 8000, 0, 'NONE', ''))
    ...         sound.writeframes(numpy.full(3, 256 * value, '<i2').tobytes())
    >>> data = audio_dataset_from_directory(folder.name, shuffle=False, verbose=False)
    >>> ((x, y),) = data
    >>> x[:, :, 0].tolist(), y.tolist()
    ([[0.5, 0.5, 0.5], [-1.0, -1.0, -1.0]], [0, 1])
    >>> folder.cleanup()
    """
    if ragged:
        raise ValueError(
            "ragged: there are no arrays with rows of several lengths; leave it away, and shorter "
            "sounds are filled with zeros"
        )
    for name, value in (
        ("sampling_rate", sampling_rate),
        ("output_sequence_length", output_sequence_length),
    ):
        if value is not None and (isinstance(value, bool) or not value >= 1):
            raise ValueError(f"{name}: expected a whole number from 1, got {value!r}")

    def read(paths: numpy.ndarray) -> numpy.ndarray:
        sounds = [_sound(path, sampling_rate) for path in paths]
        if len({sound.shape[1] for sound in sounds}) > 1:
            raise ValueError(
                f"{directory}: sounds of one batch have {[s.shape[1] for s in sounds]} channels; "
                "give them one number of channels"
            )
        length = output_sequence_length or max(len(sound) for sound in sounds)
        found = numpy.zeros((len(sounds), length, sounds[0].shape[1]), "float32")
        for row, sound in zip(found, sounds, strict=True):
            row[: len(sound)] = sound[:length]
        return found

    return _batches(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose, ".wav", read,
    )  # fmt: skip


# --- files and their labels -----------------------------------------------------------------------


def _batches(
    directory: Any,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
    suffix: str,
    read: Callable[[numpy.ndarray], numpy.ndarray],
) -> Any:
    _check(labels, label_mode, class_names, shuffle, seed, validation_split, subset)
    if label_mode is None:
        labels = None
    paths, numbers, names = _found(directory, labels, class_names, follow_links, suffix)
    if label_mode == "binary" and len(names) != 2 and labels is not None:
        raise ValueError(f"label_mode='binary' needs two classes, {directory} has {names}")
    if verbose:
        print(f"Found {len(paths)} files" + (f" of {len(names)} classes." if names else "."))
    held = 0 if validation_split is None else int(validation_split * len(paths))
    if validation_split is not None:
        if not 0 < held < len(paths):
            raise ValueError(
                f"validation_split={validation_split} of {len(paths)} files leaves nothing for "
                f"{'validation' if not held else 'training'}"
            )
        if shuffle:  # one order for all calls, so that no file is in both parts
            order = numpy.random.RandomState(seed).permutation(len(paths))
            paths, numbers = paths[order], numbers[order]

    def target(number: numpy.ndarray) -> numpy.ndarray:
        if label_mode == "categorical":
            return to_categorical(number, len(names))
        return number.astype("float32")[:, None] if label_mode == "binary" else number

    def finished(part: slice) -> Dataset:
        rows = paths[part] if labels is None else (paths[part], numbers[part])
        data = Dataset.from_arrays(rows)
        if shuffle:
            data = data.shuffle(seed=seed)
        data = data.batch(batch_size or 1)
        data = data.map(read if labels is None else lambda path, y: (read(path), target(y)))
        data = data if batch_size is not None else data.unbatch()
        data.class_names = names or None
        return data

    training, validation = slice(0, len(paths) - held), slice(len(paths) - held, None)
    if subset == "both":
        return finished(training), finished(validation)
    return finished(validation if subset == "validation" else training)


def _check(
    labels: Any,
    label_mode: str | None,
    class_names: Any,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
) -> None:
    """Raise `ValueError` where arguments don't go together."""
    if isinstance(labels, str) and labels != "inferred":
        raise ValueError(f"labels: expected 'inferred', None or one for each file, got {labels!r}")
    if class_names is not None and labels != "inferred":
        raise ValueError("class_names: they name the folders, and go with labels='inferred' only")
    if label_mode not in _MODES:
        raise ValueError(f"label_mode: got {label_mode!r}; give one of {_MODES}")
    if (validation_split is None) != (subset is None) or subset not in (None, *_SUBSETS):
        raise ValueError(
            f"validation_split={validation_split!r}, subset={subset!r}: give both, or neither; "
            f"subset is one of {_SUBSETS}"
        )
    if validation_split is not None:
        if not 0 < validation_split < 1:
            raise ValueError(
                f"validation_split: expected a share between 0 and 1, got {validation_split!r}"
            )
        if shuffle and seed is None:
            raise ValueError(
                "validation_split: give a seed too, so that no file is in both parts, or "
                "shuffle=False"
            )


def _found(
    directory: Any, labels: Any, class_names: Sequence[str] | None, follow: bool, suffix: str
) -> tuple[numpy.ndarray, numpy.ndarray, list[str]]:
    """Return the paths of files, sorted, the numbers of their classes, and these classes' names."""
    root = os.fspath(directory)
    if not os.path.isdir(root):
        raise ValueError(f"{root}: expected a folder with a folder for each class")
    names = [""]
    if isinstance(labels, str):
        there = sorted(
            entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != "."
        )
        names = there if class_names is None else list(class_names)
        if not set(names) <= set(there):
            raise ValueError(f"class_names: got {names}, {root} has {there}")
    paths, numbers = [], []
    for number, name in enumerate(names):
        for folder, _, files in sorted(os.walk(os.path.join(root, name), followlinks=follow)):
            own = [os.path.join(folder, f) for f in sorted(files) if f.lower().endswith(suffix)]
            paths += own
            numbers += [number] * len(own)
    if not paths:
        raise ValueError(
            f"{root}: has no {suffix} files" + ("" if labels is None else " in folders")
        )
    if labels is None:
        names = []
    elif not isinstance(labels, str):
        numbers = [int(label) for label in labels]
        if len(numbers) != len(paths):
            raise ValueError(f"labels: got {len(numbers)} for {len(paths)} files of {root}")
        names = [str(label) for label in sorted(set(numbers))]
    return numpy.array(paths), numpy.array(numbers, "int32"), names


# --- sounds ---------------------------------------------------------------------------------------


def _sound(path: str, rate: int | None) -> numpy.ndarray:
    """Return the samples of a file, (samples, channels), from -1 to 1."""
    try:
        with wave.open(str(path), "rb") as sound:
            channels, width, own_rate, count = sound.getparams()[:4]
            raw = sound.readframes(count)
    except (wave.Error, EOFError) as error:
        raise ValueError(
            f"{path}: not a WAV file of whole numbers (PCM), which are read here: {error}"
        ) from None
    if width == 1:
        samples = numpy.frombuffer(raw, "u1").astype("float32") / 128.0 - 1.0
    elif width == 3:
        whole = numpy.zeros((len(raw) // 3, 4), "u1")
        whole[:, 1:] = numpy.frombuffer(raw, "u1").reshape(-1, 3)
        samples = whole.view("<i4")[:, 0].astype("float32") / 2.0**31
    else:
        samples = numpy.frombuffer(raw, f"<i{width}").astype("float32") / 2.0 ** (8 * width - 1)
    samples = samples.reshape(-1, channels)
    if rate is None or rate == own_rate or not len(samples):
        return samples
    return _resampled(samples, max(round(len(samples) * rate / own_rate), 1))


def _resampled(samples: numpy.ndarray, count: int) -> numpy.ndarray:
    """Return as many samples of the same signal, without the frequencies that they can't have."""
    spectrum = numpy.fft.rfft(samples, axis=0)
    kept = min(len(samples), count)
    spectrum = spectrum[: kept // 2 + 1]
    if kept % 2 == 0:  # the highest frequency is two, or half of two, of the other length
        spectrum[-1] *= 0.5 if len(samples) < count else 2.0
    return (numpy.fft.irfft(spectrum, count, axis=0) * (count / len(samples))).astype("float32")
