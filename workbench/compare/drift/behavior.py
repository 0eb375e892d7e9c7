"""How a model's predictions changed in a copy: the first thing to look at, before any explanation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.drift.labels import crossings, exclusive, given_labels, true_labels
from workbench.compare.drift.result import Behavior
from workbench.core import Scale, class_names, class_positions, predicted_classes
from workbench.errors import InputError

Array = NDArray[np.float64]

BINS = 15
_LEAST = 1e-12  # a probability of 0 where the reference has more would make the divergence infinite


def behavior(
    reference: ArrayLike,
    copy: ArrayLike,
    outputs: Sequence[str],
    scale: Scale,
    *,
    y: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    name: str = "copy",
) -> Behavior:
    """Flips, divergence, differences, accuracy and calibration of a copy beside its reference.

    With one output, the classes are the output and its opposite, "not <output>", and the threshold is 0 for
    logits and 0.5 for probabilities. Raw scores have no classes: only their differences are measured.

    Labels that do not exclude each other are decided one by one: where `y` has a column per output, or
    probabilities do not sum to 1. A flip is then a row of which any label crossed its threshold, and
    accuracy and calibration are those of the single decisions, averaged over the labels. With such scores
    and one class per row in `y`, the accuracy is that of the highest score.

    Args:
        reference: the reference's scores `(n, k)`.
        copy: the copy's, of the same rows.
        outputs: the k outputs' names.
        scale: the unit of both.
        y: each row's true class `(n,)`, as positions or names, where known. Numbers are positions,
            or names where they cannot be positions. Of labels that do not exclude each other, 0 or 1 for
            each `(n, k)`.
        classes: the label of each class in the fit (`Model.classes`), where known: then numbers are labels.
        name: the copy's name.

    Raises:
        InputError: shapes of scores differ, there are no rows, or a class is not an output.

    Source: Dutta et al. (2024), "Accuracy is not all you need", for flips and divergence; McNemar (1947),
    exact; Naeini et al. (2015), "Obtaining well calibrated probabilities using Bayesian binning", for ECE;
    Brier (1950), whose score sums over the classes.

    Example:
        >>> before, after = [[2.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.5, 1.0]]
        >>> found = behavior(before, after, ("cat", "dog"), "logit", y=[0, 1])
        >>> found.flips, dict(found.flips_by), found.accuracy, found.largest
        (0.5, {('dog', 'cat'): 0.5}, (1.0, 0.5), 1.5)
    """
    before, after = (np.asarray(scores, dtype=np.float64) for scores in (reference, copy))
    if before.shape != after.shape or before.ndim != 2 or before.shape[1] != len(outputs):
        raise InputError(
            f"Behavior needs scores (n, {len(outputs)}) of the same rows from both models, but the "
            f"reference has {before.shape} and {name!r} {after.shape}. Give one column per "
            f"output of {list(outputs)}."
        )
    if not len(before):
        raise InputError("Behavior needs rows, but there are none. Give at least one.")
    difference = np.abs(after - before)
    largest, typical = float(difference.max()), float(difference.mean())
    first, second = predicted_classes(before, scale), predicted_classes(after, scale)
    if first is None or second is None:
        return Behavior(name, None, {}, None, None, None, largest, typical, None, None, None, None)
    of_labels = y is not None and np.ndim(y) == 2 and len(outputs) > 1
    if of_labels or not (exclusive(before, scale) or (y is not None and np.ndim(y) == 1)):
        return _of_labels(name, before, after, outputs, scale, y)
    labels = class_names(outputs)
    flipped = first != second
    pairs, counts = np.unique(
        np.stack([first, second], axis=1)[first != second], axis=0, return_counts=True
    )
    flips_by = {
        (labels[a], labels[b]): int(count) / len(first)
        for (a, b), count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }
    chances = probabilities(before, scale), probabilities(after, scale)
    truth = None if y is None else _known(y, labels, classes, len(before))
    to_wrong = to_right = mcnemar = None
    accuracy = ece = brier = None
    if truth is not None:
        right = first == truth, second == truth
        lost, won = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
        to_wrong, to_right = lost / len(first), won / len(first)
        accuracy = float(right[0].mean()), float(right[1].mean())
        mcnemar = _mcnemar(lost, won)
    if truth is not None and chances[0] is not None and chances[1] is not None:
        ece = _calibration(chances[0], truth), _calibration(chances[1], truth)
        brier = _brier(chances[0], truth), _brier(chances[1], truth)
    return Behavior(
        name,
        float(flipped.mean()),
        flips_by,
        to_wrong,
        to_right,
        _divergence(*chances),
        largest,
        typical,
        accuracy,
        mcnemar,
        ece,
        brier,
    )


def flips(before: ArrayLike, after: ArrayLike, scale: Scale) -> NDArray[np.bool_]:
    """Which rows have another predicted class `(n,)`; no row for raw scores.

    Probabilities that do not sum to 1 belong to labels that do not exclude each other: there a row counts
    where any label crosses one half, and not where another label becomes the highest.

    >>> flips([[0.9, 0.8]], [[0.9, 0.2]], "probability"), flips([[0.9, 0.8]], [[0.8, 0.9]], "probability")
    (array([ True]), array([False]))
    """
    before, after = (np.asarray(scores, dtype=np.float64) for scores in (before, after))
    first, second = predicted_classes(before, scale), predicted_classes(after, scale)
    if first is None or second is None:
        return np.zeros(len(before), dtype=bool)
    if not exclusive(before, scale):
        return np.asarray((given_labels(before, scale) != given_labels(after, scale)).any(axis=1))
    return np.asarray(first != second)


def _of_labels(
    name: str,
    before: Array,
    after: Array,
    outputs: Sequence[str],
    scale: Scale,
    y: ArrayLike | None,
) -> Behavior:
    """The same for labels that do not exclude each other: every label of a row is a decision."""
    from scipy.special import expit

    first, second = given_labels(before, scale), given_labels(after, scale)
    to_wrong = to_right = accuracy = ece = None
    if y is not None:
        truth = true_labels(np.asarray(y), before.shape)
        right = first == truth, second == truth
        accuracy = float(right[0].mean()), float(right[1].mean())
        to_wrong = float((right[0] & ~right[1]).mean())
        to_right = float((~right[0] & right[1]).mean())
        chances = (before, after) if scale == "probability" else (expit(before), expit(after))
        one, two = (
            float(
                np.mean(
                    [
                        _calibration(
                            np.stack([1 - p[:, j], p[:, j]], 1), truth[:, j].astype(np.intp)
                        )
                        for j in range(truth.shape[1])
                    ]
                )
            )
            for p in chances
        )
        ece = one, two
    difference = np.abs(after - before)
    return Behavior(
        name,
        float((first != second).any(axis=1).mean()),
        crossings(first, second, tuple(outputs)),
        to_wrong,
        to_right,
        None,
        float(difference.max()),
        float(difference.mean()),
        accuracy,
        None,
        ece,
        None,
    )


def probabilities(scores: ArrayLike, scale: Scale) -> Array | None:
    """Scores as probabilities of the classes `(n, k)`, two of them where there is one output.

    None for raw scores, and for probabilities that do not sum to 1: their classes do not exclude each
    other.

    >>> probabilities([[0.0]], "logit")
    array([[0.5, 0.5]])
    """
    from scipy.special import expit, softmax

    scores = np.asarray(scores, dtype=np.float64)
    if scale == "raw":
        return None
    if scores.shape[1] == 1:
        # Both from the logit: 1 - expit(40) would be 0.
        pair = (-scores, scores) if scale == "logit" else (1 - scores, scores)
        both = np.concatenate(pair, axis=1)
        return np.asarray(expit(both) if scale == "logit" else both)
    if scale == "logit":
        return np.asarray(softmax(scores, axis=1))
    total = scores.sum(axis=1, keepdims=True)
    return np.asarray(scores / total) if exclusive(scores, scale) else None


def _known(
    y: ArrayLike, names: Sequence[str], labels: Sequence[Any] | None, n: int
) -> NDArray[np.intp]:
    """Known classes as positions among `names`."""
    given = np.asarray(y)
    if given.shape != (n,):
        raise InputError(
            f"Behavior needs one known class per row, shape ({n},), but they have {given.shape}. Leave "
            "classes out where they are not known."
        )
    return class_positions(given, names, labels=labels)


def _divergence(before: Array | None, after: Array | None) -> float | None:
    """Mean of sum p log(p / q), never below 0 by rounding."""
    from scipy.special import rel_entr

    if before is None or after is None:
        return None
    return max(0.0, float(rel_entr(before, np.maximum(after, _LEAST)).sum(axis=1).mean()))


def _mcnemar(lost: int, won: int) -> float:
    """Two-sided p of the hypothesis that rows change from right to wrong as often as back (binomial)."""
    from scipy.stats import binom

    changed = lost + won
    return min(1.0, 2 * float(binom.cdf(min(lost, won), changed, 0.5))) if changed else 1.0


def _calibration(chances: Array, truth: NDArray[np.intp]) -> float:
    """Gap between confidence and accuracy per bin (low, high], weighted by the bin's rows."""
    confidence = chances.max(axis=1)
    right = chances.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    gap = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gap).sum() / len(truth))


def _brier(chances: Array, truth: NDArray[np.intp]) -> float:
    known = np.eye(chances.shape[1])[truth]
    return float(((chances - known) ** 2).sum(axis=1).mean())
