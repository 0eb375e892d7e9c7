"""`Variant`: how a model was made from another, how it is computed, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GradientStatus = Literal[
    "ok", "not decided", "none", "disconnected", "zero", "suspect", "not finite"
]
"""Whether a gradient is that of the scores: with `none` there is no graph; with `disconnected` it does not
reach the rows; with `suspect` it differs from finite differences or an operator has no derivative; with
`not decided` the differences are below the rounding of the scores, and tell nothing."""

CONVENTION = "straight-through convention"
"""The name of a gradient through rounding, whose own derivative is zero almost everywhere."""


@dataclass(frozen=True)
class GradientCheck:
    """Whether a model's gradient is the slope of its scores, as far as finite differences can tell.

    Args:
        status: see `GradientStatus`.
        detail: the reason as a sentence.
        error: relative error against central differences, or None where none were taken.
    """

    status: GradientStatus
    detail: str
    error: float | None = None

    @property
    def ok(self) -> bool:
        """Whether gradient methods may be used: nothing speaks against the gradient."""
        return self.status in ("ok", "not decided")


@dataclass(frozen=True)
class Size:
    """How large a model is, in figures that cannot replace one another.

    Args:
        file_bytes: its weights as a file holds them.
        packed_bits: its weights at the precision they carry, with their scales, packed without gaps.
        nonzeros: weights that are not zero.
        parameters: all weights.
        macs: multiply-accumulate operations per row, or None where they cannot be counted.
    """

    file_bytes: int
    packed_bits: int
    nonzeros: int
    parameters: int
    macs: int | None = None


@dataclass(frozen=True)
class Variant:
    """The record of a compressed, distilled or rewritten copy.

    Args:
        of: the name of the model it was made from.
        recipe: the call that made it, as code.
        description: what was done, in one line.
        runs_as: the arithmetic and the engine of its scores, such as "float32" or "int8, PT2E".
        explained_as: what gradient methods see: "itself", or a twin.
        size: of the copy.
        original_size: of the model it was made from.
        touched: layers (or trees) that were changed.
        layers: layers (or trees) that could have been.
        change: the largest difference between a score and the original's, over the rows that were tried;
            None where there were no rows.
        gradient: what the gradient check found, or None where no gradient is offered.
        twin_gap: the largest difference between the twin's and the copy's own scores; None without a twin.
        batch_gap: the largest difference between a row's scores alone and among others.
        notes: further sentences that a user should know.
    """

    of: str
    recipe: str
    description: str
    runs_as: str
    explained_as: str = "itself"
    size: Size | None = None
    original_size: Size | None = None
    touched: int = 0
    layers: int = 0
    change: float | None = None
    gradient: GradientCheck | None = None
    twin_gap: float | None = None
    batch_gap: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool | None:
        """Whether any score differs from the original's; None where no rows were tried."""
        return None if self.change is None else self.change > 0

    @property
    def batch_invariant(self) -> bool | None:
        """Whether a row's scores are independent of the other rows in a batch; None where not tried."""
        return None if self.batch_gap is None else self.batch_gap == 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings: a copy that changes nothing, scores that depend on the other rows in a batch.

        >>> Variant("net", "fake_quantize(net)", "8-bit weights", "int8", touched=0, layers=3).warnings
        ('Nothing was changed: none of 3 layers was touched, so every comparison finds the same model.',)
        """
        found = []
        if self.layers and not self.touched:
            found.append(
                f"Nothing was changed: none of {self.layers} layers was touched, so every comparison finds "
                "the same model."
            )
        if self.batch_invariant is False:
            found.append(
                f"A row's scores depend on the rows beside it (by up to {self.batch_gap:.2g}), so sums of "
                "attributions need not add up."
            )
        if self.gradient is not None and not self.gradient.ok:
            found.append(f"Its gradient is not used: {self.gradient.detail}")
        elif self.gradient is not None and self.gradient.status == "not decided":
            found.append(self.gradient.detail)
        return tuple(found)

    @property
    def twin_note(self) -> str:
        """The note that belongs to a picture made by the twin; "" without a twin."""
        if self.twin_gap is None:
            return ""
        return (
            f"Gradients come from {self.explained_as} ({CONVENTION}); its scores differ from the copy's "
            f"own by at most {self.twin_gap:.2g}."
        )
