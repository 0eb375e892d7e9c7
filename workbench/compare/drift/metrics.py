"""The metrics of drift: what each measures, in what unit, and how much of it is negligible.

Every metric is a drift: 0 where nothing changed, larger where more did. `docs/decisions/0015` gives the
reasons for these metrics and margins, and says which of them decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.compare import formulas
from workbench.compare.comparable import check_comparable
from workbench.core import Attribution, Kind, kinds
from workbench.errors import InputError

Array = NDArray[np.float64]
_VALUES_AT_ONCE = 2**21  # of each explanation: ranks and masks of more would not fit beside it
_SMALLEST_MAP = 3  # places a side: structural similarity needs a window


@dataclass(frozen=True)
class Metric:
    """One way to measure how far two explanations of a row lie apart.

    Args:
        title: its usual name.
        what: what it measures, as the rest of a sentence.
        of: "players" (named, such as columns or superpixels), "maps" (single places), "planes" (the places
            of an image), or "both" players and maps.
        drift: two explanations `(n, p)`, or `(n, h, w)` of maps, to `(n,)`.
        most: the largest drift there is; None where it depends on the map.
        margin: drift up to which reasons count as preserved, unless another is given.
        why: where the margin comes from.
        squared: whether independent noise adds to its square, as for a length, and not to the drift itself.
        single: how many margins a single row may drift, which is twice as far as all may on average;
            infinite where a row's drift comes in steps, so that two values that are nearly the same and
            change places count as much as any.
    """

    title: str
    what: str
    of: Literal["players", "maps", "planes", "both"]
    drift: Callable[[Array, Array], Array]
    most: float | None
    margin: float
    why: str
    squared: bool = False
    single: float = np.inf


def _less(similarity: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """1 - similarity; and 1 where exactly one of the rows is zero, since zeros have no order."""

    def drift(a: Array, b: Array) -> Array:
        axes = tuple(range(1, a.ndim))
        alone = a.any(axis=axes) != b.any(axis=axes)
        return np.where(alone, 1.0, 1.0 - similarity(a, b))

    return drift


_ORDER = "an order that two neighbors in one row of four would change is no longer the same"
_FIVE = "on average one of five in every second row"

DRIFT_METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "distance": Metric(
            "relative distance (L2)",
            "the length of the difference over the longer of the two",
            "both",
            formulas.distance,
            2.0,
            0.05,
            "the 5 % to which sampled values are estimated by default: closer, nobody claims to know them",
            squared=True,
            single=2.0,
        ),
        "scale": Metric(
            "scale",
            "1 less the shorter length over the longer",
            "both",
            formulas.scale,
            1.0,
            0.1,
            "a tenth more or less of everything: one step of a color scale of ten",
            squared=True,
            single=2.0,
        ),
        "cosine": Metric(
            "cosine",
            "1 less the cosine of the angle between the two",
            "both",
            _less(formulas.cosine),
            2.0,
            0.005,
            "the angle at which a tenth of the length has moved sideways: 0.1² / 2",
            single=4.0,  # twice as far sideways: 0.2² / 2
        ),
        "spearman": Metric(
            "Spearman, signed",
            "1 less the rank correlation of the values",
            "both",
            _less(formulas.spearman),
            2.0,
            0.05,
            _ORDER,
        ),
        "spearman_of_sizes": Metric(
            "Spearman of sizes",
            "1 less the rank correlation of the sizes, whatever their signs",
            "both",
            _less(lambda a, b: formulas.spearman(np.abs(a), np.abs(b))),
            2.0,
            0.05,
            _ORDER,
        ),
        "kendall": Metric(
            "Kendall's tau-b",
            "1 less the balance of pairs in the same order",
            "players",
            _less(formulas.kendall),
            2.0,
            0.2,
            "tau where Spearman's correlation of normal values is 0.95",
        ),
        "feature_agreement": Metric(
            "feature agreement",
            "the part of the five largest that the other does not have among its own",
            "players",
            _less(formulas.feature_agreement),
            1.0,
            0.1,
            _FIVE,
        ),
        "sign_agreement": Metric(
            "sign agreement",
            "the part of the five largest that the other does not have with that sign",
            "players",
            _less(formulas.sign_agreement),
            1.0,
            0.1,
            _FIVE,
        ),
        "rank_agreement": Metric(
            "rank agreement",
            "the part of the five largest that have another place",
            "players",
            _less(formulas.rank_agreement),
            1.0,
            0.2,
            "two of five, as when two neighbors change places, in every second row",
        ),
        "signed_rank_agreement": Metric(
            "signed rank agreement",
            "the part of the five largest that have another place or sign",
            "players",
            _less(formulas.signed_rank_agreement),
            1.0,
            0.2,
            "two of five, as when two neighbors change places, in every second row",
        ),
        "jaccard": Metric(
            "Jaccard",
            "1 less the five largest that both have, over those that either has",
            "players",
            _less(formulas.jaccard),
            1.0,
            1 / 6,
            f"{_FIVE}: 1 - 4/6 there, 0 elsewhere",
        ),
        "top_places": Metric(
            "top 5 % of places",
            "1 less the overlap over the union of the 5 % of places with the largest sizes",
            "maps",
            _less(lambda a, b: formulas.top_places(_flat(a), _flat(b))),
            1.0,
            0.2,
            "eight of nine places shared: a region of 5 % whose rim moved, not its middle",
        ),
        "ssim": Metric(
            "structural similarity",
            "1 less the structural similarity of the maps, each over its own largest size",
            "planes",
            _less(formulas.ssim),
            2.0,
            0.1,
            "where maps side by side begin to look different",
            single=2.0,
        ),
        "earth_mover": Metric(
            "earth mover's distance, pixels",
            "how far the positive part must be carried, along the lines and the columns",
            "planes",
            formulas.earth_mover,
            None,
            1.0,
            "one pixel: no place is known more closely",
            single=2.0,
        ),
    }
)

DECIDING: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {name: kinds.of(name).deciding for name in kinds.names()}
)
"""The metrics that a verdict rests on, by the kind of rows: see `docs/decisions/0015`."""


def checked_margins(margins: object) -> dict[str, float]:
    """Margins by metric; those that are given replace the metrics' own.

    Raises:
        InputError: not a mapping, an unknown metric, or a margin that is not a number from 0.
    """
    if not isinstance(margins, Mapping):
        raise InputError(
            f"Margins need metrics with the drift up to which reasons count as preserved, not {margins!r}. "
            "Write {'cosine': 0.01}."
        )
    for metric, margin in margins.items():
        if metric not in DRIFT_METRICS:
            raise InputError(
                f"Margins are by metric, but {metric!r} has {margin!r}, and {metric!r} is none. Metrics: "
                f"{list(DRIFT_METRICS)}."
            )
        number = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not number or not 0 <= margin < np.inf:
            raise InputError(
                "A margin is a number from 0; margins are the drift up to which reasons count as "
                "preserved. "
                f"{metric!r} has {margin!r}. Correct it, or leave it out for the metric's own."
            )
    return {metric: float(margin) for metric, margin in margins.items()}


def drift_per_row(metric: str, reference: Attribution, copy: Attribution) -> Array:
    """How far each row's explanation has moved `(n,)`, 0 where it is the same number for number.

    Args:
        metric: a key of `DRIFT_METRICS`.
        reference: one explanation.
        copy: another of the same rows over the same background, by the same recipe but for the seed.

    Raises:
        InputError: no such metric, or it is not defined for these explanations.
        IncompatibleError: the two are not comparable; see `check_comparable`.
    """
    check_comparable(reference, copy, "Drift needs")
    if metric not in metrics_for(reference):
        raise InputError(
            f"Drift of {type(reference.method).__name__} needs a metric of {list(metrics_for(reference))}, "
            f"but got {metric!r}. Choose one of these."
        )
    chosen = DRIFT_METRICS[metric]
    view = maps_of if chosen.of in ("maps", "planes") else credit_of
    return drift_of_rows(metric, view(reference), view(copy))


def drift_of_rows(metric: str, reference: Array, copy: Array) -> Array:
    """The same for bare values: `(n, p)` for players or flattened places, `(n, h, w)` for maps.

    >>> drift_of_rows("cosine", np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0]]))
    array([0., 1.])
    """
    n = len(reference)
    step = max(1, _VALUES_AT_ONCE // max(1, reference[:1].size))
    drift = np.zeros(n)
    for start in range(0, n, step):
        a, b = reference[start : start + step], copy[start : start + step]
        # The same numbers are the same explanation; 1 - cosine(a, a) may miss 0 by a rounding.
        moved = (a != b).any(axis=tuple(range(1, a.ndim)))
        if moved.any():
            found = DRIFT_METRICS[metric].drift(a[moved], b[moved])
            drift[start : start + step][moved] = np.maximum(found, 0.0)
    return drift


def metrics_for(attribution: Attribution) -> tuple[str, ...]:
    """The metrics that are defined for this explanation, in the catalog's order."""
    kind, players = attribution.inputs.of_kind, attribution.has_players
    defined = {"players": players, "maps": kind.windows, "planes": kind.planar, "both": True}
    small = kind.planar and min(attribution.inputs.places) < _SMALLEST_MAP
    return tuple(
        name
        for name, metric in DRIFT_METRICS.items()
        if defined[metric.of] and not (small and name == "ssim")
    )


def credit_of(attribution: Attribution) -> Array:
    """Credit per player `(n, p)`, or per place where none has a name."""
    if not attribution.has_players:
        return _flat(attribution.maps())
    if attribution.players is None:
        return np.array(attribution.values)
    return np.stack([attribution.by_player(row) for row in range(len(attribution))])


def maps_of(attribution: Attribution) -> Array:
    """Credit per place `(n, *places)`."""
    return attribution.maps()


def _flat(maps: Array) -> Array:
    return maps.reshape(len(maps), -1)
