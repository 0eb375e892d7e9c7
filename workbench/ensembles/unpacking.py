"""A fitted scikit-learn ensemble, or a model that is a sum of trees, taken apart into its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Combination, Inputs, Model, checked_weights
from workbench.core.repeatable import repeatable
from workbench.ensembles.assembly import assembled, with_labels, with_outputs
from workbench.ensembles.members import Gathered
from workbench.ensembles.proving import prove
from workbench.ensembles.reading import Reading, reading_of
from workbench.ensembles.rounds import rounds_of
from workbench.ensembles.stacking import stacked
from workbench.ensembles.voting import VOTE_SHARE, listed
from workbench.errors import IncompatibleError, InputError
from workbench.models import wrap
from workbench.models.outputs import numbered
from workbench.models.tabular import booster_library, final_step

Array = NDArray[np.float64]
Answer = Callable[[Any], Any]

_FORESTS = (
    "RandomForestClassifier",
    "ExtraTreesClassifier",
    "RandomForestRegressor",
    "ExtraTreesRegressor",
)
_BOOSTING = (
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
)


@repeatable
def unpack(
    fitted: Any, *, like: Inputs | None = None, name: str | None = None, blocks: int | None = None
) -> Model:
    """The ensemble as a `Model` that knows its members and how they combine.

    It takes apart scikit-learn's Voting, Stacking, Bagging and AdaBoost models and forests, alone or as
    the last step of a Pipeline, and the rounds of gradient boosting (scikit-learn's, XGBoost, LightGBM,
    CatBoost). Before anything is explained, the members together must give the answers of the object
    itself.

    What is explained: Voting, Bagging and forests in probabilities; hard voting in vote shares; a linear
    meta-model and boosting in their margins; regressors in their own unit. A non-linear meta-model and
    AdaBoost's weighted median are no sums: their own scores are explained, beside the members'.

    Args:
        fitted: the estimator or booster, or a `Model` that was wrapped around one.
        like: example rows, like those to be explained; needed if it was fitted on a frame with categories.
        name: what menus and tables call it.
        blocks: for boosting, into how many blocks of consecutive rounds; every round when left out.

    Raises:
        IncompatibleError: this is no ensemble that can be taken apart; the message lists those that can.
        ModelError: the members do not add up to the object's answers.
    """
    native = fitted.native if isinstance(fitted, Model) else fitted
    if isinstance(fitted, Model):
        if fitted.combination is not None:
            return fitted if name is None else fitted.renamed(name)
        name = name or fitted.name
    final, before = final_step(native)
    kind = type(final).__name__
    if booster_library(final) is not None or kind in _BOOSTING:
        whole = fitted if isinstance(fitted, Model) else wrap(native, name=name, like=like)
        return rounds_of(whole, blocks)
    if blocks is not None:
        raise InputError(f"blocks are for the rounds of boosting, but this is a {kind}.")
    opened = _openers().get(kind)
    found = f"a {kind}" if final is not None else f"{name!r}, of which no estimator is known"
    if opened is None or not type(final).__module__.startswith("sklearn."):
        raise IncompatibleError(
            f"Taken apart are {', '.join(_openers())} and gradient boosting, but got {found}. Build an "
            "ensemble of its parts with ensembles.vote([...]) or ensembles.stack([...])."
        )
    if isinstance(getattr(final, "classes_", None), list):
        raise IncompatibleError(
            f"{kind} answers several questions at once, and its members cannot be told apart by output. "
            "Fit one ensemble per question."
        )
    frames = getattr(fitted.predict, "frames", None) if isinstance(fitted, Model) else None
    reading = reading_of(native if before else final, final, like, name or kind, frames=frames)
    if (
        isinstance(fitted, Model)
        and fitted.features
        and fitted.features != reading.gathered.features
    ):
        raise InputError(
            f"Model {fitted.name!r} reads columns {list(fitted.features)[:8]}, but its estimator was "
            f"fitted on {list(reading.gathered.features)[:8]}. Give like=, rows like those to explain."
        )
    model, answer = opened(final, reading, name or kind)
    model = replace(model, native=native, notes=(*reading.notes, *model.notes))
    prove(model, lambda rows: answer(reading.before(rows)), reading, kind)
    if (labels := getattr(final, "classes_", None)) is not None:
        model = with_labels(model, np.asarray(labels, dtype=object).tolist())
    return _called(model, fitted.outputs, final) if isinstance(fitted, Model) else model


def _called(model: Model, outputs: tuple[str, ...], final: Any) -> Model:
    """The ensemble and its members, with outputs named as those of the wrapped estimator."""
    classes = _text(getattr(final, "classes_", ()))
    known = classes if len(classes) == len(outputs) else model.outputs
    if known == outputs or len(known) != len(outputs):
        return model
    return with_outputs(model, dict(zip(known, outputs, strict=True)))


Opened = tuple[Model, Answer]


def _openers() -> dict[str, Callable[[Any, Reading, str], Opened]]:
    return {
        "VotingClassifier": _voting,
        "VotingRegressor": _voting,
        "StackingClassifier": _stacking,
        "StackingRegressor": _stacking,
        "BaggingClassifier": _bagging,
        "BaggingRegressor": _bagging,
        "AdaBoostClassifier": _adaboost,
        "AdaBoostRegressor": _weighted_median,
        **dict.fromkeys(_FORESTS, _forest),
    }


def _voting(fitted: Any, reading: Reading, name: str) -> Opened:
    names, kept = _kept(fitted)
    given = None if fitted.weights is None else [float(fitted.weights[i]) for i in kept]
    weights, _ = checked_weights(given, names)
    if not hasattr(fitted, "classes_"):
        members = [reading.member(e, n) for e, n in zip(fitted.estimators_, names, strict=True)]
        return _mean(members, weights, "prediction", reading, name), fitted.predict
    classes = _text(fitted.classes_)
    if fitted.voting == "soft":
        members = [
            reading.member(e, n, outputs=classes, scale="probability")
            for e, n in zip(fitted.estimators_, names, strict=True)
        ]
        return _mean(members, weights, "probability", reading, name), fitted.predict_proba
    members = [
        reading.voter(e, n, classes, np.arange(len(classes)))
        for e, n in zip(fitted.estimators_, names, strict=True)
    ]
    place = {label: j for j, label in enumerate(fitted.classes_)}

    def winner(rows: Any) -> Array:
        return np.eye(len(classes))[[place[label] for label in fitted.predict(rows)]]

    return _mean(members, weights, "vote share", reading, name, (VOTE_SHARE,)), winner


def _stacking(fitted: Any, reading: Reading, name: str) -> Opened:
    names, _ = _kept(fitted)
    classes = _text(getattr(fitted, "classes_", ()))
    members, takes = [], []
    for estimator, own, method in zip(fitted.estimators_, names, fitted.stack_method_, strict=True):
        if method == "predict_proba":
            member = reading.member(estimator, own, outputs=classes, scale="probability")
            takes.append(np.eye(2)[1:] if len(classes) == 2 else np.eye(len(classes)))
        elif method == "decision_function":
            outputs = classes[1:] if len(classes) == 2 else classes
            if len(classes) > 2 and _judges_pairs(estimator):
                outputs = tuple(f"{a} against {b}" for a, b in combinations(classes, 2))
            member = reading.member(estimator, own, outputs=outputs, scale="raw")
            takes.append(np.eye(len(outputs)))
        elif not classes:
            member = reading.member(estimator, own)
            takes.append(np.eye(len(member.outputs)))
        else:
            raise IncompatibleError(
                f"Member {own!r} of {name!r} gives the meta-model labels (stack_method='predict'), which "
                "are no scores. Fit the stack with stack_method='auto'."
            )
        members.append(member)
    passthrough = None
    if fitted.passthrough:
        width = int(reading.gathered.shape[0] or 0)
        passthrough = np.arange(width) if reading.order is None else reading.order
        if reading.piped or (reading.like is not None and reading.like.categories):
            raise IncompatibleError(
                f"{name!r} passes columns through that other steps or labels change first. Put the steps "
                "into the members, or give the table with numbers."
            )
    model = stacked(
        fitted.final_estimator_,
        _gathered(reading, members),
        takes,
        name=name,
        classes=classes,
        passthrough=passthrough,
    )
    linear = model.combination is not None and model.combination.linear
    if not classes:
        return model, fitted.predict
    probable = not linear and model.scale == "probability"
    return model, fitted.predict_proba if probable else fitted.decision_function


def _judges_pairs(estimator: Any) -> bool:
    """Whether its decision function has one column per pair of classes, as a support vector machine may."""
    return getattr(final_step(estimator)[0], "decision_function_shape", None) == "ovo"


def _bagging(fitted: Any, reading: Reading, name: str) -> Opened:
    members, views = [], []
    classes = _text(getattr(fitted, "classes_", ()))
    every = int(fitted.n_features_in_)
    for number, (estimator, columns) in enumerate(
        zip(fitted.estimators_, fitted.estimators_features_, strict=True), start=1
    ):
        own = f"bag {number}"
        some = np.asarray(columns, dtype=np.intp)
        places = None if np.array_equal(some, np.arange(every)) else some
        if not classes:
            members.append(reading.member(estimator, own, columns=places))
            views.append(np.eye(len(members[-1].outputs)))
            continue
        known = np.asarray(estimator.classes_, dtype=np.intp)
        if hasattr(estimator, "predict_proba"):
            outputs = [classes[j] for j in known]
            members.append(
                reading.member(estimator, own, outputs=outputs, scale="probability", columns=places)
            )
            views.append(np.eye(len(classes))[:, known])
        else:
            members.append(reading.voter(estimator, own, classes, known, places))
            views.append(np.eye(len(classes)))
    weights = np.full(len(members), 1 / len(members))
    space = "probability" if classes else "prediction"
    model = _mean(members, weights, space, reading, name, (), views, classes)
    return model, fitted.predict_proba if classes else fitted.predict


def _forest(fitted: Any, reading: Reading, name: str) -> Opened:
    classes = _text(getattr(fitted, "classes_", ()))
    if not classes and int(getattr(fitted, "n_outputs_", 1)) > 1:
        raise IncompatibleError(f"{name!r} predicts several values. Fit one forest per value.")
    members = [
        reading.member(
            tree,
            f"tree {number}",
            outputs=classes or None,
            scale="probability" if classes else None,
        )
        for number, tree in enumerate(fitted.estimators_, start=1)
    ]
    weights = np.full(len(members), 1 / len(members))
    space = "probability" if classes else "prediction"
    model = _mean(members, weights, space, reading, name)
    return model, fitted.predict_proba if classes else fitted.predict


def _adaboost(fitted: Any, reading: Reading, name: str) -> Opened:
    if getattr(fitted, "algorithm", "SAMME") == "SAMME.R":
        raise IncompatibleError(
            f"{name!r} was boosted by SAMME.R, which adds up logarithms of its members' probabilities and "
            "left scikit-learn in 1.6. Fit it with algorithm='SAMME'."
        )
    classes = _text(fitted.classes_)
    k = len(classes)
    place = {label: j for j, label in enumerate(fitted.classes_)}
    members = [
        reading.voter(
            estimator,
            f"round {number}",
            classes,
            np.array([place[label] for label in estimator.classes_]),
        )
        for number, estimator in enumerate(fitted.estimators_, start=1)
    ]
    weights = np.asarray(fitted.estimator_weights_, dtype=np.float64)[: len(members)]
    share = weights / weights.sum()
    # A vote counts 1 for its class and -1 / (K - 1) for the others; with two classes, second minus first.
    spread = np.eye(k) * (1 + 1 / (k - 1))
    view = spread[1:] - spread[:1] if k == 2 else spread
    intercept = np.zeros(1) if k == 2 else np.full(k, -1 / (k - 1))
    notes: tuple[str, ...] = ()
    if k > 2:
        notes = (
            f"The scores are AdaBoost's decision function: {k - 1} times what softmax turns into its "
            "probabilities.",
        )
    combination = Combination(
        tuple(members),
        "weighted sum",
        "decision function",
        share,
        (view,) * len(members),
        intercept,
    )
    model = assembled(
        combination,
        _gathered(reading, members),
        name=name,
        outputs=classes[1:] if k == 2 else classes,
        scale="logit",
        how=f"AdaBoost of {listed(combination)}",
        notes=notes,
    )
    return model, fitted.decision_function


def _weighted_median(fitted: Any, reading: Reading, name: str) -> Opened:
    members = [
        reading.member(estimator, f"round {number}")
        for number, estimator in enumerate(fitted.estimators_, start=1)
    ]
    weights = np.asarray(fitted.estimator_weights_, dtype=np.float64)[: len(members)]

    def rule(member_scores: Sequence[Array], _: NDArray[Any]) -> Array:
        values = np.concatenate(member_scores, axis=1)
        order = np.argsort(values, axis=1)
        reached = np.cumsum(weights[order], axis=1)
        at = (reached >= 0.5 * reached[:, -1:]).argmax(axis=1)
        rows_ = np.arange(len(values))
        return np.asarray(values[rows_, order[rows_, at]][:, None])

    combination = Combination(
        tuple(members),
        "not linear",
        "prediction",
        weights / weights.sum(),
        (np.eye(1),) * len(members),
        rule=rule,
    )
    note = "AdaBoost's weighted median is no sum of its members: its own prediction is explained."
    model = assembled(
        combination,
        _gathered(reading, members),
        name=name,
        outputs=numbered(1),
        scale="raw",
        how=f"weighted median of {listed(combination)}",
        notes=(note,),
    )
    return model, fitted.predict


def _mean(
    members: Sequence[Model],
    weights: Array,
    space: str,
    reading: Reading,
    name: str,
    notes: tuple[str, ...] = (),
    views: Sequence[Array] | None = None,
    outputs: tuple[str, ...] = (),
) -> Model:
    outputs = outputs or members[0].outputs
    views = views or [np.eye(len(outputs))] * len(members)
    combination = Combination(tuple(members), "weighted mean", space, weights, tuple(views))
    return assembled(
        combination,
        _gathered(reading, members),
        name=name,
        outputs=outputs,
        scale=members[0].scale,
        how=f"weighted mean of {listed(combination)} in {space}",
        notes=notes,
    )


def _gathered(reading: Reading, members: Sequence[Model]) -> Gathered:
    return replace(reading.gathered, models=tuple(members))


def _kept(fitted: Any) -> tuple[list[str], list[int]]:
    """The names and places of the members that were not dropped."""
    kept = [i for i, (_, member) in enumerate(fitted.estimators) if not isinstance(member, str)]
    return [str(fitted.estimators[i][0]) for i in kept], kept


def _text(classes: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in classes)
