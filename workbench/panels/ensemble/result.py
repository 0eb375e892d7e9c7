"""An ensemble's result as a person reads it: numbers, ranking, members, pictures. Pure HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.compare import Disagreement
from workbench.core import TableCell, class_names, clean, escape, frame_cells, html_table
from workbench.panels.ensemble.outcome import EnsembleOutcome
from workbench.panels.kit import Field, facts_html, notes_html, opacity, words_html

if TYPE_CHECKING:
    import pandas

ALONE = 0.95
"""A member relies on one feature alone where at least this share of its credit goes to it."""

OPPOSITE = -0.5
"""Two members give opposite reasons where their mean cosine is at most this."""

LITTLE = 0.2
"""Two members have little in common where their mean cosine is nearer to zero than this."""

LINES = 5
"""The most lines in the tables of what cancels."""

MEAN = "mean over rows"


@dataclass(frozen=True)
class EnsembleLook:
    """How a result is looked at: which row, which agreement, over which rows, a map's opacity.

    A row that is not there becomes the first of the ranking.
    """

    row: int = -1
    metric: str = "cosine"
    of: str = MEAN
    opacity: float = 0.6


def look_fields(outcome: EnsembleOutcome) -> tuple[Field, ...]:
    """The controls that change the look, as `static/form.js` reads them."""
    if outcome.found is None:
        return ()
    members = outcome.found.members
    fields: list[Field] = []
    if len(members) > 1:
        metrics = [[one, one] for one in members.metrics]
        over = [[one, one] for one in (MEAN, "the row shown")]
        fields += [
            {"name": "metric", "label": "Agreement by", "kind": "choice", "options": metrics},
            {"name": "of", "label": "Agreement of", "kind": "choice", "options": over},
        ]
    if outcome.attribution.inputs.of_kind.planar:
        fields.append(opacity("Opacity of the maps"))
    return tuple(fields)


def settled_look(look: EnsembleLook, outcome: EnsembleOutcome) -> EnsembleLook:
    """The look with invalid parts replaced by valid ones."""
    metrics = () if outcome.found is None else outcome.found.members.metrics
    row = look.row
    if not 0 <= row < len(outcome.attribution):
        row = 0 if outcome.found is None else int(outcome.found.ranking()["position"].iloc[0])
    return EnsembleLook(
        row,
        look.metric if look.metric in metrics else "cosine",
        look.of,
        look.opacity,
    )


def badge_html(outcome: EnsembleOutcome) -> str:
    """Whether the ensemble's explanation is exact, in which unit, over which background."""
    badge = outcome.attribution.provenance.badge
    return f'<p class="wb-badge"><b>Badge</b> {escape(badge, limit=500)}</p>' if badge else ""


def warnings_html(outcome: EnsembleOutcome) -> str:
    """What failed or cannot be shown, and rows whose class the weights would change."""
    warnings = [outcome.failed, outcome.refused]
    if outcome.found is not None and not outcome.is_mean:
        warnings.append(
            "This ensemble is not the mean of its members. The first picture is its own explanation; "
            "below, members stand beside the mean of what they contribute, each counted alike."
        )
    if other := outcome.other_class:
        named = ", ".join(clean(one, limit=40) for one in other[:8])
        more = f" and {len(other) - 8} more" if len(other) > 8 else ""
        warnings.append(
            "Explained is the class that the weights of the run put first. Under these weights it is "
            f"another one in row {named}{more}: press Run to explain that one."
        )
    return "".join(
        f'<div class="wb-said" role="note">{escape(one, limit=1200)}</div>'
        for one in warnings
        if one
    )


def ranking_options(outcome: EnsembleOutcome) -> list[dict[str, str]]:
    """The rows by how much members' reasons differ; rows on whose class they agree come first."""
    found = outcome.found
    if found is None:
        return [_option(str(i), _row_name(outcome, i), "") for i in range(len(outcome.attribution))]
    order = found.ranking()["position"]
    sampling = found.ratio_of_sampling
    output = outcome.attribution.output
    options = []
    for i in map(int, order):
        alone = "" if found.sampling is None else f" (sampling alone {sampling[i]:.2f})"
        options.append(
            _option(
                str(i),
                _row_name(outcome, i),
                f"disagreement {found.ratio[i]:.2f}{alone} · output {output[i]:.3g} · {_votes(outcome, i)}",
            )
        )
    return options


def row_html(outcome: EnsembleOutcome, row: int) -> str:
    """Output, base, gap and cost of the ensemble, and how far its members differ on this row."""
    found = outcome.found
    facts = facts_html(outcome.attribution, row)
    if found is None:
        return facts
    hatched = int((~found.agreed[row]).sum())
    signs = f"; members differ on the sign of {hatched} of {found.mean.shape[1]} features"
    return facts + (
        f"<p>Disagreement ratio {found.ratio[row]:.2f} (0: the same reasons, 1: reasons that cancel)"
        f"{'' if found.members.is_map else signs}.</p>"
    )


def members_html(outcome: EnsembleOutcome) -> str:
    """One line per member: weight, effective share, agreement, the effect of leaving it out, remarks."""
    found = outcome.found
    if found is None:
        return ""
    frame, about = found.by_member(), says_most_about(found)
    heads = ["member", "weight", "share of what is said", "agreement with the others"]
    heads += ["output change without it", "change of reasons without it"]
    heads += ["says most about"] if about else []
    lines: list[tuple[object, ...]] = []
    for k, (line, remark) in enumerate(
        zip(frame.itertuples(index=False), remarks(found), strict=True)
    ):
        name, weight, share, agreement, output, change = line
        cells = [
            f"{weight:.1%}",
            f"{share:.1%}",
            _number(agreement, "{:+.2f}"),
            _number(output, "± {:.3g}"),
            _number(change, "{:.0%}"),
            *([about[k]] if about else []),
        ]
        lines.append((TableCell(name, remarks=(remark,) if remark else (), limit=60), *cells))
    return (
        html_table(
            heads,
            lines,
            f"Members over {len(outcome.attribution)} rows, in {outcome.attribution.scale}. Without it: "
            "how much the output changes, and how far the explanation moves as a share of its length.",
            look="wide",
            limit=120,
        )
        + f"<p>{escape(found.outlier, limit=400)}</p>"
    )


def says_most_about(found: Disagreement) -> list[str]:
    """The feature that each member credits most, and with what share; [] for maps."""
    if found.members.is_map:
        return []
    sizes = np.abs(found.members.credit).sum(axis=1)
    total = sizes.sum(axis=1)
    cells = []
    for k, top in enumerate(sizes.argmax(axis=1)):
        name = clean(found.members.players[top], limit=40)
        cells.append(f"{name} ({sizes[k, top] / total[k]:.0%})" if total[k] > 0 else "nothing")
    return cells


def remarks(found: Disagreement) -> list[str]:
    """What is odd about each member, in words; "" where nothing is."""
    names, m = found.members.names, len(found.members)
    alike = found.members.similarity("cosine").mean(axis=0)
    sizes = np.abs(found.members.credit).sum(axis=1)
    total = sizes.sum(axis=1)
    outlier = found.outlier
    remarks_by_member = []
    for k in range(m):
        others = np.delete(np.arange(m), k)
        odd = []
        if found.members.weights[k] == 0:
            odd.append("has no say")
        if outlier.stands_out and outlier.member == names[k]:
            odd.append("stands out")
        if total[k] == 0:
            odd.append("credits nothing")
        elif not found.members.is_map and sizes.shape[1] > 1 and sizes[k].max() >= ALONE * total[k]:
            odd.append(
                f"uses {clean(found.members.players[int(sizes[k].argmax())], limit=40)} alone"
            )
        against = [clean(names[j], limit=30) for j in others if alike[k, j] <= OPPOSITE]
        if against and len(against) >= len(others) / 2:
            odd.append(f"opposite reasons to {_listed(against)}")
        elif len(others) and total[k] > 0 and np.abs(alike[k, others]).max() < LITTLE:
            odd.append("little in common with any other")
        remarks_by_member.append("; ".join(odd))
    return remarks_by_member


def cancelling_html(found: Disagreement) -> str:
    """Which members' contributions cancel, and on which features."""
    if len(found.members) < 2:
        return ""
    pairs = found.influence.cancelling_pairs()
    pairs = pairs[pairs["canceled"] > 0].head(LINES)
    tables = _frame(
        pairs.assign(share=[f"{one:.0%}" for one in pairs["share"]]),
        "Pairs whose contributions cancel most; share: of the most that the two could cancel",
    )
    if not found.members.is_map:
        players = found.influence.cancelling_players(LINES)
        tables += _frame(players, "Features on which members cancel: much is said, little is left")
    return tables or "<p>No members cancel.</p>"


def pictures_html(outcome: EnsembleOutcome, row: int, opacity: float) -> str:
    """The ensemble and its members on one scale, and the members' band.

    Where the ensemble is not the mean of its members, or the members cannot be compared, its own
    explanation comes first.
    """
    from workbench import draw

    found, whole = outcome.found, outcome.attribution
    own = ""
    if found is None or not outcome.is_mean:
        alt = draw.alt_text(whole, row)
        own = draw.figure_html(draw.picture(whole, row, opacity=opacity), alt)
    if found is None:
        return own
    if whole.inputs.of_kind.planar:
        beside = draw.member_maps(found, row, opacity=opacity), draw.member_maps_text(found, row)
        band = draw.spread_map(found, row, opacity=opacity), draw.spread_map_text(found, row)
    elif not whole.has_players:  # credit of single samples or voxels: one picture below the other
        shown = [draw.picture(one, row, opacity=opacity) for one in (whole, *whole.parts)]
        return "".join(_figure(one, getattr(one, "words", "")) for one in shown[bool(own) :])
    else:
        beside = draw.member_bars(found, row), draw.member_bars_text(found, row)
        band = draw.ensemble_bars(found, row), draw.ensemble_bars_text(found, row)
    return own + _figure(*beside) + _figure(*band)


def matrix_html(found: Disagreement, look: EnsembleLook) -> str:
    """Member beside member."""
    from workbench import draw

    row = None if look.of == MEAN else look.row
    return _figure(
        draw.similarity_matrix(found, look.metric, row),
        draw.similarity_text(found, look.metric, row),
    )


def ensemble_notes_html(outcome: EnsembleOutcome) -> str:
    """Notes that a reader of the pictures needs, without the badge, which is shown above them."""
    whole = outcome.attribution
    notes = tuple(note for note in whole.notes if note != whole.provenance.badge)
    return notes_html(replace(whole, provenance=replace(whole.provenance, notes=notes)))


def _figure(figure: Any, words: str) -> str:
    """The picture, and its words folded away."""
    from workbench import draw

    lines = words.splitlines()
    alt = ". ".join(" ".join(clean(line, limit=300).split()) for line in lines)
    return draw.figure_html(figure, alt) + words_html(words)


def _option(value: str, label: str, detail: str) -> dict[str, str]:
    return {"value": value, "label": label, "detail": detail, "reason": ""}


def _row_name(outcome: EnsembleOutcome, row: int) -> str:
    name = outcome.attribution.inputs.ids[row]
    what = clean(outcome.attribution.explained[row], limit=40)
    return f"{'row ' * name.isdigit()}{clean(name, limit=40)} · {what}"


def _votes(outcome: EnsembleOutcome, row: int) -> str:
    """Which classes the members with a nonzero weight predict for a row."""
    found, classes = outcome.found, outcome.members_classes
    if found is None or classes is None:
        return "members' classes unknown"
    names = class_names(outcome.outputs)
    voting = classes[found.members.weights > 0, row]
    counts = {int(c): int((voting == c).sum()) for c in np.unique(voting)}
    if len(counts) == 1:
        return f"all members: {clean(names[int(voting[0])], limit=40)}"
    ordered = sorted(counts, key=lambda c: -counts[c])
    return "members: " + ", ".join(f"{counts[c]} {clean(names[c], limit=40)}" for c in ordered[:4])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _number(value: float, shape: str) -> str:
    return shape.format(value).replace("-", "−") if np.isfinite(value) else "–"


def _frame(frame: pandas.DataFrame, caption: str) -> str:
    if frame.empty:
        return ""
    lines = [(TableCell(name, limit=60), *others) for name, *others in frame_cells(frame)]
    return html_table(list(frame.columns), lines, caption, look="wide", limit=120)
