"""Pictures of drift: verdicts as shapes, reference lines, one scale for a model and its copies."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.draw.drift_by_hand import curve_by_hand, drift_by_hand, measured
from tests.draw.test_pictures import texts
from tests.results_by_hand import (
    HOSTILE,
    image_result,
    sampled_result,
    superpixel_result,
    table_result,
)
from workbench import draw
from workbench.core import Inputs, Provenance
from workbench.draw.canvas import png_bytes, svg_text
from workbench.draw.drift.words import MARKS
from workbench.errors import InputError


def masked(**changes):
    """A map of an image whose deciding pixels are the left half."""
    result = image_result()
    truth = np.zeros((1, 12, 16), dtype=bool)
    truth[:, :, :8] = True
    inputs = Inputs(result.inputs.values, kind="image", truth=truth)
    return replace(result, inputs=inputs, **changes)


def halved(**changes):
    model = masked()
    changes = {"model": "half", "values": model.values / 2, **changes}
    return replace(model, **changes)


def paired():
    model = table_result()
    values = np.array([[3.0, -1.0, 0.5], [-1.0, 0.0, 4.0]])
    return model, replace(model, model="copy", values=values)


DRAWN = {
    "drift_lines": lambda: draw.drift_lines(drift_by_hand()),
    "drift_curve": lambda: draw.drift_curve(curve_by_hand()),
    "copy_maps": lambda: draw.copy_maps(masked(), [halved()]),
    "superpixels": lambda: draw.copy_maps(
        superpixel_result(), [replace(superpixel_result(), model="other")]
    ),
    "copy_bars": lambda: draw.copy_bars(*(lambda one, two: (one, [two]))(*paired())),
    "sampled": lambda: draw.copy_bars(
        sampled_result(), [replace(sampled_result(), model="two"), sampled_result()]
    ),
}
every_picture = pytest.mark.parametrize("name", DRAWN)


@every_picture
def test_a_picture_is_a_figure_with_the_same_bytes_every_time_and_its_words(name):
    first, second = DRAWN[name](), DRAWN[name]()
    assert isinstance(first, Figure)
    assert png_bytes(first) == png_bytes(second)
    ElementTree.fromstring(svg_text(first))
    assert first._repr_mimebundle_()["text/plain"] == first.words
    assert len(first.words.splitlines()) >= 4


def test_pyplot_is_never_touched():
    code = (
        "import sys; sys.path.insert(0, '.'); from workbench import draw;"
        "from workbench.draw.canvas import png_bytes, svg_text;"
        "from tests.draw.test_drift_pictures import DRAWN;"
        "[png_bytes(make()) for make in DRAWN.values()];"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class TestLines:
    def test_deciding_metrics_have_an_axis_each_and_others_when_asked_for(self):
        drift = drift_by_hand()
        heads = [axes.get_title(loc="left") for axes in draw.drift_lines(drift).axes]
        assert heads == ["cosine", "relative L2"]
        asked = draw.drift_lines(drift, metrics=["kendall"]).axes
        assert [axes.get_title(loc="left") for axes in asked] == ["Kendall's tau-b"]

    def test_a_verdict_is_told_by_shape_filling_and_word_not_by_color_alone(self):
        axes = draw.drift_lines(drift_by_hand(), metrics=["cosine"]).axes[0]
        marks = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
        assert [line.get_marker() for line in marks] == ["o", "D", "o"]
        filled = [line.get_markerfacecolor() == line.get_markeredgecolor() for line in marks]
        assert filled == [True, True, False]
        assert len({(mark.shape, mark.fill) for mark in MARKS.values()}) == len(MARKS)
        said = texts(axes.get_figure())
        for words in (
            "● int8: explanations preserved on these 24 rows and for rows like these",
            "◆ half pruned: explanations changed on these 24 rows and for rows like these",
            "○ student: explanations undetermined on these 24 rows and for rows like these",
        ):
            assert words in said
            assert words in draw.drift_lines_text(drift_by_hand())

    def test_each_copy_stands_at_its_mean_with_its_interval(self):
        axes = draw.drift_lines(drift_by_hand(), metrics=["cosine"]).axes[0]
        marks = [line for line in axes.lines if line.get_marker() in ("o", "D")]
        assert [float(line.get_xdata()[0]) for line in marks] == [0.01, 0.3, 0.06]
        spans = [list(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 2.4]
        assert spans == [[0.008, 0.013], [0.25, 0.36], [0.04, 0.08]]

    def test_lines_are_drawn_where_they_are_known_and_the_margin_is_shaded(self):
        axes = draw.drift_lines(drift_by_hand(("int8",)), metrics=["cosine"]).axes[0]
        upright = [line.get_xdata()[0] for line in axes.lines if line.get_linewidth() == 1.2]
        assert upright == [0.0, 0.2, 0.8]
        shade = axes.collections[0].get_paths()[0].vertices[:, 0]
        assert (shade.min(), shade.max()) == (0.0, 0.05)
        lone = measured("int8", retraining=None, random=None, noise=0.02)
        figure = draw.drift_lines(drift_by_hand(("int8",), measured=(lone,)))
        upright = [x.get_xdata()[0] for x in figure.axes[0].lines if x.get_linewidth() == 1.2]
        assert upright == [0.02]
        assert "retraining" not in texts(figure) + figure.words
        assert "explainer noise 0.02" in figure.words

    def test_a_thin_margin_is_drawn_on_a_square_root_scale_that_says_so(self):
        thin = drift_by_hand(("int8",), measured=(measured("int8", margin=0.005),))
        (axes,) = draw.drift_lines(thin).axes
        assert axes.get_title(loc="left") == "cosine (square-root scale)"
        left, edge, right = axes.transData.transform([(0, 0), (0.005, 0), (0.8, 0)])[:, 0]
        assert (edge - left) / (right - left) == pytest.approx(np.sqrt(0.005 / 0.8))
        (axes,) = draw.drift_lines(drift_by_hand(("int8",)), metrics=["cosine"]).axes
        assert axes.get_title(loc="left") == "cosine"
        curve = draw.drift_curve(curve_by_hand(margin=0.005))
        assert "root scale" in curve.axes[0].get_ylabel()
        assert "root scale" not in draw.drift_curve(curve_by_hand()).axes[0].get_ylabel()

    def test_a_copy_that_was_not_measured_says_so(self):
        drift = drift_by_hand(("int8", "student"), measured=(measured("int8"),))
        figure = draw.drift_lines(drift)
        assert "not measured" in texts(figure)
        assert re.search(r"student +not measured", figure.words)

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"method": "LIME"}, r"\['GradCAM'\], but is 'LIME'"),
            ({"metrics": ["ssim"]}, r"but are \['ssim'\]"),
            ({"metrics": []}, r"but are \[\]"),
            ({"stratum": "flipped"}, "rows whose class flipped, but GradCAM has none"),
        ],
    )
    def test_what_was_not_measured_is_refused(self, asked, said):
        with pytest.raises(InputError, match=said):
            draw.drift_lines(drift_by_hand(), **asked)


class TestCurve:
    def test_drift_accuracy_size_and_latency_stand_above_each_other_where_they_are_known(self):
        figure = draw.drift_curve(curve_by_hand())
        assert [re.split(r"[,\s]", axes.get_ylabel())[0] for axes in figure.axes] == [
            "drift", "accuracy", "size", "latency",
        ]  # fmt: skip
        bare = curve_by_hand()
        points = tuple(replace(one, seconds=None, accuracy=None) for one in bare.points)
        first = replace(bare.reference, seconds=None, accuracy=None)
        figure = draw.drift_curve(replace(bare, reference=first, points=points))
        # Flips are written beside the accuracy; without one they have an axis of their own.
        assert [re.split(r"[,\s]", axes.get_ylabel())[0] for axes in figure.axes] == [
            "drift", "flips", "size",
        ]  # fmt: skip
        ticks = [one.get_text() for one in figure.axes[-1].get_xticklabels()]
        assert ticks == ["original", "0.3", "0.5", "0.9"]

    def test_knee_and_pareto_set_are_marked_in_picture_and_words(self):
        curve = curve_by_hand()
        axes = draw.drift_curve(curve).axes[0]
        rings = [line for line in axes.lines if line.get_markersize() == 15]
        assert [float(ring.get_xdata()[0]) for ring in rings] == [1, 2]
        assert [one.get_text() for one in axes.texts] == ["knee"]
        lines = draw.drift_curve_text(curve).splitlines()
        assert [line for line in lines if "knee" in line] == [lines[5]]
        assert [("Pareto" in line) for line in lines[3:]] == [False, True, True, False]
        flat = replace(curve, points=tuple(replace(p, knee=False) for p in curve.points))
        assert not draw.drift_curve(flat).axes[0].texts

    def test_copies_without_a_level_are_named_and_not_joined(self):
        joined = draw.drift_curve(curve_by_hand()).axes[0]
        loose = draw.drift_curve(curve_by_hand(level="copy"))
        ticks = [one.get_text() for one in loose.axes[-1].get_xticklabels()]
        assert ticks == ["original", "pruned 30 %", "pruned 50 %", "pruned 90 %"]
        assert len(joined.lines) - len(loose.axes[0].lines) == 1

    def test_file_packed_size_and_the_part_that_is_not_zero_are_told(self):
        words = draw.drift_curve_text(curve_by_hand()).splitlines()
        assert "240.0 kB 70.0 kB 70.0 kB" in " ".join(
            words[4].split()
        )  # 560,000 bits, none of them zero
        assert "50.0 kB 25.0 kB" in " ".join(
            words[5].split()
        )  # 400,000 bits, half of them of weights that are zero
        figure = draw.drift_curve(curve_by_hand())
        marks = [line.get_marker() for line in figure.axes[2].lines]
        assert (marks.count("s"), marks.count("o"), marks.count("v")) == (4, 4, 4)
        full = [replace(one, nonzero_bits=one.packed_bits) for one in curve_by_hand().points]
        dense = draw.drift_curve(curve_by_hand(points=tuple(full)))
        assert "v" not in [line.get_marker() for line in dense.axes[2].lines]

    def test_without_a_copy_it_is_refused(self):
        with pytest.raises(InputError, match="at least one copy"):
            draw.drift_curve(curve_by_hand(points=()))


class TestMaps:
    def test_model_and_copies_share_one_scale_and_differences_have_their_own(self):
        model, copy = masked(), halved()
        figure = draw.copy_maps(model, [copy], opacity=1.0)
        bars = {axes.get_ylabel(): axes.get_ylim() for axes in figure.axes if axes.get_ylabel()}
        reach = np.abs(model.values).max()
        assert bars == {
            "logit (log-odds)": (-reach, reach),
            "copy − model": (-reach / 2, reach / 2),
        }
        from matplotlib import colormaps

        panels = [axes for axes in figure.axes if axes.images]
        assert len(panels) == 4
        for axes, values, colors, top in (
            (panels[0], model.values[0], "RdBu_r", reach),
            (panels[1], copy.values[0], "RdBu_r", reach),
            (panels[3], copy.values[0] - model.values[0], "PuOr_r", reach / 2),
        ):
            wanted = colormaps[colors]((values / top + 1) / 2)[..., :3]
            shown = np.asarray(axes.images[0].get_array())
            assert shown == pytest.approx(wanted, abs=1 / 128)  # the color map has 256 steps

    def test_known_pixels_are_outlined_and_told(self):
        figure = draw.copy_maps(masked(), [halved()])
        outlined = [len(axes.collections) for axes in figure.axes if axes.images]
        assert outlined == [2, 2, 2, 2]
        assert "outlined: the pixels that decide" in texts(figure)
        assert "of what raises it on the deciding pixels" in figure.words
        bare = draw.copy_maps(image_result(), [image_result(model="copy")])
        assert not any(axes.collections for axes in bare.axes if axes.images)
        assert "deciding" not in bare.words

    def test_how_far_a_copy_moved_is_a_share_of_the_models_length(self):
        words = draw.copy_maps_text(masked(), [halved(), masked(model="same")])
        assert "differs by 50 %" in words
        assert "differs by nothing" in words
        nothing = masked(values=np.zeros((1, 12, 16)))
        assert "differs by all of it" in draw.copy_maps_text(nothing, [halved()])

    def test_of_six_copies_four_are_drawn_and_the_rest_is_said(self):
        figure = draw.copy_maps(masked(), [halved(model=f"copy {k}") for k in range(6)])
        assert len([axes for axes in figure.axes if axes.images]) == 2 + 4 + 4
        assert "4 of 6 copies" in texts(figure)


class TestBars:
    def test_the_models_bars_are_hollow_the_copies_filled_and_the_difference_is_written(self):
        model, copy = paired()
        axes = draw.copy_bars(model, [copy]).axes[0]
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == [3.0, -2.0, 0.5, 3.0, -1.0, 0.5]
        assert [bar.get_facecolor()[:3] == (1, 1, 1) for bar in axes.patches] == [True] * 3 + [
            False
        ] * 3
        assert [one.get_text() for one in axes.texts] == ["0", "+1.00", "0"]
        assert "-1.00 (+1.00)".replace("-", "−") in draw.copy_bars_text(model, [copy])

    def test_what_has_no_bar_of_its_own_is_summed_model_by_model(self):
        values = np.array([[5.0, 1.0, 0.5, 0.25, 0.25]])
        model = table_result(values, explained=("yes",))
        copy = replace(model, model="copy", values=-values)
        axes = draw.copy_bars(model, [copy], top=2).axes[0]
        assert [one.get_text() for one in axes.get_yticklabels()][-1] == "3 others"
        assert [bar.get_width() for bar in axes.patches] == [5.0, 1.0, 1.0, -5.0, -1.0, -1.0]


def test_a_twins_gradient_is_named_in_every_picture_of_it_with_its_gap():
    told = "straight-through convention, twin off by at most 0.0012"
    twin = Provenance(twin_gap=0.0012)
    copy = halved(provenance=twin)
    model, other = paired()
    other = replace(other, provenance=twin)
    for figure in (
        draw.copy_maps(masked(), [copy]),
        draw.copy_bars(model, [other]),
        draw.heatmap(copy),
        draw.bars(other),
        draw.waterfall(other),
        draw.beeswarm(other),
    ):
        assert told in " ".join(texts(figure).split())
        assert told in " ".join(figure.words.split())
    assert "convention" not in texts(draw.bars(model))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": "probability"}, "the same unit"),
        ({"explained": ("dog",)}, "the same outputs"),
        ({"method": superpixel_result().method}, "the same method"),
        ({"inputs": Inputs(np.zeros((1, 12, 16, 3)), kind="image", ids=("z",))}, "the same rows"),
    ],
)
def test_what_cannot_stand_on_one_scale_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        draw.copy_maps(masked(), [halved(**changes)])


def test_rows_of_another_kind_no_copy_and_no_opacity_are_refused():
    model, copy = paired()
    with pytest.raises(InputError, match="Use copy_bars"):
        draw.copy_maps(model, [copy])
    with pytest.raises(InputError, match="Use copy_maps"):
        draw.copy_bars(masked(), [halved()])
    with pytest.raises(InputError, match="at least one"):
        draw.copy_maps(masked(), [])
    with pytest.raises(InputError, match=r"0 … 1, but is 1\.5"):
        draw.copy_maps(masked(), [halved()], opacity=1.5)


class TestTables:
    def test_behavior_says_flips_by_class_and_the_reference_beside_the_copy(self):
        drift = drift_by_hand()
        html, words = draw.behavior_html(drift), draw.behavior_text(drift)
        for told in ("12.5 %", "95.0% → 87.5%", "0.010 → 0.020", "0.0123"):
            assert told in html
            assert told in words
        assert "circle → square 10.0 %" in html
        unknown = replace(
            drift.behavior[0],
            kl=None,
            accuracy=None,
            mcnemar=None,
            ece=None,
            brier=None,
            to_wrong=None,
        )
        bare = draw.behavior_text(replace(drift, behavior=(unknown,)))
        assert bare.splitlines()[-1].split().count("–") == 6

    def test_verdicts_stand_with_their_figures_and_reasons_the_deciding_metrics_alone(self):
        drift = drift_by_hand()
        html, words = draw.verdict_html(drift), draw.verdict_text(drift)
        assert "int8: <b>these 24 rows: ● preserved · rows like these: ● preserved</b>" in html
        assert "half pruned: these 24 rows: ◆ changed · rows like these: ◆ changed" in words
        for told in ("0.01 [0.008, 0.013]", "the interval up to 0.013", "GradCAM, relative L2"):
            assert told in html
            assert told in words
        assert "kendall" not in html + words
        assert html.count("<tr>") == 1 + 6

    def test_better_or_worse_is_a_table_of_its_own(self):
        assert "worse" in draw.quality_html(drift_by_hand())
        assert draw.quality_html(drift_by_hand(quality=())) == ""


@pytest.mark.filterwarnings("ignore:Glyph")  # a missing glyph is no error
def test_hostile_names_never_fail_and_never_become_markup():
    drift = drift_by_hand(HOSTILE, reference=HOSTILE[1])
    behaved = tuple(
        replace(one, flips_by={(HOSTILE[1], HOSTILE[3]): 0.5}) for one in drift.behavior
    )
    drift = replace(drift, behavior=behaved, verdicts=dict.fromkeys(HOSTILE, "changed"))
    curve = curve_by_hand(level="copy")
    points = tuple(replace(curve.points[0], model=name) for name in HOSTILE)
    curve = replace(curve, points=points)
    model, _ = paired()
    figures = [
        draw.drift_lines(drift),
        draw.drift_curve(curve),
        draw.copy_maps(masked(model=HOSTILE[1]), [halved(model=name) for name in HOSTILE[:4]]),
        draw.copy_bars(model, [replace(model, model=name) for name in HOSTILE]),
    ]
    shown = [draw.behavior_html(drift), draw.verdict_html(drift), draw.quality_html(drift)]
    for figure in figures:
        shown += [svg_text(figure), draw.figure_html(figure, figure.words, HOSTILE[1])]
    for text in shown:
        assert "<script" not in text
        assert 'onerror="alert' not in text
        assert "\u202e" not in text
    assert all(
        "\u202e" not in words for words in (draw.behavior_text(drift), draw.verdict_text(drift))
    )


@pytest.mark.parametrize("factor", [0.0, 1e-12, 1e12])
def test_any_numbers_can_be_drawn(factor):
    model, copy = paired()
    scaled = [replace(one, values=one.values * factor) for one in (model, copy)]
    maps = [replace(one, values=one.values * factor) for one in (masked(), halved())]
    for figure in (draw.copy_bars(scaled[0], scaled[1:]), draw.copy_maps(maps[0], maps[1:])):
        assert png_bytes(figure).startswith(b"\x89PNG")
