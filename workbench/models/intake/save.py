"""What a safetensors file says about its model: outputs, scale, kind, normalize, shape and name."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any, get_args

from workbench.core import Model, Scale, clean, kinds, write_whole
from workbench.errors import IncompatibleError, InputError
from workbench.models.intake.reading import File
from workbench.models.normalize import Normalize
from workbench.models.torch import torch_engine_of


def save(model: Model, path: str | os.PathLike[str]) -> str:
    """Writes a torch model's weights and description to a safetensors file; returns the file's sha256.

    `load(path, architecture=...)` gives the same model back. The file appears whole or not at all.

    Raises:
        IncompatibleError: not a model made from a torch module, or one with quantized weights, which
            `workbench.variants.save_copy` writes.
        InputError: a preprocessing that is code, another suffix, or a file that cannot be written.
    """
    engine = torch_engine_of(model)
    if engine is None:
        raise IncompatibleError(
            f"Only models made from a torch module are saved here, but {model.name!r} wraps a "
            f"{type(model.native).__name__}. For scikit-learn: skops.io.dump(model.native, 'model.skops')."
        )
    from safetensors.torch import save as to_bytes

    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"The file must be named *.safetensors, not {clean(path.name)!r}.")
    if engine.preprocess is not None and not isinstance(engine.preprocess, Normalize):
        raise InputError(
            f"Only Normalize(mean, std) can be saved as data, but the preprocessing of {model.name!r} is a "
            f"{type(engine.preprocess).__name__}. Build it into the module, or save without it."
        )
    words = {
        "name": model.name,
        "outputs": json.dumps(model.outputs),
        "scale": model.scale,
        "shape": json.dumps(model.shape),
    }
    if model.kind is not None:
        words["kind"] = model.kind
    if engine.preprocess is not None:
        words["normalize"] = json.dumps(vars(engine.preprocess))
    _check_plain(engine.module, model.name)
    weights = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in engine.module.state_dict().items()
    }
    data = to_bytes(weights, metadata=words)
    write_whole(path, data, "Saving a model")
    return hashlib.sha256(data).hexdigest()


def _check_plain(module: Any, name: str) -> None:
    """Refuses a state that is not made of plain tensors, as quantized modules have it."""
    import torch

    for key, held in module.state_dict().items():
        plain = type(held) in (torch.Tensor, torch.nn.Parameter) and held.layout == torch.strided
        if not plain or held.is_quantized:
            what = (
                "quantized numbers" if getattr(held, "is_quantized", False) else type(held).__name__
            )
            raise IncompatibleError(
                f"A safetensors file holds plain tensors, but {clean(key)!r} of {name!r} is {what}. Save "
                "it with workbench.variants.save_copy(model, 'copy.pt'), which load_copy gives back."
            )


def stored_words(file: File, words: dict[str, str]) -> dict[str, Any]:
    """The arguments for `wrap` that the file's metadata gives, each checked.

    Raises:
        InputError: an entry that does not hold what its name says.
    """
    readers: dict[str, Any] = {
        "name": lambda text: clean(text) or None,
        "outputs": _outputs,
        "scale": lambda text: text if text in get_args(Scale) else None,
        "kind": lambda text: text if text in kinds.names() else None,
        "shape": _shape,
        "normalize": _normalize,
    }
    found: dict[str, Any] = {}
    for key, read in readers.items():
        if key not in words:
            continue
        try:
            value = read(words[key])
        except (ValueError, TypeError, KeyError, RecursionError):
            value = None
        if value is None:
            raise InputError(
                f"The entry {key!r} of {file.shown!r} cannot be used: {clean(words[key])!r}. Write the "
                f"file again with workbench.models.save, or load it with {_argument(key)}=..."
            )
        found[_argument(key)] = value
    return found


def _argument(key: str) -> str:
    return "preprocess" if key == "normalize" else key


def _outputs(text: str) -> list[str] | None:
    names = json.loads(text)
    fits = isinstance(names, list) and names and all(isinstance(one, str) for one in names)
    return names if fits else None


def _shape(text: str) -> tuple[int | None, ...] | None:
    lengths = json.loads(text)
    fits = isinstance(lengths, list) and all(
        one is None or (type(one) is int and one > 0) for one in lengths
    )
    return tuple(lengths) if fits else None


def _normalize(text: str) -> Normalize | None:
    numbers = json.loads(text)
    if not isinstance(numbers, dict) or set(numbers) != {"mean", "std"}:
        return None
    lists = all(
        isinstance(one, list) and all(isinstance(x, int | float) and math.isfinite(x) for x in one)
        for one in numbers.values()
    )
    return Normalize(**numbers) if lists else None
