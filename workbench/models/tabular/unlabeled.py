"""Scores of estimators that name no classes: regressors, outliers, clusters, survival; found by trying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import IncompatibleError

Unlabeled = tuple[Callable[[Any], Any], tuple[str, ...], list[str]]

PATH_LENGTH = "mean path length"
"""The output of an isolation forest that is a sum over its trees; asked for by this name."""


def classifies(estimator: Any) -> bool:
    """Whether an estimator gives scores of classes: it says so, or it has classes or probabilities.

    What scikit-learn is told depends on the order of an estimator's base classes, so it is not enough.

    >>> classifies(object())
    False
    """
    from sklearn.base import ClassifierMixin, RegressorMixin, is_classifier, is_regressor

    def said(ask: Callable[[Any], bool]) -> bool:
        try:
            return ask(estimator)
        except (AttributeError, TypeError):  # no tags
            return False

    if said(is_classifier) or isinstance(estimator, ClassifierMixin):
        return True
    if said(is_regressor) or isinstance(estimator, RegressorMixin):
        return False
    return hasattr(estimator, "predict_proba") or hasattr(estimator, "classes_")


def unlabeled(
    estimator: Any, final: Any, name: str, outputs: Sequence[str] | None = None
) -> Unlabeled:
    """How the scores of an estimator without classes are asked for, the outputs' names, and notes.

    - outliers (`score_samples`): the score that `predict` compares with a limit; of an isolation forest
      also `PATH_LENGTH`, where the outputs ask for it;
    - clusters (`transform` besides labels): the distance to each of them;
    - everything else: what `predict` gives, such as a regressor's number or a risk.

    Args:
        estimator: the whole of it.
        final: its last step.
        name: for messages.
        outputs: the names that were asked for.

    Raises:
        IncompatibleError: it gives no scores, or not those that were asked for.
    """
    kind = type(final).__name__
    judges = hasattr(estimator, "score_samples")
    clusters = hasattr(final, "fit_predict") and not hasattr(final, "score_samples")
    if judges and outputs is not None and PATH_LENGTH in outputs:
        return _path_lengths(estimator, final, name), (PATH_LENGTH,), [_ABOUT_PATHS]
    if judges and hasattr(estimator, "decision_function"):
        return estimator.score_samples, ("anomaly score",), [_about_outliers(final)]
    if clusters and hasattr(final, "novelty"):
        raise IncompatibleError(
            f"Scores are needed, but {name!r} ({kind}) only judges the rows it was fitted on. Fit it with "
            "novelty=True, so that it can judge others."
        )
    if clusters and hasattr(estimator, "transform") and hasattr(estimator, "predict"):
        count = len(final.get_feature_names_out()) if hasattr(final, "_n_features_out") else 0
        names = tuple(f"distance to cluster {j}" for j in range(count))
        return estimator.transform, names, ["The scores are the distances that transform gives."]
    if judges and not (hasattr(estimator, "predict") or hasattr(final, "transform")):
        return estimator.score_samples, ("log density",), []
    if clusters or not hasattr(estimator, "predict"):
        what = "the numbers of its clusters" if clusters else "changed columns alone"
        if not clusters and not hasattr(estimator, "transform"):
            what = "no scores"
        raise IncompatibleError(
            f"Scores are needed, but {name!r} ({kind}) gives {what}. Give an estimator or a Pipeline that "
            "ends in one, or wrap a function: wrap(lambda rows: ..., outputs=['score'], scale='raw')."
        )
    survival = hasattr(estimator, "predict_survival_function") or hasattr(
        estimator, "predict_cumulative_hazard_function"
    )
    return estimator.predict, ("risk score",) if survival else (), []


def _about_outliers(final: Any) -> str:
    limit = getattr(final, "offset_", None)
    at = "" if limit is None else f" (at {float(np.ravel(limit)[0]):.4g})"
    return (
        f"The scores are those of score_samples: the lower, the more unusual a row is. predict calls rows "
        f"below a limit{at} outliers."
    )


_ABOUT_PATHS = (
    "The scores are the mean number of splits that set a row apart in the trees, with what they expect of "
    "a leaf's rows added: the lower, the more unusual a row is. score_samples is -2 ** (-score / c), with "
    "c the same for all rows, so both order rows alike."
)


def _path_lengths(estimator: Any, final: Any, name: str) -> Callable[[Any], Any]:
    if not (hasattr(final, "max_samples_") and hasattr(final, "estimators_features_")):
        raise IncompatibleError(
            f"{PATH_LENGTH!r} is a score of isolation forests, but {name!r} ends in "
            f"{type(final).__name__}. Leave outputs out for its anomaly score."
        )
    expected = float(expected_splits([final.max_samples_])[0])
    return lambda rows: expected * -np.log2(-np.asarray(estimator.score_samples(rows)))


def expected_splits(rows: Any) -> NDArray[np.float64]:
    """How many random splits set one of so many rows apart, on average; `c(n)` of Liu et al. (2008).

    >>> expected_splits([1, 2]).tolist()
    [0.0, 1.0]
    """
    n = np.asarray(rows, dtype=np.float64)
    inner = np.maximum(n - 1, 1)
    many = 2 * (np.log(inner) + np.euler_gamma) - 2 * inner / np.maximum(n, 1)
    return np.where(n <= 1, 0.0, np.where(n <= 2, 1.0, many))
