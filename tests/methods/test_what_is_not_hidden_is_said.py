"""Where a fill leaves a part as it was, or a method names nothing, the result says so."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs
from workbench.methods import (
    LIME,
    ExactShapley,
    GradCAM,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
    ScoreCAM,
)

GAMES = [
    LIME(budget=60, superpixels="grid", segments=4),
    KernelSHAP(budget=60, superpixels="grid", segments=4),
    PermutationSHAP(budget=60, superpixels="grid", segments=4),
    ExactShapley(segments=4),
]


ON_TABLES = [Occlusion(), KernelSHAP(budget=60), PermutationSHAP(budget=60), ExactShapley()]


def total(kind="image"):
    axes = (1, 2, 3) if kind == "image" else 1
    return wb.Model("sum", lambda rows: rows.sum(axis=axes)[:, None], ("y",), "raw", kind=kind)


def halves():
    """Two pictures: the left half of the first is black; the second is gray."""
    values = np.full((2, 8, 8, 1), 0.5)
    values[0, :, :4] = 0.0
    return Inputs(values, kind="image", ids=("a", "b"))


def left(result):
    return [note for note in result.notes if note.startswith("The fill left")]


def named(method, **changes):
    return replace(method, **changes)


class TestImages:
    def test_windows_that_were_black_under_black_are_counted(self):
        result = wb.explain(total(), halves(), Occlusion(4, 2, "zero"))
        # 3 x 3 windows each; of the first picture, the three that begin at the left see black alone.
        (note,) = left(result)
        assert note.startswith("The fill left 3 of 18 parts as they were (rows a): ")
        assert result.maps()[0, :, 0].tolist() == [0.0] * 8

    @pytest.mark.parametrize("method", GAMES, ids=repr)
    def test_superpixels_that_were_black_under_black_are_counted(self, method):
        (note,) = left(wb.explain(total(), halves(), named(method, fill="zero")))
        assert note.startswith("The fill left 2 of 8 parts as they were (rows a): ")

    @pytest.mark.parametrize("method", [Occlusion(4, 4), *GAMES], ids=repr)
    @pytest.mark.parametrize("fill", ["mean", "blur"])
    def test_a_gray_picture_under_its_mean_or_a_blur_is_said_to_be_left(self, method, fill):
        result = wb.explain(total(), halves()[1:], named(method, fill=fill))
        (note,) = left(result)
        assert "left 4 of 4 parts as they were (rows b)" in note
        assert any("Every value is 0 or below rounding in row (b)" in n for n in result.notes)

    @pytest.mark.parametrize("method", [Occlusion(4, 4), *GAMES], ids=repr)
    def test_a_background_that_is_the_picture_hides_nothing(self, method):
        rows = halves()
        inputs = rows[1:].with_background(rows.values[1:])
        (note,) = left(wb.explain(total(), inputs, named(method, fill="background")))
        assert "left 4 of 4 parts" in note

    @pytest.mark.parametrize("method", [Occlusion(4, 4), *GAMES], ids=repr)
    def test_a_black_picture_leaves_no_other_color_and_that_is_said(self, method):
        inputs = Inputs(np.zeros((1, 8, 8, 3)), kind="image")
        (note,) = left(wb.explain(total(), inputs, method))
        assert "left 4 of 4 parts" in note

    @pytest.mark.parametrize("method", [Occlusion(4, 4), *GAMES], ids=repr)
    def test_nothing_is_said_where_everything_was_hidden(self, method):
        result = wb.explain(total(), halves(), method)
        assert not left(result)
        assert not any("Every value" in note for note in result.notes)


def network():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.ReLU())


class TestLayers:
    def model(self, head):
        import torch

        module = torch.nn.Sequential(
            network(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), head
        )
        return wb.wrap(module.eval(), outputs=("y",), scale="raw", name="net", kind="image")

    def negative(self):
        """A head that hears the maps as evidence against its output alone."""
        import torch

        head = torch.nn.Linear(2, 1)
        torch.nn.init.constant_(head.weight, -1.0)
        return self.model(head)

    def test_score_cam_says_which_rows_its_fill_does_not_change(self):
        rows = Inputs(np.random.default_rng(0).random((3, 8, 8, 1)), kind="image").values.copy()
        rows[1], rows[2] = 0.25, 0.75
        inputs = Inputs(rows, kind="image", ids=("a", "b", "c"))
        said = wb.explain(self.negative(), inputs, ScoreCAM(fill="mean")).notes
        (note,) = [note for note in said if "show anyway" in note]
        assert "(b, c): there the masks hide nothing" in note
        said = wb.explain(self.negative(), inputs, ScoreCAM()).notes
        assert not any("show anyway" in note for note in said)

    def test_a_map_that_was_cut_off_at_zero_everywhere_names_nothing(self):
        inputs = Inputs(np.random.default_rng(0).random((3, 8, 8, 1)), kind="image")
        result = wb.explain(self.negative(), inputs, GradCAM(), wb.Target(0))
        assert (result.values == 0).all()
        (note,) = [note for note in result.notes if note.startswith("Every value")]
        assert "in 3 of 3 rows (0, 1, 2)" in note
        assert "changes from row to row" in note

    def test_a_line_that_begins_at_the_row_itself_has_nothing_to_share_out(self):
        inputs = Inputs(np.full((1, 8, 8, 1), 0.3), kind="image", ids=("flat",))
        result = wb.explain(self.negative(), inputs, IntegratedGradients(steps=4), wb.Target(0))
        (note,) = [note for note in result.notes if note.startswith("Every value")]
        assert "in row (flat), where the output is the base" in note


class TestTables:
    def rows(self):
        background = np.array([[1.0, 2.0, 0.0], [1.0, 4.0, 5.0]])
        return Inputs(
            [[1.0, 2.0, 3.0], [7.0, 2.0, 5.0]],
            kind="tabular",
            background=background,
            ids=("a", "b"),
        )

    @pytest.mark.parametrize("method", ON_TABLES, ids=repr)
    def test_columns_that_the_whole_background_shares_with_the_row_are_counted(self, method):
        result = wb.explain(total("tabular"), self.rows(), method)
        (note,) = left(result)
        assert note.startswith("The fill left 1 of 6 parts as they were (rows a): ")
        assert note.endswith("choose another fill or background.")
        assert result.values[0, 0] == pytest.approx(0, abs=1e-15)  # a regression may round

    @pytest.mark.parametrize("method", ON_TABLES, ids=repr)
    def test_zeros_under_zero_are_counted(self, method):
        inputs = Inputs([[0.0, 2.0, 0.0]], kind="tabular")
        (note,) = left(wb.explain(total("tabular"), inputs, named(method, fill="zero")))
        assert "left 2 of 3 parts" in note

    @pytest.mark.parametrize("method", ON_TABLES, ids=repr)
    def test_a_row_that_is_its_mean_background_is_left_whole(self, method):
        background = np.array([[0.0, 2.0], [1.0, 4.0]])
        inputs = Inputs([[0.5, 3.0]], kind="tabular", background=background)
        result = wb.explain(total("tabular"), inputs, named(method, fill="mean"))
        (note,) = left(result)
        assert "left 2 of 2 parts" in note
        assert any(note.startswith("Every value is 0") for note in result.notes)

    @pytest.mark.parametrize("method", ON_TABLES, ids=repr)
    def test_a_saturated_score_is_said(self, method):
        model = wb.Model(
            "saturated", lambda rows: np.clip(rows.sum(axis=1), 0, 1)[:, None], ("y",), "raw",
            kind="tabular",
        )  # fmt: skip
        inputs = Inputs(
            [[70.0, 80.0], [0.3, 0.2]], kind="tabular", background=[[50.0, 50.0], [60.0, 60.0]]
        )
        result = wb.explain(model, inputs, method)
        (note,) = [note for note in result.notes if note.startswith("Every value")]
        assert "(0)" in note
        if not method.additive:
            assert "changes from row to row" in note
            assert "saturated" in note
