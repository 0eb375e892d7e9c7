"""Files that hold a whole model: checked for what their own library does not check, then read by it."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable
from typing import IO, Any

from workbench.core import clean
from workbench.errors import UnsafeFileError
from workbench.models.intake.formats import BROKEN_ZIP, plain_text
from workbench.models.intake.reading import LIMIT_BYTES, TENSORS, File, Found
from workbench.models.intake.ubjson import ubjson_fault
from workbench.models.tabular import check_lightgbm

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
_LIBRARIES = {
    "skops": ("skops.io", "sklearn"),
    "XGBoost JSON": ("xgboost",),
    "XGBoost UBJSON": ("xgboost",),
    "LightGBM": ("lightgbm",),
    "CatBoost": ("catboost",),
    "ONNX": ("onnx", "onnxruntime"),
}


def libraries(format: str) -> tuple[str, ...]:
    """The libraries that read a format, by the names they are imported by."""
    return tuple(one.split(".")[0] for one in _LIBRARIES[format] if one != "sklearn")


def import_library(format: str) -> None:
    """Imports the library that reads the format, before memory is limited."""
    for name in _LIBRARIES[format]:
        importlib.import_module(name)


def inspect_native(file: File, stream: IO[bytes], size: int) -> Found:
    """What can be checked before a library reads the file.

    An archive of skops must unpack to little. LightGBM's text and XGBoost's UBJSON must hold no false
    length, since their readers believe every one.

    Raises:
        UnsafeFileError: the archive is damaged, encrypted or a bomb; a length or a tree is false.
    """
    if file.format != "skops":
        return Found(checks=_walked(file), unpacked=size)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except BROKEN_ZIP as error:
        raise file.refuse(f"is damaged: {clean(error).rstrip('.')}. Fetch it again.") from None
    unpacked = sum(member.file_size for member in members)
    if unpacked > min(LIMIT_BYTES, 100 * size + 2**20):
        raise file.refuse("unpacks to far more than its size, so it was not opened.")
    if any(member.flag_bits & 1 for member in members):
        raise file.refuse("is encrypted, which skops never does.")
    names = {member.filename for member in members}
    if len(members) > 2 * TENSORS or len(names) < len(members):
        raise file.refuse("has too many members, or two of one name, which skops never writes.")
    return Found(
        checks=(
            f"{len(members):,} members, none encrypted or repeated, unpacking to {unpacked:,} bytes",
        ),
        unpacked=unpacked,
    )


def _walked(file: File) -> tuple[str, ...]:
    first = f"its first bytes are those of {file.format}"
    if not file.data:  # a large file is first checked unread; it is walked once it is read
        return (first,)
    if file.format == "LightGBM":
        try:
            check_lightgbm(plain_text(file.data).decode(), file.refuse)
        except UnicodeDecodeError as error:
            raise file.refuse(f"is damaged: {clean(error)}. Fetch it again.") from None
        return (first, "every table, place and setting in the text is as long as it says")
    if file.format == "XGBoost UBJSON":
        if why := ubjson_fault(file.data):
            raise file.refuse(f"is damaged: {why}. Fetch it again.")
        return (first, "every length in it is true")
    return (first,)


def read_native(file: File, trusted: tuple[str, ...] = ()) -> Any:
    """The live object in an inspected file; for ONNX, the bytes that `wrap` takes.

    Args:
        file: of a format that holds a whole model.
        trusted: for skops, further types by full name.

    Raises:
        UnsafeFileError: the library refuses it, or it needs types that nobody vouches for.
    """
    readers: dict[str, Callable[[], Any]] = {
        "skops": lambda: _estimator(file, trusted),
        "XGBoost JSON": lambda: _xgboost(file),
        "XGBoost UBJSON": lambda: _xgboost(file),
        "LightGBM": lambda: _lightgbm(file),
        "CatBoost": lambda: _catboost(file),
        "ONNX": lambda: (
            file.data
        ),  # its adapter checks the graph and hands the same bytes to the runtime
    }
    return readers[file.format]()


def _estimator(file: File, trusted: tuple[str, ...]) -> Any:
    """The object in a skops file, once every type in it is known or trusted."""
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    try:
        listed = set(skops.io.get_untrusted_types(data=file.data))
        allowed = sorted({*_KNOWN_TYPES, *trusted, *(listed if file.trusted else ())})
        unknown = sorted(listed - set(allowed))
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
            f"cannot be read by skops: {clean(error).rstrip('.')}. It may be damaged, or of another "
            "version of skops or scikit-learn. Save it again with skops.io.dump."
        ) from None
    raise file.refuse(
        f"needs types that nobody here vouches for: {[clean(one) for one in unknown]}. Rebuilding them "
        f"could run their code. Where you trust the file: load(path, trusted={unknown[:8]!r})."
    )


def _xgboost(file: File) -> Any:
    """A booster, or the estimator that the file says it was saved from.

    An estimator predicts with the best round of early stopping, a booster with all rounds.
    """
    import xgboost

    data = plain_text(file.data) if file.format == "XGBoost JSON" else file.data
    try:
        booster = xgboost.Booster(model_file=bytearray(data))
        words = booster.attr("scikit_learn") or ""
        kind = next(
            (
                one
                for one in ("classifier", "regressor", "ranker")
                if f'"_estimator_type": "{one}"' in words
            ),
            None,
        )
        if kind is None:
            return booster
        estimator = getattr(xgboost, f"XGB{kind.capitalize()}")()
        estimator.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError, TypeError, LookupError) as error:
        raise _unreadable(file, "XGBoost", error) from None
    return estimator


def _lightgbm(file: File) -> Any:
    import lightgbm

    try:
        return lightgbm.Booster(model_str=plain_text(file.data).decode())
    except (lightgbm.basic.LightGBMError, ValueError, TypeError, LookupError) as error:
        raise _unreadable(file, "LightGBM", error) from None


def _catboost(file: File) -> Any:
    import catboost

    try:
        return catboost.CatBoost().load_model(blob=file.data)
    except (catboost.CatBoostError, ValueError, TypeError, LookupError) as error:
        raise _unreadable(file, "CatBoost", error) from None


def _unreadable(file: File, library: str, error: Exception) -> UnsafeFileError:
    line = (str(error).strip().splitlines() or [""])[0]
    return file.refuse(
        f"cannot be read by {library}: {clean(line).rstrip('.')}. It may be damaged, or written by a newer "
        "version. Save it again with the library's own save_model."
    )
