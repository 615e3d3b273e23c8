"""Strings or integers as their numbers in a vocabulary, and back."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy

from minpy.arguments import also_by_place
from minpy.layers.images import one_of
from minpy.layers.preprocessing.adapting import as_numpy, as_text, batches_of
from minpy.layers.preprocessing.category_encoding import encoded_shape, mode_named
from minpy.layers.preprocessing.fingerprints import fingerprint, keyed
from minpy.layers.preprocessing.python_layer import PythonLayer, as_result, counted, numpy_encoded

__all__ = ["IntegerLookup", "StringLookup", "TokenCounts", "hashed", "salt_of"]

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_MASKED = -2  # a number that no token has


def salt_of(salt: Any, by: str) -> tuple[int, int] | None:
    """Return the key of a keyed hash: two integers, or one for both."""
    if salt is None:
        return None
    pair = (salt, salt) if isinstance(salt, int) else tuple(salt)
    if len(pair) != 2 or not all(isinstance(part, int) and part >= 0 for part in pair):
        raise ValueError(f"{by}: expected a salt of one or two integers from 0, got {salt!r}")
    return pair


def hashed(values: numpy.ndarray, bins: int, salt: tuple[int, int] | None) -> numpy.ndarray:
    """Return a number below `bins` for each value, by a hash of it as text."""
    distinct, where = numpy.unique(values.ravel(), return_inverse=True)
    made = [
        fingerprint(text) if salt is None else keyed(text, salt)
        for text in (str(value).encode() for value in distinct.tolist())
    ]
    found = numpy.array([number % bins for number in made], "int64")
    return found[where].reshape(values.shape)


class TokenCounts:
    """How often each token occurs in data, and in how many samples of it."""

    def __init__(self) -> None:
        self.tokens: collections.Counter = collections.Counter()
        self.samples: collections.Counter = collections.Counter()
        self.count = 0

    def add(self, samples: Iterable[list]) -> None:
        """Count the tokens of some samples."""
        for tokens in samples:
            self.tokens.update(tokens)
            self.samples.update(set(tokens))
            self.count += 1

    def most_frequent(self, limit: int | None, besides: set) -> list:
        """Return the most frequent tokens; of equally frequent ones the last in order first."""
        ordered = sorted(((n, token) for token, n in self.tokens.items()), reverse=True)
        return [token for _, token in ordered if token not in besides][:limit]

    def inverse_frequencies(self, tokens: list) -> list[float]:
        """Return ``log(1 + samples / (1 + samples with the token))`` for each token."""
        having = numpy.array([self.samples[token] for token in tokens], "float64")
        return numpy.log1p(self.count / (1 + having)).tolist()


class _Lookup(PythonLayer):
    """Base of the two: a vocabulary, the numbers in front of it, and what is done with numbers."""

    _value_dtype: Any = None

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self._check_dense(sparse)
        if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens < 2):
            raise ValueError(f"{kind}: expected max_tokens from 2, or None, got {max_tokens!r}")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"{kind}: pad_to_max_tokens needs max_tokens")
        if not isinstance(num_oov_indices, int) or num_oov_indices < 0:
            raise ValueError(f"{kind}: expected num_oov_indices from 0, got {num_oov_indices!r}")
        self.output_mode = mode_named(output_mode, _MODES, kind)
        if invert and self.output_mode != "int":
            raise ValueError(f"{kind}: invert goes with output_mode='int', got {output_mode!r}")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = bool(invert)
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.salt = salt_of(salt, kind)
        self._tokens: list | None = None
        self._numbers: dict[Any, int] = {}
        self.idf_weights: numpy.ndarray | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError(f"{kind}: idf_weights need a vocabulary")

    # --- the vocabulary -------------------------------------------------------------------------

    @property
    def _masked(self) -> bool:
        return self.mask_token is not None and self.output_mode == "int"

    def _special(self) -> list:
        return [self.mask_token] * self._masked + [self.oov_token] * self.num_oov_indices

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary.

        Parameters
        ----------
        vocabulary
            The tokens in order, with or without mask and out-of-vocabulary tokens in front; or
            the path of a text file with one a line.
        idf_weights
            For ``output_mode='tf_idf'``: what a token's count is multiplied by, one for each.

        Raises
        ------
        ValueError
            If a token occurs twice or stands for something else; the vocabulary then stays.
        """
        kind = type(self).__name__
        tokens = self._read(vocabulary)
        if not tokens:
            raise ValueError(f"{kind} {self.name!r}: expected a vocabulary with tokens, got none")
        special = self._special()
        front = len(special) if special and tokens[: len(special)] == special else 0
        tokens, given = tokens[front:], len(tokens)
        twice = [token for token, n in collections.Counter(tokens).items() if n > 1]
        if twice:
            raise ValueError(
                f"{kind} {self.name!r}: expected each token once, got more of {twice[:5]}"
            )
        wrong = {self.mask_token} & set(tokens) - {None}
        if self.invert or self.num_oov_indices:
            wrong |= {self.oov_token} & set(tokens) - {None}
        if wrong:
            raise ValueError(
                f"{kind} {self.name!r}: {sorted(map(repr, wrong))} can't be tokens, they stand "
                f"for masked or unknown values; leave them away, or put {special} in front"
            )
        if self.max_tokens is not None and len(special) + len(tokens) > self.max_tokens:
            raise ValueError(
                f"{kind} {self.name!r}: {len(tokens)} tokens and {len(special)} special ones are "
                f"more than max_tokens={self.max_tokens}"
            )
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f"{kind} {self.name!r}: idf_weights go with output_mode='tf_idf', and it needs "
                f"them, got output_mode={self.output_mode!r} and idf_weights={idf_weights!r}"
            )
        if idf_weights is not None:
            weights = numpy.asarray(idf_weights, "float32").ravel()
            if len(weights) != given:
                raise ValueError(
                    f"{kind} {self.name!r}: expected {given} idf_weights, one a token, "
                    f"got {len(weights)}"
                )
            if not front:
                ahead = numpy.full(len(special), weights.mean(), "float32")
                weights = numpy.concatenate([ahead, weights])
            self.idf_weights = weights
        self._tokens = tokens
        self._numbers = {token: i for i, token in enumerate(tokens, start=len(special))}

    def _read(self, vocabulary: Any) -> list:
        if isinstance(vocabulary, str | pathlib.Path):
            lines = pathlib.Path(vocabulary).read_text("utf-8").splitlines()
            return [self._token(line) for line in lines]
        return self._values(vocabulary).ravel().tolist()

    def _token(self, line: str) -> Any:
        raise NotImplementedError

    def _values(self, x: Any) -> numpy.ndarray:
        raise NotImplementedError

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """Return the tokens, those for masked and unknown values in front: the place is the number.

        Parameters
        ----------
        include_special_tokens
            False leaves those away.
        """
        return (self._special() if include_special_tokens else []) + (self._tokens or [])

    def vocabulary_size(self) -> int:
        """Return the number of tokens, the special ones too."""
        return len(self._special()) + len(self._tokens or [])

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Make the vocabulary of the tokens in data, the most frequent first.

        Parameters
        ----------
        data
            An array, or an iterable of batches.
        steps
            How many batches to take of an iterable.
        """
        counts = TokenCounts()
        for batch in batches_of(data, f"{type(self).__name__} {self.name!r}", steps):
            values = self._values(batch)
            # A vector is one sample, as in Keras.
            counts.add(values.reshape(len(values) if values.ndim > 1 else 1, -1).tolist())
        self.adapt_to(counts)

    def adapt_to(self, counts: TokenCounts) -> None:
        """Make the vocabulary of tokens that were counted."""
        special = self._special()
        limit = None if self.max_tokens is None else self.max_tokens - len(special)
        tokens = counts.most_frequent(limit, {self.mask_token, self.oov_token})
        self.set_vocabulary(
            numpy.array(tokens, object),
            counts.inverse_frequencies(tokens) if self.output_mode == "tf_idf" else None,
        )

    # --- calling --------------------------------------------------------------------------------

    def _require_vocabulary(self) -> None:
        if self._tokens is None:
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: it has no vocabulary yet; call adapt on "
                "data, or give it one"
            )

    @property
    def depth(self) -> int:
        """Length of the rows that encodings of numbers have."""
        return self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()

    def numbers_of(self, values: numpy.ndarray) -> numpy.ndarray:
        """Return the number of each value."""
        self._require_vocabulary()
        given = values.ravel()
        numbers = self._numbers
        found = numpy.array([numbers.get(value, -1) for value in given.tolist()], "int64")
        if self.mask_token is not None:
            masked = numpy.asarray(given == self.mask_token, bool)
            found[masked] = _MASKED
        unknown = found == -1
        if unknown.any():
            found[unknown] = self._numbers_of_unknown(given[unknown])
        found[found == _MASKED] = 0 if self._masked else -1
        return found.reshape(values.shape)

    def _numbers_of_unknown(self, values: numpy.ndarray) -> Any:
        first = int(self._masked)
        if self.num_oov_indices == 0:
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: {values[:5].tolist()} aren't in the "
                "vocabulary; set num_oov_indices=1 to give unknown values a number"
            )
        if self.num_oov_indices == 1:
            return first
        return first + self._spread(values)

    def _spread(self, values: numpy.ndarray) -> numpy.ndarray:
        return hashed(values, self.num_oov_indices, self.salt)

    def call(self, inputs: Any) -> Any:
        """Compute the output."""
        if self.invert:
            return self._tokens_of(as_numpy(inputs))
        numbers = self.numbers_of(self._values(inputs))
        if self.output_mode == "int":
            return as_result(numbers)
        if self.output_mode != "tf_idf":
            return as_result(numpy_encoded(numbers, self.output_mode, self.depth, "int64"))
        return as_result(self.weighted(numpy_encoded(numbers, "count", self.depth, "float32")))

    def weighted(self, counts: numpy.ndarray) -> numpy.ndarray:
        """Return counts of tokens times their weights."""
        weights = numpy.zeros(self.depth, "float32")
        weights[: len(self.idf_weights)] = self.idf_weights
        return counts * weights

    def encoded_rows(self, numbers: numpy.ndarray, samples: numpy.ndarray, count: int) -> Any:
        """Return the rows of samples of different lengths, whose numbers lie one after another."""
        counts = counted(numbers, samples, count, self.depth)
        if self.output_mode == "tf_idf":
            return as_result(self.weighted(counts.astype("float32")))
        return as_result(
            (counts > 0).astype("int64") if self.output_mode == "multi_hot" else counts
        )

    def _tokens_of(self, numbers: numpy.ndarray) -> Any:
        self._require_vocabulary()
        if numbers.dtype.kind not in "iu":
            raise TypeError(
                f"{type(self).__name__} {self.name!r}: with invert=True it expects integers, "
                f"got {numbers.dtype}"
            )
        table = numpy.array([*self.get_vocabulary(), self.oov_token], self._value_dtype)
        known = (numbers >= 0) & (numbers < len(table) - 1)
        return as_result(table[numpy.where(known, numbers, len(table) - 1)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        if self.output_mode == "int":
            return tuple(input_shape)
        mode = "one_hot" if self.output_mode == "one_hot" else "count"
        return encoded_shape(input_shape, mode, self.depth)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, with the vocabulary it has now."""
        weights = self.idf_weights
        return {
            **super().get_config(),
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": None if self._tokens is None else self.get_vocabulary(),
            "idf_weights": None if weights is None else weights.tolist(),
            "invert": self.invert,
            "output_mode": self.output_mode,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "salt": None if self.salt is None else list(self.salt),
        }


class StringLookup(_Lookup):
    """Turns strings into their numbers in a vocabulary, or back.

    Parameters
    ----------
    max_tokens
        Largest size of the vocabulary, special tokens included; None for no limit.
    num_oov_indices
        How many numbers unknown strings share, by a hash if there are several; with 0 they are an
        error.
    mask_token
        A string that becomes 0, as padding does; None for none.
    oov_token
        What stands for unknown strings where numbers become strings.
    vocabulary
        The strings, or the path of a text file with one a line; `adapt` finds it if not given.
    idf_weights
        Weights of the strings for ``output_mode='tf_idf'``.
    invert
        Turns numbers into strings.
    output_mode
        ``'int'``: the numbers. ``'one_hot'``, ``'multi_hot'``, ``'count'``: as `CategoryEncoding`.
        ``'tf_idf'``: counts times weights.
    pad_to_max_tokens
        Whether rows have `max_tokens` elements even if the vocabulary is smaller.
    encoding
        Of bytes.
    oov_method
        How unknown strings get their number: ``'farmhash'``, the hash that Keras takes.
    salt
        Key of the hash of unknown strings: one or two integers.

    Notes
    -----
    It works on data, not inside a model. The vocabulary is part of its configuration.

    Examples
    --------
    >>> from minpy.layers import StringLookup
    >>> StringLookup(vocabulary=['a', 'b'])([['b', 'z'], ['a', 'b']])
    array([[2, 0],
           [1, 2]])
    """

    _value_dtype = object

    @also_by_place(name=None, salt=None)
    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        *,
        oov_method: str = "farmhash",
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        one_of(oov_method, ("farmhash",), "StringLookup: oov_method")
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            salt,
            **kwargs,
        )

    def _token(self, line: str) -> str:
        return line

    def _values(self, x: Any) -> numpy.ndarray:
        return as_text(x, self.encoding, f"StringLookup {self.name!r}")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, with the vocabulary it has now."""
        return {**super().get_config(), "encoding": self.encoding}


class IntegerLookup(_Lookup):
    """Turns integers into their numbers in a vocabulary, or back.

    Parameters
    ----------
    max_tokens, num_oov_indices, vocabulary, idf_weights, invert, output_mode, pad_to_max_tokens
        As in `StringLookup`. Of several numbers for unknown integers each takes the one that its
        remainder says.
    mask_token
        An integer that becomes 0; None for none.
    oov_token
        What stands for unknown integers where numbers become integers of the vocabulary.
    oov_method
        ``'floormod'``: the remainder decides, or ``'farmhash'``: a hash, which may have a `salt`.

    Notes
    -----
    It works on data, not inside a model. The vocabulary is part of its configuration.

    Examples
    --------
    >>> from minpy.layers import IntegerLookup
    >>> layer = IntegerLookup()
    >>> layer.adapt([12, 36, 12])
    >>> layer([[12, 36, 7]])
    array([[1, 2, 0]])
    """

    _value_dtype = "int64"

    @also_by_place(name=None)
    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        one_of(vocabulary_dtype, ("int64", "int32"), "IntegerLookup: vocabulary_dtype")
        self.oov_method = one_of(oov_method, ("floormod", "farmhash"), "IntegerLookup: oov_method")
        if salt is not None and oov_method != "farmhash":
            raise ValueError("IntegerLookup: a salt goes with oov_method='farmhash'")
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            salt,
            **kwargs,
        )

    def _token(self, line: str) -> int:
        return int(line)

    def _values(self, x: Any) -> numpy.ndarray:
        values = as_numpy(x)
        if values.dtype.kind == "O":
            values = values.astype("int64")
        if values.dtype.kind not in "iu":
            raise TypeError(
                f"IntegerLookup {self.name!r}: expected integers, got {values.dtype}; "
                "StringLookup takes strings, Discretization takes floats"
            )
        return values.astype("int64")

    def _spread(self, values: numpy.ndarray) -> numpy.ndarray:
        if self.oov_method == "floormod":
            return values % self.num_oov_indices
        return super()._spread(values)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, with the vocabulary it has now."""
        return {**super().get_config(), "oov_method": self.oov_method}
