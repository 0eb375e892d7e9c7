"""`Provenance`: where an attribution comes from, and the notes that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from workbench.core.combination import Form
from workbench.core.pickling import by_fields

Fact = bool | int | float | str | tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Composition:
    """How an ensemble's values follow from its members' values, in figures.

    Args:
        members: their names.
        weights: one per member.
        form: see `Form`.
        space: the unit of the sum, in words.
        game: where an absent feature's value comes from, in words.
        exact: whether the values are a sum of the members', or were not sampled.
        composed: whether they are the sum of the members' values.
        signed: whether a maximum with zero was taken of the sum, not of each member.
        passthrough: whether the sum has a term that does not come from a member.
        together: whether all members were computed in one pass.
    """

    members: tuple[str, ...]
    weights: tuple[float, ...]
    form: Form
    space: str
    game: str
    exact: bool
    composed: bool
    signed: bool
    passthrough: bool
    together: bool


@dataclass(frozen=True)
class Provenance:
    """Which model, which versions, and what belongs beside every picture of a result.

    >>> Provenance(notes=["a note"]).notes, Provenance().digest
    (('a note',), '')

    Args:
        notes: sentences that belong beside the result.
        model_notes: those of them that are about the model, whatever the method.
        unit: what the model's raw scores are, as in `Model.unit`.
        digest: of the model's weights; "" where they cannot be hashed, or where there is no model.
        lineage: how the model was made, step by step, oldest first.
        versions: of the workbench, of NumPy and of Python, by name.
        twin_gap: the largest difference between the model's scores and those of the twin that gave the
            gradients; None where there was no twin, or no gradient.
        signed: whether a member's map was kept before its maximum with zero.
        ensemble: how an ensemble's values follow from its members' values; None for a single model.
        badge: the same in words; "" for a single model.
        facts: what a method of your own reports about its run, by name.
    """

    notes: tuple[str, ...] = ()
    model_notes: tuple[str, ...] = ()
    digest: str = ""
    lineage: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    twin_gap: float | None = None
    signed: bool = False
    ensemble: Composition | None = None
    badge: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    unit: str = ""

    def __post_init__(self) -> None:
        for name in ("notes", "model_notes", "lineage"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("versions", "facts"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:
        return by_fields(self)
