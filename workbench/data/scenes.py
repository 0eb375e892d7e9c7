"""Striped shapes on photos, with the exact pixels that decide: images with a known right explanation.

Each image is a crop of a real photo with stray lines, soft spots and plain shapes on it, and one striped
shape with a rim, of random colors, size, place and rotation. The class is that of the striped shape, and
`truth` is its exact mask. With `shortcut=True` the same images also carry a small stamp in one corner that
names a class.

Why stripes: many libraries replace a superpixel by its own mean color, which hides no part of a shape in
one color. A striped shape loses its stripes and becomes one of the plain ones that do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.data.photos import Split, check_split, textures
from workbench.errors import InputError

SHAPES = ("circle", "square", "triangle", "cross")
"""The class names, in the order of `Inputs.y`."""

SIZE = 64
"""Height and width of every image in pixels."""

Leak = Literal["class", "other", "random"]

GLYPHS = (
    "..####.. .##..##. .##..... .##..... .##..... .##..... .##..##. ..####..",
    "..####.. .##..##. .##..... ..###... ....##.. .....##. .##..##. ..####..",
    ".######. .######. ...##... ...##... ...##... ...##... ...##... ...##...",
    ".##..##. .##..##. ..####.. ...##... ...##... ..####.. .##..##. .##..##.",
)
"""The letter on the stamp of each class (C, S, T, X), white on black, 8 x 8 places."""

MARGIN, STAMP = 2, 12
_DOMAIN = {"train": 0x5EED_0001, "test": 0x5EED_0002}
_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64) + 0.5


@dataclass(frozen=True)
class Layout:
    """The places of one image's shape and stamp. Lengths are in pixels, the rotation in radians."""

    shape: int
    center: tuple[float, float]
    radius: float
    turn: float
    corner: tuple[int, int]
    """Upper left place of the stamp."""
    other: int
    """A class other than the shape's, for a stamp that misleads."""
    random: int
    """A class drawn independently of the shape, for a stamp that carries no information."""


def shapes(
    split: Split, *, n: int | None = None, shortcut: bool = False, leak: Leak = "class"
) -> Inputs:
    """Images `(n, 64, 64, 3)` of one striped shape each, with that shape's mask `(n, 64, 64)` as `truth`.

    Image i is the same whatever `n` is, with and without the stamp; its class is `i % 4`, named by
    `SHAPES`. Training and test images are cut from different photos. The background holds 16 training
    scenes without a striped shape, which contain nothing that decides.

    Args:
        split: "train" or "test".
        n: how many images; 400 when left out.
        shortcut: put a stamp (see `watermark_mask`) in a corner that the shape leaves free.
        leak: the class that the stamp names: the shape's own ("class"), always a wrong one ("other"), or
            one drawn independently of the shape ("random").

    Raises:
        InputError: a split or leak that does not exist, or a leak without `shortcut=True`.

    Example:
        >>> from workbench import data
        >>> rows = data.shapes("test", n=8)
        >>> rows.values.shape, rows.truth.shape, rows.y.tolist()
        ((8, 64, 64, 3), (8, 64, 64), [0, 1, 2, 3, 0, 1, 2, 3])
        >>> data.shapes("test", n=2, shortcut=True, leak="other").ids
        ('test 0 circle, stamped triangle', 'test 1 square, stamped triangle')
    """
    check_split(split)
    count = 400 if n is None else n
    if type(count) is not int or count < 1:
        raise InputError(f"n must be a whole number of images, at least 1, not {n!r}.")
    if leak not in get_args(Leak):
        raise InputError(f"leak must be one of {list(get_args(Leak))}, not {leak!r}.")
    if leak != "class" and not shortcut:
        raise InputError(
            f"leak={leak!r} says what the stamp names, but shortcut=False puts no stamp on the images. "
            "Add shortcut=True."
        )
    values = np.empty((count, SIZE, SIZE, 3), dtype=np.float32)
    truth = np.empty((count, SIZE, SIZE), dtype=bool)
    ids = []
    for i in range(count):
        layout = _layout(split, i)
        values[i], truth[i] = _image(split, i, layout)
        label = f"{split} {i} {SHAPES[layout.shape]}"
        if shortcut:
            named = {"class": layout.shape, "other": layout.other, "random": layout.random}[leak]
            top, left = layout.corner
            values[i, top : top + STAMP, left : left + STAMP] = _stamp(named)[:, :, None]
            label += f", stamped {SHAPES[named]}"
        ids.append(label)
    return Inputs(
        values,
        kind="image",
        background=_scenes(),
        truth=truth,
        y=np.arange(count) % len(SHAPES),
        ids=tuple(ids),
        name=f"{'stamped shapes' if shortcut else 'shapes'} ({split})",
    )


def watermark_mask(inputs: Inputs) -> NDArray[np.bool_]:
    """The place of the stamp on images that `shapes(..., shortcut=True)` made: `(n, 64, 64)`, bool.

    The place is read from the rows' ids, so it holds for any selection of them.

    Raises:
        InputError: the rows carry no stamp.

    Example:
        >>> from workbench import data
        >>> data.watermark_mask(data.shapes("test", n=3, shortcut=True)[1:]).sum(axis=(1, 2))
        array([144, 144])
    """
    mask = np.zeros((len(inputs), SIZE, SIZE), dtype=bool)
    for row, label in enumerate(inputs.ids):
        words = label.replace(",", "").split()
        made_here = len(words) == 5 and words[0] in _DOMAIN and words[1].isdecimal()
        if not made_here or words[3] != "stamped":
            raise InputError(
                "watermark_mask needs images made by data.shapes(..., shortcut=True), but row "
                f"{label!r} of {inputs.name!r} carries no stamp."
            )
        top, left = _layout(words[0], int(words[1])).corner
        mask[row, top : top + STAMP, left : left + STAMP] = True
    return mask


def _layout(split: str, index: int) -> Layout:
    rng = np.random.default_rng((_DOMAIN[split], index, 0))
    shape = index % len(SHAPES)
    radius = rng.uniform(15.0, 21.0)
    center = tuple(rng.uniform(radius, SIZE - radius, size=2).tolist())
    turn = rng.uniform(0.0, 2 * np.pi)
    # Opposite corners are further apart than the largest shape is wide, so one is always free.
    far = SIZE - MARGIN - STAMP
    corners = np.array([(MARGIN, MARGIN), (MARGIN, far), (far, MARGIN), (far, far)])
    nearest = np.clip(center, corners, corners + STAMP)
    free = corners[np.hypot(*(nearest - center).T) > radius]
    top, left = free[rng.integers(len(free))].tolist()
    other = (shape + int(rng.integers(1, len(SHAPES)))) % len(SHAPES)
    return Layout(shape, center, radius, turn, (top, left), other, int(rng.integers(len(SHAPES))))


def _mask(shape: int, center: tuple[float, float], radius: float, turn: float) -> NDArray[np.bool_]:
    """A shape's pixels: those whose middle lies inside. `radius` is that of the circumscribed circle."""
    dy, dx = _Y - center[0], _X - center[1]
    cos, sin, r = np.cos(turn), np.sin(turn), radius
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    name = SHAPES[shape]
    if name == "circle":
        # Smaller than the circle around the others, so that area tells little about the class.
        return np.asarray(np.hypot(u, v) <= 0.85 * r)
    if name == "square":
        return np.asarray(np.maximum(abs(u), abs(v)) <= r / np.sqrt(2))
    if name == "triangle":
        return np.asarray(np.maximum(v, abs(u) * np.sqrt(3) / 2 - v / 2) <= r / 2)
    arm = 0.38 * r
    long, short = np.maximum(abs(u), abs(v)), np.minimum(abs(u), abs(v))
    return np.asarray((long <= np.sqrt(r**2 - arm**2)) & (short <= arm))


def _image(
    split: Split, index: int, layout: Layout
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng((_DOMAIN[split], index, 1))
    image = _scene(rng, textures(split))
    mask = _mask(layout.shape, layout.center, layout.radius, layout.turn)
    ground = image[mask].mean(axis=0)
    one = _standing_out(rng, (ground, 0.45))
    other = _standing_out(rng, (ground, 0.45), (one, 0.6))
    turn, period, phase = rng.uniform(0, np.pi), rng.uniform(4.0, 5.0), rng.uniform(0, 1)
    across = np.cos(turn) * _X + np.sin(turn) * _Y
    stripes = ((across / period + phase) % 1 < 0.5) & _within_rim(mask)
    image[mask] = one
    image[stripes] = other
    return image, mask


def _within_rim(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without a rim of two pixels. The rim keeps superpixels from reaching over the outline."""
    from scipy.ndimage import binary_erosion

    return np.asarray(binary_erosion(mask, iterations=2, border_value=1))


def _scene(
    rng: np.random.Generator, photos: tuple[NDArray[np.float32], ...]
) -> NDArray[np.float32]:
    """A crop of a photo under random light, with plain shapes, lines and spots: nothing that decides."""
    photo = photos[rng.integers(len(photos))]
    top, left = (int(rng.integers(side - SIZE + 1)) for side in photo.shape[:2])
    crop = photo[top : top + SIZE, left : left + SIZE]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    image = np.clip(crop * (rng.uniform(0.55, 1.0, size=3) * rng.uniform(0.8, 1.2)), 0, 1)
    for _ in range(rng.integers(0, 3)):
        y, x = rng.uniform(0, SIZE, size=2).tolist()
        decoy = _mask(
            int(rng.integers(len(SHAPES))), (y, x), rng.uniform(8, 16), rng.uniform(0, 2 * np.pi)
        )
        if decoy.any():
            rim, inner = (_standing_out(rng, (image[decoy].mean(axis=0), 0.4)) for _ in range(2))
            image[decoy] = rim
            image[_within_rim(decoy)] = inner if rng.random() < 0.5 else rim
    for _ in range(rng.integers(0, 3)):
        a, b = rng.uniform(0, SIZE, size=(2, 2))
        along = b - a
        t = ((_Y - a[0]) * along[0] + (_X - a[1]) * along[1]) / max(float(along @ along), 1.0)
        t = np.clip(t, 0, 1)
        near = np.hypot(_Y - a[0] - t * along[0], _X - a[1] - t * along[1]) <= rng.uniform(0.6, 1.6)
        image[near] = rng.uniform(0, 1, size=3)
    for _ in range(rng.integers(0, 3)):
        middle, width = rng.uniform(0, SIZE, size=2), rng.uniform(3.0, 7.0)
        distance = (_Y - middle[0]) ** 2 + (_X - middle[1]) ** 2
        weight = (0.8 * np.exp(-distance / (2 * width**2)))[:, :, None]
        image = image * (1 - weight) + weight * rng.uniform(0, 1, size=3)
    return np.asarray(image, dtype=np.float32)


def _standing_out(
    rng: np.random.Generator, *others: tuple[NDArray[Any], float]
) -> NDArray[np.float64]:
    """A random color at a minimum distance from each of the other colors."""
    while True:
        color: NDArray[np.float64] = rng.uniform(0, 1, size=3)
        if all(np.linalg.norm(color - other) >= least for other, least in others):
            return color


@cache
def _stamp(named: int) -> NDArray[np.float32]:
    glyph = np.array([[place == "#" for place in line] for line in GLYPHS[named].split()])
    return np.pad(glyph.astype(np.float32), (STAMP - len(glyph)) // 2)


@cache
def _scenes() -> NDArray[np.float32]:
    rng = np.random.default_rng((_DOMAIN["train"], 2))
    return np.stack([_scene(rng, textures("train")) for _ in range(16)])
