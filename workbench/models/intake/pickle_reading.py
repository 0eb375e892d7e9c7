"""A pickle read as a description of what it would build. Nothing is built, imported or called."""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ORDERED = "collections.OrderedDict"

STEPS = 500_000
"""Steps allowed besides those for tensors: lists of losses, an optimizer's settings."""

STEPS_PER_TENSOR = 60
"""Steps allowed for each tensor stored: torch.save takes about 36, an optimizer's no more."""

DEPTH = 100
"""Collections begun inside each other; those of a checkpoint have fewer than ten levels."""

LONGEST = 1024
"""Characters of a name, and values passed to a call or a state: the same ones may be passed many times."""


class NotPlainError(Exception):
    """The pickle takes a step that weights do not need; holds the step and the names read so far."""

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
    """Something stored outside the pickle, such as a tensor's numbers."""

    key: Any


@dataclass(eq=False)
class Made:
    """What a call would build: a name called with arguments, and what would be put into the result."""

    call: str
    arguments: tuple[Any, ...]
    entries: dict[Any, Any] = field(default_factory=dict)
    state: Any = None


@dataclass(frozen=True, eq=False)
class Described:
    """The description of a pickle.

    Args:
        whole: the object, as plain values and `Made`.
        names: every name it would import.
        calls: every call, in order, also those whose result is thrown away: its tensor is built anyway.
        stored: every request for something stored outside the pickle.
    """

    whole: Any
    names: set[str]
    calls: list[Made]
    stored: list[Stored]


def described(content: bytes, tensors: int = 0) -> Described:
    """What the pickle would make, as plain values and `Made`, and every name it would import.

    Only the steps that torch.save uses for weights are known. Each takes a time that does not grow with
    the steps before it, and the number of steps is limited by the number of tensors.

    Args:
        content: the pickle.
        tensors: how many are stored beside it.

    >>> import collections, pickle
    >>> found = described(pickle.dumps(collections.OrderedDict(a=1), protocol=2))
    >>> found.whole.call, found.whole.entries, found.names
    ('collections.OrderedDict', {'a': 1}, {'collections.OrderedDict'})

    Raises:
        NotPlainError: a step that weights do not need, such as one that hides what it imports.
        DamagedError: no whole pickle.
    """
    machine = _Machine()
    left = STEPS + STEPS_PER_TENSOR * tensors
    try:
        for opcode, argument, _ in pickletools.genops(content):
            left -= 1
            if left < 0:
                raise NotPlainError(
                    f"{opcode.name} after {STEPS + STEPS_PER_TENSOR * tensors:,} others"
                )
            if opcode.name == "STOP":
                left_over = len(machine.stack) + sum(map(len, machine.outer))
                if machine.outer or left_over != 1:
                    raise DamagedError(
                        f"its pickle ends with {left_over:,} objects in place of one"
                    )
                return Described(machine.stack[0], machine.names, machine.calls, machine.stored)
            step = _STEPS.get(opcode.name)
            if step is None:
                raise NotPlainError(opcode.name)
            step(machine, argument)
    except NotPlainError as error:
        error.names = machine.names
        raise
    except (IndexError, KeyError):
        raise DamagedError("its pickle reads values that it never stored") from None
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise DamagedError("its pickle breaks off or has bytes that are no step") from None
    raise DamagedError("its pickle does not end")


class _Machine:
    """The state of a pickle's reader: the values of the collection it is in, and those around it."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.names: set[str] = set()
        self.calls: list[Made] = []
        self.stored: list[Stored] = []

    def mark(self, _: Any) -> None:
        if len(self.outer) == DEPTH:
            raise NotPlainError(f"MARK inside {DEPTH} others")
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.outer.pop()
        return found

    def put(self, argument: int | None) -> None:
        self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]

    def get(self, argument: int) -> None:
        self.stack.append(self.memo[argument])

    def push(self, argument: Any) -> None:
        self.stack.append(argument)

    def long(self, argument: int) -> None:
        if argument.bit_length() > 64:
            raise NotPlainError("LONG1 with a number of more than 64 bits")
        self.stack.append(argument)

    def name(self, argument: str) -> None:
        full = argument.replace(" ", ".", 1)
        self.names.add(full)
        self.stack.append(Named(full))

    def tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise DamagedError("its pickle makes a tuple of too few values")
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def marked_tuple(self, _: Any) -> None:
        found = tuple(self.since_mark())
        self.stack.append(found)

    def set_items(self, pairs: list[Any]) -> None:
        last = self.stack[-1]
        target = last.entries if isinstance(last, Made) else last
        if not isinstance(target, dict) or len(pairs) % 2:
            raise DamagedError("its pickle puts entries into something that takes none")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            _check_key(key)
            target[key] = value

    def extend(self, found: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise DamagedError("its pickle appends to something that is no list")
        self.stack[-1].extend(found)

    def store(self, _: Any) -> None:
        found = Stored(self.stack.pop())
        self.stored.append(found)
        self.stack.append(found)

    def call(self, _: Any) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Named):
            raise NotPlainError("REDUCE of something that has no name")
        if not isinstance(arguments, tuple):
            raise DamagedError("its pickle makes a call without arguments")
        if any(_length(one) > LONGEST for one in (arguments, *arguments[:LONGEST])):
            raise NotPlainError(f"REDUCE with more than {LONGEST:,} values")
        made = Made(called.name, arguments)
        self.calls.append(made)
        self.stack.append(made)

    def build(self, _: Any) -> None:
        state, last = self.stack.pop(), self.stack[-1]
        # A tensor's state would be numbers and a shape that nobody has checked.
        if not (isinstance(last, Made) and last.call == ORDERED and isinstance(state, dict)):
            raise NotPlainError("BUILD of something other than a table")
        if len(state) > LONGEST:
            raise NotPlainError(f"BUILD with more than {LONGEST:,} values")
        last.state = state


def _length(value: Any) -> int:
    if isinstance(value, Made):
        return len(value.entries)
    return len(value) if isinstance(value, str | list | tuple | dict) else 0


def _check_key(key: Any) -> None:
    """Keys that a table finds in one look: short, and none chosen to collide with another."""
    if type(key) is str and len(key) <= LONGEST:
        return
    if type(key) is int and abs(key) < 2**31:
        return
    if type(key) in (str, int):
        raise NotPlainError(
            f"SETITEM with a key that is too {'long' if type(key) is str else 'large'}"
        )
    raise NotPlainError(f"SETITEM with a key of type {type(key).__name__}")


_Step = Callable[[_Machine, Any], None]
_STEPS: dict[str, _Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("BININT", "BININT1", "BININT2"), _Machine.push),
    "LONG1": _Machine.long,
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "MARK": _Machine.mark,
    "GLOBAL": _Machine.name,
    "TUPLE1": lambda machine, _: machine.tuple(1),
    "TUPLE2": lambda machine, _: machine.tuple(2),
    "TUPLE3": lambda machine, _: machine.tuple(3),
    "TUPLE": _Machine.marked_tuple,
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "BINPERSID": _Machine.store,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
"""The steps that torch.save writes for weights and their checkpoints. The opening steps of protocol 4 are
here too, so that the refusal names the step that hides what it imports."""
