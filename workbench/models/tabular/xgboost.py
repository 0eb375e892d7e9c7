"""XGBoost's models as `Boosted`, read from the JSON that XGBoost itself writes."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Tree, Trees
from workbench.errors import InputError
from workbench.models.tabular.boosted import NOT_OFFERED, Array, Boosted, Link, unit_of
from workbench.models.tabular.checks import Refuse, check_nodes, pointless
from workbench.models.tabular.reading import followed, reachable

_LINKS: dict[str, Link] = {
    "binary:logistic": "logistic",
    "binary:logitraw": "logistic",
    "reg:logistic": "logistic",
    "binary:hinge": "other",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "count:poisson": "log",
    "reg:gamma": "log",
    "reg:tweedie": "log",
    "survival:cox": "log",
    "survival:aft": "log",
}


def read_xgboost(native: Any, name: str, like: Inputs | None) -> Boosted:
    """The content of a Booster or of one of XGBoost's scikit-learn estimators.

    The rounds that count are those that its own `predict` uses: for an estimator up to the best of early
    stopping, for a Booster all. XGBoost goes left where `x < t` in float32, so a threshold here is the
    float32 right below t. Categories in a split's set go right, all other codes left.

    Args:
        native: fitted.
        name: what messages call it.
        like: the rows to explain, whose labels are matched with those in the model.

    Raises:
        InputError: it has not been fitted, or holds no trees.
    """
    booster, learner, state = _learner(native, name)
    objective = learner["objective"]["name"]
    custom = callable(getattr(native, "objective", None))
    kind = learner["gradient_booster"]["name"]
    parameters = learner["learner_model_param"]
    columns = max(1, int(parameters["num_class"])) * max(1, int(parameters.get("num_target", 1)))
    link: Link = "identity" if custom else _LINKS.get(objective, "identity")
    if link == "logistic" and columns > 1:
        link = "logistics"
    rounds, end = booster.num_boosted_rounds(), _rounds(native, booster, kind)
    missing = getattr(native, "missing", np.nan)
    missing = np.nan if missing is None else float(missing)
    width = int(parameters["num_feature"])
    types = list(learner.get("feature_types") or []) or ["float"] * width
    names = tuple(str(one) for one in learner.get("feature_names") or ())
    labels = _labels(learner, types, names, like)
    notes = [_about_rounds(booster, rounds, end)]
    notes += _about_link(objective, link, custom=custom)
    if like is not None and np.isnan(missing):
        notes += _about_absent(learner, like)
    why = ""
    if kind == "gblinear":
        notes, why = notes[1:], f"It is a linear model (booster='gblinear'), {NOT_OFFERED}"
    return Boosted(
        library="XGBoost",
        width=width,
        names=names,
        link=link,
        columns=columns,
        classes=_classes(native, link, columns),
        margin=partial(_margin, booster, types, missing, end, columns),
        read=partial(_trees, learner, end, columns, missing),
        why=why,
        labels=labels,
        # A model fitted on an array has no names, and its codes are the array's numbers.
        coded=frozenset(j for j, known in labels.items() if names and not known),
        strict=True,
        tolerance=1e-5,  # XGBoost sums in float32
        digest=_digest(state, repr(("xgboost", end, missing))),
        unit=unit_of(link, objective),
        notes=tuple(notes),
    )


def check_xgboost(native: Any, refuse: Refuse) -> int:
    """The number of trees, once each is known to be one; for a model from a file, before it predicts.

    Raises:
        UnsafeFileError: a tree points to nothing or in a circle, or a round of trees is not there.
    """
    booster = native.get_booster() if hasattr(native, "get_booster") else native
    learner, state = _parsed(booster)
    parameters, gradient = learner["learner_model_param"], learner["gradient_booster"]
    width = int(parameters["num_feature"])
    model = gradient.get("gbtree", gradient).get("model", {})
    trees = model.get("trees", [])
    for tree in trees:
        left = np.array(tree["left_children"], np.int64)
        check_nodes(
            refuse,
            left,
            np.array(tree["right_children"], np.int64),
            np.array(tree["split_indices"], np.int64),
            width,
            np.where(left < 0, tree["split_conditions"][: len(left)], 0.0),
        )
    groups = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    outputs = np.array(model.get("tree_info", []), np.int64)
    if len(outputs) != len(trees) or ((outputs < 0) | (outputs >= groups)).any():
        raise pointless(refuse, f"an output beyond the {groups} it has")
    rounds = np.array(model.get("iteration_indptr", [0, len(trees)]), np.int64)
    if (np.diff(rounds) < 0).any() or rounds[0] != 0 or rounds[-1] != len(trees):
        raise pointless(refuse, "rounds of trees that are not there")
    if "weight_drop" in gradient and len(gradient["weight_drop"]) != len(trees):
        raise pointless(refuse, "weights of trees that are not there")
    _CHECKED[booster] = (learner, state)
    return len(trees)


# What was checked is read next, so it is kept and not parsed again.
_CHECKED: weakref.WeakKeyDictionary[Any, tuple[dict[str, Any], Any]] = weakref.WeakKeyDictionary()


def _parsed(booster: Any) -> tuple[dict[str, Any], Any]:
    """The learner as XGBoost writes it, and the sha256 of the bytes it stores."""
    state = hashlib.sha256(bytes(booster.save_raw("ubj")))
    learner, known = _CHECKED.pop(booster, ({}, None))
    if known is None or known.digest() != state.digest():  # the model may have been trained further
        learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    return learner, state


def _digest(state: Any, settings: str) -> str:
    whole = state.copy()
    whole.update(settings.encode())
    return str(whole.hexdigest())


def _learner(native: Any, name: str) -> tuple[Any, dict[str, Any], Any]:
    import xgboost
    from sklearn.exceptions import NotFittedError

    try:
        booster = native.get_booster() if hasattr(native, "get_booster") else native
        learner, state = _parsed(booster)
        booster.num_boosted_rounds()
    except (NotFittedError, xgboost.core.XGBoostError):
        raise InputError(
            f"A fitted model is needed, but {name!r} ({type(native).__name__}) has not been fitted. Call "
            "fit or xgboost.train first."
        ) from None
    return booster, learner, state


def _rounds(native: Any, booster: Any, kind: str) -> int:
    """How many rounds `predict` uses when it gets no range."""
    best = booster.attr("best_iteration")
    if native is booster or best is None or kind == "gblinear":
        return int(booster.num_boosted_rounds())
    return int(best) + 1


def _about_rounds(booster: Any, rounds: int, end: int) -> str:
    best = booster.attr("best_iteration")
    if end < rounds:
        return (
            f"The scores sum the trees of the first {end} of {rounds} boosting rounds: early stopping "
            "found the best there, and predict stops there too."
        )
    if best is not None and int(best) + 1 < rounds:
        return (
            f"The scores sum the trees of all {rounds} boosting rounds, as Booster.predict does, though "
            f"early stopping found the best after {int(best) + 1}. Slice the booster to stop there: "
            f"wrap(booster[:{int(best) + 1}])."
        )
    return f"The scores sum the trees of all {rounds} boosting rounds."


def _about_link(objective: str, link: Link, *, custom: bool) -> list[str]:
    if custom:
        return ["Its objective is a function of yours: the scores are its margins, in that unit."]
    if link == "log":
        return [
            f"The scores are the sums of the trees, the logarithm of what predict gives ({objective})."
        ]
    if link == "other":
        return [f"The scores are the sums of the trees; predict gives their sign ({objective})."]
    return []


def _about_absent(learner: dict[str, Any], like: Inputs) -> list[str]:
    """A note where rows look like those of a sparse matrix whose absent entries became zeros.

    Splits of a fit on dense rows send missing values to the right (but not with tree_method='exact'), and
    part zeros from other values. Splits of a sparse fit part absent entries from the others.
    """
    given = [like.values] if like.background is None else [like.values, like.background]
    values = np.concatenate(given)
    empty = float((values == 0).mean()) if values.size else 0.0
    if set(names := learner.get("feature_names") or ()) <= set(like.features) and names:
        values = values[:, [like.features.index(one) for one in names]]
    if empty < _SPARSE or np.isnan(values).any() or not _learned_from_absent(learner, values):
        return []
    return [
        f"{empty:.0%} of the values in these rows are 0 and none is missing, but in its fit some may have "
        "been. XGBoost takes absent entries of a sparse matrix for missing values: if it was fitted on "
        "one, the scores here are not those of the sparse rows. Then give NaN for absent entries."
    ]


def _learned_from_absent(learner: dict[str, Any], values: Array) -> bool:
    booster = learner["gradient_booster"]
    trees = booster.get("gbtree", booster).get("model", {}).get("trees", ())
    if not trees:
        return False
    inner, side, feature, edge = (
        np.concatenate([np.asarray(tree[part]) for tree in trees])
        for part in ("left_children", "default_left", "split_indices", "split_conditions")
    )
    inner = inner >= 0
    if side[inner].any():
        return True
    low, high = values.min(axis=0), values.max(axis=0)
    for column in np.unique(feature[inner]):
        if column < len(low) and low[column] <= 0 <= high[column] and low[column] < high[column]:
            edges = edge[inner & (feature == column)]
            if not ((low[column] < edges) & (edges <= high[column])).any():
                return True
    return False


_SPARSE = 0.5


def _classes(native: Any, link: Link, columns: int) -> tuple[str, ...]:
    if link not in ("logistic", "softmax") or not hasattr(native, "predict_proba"):
        return ()
    classes: Sequence[Any] = np.asarray(native.classes_).tolist()
    wanted = 2 if link == "logistic" else columns
    return tuple(str(one) for one in classes) if len(classes) == wanted else ()


def _labels(
    learner: dict[str, Any], types: list[str], names: tuple[str, ...], like: Inputs | None
) -> dict[int, tuple[Any, ...]]:
    """The labels of the columns of categories, where the model was fitted on a frame and keeps them."""
    path = learner["gradient_booster"]
    model = path.get("gbtree", path).get("model", {})
    stored = (model.get("cats") or {}).get("enc") or [{}] * len(types)
    found: dict[int, tuple[Any, ...]] = {}
    for column, kind in enumerate(types):
        if kind.startswith("c"):
            own = like.categories.get(names[column], ()) if like is not None and names else ()
            found[column] = _decoded(stored[column], own)
    return found


def _decoded(stored: dict[str, Any], expected: tuple[Any, ...]) -> tuple[Any, ...]:
    """The labels; () when they cannot be recovered from what XGBoost wrote.

    XGBoost 3.2 counts letters where it should count bytes, and cuts the text off there. With letters
    beyond ASCII, the only possible check is whether the `expected` labels would be written the same way.
    """
    values, edges = stored.get("values", []), stored.get("offsets")
    if edges is None:
        return tuple(values)
    text = bytes(byte % 256 for byte in values)  # written as signed bytes
    if text.isascii():
        return tuple(text[a:b].decode() for a, b in pairwise(edges))
    if not all(isinstance(label, str) for label in expected):
        return ()
    whole = "".join(expected).encode()
    for unit in (str, str.encode):
        ends = np.cumsum([0, *(len(unit(label)) for label in expected)]).tolist()
        if ends == list(edges) and whole[: ends[-1]] == text:
            return expected
    return ()


def _margin(
    booster: Any, types: list[str], missing: float, end: int, columns: int, rows: NDArray[Any]
) -> Array:
    import xgboost

    matrix = xgboost.DMatrix(
        np.asarray(rows, dtype=np.float32),
        missing=missing,
        feature_names=booster.feature_names,
        feature_types=types if booster.feature_types else None,
        enable_categorical="c" in types,
    )
    margins = booster.predict(matrix, output_margin=True, iteration_range=(0, end))
    return np.asarray(margins, dtype=np.float64).reshape(len(rows), columns)


def _trees(learner: dict[str, Any], end: int, columns: int, missing: float) -> Trees:
    booster = learner["gradient_booster"]
    model = booster.get("gbtree", booster)["model"]
    last = int(model["iteration_indptr"][end])
    weights = booster.get("weight_drop") or [1.0] * last
    trees = tuple(
        followed(reachable(_tree(stored, output, columns, weight, missing)))
        for stored, output, weight in zip(
            model["trees"][:last], model["tree_info"][:last], weights[:last], strict=True
        )
    )
    return Trees(trees, _offset(learner, columns), np.float32)


def _tree(stored: dict[str, Any], output: int, columns: int, weight: float, missing: float) -> Tree:
    left = np.array(stored["left_children"], dtype=np.intp)
    right = np.array(stored["right_children"], dtype=np.intp)
    leaf = left < 0
    numbers = np.array(stored["split_conditions"], dtype=np.float32)
    values = np.zeros((len(left), columns))
    cover = np.array(stored["sum_hessian"], dtype=np.float64)
    vectors = stored.get("leaf_weights") or stored["base_weights"]
    if int(stored["tree_param"]["size_leaf_vector"]) > 1:
        values[leaf] = np.float32(vectors).reshape(-1, columns)[right[leaf]]
    else:
        values[leaf, output] = numbers[leaf]
    below = np.nextafter(numbers, np.float32(-np.inf), dtype=np.float32)
    missing_left = np.array(stored["default_left"], dtype=np.bool_)
    return Tree(
        left=left,
        right=np.where(leaf, -1, right),
        feature=np.where(leaf, 0, np.array(stored["split_indices"], dtype=np.intp)),
        threshold=np.where(leaf, 0.0, below.astype(np.float64)),
        missing_left=missing_left,
        values=weight * values,
        cover=cover,
        goes_left=_sets(stored),
        hole=None
        if np.isnan(missing)
        else np.full((len(left), 2), missing, dtype=np.float32).astype(np.float64),
    )


def _sets(stored: dict[str, Any]) -> dict[int, NDArray[np.bool_]]:
    sets = {}
    for node, start, size in zip(
        stored["categories_nodes"],
        stored["categories_segments"],
        stored["categories_sizes"],
        strict=True,
    ):
        chosen = np.array(stored["categories"][start : start + size], dtype=np.intp)
        table = np.ones(int(chosen.max(initial=-1)) + 2, dtype=np.bool_)
        table[chosen] = False
        sets[int(node)] = table
    return sets


def _offset(learner: dict[str, Any], columns: int) -> Array:
    """The base score as a margin: XGBoost writes it as a prediction, one number or one per output."""
    stored = learner["learner_model_param"]["base_score"]
    base = np.float32(json.loads(stored)).astype(np.float64).reshape(-1)
    objective = learner["objective"]["name"]
    link = _LINKS.get(objective, "identity")
    if link == "logistic" and objective != "binary:logitraw":  # its predictions are its margins
        base = np.log(base) - np.log1p(-base)
    elif link == "log":
        base = np.log(base)
    return np.array(np.broadcast_to(base, (columns,)))
