"""`run` checks before it spends, keeps what is finished, and says what is wrong in one sentence."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import workbench as wb
from workbench.core import Estimate, Inputs, Model, Progress, resolve_targets
from workbench.errors import IncompatibleError, InputError, ModelError
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
from workbench.study.fit import mismatch, obstacle


@dataclass(frozen=True)
class Constant:
    """A method of the user's own, without registration: every column gets 1."""

    needs: ClassVar = ()
    kinds: ClassVar = ("tabular",)
    additive: ClassVar = False
    source: ClassVar = "here"

    def attribute(self, model, inputs, targets):
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.ones((len(targets), *inputs.values.shape))
        yield Progress(1, 1, lambda: Estimate(values, output, np.zeros_like(output)))


def test_an_object_of_the_users_own_works_without_registration(network, table):
    result = wb.explain(network, table, Constant())
    np.testing.assert_array_equal(result.values, 1.0)
    np.testing.assert_allclose(result.gap, result.output - 6)


def test_run_yields_models_then_methods_then_targets(network, table):
    other = replace(network, name="other")
    study = wb.Study(
        (network, other), (Occlusion(), LIME(budget=50)), table, (wb.Target(0), wb.Target(1))
    )
    order = [(r.model, type(r.method).__name__, r.target.index) for r in wb.run(study)]
    assert len(order) == len(study) == 8
    assert order == [
        (m, method, t)
        for m in ("network", "other")
        for method in ("Occlusion", "LIME")
        for t in (0, 1)
    ]


def test_progress_grows_to_the_total_and_never_falls(network, table):
    study = wb.Study((network,), (KernelSHAP(budget=350), Occlusion(), LIME(budget=200)), table)
    seen = [(step.done, step.total) for step in wb.steps(study)]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {3000}
    assert seen[-1] == (3000, 3000)


def test_stopping_within_a_batch_keeps_finished_results_and_marks_the_rest(network, table, counted):
    small = replace(counted.on(network), batch=20)
    study = wb.Study((small,), (Occlusion(), PermutationSHAP(budget=12 * 7 * 50)), table)
    cells = wb.steps(study)
    for step in cells:
        if step.done > 1500:
            break
    rows = counted.rows
    partial = step.partial()
    assert counted.rows == rows  # looking costs no model rows
    cells.close()
    assert [type(r.method).__name__ for r in partial] == ["Occlusion", "PermutationSHAP"]
    assert partial[0].complete
    assert not partial[1].complete
    assert 1 <= len(partial[1]) < len(table)
    assert partial[1].inputs.ids == table.ids[: len(partial[1])]
    assert np.isfinite(partial[1].values).all()


def test_between_two_signs_of_life_lies_at_most_one_batch(network, table, counted):
    small = replace(counted.on(network), batch=16)
    for method in (
        KernelSHAP(budget=350),
        PermutationSHAP(budget=12 * 7 * 3),
        ExactShapley(),
        Occlusion(),
        LIME(budget=100),
    ):
        before = counted.rows
        worst = 0
        for _ in wb.steps(wb.Study((small,), (method,), table[:2], (wb.Target(0),))):
            worst = max(worst, counted.rows - before)
            before = counted.rows
        # A row's ends (itself, the background, the rows' scores) are asked for together with a batch.
        assert worst <= 16 + 7 + 1 + 2 + 1, type(method).__name__


def test_the_background_is_never_cut(network, table, counted):
    wide = table.with_background(np.random.default_rng(0).normal(size=(151, 6)))
    result = wb.explain(counted.on(network), wide[:1], ExactShapley(), wb.Target(0))
    assert counted.rows >= 2**6 * 151
    np.testing.assert_allclose(result.base, network.predict(wide.background)[:, 0].mean())


def test_results_remember_what_they_are(network, table):
    result = wb.explain(network, table, Occlusion(), wb.Target.predicted())
    best = network.predict(table.values).argmax(axis=1)
    assert result.explained == tuple("abc"[j] for j in best)
    assert result.scale == "logit"
    assert result.provenance.versions["workbench"] == wb.__version__
    assert "Occlusion" in repr(result)
    assert "network" in result._repr_html_()


class TestBadInput:
    """Each gets one sentence with what was needed, what was found and what to do."""

    def test_rows_with_gaps(self):
        with pytest.raises(
            InputError, match=r"1 of 2 rows hold NaN.*row 1, position \[0, 1, 0\].*Fill or drop"
        ):
            Inputs([[[[1.0], [2.0]]], [[[3.0], [np.nan]]]], kind="image")

    def test_wrong_width(self, network, table):
        narrow = Inputs(np.zeros((2, 5)), kind="tabular")
        model = replace(network, shape=(6,))
        with pytest.raises(InputError, match="needs rows of 6, but these are 5"):
            wb.explain(model, narrow, LIME())

    def test_other_column_names_or_order(self, network, table):
        model = replace(network, features=tuple(reversed(table.features)), shape=(6,))
        with pytest.raises(
            InputError, match=r"column 0 should be 'column z' but is 'column u' \(6 differ\)"
        ):
            wb.explain(model, table, Occlusion())

    def test_wrong_channel_order(self):
        with pytest.raises(
            InputError, match=r"channels last.*\(2, 3, 16, 20\).*transpose\(0, 2, 3, 1\)"
        ):
            Inputs(np.zeros((2, 3, 16, 20)), kind="image")

    def test_one_image_without_the_batch_axis(self):
        with pytest.raises(InputError, match=r"\(n, h, w, c\).*values\[None\]"):
            Inputs(np.zeros((16, 20, 3)), kind="image")

    @pytest.mark.parametrize("target", ["d", 3, -1, True, 1.5])
    def test_unknown_class(self, network, table, target):
        with pytest.raises(InputError, match=r"output|position"):
            wb.explain(network, table, Occlusion(), wb.Target(target))

    def test_one_class_per_row_too_few(self, network, table):
        with pytest.raises(InputError, match="needs 5 entries, but has 2"):
            wb.explain(network, table, Occlusion(), wb.Target((0, 1)))

    def test_a_model_that_returns_nan_is_named_with_its_row(self, table):
        def predict(rows):
            scores = rows[:, :1].copy()
            scores[rows[:, 0] == table.values[3, 0]] = np.nan
            return scores

        model = Model("broken", predict, ("y",), "raw")
        with pytest.raises(ModelError, match=r"'broken'.*finite.*1 of 5 rows.*position 3.*\[nan\]"):
            wb.explain(model, table, Occlusion())

    def test_a_model_with_the_wrong_shape(self, table):
        model = Model("flat", lambda rows: rows[:, 0], ("y",), "raw")
        with pytest.raises(ModelError, match=r"\(5, 1\).*but gave \(5,\)"):
            wb.explain(model, table, Occlusion())

    def test_an_empty_selection(self, network, table):
        with pytest.raises(InputError, match="at least one row"):
            wb.explain(network, table[:0], Occlusion())

    def test_no_background(self, network, table):
        bare = table.with_background(None)
        for method in (
            KernelSHAP(),
            PermutationSHAP(),
            ExactShapley(),
            LIME(),
            Occlusion(),
            GradientSHAP(),
        ):
            with pytest.raises(
                IncompatibleError, match=r"needs background rows.*Inputs\(rows, background="
            ):
                wb.explain(network, bare, method)

    def test_a_background_of_another_width(self, table):
        with pytest.raises(InputError, match=r"\(b, 6\).*\(3, 4\)"):
            table.with_background(np.zeros((3, 4)))

    def test_an_empty_background(self, table):
        with pytest.raises(InputError, match="background is empty"):
            table.with_background(np.zeros((0, 6)))

    def test_a_budget_that_cannot_work_says_what_can(self, network, table):
        with pytest.raises(InputError, match=r"at least 177 model rows, but has 64"):
            wb.explain(network, table, KernelSHAP(budget=64))
        with pytest.raises(
            InputError, match=r"at least 84 model rows \(one rotation\), but has 60"
        ):
            wb.explain(network, table, PermutationSHAP(budget=60))

    def test_too_many_players_for_enumeration(self, network):
        wide = Inputs(np.zeros((1, 17)), kind="tabular", background=np.zeros((1, 17)))
        assert "at most 16 players" in obstacle(ExactShapley, network, wide)

    def test_a_method_without_its_capability_names_those_that_work(self, table):
        model = Model("plain", lambda rows: rows[:, :1], ("y",), "raw")
        with pytest.raises(IncompatibleError) as caught:
            wb.explain(model, table, TreeSHAP())
        message = str(caught.value)
        assert "TreeSHAP needs the model's trees, which 'plain' does not give." in message
        assert "PermutationSHAP, KernelSHAP, ExactShapley, LIME, Occlusion" in message
        assert "GradCAM" not in message

    def test_rows_without_a_background_are_told_how_to_get_one_and_not_that_nothing_works(self):
        model = Model("plain", lambda rows: rows[:, :1], ("y",), "raw")
        bare = Inputs(np.zeros((1, 2)), kind="tabular", name="bare")
        with pytest.raises(IncompatibleError) as caught:
            wb.explain(model, bare, LIME())
        assert str(caught.value) == (
            "LIME needs background rows for fill='background', but 'bare' has none. Add them with "
            "Inputs(rows, background=training_rows), or choose fill='zero'."
        )
        with pytest.raises(IncompatibleError) as caught:
            wb.explain(model, bare, TreeSHAP())
        assert str(caught.value) == (
            "TreeSHAP needs the model's trees, which 'plain' does not give. With background rows "
            "PermutationSHAP, KernelSHAP, ExactShapley, LIME, Occlusion can explain it: "
            "Inputs(rows, background=training_rows)."
        )
        wb.explain(model, Inputs([[1.0, 2.0]], background=[[0.0, 0.0]]), Occlusion())

    def test_an_image_method_on_a_table(self, network, table):
        with pytest.raises(
            IncompatibleError,
            match="GradCAM explains image, signal and volume rows, but these are tabular",
        ):
            wb.explain(network, table, GradCAM())

    def test_rows_of_another_kind_than_the_models(self, network):
        image = Inputs(np.zeros((1, 4, 5, 3)), kind="image")
        assert "reads tabular rows, but these are image" in mismatch(network, image)

    def test_predicted_among_raw_outputs_is_refused(self, linear, four):
        with pytest.raises(InputError, match=r"cannot be compared.*\['y0', 'y1'\]"):
            wb.explain(linear, four, Occlusion())

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: KernelSHAP(budget=0), "budget must lie in 2"),
            (lambda: KernelSHAP(budget=2.5), "must be of type int"),
            (lambda: LIME(kernel_width="wide"), "must be of type float"),
            (lambda: LIME(superpixels="round"), "must be one of"),
            (lambda: Occlusion(window=4, stride=8), "must not exceed"),
            (lambda: IntegratedGradients(steps=100_000), "must lie in 2 … 512"),
            (lambda: TreeSHAP(feature_perturbation="fast"), "must be one of"),
        ],
    )
    def test_parameters_outside_their_annotations(self, make, words):
        with pytest.raises(InputError, match=words):
            make()


def test_one_row_and_constant_columns_are_explained(network):
    background = np.zeros((4, 6))
    background[:, 1] = [1, 2, 3, 4]
    inputs = Inputs(np.array([[0, 9, 0, 0, 0, 0.0]]), kind="tabular", background=background)
    for method in (KernelSHAP(), PermutationSHAP(), ExactShapley(), Occlusion()):
        result = wb.explain(network, inputs, method, wb.Target(0))
        np.testing.assert_allclose(np.delete(result.values, 1, axis=1), 0.0, atol=1e-8)
        assert abs(result.values[0, 1]) > 1e-3
    lime = wb.explain(network, inputs, LIME(budget=300), wb.Target(0))
    np.testing.assert_allclose(np.delete(lime.values, 1, axis=1), 0.0, atol=1e-12)


def test_without_a_method_the_black_box_method_that_stops_by_itself_is_used(network, table):
    from workbench.methods import PermutationSHAP

    found = wb.explain(network, table)
    assert found.method == PermutationSHAP()
    np.testing.assert_array_equal(
        found.values, wb.explain(network, table, PermutationSHAP()).values
    )
