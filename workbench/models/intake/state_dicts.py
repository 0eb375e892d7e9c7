"""Weights from safetensors and from state dicts of torch.save, and the new module that they fill.

Such files hold names and numbers, never code.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from workbench.core import clean
from workbench.errors import IncompatibleError, InputError
from workbench.models.intake.checkpoints import chosen, is_plain, states_in
from workbench.models.intake.formats import CONVERT_TORCH
from workbench.models.intake.names import State
from workbench.models.intake.reading import File
from workbench.models.torch import looked_through, module_copy

if TYPE_CHECKING:
    import torch


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
        f"{file.shown!r} holds weights, so architecture= must be the torch module they belong to, or "
        "a function without arguments that makes one"
    )
    if architecture is None:
        raise InputError(
            f"{wanted}, but it was left out. For the bundled networks: "
            "architecture=workbench.models.small_cnn."
        )
    if isinstance(architecture, nn.Module):
        return module_copy(looked_through(architecture)[0]).eval()
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
    return looked_through(module)[0].eval()


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


def read_torch_zip(file: File) -> Any:
    """What an inspected file of torch.save holds.

    `weights_only=True` is torch's own guard; the inspection has closed the gaps it leaves.

    Raises:
        UnsafeFileError: torch refuses it.
    """
    import pickle

    import torch

    try:
        return torch.load(file.stream, weights_only=True, map_location="cpu")
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


def states_of(content: Any, file: File) -> dict[str, State]:
    """The state dicts in what torch.load gave, by the keys that lead to them.

    Raises:
        InputError: there are none.
    """
    states = states_in(content)
    if not states:
        found = (
            [clean(key) for key in list(content)[:10]]
            if isinstance(content, dict)
            else type(content).__name__
        )
        raise InputError(
            f"A state dict (names to tensors) is needed, but {file.shown!r} holds {found}. Save the "
            "weights alone: torch.save(module.state_dict(), path)."
        )
    return states


def filled(
    architecture: object, states: dict[str, State], file: File, entry: str | None
) -> tuple[Any, tuple[str, ...]]:
    """A new module of the architecture with weights from the file, and notes for the user.

    Args:
        architecture: see `fresh`.
        states: the state dicts in the file.
        file: for messages.
        entry: which of them is meant, or what the names begin with; None for the one that fits.

    Raises:
        InputError: none fits, or several that differ do; weights that are NaN or infinite.
    """
    module = fresh(architecture, file)
    called = type(module).__name__
    own, computed, counters, needed = _own(module, called, file)
    masked = {} if any(name.endswith("_orig") for name in own) else _without_masks(states)
    states = states | {path: state for path, (state, _) in masked.items()}
    state, path, notes = chosen(states, own | computed, needed, entry, file, called)
    if path in masked:
        notes.append(masked[path][1])
    _check_plain(state, file)
    _check_the_same(state, computed, file, called)
    _check_shared(state, own, file, called)
    state = {name: tensor for name, tensor in state.items() if name in own}
    if not counters <= state.keys():
        notes.append(
            "The file does not say on how many batches its batch norm layers were trained "
            "(num_batches_tracked), which no score depends on."
        )
    casts = sorted(
        {f"{state[n].dtype} to {own[n].dtype}" for n in state if state[n].dtype != own[n].dtype}
    )
    if casts:
        notes.append(
            f"Weights were converted from {', '.join(casts)}, the architecture's precision."
        )
    module.load_state_dict(state, strict=False)  # names were compared; tied weights may be absent
    return module, tuple(notes)


def _own(
    module: torch.nn.Module, called: str, file: File
) -> tuple[State, State, set[str], tuple[tuple[str, ...], ...]]:
    """The architecture's tensors; those that it computes itself; batch norm's counters; and groups of the
    others that share their numbers, of which a file must have one.
    """
    import torch
    from torch.nn.modules.batchnorm import _NormBase

    own = dict(module.state_dict())
    if odd := [name for name, one in own.items() if not isinstance(one, torch.Tensor)]:
        raise InputError(
            f"An architecture of tensors alone is needed for {file.shown!r}, but {called} keeps other "
            f"things in its state: {[clean(name) for name in odd[:8]]}. Load it yourself, and pass the "
            "live module to workbench.wrap."
        )
    computed = {name: one for name, one in module.named_buffers() if name not in own}
    layers = module.named_modules(remove_duplicate=False)
    norms = [name for name, part in layers if isinstance(part, _NormBase)]
    counters = own.keys() & {f"{name}.num_batches_tracked".lstrip(".") for name in norms}
    groups: dict[object, list[str]] = {}
    for name, one in own.items():
        if name not in counters:
            key = (one.data_ptr(), one.shape) if one.numel() else name
            groups.setdefault(key, []).append(name)
    return own, computed, counters, tuple(map(tuple, groups.values()))


def _without_masks(states: dict[str, State]) -> dict[str, tuple[State, str]]:
    """State dicts with masks of torch.nn.utils.prune, each weight times its mask as torch does; a note."""
    made = {}
    for path, state in states.items():
        pairs = [
            name.removesuffix("_mask")
            for name, mask in state.items()
            if name.endswith("_mask")
            and (weight := state.get(f"{name.removesuffix('_mask')}_orig")) is not None
            and weight.shape == mask.shape
            and is_plain(weight)
            and is_plain(mask)
            and bool(((mask == 0) | (mask == 1)).all())
        ]
        if not pairs:
            continue
        halves = {f"{name}{end}" for name in pairs for end in ("_orig", "_mask")}
        rest = {name: one for name, one in state.items() if name not in halves}
        whole = {
            name: state[f"{name}_mask"].to(state[f"{name}_orig"].dtype) * state[f"{name}_orig"]
            for name in pairs
        }
        names = [clean(name) for name in pairs]
        said = (
            f"Masks of pruning (torch.nn.utils.prune) were applied to {len(pairs)} weights: {names[:8]}"
            f"{' …' if len(names) > 8 else ''}."
        )
        made[path] = (rest | whole, said)
    return made


def _check_plain(state: State, file: File) -> None:
    for name, tensor in state.items():
        if not is_plain(tensor):
            raise InputError(
                f"Weights must be plain tensors, but {clean(name)!r} of {file.shown!r} is "
                f"{tensor.layout}{', quantized' if tensor.is_quantized else ''}. Save it dense."
            )
    if broken := not_finite(state):
        raise InputError(
            f"Weights must be finite, but {len(broken)} tensors of {file.shown!r} hold NaN or infinity: "
            f"{[clean(name) for name in broken[:8]]}. The training diverged or the file is damaged."
        )


def _check_the_same(state: State, computed: State, file: File, called: str) -> None:
    """What the architecture computes itself is not read, so it must be the same in the file."""
    import torch

    for name, here in computed.items():
        if name in state and not torch.equal(state[name].to(here.dtype).to(here.device), here):
            raise InputError(
                f"{file.shown!r} holds {clean(name)!r}, which {called} computes itself and does not read "
                "from files, and the two differ. Give the architecture they were trained with."
            )


def _check_shared(state: State, own: State, file: File, called: str) -> None:
    """Weights that the architecture keeps once must not be two in the file."""
    import torch

    first: dict[object, str] = {}
    for name, here in own.items():
        if name not in state or not here.numel():
            continue
        other = first.setdefault((here.data_ptr(), here.shape), name)
        if other != name and not torch.equal(state[name], state[other]):
            raise InputError(
                f"{called} keeps {clean(other)!r} and {clean(name)!r} as one tensor, but in {file.shown!r} "
                "they differ. Give the architecture they were trained with."
            )


def not_finite(state: State) -> list[str]:
    """The names of tensors that hold NaN or infinity."""
    import torch

    return [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point()
        and not torch.isfinite(tensor if tensor.element_size() > 1 else tensor.float()).all()
    ]
