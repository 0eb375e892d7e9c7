"""The Load panel: a model from a file, bundled examples, and the contents of the bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any, get_args

from workbench.core import Inputs, Model, Scale, Step, escape
from workbench.errors import InputError
from workbench.panels.kit import (
    Bench,
    Field,
    Fields,
    Job,
    Panel,
    box,
    button,
    label_of,
    row,
    section,
    text,
)
from workbench.panels.load.cards import bench_html, inputs_html, model_html

_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


@dataclass(frozen=True)
class Example:
    """A bundled example: its label, and the expression that makes it, which is run exactly as shown."""

    label: str
    shelf: str
    code: str
    make: Callable[[], Model | Inputs]


@dataclass(frozen=True)
class Choices:
    """What a user typed; None where the file decides."""

    path: str = ""
    architecture: str | None = None
    scale: Scale | None = None
    name: str | None = None


@dataclass(frozen=True, eq=False)
class View:
    """Everything the panel shows about the file and the bench; `blocked` is why nothing can be loaded."""

    choices: Choices
    fields: tuple[Field, ...]
    blocked: str
    code: str
    models: Mapping[str, Model] = field(default_factory=dict)
    inputs: Mapping[str, Inputs] = field(default_factory=dict)


def resolve(bench: Bench, choices: Choices) -> View:
    """The view of these choices: an architecture that the bench does not know is left out."""
    known = list(bench.architectures)
    if choices.architecture not in known:
        choices = Choices(choices.path, None, choices.scale, choices.name)
    path = choices.path.strip()
    weights = PurePath(path).suffix.lower() in _WEIGHTS
    blocked = ""
    if not path:
        blocked = "Write the path of a model file, or take a bundled example."
    elif weights and choices.architecture is None:
        blocked = (
            f"Files such as {PurePath(path).name} hold weights, so choose the architecture they belong to. "
            "Architectures of your own: Bench(architectures={name: function})."
        )
    fields: tuple[Field, ...] = (
        {
            "name": "path",
            "label": "File",
            "kind": "text",
            "wide": True,
            "placeholder": "model.safetensors, weights.pt, forest.skops, model.onnx, booster.json …",
            "doc": "Formats that can run code (pickle, joblib) are refused. Whole models are tried in a "
            "process of their own first.",
        },
        {
            "name": "architecture",
            "label": "Architecture",
            "kind": "choice",
            "options": [
                [None, "(none: the file is a whole model)"],
                *([one, label_of(one)] for one in known),
            ],
        },
        {
            "name": "scale",
            "label": "Scale of its scores",
            "kind": "choice",
            "options": [
                [None, "as the file or model says"],
                *([one, one] for one in get_args(Scale)),
            ],
        },
        {
            "name": "name",
            "label": "Name",
            "kind": "text",
            "optional": True,
            "placeholder": "the file's",
        },
    )
    code = "" if blocked else _code(path, choices)
    return View(choices, fields, blocked, code, bench.models, bench.inputs)


def examples() -> tuple[Example, ...]:
    """The bundled examples: sets of rows, and models for the images."""

    def rows(label: str, code: str, make: Callable[[Any], Inputs]) -> Example:
        def made() -> Inputs:
            from workbench import data

            return make(data)

        return Example(label, "inputs", code, made)

    def network(label: str, file: str, name: str) -> Example:
        def made() -> Model:
            from workbench.data import asset
            from workbench.models import load, small_cnn

            return load(asset(file), architecture=small_cnn, name=name)

        code = f"wb.load(data.asset({file!r}), architecture=wb.models.small_cnn, name={name!r})"
        return Example(label, "models", code, made)

    return (
        network("Shapes network", "shapes_cnn.safetensors", "shapes_cnn"),
        network("Shortcut network", "shapes_shortcut_cnn.safetensors", "shapes_shortcut_cnn"),
        rows("Shapes", "data.shapes('test', n=64)", lambda d: d.shapes("test", n=64)),
        rows(
            "Stamped shapes",
            "data.shapes('test', n=64, shortcut=True)",
            lambda d: d.shapes("test", n=64, shortcut=True),
        ),
        rows("Breast cancer", "data.breast_cancer('test')", lambda d: d.breast_cancer("test")),
        rows("Diabetes", "data.diabetes('test')", lambda d: d.diabetes("test")),
        rows("Digits", "data.digits('test')", lambda d: d.digits("test")),
        rows("Credit", "data.credit('test')", lambda d: d.credit("test")),
    )


class LoadPanel(Panel[Choices, View]):
    """Models from files and bundled examples, put on the bench by clicking.

    Live objects are added by code: `bench.add_model(workbench.wrap(object, name=...))`. Without a browser:
    `LoadPanel(bench, path=..., architecture="small_cnn").start().wait()`.

    Args:
        bench: where models and rows are put.
        path: a model file.
        architecture: for weights, a name among `bench.architectures`.
        scale: the unit of the scores; overrides what the file says.
        name: what to call the model.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        path: str = "",
        architecture: str | None = None,
        scale: Scale | None = None,
        name: str | None = None,
    ) -> None:
        if architecture is not None and architecture not in bench.architectures:
            raise InputError(
                f"The bench knows the architectures {list(bench.architectures)}, not {architecture!r}. Add "
                "it: Bench(architectures={name: function})."
            )
        choices = Choices(str(path), architecture, scale, name)
        super().__init__("Load", "Put models and rows on the bench.", bench, resolve, choices)
        self._last = ""
        self._build()
        self.present()

    def start(self) -> Job:
        """What Load does: the file as a running job; the model is on the bench when it is done.

        Raises:
            InputError: there is nothing to load; says why.
            WorkbenchError: another job is running.
        """
        with self.lock:
            if self._view.blocked:
                raise InputError(self._view.blocked)
            choices, code = self._view.choices, self._view.code
            architecture = self.bench.architectures.get(choices.architecture or "")

            def make() -> Model:
                from workbench.models import load

                return load(
                    choices.path.strip(),
                    architecture=architecture,
                    scale=choices.scale,
                    name=choices.name or None,
                )

            # A function of the user's own cannot be named in code that runs elsewhere.
            bundled = choices.architecture in (None, "small_cnn")
            label = f"Loading {PurePath(choices.path.strip()).name}"
            return self._start(label, "models", make, code if bundled else None)

    def add(self, example: str) -> Job:
        """A bundled example, by its label, as a running job that puts it on the bench.

        Raises:
            InputError: there is no such example.
            WorkbenchError: another job is running.
        """
        known = {one.label: one for one in examples()}
        if example not in known:
            raise InputError(f"The bundled examples are {list(known)}, not {example!r}.")
        one = known[example]
        with self.lock:
            return self._start(f"Adding {one.label}", one.shelf, one.make, one.code)

    def twin(self) -> str:
        """The panel as HTML that needs no kernel: the contents of the bench."""
        return f"<p><b>{escape(self.title)}</b></p>{self._last}{bench_html(self.bench)}"

    def __repr__(self) -> str:
        return f"LoadPanel({self.bench!r})"

    def _build(self) -> None:
        self._file = Fields(self, "A model from a file", lambda view: view.fields)
        self._load = button("Load", primary=True)
        self._added = text("added")
        self._there = text("bench")
        shelves: dict[str, list[Any]] = {"models": [], "inputs": []}
        for one in examples():
            made = button(one.label)
            made.on_click(self.event(partial(self._clicked, one.label)))
            shelves[one.shelf].append(made)
        self._examples = [*shelves["models"], *shelves["inputs"]]
        left = box(
            "wb-column",
            self._file,
            box("wb-section", row(self._load)),
            section("Bundled models", row(*shelves["models"])),
            section("Bundled rows", row(*shelves["inputs"])),
            self.status,
        )
        right = box(
            "wb-column",
            section("Last added", self._added),
            section("On the bench", self._there),
        )
        right.add_class("wb-result")
        self.children = (self.head, box("wb-body", left, right))
        self._load.on_click(self.event(partial(self._clicked, None)))

    def _clicked(self, example: str | None) -> None:
        if example is None:
            self.start()
        else:
            self.add(example)

    def write(self, view: View) -> None:
        """Show a view."""
        self._file.apply(view)
        self._added.value = self._last or '<div class="wb-doc">Nothing yet.</div>'
        self._there.value = bench_html(self.bench)
        self.status.notice = view.blocked if view.choices.path else ""
        self.refresh()

    def refresh(self) -> None:
        """Disable the buttons while a job runs."""
        self._load.disabled = self.running or bool(self._view.blocked)
        for one in self._examples:
            one.disabled = self.running

    def _start(self, label: str, shelf: str, make: Callable[[], Any], code: str | None) -> Job:
        def work() -> Iterator[Step[Any]]:
            yield Step(0, 0, label, ())
            made = make()
            with self.lock:
                self._last = model_html(made) if shelf == "models" else inputs_html(made)
            if shelf == "models":
                self.bench.add_model(made, code=code)
            else:
                self.bench.add_inputs(made, code=code)
            yield Step(1, 1, label, ())

        return self.begin(label, work(), self._follow)

    def _follow(self, job: Job) -> None:
        with self.lock, self.applying():
            self.status.follow(job)
            if job.state == "failed":
                self.status.text = f"{job.label} failed."
            elif job.state == "done":
                self.status.text = f"{job.label}: done in {job.seconds:.1f} s."
            self.refresh()


def _code(path: str, choices: Choices) -> str:
    given = [repr(path)]
    if choices.architecture is not None:
        given.append(f"architecture={_architecture(choices.architecture)}")
    if choices.scale is not None:
        given.append(f"scale={choices.scale!r}")
    if choices.name:
        given.append(f"name={choices.name!r}")
    return f"wb.load({', '.join(given)})"


def _architecture(name: str) -> str:
    """The bundled architecture by its name; a user's own by its place on the bench, under any name."""
    return "wb.models.small_cnn" if name == "small_cnn" else f"bench.architectures[{name!r}]"
