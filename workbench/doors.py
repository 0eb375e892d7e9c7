"""Rooms whose door imports a file when a name of it is asked for, not before.

Type checkers, editors and the import contracts read the door as ever; Python reads it through `open_door`:

    __all__ = ["fake_quantize", "prune"]

    if TYPE_CHECKING:
        from workbench.variants.pruning import prune
        from workbench.variants.quantization import fake_quantize
    else:
        open_door(__name__)

What stands under `if TYPE_CHECKING:` is the only list: a name is added there and to
`__all__`, as in any room.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def open_door(
    room: str,
    otherwise: Callable[[str], Any] | None = None,
    *,
    called: str = "",
    rooms: tuple[str, ...] = (),
) -> None:
    """Makes a package import its public names on demand.

    Args:
        room: the package's `__name__`, from its own `__init__.py`.
        otherwise: a name that stands in no list to the thing, or None where there is none: for rooms whose
            files add themselves.
        called: the function in the list that the room is when it is called: of the room's own name, so that
            this is one thing, however it was imported.
        rooms: the rooms inside that are names of it without being imported first.

    Raises:
        ImportError: the package was installed as bytecode alone.

    Example:
        >>> import workbench.models
        >>> "wrap" in dir(workbench.models), "unwrap" in dir(workbench.models)
        (True, False)
    """
    module = sys.modules[room]
    try:
        source = inspect.getsource(module)
    except OSError:
        raise ImportError(
            f"{room} reads its own source to know its names, but there is none beside what was compiled. "
            "Install the workbench with its *.py files."
        ) from None
    module.__dict__["_files"] = _files(ast.parse(source))
    module.__dict__["_otherwise"] = otherwise
    module.__dict__["_rooms"] = rooms
    if called:
        module.__dict__["_called"] = module.__dict__["_files"][called]
        module.__dict__[called] = module
    module.__class__ = _CalledRoom if called else _Room


class _Room(ModuleType):
    _files: dict[str, tuple[str, str]]
    _otherwise: Callable[[str], Any] | None
    _rooms: tuple[str, ...]
    __all__: list[str]

    def __getattr__(self, name: str) -> Any:
        if name in self._files:
            file, original = self._files[name]
            thing = getattr(importlib.import_module(file), original)
            if name in self.__dict__:  # a room that is called: Python has put it here meanwhile
                return self.__dict__[name]
        elif name in self._rooms:
            thing = importlib.import_module(f"{self.__name__}.{name}")
        elif (
            self._otherwise is None or name.startswith("_") or not (thing := self._otherwise(name))
        ):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__dict__[name] = thing
        return thing

    def __setattr__(self, name: str, value: Any) -> None:
        # Python puts every file it imports on its package. Where a file has the name of what it defines
        # (`drift/behavior.py`), the room keeps showing the function, as a room that imports it at once.
        if isinstance(value, ModuleType) and not callable(value):
            if name in self._files:
                return
            own = getattr(value, name, None)
            if self._otherwise and getattr(own, "__module__", None) == value.__name__:
                value = own  # of a file that added itself
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        """What the room hands out; not what its own file was written with."""
        own = (name for name in self.__dict__ if name.startswith("__") or name in self.__all__)
        return sorted({*own, *self._files, *self._rooms})


class _CalledRoom(_Room):
    _called: tuple[str, str]

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (self.__name__,)

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._function()(*given, **named)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function())

    def _function(self) -> Callable[..., Any]:
        file, name = self._called
        function: Callable[..., Any] = getattr(importlib.import_module(file), name)
        return function


def _files(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Name -> (file, its name there) of every import under `if TYPE_CHECKING:`."""
    return {
        alias.asname or alias.name: (line.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        and isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        for line in block.body
        if isinstance(line, ast.ImportFrom) and line.module is not None
        for alias in line.names
    }
