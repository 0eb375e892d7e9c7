"""From a class to an output: by name, by position, or by the side on which a single score lies.

`Target`, the rows' known classes and a model's predictions all use this one rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.model import Scale
from workbench.errors import InputError

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,20})(\.\d{1,20})?", re.ASCII)


def class_names(outputs: Sequence[str]) -> tuple[str, ...]:
    """The classes' names: those of the outputs; for a single output, its opposite and then the output.

    >>> class_names(("ill",)), class_names(("cat", "dog"))
    (('not ill', 'ill'), ('cat', 'dog'))
    """
    return (f"not {outputs[0]}", outputs[0]) if len(outputs) == 1 else tuple(outputs)


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
    ids: Sequence[str] = (),
    advice: str = "Say which output each is.",
) -> NDArray[np.intp]:
    """The position in `names` of each class `(n,)`.

    Text is a name. Whole numbers are positions, unless they cannot all be positions but are all names, such
    as grades from 3 to 9: then they are names. The number 3 names an output called "3.0".

    >>> class_positions(["dog", "cat"], ("cat", "dog")), class_positions([1, 0], ("cat", "dog"))
    (array([1, 0]), array([1, 0]))
    >>> class_positions([5.0, 3.0], ("3", "5"))
    array([1, 0])

    Args:
        classes: names, or whole numbers of any type.
        names: the name of each position.
        ids: the rows' names, for the message.
        advice: what to do about classes that do not fit, as the last sentence of the message.

    Raises:
        InputError: a class is neither; or numbers are positions of some outputs and names of others.
    """
    given = np.asarray(classes)
    numbers = given.dtype.kind in "biuf"
    place = {name: i for i, name in enumerate(names)}
    by_number = {_number(name): i for i, name in enumerate(names)} if numbers else {}
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
            raise InputError(
                f"Known classes must say which output they are, but numbers such as {given[0].item()!r} "
                f"are both positions and names of {list(names)[:5]}. Give names as text, "
                "classes.astype(str), or call the outputs otherwise."
            )
        positions = named
    bad = _outside(positions, len(names))
    if bad.any():
        first = repr(given[bad].tolist()[0])
        where = f"row {ids[int(np.flatnonzero(bad)[0])]} has {first}" if len(ids) else first
        raise InputError(
            f"Known classes must be positions 0..{len(names) - 1} or names of {list(names)[:5]}, but "
            f"{int(bad.sum())} of {len(given)} are not (first: {where}). {advice}"
        )
    return positions.astype(np.intp)


def output_position(output: int | str, outputs: Sequence[str], model: str) -> int:
    """The position of one output, given by name or by position.

    Unlike in a column of classes, a number is always a position here, whatever the outputs' names are.

    >>> output_position("dog", ("cat", "dog"), "net"), output_position(0, ("cat", "dog"), "net")
    (1, 0)

    Args:
        output: a name, or a position.
        outputs: the model's outputs.
        model: the model's name, for the message.

    Raises:
        InputError: there is no such output.
    """
    if isinstance(output, str):
        if output not in outputs:
            raise InputError(
                f"Model {model!r} has no output {output!r}. Its outputs are {list(outputs)}."
            )
        return tuple(outputs).index(output)
    if not isinstance(output, int) or isinstance(output, bool):
        raise InputError(f"A target is an output's position or name, not {output!r}.")
    if not 0 <= output < len(outputs):
        raise InputError(
            f"Model {model!r} has outputs 0..{len(outputs) - 1} ({list(outputs)}), "
            f"so there is no output {output}."
        )
    return output


def ambiguous_position(output: int | str, outputs: Sequence[str]) -> bool:
    """Whether a number is the position of one output and the name of another.

    >>> ambiguous_position(1, ("1", "2")), ambiguous_position(1, ("0", "1"))
    (True, False)
    """
    return (
        isinstance(output, int)
        and 0 <= output < len(outputs)
        and outputs[output] != str(output)
        and output in map(_number, outputs)
    )


def _number(name: str) -> float | None:
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
