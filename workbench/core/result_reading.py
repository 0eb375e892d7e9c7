"""The bytes of a result's file as the result: every field checked against what the noun says it is."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from workbench.core.attribution import Attribution
from workbench.core.inputs import Inputs
from workbench.core.interactions import Interactions
from workbench.core.markup import clean
from workbench.core.method import Method
from workbench.core.result_writing import LARGEST, VERSION
from workbench.core.tensor_file import damaged, in_words, table_in, unpacked
from workbench.errors import InputError

Result = Attribution | Interactions

_DEPTH = 64
_RESULTS: dict[str, type[Result]] = {"Attribution": Attribution, "Interactions": Interactions}
_AS = re.compile(r"[<>|=]?([biufUmM])(\d{1,9})(\[\d{0,9}[a-zA-Zμ]{1,2}\])?")
_FLOATS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


class _WrongError(Exception):
    """What a file says is not what it should be; never leaves this file."""


def result_in(data: bytes, shown: str, methods: Mapping[str, type]) -> Result:
    """The result that a file holds.

    Args:
        data: the file's bytes.
        shown: its name, for messages.
        methods: the classes of recipes that may be made, by name.

    Raises:
        UnsafeFileError: damaged, or at odds with itself.
        InputError: of a newer version, with another method than these, or with values that it refuses.
    """
    arrays, text = unpacked(data, shown)
    content = table_in(text, shown)
    version, of = content.get("version"), content.get("of")
    if set(content) != {"version", "of", "rows", "result"} or not isinstance(of, str):
        raise damaged(shown, "it does not say which result it holds")
    if version != VERSION or of not in _RESULTS:
        raise InputError(
            f"A result of version {VERSION} is needed, but {shown!r} holds {clean(of)!r} of version "
            f"{in_words(version)}. Read it with a newer workbench."
        )
    reading = _Reading(arrays, methods)
    try:
        reading.read_rows(content["rows"])
        result: Result = reading.made(_RESULTS[of], content["result"], "", 0)
        _check_used(reading)
        _check(result)
    except _WrongError as error:
        raise damaged(shown, str(error)) from None
    except InputError as error:
        raise InputError(f"{shown!r} holds no result that can be used here. {error}") from None
    return result


class _Reading:
    """One file while its result is made of it."""

    def __init__(self, arrays: dict[str, NDArray[Any]], methods: Mapping[str, type]) -> None:
        self.arrays, self.methods = arrays, methods
        self.rows: list[Inputs] = []
        self.seen: set[int] = set()

    def read_rows(self, content: Any) -> None:
        """The rows, before the results that refer to them."""
        if not isinstance(content, list):
            raise _WrongError("its rows are no list")
        self.rows = [self.made(Inputs, one, f"rows.{i}", 0) for i, one in enumerate(content)]

    def made(self, cls: type, content: Any, where: str, depth: int) -> Any:
        """An object of a class, from its fields."""
        if not isinstance(content, dict):
            raise _WrongError(f"{where or 'the result'} is no table")
        hints = _hints(cls)
        if unknown := sorted(set(content) - set(hints)):
            raise _WrongError(f"{where or 'the result'} has the unknown entry {unknown[0]!r}")
        needed = {
            one.name
            for one in fields(cls)
            if one.default is MISSING and one.default_factory is MISSING
        }
        if missing := sorted(needed - set(content)):
            raise _WrongError(f"{where or 'the result'} lacks {missing[0]!r}")
        given = {
            name: self.value(hints[name], one, f"{where}.{name}", depth + 1)
            for name, one in content.items()
        }
        return cls(**given)

    def value(self, hint: Any, given: Any, where: str, depth: int) -> Any:
        """What JSON says of one field, as what the field's annotation says it is."""
        if depth > _DEPTH:
            raise _WrongError("its results lie too deep in each other")
        while get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        origin, inner = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._one_of(inner, given, where, depth)
        if origin is Literal:
            if any(given == one and type(given) is type(one) for one in inner):
                return given
        elif origin is np.ndarray:
            return self._array(inner, given, where)
        elif origin is tuple and isinstance(given, list):
            if len(inner) == 2 and inner[1] is Ellipsis:
                inner = (inner[0],) * len(given)
            if len(inner) == len(given):
                return tuple(
                    self.value(one, item, where, depth + 1)
                    for one, item in zip(inner, given, strict=True)
                )
        elif origin is Sequence and isinstance(given, list):
            return tuple(self.value(inner[0], item, where, depth + 1) for item in given)
        elif origin is Mapping and isinstance(given, dict):
            return {
                key: self.value(inner[1], item, where, depth + 1) for key, item in given.items()
            }
        elif hint is Inputs:
            return self._shared(given, where)
        elif hint is Method:
            return self._method(given, where, depth)
        elif is_dataclass(hint) and isinstance(hint, type):
            return self.made(hint, given, where, depth)
        elif _is_scalar(hint, given):
            return _FLOATS[given["float"]] if isinstance(given, dict) else given
        raise _WrongError(f"{where.lstrip('.')} is {in_words(given)}")

    def _one_of(self, hints: tuple[Any, ...], given: Any, where: str, depth: int) -> Any:
        if given is None and type(None) in hints:
            return None
        *others, last = [hint for hint in hints if hint is not type(None)]
        for hint in others:
            try:
                return self.value(hint, given, where, depth + 1)
            except _WrongError:
                continue
        return self.value(last, given, where, depth + 1)

    def _shared(self, given: Any, where: str) -> Inputs:
        number = given.get("rows") if isinstance(given, dict) and len(given) == 1 else None
        if type(number) is not int or not 0 <= number < len(self.rows):
            raise _WrongError(f"{where.lstrip('.')} names rows that are not there")
        self.seen.add(number)
        return self.rows[number]

    def _method(self, given: Any, where: str, depth: int) -> Any:
        if not isinstance(given, dict) or set(given) != {"method", "fields"}:
            raise _WrongError(f"{where.lstrip('.')} is no method")
        name = given["method"]
        if not isinstance(name, str) or name not in self.methods:
            raise InputError(
                f"It was made by the method {clean(name)!r}, which is none of {sorted(self.methods)}. Give "
                "the class, if it is one of your own: workbench.read(path, methods=[...])."
            )
        return self.made(self.methods[name], given["fields"], where, depth)

    def _array(self, inner: tuple[Any, ...], given: Any, where: str) -> NDArray[Any]:
        if isinstance(given, dict) and set(given) == {"objects", "shape"}:
            array = self._objects(given, where)
        elif isinstance(given, dict) and set(given) in ({"array"}, {"array", "as"}):
            name = given["array"]
            # Each once: a file that names one array a million times would take a million times its size.
            if not isinstance(name, str) or name not in self.arrays:
                raise _WrongError(f"{where.lstrip('.')} names an array that is not there")
            array = self.arrays.pop(name)
            if "as" in given:
                array = _read_as(array, given["as"], where)
        else:
            raise _WrongError(f"{where.lstrip('.')} is no array")
        wanted = get_args(inner[1])[0]
        if wanted is not Any and array.dtype != np.dtype(wanted):
            raise _WrongError(f"{where.lstrip('.')} holds {array.dtype}")
        if not array.ndim:
            raise _WrongError(f"{where.lstrip('.')} is a single number")
        return array

    def _objects(self, given: dict[str, Any], where: str) -> NDArray[Any]:
        shape = self.value(tuple[int, ...], given["shape"], where, 0)
        items = self.value(tuple[Any, ...], given["objects"], where, 0)
        array = np.empty(len(items), dtype=object)
        array[:] = items
        try:
            return array.reshape(shape)
        except (ValueError, OverflowError):
            raise _WrongError(f"{where.lstrip('.')} has the shape {shape}") from None


@cache
def _hints(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {one.name: hints[one.name] for one in fields(cls)}


def _is_scalar(hint: Any, given: Any) -> bool:
    """Whether JSON gave a number or text of the kind that is wanted."""
    if isinstance(given, dict):
        number = given.get("float")
        return hint in (float, Any) and len(given) == 1 and number in ("nan", "inf", "-inf")
    if isinstance(given, int) and abs(given) >= LARGEST:
        return False
    if hint is Any:
        return given is None or isinstance(given, bool | int | float | str)
    if hint is float:
        return isinstance(given, int | float) and not isinstance(given, bool)
    return hint in (bool, int, str) and type(given) is hint


def _read_as(array: NDArray[Any], name: Any, where: str) -> NDArray[Any]:
    """An array of whole numbers as the text or dates that they stand for; others in another byte order."""
    parts = _AS.fullmatch(name) if isinstance(name, str) else None
    if parts is None:
        raise _WrongError(f"{where.lstrip('.')} is to be {in_words(name)}")
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError):
        raise _WrongError(f"{where.lstrip('.')} is to be {in_words(name)}") from None
    little = dtype.newbyteorder("<")
    if dtype.kind == "U":
        if (
            array.dtype != np.dtype("<u4")
            or array.ndim < 2
            or 4 * array.shape[-1] != dtype.itemsize
        ):
            raise _WrongError(f"{where.lstrip('.')} holds no text of {name}")
        if (array > 0x10FFFF).any():
            raise _WrongError(f"{where.lstrip('.')} holds what is no character")
        return np.asarray(np.array(array).view(little)[..., 0], dtype=dtype)
    if dtype.kind in "mM":
        if array.dtype != np.dtype("<i8"):
            raise _WrongError(f"{where.lstrip('.')} holds no dates")
        return np.asarray(np.array(array).view(little), dtype=dtype)
    if array.dtype != little:
        raise _WrongError(f"{where.lstrip('.')} holds {array.dtype}, not {name}")
    return array.astype(dtype)


def _check_used(reading: _Reading) -> None:
    if reading.arrays:
        raise _WrongError(f"nothing says what {next(iter(reading.arrays))!r} is for")
    if len(reading.seen) < len(reading.rows):
        raise _WrongError("some of its rows belong to no result")


def _check(result: Result) -> None:
    """That the shapes fit together, as those of every result that was made here do."""
    n, row = len(result.inputs), result.inputs.values.shape[1:]
    _same("output", result.output.shape, (n,))
    _same("base", result.base.shape, (n,))
    if isinstance(result, Interactions):
        _same("values", result.values.shape, (n, *row, *row))
        return
    maps = result.inputs.kind == "image" and result.values.shape == (n, *row[:2])
    _same("values", result.values.shape, (n, *(row[:2] if maps else row)))
    for name, shape in (("error", result.values.shape), ("freedom", (n,))):
        if (array := getattr(result, name)) is not None:
            _same(name, array.shape, shape)
    _same("explained", (len(result.explained),), (n,))
    if result.players is not None:
        owned = (n, *row[:2]) if result.inputs.kind == "image" else row
        _check_players(result.players, result.player_names, owned)
    elif result.player_names:
        _same("players", (len(result.player_names),), row[:1])
    how = result.provenance.ensemble
    if how is not None:
        _same("weights", (len(how.weights),), (len(how.members),))
    for part in result.parts:
        _check(part)


def _check_players(
    players: NDArray[np.intp], names: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    _same("players", players.shape, shape)
    most = len(names) or players.size
    if players.size and not -1 <= players.min() <= players.max() < most:
        raise _WrongError(f"its players are {players.min()} to {players.max()} of {most}")


def _same(what: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise _WrongError(f"its {what} have the shape {found} in place of {wanted}")
