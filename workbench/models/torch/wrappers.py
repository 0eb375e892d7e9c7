"""Wrappers around a torch module that compute the same as what they hold: seen, and looked through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_HOLDERS = {
    ("torch.nn.parallel.data_parallel", "DataParallel"): "module",
    ("torch.nn.parallel.distributed", "DistributedDataParallel"): "module",
    ("torch.optim.swa_utils", "AveragedModel"): "module",
    ("torch._dynamo.eval_frame", "OptimizedModule"): "_orig_mod",
}
"""{(the file and the name of a class of torch): where it holds the module that computes}."""


def looked_through(module: torch.nn.Module) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The module inside of DataParallel, torch.compile, weight averaging or peft, and their names.

    >>> from torch import nn
    >>> net = nn.Linear(3, 2)
    >>> inner, names = looked_through(nn.DataParallel(net))
    >>> inner is net, names
    (True, ('DataParallel',))

    A wrapper that may do more than pass its arguments on (a class of the user's own, one with hooks) is
    left in place.
    """
    names: list[str] = []
    while (inner := _held(module)) is not None:
        names.append(type(module).__name__)
        module = inner
    return module, tuple(names)


def note_of(names: tuple[str, ...]) -> str:
    """What a model says of the wrappers around its module."""
    return (
        f"The module inside of {' and '.join(names)} is asked, which computes the same; its layers can be "
        "seen and changed there."
    )


def _held(module: torch.nn.Module) -> torch.nn.Module | None:
    """What a wrapper passes its arguments on to; None for any other module."""
    import torch

    if module._forward_hooks or module._forward_pre_hooks:
        return None
    kind = type(module)
    if (kind.__module__, kind.__name__) in _HOLDERS:
        inner: Any = getattr(module, _HOLDERS[kind.__module__, kind.__name__], None)
    else:
        inner = _adapted(module)
    return inner if isinstance(inner, torch.nn.Module) and inner is not module else None


def _adapted(module: Any) -> Any:
    """The network that peft put its adapters into, such as LoRA's; None where it adds to the arguments.

    Where peft writes adapters into the layers, `base_model` is a tuner around the network. For prompts,
    which are put before what the network reads, it is the network itself, and the wrapper does more.
    """
    if not any(one.__name__ == "PeftModel" for one in type(module).__mro__):
        return None
    tuner: Any = getattr(module, "base_model", None)
    base = getattr(module, "get_base_model", None)
    inner = base() if callable(base) else None
    if inner is None or inner is tuner or inner is not getattr(tuner, "model", None):
        return None
    hooks = tuner._forward_hooks or tuner._forward_pre_hooks
    return None if hooks else inner
