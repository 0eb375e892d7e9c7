"""The fields of a result from its file, checked against their annotations; and whether shapes agree."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from workbench.core.inputs import Inputs
from workbench.core.markup import clean
from workbench.core.method import Method
from workbench.core.tensor_file import in_words
from workbench.errors import InputError

LARGEST = 2**64
"""Whole numbers beside the arrays are smaller than this."""

_DEPTH = 64
_AS = re.compile(r"[<>|=]?([biufUmM])(\d{1,9})(\[\d{0,9}[a-zA-Zμ]{1,2}\])?")
_FLOATS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


class WrongError(Exception):
    """A file's content is not as it should be; never leaves reading and writing."""


class Reading:
    """The state of reading one file."""

    def __init__(self, arrays: dict[str, NDArray[Any]], methods: Mapping[str, type]) -> None:
        self.arrays, self.methods = arrays, methods
        self.rows: list[Inputs] = []
        self.seen: set[int] = set()

    def read_rows(self, content: Any) -> None:
        """Read the rows, before the results that refer to them."""
        if not isinstance(content, list):
            raise WrongError("its rows are no list")
        self.rows = [self.made(Inputs, one, f"rows.{i}", 0) for i, one in enumerate(content)]

    def made(self, cls: type, content: Any, where: str, depth: int) -> Any:
        """An object of a class, from its fields."""
        if not isinstance(content, dict):
            raise WrongError(f"{where or 'the result'} is no table")
        hints = _hints(cls)
        if unknown := sorted(set(content) - set(hints)):
            raise WrongError(f"{where or 'the result'} has the unknown entry {unknown[0]!r}")
        needed = {
            one.name
            for one in fields(cls)
            if one.init and one.default is MISSING and one.default_factory is MISSING
        }
        if missing := sorted(needed - set(content)):
            raise WrongError(f"{where or 'the result'} lacks {missing[0]!r}")
        given = {
            name: self.value(hints[name], one, f"{where}.{name}", depth + 1)
            for name, one in content.items()
        }
        return cls(**given)

    def value(self, hint: Any, given: Any, where: str, depth: int) -> Any:
        """The JSON of one field, converted to the type in its annotation."""
        if depth > _DEPTH:
            raise WrongError("its results lie too deep in each other")
        while get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        origin, inner = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._one_of(inner, given, where, depth)
        if origin is Literal:
            if any(given == one and type(given) is type(one) for one in inner):
                return given
        elif np.ndarray in (origin, hint):
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
        elif origin in (Mapping, dict) and isinstance(given, dict):
            return {
                key: self.value(inner[1], item, where, depth + 1) for key, item in given.items()
            }
        elif hint is Any and isinstance(given, list):
            return tuple(self.value(Any, item, where, depth + 1) for item in given)
        elif hint is Inputs:
            return self._shared(given, where)
        elif hint is Method:
            return self._method(given, where, depth)
        elif is_dataclass(hint) and isinstance(hint, type):
            return self.made(hint, given, where, depth)
        elif _is_scalar(hint, given):
            return _FLOATS[given["float"]] if isinstance(given, dict) else given
        raise WrongError(f"{where.lstrip('.')} is {in_words(given)}")

    def _one_of(self, hints: tuple[Any, ...], given: Any, where: str, depth: int) -> Any:
        if given is None and type(None) in hints:
            return None
        *others, last = [hint for hint in hints if hint is not type(None)]
        for hint in others:
            try:
                return self.value(hint, given, where, depth + 1)
            except WrongError:
                continue
        return self.value(last, given, where, depth + 1)

    def _shared(self, given: Any, where: str) -> Inputs:
        number = given.get("rows") if isinstance(given, dict) and len(given) == 1 else None
        if type(number) is not int or not 0 <= number < len(self.rows):
            raise WrongError(f"{where.lstrip('.')} names rows that are not there")
        self.seen.add(number)
        return self.rows[number]

    def _method(self, given: Any, where: str, depth: int) -> Any:
        if not isinstance(given, dict) or set(given) != {"method", "fields"}:
            raise WrongError(f"{where.lstrip('.')} is no method")
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
            # Each once: a file that names one array a million times would need a million times its size.
            if not isinstance(name, str) or name not in self.arrays:
                raise WrongError(f"{where.lstrip('.')} names an array that is not there")
            array = self.arrays.pop(name)
            if "as" in given:
                array = _read_as(array, given["as"], where)
        else:
            raise WrongError(f"{where.lstrip('.')} is no array")
        wanted = next(iter(get_args(inner[1]) if inner else ()), Any)
        if wanted is not Any and array.dtype != np.dtype(wanted):
            raise WrongError(f"{where.lstrip('.')} holds {array.dtype}")
        if not array.ndim:
            raise WrongError(f"{where.lstrip('.')} is a single number")
        return array

    def _objects(self, given: dict[str, Any], where: str) -> NDArray[Any]:
        shape = self.value(tuple[int, ...], given["shape"], where, 0)
        items = self.value(tuple[Any, ...], given["objects"], where, 0)
        array = np.empty(len(items), dtype=object)
        for i, one in enumerate(items):  # one by one: tuples of one length are no lines of a table
            array[i] = one
        try:
            if min(shape, default=0) >= 0:  # NumPy takes -1 for "whatever is left"
                return array.reshape(shape)
        except (ValueError, OverflowError):
            pass
        raise WrongError(f"{where.lstrip('.')} has the shape {shape}")


@cache
def _hints(cls: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise WrongError(f"an annotation of {cls.__name__} cannot be read: {error}") from None
    return {one.name: hints[one.name] for one in fields(cls) if one.init}


def _is_scalar(hint: Any, given: Any) -> bool:
    """Whether a value from JSON has the wanted type."""
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
        raise WrongError(f"{where.lstrip('.')} is to be {in_words(name)}")
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError):
        raise WrongError(f"{where.lstrip('.')} is to be {in_words(name)}") from None
    little = dtype.newbyteorder("<")
    if dtype.kind == "U":
        if (
            array.dtype != np.dtype("<u4")
            or array.ndim < 2
            or 4 * array.shape[-1] != dtype.itemsize
        ):
            raise WrongError(f"{where.lstrip('.')} holds no text of {name}")
        if (array > 0x10FFFF).any():
            raise WrongError(f"{where.lstrip('.')} holds what is no character")
        return np.asarray(np.array(array).view(little)[..., 0], dtype=dtype)
    if dtype.kind in "mM":
        if array.dtype != np.dtype("<i8"):
            raise WrongError(f"{where.lstrip('.')} holds no dates")
        return np.asarray(np.array(array).view(little), dtype=dtype)
    if array.dtype != little:
        raise WrongError(f"{where.lstrip('.')} holds {array.dtype}, not {name}")
    return array.astype(dtype)


def check_used(reading: Reading) -> None:
    if reading.arrays:
        raise WrongError(f"nothing says what {next(iter(reading.arrays))!r} is for")
    if len(reading.seen) < len(reading.rows):
        raise WrongError("some of its rows belong to no result")


def check_shapes(result: Any) -> None:
    """Check that the shapes fit together, as they do in every result made here.

    Args:
        result: an `Attribution`, whose members are checked too, or `Interactions`.
    """
    inputs = result.inputs
    n, row, places = len(inputs), inputs.values.shape[1:], inputs.places
    _same("output", result.output.shape, (n,))
    _same("base", result.base.shape, (n,))
    result.target.check_rows(n)
    if not hasattr(result, "method"):
        _same("values", result.values.shape, (n, *row, *row))
        return
    # A place's credit may be one number, or one number per channel.
    whole = inputs.of_kind.spatial and result.values.shape == (n, *places)
    _same("values", result.values.shape, (n, *(places if whole else row)))
    for name, shape in (
        ("error", result.values.shape),
        ("freedom", (n,)),
        ("draws", (n,)),
        ("finished", (n,)),
    ):
        if (array := getattr(result, name)) is not None:
            _same(name, array.shape, shape)
    _same("explained", (len(result.explained),), (n,))
    if result.players is not None:
        owned = places if inputs.of_kind.shared_players else (n, *places)
        _check_players(result.players, result.player_names, owned)
    elif result.player_names:
        _same("players", (len(result.player_names),), row[:1])
    how = result.provenance.ensemble
    if how is not None:
        _same("weights", (len(how.weights),), (len(how.members),))
    for part in result.parts:
        check_shapes(part)


def _check_players(
    players: NDArray[np.intp], names: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    _same("players", players.shape, shape)
    most = len(names) or players.size
    if players.size and not -1 <= players.min() <= players.max() < most:
        raise WrongError(f"its players are {players.min()} to {players.max()} of {most}")


def _same(what: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise WrongError(f"its {what} have the shape {found} in place of {wanted}")
