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
    """What makes a `Model` of one kind of object.

    It imports its library inside `wrap` alone: an object of that library is recognized by a look at
    `sys.modules`, since whoever holds one has imported it. Two facts may be said besides:

    - `reads`: which of the arguments `preprocess`, `output` and `frames` it takes; none when left out, and
      `wrap` refuses the others;
    - `order`: adapters are asked by rising order, and the first that recognizes an object wraps it; 0 when
      left out, before all that recognize whole families.

    Attributes:
        what: the objects it recognizes, with an article, as they stand in an error's list.
    """

    what: str

    def recognizes(self, native: object) -> bool:
        """Whether the object is of this kind; imports nothing to find out."""

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """The object as a `Model`."""


@cache
def catalog() -> tuple[Adapter, ...]:
    """The adapters of this folder, in the order in which they are asked."""
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
    """All that is recognized, as the beginning of a sentence."""
    *others, last = (one.what for one in catalog())
    listed = f"{', '.join(others)}, or {last}"
    return listed[0].upper() + listed[1:]
