"""Class activation maps: which layer, which rows, how they are enlarged and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError
from workbench.gradients.cam import chosen_layer, enlarged
from workbench.methods import EigenCAM, GradCAM, HiResCAM, LayerCAM, ScoreCAM

SLOPES = np.array([[2.0, -1.0, 0.5], [-3.0, 4.0, -0.25]])
"""By output and channel: each score is the slopes times the channels' sums over the lower half."""


def halves(batch: int = 2) -> Model:
    """Three channels of 3 x 2 places, the image's colors as they are; scores read the lowest line only."""

    def maps_of(rows):
        return np.moveaxis(rows, 3, 1)

    def predict(rows):
        return maps_of(rows)[:, :, 2].sum(axis=2) @ SLOPES.T

    def activations(rows, layer, weigh):
        said = predict(rows)
        weights = weigh(slice(0, len(rows)), said)
        gradients = np.zeros((len(weights), *maps_of(rows).shape))
        gradients[:, :, :, 2] = np.einsum("tnk,kc->tnc", weights, SLOPES)[..., None]
        return said, maps_of(rows), gradients

    return Model(
        "halves",
        predict,
        ("a", "b"),
        "logit",
        kind="image",
        batch=batch,
        activations=activations,
        feature_maps=lambda rows, layer: (predict(rows), maps_of(rows)),
        layers=lambda rows: {"early": (4, 6, 4), "late": (2, 3, 2), "pooled": (9, 1, 1)},
    )


def rows(n: int = 5) -> Inputs:
    return Inputs(1 + np.random.default_rng(0).random((n, 3, 2, 3)), kind="image")


def by_hand(values, output):
    """Activations, the gradient per channel, and both in their places."""
    slopes = SLOPES[output]
    return values, slopes, values[:, 2] @ slopes


@pytest.mark.parametrize("output", [0, 1])
def test_every_map_is_its_papers_formula(output):
    inputs = rows()
    values, slopes, lowest = by_hand(inputs.values, output)
    target = wb.Target(output)
    found = wb.explain(halves(), inputs, HiResCAM(), target).values
    np.testing.assert_allclose(found[:, 2], lowest, rtol=1e-12)
    assert not found[:, :2].any()  # places that the score does not read
    found = wb.explain(halves(), inputs, GradCAM(), target).values
    # The gradient is the slope on one of three lines, so a third of it on average.
    np.testing.assert_allclose(found, np.maximum(values @ slopes / 3, 0), rtol=1e-12)
    found = wb.explain(halves(), inputs, LayerCAM(), target).values
    np.testing.assert_allclose(found[:, 2], values[:, 2] @ np.maximum(slopes, 0), rtol=1e-12)
    assert not found[:, :2].any()


def test_outputs_scores_and_weights_are_those_of_each_row_in_every_batch():
    inputs = rows()
    expected = inputs.values[:, 2].sum(axis=1) @ SLOPES.T
    for method in (HiResCAM(), EigenCAM()):
        for batch in (1, 2, 5, 9):
            found = wb.explain(halves(batch), inputs, method, wb.Target.predicted())
            np.testing.assert_allclose(found.output, expected.max(axis=1), rtol=1e-12)
            assert np.isnan(found.base).all()
            one = wb.explain(halves(), inputs, method, wb.Target("b", against="a"))
            np.testing.assert_allclose(one.output, expected[:, 1] - expected[:, 0], rtol=1e-12)


def test_the_last_layer_with_places_is_taken_and_named_and_another_one_can_be():
    inputs = rows()
    assert chosen_layer(halves(), inputs) == "late"
    found = wb.explain(halves(), inputs, HiResCAM(), wb.Target(0))
    assert found.notes[0] == "Layer 'late', 3 x 2 places, enlarged to the image."
    found = wb.explain(halves(), inputs, HiResCAM("early"), wb.Target(0))
    assert "Layer 'early'" in found.notes[0]
    pooled = replace(halves(), layers=lambda rows: {"pooled": (9, 1, 1)})
    with pytest.raises(IncompatibleError, match="needs a layer with height and width"):
        chosen_layer(pooled, inputs)


def zeros_in(rows_of_zeros: list[int], n: int = 8) -> Inputs:
    values = rows(n).values.copy()
    values[rows_of_zeros] = 0.0
    return Inputs(values, kind="image", ids=tuple(f"picture {i}" for i in range(n)))


@pytest.mark.parametrize("method", [HiResCAM(), EigenCAM(), ScoreCAM(fill="zero")])
def test_empty_maps_are_named_by_their_rows_five_of_them_and_others_are_not(method):
    def told(inputs):
        notes = wb.explain(halves(), inputs, method, wb.Target(0)).notes
        return [note for note in notes if "zero everywhere" in note]

    assert told(rows()) == []
    (note,) = told(zeros_in([1, 6]))
    assert "for row picture 1, picture 6:" in note
    (note,) = told(zeros_in([0, 1, 2, 3, 4, 5]))
    assert "picture 4:" in note
    assert "picture 5" not in note


@pytest.mark.parametrize("method", [HiResCAM(), EigenCAM()])
def test_a_look_in_between_knows_every_finished_row_and_says_nothing_of_the_others(method):
    inputs = zeros_in([3], 5)
    looks = [step.estimate() for step in method.attribute(halves(2), inputs, (wb.Target(0),))]
    whole = wb.explain(halves(2), inputs, method, wb.Target(0)).values
    for done, look in zip((2, 4, 5), looks, strict=True):
        np.testing.assert_array_equal(look.values[0, :done], whole[:done])
        assert np.isnan(look.values[0, done:]).all()
        assert any("for row picture 3:" in note for note in look.notes) == (done > 3)


def test_a_model_without_maps_is_told_what_it_lacks():
    for method, lost, words in (
        (HiResCAM(), {"activations": None}, "'halves' cannot show a layer's activations"),
        (EigenCAM(), {"feature_maps": None}, "'halves' cannot show a layer's maps"),
    ):
        with pytest.raises(IncompatibleError, match=words):
            next(method.attribute(replace(halves(), **lost), rows(), (wb.Target(0),)))


def test_one_target_per_row_needs_one_for_every_row():
    for method in (HiResCAM(), EigenCAM()):
        with pytest.raises(wb.errors.InputError, match="5"):
            next(method.attribute(halves(), rows(), (wb.Target([0, 1]),)))


@pytest.mark.parametrize(("small", "size"), [((1, 1), (3, 4)), ((3, 2), (7, 8)), ((4, 5), (2, 3))])
def test_maps_are_enlarged_as_torch_interpolates(small, size):
    from torch import from_numpy
    from torch.nn.functional import interpolate

    maps = np.random.default_rng(1).normal(size=(2, 3, *small))
    wanted = interpolate(from_numpy(maps), size, mode="bilinear", align_corners=False).numpy()
    np.testing.assert_allclose(enlarged(maps, size), wanted, atol=1e-12)


def test_a_line_of_places_is_enlarged_along_its_line():
    np.testing.assert_allclose(
        enlarged(np.array([[0.0], [1.0]]), (4, 1)).ravel(), [0, 0.25, 0.75, 1]
    )
    np.testing.assert_allclose(enlarged(np.array([[0.0, 1.0]]), (1, 4)).ravel(), [0, 0.25, 0.75, 1])
