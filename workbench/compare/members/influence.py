"""What each member contributes to a weighted mean of explanations, and how the mean changes without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.compare.members.members import Members
from workbench.core import clean

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]

CANCELS = 0.25
"""A player's credit cancels where at most this share of the members' total size is left in the mean."""


@dataclass(frozen=True, eq=False)
class Influence:
    """Weights at work: contributions, effective shares, leaving one out, cancelling.

    Made by `influence`. m members, n rows, p players; all values in the members' scale.

    Args:
        members: the members.
        contribution: weight times credit `(m, n, p)`; their sum over members is the weighted mean.
        share: each member's share of the total size of contributions to a row `(m, n)`; columns sum to 1.
        overall_share: the same over all rows together `(m,)`.
        output_change: the mean's output without a member minus with it `(m, n)`; NaN when no member is
            left.
        explanation_change: how far the mean explanation moves without a member, as a share of its own
            length `(m, n)`; NaN when no member is left.
    """

    members: Members
    contribution: Array
    share: Array
    overall_share: Array
    output_change: Array
    explanation_change: Array

    def __repr__(self) -> str:
        shares = zip(self.members.names, self.overall_share, strict=True)
        largest = sorted(shares, key=lambda pair: -pair[1])
        first = ", ".join(f"{clean(name, limit=40)} {share:.0%}" for name, share in largest[:3])
        rest = f", {len(largest) - 3} more" if len(largest) > 3 else ""
        return f"Influence({len(self.share[0])} rows: {first}{rest})"

    def cancelling_players(self, count: int = 10) -> pandas.DataFrame:
        """The players whose credit cancels most between members, largest first.

        A player is listed where |sum of contributions| <= sum of |contributions| / 4, so that at most a
        quarter is left in the mean, and where the latter sum is at least that of the row's average player.

        Args:
            count: at most so many lines.

        Returns:
            Columns row, player, mean (what is left), canceled (the size that canceled, in the members'
            scale), raised by and lowered by (the members, largest first).

        Raises:
            InputError: credit went to the places of an image, which have no names.
        """
        import pandas as pd

        players, names = self.members.players, self.members.names
        left = np.abs(self.contribution.sum(axis=0))
        gross = np.abs(self.contribution).sum(axis=0)
        average = gross.mean(axis=1, keepdims=True)
        listed = (left <= CANCELS * gross) & (gross >= average) & (gross > 0)
        canceled = (gross - left) / 2
        order = np.argsort(-np.where(listed, canceled, -1.0), axis=None, kind="stable")
        lines = []
        for at in order[: min(count, int(listed.sum()))]:
            i, j = divmod(int(at), gross.shape[1])
            parts = self.contribution[:, i, j]
            by_size = np.argsort(-np.abs(parts), kind="stable")
            lines.append(
                {
                    "row": self.members.rows[i],
                    "player": players[j],
                    "mean": float(parts.sum()),
                    "canceled": float(canceled[i, j]),
                    "raised by": ", ".join(names[k] for k in by_size if parts[k] > 0),
                    "lowered by": ", ".join(names[k] for k in by_size if parts[k] < 0),
                }
            )
        columns = ["row", "player", "mean", "canceled", "raised by", "lowered by"]
        return pd.DataFrame(lines, columns=columns)

    def cancelling_pairs(self) -> pandas.DataFrame:
        """All pairs of members with a weight; the pair that cancels most comes first.

        Two contributions of opposite sign cancel the smaller of their sizes. `canceled` is that, summed
        over players and averaged over rows; `share` is its part of the most that the two could cancel, the
        smaller sizes summed whatever the signs: 0 for members that never oppose each other, 1 for
        opposites, about a half for members that have nothing to do with each other.

        Returns:
            Columns member, with, canceled (in the members' scale), share (0 where the two have nothing in
            common to cancel).
        """
        import pandas as pd

        names = self.members.names
        sizes = np.abs(self.contribution)
        voting = np.flatnonzero(self.members.weights > 0)
        lines = []
        for place, a in enumerate(voting):
            for b in voting[place + 1 :]:
                smaller = np.minimum(sizes[a], sizes[b])
                opposed = smaller[self.contribution[a] * self.contribution[b] < 0].sum()
                possible = float(smaller.sum())
                lines.append(
                    {
                        "member": names[a],
                        "with": names[b],
                        "canceled": float(opposed) / smaller.shape[0],
                        "share": float(opposed) / possible if possible else 0.0,
                    }
                )
        frame = pd.DataFrame(lines, columns=["member", "with", "canceled", "share"])
        return frame.sort_values("canceled", ascending=False, kind="stable", ignore_index=True)


def influence(members: Members) -> Influence:
    """What each member contributes to the weighted mean, and how the mean changes without it.

    With weights w that sum to 1, credit a_k and the mean ā: member k contributes w_k a_k; its effective
    share is |w_k a_k|₁ / Σ_j |w_j a_j|₁, sizes summed over players (a member with a large weight and small
    values has a small share). Without it the other weights are divided by 1 - w_k, so the mean moves by
    (ā - a_k) w_k / (1 - w_k); `explanation_change` is that length over |ā|₂.

    Where the mean is 0 and moves, the change is infinite; where all contributions are 0, so are the shares.
    """
    w, m = members.weights, len(members)
    contribution = w[:, None, None] * members.credit
    sizes = np.abs(contribution).sum(axis=2)
    totals = sizes.sum(axis=0)
    total = float(totals.sum())
    rest = np.where(np.eye(m, dtype=bool), 0.0, w).sum(
        axis=1
    )  # 1 - w would lose a tiny rest to rounding
    factor = np.where(rest > 0, w / np.where(rest > 0, rest, 1.0), np.nan)
    mean = contribution.sum(axis=0)
    output = members.output
    moved = np.linalg.norm(mean - members.credit, axis=2) * factor[:, None]
    length = np.linalg.norm(mean, axis=1)
    change = np.where(moved == 0, 0.0, np.where(np.isnan(moved), np.nan, np.inf))
    np.divide(moved, length, out=change, where=(length > 0)[None].repeat(m, axis=0))
    return Influence(
        members,
        contribution,
        share=sizes / np.where(totals > 0, totals, 1.0),
        overall_share=sizes.sum(axis=1) / (total or 1.0),
        output_change=(w @ output - output) * factor[:, None],
        explanation_change=change,
    )
