"""The right picture for a result, and its alternative text; a kind of rows may bring its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from workbench.core import Attribution, kinds
from workbench.draw.bars import bars, bars_text, waterfall, waterfall_text
from workbench.draw.images import heatmap, heatmap_text, superpixels, superpixels_text
from workbench.draw.signals import band, band_text
from workbench.draw.style import label
from workbench.draw.swarm import beeswarm, beeswarm_text
from workbench.draw.volumes import slices, slices_text
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _always(_attribution: Attribution) -> bool:
    return True


def _has_players(attribution: Attribution) -> bool:
    return attribution.has_players


@dataclass(frozen=True)
class Picture:
    """One way to show a result, and the same in words.

    Args:
        name: its name in menus.
        figure: takes an attribution and one of its rows, returns a figure. Also takes `opacity` and
            `original` where the picture is laid over the row; takes no row where it shows all rows.
        words: takes the same, returns aligned text.
        alt: takes the same, returns a shorter text for people who cannot see the picture; `words` when
            left out.
        suits: the results it can show.
        over: whether it is laid over the row, so that its opacity can be chosen.
        all_rows: whether it shows all rows at once.
    """

    name: str
    figure: Callable[..., Figure]
    words: Callable[..., str]
    alt: Callable[[Attribution, int], str] | None = None
    suits: Callable[[Attribution], bool] = _always
    over: bool = False
    all_rows: bool = False

    def drawn(
        self,
        attribution: Attribution,
        row: int = 0,
        *,
        opacity: float = 0.6,
        original: bool = True,
    ) -> Figure:
        """The figure of one row, or of all."""
        if self.all_rows:
            return self.figure(attribution)
        if self.over:
            return self.figure(attribution, row, opacity=opacity, original=original)
        return self.figure(attribution, row)

    def in_words(self, attribution: Attribution, row: int = 0) -> str:
        """The same in words."""
        return self.words(attribution) if self.all_rows else self.words(attribution, row)


_BARS = Picture("bars", bars, bars_text, partial(bars_text, top=5), suits=_has_players)
_WATERFALL = Picture("waterfall", waterfall, waterfall_text, suits=_has_players)
_SWARM = Picture(
    "all rows", beeswarm, beeswarm_text, suits=lambda result: len(result) > 1, all_rows=True
)
_SUPERPIXELS = Picture(
    "superpixels",
    superpixels,
    superpixels_text,
    partial(superpixels_text, top=5),
    suits=lambda result: result.has_superpixels,
    over=True,
)
_HEATMAP = Picture("heat map", heatmap, heatmap_text, over=True)
_BAND = Picture("band", band, band_text, partial(band_text, top=5), over=True)
_SLICES = Picture("slices", slices, slices_text, partial(slices_text, top=5), over=True)

_OF_ANY_KIND = (_BARS, _WATERFALL)
_by_kind: dict[str, tuple[Picture, ...]] = {
    "tabular": (_BARS, _WATERFALL, _SWARM),
    "image": (_SUPERPIXELS, _HEATMAP),
    "signal": (_BAND, _BARS, _WATERFALL),
    "volume": (_SLICES, _BARS, _WATERFALL),
}
_OURS = tuple(_by_kind)


def pictures_of(attribution: Attribution) -> tuple[Picture, ...]:
    """The pictures that suit a result, the usual one first.

    Raises:
        InputError: there is none: credit went to places without names, and their kind has no pictures.
    """
    kind = attribution.inputs.kind
    own = _by_kind.get(kind, ())
    there = own if kind in _OURS else (*own, *_OF_ANY_KIND)
    found = tuple(one for one in there if one.suits(attribution))
    if not found:
        raise InputError(
            f"A picture of {attribution.inputs.kind} rows needs credit by player, but "
            f"{type(attribution.method).__name__} credits single places. Bring one with "
            "draw.add_pictures(kind, pictures)."
        )
    return found


def add_pictures(kind: str, pictures: tuple[Picture, ...]) -> None:
    """Adds the pictures of a kind of your own, the usual one first; bars come after them.

    Raises:
        InputError: there is no such kind, or it has pictures already.
    """
    kinds.of(kind)
    if kind in _by_kind:
        raise InputError(
            f"Pictures are added to a kind that has none, but {kind!r} has "
            f"{[one.name for one in _by_kind[kind]]}. Remove those first, if they are yours."
        )
    _by_kind[kind] = tuple(pictures)


def remove_pictures(kind: str) -> None:
    """Removes the pictures that were added for a kind.

    Raises:
        InputError: none were added.
    """
    if kind in _OURS or kind not in _by_kind:
        raise InputError(
            f"Only added pictures can be removed, but none were added for {kind!r}. Added are those of "
            f"{[one for one in _by_kind if one not in _OURS]}."
        )
    del _by_kind[kind]


def picture(attribution: Attribution, row: int = 0, *, opacity: float = 0.6) -> Figure:
    """The kind's first picture that suits: bars for a table, superpixels or a heat map for an image.

    Args:
        attribution: any result.
        row: which of its rows.
        opacity: of a map over its image.
    """
    return pictures_of(attribution)[0].drawn(attribution, row, opacity=opacity)


def alt_text(attribution: Attribution, row: int = 0) -> str:
    """The picture in words, for people who do not see it."""
    usual = pictures_of(attribution)[0]
    text = usual.in_words(attribution, row) if usual.alt is None else usual.alt(attribution, row)
    return ". ".join(" ".join(label(line, 300).split()) for line in text.splitlines())
