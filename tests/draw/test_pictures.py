"""Pictures: what they say, that they never fail on data, and that they are the same every time."""

import subprocess
import sys
import threading
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tests.results_by_hand import (
    HOSTILE,
    image_result,
    sampled_result,
    superpixel_result,
    table_result,
)
from workbench import draw
from workbench.core import Inputs
from workbench.draw.canvas import png_bytes, svg_text
from workbench.draw.style import MISSING
from workbench.errors import InputError

DRAWN = {
    "bars": lambda: draw.bars(sampled_result()),
    "waterfall": lambda: draw.waterfall(table_result(output=np.array([12.0, 13.0]))),
    "beeswarm": lambda: draw.beeswarm(table_result(np.random.default_rng(0).normal(size=(40, 5)))),
    "heatmap": lambda: draw.heatmap(image_result()),
    "superpixels": lambda: draw.superpixels(superpixel_result()),
}
every_picture = pytest.mark.parametrize("name", DRAWN)


def texts(figure: Figure) -> str:
    """Everything written on a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


@every_picture
def test_a_picture_is_a_figure_with_the_same_bytes_every_time(name):
    first, second = DRAWN[name](), DRAWN[name]()
    assert isinstance(first, Figure)
    assert png_bytes(first) == png_bytes(second)
    assert png_bytes(first) == png_bytes(first)
    assert svg_text(first) == svg_text(second)
    assert png_bytes(first).startswith(b"\x89PNG")
    ElementTree.fromstring(svg_text(first))


@every_picture
def test_a_notebook_shows_the_picture_and_its_words(name):
    figure = DRAWN[name]()
    bundle = figure._repr_mimebundle_()
    assert bundle["image/png"] == png_bytes(figure)
    assert len(bundle["text/plain"].splitlines()) >= 3


@pytest.mark.parametrize(
    ("ending", "head"), [(".png", b"\x89PNG"), (".SVG", b"<svg"), (".pdf", b"%PDF")]
)
def test_a_picture_is_saved_as_its_name_ends_and_always_alike(ending, head, tmp_path):
    kept = []
    for name in ("one", "two"):
        draw.save(draw.bars(table_result()), tmp_path / f"{name}{ending}")
        kept.append((tmp_path / f"{name}{ending}").read_bytes())
    assert kept[0] == kept[1]
    assert kept[0].startswith(head)


@pytest.mark.parametrize("name", ["reasons.jpg", "reasons", ".png", "reasons.png.gz"])
def test_a_picture_of_another_ending_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=r"saved as \.png, \.svg or \.pdf, but .* Name a file"):
        draw.save(draw.bars(table_result()), tmp_path / name)
    assert [*tmp_path.iterdir()] == []


def test_a_picture_makes_no_folder(tmp_path):
    with pytest.raises(InputError, match="A picture needs a file that can be written"):
        draw.save(draw.bars(table_result()), tmp_path / "none" / "reasons.png")
    assert [*tmp_path.iterdir()] == []


def test_pictures_drawn_on_two_threads_are_right():
    alone = {name: png_bytes(make()) for name, make in DRAWN.items()}
    wrong = []

    def work():
        for name, make in list(DRAWN.items()) * 3:
            if png_bytes(make()) != alone[name]:
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_pyplot_is_never_touched():
    code = (
        "import sys; sys.path.insert(0, '.'); from workbench import draw;"
        "from workbench.draw.canvas import png_bytes, svg_text;"
        "from tests.results_by_hand import *;"
        "png_bytes(draw.bars(table_result())); png_bytes(draw.beeswarm(table_result()));"
        "svg_text(draw.heatmap(image_result())); png_bytes(draw.superpixels(superpixel_result()));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bars_say_unit_error_output_base_gap_and_that_the_run_was_stopped():
    said = texts(draw.bars(sampled_result()))
    for words in (
        "probability",
        "95 % confidence",
        "output 11.5",
        "base 10",
        "gap 0",
        "stopped early",
    ):
        assert words in said
    for words in (
        "column 0 = 0",
        "+3.00",
        "−2.00",
        "Why “yes” for row 0",
        "PermutationSHAP of forest",
    ):
        assert words in said


def test_bars_are_as_long_as_their_values_and_whiskers_as_two_standard_errors():
    axes = draw.bars(sampled_result()).axes[0]
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == [3.0, -2.0, 0.5]
    (segments,) = [line.get_segments() for line in axes.collections]
    half = [(right[0] - left[0]) / 2 for left, right in segments]
    assert half == pytest.approx([1.96 * 0.3, 1.96 * 0.2, 1.96 * 0.05])


def test_what_does_not_fit_is_one_bar_that_holds_the_sum():
    values = np.arange(1.0, 21.0)[None] * np.where(np.arange(20) % 2, 1, -1)
    axes = draw.bars(table_result(values), top=5).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[-1] == "15 others"
    assert len(labels) == 6
    assert sum(patch.get_width() for patch in axes.patches) == pytest.approx(values.sum())


def test_a_waterfall_goes_from_base_to_output_and_shows_what_is_not_explained():
    axes = draw.waterfall(table_result(output=np.array([12.0, 13.0]))).axes[0]
    patches = axes.patches
    assert patches[0].get_x() == 10.0
    last = patches[-1]
    assert last.get_x() + last.get_width() == pytest.approx(12.0)
    assert last.get_width() == pytest.approx(0.5)
    assert last.get_hatch() == "////"
    complete = draw.waterfall(table_result()).axes[0]
    assert [patch.get_hatch() for patch in complete.patches] == [None] * 3


def test_text_twins_say_the_same_numbers():
    text = draw.bars_text(sampled_result())
    assert "column 0 = 0" in text
    assert "+3.00  ± 0.59" in text
    assert "−2.00  ± 0.39" in text
    assert text.index("+3.00") < text.index("−2.00") < text.index("+0.500")
    steps = draw.waterfall_text(table_result(output=np.array([12.0, 13.0]))).splitlines()
    assert [line.split()[-1] for line in steps[2:]] == ["10", "13", "11", "11.5", "12", "12"]
    assert "strongest tenth" in draw.heatmap_text(image_result())
    assert "highest +2.00 at row 11, column 15 (lower right)" in draw.heatmap_text(image_result())
    assert "+3.00  ± 0.59" in draw.superpixels_text(superpixel_result())
    swarm = draw.beeswarm_text(table_result())
    assert swarm.splitlines()[2].split() == ["column", "2", "2.25", "+0.500", "+4.00"]


@every_picture
def test_hostile_names_never_fail_and_never_become_markup(name):
    values = np.random.default_rng(1).normal(size=(3, len(HOSTILE)))
    result = table_result(
        values, HOSTILE, model=HOSTILE[1], explained=(HOSTILE[0], HOSTILE[1], HOSTILE[3])
    )
    made = {"bars": draw.bars, "waterfall": draw.waterfall, "beeswarm": draw.beeswarm}.get(name)
    if made is None:
        result = image_result(model=HOSTILE[1], explained=(HOSTILE[0],))
        made = draw.heatmap
    with pytest.MonkeyPatch.context() as patch:  # missing glyphs are no error
        patch.setattr("warnings.warn", lambda *a, **k: None)
        figure = made(result)
        svg, html = svg_text(figure), draw.figure_html(figure, draw.alt_text(result), HOSTILE[1])
    for text in (svg, html):
        assert "<script" not in text
        assert 'onerror="alert' not in text
        assert "\u202e" not in text


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 3)),
        np.array([[1.0]]),
        np.full((1, 64), 1e-12),
        np.array([[1e12, -1e12, 3.0]]),
        -np.ones((2, 2)),
        np.random.default_rng(2).normal(size=(30, 64)),
    ],
    ids=["zeros", "one column", "tiny", "huge", "negative", "64 columns"],
)
def test_any_numbers_can_be_drawn(values):
    result = table_result(values)
    for made in (draw.bars, draw.waterfall, draw.beeswarm, draw.picture):
        assert png_bytes(made(result)).startswith(b"\x89PNG")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_any_channels_are_shown(channels):
    assert png_bytes(draw.heatmap(image_result(channels=channels))).startswith(b"\x89PNG")


def test_an_image_outside_zero_to_one_is_rescaled_and_says_so():
    inputs = Inputs(np.linspace(-2, 255, 12 * 16 * 3).reshape(1, 12, 16, 3), kind="image")
    assert "rescaled from −2 … 255" in texts(draw.heatmap(image_result(inputs=inputs)))


def test_signed_maps_have_zero_in_the_middle_and_one_signed_maps_begin_at_zero():
    signed = draw.heatmap(image_result()).axes[-1]
    assert signed.get_ylim() == (-2.0, 2.0)
    positive = draw.heatmap(image_result(np.linspace(0, 3, 192).reshape(1, 12, 16))).axes[-1]
    assert positive.get_ylim() == (0.0, 3.0)


def test_drawing_into_given_axes_leaves_the_figure_the_callers():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert draw.bars(table_result(), ax=left) is figure
    assert draw.waterfall(table_result(), ax=right) is figure
    assert len(figure.axes) == 2


def test_the_picture_is_chosen_by_what_was_credited():
    assert "bars" not in draw.picture(table_result()).words
    assert "superpixel" not in draw.heatmap_text(image_result())
    assert draw.picture(superpixel_result()).words == draw.superpixels_text(superpixel_result())
    assert draw.picture(image_result()).words == draw.heatmap_text(image_result())


def test_what_cannot_be_drawn_is_refused_with_what_can():
    with pytest.raises(InputError, match="Use heatmap or bars"):
        draw.superpixels(image_result())
    with pytest.raises(InputError, match="needs table rows"):
        draw.beeswarm(image_result())
    with pytest.raises(InputError, match=r"0 … 1, but is 1\.5"):
        draw.heatmap(image_result(), opacity=1.5)


def test_a_missing_value_is_gray_and_the_others_of_its_column_keep_their_colors():
    whole = table_result(np.ones((4, 1)), inputs=Inputs([[1.0], [2.0], [3.0], [9.0]]))
    gaps = table_result(np.ones((4, 1)), inputs=Inputs([[1.0], [np.nan], [np.nan], [9.0]]))
    of_whole, of_gaps = (draw.beeswarm(one).axes[0].collections[0] for one in (whole, gaps))
    low, first, second, high = of_gaps.get_facecolors()[:, :3].tolist()
    assert first == second == list(to_rgb(MISSING))
    assert [low, high] == of_whole.get_facecolors()[[0, 3], :3].tolist()
    assert low != high
    alone = table_result(np.ones((2, 1)), inputs=Inputs([[np.nan], [np.nan]]))
    assert draw.beeswarm(alone).axes[0].collections[0].get_facecolors()[0, :3].tolist() == first


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("error", [None, np.array([[0.01, 0.02]])])
def test_bars_begin_at_zero_also_where_all_are_of_one_sign_and_size(sign, error):
    result = table_result(sign * np.array([[0.27, 0.23]]), error=error)
    low, high = draw.bars(result).axes[0].get_xlim()
    assert low < 0 < high


def test_a_long_name_and_the_number_of_a_falling_bar_do_not_overlap():
    names = ("income of the whole household",)
    for made in (draw.bars, draw.waterfall):
        figure = made(table_result([[-0.00412]], names=names, output=np.array([9.99588])))
        png_bytes(figure)
        (axes,) = figure.axes
        (number,) = [one for one in axes.texts if one.get_text() == "−0.00412"]
        assert number.get_window_extent().x0 >= axes.get_window_extent().x0


def test_opacity_mixes_the_map_with_the_image():
    bare = draw.heatmap(image_result(), opacity=0.0).axes[1].images[0].get_array()
    full = draw.heatmap(image_result(), opacity=1.0).axes[1].images[0].get_array()
    assert np.ptp(np.asarray(bare), axis=-1).max() < 1e-12  # gray: no color of the map
    assert np.ptp(np.asarray(full), axis=-1).max() > 0.5
