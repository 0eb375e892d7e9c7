"""`Controls`: a panel's controls by name, to use from code as a person does with mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets

from workbench.errors import InputError
from workbench.panels.kit.shell import Choice, Form, Shell
from workbench.panels.kit.shown import in_sight


@dataclass(frozen=True)
class _Place:
    """Where a control is: a field of a form, a list of options, or a button."""

    names: tuple[str, ...]
    widget: ipywidgets.Widget
    visible: bool
    field: Mapping[str, Any] | None = None


class Controls:
    """What a person can set and click in a panel, each by its short name or by the label they read.

    >>> from workbench.panels import Bench, LoadPanel
    >>> panel = LoadPanel(Bench())
    >>> panel.controls.enabled("Load")
    False
    >>> panel.controls["path"] = "model.onnx"
    >>> panel.controls["File"], panel.controls.enabled("Load")
    ('model.onnx', True)

    Setting a value works like an event from the browser: when it returns, everything that follows from it
    has happened, except jobs and pictures.
    """

    def __init__(self, panel: Shell) -> None:
        self._panel = panel

    def __iter__(self) -> Iterator[str]:
        return (place.names[0] for place in self._places())

    def __contains__(self, name: str) -> bool:
        return any(name in place.names for place in self._places())

    def __getitem__(self, name: str) -> Any:
        place = self._place(name)
        if place.field is not None:
            return place.widget.values.get(place.field["name"])
        return getattr(place.widget, "value", None)

    def __setitem__(self, name: str, value: Any) -> None:
        self.set({name: value})

    def set(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Give controls other values; all values of one form are set at once, as one event.

        Raises:
            InputError: there is no control of that name, it is a button, or it does not offer the value.
        """
        forms: dict[Form, dict[str, Any]] = {}
        for name, value in {**(values or {}), **named}.items():
            place = self._place(name)
            offered = self.options(name)
            if offered and value not in offered:
                raise InputError(f"{name!r} offers {offered}, not {value!r}.")
            if isinstance(place.widget, Choice):
                place.widget.value = value
            elif place.field is None:
                raise InputError(
                    f"A value is given to a field, but {name!r} is a button. Use controls.click({name!r})."
                )
            else:
                forms.setdefault(place.widget, {})[place.field["name"]] = value
        for form, changed in forms.items():
            form.values = {**form.values, **changed}

    def click(self, name: str) -> None:
        """Press a button.

        Raises:
            InputError: there is no such button, or it cannot be pressed now.
        """
        place = self._place(name)
        if not isinstance(place.widget, ipywidgets.Button):
            raise InputError(f"A button is clicked, but {name!r} is none. Use controls[{name!r}].")
        if not self.enabled(name):
            raise InputError(
                f"A button in reach is needed, but {name!r} is disabled or hidden now. "
                "panel.shown says what it waits for."
            )
        place.widget.click()

    def enabled(self, name: str) -> bool:
        """Whether a control is in sight and can be used now."""
        place = self._place(name)
        return place.visible and not getattr(place.widget, "disabled", False)

    def visible(self, name: str) -> bool:
        """Whether a control is in sight."""
        return self._place(name).visible

    def values(self, form: str) -> dict[str, Any]:
        """The values of a form by the short names of its fields; the form is named by its label.

        Raises:
            InputError: there is no such form.
        """
        forms = [one for one, _ in in_sight(self._panel) if isinstance(one, Form)]
        for one in forms:
            if one.label == form:
                return {field["name"]: one.values.get(field["name"]) for field in one.fields}
        labels = [one.label for one in forms]
        raise InputError(f"A form is needed, but {form!r} is none. This panel has {labels}.")

    def hint(self, name: str) -> str:
        """The description that a control carries."""
        place = self._place(name)
        if place.field is not None:
            return str(place.field.get("doc", ""))
        return str(getattr(place.widget, "tooltip", "") or "")

    def label(self, name: str) -> str:
        """What a person reads beside a control, or on it."""
        return self._place(name).names[-1]

    def options(self, name: str) -> list[Any]:
        """The values that a control offers; [] where it is not a choice."""
        place = self._place(name)
        if place.field is not None:
            return [value for value, _ in place.field.get("options", ())]
        offered = getattr(place.widget, "options", ())
        return [one["value"] for one in offered if not one["reason"]]

    def _place(self, name: str) -> _Place:
        found = [place for place in self._places() if name in place.names]
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(
                f"A control is needed, but {name!r} is none. This panel has {list(self)}."
            )
        labels = [place.names[-1] for place in found]
        raise InputError(f"One control is needed, but {name!r} are several. Take one of {labels}.")

    def _places(self) -> Iterator[_Place]:
        for widget, visible in in_sight(self._panel):
            if isinstance(widget, Form):
                for field in widget.fields:
                    yield _Place((field["name"], field["label"]), widget, visible, field)
            elif isinstance(widget, Choice):
                yield _Place(tuple(filter(None, (widget.name, widget.label))), widget, visible)
            elif isinstance(widget, ipywidgets.Button):
                yield _Place((widget.description,), widget, visible)
