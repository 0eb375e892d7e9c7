"""A live model of XGBoost, LightGBM or CatBoost as a `Model`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale, plain_numbers
from workbench.errors import InputError, ModelError
from workbench.models.answer import KEPT, Answer
from workbench.models.arguments import Wrapping
from workbench.models.asking import Serialized, Trial
from workbench.models.columns import check_numbers, coded, columns_in, number_of
from workbench.models.outputs import classes_of, output_names
from workbench.models.tabular.boosted import NOT_OFFERED, Array, Boosted
from workbench.models.tabular.reading import Order, Tables, checked, in_columns

Rows = Callable[[NDArray[Any]], Any]

# Looked up among the imported modules: whoever holds such a model has imported its library.
_KINDS = {
    "xgboost": ("Booster", "XGBModel"),
    "lightgbm": ("Booster", "LGBMModel"),
    "catboost": ("CatBoost",),
}


def booster_library(native: object) -> str | None:
    """The boosting library whose model this is, or None.

    >>> booster_library("model.json") is None
    True
    """
    for library, kinds in _KINDS.items():
        module = sys.modules.get(library)
        found = tuple(getattr(module, kind) for kind in kinds if hasattr(module, kind))
        if isinstance(native, found):
            return library
    return None


def booster_model(native: Any, wrapping: Wrapping) -> Model:
    """The fitted booster with the margins its trees add up to, and the trees.

    Scores by scale:

    - "logit": the margins of a classifier, the default for classifiers, because there the trees add up. Two
      classes have one logit, that of the second class;
    - "probability": what `predict_proba` gives, one column per class;
    - "raw": the margins of any other model. Where its objective has a link (counts, rates), its
      predictions are a function of them, and `notes` says which.

    Args:
        native: fitted.
        wrapping: its outputs may name both classes of one logit. A model fitted on a frame finds its
            columns by name, and its categories by label, in the rows of `like`.
    """
    name, outputs, like, shape = wrapping.name, wrapping.outputs, wrapping.like, wrapping.shape
    boosted = _read(native, name, like)
    scale, scale_notes = _scale(boosted, name, wrapping.scale)
    rows_of, order, tables, noted = _rows_of(boosted, name, like)
    probable = scale == "probability"

    def margin(rows: NDArray[Any], /) -> Array:
        return boosted.margin(rows_of(rows))

    def predict(rows: NDArray[Any], /) -> Array:
        return boosted.probabilities(margin(rows)) if probable else margin(rows)

    width = boosted.width if like is None else like.values.shape[1]

    @cache
    def trees() -> Any:
        return checked(
            in_columns(boosted.read(), order, tables),
            margin,
            width=width,
            name=name,
            library=boosted.library,
            tolerance=boosted.tolerance,
        )

    why = boosted.why
    if probable and not why:
        why = (
            f"Its trees add up in scale 'logit', but the scores are in 'probability', {NOT_OFFERED} "
            "Wrap it with scale='logit' for that."
        )
    made_up = boosted.outputs(probable=probable)
    classes = classes_of(native, made_up, len(made_up))
    opposite = "" if classes is None or len(made_up) > 1 else str(classes[0])
    if outputs is not None and len(outputs) == 2 and boosted.link == "logistic" and not probable:
        opposite, *outputs = outputs
    answers = Serialized(name, native, predict)
    trial = Trial(answers, answers.lock)
    model = Model(
        name=name,
        predict=Answer(answers, None if like is None else like[:KEPT]),
        outputs=output_names(name, outputs, len(made_up), made_up),
        scale=scale,
        kind="tabular",
        features=boosted.names if like is None else like.features,
        respelled=like is None and boosted.library == "LightGBM",
        categories=_categories(boosted) if like is None else like.categories,
        columns=() if like is None else like.columns,
        shape=tuple(shape) if shape is not None else (width,),
        classes=classes,
        opposite=opposite,
        batch=wrapping.batch or 32_768,
        trees=None if why else trees,
        native=native,
        absent={"trees": why} if why else {},
        trial=trial,
        remarks=trial.remarks,
        digest=boosted.digest,
        unit="log-odds" if boosted.classifies and scale == "raw" else boosted.unit,
        notes=(
            *noted,
            *scale_notes,
            *_about_sets(boosted, why),
            *boosted.notes,
            *((why,) if why else ()),
        ),
    )
    if like is not None:
        model.scores(like.values[:1])
    return model


def _read(native: Any, name: str, like: Inputs | None) -> Boosted:
    library = booster_library(native)
    if library == "xgboost":
        from workbench.models.tabular.xgboost import read_xgboost

        return read_xgboost(native, name, like)
    if library == "lightgbm":
        from workbench.models.tabular.lightgbm import read_lightgbm

        return read_lightgbm(native, name, like)
    from workbench.models.tabular.catboost import read_catboost

    return read_catboost(native, name)


def _scale(boosted: Boosted, name: str, scale: Scale | None) -> tuple[Scale, list[str]]:
    if scale in (None, "logit") and boosted.classifies:
        return "logit", []
    if boosted.classifies:
        note = "The scores are log-odds, though called 'raw' as asked."
        return ("probability", []) if scale == "probability" else ("raw", [note])
    if scale not in (None, "raw"):
        raise InputError(
            f"Model {name!r} ({boosted.library}) does not classify, so its scores are 'raw', not "
            f"{scale!r}. Leave scale out."
        )
    return "raw", []


def _rows_of(
    boosted: Boosted, name: str, like: Inputs | None
) -> tuple[Rows, Order, Tables, list[str]]:
    """From rows to what the library reads, the row column of each model column, and codes for row codes."""
    width = boosted.width if like is None else like.values.shape[1]
    if (like is None or not boosted.names) and width != boosted.width:
        raise InputError(
            f"Model {name!r} reads {boosted.width} columns, but the rows have {width}. Give rows "
            "like those it was fitted on."
        )
    order: Order = None
    tables: Tables = {}
    if like is not None and boosted.framed and not boosted.names:
        notes, features = [], like.features  # by position, as it was fitted
    elif like is None or not boosted.names:
        check_numbers(like, name)
        notes, features = [*_about_codes(boosted), *_about_positions(like)], boosted.names
    else:
        features = _spelled(boosted, name, like)
        order, notes = columns_in(like, features, name)
        tables, label_notes = _tables(boosted, name, like, order)
        notes += label_notes
    if boosted.framed:
        frames = _frames_of(boosted, name, like, order)
        unseen = _unseen(boosted, name, like, order, frames) if like and boosted.coded else []
        return frames, order, {}, notes + unseen

    def matrix(rows: NDArray[Any]) -> Array:
        given = np.asarray(rows, dtype=np.float64)
        if given.ndim != 2 or given.shape[1] != width:
            raise InputError(
                f"Model {name!r} reads rows of {width} columns, but got the shape {given.shape}."
            )
        seen = given if order is None else given[:, order]
        for column, table in tables.items():
            seen[:, column] = coded(seen[:, column], table, features[column])
        return seen

    return matrix, order, tables, notes


def _categories(boosted: Boosted) -> dict[str, tuple[Any, ...]] | None:
    """The labels that the model itself keeps, by column; a model fitted on an array keeps none."""
    if not boosted.names:
        return None
    return {boosted.names[j]: known for j, known in boosted.labels.items() if known}


def _about_sets(boosted: Boosted, why: str) -> list[str]:
    if not boosted.labels or why:
        return []
    columns = [boosted.names[j] if boosted.names else f"x{j}" for j in sorted(boosted.labels)]
    return [
        f"The columns {columns} hold categories, which the trees split as sets of labels. TreeSHAP is "
        "exact over these splits, and each column is one player: no one-hot columns are made up."
    ]


def _about_codes(boosted: Boosted) -> list[str]:
    named = [boosted.names[j] for j, known in boosted.labels.items() if known and boosted.names]
    if not named:
        return []
    return [
        f"The columns {named} hold categories. Arrays are taken to hold positions in the categories the "
        "model was fitted with; give like=inputs to find them by label."
    ]


def _about_positions(like: Inputs | None) -> list[str]:
    """A note for a model that was fitted on an array, where its rows hold labels."""
    named = (
        [] if like is None else [c for c, own in like.categories.items() if not plain_numbers(own)]
    )
    if like is None or not named:
        return []
    one = named[0]
    positions = dict(zip(like.categories[one][:3], range(3), strict=False))
    return [
        f"It was fitted on an array, which has no labels. In the columns {named[:10]} it gets the "
        f"positions of {like.name!r}, such as {positions} in {one!r}: they must be those of its fit."
    ]


def _spelled(boosted: Boosted, name: str, like: Inputs) -> tuple[str, ...]:
    """The names as the rows spell them: LightGBM replaces a space by an underscore.

    Raises:
        InputError: two columns of the rows are one for LightGBM, as "my age" and "my_age" are.
    """
    if boosted.library != "LightGBM":
        return boosted.names
    spelled: dict[str, str] = {}
    for feature in like.features:
        known = spelled.setdefault(feature.replace(" ", "_"), feature)
        if known != feature and feature.replace(" ", "_") in boosted.names:
            raise InputError(
                f"Model {name!r} reads a column {feature.replace(' ', '_')!r} as LightGBM spells it, with "
                f"underscores for spaces, but the rows have both {known!r} and {feature!r}. Leave out the "
                "one that it was not fitted on."
            )
    return tuple(spelled.get(one, one) for one in boosted.names)


def _tables(
    boosted: Boosted, name: str, like: Inputs, order: NDArray[np.intp]
) -> tuple[dict[int, NDArray[np.float64]], list[str]]:
    """For columns of categories, the model's value for each code of the rows, where the two differ."""
    tables: dict[int, NDArray[np.float64]] = {}
    notes: list[str] = []
    for column, at in enumerate(order):
        feature = like.features[at]
        known, own = boosted.labels.get(column, ()), like.categories.get(feature)
        if boosted.framed or (own is None and plain_numbers(known or None)):
            continue
        if own is None or (column in boosted.coded and not plain_numbers(own)):
            raise InputError(_unclear(boosted, name, feature, known, own))
        if column in boosted.coded:
            continue
        if known:
            position = {label: float(code) for code, label in enumerate(known)}
            values = np.array([position.get(label, np.nan) for label in own])
        else:
            values = number_of(own, feature, name)
        if unknown := [label for label, value in zip(own, values, strict=True) if np.isnan(value)]:
            if boosted.strict:
                raise InputError(
                    f"{boosted.library} reads only labels it was fitted with, but column {feature!r} can "
                    f"hold {unknown[:10]}, which model {name!r} has never seen (it knows "
                    f"{list(known)[:10]}). Leave these labels out of the column's categories."
                )
            notes.append(
                f"Labels {unknown[:10]} of column {feature!r} were not there when the model was fitted; "
                f"{boosted.library} takes them as missing."
            )
        if not np.array_equal(values, np.arange(len(own))):
            tables[column] = values
    return tables, notes


def _unclear(
    boosted: Boosted, name: str, feature: str, known: tuple[Any, ...], own: tuple[Any, ...] | None
) -> str:
    """Why the meaning of a column's numbers to the model is unknown."""
    if own is None:
        return (
            f"Model {name!r} was fitted on labels {list(known)[:10]} in column {feature!r}, but the rows "
            "hold plain numbers there, and nothing tells which label each one means. Give the column as a "
            "pandas category of labels, or Inputs(..., categories={column: labels by their number})."
        )
    kept, action = (
        "does not say which of the labels it kept are those of",
        "Give every column of categories as in the fit, as a pandas category of labels.",
    )
    if boosted.library == "XGBoost":
        kept, action = (
            "kept only the codes of",
            "Give the column as the numbers it was fitted with, or save the model again by a version that "
            "keeps labels. XGBoost does since 3.1, but not with letters beyond ASCII: list these in the "
            "order of the fit.",
        )
    return (
        f"{boosted.library} {kept} column {feature!r} of model {name!r}, and the rows hold labels "
        f"{list(own)[:5]} there: which code each label had in the fit is not known. {action}"
    )


def _frames_of(boosted: Boosted, name: str, like: Inputs | None, order: Order) -> Rows:
    if like is None:
        raise InputError(
            f"Model {name!r} reads labels in columns {sorted(boosted.labels)}, which {boosted.library} "
            "alone can code. Fit it on a frame, and give like=inputs, rows like those of the fit: "
            "workbench.data.table(frame) keeps the labels."
        )
    places = np.arange(boosted.width) if order is None else order
    names = boosted.names or tuple(map(str, range(boosted.width)))
    return lambda rows: like.to_frame(rows).iloc[:, places].set_axis(list(names), axis=1)


_NEVER = "a label that no fit has seen"
_ENOUGH = 10


def _unseen(boosted: Boosted, name: str, like: Inputs, order: Order, frames: Rows) -> list[str]:
    """Notes on columns whose labels all count as one that was never seen, as far as these rows tell.

    Raises:
        InputError: such a column holds numbers, which the labels of the fit do not.
    """
    notes = []
    frame, ask = frames(like.values[:200]), Serialized(name, boosted, boosted.margin)
    try:
        own = ask(frame)
    except ModelError:  # some row cannot be read: whoever asks about it will hear that
        return []
    for column in sorted(boosted.coded):
        other = frame.copy()
        other.isetitem(column, [_NEVER] * len(frame))
        if not np.array_equal(ask(other), own):
            continue
        feature = like.features[column if order is None else order[column]]
        numbers = not any(isinstance(label, str) for label in like.categories.get(feature, ()))
        if numbers and len(frame) >= _ENOUGH:
            raise InputError(
                f"Model {name!r} was fitted on labels in column {feature!r}, but the rows hold numbers "
                f"there ({frame.iloc[:, column].unique()[:5].tolist()}), and it gives every row the score "
                "of a label it has never seen. Give the column with the labels of the fit."
            )
        notes.append(
            f"On these rows, {boosted.library} gives every label in column {feature!r} the score of a "
            "label that it has never seen. Check that the column is spelled as in the fit."
        )
    return notes
