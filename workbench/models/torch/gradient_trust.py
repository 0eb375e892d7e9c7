"""Whether a torch module's gradient may be used: decided once, for free where nothing is unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core import GradientCheck
from workbench.errors import IncompatibleError
from workbench.models.asking import held_against_differences
from workbench.models.torch.gradient_scan import Scan

if TYPE_CHECKING:
    import torch


class Sloped(Protocol):
    """An object that gives scores and slopes; `TorchEngine` is one."""

    name: str
    module: torch.nn.Module

    @property
    def smooth(self) -> Sloped | None:
        """For a twin, the same object without the steps of its rounding; else None."""

    def predict(self, rows: NDArray[Any], /) -> NDArray[np.float64]:
        """Scores `(n, k)`."""

    def slopes(self, rows: NDArray[Any], weights: NDArray[Any], /) -> tuple[Any, Any]:
        """Scores `(n, k)` and gradients `(t, n, *f)`, which may be wrong."""


class Trust:
    """What is known about a module's gradient, as long as its parts and parameters stay the same.

    The first pass of a gradient method is watched while it runs, which costs no model row. Only where
    something makes a wrong gradient possible (rounding, whole numbers, a part that cuts the graph), the
    gradient is compared with finite differences, once; `remarks` holds the result and its cost.

    Args:
        engine: the object whose gradient is meant.
    """

    def __init__(self, engine: Sloped) -> None:
        self.remarks: tuple[str, ...] = ()
        self._engine = engine
        self._state: object = None
        self._settled: set[str] = set()
        self._check: GradientCheck | None = None

    def due(self, what: str) -> Scan | None:
        """The scan for the next pass to fill, or None where everything is decided.

        Args:
            what: the leaf of the derivative: the rows or a layer.
        """
        module = self._engine.module
        parts = tuple((name, id(part)) for name, part in module.named_modules())
        state = (parts, tuple(map(id, module.parameters())))
        if state != self._state:
            self._state, self._settled, self._check, self.remarks = state, set(), None, ()
        return None if what in self._settled else Scan()

    def settle(self, scan: Scan | None, what: str, rows: NDArray[Any]) -> None:
        """Refuses a gradient that is not the slope of the scores.

        Raises:
            IncompatibleError: finite differences of the scores disagree with it.
        """
        if scan is None or not scan.done:
            return
        check = self._tried(scan, rows) if scan.odd else None
        if check is not None and not check.ok:
            raise IncompatibleError(
                f"A gradient method needs the slope of the scores, but the gradient of model "
                f"{self._engine.name!r} with {scan.odd[0]} is not one. {check.detail} Use a perturbation "
                "method such as LIME or PermutationSHAP, or a copy that can be differentiated."
            )
        self._settled.add(what)

    def adopt(self, check: GradientCheck) -> None:
        """Takes the result of a check that was made elsewhere."""
        self.due("")
        self._check = check

    def _tried(self, scan: Scan, rows: NDArray[Any]) -> GradientCheck:
        if self._check is None:
            sizes: list[int] = []
            engine = self._engine.smooth or self._engine

            def predict(some: NDArray[Any]) -> NDArray[np.float64]:
                sizes.append(len(some))
                return engine.predict(some)

            def slopes(some: NDArray[Any], weights: NDArray[Any]) -> tuple[Any, Any]:
                sizes.append(len(some))
                return engine.slopes(some, weights)

            self._check = held_against_differences(predict, slopes, rows)
            self.remarks = (
                f"The model has {scan.odd[0]}, so its gradient was tried once, with {sum(sizes)} model "
                f"rows that are not counted. {self._check.detail}",
            )
        return self._check
