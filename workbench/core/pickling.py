"""Pickling the nouns: they are rebuilt from their fields, so they are checked and read-only again."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import Any


def by_fields(value: Any) -> tuple[Any, ...]:
    """For `__reduce__`: a frozen dataclass by its fields, without those that are computed on demand.

    A pickled array comes back writable, and a read-only mapping cannot be pickled.
    """
    found = {one.name: getattr(value, one.name) for one in fields(value)}
    plain = {
        name: dict(one) if isinstance(one, MappingProxyType) else one for name, one in found.items()
    }
    return remade_by_fields, (type(value), plain)


def remade_by_fields(cls: type, given: dict[str, Any]) -> Any:
    """The object of these fields."""
    return cls(**given)
