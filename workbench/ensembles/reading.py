"""How the rows of a fitted scikit-learn ensemble reach its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Call, Inputs, Model, Scale
from workbench.ensembles.members import Gathered, in_order
from workbench.ensembles.spaces import voting
from workbench.models import wrap
from workbench.models.tabular import final_step, fitted_on, in_columns, numbers_of_labels

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Reading:
    """From rows to what the ensemble, and each of its members, was fitted on.

    Args:
        before: from rows to the input of the ensemble itself.
        order: the row column of each column of the ensemble, or None when they agree.
        like: rows that hold labels, or None.
        piped: whether other steps change the rows first.
        gathered: kind, columns and shape of a row; its models are added later.
        notes: sentences the user should know.
        labeled: whether the rows reach the ensemble, which keeps no names, with labels that are no numbers.
    """

    before: Callable[[NDArray[Any]], Any]
    order: Places | None
    like: Inputs | None
    piped: bool
    gathered: Gathered
    notes: tuple[str, ...]
    labeled: bool = False

    def member(
        self,
        estimator: Any,
        name: str,
        *,
        outputs: Sequence[str] | None = None,
        scale: Scale | None = None,
        columns: Places | None = None,
    ) -> Model:
        """A member over the ensemble's rows, whether it was fitted on a frame, an array or some columns."""

        def made(like: Inputs | None) -> Model:
            return wrap(estimator, name=name, outputs=outputs, scale=scale, like=like)

        return self._over_rows(estimator, made, columns)

    def voter(
        self,
        estimator: Any,
        name: str,
        classes: tuple[str, ...],
        known: Places,
        columns: Places | None = None,
    ) -> Model:
        """A classifier's votes: the class that its own `predict` gives.

        Args:
            estimator: fitted.
            name: the member's name.
            classes: the ensemble's classes.
            known: the place of each of the estimator's classes among them.
            columns: the columns it reads, if it reads only some of the ensemble's.
        """
        own = [classes[j] for j in known]
        probable = hasattr(estimator, "predict_proba")
        place = dict(zip(estimator.classes_, known, strict=True))

        def made(like: Inputs | None) -> Model:
            scale: Scale = "probability" if probable else "raw"
            # Its scores are not used, so they may be one per pair of classes.
            model = replace(wrap(estimator, name=name, scale=scale, like=like), outputs=tuple(own))
            rows_of = fitted_on(_first(estimator), name, like).rows_of

            def labels(rows: NDArray[Any]) -> Places:
                predicted = estimator.predict(rows_of(rows))
                return np.array([place[label] for label in predicted], dtype=np.intp)

            return voting(replace(model, notes=()), classes, labels)

        return self._over_rows(estimator, made, columns)

    def _over_rows(
        self, estimator: Any, made: Callable[[Inputs | None], Model], columns: Places | None
    ) -> Model:
        model = self._member(estimator, made, columns)
        known = self.gathered.categories
        if known is None:
            return model
        return replace(model, categories=known, columns=self.gathered.columns)

    def _member(
        self, estimator: Any, made: Callable[[Inputs | None], Model], columns: Places | None
    ) -> Model:
        if not self.piped and (
            hasattr(_first(estimator), "feature_names_in_") or (self.labeled and columns is None)
        ):
            return made(self.like)
        model = made(None)
        if self.piped:
            return self._through(model, columns)
        gathered, like = self.gathered, self.like
        if self.order is None and columns is None:
            return replace(model, features=gathered.features, shape=gathered.shape)
        order = np.arange(int(gathered.shape[0] or 0)) if self.order is None else self.order
        places = order if columns is None else order[columns]
        tables = numbers_of_labels(like, places)
        if not tables:
            moved = in_order(model, gathered.features, places)
            return replace(moved, shape=gathered.shape)
        inside = model.trees
        read = None if inside is None else lambda: in_columns(inside(), places, tables)
        return replace(self._through(model, columns), trees=read)

    def _through(self, model: Model, columns: Places | None) -> Model:
        """The model after the steps that prepare the rows for the ensemble."""

        def behind(call: Call) -> NDArray[Any]:
            seen = np.asarray(self.before(call["rows"]), dtype=np.float64)
            return model.predict(seen if columns is None else seen[:, columns])

        return replace(
            model.through(behind, can=()),  # gradients and the like cannot pass through these steps
            trees=None,
            features=self.gathered.features,
            shape=self.gathered.shape,
        )


def reading_of(
    outer: Any, final: Any, like: Inputs | None, name: str, *, frames: bool | None = None
) -> Reading:
    """How rows reach the members of `final`, which is `outer` itself or its last step."""
    piped = outer is not final
    first = _first(outer)
    given = fitted_on(first, name, like, frames=frames)
    rows_of, order, notes = given.rows_of, given.order, given.notes
    fitted = getattr(first, "feature_names_in_", None)
    features: tuple[str, ...] = () if like is None else like.features
    if like is None and fitted is not None:
        features = tuple(str(column) for column in fitted)
    width = len(features) or int(getattr(first, "n_features_in_", 0)) or None
    before = rows_of
    if piped:
        while not hasattr(outer, "steps"):
            outer = outer.best_estimator_ if hasattr(outer, "best_estimator_") else outer.estimator
        steps = outer[:-1]

        def before(rows: NDArray[Any]) -> Any:
            return steps.transform(rows_of(rows))

    known = None if like is None else like.categories
    types = () if like is None else like.columns
    shape = () if width is None else (width,)
    gathered = Gathered((), "tabular", features, shape, (), known, types)
    labeled = (
        like is not None
        and fitted is None
        and any(
            not isinstance(one, float | int)
            for labels in like.categories.values()
            for one in labels
        )
    )
    return Reading(before, order, like, piped, gathered, tuple(notes), labeled)


def _first(estimator: Any) -> Any:
    """The step that rows reach first."""
    final, before = final_step(estimator)
    return estimator if before else final
