"""The last step of a fitted Pipeline as a model of its own, on the columns it really reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workbench import data
from workbench.core import Inputs, Model
from workbench.models.wrapping import wrap


def transformed_view(
    model: Model, inputs: Inputs, *, name: str | None = None
) -> tuple[Model, Inputs]:
    """A second view of a Pipeline: its last step, and the same rows as that step sees them.

    The one-hot columns of a raw column are one player with its name (see `workbench.data.transformed`), and
    the scores are the Pipeline's own. A forest or a booster shows its trees here, so TreeSHAP is possible.

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
    """
    pipeline = _inside(model.native)
    rows = data.transformed(pipeline, inputs)
    view = wrap(
        pipeline[-1],
        name=name or f"{model.name}, transformed",
        outputs=model.outputs,
        scale=model.scale,
        like=rows if len(rows) else None,
    )
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


def _inside(native: Any) -> Any:
    """The Pipeline in a search or a frozen estimator."""
    while True:
        if hasattr(native, "best_estimator_"):
            native = native.best_estimator_
        elif type(native).__name__ == "FrozenEstimator":
            native = native.estimator
        else:
            return native
