"""Why weights do not fit an architecture: what differs, and the usual cause of it."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.core import clean
from workbench.errors import InputError
from workbench.models.intake.names import Attempt, State
from workbench.models.intake.reading import File

_CAUSES = (
    (
        (".parametrizations.",),
        "They were saved under torch.nn.utils.parametrizations, such as weight_norm: before saving, take "
        "it off with torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight'), or give an "
        "architecture that has it.",
    ),
    (
        ("weight_orig", "weight_u"),
        "They were saved under torch.nn.utils.spectral_norm: before saving, take it off with "
        "torch.nn.utils.remove_spectral_norm(layer), or give an architecture that has it.",
    ),
    (
        ("weight_g", "weight_v"),
        "They were saved under torch.nn.utils.weight_norm: before saving, take it off with "
        "torch.nn.utils.remove_weight_norm(layer), or give an architecture that has it.",
    ),
    (
        ("_orig",),
        "They were saved under torch.nn.utils.prune or another reparametrization: before saving, make it "
        "permanent with torch.nn.utils.prune.remove(layer, 'weight').",
    ),
    (
        ("lora_",),
        "They hold adapters (LoRA): merge them into the model first (model.merge_and_unload()), and save "
        "the state dict of what that gives.",
    ),
    (
        ("_packed_params",),
        "They were saved from a quantized module: load the float weights, and make a copy with "
        "variants.quantize_dynamic or variants.quantize_static.",
    ),
)
"""Parts of names that the architecture lacks, all of them present, and what that means."""


def misfit(attempt: Attempt, own: State, file: File, architecture: str, where: str) -> InputError:
    """The error for weights that do not fit.

    Args:
        attempt: the way of laying them onto the architecture that came nearest.
        own: the architecture's tensors by name.
        file: for messages.
        architecture: its name.
        where: the entry and beginning of names that were tried; "" for the whole file.
    """
    differ = [
        f"{clean(name)}: {_form(attempt.held, name)} in the file, {_form(own, name)} needed"
        for name in attempt.differ
    ]
    listed = "".join(
        f"{what}: {list(names[:8])}{' …' if len(names) > 8 else ''}. "
        for what, names in (
            ("Missing in the file", [clean(name) for name in attempt.missing]),
            ("Not in the architecture", [clean(name) for name in attempt.unexpected]),
            ("Different", differ),
        )
        if names
    )
    part = f" (its part {where!r})" if where else ""
    return InputError(
        f"The weights of {file.shown!r}{part} must fit the architecture {architecture}, but differ. "
        f"{listed}{_cause(attempt, own)}"
    )


def _form(state: State, name: str) -> str:
    return f"{tuple(state[name].shape)} of {state[name].dtype}"


def _cause(attempt: Attempt, own: State) -> str:
    """The usual reason for such differences, and what to do."""
    for parts, said in _CAUSES:
        if all(any(part in name for name in attempt.unexpected) for part in parts):
            return said
    if attempt.unexpected:
        return "Give the architecture they were trained with."
    if attempt.missing:
        return _lacking(attempt, list(own))
    return _other_size(attempt, own)


def _lacking(attempt: Attempt, own: Sequence[str]) -> str:
    statistics = ("running_mean", "running_var")
    if all(name.endswith(statistics) for name in attempt.missing):
        return (
            "The file lacks the statistics of batch norm layers, without which nothing can be computed: "
            "save model.state_dict(), not its parameters alone."
        )
    if attempt.held and tuple(own[-len(attempt.missing) :]) == attempt.missing:
        layers = sorted({_layer(name) for name in attempt.missing})
        return (
            f"The file holds the network without its head ({', '.join(map(clean, layers))}), as files for "
            "further training do, and a head that was never trained has nothing to explain. Load the "
            "file of the trained whole, or give an architecture without the head."
        )
    return "Give the architecture they were trained with."


def _other_size(attempt: Attempt, own: State) -> str:
    """For tensors of one layer that differ in one length: what that length is."""
    layers = {_layer(name) for name in attempt.differ}
    pairs = [(attempt.held[name].shape, own[name].shape) for name in attempt.differ]
    layer = clean(next(iter(layers)))
    if len(layers) == 1 and all(len(a) == len(b) > 0 and a[1:] == b[1:] for a, b in pairs):
        lengths = {(a[0], b[0]) for a, b in pairs}
        if len(lengths) == 1 and lengths != {(a, a) for a, _ in lengths}:
            ((there, here),) = lengths
            head = layers == {_layer(list(own)[-1])}
            what = "classes or outputs" if head else "outputs"
            return (
                f"The layer {layer!r} has {there} {what} in the file and {here} in the architecture: make "
                f"the architecture with {there}."
            )
    if len(layers) == 1 and len(pairs) == 1 and len(pairs[0][0]) == len(pairs[0][1]) > 1:
        ((a, b),) = pairs
        if a[0] == b[0] and a[2:] == b[2:]:
            return (
                f"The layer {layer!r} reads {a[1]} channels or columns in the file and {b[1]} in the "
                f"architecture: make the architecture with {a[1]}."
            )
    return "Give the architecture they were trained with."


def _layer(name: str) -> str:
    return name.rpartition(".")[0] or name
