"""Signs of life: progress goes one way, ends at its end, and what is finished stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.contract.test_every_method_on_every_model import every_case, rows_for


@every_case
def test_progress_never_goes_back_comes_with_every_row_and_ends_at_its_end(make, method):
    model = replace(make(), batch=9)
    inputs = rows_for(model)
    seen = list(method.attribute(model, inputs, (wb.Target(0),)))
    done = [step.done for step in seen]
    (total,) = {step.total for step in seen}
    assert done == sorted(done)
    assert done[0] >= 0
    assert done[-1] == total
    assert total not in done[:-1]


def rows_known(estimate) -> list[int]:
    values = estimate.values[0].reshape(estimate.values.shape[1], -1)
    return np.flatnonzero(np.isfinite(values).all(axis=1)).tolist()


@every_case
def test_a_look_at_any_time_knows_the_first_rows_and_the_finished_ones_as_they_will_be(
    make, method
):
    model = replace(make(), batch=9)
    inputs = rows_for(model)
    final = None
    looks = []
    for step in method.attribute(model, inputs, (wb.Target(0),)):
        final = step.estimate()
        looks.append((rows_known(final), final.values[0].copy()))
    for known, values in looks:
        assert known == list(range(len(known)))
        for row in known[:-1]:  # the last one may be in progress
            np.testing.assert_array_equal(values[row], final.values[0, row])
    sizes = [len(known) for known, _ in looks]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(inputs)


@pytest.mark.parametrize("name", ["values", "output", "base", "error"])
def test_a_look_is_not_written_to_by_what_comes_after_it(name, network, table):
    for method in (
        wb.methods.GradientSHAP(budget=20),
        wb.methods.IntegratedGradients(steps=8),
        wb.methods.Occlusion(),
    ):
        seen = []
        for step in method.attribute(replace(network, batch=5), table, (wb.Target(0),)):
            look = getattr(step.estimate(), name)
            if look is not None:
                seen.append((look, look.copy()))
        for look, before in seen:
            np.testing.assert_array_equal(look, before)
