"""Layers that make several random changes of images, by layers of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy

from minpy import random
from minpy.layers.convolutional.base import positive
from minpy.layers.preprocessing.blurs import RandomSharpness
from minpy.layers.preprocessing.colours import (
    RandomColorDegeneration,
    RandomHue,
    RandomSaturation,
)
from minpy.layers.preprocessing.histograms import Equalization
from minpy.layers.preprocessing.random_images import (
    RandomBrightness,
    RandomContrast,
    RandomRotation,
    RandomTranslation,
)
from minpy.layers.preprocessing.tones import AutoContrast, RandomPosterization, Solarization
from minpy.layers.preprocessing.transformations import Tonal, share_of
from minpy.layers.preprocessing.warps import RandomShear
from minpy.numpy.elementwise import clip, floor, where

__all__ = ["AugMix", "RandAugment", "RandomColorJitter"]


class _Several(Tonal):
    """Base of the layers that draw while they change images: their transformation is None."""

    def _changes(self) -> list[Any]:
        """Return the layers that make the changes, on images with channels first."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        """Build the layers inside, which have no weights."""
        for change in self._changes():
            change.build(input_shape)
        super().build(input_shape)

    def transform_images(
        self, images: Any, transformation: dict[str, Any] | None = None, training: bool = True
    ) -> Any:
        """Return images changed at random; nothing is drawn before."""
        with self._draws(None):
            return super().transform_images(images, transformation, training)


class RandomColorJitter(_Several):
    """Changes brightness, contrast, saturation and hue of images at random, in this order.

    Parameters
    ----------
    value_range
        The lowest and the highest value of pixels.
    brightness_factor, contrast_factor, saturation_factor, hue_factor
        As `factor` in `RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue`;
        None leaves one out.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomColorJitter
    >>> layer = RandomColorJitter((0, 1), brightness_factor=(0.25, 0.25))
    >>> layer(np.array([0., 0.5, 1.]).reshape(1, 3, 1, 1), training=True).ravel()
    array([0.25, 0.75, 1.  ])
    """

    _PARTS: ClassVar[dict[str, type]] = {
        "brightness_factor": RandomBrightness,
        "contrast_factor": RandomContrast,
        "saturation_factor": RandomSaturation,
        "hue_factor": RandomHue,
    }

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        given = (brightness_factor, contrast_factor, saturation_factor, hue_factor)
        for (name, kind), factor in zip(self._PARTS.items(), given, strict=True):
            plain = factor is None or isinstance(factor, int | float)
            setattr(self, name, factor if plain else list(factor))
            if factor is not None:
                made = kind(factor, value_range=self.value_range, data_format="channels_first")
                setattr(self, f"random_{name.removesuffix('_factor')}", made)

    def _changes(self) -> list[Any]:
        return [
            getattr(self, f"random_{name.removesuffix('_factor')}")
            for name in self._PARTS
            if getattr(self, name) is not None
        ]

    def _applied(self, images: Any, transformation: Any) -> Any:
        for change in self._changes():
            images = change._transformed(images)
        return images

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self._PARTS}}


class _OneOfMany(_Several):
    """Base of the layers that take one of many changes, drawn anew for each batch.

    All are made and one is taken, so that a compiled step can take another each time.
    """

    def __init__(
        self,
        value_range: Any,
        factor: Any,
        interpolation: str,
        seed: int | None,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = f = share_of(factor, f"{type(self).__name__}: factor")
        self.interpolation = interpolation
        first = {"data_format": "channels_first"}
        moved = {"interpolation": interpolation, **first}
        toned = {"value_range": self.value_range, **first}
        self.random_shear = RandomShear(f, f, **moved)
        self.random_translation = RandomTranslation(f, f, **moved)
        self.random_rotation = RandomRotation(f, **moved)
        self.random_brightness = RandomBrightness(f, **toned)
        self.random_color_degeneration = RandomColorDegeneration(f, **toned)
        self.random_contrast = RandomContrast(f, **toned)
        self.random_sharpness = RandomSharpness(f, **toned)
        self.random_posterization = RandomPosterization(max(1, int(8 * f[1])), **toned)
        self.solarization = Solarization(f, f, **toned)
        self.auto_contrast = AutoContrast(**toned)
        self.equalization = Equalization(**toned)

    def _changes(self) -> list[Any]:
        return [
            self.random_shear,
            self.random_translation,
            self.random_rotation,
            self.random_brightness,
            self.random_color_degeneration,
            self.random_contrast,
            self.random_sharpness,
            self.random_posterization,
            self.solarization,
            self.auto_contrast,
            self.equalization,
        ]

    def _with_one_change(self, images: Any, changes: list[Any], or_none: bool = False) -> Any:
        """Return images after one of the changes, or perhaps after none."""
        chosen = floor(random.uniform((1, 1, 1, 1), 0.0, len(changes) + or_none, images.dtype))
        out = images
        for number, change in enumerate(changes):
            out = where(chosen == float(number), change._transformed(images), out)
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "factor": list(self.factor),
            "interpolation": self.interpolation,
        }


class RandAugment(_OneOfMany):
    """Makes a few changes, drawn for each batch from eleven, one after the other.

    Parameters
    ----------
    value_range
        The lowest and the highest value of pixels.
    num_ops
        How many changes.
    factor
        How large they are: from 0 to this; a pair is the two ends.
    interpolation, seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Notes
    -----
    All eleven are made and one is taken, as in Keras, so that a compiled step can take another each
    time. Cubuk et al., "RandAugment", 2020.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandAugment
    >>> RandAugment(seed=1)(np.full((2, 3, 8, 8), 9.), training=True).shape
    (2, 3, 8, 8)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_ops = positive(num_ops, "RandAugment: num_ops")

    def _applied(self, images: Any, transformation: Any) -> Any:
        changes = self._changes()
        for _ in range(self.num_ops):
            images = self._with_one_change(images, changes)
        return images

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "num_ops": self.num_ops}


class AugMix(_OneOfMany):
    """Mixes images with what chains of changes make of them, which are drawn for each batch.

    Parameters
    ----------
    value_range
        The lowest and the highest value of pixels.
    num_chains
        How many chains are mixed.
    chain_depth
        How many changes a chain has at most: each of its places is left out as often as one of the
        changes is taken.
    factor
        How large changes are: from 0 to this; a pair is the two ends.
    alpha
        The parts of the chains are drawn from a Dirichlet distribution of this, and the part that
        images keep from a Beta distribution (alpha, alpha), once a batch.
    all_ops
        Without it there are seven kinds of changes: none of brightness, colours, contrast and
        sharpness.
    interpolation, seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Notes
    -----
    Every change is made at each place of each chain and one is taken, so that a compiled step can
    take another each time; Keras draws them when it traces, and keeps them. Hendrycks et al.,
    "AugMix", 2020.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AugMix
    >>> AugMix(num_chains=1, seed=1)(np.full((2, 3, 8, 8), 9.), training=True).shape
    (2, 3, 8, 8)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_chains = positive(num_chains, "AugMix: num_chains")
        self.chain_depth = positive(chain_depth, "AugMix: chain_depth")
        if not isinstance(alpha, int | float) or not alpha > 0:
            raise ValueError(f"AugMix: expected an alpha above 0, got {alpha!r}")
        self.alpha = float(alpha)
        self.all_ops = bool(all_ops)

    def _changes(self) -> list[Any]:
        if self.all_ops:
            return super()._changes()
        return [
            self.random_shear,
            self.random_translation,
            self.random_rotation,
            self.random_posterization,
            self.solarization,
            self.auto_contrast,
            self.equalization,
        ]

    def _parts(self, images: Any) -> Any:
        """Draw the part of the images themselves and those of the chains, of sum 1: (1 + n,)."""

        def parts(rng: numpy.random.Generator) -> numpy.ndarray:
            kept = rng.beta(self.alpha, self.alpha)
            of_chains = rng.dirichlet([self.alpha] * self.num_chains)
            return numpy.array([kept, *(1.0 - kept) * of_chains], images.dtype)

        return random.drawn(parts)

    def _applied(self, images: Any, transformation: Any) -> Any:
        parts = self._parts(images)
        changes = self._changes()
        mixed = parts[0] * images
        for number in range(1, 1 + self.num_chains):
            chain = images
            for _ in range(self.chain_depth):
                chain = self._with_one_change(chain, changes, or_none=True)
            mixed = mixed + parts[number] * chain
        return clip(mixed, *self.value_range)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "num_chains": self.num_chains,
            "chain_depth": self.chain_depth,
            "alpha": self.alpha,
            "all_ops": self.all_ops,
        }
