"""Whether a module reads signals channels first, as convolutions do, or as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.errors import InputError, ModelError

if TYPE_CHECKING:
    import torch

_FIRST = re.compile(r"\w*(Conv|BatchNorm|InstanceNorm)\w*1d\w*")
_AS_IT_IS = re.compile(r"(LSTM|GRU|RNN|Linear|LayerNorm|MultiheadAttention)")
_ALONG_TIME = re.compile(r"Conv|LSTM|GRU|RNN")
_WIDTHS = ("in_channels", "num_features", "input_size", "in_features", "embed_dim")


class Order:
    """The order of axes in which a module reads rows with channels last.

    Images and volumes are always turned. For signals the first layer tells, and the other order is tried
    where the module fails, since it may turn its rows itself.

    Args:
        module: the module that reads the rows.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._layer, self._first, self._width = "", False, None
        self._widths: set[int] = set()
        for name, first, width in _layers(module):
            if not self._layer:
                self._layer, self._first, self._width = name, first, width
            self._widths |= set() if width is None else {width}
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
        t, c = batch.shape[1:]
        strange = t == self._width != c
        if strange and _ALONG_TIME.search(self._layer):
            raise InputError(self._refusal(batch))
        try:
            ask(self.turned(batch[:1]))
        except ModelError as error:
            if error.__cause__ is None:
                raise
            if strange:
                raise InputError(self._refusal(batch)) from error
            if c not in self._widths:  # else rows of another width would be read in the wrong order
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

    def _refusal(self, batch: torch.Tensor) -> str:
        return (
            f"Signals need channels last, (n, t, c), but the rows {tuple(batch.shape)} do not fit the "
            f"module's first layer, {self._layer} of {self._width} channels, and look like channels first. "
            "Use values.transpose(0, 2, 1)."
        )

    def _say(self, why: str) -> None:
        how = "channels first, (n, c, t)" if self._first else "as they are, (n, t, c)"
        self.remark = f"The module reads signals {how}{', ' + why if why else ''}."


def _layers(module: torch.nn.Module) -> Iterator[tuple[str, bool, int | None]]:
    """The name of each layer with weights, whether it reads channels first, and how many channels."""
    for part in module.modules():
        kinds = [one.__name__ for one in type(part).__mro__]
        for pattern, first in ((_FIRST, True), (_AS_IT_IS, False)):
            if any(map(pattern.fullmatch, kinds)):
                widths = (getattr(part, name, None) for name in _WIDTHS)
                width = next((one for one in widths if isinstance(one, int)), None)
                yield type(part).__name__, first, width
                break
