"""`load`: a model from a file that holds numbers and no code."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from workbench.core import Inputs, Model, Scale, clean
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError
from workbench.models.intake import BROKEN_ZIP, LIMIT_BYTES, File, read_file
from workbench.models.state_dicts import fill, read_safetensors, read_torch_zip
from workbench.models.stored import missing, stored_words
from workbench.models.wrapping import wrap

# Plain containers of arrays in scikit-learn that skops does not vouch for by itself.
_KNOWN_TYPES = frozenset(
    {
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Matern",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
    }
)


def load(
    path: str | os.PathLike[str],
    *,
    architecture: object = None,
    name: str | None = None,
    outputs: Sequence[str] | None = None,
    scale: Scale | None = None,
    kind: Kind | None = None,
    like: Inputs | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    shape: Sequence[int | None] | None = None,
    batch: int | None = None,
    output: str | int | None = None,
    trusted: Sequence[str] = (),
) -> Model:
    """The model in a file: weights for an architecture, or a scikit-learn estimator saved by skops.

    The format is told by content: safetensors, a state dict of torch.save, or skops. Formats that can
    run code while they are read (pickle, joblib, whole modules, TorchScript) are refused, and nothing in
    a file is ever executed. What a safetensors file says about its outputs, scale, kind, shape, name and
    normalization is used where no argument says otherwise.

    Args:
        path: the file.
        architecture: for weights, the module they belong to (a copy is filled) or a function that makes
            one, such as its class.
        trusted: for skops, further types by full name that may be rebuilt.

    The other arguments are those of `wrap`.

    Raises:
        InputError: no such file; weights that do not fit the architecture.
        UnsafeFileError: a file that could run code, or is not what it says it is.
        ModelError: weights that are NaN or infinite.
        MissingDependency: torch or skops is needed and not installed.
    """
    file = read_file(path)
    given: dict[str, Any] = {
        "name": name,
        "outputs": outputs,
        "scale": scale,
        "kind": kind,
        "shape": shape,
        "preprocess": preprocess,
    }
    notes: list[str] = []
    if file.format == "skops":
        if architecture is not None:
            raise InputError(
                f"{file.shown!r} holds a whole estimator, so it needs no architecture. Leave it out."
            )
        native = _estimator(file, trusted)
    else:
        if trusted:
            raise InputError(f"trusted= is for skops files, but {file.shown!r} is {file.format}.")
        native, stored, notes = _module(file, architecture)
        used = [key for key, value in stored.items() if given[key] is None]
        given |= {key: stored[key] for key in used}
        if used:
            notes.append(f"From the file itself: {', '.join(sorted(used))}.")
    given["name"] = given["name"] or clean(file.path.stem)
    model = wrap(native, **given, like=like, batch=batch, output=output)
    return replace(
        model,
        lineage=(f"loaded from {file.shown}, sha256 {file.sha256}",),
        notes=(*model.notes, *notes),
    )


def _module(file: File, architecture: object) -> tuple[Any, dict[str, Any], list[str]]:
    """A module with the file's weights, the arguments the file gives, and notes."""
    if importlib.util.find_spec("torch") is None:
        raise missing("torch", f"Reading the weights in {file.shown!r}")
    module = _fresh(architecture, file)
    notes: list[str] = []
    stored: dict[str, Any] = {}
    if file.format == "safetensors":
        state, words = read_safetensors(file)
        stored = stored_words(file, words)
    else:
        state, entry = read_torch_zip(file)
        notes += [f"The weights are the entry {entry!r} of a checkpoint."] if entry else []
    notes += fill(module, state, file)
    return module, stored, notes


def _fresh(architecture: object, file: File) -> Any:
    """A module of its own for this file, so that two files never share one."""
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
        return copy.deepcopy(architecture).eval()
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


def _estimator(file: File, trusted: Sequence[str]) -> Any:
    """The object in a skops file, once every type in it is known or trusted."""
    if importlib.util.find_spec("skops") is None:
        raise missing("skops", f"Reading {file.shown!r}")
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    if isinstance(trusted, str):
        raise InputError(f"trusted must be a list of type names, not the text {trusted!r}.")
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        members = archive.infolist()
    if sum(member.file_size for member in members) > min(LIMIT_BYTES, 100 * len(file.data) + 2**20):
        raise file.refuse("unpacks to far more than its size, so it was not opened.")
    if any(member.flag_bits & 1 for member in members):
        raise file.refuse("is encrypted, as skops never writes it.")
    allowed = sorted({*_KNOWN_TYPES, *trusted})
    try:
        unknown = sorted(set(skops.io.get_untrusted_types(data=file.data)) - set(allowed))
        if not unknown:
            return skops.io.loads(file.data, trusted=allowed)
    except (
        *BROKEN_ZIP,
        UntrustedTypesFoundException,
        UnsupportedTypeException,
        TypeError,
        LookupError,
        AttributeError,
        ImportError,
    ) as error:
        raise file.refuse(
            f"cannot be read by skops: {clean(error)}. It may be damaged, or written by another version of "
            "skops or scikit-learn. Save it again with skops.io.dump."
        ) from None
    raise file.refuse(
        f"needs types that nobody here vouches for: {[clean(one) for one in unknown]}. Rebuilding them "
        f"could run their code. Where you trust the file: load(path, trusted={unknown[:8]!r})."
    )
