"""The last step of a fitted Pipeline as a model of its own, on the columns it really reads."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import data
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.arguments import Wrapping
from workbench.models.tabular import booster_library, scikit_model
from workbench.models.wrapping import wrap


def transformed_view(
    model: Model, inputs: Inputs, *, name: str | None = None
) -> tuple[Model, Inputs]:
    """A second view of a Pipeline: its last step, and the same rows as that step sees them.

    The one-hot columns of a raw column are one player with its name (see `workbench.data.transformed`), and
    the scores are the Pipeline's own: compared on all rows and background rows. A forest or a booster shows
    its trees here, so TreeSHAP is possible, unless they add up to something else than what the Pipeline
    predicts (a booster of counts, whose trees add up to their logarithm).

    How its values compare with those of the raw view:

    - where every column is made of one raw column, PermutationSHAP, KernelSHAP and ExactShapley play the
      same game in both views, and give the raw column and its player the same credit;
    - a column made of several raw columns (an interaction, a principal component) is a player that the raw
      view does not have, so the two are different games;
    - TreeSHAP treats each column as a player, one-hot ones too, and adds up the credit of a group: this is
      the same only where the columns of a group do not interact, as in a linear model or with one-column
      groups.

    Args:
        model: made from a fitted Pipeline, or a search over Pipelines.
        inputs: raw rows and background, as `workbench.data.table` read them.
        name: of the view; the model's name and "transformed" when left out.

    Raises:
        IncompatibleError: the model wraps no Pipeline with a preprocessing step.
        InputError: the Pipeline cannot transform these rows, or does not say where its columns come from.
        ModelError: the last step gives other scores for the columns than the Pipeline for the rows.
    """
    pipeline = _inside(model.native)
    rows = data.transformed(pipeline, inputs)
    view = _same_scores(model, pipeline, inputs, rows, name or f"{model.name}, transformed")
    steps = ", ".join(label for label, _ in pipeline.steps[:-1])
    note = (
        f"The columns are those behind the steps {steps}, in the units these give them. An absent column "
        "is replaced there: where a column is made of several raw ones, that is another game than theirs."
    )
    return replace(
        view,
        classes=model.classes,
        opposite=model.opposite,
        lineage=model.lineage,
        notes=(*view.notes, note),
    ), rows


def _same_scores(model: Model, pipeline: Any, inputs: Inputs, rows: Inputs, name: str) -> Model:
    """The last step, wrapped so that it gives the Pipeline's own scores of rows and background."""
    final: Any = pipeline[-1]
    notes: tuple[str, ...] = ()
    if _absent_is_missing(final) and _gives_sparse(pipeline, inputs, model.name):
        final, notes = copy.copy(final), (_ABOUT_ZEROS,)
        final.missing = 0.0
    raw = [inputs.values, *([] if inputs.background is None else [inputs.background])]
    seen = [rows.values, *([] if rows.background is None else [rows.background])]
    own = np.concatenate([model.scores(some) for some in raw])
    wrapping = Wrapping(
        name=name, outputs=model.outputs, scale=model.scale, like=rows if len(rows) else None
    )
    differs = ""
    for way in (_wrapped, _predicting):
        try:
            view = way(final, wrapping)
            found = np.concatenate([view.scores(some) for some in seen])
        except (InputError, IncompatibleError) as error:
            differs = differs or f"the step alone cannot be used: {error}"
            continue
        if found.shape == own.shape and not (apart := _apart(own, found, model.scale)).any():
            return replace(view, notes=(*view.notes, *notes))
        if not differs:
            row = int(np.argmax(apart.any(axis=1))) if found.shape == own.shape else 0
            differs = (
                f"on row {row} it gives {found[row].tolist()}, the Pipeline {own[row].tolist()}"
            )
    raise ModelError(
        f"The last step of {model.name!r} must give the Pipeline's own scores for the columns it sees, but "
        f"{differs}. Its explanation would be another model's, so there is no such view. Explain the "
        "Pipeline itself with ExactShapley, PermutationSHAP or KernelSHAP."
    )


_ABOUT_ZEROS = (
    "The steps give sparse rows, whose absent entries XGBoost takes for missing values. Here every 0 is "
    "such an entry (missing=0), so the scores are the Pipeline's own."
)


def _wrapped(final: Any, given: Wrapping) -> Model:
    return wrap(final, name=given.name, outputs=given.outputs, scale=given.scale, like=given.like)


def _predicting(final: Any, wrapping: Wrapping) -> Model:
    """What the step itself predicts: counts, where its trees add up to their logarithm."""
    why = (
        "Its trees add up to something else than what the Pipeline predicts, such as its logarithm, so "
        "TreeSHAP is not offered. wrap(pipeline[-1], like=workbench.data.transformed(pipeline, inputs)) "
        "explains that."
    )
    view = scikit_model(final, wrapping)
    return replace(view, trees=None, absent={"trees": why}, notes=(*view.notes, why))


def _absent_is_missing(final: Any) -> bool:
    return booster_library(final) == "xgboost" and bool(np.isnan(getattr(final, "missing", 0.0)))


def _gives_sparse(pipeline: Any, inputs: Inputs, name: str) -> bool:
    """Whether the steps give sparse rows.

    Raises:
        InputError: some of their entries are stored zeros, which no array can tell from absent ones.
    """
    raw = [inputs.values, *([] if inputs.background is None else [inputs.background])]
    made = [pipeline[:-1].transform(inputs.to_frame(some)) for some in raw]
    if not all(hasattr(one, "toarray") for one in made):
        return False
    if any((one.tocoo().data == 0).any() for one in made):
        raise InputError(
            f"XGBoost in {name!r} takes absent entries of sparse rows for missing values and stored "
            "zeros for zeros, but in the columns of this view both would be 0. Make the steps give dense "
            "rows (sparse_output=False, sparse_threshold=0) and fit the Pipeline again."
        )
    return True


def _apart(own: NDArray[Any], found: NDArray[Any], scale: str) -> NDArray[np.bool_]:
    """Which scores differ by more than sums in single precision may."""
    limit = 1e-5 * np.abs(own).max(initial=0.0)
    if scale == "logit":  # perhaps computed from probabilities in single precision
        limit = limit + 4 * np.finfo(np.float32).eps * (2 + np.exp(np.abs(np.clip(own, -80, 80))))
    return np.asarray(~(np.abs(own - found) <= limit))


def _inside(native: Any) -> Any:
    """The Pipeline in a search or a frozen estimator."""
    while True:
        if hasattr(native, "best_estimator_"):
            native = native.best_estimator_
        elif type(native).__name__ == "FrozenEstimator":
            native = native.estimator
        else:
            return native
