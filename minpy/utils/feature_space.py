"""Columns of a table as features of a model: each prepared in its way, crossed, and joined."""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from minpy.array import as_ndarray
from minpy.data import Dataset
from minpy.layers import (
    Discretization,
    HashedCrossing,
    Hashing,
    Input,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
)
from minpy.layers.preprocessing.python_layer import numpy_encoded
from minpy.layers.serialization import deserialize, serialize

__all__ = ["Cross", "Feature", "FeatureSpace"]

_ROWS = 1024  # of a data set of single rows that are prepared together


@dataclass(frozen=True)
class Cross:
    """A feature of what several columns have together; see `FeatureSpace.cross`."""

    feature_names: tuple[str, ...]
    crossing_dim: int
    output_mode: str = "one_hot"

    def __post_init__(self) -> None:
        _one_of(self.output_mode, ("int", "one_hot"), "cross: output_mode")

    @property
    def name(self) -> str:
        """Its name in the output: ``'a_X_b'``."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal one."""
        return {
            "feature_names": list(self.feature_names),
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }


@dataclass(frozen=True)
class Feature:
    """A column: its element type, the layer that prepares it, and what is given of that."""

    dtype: str
    preprocessor: Any
    output_mode: str

    def __post_init__(self) -> None:
        _one_of(self.output_mode, ("int", "one_hot", "float"), "feature: output_mode")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal one, with what the layer has adapted to."""
        layer = self.preprocessor
        weights = [w.tolist() for w in layer.get_weights()] if _normalizes(layer) else []
        return {
            "dtype": self.dtype,
            "preprocessor": None if layer is None else serialize(layer),
            "output_mode": self.output_mode,
            "weights": weights,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Feature:
        """Make one of what `get_config` returned."""
        layer = None if config["preprocessor"] is None else deserialize(config["preprocessor"])
        if config.get("weights"):
            layer.build((None, 1))
            layer.set_weights([numpy.asarray(w) for w in config["weights"]])
        return cls(config["dtype"], layer, config["output_mode"])


def _normalizes(layer: Any) -> bool:
    """Say whether a layer has its statistics in weights."""
    return isinstance(layer, Normalization) and bool(layer.get_weights())


def _one_of(value: Any, known: Sequence[Any], what: str) -> Any:
    if value not in known:
        raise ValueError(f"{what}: expected one of {', '.join(map(repr, known))}, got {value!r}")
    return value


class FeatureSpace:
    """Prepares the columns of a table, and joins them to one array of features.

    Parameters
    ----------
    features : dict
        Name of a column → ``'float'``, ``'float_normalized'``, ``'float_rescaled'``,
        ``'float_discretized'``, ``'integer_categorical'``, ``'string_categorical'``,
        ``'integer_hashed'``, ``'string_hashed'``, or what the method of that name returns.
    output_mode : {'concat', 'dict'}
        Whether features are joined along the last axis, by their names, or stay apart.
    crosses : sequence, optional
        Names of columns whose values together are a feature, or what `cross` returns.
    crossing_dim, hashing_dim, num_discretization_bins : int
        How many values a cross, a hashed and a discretized column has, unless it says so itself.
    name : str, optional
        Kept in its configuration.

    Notes
    -----
    Strings have no place in a model, so columns are prepared before it: call the space on a dict
    of columns, or map it over a data set. `get_encoded_features` gives the model's inputs.

    Examples
    --------
    >>> from minpy.utils import FeatureSpace
    >>> table = {'age': [20.0, 40.0], 'city': ['Bern', 'Graz']}
    >>> space = FeatureSpace({'age': 'float_normalized', 'city': 'string_categorical'})
    >>> space.adapt(table)
    >>> space(table)
    array([[-1.,  0.,  1.,  0.],
           [ 1.,  0.,  0.,  1.]])
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        if not features:
            raise ValueError("FeatureSpace: expected features, a dict of columns by name, got none")
        self.output_mode = _one_of(output_mode, ("concat", "dict"), "FeatureSpace: output_mode")
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins, self.name = num_discretization_bins, name
        self.features = {n: self._feature(n, given) for n, given in features.items()}
        self.crosses = [self._cross(given) for given in crosses or ()]
        self.preprocessors = {n: f.preprocessor for n, f in self.features.items()}
        self.crossers = {c.name: HashedCrossing(c.crossing_dim) for c in self.crosses}
        self._adapted = False

    def _feature(self, name: str, given: Any) -> Feature:
        if isinstance(given, Feature):
            return given
        if isinstance(given, Mapping):
            return Feature.from_config(given)
        sizes = {
            "float_discretized": self.num_discretization_bins,
            "integer_hashed": self.hashing_dim,
            "string_hashed": self.hashing_dim,
        }
        _one_of(given, _KINDS, f"FeatureSpace: feature {name!r}")
        return getattr(self, given)(*([sizes[given]] if given in sizes else []))

    def _cross(self, given: Any) -> Cross:
        if isinstance(given, Mapping):
            given = self.cross(**given)
        if not isinstance(given, Cross):
            given = self.cross(given, self.crossing_dim)
        unknown = sorted(set(given.feature_names) - set(self.features))
        if unknown or len(given.feature_names) < 2:
            raise ValueError(
                f"FeatureSpace: expected crosses of two or more of the features "
                f"{', '.join(self.features)}, got {given.feature_names}"
            )
        return given

    # --- kinds of columns -----------------------------------------------------------------------

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """Return a feature of what columns have together, hashed to `crossing_dim` values."""
        return Cross(tuple(feature_names), crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """Return a column that a layer of one's own prepares."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Return a column of numbers that stay as they are."""
        return Feature("float32", None, "float")

    @classmethod
    def float_rescaled(
        cls, scale: builtins.float = 1.0, offset: builtins.float = 0.0, name: str | None = None
    ) -> Feature:
        """Return a column of numbers, times a scale and plus an offset."""
        return Feature("float32", Rescaling(scale, offset), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Return a column of numbers, brought to mean 0 and variance 1."""
        return Feature("float32", Normalization(axis=-1), "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Any = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a column of numbers as the bins where they lie; see `Discretization`."""
        bins = None if bin_boundaries is not None else num_bins
        layer = Discretization(bin_boundaries=bin_boundaries, num_bins=bins)
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a column of whole numbers, each of which is a category; see `IntegerLookup`."""
        layer = IntegerLookup(max_tokens=max_tokens, num_oov_indices=num_oov_indices)
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a column of strings, each of which is a category; see `StringLookup`."""
        layer = StringLookup(max_tokens=max_tokens, num_oov_indices=num_oov_indices)
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Return a column of strings, hashed; see `Hashing`."""
        return Feature("string", Hashing(num_bins), output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Return a column of whole numbers, hashed; see `Hashing`."""
        return Feature("int32", Hashing(num_bins), output_mode)

    # --- data -----------------------------------------------------------------------------------

    def _to_adapt(self) -> list[str]:
        """Return the names of columns whose layers learn from data, and were told nothing."""
        return [n for n, layer in self.preprocessors.items() if _learns(layer)]

    def adapt(self, dataset: Any) -> None:
        """Let the layers of the columns learn from data: vocabularies, means, boundaries.

        Parameters
        ----------
        dataset
            A dict of columns, or a `Dataset` of such dicts: of rows, or of batches.

        Raises
        ------
        ValueError
            If it is something else, or has not all columns.
        """
        if isinstance(dataset, Mapping):
            dataset = Dataset.from_arrays({n: numpy.asarray(c) for n, c in dataset.items()})
        if not isinstance(dataset, Dataset):
            raise ValueError(
                f"FeatureSpace.adapt: expected a dict of columns or a Dataset of such dicts, got a "
                f"{type(dataset).__name__}"
            )
        first = next(iter(dataset), None)
        if not isinstance(first, Mapping):
            raise ValueError(
                "FeatureSpace.adapt: expected a data set of dicts, without targets; "
                "data.map(lambda x, y: x) leaves them away"
            )
        self._check_columns(first)
        if all(numpy.ndim(column) == 0 for column in first.values()):
            dataset = dataset.batch(_ROWS)

        def batches(name: str) -> Iterator[numpy.ndarray]:
            for batch in dataset:
                yield self._column(name, batch[name])

        for name in self._to_adapt():
            self.preprocessors[name].adapt(batches(name))
        self._adapted = True

    def _check_columns(self, data: Mapping[str, Any]) -> None:
        missing = [name for name in self.features if name not in data]
        if missing:
            raise ValueError(f"FeatureSpace: expected the columns {missing} too, got {list(data)}")

    def _column(self, name: str, values: Any) -> numpy.ndarray:
        """Return a column as (rows, 1), of its element type."""
        kind = self.features[name].dtype
        column = numpy.asarray(values)
        column = column.astype(str if kind == "string" else kind)
        return column.reshape(-1, 1) if column.ndim < 2 else column

    def get_preprocessed_features(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return each column as its layer prepares it, and the crosses: before one-hot rows."""
        if not isinstance(data, Mapping):
            raise ValueError(
                f"FeatureSpace: expected a dict of columns by name, got a {type(data).__name__}"
            )
        self._check_columns(data)
        if not self._adapted and self._to_adapt():
            raise ValueError(
                f"FeatureSpace: {', '.join(self._to_adapt())} must learn from data first; call "
                "adapt(data)"
            )
        found = {}
        for name, layer in self.preprocessors.items():
            column = self._column(name, data[name])
            found[name] = column if layer is None else numpy.asarray(layer(column))
        crossed = {
            c.name: numpy.asarray(self.crossers[c.name]([found[n] for n in c.feature_names]))
            for c in self.crosses
        }
        return {n: part[n] for part in (found, crossed) for n in sorted(part)}

    def _depth(self, name: str) -> int:
        """Return how many values a feature of categories has."""
        layer = self.preprocessors.get(name, self.crossers.get(name))
        if isinstance(layer, IntegerLookup | StringLookup):
            return layer.vocabulary_size()
        if isinstance(layer, Discretization) and layer.bin_boundaries is not None:
            return len(layer.bin_boundaries) + 1
        depth = getattr(layer, "num_bins", None)
        if depth is None:
            raise ValueError(
                f"FeatureSpace: how many values {name!r} has isn't known, so it can't be one-hot; "
                "give it output_mode='int'"
            )
        return depth

    def _mode(self, name: str) -> str:
        crosses = {c.name: c.output_mode for c in self.crosses}
        return self.features[name].output_mode if name in self.features else crosses[name]

    def __call__(self, data: Mapping[str, Any]) -> Any:
        """Return the features of columns: an array (rows, features), or a dict of them.

        Parameters
        ----------
        data
            A dict of columns, of as many rows each; of numbers and strings alone it is one row,
            and the result has no axis of rows.
        """
        single = isinstance(data, Mapping) and all(numpy.ndim(c) == 0 for c in data.values())
        made = {}
        for name, values in self.get_preprocessed_features(data).items():
            if self._mode(name) == "one_hot":
                if values.dtype.kind not in "iu":
                    raise ValueError(
                        f"FeatureSpace: {name!r} is to be one-hot, so its layer must give whole "
                        f"numbers, not {values.dtype}"
                    )
                values = numpy_encoded(values, "multi_hot", self._depth(name), "float32")
            if self.output_mode == "concat" and values.dtype.kind != "f":
                raise ValueError(
                    f"FeatureSpace: {name!r} gives {values.dtype}, which can't be joined with "
                    "numbers; give it output_mode='one_hot', or the space output_mode='dict'"
                )
            made[name] = values[0] if single else values
        if self.output_mode == "concat":
            return as_ndarray(numpy.concatenate(list(made.values()), axis=-1))
        return {n: values if values.dtype.kind in "OUS" else as_ndarray(values)
                for n, values in made.items()}  # fmt: skip

    def get_encoded_features(self) -> Any:
        """Return inputs of a model that takes what calling the space returns.

        Examples
        --------
        >>> from minpy.utils import FeatureSpace
        >>> FeatureSpace({'a': 'float', 'b': 'integer_hashed'}).get_encoded_features().shape
        (None, 33)
        """
        widths = {}
        for name in [*sorted(self.features), *sorted(self.crossers)]:
            widths[name] = self._depth(name) if self._mode(name) == "one_hot" else 1
        if self.output_mode == "concat":
            return Input((sum(widths.values()),))
        return {
            n: Input((width,), dtype="int64" if self._mode(n) == "int" else "float32", name=n)
            for n, width in widths.items()
        }

    # --- files ----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal space, with what it has adapted to."""
        return {
            "features": {n: feature.get_config() for n, feature in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [cross.get_config() for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
            "adapted": self._adapted,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FeatureSpace:
        """Make a space of what `get_config` returned."""
        config = dict(config)
        adapted = config.pop("adapted", False)
        made = cls(**config)
        made._adapted = adapted
        return made

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the configuration, with what it has adapted to, as a file of JSON."""
        text = json.dumps(self.get_config())
        with open(filepath, "w", encoding="utf-8") as stream:
            stream.write(text)

    @classmethod
    def load(cls, filepath: str | os.PathLike[str]) -> FeatureSpace:
        """Make the space that `save` wrote."""
        with open(filepath, encoding="utf-8") as stream:
            return cls.from_config(json.load(stream))


_KINDS = (
    "float",
    "float_normalized",
    "float_rescaled",
    "float_discretized",
    "integer_categorical",
    "string_categorical",
    "integer_hashed",
    "string_hashed",
)


def _learns(layer: Any) -> bool:
    """Say whether a layer has to adapt to data, and was given nothing to spare it that."""
    if isinstance(layer, Normalization):
        return layer.get_config()["mean"] is None
    if isinstance(layer, Discretization):
        return layer.bin_boundaries is None
    if isinstance(layer, IntegerLookup | StringLookup):
        return layer.get_config()["vocabulary"] is None
    return hasattr(layer, "adapt")
