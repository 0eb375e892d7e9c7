"""Which operation a module's scores come from: a sigmoid, a softmax, a logarithm of one, or another."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode

Step = Literal["sigmoid", "softmax", "log-softmax", "log-sigmoid"]

_STEPS: dict[str, Step] = {
    "aten::sigmoid": "sigmoid",
    "aten::sigmoid_": "sigmoid",
    "aten::hardsigmoid": "sigmoid",
    "aten::hardsigmoid_": "sigmoid",
    "quantized::sigmoid": "sigmoid",
    "aten::_softmax": "softmax",
    "aten::_safe_softmax": "softmax",
    "aten::_log_softmax": "log-softmax",
    "aten::log_sigmoid_forward": "log-sigmoid",
}
_POWERS: dict[str, dict[Step, Step]] = {
    "aten::exp": {"log-softmax": "softmax", "log-sigmoid": "sigmoid"},
    "aten::log": {"softmax": "log-softmax", "sigmoid": "log-sigmoid"},
}
# Operations that lay numbers out otherwise, keep their digits, or mix probabilities into others.
_KEEPING = frozenset(
    f"aten::{name}"
    for name in (
        *("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "slice", "select", "expand"),
        *(
            "permute",
            "t",
            "transpose",
            "clone",
            "_to_copy",
            "copy_",
            "alias",
            "detach",
            "lift_fresh",
        ),
        *("index", "index_select", "cat", "stack", "dequantize", "nan_to_num"),
        *("mean", "sum", "add", "sub", "rsub", "mul", "div", "clamp", "clamp_min", "clamp_max"),
    )
)


class LastStep(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """In this context every operation is seen as torch runs it, with or without a graph of derivatives.

    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid(), torch.nn.Flatten())
    >>> with torch.no_grad(), LastStep() as steps:
    ...     scores = net(torch.ones(3, 2))
    >>> steps.of(scores)
    'sigmoid'
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found: dict[int, Step] = {}

    def of(self, scores: torch.Tensor) -> Step | None:
        """The step that a tensor comes from, if it is one of those that make probabilities."""
        return self._found.get(id(scores))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the operation, and remembers what its answer is."""
        out = func(*args, **(kwargs or {}))
        name = func.name().partition(".")[0]
        made = _STEPS.get(name)
        given = [self._found.get(id(one)) for one in _tensors(args) if one.numel() > 1]
        if made is None and given and len(set(given)) == 1 and given[0] is not None:
            made = given[0] if name in _KEEPING else _POWERS.get(name, {}).get(given[0])
        # Every answer is noted or struck off: another tensor may have had its place in memory before.
        for one in _tensors([out]):
            if made is None:
                self._found.pop(id(one), None)
            else:
                self._found[id(one)] = made
        return out


def _tensors(given: Any) -> list[torch.Tensor]:
    flat: list[torch.Tensor] = []
    for one in given:
        if isinstance(one, torch.Tensor):
            flat.append(one)
        elif isinstance(one, tuple | list):
            flat += _tensors(one)
    return flat
