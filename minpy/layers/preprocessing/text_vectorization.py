"""Texts as numbers of their words."""

from __future__ import annotations

import re
from typing import Any

import numpy

from minpy.arguments import also_by_place
from minpy.layers.preprocessing.adapting import as_text, batches_of
from minpy.layers.preprocessing.lookup import StringLookup, TokenCounts
from minpy.layers.preprocessing.python_layer import PythonLayer, as_result

__all__ = ["TextVectorization"]

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_NO_PUNCTUATION = str.maketrans("", "", "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'")
_WORD = re.compile(r"[^ \t\n\v\f\r]+")

_STANDARDIZE = {
    "lower": lambda text: text.translate(_LOWER),
    "strip_punctuation": lambda text: text.translate(_NO_PUNCTUATION),
    "lower_and_strip_punctuation": lambda text: text.translate(_LOWER).translate(_NO_PUNCTUATION),
}
_SPLIT = {"whitespace": _WORD.findall, "character": list}


class TextVectorization(PythonLayer):
    """Turns texts into the numbers of their words, or into rows of counts.

    Parameters
    ----------
    max_tokens
        Largest size of the vocabulary, padding and ``'[UNK]'`` included.
    standardize
        ``'lower_and_strip_punctuation'``, ``'lower'``, ``'strip_punctuation'``, None, or a function
        of an array of strings.
    split
        ``'whitespace'``, ``'character'``, None for texts that are words already, or a function of
        an array of strings that returns lists of words.
    ngrams
        Make tokens of that many words in a row too: 2 for single words and pairs, (2,) for pairs
        alone.
    output_mode
        ``'int'``: the numbers, 0 behind the end. ``'multi_hot'``, ``'count'``, ``'tf_idf'``: a row
        for each text, as in `StringLookup`.
    output_sequence_length
        Cut or pad each text to this many numbers; to those of the longest if not given.
    pad_to_max_tokens
        Whether rows have `max_tokens` elements even if the vocabulary is smaller.
    vocabulary, idf_weights, encoding
        As in `StringLookup`.

    Notes
    -----
    It works on data, not inside a model. The vocabulary is part of its configuration. As in Keras
    only the letters A to Z become lower case; give ``standardize=numpy.char.lower`` for all.

    Examples
    --------
    >>> from minpy.layers import TextVectorization
    >>> layer = TextVectorization()
    >>> layer.adapt(['the cat sat', 'the dog'])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
    >>> layer(['The dog sat.', 'a cat'])
    array([[2, 4, 3],
           [1, 5, 0]])
    """

    @also_by_place(name=None)
    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._check_dense(sparse or ragged)
        for name, value, table in (
            ("standardize", standardize, _STANDARDIZE),
            ("split", split, _SPLIT),
        ):
            if not (value is None or callable(value) or value in table):
                raise ValueError(
                    f"TextVectorization: expected {name} as {', '.join(map(repr, table))}, None "
                    f"or a function, got {value!r}"
                )
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams or ()
        if not all(isinstance(n, int) and n > 0 for n in widths) or ngrams == 0:
            raise ValueError(
                "TextVectorization: expected ngrams as a positive integer or several, "
                f"got {ngrams!r}"
            )
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams if ngrams is None or isinstance(ngrams, int) else list(ngrams)
        self._widths = tuple(widths)
        self.lookup = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=output_mode,
            encoding=encoding,
        )
        self.output_mode = self.lookup.output_mode
        length = output_sequence_length
        if length is not None and (
            self.output_mode != "int" or not isinstance(length, int) or length < 1
        ):
            raise ValueError(
                "TextVectorization: expected output_sequence_length as a positive integer, with "
                f"output_mode='int', got {length!r} with {self.output_mode!r}"
            )
        self.output_sequence_length = length

    # --- the vocabulary -------------------------------------------------------------------------

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary, as `StringLookup.set_vocabulary`."""
        self.lookup.set_vocabulary(vocabulary, idf_weights)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Return the tokens; the place of one is its number."""
        return self.lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Return the number of tokens, those for padding and unknown words too."""
        return self.lookup.vocabulary_size()

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Make the vocabulary of the words in texts, the most frequent first.

        Parameters
        ----------
        data
            Texts: an array or a list of strings, or an iterable of batches of them.
        batch_size
            Not needed: texts are counted one by one.
        steps
            How many batches to take of an iterable.
        """
        counts = TokenCounts()
        for batch in batches_of(data, f"TextVectorization {self.name!r}", steps):
            counts.add(self._tokens(batch))
        self.lookup.adapt_to(counts)

    # --- calling --------------------------------------------------------------------------------

    def _tokens(self, texts: Any) -> list[list[str]]:
        who = f"TextVectorization {self.name!r}"
        given = as_text(texts, self.lookup.encoding, who)
        given = given.reshape(1) if given.ndim == 0 else given
        if callable(self.standardize):
            given = as_text(self.standardize(given.astype(str)), self.lookup.encoding, who)
        if self.split is None:
            rows = given.reshape(len(given), -1).tolist()
        else:
            if given.ndim > 2 or (given.ndim == 2 and given.shape[1] != 1):
                raise ValueError(
                    f"{who}: expected texts in an array of shape (batch,) or (batch, 1), got "
                    f"{given.shape}; with split=None it takes words"
                )
            rows = given.reshape(-1).tolist()
        if self.standardize in _STANDARDIZE:
            clean = _STANDARDIZE[self.standardize]
            rows = [
                clean(row) if isinstance(row, str) else [clean(text) for text in row]
                for row in rows
            ]
        if callable(self.split):
            rows = [list(row) for row in self.split(numpy.array(rows))]
        elif self.split is not None:
            rows = [_SPLIT[self.split](row) for row in rows]
        if self._widths:
            rows = [self._joined(row) for row in rows]
        return rows

    def _joined(self, words: list[str]) -> list[str]:
        return [
            " ".join(words[i : i + width])
            for width in self._widths
            for i in range(len(words) - width + 1)
        ]

    def call(self, inputs: Any) -> Any:
        """Compute the output."""
        rows = self._tokens(inputs)
        lengths = numpy.array([len(row) for row in rows], int)
        flat = numpy.array([token for row in rows for token in row], object)
        numbers = self.lookup.numbers_of(flat)
        samples = numpy.repeat(numpy.arange(len(rows)), lengths)
        if self.output_mode != "int":
            return self._encoded(numbers, samples, len(rows))
        longest = self.output_sequence_length or int(lengths.max(initial=0))
        out = numpy.zeros((len(rows), longest), "int64")
        places = numpy.arange(len(flat)) - numpy.repeat(numpy.cumsum(lengths) - lengths, lengths)
        kept = places < longest
        out[samples[kept], places[kept]] = numbers[kept]
        if self.split is None and not self._widths and numpy.ndim(inputs) == 1:
            out = out[:, 0]
        return as_result(out)

    def _encoded(self, numbers: numpy.ndarray, samples: numpy.ndarray, count: int) -> Any:
        if self.output_mode == "one_hot":
            raise ValueError(
                f"TextVectorization {self.name!r}: texts of different lengths have no one-hot "
                "rows; use output_mode='multi_hot', or CategoryEncoding on padded numbers"
            )
        return self.lookup.encoded_rows(numbers, samples, count)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        if self.output_mode == "int":
            return (input_shape[0], self.output_sequence_length)
        return (input_shape[0], self.lookup.depth)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, with the vocabulary it has now.

        Raises
        ------
        ValueError
            If `standardize` or `split` is a function: no file holds one.
        """
        for name in ("standardize", "split"):
            if callable(getattr(self, name)):
                raise ValueError(
                    f"TextVectorization {self.name!r}: {name} is a function, which no "
                    "configuration holds; save the vocabulary, and make the layer anew with it"
                )
        inner = self.lookup.get_config()
        return {
            **super().get_config(),
            "standardize": self.standardize,
            "split": self.split,
            "ngrams": self.ngrams,
            "output_mode": self.output_mode,
            "output_sequence_length": self.output_sequence_length,
            **{
                name: inner[name]
                for name in (
                    "max_tokens",
                    "pad_to_max_tokens",
                    "vocabulary",
                    "idf_weights",
                    "encoding",
                )
            },
        }
