"""ScoreCAM: which channels are asked, in what batches, and what is said of those left out."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.reference.test_gradient_free_cams import planted, two_patches
from workbench.core import Inputs
from workbench.methods import ScoreCAM
from workbench.methods.score_cam import score_cam, unit_masks


def test_masks_reach_from_nought_to_one_and_a_flat_map_masks_all():
    maps = np.array(
        [[[2.0, 4.0], [3.0, 2.0]], [[-5.0, -1.0], [-3.0, -4.0]], [[7.0, 7.0], [7.0, 7.0]]]
    )
    masks = unit_masks(maps, (2, 2))
    np.testing.assert_allclose(masks[0], [[0, 1], [0.5, 0]])
    np.testing.assert_allclose(masks[1], [[0, 1], [0.5, 0.25]])
    assert not masks[2].any()


def test_channels_weigh_by_their_softmax_and_nothing_below_zero_is_shown():
    maps = np.array([[[1.0, -4.0]], [[3.0, 2.0]]])
    found = score_cam(maps, np.array([[np.log(3.0), 0.0], [1000.0, 1000.0 + np.log(3.0)]]))
    np.testing.assert_allclose(found[0], [[(3 + 3) / 4, 0.0]])  # (3 * -4 + 2) / 4 is below zero
    np.testing.assert_allclose(found[1], [[(1 + 9) / 4, (-4 + 6) / 4]])  # only differences count
    assert not score_cam(maps[:0], np.zeros((2, 0))).any()


@pytest.mark.parametrize("fills", [1, 3])
def test_masked_images_come_in_batches_that_hold_all_fills_of_a_channel(fills):
    rows = two_patches()
    asked = []

    def predict(images, model=planted()):  # noqa: B008 - one model for all calls
        asked.append(len(images))
        return model.predict(images)

    from dataclasses import replace

    model = replace(planted(), predict=predict, batch=3, trial=lambda _: None)
    given = Inputs(rows.values, kind="image", background=np.zeros((fills, 8, 6, 3)))
    found = wb.explain(model, given, ScoreCAM(fill="background"), wb.Target(0))
    whole = wb.explain(planted(), rows, ScoreCAM(fill="zero"), wb.Target(0))
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-12)
    # Two channels with contrast, and the maps' own pass is not by predict.
    assert sum(asked) == 2 * 2 * fills
    assert max(asked) <= max(3, fills)


def test_nothing_is_said_of_channels_where_all_are_asked():
    def left_out(recipe, inputs):
        notes = wb.explain(planted(), inputs, recipe, wb.Target(0)).notes
        return [note for note in notes if note.startswith("Of ")]

    (note,) = left_out(ScoreCAM(), two_patches())
    assert note.startswith("Of 3 channels those with contrast were asked, at most the 512")


def test_the_plan_counts_a_row_and_at_most_every_channel_over_every_fill():
    rows = Inputs(two_patches().values, kind="image", background=np.zeros((4, 8, 6, 3)))
    planned = ScoreCAM(channels=10, fill="background").evaluations(rows)
    assert (planned.fewest, planned.most) == (2, 2 * (1 + 40))
    assert "needs background rows" in ScoreCAM(fill="background").lacks(two_patches())
    assert ScoreCAM().lacks(two_patches()) is None
