"""Images into superpixels, signals and volumes into segments: the players of a row's coalition game."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.kept import Kept

Segmentation = Literal["slic", "quickshift", "grid"]

_BLURS = (1.0, 2.0, 4.0)
"""Gaussian blurs in pixels, tried in turn where an image is too noisy to be cut as it is."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """An image cut into superpixels, or another row into segments.

    Args:
        labels: 0..p-1 `(*places)`, read-only.
        note: what was done to get about the number asked for, as a sentence for the result; "" for nothing.
    """

    labels: NDArray[np.intp]
    note: str = ""


_kept: Kept[Pieces] = Kept(256 * 2**20, lambda pieces: pieces.labels.nbytes)


@dataclass(frozen=True)
class Superpixels:
    """A recipe for superpixels; the same image and recipe always give the same label map.

    SLIC and quickshift compare colors. One channel is read as gray, the first three of three or four as
    red, green and blue; of two, or of more than four, each is scaled by itself, and neighbors are averaged
    to three.

    SLIC merges what it leaves too small, and in noise that is everything. An image of which it makes less
    than half or more than one and a half times the number asked for is smoothed until it does not, and cut
    into even cells where that does not help either; so is one that quickshift leaves whole.

    Signals are always cut into even cells, and volumes where quickshift is asked for, which is for images.

    Args:
        algorithm: "slic" (Achanta et al. 2012), "quickshift" (Vedaldi & Soatto 2008, LIME's own
            choice) or "grid" (even cells).
        segments: about how many, for "grid" at most; quickshift chooses their number itself.
    """

    algorithm: Segmentation = "slic"
    segments: int = 50

    def of(self, image: NDArray[Any]) -> NDArray[np.intp]:
        """Labels 0..p-1 `(*places)` of one row `(*places, c)`, read-only."""
        return self.pieces(image).labels

    def pieces(self, image: NDArray[Any]) -> Pieces:
        """The same labels, with what had to be done for them."""
        digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
        key = (self, image.shape, image.dtype.str, digest)
        return _kept.get(key, lambda: self._made(image))

    def _made(self, image: NDArray[Any]) -> Pieces:
        labels, note = self._cut(image)
        labels = _relabeled(labels)
        labels.setflags(write=False)
        return Pieces(labels, note)

    def _cut(self, image: NDArray[Any]) -> tuple[NDArray[Any], str]:
        *places, _ = image.shape
        cells = even_cells(tuple(places), self.segments)
        if self.algorithm == "grid" or len(places) == 1:
            return cells, ""
        if self.algorithm == "quickshift":
            return (cells, _FLAT) if len(places) > 2 else self._shifted(image)
        flat = len(places) == 2
        what, unit = ("image", "pixels") if flat else ("volume", "voxels")
        pieces = f"{self.segments} {'superpixels' if flat else 'segments'}"
        colors = _colors(image)
        for blur in (0.0, *_BLURS):
            labels = _slic(colors, self.segments, blur)
            if self._near(labels):
                smoothed = _SMOOTHED.format(what, pieces, blur, unit)
                return labels, smoothed if blur else ""
        return cells, _CELLS.format("SLIC", f"about {pieces}", what)

    def _near(self, labels: NDArray[Any]) -> bool:
        """Whether these are about as many superpixels as asked for, or as there are pixels."""
        wanted = min(self.segments, labels.size)
        return max(wanted / 2, min(wanted, 2)) <= len(np.unique(labels)) <= 1.5 * wanted

    def _shifted(self, image: NDArray[Any]) -> tuple[NDArray[Any], str]:
        from skimage import segmentation

        h, w, _ = image.shape
        labels = segmentation.quickshift(
            _colors(image).astype(np.float64), kernel_size=4, max_dist=200, ratio=0.2, rng=42
        )
        if labels.max() > labels.min() or labels.size == 1:
            return np.asarray(labels), ""
        return even_cells((h, w), self.segments), _CELLS.format(
            "quickshift", "more than one superpixels", "image"
        )


_SMOOTHED = (
    "The {} is too noisy for SLIC to make about {} of it, so it was smoothed by {:g} {} before it was "
    "cut"
)
_FLAT = "Quickshift cuts images alone, so the volume was cut into even cells"
_CELLS = "{} did not make {}, so the {} was cut into even cells"


def _colors(image: NDArray[Any]) -> NDArray[Any]:
    """The image as three channels in 0..1."""
    c = image.shape[-1]
    if image.dtype == np.float16:  # whose differences may be out of its range
        image = image.astype(np.float32)
    if c in (1, 3, 4):
        unit = _unit(image)
        return np.repeat(unit, 3, axis=-1) if c == 1 else unit[..., :3]
    bands = [_unit(image[..., j]) for j in range(c)]
    if c == 2:
        bands.append((bands[0] + bands[1]) / 2)
    starts = np.arange(4) * len(bands) // 3
    thirds = [np.mean(bands[starts[j] : starts[j + 1]], axis=0) for j in range(3)]
    return np.stack(thirds, axis=-1)


def _unit(values: NDArray[Any]) -> NDArray[Any]:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros(values.shape)


def _slic(colors: NDArray[Any], segments: int, blur: float) -> NDArray[Any]:
    from skimage import segmentation

    return np.asarray(
        segmentation.slic(
            colors,
            n_segments=segments,
            compactness=10,
            sigma=blur,
            start_label=0,
            channel_axis=-1,
        )
    )


def even_cells(places: tuple[int, ...], most: int) -> NDArray[np.intp]:
    """At most `most` cells of nearly equal size as labels `(*places)`, as cubic as they can be.

    >>> even_cells((2, 6), 3)
    array([[0, 0, 1, 1, 2, 2],
           [0, 0, 1, 1, 2, 2]])
    >>> even_cells((5,), 2)
    array([0, 0, 0, 1, 1])
    """
    cells, left = np.zeros((), dtype=np.intp), most
    for axis, length in enumerate(places):
        rest = places[axis + 1 :]
        ideal = (left * length ** len(rest) / prod(rest)) ** (1 / (1 + len(rest)))
        along = int(np.clip(round(ideal), 1, min(length, left)))
        cells = np.asarray(cells[..., None] * along + np.arange(length) * along // length)
        left //= along
    return cells


def _relabeled(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Labels without gaps, so that a player number is a position."""
    _, positions = np.unique(labels, return_inverse=True)
    return positions.reshape(labels.shape).astype(np.intp)
