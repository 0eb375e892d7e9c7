"""A pickle read as a description of what it would make. Nothing is made, imported or called."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import Any

OPCODES = 5_000_000
"""More steps are not followed; a hundred thousand tensors take three million."""


class NotPlainError(Exception):
    """The pickle takes a step that weights do not need: which, and the names it has asked for so far."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step
        self.names: set[str] = set()


class DamagedError(Exception):
    """The bytes are no pickle, or one that ends in the middle."""


@dataclass(frozen=True)
class Named:
    """Something that would be imported, by its full name."""

    name: str


@dataclass(frozen=True)
class Stored:
    """Something that lies outside the pickle, such as a tensor's numbers."""

    key: Any


@dataclass(eq=False)
class Made:
    """What a call would give: a name called with arguments, and what would be put into it."""

    call: str
    arguments: tuple[Any, ...]
    entries: dict[Any, Any] = field(default_factory=dict)
    state: Any = None


class _Mark:
    """Where a collection begins on the stack."""


_MARK = _Mark()
_PUSHED = {
    "BINUNICODE": None,
    "SHORT_BINUNICODE": None,
    "BININT": None,
    "BININT1": None,
    "BININT2": None,
    "LONG1": None,
    "LONG4": None,
    "BINFLOAT": None,
    "SHORT_BINBYTES": None,
    "BINBYTES": None,
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


def described(content: bytes) -> tuple[Any, set[str]]:
    """What the pickle would make, as plain values and `Made`, and every name it would import.

    Only the steps that torch.save takes for weights are known.

    >>> import collections, pickle
    >>> made, names = described(pickle.dumps(collections.OrderedDict(a=1), protocol=2))
    >>> made.call, made.entries, names
    ('collections.OrderedDict', {'a': 1}, {'collections.OrderedDict'})

    Raises:
        NotPlainError: a step that weights do not need, such as one that hides what it imports.
        DamagedError: no whole pickle.
    """
    names: set[str] = set()
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count > OPCODES:
                raise NotPlainError(f"more than {OPCODES:,} steps")
            if opcode.name == "STOP":
                (whole,) = stack
                return whole, names
            _step(opcode.name, argument, stack, memo, names)
    except NotPlainError as error:
        error.names = names
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedError(str(error)) from None
    raise DamagedError("it does not end")


def _step(
    name: str, argument: Any, stack: list[Any], memo: dict[int, Any], names: set[str]
) -> None:
    if name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name in _PUSHED:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "GLOBAL":
        full = str(argument).replace(" ", ".", 1)
        names.add(full)
        stack.append(Named(full))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        size = int(name[-1])
        stack[-size:] = [tuple(_taken(stack, size))]
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in ("EMPTY_TUPLE", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET"):
        stack.append(
            {"EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_LIST": list}.get(name, set)()
        )
    elif name in ("SETITEM", "SETITEMS"):
        _set_items(stack, [stack.pop(-2), stack.pop()] if name == "SETITEM" else _since_mark(stack))
    elif name in ("APPEND", "APPENDS"):
        found = [stack.pop()] if name == "APPEND" else _since_mark(stack)
        stack[-1].extend(found)
    elif name == "BINPERSID":
        stack.append(Stored(stack.pop()))
    elif name == "REDUCE":
        arguments, called = stack.pop(), stack.pop()
        if not isinstance(called, Named):
            raise NotPlainError("a call of something that has no name")
        if not isinstance(arguments, tuple):
            raise DamagedError("a call without arguments")
        stack.append(Made(called.name, arguments))
    elif name == "BUILD":
        state = stack.pop()
        if not isinstance(stack[-1], Made):
            raise NotPlainError("BUILD")
        stack[-1].state = state
    elif name not in ("PROTO", "FRAME"):
        raise NotPlainError(name)


def _taken(stack: list[Any], size: int) -> list[Any]:
    if len(stack) < size or any(one is _MARK for one in stack[-size:]):
        raise DamagedError("a tuple of too few values")
    return stack[-size:]


def _since_mark(stack: list[Any]) -> list[Any]:
    found: list[Any] = []
    while stack[-1] is not _MARK:
        found.append(stack.pop())
    stack.pop()
    return found[::-1]


def _set_items(stack: list[Any], pairs: list[Any]) -> None:
    target = stack[-1].entries if isinstance(stack[-1], Made) else stack[-1]
    if not isinstance(target, dict) or len(pairs) % 2:
        raise DamagedError("entries put into something that takes none")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, str | int | float | tuple) or isinstance(key, tuple):
            raise NotPlainError(f"a key of type {type(key).__name__}")
        target[key] = value
