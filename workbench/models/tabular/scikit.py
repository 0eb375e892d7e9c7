"""A live scikit-learn estimator or Pipeline as a `Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale, clean
from workbench.errors import IncompatibleError, InputError, ModelError, WorkbenchError
from workbench.models.answer import KEPT, Answer
from workbench.models.arguments import Wrapping
from workbench.models.asking import Serialized, Trial, failed, failures
from workbench.models.digest import object_digest
from workbench.models.outputs import classes_of, numbered, output_names
from workbench.models.tabular.boosters import booster_library
from workbench.models.tabular.fitted import (
    categories_of,
    check_fitted,
    columns_of,
    fitted_on,
    not_fitted,
    refuses_gaps,
    typical_row,
)
from workbench.models.tabular.scikit_trees import of_trees, tree_parser
from workbench.models.tabular.unlabeled import PATH_LENGTH, classifies, unlabeled

Array = NDArray[np.float64]

_BOOSTING = ("GradientBoostingClassifier", "HistGradientBoostingClassifier")
# Their decision_function is the log-odds, or becomes their probabilities by softmax.
_LOG_ODDS = (*_BOOSTING, "LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis")


def scikit_model(estimator: Any, wrapping: Wrapping) -> Model:
    """The fitted estimator with predict and, where its own trees add up to its scores, trees.

    Scores by scale:

    - "probability": `predict_proba`, one column per class; the default for most classifiers;
    - "logit": log-odds. The default for gradient boosting, because there the trees add up. Two classes
      have one logit, that of the second class. Where the estimator has only probabilities,
      `log p - log(1 - p)`, refused where p is 0 or 1;
    - "raw": `predict` of a regressor in its own unit; the margin of a classifier without probabilities; of
      an isolation forest the anomaly score, or its trees' sum with `outputs=["mean path length"]`.

    Args:
        estimator: fitted; its last step decides what it is.
        wrapping: its outputs may name both classes of one logit. An estimator fitted on a frame gets frames
            again, made by `like`: its columns by name, categories as labels.
    """
    name, outputs, like, shape = wrapping.name, wrapping.outputs, wrapping.like, wrapping.shape
    final, before = final_step(estimator)
    check_fitted(estimator, final, name)
    first = estimator if before else final  # the step that rows reach first
    score, names, scale, score_notes = _scorer(estimator, final, name, wrapping.scale, outputs)
    fitted = fitted_on(first, name, like, frames=wrapping.frames)
    features, width = columns_of(first, like)

    def predict(rows: NDArray[Any], /) -> Array:
        try:
            return score(fitted.rows_of(rows))
        except failures() as error:
            if gap := refuses_gaps(error, final, name, rows, features):
                raise gap from error
            raise

    columns = _count(predict, typical_row(first, like), name, like, names)
    classes = classes_of(estimator, names, columns)
    opposite = "" if classes is None or columns > 1 else str(classes[0])
    if outputs is not None and len(outputs) == 2 and columns == 1 and scale == "logit":
        opposite, *outputs = outputs
    trees, why = _trees(final, scale, fitted.order, like, names, before=before)
    answers = Serialized(name, estimator, predict)
    trial = Trial(answers, answers.lock)
    return Model(
        name=name,
        predict=Answer(answers, None if like is None else like[:KEPT], fitted.frames),
        outputs=output_names(name, outputs, columns, names or numbered(columns)),
        scale=scale,
        unit=_unit(final, scale, names),
        kind="tabular",
        features=features,
        categories=categories_of(first, like),
        columns=() if like is None else like.columns,
        shape=tuple(shape) if shape is not None else width,
        classes=classes,
        opposite=clean(opposite),
        batch=wrapping.batch or _rows_per_call(final),
        trees=trees,
        native=estimator,
        absent={"trees": why} if why else {},
        trial=trial,
        remarks=trial.remarks,
        digest=object_digest(estimator),
        notes=(*fitted.notes, *score_notes, *((why,) if why else ())),
    )


def _unit(final: Any, scale: Scale, names: tuple[str, ...]) -> str:
    """What raw scores are, in words, where they are not what `predict` or `score_samples` gives."""
    if names == (PATH_LENGTH,):
        return f"{PATH_LENGTH} in splits"
    return "margin of decision_function" if scale == "raw" and hasattr(final, "classes_") else ""


def _trees(
    final: Any,
    scale: Scale,
    order: NDArray[np.intp] | None,
    like: Inputs | None,
    names: tuple[str, ...],
    *,
    before: bool,
) -> tuple[Any, str]:
    """A function that reads the trees, or None and why; trees behind steps are not even looked at.

    Their columns are others than the rows', so whatever is known of the rows' columns would be misread.
    """
    if not before:
        return tree_parser(final, scale, order, like, names)
    if not of_trees(final) and booster_library(final) is None:
        return None, ""
    return None, (
        "Its steps change the columns before the trees see them, so TreeSHAP is not offered. "
        "workbench.variants.transformed_view(model, inputs) explains the columns that they see."
    )


_QUICK = 32_768


def _rows_per_call(estimator: Any) -> int:
    """How many rows to pass at once: few enough that a job can be cancelled between two calls.

    Trees and linear models take microseconds per row, and forests milliseconds per call, however few the
    rows; neighbors and kernel machines take milliseconds per row.
    """
    parts = getattr(estimator, "estimators_", None)
    if parts is not None:
        inner = np.ravel(np.asarray(parts, dtype=object))
        return min(_rows_per_call(part) for part in inner) if len(inner) else 4096
    trees = hasattr(estimator, "tree_") or hasattr(estimator, "_predictors")
    linear = hasattr(estimator, "coef_") and not hasattr(estimator, "support_vectors_")
    return _QUICK if trees or linear else 4096


def final_step(estimator: Any) -> tuple[Any, bool]:
    """The estimator that gives the scores, and whether steps before it change the rows."""
    before = False
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif type(estimator).__name__ == "FrozenEstimator":
            estimator = estimator.estimator
        elif hasattr(estimator, "steps") and hasattr(estimator, "named_steps"):
            before = before or any(_changes_rows(step) for _, step in estimator.steps[:-1])
            estimator = estimator.steps[-1][1]
        else:
            return estimator, before


def _changes_rows(step: Any) -> bool:
    """Whether a step of a Pipeline acts on rows to be scored; samplers act in the fit alone."""
    sampler = hasattr(step, "fit_resample") and not hasattr(step, "transform")
    return step is not None and not sampler and (not isinstance(step, str) or step != "passthrough")


def booster_alone(native: object) -> Any:
    """The booster that rows reach unchanged, itself or the only step of its wrapper, or None.

    >>> booster_alone("model.json") is None
    True
    """
    final, before = final_step(native)
    return None if before or booster_library(final) is None else final


def logits_per_class(native: object, scale: Scale) -> bool:
    """Whether this native's logits are one log-odds per class of three or more: no softmax undoes these.

    Needed only on the way to probabilities, which such an estimator gives itself.
    """
    final, _ = final_step(native)
    classes = getattr(final, "classes_", ())
    many = not isinstance(classes, list) and len(classes) > 2
    scikit = type(final).__module__.startswith("sklearn.")
    return scikit and many and scale == "probability" and type(final).__name__ not in _LOG_ODDS


def _count(
    predict: Any, row: NDArray[Any], name: str, like: Inputs | None, names: tuple[str, ...]
) -> int:
    """How many columns of scores the estimator gives on one row."""
    try:
        return int(predict(row).shape[1])
    except ModelError:
        if not names:
            raise
        return len(
            names
        )  # this row has no score: an explained row without one raises an error later
    except WorkbenchError:
        raise
    except failures() as error:
        if type(error).__name__ == "NotFittedError":
            raise not_fitted(name) from None
        found, action = "a row of ones", "Give like=inputs, rows like those it was fitted on"
        if like is not None:
            found = f"the first row of {like.name!r}"
            action = "Give rows like those it was fitted on"
        advice = (
            f"{action}: workbench.data.table(frame) keeps categories, so that they reach it as labels "
            "again."
        )
        raise failed(name, error, row, lambda _: advice, found) from error


_Scorer = tuple[Callable[[Any], Array], tuple[str, ...], Scale, list[str]]


def _scorer(
    estimator: Any,
    final: Any,
    name: str,
    scale: Scale | None,
    outputs: Sequence[str] | None,
) -> _Scorer:
    """From the estimator's own input to scores, the outputs' names where it has them, scale and notes."""
    kind = type(final).__name__
    if not classifies(estimator):
        ask, names, notes = unlabeled(estimator, final, name, outputs)
        if scale not in (None, "raw"):
            what = "no classifier" if names else "a regressor"
            raise InputError(
                f"Model {name!r} ({kind}) is {what}, whose scores are 'raw' (in the unit of what it "
                f"gives), not {scale!r}. Leave scale out."
            )
        return lambda rows: _columnwise(ask(rows)), names, "raw", notes
    probabilities = hasattr(estimator, "predict_proba")
    margins = hasattr(estimator, "decision_function")
    if not probabilities and not margins:
        shares = ""
        if kind == "VotingClassifier":
            shares = (
                " A hard vote is explained by its shares: workbench.ensembles.unpack(estimator)."
            )
        raise IncompatibleError(
            f"Scores are needed, but {name!r} ({kind}) gives labels alone: neither predict_proba nor "
            "decision_function. Fit it so that it gives probabilities (voting='soft', probability=True), "
            f"or calibrate it with CalibratedClassifierCV.{shares}"
        )
    if scale is None:
        scale = "probability" if probabilities else "raw"
        scale = "logit" if kind in _BOOSTING else scale
    if scale == "probability" and not probabilities:
        raise IncompatibleError(
            f"scale='probability' needs predict_proba, which {name!r} ({kind}) does not have. Calibrate "
            "it with CalibratedClassifierCV, or leave scale out for its margin."
        )
    if scale == "probability":
        names = _class_names(estimator)
        note = _many_outputs(estimator)
        return lambda rows: _columnwise(estimator.predict_proba(rows)), names, scale, note
    if scale == "raw" or not probabilities or kind in _LOG_ODDS:
        return _margin_scorer(estimator, final, name, scale, margins=margins)
    return _log_odds_scorer(estimator, name)


def _margin_scorer(
    estimator: Any, final: Any, name: str, scale: Scale, *, margins: bool
) -> _Scorer:
    if not margins:
        raise IncompatibleError(
            f"scale='raw' needs a margin (decision_function), which {name!r} ({type(final).__name__}) "
            "does not have. Use scale='probability' or 'logit'."
        )
    classes = getattr(estimator, "classes_", None)
    names = () if classes is None else tuple(str(one) for one in classes)
    names = names[1:] if len(names) == 2 else names
    if getattr(final, "decision_function_shape", "ovr") == "ovo" and len(names) > 2:
        pairs = tuple(f"{one} over {other}" for one, other in combinations(names, 2))
        note = (
            f"The scores are the margins of {type(final).__name__} between two classes at a time "
            "(decision_function_shape='ovo'): above 0 where the first of the pair is preferred. They are "
            "no logits of classes, and the largest is not the predicted class. Fit it with 'ovr' for one "
            "score per class."
        )
        return lambda rows: _columnwise(estimator.decision_function(rows)), pairs, "raw", [note]
    if type(final).__name__ in _LOG_ODDS and scale == "logit":
        # With the exponential loss, p = 1 / (1 + exp(-2 margin)).
        factor = 2.0 if getattr(final, "loss", None) == "exponential" else 1.0
        return (
            lambda rows: factor * _columnwise(estimator.decision_function(rows)),
            names,
            scale,
            [],
        )
    note = (
        f"The scores are the margins (decision_function) of {type(final).__name__}, which are not "
        "probabilities. Give scale='logit' to treat them as logits, for instance to let 'predicted' "
        "mean the largest."
        if scale == "raw"
        else f"The margins (decision_function) of {type(final).__name__} are treated as logits, as asked."
    )
    return lambda rows: _columnwise(estimator.decision_function(rows)), names, scale, [note]


def _log_odds_scorer(estimator: Any, name: str) -> _Scorer:
    names = _class_names(estimator)
    classes = getattr(estimator, "classes_", ())
    one_logit = not isinstance(classes, list) and len(classes) == 2

    def log_odds(rows: Any) -> Array:
        p = _columnwise(estimator.predict_proba(rows))
        certain = (p <= 0) | (p >= 1)
        if certain.any():
            row, column = np.argwhere(certain)[0]
            raise ModelError(
                f"scale='logit' needs probabilities strictly between 0 and 1, but model {name!r} gave "
                f"{p[row, column]:g} for {int(certain.any(axis=1).sum())} of {len(p)} rows (first: row "
                f"{row}, output {names[column] if column < len(names) else column!r}), whose log-odds "
                "are infinite. Wrap it with scale='probability'."
            )
        logits: Array = np.log(p) - np.log1p(-p)
        return logits[:, 1:] if one_logit else logits

    note = "The logits are computed from probabilities: log p - log(1 - p)."
    return log_odds, names[1:] if one_logit else names, "logit", [note, *_many_outputs(estimator)]


def _class_names(estimator: Any) -> tuple[str, ...]:
    """One name per column of probabilities; `output=class` where the estimator has several outputs."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        mixed = getattr(
            final_step(estimator)[0], "n_components", None
        )  # a mixture of distributions
        return tuple(f"component {j}" for j in range(mixed)) if isinstance(mixed, int) else ()
    if not isinstance(classes, list):
        return tuple(str(one) for one in classes)
    if type(final_step(estimator)[0]).__name__ == "ClassifierChain":  # one column per label
        return tuple(f"y{j}={of_output[1]}" for j, of_output in enumerate(classes))
    return tuple(f"y{j}={one}" for j, of_output in enumerate(classes) for one in of_output)


def _many_outputs(estimator: Any) -> list[str]:
    if not isinstance(getattr(estimator, "classes_", None), list):
        return []
    return [
        "The model answers several questions at once. 'Predicted' is the highest score of all of them; "
        "name the output that is meant."
    ]


def _columnwise(scores: Any) -> Array:
    """Scores `(n, k)` from what scikit-learn gives: one column, several, or a list of blocks."""
    if isinstance(scores, list):
        return np.concatenate([np.asarray(block, dtype=np.float64) for block in scores], axis=1)
    array = np.asarray(scores, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array
