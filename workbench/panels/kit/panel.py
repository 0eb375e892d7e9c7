"""`Panel`: the one way to change a panel. Choices are resolved into a view, which is written to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from workbench.panels.kit.bench import Bench
from workbench.panels.kit.controls import Controls
from workbench.panels.kit.shell import Shell, reporting
from workbench.panels.kit.shown import Shown, shown_of


class Resolved(Protocol):
    """What every panel's view has: it is frozen, and made by a pure function."""

    @property
    def choices(self) -> Any:
        """The choices, made valid."""

    @property
    def blocked(self) -> str:
        """Why there is nothing to run, or ""."""


C = TypeVar("C")
V = TypeVar("V", bound=Resolved)


class Panel(Shell, Generic[C, V]):
    """A panel over a bench: every change is an event, then `resolve`, then `write`.

    A panel makes its controls after `super().__init__`, and ends its own `__init__` with `present`.
    `controls` and `shown` are made for tests: what a person could click, and what they would see.

    Args:
        title: its heading.
        purpose: the question that it answers, in one sentence.
        bench: the models and rows to choose from.
        resolve: from bench and choices to the view; pure, so that all logic is tested without widgets.
        choices: the first choices.
    """

    _view: V
    # Set here already: a widget is also closed when its arguments are refused before it is complete.
    _stop_watching: Callable[[], None] | None = None

    def __init__(
        self,
        title: str,
        purpose: str,
        bench: Bench,
        resolve: Callable[[Bench, C], V],
        choices: C,
    ) -> None:
        super().__init__(title, purpose)
        self.bench = bench
        self._resolve, self._choices = resolve, choices

    @property
    def view(self) -> V:
        """Everything shown about the choices."""
        return self._view

    @property
    def shown(self) -> Shown:
        """What a person sees now, as a frozen value."""
        with self.lock:
            return shown_of(self)

    @property
    def controls(self) -> Controls:
        """What a person can set and click, by name."""
        return Controls(self)

    def present(self) -> None:
        """Show the first view, and follow the bench from now on."""
        self.apply()
        self._warm()
        self._stop_watching = self.bench.watch(self._bench_changed)

    def close(self) -> None:
        """End the panel: it no longer follows the bench."""
        if self._stop_watching is not None:
            self._stop_watching()
        super().close()

    def choose(self, choices: C) -> None:
        """Other choices, under the panel's lock."""
        self._choices = choices
        self.apply()

    def apply(self) -> None:
        """The choices, resolved, written to every control that differs."""
        with self.applying():
            self._view = self._resolve(self.bench, self._choices)
            self._choices = self._view.choices
            self.write(self._view)

    def write(self, view: V) -> None:
        """Show a view; a panel that is not a `StudyPanel` overrides this."""
        raise NotImplementedError

    def _warm(self) -> None:
        """Nobody waits for the compiler: it begins when there is a model that will need it."""
        if any(model.trees is not None for model in self.bench.models.values()):
            from workbench.trees.warming import warm_aside

            warm_aside()

    def _bench_changed(self) -> None:
        with reporting(self), self.lock:
            self.apply()
            self._warm()
