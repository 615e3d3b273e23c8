"""Layers that mix each image of a batch with another, and their labels too."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.layers.functions.orders import in_order
from minpy.layers.preprocessing.erasing import drawn_side, inside
from minpy.layers.preprocessing.transformations import TransformingLayer, for_images, share_of
from minpy.numpy.elementwise import sqrt, where

__all__ = ["CutMix", "MixUp"]


class _Mixing(TransformingLayer):
    """Base of the layers whose transformation has a new order and weights of the images."""

    def _order(self, images: Any) -> Any:
        batch, dtype = images.shape[0], images.dtype
        return random.drawn(lambda rng: rng.permutation(batch).astype(dtype))

    def transform_labels(
        self, labels: Any, transformation: dict[str, Any] | None = None, training: bool = True
    ) -> Any:
        """Return labels (batch, classes) mixed as the images are."""
        if not training or transformation is None:
            return labels
        weight = transformation["mix_weight"].reshape((-1, *(1,) * (len(labels.shape) - 1)))
        if labels.dtype.kind != "f":
            labels = labels.astype(self.dtype)
        others = in_order(labels, transformation["permutation_order"])
        return weight * labels + (1.0 - weight) * others


class CutMix(_Mixing):
    """Replaces a box of each image by that of another one, and mixes their labels by area.

    Parameters
    ----------
    factor
        A number alpha is drawn from 0 to this, or between a pair, once a batch; what each image
        keeps is drawn from a Beta distribution (alpha, alpha).
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Notes
    -----
    Called on ``{'images': …, 'labels': …}``, with labels of a float for each class; on images alone
    it mixes only these. Yun et al., "CutMix", 2019.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import CutMix
    >>> data = {'images': np.ones((2, 3, 4, 4)), 'labels': np.eye(2)}
    >>> mixed = CutMix(seed=1)(data, training=True)
    >>> mixed['labels'].sum(axis=1)
    array([1., 1.])
    """

    _LIKE_IMAGES = ("batch_masks",)

    def __init__(
        self,
        factor: Any = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = share_of(factor, "CutMix: factor")

    def _drawn_for(self, images: Any) -> dict[str, Any] | None:
        batch, dtype = images.shape[0], images.dtype
        height, width = images.shape[2:]

        def kept(rng: numpy.random.Generator) -> numpy.ndarray:
            alpha = rng.uniform(*self.factor) + 1e-6
            return rng.beta(alpha, alpha, batch).astype(dtype)

        side = sqrt(1.0 - random.drawn(kept))
        across, down = drawn_side(side, width), drawn_side(side, height)
        area = (across[1] - across[0]) * (down[1] - down[0])
        return {
            "permutation_order": self._order(images),
            "batch_masks": inside(images, across, down),
            "mix_weight": for_images(1.0 - area / (width * height)),
        }

    def _applied(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        others = in_order(images, transformation["permutation_order"])
        return where(transformation["batch_masks"], others, images)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}


class MixUp(_Mixing):
    """Adds a part of another image to each, and of its labels.

    Parameters
    ----------
    alpha
        What each image keeps is drawn from a Beta distribution (alpha, alpha).
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Notes
    -----
    Called as `CutMix` is. Zhang et al., "mixup: beyond empirical risk minimization", 2018.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import MixUp
    >>> data = {'images': np.ones((2, 3, 4, 4)), 'labels': np.eye(2)}
    >>> mixed = MixUp(seed=1)(data, training=True)
    >>> mixed['labels'].sum(axis=1)
    array([1., 1.])
    """

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not isinstance(alpha, int | float) or not alpha > 0:
            raise ValueError(f"MixUp: expected an alpha above 0, got {alpha!r}")
        self.alpha = float(alpha)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        batch, dtype = images.shape[0], images.dtype
        weight = random.drawn(lambda rng: rng.beta(self.alpha, self.alpha, batch).astype(dtype))
        return {"permutation_order": self._order(images), "mix_weight": weight}

    def _applied(self, images: Any, transformation: Any) -> Any:
        weight = for_images(transformation["mix_weight"])
        others = in_order(images, transformation["permutation_order"])
        return weight * images + (1.0 - weight) * others

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "alpha": self.alpha}
