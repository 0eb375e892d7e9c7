"""Pictures of an ensemble: what they say of members, on which scale, and that no data breaks them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from tests.compare.members_by_hand import map_members, member, random_members
from tests.draw.test_pictures import texts
from tests.results_by_hand import HOSTILE, superpixel_result, table_result
from workbench import draw
from workbench.compare import disagreement
from workbench.draw.canvas import png_bytes, svg_text
from workbench.draw.style import LOWERS, RAISES
from workbench.errors import InputError


def planted():
    """Three members on one row: agreed, disputed and small players."""
    return disagreement(
        [
            member("clerk", [[4.0, 3.0, 0.5]]),
            member("judge", [[2.0, -3.0, 0.5]]),
            member("guest", [[9.0, 9.0, 9.0]]),
        ],
        [3, 1, 0],
    )


def superpixel_members():
    whole = superpixel_result()
    return disagreement([whole, superpixel_result_of("other", whole.values * -0.5)])


def superpixel_result_of(name, values):
    return replace(superpixel_result(), model=name, values=values)


DRAWN = {
    "ensemble_bars": lambda: draw.ensemble_bars(planted()),
    "member_bars": lambda: draw.member_bars(planted()),
    "similarity_matrix": lambda: draw.similarity_matrix(planted()),
    "member_maps": lambda: draw.member_maps(disagreement(map_members())),
    "spread_map": lambda: draw.spread_map(disagreement(map_members())),
    "superpixels": lambda: draw.member_maps(superpixel_members()),
}
every_picture = pytest.mark.parametrize("name", DRAWN)


@every_picture
def test_a_picture_is_a_figure_with_the_same_bytes_every_time_and_its_words(name):
    first, second = DRAWN[name](), DRAWN[name]()
    assert isinstance(first, Figure)
    assert png_bytes(first) == png_bytes(second)
    ElementTree.fromstring(svg_text(first))
    bundle = first._repr_mimebundle_()
    assert bundle["image/png"] == png_bytes(first)
    assert len(bundle["text/plain"].splitlines()) >= 4


def test_pyplot_is_never_touched():
    code = (
        "import sys; sys.path.insert(0, '.'); from workbench import draw;"
        "from workbench.draw.canvas import png_bytes, svg_text;"
        "from tests.draw.test_ensemble_pictures import DRAWN;"
        "[png_bytes(make()) for make in DRAWN.values()];"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bars_are_means_bands_are_one_sd_to_each_side_and_dots_are_members():
    axes = draw.ensemble_bars(planted()).axes[0]
    bars, bands = axes.patches[:3], axes.patches[3:]
    # Said most of: sqrt of (3·4² + 2²)/4, then (3·3² + 3²)/4, then 0.25.
    assert [bar.get_width() for bar in bars] == [3.5, 1.5, 0.5]
    spreads = [np.sqrt(0.75 * 0.25 + 0.25 * 2.25), np.sqrt(0.75 * 2.25 + 0.25 * 20.25), 0.0]
    for bar, band, spread in zip(bars, bands, spreads, strict=True):
        assert band.get_x() == pytest.approx(bar.get_width() - spread)
        assert band.get_width() == pytest.approx(2 * spread)
    dots = [each for each in axes.collections if isinstance(each, PathCollection)]
    assert [each.get_offsets()[:, 0].tolist() for each in dots] == [
        [4.0, 2.0, 9.0], [3.0, -3.0, 9.0], [0.5, 0.5, 9.0],
    ]  # fmt: skip
    sizes = dots[0].get_sizes()
    assert sizes[0] > sizes[1] > sizes[2]
    assert [color[3] for color in dots[0].get_facecolors()] == [
        1.0,
        1.0,
        0.0,
    ]  # the guest is hollow


def test_only_what_members_dispute_is_hatched():
    found = disagreement([member("a", [[1.0, 2.5]]), member("b", [[2.0, -1.0]])])
    bars = draw.ensemble_bars(found).axes[0].patches[:2]
    assert [bar.get_hatch() for bar in bars] == ["////", None]
    assert bars[0].get_edgecolor() == to_rgba(RAISES)
    assert bars[1].get_facecolor() == to_rgba(RAISES)
    assert draw.ensemble_bars(found).words.count("members differ on the sign") == 1
    flipped = disagreement([member("a", [[-1.0]]), member("b", [[-2.0]])])
    assert draw.ensemble_bars(flipped).axes[0].patches[0].get_facecolor() == to_rgba(LOWERS)


def test_words_and_picture_say_mean_spread_consensus_ratio_and_the_key():
    said = texts(draw.ensemble_bars(planted()))
    for words in (
        "column 0 = 0", "+3.50 ± 0.87", "+1.50 ± 2.6", "75%", "weighted mean", "weighted SD",
        "TreeSHAP of 3 members", "disagreement ratio", "hatched: less than 75%", "logit",
    ):  # fmt: skip
        assert words in said
    words = draw.ensemble_bars_text(planted())
    assert "+3.50  ± 0.87" in words
    assert "disagreement ratio" in words


def test_players_on_which_members_cancel_are_not_lost_and_the_rest_is_summed_member_by_member():
    values = np.array([[5.0, 1.0, 0.5, 0.25, 0.25], [-5.0, 1.0, 0.5, 0.25, -0.25]])
    found = disagreement([member("a", values[:1]), member("b", values[1:])])
    axes = draw.ensemble_bars(found, top=2).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "column 0 = 0", "column 1 = 1", "3 others",
    ]  # fmt: skip
    assert [bar.get_width() for bar in axes.patches[:3]] == [0.0, 1.0, 0.75]
    assert axes.patches[5].get_width() == pytest.approx(2 * 0.25)
    dots = [each for each in axes.collections if isinstance(each, PathCollection)]
    assert dots[2].get_offsets()[:, 0].tolist() == [1.0, 0.5]


def test_sampling_is_told_beside_the_spread():
    parts = [member(name, [[1.0, 2.0]], error=[[0.1, 0.2]]) for name in "ab"]
    words = draw.ensemble_bars_text(disagreement(parts))
    assert "sampling alone ± 0.14" in words  # half of 0.2 squared, the root of it
    assert "sampling alone" not in draw.ensemble_bars_text(planted())


def test_members_stand_beside_their_mean_in_one_order_on_one_scale():
    figure = draw.member_bars(planted())
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "weighted mean", "clerk (75%)", "judge (25%)", "guest (0%)",
    ]  # fmt: skip
    assert len({axes.get_xlim() for axes in panels}) == 1
    widths = [[bar.get_width() for bar in axes.patches[:3]] for axes in panels]
    assert widths == [[3.5, 1.5, 0.5], [4.0, 3.0, 0.5], [2.0, -3.0, 0.5], [9.0, 9.0, 9.0]]
    columns = draw.member_bars_text(planted()).splitlines()[3].split()
    assert columns[-4:] == ["+3.50", "+4.00", "+2.00", "+9.00"]


def test_of_fifty_members_those_of_largest_weight_are_shown_and_the_rest_is_said():
    found = disagreement(random_members(50, n=1), range(1, 51))
    figure = draw.member_bars(found)
    heads = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert heads[1:] == [f"member {k} ({(k + 1) / 1275:.0%})" for k in range(39, 50)]
    assert "the 11 members of largest weight, 39 not shown" in texts(figure)
    assert png_bytes(draw.ensemble_bars(found)).startswith(b"\x89PNG")
    matrix = draw.similarity_matrix(found)
    assert png_bytes(matrix).startswith(b"\x89PNG")
    assert not matrix.axes[0].texts  # no room for 2,500 numbers; the words have them
    assert len(matrix.words.splitlines()) == 3 + 50 + 1


def test_maps_of_members_share_one_scale_in_the_values_unit():
    parts = map_members()
    figure = draw.member_maps(disagreement(parts), opacity=1.0)
    panels = [axes for axes in figure.axes if axes.images]
    heads = [axes.get_title() for axes in panels]
    assert heads == [
        "original",
        "weighted mean",
        "network 0 (33%)",
        "network 1 (33%)",
        "network 2 (33%)",
    ]
    (bar,) = [axes for axes in figure.axes if axes.get_ylabel() == "logit (log-odds)"]
    reach = max(np.abs(part.maps()).max() for part in parts)
    assert bar.get_ylim() == (-reach, reach)
    from matplotlib import colormaps

    # Two maps of one scale give the same number the same color.
    for axes, part in zip(panels[2:], parts, strict=True):
        colors = colormaps["RdBu_r"]((part.maps()[0] / reach + 1) / 2)[..., :3]
        shown = np.asarray(axes.images[0].get_array())
        assert shown == pytest.approx(colors, abs=1 / 128)  # the color map has 256 steps


def test_the_spread_stands_beside_the_mean_and_both_scales_end_alike():
    found = disagreement(map_members())
    figure = draw.spread_map(found)
    assert [axes.get_title() for axes in figure.axes if axes.images] == [
        "original", "weighted mean", "spread (weighted SD)",
    ]  # fmt: skip
    signed, size = (axes for axes in figure.axes if axes.get_ylabel() == "logit (log-odds)")
    reach = float(np.abs(found.mean).max())
    assert signed.get_ylim() == (-reach, reach)
    assert size.get_ylim() == (0.0, reach)


def test_places_of_doubtful_sign_are_hatched_unless_next_to_nothing_is_said_there():
    one, two = np.zeros((1, 12, 16)), np.zeros((1, 12, 16))
    one[0, :, :4], two[0, :, :4] = 3.0, 2.0  # agreed
    one[0, :, 4:8], two[0, :, 4:8] = 3.0, -2.0  # disputed
    one[0, :, 8:], two[0, :, 8:] = 0.01, -0.02  # disputed, about nothing
    parts = map_members(2)
    parts = [replace(part, values=values) for part, values in zip(parts, (one, two), strict=True)]
    found = disagreement(parts)
    assert "members differ on the sign on 25% of the image" in draw.spread_map_text(found)
    hatched = [axes for axes in draw.spread_map(found).axes if axes.collections]
    assert "weighted mean" in [axes.get_title() for axes in hatched]
    agreed = disagreement([replace(part, values=one) for part in parts])
    assert "on 0% of the image" in draw.spread_map_text(agreed)
    shown = next(a for a in draw.spread_map(agreed).axes if a.get_title() == "weighted mean")
    assert not shown.collections


def test_the_matrix_holds_its_numbers_on_the_metrics_whole_scale():
    found = disagreement(random_members(3), [1, 2, 3])
    for metric, low in (("cosine", -1.0), ("kendall", -1.0), ("top5", 0.0)):
        figure = draw.similarity_matrix(found, metric, row=2)
        axes = figure.axes[0]
        assert axes.images[0].get_clim() == (low, 1.0)
        values = found.matrix(metric, row=2).to_numpy()
        numbers = [float(text.get_text().replace("−", "-")) for text in axes.texts]
        assert numbers == pytest.approx(values.ravel(), abs=0.005)  # two digits
        assert "row 2" in texts(figure)
    words = draw.similarity_text(found)
    assert "mean over 6 rows" in words
    assert words.endswith(str(found.outlier))


def test_a_row_of_superpixels_keeps_their_borders_and_their_whole_credit():
    found = superpixel_members()
    assert found.members.shaped(found.mean[0], 0)[0, [0, 15]] == pytest.approx([0.75, -0.25])
    shown = draw.member_maps(found, opacity=1.0).axes[1].images[0].get_array()
    border, inside = np.asarray(shown)[0, 10], np.asarray(shown)[0, 12]
    assert border == pytest.approx(0.55 * inside)


@every_picture
def test_hostile_names_never_fail_and_never_become_markup(name):
    parts = [
        table_result(
            np.ones((1, len(HOSTILE))) * (k - 2), HOSTILE, model=who, explained=(HOSTILE[1],)
        )
        for k, who in enumerate(HOSTILE)
    ]
    made = {
        "ensemble_bars": draw.ensemble_bars,
        "member_bars": draw.member_bars,
        "similarity_matrix": draw.similarity_matrix,
    }.get(name)
    if made is None:
        made = draw.spread_map if name == "spread_map" else draw.member_maps
        parts = [
            replace(part, model=who, explained=(HOSTILE[0],))
            for part, who in zip(map_members(4), HOSTILE, strict=False)
        ]
    with pytest.MonkeyPatch.context() as patch:  # missing glyphs are no error
        patch.setattr("warnings.warn", lambda *a, **k: None)
        figure = made(disagreement(parts))
        svg, html = svg_text(figure), draw.figure_html(figure, figure.words, HOSTILE[1])
    for text in (svg, html):
        assert "<script" not in text
        assert 'onerror="alert' not in text
        assert "\u202e" not in text


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 1, 3)), np.ones((2, 1, 1)), np.full((1, 1, 64), 1e-12), [[[1e12]], [[-1e12]]]],
    ids=["zeros", "one column", "one member, tiny", "huge and opposite"],
)
def test_any_numbers_can_be_drawn(values):
    found = disagreement([member(f"m{k}", each) for k, each in enumerate(values)])
    for made in (draw.ensemble_bars, draw.member_bars, draw.similarity_matrix):
        assert png_bytes(made(found)).startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_refused_with_what_can():
    with pytest.raises(InputError, match="Use bars"):
        draw.member_maps(planted())
    with pytest.raises(InputError, match=r"Use maps\(\)"):
        draw.ensemble_bars(disagreement(map_members()))
    with pytest.raises(InputError, match=r"0 … 1, but is 1\.5"):
        draw.spread_map(disagreement(map_members()), opacity=1.5)
    with pytest.raises(InputError, match="no similarity 'distance'"):
        draw.similarity_matrix(planted(), "distance")


def test_drawing_into_given_axes_leaves_the_figure_the_callers():
    figure = Figure()
    assert draw.ensemble_bars(planted(), ax=figure.subplots()) is figure


@pytest.mark.parametrize("metric", ["cosine", "spearman", "kendall", "top5"])
def test_the_matrix_title_lies_inside_the_picture(metric):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw.similarity_matrix(disagreement(random_members(4)), metric)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    words = figure._suptitle.get_window_extent(canvas.get_renderer())
    assert words.x0 >= 0
    assert words.x1 <= figure.bbox.width
