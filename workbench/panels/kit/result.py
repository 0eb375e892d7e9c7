"""`Result`: the result of a panel's last run. Numbers appear at once, pictures a moment later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import ipywidgets

from workbench.core import escape
from workbench.panels.kit.choices import Asked
from workbench.panels.kit.form import Field
from workbench.panels.kit.jobs import Job
from workbench.panels.kit.shell import Choice, Form, Shell, box, reporting, say_stale, text

PAUSE_SECONDS = 0.15
"""Seconds without a new request before drawing begins: a moving slider makes many requests."""

DRAWN_WITHIN = 60.0
"""The most seconds that a notebook's static copy waits for pictures."""

LOOKS = "looks"
"""The place of the controls that change how a result is looked at."""

RANKING = "ranking"
"""The place of the ranked rows to choose from."""

TWIN_ROWS = 10
"""The most rows of the ranking that a notebook's static copy lists."""

Drawing = tuple[tuple[object, ...], Callable[[], str]]
"""What a picture depends on, and a function that draws it, called only when the former changes."""


class Keyed(Protocol):
    """The outcome of a run; its `key` is that of the view it came from."""

    @property
    def key(self) -> tuple[object, ...]:
        """What the result depends on."""


O = TypeVar("O", bound=Keyed)  # noqa: E741 - an outcome
L = TypeVar("L")


def changed_since(outcome: Keyed, view: Asked, _: Job | None) -> str:
    """A sentence that the choices have changed since the run, or ""."""
    if outcome.key == view.key:
        return ""
    return "From the previous run: the choices have changed since. Press Run."


def _with(look: Any, changed: Mapping[str, Any]) -> Any:
    return replace(look, **changed)


@dataclass(frozen=True)
class Picturing(Generic[O, L]):
    """How an outcome is shown: pure functions of the outcome and of how it is looked at.

    Args:
        look: how it is looked at first; a frozen dataclass, or None where that cannot be chosen.
        numbers: {part: markup}, written at once.
        pictures: {part: what it depends on, and what draws it}, drawn on a thread of their own.
        fields: the controls that change the look; their names are the look's.
        settled: the look with invalid parts replaced by valid ones.
        turned: the look after a person changed some of its fields.
        ranked: a title, and the rows to choose from as `static/choice.js` reads them.
        stale: why the result does not match the present choices, or "".
    """

    look: L
    numbers: Callable[[O, L], Mapping[str, str]]
    pictures: Callable[[O, L], Mapping[str, Drawing]] = lambda _, __: {}
    fields: Callable[[O], Sequence[Field]] = lambda _: ()
    settled: Callable[[L, O], L] = lambda look, _: look
    turned: Callable[[L, Mapping[str, Any]], L] = _with
    ranked: Callable[[O, L], tuple[str, list[dict[str, str]]]] = lambda _, __: ("", [])
    stale: Callable[[O, Asked, Job | None], str] = changed_since


class Later:
    """Calls `draw` a moment after the last `ask`, and once more if `ask` is called meanwhile.

    >>> drawn = []
    >>> later = Later(lambda: drawn.append("picture"), pause=0.05)
    >>> for _ in range(5):
    ...     later.ask()
    >>> later.wait(5), drawn
    (True, ['picture'])

    Args:
        draw: called on another thread, never twice at once. It must not raise. The interpreter waits for it
            when it ends: a thread that is stopped inside a drawing library takes the process with it.
        pause: seconds.
    """

    def __init__(self, draw: Callable[[], None], pause: float = PAUSE_SECONDS) -> None:
        self._draw, self._pause = draw, pause
        self._lock = threading.Lock()
        self._again = threading.Event()
        self._idle = threading.Event()
        self._idle.set()

    @property
    def pending(self) -> bool:
        """Whether something is still to be drawn."""
        return not self._idle.is_set()

    def ask(self) -> None:
        """Request a drawing soon."""
        with self._lock:
            self._again.set()
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._run, name="workbench-draw").start()

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds; whether everything was drawn by then."""
        return self._idle.wait(timeout)

    def _run(self) -> None:
        while True:
            while self._again.is_set():
                self._again.clear()
                self._again.wait(self._pause)
            self._draw()
            with self._lock:
                if not self._again.is_set():
                    self._idle.set()
                    return


class Result(ipywidgets.Box, Generic[O, L]):  # type: ignore[misc]
    """The parts of a result from top to bottom, with the controls that change how it is looked at.

    Pictures are dimmed until they show the same outcome as the numbers.

    Args:
        panel: whose lock and guard are used.
        picturing: how an outcome is shown.
        parts: the names of its parts in their order; `LOOKS`, `RANKING` and other widgets among them.
        drawn: which of the parts are pictures.
        empty: {part: its markup before the first run}.
        ranking: the label of the rows to choose from.
    """

    def __init__(
        self,
        panel: Shell,
        picturing: Picturing[O, L],
        parts: Sequence[str | ipywidgets.Widget],
        *,
        drawn: Sequence[str] = (),
        empty: Mapping[str, str],
        ranking: str = "Rows",
    ) -> None:
        self._panel, self._picturing = panel, picturing
        self.outcome: O | None = None
        self.look = picturing.look
        self._ready: tuple[O, L, Mapping[str, str]] | None = None
        self._later = Later(self._draw)
        self._drawn_for: dict[str, tuple[object, ...]] = {}
        self._stale = text("stale")
        self._looks = Form(label="Picture")
        self._heading = text("heading")
        self._ranking = Choice(label=ranking, name=RANKING)
        self._ranking.add_class("wb-ranking")
        self._ranking.layout.display = "none"
        self._parts = {
            name: text(name, empty.get(name, ""))
            for name in parts
            if isinstance(name, str) and name not in (LOOKS, RANKING)
        }
        self._dimmed = {name: box("wb-drawn", self._parts[name]) for name in drawn}
        placed: dict[str, tuple[ipywidgets.Widget, ...]] = {
            **{name: (part,) for name, part in self._parts.items()},
            **{name: (part,) for name, part in self._dimmed.items()},
            LOOKS: (self._looks,),
            RANKING: (self._heading, self._ranking),
        }
        self._order = tuple(placed[one] if isinstance(one, str) else (one,) for one in parts)
        super().__init__([self._stale, *(one for group in self._order for one in group)])
        self.add_class("wb-result")
        self._ranking.observe(panel.event(self._row_chosen), "value")
        self._looks.observe(panel.event(self._look_changed), "values")

    @property
    def has_ranking(self) -> bool:
        """Whether there are rows to choose from."""
        return bool(self._ranking.options)

    def prepare(self, outcome: O) -> None:
        """Work out the numbers of an outcome before the panel's lock is taken to show it."""
        with self._panel.lock:
            look = self.look
        look = self._picturing.settled(look, outcome)
        self._ready = outcome, look, self._picturing.numbers(outcome, look)

    def show(self, outcome: O) -> None:
        """Show another outcome, or the same under other weights; under the panel's lock."""
        self.outcome = outcome
        self._look_at(self.look)

    def refresh(self, view: Asked, job: Job | None) -> None:
        """Show whether the result matches the present choices."""
        say_stale(self, self._stale, self._stale_sentence(view, job))

    def settle(self) -> None:
        """Wait until the pictures show the same outcome as the numbers."""
        self._later.wait(DRAWN_WITHIN)

    def html(self, view: Asked, job: Job | None) -> str:
        """The whole result as HTML, "" without one."""
        if self.outcome is None:
            return ""
        stale = self._stale_sentence(view, job)
        above = f"<p>{escape(stale, limit=400)}</p>" if stale else ""
        parts = {id(part): part.value for part in self._parts.values()}
        parts |= {id(box): self._parts[name].value for name, box in self._dimmed.items()}
        parts[id(self._ranking)] = self._ranked_html()
        return above + "".join(parts.get(id(one), "") for group in self._order for one in group)

    def _ranked_html(self) -> str:
        title, options = self._picturing.ranked(self.outcome, self.look)  # type: ignore[arg-type]
        if not options:
            return ""
        rows = "".join(
            f"<li>{escape(one['label'])}: {escape(one['detail'], limit=300)}</li>"
            for one in options[:TWIN_ROWS]
        )
        return f"<p>{escape(title, limit=120)}</p><ol>{rows}</ol>"

    def _stale_sentence(self, view: Asked, job: Job | None) -> str:
        return "" if self.outcome is None else self._picturing.stale(self.outcome, view, job)

    def _row_chosen(self) -> None:
        if self._ranking.value.isdigit():
            self._turn({"row": int(self._ranking.value)})

    def _look_changed(self) -> None:
        values = self._looks.values
        self._turn({name: values[name] for name in vars(self.look) if name in values})

    def _turn(self, changed: Mapping[str, Any]) -> None:
        self.look = self._picturing.turned(self.look, changed)
        if self.outcome is not None:
            self._look_at(self.look)
            self._panel.refresh()

    def _look_at(self, look: L) -> None:
        """Show everything but pictures at once, and request the pictures."""
        outcome, picturing = self.outcome, self._picturing
        assert outcome is not None
        look = self.look = picturing.settled(look, outcome)
        ready, self._ready = self._ready, None
        if ready is not None and ready[0] is outcome and ready[1] == look:
            numbers = ready[2]
        else:
            numbers = picturing.numbers(outcome, look)
        with self._panel.applying():
            for name, markup in numbers.items():
                self._parts[name].value = markup
            self._looks.fields = list(picturing.fields(outcome))
            self._looks.values = {
                one["name"]: getattr(look, one["name"]) for one in self._looks.fields
            }
            self._rank(*picturing.ranked(outcome, look))
            for name, (key, _) in picturing.pictures(outcome, look).items():
                if key != self._drawn_for.get(name):
                    self._dimmed[name].add_class("wb-pending")
        if self._dimmed:
            self._later.ask()

    def _rank(self, title: str, options: list[dict[str, str]]) -> None:
        self._heading.value = (
            f'<div class="wb-heading" role="heading" aria-level="4">{escape(title, limit=120)}: '
            "choose one to look at it</div>"
            if options
            else ""
        )
        self._ranking.layout.display = "" if options else "none"
        self._ranking.options = options
        self._ranking.value = str(getattr(self.look, "row", "")) if options else ""

    def _draw(self) -> None:
        """The pictures, on their own thread: drawn without the lock, written with it."""
        with reporting(self._panel):
            with self._panel.lock:
                outcome, look = self.outcome, self.look
            if outcome is None:
                return
            wanted = self._picturing.pictures(outcome, look)
            drawn = {
                name: draw()
                for name, (key, draw) in wanted.items()
                if key != self._drawn_for.get(name)
            }
            with self._panel.lock:
                if outcome is not self.outcome or look != self.look:
                    return  # requested again meanwhile: the next drawing shows it
                for name, markup in drawn.items():
                    self._parts[name].value = markup
                for name, (key, _) in wanted.items():
                    self._drawn_for[name] = key
                    self._dimmed[name].remove_class("wb-pending")
