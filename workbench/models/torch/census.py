"""The state of a module before it is used, so that it can be put back."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
_SUMMED = (
    4096  # numbers of each weight: any training rule that writes to a weight changes some of them
)


class Census:
    """The present modes, attributes, layers, hooks, buffers, weights and gradients of a module.

    Tables and attributes are put back entry by entry, buffers by value. Weights are only checked: a change
    of them cannot be undone, so it is reported. The content of a layer's own lists and dictionaries is not
    seen.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        import torch

        parts = list(module.modules())  # walked once: small models are asked thousands of times
        # TorchScript keeps its tables in another type, to which nothing can be added.
        self._scripts = [
            (part, part.training) for part in parts if isinstance(part, torch.jit.ScriptModule)
        ]
        scripts = {id(part) for part, _ in self._scripts}
        self._own = [vars(part) for part in parts if id(part) not in scripts]
        self._layers = [(own["_modules"], dict(own["_modules"])) for own in self._own]
        self._tables = [(own, dict(own)) for own in self._own]
        hooks = [own[name] for own in self._own for name in _HOOKS if name in own]
        self._tables += [(table, dict(table) if table else _EMPTY) for table in hooks]
        self._parameters = [(part._parameters, dict(part._parameters.items())) for part in parts]
        held = (one for _, table in self._parameters for one in table.values())
        weights = {id(one): one for one in held if one is not None}.values()
        self._weights = [(one, _version(one), one.requires_grad) for one in weights]
        self._plain = [one for one in weights if _plain(one)]
        self._sums = self._summed()
        self._slopes = [(one, one.grad) for one in weights]
        self._buffers = [
            (
                part._buffers,
                dict(part._buffers.items()),
                [_copy(one) for one in part._buffers.values()],
            )
            for part in parts
        ]

    def evaluating(self) -> None:
        """Every part in evaluation mode, and without a gradient that a backward pass could add to.

        Modes are set one by one rather than with `eval()`, which some modules override (to merge weights,
        to keep a layer training) and which could not be undone exactly.
        """
        for part, _ in self._scripts:
            part.training = False
        for own in self._own:
            own["training"] = False  # sets the attribute ten times as fast as setattr
        for weight, slope in self._slopes:
            if slope is not None:
                weight.grad = None

    def put_back(self) -> bool:
        """Puts the module back; returns whether its weights are still those it had."""
        for part, training in self._scripts:
            part.training = training
        kept = True
        for table, before in self._layers:
            if not _same(table, before):
                other = [one for name, one in table.items() if before.get(name) is not one]
                kept = kept and not any(_has_weights(one) for one in other)
                _restore(table, before)
        for table, before in self._tables:
            _restore(table, before)
        for table, before in self._parameters:
            kept = not _restore(table, before) and kept
        for table, known, copies in self._buffers:
            _restore(table, known)
            for one, copy in zip(known.values(), copies, strict=True):
                _rewrite(one, copy)
        for weight, version, asks in self._weights:
            kept = kept and _version(weight) == version
            if weight.requires_grad != asks:
                weight.requires_grad_(asks)
        for weight, slope in self._slopes:
            if weight.grad is not slope:
                weight.grad = slope
        return kept and self._summed() == self._sums

    def _summed(self) -> list[str]:
        """A sum over some numbers of each weight: no version counts a write through `.data`."""
        import torch

        with torch.inference_mode(False), torch.no_grad():
            return [repr(_some(one).sum().item()) for one in self._plain]  # as text NaN equals NaN


_EMPTY: dict[str, Any] = {}


def _has_weights(layer: torch.nn.Module | None) -> bool:
    return layer is not None and next(layer.parameters(), None) is not None


def _same(table: Any, before: dict[str, Any]) -> bool:
    """Whether both hold exactly the same objects, in the same order."""
    return len(table) == len(before) and all(map(is_, table.values(), before.values()))


def _restore(table: Any, before: dict[str, Any]) -> bool:
    """Gives the table its former entries back; returns whether any was different."""
    if _same(table, before):
        return False
    changed = False
    for name in [name for name in table if name not in before]:
        del table[name]
        changed = True
    for name, one in before.items():
        if name not in table or table[name] is not one:
            table[name] = one
            changed = True
    return changed


def _plain(tensor: torch.Tensor) -> bool:
    """Whether it is an ordinary tensor whose numbers lie one after another in memory."""
    import torch

    return (
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        and tensor.layout == torch.strided
        and not tensor.is_quantized
    )


def _some(weight: torch.Tensor) -> torch.Tensor:
    """Up to about `_SUMMED` of its numbers, evenly spread."""
    step = weight.numel() // _SUMMED
    return weight if step < 2 else weight.as_strided((weight.numel() // step,), (step,))


def _copy(buffer: torch.Tensor | None) -> tuple[int | None, torch.Tensor] | None:
    return None if buffer is None else (_version(buffer), buffer.detach().clone())


def _rewrite(buffer: Any, copy: tuple[int | None, torch.Tensor] | None) -> None:
    import torch

    if copy is None:
        return
    version, values = copy
    counted = version is not None and _version(buffer) == version
    if counted and (not _plain(buffer) or torch.equal(buffer, values)):
        return
    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
        if buffer.shape == values.shape:
            buffer.copy_(values)
        else:
            buffer.data = values


def _version(tensor: torch.Tensor) -> int | None:
    """How often the tensor was written to; None where torch does not count."""
    return None if tensor.is_inference() else tensor._version
