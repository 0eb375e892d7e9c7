"""From a class to an output: by name, by position, or by the side on which a single score lies.

`Target`, the rows' known classes and a model's predictions all use this one rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.capabilities import Scale
from workbench.core.model import Model
from workbench.errors import InputError

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,20})(\.\d{1,20})?", re.ASCII)


def class_names(outputs: Sequence[str], opposite: str = "") -> tuple[str, ...]:
    """The classes' names: those of the outputs; for a single output, its opposite and then the output.

    >>> class_names(("ill",)), class_names(("ill",), "well"), class_names(("cat", "dog"))
    (('not ill', 'ill'), ('well', 'ill'), ('cat', 'dog'))
    """
    if len(outputs) > 1:
        return tuple(outputs)
    return opposite or f"not {outputs[0]}", outputs[0]


def predicted_classes(scores: ArrayLike, scale: Scale) -> NDArray[np.intp] | None:
    """The position of each row's predicted class `(..., n)` in `class_names`, from scores `(..., n, k)`.

    It is the class with the highest score. With a single output it is the output where its score lies above
    0 as a logit or 0.5 as a probability, else the opposite. None for raw scores, which have no classes.

    >>> predicted_classes([[0.2, 0.7], [0.9, 0.1]], "probability")
    array([1, 0])
    >>> predicted_classes([[-1.0], [3.0]], "logit")
    array([0, 1])
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scale == "raw":
        return None
    if scores.shape[-1] == 1:
        threshold = 0.0 if scale == "logit" else 0.5
        return np.asarray(scores[..., 0] > threshold, dtype=np.intp)
    return np.asarray(scores.argmax(axis=-1), dtype=np.intp)


def class_positions(
    classes: ArrayLike,
    names: Sequence[str],
    *,
    labels: Sequence[Any] | None = None,
    ids: Sequence[str] = (),
    advice: str = "Say which output each is.",
) -> NDArray[np.intp]:
    """The position in `names` of each class `(n,)`.

    Text is a name. Numbers and truths are labels where the model's own labels are known and are numbers.
    Otherwise whole numbers are positions, unless they cannot all be positions but are all names, such
    as grades from 3 to 9: then they are names. The number 3 names an output called "3.0".

    >>> class_positions(["dog", "cat"], ("cat", "dog")), class_positions([1, 0], ("cat", "dog"))
    (array([1, 0]), array([1, 0]))
    >>> class_positions([5.0, 3.0], ("3", "5"))
    array([1, 0])
    >>> class_positions([1, 2, 1], ("1", "2", "3"), labels=(1, 2, 3))
    array([0, 1, 0])

    Args:
        classes: names, labels, or whole numbers of any type.
        names: the name of each position.
        labels: the label of each position as the model was fitted with it (`Model.classes`); None where it
            is not known.
        ids: the rows' names, for the message.
        advice: what to do about classes that do not fit, as the last sentence of the message.

    Raises:
        InputError: a class is neither; or numbers are positions of some outputs and names of others; or
            there is more than one column of them.
    """
    given = _plain(np.asarray(classes))
    if given.ndim != 1:
        raise InputError(
            f"One class per row is needed, but these have the shape {given.shape}, as labels do of which a "
            f"row may have several. {advice}"
        )
    numbers = given.dtype.kind in "biuf"
    if labels is not None and len(labels) == len(names) and (not numbers or _numeric(labels)):
        labelled = _labelled(given, names, labels)
        _refuse_strangers(labelled < 0, given, _known(names, labels), ids, advice)
        return labelled
    place = {name: i for i, name in enumerate(names)}
    by_number = {name_as_number(name): i for i, name in enumerate(names)} if numbers else {}
    named = np.array(
        [place.get(_written(one), by_number.get(one, -1)) for one in given.tolist()],
        dtype=np.float64,
    )
    if given.dtype.kind == "b" and len(names) != 2 and not {"True", "False"} & set(names):
        raise InputError(
            f"Truths are the classes of two outputs, but there are {len(names)}: {list(names)[:5]}. "
            f"{advice}"
        )
    positions = given.astype(np.float64) if numbers else named
    if numbers and (named >= 0).all() and (named != positions).any():
        if not _outside(positions, len(names)).any():
            raise _two_meanings(given[0].item(), names)
        positions = named
    opposed = (
        len(names) == 2 and names[0] == f"not {names[1]}" and name_as_number(names[1]) is not None
    )
    if numbers and opposed and ((positions == 1) & (named != 1)).any():
        raise InputError(
            f"Known classes must say which output they are, but 1 is the position of {names[1]!r} and may "
            f"be the label of its opposite. Give them as text: {names[0]!r} and {names[1]!r}."
        )
    known = f"positions 0..{len(names) - 1} or names of {list(names)[:5]}"
    bad = _outside(positions, len(names))
    _refuse_strangers(bad, given, known, ids, advice)
    return positions.astype(np.intp)


def output_position(output: bool | int | str, model: Model) -> int:
    """The position of one output in `class_names`, given by name or by its position among the outputs.

    Unlike in a column of classes, a number is always a position here, whatever the outputs' names are.
    The only output of a model also has an opposite, the class on the other side: by its name, or False.

    >>> net = Model("net", len, ("cat", "dog"), "logit")
    >>> output_position("dog", net), output_position(0, net)
    (1, 0)
    >>> risk = Model("risk", len, ("ill",), "logit", opposite="well")
    >>> [output_position(one, risk) for one in (0, "ill", True, "well", "not ill", False)]
    [1, 1, 1, 0, 0, 0]

    Args:
        output: a name, a position, or a truth where there are two classes.
        model: the model that has the outputs.

    Raises:
        InputError: there is no such output.
    """
    outputs, one_only = model.outputs, len(model.outputs) == 1
    if isinstance(output, str):
        if output in outputs:
            return 1 if one_only else outputs.index(output)
        places = _text(class_names(outputs, model.opposite), model.classes or ())
        if one_only and has_opposite(model):
            places = {f"not {outputs[0]}": 0, **places}
        elif one_only:
            places = {}
        if output in places:
            return places[output]
        opposite = f", and the opposite {class_names(outputs, model.opposite)[0]!r}"
        raise InputError(
            f"Model {model.name!r} has no output {output!r}. Its outputs are {list(outputs)}"
            f"{opposite if one_only and has_opposite(model) else ''}."
        )
    if isinstance(output, bool) and (len(outputs) == 2 or (one_only and has_opposite(model))):
        names = class_names(outputs, model.opposite)
        return int(class_positions([output], names, labels=model.classes)[0])
    if not isinstance(output, int) or isinstance(output, bool):
        raise InputError(
            f"A target is an output's position or name, or True or False of two classes, not {output!r}. "
            f"Model {model.name!r} has the outputs {list(outputs)[:20]}."
        )
    if not 0 <= output < len(outputs):
        raise InputError(
            f"Model {model.name!r} has outputs 0..{len(outputs) - 1} ({list(outputs)}), "
            f"so there is no output {output}."
        )
    return 1 if one_only else output


def has_opposite(model: Model) -> bool:
    """Whether a model's only score has two sides, each of them a class; a regression's has none."""
    return model.scale != "raw" or model.classes is not None


def ambiguous_position(output: int | str, outputs: Sequence[str]) -> bool:
    """Whether a number is the position of one output and the name of another.

    >>> ambiguous_position(1, ("1", "2")), ambiguous_position(1, ("0", "1"))
    (True, False)
    """
    return (
        isinstance(output, int)
        and 0 <= output < len(outputs)
        and outputs[output] != str(output)
        and output in map(name_as_number, outputs)
    )


def name_as_number(name: str) -> float | None:
    """The number that is an output's name, or None."""
    return float(name) if _NUMBER.fullmatch(name) else None


def _written(value: object) -> str:
    """A class written like an output's name: 3.0 is "3"."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _outside(positions: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    return np.asarray(
        (positions != np.round(positions))
        | (positions < 0)
        | (positions >= count)
        | np.isnan(positions)
    )


def _plain(given: NDArray[Any]) -> NDArray[Any]:
    """Objects that are all numbers, all truths or all text as an array of these."""
    if given.dtype != object:
        return given
    held = given.tolist()
    for kind in (bool, int | float, str):
        if all(isinstance(one, kind) and (kind is bool or type(one) is not bool) for one in held):
            return np.array(held)
    return given


def _numeric(labels: Sequence[Any]) -> bool:
    return all(isinstance(one, bool | int | float) for one in labels)


def _labelled(given: NDArray[Any], names: Sequence[str], labels: Sequence[Any]) -> NDArray[np.intp]:
    """The position of each class by its label or its name; -1 where there is none.

    Truths are the labels of two classes alone that were 0 and 1, or False and True, in the fit.
    """
    places: Mapping[Any, int] = {label: i for i, label in enumerate(labels)}
    if given.dtype.kind not in "biuf":
        places = {**places, **_text(names, labels)}
    elif given.dtype.kind == "b" and set(labels) != {0, 1}:
        places = {}
    return np.array([places.get(one, -1) for one in given.tolist()], dtype=np.intp)


def _text(names: Sequence[str], labels: Sequence[Any]) -> dict[str, int]:
    """The position of each name, and of each label as text.

    Raises:
        InputError: one is the name of one output and the label of another.
    """
    places = {str(label): i for i, label in enumerate(labels)}
    for i, name in enumerate(names):
        if places.get(name, i) != i:
            raise InputError(
                f"Classes must say which output they are, but {name!r} names output {i} and was the label "
                f"of output {places[name]} in the fit: {list(labels)[:5]}. Call the outputs otherwise."
            )
        places[name] = i
    return places


def _known(names: Sequence[str], labels: Sequence[Any]) -> str:
    called = "" if list(map(str, labels)) == list(names) else f" or names of {list(names)[:5]}"
    return f"labels that the model was fitted with, {list(labels)[:5]},{called}"


def _refuse_strangers(
    bad: NDArray[np.bool_], given: NDArray[Any], known: str, ids: Sequence[str], advice: str
) -> None:
    if not bad.any():
        return
    first = repr(given[bad].tolist()[0])
    where = f"row {ids[int(np.flatnonzero(bad)[0])]} has {first}" if len(ids) else first
    raise InputError(
        f"Known classes must be {known.rstrip(',')}, but {int(bad.sum())} of {len(given)} are not "
        f"(first: {where}). {advice}"
    )


def _two_meanings(number: Any, names: Sequence[str]) -> InputError:
    return InputError(
        f"Known classes must say which output they are, but numbers such as {number!r} are both positions "
        f"and names of {list(names)[:5]}: the position of {names[int(number)]!r} and the name of another "
        "output. Give names as text, classes.astype(str), or call the outputs otherwise."
    )
