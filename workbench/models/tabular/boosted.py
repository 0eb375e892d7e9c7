"""`Boosted`: what is known about a boosting library's model, in that library's columns and codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.core import Trees
from workbench.models.outputs import numbered

Array = NDArray[np.float64]
Link = Literal["identity", "logistic", "logistics", "softmax", "log", "other"]
"""The function from sums of trees to predictions: none, the logistic function of one sum or of each,
softmax, the exponential, or another one."""

NOT_OFFERED = "so TreeSHAP is not offered."


def unit_of(link: Link, objective: str) -> str:
    """What the margins are, where the library predicts something else; "" where it predicts them.

    >>> unit_of("log", "count:poisson"), unit_of("other", "binary:hinge"), unit_of("identity", "")
    ('logarithm of the prediction', 'margin of binary:hinge', '')
    """
    if link == "log":
        return "logarithm of the prediction"
    return f"margin of {objective}" if link == "other" else ""


@dataclass(frozen=True, eq=False)
class Boosted:
    """A fitted model of XGBoost, LightGBM or CatBoost, before it is matched with the rows.

    Args:
        library: its name, for messages.
        width: how many columns it reads.
        names: their names, or () when the library generated them.
        link: from margins to predictions.
        columns: how many margins a row has.
        classes: the classes' names; one more than margins when the link is "logistic".
        margin: the sums of trees `(n, columns)` for rows in its own columns and codes; for a `framed`
            model, rows as a frame.
        read: reads the trees, over the model's own columns and codes.
        why: why TreeSHAP cannot use the trees, or "".
        labels: {column that holds categories: the labels by their code}; () where only codes are known.
        coded: columns of categories whose labels are lost, so that nobody knows what their codes mean.
        framed: whether it needs frames, because only the library can turn its labels into codes.
        strict: whether it refuses a label it was not fitted with; otherwise such a label counts as missing.
        tolerance: how far its own sum may be from the float64 sum of its leaves, relative to it.
        digest: the sha256 of the trees and of everything else that decides the scores.
        unit: in words, what the margins of a model that does not classify are, where its library predicts
            something else.
        notes: sentences the user should know.
    """

    library: str
    width: int
    names: tuple[str, ...]
    link: Link
    columns: int
    classes: tuple[str, ...]
    margin: Callable[[Any], Array]
    read: Callable[[], Trees]
    why: str = ""
    labels: Mapping[int, tuple[Any, ...]] = field(default_factory=dict)
    coded: frozenset[int] = frozenset()
    framed: bool = False
    strict: bool = False
    tolerance: float = 1e-9
    digest: str = ""
    unit: str = ""
    notes: tuple[str, ...] = ()

    @property
    def classifies(self) -> bool:
        """Whether its margins are log-odds or are turned into probabilities by softmax."""
        return self.link in ("logistic", "logistics", "softmax")

    def outputs(self, *, probable: bool) -> tuple[str, ...]:
        """A name per column of scores: with two classes, one logit, named after the second."""
        if self.link == "logistic":
            names = self.classes or ("0", "1")
            return names if probable else names[1:]
        if self.link == "softmax":
            return self.classes or tuple(str(j) for j in range(self.columns))
        return self.classes or numbered(self.columns)

    def probabilities(self, margins: Array) -> Array:
        """The probabilities of `predict_proba`, computed from the margins."""
        if self.link == "softmax":
            powers = np.exp(margins - margins.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        p = np.exp(-np.logaddexp(0.0, -margins))
        return np.concatenate([1.0 - p, p], axis=1) if self.link == "logistic" else p
