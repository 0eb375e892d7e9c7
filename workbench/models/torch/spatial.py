"""What is known of the spatial layers of an engine's module: found once per shape of rows, and kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from workbench.core.layers import Layers
from workbench.models.torch.default_layer import Choice, choice_of
from workbench.models.torch.layers import Found, found_layers, no_maps, placed_otherwise

if TYPE_CHECKING:
    import torch

_ROUNDING = 1e-6  # of a score: what is smaller is no answer to a layer that was changed
_SHOWN = 12  # layers that a message names


class Spatial:
    """The spatial layers of a module.

    Args:
        name: what messages call the model.
        module: whose parts are the layers.
        sizes: the least and the largest number of rows that it takes; None where there is no bound.
        ask: scores of rows, with hooks that were set meanwhile.
        answering: a context in which the module may be asked.
    """

    def __init__(
        self,
        name: str,
        module: torch.nn.Module,
        sizes: tuple[int, int | None],
        ask: Callable[[NDArray[Any]], torch.Tensor],
        answering: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._name, self._module, self._sizes = name, module, sizes
        self._ask, self._answering = ask, answering
        self._found = Found()
        self._found_for: object = None
        self._choice = Choice()

    def found(self, rows: NDArray[Any]) -> Found:
        """The layers, found by running the first row and changed copies of it; see `found_layers`.

        This is done once per shape of rows and set of modules.
        """
        parts = tuple((name, id(part)) for name, part in self._module.named_modules())
        if (rows.shape[1:], parts) != self._found_for:
            with self._answering():
                self._found = found_layers(self._module, self._ask, rows[0], *self._sizes)
            self._found_for = (rows.shape[1:], parts)
        return self._found

    def layers(self, rows: NDArray[Any]) -> Layers:
        """{name: (c, *places)}, and the layer that is read when none is named; see `choice_of`."""
        found = self.found(rows)
        if self._choice.of is not found:
            with self._answering():
                self._choice = choice_of(found, self._depends_on(found, rows[:1]))
        chosen = self._choice
        return Layers(found.shapes, default=chosen.layer, why=chosen.why, said=found.said)

    def refusal(self, layer: str, seen: list[Any], rows: NDArray[Any]) -> str:
        """Why a layer that gave these outputs cannot be read, and which layers can be."""
        why = no_maps(seen, self.found(rows).refused.get(layer, ""))
        return f"Layer {layer!r} of model {self._name!r} {why}. {self.good_layers(rows)}"

    def good_layers(self, rows: NDArray[Any]) -> str:
        """The names of layers that can be read: all of a few, else the last ones."""
        names = list(self.found(rows).shapes)
        if not names:
            return "It has no spatial layers."
        if len(names) <= _SHOWN:
            return f"Its spatial layers are {names}."
        return f"Of its {len(names)} spatial layers, the last are {names[-_SHOWN:]}."

    def _depends_on(self, found: Found, row: NDArray[Any]) -> Callable[[str], bool]:
        """Whether the scores of a row change when a layer's maps do; other tokens stay as they are."""
        parts = dict(self._module.named_modules())

        def depends(layer: str) -> bool:
            before = self._ask(row)
            with placed_otherwise(parts[layer], found.layouts[layer]):
                after = self._ask(row)
            return bool(((after - before).abs() > _ROUNDING * before.abs().max()).any())

        return depends
