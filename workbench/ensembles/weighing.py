"""Weights for a soft vote, found on held-out rows, and their scores there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, class_positions, clean, escape, html_table
from workbench.ensembles.voting import vote
from workbench.errors import InputError, ModelError

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]
By = Literal["log loss", "greedy", "accuracy", "uniform"]

_LEAST = 1e-15  # a smaller probability of the true class counts as this much, so that no loss is infinite
_ROUNDS = 50
_OPTIMAL = 1e-5  # measured: the search ends within 5e-7 of the optimum


@dataclass(frozen=True, eq=False)
class Weighing:
    """Weights of members, and the scores of members and ensembles on the same held-out rows.

    Args:
        by: how `weights` were found.
        members: the m members' names.
        weights: the chosen weights `(m,)`, summing to one.
        ways: {how: weights `(m,)`}, for comparison.
        log_loss: {member's or way's name: mean negative log-probability of the true class, in nats}.
        accuracy: {the same: share of rows whose highest probability belongs to the true class}.
        rows: how many rows they were found on.
    """

    by: By
    members: tuple[str, ...]
    weights: Array
    ways: dict[str, Array]
    log_loss: dict[tuple[str, str], float]
    accuracy: dict[tuple[str, str], float]
    rows: int

    def to_frame(self) -> pandas.DataFrame:
        """One line per member and per way: kind, name, log_loss, accuracy, weight (members only)."""
        import pandas as pd

        weight = dict(zip(self.members, self.weights, strict=True))
        return pd.DataFrame(
            [
                {
                    "kind": kind,
                    "name": name,
                    "log_loss": loss,
                    "accuracy": self.accuracy[kind, name],
                    "weight": weight[name] if kind == "member" else np.nan,
                }
                for (kind, name), loss in self.log_loss.items()
            ]
        )

    def __repr__(self) -> str:
        pairs = zip(self.members, self.weights, strict=True)
        shown = ", ".join(f"{clean(name)} {weight:.3f}" for name, weight in list(pairs)[:10])
        return f"Weighing(by {self.by}, {self.rows} rows: {shown})"

    def _repr_html_(self) -> str:
        lines = [
            (
                line.kind,
                line.name,
                f"{line.log_loss:.4f}",
                f"{line.accuracy:.1%}",
                "" if np.isnan(line.weight) else format(line.weight, ".3f"),
            )
            for line in self.to_frame().itertuples(index=False)
        ]
        table = html_table(("", "name", "log loss", "accuracy", "weight"), lines, named=2)
        return f"<p>Weights by <b>{escape(self.by)}</b>, on {self.rows} held-out rows</p>{table}"


def weigh(models: Sequence[Model], rows: Inputs, *, by: By = "log loss") -> Weighing:
    """Weights for `vote(models, weighing.weights, space="probability")`, from held-out rows.

    - "log loss": the least log loss over all weights that are not negative and sum to one, which is a
      convex problem;
    - "greedy": the member that helps most is added, with replacement, 50 times (Caruana et al. 2004);
    - "accuracy": in proportion to accuracy, which hardly differs from uniform;
    - "uniform".

    All four are computed and shown. The scores on these rows flatter weights that were found on them: judge
    an ensemble on rows that were not used for this.

    Source: van der Laan, Polley & Hubbard (2007) for the first; Caruana et al. (2004), section 2.1 to 2.2.

    Args:
        models: the trained members, which have not seen these rows.
        rows: held-out rows, whose `y` are positions of the first member's outputs, or their names.
        by: which weights are chosen.

    Raises:
        InputError: rows without classes, or with a class that is no output.
    """
    if by not in get_args(By):
        raise InputError(f"weigh needs by={list(get_args(By))}, not {by!r}.")
    ensemble = vote(models, space="probability", like=rows if rows.of_kind.columns else None)
    combination = ensemble.combination
    assert combination is not None
    true = _positions(rows, ensemble)
    member_scores = np.stack(
        [
            member.scores(rows.values) @ view.T
            for member, view in zip(combination.members, combination.views, strict=True)
        ]
    )
    of_true = np.maximum(member_scores[:, np.arange(len(true)), true], _LEAST)
    right = (member_scores.argmax(axis=2) == true).mean(axis=1)
    if right.sum() == 0:
        right = np.ones(len(member_scores))
    ways = {
        "log loss": least_log_loss(of_true),
        "greedy": greedy(of_true),
        "accuracy": right / right.sum(),
        "uniform": np.full(len(member_scores), 1 / len(member_scores)),
    }
    names = [member.name for member in combination.members]
    loss: dict[tuple[str, str], float] = {}
    accuracy: dict[tuple[str, str], float] = {}
    whole = {("member", name): row for name, row in zip(names, np.eye(len(names)), strict=True)}
    for key, weights in {**whole, **{("ensemble", way): w for way, w in ways.items()}}.items():
        loss[key] = float(-np.log(weights @ of_true).mean())
        mixed = np.einsum("m,mnk->nk", weights, member_scores)
        accuracy[key] = float((mixed.argmax(axis=1) == true).mean())
    return Weighing(by, tuple(names), ways[by], ways, loss, accuracy, len(rows))


def least_log_loss(of_true: Array) -> Array:
    """The weights `(m,)` on the simplex with the least mean of `-log(weights @ of_true)`.

    >>> least_log_loss(np.array([[0.9, 0.1], [0.1, 0.9]])).round(3)
    array([0.5, 0.5])

    Args:
        of_true: the probability of the true class, by member and row `(m, n)`, above zero.

    Raises:
        ModelError: the search did not end at the optimum.
    """
    from scipy.optimize import minimize

    m = len(of_true)

    def loss(weights: Array) -> tuple[float, Array]:
        mixed = np.maximum(weights @ of_true, _LEAST)
        return float(-np.log(mixed).mean()), -(of_true / mixed).mean(axis=1)

    found = minimize(
        loss,
        np.full(m, 1 / m),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda _: np.ones(m)},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    weights = np.maximum(found.x, 0.0)
    weights = weights / weights.sum()
    # At the optimum no member's mean gain is above one: the first-order condition of a convex problem.
    gain = float((of_true / (weights @ of_true)).mean(axis=1).max())
    if gain > 1 + _OPTIMAL:
        raise ModelError(
            f"Weights of least log loss need a search that ends at the optimum, but it stopped where more "
            f"of one member would still help ({gain:.6f} times, not 1). Use by='greedy'."
        )
    return np.asarray(weights)


def greedy(of_true: Array, rounds: int = _ROUNDS) -> Array:
    """Weights `(m,)` of members picked one at a time, with replacement, by the log loss of their mean.

    >>> greedy(np.array([[0.9, 0.9], [0.1, 0.2]]))
    array([1., 0.])

    Args:
        of_true: the probability of the true class, by member and row `(m, n)`, above zero.
        rounds: how many picks.
    """
    picked = np.zeros(len(of_true))
    total = np.zeros(of_true.shape[1])
    for done in range(rounds):
        losses = -np.log((total + of_true) / (done + 1)).mean(axis=1)
        best = int(np.argmin(losses))
        picked[best] += 1
        total = total + of_true[best]
    return picked / rounds


def _positions(rows: Inputs, ensemble: Model) -> NDArray[np.intp]:
    if rows.y is None:
        raise InputError(
            f"Weights are found on rows whose classes are known, but {rows.name!r} has none. Give "
            "Inputs(y=...)."
        )
    return class_positions(rows.y, ensemble.outputs, labels=ensemble.classes, ids=rows.ids)
