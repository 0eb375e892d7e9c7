"""A failing call loses nothing: what was finished is kept, row by row, and the rest can be asked for."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.models_in_numpy import tanh_network
from tests.study.studies_to_plan import ZERO, Mine, convolutional, forest, pictures, table
from workbench import ensembles
from workbench.errors import MemberError, ModelError
from workbench.methods import (
    LIME,
    ExactShapley,
    GradCAM,
    GradientSHAP,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
    ScoreCAM,
    TreeSHAP,
)
from workbench.study.run import steps


def failing(model, at, counts=None):
    """The same model, which fails on call `at` and works again after it; `counts` gets rows per call."""
    calls = [] if counts is None else counts

    def ask(call):
        calls.append(call.rows)
        if len(calls) == at:
            raise ModelError("503")
        return call()

    # As an adapter's: it says itself that it was tried, so that calls are the study's own.
    return replace(model.through(ask), trial=lambda _: None)


METHODS = [
    (tanh_network(), table(), ExactShapley()),
    (tanh_network(), table(), KernelSHAP(budget=400)),
    (tanh_network(), table(), PermutationSHAP(budget=400)),
    (tanh_network(), table(), Occlusion()),
    (tanh_network(), table(), LIME(budget=80)),
    (tanh_network(), table(), IntegratedGradients(steps=8)),
    (tanh_network(), table(), GradientSHAP(budget=40)),
    (forest(), table(), TreeSHAP()),
    (convolutional(), pictures(5), GradCAM()),
    (convolutional(), pictures(), ScoreCAM()),
    (convolutional(), pictures(), Occlusion(window=8, stride=8)),
    (convolutional(), pictures(), LIME(budget=40, segments=6)),
]


@pytest.mark.parametrize(("model", "inputs", "method"), METHODS, ids=lambda one: type(one).__name__)
def test_finished_rows_are_the_runs_own_wherever_it_fails(model, inputs, method):
    small = replace(model, batch=16 if inputs.kind == "tabular" else 2)
    counts = []
    whole = wb.explain(failing(small, None, counts), inputs, method, wb.Target(0))
    assert whole.finished is None
    for at in {1, 2, len(counts) // 3, len(counts) // 2, len(counts) - 1, len(counts)} - {0}:
        with pytest.raises(ModelError) as told:
            wb.explain(failing(small, at), inputs, method, wb.Target(0))
        for part in told.value.partial:
            assert not part.complete
            assert part.finished.shape == (len(part),)
            for row, done in zip(part.inputs.ids, part.finished, strict=True):
                i, j = inputs.ids.index(row), part.inputs.ids.index(row)
                if done:
                    np.testing.assert_array_equal(part.values[j], whole.values[i])
                    np.testing.assert_array_equal(part.output[j], whole.output[i])


@pytest.mark.parametrize("method", [ExactShapley(), Occlusion()], ids=lambda m: type(m).__name__)
def test_every_row_before_the_failure_is_kept_and_only_the_others_are_asked_for(method):
    """By hand: the four rows' scores in one call, then the same number of calls for each row."""
    inputs, counts = table(), []
    model = replace(tanh_network(), batch=64)
    whole = wb.explain(failing(model, None, counts), inputs, method, wb.Target(0))
    per_row = (len(counts) - 1) // 4
    with pytest.raises(ModelError, match="503") as told:
        wb.explain(failing(model, 1 + 2 * per_row + 1), inputs, method, wb.Target(0))
    (part,) = told.value.partial
    assert part.inputs.ids == inputs.ids[:2]
    assert part.finished.tolist() == [True, True]
    missing = [i for i, row in enumerate(inputs.ids) if row not in part.inputs.ids]
    asked = []
    rest = wb.explain(failing(model, None, asked), inputs[missing], method, wb.Target(0))
    assert len(asked) == 1 + 2 * per_row
    both = np.concatenate([part.values, rest.values])
    np.testing.assert_array_equal(both, whole.values)


def test_the_row_in_progress_is_told_from_the_finished_ones():
    method = KernelSHAP(budget=400)
    model = replace(tanh_network(), batch=50)
    counts = []
    wb.explain(failing(model, None, counts), table(), method, wb.Target(0))
    with pytest.raises(ModelError) as told:
        wb.explain(failing(model, len(counts)), table(), method, wb.Target(0))
    (part,) = told.value.partial
    assert part.finished.tolist() == [True, True, True, False]


def test_cells_and_targets_before_the_failure_are_kept_whole():
    model, counts = tanh_network(), []
    targets = (wb.Target(0), wb.Target(1))
    first = wb.Study((failing(model, None, counts),), (Occlusion(),), table(), targets)
    whole = list(wb.run(first))
    study = wb.Study(
        (failing(model, len(counts) + 2),), (Occlusion(), ExactShapley()), table(), targets
    )
    got = []
    with pytest.raises(ModelError) as told:
        got.extend(wb.run(study))
    done = [one for one in told.value.partial if one.complete]
    assert len(done) == 2
    for one, other in zip(done, whole, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_a_failure_before_anything_is_known_keeps_nothing():
    with pytest.raises(ModelError) as told:
        wb.explain(failing(tanh_network(), 1), table(), Occlusion(), wb.Target(0))
    assert told.value.partial == ()


def test_a_cancelled_run_says_the_same_of_its_rows():
    going = steps(wb.Study((replace(tanh_network(), batch=7),), (Occlusion(),), table(), ZERO))
    seen = set()
    for step in going:
        for part in step.partial():
            if not part.complete:
                assert part.finished.all()
                seen.add(len(part))
    assert seen == {1, 2, 3, 4}


def test_a_method_that_does_not_tell_finishes_no_row_before_the_end():
    with pytest.raises(ModelError) as told:
        wb.explain(failing(tanh_network(), 4), table(), Mine(), wb.Target(0))
    (part,) = told.value.partial
    assert part.finished.tolist() == [False] * 4


def test_an_ensembles_rows_are_finished_where_all_its_members_are():
    members = [replace(tanh_network(seed=i), name=f"seed {i}", batch=64) for i in range(2)]
    ensemble = ensembles.vote(members)
    going = steps(wb.Study((ensemble,), (ExactShapley(),), table(), ZERO))
    for step in going:
        for part in step.partial():
            if not part.complete:
                assert part.finished.all()
                for one in part.parts:
                    assert one.finished.all()
    broken = failing(members[0], 3)
    with pytest.raises(MemberError):
        wb.explain(ensembles.vote([broken, members[1]]), table(), ExactShapley(), wb.Target(0))
