"""Finds how each layer's output holds maps, from its shapes for two numbers of rows and from trials."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.models.torch.answers import described
from workbench.models.torch.layout import Layout, row_axis
from workbench.models.torch.places import (
    agreement,
    alike,
    contradicts,
    follows,
    grids,
    own,
)

if TYPE_CHECKING:
    import torch

    from workbench.models.torch.looking import Key, Seen

_KNOWN = re.compile(
    r"(Conv|ConvTranspose|ConvReLU|ConvAddReLU|ConvBn|ConvBnReLU|BatchNorm|BNReLU|InstanceNorm|"
    r"(Max|Avg|LP|FractionalMax|AdaptiveAvg|AdaptiveMax)Pool|Dropout|UpsamplingNearest|"
    r"UpsamplingBilinear)(\dd)"
)
"""Layers of torch, and of its quantized copies, that read and give maps by definition, channels first."""

_SEARCHES = 4  # how often a length of tokens is looked for before it counts as no grid
_NEARLY = 0.02  # correlations as close as this do not tell two grids apart; the one with fewer others wins

_Changes = tuple[NDArray[np.float64], ...]


class Reader:
    """What two runs of a module tell of its layers' outputs.

    Args:
        image: the lengths of the rows' places, such as (height, width).
        counts: the numbers of rows in the first and the second run; equal where only one is possible.
    """

    def __init__(self, image: tuple[int, ...], counts: tuple[int, int]) -> None:
        self.image, self.counts = image, counts
        self._few: dict[str, tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]] = {}
        self._rows: dict[str, int | None] = {}
        self._many: dict[str, tuple[int, ...]] = {}
        self._changes: dict[str, list[tuple[bool, NDArray[np.float64]]]] = {}
        self._attention: set[str] = set()
        self._grids: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._searched: Counter[tuple[int, bool]] = Counter()
        self._maps: list[tuple[int, ...]] = []
        self._as: dict[Key, Layout] = {}
        self._shaped: dict[tuple[int, ...], Layout] = {}

    def expect(self, seen: list[Seen]) -> None:
        """Takes the shapes of the first run."""
        for one in seen:
            if one.runs == 1:
                self._few[one.name] = _shape(one.out), tuple(map(_shape, one.read))
                if self._is_known(one) and len(_shape(one.out)) == len(self.image) + 2:
                    self._maps.append(_shape(one.out)[2:])

    def watch(self, name: str, read: tuple[Any, ...], out: Any) -> None:
        """Takes one part's input and output in the second run."""
        if name not in self._few:
            return
        shape, given = self._few[name]
        for few, tensor in zip(given, read, strict=False):
            # What reaches a part may be the only time that a line of tokens is seen before they are mixed.
            if len(few) == 3 and len(self.image) > 1:
                rows = row_axis(few, _shape(tensor), self.counts)
                if rows is not None and tensor.is_floating_point():
                    self._search(self._moved(tensor, rows))
        self._many[name] = _shape(out)
        rows = row_axis(shape, self._many[name], self.counts)
        if rows is None or not self._may_be_maps(out):
            return
        self._rows[name] = rows
        self._changes[name] = self._moved(out, rows)
        if len(shape) == 3 and len(self.image) > 1:
            self._search(self._changes[name])
        elif _sums_to_one(out):
            change, places = self._changes[name][1][1], _without(shape, rows)[:-1]
            if not follows(agreement(change), places, sure=True):  # as a softmax over channels does
                self._attention.add(name)

    def layout(self, one: Seen) -> tuple[Layout | None, str]:
        """How the output of this part holds maps, or None and why it does not."""
        layout, why = self._layout(one)
        if layout is not None:
            self._as.setdefault(one.key, layout)
            if layout.tokens is None:
                self._shaped.setdefault(tuple(one.out.shape[1:]), layout)
        return layout, why

    def _layout(self, one: Seen) -> tuple[Layout | None, str]:
        if not self._may_be_maps(one.out):
            return None, ""
        if one.key in self._as:
            return self._as[one.key], ""
        if self.counts[0] == self.counts[1]:
            rows = row_axis(one.out.shape, one.out.shape, self.counts)
        else:
            rows = self._rows.get(one.name)
        if rows is None:
            return None, self._no_rows(one)
        if one.name in self._attention:
            return None, "gives attention between tokens instead of maps (n, c, h, w)"
        if one.out.ndim == 3 and len(self.image) > 1:
            layout = self._tokens(one, rows)
        else:
            layout = self._axes(one, rows)
        if layout is None:
            return None, (
                f"{described(one.out)}, but no axes of it follow the height and width of the image, so it "
                "is no map"
                if len(self.image) == 2
                else f"{described(one.out)}, but no axes of it follow the places of the rows"
            )
        return layout, ""

    def _axes(self, one: Seen, rows: int) -> Layout | None:
        """The layout of an output in which each axis of places is an axis of its own."""
        ordered = (one.out.shape[rows], *_without(one.out.shape, rows))
        readings = {False: ordered[2:], True: ordered[1:-1]}
        found = {last: agreement(change) for last, change in self._changes.get(one.name, ())}
        against = False in found and contradicts(found[False], readings[False])
        if rows == 0 and ((self._is_known(one) and not against) or not found):
            return Layout(tuple(readings[False]))
        fitting = [last for last in found if follows(found[last], readings[last])]
        if fitting:
            last = max(fitting, key=lambda reading: own(found[reading], readings[reading]))
            return Layout(tuple(readings[last]), rows, last)
        # Few places, far behind the image, tell too little: what is known of such maps before decides.
        like = self._shaped.get(tuple(one.out.shape[1:]))
        if like is None:
            like = next((self._as[key] for key in one.given if key in self._as), None)
        if like is None or like.tokens is not None or not like.rows == rows == 0:
            return None
        # A layer may turn channels-first maps into channels-last ones: the same places tell.
        same = [last for last in found if tuple(readings[last]) == like.places]
        last = same[0] if len(same) == 1 else like.last
        places = tuple(readings[last])
        if contradicts(found[last], places) or not alike(places, self.image):
            return None
        return Layout(places, rows, last)

    def _tokens(self, one: Seen, rows: int) -> Layout | None:
        """The layout of an output in which one axis holds the places line by line."""
        for last, change in self._changes.get(one.name, ()):
            tokens = change.shape[1]
            if tokens not in self._grids:
                continue
            first, places = self._grids[tokens]
            if follows(agreement(_laid_out(change, first, places)), places):
                return Layout(places, rows, last, tokens, first)
        return None

    def _search(self, changes: list[tuple[bool, NDArray[np.float64]]]) -> None:
        """Looks for a grid in a line of tokens whose length is new."""
        for last, change in changes:
            tokens = change.shape[1]
            if self._searched[tokens, last] >= _SEARCHES or tokens in self._grids:
                continue
            self._searched[tokens, last] += 1
            best, chosen = 0.0, None
            for first, places in grids(tokens, self.image, self._maps):
                found = agreement(_laid_out(change, first, places))
                if own(found, places) > best + _NEARLY and follows(found, places, sure=True):
                    best, chosen = own(found, places), (first, places)
            if chosen is not None:
                self._grids[tokens] = chosen

    def _moved(self, out: torch.Tensor, rows: int) -> list[tuple[bool, NDArray[np.float64]]]:
        """(Whether channels are last, how far each place moved), for both readings of an output."""
        probes = 2 * len(self.image)
        plain = out.detach().dequantize() if out.is_quantized else out.detach()
        ordered = plain.movedim(rows, 0)
        moved = (ordered[1 : 1 + probes] - ordered[:1]).abs().double().nan_to_num(0.0, 0.0, 0.0)
        return [(last, moved.sum(-1 if last else 1).cpu().numpy()) for last in (False, True)]

    def _may_be_maps(self, out: Any) -> bool:
        import torch

        if not isinstance(out, torch.Tensor) or not (out.is_floating_point() or out.is_quantized):
            return False
        return out.ndim == len(self.image) + 2 or (out.ndim == 3 and len(self.image) > 1)

    def _is_known(self, one: Seen) -> bool:
        return any(
            (match := _KNOWN.fullmatch(kind)) and int(match[3][0]) == len(self.image)
            for kind in one.kinds
        )

    def _no_rows(self, one: Seen) -> str:
        few, many = tuple(one.out.shape), self._many.get(one.name, ())
        if few == many:
            return f"{described(one.out)} for any number of rows, so it is no map of a row"
        times = few[0] / self.counts[0] if few else 0
        if times > 1 and len(few) == len(many) and many[0] == times * self.counts[1]:
            return (
                f"gives {times:g} pieces of every row (windows, for example) side by side on its first "
                "axis, instead of maps (n, c, h, w)"
            )
        return f"{described(one.out)}, of which no axis is that of the rows, instead of maps (n, c, h, w)"


def _laid_out(
    change: NDArray[np.float64], first: int, places: tuple[int, ...]
) -> NDArray[np.float64]:
    held = change[:, first : first + math.prod(places)]
    return held.reshape(len(change), *places)


def _sums_to_one(out: torch.Tensor) -> bool:
    """Whether the last axis holds shares, as attention does: not below zero, and one altogether."""
    if out.is_quantized or out.shape[-1] < 2 or not out.numel():
        return False
    plain = out.detach().float()
    shares = plain.sum(dim=-1)
    return bool((plain >= 0).all()) and bool(((shares - 1).abs() < 1e-3).all())


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))


def _without(shape: Any, axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])
