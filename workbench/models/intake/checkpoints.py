"""The state dicts inside a checkpoint, and the one that an architecture is filled with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core import clean
from workbench.errors import InputError
from workbench.models.intake.misfits import misfit
from workbench.models.intake.names import Attempt, State, attempts
from workbench.models.intake.reading import File

_DEPTH = 4  # dictionaries in dictionaries that are looked into


def states_in(content: Any) -> dict[str, State]:
    """The tensors of every dictionary in the content, by the keys that lead to it, joined with dots.

    Keys that are not text are not followed: the tables of optimizers are numbered. A module, which only a
    file that was vouched for can hold, stands for its state dict.
    """
    import torch

    found: dict[str, State] = {}
    seen = set[int]()
    waiting: list[tuple[str, int, Any]] = [("", 0, content)]
    while waiting:
        path, depth, one = waiting.pop(0)
        if isinstance(one, torch.nn.Module):
            one = one.state_dict()
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        named = {key: value for key, value in one.items() if isinstance(key, str)}
        if state := {k: v for k, v in named.items() if isinstance(v, torch.Tensor)}:
            found[path] = state
        if depth < _DEPTH:
            waiting += [
                (f"{path}.{key}" if path else key, depth + 1, value) for key, value in named.items()
            ]
    return found


@dataclass(frozen=True, eq=False)
class _Candidate:
    """One way to fill the architecture: the keys that lead to a state dict, and how its names fit."""

    path: str
    attempt: Attempt

    @property
    def label(self) -> str:
        """What `entry=` calls it: the keys, and what its names begin with."""
        return ".".join(part for part in (self.path, self.attempt.prefix.rstrip(".")) if part)


def chosen(
    states: dict[str, State],
    own: State,
    needed: Sequence[Sequence[str]],
    entry: str | None,
    file: File,
    architecture: str,
) -> tuple[State, str, list[str]]:
    """The tensors for the architecture, by its own names; the entry they were in; notes for the user.

    Args:
        states: what `states_in` found.
        own: the architecture's tensors by name.
        needed: groups of names in `own`; of each, a file must have one.
        entry: which entry is meant, or what the names begin with; None for the one that fits.
        file: for messages.
        architecture: its name, for messages.

    Raises:
        InputError: nothing fits, or several state dicts with other numbers do.
    """
    tried = [
        _Candidate(path, attempt)
        for path, state in states.items()
        for attempt in attempts(state, own, needed, entry)
    ]
    if entry is not None:
        tried = _meant(tried, states, entry, file)
    # Where the weights are there under their plain names, what begins otherwise is another model's.
    plain = {one.path for one in tried if one.attempt.whole}
    tried = [one for one in tried if one.path not in plain or not one.attempt.prefix]
    fitting = [one for one in tried if one.attempt.fits]
    if not fitting:
        near = max(tried, key=lambda one: (len(one.attempt.held), -len(one.attempt.unexpected)))
        raise misfit(near.attempt, own, file, architecture, clean(near.label))
    best = min(fitting, key=lambda one: (len(one.attempt.outside), len(one.label)))
    other = [one for one in fitting if not _equal(one.attempt.held, best.attempt.held)]
    if other:
        labels = [clean(one.label) for one in (best, *other)]
        raise InputError(
            f"One set of weights is needed, but {file.shown!r} holds {len(labels)} that fit the "
            f"architecture {architecture} and differ: {labels[:10]}. Say which is meant: "
            f"load(..., entry={labels[0]!r})."
        )
    beside = [set(one.attempt.outside) for one in fitting if one.path == best.path]
    if not best.attempt.most and entry is None and set.intersection(*beside):
        raise _only_a_part(best, file, architecture)
    return best.attempt.held, best.path, _notes(best)


def _meant(
    tried: list[_Candidate], states: dict[str, State], entry: str, file: File
) -> list[_Candidate]:
    """The candidates that `entry` names: those in a dictionary of this name, or under this beginning."""
    inside = [one for one in tried if f"{one.path}.".startswith(f"{entry}.")]
    under = [one for one in tried if one.attempt.prefix and f".{one.label}".endswith(f".{entry}")]
    if found := inside or under:
        return found
    known = [clean(path) for path in states if path]
    firsts = sorted({clean(name.split(".", 1)[0]) for state in states.values() for name in state})
    raise InputError(
        f"entry must name a part of {file.shown!r} that holds weights, not {clean(entry)!r}. Its entries "
        f"with tensors are {known[:10]}, and the names of tensors begin with {firsts[:10]}."
    )


def _only_a_part(one: _Candidate, file: File, architecture: str) -> InputError:
    outside = [clean(name) for name in one.attempt.outside]
    return InputError(
        f"The weights of {file.shown!r} must fit the architecture {architecture}, but it is only a part of "
        f"what the file holds: it fits those under {clean(one.attempt.prefix)!r}, and {outside[:8]}"
        f"{' …' if len(outside) > 8 else ''} would be left out. Give the architecture they were trained "
        f"with, or take that part: load(..., entry={clean(one.label)!r})."
    )


def _equal(one: State, other: State) -> bool:
    """Whether two sets hold the same numbers; what is no number counts as the same as itself."""
    return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)


def _same(a: Any, b: Any) -> bool:
    if a is b or not (is_plain(a) and is_plain(b)):
        return a is b
    return bool(a.shape == b.shape and ((a == b) | ((a != a) & (b != b))).all())


def is_plain(tensor: Any) -> bool:
    """Whether a tensor is dense, of numbers that are not quantized."""
    import torch

    return tensor.layout == torch.strided and not tensor.is_quantized


def _notes(one: _Candidate) -> list[str]:
    attempt = one.attempt
    notes = [f"The weights are the entry {one.path!r} of a checkpoint."] if one.path else []
    notes += [attempt.renaming] if attempt.renaming else []
    if attempt.outside:
        names = [clean(name) for name in attempt.outside]
        notes.append(
            f"{len(names)} other tensors of the file are not part of the architecture and were left out: "
            f"{names[:8]}{' …' if len(names) > 8 else ''}."
        )
    return [clean(note) for note in notes]
