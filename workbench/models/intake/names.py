"""The names of weights in a file, held against the names an architecture gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

State = dict[str, "torch.Tensor"]

_WRAPPERS = frozenset(
    {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
)
"""What DataParallel, torch.compile, Fabric, FSDP and activation checkpointing put into names."""

_DEPTH = 12  # names deeper than this are not looked into for a prefix: no network nests so far
_PREFIXES = 8  # so many prefixes are tried in full: those under which most names are found


@dataclass(frozen=True, eq=False)
class Attempt:
    """A state dict laid onto an architecture, with names cut at the front.

    Args:
        held: the file's tensors by the architecture's names, as far as both have them.
        missing: names that the architecture needs and the file lacks.
        unexpected: names under the prefix that the architecture lacks.
        differ: names of tensors of another shape, or whole numbers for floating ones.
        outside: the file's names that do not begin with the prefix.
        prefix: what is cut from the file's names, such as "module.".
        added: what is put before them, such as "net.".
        wrappers: parts of names that wrappers put in, and that were left out anywhere.
        most: whether most of the file's numbers are under the prefix, in no sequence with others.
    """

    held: State
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    differ: tuple[str, ...]
    outside: tuple[str, ...] = ()
    prefix: str = ""
    added: str = ""
    wrappers: tuple[str, ...] = ()
    most: bool = True

    @property
    def fits(self) -> bool:
        """Whether every weight is there, and none is left over under the prefix."""
        return not (self.missing or self.unexpected or self.differ)

    @property
    def whole(self) -> bool:
        """Whether every weight is there under the names as they are, beside others or not."""
        return not (self.prefix or self.missing or self.differ)

    @property
    def renaming(self) -> str:
        """How the names differ, as a sentence for the user; "" where they do not."""
        said = []
        if self.wrappers:
            said.append(f"without {' and '.join(map(repr, self.wrappers))} in their names")
        if self.prefix:
            said.append(f"without the prefix {self.prefix!r} of their names")
        if self.added:
            said.append(f"with the prefix {self.added!r} before their names")
        return f"The weights fit {', '.join(said)}." if said else ""


def attempts(
    state: State, own: State, needed: Sequence[Sequence[str]], entry: str | None = None
) -> list[Attempt]:
    """Ways to lay a state dict onto an architecture, some of which may fit.

    Names are first compared as they are, and with beginnings cut off, those that most of the names have
    first. Only where nothing fits are they compared without what wrappers put in anywhere, and without the
    architecture's own beginning.

    Args:
        state: the file's tensors.
        own: the architecture's tensors by name.
        needed: of each of these groups of names in `own`, which share their numbers, a file must have one.
        entry: a beginning that is asked for.
    """
    tried: list[Attempt] = []
    for file, wanted, wrappers in _spellings(state, own):
        for added in ("", *_beginnings(wanted)):
            inner = {name.removeprefix(added): full for name, full in wanted.items()}
            found = []
            for prefix in _prefixes(file, inner, entry):
                held, unexpected, outside = _laid(state, file, inner, prefix)
                if outside and added:
                    continue  # else a layer that stands alone would pass for a network
                found.append(
                    Attempt(
                        held,
                        tuple(some[0] for some in needed if held.keys().isdisjoint(some)),
                        unexpected,
                        _differing(held, own),
                        outside,
                        prefix,
                        added,
                        wrappers,
                        most=_is_most(state, held, outside, prefix),
                    )
                )
            tried += found
            if any(one.fits or one.whole for one in found):
                return found
    return tried


def _spellings(
    state: State, own: State
) -> Iterator[tuple[Mapping[str, str], Mapping[str, str], tuple[str, ...]]]:
    """The names as they are, then without what wrappers put in; each with the name as it is."""
    yield {name: name for name in state}, {name: name for name in own}, ()
    file, wanted = ({_plain(name): name for name in names} for names in (state, own))
    changed = any(a != b for names in (file, wanted) for a, b in names.items())
    if changed and len(file) == len(state) and len(wanted) == len(own):
        parts = {part for name in (*state, *own) for part in name.split(".", _DEPTH)}
        yield file, wanted, tuple(sorted(f"{one}." for one in parts & _WRAPPERS))


def _plain(name: str) -> str:
    """A name without what wrappers put into it.

    >>> _plain("features.module.0._orig_mod.weight")
    'features.0.weight'
    """
    return ".".join(part for part in name.split(".", _DEPTH) if part not in _WRAPPERS)


def _prefixes(file: Collection[str], wanted: Collection[str], entry: str | None) -> list[str]:
    """Beginnings of the file's names: the one asked for, then those that most wanted names follow."""
    found: Counter[str] = Counter()
    asked = dict[str, None]()
    for name in file:
        rest = name
        for _ in range(_DEPTH):
            if rest in wanted:
                found[name[: len(name) - len(rest)]] += 1
            _, dot, rest = rest.partition(".")
            if not dot:
                break
        at = f".{name}".find(f".{entry}.") if entry else -1
        if at >= 0 and entry:
            asked[name[: at + len(entry) + 1]] = None
    most = [prefix for prefix, _ in found.most_common(_PREFIXES)]
    return list(dict.fromkeys(["", *list(asked)[:_PREFIXES], *most]))


def _beginnings(names: Collection[str]) -> list[str]:
    """What all the names begin with, in whole parts, the shortest first."""
    first = next(iter(names), "").split(".", _DEPTH)[:-1]
    every = [".".join(first[: n + 1]) + "." for n in range(len(first))]
    return [one for one in every if all(name.startswith(one) for name in names)]


def _laid(
    state: State, file: Mapping[str, str], inner: Mapping[str, str], prefix: str
) -> tuple[State, tuple[str, ...], tuple[str, ...]]:
    """The tensors by the architecture's names; names that it lacks; names without the prefix."""
    held: State = {}
    unexpected, outside = [], []
    for name, full in file.items():
        if not name.startswith(prefix):
            outside.append(full)
        elif (rest := name[len(prefix) :]) in inner:
            held[inner[rest]] = state[full]
        else:
            unexpected.append(full)
    return held, tuple(unexpected), tuple(outside)


def _differing(held: State, own: State) -> tuple[str, ...]:
    return tuple(
        name
        for name, tensor in held.items()
        if tensor.shape != own[name].shape
        or tensor.is_floating_point() != own[name].is_floating_point()
    )


def _is_most(state: State, held: State, outside: tuple[str, ...], prefix: str) -> bool:
    """Whether what is held is most of the file, and not one step of a sequence that goes on beside it."""
    kept = sum(one.numel() for one in held.values())
    left = sum(state[name].numel() for name in outside)
    numbered = prefix.rstrip(".").rpartition(".")[2].isdigit()
    return not outside or (kept > left and not numbered)
