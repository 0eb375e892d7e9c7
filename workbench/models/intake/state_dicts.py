"""Weights from safetensors and from state dicts of torch.save, and the new module that they fill.

Such files hold names and numbers, never code.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from workbench.core import clean
from workbench.errors import IncompatibleError, InputError
from workbench.models.intake.formats import CONVERT_TORCH
from workbench.models.intake.reading import File
from workbench.models.torch import module_copy

if TYPE_CHECKING:
    import torch

State = dict[str, "torch.Tensor"]


def fresh(architecture: object, file: File) -> Any:
    """A new module for this file, so that two files never share one.

    Args:
        architecture: a module, which is copied, or a function without arguments that makes one.
        file: for messages.

    Raises:
        InputError: it was left out, or needs arguments.
        IncompatibleError: it is no module and makes none.
    """
    from torch import nn

    wanted = (
        f"{file.shown!r} holds weights alone, so architecture= must be the torch module they belong to, or "
        "a function without arguments that makes one"
    )
    if architecture is None:
        raise InputError(
            f"{wanted}, but it was left out. For the bundled networks: "
            "architecture=workbench.models.small_cnn."
        )
    if isinstance(architecture, nn.Module):
        return module_copy(architecture).eval()
    if not callable(architecture):
        raise IncompatibleError(f"{wanted}, not a {type(architecture).__name__}.")
    called = getattr(architecture, "__name__", type(architecture).__name__)
    try:
        needed = [
            parameter.name
            for parameter in inspect.signature(architecture).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except ValueError:  # some built-in callables have no signature to read
        needed = []
    if needed:
        raise InputError(
            f"{wanted}, but {called} needs the arguments {needed}. Give them: "
            f"architecture=lambda: {called}({needed[0]}=...)."
        )
    module = architecture()
    if not isinstance(module, nn.Module):
        raise IncompatibleError(f"{wanted}, but {called}() gave a {type(module).__name__}.")
    return module.eval()


def read_safetensors(file: File) -> State:
    """The tensors of an inspected file.

    Raises:
        UnsafeFileError: safetensors refuses it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(file.data)
    except (SafetensorError, ValueError) as error:
        raise file.refuse(
            f"is damaged: {clean(error).rstrip('.')}. Save it again with safetensors, or fetch it again."
        ) from None


def read_torch_zip(file: File) -> tuple[State, str]:
    """The state dict of an inspected torch.save file, and the checkpoint's entry it was in ("" for none).

    `weights_only=True` is torch's own guard; the inspection has closed the gaps it leaves.

    Raises:
        UnsafeFileError: torch refuses it.
        InputError: it holds something other than named tensors.
    """
    import pickle

    import torch

    try:
        content = torch.load(file.stream, weights_only=True, map_location="cpu")
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        AssertionError,
        EOFError,
        OSError,
    ) as error:
        first = (str(error).splitlines() or [""])[0]
        raise file.refuse(
            f"cannot be read as tensors alone (torch.load with weights_only=True): "
            f"{clean(first).rstrip('.')}. {CONVERT_TORCH}"
        ) from None
    state, entry = state_in(content, file)
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise InputError(
                f"Weights must be plain tensors, but {clean(name)!r} of {file.shown!r} is "
                f"{tensor.layout}{', quantized' if tensor.is_quantized else ''}. Save it dense."
            )
    return state, entry


def state_in(content: Any, file: File) -> tuple[State, str]:
    if is_state(content):
        return content, ""
    entries = content if isinstance(content, dict) else {}
    known = [
        key for key in ("state_dict", "model_state_dict", "model") if is_state(entries.get(key))
    ]
    if len(known) == 1:
        return entries[known[0]], known[0]
    found = [clean(key) for key in list(entries)[:10]] or type(content).__name__
    raise InputError(
        f"A state dict (names to tensors) is needed, but {file.shown!r} holds {found}. Save the weights "
        "alone: torch.save(module.state_dict(), path)."
    )


def is_state(content: Any) -> bool:
    import torch

    return (
        isinstance(content, dict)
        and len(content) > 0
        and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items())
    )


def _form(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} of {tensor.dtype}"


def fill(module: torch.nn.Module, state: State, file: File) -> list[str]:
    """Puts all the weights into the module; returns notes for the user.

    Raises:
        InputError: names or shapes differ from the architecture's; weights are NaN or infinite.
    """
    own = module.state_dict()
    shared = {tensor.data_ptr() for name, tensor in own.items() if name in state}
    missing = [n for n in own if n not in state and own[n].data_ptr() not in shared]
    unexpected = [name for name in state if name not in own]
    differ = [
        f"{clean(name)}: {_form(state[name])} in the file, {_form(own[name])} needed"
        for name in own
        if name in state
        and (
            state[name].shape != own[name].shape
            or state[name].is_floating_point() != own[name].is_floating_point()
        )
    ]
    if missing or unexpected or differ:
        wrapped = unexpected and all(name.startswith("module.") for name in unexpected)
        raise InputError(
            f"The weights of {file.shown!r} must fit the architecture {type(module).__name__}, but differ. "
            + "".join(
                f"{what}: {[clean(name) for name in names[:8]]}{' …' if len(names) > 8 else ''}. "
                for what, names in (
                    ("Missing in the file", missing),
                    ("Not in the architecture", unexpected),
                    ("Different", differ),
                )
                if names
            )
            + (
                "They were saved from a DataParallel wrapper: save model.module.state_dict()."
                if wrapped
                else "Give the architecture they were trained with."
            )
        )
    if broken := not_finite(state):
        raise InputError(
            f"Weights must be finite, but {len(broken)} tensors of {file.shown!r} hold NaN or infinity: "
            f"{[clean(name) for name in broken[:8]]}. The training diverged or the file is damaged."
        )
    casts = sorted(
        {f"{state[n].dtype} to {own[n].dtype}" for n in state if state[n].dtype != own[n].dtype}
    )
    module.load_state_dict(
        state, strict=False
    )  # names were compared above; tied weights may be absent
    return [
        f"Weights were converted from {', '.join(casts)}, the architecture's precision."
    ] * bool(casts)


def not_finite(state: State) -> list[str]:
    """The names of tensors that hold NaN or infinity."""
    import torch

    return [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point()
        and not torch.isfinite(tensor if tensor.element_size() > 1 else tensor.float()).all()
    ]
