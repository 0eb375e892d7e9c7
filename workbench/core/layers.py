"""`Layers`: a model's spatial layers, and the one that is read when none is named."""

from __future__ import annotations

from collections.abc import Mapping


class Layers(dict[str, tuple[int, ...]]):
    """{layer's name: (c, *places)} in the order of execution, with what should be said of some of them.

    >>> layers = Layers({"stem": (8, 6, 4), "late": (9, 3, 2), "unread": (9, 3, 2)}, default="late")
    >>> layers.chosen
    'late'
    >>> Layers({"stem": (8, 6, 4), "pooled": (9, 1, 1)}).chosen  # the last one with several places
    'stem'

    Args:
        shapes: the shape of one row's maps at each layer.
        default: the layer to read when none is named; "" for the last one with more than one place.
        why: a sentence on this choice, or "".
        said: {layer: a sentence on its maps}.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        *,
        default: str = "",
        why: str = "",
        said: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(shapes)
        self.default, self.why, self.said = default, why, dict(said or {})

    @property
    def chosen(self) -> str:
        """The layer to read when none is named, or "" where no layer has more than one place."""
        return self.default or last_with_places(self)


def last_with_places(layers: Mapping[str, tuple[int, ...]]) -> str:
    """The last layer whose maps have more than one place, or "".

    >>> last_with_places({"a": (8, 6, 4), "b": (9, 1, 1)}), last_with_places({"b": (9, 1, 1)})
    ('a', '')
    """
    spatial = [name for name, shape in layers.items() if any(length > 1 for length in shape[1:])]
    return spatial[-1] if spatial else ""
