"""From image files and arrays to `Inputs`: colors in [0, 1], channels last."""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core import Inputs
from workbench.errors import InputError

if TYPE_CHECKING:
    import PIL.Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
"""Endings of the files in a folder that count as images; their content decides how they are read."""

# Only formats that are plain pixels: others (PostScript, for one) run programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")

MAX_PIXELS = 100_000_000
MAX_BYTES = 4 << 30

# What Pillow raises for the various kinds of broken file.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, IndexError, TypeError)


def images(
    source: str | Path | Sequence[str | Path] | Sequence[ArrayLike] | NDArray[Any],
    *,
    size: tuple[int, int] | None = None,
    matte: float | None = None,
    background: ArrayLike | None = None,
    y: ArrayLike | None = None,
    name: str | None = None,
) -> Inputs:
    """Images as float32 rows `(n, h, w, c)` in [0, 1], for a model that sees them in its own way.

    Nothing is normalized here: the model's adapter does that, so explanations are about the picture that a
    person sees. Files are turned upright as their EXIF tag says and become RGB; arrays keep their
    channels. A folder is read in natural order (2 before 10), without hidden files and without
    entering linked folders; if it has one subfolder per class, `y` holds the positions of the
    subfolders in alphabetical order, as in torchvision's ImageFolder.

    Args:
        source: a folder, a list of files, a list of arrays `(h, w)` or `(h, w, c)`, or an array
            `(n, h, w, c)`. Whole numbers of 8 or 16 bits are divided by their largest value.
        size: stretch every image to this height and width, in pixels; recorded in the name. Without
            it all images must have the same size.
        matte: the gray in [0, 1] that shows through transparent pixels of files; if left out, an image
            with transparent pixels is refused.
        background: images `(b, h, w, c)` that mean "absent".
        y: the class of each image, where the folder does not give it.
        name: what these images are called; the folder's name when left out.

    Raises:
        InputError: no images, different sizes, a file that is broken, huge or animated or has
            transparent pixels, or numbers outside [0, 1]. The message names the file.

    Example:
        >>> images(np.full((2, 4, 5, 3), 255, dtype=np.uint8)).values.max()
        np.float32(1.0)
    """
    _check_size(size, matte)
    arrays: list[NDArray[np.float32]]
    if isinstance(source, str | Path):
        folder = Path(source)
        files, found = _listed(folder)
        arrays = _read(files, size, matte)
        ids = [file.relative_to(folder).as_posix() for file in files]
        y = found if y is None else y
        name = name or folder.resolve().name
    elif isinstance(source, Sequence) and source and isinstance(source[0], str | Path):
        files = [Path(str(file)) for file in source]
        arrays = _read(files, size, matte)
        ids = [file.name for file in files]
    else:
        arrays = [
            _resized(_unit(np.asarray(one), f"image {i}"), size)
            for i, one in enumerate(_separate(source))
        ]
        ids = [str(i) for i in range(len(arrays))]
    _check_alike(arrays, ids)
    name = (name or "images") + (f", resized to {size[0]} x {size[1]}" if size else "")
    return Inputs(
        np.stack(arrays),
        kind="image",
        background=None if background is None else np.asarray(background),
        y=None if y is None else np.asarray(y),
        ids=tuple(ids),
        name=name,
    )


def _check_size(size: tuple[int, int] | None, matte: float | None) -> None:
    if size is not None and (
        len(size) != 2 or any(type(side) is not int or not 1 <= side <= 10_000 for side in size)
    ):
        raise InputError(f"size needs (height, width) in pixels, 1..10000 each, not {size!r}.")
    if matte is not None and not 0 <= matte <= 1:
        raise InputError(f"matte must lie in 0 (black) .. 1 (white), but is {matte!r}.")


def _natural(path: Path) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", path.as_posix().lower())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _listed(folder: Path) -> tuple[list[Path], NDArray[np.intp] | None]:
    """The image files of a folder, and their classes when it has one subfolder per class."""
    if not folder.is_dir():
        what = "is a file; give a list of files instead" if folder.is_file() else "does not exist"
        raise InputError(f"A folder of images is needed, but {str(folder)!r} {what}.")
    visible = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    single = [entry for entry in visible if _is_image(entry)]
    subfolders = sorted(e for e in visible if e.is_dir() and not e.is_symlink())
    inside = [(k, file) for k, sub in enumerate(subfolders) for file in _below(sub)]
    if single and inside:
        raise InputError(
            f"A folder of images holds either images or one subfolder per class, but {str(folder)!r} "
            f"holds {len(single)} images and subfolders {[sub.name for sub in subfolders][:8]}. Move "
            "the images into a subfolder, or give a list of files."
        )
    if inside:
        inside.sort(key=lambda pair: (pair[0], _natural(pair[1].relative_to(folder))))
        return [file for _, file in inside], np.array([k for k, _ in inside])
    if not single:
        raise InputError(
            f"A folder with images ({', '.join(SUFFIXES)}) is needed, but {str(folder)!r} holds none; "
            f"it holds {sorted(entry.name for entry in visible)[:8]}."
        )
    return sorted(single, key=lambda file: _natural(file.relative_to(folder))), None


def _is_image(entry: Path) -> bool:
    # is_file follows links and is False for pipes and devices, which could block forever.
    return entry.suffix.lower() in SUFFIXES and entry.is_file()


def _below(folder: Path) -> list[Path]:
    found = []
    for path, names, files in os.walk(folder, followlinks=False):
        names[:] = [name for name in names if not name.startswith(".")]
        entries = (Path(path, file) for file in files if not file.startswith("."))
        found += [entry for entry in entries if _is_image(entry)]
    return found


def _read(
    files: Sequence[Path], size: tuple[int, int] | None, matte: float | None
) -> list[NDArray[np.float32]]:
    arrays: list[NDArray[np.float32]] = []
    total = 0
    for file in files:
        if not file.is_file():
            raise InputError(
                f"An image file is needed, but {str(file)!r} "
                + ("is not a regular file." if file.exists() else "does not exist.")
            )
        arrays.append(_resized(_pixels(file, matte), size))
        total += arrays[-1].nbytes
        if total > MAX_BYTES:
            raise InputError(
                f"The images must fit into {MAX_BYTES >> 30} GiB as floats, but {len(arrays)} of "
                f"{len(files)} already fill it. Give size=(height, width), or fewer files."
            )
    return arrays


def _pixels(file: Path, matte: float | None) -> NDArray[np.float32]:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Pillow warns about what is checked here, and about odd tags
            with Image.open(file, formats=FORMATS) as image:
                _check_header(image, file)
                upright = ImageOps.exif_transpose(image)
                return _rgb(upright, file, matte)
    except InputError:
        raise
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise InputError(
            f"{str(file)!r} must be a whole image ({', '.join(FORMATS)}), but cannot be read: {error}. "
            "Replace the file or leave it out."
        ) from None


def _check_header(image: PIL.Image.Image, file: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{str(file)!r} has {width} x {height} pixels; at most {MAX_PIXELS:,} are read. "
            "Make it smaller first."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # phones add a preview or a second eye to their JPEGs
        raise InputError(
            f"{str(file)!r} must be one image, but holds {frames} frames. Save the one to explain."
        )


def _rgb(image: PIL.Image.Image, file: Path, matte: float | None) -> NDArray[np.float32]:
    if image.mode.startswith("I;16"):
        gray = np.asarray(image, dtype=np.float32) / np.float32(65535)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise InputError(
            f"{str(file)!r} stores numbers of mode {image.mode!r} with no known white. Save it with 8 "
            "or 16 bits per channel, or give it as an array in [0, 1]."
        )
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)
    pixels = np.asarray(image.convert("RGBA"), dtype=np.float32) / np.float32(255)
    color, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    if (alpha == 1).all():
        return np.ascontiguousarray(color)
    if matte is None:
        raise InputError(
            f"{str(file)!r} has transparent pixels, and the model needs a color there. Say which gray "
            "shows through: matte=1.0 for white, matte=0.0 for black."
        )
    return np.asarray(color * alpha + np.float32(matte) * (1 - alpha), dtype=np.float32)


def _separate(source: Any) -> list[Any]:
    if isinstance(source, np.ndarray) and source.ndim != 4:
        raise InputError(
            f"An array of images needs the shape (n, h, w, c), but has {source.shape}. "
            "One image is array[None], gray images are array[..., None]."
        )
    if isinstance(source, np.ndarray | Sequence) and len(source) > 0:
        return list(source)
    raise InputError(
        "Images come as a folder, a list of files, a list of arrays or an array (n, h, w, c), but got "
        + ("an empty one." if isinstance(source, np.ndarray | Sequence) else f"{source!r:.80}.")
    )


def _unit(image: NDArray[Any], which: str) -> NDArray[np.float32]:
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3:
        raise InputError(f"{which} needs the shape (h, w) or (h, w, c), but has {image.shape}.")
    if image.dtype in (np.uint8, np.uint16):
        return (image / np.iinfo(image.dtype).max).astype(np.float32)
    if image.dtype.kind != "f":
        raise InputError(
            f"{which} must hold floats in [0, 1] or whole numbers of type uint8 or uint16, but holds "
            f"{image.dtype}. Convert it first."
        )
    low, high = (float(image.min()), float(image.max())) if image.size else (0.0, 0.0)
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"{which} must hold floats in [0, 1], but they span {low:g} .. {high:g}. "
            + (
                "Divide by 255."
                if low >= 0 and high <= 255
                else "Undo the model's normalization: it belongs to the model (preprocess=...)."
            )
        )
    return image.astype(np.float32)


def _resized(image: NDArray[np.float32], size: tuple[int, int] | None) -> NDArray[np.float32]:
    if size is None or image.shape[:2] == size:
        return image
    from PIL import Image

    height, width = size
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(channel)).resize(
                (width, height), Image.Resampling.BILINEAR
            )
        )
        for channel in np.moveaxis(image, 2, 0)
    ]
    return np.stack(channels, axis=2)


def _check_alike(arrays: Sequence[NDArray[np.float32]], ids: Sequence[str]) -> None:
    first: dict[tuple[int, ...], str] = {}
    for array, label in zip(arrays, ids, strict=True):
        first.setdefault(array.shape, label)
    if len(first) > 1:
        found = ", ".join(
            f"{'x'.join(map(str, shape))} ({label!r})" for shape, label in list(first.items())[:6]
        )
        raise InputError(
            f"All images need the same height, width and channels, but there are {len(first)} kinds: "
            f"{found}. Give size=(height, width) to stretch them, or choose images that agree."
        )
