"""The small files that come with the workbench: models, images, and the notebooks that open them."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]


def asset(name: str) -> Path:
    """The path of a file in the `assets/` folder.

    Raises:
        InputError: there is no such file, or this copy of the workbench came without them.

    Example:
        >>> asset("README.md").name
        'README.md'
    """
    folder = bundled("assets", holding="README.md")
    known = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    if name not in known:
        raise InputError(f"There is no asset {name!r}. The assets are {known}.")
    return folder / name


def bundled(folder: str, holding: str) -> Path:
    """The path of a top-level folder of the repository: inside an installed wheel, or beside the package.

    Args:
        folder: its name in the repository.
        holding: a pattern that some file in it matches; another folder of that name is not taken for it.

    Raises:
        InputError: it is in neither place.

    Example:
        >>> bundled("notebooks", holding="01_*.ipynb").name
        'notebooks'
    """
    places = (_PACKAGE / "bundled" / folder, _PACKAGE.parent / folder)
    for place in places:
        if any(place.glob(holding)):
            return place
    raise InputError(
        f"The workbench's folder {folder}/ travels with its package, but it is neither {places[0]} nor "
        f"{places[1]}. Install a whole wheel: pip install --force-reinstall explainability-workbench"
    )
