"""How faithfully a copy reproduces its original, on rows it has not learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core import Scale, predicted_classes

Array = NDArray[np.float64]


def explained_share(own: Array, wanted: Array) -> float | None:
    """R²: the share of the variance of `wanted` `(n, k)` that `own` explains; None where it has none.

    >>> explained_share(np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    1.0
    """
    spread = float(((wanted - wanted.mean(axis=0)) ** 2).sum())
    return None if spread == 0 else 1.0 - float(((own - wanted) ** 2).sum()) / spread


def agreement(own: Array, wanted: Array, scale: Scale) -> float | None:
    """The share of rows for which both predict the same class; None where scores are of no classes.

    One score stands for two classes: the second is predicted above a half (probability) or zero (logit).

    >>> agreement(np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([[3.0, 0.0], [5.0, 1.0]]), "logit")
    0.5
    """
    first, second = predicted_classes(own, scale), predicted_classes(wanted, scale)
    if first is None or second is None:
        return None
    return float((first == second).mean())


def fidelity_note(own: Array, wanted: Array, scale: Scale, of: str) -> str:
    """Both figures on the held-out rows, as a sentence.

    >>> fidelity_note(np.array([[0.0], [4.0]]), np.array([[0.0], [4.0]]), "raw", "net")
    'On 2 rows held out, R² of its scores against those of net is 1.000.'
    """
    share, same = explained_share(own, wanted), agreement(own, wanted, scale)
    if share is None:
        first = f"On {len(own)} rows held out, {of} gives the same scores to all, so there is no R²"
    else:
        first = (
            f"On {len(own)} rows held out, R² of its scores against those of {of} is {share:.3f}"
        )
    return f"{first}." if same is None else f"{first}; both predict the same class for {same:.1%}."
