"""A member in another unit: probabilities from logits and back, and votes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Call, Model, Scale, Trees, class_names, predicted_classes
from workbench.errors import IncompatibleError, ModelError
from workbench.models.tabular import final_step, logits_per_class

Array = NDArray[np.float64]
Slope = Callable[[Array, Array], Array]
"""From scores `(n, k)` and weights of converted scores `(t, n, K)` to weights of scores `(t, n, k)`."""


def in_scale(model: Model, scale: Scale, classes: Sequence[str] = ()) -> Model:
    """The model with its scores in another scale, exactly: logistic function, softmax or its inverse.

    Gradients follow by the chain rule, at the cost of one more call for the scores. Trees are dropped: they
    add up only in their own scale.

    >>> model = Model("m", lambda rows: rows, ("yes",), "logit")
    >>> in_scale(model, "probability", ("no", "yes")).scores(np.array([[0.0]]))
    array([[0.5, 0.5]])

    Args:
        model: in "logit" or "probability"; several logits are the input of a softmax.
        scale: "logit" or "probability".
        classes: the names of both classes, in order: the order of the probabilities of one logit, and for
            two probabilities the class of the logit (the second).

    Raises:
        IncompatibleError: the scores have another scale, from which there is no exact conversion.
    """
    if model.scale == scale:
        return model
    if {model.scale, scale} != {"logit", "probability"} or logits_per_class(model.native, scale):
        raise IncompatibleError(
            f"Member {model.name!r} has scores in {model.scale!r}, from which {scale!r} does not follow. "
            f"Wrap it with scale={scale!r} where its library knows it, or leave it out."
        )
    if scale == "probability":
        if len(model.outputs) > 1:
            return _converted(model, scale, model.outputs, _probabilities, _probability_slope)
        names = both_classes(model, classes)
        turn = 1 if names[1] == model.outputs[0] else -1  # the logit may belong to the first class
        return _converted(
            model,
            scale,
            names,
            lambda scores: _probabilities(scores)[:, ::turn],
            lambda scores, weights: _probability_slope(scores, weights[:, :, ::turn]),
        )
    names, turn = model.outputs, 1
    if len(names) == 2:
        turn = -1 if len(classes) == 2 and names == tuple(classes)[::-1] else 1
        names = names[::turn][1:]

    def logits(p: Array) -> Array:
        if (p <= 0).any() or ((p >= 1).any() and p.shape[1] < 3):
            row = int(np.flatnonzero(((p <= 0) | (p >= 1)).any(axis=1))[0])
            raise ModelError(
                f"Logits need probabilities strictly between 0 and 1, but member {model.name!r} gave "
                f"{p[row].tolist()} (position {row} of {len(p)}). Combine in space='probability'."
            )
        if p.shape[1] == 1:
            return np.log(p) - np.log1p(-p)
        if p.shape[1] == 2:
            return (np.log(p[:, 1:]) - np.log(p[:, :1])) * turn
        return np.log(p)

    return _converted(
        model, scale, names, logits, lambda p, weights: _logit_slope(p, weights * turn)
    )


def both_classes(model: Model, classes: Sequence[str]) -> tuple[str, ...]:
    """The names of both classes where one logit belongs to one of them: in the order of `classes`.

    Where `classes` does not name it, the other class comes first.
    """
    (one,) = model.outputs
    if len(classes) == 2 and one in classes:
        return tuple(classes)
    known = getattr(final_step(model.native)[0], "classes_", None)
    if known is not None and len(known) == 2 and str(known[1]) == one:
        return (str(known[0]), one)
    return class_names(model.outputs)


def voting(
    model: Model,
    classes: tuple[str, ...],
    labels: Callable[[NDArray[Any]], NDArray[np.intp]] | None = None,
) -> Model:
    """The model's votes `(n, K)`: 1 for the class it predicts, 0 for the others.

    The vote of a single tree is a tree too, so that its exact Shapley values are known.

    Args:
        model: its highest score is its vote; for one logit, the sign decides.
        classes: the ensemble's classes.
        labels: from rows to positions in `classes`, where the library itself gives the predicted class.
    """
    own = [classes.index(name) for name in model.outputs]
    rest = [j for j in range(len(classes)) if j not in own]

    places = np.array(
        [rest[0], own[0]] if len(own) == 1 else own
    )  # of `class_names(model.outputs)`

    def votes(scores: Array) -> Array:
        predicted = predicted_classes(scores, "logit" if model.scale == "logit" else "probability")
        assert predicted is not None
        return np.asarray(np.eye(len(classes))[places[predicted]])

    def voted(call: Call) -> Array:
        if labels is not None:
            return np.asarray(np.eye(len(classes))[labels(call["rows"])])
        return votes(model.scores(call["rows"]))

    @cache
    def trees() -> Trees:
        (tree,) = (found := model.trees()).trees  # type: ignore[misc]
        votes_tree = replace(tree, values=votes(found.offset + tree.values))
        return Trees((votes_tree,), np.zeros(len(classes)), found.dtype)

    single = model.trees is not None and len(model.trees().trees) == 1
    return replace(
        model.through(voted, can=()),
        outputs=classes,
        scale="probability",
        layers=None,
        trees=trees if single else None,
        native=None,  # the object gives other scores, and so do the members of an ensemble
        combination=None,
    )


def _converted(
    model: Model, scale: Scale, names: tuple[str, ...], link: Callable[[Array], Array], slope: Slope
) -> Model:
    def linked(call: Call) -> Any:
        if "rows" not in call.takes:
            return link(np.asarray(call(), dtype=np.float64))
        scores = model.scores(call["rows"])
        if call.scores_alone:
            return link(scores)
        inner = call.taking(weights=lambda weights: slope(scores, weights))
        return call.giving(inner(), scores=lambda _: link(scores))

    can = ("gradient", "masked", "masked_half")
    how = "the logistic function" if len(model.outputs) == 1 else "softmax"
    return replace(
        model.through(linked, [name for name in can if getattr(model, name) is not None]),
        outputs=names,
        scale=scale,
        layers=None,
        trees=None,
        native=None,  # the object gives other scores, and so do the members of an ensemble
        combination=None,
        notes=(
            *model.notes,
            f"The scores of {model.name!r} were turned from {model.scale} into {scale} by "
            + (f"{how}." if scale == "probability" else f"the inverse of {how}."),
        ),
    )


def _probabilities(logits: Array) -> Array:
    if logits.shape[1] == 1:
        p = np.exp(-np.logaddexp(0.0, -logits))
        return np.concatenate([1.0 - p, p], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _probability_slope(logits: Array, weights: Array) -> Array:
    p = _probabilities(logits)
    slope = p * (weights - (weights * p).sum(axis=2, keepdims=True))
    return np.asarray(slope[:, :, 1:] if logits.shape[1] == 1 else slope)


def _logit_slope(p: Array, weights: Array) -> Array:
    if p.shape[1] == 1:
        return np.asarray(weights / (p * (1 - p)))
    if p.shape[1] == 2:
        return np.concatenate([-weights / p[:, :1], weights / p[:, 1:]], axis=2)
    return np.asarray(weights / p)
