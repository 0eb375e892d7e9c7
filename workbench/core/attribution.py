"""`Attribution`: how much each feature of each row contributed, and everything needed to judge it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.inputs import Inputs
from workbench.core.markup import escape
from workbench.core.method import Method
from workbench.core.model import Scale
from workbench.core.pickling import by_fields
from workbench.core.provenance import Provenance
from workbench.core.result_writing import save_result
from workbench.core.student import reach
from workbench.core.table import html_table
from workbench.core.target import Target
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Attribution:
    """One model's output on some rows, distributed over their features by one method.

    Args:
        values: `(n, *f)` in `scale`, positive where a feature raised the explained number.
        output: the explained number of each row `(n,)`.
        base: what the values are counted from `(n,)`; NaN where the method has none.
        error: standard errors shaped like `values`, or None when nothing was sampled.
        inputs: the explained rows.
        model: the model's name.
        method: the recipe.
        target: what was explained.
        explained: each row's explained output as text `(n,)`.
        scale: the unit of values, output, base and error.
        seconds: wall time, shared by all targets of one pass.
        evaluations: model rows evaluated, shared by all targets of one pass.
        players: each feature's player, `(f,)` for tables or `(n, h, w)` for images, or None.
        player_names: the players' names, where they have any.
        complete: False when the run was stopped early and only part of the budget was spent.
        finished: of a result that is not complete, which rows have all that the recipe asks for `(n,)`: the
            others have only an estimate from part of the budget, and rows not begun are left out. None
            where it is complete.
        provenance: versions, digests and notes; for an ensemble also how its values follow from its
            members' values, in figures and in words.
        parts: for an ensemble, each member's own attribution, in the members' order.
        freedom: the degrees of freedom of each row's standard errors `(n,)`; with None or infinity they
            count as exactly known.
        draws: how many samples each row took `(n,)`, where the method stops by its errors; two results of
            one recipe share all their samples where these are equal. None where the recipe fixes them.
    """

    values: NDArray[np.float64]
    output: NDArray[np.float64]
    base: NDArray[np.float64]
    error: NDArray[np.float64] | None
    inputs: Inputs
    model: str
    method: Method
    target: Target
    explained: tuple[str, ...]
    scale: Scale
    seconds: float = 0.0
    evaluations: int = 0
    players: NDArray[np.intp] | None = None
    player_names: tuple[str, ...] = ()
    complete: bool = True
    provenance: Provenance = field(default_factory=Provenance)
    parts: tuple[Attribution, ...] = ()
    freedom: NDArray[np.float64] | None = None
    draws: NDArray[np.intp] | None = None
    finished: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        names = ("values", "output", "base", "error", "freedom", "players", "draws", "finished")
        types = {"players": np.intp, "draws": np.intp, "finished": np.bool_}
        for name in names:
            array = getattr(self, name)
            if array is not None:
                array = np.array(array, dtype=types.get(name, np.float64))
                array.setflags(write=False)
                object.__setattr__(self, name, array)
        object.__setattr__(self, "parts", tuple(self.parts))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def gap(self) -> NDArray[np.float64]:
        """`output - base - sum of values` `(n,)`: near 0 where the explanation is complete."""
        total: NDArray[np.float64] = self.values.reshape(len(self), -1).sum(axis=1)
        return self.output - self.base - total

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that belong beside every picture of this result."""
        return self.provenance.notes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of `by_player`."""
        if self.player_names:
            return self.player_names
        kind = self.inputs.of_kind
        if kind.place_names is None:
            raise InputError(f"{kind.place_plural.capitalize()} have no names. {kind.by_place}")
        return kind.place_names(self.inputs)

    @property
    def has_players(self) -> bool:
        """Whether credit went to players; single places may be players themselves, as columns are."""
        return self.players is not None or self.inputs.of_kind.place_names is not None

    @property
    def has_superpixels(self) -> bool:
        """Whether credit went to pieces of an image worth outlining."""
        image = self.inputs.of_kind.planar and self.players is not None
        return image and bool(self.player_names) and self.player_names[0].startswith("superpixel")

    def owners(self, row: int) -> NDArray[np.intp] | None:
        """One row's owners: each place's player, or None where credit went to single places."""
        if self.players is None or self.inputs.of_kind.shared_players:
            return self.players
        owners: NDArray[np.intp] = self.players[row]
        return owners

    def by_player(self, row: int) -> NDArray[np.float64]:
        """One row's credit per player `(p,)`: the sum over each player's features."""
        return self._summed(self.values, row)

    def error_by_player(self, row: int) -> NDArray[np.float64] | None:
        """One row's standard error per player `(p,)`, or None when nothing was sampled."""
        return None if self.error is None else self._summed(self.error, row)

    def half_width(self, confidence: float = 0.95) -> NDArray[np.float64] | None:
        """How far each value may be off with this confidence, shaped like `values`; None where exact.

        By default, the truth lies in `values ± half_width()` in 95 of 100 runs. The half width is the
        standard error times the quantile of Student's t at the row's degrees of freedom: 1.96 where they
        are many, more where they are few. It holds for one value at a time.
        """
        if self.error is None:
            return None
        times = self._reach(confidence)
        return self.error * times.reshape(-1, *(1,) * (self.error.ndim - 1))

    def half_width_by_player(
        self, row: int, confidence: float = 0.95
    ) -> NDArray[np.float64] | None:
        """The same for one row's credit per player `(p,)`."""
        error = self.error_by_player(row)
        return None if error is None else error * self._reach(confidence)[row]

    def _reach(self, confidence: float) -> NDArray[np.float64]:
        """Each row's number of standard errors `(n,)`."""
        return reach(
            np.full(len(self), np.inf) if self.freedom is None else self.freedom, confidence
        )

    def _summed(self, array: NDArray[np.float64], row: int) -> NDArray[np.float64]:
        values: NDArray[np.float64] = array[row]
        players = self.owners(row)
        if players is None:
            if self.has_players:
                return values
            kind = self.inputs.of_kind
            raise InputError(
                f"{type(self.method).__name__} credits {kind.place_plural}, not players. {kind.by_place}"
            )
        if values.ndim > players.ndim:
            values = values.sum(axis=-1)
        member = players >= 0
        credit = np.bincount(
            players[member], weights=values[member], minlength=len(self.player_names)
        )
        return credit.astype(np.float64)

    def maps(self) -> NDArray[np.float64]:
        """For images, one number per place `(n, h, w)`; likewise for every kind whose places have an order.

        Credit to superpixels is shown whole on each of their pixels (a small superpixel is not
        brighter for being small); channels are summed.
        """
        spatial = self.inputs.of_kind.spatial
        if not spatial:
            raise InputError(f"maps() needs image rows, but these are {self.inputs.kind}.")
        if self.players is None:
            channels = tuple(range(1 + spatial, self.values.ndim))
            return self.values.sum(axis=channels) if channels else np.array(self.values)
        out = np.zeros((len(self), *self.inputs.places))
        for i in range(len(self)):
            credit = np.append(self.by_player(i), 0.0)  # the last entry serves player -1
            out[i] = credit[self.owners(i)]
        return out

    def to_frame(self) -> pandas.DataFrame:
        """Tidy rows: row id, player, value, error, for tables and superpixels."""
        import pandas as pd

        frames = []
        for i, row in enumerate(self.inputs.ids):
            credit = self.by_player(i)
            error = self.error_by_player(i)
            names = self.names if self.player_names or self.players is None else range(len(credit))
            frames.append(
                pd.DataFrame(
                    {
                        "row": row,
                        "explained": self.explained[i],
                        "player": list(names)[: len(credit)],
                        "value": credit,
                        "error": np.nan if error is None else error,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one safetensors file, which `workbench.read` gives back.

        The model itself is not saved, only its name and its digest.

        Raises:
            InputError: the file cannot be written, or the method is not a dataclass of numbers and text.
        """
        save_result(self, path)

    def __reduce__(self) -> tuple[Any, ...]:
        return by_fields(self)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.values.shape))
        partial = "" if self.complete else ", stopped early"
        return (
            f"Attribution({type(self.method).__name__} of {self.model!r}, {shape} in {self.scale}, "
            f"{self.evaluations} model rows, {self.seconds:.2f} s{partial})"
        )

    def _repr_html_(self) -> str:
        rows = [
            (row, what, f"{out:.4g}", f"{base:.4g}", f"{gap:.2g}")
            for row, what, out, base, gap in zip(
                self.inputs.ids[:10], self.explained, self.output, self.base, self.gap, strict=False
            )
        ]
        more = f"<p>… and {len(self) - 10} more rows</p>" if len(self) > 10 else ""
        notes = "".join(f"<p>{escape(note, limit=400)}</p>" for note in self.notes)
        return (
            f"<p><b>{escape(repr(self.method), limit=400)}</b> of <b>{escape(self.model)}</b>, "
            f"in {escape(self.scale)}</p>"
            f"{html_table(('row', 'explained', 'output', 'base', 'gap'), rows)}{more}{notes}"
        )
