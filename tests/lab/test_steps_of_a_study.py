"""A study's steps: they go one way, say what is being done, and only what is."""

from __future__ import annotations

import pytest

from tests.lab.rows_by_hand import linear, table
from workbench.lab import DriftStudy, steps
from workbench.methods import Occlusion


def walked(**changes):
    copies = (linear("one", 1, 2, 3, 4, 5, 7), linear("two", 1, 2, 3, 4, 5, 8))
    study = DriftStudy(
        linear("net", 1, 2, 3, 4, 5, 6),
        copies,
        table(),
        (Occlusion(),),
        random_weights=False,
        **changes,
    )
    return list(steps(study))


@pytest.mark.parametrize("faithfulness", [False, True])
def test_asking_a_model_about_its_explanation_is_a_step_where_it_is_asked_for(faithfulness):
    told = [
        step.label for step in walked(faithfulness=faithfulness) if "Faithfulness" in step.label
    ]
    wanted = [f"Faithfulness of Occlusion of {name}" for name in ("net", "one", "two")]
    assert told == (wanted if faithfulness else [])


@pytest.mark.parametrize("faithfulness", [False, True])
def test_steps_go_one_way_to_their_end_and_copies_finish_one_by_one(faithfulness):
    seen = walked(faithfulness=faithfulness)
    total = seen[-1].total
    done = [step.done for step in seen if step.total == total]  # the self-test before it is its own
    assert done == sorted(done)
    assert done[-1] == total
    names = list(dict.fromkeys(step.result.finished for step in seen))
    assert names == [(), ("one",), ("one", "two")]
    ends = [step.label for step in seen if step.label.endswith("is finished")]
    assert [one for one in ends if "(copy)" in one or "(reference)" in one] == [
        "net (reference) is finished", "one (copy) is finished", "two (copy) is finished",
    ]  # fmt: skip
