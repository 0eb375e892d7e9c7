"""EigenCAM and ScoreCAM against slow re-implementations that follow the papers step by step."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.contract.test_every_method_on_every_model import images, images_in_torch
from workbench.core import Inputs, Model
from workbench.gradients.cam import enlarged
from workbench.methods import EigenCAM, ScoreCAM
from workbench.methods.eigen_cam import eigen_cam


def planted(*, dead: bool = False) -> Model:
    """Channel 0 sees red, channel 1 sees green, channel 2 nothing; output "red" reads the first alone."""

    def maps_of(rows):
        maps = np.stack([rows[..., 0], rows[..., 1], np.zeros(rows.shape[:3])], axis=1)
        return maps * (0 if dead else 1)

    def predict(rows):
        return maps_of(rows).mean(axis=(2, 3))[:, :2] * [3.0, 5.0]

    return Model(
        "planted",
        predict,
        ("red", "green"),
        "logit",
        kind="image",
        batch=4,
        feature_maps=lambda rows, layer: (predict(rows), maps_of(rows)),
        layers=lambda rows: {"colors": (3, *rows.shape[1:3])},
    )


def two_patches() -> Inputs:
    """A large red patch, a smaller and darker green one, on black."""
    values = np.zeros((2, 8, 6, 3))
    values[:, 1:5, 1:3, 0] = 1.0
    values[:, 5:7, 3:5, 1] = 0.5
    return Inputs(values, kind="image")


class TestEigenCAM:
    def test_it_is_the_projection_on_the_first_right_singular_vector(self):
        model = images_in_torch()
        result = wb.explain(model, images(), EigenCAM(layer="3"))
        _, maps = model.feature_maps(images().values, "3")
        for row, one in enumerate(maps):
            places = np.array(
                [one[:, i, j] for i in range(one.shape[1]) for j in range(one.shape[2])]
            )
            # The first right singular vector is the leading eigenvector of the channels' products.
            values, vectors = np.linalg.eigh(sum(np.outer(place, place) for place in places))
            small = np.array([place @ vectors[:, values.argmax()] for place in places])
            small = small * (-1 if small.sum() < 0 else 1)
            wanted = enlarged(small.reshape(one.shape[1:]), (16, 12))
            np.testing.assert_allclose(result.values[row], wanted, atol=1e-6)  # float32 maps

    def test_the_sign_is_the_one_of_the_sum(self):
        maps = np.random.default_rng(3).normal(size=(5, 4, 3, 2))
        found = eigen_cam(maps)
        assert (found.sum(axis=(1, 2)) >= 0).all()
        np.testing.assert_allclose(eigen_cam(-maps), found, atol=1e-12)  # the same component
        assert (found < 0).any()  # and it is not cut at zero

    def test_every_target_has_the_same_map_and_the_result_says_so(self):
        study = wb.Study(
            (planted(),), (EigenCAM(),), two_patches(), (wb.Target("red"), wb.Target("green"))
        )
        red, green = wb.run(study)
        np.testing.assert_array_equal(red.values, green.values)
        assert (red.output != green.output).all()
        assert any("asks for no target" in note for note in red.notes)

    def test_it_shows_the_largest_part_of_the_layer(self):
        result = wb.explain(planted(), two_patches(), EigenCAM())
        # Red and green never meet, so the first component is red alone: 8 places of 1 against 4 of .5.
        np.testing.assert_allclose(result.values, two_patches().values[..., 0], atol=1e-12)

    def test_a_dead_layer_gives_a_map_of_zeros_and_a_note(self):
        result = wb.explain(planted(dead=True), two_patches(), EigenCAM())
        assert not result.values.any()
        assert any("zero everywhere" in note for note in result.notes)


class TestScoreCAM:
    @pytest.mark.parametrize("fill", ["mean", "zero", "background"])
    def test_it_follows_the_paper_channel_by_channel(self, fill):
        model, inputs = images_in_torch(), images()
        target = wb.Target(2, against=1)
        result = wb.explain(model, inputs, ScoreCAM(layer="0", fill=fill), target)
        _, maps = model.feature_maps(inputs.values, "0")
        for row, image in enumerate(inputs.values):
            fills = {
                "mean": [np.broadcast_to(image.mean(axis=(0, 1)), image.shape)],
                "zero": [np.zeros_like(image)],
                "background": list(inputs.background),
            }[fill]
            scores = []
            for channel in maps[row]:
                large = enlarged(channel, (16, 12))
                mask = ((large - large.min()) / (large.max() - large.min()))[..., None]
                said = [model.scores((image * mask + one * (1 - mask))[None])[0] for one in fills]
                mean = np.mean(said, axis=0)
                scores.append(mean[2] - mean[1])
            alpha = np.exp(scores) / np.exp(scores).sum()
            small = np.maximum(
                sum(a * channel for a, channel in zip(alpha, maps[row], strict=True)), 0
            )
            wanted = enlarged(small, (16, 12))
            np.testing.assert_allclose(result.values[row], wanted, rtol=1e-4, atol=1e-6)  # float32

    def test_the_channel_that_the_target_reads_weighs_most(self):
        study = wb.Study(
            (planted(),),
            (ScoreCAM(fill="zero"),),
            two_patches(),
            (wb.Target("red"), wb.Target("green")),
        )
        red, green = wb.run(study)
        # 8 of 48 places are red: through its own mask the image scores 3 * 8/48 = .5, through the other 0.
        alpha = np.exp(0.5) / (np.exp(0.5) + 1)
        np.testing.assert_allclose(red.values[:, 1:5, 1:3], alpha, rtol=1e-12)
        # Green: 4 places of .5 score 5 * 4 * .5 / 48 through their own mask.
        alpha = np.exp(10 / 48) / (np.exp(10 / 48) + 1)
        np.testing.assert_allclose(green.values[:, 5:7, 3:5], 0.5 * alpha, rtol=1e-12)

    def test_a_channel_without_contrast_costs_nothing_and_a_dead_layer_is_all_zeros(self):
        result = wb.explain(planted(), two_patches(), ScoreCAM(), wb.Target(0))
        assert result.evaluations == 2 * (1 + 2)  # two rows: themselves, and two of three channels
        dead = wb.explain(planted(dead=True), two_patches(), ScoreCAM(), wb.Target(0))
        assert dead.evaluations == 2
        assert not dead.values.any()

    def test_of_many_channels_the_largest_are_asked_and_the_result_says_so(self):
        result = wb.explain(planted(), two_patches(), ScoreCAM(channels=1), wb.Target(0))
        assert result.evaluations == 2 * (1 + 1)
        np.testing.assert_allclose(
            result.values, two_patches().values[..., 0]
        )  # red, with alpha = 1
        assert any("at most the 1 with the largest" in note for note in result.notes)

    @pytest.mark.parametrize("recipe", [EigenCAM(), ScoreCAM(), ScoreCAM(fill="background")])
    def test_the_plan_holds_what_is_then_asked(self, recipe):
        model, inputs = images_in_torch(), images()
        study = wb.Study((model,), (recipe,), inputs, (wb.Target(0), wb.Target(1)))
        fewest, most = wb.plan(study, probe_seconds=0).evaluations
        spent = {result.evaluations for result in wb.run(study)}
        assert len(spent) == 1
        assert fewest <= spent.pop() <= most
        assert fewest == len(inputs)


def test_a_model_without_maps_is_refused_with_the_reason():
    model = wb.wrap(lambda x: x.mean((1, 2)), outputs=list("rgb"), scale="raw", kind="image")
    with pytest.raises(wb.errors.IncompatibleError, match="EigenCAM needs the model's layers"):
        wb.explain(model, two_patches(), EigenCAM())
