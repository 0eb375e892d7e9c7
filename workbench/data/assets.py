"""The repository's small files: models and images that notebooks open at once."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import InputError


def asset(name: str) -> Path:
    """The path of a file in the repository's `assets/` folder.

    Raises:
        InputError: there is no such file, or the workbench was installed without its repository.

    Example:
        >>> asset("README.md").name
        'README.md'
    """
    folder = Path(__file__).resolve().parents[2] / "assets"
    if not (folder / "README.md").is_file():
        raise InputError(
            f"asset({name!r}) needs the repository's assets/ folder beside the package, but {folder} "
            "is not it. Clone the repository and install it with pip install -e ."
        )
    known = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    if name not in known:
        raise InputError(f"There is no asset {name!r}. The assets are {known}.")
    return folder / name
