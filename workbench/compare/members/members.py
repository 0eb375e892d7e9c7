"""`Members`: several models' explanations of the same rows, stacked and checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.comparable import check_comparable, check_numbers
from workbench.compare.formulas import TOP, similarities
from workbench.core import Attribution, checked_weights
from workbench.core.capabilities import Scale
from workbench.errors import InputError

Array = NDArray[np.float64]
_NEEDS = "Members need"


@dataclass(frozen=True, eq=False)
class Members:
    """The same rows explained for several models: m members, n rows, p players (for maps, places).

    Made by `Members.of`, which checks. Stacking is the slow part; `reweighted` costs nothing, so a slider
    of weights can keep one stack.

    Args:
        parts: the members' attributions `(m,)`.
        credit: their values per player `(m, n, p)`, in `scale`.
        error: standard errors shaped like `credit`, 0 where a member's values are exact, or None when no
            member was sampled.
        weights: `(m,)`, none negative, sum 1.
        predictions: each member's own class for each row `(m, n)`, or None when not known.
        ensemble: the attribution whose parts the members are, or None when it was not given.
    """

    parts: tuple[Attribution, ...]
    credit: Array
    error: Array | None
    weights: Array
    predictions: NDArray[Any] | None = None
    ensemble: Attribution | None = None
    # Computed once, since they do not depend on weights; `reweighted` passes them on.
    _similarities: dict[str, Array] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        n, p = self.credit.shape[1:]
        credited = "places" if self.is_map else "players"
        return f"Members({len(self)} members, {n} rows, {p} {credited}, in {self.scale})"

    @classmethod
    def of(
        cls,
        attributions: Sequence[Attribution] | Attribution,
        weights: ArrayLike | Mapping[str, float] | None = None,
        predictions: ArrayLike | None = None,
    ) -> Members:
        """The stack of `attributions`, checked so that their numbers may be averaged.

        Args:
            attributions: one per member: the same rows, target, scale and players. Or the ensemble's own,
                whose parts are taken.
            weights: one per member, by position or by name, none negative; divided by their sum. None
                gives all the same, or those of the ensemble.
            predictions: each member's class for each row `(m, n)`, as names or positions. They are not in
                an attribution, which says only the explained output, the same for all members.

        Raises:
            InputError: no member, an attribution without parts, names that repeat, other rows or players,
                another explained output, a number that is not finite, or weights or predictions of another
                shape.
            IncompatibleError: members in different units, or explained over different backgrounds.
        """
        ensemble = attributions if isinstance(attributions, Attribution) else None
        if isinstance(attributions, Attribution):
            parts = attributions.parts
            if not parts:
                raise InputError(
                    "Members are the parts of an ensemble's attribution, but that of "
                    f"{attributions.model!r} has none. Give a list of attributions, or explain a model "
                    "from ensembles.vote, ensembles.stack or ensembles.unpack."
                )
            how = attributions.provenance.ensemble
            if weights is None and how is not None:
                weights = how.weights
        else:
            parts = tuple(attributions)
        _check_names(parts)
        for other in parts[1:]:
            check_comparable(parts[0], other, _NEEDS, but=("method",))  # which `notes` says
        check_numbers(parts[0], _NEEDS)
        stack = np.stack([_credit(part) for part in parts])
        error = None
        if any(part.error is not None for part in parts):
            error = np.stack([_error(part) for part in parts])
        named = None if predictions is None else _checked_predictions(parts, predictions)
        return cls(parts, stack, error, _shares(parts, weights), named, ensemble)

    def reweighted(self, weights: ArrayLike | Mapping[str, float] | None) -> Members:
        """The same members under other weights, which are checked as in `of`; nothing is copied."""
        return replace(self, weights=_shares(self.parts, weights))

    def with_predictions(self, predictions: ArrayLike) -> Members:
        """The same members with their own predicted classes; checked as in `of`."""
        return replace(self, predictions=_checked_predictions(self.parts, predictions))

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names `(m,)`."""
        return tuple(part.model for part in self.parts)

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows' ids `(n,)`."""
        return self.parts[0].inputs.ids

    @property
    def scale(self) -> Scale:
        """The unit of all values."""
        return self.parts[0].scale

    @property
    def is_map(self) -> bool:
        """Whether credit went to the places of an image, which have no names."""
        return not self.parts[0].has_players

    @property
    def players(self) -> tuple[str, ...]:
        """The players' names `(p,)`.

        Raises:
            InputError: credit went to the places of an image.
        """
        return self.parts[0].names

    @property
    def summed(self) -> bool:
        """Whether the ensemble adds its members' contributions up, as a stack does, each counted once."""
        how = None if self.ensemble is None else self.ensemble.provenance.ensemble
        return (
            how is not None and how.form == "weighted sum" and bool(np.ptp(self.weights) <= 1e-12)
        )

    @property
    def whole(self) -> Array | None:
        """The ensemble's own credit per player `(n, p)`, or None when it was not given."""
        return None if self.ensemble is None else _credit(self.ensemble)

    @property
    def output(self) -> Array:
        """Each member's explained number `(m, n)`, in `scale`."""
        return np.stack([part.output for part in self.parts])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know besides the numbers."""
        recipes = list(dict.fromkeys(repr(part.method) for part in self.parts))
        if len(recipes) == 1:
            return ()
        return (
            f"The members were explained by {len(recipes)} recipes, {', '.join(recipes)}, so some of the "
            "disagreement may be the methods'.",
        )

    @property
    def same_class(self) -> NDArray[np.bool_] | None:
        """Whether all members with a weight name one class `(n,)`, or None without predictions."""
        if self.predictions is None:
            return None
        voting = self.predictions[self.weights > 0]
        return np.asarray((voting == voting[0]).all(axis=0))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names that `similarity` takes.

        Maps do not have Kendall's: it needs all pairs of places, eight million for 64 x 64 of them.
        """
        if self.is_map:
            return ("cosine", "spearman", "top tenth")
        return ("cosine", "spearman", "kendall", f"top{TOP}")

    def similarity(self, metric: str = "cosine") -> Array:
        """Similarity of every pair of members, row by row `(n, m, m)`; 1 is agreement. Weights are ignored.

        Args:
            metric: one of `metrics`.

        Raises:
            InputError: there is no such metric for these members.
        """
        if metric not in self.metrics:
            raise InputError(
                f"There is no similarity {metric!r} for these members. Choose one of {list(self.metrics)}."
            )
        if metric not in self._similarities:
            self._similarities[metric] = similarities(self.credit, metric)
        return self._similarities[metric]

    def shaped(self, array: Array, row: int) -> Array:
        """One row's numbers per player `(p,)` as a map `(h, w)` for a picture; superpixels whole.

        Raises:
            InputError: the rows are no images.
        """
        part = self.parts[0]
        if not part.inputs.of_kind.planar:
            raise InputError(f"Maps need image rows, but these are {part.inputs.kind}. Use bars.")
        if part.players is None:
            return array.reshape(part.inputs.places)
        return np.asarray(
            np.append(array, 0.0)[part.owners(row)]
        )  # the last entry serves player -1


def _credit(part: Attribution) -> Array:
    if not part.has_players:
        return part.maps().reshape(len(part), -1)
    if part.players is None:
        return part.values
    return np.stack([part.by_player(i) for i in range(len(part))])


def _error(part: Attribution) -> Array:
    """Standard errors `(n, p)`; summed over a player's features, which is the most they can be."""
    if part.error is None:
        return np.zeros_like(_credit(part))
    return _credit(replace(part, values=part.error))


def _check_names(parts: tuple[Attribution, ...]) -> None:
    if not parts:
        raise InputError("Members need at least one attribution, but there is none.")
    names = [part.model for part in parts]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"Members need names of their own, but {repeated} occur more than once. Use model.renamed(...)."
        )
    if len(parts[0]) == 0:
        raise InputError("Members need at least one explained row, but have none.")


def _shares(
    parts: tuple[Attribution, ...], weights: ArrayLike | Mapping[str, float] | None
) -> Array:
    shares, _ = checked_weights(weights, [part.model for part in parts])
    shares.setflags(write=False)
    return shares


def _checked_predictions(parts: tuple[Attribution, ...], predictions: ArrayLike) -> NDArray[Any]:
    named = np.array(predictions)
    wanted = (len(parts), len(parts[0]))
    if named.shape != wanted:
        raise InputError(
            f"Predictions need one class per member and row, {wanted}, but have the shape {named.shape}."
        )
    return named
