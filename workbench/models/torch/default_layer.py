"""Which layer a class activation map reads when none is named, and what must be said of that choice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.models.torch.layers import Found

_EARLY = 0.25
"""A layer is early where at most this share of the layers with weights has run."""


@dataclass(frozen=True)
class Choice:
    """A layer, and a sentence on why it was chosen where that is not obvious; of which layers it is one."""

    layer: str = ""
    why: str = ""
    of: Found = field(default_factory=Found, repr=False)


def choice_of(found: Found, depends: Callable[[str], bool]) -> Choice:
    """The last layer with more than one place that the scores depend on, and that is no part of the head.

    In a vision transformer whose head reads the class token, nothing reads the patches behind the last
    attention: their gradient is zero. The layer before that attention is the last one with a gradient.

    Args:
        found: the module's layers.
        depends: whether the scores depend on the places of a layer.
    """
    order = {one.name: k for k, one in enumerate(found.seen)}
    spatial = [name for name, shape in found.shapes.items() if math.prod(shape[1:]) > 1]
    read = [name for name in reversed(spatial) if name]
    deepest = next((name for name in read if depends(name)), read[0] if read else "")
    if not deepest:
        return Choice(why=_repeated(found), of=found)
    chosen, why = deepest, ""
    if deepest != read[0]:
        why = (
            f"The scores do not depend on the places of deeper layers such as {read[0]!r}: the "
            "gradient there is zero."
        )
    head = found.seen[order[chosen]]
    if head.weighted and not any(
        one.weighted or one.normal for one in found.seen[order[chosen] + 1 :]
    ):
        before = read[read.index(chosen) + 1 :]
        earlier = next((name for name in before if depends(name)), "")
        if earlier:
            chosen = earlier
            why = (
                f"It is the deepest layer before the head {head.name!r}, whose maps are the scores "
                "themselves, place by place."
            )
    chosen = _what_it_reads(found, order, chosen)
    return Choice(chosen, " ".join(filter(None, (why, _early(found, order[chosen])))), found)


def _repeated(found: Found) -> str:
    """A sentence where layers run several times, and so cannot be read by their names."""
    often = max((one for one in found.seen if one.weighted), key=lambda one: one.runs, default=None)
    if often is None or often.runs == 1:
        return ""
    return (
        f"Layers that run more than once per row are not listed, such as {often.name!r} with {often.runs} "
        "runs, since a name does not say which run is meant."
    )


def _what_it_reads(found: Found, order: dict[str, int], layer: str) -> str:
    """The layer that a linear one reads, if that has the same places; else the layer itself.

    Queries, keys and values are linear layers: each is one part of what an attention takes from the tokens.
    """
    one = found.seen[order[layer]]
    if not any("Linear" in kind for kind in one.kinds):
        return layer
    layout = found.layouts[layer]
    for other in found.shapes:
        read = found.seen[order[other]]
        if read.key in one.given and found.layouts[other].places == layout.places:
            return other
    return layer


def _early(found: Found, position: int) -> str:
    """A sentence where the layer is at the very beginning, as a stem or the embedding of patches is."""
    weighted = [k for k, one in enumerate(found.seen) if one.weighted]
    before = sum(k <= position for k in weighted)
    if not weighted or before > _EARLY * len(weighted) or len(weighted) < 2:
        return ""
    return (
        f"It is an early layer (a stem, or the embedding of patches): {len(weighted) - before} of the "
        f"{len(weighted)} layers with weights come after it, and no map of theirs is read. "
        "So the map shows colors and edges rather than reasons; see whether a perturbation method such as "
        "LIME or Occlusion agrees."
    )
