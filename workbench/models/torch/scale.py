"""The unit of a module's scores: what was said or assumed, held against scores of a few rows."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Scale
from workbench.errors import InputError, WorkbenchError
from workbench.models.asking import failures
from workbench.models.torch.gradient_scan import compiled
from workbench.models.torch.state import as_found

if TYPE_CHECKING:
    import torch

    from workbench.models.torch.engine import TorchEngine
    from workbench.models.torch.last_step import Step

_ROWS = 8
_AROUND = 4e-3  # bfloat16 keeps 8 bits: a probability is up to 1/256 off, and so is a sum of them
_TOLD = 4  # rows between 0 and 1 from which they deserve a remark


@dataclass(frozen=True, eq=False)
class Seen:
    """Scores of a few rows, and the operation they come from.

    Args:
        scores: `(n, k)`; None where no row is at hand.
        step: see `LastStep`; None where it is another, or not known.
        known: whether the operations could be seen.
    """

    scores: NDArray[np.float64] | None = None
    step: Step | None = None
    known: bool = False

    @property
    def inside(self) -> bool:
        """Whether every score lies between 0 and 1."""
        scores = self.scores
        return scores is not None and bool(((scores >= -_AROUND) & (scores <= 1 + _AROUND)).all())

    @property
    def shares(self) -> bool:
        """Whether the scores of every row, at least two of them, are shares of one."""
        scores = self.scores
        return (
            scores is not None
            and scores.shape[1] > 1
            and len(scores) > 1
            and self.inside
            and bool((np.abs(scores.sum(axis=1) - 1) <= _AROUND).all())
        )

    @property
    def normalized(self) -> bool:
        """Whether the scores of every row, at least two of them, are logarithms of shares of one."""
        scores = self.scores
        if scores is None or scores.shape[1] < 2 or (scores > _AROUND).any():
            return False
        # A logarithm in few digits is off by a part of itself, and by so much of itself is its share.
        off = np.abs(np.exp(scores).sum(axis=1) - 1)
        return bool((off <= _AROUND * (1 + np.abs(scores).max(axis=1))).all())

    @property
    def chances(self) -> bool:
        """Whether the scores are probabilities, by the operation they come from."""
        return self.step in ("sigmoid", "softmax") and self.inside


def seen_scores(engine: TorchEngine, rows: Inputs | None) -> Seen:
    """The scores of the first rows and their last step; nothing where the rows are none of the module's."""
    import torch

    from workbench.models.torch.last_step import LastStep

    if rows is None:
        return Seen()
    known = not compiled(engine.module)
    steps = LastStep()
    try:
        with (
            as_found(engine.module, engine.name),
            torch.inference_mode(False),
            torch.no_grad(),
            steps if known else nullcontext(),
        ):
            _, scores = engine.differentiable(rows.values[:_ROWS])
    except WorkbenchError:
        return Seen()
    except failures():  # of a preprocessing, say
        return Seen()
    found = scores.cpu().double().numpy()
    return Seen(found, steps.of(scores), known) if np.isfinite(found).all() else Seen()


def checked_scale(name: str, said: Scale, seen: Seen) -> Scale:
    """The scale that a user gave.

    Raises:
        InputError: the scores of the rows cannot be in it.
    """
    scores = seen.scores
    if said == "probability" and scores is not None and not seen.inside:
        worst = scores.flat[int(np.abs(scores - 0.5).argmax())]
        raise InputError(
            f"Scores of {name!r} were said to be probabilities, which lie between 0 and 1, but one is "
            f"{worst:.4g}. Give scale='logit' for log-odds or the input of a softmax, scale='raw' for "
            "anything else, or put the sigmoid or softmax into the module."
        )
    if said == "logit" and (seen.chances or seen.shares):
        why = f"they come from a {seen.step}" if seen.chances else "every row's scores sum to one"
        raise InputError(
            f"Scores of {name!r} were said to be logits, but {why}, as probabilities do. Give "
            "scale='probability', or leave the last step out of the module."
        )
    if said == "logit" and scores is not None and _logarithm(seen) and not seen.normalized:
        raise InputError(
            f"The scores of {name!r} were said to be logits, but each is the logarithm of a probability of "
            "its own and never above 0. Give scale='raw', or leave the logarithm out of the module."
        )
    return said


def assumed_scale(module: torch.nn.Module, seen: Seen) -> tuple[Scale, str]:
    """The scale of scores of which nothing was said, and the note that says why."""
    if seen.chances:
        return "probability", (
            f"The scores are taken as probabilities, because they come from a {seen.step}. "
            "Give scale='raw' if they are not."
        )
    if seen.step in ("sigmoid", "softmax"):
        return "raw", (
            f"The scores are taken as raw numbers: they are made of a {seen.step}, but do not lie between "
            "0 and 1. Give scale='logit' if they are logits."
        )
    if seen.scores is not None and _logarithm(seen):
        if seen.normalized:
            return "logit", (
                "The scores are logarithms of probabilities, and taken as logits: their softmax gives the "
                "probabilities. Give scale='raw' to have no classes."
            )
        if seen.scores.shape[1] > 1:
            return "raw", (
                "The scores are taken as raw numbers: they are logarithms of probabilities that do not sum "
                "to one, as those of labels that do not exclude each other, so neither logits nor "
                "probabilities. Leave the logarithm out of the module to have labels."
            )
        return "raw", (
            "The score is taken as a raw number, because it is the logarithm of a probability, which is "
            "neither a logit nor a probability."
        )
    if seen.shares:
        return "probability", (
            "The scores are taken as probabilities, because every row's sum to one. Give scale='raw' if "
            "they are not."
        )
    leaves = [part for part in module.modules() if not any(True for _ in part.children())]
    last = type(leaves[-1]).__name__ if leaves else ""
    if last in ("Softmax", "Sigmoid") and not seen.known and (seen.scores is None or seen.inside):
        return "probability", (
            f"The scores are taken as probabilities, because the module's last layer is {last}. "
            "Give scale='raw' or scale='logit' if they are not."
        )
    note = (
        "The scores are taken as logits, because nothing says otherwise. "
        "Give scale='probability' or scale='raw' if they are not."
    )
    scores = seen.scores
    if scores is not None and seen.inside and len(scores) >= _TOLD:
        note += f" Those of {len(scores)} rows all lie between 0 and 1, as probabilities do."
    return "logit", note


def _logarithm(seen: Seen) -> bool:
    return seen.step in ("log-softmax", "log-sigmoid")
