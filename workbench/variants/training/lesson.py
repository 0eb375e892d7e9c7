"""What a network learns in training: true classes, a teacher's scores, and the teacher's reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale, class_names, class_positions
from workbench.errors import IncompatibleError, InputError

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]

_CERTAIN = (
    1e-6  # probabilities are kept this far from 0 and 1, or their logarithms would be infinite
)


@dataclass(frozen=True, eq=False)
class Lesson:
    """Rows, and what is to be learned from them.

    Args:
        rows: `(n, *f)`.
        scale: the unit of the student's and the teacher's scores.
        labels: positions of classes `(n,)`, or values `(n, k)` where the scores are raw; None for none.
        taught: the teacher's scores `(n, k)`, or None.
        slopes: the gradient `(n, *f)` of the teacher's highest score of each row, or None.
        spread: for tables, the standard deviation of each column `(f,)`. Gradients are compared in these
            units; otherwise the columns with the smallest unit would decide alone.
        temperature: of the softmax of student and teacher.
        hard: the weight of the labels; the teacher's scores have the rest.
        reasons: the weight of the distance between gradients.
    """

    rows: NDArray[Any]
    scale: Scale
    labels: NDArray[Any] | None
    taught: Array | None
    slopes: Array | None
    temperature: float
    hard: float
    reasons: float
    spread: Array | None = None

    def loss(
        self,
        scores: torch.Tensor,
        batch: torch.Tensor,
        some: NDArray[np.intp],
        *,
        turned: bool = False,
    ) -> torch.Tensor:
        """The mean loss of some rows, from their scores `(m, k)` and the batch they came from.

        `turned` says whether the batch has its channels first, and rows have them last.

        hard * cross-entropy(labels) + (1 - hard) * T² KL(teacher / T, student / T) + reasons *
        (1 - cosine(gradients)); where scores are raw, squared errors over their variance take the place of
        the first two terms.
        """
        parts = []
        if self.labels is not None and self.hard > 0:
            parts.append(self.hard * self._to_labels(scores, self.labels, some))
        if self.taught is not None and self.hard < 1:
            parts.append((1 - self.hard) * self._to_teacher(scores, self.taught, some))
        if self.taught is not None and self.slopes is not None:
            predicted = self.taught[some].argmax(axis=1)
            parts.append(
                self.reasons
                * _to_reasons(
                    scores, batch, predicted, self.slopes[some], self.spread, turned=turned
                )
            )
        total: torch.Tensor = sum(parts[1:], parts[0])
        return total

    def _to_labels(
        self, scores: torch.Tensor, labels: NDArray[Any], some: NDArray[np.intp]
    ) -> torch.Tensor:
        from torch.nn import functional

        if self.scale == "raw":
            return _squared(scores, labels, some)
        logits = _logits(scores, self.scale)
        if logits.shape[1] == 1:
            wanted = logits.new_tensor(labels[some][:, None])
            return functional.binary_cross_entropy_with_logits(logits, wanted)
        return functional.cross_entropy(logits, logits.new_tensor(labels[some]).long())

    def _to_teacher(
        self, scores: torch.Tensor, taught: Array, some: NDArray[np.intp]
    ) -> torch.Tensor:
        from torch.nn import functional

        if self.scale == "raw":
            return _squared(scores, taught, some)
        t = self.temperature
        student = _both(_logits(scores, self.scale)) / t
        teacher = _both(_logits(scores.new_tensor(taught[some]), self.scale)) / t
        apart = functional.kl_div(
            functional.log_softmax(student, 1),
            functional.log_softmax(teacher, 1),
            log_target=True,
            reduction="batchmean",
        )
        return t * t * apart


def _to_reasons(
    scores: torch.Tensor,
    batch: torch.Tensor,
    predicted: NDArray[np.intp],
    slopes: Array,
    spread: Array | None,
    *,
    turned: bool,
) -> torch.Tensor:
    """One minus the cosine between both models' gradients of the teacher's highest output."""
    import torch

    highest = torch.as_tensor(predicted, device=scores.device)
    (own,) = torch.autograd.grad(scores.gather(1, highest[:, None]).sum(), batch, create_graph=True)
    wanted = own.new_tensor(slopes)
    if turned:
        wanted = wanted.movedim(-1, 1)
    if spread is not None:
        own, wanted = own * own.new_tensor(spread), wanted * own.new_tensor(spread)
    return (1 - torch.nn.functional.cosine_similarity(own.flatten(1), wanted.flatten(1))).mean()


def _both(logits: torch.Tensor) -> torch.Tensor:
    """One logit as the two logits whose softmax is its logistic function."""
    import torch

    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


def _logits(scores: torch.Tensor, scale: Scale) -> torch.Tensor:
    if scale == "logit":
        return scores
    if scores.shape[1] == 1:
        return scores.logit(eps=_CERTAIN)
    return scores.clamp_min(_CERTAIN).log()


def _squared(scores: torch.Tensor, wanted: NDArray[Any], some: NDArray[np.intp]) -> torch.Tensor:
    spread = np.maximum(wanted.var(axis=0), np.finfo(np.float32).tiny)
    apart = (scores - scores.new_tensor(wanted[some])) ** 2
    return (apart / scores.new_tensor(spread)).mean()


def labels_of(inputs: Inputs, model: Model) -> NDArray[Any] | None:
    """The known truth for each row: positions `(n,)` of classes, or values `(n, k)` where scores are raw.

    Classes may also be the outputs' names. None where nothing is known.

    Raises:
        InputError: classes that no output stands for, or a single one, which would teach nothing else.
    """
    known = inputs.y
    if known is None:
        return None
    if model.scale == "raw":
        return _values(known, inputs, model)
    names = class_names(model.outputs, model.opposite)
    if known.ndim != 1:
        raise InputError(
            f"Training needs one class per row, positions 0..{len(names) - 1} of {list(names)[:8]}, but "
            f"{inputs.name!r} has classes of shape {known.shape}. Give Inputs(y=...) one each, or "
            "hard=0 with a teacher to leave them out."
        )
    known = class_positions(
        known,
        names,
        labels=model.classes,
        ids=inputs.ids,
        advice="Give Inputs(y=...) whole numbers, or hard=0 with a teacher to leave them out.",
    )
    if len(np.unique(known)) < 2:
        raise InputError(
            f"Training needs rows of two classes at least, but all {len(known)} of {inputs.name!r} are of "
            f"class {known[0]}: a network would learn to predict nothing else. Give rows of every class, "
            "or hard=0 with a teacher to leave them out."
        )
    return known


def _values(known: NDArray[Any], inputs: Inputs, model: Model) -> NDArray[Any]:
    values = known[:, None] if known.ndim == 1 else known
    k = len(model.outputs)
    if values.dtype.kind not in "iufb" or values.shape[1] != k or not np.isfinite(values).all():
        raise InputError(
            f"Training scores in their own unit needs {k} finite value(s) per row, but {inputs.name!r} has "
            f"classes of shape {known.shape} and type {known.dtype}. Give Inputs(y=values)."
        )
    return values.astype(np.float64)


def lesson_of(
    inputs: Inputs,
    student: Model,
    teacher: Model | None,
    *,
    temperature: float,
    hard: float | None,
    reasons: float,
) -> Lesson:
    """What the student can learn from the rows and the teacher, computed once.

    Args:
        inputs: the training rows.
        student: the model whose outputs and scale count.
        teacher: a model with the same outputs and scale, or None.
        temperature: see `Lesson`.
        hard: see `Lesson`; when left out, a half, or one without a teacher, where classes are known.
        reasons: see `Lesson`.

    Raises:
        InputError: neither classes nor a teacher; classes are needed but not known.
        IncompatibleError: a teacher of other outputs or another scale, or without a needed gradient.
    """
    _check(inputs, temperature, hard, reasons)
    if teacher is not None:
        _check_teacher(student, teacher)
    if hard is None:
        hard = 0.0 if inputs.y is None else 1.0 if teacher is None else 0.5
    if teacher is None and reasons > 0:
        raise InputError(
            "Matching reasons needs a teacher with a gradient, but there is no teacher. Give teacher=model."
        )
    if teacher is None and (hard < 1 or inputs.y is None):
        raise InputError(
            f"Training needs classes or a teacher, but {inputs.name!r} has no classes, or these do not "
            f"count in full (hard={hard:g}). Give Inputs(y=...) or teacher=model."
        )
    if hard > 0 and inputs.y is None:
        raise InputError(
            f"hard={hard:g} weighs true classes, but {inputs.name!r} has none. Give Inputs(y=...), "
            "or hard=0 to learn from the teacher alone."
        )
    labels = labels_of(inputs, student) if hard > 0 else None
    rows = np.asarray(inputs.values)
    taught = slopes = spread = None
    if teacher is not None:
        taught = teacher.scores(rows)
        if reasons > 0:
            slopes = _slopes(teacher, rows, taught)
            # Of the known values: one missing value would leave the whole column without a spread.
            known = np.ma.masked_invalid(rows)
            spread = known.std(axis=0).filled(0.0) if rows.ndim == 2 else None
    return Lesson(rows, student.scale, labels, taught, slopes, temperature, hard, reasons, spread)


def _check(inputs: Inputs, temperature: float, hard: float | None, reasons: float) -> None:
    if not isinstance(inputs, Inputs):
        raise InputError(
            f"Training needs rows as Inputs, not a {type(inputs).__name__}. Wrap them: "
            "workbench.Inputs(array, kind='tabular', y=...)."
        )
    if not len(inputs):
        raise InputError(
            f"Training needs rows, but {inputs.name!r} has none. Give rows such as the model was trained "
            "on."
        )
    if not temperature > 0 or not np.isfinite(temperature):
        raise InputError(f"temperature must be above zero, not {temperature!r}. Take 1 to 20.")
    if hard is not None and not 0 <= hard <= 1:
        raise InputError(
            f"hard is the share of the loss that true classes have, 0 … 1, not {hard!r}."
        )
    if not reasons >= 0 or not np.isfinite(reasons):
        raise InputError(f"reasons is a weight of zero or more, not {reasons!r}.")


def _check_teacher(student: Model, teacher: Model) -> None:
    if len(teacher.outputs) != len(student.outputs):
        raise InputError(
            f"A student needs the outputs of its teacher: {teacher.name!r} has {len(teacher.outputs)} "
            f"({list(teacher.outputs)[:8]}), {student.name!r} has {len(student.outputs)} "
            f"({list(student.outputs)[:8]}). Give a student with {len(teacher.outputs)} outputs."
        )
    if teacher.outputs != student.outputs:
        raise InputError(
            f"A student needs the outputs of its teacher in the same order, but {teacher.name!r} has "
            f"{list(teacher.outputs)[:8]} and {student.name!r} has {list(student.outputs)[:8]}. Wrap the "
            "student with outputs=teacher.outputs."
        )
    if teacher.scale != student.scale:
        raise IncompatibleError(
            f"A student learns scores in its teacher's unit, but {teacher.name!r} gives {teacher.scale!r} "
            f"and {student.name!r} gives {student.scale!r}. Wrap one of them with the other's scale."
        )


def _slopes(teacher: Model, rows: NDArray[Any], taught: Array) -> Array:
    if teacher.gradient is None:
        why = teacher.absent.get("gradient", "it offers none")
        raise IncompatibleError(
            f"Matching reasons needs the gradient of the teacher, but {teacher.name!r} has none: {why}. "
            "Leave reasons=0, or give a teacher made from a torch module."
        )
    weights = np.eye(taught.shape[1])[taught.argmax(axis=1)][None]
    _, slopes = teacher.gradient(rows, weights)
    return np.asarray(slopes[0], dtype=np.float64)
