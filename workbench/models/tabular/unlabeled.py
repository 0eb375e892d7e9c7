"""Scores of estimators that name no classes: regressors, outliers, clusters, survival; found by trying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.errors import IncompatibleError

Unlabeled = tuple[Callable[[Any], Any], tuple[str, ...], list[str]]


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


def unlabeled(estimator: Any, final: Any, name: str) -> Unlabeled:
    """How the scores of an estimator without classes are asked for, the outputs' names, and notes.

    - outliers (`score_samples`): the score that `predict` compares with a limit;
    - clusters (`transform` besides labels): the distance to each of them;
    - everything else: what `predict` gives, such as a regressor's number or a risk.

    Args:
        estimator: the whole of it.
        final: its last step.
        name: for messages.

    Raises:
        IncompatibleError: it gives no scores.
    """
    kind = type(final).__name__
    judges = hasattr(estimator, "score_samples")
    clusters = hasattr(final, "fit_predict") and not hasattr(final, "score_samples")
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
