"""`Bench`: the models, rows and results of all panels, which share nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from workbench.core import Attribution, Inputs, Model, encodable
from workbench.errors import InputError

Architecture = Callable[[], object]


class Bench:
    """Models, rows and results by name, and the functions to call when they change.

    A model or set of rows replaces an earlier one of the same name, so that a cell can be run again.
    Results are kept: each says which model and rows it came from.

    Args:
        models: the first models.
        inputs: the first sets of rows; a mapping gives them other names than their own.
        results: the first results.
        architectures: for weights from a file: {name: a function that makes the network}. The bundled
            `small_cnn` is always there.

    Example:
        >>> bench = Bench(inputs={"two": Inputs([[1.0], [2.0]], kind="tabular")})
        >>> list(bench.inputs)
        ['two']
    """

    def __init__(
        self,
        models: Iterable[Model] = (),
        inputs: Mapping[str, Inputs] | Iterable[Inputs] = (),
        results: Iterable[Attribution] = (),
        architectures: Mapping[str, Architecture] | None = None,
    ) -> None:
        from workbench.models import small_cnn

        self._lock = threading.RLock()
        self._models: dict[str, Model] = {}
        self._inputs: dict[str, Inputs] = {}
        self._results: tuple[Attribution, ...] = ()
        self._code: dict[tuple[str, str], str] = {}
        self._watchers: list[Callable[[], None]] = []
        self.architectures: dict[str, Architecture] = {
            "small_cnn": small_cnn,
            **{encodable(name): make for name, make in (architectures or {}).items()},
        }
        for model in models:
            self.add_model(model)
        named = inputs.items() if isinstance(inputs, Mapping) else ((None, one) for one in inputs)
        for name, rows in named:
            self.add_inputs(rows, name)
        self.add_results(results)

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by name, in the order they came."""
        with self._lock:
            return MappingProxyType(dict(self._models))

    @property
    def inputs(self) -> Mapping[str, Inputs]:
        """The sets of rows by name, in the order they came."""
        with self._lock:
            return MappingProxyType(dict(self._inputs))

    @property
    def results(self) -> tuple[Attribution, ...]:
        """Every attribution made on this bench, oldest first."""
        return self._results

    def add_model(self, model: Model, *, code: str | None = None) -> None:
        """Put a model on the bench.

        Args:
            model: from `workbench.wrap` or `workbench.load`.
            code: an expression that makes it, for "Copy as code"; it may use `wb` and `data`.

        Raises:
            InputError: not a `Model`.
        """
        if not isinstance(model, Model):
            raise InputError(
                f"A bench takes a Model, not a {type(model).__name__}. Use "
                "bench.add_model(workbench.wrap(object, name=...))."
            )
        with self._lock:
            self._models[model.name] = model
            self._remember("models", model.name, code)
        self._tell()

    def add_inputs(
        self, inputs: Inputs, name: str | None = None, *, code: str | None = None
    ) -> None:
        """Put rows on the bench, under `name` or their own.

        Raises:
            InputError: not `Inputs`.
        """
        if not isinstance(inputs, Inputs):
            raise InputError(
                f"A bench takes Inputs, not a {type(inputs).__name__}. Use "
                "bench.add_inputs(workbench.data.table(frame))."
            )
        name = inputs.name if name is None else encodable(name)
        with self._lock:
            self._inputs[name] = inputs
            self._remember("inputs", name, code)
        self._tell()

    def add_results(self, results: Iterable[Attribution]) -> None:
        """Keep attributions."""
        results = tuple(results)
        if not results:
            return
        with self._lock:
            self._results += results
        self._tell()

    def code(self, shelf: str, name: str) -> str:
        """An expression for a thing on the bench: the code that made it, or its place on the bench.

        Args:
            shelf: "models" or "inputs".
            name: the thing's name there.
        """
        return self._code.get((shelf, name), f"bench.{shelf}[{name!r}]")

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after every change, on its thread; returns a function that ends this."""
        self._watchers.append(changed)

        def stop() -> None:
            if changed in self._watchers:
                self._watchers.remove(changed)

        return stop

    def _remember(self, shelf: str, name: str, code: str | None) -> None:
        self._code.pop((shelf, name), None)
        if code is not None:
            self._code[shelf, name] = code

    def _tell(self) -> None:
        for changed in tuple(self._watchers):
            changed()

    def __repr__(self) -> str:
        return (
            f"Bench(models={list(self._models)}, inputs={list(self._inputs)}, "
            f"{len(self._results)} results)"
        )
