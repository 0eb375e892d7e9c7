"""One kind of live object per file; the folder is the registry.

A file adds itself by defining one public class with `recognizes` and `wrap`, as `Adapter` says:

    class Arrays:
        what = "an array of weights"

        def recognizes(self, native):
            return isinstance(native, numpy.ndarray)

        def wrap(self, native, wrapping):
            return Model(wrapping.name or "weights", predict=lambda rows: rows @ native, ...)
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any, Protocol

from workbench.core import Model
from workbench.models.arguments import Wrapping


class Adapter(Protocol):
    """Makes a `Model` of one kind of object.

    It imports its library only inside `wrap`: whether an object belongs to that library is looked up in
    `sys.modules`, since whoever holds such an object has imported it. Two attributes are optional:

    - `reads`: which of the arguments `preprocess`, `output`, `frames`, `retries` and `metered` it uses;
      none when left out. `wrap` refuses the others;
    - `order`: adapters are tried in rising order, and the first that recognizes an object wraps it; 0
      when left out, which comes before the adapters that recognize whole families.

    Attributes:
        what: the kind of object it recognizes, with an article, as errors list it.
    """

    what: str

    def recognizes(self, native: object) -> bool:
        """Whether the object is of this kind; imports nothing to find out."""

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """The object as a `Model`."""


@cache
def catalog() -> tuple[Adapter, ...]:
    """The adapters of this folder, in the order in which they are tried."""
    found = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found += [
            (getattr(thing, "order", 0), info.name, thing())
            for name, thing in vars(module).items()
            if isinstance(thing, type)
            and thing.__module__ == module.__name__
            and hasattr(thing, "recognizes")
            and not name.startswith("_")
        ]
    return tuple(adapter for _, _, adapter in sorted(found, key=lambda one: one[:2]))


def adapter_of(native: object) -> Adapter | None:
    """The adapter that recognizes the object, or None where none does."""
    return next((one for one in catalog() if one.recognizes(native)), None)


def recognized() -> str:
    """All kinds of object that are recognized, as the beginning of a sentence."""
    *others, last = (one.what for one in catalog())
    listed = f"{', '.join(others)}, or {last}"
    return listed[0].upper() + listed[1:]
