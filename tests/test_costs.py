"""What every method asks of a model, counted: rows, calls, backward passes, segmentations.

Counts are the same on every machine, so they are gates; times are in `tests/benchmarks`. Each number is
worked out by hand beside it. `table` has n = 5 rows of p = 6 columns over b = 7 background rows, `network`
takes 64 rows a call.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.coalitions import superpixels
from workbench.coalitions.kept import Kept
from workbench.core import Inputs
from workbench.methods import (
    LIME,
    ExactShapley,
    GradCAM,
    GradientSHAP,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
    TreeSHAP,
)

ZERO = wb.Target(0)


def asked(counted, model, inputs, method, *targets):
    """Model rows of one pass, which must also be what the result says it cost."""
    before = counted.rows
    study = wb.Study((counted.on(model),), (method,), inputs, targets or (ZERO,))
    found = list(wb.run(study))
    assert {result.evaluations for result in found} == {counted.rows - before}
    return counted.rows - before


class TestTables:
    @pytest.mark.parametrize("n", [1, 5])
    def test_lime_asks_for_one_sample_and_each_row_once(self, network, table, counted, n):
        # 5000 rows of a sample, of which the first is the row itself, and the other 4999 serve all n.
        assert asked(counted, network, table[:n], LIME()) == 4999 + n

    def test_another_row_costs_lime_no_other_sample(self, network, table, counted):
        one, five = (asked(counted, network, table[:n], LIME()) for n in (1, 5))
        assert five - one <= 2 * 4  # four rows more: at most their own scores, twice

    def test_kernel_shap_asks_for_every_coalition_over_every_background_row(
        self, network, table, counted
    ):
        # Of 309 rows the output and the ends take 1 + 1 + 7.
        # 300 rows buy 300 // 7 = 42 coalitions. Sizes 1 and 5 hold 12 of them and get 42 * 2 / 3.8 = 22
        # draws or more, so they are enumerated; of the 30 left, sizes 2 and 4 would get 30 * 1.25 / 1.8 =
        # 21 < 30, so the rest is drawn in 15 pairs: 42 in all. Each row adds its full coalition (1)
        # and the empty one (7); the rows' outputs are asked for once (5).
        wanted = 5 * (42 * 7 + 1 + 7) + 5
        assert wanted == 1515
        assert asked(counted, network, table, KernelSHAP(budget=309)) == wanted

    def test_kernel_shap_fills_its_batches(self, network, table, counted):
        asked(counted, network, table[:1], KernelSHAP(budget=309))
        # 42 * 7 = 294 rows are 5 batches of 64; full, empty and the row's output are a call each.
        assert counted.calls == 5 + 3

    def test_permutation_shap_walks_both_ways_without_the_ends(self, network, table, counted):
        # A rotation is 7 pairs of walks over 6 players, 2 * 6 * 7 = 84 rows of the budget; 252 buy
        # three, 21 pairs. A walk asks for the 5 coalitions between empty and full. The ends are asked
        # for once per row: full (1) and empty (7). Outputs: 5.
        wanted = 5 * (21 * 2 * 5 + 1 + 7) + 5
        assert wanted == 1095
        assert asked(counted, network, table, PermutationSHAP(budget=252)) == wanted

    def test_exact_shapley_asks_for_every_subset_over_every_background_row(
        self, network, table, counted
    ):
        # 2**6 subsets over 7 rows, empty and full among them; outputs: 5.
        assert asked(counted, network, table, ExactShapley()) == 5 * 64 * 7 + 5

    def test_occlusion_asks_for_each_column_over_every_background_row(
        self, network, table, counted
    ):
        # Each of 6 columns is replaced by each of 7 rows; outputs: 5.
        assert asked(counted, network, table, Occlusion()) == 5 * 6 * 7 + 5

    @pytest.mark.parametrize(
        "method",
        [
            LIME(budget=100),
            KernelSHAP(budget=300),
            PermutationSHAP(budget=252),
            ExactShapley(),
            Occlusion(),
        ],
        ids=lambda method: type(method).__name__,
    )
    def test_all_targets_come_from_one_pass(self, network, table, counted, method):
        one = asked(counted, network, table, method)
        three = asked(counted, network, table, method, ZERO, wb.Target(1), wb.Target(2, against=0))
        assert three == one

    def test_the_predicted_class_costs_no_more_than_a_named_one(self, network, table, counted):
        named = asked(counted, network, table, Occlusion())
        predicted = asked(counted, network, table, Occlusion(), wb.Target.predicted())
        assert predicted == named  # the rows' own scores are asked for once, whatever for

    def test_five_models_cost_what_they_cost_one_by_one(self, network, table, counted):
        one = asked(counted, network, table, KernelSHAP(budget=300))
        members = tuple(replace(counted.on(network), name=f"member {i}") for i in range(5))
        before = counted.rows
        list(wb.run(wb.Study(members, (KernelSHAP(budget=300),), table, (ZERO,))))
        assert counted.rows - before == 5 * one

    @pytest.mark.parametrize(
        ("variant", "ends"), [("interventional", 7), ("tree_path_dependent", 0)]
    )
    def test_tree_shap_asks_the_model_only_for_its_ends(self, counted, table, variant, ends):
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(3, max_depth=3, random_state=0)
        forest.fit(table.background, table.background[:, 0])
        # Outputs: 5; the mean over the background where that is the base: 7.
        assert asked(counted, wb.wrap(forest), table, TreeSHAP(variant)) == 5 + ends


@pytest.fixture
def module():
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(7, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 4),
    ).eval()


@pytest.fixture
def images():
    rng = np.random.default_rng(8)
    return Inputs(
        rng.random((5, 16, 12, 3)).astype(np.float32),
        kind="image",
        background=rng.random((2, 16, 12, 3)).astype(np.float32),
    )


class Passes:
    """What a torch module does while somebody explains it.

    `forwards` holds the rows of each forward pass, `backwards` counts backward passes, `tracked` names
    the layers whose results were part of a graph.
    """

    def __init__(self, module, monkeypatch):
        self.forwards: list[int] = []
        self.backwards = 0
        self.tracked: set[str] = set()
        module.register_forward_pre_hook(lambda _, given: self.forwards.append(len(given[0])))
        for name, part in module.named_children():
            part.register_forward_hook(
                lambda _, given, out, name=name: self.tracked.update([name] * out.requires_grad)
            )
        original = torch.autograd.grad

        def grad(*arguments, **how):
            self.backwards += 1
            return original(*arguments, **how)

        monkeypatch.setattr(torch.autograd, "grad", grad)


@pytest.fixture
def model(module):
    return wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit", batch=2)


@pytest.fixture
def passes(module, model, monkeypatch):
    return Passes(module, monkeypatch)


FOUR = tuple(wb.Target(label) for label in range(4))


class TestGradients:
    @pytest.mark.parametrize("targets", [FOUR[:1], FOUR])
    def test_grad_cam_asks_for_each_row_once_however_many_classes(
        self, model, images, passes, targets
    ):
        model.layers(images.values[:1])  # which layers there are is found once for all
        passes.forwards.clear()
        list(wb.run(wb.Study((model,), (GradCAM(layer="4"),), images, targets)))
        assert passes.forwards == [2, 2, 1]

    @pytest.mark.parametrize("targets", [FOUR[:1], FOUR])
    def test_grad_cam_asks_for_no_row_three_times(self, model, images, passes, targets):
        list(wb.run(wb.Study((model,), (GradCAM(layer="4"),), images, targets)))
        # Five rows for their activations; 2 + 5 and two single ones that show which layers are maps.
        assert sum(passes.forwards) <= 5 + 2 + 5 + 2

    def test_grad_cam_goes_back_once_per_class_and_batch_and_stops_at_its_layer(
        self, model, images, passes
    ):
        list(wb.run(wb.Study((model,), (GradCAM(layer="4"),), images, FOUR)))
        assert passes.backwards == 3 * 4  # 5 rows in batches of 2, four classes
        # What layer 4 gives is made a leaf: only layers after it are recorded and can be walked back.
        assert passes.tracked == {"5", "6", "7"}

    @pytest.mark.parametrize("targets", [FOUR[:1], FOUR])
    def test_integrated_gradients_ask_for_each_point_once_however_many_classes(
        self, model, images, passes, targets
    ):
        list(wb.run(wb.Study((model,), (IntegratedGradients(steps=5),), images[:3], targets)))
        # Per row: 5 points in batches of 2, and the line's beginning (1). Before: 3 outputs in 2 batches.
        assert passes.forwards == [2, 1] + 3 * [2, 2, 1, 1]
        assert passes.backwards == 3 * 3 * len(targets)  # rows x batches of points x classes

    @pytest.mark.parametrize("targets", [FOUR[:1], FOUR])
    def test_gradient_shap_asks_for_each_point_once_however_many_classes(
        self, model, images, passes, targets
    ):
        list(wb.run(wb.Study((model,), (GradientSHAP(budget=9),), images[:3], targets)))
        # Before: 3 outputs in 2 batches and 2 background rows; per row 9 points in batches of 2.
        assert passes.forwards == [2, 1, 2] + 3 * [2, 2, 2, 2, 1]
        assert passes.backwards == 3 * 5 * len(targets)


class TestImages:
    @pytest.fixture
    def segmented(self, monkeypatch):
        """The images that were really cut, with nothing remembered from other tests."""
        seen: list[tuple[int, ...]] = []
        original = superpixels.Superpixels._made

        def counting(self, image):
            seen.append(image.shape)
            return original(self, image)

        monkeypatch.setattr(superpixels.Superpixels, "_made", counting)
        monkeypatch.setattr(superpixels, "_kept", Kept(2**20, lambda pieces: pieces.labels.nbytes))
        return seen

    def test_an_image_is_cut_once_for_all_methods_models_and_classes(
        self, model, images, segmented
    ):
        models = (model, replace(model, name="other"))
        recipes = (
            LIME(budget=64, segments=6),
            KernelSHAP(budget=128, segments=6),
            PermutationSHAP(budget=128, segments=6),
        )
        list(wb.run(wb.Study(models, recipes, images[:3], FOUR[:2])))
        assert len(segmented) == 3  # images, whatever is done with them

    def test_another_number_of_superpixels_is_another_cut(self, model, images, segmented):
        for segments in (6, 9):
            wb.explain(model, images[:1], LIME(budget=64, segments=segments), ZERO)
        assert len(segmented) == 2

    def test_lime_asks_for_every_mask_once_in_whole_batches(self, model, images, passes):
        wb.explain(model, images[:1], LIME(budget=65, segments=6), ZERO)
        # The row's output, then 65 masks in batches of 2.
        assert passes.forwards == [1] + 32 * [2] + [1]

    def test_occlusion_asks_for_every_window_once(self, model, images, passes):
        wb.explain(model, images[:2], Occlusion(window=4, stride=4), ZERO)
        # 16 x 12 pixels hold 4 x 3 windows of 4 x 4, for each of two rows; the outputs come first.
        assert passes.forwards == [2] + 2 * 6 * [2]
