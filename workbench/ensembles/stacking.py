"""Stacking: a meta-model combines the members' scores; with a linear one, contributions stay exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Combination, Inputs, Model, Scale
from workbench.ensembles.assembly import assembled
from workbench.ensembles.members import Gathered, gather
from workbench.errors import IncompatibleError, InputError
from workbench.models.outputs import numbered

Array = NDArray[np.float64]

_LOG_ODDS = ("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis")
_LINEAR = ("LinearSVC", "LinearSVR", "LinearDiscriminantAnalysis")  # outside sklearn.linear_model


def stack(
    models: Sequence[Model],
    rows: Inputs,
    meta: Any = None,
    *,
    passthrough: bool = False,
    name: str | None = None,
) -> Model:
    """A meta-model over trained members, fitted here on their scores of held-out rows.

    With a linear meta-model the ensemble is explained in its margin, where each member's contribution is
    its coefficients times its scores: an exact sum. Members may be in different units, because the
    coefficients convert them. Any other meta-model gives probabilities (or predictions) that are no sum.

    **Leak-free** only if no member was trained on these rows: a member that has seen them looks better
    than it is, and gets too much weight. This cannot be checked here, but members that are right on every
    row are noted.

    Args:
        models: the trained members.
        rows: held-out rows with their `y` (positions of the members' outputs, or values).
        meta: an unfitted scikit-learn classifier or regressor; logistic regression when left out. It is
            copied, not changed.
        passthrough: whether the meta-model also reads the rows' own columns.
        name: what menus and tables call it.

    Raises:
        InputError: rows without classes, or of one class; members whose columns do not fit.
    """
    from sklearn.base import clone, is_classifier
    from sklearn.linear_model import LogisticRegression

    if rows.y is None:
        raise InputError(
            f"A meta-model is fitted on rows whose classes are known, but {rows.name!r} has none. Give "
            "Inputs(y=...)."
        )
    gathered = gather(models, rows)
    members = gathered.models
    takes = [_taken(member) for member in members]
    member_scores = [member.scores(rows.values) for member in members]
    learner = LogisticRegression(max_iter=1000) if meta is None else clone(meta)
    if is_classifier(learner) and len(np.unique(rows.y)) < 2:
        raise InputError(
            f"A meta-model needs rows of at least two classes, but all {len(rows)} of {rows.name!r} are "
            f"{rows.y[0]!r}. Give more rows."
        )
    learner.fit(meta_rows(member_scores, takes, rows.values if passthrough else None), rows.y)
    classes = _names_of(learner, members)
    return stacked(
        learner,
        gathered,
        takes,
        name=name or f"stack of {len(members)}",
        classes=classes,
        passthrough=np.arange(rows.values.shape[1]) if passthrough else None,
        notes=(
            f"The meta-model was fitted on {len(rows)} rows of {rows.name!r}, taken to be held out from "
            "the members' training.",
            *_too_good(members, member_scores, rows, learner, classes),
        ),
        native=learner,
    )


def stacked(
    meta: Any,
    gathered: Gathered,
    takes: Sequence[Array],
    *,
    name: str,
    classes: tuple[str, ...],
    passthrough: NDArray[np.intp] | None,
    notes: tuple[str, ...] = (),
    native: object = None,
) -> Model:
    """A fitted meta-model over members.

    Args:
        meta: fitted on the members' scores side by side, then the columns passed through.
        gathered: the members and what they read.
        takes: per member `(d, k)`: the columns it passes to the meta-model, from its outputs.
        name: of the ensemble.
        classes: the classes' names; () for a regression.
        passthrough: the places of the columns passed through, in the meta-model's order, or None.
        notes: sentences the user should know.
        native: the object it was read from.
    """
    members = gathered.models
    width = [len(take) for take in takes]
    columns = sum(width) + (0 if passthrough is None else len(passthrough))
    kind = type(meta).__name__
    form = linear_form(meta, columns)
    if form is None:
        score, outputs, scale = _whole_answer(meta, classes)
        through = passthrough

        def rule(member_scores: Sequence[Array], rows: NDArray[Any]) -> Array:
            passed = None if through is None else np.asarray(rows)[:, through]
            return score(meta_rows(member_scores, takes, passed))

        space = {"probability": "probability", "raw": "output of the meta-model"}[scale]
        combination = Combination(
            members,
            "not linear",
            space,
            np.ones(len(members)),
            tuple(_speaking_of(member, outputs, classes) for member in members),
            rule=rule,
        )
        notes += (
            f"The meta-model ({kind}) is not linear, so the ensemble is no sum of its members: its own "
            "scores are explained, beside each member's own scores of the same outputs.",
        )
    else:
        coefficients, intercept = form
        outputs = (classes[1:] if len(intercept) == 1 else classes) or numbered(len(intercept))
        final = type(_last(meta)).__name__
        scale = "logit" if classes and final in _LOG_ODDS else "raw"
        ends = np.cumsum([0, *width])
        views = tuple(
            coefficients[:, start:stop] @ take
            for start, stop, take in zip(ends[:-1], ends[1:], takes, strict=True)
        )
        direct = None
        if passthrough is not None:
            direct = np.zeros((len(intercept), len(gathered.features) or gathered.shape[0] or 0))
            direct[:, passthrough] = coefficients[:, ends[-1] :]
        combination = Combination(
            members,
            "weighted sum",
            "margin of the meta-model" if classes else "output of the meta-model",
            np.ones(len(members)),
            views,
            intercept,
            direct,
        )
    names = ", ".join(member.name for member in members[:10])
    return assembled(
        combination,
        gathered,
        name=name,
        outputs=outputs,
        scale=scale,
        how=f"{kind} on the scores of {names}",
        notes=notes,
        native=native,
    )


def meta_rows(
    member_scores: Sequence[Array], takes: Sequence[Array], passed: NDArray[Any] | None
) -> NDArray[Any]:
    """The input of a meta-model `(n, d)`: the members' columns side by side, then the rows' own columns."""
    blocks = [scores @ take.T for scores, take in zip(member_scores, takes, strict=True)]
    return np.hstack(blocks if passed is None else [*blocks, passed])


def linear_form(meta: Any, columns: int) -> tuple[Array, Array] | None:
    """Coefficients `(K, d)` and intercept `(K,)` of a linear model, or None for any other.

    A standardization before it is folded in. The form must give the model's own answers on probe rows.
    """
    last = _last(meta)
    kind, room = type(last).__name__, type(last).__module__
    known = room.startswith("sklearn.linear_model") or kind in _LINEAR
    if not known or not hasattr(last, "coef_"):
        return None
    coefficients = np.atleast_2d(np.asarray(last.coef_, dtype=np.float64))
    intercept = np.broadcast_to(
        np.asarray(last.intercept_, dtype=np.float64), (len(coefficients),)
    ).copy()
    for step in reversed(_steps_before(meta)):
        if type(step).__name__ != "StandardScaler":
            return None
        scale = 1.0 if step.scale_ is None else step.scale_
        center = 0.0 if step.mean_ is None else step.mean_
        coefficients = coefficients / scale
        intercept = intercept - coefficients @ np.broadcast_to(center, (coefficients.shape[1],))
    rows = np.random.default_rng(0).normal(size=(16, columns))
    answer = meta.decision_function if hasattr(meta, "decision_function") else meta.predict
    wanted = np.asarray(answer(rows), dtype=np.float64).reshape(len(rows), -1)
    found = rows @ coefficients.T + intercept
    size = np.abs(rows) @ np.abs(coefficients.T) + np.abs(intercept) + 1e-12
    if wanted.shape != found.shape or (np.abs(wanted - found) > 1e-9 * size).any():
        return None  # a link function, or classes coded in a way of its own
    return coefficients, intercept


def _last(meta: Any) -> Any:
    return meta.steps[-1][1] if hasattr(meta, "steps") else meta


def _steps_before(meta: Any) -> list[Any]:
    steps = [step for _, step in meta.steps[:-1]] if hasattr(meta, "steps") else []
    return [step for step in steps if step is not None and step != "passthrough"]


def _taken(member: Model) -> Array:
    """All of a member's scores, or one of two probabilities, since the other adds nothing."""
    k = len(member.outputs)
    return np.eye(2)[1:] if member.scale == "probability" and k == 2 else np.eye(k)


def _whole_answer(
    meta: Any, classes: tuple[str, ...]
) -> tuple[Callable[[NDArray[Any]], Array], tuple[str, ...], Scale]:
    if hasattr(meta, "predict_proba"):
        return lambda z: np.asarray(meta.predict_proba(z), dtype=np.float64), classes, "probability"
    answer = meta.decision_function if hasattr(meta, "decision_function") else meta.predict
    outputs = (classes[1:] if len(classes) == 2 else classes) or ("prediction",)
    return (
        lambda z: np.asarray(answer(z), dtype=np.float64).reshape(len(z), -1),
        outputs,
        "raw",
    )


def _speaking_of(member: Model, outputs: tuple[str, ...], classes: tuple[str, ...]) -> Array:
    """The member's scores that belong to each output of an ensemble that is no sum of them."""
    if set(outputs) <= set(member.outputs):
        return np.array([[float(own == one) for own in member.outputs] for one in outputs])
    if len(member.outputs) == 1 and len(outputs) <= 2:
        # One score counts for the class it is named after and against the other; else for the second.
        (own,) = member.outputs
        spoken = own if own in classes else outputs[-1]
        return np.array([[1.0 if spoken == one else -1.0] for one in outputs])
    raise IncompatibleError(
        f"Member {member.name!r} has outputs {list(member.outputs)[:8]}, which do not match the "
        f"ensemble's {list(outputs)[:8]}. Wrap the ensemble itself as a function to explain it alone."
    )


def _names_of(meta: Any, members: Sequence[Model]) -> tuple[str, ...]:
    """The classes' names: those of the members' outputs where classes are their positions."""
    found = getattr(meta, "classes_", None)
    if found is None:
        return ()
    widest = max((member.outputs for member in members), key=len)
    whole = np.issubdtype(np.asarray(found).dtype, np.integer)
    if whole and len(widest) > 1 and int(max(found)) < len(widest) and int(min(found)) >= 0:
        return tuple(widest[int(one)] for one in found)
    single = members[0].outputs[0]
    if whole and len(found) == 2 and len(widest) == 1 and single != str(found[1]):
        return (f"not {single}", single)
    return tuple(str(one) for one in found)


def _too_good(
    members: Sequence[Model],
    member_scores: Sequence[Array],
    rows: Inputs,
    meta: Any,
    names: tuple[str, ...],
) -> tuple[str, ...]:
    """A note that names members whose highest score is the true class of every row."""
    if not names:
        return ()
    named = dict(zip(meta.classes_.tolist(), names, strict=True))
    true = np.array([named[label] for label in np.asarray(rows.y).tolist()])
    perfect = [
        member.name
        for member, scores in zip(members, member_scores, strict=True)
        if len(member.outputs) > 1
        and (np.array(member.outputs)[scores.argmax(axis=1)] == true).all()
    ]
    if not perfect:
        return ()
    return (f"Right on every one of these rows: {perfect[:8]}. Were they held out?",)
