"""Whether a module reads signals `(n, t, c)` channels first, as convolutions do, or as recurrent layers do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.errors import InputError, ModelError

if TYPE_CHECKING:
    import torch

_FIRST = re.compile(r"\w*(Conv|BatchNorm|InstanceNorm)\w*1d\w*")
_AS_IT_IS = re.compile(r"(LSTM|GRU|RNN|Linear|LayerNorm|MultiheadAttention)")
_WIDTHS = ("in_channels", "num_features", "input_size", "in_features", "embed_dim")


class Order:
    """The order of axes in which a module reads rows with channels last.

    Images and volumes are always turned. For signals the first layer tells, and the other order is tried
    where the module fails, since it may turn its rows itself.

    Args:
        module: the module that reads the rows.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._layer, self._first, self._width = _first_layer(module)
        self._tried = False
        self.remark = ""

    def turns(self, ndim: int) -> bool:
        """Whether rows with so many axes reach the module channels first, as far as is known."""
        return ndim >= 4 or (ndim == 3 and self._first)

    def turned(self, batch: torch.Tensor) -> torch.Tensor:
        """Rows `(n, *places, c)` in the module's order."""
        return batch.movedim(-1, 1) if self.turns(batch.ndim) else batch

    def settle(self, batch: torch.Tensor, ask: Callable[[torch.Tensor], Any]) -> None:
        """Tries signals once on the module; keeps the order that it takes.

        Args:
            batch: rows `(n, t, c)`.
            ask: runs the module on a batch in its order.

        Raises:
            InputError: these rows look like channels first.
            ModelError: the module takes neither order.
        """
        if batch.ndim != 3 or self._tried:
            return
        try:
            ask(self.turned(batch[:1]))
        except ModelError as error:
            t, c = batch.shape[1:]
            if error.__cause__ is None:
                raise
            if self._width is not None and t == self._width != c:
                raise InputError(
                    f"Signals need channels last, (n, t, c), but the rows {tuple(batch.shape)} do not fit "
                    f"the module's first layer, {self._layer} of {self._width} channels, and look like "
                    "channels first. Use values.transpose(0, 2, 1)."
                ) from error
            if c != self._width:
                raise
            self._first = not self._first
            try:
                ask(self.turned(batch[:1]))
            except ModelError:
                self._first = not self._first
                raise error from error.__cause__
            self._say("and fails otherwise")
        else:
            self._say(f"since its first layer is {self._layer}" if self._layer else "")
        self._tried = True

    def _say(self, why: str) -> None:
        how = "channels first, (n, c, t)" if self._first else "as they are, (n, t, c)"
        self.remark = f"The module reads signals {how}{', ' + why if why else ''}."


def _first_layer(module: torch.nn.Module) -> tuple[str, bool, int | None]:
    """The name of the first layer with weights, whether it reads channels first, and how many channels."""
    for part in module.modules():
        kinds = [one.__name__ for one in type(part).__mro__]
        for pattern, first in ((_FIRST, True), (_AS_IT_IS, False)):
            if any(map(pattern.fullmatch, kinds)):
                widths = (getattr(part, name, None) for name in _WIDTHS)
                width = next((one for one in widths if isinstance(one, int)), None)
                return type(part).__name__, first, width
    return "", False, None
