"""Any callable as a `Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale
from workbench.core.inputs import Kind
from workbench.errors import InputError
from workbench.models.outputs import output_names
from workbench.models.trial import Trial
from workbench.models.turns import Turns


def function_model(
    function: Callable[[NDArray[Any]], Any],
    *,
    name: str,
    outputs: Sequence[str] | None,
    scale: Scale | None,
    kind: Kind | None,
    like: Inputs | None,
    shape: Sequence[int | None] | None,
    batch: int | None,
) -> Model:
    """The callable as it is: rows `(n, *f)` to scores `(n, k)`, or `(n,)` for one output.

    Nothing about a bare function can be read from it, so outputs and scale must be said.

    Raises:
        InputError: outputs or scale are missing, or `like` shows another number of outputs.
    """
    missing = [word for word, given in (("outputs", outputs), ("scale", scale)) if given is None]
    if outputs is None or scale is None:
        raise InputError(
            f"Wrapping the function {name!r} needs outputs=[...] (a name per column of scores) and "
            f"scale='logit', 'probability' or 'raw', but {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing."
        )

    def answer(rows: NDArray[Any]) -> NDArray[Any]:
        # A function may write into the rows it is given, and answer in an array that it fills again.
        scores = np.array(function(np.array(rows)))
        return scores[:, None] if scores.ndim == 1 else scores

    known: tuple[int | None, ...] = tuple(shape) if shape is not None else ()
    if like is not None and shape is None and like.kind != "image":
        known = like.values.shape[1:]
    predict = Turns(name, function, answer)
    trial = Trial(predict)
    model = Model(
        name=name,
        predict=predict,
        outputs=output_names(name, outputs, None, ()),
        scale=scale,
        kind=like.kind if kind is None and like is not None else kind,
        features=like.features if like is not None else (),
        shape=known,
        batch=batch or 4096,
        native=function,
        trial=trial,
        remarks=trial.remarks,
    )
    if like is not None:
        model.scores(like.values[:1])
    return model
