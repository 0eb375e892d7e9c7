"""Pictures of signals and volumes show the credit at its places, and say the same in words."""

import numpy as np
import pytest

import workbench as wb
from tests.places import signals, volumes
from workbench import draw, methods
from workbench.core import Attribution
from workbench.errors import InputError
from workbench.panels.explain.picture import Look, looks, result_html
from workbench.panels.kit.bench import Bench
from workbench.panels.kit.choices import Choices, resolve


def credited(rows, values):
    n = len(rows)
    return Attribution(
        values, values.reshape(n, -1).sum(axis=1), np.zeros(n), None, rows, "m",
        methods.IntegratedGradients(), wb.Target(0), ("y",) * n, "raw",
    )  # fmt: skip


def test_a_band_has_each_channels_own_credit_behind_its_line():
    rows = signals(n=1, t=6)
    values = np.zeros((1, 6, 2))
    values[0, 4, 1], values[0, 2, 0] = 2.0, -1.0
    result = credited(rows, values)
    figure = draw.picture(result)
    first, second = figure.axes[:2]
    for axes, channel in ((first, 0), (second, 1)):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), rows.values[0, :, channel])
        colors = axes.images[0].get_array()[0]
        moved = np.flatnonzero(values[0, :, channel])
        assert [j for j in range(6) if tuple(colors[j]) != tuple(colors[0])] == list(moved)
    blue, red = first.images[0].get_array()[0, 2], second.images[0].get_array()[0, 4]
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    words = draw.alt_text(result)
    assert "highest +2.00 at sample 4, channel 1" in words
    assert "lowest −1.00 at sample 2, channel 0" in words


def test_segments_of_a_signal_are_bordered_and_listed_largest_first():
    rows = signals(n=1, t=8, c=1)
    weights = np.repeat([1.0, 4.0], 4)
    model = wb.wrap(lambda x: x[..., 0] @ weights, outputs=["s"], scale="raw", like=rows)
    result = wb.explain(model, rows, methods.ExactShapley(segments=2, fill="zero"), wb.Target(0))
    figure = draw.band(result)
    assert [line.get_xdata()[0] for line in figure.axes[0].lines[:-1]] == [3.5]
    credit = [weights[part] @ rows.values[0, part, 0] for part in (slice(0, 4), slice(4, 8))]
    lines = draw.band_text(result).splitlines()[2:4]
    order = np.argsort(-np.abs(credit))
    names = ["samples 0 to 3", "samples 4 to 7"]
    assert [line.split("  ")[1] for line in lines] == [names[j] for j in order]
    assert [one.name for one in draw.pictures_of(result)] == ["band", "bars", "waterfall"]


def test_slices_go_through_the_place_of_the_largest_credit():
    rows = volumes(n=1, shape=(3, 4, 5, 1))
    values = np.zeros((1, 3, 4, 5, 1))
    values[0, 2, 1, 3] = -3.0
    values[0, 0, 1, 3] = 1.0
    result = credited(rows, values)
    figure = draw.slices(result)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["z = 2", "y = 1", "x = 3"]
    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes[:3]]
    assert shapes == [(4, 5), (3, 5), (3, 4)]
    # The slice at z = 2 is blue in one place alone, at row y and column x.
    shown = np.asarray(figure.axes[3].images[0].get_array())
    blue = np.argwhere(shown[..., 2] > shown[..., 0] + 0.1)
    assert blue.tolist() == [[1, 3]]
    words = draw.alt_text(result)
    assert "lowest −3.00 at z 2, y 1, x 3" in words
    assert "highest +1.00 at z 0, y 1, x 3" in words
    assert len(draw.slices(result, original=False).axes) == 4  # three slices and the color bar


def test_a_picture_of_another_kind_is_refused():
    signal, volume = (credited(rows, rows.values) for rows in (signals(), volumes()))
    with pytest.raises(InputError, match="is of signals, but these rows are volume"):
        draw.band(volume)
    with pytest.raises(InputError, match="is of volumes, but these rows are signal"):
        draw.slices(signal)
    with pytest.raises(InputError, match="opacity must lie in"):
        draw.picture(signal, opacity=2.0)


@pytest.mark.parametrize(("rows", "sides"), [(signals(), 2), (volumes(), 3)])
def test_the_explain_panel_asks_and_shows(rows, sides):
    model = wb.wrap(
        lambda x: x.reshape(len(x), -1).mean(axis=1), outputs=["s"], scale="raw", like=rows
    )
    bench = Bench([model], [rows])
    view = resolve(bench, Choices(method="Occlusion"))
    assert [one["name"] for one in view.parameters] == ["window", "stride", "fill"]
    exact = resolve(bench, Choices(method="ExactShapley"))
    superpixels = {2: [], 3: ["superpixels"]}[sides]
    assert [one["name"] for one in exact.parameters] == ["fill", *superpixels, "segments"]
    for study in (view.study, exact.study):
        (result,) = wb.run(study)
        html = result_html(result, Look(row=1))
        assert "<img" in html
        assert {"opacity", "original"} <= {one["name"] for one in looks(result)}
