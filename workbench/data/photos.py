"""The photos that come inside the wheels of scikit-image and scikit-learn, as textures."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError, MissingDependency

Split = Literal["train", "test"]

PHOTOS: dict[Split, tuple[str, ...]] = {
    "train": (
        "skimage/data/astronaut.png",
        "skimage/data/camera.png",
        "skimage/data/chelsea.png",
        "skimage/data/coffee.png",
        "skimage/data/coins.png",
        "skimage/data/grass.png",
        "skimage/data/hubble_deep_field.jpg",
        "skimage/data/motorcycle_left.png",
        "sklearn/datasets/images/flower.jpg",
    ),
    "test": (
        "skimage/data/brick.png",
        "skimage/data/gravel.png",
        "skimage/data/ihc.png",
        "skimage/data/moon.png",
        "skimage/data/rocket.jpg",
        "sklearn/datasets/images/china.jpg",
    ),
}
"""The split that each photo belongs to: none is in both, so a test image shows nothing seen in training."""


def check_split(split: str) -> None:
    """Refuses a split that is neither "train" nor "test"."""
    if split not in get_args(Split):
        raise InputError(f"A split is one of {list(get_args(Split))}, not {split!r}.")


@cache
def textures(split: Split) -> tuple[NDArray[np.float32], ...]:
    """The split's photos at half size, each `(h, w, 3)` float32 in [0, 1], read once."""
    return tuple(_halved(_wheel_file(name)) for name in PHOTOS[split])


def _wheel_file(name: str) -> Path:
    # The libraries' own loaders may use the network; reading the wheel's file cannot.
    package, _, inner = name.partition("/")
    spec = find_spec(package)
    folder = Path((spec.submodule_search_locations or [""])[0]) if spec else Path()
    path = folder / inner
    if not path.is_file():
        raise MissingDependency(
            f"The example images are composed on the photo {Path(inner).name!r} that comes with "
            f"{package}, but {path} is not there. Reinstall {package} from its wheel."
        )
    return path


def _halved(path: Path) -> NDArray[np.float32]:
    from PIL import Image

    with Image.open(path) as photo:
        pixels: NDArray[Any] = np.asarray(photo.convert("RGB").reduce(2), dtype=np.float32)
    return (pixels / 255).astype(np.float32)
