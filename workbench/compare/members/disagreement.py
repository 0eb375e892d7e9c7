"""How far the members of an ensemble give the same reasons, and which member does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.members.influence import Influence, influence
from workbench.compare.members.members import Members
from workbench.compare.members.outlier import Outlier, find_outlier
from workbench.core import Attribution, escape, frame_cells, html_table
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]

CONSENSUS = 0.75
"""Below this weighted share of members with the mean's sign, a picture hatches the value."""

NOTHING = 1e-9
"""A value below this share of the row's largest has no sign: solvers return zeros as such remainders."""


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Members' explanations of the same rows, compared with their weighted mean.

    Made by `disagreement`. m members, n rows, p players (for maps, places); values in the members' scale.

    Args:
        members: the members, with their weights.
        mean: the weighted mean `(n, p)`: the explanation of the members' weighted average.
        spread: the weighted standard deviation over members `(n, p)`.
        sampling: the spread that sampling alone would give `(n, p)`, or None when nothing was sampled.
        consensus: the weighted share of members with the mean's sign `(n, p)`, 0 to 1.
        ratio: each row's disagreement `(n,)`: 0 when all reasons are the same, 1 when they cancel.
        overall: the same over all rows together.
    """

    members: Members
    mean: Array
    spread: Array
    sampling: Array | None
    consensus: Array
    ratio: Array
    overall: float

    @property
    def beyond_sampling(self) -> Array:
        """The part of `spread` that sampling does not explain `(n, p)`, never below 0."""
        if self.sampling is None:
            return self.spread
        return np.sqrt(np.maximum(self.spread**2 - self.sampling**2, 0.0))

    @property
    def ratio_of_sampling(self) -> Array:
        """The ratio of each row that sampling alone would give `(n,)`; zeros when nothing was sampled."""
        if self.sampling is None:
            return np.zeros(len(self.mean))
        return _parts((self.sampling**2).sum(axis=1), _squares(self.members).sum(axis=1))

    @property
    def agreed(self) -> NDArray[np.bool_]:
        """Where at least three quarters of the weight have the mean's sign `(n, p)`; hatch the rest."""
        # A sum of weights: 0.5 + 0.25 in another order may miss 0.75 by one rounding.
        return np.asarray(self.consensus >= CONSENSUS - 1e-12)

    @cached_property
    def is_of_ensemble(self) -> bool:
        """Whether `mean` is the ensemble's own explanation: that was given, and its values are the same.

        It is not for a stack, which adds its members up, nor under other weights.
        """
        whole = self.members.whole
        if whole is None:
            return False
        most = NOTHING * np.abs(self.members.credit).max(axis=(0, 2))[:, None]
        return bool((np.abs(self.mean - whole) <= most).all())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know besides the numbers."""
        ensemble = self.members.ensemble
        if ensemble is None or self.is_of_ensemble:
            return self.members.notes
        how = ensemble.provenance.ensemble
        sort = {
            "weighted sum": "adds the members' contributions up",
            "not linear": "is no sum of its members",
        }.get("" if how is None else how.form, "has other weights, or is cut at zero")
        return (
            f"The weighted mean of the members is not the explanation of {ensemble.model!r} itself, which "
            f"{sort}.",
            *self.members.notes,
        )

    @cached_property
    def influence(self) -> Influence:
        """Contributions, effective shares, leaving one out, cancelling."""
        return influence(self.members)

    @cached_property
    def outlier(self) -> Outlier:
        """The member farthest from the others, and whether it stands out."""
        return find_outlier(self.members.names, self.members.similarity("cosine"))

    def reweighted(self, weights: ArrayLike | Mapping[str, float] | None) -> Disagreement:
        """The same members under other weights; no model is called, nothing is stacked again."""
        return _measured(self.members.reweighted(weights))

    def matrix(self, metric: str = "cosine", row: int | None = None) -> pandas.DataFrame:
        """Agreement of all pairs of members, for one row or as the mean over rows.

        Args:
            metric: one of `members.metrics`.
            row: which row; None gives the mean.
        """
        import pandas as pd

        every = self.members.similarity(metric)
        values = every.mean(axis=0) if row is None else every[row]
        return pd.DataFrame(values, index=self.members.names, columns=self.members.names)

    def by_member(self) -> pandas.DataFrame:
        """One line per member: its weight and its influence.

        Columns member, weight, share (of all members' credit), agreement (mean cosine with the
        others), output change (mean size when it is left out, in the members' scale), explanation change
        (mean relative length when it is left out).
        """
        import pandas as pd

        m = len(self.members)
        alike = self.members.similarity("cosine").mean(axis=0)
        agreement = (alike.sum(axis=1) - 1.0) / (m - 1) if m > 1 else np.full(m, np.nan)
        found = self.influence
        return pd.DataFrame(
            {
                "member": self.members.names,
                "weight": self.members.weights,
                "share": found.overall_share,
                "agreement": agreement,
                "output change": np.abs(found.output_change).mean(axis=1),
                "explanation change": found.explanation_change.mean(axis=1),
            }
        )

    def ranking(self) -> pandas.DataFrame:
        """The rows by how much members disagree on the reasons; rows on whose class they agree come first.

        With predictions, rows that all members with a weight put in one class come first: there the
        ensemble looks sure, but its reasons are not. Without predictions, all rows are ranked together and
        `same class` is missing.

        Returns:
            Columns row, ratio, of it sampling (the ratio that sampling alone would give), output (the
            weighted mean), same class, position (of the row, for `row=`).
        """
        import pandas as pd

        same = self.members.same_class
        first = np.zeros(len(self.ratio)) if same is None else ~same
        order = np.lexsort((-self.ratio, first))
        return pd.DataFrame(
            {
                "row": [self.members.rows[i] for i in order],
                "ratio": self.ratio[order],
                "of it sampling": self.ratio_of_sampling[order],
                "output": (self.members.weights @ self.members.output)[order],
                "same class": None if same is None else same[order],
                "position": order,
            }
        )

    def to_frame(self) -> pandas.DataFrame:
        """Tidy rows: row, player, mean, spread, sampling, beyond sampling, consensus, agreed.

        Raises:
            InputError: credit went to the places of an image, which have no names.
        """
        import pandas as pd

        if self.members.is_map:
            raise InputError(
                "A frame needs players with names, but these members credit the places of images. Use "
                "mean, spread and consensus, or draw.spread_map."
            )
        n, p = self.mean.shape
        players = list(self.members.players)[:p]
        sampling = np.zeros((n, p)) if self.sampling is None else self.sampling
        return pd.DataFrame(
            {
                "row": np.repeat(np.array(self.members.rows, dtype=object), p),
                "player": players * n,
                "mean": self.mean.ravel(),
                "spread": self.spread.ravel(),
                "sampling": sampling.ravel(),
                "beyond sampling": self.beyond_sampling.ravel(),
                "consensus": self.consensus.ravel(),
                "agreed": self.agreed.ravel(),
            }
        )

    def __repr__(self) -> str:
        n, p = self.mean.shape
        credited = "places" if self.members.is_map else "players"
        return (
            f"Disagreement({len(self.members)} members, {n} rows, {p} {credited}, in {self.members.scale}: "
            f"ratio {self.overall:.2f})"
        )

    def _repr_html_(self) -> str:
        sentences = [
            f"{len(self.members)} members, {len(self.mean)} rows, in {self.members.scale}. Disagreement "
            f"ratio {self.overall:.2f} (0: the same reasons, 1: reasons that cancel).",
            str(self.outlier),
            *self.notes,
        ]
        words = "".join(f"<p>{escape(line, limit=600)}</p>" for line in sentences)
        rows = self.ranking().drop(columns="position").head(10)
        return words + _table(self.by_member()) + _table(rows.dropna(axis=1, how="all"))


def disagreement(
    members: Sequence[Attribution] | Attribution | Members,
    weights: ArrayLike | Mapping[str, float] | None = None,
    *,
    predictions: ArrayLike | None = None,
) -> Disagreement:
    """How far members agree on the reasons for the same rows.

    With weights w that sum to 1, member k's credit a_k and the mean ā = Σ w_k a_k, per row and player:
    spread² = Σ w_k (a_k - ā)²; consensus = Σ w_k [sign a_k = sign ā]. Per row, with lengths over players:
    ratio = Σ w_k |a_k - ā|² / Σ w_k |a_k|², which lies in [0, 1] because
    Σ w_k |a_k|² = |ā|² + Σ w_k |a_k - ā|².

    The spread describes these members. Where they are draws of one recipe (seeds, bootstraps) and you
    want to know how far another draw would be, divide spread² by 1 - Σ w_k².

    **Sampled values.** With standard errors s_k that are independent of one another, sampling alone makes
    sampling² = Σ w_k (1 - w_k) s_k² of spread². Members explained with one recipe and seed share their
    coalitions; then their errors partly cancel in a_k - ā, sampling is overstated, and `beyond_sampling`
    is at most the true spread. (`docs/decisions/0011`.)

    Args:
        members: one attribution per member: the same rows, target, scale and players. Or the ensemble's
            own, whose parts they are; or a stack of them.
        weights: one per member, by position or by name, none negative; divided by their sum. None gives all
            the same, those of the ensemble, or a stack's.
        predictions: each member's own class for each row `(m, n)`, as names or positions; None leaves it
            unknown, or leaves a stack's.

    Raises:
        InputError: members that may not be averaged; see `Members.of`.
        IncompatibleError: members in different units, or explained over different backgrounds.

    Source: Krogh & Vedelsby (1995), "Neural network ensembles, cross validation, and active learning", for
    the identity; Mulye & Valdenegro-Toro (2024), "Uncertainty quantification for gradient-based
    explanations in neural networks", for mean and spread. **Differs:** the ratio of the identity's two
    parts, sign consensus, and sampling set apart from spread.

    Example:
        Three members of the same weight; the third contradicts the others on one column of two.

        >>> from workbench.core import Inputs, Target
        >>> from workbench.methods import ExactShapley
        >>> def member(name, values):
        ...     rows = Inputs([[0.0, 0.0]], kind="tabular", features=("a", "b"))
        ...     zero = np.zeros(1)
        ...     return Attribution([values], zero, zero, None, rows, name, ExactShapley(), Target(0),
        ...                        ("yes",), "logit")
        >>> found = disagreement([member("x", [1, 3]), member("y", [1, 3]), member("z", [1, -3])])
        >>> found.mean, found.spread.round(3), found.consensus.round(3)
        (array([[1., 1.]]), array([[0.   , 2.828]]), array([[1.   , 0.667]]))
        >>> found.ratio
        array([0.8])
    """
    if isinstance(members, Members):
        stack = members if weights is None else members.reweighted(weights)
        if predictions is not None:
            stack = stack.with_predictions(predictions)
    else:
        stack = Members.of(members, weights, predictions)
    return _measured(stack)


def _measured(members: Members) -> Disagreement:
    w, credit = members.weights, members.credit
    mean = np.tensordot(w, credit, 1)
    variance = np.tensordot(w, (credit - mean) ** 2, 1)
    sampling = None
    if members.error is not None:
        sampling = np.sqrt(np.tensordot(w * (1 - w), members.error**2, 1))
    least = NOTHING * np.abs(credit).max(axis=(0, 2))[:, None]
    same_sign = _signs(credit, least) == _signs(mean, least)
    squares = _squares(members)
    return Disagreement(
        members,
        mean,
        np.sqrt(variance),
        sampling,
        consensus=np.tensordot(w, same_sign.astype(np.float64), 1),
        ratio=_parts(variance.sum(axis=1), squares.sum(axis=1)),
        overall=float(_parts(variance.sum(), squares.sum())),
    )


def _squares(members: Members) -> Array:
    """The weighted mean of squared credit `(n, p)`."""
    return np.tensordot(members.weights, members.credit**2, 1)


def _parts(part: ArrayLike, whole: ArrayLike) -> Array:
    """`part / whole`, 0 where there is nothing, never above 1 by rounding."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.minimum(part / np.where(whole > 0, whole, 1.0), 1.0)


def _signs(values: Array, least: Array) -> Array:
    return np.where(np.abs(values) > least, np.sign(values), 0.0)


def _table(frame: pandas.DataFrame) -> str:
    return html_table(list(frame.columns), frame_cells(frame))
