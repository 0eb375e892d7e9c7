"""`Shown`: what a person sees of a panel now, as a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import ipywidgets

from workbench.panels.kit.shell import Choice, Code, Shell


@dataclass(frozen=True)
class Shown:
    """A panel's present texts; markup as the browser gets it.

    Args:
        notice: why there is nothing to run, or "".
        status: the sentence of the live region: what happens, or how it ended.
        error: what went wrong, or "".
        code: the choices as code.
        parts: markup by the name of its place: "stale", "expected", "said" (the note), the result's parts.
        rows: the rows to choose from, as far as the panel ranks them.
        dimmed: whether the result is grayed, because it does not match the present choices.
        pending: the names of the pictures that are dimmed until they are drawn anew.
        sections: the headings of the sections in sight.
    """

    notice: str
    status: str
    error: str
    code: str
    parts: Mapping[str, str]
    rows: tuple[Mapping[str, str], ...]
    dimmed: bool
    pending: tuple[str, ...]
    sections: tuple[str, ...]

    @property
    def stale(self) -> str:
        """Why the result does not match the present choices, or ""."""
        return self.parts.get("stale", "")


def shown_of(panel: Shell) -> Shown:
    """What a panel shows, read from its widgets."""
    seen = list(in_sight(panel))
    every = [widget for widget, _ in seen]
    parts = {one.part: one.value for one in every if getattr(one, "part", "")}

    def of_class(name: str) -> list[Any]:
        return [one for one in every if name in getattr(one, "_dom_classes", ())]

    return Shown(
        notice=panel.status.notice,
        status=panel.status.text,
        error=panel.status.error,
        code="".join(one.code for one in every if isinstance(one, Code)),
        parts=MappingProxyType(parts),
        rows=tuple(
            row
            for one in every
            if isinstance(one, Choice) and one.name == "ranking"
            for row in one.options
        ),
        dimmed=bool(of_class("wb-stale")),
        pending=tuple(child.part for one in of_class("wb-pending") for child in one.children),
        sections=tuple(one.heading for one, visible in seen if visible and hasattr(one, "heading")),
    )


def in_sight(widget: Any, *, visible: bool = True) -> Iterator[tuple[ipywidgets.Widget, bool]]:
    """A widget and every one in it, each with whether it is in sight."""
    layout = getattr(widget, "layout", None)
    visible = visible and getattr(layout, "display", None) != "none"
    yield widget, visible
    for child in getattr(widget, "children", ()):
        yield from in_sight(child, visible=visible)
