"""`Model`: a trained predictor, called with NumPy arrays; `Combination`: how members' scores are combined.

A combination holds models, and an ensemble holds its combination, so the two share a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core import kinds
from workbench.core.call import CALLS, Ask, Call
from workbench.core.capabilities import (
    CAPABILITIES,
    Activations,
    FeatureMaps,
    Gradient,
    Masked,
    Predict,
    Scale,
)
from workbench.core.column import Column
from workbench.core.combination import Array, Form, Rule
from workbench.core.file_report import FileReport
from workbench.core.frames import ReadFrame, as_table, is_frame, made_up, numbers_by_name
from workbench.core.inputs import Inputs, Kind
from workbench.core.markup import encodable
from workbench.core.source import Source, reduced
from workbench.core.trees import Trees
from workbench.core.variant import Variant
from workbench.errors import InputError, ModelError


@dataclass(frozen=True, eq=False)
class Combination:
    """Members, which of their outputs answer for each output of the ensemble, and how they are combined.

    Linear forms are `intercept + sum_m weights[m] * (views[m] @ scores_m) + direct @ row`:

    >>> from workbench.core import Model
    >>> low = Model("low", lambda rows: rows * 1.0, ("y",), "raw")
    >>> high = Model("high", lambda rows: rows * 3.0, ("y",), "raw")
    >>> mean = Combination((low, high), "weighted mean", "raw", np.array([0.5, 0.5]), (np.eye(1),) * 2)
    >>> rows = np.array([[10.0]])
    >>> mean.scores([low.scores(rows), high.scores(rows)], rows)
    array([[20.]])

    Args:
        members: the m members; all read the ensemble's rows, and their names differ.
        form: see `Form`.
        space: the unit of the sum, in words: "probability", "vote share", "margin of the meta-model".
        weights: one per member `(m,)`; they sum to one for a mean, and are usually 1 for a sum.
        views: per member `(K, k_m)`: how its outputs form each output of the ensemble.
        intercept: added to the sum `(K,)`; zeros when left out.
        direct: weights of the rows' own columns `(K, f)`, where these are added to the sum.
        rule: the function that combines scores where the form is not linear.
        begin: takes the ensemble and its members, perhaps counted; returns their
            `core.explaining.Explaining`, which calls all members at once and divides the result. Without
            it the ensemble is explained like a single model.
    """

    members: tuple[Model, ...]
    form: Form
    space: str
    weights: Array
    views: tuple[Array, ...]
    intercept: Array | None = None
    direct: Array | None = None
    rule: Rule | None = None
    begin: Callable[[Model, Sequence[Model]], Any] | None = None

    def __post_init__(self) -> None:
        names = [member.name for member in self.members]
        if not names or len(set(names)) < len(names):
            raise InputError(
                "An ensemble needs at least one member and a different name for each, but its members "
                f"are called {names[:20]}. Rename them with model.renamed(...)."
            )
        if self.form not in get_args(Form) or (self.form == "not linear") != (
            self.rule is not None
        ):
            raise InputError(
                f"A combination needs a form of {list(get_args(Form))} and a rule exactly where it is "
                f"not linear, but has form={self.form!r} and {'a' if self.rule else 'no'} rule."
            )
        keep = object.__setattr__
        keep(self, "weights", _read_only(self.weights))
        keep(self, "views", tuple(_read_only(view) for view in self.views))
        outputs = len(self.views[0])
        intercept = np.zeros(outputs) if self.intercept is None else self.intercept
        keep(self, "intercept", _read_only(intercept))
        if self.direct is not None:
            keep(self, "direct", _read_only(self.direct))
        wanted = [(outputs, len(member.outputs)) for member in self.members]
        found = [view.shape for view in self.views]
        if wanted != found or self.weights.shape != (len(names),):
            raise InputError(
                f"A combination of {len(names)} members needs as many weights and views of shapes "
                f"{wanted[:5]}, but has weights of {self.weights.shape} and views of {found[:5]}."
            )

    def __repr__(self) -> str:
        names = [member.name for member in self.members]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"Combination({self.form} of {names[:5]}{more} in {self.space})"

    @property
    def linear(self) -> bool:
        """Whether the ensemble's scores are a weighted sum of the members' scores."""
        return self.rule is None

    def scores(self, member_scores: Sequence[NDArray[Any]], rows: NDArray[Any]) -> Array:
        """The ensemble's scores `(n, K)` from the members' scores `(n, k_m)` of the same rows."""
        if self.rule is not None:
            return self.rule([np.asarray(one, dtype=np.float64) for one in member_scores], rows)
        total = np.tile(self.intercept, (len(rows), 1))  # type: ignore[arg-type]
        for weight, view, one in zip(self.weights, self.views, member_scores, strict=True):
            total += weight * (np.asarray(one, dtype=np.float64) @ view.T)
        if self.direct is not None:
            total += np.asarray(rows, dtype=np.float64) @ self.direct.T
        return total


@dataclass(frozen=True, eq=False)
class Model:
    """A trained predictor: a name, a function from rows to scores, and what else it can do.

    Built by `workbench.wrap` or `workbench.load`; a bare callable works too:

    >>> import numpy as np
    >>> twice = Model("twice", predict=lambda rows: rows[:, :1] * 2, outputs=("y",), scale="raw")
    >>> twice.scores(np.array([[3.0, 5.0]]))
    array([[6.]])

    Args:
        name: its name in menus and tables.
        predict: rows `(n, *f)` to scores `(n, k)`, one column per output.
        outputs: the k outputs' names.
        classes: the label of each class as the fit knew it, one per output; of a single output the label on
            its other side and its own. None when the model does not say.
        opposite: the name of the class on the other side of a single output; "" for "not ..." and its name.
        scale: the unit of the scores; copied to every attribution and axis.
        unit: in words, what raw scores are where they are not what the model's library predicts, such as
            "logarithm of the prediction"; "" otherwise.
        kind: what a row is ("tabular", "image"), or None when the model does not say.
        features: the names of a row's columns where the model knows them (tabular models).
        respelled: whether spaces in these names became underscores in the fit, as LightGBM has it; then
            "my_age" may be "my age" in the rows.
        categories: {column: labels} that a row's whole numbers are positions in; every other column holds
            plain numbers. None when the model does not say.
        columns: the types of the columns of the rows it was wrapped with, such as dates; () when it reads
            plain numbers and labels.
        shape: the shape of one row, with None for a free length; () when the model does not say.
        batch: a good number of rows per call; a hint for callers that split work.
        layers: for `activations` and `feature_maps`: takes a batch of rows, returns
            {layer name: (c, h, w)}, in order of execution.
        ablated: takes rows, a layer and each row's channel; scores with that channel set to zero.
        deep_lift: takes rows, each row's reference `(n, *f)` and weights `(t, n, k)`; scores and DeepLIFT's
            contributions `(t, n, *f)`.
        masked_half: `masked` in bfloat16: faster on some hardware, with only nearly the same scores.
        native: the wrapped object, for adapters and referees; methods never touch it.
        lineage: how this model was made, step by step, oldest first.
        combination: for an ensemble, its members and how their scores become its own.
        variant: for a copy made of another model, the record of what was done.
        absent: by the name of a missing capability, why it is missing, where there is a reason.
        file: for a model from a file, the record of how the file was checked and loaded.
        source: how to make it again in another process, where that is known; only then can it be pickled.
        digest: a hash of the weights, or "" when they cannot be hashed.
        notes: sentences a user should know, such as what was assumed about the outputs.
        culprit: takes a row whose scores are not finite; returns a sentence on the first part of the model
            that gives such numbers, or "".
        trial: tries a few rows before the first explanation; its findings are added to the remarks.
        remarks: sentences about what happened during calls, such as memory that ran out.
        metered: whether each row costs something: then no probe and no trial asks it.
    """

    name: str
    predict: Predict
    outputs: tuple[str, ...]
    scale: Scale
    kind: Kind | None = None
    features: tuple[str, ...] = ()
    respelled: bool = False
    categories: Mapping[str, tuple[Any, ...]] | None = None
    columns: tuple[Column, ...] = ()
    shape: tuple[int | None, ...] = ()
    batch: int = 4096
    classes: tuple[Any, ...] | None = None
    opposite: str = ""
    gradient: Gradient | None = None
    activations: Activations | None = None
    feature_maps: FeatureMaps | None = None
    layers: Callable[[NDArray[Any]], dict[str, tuple[int, ...]]] | None = None
    ablated: Callable[..., Any] | None = None
    deep_lift: Callable[..., Any] | None = None
    attention: Callable[..., Any] | None = None
    trees: Callable[[], Trees] | None = None
    masked: Masked | None = None
    masked_half: Masked | None = None
    native: object = field(default=None, repr=False)
    lineage: tuple[str, ...] = ()
    combination: Combination | None = field(default=None, repr=False)
    variant: Variant | None = field(default=None, repr=False)
    absent: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: FileReport | None = field(default=None, repr=False)
    source: Source | None = field(default=None, repr=False)
    digest: str = ""
    unit: str = ""
    notes: tuple[str, ...] = ()
    culprit: Callable[[NDArray[Any]], str] | None = field(default=None, repr=False)
    trial: Callable[[Inputs], None] | None = field(default=None, repr=False)
    remarks: Callable[[], tuple[str, ...]] = tuple
    metered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", encodable(self.name))
        object.__setattr__(self, "outputs", tuple(map(encodable, self.outputs)))
        if self.categories is not None:
            object.__setattr__(self, "categories", MappingProxyType(dict(self.categories)))
        object.__setattr__(self, "absent", MappingProxyType(dict(self.absent)))
        if self.kind is not None:
            kinds.of(self.kind, f"Model {self.name!r} needs a kind of")
        if not self.outputs:
            raise InputError(f"Model {self.name!r} needs at least one output name and has none.")
        if self.classes is not None and len(self.classes) != max(2, len(self.outputs)):
            raise InputError(
                f"Model {self.name!r} needs one class per output, two for a single one, but has "
                f"{len(self.outputs)} outputs and {len(self.classes)} classes."
            )
        if self.scale not in get_args(Scale):
            raise InputError(
                f"Model {self.name!r} needs a scale of {list(get_args(Scale))}, not {self.scale!r}. "
                "Say what unit its scores have."
            )

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The names of this model's capabilities, `predict` first."""
        return ("predict", *(name for name in CAPABILITIES if getattr(self, name) is not None))

    def scores(self, rows: Any) -> NDArray[np.float64]:
        """Checked scores `(n, k)` in float64, in the model's `scale`.

        Args:
            rows: the numbers that the model reads `(n, *f)`, `Inputs`, or a frame, whose columns are found
                by name.

        Raises:
            ModelError: the predictor's answer has another shape or is not finite.
            InputError: a frame without the model's columns, or with labels whose numbers nothing tells.
        """
        if isinstance(rows, Inputs):
            rows = rows.to_frame() if rows.of_kind.columns else rows.values
        if is_frame(rows):
            rows = self._by_name(rows)
        return self.checked(self.predict(rows), len(rows), row=lambda bad: rows[bad])

    def checked(
        self,
        scores: NDArray[Any],
        n: int,
        *,
        what: str = "rows",
        row: Callable[[int], NDArray[Any]] | None = None,
    ) -> NDArray[np.float64]:
        """`scores` as float64 `(n, k)`, or a `ModelError` that names the rows at fault.

        Args:
            n: how many rows were asked for.
            what: a word for the rows, in the plural.
            row: takes a position, returns its row, so that the part of the model at fault can be named.
        """
        scores = self._numbers(scores)
        if scores.shape != (n, len(self.outputs)):
            raise ModelError(
                f"Model {self.name!r} must answer {n} {what} with scores of shape "
                f"{(n, len(self.outputs))} (one column per output {list(self.outputs)}), but gave "
                f"{scores.shape}. Wrap a function that returns one row of scores per input row."
            )
        if not np.isfinite(scores).all():
            bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
            at_fault = ""
            if row is not None and self.culprit is not None:
                at_fault = f"{self.culprit(row(int(bad[0])))} ".lstrip()
            raise ModelError(
                f"Model {self.name!r} must return finite scores, but {len(bad)} of {n} {what} got NaN "
                f"or infinity (first at position {bad[0]}: {scores[bad[0]].tolist()}). {at_fault}Check the "
                "weights and the preprocessing, or leave those rows out."
            )
        return scores

    def _by_name(self, frame: Any) -> NDArray[np.float64]:
        names = tuple(map(str, frame.columns))
        if self.respelled and not set(self.features) <= set(names):
            frame = as_table(frame).rename(columns=lambda name: name.replace(" ", "_"))
        if made_up(names) and len(names) == len(self.features):
            frame = as_table(frame).set_axis(list(self.features), axis=1)
        known = ReadFrame(np.empty((0, 0)), self.features, self.categories or {}, self.columns)
        return numbers_by_name(frame, known)

    def _numbers(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """An answer as float64."""
        try:
            given = np.asarray(scores)
            if not np.iscomplexobj(given):
                return np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            given = np.asarray(scores, dtype=object)
        raise ModelError(
            f"Model {self.name!r} must answer with numbers, but gave {given.dtype} of shape {given.shape}. "
            "Wrap a function that returns scores, not labels or names."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def __repr__(self) -> str:
        many = "1 output" if len(self.outputs) == 1 else f"{len(self.outputs)} outputs"
        can = ", ".join(self.capabilities)
        return f"Model({self.name!r}, {many} in {self.scale}, can {can})"

    def renamed(self, name: str) -> Model:
        """The same model under another name."""
        return replace(self, name=name)

    def through(self, ask: Ask, can: Collection[str] | None = None) -> Model:
        """The same model with every answer passed through `ask`: counted, timed, guarded, or converted.

        What `Model` learns to answer later goes through it too. `trees` and `layers`, which describe the
        model and answer for no row, stay as they are.

        >>> import numpy as np
        >>> twice = Model("twice", lambda rows: rows * 2, ("y",), "raw")
        >>> asked = []
        >>> def noted(call):
        ...     asked.append((call.capability, call.rows))
        ...     return call()
        >>> twice.through(noted).scores(np.array([[3.0]])), asked
        (array([[6.]]), [('predict', 1)])

        Args:
            ask: receives every call; calling that call asks the model.
            can: the capabilities that `ask` answers besides `predict`, the only ones that the new model
                has; when left out, those of the model.
        """
        have = [name for name in CALLS if getattr(self, name) is not None]
        wanted = {"predict", *(have if can is None else can)}
        answers = {
            name: _asking(ask, replace(call, answer=getattr(self, name)))
            if name in wanted
            else None
            for name, call in CALLS.items()
        }
        return replace(self, **answers)  # type: ignore[arg-type]


def _asking(ask: Ask, call: Call) -> Callable[..., Any]:
    def asked(*arguments: Any) -> Any:
        return ask(replace(call, arguments=arguments))

    return asked


def _read_only(array: NDArray[Any]) -> Array:
    kept = np.array(array, dtype=np.float64)
    kept.setflags(write=False)
    return kept
