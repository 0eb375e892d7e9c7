"""Labels that do not exclude each other: each is decided by itself, and a row may have several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core import Scale
from workbench.errors import InputError

Array = NDArray[np.float64]

SUM = 4e-3
"""How far probabilities of classes may be from summing to 1: bfloat16 keeps 8 bits, so each is up to 1/256
off, and so is their sum."""


def exclusive(scores: Array, scale: Scale) -> bool:
    """Whether scores `(n, k)` can be those of classes of which each row has exactly one.

    >>> exclusive(np.array([[0.9, 0.8]]), "probability"), exclusive(np.array([[0.9, 0.8]]), "logit")
    (False, True)
    """
    if scale != "probability" or scores.shape[1] == 1:
        return True
    return bool(np.abs(scores.sum(axis=1) - 1).max(initial=0.0) <= SUM)


def given_labels(scores: Array, scale: Scale) -> NDArray[np.bool_]:
    """Which labels each row gets `(n, k)`: those above one half, or above 0 where scores are logits."""
    return np.asarray(scores > (0.0 if scale == "logit" else 0.5))


def true_labels(y: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Known labels, one column each, as booleans `(n, k)`.

    Raises:
        InputError: another shape, or numbers other than 0 and 1.
    """
    if y.shape != shape or not np.isin(y, (0, 1)).all():
        raise InputError(
            f"Known labels need a column of 0 and 1 for each of the outputs, shape {shape}, but they have "
            f"the shape {y.shape} and values such as {np.unique(y)[:4].tolist()}. Where each row has one "
            "class, give one per row."
        )
    return np.asarray(y.astype(bool))


def crossings(
    first: NDArray[np.bool_], second: NDArray[np.bool_], outputs: tuple[str, ...]
) -> dict[tuple[str, str], float]:
    """The share of rows by the label that they gained or lost.

    >>> crossings(np.array([[True], [False]]), np.array([[False], [False]]), ("rain",))
    {('rain', 'not rain'): 0.5}
    """
    found = {}
    for j, name in enumerate(outputs):
        for before, words in ((True, (name, f"not {name}")), (False, (f"not {name}", name))):
            share = float(((first[:, j] == before) & (second[:, j] != before)).mean())
            if share:
                found[words] = share
    return found
