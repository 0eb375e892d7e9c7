"""The words in pictures of an ensemble's explanation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.compare import CONSENSUS, Disagreement
from workbench.draw.style import headline, label, plain

HATCH = "////"

KEY = f"hatched: less than {CONSENSUS:.0%} of the weight has the mean's sign"


def heading(found: Disagreement, row: int, shown: Sequence[int] | None = None) -> tuple[str, str]:
    """The question that the picture answers; and its byline: method, members, and how many are not shown.

    Args:
        found: the members.
        row: which of their rows.
        shown: the members with a panel of their own; None where a picture has none for any.
    """
    methods = list(dict.fromkeys(type(part.method).__name__ for part in found.members.parts))
    early = "" if all(part.complete for part in found.members.parts) else " · stopped early"
    m = len(found.members)
    how = "sum of their contributions" if found.members.summed else "weighted mean"
    who = f"{label(', '.join(methods), 40)} of {m} member{'s' if m != 1 else ''}, {how}{early}"
    if shown is not None and len(shown) < m:
        who += f" · the {len(shown)} members of largest weight, {m - len(shown)} not shown"
    return headline(found.members.parts[0], row), who


def mean_label(found: Disagreement) -> str:
    """The label of the members' weighted mean or sum: "the ensemble" where it is its own explanation."""
    if found.members.summed:
        return "sum of members"
    return "the ensemble" if found.is_of_ensemble else "weighted mean"


def times(found: Disagreement) -> int:
    """How often the members' mean counts in what is drawn: once, or once for each term of a sum."""
    return len(found.members) if found.members.summed else 1


def verdict(found: Disagreement, row: int) -> str:
    """Output and disagreement of one row in words."""
    mean = float(found.members.weights @ found.members.output[:, row])
    words = f"mean output {plain(mean)}"
    if (found.is_of_ensemble or found.members.summed) and found.members.ensemble is not None:
        words = f"output {plain(float(found.members.ensemble.output[row]))}"
    words += f" · disagreement ratio {found.ratio[row]:.2f}"
    if found.sampling is not None:
        words += f" (sampling alone: {found.ratio_of_sampling[row]:.2f})"
    return words


def chosen(found: Disagreement, most: int) -> list[int]:
    """The members that get a panel of their own: all, or the `most` with the largest weights, in order."""
    heaviest = np.argsort(-found.members.weights, kind="stable")[:most]
    return sorted(int(k) for k in heaviest)


def member_label(found: Disagreement, k: int, limit: int = 24) -> str:
    """A member's name, and its weight in a mean."""
    name = label(found.members.names[k], limit)
    if found.members.summed:
        return name
    return f"{name} ({found.members.weights[k]:.0%})"
