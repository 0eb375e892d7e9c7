"""A picture carries its words, and both are made of the same facts."""

from dataclasses import replace

import numpy as np
import pytest

from tests.compare.members_by_hand import map_members, member
from tests.draw.drift_by_hand import curve_by_hand, drift_by_hand
from tests.results_by_hand import image_result, superpixel_result, table_result
from workbench import draw
from workbench.compare import disagreement

TABLE = table_result(np.arange(40.0).reshape(2, 20) - 12, tuple(f"f{j}" for j in range(20)))
COPIES = [replace(TABLE, model=f"copy {k}", values=TABLE.values * k) for k in (2, 3)]
IMAGE = image_result()
MAPS = [replace(IMAGE, model="copy", values=1.5 * IMAGE.values)]
MEMBERS = disagreement([member(name, [[4.0, 3.0 - j, 0.5]]) for j, name in enumerate("abc")])
MEMBERS_MAPS = disagreement(map_members())


@pytest.mark.parametrize(
    ("picture", "words", "given"),
    [
        (draw.bars, draw.bars_text, (TABLE, 1)),
        (draw.waterfall, draw.waterfall_text, (TABLE, 1)),
        (draw.beeswarm, draw.beeswarm_text, (TABLE,)),
        (draw.heatmap, draw.heatmap_text, (IMAGE, 0)),
        (draw.superpixels, draw.superpixels_text, (superpixel_result(), 0)),
        (draw.copy_bars, draw.copy_bars_text, (TABLE, COPIES, 1)),
        (draw.copy_maps, draw.copy_maps_text, (IMAGE, MAPS, 0)),
        (draw.ensemble_bars, draw.ensemble_bars_text, (MEMBERS, 0)),
        (draw.member_bars, draw.member_bars_text, (MEMBERS, 0)),
        (draw.member_maps, draw.member_maps_text, (MEMBERS_MAPS, 0)),
        (draw.spread_map, draw.spread_map_text, (MEMBERS_MAPS, 0)),
        (draw.similarity_matrix, draw.similarity_text, (MEMBERS, "spearman", 0)),
        (draw.drift_lines, draw.drift_lines_text, (drift_by_hand(),)),
        (draw.drift_curve, draw.drift_curve_text, (curve_by_hand(),)),
    ],
)
def test_a_picture_carries_its_words(picture, words, given):
    assert picture(*given).words == words(*given)
    assert len(words(*given).split("\n")) > 2


def test_a_waterfall_ends_at_the_output_in_the_picture_as_in_words():
    one = replace(TABLE, output=TABLE.output + 7.5)
    base, output = float(one.base[0]), float(one.output[0])
    *steps, gap = draw.waterfall(one, 0).axes[0].patches
    ends = [patch.get_x() + patch.get_width() for patch in steps]
    assert ends == pytest.approx(base + np.cumsum([patch.get_width() for patch in steps]))
    assert gap.get_hatch()
    assert gap.get_x() == pytest.approx(ends[-1])
    assert gap.get_x() + gap.get_width() == pytest.approx(output)
    assert "  gap " in draw.waterfall_text(one, 0)
