"""Images into superpixels: the players of an image's coalition game."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.kept import Kept

Segmentation = Literal["slic", "quickshift", "grid"]

_kept: Kept[NDArray[np.intp]] = Kept(256 * 2**20, lambda labels: labels.nbytes)


@dataclass(frozen=True)
class Superpixels:
    """A recipe for superpixels; the same image and recipe always give the same label map.

    Args:
        algorithm: "slic" (Achanta et al. 2012), "quickshift" (Vedaldi & Soatto 2008, LIME's own
            choice) or "grid" (even cells).
        segments: about how many, for "grid" at most; quickshift chooses their number itself.
    """

    algorithm: Segmentation = "slic"
    segments: int = 50

    def of(self, image: NDArray[Any]) -> NDArray[np.intp]:
        """Labels 0..p-1 `(h, w)` of one image `(h, w, c)`, read-only."""
        digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
        return _kept.get((self, image.shape, digest), lambda: self._made(image))

    def _made(self, image: NDArray[Any]) -> NDArray[np.intp]:
        labels = _relabeled(self._segmented(image))
        labels.setflags(write=False)
        return labels

    def _segmented(self, image: NDArray[Any]) -> NDArray[Any]:
        h, w, c = image.shape
        if self.algorithm == "grid":
            return even_cells(h, w, self.segments)
        from skimage import segmentation

        low, high = float(image.min()), float(image.max())
        unit = (image - low) / (high - low) if high > low else np.zeros(image.shape)
        rgb = np.repeat(unit, 3, axis=2) if c == 1 else unit[..., :3]
        if self.algorithm == "slic":
            return np.asarray(
                segmentation.slic(
                    rgb, n_segments=self.segments, compactness=10, start_label=0, channel_axis=-1
                )
            )
        return np.asarray(
            segmentation.quickshift(
                rgb.astype(np.float64), kernel_size=4, max_dist=200, ratio=0.2, rng=42
            )
        )


def even_cells(h: int, w: int, most: int) -> NDArray[np.intp]:
    """At most `most` cells of nearly equal size as labels `(h, w)`, as square as they can be.

    >>> even_cells(2, 6, 3)
    array([[0, 0, 1, 1, 2, 2],
           [0, 0, 1, 1, 2, 2]])
    """
    down = int(np.clip(round(np.sqrt(most * h / w)), 1, min(h, most)))
    across = int(np.clip(most // down, 1, w))
    return (np.arange(h) * down // h)[:, None] * across + (np.arange(w) * across // w)[None, :]


def _relabeled(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Labels without gaps, so that a player number is a position."""
    _, positions = np.unique(labels, return_inverse=True)
    return positions.reshape(labels.shape).astype(np.intp)
