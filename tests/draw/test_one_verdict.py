"""One screen, one verdict per copy: pictures, their words, tables, panel and report of one drift."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.draw.drift_by_hand import behavior, drift_by_hand, measured
from tests.draw.test_pictures import texts
from workbench import draw
from workbench.compare.drift.curve import curve
from workbench.draw.drift.words import MARKS, metric_title
from workbench.models import wrap
from workbench.panels.compression.run import CompressionOutcome, Copy
from workbench.panels.compression.table import table_html
from workbench.report import report

WORDS = re.compile(r"changed in part|preserved|changed|undetermined")


def said_by(method, word, *, here=None, rows=60, metric="cosine", **changes):
    """One metric of one method, whose words are chosen."""
    mean = 0.3 if word == "changed" else 0.01
    fields = {
        "method": method,
        "drift": np.full(rows, mean),
        "rows": np.arange(rows),
        "mean": mean,
        "low": mean / 2,
        "high": mean * 1.5,
        "verdict": word,
        "on_rows": here or word,
        "share": 0.0487 if rows == 60 else 0.117,
    }
    return measured("int8", metric, **(fields | changes))


def drift_of(*every, rows=60, flips=0.05):
    """A drift of one copy."""
    return drift_by_hand(
        ("int8",),
        methods=tuple(dict.fromkeys(one.method for one in every)),
        measured=every,
        ids=tuple(map(str, range(rows))),
        explained=("circle",) * rows,
        behavior=(behavior("int8", flips=flips),),
        quality=(),
        verdicts={"int8": min((one.verdict for one in every), key=list(ORDER).index)},
    )


ORDER = ("changed", "changed in part", "undetermined", "preserved")

OF_TWO_MINDS = drift_of(said_by("GradCAM", "preserved"), said_by("Occlusion", "changed"))
FEW_ROWS = drift_of(
    said_by("GradCAM", "undetermined", here="preserved", rows=24, rows_needed=59), rows=24
)
IN_PART = drift_of(
    said_by("GradCAM", "preserved"),
    said_by(
        "Occlusion", "changed in part", beyond=9, share=0.25, drift=np.repeat([0.2, 0.0], [9, 51])
    ),
)


def panel_of(drift):
    model = wrap(lambda rows: rows, name="net", outputs=["a", "b"], scale="logit", kind="tabular")
    copies = (Copy("int8", replace(model, name="int8")),)
    return table_html(CompressionOutcome(model, (), copies, drift=drift, complete=True))


def curves(drift):
    return [curve(drift, [], method=method) for method in drift.methods]


def pictures(drift):
    yield from (draw.drift_lines(drift, method) for method in drift.methods)
    yield from map(draw.drift_curve, curves(drift))


def lines_of(markup):
    """The rows and paragraphs of a page, each as one line of text."""
    parts = re.split(r"</(?:tr|li|p|caption|figure)>|<style>.*?</style>", markup, flags=re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split()) for part in parts]


def screens(drift):
    """Everything a person may see of a drift, line by line."""
    for figure in pictures(drift):
        yield from figure.words.splitlines()
        # What is written in a picture, where a line may be broken between words.
        yield from re.sub(r"\n {6}", " ", texts(figure)).splitlines()
    yield from draw.verdict_text(drift).splitlines()
    for markup in (
        draw.verdict_html(drift),
        panel_of(drift),
        report([], title="t", drifts=[drift]),
    ):
        yield from lines_of(markup)


def legend(line):
    """Whether a line explains the marks and speaks of no copy."""
    return len(set(WORDS.findall(line))) == len(MARKS) or line.strip() in MARKS


def about_explanations(line):
    """The verdict words of a line, without those of what the predictions did."""
    return WORDS.findall(re.sub(r"[Pp]redictions \w+", "", line).replace("nothing changed", ""))


def test_a_copy_never_has_another_verdict_without_its_method_and_metric_beside_it():
    seen = 0
    for line in screens(OF_TWO_MINDS):
        others = set(about_explanations(line)) - {"changed"}
        seen += "changed" in about_explanations(line)
        if others and not legend(line):
            assert "GradCAM" in line, line
            assert metric_title("cosine") in line, line
            assert others == {"preserved"}
    assert seen > 8  # it was looked where verdicts are


@pytest.mark.parametrize(
    ("drift", "word"),
    [(OF_TWO_MINDS, "changed"), (FEW_ROWS, "undetermined"), (IN_PART, "changed in part")],
    ids=["two minds", "few rows", "in part"],
)
def test_every_mark_in_every_picture_is_the_copys_verdict_whatever_the_picture_is_of(drift, word):
    mark = MARKS[word]
    for figure in pictures(drift):
        drawn = [line for axes in figure.axes[:1] for line in axes.lines]
        marks = [line for line in drawn if line.get_markersize() == 7 and line.get_marker() in "oD"]
        assert [line.get_marker() for line in marks] == [mark.shape]
        inside = {"none": "white"}.get(mark.fill, mark.color)
        assert [line.get_markerfacecolor() for line in marks] == [inside]
        assert [line.get_fillstyle() == "left" for line in marks] == [mark.fill == "left"]
        assert "Shapes: each copy’s verdict for rows like these, over all methods." in texts(figure)


def test_four_words_have_four_shapes_and_four_signs():
    assert set(MARKS) == {"preserved", "changed in part", "changed", "undetermined"}
    assert len({(mark.shape, mark.fill) for mark in MARKS.values()}) == 4
    assert len({mark.sign for mark in MARKS.values()}) == 4


def test_the_deciding_method_its_metric_its_value_and_its_margin_stand_in_the_verdicts_row():
    (row,) = [line for line in lines_of(panel_of(OF_TWO_MINDS)) if line.startswith("int8")]
    assert row.startswith("int8 ◆ changed ◆ changed Occlusion, cosine 0.3 [0.15, 0.45] 0.05 5.0%")
    told = "decided by Occlusion, cosine 0.3, margin 0.05"
    for words in (draw.drift_lines_text(OF_TWO_MINDS, "GradCAM"), draw.verdict_text(OF_TWO_MINDS)):
        assert told in words.replace("Decided", "decided")
    page = report([], title="t", drifts=[OF_TWO_MINDS])
    assert "Decided by Occlusion, cosine 0.3, margin 0.05" in page


def test_both_claims_stand_apart_and_what_is_missing_stands_beside_the_open_one():
    (row,) = [line for line in lines_of(panel_of(FEW_ROWS)) if line.startswith("int8")]
    assert row.startswith("int8 ● preserved ○ undetermined, 59 rows would do GradCAM, cosine")
    words = "explanations preserved on these 24 rows; undetermined for rows like these, 59 rows would do"
    assert words in draw.drift_lines_text(FEW_ROWS)
    assert "these 24 rows: ● preserved · rows like these: ○ undetermined, 59 rows would do" in (
        draw.verdict_text(FEW_ROWS)
    )
    (line,) = [
        one for one in draw.drift_curve_text(curves(FEW_ROWS)[0]).splitlines() if "int8" in one
    ]
    assert re.search(r"● preserved +○ undetermined +GradCAM, cosine", line)


def test_what_changed_in_part_says_how_many_rows_lie_beyond_which_limit():
    told = "decided by Occlusion, cosine 0.01, margin 0.05; 9 of 60 rows beyond 0.1"
    assert told in draw.drift_lines_text(IN_PART)
    assert "across the margin" not in draw.drift_lines_text(IN_PART, "Occlusion")
    assert "within the margin, 9 of 60 rows beyond 0.1, decides" in (
        draw.drift_lines_text(IN_PART, "Occlusion")
    )


def test_explanations_and_predictions_stand_in_one_sentence_and_flips_are_always_seen():
    both = "Explanations changed for rows like these (cosine by Occlusion 0.3, margin 0.05). "
    both += "Predictions changed on these rows (3 of 60 rows flipped, 5 %)."
    page = report([], title="t", drifts=[OF_TWO_MINDS])
    for markup in (panel_of(OF_TWO_MINDS), draw.verdict_html(OF_TWO_MINDS), page):
        assert both in html.unescape(markup)
    for figure in pictures(OF_TWO_MINDS):
        assert re.search(r"3 of 60\s+rows\s+flipped|5% flip", texts(figure))
        assert re.search(r"3 of 60 rows flipped| 5.0% ", figure.words)


def test_no_letter_and_no_share_of_statistics_stands_unexplained():
    for line in screens(
        replace(OF_TWO_MINDS, measured=tuple(replace(m, q=0.01) for m in OF_TWO_MINDS.measured))
    ):
        assert not re.search(r"\bq\b", line), line
        assert "noise share" not in line
