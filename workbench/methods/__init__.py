"""One attribution method per file; the file is the formula, and the folder is the registry."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any


@cache
def catalog() -> tuple[type, ...]:
    """The method classes of this folder, in the order menus show them.

    A file adds itself by defining one public class with an `attribute` method.
    """
    found = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found += [
            thing
            for name, thing in vars(module).items()
            if isinstance(thing, type)
            and thing.__module__ == module.__name__
            and hasattr(thing, "attribute")
            and not name.startswith("_")
        ]
    return tuple(sorted(found, key=_menu_place))


def _menu_place(method: Any) -> tuple[int, str]:
    return getattr(method, "order", 99), method.__name__


def __getattr__(name: str) -> Any:
    for method in catalog():
        if method.__name__ == name:
            return method
    raise AttributeError(
        f"There is no method {name!r}. Methods: {', '.join(method.__name__ for method in catalog())}."
    )


def __dir__() -> list[str]:
    return ["catalog", *(method.__name__ for method in catalog())]
